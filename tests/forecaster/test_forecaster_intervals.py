"""Intervals, sample paths, calibration, members, and the four ways to go on from a fit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast import Engine, Forecaster, NetworkSpec, TrainingSpec
from seqcast.errors import DataError, NotFittedError, SpecError
from seqcast.intervals import level_quantiles
from tests.rejections import rejected

from . import panels

LEVEL = (80, 95)
BOUNDS = ["seqcast-lo-95", "seqcast-lo-80", "seqcast", "seqcast-hi-80", "seqcast-hi-95"]
COLUMNS = [
    "unique_id",
    "ds",
    "seqcast",
    "seqcast-lo-80",
    "seqcast-hi-80",
    "seqcast-lo-95",
    "seqcast-hi-95",
]


def network(head="quantile", **options):
    quantiles = level_quantiles(LEVEL) if head == "quantile" else None
    sizes = {"encoder_units": (6,), "decoder_units": (5,), "normalise": "last"}
    return NetworkSpec(head=head, quantiles=quantiles, **{**sizes, **options})


def forecaster(head="quantile", *, spec=None, epochs=1, **options):
    given = {
        "context_length": 14,
        "calendar": "none",
        "training": TrainingSpec(epochs=epochs, batch_size=32),
    }
    return panels.tiny(preset=spec or network(head), **{**given, **options})


def panel(rows=90, names=("s0", "s1", "s2"), **options):
    return panels.waves(names, rows, level=10.0, noise=0.3, **options)


PANEL = panel()


@pytest.fixture(scope="module")
def fitted():
    """Return forecasters that were fitted once, by head; none of them is changed by a test."""
    made = {}

    def get(head):
        if head not in made:
            counts = head == "negative_binomial"
            spec = network(head, normalise="scale" if counts or head == "log_normal" else "last")
            made[head] = forecaster(spec=spec, epochs=2).fit(
                PANEL.round({"y": 0}) if counts else PANEL
            )
        return made[head]

    return get


HEADS = ("quantile", "normal", "student_t", "negative_binomial", "log_normal")


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("horizon", [None, 2, 9])
def test_intervals_hold_each_other_and_the_median_at_any_horizon(fitted, head, horizon):
    forecast = fitted(head).predict(horizon)
    assert (list(forecast.columns), len(forecast)) == (COLUMNS, 3 * (horizon or 4))
    assert np.isfinite(forecast[BOUNDS].to_numpy()).all()
    assert (np.diff(forecast[BOUNDS].to_numpy(), axis=1) >= 0).all()


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas])
def test_utilsforecast_draws_our_frames(fitted, convert):
    from utilsforecast.plotting import plot_series

    df = convert(PANEL)
    figure = plot_series(df, fitted("quantile").predict(df=df), level=[80, 95], models=["seqcast"])
    assert sum(bool(axes.lines) for axes in figure.axes) == 3


def test_a_distribution_has_any_level_and_quantiles_those_that_they_were_trained_for(fitted):
    forecast = fitted("student_t").predict(level=[10, 99.5])
    bounds = ["seqcast-lo-99.5", "seqcast-lo-10", "seqcast", "seqcast-hi-10", "seqcast-hi-99.5"]
    assert (np.diff(forecast[bounds].to_numpy(), axis=1) > 0).all()
    model = fitted("quantile")
    pd.testing.assert_frame_equal(model.predict(level=80), model.predict()[COLUMNS[:5]])
    rejected(
        SpecError,
        r"level: expected levels that it has: 80, 95, received 90",
        model.predict,
        level=(80, 90),
    )


def test_a_point_has_no_intervals():
    model = forecaster("point").fit(PANEL)
    assert list(model.predict().columns) == ["unique_id", "ds", "seqcast"]
    rejected(SpecError, r"none: it forecasts a point.*calibrate=True", model.predict, level=80)
    rejected(SpecError, "head", model.predict, samples=3)


def test_the_point_is_the_median_or_the_mean(fitted):
    normal = forecaster("normal", epochs=2, point="mean").fit(PANEL)
    np.testing.assert_allclose(fitted("normal").predict()["seqcast"], normal.predict()["seqcast"])
    spec = network("log_normal", normalise="scale")
    mean = forecaster(spec=spec, epochs=2, scale="none", point="mean").fit(PANEL)
    assert (mean.predict()["seqcast"] > fitted("log_normal").predict()["seqcast"]).all()


@pytest.mark.parametrize(("head", "value"), [("negative_binomial", 2.5), ("log_normal", 0.0)])
def test_values_that_a_distribution_does_not_have(monkeypatch, head, value):
    monkeypatch.setattr(Engine, "fit", None)
    df = PANEL.assign(y=PANEL["y"].round().where(PANEL.index != 100, value))
    message = rf"y, row 100 \(series 's1'\): expected .* for head='{head}', received {value:g}"
    rejected(
        DataError, message, forecaster(spec=network(head, normalise="scale"), scale="none").fit, df
    )


def test_a_seasonal_residual_knows_the_season():
    model = forecaster(spec=network(residual="seasonal")).fit(PANEL)
    assert model.engine_.window.season_length == model.season_length_ == 7
    assert np.isfinite(model.predict(9)[BOUNDS].to_numpy()).all()


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_sample_paths(fitted, kind):
    model = (
        fitted("normal") if kind == "pandas" else forecaster("normal").fit(pl.from_pandas(PANEL))
    )
    paths = model.predict(3, samples=40)
    assert list(paths.columns) == ["unique_id", "ds", "sample", "seqcast"]
    assert len(paths) == 3 * 40 * 3
    assert paths["sample"].to_list()[:4] == [1, 1, 1, 2]
    assert paths["seqcast"].to_list() == model.predict(3, samples=40)["seqcast"].to_list()
    rejected(SpecError, "level: expected None with samples", model.predict, samples=3, level=80)


def test_sample_paths_spread_as_the_intervals_say(fitted):
    paths = fitted("normal").predict(samples=400)
    forecast = fitted("normal").predict(level=80)
    steps = paths.pivot(index=["unique_id", "ds"], columns="sample", values="seqcast").to_numpy()
    low, high = (forecast[f"seqcast-{side}-80"].to_numpy()[:, None] for side in ("lo", "hi"))
    inside = ((steps >= low) & (steps <= high)).mean(axis=1)
    np.testing.assert_allclose(inside, 0.8, atol=0.07)
    assert inside.mean() == pytest.approx(0.8, abs=0.02)


def test_paths_of_a_series_do_not_depend_on_its_company(fitted):
    model = fitted("normal")
    alone = model.predict(df=PANEL[PANEL["unique_id"] == "s1"], samples=5)["seqcast"]
    among = model.predict(df=PANEL[::-1].sort_values("ds", kind="stable"), samples=5)
    s0, s1 = (among.loc[among["unique_id"] == name, "seqcast"].to_numpy() for name in ("s0", "s1"))
    np.testing.assert_allclose(alone, s1, rtol=1e-6)
    assert not np.allclose(s0 - s0.mean(), s1 - s1.mean())


def calibrated(head="quantile", **options):
    training = TrainingSpec(epochs=1, batch_size=32, validation_fraction=0.3)
    return forecaster(head, calibrate=True, training=training, **options).fit(PANEL)


def test_calibrated_intervals_hold_what_they_promise_where_they_were_calibrated():
    model = calibrated()
    windows = model.calibrations_[0].windows
    assert windows.tolist() == [3 * (27 - 4 + 1)] * 4
    rows = model.predict_insample()
    tail = rows[rows["cutoff"] >= PANEL["ds"].unique()[90 - 27 - 1]]
    step = tail.groupby(["unique_id", "cutoff"]).cumcount()
    for level in LEVEL:
        inside = tail["y"].between(tail[f"seqcast-lo-{level}"], tail[f"seqcast-hi-{level}"])
        # By step as well, and no wider than windows of one time call for.
        assert (inside.groupby(step).mean() >= level / 100 - 0.05).all()
        assert inside.mean() <= level / 100 + 0.1
    assert (np.diff(model.predict(9)[BOUNDS].to_numpy(), axis=1) >= 0).all()


def test_a_point_is_given_intervals_by_calibration():
    model = calibrated("point")
    forecast = model.predict()
    assert list(forecast.columns) == COLUMNS
    np.testing.assert_allclose(
        forecast["seqcast-lo-80"] + forecast["seqcast-hi-80"], 2 * forecast["seqcast"]
    )
    table = model.backtest(PANEL, n_windows=2, refit=1)
    assert {*COLUMNS} <= {*table.columns}


@pytest.mark.parametrize(("level", "fraction"), [((80, 99), 0.15), ((80, 95), 0.0)])
def test_levels_that_validation_cannot_support_are_rejected_before_training(
    monkeypatch, level, fraction
):
    monkeypatch.setattr(Engine, "fit", None)
    training = {"validation_fraction": fraction}
    with pytest.raises(DataError, match=r"calibrate: expected at least (99|19) validation windows"):
        Forecaster(
            4, level=level, calibrate=True, context_length=14, training=training, verbose=0
        ).fit(PANEL)


@pytest.mark.parametrize("combine", ["median", "mean"])
def test_members_over_seeds_and_context_lengths(combine):
    model = forecaster(members=3, context_length=(7, 14), combine=combine).fit(PANEL)
    assert [engine.window.context_length for engine in model.engines_] == [7, 14, 7]
    assert model.context_length_ == 14
    forecast = model.predict()
    assert (np.diff(forecast[BOUNDS].to_numpy(), axis=1) >= 0).all()
    (trained,) = model.fitted_.candidates
    values = [
        replace(model.fitted_, candidates=(replace(trained, engines=(each,)),))
        for each in model.engines_
    ]
    alone = [model.with_fitted(value).predict()[BOUNDS] for value in values]
    np.testing.assert_allclose(forecast[BOUNDS], getattr(np, combine)(alone, axis=0), rtol=1e-6)
    assert len(model.predict(samples=4)) == 4 * 12


def test_segments_in_frames_take_gaps_covariates_and_any_horizon():
    steps = np.arange(430)
    hours = pd.date_range("2024-01-01", periods=430, freq="h")
    y = 5 + np.sin(steps * 2 * np.pi / 24)
    warm = np.cos(steps / 9)
    df = pd.DataFrame({"unique_id": "a", "ds": hours, "y": y, "warm": warm})
    options = {
        "preset": "segment",
        "future_covariates": ("warm",),
        "context_length": 48,
        "training": {"epochs": 1},
    }
    model = panels.tiny(12, **options).fit(df[:400].drop(index=[50, 51]))
    assert model.engine_.network.segment == 12
    forecast = model.predict(30, future=df[400:].drop(columns="y"))
    assert len(forecast) == 30
    assert np.isfinite(forecast[BOUNDS].to_numpy()).all()


# ---------------------------------------------------------------- going on from a fit


def test_warm_start_begins_with_the_weights():
    model = forecaster().fit(PANEL)
    before = model.engine_.weights
    still = TrainingSpec(epochs=1, batch_size=32, learning_rate=1e-9)
    model.set_params(training=still).fit(PANEL, warm_start=True)
    for ours, theirs in zip(model.engine_.weights, before, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    model.set_params(random_state=1).fit(PANEL)
    assert (
        max(np.abs(a - b).max() for a, b in zip(model.engine_.weights, before, strict=True)) > 1e-3
    )
    model.set_params(preset=network(encoder_units=(7,)))
    rejected(
        SpecError,
        "warm_start: expected the same preset as before",
        model.fit,
        PANEL,
        warm_start=True,
    )


def test_finetune_trains_what_is_not_frozen_and_leaves_the_scaling():
    model = forecaster().fit(PANEL)
    before = model.engine_.weights
    scaler = model.series_state_.scaler
    newer = panel(100, ("s0", "s1", "s2", "s3"), seed=1)
    newer = newer[(newer["ds"] > PANEL["ds"].max()) | (newer["unique_id"] == "s3")]
    model.set_params(members=3)  # it is for fits to come: the networks that there are go on
    model.finetune(newer, freeze=("encoder",), training={"learning_rate": 0.01})
    assert len(model.engines_) == 1
    pairs = zip(model.engine_.model.weights, before, model.engine_.weights, strict=True)
    changed = [weight.path for weight, old, new in pairs if not np.array_equal(old, new)]
    assert changed
    assert not [name for name in changed if "encoder" in name]
    np.testing.assert_array_equal(model.series_state_.scaler.loc[:3], scaler.loc)
    assert model.series_state_.ids == ("s0", "s1", "s2", "s3")
    assert model.predict(1)["ds"].unique() == [pd.Timestamp("2024-04-10")]


def test_finetune_rejects_what_it_cannot_do(fitted):
    model = fitted("quantile")
    weights = model.engine_.weights
    gap = PANEL.assign(y=PANEL["y"].where(PANEL.index % 90 != 80))
    for df, freeze, message in (
        (PANEL, ("bridge",), "freeze: expected one of 'encoder', 'decoder', 'head'"),
        (PANEL, ("encoder", "decoder", "head"), "freeze: expected a submodule left to train"),
        (
            PANEL[PANEL["ds"] < "2024-03-01"],
            (),
            r"series 's0'\): expected rows up to its last known one",
        ),
        (gap, (), "expected no missing values or steps"),
    ):
        rejected((DataError, SpecError), message, model.finetune, df, freeze=freeze)
    assert all(map(np.array_equal, weights, model.engine_.weights))


def test_refit_keeps_the_choices_and_nothing_else():
    model = forecaster(context_length=None).fit(PANEL)
    context = model.context_length_
    model.refit(pd.concat([PANEL.assign(unique_id="t", y=PANEL["y"] * 7)[:90], panel(400)]))
    assert model.context_length_ == context
    assert model.series_state_.ids == ("s0", "s1", "s2", "t")
    assert model.predict(1)["ds"].max() == pd.Timestamp("2025-02-04")


def test_nothing_goes_on_from_no_fit():
    for word in ("update", "finetune", "refit", "encode", "attention", "report"):
        with pytest.raises(NotFittedError):
            getattr(forecaster(), word)(PANEL)
    with pytest.raises(NotFittedError):
        forecaster().predict()


# ---------------------------------------------------------------- looking inside


def test_states_of_each_series(fitted):
    model = fitted("quantile")
    states = model.encode()
    assert list(states.columns) == ["unique_id", "ds", *(f"state_{place}" for place in range(1, 7))]
    assert states["ds"].unique() == [PANEL["ds"].max()]
    assert list(states["unique_id"]) == ["s0", "s1", "s2"]
    pd.testing.assert_frame_equal(model.encode(PANEL), states)


def test_attention_as_a_frame(fitted):
    model = forecaster(spec=network(attention="dot")).fit(PANEL)
    weights = model.attention(horizon=3)
    assert list(weights.columns) == ["unique_id", "ds", "past_ds", "weight"]
    assert len(weights) == 3 * 3 * 14
    np.testing.assert_allclose(weights.groupby(["unique_id", "ds"])["weight"].sum(), 1, rtol=1e-5)
    assert weights["past_ds"].max() == PANEL["ds"].max()
    rejected(
        SpecError, "attention: expected a network with attention", fitted("quantile").attention
    )


@pytest.mark.tools
def test_report(fitted, tmp_path):
    def written(model, *df, **options):
        model.report(tmp_path / "report.html", *df, **options)
        return (tmp_path / "report.html").read_text("utf-8")

    model = fitted("quantile")
    text = written(model, n_windows=2, title="Sales & more", unit="pieces")
    for said in (
        "Sales &amp; more",
        "<h2>Forecast</h2>",
        "Accuracy in the backtest",
        "for 80 % and 95 % of the true values",
        "best epoch",
    ):
        assert said in text
    model.save(tmp_path / "m.seqcast")
    loaded = Forecaster.load(tmp_path / "m.seqcast")
    rejected(NotFittedError, "Files hold no rows", loaded.report, tmp_path / "other.html")
    assert not (tmp_path / "other.html").exists()
    assert "Accuracy in the backtest" not in written(loaded, PANEL, n_windows=0)
    # Irregular stamps have no forecast without a future.
    df = PANEL[np.random.default_rng(0).random(len(PANEL)) < 0.8]
    text = written(forecaster(irregular=True).fit(df), n_windows=1)
    assert "Accuracy in the backtest" in text
    assert "irregular times needs the steps ahead for one." in text
