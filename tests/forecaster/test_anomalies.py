"""Unusual rows are found, each row is scored once, and what is marked is not trained on."""

import os

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast import Columns, Forecaster, NetworkSpec
from seqcast.errors import DataError, NotFittedError, SpecError
from tests.rejections import rejected

from . import panels
from .panels import tiny

# `make anomalies` tries twenty, with the network and the training of the presets.
SEEDS = int(os.environ.get("SEQCAST_ANOMALY_SEEDS", "0"))
HORIZON = 6
ROWS = 240
BOUND = 2.5758293035489  # Normal deviations of level 99.
PLACES = [60, 61, 100, ROWS + 90, ROWS + 200]
TRAINING = {"epochs": 8, "batch_size": 64, "learning_rate": 0.02, "validation_fraction": 0.2}
OPTIONS = {"context_length": 12, "calendar": "none", "season_length": 6, "level": 80}


def waves(names=("s0", "s1"), rows=ROWS, **options):
    return panels.waves(names, rows, **{"period": 6, "spacing": 0.0, **options})


def later(seed, **options):
    return waves(rows=60, start="2024-08-28", seed=seed, **options)


def forecaster(**options):
    network = NetworkSpec(encoder_units=(8,), decoder_units=(8,), normalise="last", head="quantile")
    return tiny(HORIZON, preset=network, training=TRAINING, **OPTIONS, **options)


def planted(df, places, size=3.0):
    return df.assign(y=df["y"] + size * df.index.isin(places))


@pytest.fixture(scope="module")
def fitted():
    return forecaster().fit(waves())


@pytest.fixture(scope="module")
def scored(fitted):
    return fitted.anomalies(planted(waves(), PLACES))


def test_planted_rows_are_the_most_unusual_and_each_row_is_judged_once(scored):
    worst = scored.nlargest(len(PLACES), "score")
    found, expected = (
        rows.set_index(["unique_id", "ds"]).index for rows in (worst, waves().loc[PLACES])
    )
    assert set(found) == set(expected)
    assert worst["anomaly"].all()
    assert scored["anomaly"].mean() < 0.06
    # From the first context on; the forecasts are counted back from the end.
    assert scored.groupby("unique_id").size().tolist() == [ROWS - 12] * 2
    assert not scored.duplicated(["unique_id", "ds"]).any()
    assert set((scored["ds"] - scored["cutoff"]).dt.days) == set(range(1, HORIZON + 1))


def test_score_interval_and_mark_say_the_same(scored):
    outside = (scored["y"] < scored["seqcast-lo-99"]) | (scored["y"] > scored["seqcast-hi-99"])
    np.testing.assert_array_equal(scored["anomaly"], outside)
    np.testing.assert_array_equal(scored["anomaly"], scored["score"] > BOUND)
    above = scored["y"] > scored["seqcast"]
    bound = np.where(above, scored["seqcast-hi-99"], scored["seqcast-lo-99"])
    distance = np.abs(scored["y"] - scored["seqcast"]) / np.abs(bound - scored["seqcast"])
    # It rises with the distance in units of the interval.
    order = np.argsort(distance.to_numpy(), kind="stable")
    assert (np.diff(scored["score"].to_numpy()[order]) >= -1e-6).all()
    at_bound = scored["score"][(distance > 0.97) & (distance < 1.03)]
    np.testing.assert_allclose(at_bound, BOUND, atol=0.15)


def test_an_anomaly_does_not_disturb_the_rows_after_it(fitted):
    keys = ["unique_id", "ds"]
    rows = planted(waves(), [100], size=20.0)
    clean, raw = (fitted.predict_insample(df, step_size=HORIZON) for df in (waves(), rows))
    both = fitted.anomalies(rows).merge(clean, on=keys, suffixes=("", "_clean"))
    both = both.merge(raw, on=keys, suffixes=("", "_raw"))
    days = (both["cutoff"] - rows["ds"][100]).dt.days
    both = both[(both["unique_id"] == "s0") & (days >= 0) & (days < 12)]
    assert len(both) == 2 * HORIZON
    # An anomaly is read as its forecast, which differs from what was there by the noise only.
    ours, theirs = (
        np.abs(both[name] - both["seqcast_clean"]).mean() for name in ("seqcast", "seqcast_raw")
    )
    assert ours < theirs / 3, (ours, theirs)


