"""Covariates without training: `preset="pretrained"` and `effort="quick"` read static and future ones."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster
from seqcast.errors import SpecError
from seqcast.forecaster.candidates.zero_shot import ZeroShot
from seqcast.forecaster.options import FitOptions, ReadOptions
from seqcast.forecaster.planning import make_plan
from seqcast.forecaster.reading import read_rows
from tests.forecaster.panels import TINY

H = 7


def sales(rows=119, seed=0, names="ab", size=30.0):
    """Return daily sales of shops with a week, promotions that add `size`, and noise."""
    tables = []
    for place, name in enumerate(names):
        rng = np.random.default_rng([seed, place])
        days = pd.date_range("2025-01-06", periods=rows)
        promotion = rng.random(rows) < 0.3
        noise = rng.normal(size=rows)
        y = (place + 1) * (
            50 + 10 * (days.day_of_week >= 5) + size * promotion + rng.normal(0, 3, rows)
        )
        columns = {"promotion": promotion, "noise": noise, "kind": "big" if place else "small"}
        tables.append(pd.DataFrame({"unique_id": name, "ds": days, "y": y, **columns}))
    return pd.concat(tables, ignore_index=True)


def parted(frame):
    last = frame["ds"].max() - pd.Timedelta(days=H)
    return frame[frame["ds"] <= last], frame[frame["ds"] > last].drop(columns="y")


def model(**options):
    given = {
        "preset": "pretrained",
        "future_covariates": ["promotion"],
        "random_state": 0,
        "verbose": 0,
    }
    return Forecaster(H, **{**given, **options})


@pytest.fixture(scope="module")
def fitted():
    return model(static_covariates=["kind"]).fit(parted(sales())[0])


def effects_of(forecaster):
    return forecaster.fitted_.candidates[-1].effects


def test_a_promotion_is_learned_from_the_rows_alone(fitted):
    known, ahead = parted(sales())
    truth = sales()[lambda frame: frame["ds"] > known["ds"].max()]["y"].to_numpy()
    alone = model(future_covariates=()).fit(known[["unique_id", "ds", "y"]]).predict()["seqcast"]
    forecast = fitted.predict(future=ahead)
    errors = [
        np.abs(each - truth).mean() for each in (forecast["seqcast"].to_numpy(), alone.to_numpy())
    ]
    assert errors[0] < 0.5 * errors[1]
    none, every = (
        fitted.predict(future=ahead.assign(promotion=each))["seqcast"] for each in (False, True)
    )
    np.testing.assert_allclose(
        (every - none).to_numpy().reshape(2, H).mean(axis=1), [30, 60], rtol=0.15
    )
    bounds = forecast.filter(like="-").to_numpy()
    assert (np.diff(bounds[:, [2, 0, 1, 3]], axis=1) >= 0).all()


def test_what_covariates_add_sums_to_the_forecast(fitted):
    _, ahead = parted(sales())
    explained = fitted.explain(future=ahead)
    forecast = fitted.predict(future=ahead)
    assert list(explained.columns) == ["unique_id", "ds", "seqcast", "seqcast-rest", "promotion"]
    np.testing.assert_allclose(explained["seqcast"], forecast["seqcast"])
    np.testing.assert_allclose(
        explained["seqcast-rest"] + explained["promotion"], forecast["seqcast"], rtol=1e-5
    )
    set_ = ahead["promotion"].to_numpy()
    added = explained["promotion"].to_numpy()
    assert added[set_].min() > 20 > abs(added[~set_]).max()
    # In logarithms parts are factors; they sum to the point too.
    logs = model(scale="log").fit(parted(sales())[0]).explain(future=ahead)
    np.testing.assert_allclose(logs["seqcast-rest"] + logs["promotion"], logs["seqcast"], rtol=1e-4)


def test_noise_is_not_read():
    known, ahead = parted(sales())
    noisy = model(future_covariates=["noise"]).fit(known)
    assert effects_of(noisy) is None
    alone = model(future_covariates=()).fit(known[["unique_id", "ds", "y"]]).predict()
    np.testing.assert_allclose(noisy.predict(future=ahead)["seqcast"], alone["seqcast"], rtol=1e-6)
    assert (noisy.explain(future=ahead)["noise"] == 0).all()


def test_scaling_a_series_and_the_order_of_rows_change_nothing_else(fitted):
    known, ahead = parted(sales())
    forecast = fitted.predict(future=ahead)["seqcast"].to_numpy()
    turned = known.assign(y=1000 * known["y"]).sort_values(
        ["ds", "unique_id"], ascending=[True, False]
    )
    larger = model(static_covariates=["kind"]).fit(turned)
    found = larger.predict(future=ahead.sample(frac=1, random_state=1))["seqcast"].to_numpy()
    np.testing.assert_allclose(found, 1000 * forecast, rtol=2e-3)


def test_later_rows_change_no_earlier_forecast(fitted):
    frame = sales()
    cutoff = frame["ds"].unique()[-2 * H]
    changed = frame.assign(y=frame["y"].where(frame["ds"] < cutoff, 7.0))
    first, other = (fitted.backtest(each, n_windows=2) for each in (frame, changed))
    early = (first["cutoff"] < cutoff).to_numpy()
    assert early.sum() == 2 * H
    np.testing.assert_array_equal(first["seqcast"][early], other["seqcast"][early])


def test_files_updates_and_refits_keep_the_effects(fitted, tmp_path):
    _, ahead = parted(sales())
    fitted.save(tmp_path / "m.seqcast")
    loaded = Forecaster.load(tmp_path / "m.seqcast")
    pd.testing.assert_frame_equal(loaded.predict(future=ahead), fitted.predict(future=ahead))
    again = fitted.backtest(sales(), n_windows=1, refit=True)
    assert np.abs(again["seqcast"] - again["y"]).mean() < 15
    assert fitted.model_inputs(step_size=30).truth is not None


def test_the_default_trains_nothing_on_few_rows_with_covariates():
    known, ahead = parted(sales(names="a"))
    default = Forecaster(H, future_covariates=["promotion"], random_state=0, verbose=0).fit(known)
    assert "pretrained" in default.choice_.shares
    assert default.fitted_.trainings == ()
    assert effects_of(default) is not None
    explained = default.explain(future=ahead)
    np.testing.assert_allclose(
        explained["seqcast-rest"] + explained["promotion"], explained["seqcast"], rtol=1e-5
    )


@pytest.mark.parametrize(("many", "jobs"), [(10**9, 1), (1, 0)])
def test_many_windows_with_covariates_are_not_fine_tuned_on(many, jobs):
    known, _ = parted(sales(names="a"))
    given = {"effort": "balanced", "future_covariates": ["promotion"], "verbose": 0}
    options = FitOptions.resolve(Forecaster(H, **given), 0)
    candidate = ZeroShot.of(options)
    frame = read_rows(ReadOptions.of(Forecaster(H, **given)), known)
    plan = make_plan(frame, options, candidates=[replace(candidate, many_windows=many)])
    assert len(plan.by_place) == jobs


def test_what_cannot_be_done_with_effects_is_rejected_by_name(fitted, tmp_path):
    known, ahead = parted(sales())
    with pytest.raises(SpecError, match=r"preset: .*'pretrained', and the past covariates 'noise'"):
        model(past_covariates=["noise"]).fit(known)
    trained = model(
        preset=TINY, training={"epochs": 1, "steps_per_epoch": 1}, context_length=8
    ).fit(known)
    with pytest.raises(SpecError, match="explain: expected forecasts to which each covariate adds"):
        trained.explain(future=ahead)
    pytest.importorskip("ndonnx")
    with pytest.raises(SpecError, match=r"export: .*'pretrained'"):
        fitted.export(tmp_path / "m.onnx")


def test_effects_are_not_learned_from_the_rows_that_they_are_judged_on():
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=60)
    promotion = rng.random(60) < 0.3
    df = pd.DataFrame(
        {"ds": days, "y": 5.0 * promotion + rng.normal(0, 0.1, 60), "promotion": promotion}
    )
    later = df.assign(y=df["y"].where(df.index < 39, 1.2 * df["y"]))  # of the last three horizons
    options = {
        "preset": "pretrained",
        "scale": "none",
        "future_covariates": ["promotion"],
        "verbose": 0,
    }
    candidates = [Forecaster(7, **options).fit(each).fitted_.candidates[0] for each in (df, later)]
    for first, second in zip(*(each.effects.regressions for each in candidates), strict=True):
        np.testing.assert_array_equal(first.pooled, second.pooled)
