"""Sample paths in one place for all candidates, their sums over steps and series, and scenarios."""

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import special

from seqcast import Forecaster
from seqcast.errors import SpecError
from seqcast.forecaster.blend import PROBABILITIES, WEIGHTS_OF_MEAN, at_ranks
from seqcast.forecaster.copulas import KnownCopula, share_held
from seqcast.intervals import Calibration, Copula, Dependence
from tests.rejections import rejected

from . import panels

LEVEL = {"lo-95": 0.025, "lo-80": 0.1, "hi-80": 0.9, "hi-95": 0.975}
DAYS = pd.date_range("2024-01-01", periods=120)


def counts(series=3, seed=0):
    rng = np.random.default_rng(seed)
    rates = rng.uniform(0.2, 3.0, series)
    parts = [
        pd.DataFrame({"unique_id": f"s{k}", "ds": DAYS, "y": rng.poisson(rates[k], 120) * 1.0})
        for k in range(series)
    ]
    return pd.concat(parts, ignore_index=True)


PANEL = panels.waves(("s0", "s1", "s2"), 120, level=10.0, noise=1.0)
KINDS = {
    "pretrained": {"preset": "pretrained"},
    "quick": {"effort": "quick"},
    "mean": {"effort": "quick", "point": "mean"},
    "logarithms": {"effort": "quick", "point": "mean", "scale": "log"},
    "calibrated": {"preset": "pretrained", "calibrate": True, "level": (80,)},
    "counts": {"effort": "quick", "support": "counts"},
}


@pytest.fixture(scope="module")
def fitted():
    """Return forecasters that were fitted once, by kind; nothing is trained."""
    made = {}

    def get(kind):
        if kind not in made:
            df = counts() if kind == "counts" else PANEL
            made[kind] = Forecaster(10, verbose=0, random_state=0, **KINDS[kind]).fit(df)
        return made[kind]

    return get


def by_step(paths):
    return paths.pivot(index=["unique_id", "ds"], columns="sample", values="seqcast").to_numpy()


def with_copula(model, copula):
    return model.with_fitted(replace(model.fitted_, copula_source=KnownCopula(copula)))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "counts"])
def test_each_step_has_the_quantiles_of_the_forecast(fitted, kind):
    model = fitted(kind)
    forecast = model.predict()
    steps = by_step(model.predict(samples=2_000))
    for name, probability in LEVEL.items():
        if f"seqcast-{name}" in forecast:
            below = (steps <= forecast[f"seqcast-{name}"].to_numpy()[:, None]).mean(axis=1)
            np.testing.assert_allclose(below, probability, atol=0.04)
    if model.point == "mean":
        error = steps.std(axis=1) / np.sqrt(2_000)
        assert (np.abs(steps.mean(axis=1) - forecast["seqcast"].to_numpy()) < 5 * error).all()


def test_counts_are_whole_never_negative_and_have_the_mean(fitted):
    model = fitted("counts")
    paths = model.predict(samples=2_000)
    forecast = model.predict()
    assert paths["seqcast"].dtype == "int64"
    assert paths["seqcast"].min() == 0
    means = (
        model.with_fitted(model.fitted_).set_params(point="mean").predict()["seqcast"].to_numpy()
    )
    steps = by_step(paths)
    np.testing.assert_allclose(steps.mean(axis=1), means, atol=0.15)
    inside = (steps >= forecast["seqcast-lo-80"].to_numpy()[:, None]) & (
        steps <= forecast["seqcast-hi-80"].to_numpy()[:, None]
    )
    assert (inside.mean(axis=1) > 0.77).all()
    total = model.predict(total="all")
    np.testing.assert_allclose(total["seqcast"], means.reshape(3, -1).sum(axis=1))