def test_where_the_series_changes_later_forecasts_read_that(fitted):
    scored = fitted.anomalies(planted(waves(), range(120, ROWS), size=20.0))
    since = scored[(scored["unique_id"] == "s0") & (scored["ds"] >= waves()["ds"][120])]
    assert since["anomaly"][:HORIZON].all()
    assert since["anomaly"][3 * HORIZON :].mean() < 0.2


def test_rows_that_were_trained_on_are_said_to_be(fitted, scored):
    # A fifth of each series are validation rows.
    assert scored.groupby("unique_id")["trained_on"].sum().tolist() == [ROWS * 4 // 5 - 12] * 2
    new = waves(("new a", "new b"), seed=1)
    for rows in (new, later(2)):
        assert not fitted.anomalies(rows)["trained_on"].any()
    pd.testing.assert_frame_equal(fitted.anomalies(), fitted.anomalies(waves()))


def test_after_update_and_finetune(fitted, tmp_path):
    both = pd.concat([waves(), later(3)]).sort_values(["unique_id", "ds"])
    fitted.save(tmp_path / "model.seqcast")
    model = Forecaster.load(tmp_path / "model.seqcast")
    rejected(NotFittedError, "Files hold no rows", model.anomalies)
    ends = model.anomalies(both)
    pd.testing.assert_frame_equal(ends, fitted.anomalies(both))
    new = waves(["s9"], rows=72, seed=4)
    model.update(pd.concat([later(3), new]))
    pd.testing.assert_series_equal(model.anomalies(both)["trained_on"], ends["trained_on"])
    assert not model.anomalies(new)["trained_on"].any()
    model.finetune(
        both[both["unique_id"] == "s0"], training={"epochs": 1, "validation_fraction": 0.1}
    )
    trained = model.anomalies(both).groupby("unique_id")["trained_on"].sum()
    assert trained.to_dict() == {"s0": 270 - 12, "s1": ROWS * 4 // 5 - 12}


@pytest.mark.filterwarnings("ignore::seqcast.forecaster.candidates.last_season.FallbackWarning")
def test_forecasts_that_repeat_the_last_season_judge_too():
    df = waves(noise=0.01)
    brief = {"epochs": 1, "validation_fraction": 0.2}
    repeats = Forecaster(
        HORIZON, training=brief, **{**OPTIONS, "level": 99}, random_state=0, verbose=0
    ).fit(df)
    assert not repeats.engines_
    scored = repeats.anomalies(planted(df, PLACES))
    worst = scored.nlargest(len(PLACES), "score")
    assert worst["anomaly"].all()
    assert set(worst.index) == set(scored.index[scored["y"].abs() > 1.9])
    assert not scored["trained_on"].any()


def test_bounds_keep_to_the_support(fitted):
    positive = waves(noise=0.3).assign(y=lambda rows: np.maximum(rows["y"], 0.0))
    scored = forecaster().fit(positive).anomalies(planted(positive, [100], size=-5.0))
    assert scored["seqcast-lo-99"].min() == 0.0
    below = scored[scored["y"] < 0]
    assert below["anomaly"].tolist() == (below["score"] > BOUND).tolist() == [True]
    assert (scored["score"] > BOUND).sum() == scored["anomaly"].sum()


def test_polars_and_several_targets():
    df = waves(["s0"]).rename(columns={"y": "one"}).assign(two=waves(["s0"], seed=5)["y"])
    model = forecaster(columns=Columns(y=("one", "two"))).fit(pl.from_pandas(df))
    df.loc[100, "two"] += 3.0
    scored = model.anomalies(pl.from_pandas(df))
    worst = scored.sort("score", descending=True).row(0, named=True)
    assert (worst["target"], worst["ds"]) == ("two", df["ds"][100].to_pydatetime())
    assert scored.schema["anomaly"] == pl.Boolean
    left = model.fit(pl.from_pandas(df), mask=scored.filter(pl.col("score") == worst["score"]))
    assert np.isnan(left.fitted_.frame.targets).sum() == 1


def test_what_is_masked_is_not_trained_on():
    df = waves()
    model = forecaster()
    mask = df.loc[PLACES]
    gaps = model.fit(df.assign(y=df["y"].where(~df.index.isin(PLACES))))
    expected = gaps.predict()
    scored = gaps.anomalies()
    assert len(scored) == 2 * (ROWS - 12) - len(PLACES)  # values that are missing are not scored
    assert scored["score"].notna().all()
    pd.testing.assert_frame_equal(
        model.fit(planted(df, PLACES, size=1e6), mask=mask).predict(), expected
    )
    rejected(
        SpecError,
        "mask: expected None with missing='raise'",
        forecaster(missing="raise").fit,
        df,
        mask=mask,
    )
    rejected(
        DataError,
        "expected at least one number, received none",
        model.fit,
        df,
        mask=df[df["unique_id"] == "s0"],
    )


def test_impossible_questions_are_rejected(fitted):
    for level, message in ((100, "level"), ([90, 99], "level: expected one level")):
        rejected(SpecError, message, fitted.anomalies, level=level)
    rejected(DataError, "at least 50 rows to score", fitted.anomalies, waves(rows=24))
    with pytest.raises(NotFittedError):
        forecaster().anomalies(waves())


def shop(seed, series=18, rows=200):
    """Return articles of which none to two, a few or thousands are sold, and spikes in half of them.

    A spike is at least six naive errors of its series, and three pieces.
    """
    rng = np.random.default_rng(seed)
    tables = []
    week = 1 + 0.3 * np.sin(2 * np.pi * np.arange(rows) / 7)
    for number in range(series):
        rare = (rng.random(rows) < rng.uniform(0.03, 0.3)) * (1 + (rng.random(rows) < 0.15))
        few = rng.poisson(rng.uniform(2, 8) * week)
        many = np.round(10 ** rng.uniform(2, 4) * week * np.exp(0.12 * rng.normal(size=rows)))
        sold = (rare, few, many)[number % 3].astype(float)
        size = np.zeros(rows)
        if number % 2:
            naive = np.abs(sold[7:] - sold[:-7]).mean()
            size[rng.integers(40, rows)] = np.ceil(max(6 * naive, 3) * rng.uniform(1, 1.5))
        columns = {"unique_id": f"s{number:02d}", "ds": pd.date_range("2024-01-01", periods=rows)}
        tables.append(pd.DataFrame({**columns, "y": sold + size, "size": size}))
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize("support", ["auto", "counts"])
def test_spikes_come_first_in_large_and_small_series(support):
    """Of k spikes the k most unusual rows hold nine tenths; two sold where none or one is usual come after them."""
    found = []
    for seed in range(SEEDS or 1):
        df = shop(seed)
        model = Forecaster(7, preset="pretrained", support=support, random_state=0, verbose=0).fit(
            df[["unique_id", "ds", "y"]]
        )
        scored = model.anomalies().merge(df, on=["unique_id", "ds", "y"])
        spikes = scored["size"] > 0
        found.append((scored.nlargest(spikes.sum(), "score")["size"] > 0).mean())
        assert scored["score"].max() < 40
    print(f"Shares of spikes among as many first rows, support {support}: {np.round(found, 2)}")
    assert np.mean(found) >= 0.9


def sines(seed, series=4, rows=1200):
    """Return sums of two sines with amplitudes of two to six deviations of the noise, and forty anomalies of five."""
    rng = np.random.default_rng(100 + seed)
    tables = []
    for number in range(series):
        steps = np.arange(rows)
        deviation = rng.uniform(0.5, 2.0)
        each = [
            rng.uniform(2, 6) * np.sin(2 * np.pi * steps / period + rng.uniform(0, 6))
            for period in (24, 9)
        ]
        signal = deviation * sum(each)
        columns = {
            "unique_id": f"s{number}",
            "ds": pd.date_range("2024-01-01", periods=rows, freq="h"),
        }
        columns |= {"y": signal + deviation * rng.normal(size=rows), "signal": signal}
        tables.append(pd.DataFrame({**columns, "size": 0.0, "deviation": deviation}))
    df = pd.concat(tables, ignore_index=True)
    places = rng.choice(np.flatnonzero(df["ds"] >= "2024-01-21"), 40, replace=False)
    df.loc[places, "size"] = 5 * df.loc[places, "deviation"] * rng.choice([-1, 1], 40)
    return df


@pytest.mark.skipif(not SEEDS, reason="make anomalies tries twenty seeds")
def test_planted_among_noise():
    """Of k anomalies the k most unusual rows hold nine tenths; of clean rows about one in a hundred is outside."""
    keys = ["unique_id", "ds", "y"]
    rows = []
    for seed in range(SEEDS):
        df = sines(seed)
        clean = (
            Forecaster(24, random_state=seed, verbose=0).fit(df[keys]).anomalies()["anomaly"].mean()
        )
        odd = df.assign(y=df["y"] + df["size"])
        scored = (
            Forecaster(24, random_state=seed, verbose=0)
            .fit(odd[keys])
            .anomalies()
            .merge(odd, on=keys)
        )
        assert (scored["size"] != 0).sum() == 40
        scored["ideal"] = (scored["y"] - scored["signal"]).abs() / scored["deviation"]
        first = {
            name: (scored.nlargest(40, name)["size"] != 0).mean() for name in ("score", "ideal")
        }
        rows.append({"clean rows outside": clean, **first})
    table = pd.DataFrame(rows)
    print(
        "Shares of clean rows outside, and of anomalies among the first 40, also with the signal as the forecast:"
    )
    print(table.describe().to_string())
    assert table["clean rows outside"].between(0.005, 0.02).all()
    assert table["score"].mean() >= 0.9


def test_without_a_season_nothing_comes_again():
    days = pd.date_range("2024-01-01", periods=200)
    values = 10 + np.random.default_rng(0).normal(0, 0.2, 200)
    two = values.copy()
    two[150:152] += 8.0
    frames = [pd.DataFrame({"unique_id": "a", "ds": days, "y": each}) for each in (values, two)]
    plain, scored = (
        Forecaster(2, preset="pretrained", season_length=1, verbose=0)
        .fit(each)
        .anomalies()
        .set_index("ds")
        for each in frames
    )
    assert scored["anomaly"][days[150:152]].all()
    # The rows after them are forecast as if they had not been.
    later = days[152:160]
    assert np.abs(scored["seqcast"][later] - plain["seqcast"][later]).max() < 1.0


def test_what_comes_again_each_week_is_learned_and_no_anomaly():
    hours = pd.date_range("2024-01-01", periods=24 * 7 * 8, freq="h")
    daily = (
        10
        + 3 * np.sin(2 * np.pi * hours.hour / 24)
        + np.random.default_rng(0).normal(0, 0.2, len(hours))
    )
    nights = (hours.dayofweek == 5) & (hours.hour < 5)
    df = pd.DataFrame({"unique_id": "taxis", "ds": hours, "y": daily + 8.0 * nights})
    scored = Forecaster(24, preset="pretrained", verbose=0).fit(df).anomalies()
    late = scored[scored["ds"] > hours[24 * 7 * 4]]
    assert late.loc[late["ds"].isin(hours[nights]), "anomaly"].sum() == 0
    assert late["anomaly"].mean() < 0.02
