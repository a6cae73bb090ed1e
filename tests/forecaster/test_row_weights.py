"""Weights of rows: equal ones change nothing, rows of weight 0 are missing, losses are weighted means."""

import numpy as np
import pandas as pd
import pytest

from seqcast import Columns, Forecaster
from seqcast.data.series import InMemoryStore, SeriesScaler
from seqcast.data.windows import SeriesWindows, WindowReader
from seqcast.errors import DataError, SpecError
from tests.rejections import rejected

from .panels import COVARIATES, panel, tiny, waves

WEIGHTED = Columns(weight="w")


@pytest.fixture(scope="module")
def frame():
    return waves(noise=0.5, rows=80)


def fitted(frame, **options):
    return tiny(columns=WEIGHTED, **options).fit(frame)


def test_equal_weights_change_nothing(frame):
    expected = tiny(training={"epochs": 2}).fit(frame).predict()
    pd.testing.assert_frame_equal(
        fitted(frame.assign(w=3.3), training={"epochs": 2}).predict(), expected
    )
    other = fitted(
        frame.assign(w=np.where(frame["unique_id"] == "a", 1.0, 0.1)), training={"epochs": 2}
    )
    assert not other.predict().equals(expected)


def test_values_of_rows_of_weight_0_do_not_matter(frame, tmp_path):
    """They are among training, validation and last rows, in a frame and in files; a mask does the same."""
    weights = np.ones(len(frame))
    weights[[*range(20), 70, 79, 100, 153]] = 0.0
    table = frame.assign(w=weights)
    other = table.assign(y=np.where(weights, table["y"], 1e3))
    forecast = fitted(table).predict()
    pd.testing.assert_frame_equal(fitted(other).predict(), forecast)
    pd.testing.assert_frame_equal(tiny().fit(other, mask=other[weights == 0]).predict(), forecast)
    backtests = [
        tiny(columns=WEIGHTED).backtest(each, n_windows=2, refit=True) for each in (table, other)
    ]
    pd.testing.assert_frame_equal(*backtests)
    for name, each in (("table", table), ("other", other)):
        each.to_parquet(tmp_path / f"{name}.parquet")
    forecasts = [fitted(tmp_path / f"{name}.parquet").predict() for name in ("table", "other")]
    pd.testing.assert_frame_equal(*forecasts)


def test_a_window_weighs_as_much_as_its_rows():
    weight = np.array([1.0, 1.0, 2.0, 4.0, np.nan, 1.0])
    stores = [
        InMemoryStore.of({"a": values[:, None]})
        for values in (np.where(weight > 0, 1.0, np.nan), weight)
    ]
    reader = WindowReader(
        stores[0],
        None,
        SeriesScaler(np.zeros((1, 1)), np.ones((1, 1))),
        context_length=1,
        observed=True,
        weight=stores[1],
    )
    assert SeriesWindows(reader, 2, batch_size=4)[0][2].tolist() == [1.5, 3.0, 4.0, 1.0]
    assert reader.take(np.array([0])).weight.lengths.tolist() == [6]


def test_hold_out_losses_are_weighted_and_the_choice_follows_them(frame):
    def losses(table, columns=WEIGHTED):
        options = {
            "effort": "quick",
            "columns": columns,
            "season_length": 7,
            "random_state": 0,
            "verbose": 0,
        }
        return Forecaster(7, **options).fit(table).choice_.losses

    rare = frame.assign(w=np.where(frame["unique_id"] == "a", 1.0, 1e-9))
    alone = losses(frame[frame["unique_id"] == "a"], None)
    assert losses(rare)["pretrained"] == pytest.approx(alone["pretrained"], rel=1e-3)
    assert losses(frame.assign(w=0.3)) == losses(frame, None) != losses(rare)


def test_rows_that_follow_a_fit_may_have_weights_and_a_file_remembers_them(tmp_path):
    frame = panel("abcde")
    frame["w"] = 1.0 + np.arange(len(frame)) % 3
    future = (
        frame.groupby("unique_id")
        .head(4)
        .assign(ds=pd.date_range("2024-02-20", periods=4).to_list() * 5)
    )
    model = fitted(frame, **{**COVARIATES, "context_length": 20})
    model.save(tmp_path / "m.seqcast")
    loaded = Forecaster.load(tmp_path / "m.seqcast")
    pd.testing.assert_frame_equal(loaded.predict(future=future), model.predict(future=future))
    remembered = loaded.series_state_.frame
    assert remembered.source.values[-3:, -1].tolist() == [2.0, 3.0, 1.0]
    later = future.assign(ds=future["ds"] + pd.Timedelta(days=4))
    updates = [loaded.update(future.drop(columns="w")).predict(future=later)]
    updates.append(model.update(future).predict(future=later))
    pd.testing.assert_frame_equal(*updates)
    # A series that begins borrows rows, which have weights too.
    names = future[:1].assign(unique_id="new")[["unique_id", "region"]]
    assert np.isfinite(
        model.predict(df=names, future=later.assign(unique_id="new")[:4])["seqcast"]
    ).any()


REJECTED = [
    (DataError, {}, {"w": -1.0}, r"w, row 0 \(series 'a'\): expected a weight >= 0, received -1"),
    (DataError, {}, {"w": np.nan}, "expected a weight >= 0, received nan"),
    (
        DataError,
        {"missing": "raise"},
        {"w": 0.0},
        "expected a weight > 0, with missing='raise', received 0",
    ),
    (DataError, {}, {"w": "much"}, "w: expected numbers"),
    (
        DataError,
        {},
        {},
        r"expected a column 'w', .* Name yours with columns=Columns\(weight=\.\.\.\)",
    ),
    (DataError, {}, {"w": 0.0}, "expected at least one number"),
    (
        SpecError,
        {"preset": "pretrained", "training": None, "context_length": None},
        {"w": 1.0},
        "columns.weight: .*None",
    ),
    (
        SpecError,
        {"past_covariates": ["w"]},
        {"w": 1.0},
        "past_covariates: expected other columns than",
    ),
]


@pytest.mark.parametrize(("error", "options", "columns", "message"), REJECTED)
def test_impossible_weights_are_rejected(frame, error, options, columns, message):
    rejected(error, message, fitted, frame.assign(**columns), **options)