@pytest.mark.parametrize("kind", ["pretrained", "mean", "calibrated"])
def test_a_total_is_the_sum_of_paths(fitted, kind):
    model = fitted(kind)
    sums = (
        model.predict(samples=1_000)
        .groupby(["unique_id", "sample"])["seqcast"]
        .sum()
        .groupby("unique_id")
    )
    total = model.predict(total="all", level=80)
    assert total["steps"].tolist() == [10] * 3
    assert total["ds"].unique() == [DAYS[-1] + pd.Timedelta(days=10)]
    for name in ("lo-80", "hi-80"):
        np.testing.assert_allclose(total[f"seqcast-{name}"], sums.quantile(LEVEL[name]))
    point = (
        model.predict()["seqcast"].to_numpy().reshape(3, -1).sum(axis=1)
        if kind == "mean"
        else sums.quantile(0.5)
    )
    np.testing.assert_allclose(total["seqcast"], point)


def test_steps_that_depend_on_each_other_have_wider_sums(fitted):
    widths = []
    for shared in (0.0, 0.4, 0.98):
        total = with_copula(fitted("pretrained"), Copula(Dependence(shared))).predict(
            total="all", level=80
        )
        widths.append((total["seqcast-hi-80"] - total["seqcast-lo-80"]).mean())
    assert widths[0] < 0.7 * widths[1] < 0.7 * widths[2]
    steps = fitted("pretrained").predict(level=80)
    together = (steps["seqcast-hi-80"] - steps["seqcast-lo-80"]).sum() / 3
    assert widths[2] == pytest.approx(together, rel=0.05)


def test_periods_by_alias_and_by_steps(fitted):
    model = fitted("pretrained")
    weeks, sevens, steps = (model.predict(total=total) for total in ("W", 7, 1))
    ends = (DAYS[-1] + pd.to_timedelta(np.arange(1, 11), "D")).to_period("W")
    expected = pd.Series(1, index=ends).groupby(level=0).sum().tolist()
    assert weeks["steps"].tolist() == expected * 3
    assert (weeks["ds"].dt.day_of_week[:1] == 6).all()
    assert sevens["steps"].tolist() == [7, 3] * 3
    assert len(steps) == 30
    np.testing.assert_allclose(steps["seqcast"], model.predict()["seqcast"], atol=0.3)


def test_series_at_one_time_depend_on_each_other_in_sums_over_them(fitted):
    widths = []
    for across in (0.0, 0.95):
        model = with_copula(fitted("pretrained"), Copula(Dependence(0.2), across))
        total = model.predict(total="all", total_over="series", level=80)
        assert list(total.columns) == ["ds", "steps", "seqcast", "seqcast-lo-80", "seqcast-hi-80"]
        widths.append(float((total["seqcast-hi-80"] - total["seqcast-lo-80"]).iloc[0]))
    each = model.predict(total="all", level=80)
    assert widths[0] < 0.75 * widths[1]
    assert widths[1] == pytest.approx(
        (each["seqcast-hi-80"] - each["seqcast-lo-80"]).sum(), rel=0.1
    )


def test_paths_do_not_depend_on_the_company_of_a_series_and_files_hold_the_copula(fitted, tmp_path):
    model = with_copula(fitted("quick"), Copula(Dependence(0.3, 0.2), 0.5))
    whole = model.predict(samples=3)
    alone = model.predict(df=PANEL[PANEL["unique_id"] == "s1"], samples=3)
    own = whole[whole["unique_id"] == "s1"]["seqcast"].to_numpy()
    np.testing.assert_allclose(alone["seqcast"], own, rtol=1e-6)
    model.save(tmp_path / "m.seqcast")
    loaded = Forecaster.load(tmp_path / "m.seqcast")
    assert loaded.fitted_.copula == Copula(Dependence(0.3, 0.2), 0.5)
    pd.testing.assert_frame_equal(loaded.predict(total="W"), model.predict(total="W"))


def test_the_copula_is_learned_where_paths_are_first_drawn(monkeypatch, tmp_path):
    learned = []
    learn = Copula.learn.__func__
    monkeypatch.setattr(
        Copula, "learn", classmethod(lambda *given: learned.append(1) or learn(*given))
    )
    model = Forecaster(10, preset="pretrained", verbose=0).fit(PANEL)
    newer = panels.waves(("s0", "s1", "s2"), 130, level=10.0).groupby("unique_id").tail(10)
    model.predict()
    model.predict(df=newer)
    assert not learned
    paths = model.predict(samples=3)
    updated = Forecaster(10, preset="pretrained", verbose=0).with_fitted(
        model.fitted_.updated(newer)
    )
    assert updated.fitted_.copula == model.fitted_.copula
    model.save(tmp_path / "m.seqcast")
    loaded = Forecaster.load(tmp_path / "m.seqcast")
    pd.testing.assert_frame_equal(loaded.predict(samples=3), paths)
    assert len(learned) == 1


