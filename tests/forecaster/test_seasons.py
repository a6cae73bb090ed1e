"""The season of a forecaster: the user's, that of the stamps, or one that training rows show; and a longer one."""

import numpy as np
import pandas as pd
import pytest

import seqcast
from seqcast import Forecaster
from seqcast.data.frames import read_frame
from seqcast.data.windows import Origins

ROWS = 130


def steps(season=9, rows=ROWS, seed=0):
    rng = np.random.default_rng([seed, season])
    return pd.DataFrame(
        {"unique_id": "a", "ds": range(rows), "y": np.resize(rng.normal(size=season), rows)}
    ).assign(y=lambda frame: 10 + frame["y"] + 0.3 * rng.normal(size=rows))


def pretrained(horizon=6, **options):
    return Forecaster(horizon, preset="pretrained", verbose=0, **options)


def hours(rows=600):
    """Return two series: one that repeats its week, and one that repeats its day on a level that moves by the week."""
    rng = np.random.default_rng(1)
    stamps = pd.date_range("2024-01-01", periods=rows, freq="h")
    week = np.resize(10 * rng.normal(size=168), rows)
    day = np.resize(rng.normal(size=24), rows) + 5 * (np.arange(rows) // 100)
    return pd.concat(
        [
            pd.DataFrame({"unique_id": name, "ds": stamps, "y": y})
            for name, y in (("w", week), ("d", day))
        ]
    )


def test_whole_numbers_have_the_season_that_training_rows_show(capsys):
    model = Forecaster(6, preset="pretrained").fit(steps())
    assert model.season_length_ == 9
    assert "season_length 9 (detected)" in capsys.readouterr().out
    seqcast.forecast(steps()["y"].to_numpy(), 6, preset="pretrained")
    assert "a season of 9 (detected)" in capsys.readouterr().err
    assert (
        model.describe(steps()).data.season_length,
        str(model.describe(steps()).data).count("(detected)"),
    ) == (9, 1)
    told = np.abs(
        pretrained(season_length=9).fit(steps()).predict()["seqcast"] - model.predict()["seqcast"]
    )
    assert told.max() == 0


def test_the_users_season_and_that_of_stamps_win():
    assert pretrained(season_length=4).fit(steps()).season_length_ == 4
    assert pretrained(season_length=1).fit(steps()).season_length_ == 1
    dated = steps().assign(ds=pd.date_range("2024-01-01", periods=ROWS, freq="h"))
    assert pretrained().fit(dated).season_length_ == 24


def test_validation_rows_do_not_change_the_season():
    frame = steps()
    changed = frame.assign(
        y=np.where(frame["ds"] < ROWS - 13, frame["y"], np.resize([50.0, -50.0, 0.0], ROWS))
    )
    assert pretrained().fit(changed).season_length_ == 9
    # With validation rows of the user the season is that of the rows before them.
    later = steps(5, 60).assign(ds=range(ROWS, ROWS + 60))
    assert pretrained().fit(frame, validation=later).season_length_ == 9


@pytest.fixture(scope="module")
def of_week():
    return Forecaster(48, effort="quick", verbose=0).fit(
        hours()[lambda frame: frame["unique_id"] == "w"]
    )


def test_the_last_longer_season_is_chosen_where_it_errs_less(of_week, tmp_path):
    assert of_week.choice_.shares.keys() == {"longer_seasonal_naive"}
    assert str(of_week.choice_).startswith("the last longer season (quantile loss")
    np.testing.assert_allclose(
        of_week.predict()["seqcast"], hours()["y"].to_numpy()[432:480], rtol=1e-6
    )
    of_week.save(tmp_path / "week.seqcast")
    loaded = Forecaster.load(tmp_path / "week.seqcast")
    assert loaded.predict().equals(of_week.predict())
    # A refit keeps the choice.
    again = loaded.refit(hours(560)[lambda frame: frame["unique_id"] == "w"]).predict()["seqcast"]
    np.testing.assert_allclose(again, hours()["y"].to_numpy()[392:440], rtol=1e-4)


def test_seasons_are_compared_a_season_ahead_where_no_window_has_the_whole_horizon(of_week):
    week = hours(252)[lambda frame: frame["unique_id"] == "w"]
    model = Forecaster(168, effort="quick", verbose=0).fit(week)
    # From the rows after a week, a day and one more, forecasts of a day.
    assert model.choice_.windows == 252 - 24 - (168 + 24 + 1) + 1
    assert model.choice_.shares.keys() == {"longer_seasonal_naive"}
    np.testing.assert_allclose(
        model.predict()["seqcast"], hours(252)["y"].to_numpy()[84:252], rtol=1e-6, atol=1e-6
    )
    # With fewer rows, or with covariates that were learned from them, nothing is compared.
    few = Forecaster(168, effort="quick", verbose=0).fit(week[:210])
    known = week.assign(holiday=np.arange(252) % 50 == 0)
    assert few.choice_.windows == 0
    later = Forecaster(168, effort="quick", verbose=0, future_covariates=["holiday"]).fit(known)
    assert (later.choice_.windows, later.choice_.shares) == (0, {"pretrained": 1.0})


def test_a_backtest_repeats_the_season_that_erred_least_before_each_cutoff(of_week):
    backtest = of_week.backtest(hours(), n_windows=2, refit=False)
    by_name = {
        name: np.abs(own["y"] - own["seasonal_naive"])
        for name, own in backtest.groupby("unique_id")
    }
    assert by_name["w"].max() == 0
    assert (by_name["d"] <= 5.01).all()  # the day errs where the level moves, the week everywhere
    known = np.array([[504, 504]])
    changed = hours().assign(y=lambda frame: np.where(frame["ds"] < "2024-01-22", frame["y"], 1e6))
    naive = [_naive(rows, known) for rows in (hours(), changed)]
    np.testing.assert_array_equal(*naive)


def _naive(rows, known):
    frame = read_frame(rows)
    return Origins.at_cutoffs(frame, known, 48).naive(frame, (24, 168))
