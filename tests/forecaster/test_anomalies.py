"""Unusual rows are found, each row is judged once, and what is marked is not trained on."""

import os

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast import Forecaster
from seqcast.errors import DataError, NotFittedError, SpecError
from seqcast.specs.network import NetworkSpec

# `make anomalies` tries twenty, with the network and the training of the presets.
SEEDS = int(os.environ.get("SEQCAST_ANOMALY_SEEDS", "0"))
HORIZON, ROWS = 6, 240
TINY = NetworkSpec(encoder_units=(8,), decoder_units=(8,), normalise="last", head="quantile")


def waves(seed=0, rows=ROWS, series=2, noise=0.1, start="2024-01-01", period=6):
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(series):
        steps = np.arange(rows)
        y = np.sin(2 * np.pi * steps / period + number) + noise * rng.normal(size=rows)
        parts.append(pd.DataFrame({"unique_id": f"s{number}", "ds": pd.date_range(start, periods=rows), "y": y}))
    return pd.concat(parts, ignore_index=True)


def forecaster(**options):
    training = {"epochs": 8, "batch_size": 64, "learning_rate": 0.02, "validation_fraction": 0.2}
    return Forecaster(
        HORIZON, context_length=12, preset=TINY, training=training, calendar="none", season_length=6, level=80,
        random_state=0, verbose=0, **options,
    )  # fmt: skip


def planted(df, places, size=3.0):
    changed = df.copy()
    changed.loc[places, "y"] += size
    return changed


PLACES = [60, 61, 100, ROWS + 90, ROWS + 200]


@pytest.fixture(scope="module")
def fitted():
    return forecaster().fit(waves())


@pytest.fixture(scope="module")
def judged(fitted):
    return fitted.anomalies(planted(waves(), PLACES))


def test_planted_rows_are_the_most_unusual(judged):
    df = planted(waves(), PLACES)
    worst = judged.nlargest(len(PLACES), "score")
    assert set(zip(worst["unique_id"], worst["ds"], strict=True)) == set(
        df.loc[PLACES, ["unique_id", "ds"]].itertuples(index=False, name=None)
    )
    assert worst["anomaly"].all()
    assert judged["anomaly"].mean() < 0.06


def test_each_row_is_judged_once_by_rows_before_it(judged):
    counts = judged.groupby("unique_id").size()
    # From the first context on; the forecasts are counted back from the end.
    assert counts.tolist() == [ROWS - 12] * 2
    assert not judged.duplicated(["unique_id", "ds"]).any()
    steps = (judged["ds"] - judged["cutoff"]).dt.days
    assert sorted(set(steps)) == list(range(1, HORIZON + 1))


def test_score_interval_and_mark_say_the_same(judged):
    outside = (judged["y"] < judged["seqcast-lo-99"]) | (judged["y"] > judged["seqcast-hi-99"])
    np.testing.assert_array_equal(judged["anomaly"], outside)
    np.testing.assert_array_equal(judged["anomaly"], judged["score"] > 1)
    above = judged["y"] > judged["seqcast"]
    bound = np.where(above, judged["seqcast-hi-99"], judged["seqcast-lo-99"])
    distance = np.abs(judged["y"] - judged["seqcast"]) / np.abs(bound - judged["seqcast"])
    np.testing.assert_allclose(judged["score"], distance, rtol=1e-6)


def test_an_anomaly_does_not_disturb_the_rows_after_it(fitted):
    keys, rows = ["unique_id", "ds"], planted(waves(), [100], size=20.0)
    clean, as_they_are = (fitted.predict_insample(df, step_size=HORIZON) for df in (waves(), rows))
    both = (
        fitted.anomalies(rows)
        .merge(clean, on=keys, suffixes=("", "_clean"))
        .merge(as_they_are, on=keys, suffixes=("", "_raw"))
    )
    days = (both["cutoff"] - rows["ds"][100]).dt.days
    both = both[(both["unique_id"] == "s0") & (days >= 0) & (days < 12)]
    assert len(both) == 2 * HORIZON
    # An anomaly is read as its forecast, which differs from what was there by the noise only.
    ours, theirs = (np.abs(both[name] - both["seqcast_clean"]).mean() for name in ("seqcast", "seqcast_raw"))
    assert ours < theirs / 3, (ours, theirs)