def test_the_copula_is_learned_from_hold_out_windows():
    rng = np.random.default_rng(0)
    levels = np.repeat(rng.normal(size=(6, 30)), 8, axis=1)  # steps of one block of 8 err together
    frames = [
        pd.DataFrame(
            {"unique_id": f"s{k}", "ds": np.arange(240), "y": row + 0.2 * rng.normal(size=240)}
        )
        for k, row in enumerate(levels)
    ]
    wandering = Forecaster(8, preset="pretrained", verbose=0).fit(pd.concat(frames)).fitted_.copula
    noise = [frame.assign(y=rng.normal(size=240)) for frame in frames]
    still = Forecaster(8, preset="pretrained", verbose=0).fit(pd.concat(noise)).fitted_.copula
    assert (
        still.steps.shared + still.steps.persistence
        < 0.4
        < wandering.steps.shared + wandering.steps.persistence
    )
    alike = [frame.assign(y=frames[0]["y"] + 0.1 * rng.normal(size=240)) for frame in frames]
    assert (
        Forecaster(8, preset="pretrained", verbose=0).fit(pd.concat(alike)).fitted_.copula.across
        > 0.5
        > still.across
    )


def test_the_whole_distribution_and_its_mean():
    assert WEIGHTS_OF_MEAN.sum() == pytest.approx(1)
    assert (WEIGHTS_OF_MEAN > 0).all()
    assert pytest.approx(0.5) == WEIGHTS_OF_MEAN @ PROBABILITIES


def test_widths_between_levels_are_in_proportion_to_normal_ones():
    calibration = Calibration((80, 95), [[1.0, 2.0]], [40], "point")
    widths = calibration.widths_at(np.arange(1), (1.5, 50.0, 80.0, 90.0, 95.0, 99.0))[0]
    assert widths[[2, 4]].tolist() == [1.0, 2.0]
    assert (np.diff(widths) > 0).all()
    np.testing.assert_allclose(widths[[1, 5]], [0.6745 / 1.2816, 2 * 2.5758 / 1.96], rtol=1e-3)


def test_factors_of_own_intervals_stay_beyond_calibrated_levels():
    calibration = Calibration((80, 95), [[1.0, 2.0]], [40])
    widths = calibration.widths_at(np.arange(1), (1.5, 80.0, 90.0, 95.0, 99.0))[0]
    assert widths[[0, 1, 3, 4]].tolist() == [1.0, 1.0, 2.0, 2.0]
    assert 1.0 < widths[2] < 2.0


def sales(seed=0):
    rng = np.random.default_rng(seed)
    promotion = rng.random(120) < 0.3
    return pd.DataFrame(
        {"ds": DAYS, "promotion": promotion, "y": 10 + 8.0 * promotion + rng.normal(0, 1, 120)}
    )


@pytest.fixture(scope="module")
def planned():
    """Return a forecaster that reads promotions, and two plans."""
    rows = sales()
    network = replace(panels.TINY, head="normal")
    model = panels.tiny(7, preset=network, future_covariates=["promotion"], calendar="none").fit(
        rows
    )
    ahead = DAYS[-1] + pd.to_timedelta(np.arange(1, 8), "D")
    return model, {
        "without": pd.DataFrame({"ds": ahead, "promotion": False}),
        "always": pd.DataFrame({"ds": ahead, "promotion": True}),
    }


