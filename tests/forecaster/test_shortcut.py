"""`seqcast.forecast`: frames, files and arrays in one step."""

import numpy as np
import pandas as pd
import pytest

import seqcast
from seqcast.errors import DataError

H, SEASON = 6, 7


def sales(rows=90):
    y = 20 + 5 * np.sin(2 * np.pi * np.arange(rows) / SEASON) + np.random.default_rng(0).normal(size=rows)
    return pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=rows), "y": y})


@pytest.fixture(scope="module")
def ahead():
    return seqcast.forecast(sales(), H, verbose=0)


def test_a_frame_is_forecast_as_a_forecaster_does_it(ahead):
    model = seqcast.Forecaster(H, verbose=0).fit(sales())
    pd.testing.assert_frame_equal(ahead, model.predict())
    assert len(ahead) == H


def test_a_file_and_an_array_give_the_same_numbers(ahead, tmp_path):
    sales().to_csv(tmp_path / "sales.csv", index=False)
    from_file = seqcast.forecast(tmp_path / "sales.csv", H, verbose=0)
    np.testing.assert_allclose(from_file["seqcast"], ahead["seqcast"], rtol=1e-5)
    from_array = seqcast.forecast(sales()["y"].to_numpy(), H, season_length=SEASON, verbose=0)
    np.testing.assert_allclose(from_array["seqcast"], ahead["seqcast"], rtol=1e-5)
    assert from_array["ds"].tolist() == list(range(90, 90 + H))


def test_rows_of_an_array_are_series():
    y = sales()["y"].to_numpy()
    two = seqcast.forecast(np.stack([y, 10 * y]), H, season_length=SEASON, verbose=0)
    assert two["unique_id"].tolist() == [0] * H + [1] * H
    np.testing.assert_allclose(two["seqcast"][H:], 10 * two["seqcast"][:H], rtol=1e-2)


def test_it_says_in_one_line_what_was_chosen_and_why(capsys):
    seqcast.forecast(sales(), H)
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("seqcast: 1 series with a step of 'D' and a season of 7, forecast with")
    assert "validation windows" in line


@pytest.mark.parametrize("data", [[], [[[1.0]]], ["a", "b"]])
def test_what_is_no_series_is_refused(data):
    with pytest.raises(DataError, match="data: expected"):
        seqcast.forecast(data, H)


def test_a_future_that_is_missing_is_seen_before_the_training():
    frame = sales().assign(price=1.0)
    with pytest.raises(DataError, match="future: expected a frame of the steps ahead"):
        seqcast.forecast(frame, H, future_covariates=["price"], effort="balanced")
    with pytest.raises(DataError, match="future: expected None"):
        seqcast.forecast(frame, H, future=frame)