def test_where_the_series_changes_later_forecasts_read_that(fitted):
    df = waves()
    shifted = df.copy()
    shifted.loc[120 : ROWS - 1, "y"] += 20.0
    judged = fitted.anomalies(shifted)
    since = judged[(judged["unique_id"] == "s0") & (judged["ds"] >= df["ds"][120])]
    assert since["anomaly"][:HORIZON].all()
    assert since["anomaly"][3 * HORIZON :].mean() < 0.2


def test_rows_that_were_trained_on_are_said_to_be(fitted, judged):
    # A fifth of each series are validation rows.
    assert judged.groupby("unique_id")["trained_on"].sum().tolist() == [ROWS * 4 // 5 - 12] * 2
    new = waves(1).assign(unique_id=lambda rows: "new " + rows["unique_id"])
    assert not fitted.anomalies(new)["trained_on"].any()
    later = waves(2, rows=60, start="2024-08-28")
    assert not fitted.anomalies(later)["trained_on"].any()
    pd.testing.assert_frame_equal(fitted.anomalies(), fitted.anomalies(waves()))


def test_after_update_and_finetune(fitted, tmp_path):
    later = waves(3, rows=60, start="2024-08-28")
    both = pd.concat([waves(), later]).sort_values(["unique_id", "ds"])
    fitted.save(tmp_path / "model.seqcast")
    model = Forecaster.load(tmp_path / "model.seqcast")
    with pytest.raises(NotFittedError, match="Files hold no rows"):
        model.anomalies()
    ends = model.anomalies(both)
    pd.testing.assert_frame_equal(ends, fitted.anomalies(both))
    new = waves(4, rows=72, series=1).assign(unique_id="s9")
    model.update(pd.concat([later, new]))
    pd.testing.assert_series_equal(model.anomalies(both)["trained_on"], ends["trained_on"])
    assert not model.anomalies(new)["trained_on"].any()
    further = both[both["unique_id"] == "s0"]
    model.finetune(further, training={"epochs": 1, "validation_fraction": 0.1})
    trained = model.anomalies(both).groupby("unique_id")["trained_on"].sum()
    assert trained["s0"] == 270 - 12
    assert trained["s1"] == ROWS * 4 // 5 - 12


@pytest.mark.filterwarnings("ignore::seqcast.forecaster.candidates.last_season.FallbackWarning")
def test_forecasts_that_repeat_the_last_season_judge_too():
    df = waves(noise=0.01)
    repeats = Forecaster(
        HORIZON, training={"epochs": 1, "validation_fraction": 0.2}, context_length=12, calendar="none",
        season_length=6, level=(99,), random_state=0, verbose=0,
    ).fit(df)  # fmt: skip
    assert not repeats.engines_
    judged = repeats.anomalies(planted(df, PLACES))
    worst = judged.nlargest(len(PLACES), "score")
    assert worst["anomaly"].all()
    assert set(worst.index) == set(judged.index[judged["y"].abs() > 1.9])
    assert not judged["trained_on"].any()


def test_bounds_keep_to_the_support(fitted):
    positive = waves(noise=0.3).assign(y=lambda rows: np.maximum(rows["y"], 0.0))
    judged = forecaster().fit(positive).anomalies(planted(positive, [100], size=-5.0))
    assert judged["seqcast-lo-99"].min() == 0.0
    below = judged[judged["y"] < 0]
    assert len(below) == 1
    assert below["anomaly"].all()
    assert (below["score"] > 1).all()
    assert (judged["score"] > 1).sum() == judged["anomaly"].sum()


def test_missing_values_are_not_judged():
    df = waves()
    df.loc[[50, 51, 300], "y"] = np.nan
    model = forecaster().fit(df)
    judged = model.anomalies()
    assert len(judged) == 2 * (ROWS - 12) - 3
    assert judged["score"].notna().all()


def test_polars_and_several_targets():
    df = waves(series=1).rename(columns={"y": "one"}).assign(two=waves(5, series=1)["y"])
    from seqcast.specs.columns import Columns

    model = forecaster(columns=Columns(y=("one", "two"))).fit(pl.from_pandas(df))
    df.loc[100, "two"] += 3.0
    judged = model.anomalies(pl.from_pandas(df))
    worst = judged.sort("score", descending=True).row(0, named=True)
    assert (worst["target"], worst["ds"]) == ("two", df["ds"][100].to_pydatetime())
    assert judged.schema["anomaly"] == pl.Boolean
    left = model.fit(pl.from_pandas(df), mask=judged.filter(pl.col("score") == worst["score"]))
    rows = left.series_state_.frame, left.fitted_.frame
    assert np.isnan(rows[1].targets).sum() == 1


def test_what_is_masked_is_not_trained_on():
    df = waves()
    model = forecaster()
    mask = df.loc[PLACES]
    gaps = df.copy()
    gaps.loc[PLACES, "y"] = np.nan
    expected = model.fit(gaps).predict()
    pd.testing.assert_frame_equal(model.fit(planted(df, PLACES, size=1e6), mask=mask).predict(), expected)
    with pytest.raises(SpecError, match="mask: expected None with missing='raise'"):
        forecaster(missing="raise").fit(df, mask=mask)
    with pytest.raises(DataError, match="expected at least one number, received none"):
        model.fit(df, mask=df[df["unique_id"] == "s0"])


def test_impossible_questions_are_refused(fitted):
    with pytest.raises(SpecError, match="level"):
        fitted.anomalies(level=100)
    with pytest.raises(SpecError, match="level: expected one level"):
        fitted.anomalies(level=[90, 99])
    with pytest.raises(DataError, match="at least 50 rows to judge"):
        fitted.anomalies(waves(rows=24))
    with pytest.raises(NotFittedError):
        forecaster().anomalies(waves())


def sines(seed, series=4, rows=1200):
    """Return sums of two sines with amplitudes of two to six deviations of the noise, and forty anomalies of five."""
    rng = np.random.default_rng(100 + seed)
    parts = []
    for number in range(series):
        steps, deviation = np.arange(rows), rng.uniform(0.5, 2.0)
        waves = [rng.uniform(2, 6) * np.sin(2 * np.pi * steps / period + rng.uniform(0, 6)) for period in (24, 9)]
        stamps = pd.date_range("2024-01-01", periods=rows, freq="h")
        signal = deviation * sum(waves)
        columns = {"unique_id": f"s{number}", "ds": stamps, "y": signal + deviation * rng.normal(size=rows)}
        parts.append(pd.DataFrame({**columns, "size": 0.0, "deviation": deviation, "signal": signal}))
    df = pd.concat(parts, ignore_index=True)
    places = rng.choice(np.flatnonzero(df["ds"] >= "2024-01-21"), 40, replace=False)
    df.loc[places, "size"] = 5 * df.loc[places, "deviation"] * rng.choice([-1, 1], 40)
    return df


@pytest.mark.skipif(not SEEDS, reason="make anomalies tries twenty seeds")
def test_planted_among_noise():
    """Of k anomalies the k most unusual rows hold nine tenths; of clean rows about one in a hundred is outside."""
    held, clean, ideal = [], [], []
    for seed in range(SEEDS):
        df, keys = sines(seed), ["unique_id", "ds", "y"]
        clean.append(Forecaster(24, random_state=seed, verbose=0).fit(df[keys]).anomalies()["anomaly"].mean())
        rows = df.assign(y=df["y"] + df["size"])
        judged = Forecaster(24, random_state=seed, verbose=0).fit(rows[keys]).anomalies().merge(rows, on=keys)
        assert (judged["size"] != 0).sum() == 40
        judged["ideal"] = (judged["y"] - judged["signal"]).abs() / judged["deviation"]
        for column, shares in (("score", held), ("ideal", ideal)):
            shares.append((judged.nlargest(40, column)["size"] != 0).mean())
        print(f"seed {seed}: clean rows outside {clean[-1]:.2%}, anomalies among the first 40 {held[-1]:.1%}")
    print(f"clean rows outside: {np.mean(clean):.2%} ({min(clean):.2%} to {max(clean):.2%})")
    print(f"anomalies among the first 40: {np.mean(held):.1%} ({min(held):.1%} to {max(held):.1%})")
    print(f"with the signal itself as the forecast: {np.mean(ideal):.1%}")
    assert min(clean) >= 0.005
    assert max(clean) <= 0.02
    assert np.mean(held) >= 0.9