def test_scenarios_are_forecasts_with_differences_of_paired_paths(planned):
    model, futures = planned
    table = model.scenarios(futures, total="all")
    assert list(table.columns[:4]) == ["ds", "steps", "scenario", "seqcast"]
    first, other = (table[table["scenario"] == name].iloc[0] for name in futures)
    for side in ("", "-lo-80", "-hi-95"):
        assert first[f"difference{side}"] == 0
    assert other["difference"] == pytest.approx(other["seqcast"] - first["seqcast"])
    assert (
        other["difference-lo-80"] - 1e-6 <= other["difference"] <= other["difference-hi-80"] + 1e-6
    )
    paired, alone = (
        other[f"{name}-hi-80"] - other[f"{name}-lo-80"] for name in ("difference", "seqcast")
    )
    assert paired < alone
    steps = model.scenarios({"same": futures["always"], "again": futures["always"]})
    assert (steps.filter(like="difference") == 0).all(axis=None)
    drop = ["scenario", *(name for name in steps if name.startswith("difference"))]
    same = steps[steps["scenario"] == "same"].drop(columns=drop).reset_index(drop=True)
    pd.testing.assert_frame_equal(same, model.predict(future=futures["always"]))


def test_frames_of_polars_have_totals_and_scenarios(fitted):
    model = Forecaster(10, preset="pretrained", verbose=0).fit(pl.from_pandas(PANEL))
    total = model.predict(total="W", total_over="series")
    assert isinstance(total, pl.DataFrame)
    np.testing.assert_allclose(
        total["seqcast"],
        fitted("pretrained").predict(total="W", total_over="series")["seqcast"],
        rtol=1e-6,
    )


REJECTED = [
    ({"total": "weekly"}, "total: expected 'all', a number of steps, or a period"),
    ({"total": "2W"}, "total: expected 'all', a number of steps, or a period"),
    ({"total": 0}, "total: expected a whole number >= 1"),
    ({"total": "all", "samples": 5}, "total: expected None with samples"),
    ({"total_over": "series"}, "total_over: expected 'steps' without total"),
    ({"total": "all", "total_over": "shops"}, "total_over: expected one of 'steps', 'series'"),
]


@pytest.mark.parametrize(("options", "message"), REJECTED)
def test_impossible_totals_are_rejected_by_name(fitted, options, message):
    rejected(SpecError, message, fitted("pretrained").predict, **options)


def test_what_stamps_or_forecasts_do_not_allow_is_rejected(fitted, planned, tmp_path):
    whole = PANEL.assign(ds=PANEL.groupby("unique_id").cumcount())
    numbers = Forecaster(4, preset="pretrained", verbose=0).fit(whole)
    rejected(SpecError, "total: expected 'all' or a number of steps", numbers.predict, total="W")
    shifted = Forecaster(4, preset="pretrained", verbose=0).fit(
        whole[whole["ds"] + (whole["unique_id"] == "s1") < 120]
    )
    over = {"total": "all", "total_over": "series"}
    rejected(
        SpecError, "total_over: expected series that end at the same time", shifted.predict, **over
    )
    point = panels.tiny(4, preset="classic", level=(), training={"epochs": 1}).fit(PANEL)
    rejected(SpecError, "total: expected a forecaster with intervals", point.predict, total="all")
    assert len(point.set_params(point="mean").predict(total="all")) == 3
    rejected(
        SpecError,
        "total_over: expected 'steps'",
        fitted("quick").predict,
        **over,
        output=tmp_path / "out",
    )
    rejected(
        SpecError, "futures: expected a frame of future steps by name", planned[0].scenarios, {}
    )


def test_sums_of_skewed_truths_are_held_as_their_dependence_says():
    steps = Dependence(0.3, 0.5)
    shape = (1_000, 8, 1)
    quantiles = np.broadcast_to(np.exp(special.ndtri(PROBABILITIES)), (8, 1, len(PROBABILITIES)))
    truth = at_ranks(quantiles, special.ndtr(steps.scores(np.random.default_rng(1), shape)))
    truth[:50, 3:6] = truth[50:200] = np.nan
    forecasts = np.broadcast_to(quantiles, (1_000, *quantiles.shape))
    alone, as_drawn, more = (
        share_held(truth, forecasts, each) for each in (Dependence(), steps, Dependence(0.7, 0.5))
    )
    assert as_drawn == pytest.approx(0.8, abs=0.05)
    assert alone < as_drawn - 0.1
    assert more > as_drawn + 0.05
    assert share_held(np.delete(truth, np.s_[50:200], 0), forecasts[150:], steps) == as_drawn
