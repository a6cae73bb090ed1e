"""Intervals, sample paths, calibration, members, and the four ways to go on from a fit."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast import Forecaster, NetworkSpec, TrainingSpec
from seqcast.data.windows.origins import Origins
from seqcast.engine.engine import Engine
from seqcast.errors import DataError, NotFittedError, SpecError
from seqcast.evaluation import evaluate
from seqcast.forecaster.candidates.trained import FittedTrained
from seqcast.forecaster.choice import Blend
from seqcast.intervals.quantiles import ForecastRequest, level_quantiles

LEVEL = (80, 95)
BOUNDS = ["seqcast-lo-95", "seqcast-lo-80", "seqcast", "seqcast-hi-80", "seqcast-hi-95"]
COLUMNS = ["unique_id", "ds", "seqcast", "seqcast-lo-80", "seqcast-hi-80", "seqcast-lo-95", "seqcast-hi-95"]


def network(head="quantile", **options):
    quantiles = level_quantiles(LEVEL) if head == "quantile" else None
    sizes = {"encoder_units": (6,), "decoder_units": (5,), "normalise": "last"}
    return NetworkSpec(head=head, quantiles=quantiles, **{**sizes, **options})


def forecaster(head="quantile", horizon=4, *, spec=None, epochs=2, **options):
    defaults = {"context_length": 14, "calendar": "none", "random_state": 0, "verbose": 0}
    training = TrainingSpec(epochs=epochs, batch_size=32)
    return Forecaster(horizon, **{"preset": spec or network(head), "training": training, **defaults, **options})


def panel(series=3, length=90, seed=0):
    random = np.random.default_rng(seed)
    parts = []
    for place in range(series):
        y = 10 * (place + 1) + np.sin(np.arange(length) * 2 * np.pi / 7) + 0.3 * random.normal(size=length)
        days = pd.date_range("2024-01-01", periods=length)
        parts.append(pd.DataFrame({"unique_id": f"s{place}", "ds": days, "y": y}))
    return pd.concat(parts, ignore_index=True)


PANEL = panel()


@pytest.fixture(scope="module")
def fitted():
    """Return forecasters that were fitted once, by head; none of them is changed by a test."""
    made = {}

    def get(head):
        if head not in made:
            counts = head == "negative_binomial"
            spec = network(head, normalise="scale" if head in ("negative_binomial", "log_normal") else "last")
            df = PANEL.assign(y=PANEL["y"].round()) if counts else PANEL
            made[head] = forecaster(spec=spec).fit(df)
        return made[head]

    return get


HEADS = ("quantile", "normal", "student_t", "negative_binomial", "log_normal")


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("horizon", [None, 2, 9])
def test_intervals_hold_each_other_and_the_median_at_any_horizon(fitted, head, horizon):
    forecast = fitted(head).predict(horizon)
    assert list(forecast.columns) == COLUMNS
    assert len(forecast) == 3 * (horizon or 4)
    assert np.isfinite(forecast[BOUNDS].to_numpy()).all()
    assert (np.diff(forecast[BOUNDS].to_numpy(), axis=1) >= 0).all()


@pytest.mark.parametrize("head", ["normal", "student_t", "log_normal"])
def test_a_distribution_has_any_level(fitted, head):
    forecast = fitted(head).predict(level=[10, 99.5])
    bounds = ["seqcast-lo-99.5", "seqcast-lo-10", "seqcast", "seqcast-hi-10", "seqcast-hi-99.5"]
    assert (np.diff(forecast[bounds].to_numpy(), axis=1) > 0).all()


def test_quantiles_have_the_levels_that_they_were_trained_for(fitted):
    model = fitted("quantile")
    narrow = model.predict(level=80)
    assert list(narrow.columns) == COLUMNS[:5]
    pd.testing.assert_frame_equal(narrow, model.predict()[COLUMNS[:5]])
    with pytest.raises(SpecError, match=r"level: expected levels that it has: 80, 95, received 90"):
        model.predict(level=(80, 90))


def test_a_point_has_no_intervals(fitted):
    model = forecaster("point", epochs=1).fit(PANEL)
    assert list(model.predict().columns) == ["unique_id", "ds", "seqcast"]
    with pytest.raises(SpecError, match=r"none: it forecasts a point.*calibrate=True"):
        model.predict(level=80)
    with pytest.raises(SpecError, match="head"):
        model.predict(samples=3)


def test_the_point_is_the_median_or_the_mean(fitted):
    model = fitted("normal")
    np.testing.assert_allclose(
        model.predict()["seqcast"], forecaster("normal", point="mean").fit(PANEL).predict()["seqcast"]
    )
    log = fitted("log_normal")
    spec = network("log_normal", normalise="scale")
    mean = forecaster(spec=spec, scale="none", point="mean").fit(PANEL).predict()["seqcast"]
    assert (mean > log.predict()["seqcast"]).all()


@pytest.mark.parametrize(("head", "value"), [("negative_binomial", 2.5), ("log_normal", 0.0)])
def test_values_that_a_distribution_does_not_have(monkeypatch, head, value):
    monkeypatch.setattr(Engine, "fit", None)
    df = PANEL.assign(y=PANEL["y"].round().where(PANEL.index != 100, value))
    with pytest.raises(
        DataError, match=rf"y, row 100 \(series 's1'\): expected .* for head='{head}', received {value:g}"
    ):
        forecaster(spec=network(head, normalise="scale"), scale="none").fit(df)


def test_a_seasonal_residual_knows_the_season():
    model = forecaster(spec=network(residual="seasonal"), epochs=1).fit(PANEL)
    assert model.engine_.window.season_length == model.season_length_ == 7
    assert np.isfinite(model.predict(9)[BOUNDS].to_numpy()).all()


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_sample_paths(fitted, kind):
    model = fitted("normal")
    if kind == "polars":
        model = forecaster("normal").fit(pl.from_pandas(PANEL))
    paths = model.predict(3, samples=40)
    assert list(paths.columns) == ["unique_id", "ds", "sample", "seqcast"]
    assert len(paths) == 3 * 40 * 3
    assert paths["sample"].to_list()[:4] == [1, 1, 1, 2]
    again = model.predict(3, samples=40)
    assert paths["seqcast"].to_list() == again["seqcast"].to_list()
    with pytest.raises(SpecError, match="level: expected None with samples"):
        model.predict(samples=3, level=80)


def test_sample_paths_spread_as_the_intervals_say(fitted):
    model = fitted("normal")
    paths = model.predict(samples=400).groupby(["unique_id", "ds"])["seqcast"]
    forecast = model.predict(level=80)
    inside = [
        np.mean((group >= row["seqcast-lo-80"]) & (group <= row["seqcast-hi-80"]))
        for (_, group), (_, row) in zip(paths, forecast.iterrows(), strict=True)
    ]
    np.testing.assert_allclose(inside, 0.8, atol=0.02)
    first, second = (group.to_numpy() for _, group in list(paths)[:2])
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.3


def test_paths_of_a_series_do_not_depend_on_its_company(fitted):
    model = fitted("normal")
    alone = model.predict(df=PANEL[PANEL["unique_id"] == "s1"], samples=5)
    among = model.predict(df=PANEL[::-1].sort_values("ds", kind="stable"), samples=5)
    np.testing.assert_allclose(alone["seqcast"], among.loc[among["unique_id"] == "s1", "seqcast"], rtol=1e-6)
    s0, s1 = (among.loc[among["unique_id"] == name, "seqcast"].to_numpy() for name in ("s0", "s1"))
    assert not np.allclose(s0 - s0.mean(), s1 - s1.mean())


@pytest.fixture(scope="module")
def calibrated():
    training = TrainingSpec(epochs=2, batch_size=32, validation_fraction=0.3)
    return forecaster(calibrate=True, training=training).fit(PANEL)


def test_calibrated_intervals_hold_what_they_promise_where_they_were_calibrated(calibrated, capsys):
    windows = calibrated.calibrations_[0].windows
    assert windows.tolist() == [3 * (27 - 4 + 1)] * 4
    rows = calibrated.predict_insample()
    tail = rows[rows["cutoff"] >= PANEL["ds"].unique()[90 - 27 - 1]]
    step = tail.groupby(["unique_id", "cutoff"]).cumcount()
    for level in LEVEL:
        inside = tail["y"].between(tail[f"seqcast-lo-{level}"], tail[f"seqcast-hi-{level}"])
        covered = inside.groupby(step).mean()
        assert (covered >= level / 100).all()
        assert (covered <= level / 100 + 3 / windows[0]).all() or level == 95
    assert (np.diff(calibrated.predict(9)[BOUNDS].to_numpy(), axis=1) >= 0).all()


def test_a_point_is_given_intervals_by_calibration():
    training = TrainingSpec(epochs=1, batch_size=32, validation_fraction=0.3)
    model = forecaster("point", calibrate=True, training=training).fit(PANEL)
    forecast = model.predict()
    assert list(forecast.columns) == COLUMNS
    np.testing.assert_allclose(forecast["seqcast-lo-80"] + forecast["seqcast-hi-80"], 2 * forecast["seqcast"])
    table = model.backtest(PANEL, n_windows=2, refit=1)
    assert {*COLUMNS} <= {*table.columns}


@pytest.mark.parametrize(("level", "fraction"), [((80, 99), 0.15), ((80, 95), 0.0)])
def test_levels_that_validation_cannot_support_are_refused_before_training(monkeypatch, level, fraction):
    monkeypatch.setattr(Engine, "fit", None)
    training = {"validation_fraction": fraction}
    with pytest.raises(DataError, match=r"calibrate: expected at least (99|19) validation windows"):
        Forecaster(4, level=level, calibrate=True, context_length=14, training=training, verbose=0).fit(PANEL)


@pytest.mark.parametrize("combine", ["median", "mean"])
def test_members_over_seeds_and_context_lengths(combine):
    model = forecaster(members=3, context_length=(7, 14), combine=combine, epochs=1).fit(PANEL)
    assert [engine.window.context_length for engine in model.engines_] == [7, 14, 7]
    assert model.context_length_ == 14
    forecast = model.predict()
    assert (np.diff(forecast[BOUNDS].to_numpy(), axis=1) >= 0).all()
    series, request = model.series_state_, ForecastRequest(level=LEVEL)
    origins = Origins.at_ends(series.frame, model.horizon)
    reader = series.reader(series.frame, origins)
    alone = [Blend.of(FittedTrained((each,))).forecast(reader, origins, request) for each in model.engines_]
    columns = request.columns("seqcast")
    expected = getattr(np, combine)(alone, axis=0).reshape(-1, len(columns))
    np.testing.assert_allclose(forecast[columns], expected, rtol=1e-6)
    assert len(model.predict(samples=4)) == 4 * 12


def test_segments_in_frames_take_gaps_covariates_and_any_horizon():
    hours = pd.date_range("2024-01-01", periods=400, freq="h")
    y = 5 + np.sin(np.arange(400) * 2 * np.pi / 24)
    df = pd.DataFrame({"unique_id": "a", "ds": hours, "y": y, "warm": np.cos(np.arange(400) / 9)}).drop(index=[50, 51])
    model = Forecaster(
        12, preset="segment", future_covariates=("warm",), context_length=48, random_state=0, verbose=0,
        training={"epochs": 1},
    )  # fmt: skip
    model.fit(df)
    assert model.engine_.network.segment == 12
    ahead = pd.date_range(hours[-1], periods=31, freq="h")[1:]
    future = pd.DataFrame({"unique_id": "a", "ds": ahead, "warm": 0.5})
    forecast = model.predict(30, future=future)
    assert len(forecast) == 30
    assert np.isfinite(forecast[BOUNDS].to_numpy()).all()


# ---------------------------------------------------------------- going on from a fit


def test_warm_start_begins_with_the_weights():
    model = forecaster(epochs=1).fit(PANEL)
    before = model.engine_.weights
    still = TrainingSpec(epochs=1, batch_size=32, learning_rate=1e-9)
    model.set_params(training=still).fit(PANEL, warm_start=True)
    for ours, theirs in zip(model.engine_.weights, before, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    model.fit(PANEL)
    assert max(np.abs(a - b).max() for a, b in zip(model.engine_.weights, before, strict=True)) > 1e-3 or (
        model.engine_.seed == 0
    )
    model.set_params(preset=network(encoder_units=(7,)))
    with pytest.raises(SpecError, match="warm_start: expected the same preset as before"):
        model.fit(PANEL, warm_start=True)


def test_finetune_trains_what_is_not_frozen_and_keeps_the_scaling():
    model = forecaster(epochs=1).fit(PANEL)
    before, scaler = model.engine_.weights, model.series_state_.scaler
    newer = panel(series=4, length=100, seed=1)
    newer = newer[(newer["ds"] > PANEL["ds"].max()) | (newer["unique_id"] == "s3")]
    model.set_params(members=3)  # it is for fits to come: the networks that there are, are trained further
    model.finetune(newer, freeze=("encoder",), training={"learning_rate": 0.01})
    assert len(model.engines_) == 1
    names = [weight.path for weight in model.engine_.model.weights]
    changed = {
        name for name, a, b in zip(names, before, model.engine_.weights, strict=True) if not np.array_equal(a, b)
    }
    assert changed
    assert not [name for name in changed if "encoder" in name]
    np.testing.assert_array_equal(model.series_state_.scaler.loc[:3], scaler.loc)
    assert model.series_state_.ids == ("s0", "s1", "s2", "s3")
    assert model.predict(1)["ds"].unique() == [pd.Timestamp("2024-04-10")]


def test_finetune_refuses_what_it_cannot_do(fitted):
    model = fitted("quantile")
    weights = model.engine_.weights
    with pytest.raises(SpecError, match="freeze: expected one of 'encoder', 'decoder', 'head'"):
        model.finetune(PANEL, freeze=("bridge",))
    with pytest.raises(SpecError, match="freeze: expected a submodule left to train"):
        model.finetune(PANEL, freeze=("encoder", "decoder", "head"))
    with pytest.raises(DataError, match=r"series 's0'\): expected rows up to its last known one"):
        model.finetune(PANEL[PANEL["ds"] < "2024-03-01"])
    with pytest.raises(DataError, match="expected no missing values or steps"):
        model.finetune(PANEL.assign(y=PANEL["y"].where(PANEL.index % 90 != 80)))
    assert all(map(np.array_equal, weights, model.engine_.weights))


def test_refit_keeps_the_choices_and_nothing_else():
    model = forecaster(context_length=None, epochs=1).fit(PANEL)
    context = model.context_length_
    model.refit(pd.concat([PANEL.assign(unique_id="t", y=PANEL["y"] * 7)[:90], panel(length=400)]))
    assert model.context_length_ == context
    assert model.series_state_.ids == ("s0", "s1", "s2", "t")
    assert model.predict(1)["ds"].max() == pd.Timestamp("2025-02-04")


@pytest.mark.parametrize("word", ["update", "finetune", "refit", "predict", "encode", "attention", "report"])
def test_nothing_goes_on_from_no_fit(word):
    with pytest.raises(NotFittedError):
        getattr(forecaster(), word)(*(() if word == "predict" else (PANEL,)))


# ---------------------------------------------------------------- looking inside


def test_states_of_each_series(fitted):
    model = fitted("quantile")
    states = model.encode()
    assert list(states.columns) == ["unique_id", "ds", *(f"state_{place}" for place in range(1, 7))]
    assert states["ds"].unique() == [PANEL["ds"].max()]
    assert list(states["unique_id"]) == ["s0", "s1", "s2"]
    pd.testing.assert_frame_equal(model.encode(PANEL), states)


def test_attention_as_a_frame():
    model = forecaster(spec=network(attention="dot"), epochs=1).fit(PANEL)
    weights = model.attention(horizon=3)
    assert list(weights.columns) == ["unique_id", "ds", "past_ds", "weight"]
    assert len(weights) == 3 * 3 * 14
    np.testing.assert_allclose(weights.groupby(["unique_id", "ds"])["weight"].sum(), 1, rtol=1e-5)
    assert weights["past_ds"].max() == PANEL["ds"].max()
    with pytest.raises(SpecError, match="attention: expected a network with attention"):
        forecaster(epochs=1).fit(PANEL).attention()


@pytest.mark.tools
def test_report(fitted, tmp_path):
    model = fitted("quantile")
    model.report(tmp_path / "report.html", n_windows=2, title="Sales & more", unit="pieces")
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "<h2>Forecast</h2>" in text
    for part in ("Sales &amp; more", "Accuracy in the backtest", "intervals meant to hold 80 % and 95 %", "best epoch"):
        assert part in text
    model.save(tmp_path / "m.seqcast")
    loaded = Forecaster.load(tmp_path / "m.seqcast")
    with pytest.raises(NotFittedError, match="Files hold no rows"):
        loaded.report(tmp_path / "other.html")
    assert not (tmp_path / "other.html").exists()
    loaded.report(tmp_path / "other.html", PANEL, n_windows=0)
    assert "Accuracy in the backtest" not in (tmp_path / "other.html").read_text("utf-8")


@pytest.mark.tools
def test_report_of_irregular_stamps_has_no_forecast_without_a_future(tmp_path):
    df = PANEL[np.random.default_rng(0).random(len(PANEL)) < 0.8]
    model = forecaster(irregular=True, epochs=1).fit(df)
    model.report(tmp_path / "report.html", n_windows=1)
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "Accuracy in the backtest" in text
    assert "<h2>Forecast</h2>" not in text


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames_go_straight_into_utilsforecast(kind):
    from utilsforecast.evaluation import evaluate as theirs
    from utilsforecast.losses import coverage, mae, scaled_crps
    from utilsforecast.plotting import plot_series

    df = PANEL if kind == "pandas" else pl.from_pandas(PANEL)
    model = forecaster(epochs=1).fit(df)
    table = model.backtest(df, n_windows=2)
    scores = theirs(table, metrics=[mae, coverage, scaled_crps], models=["seqcast"], level=[80, 95], agg_fn="mean")
    ours = evaluate(table, ["mae", "coverage"], models=["seqcast"])
    for name, value in zip(ours["metric"].to_list(), ours["seqcast"].to_list(), strict=True):
        by_cutoff = zip(scores["metric"].to_list(), scores["seqcast"].to_list(), strict=True)
        np.testing.assert_allclose(value, np.mean([score for metric, score in by_cutoff if metric == name]))
    figure = plot_series(df, model.predict(), level=[80, 95], models=["seqcast"])
    assert sum(bool(axes.lines) for axes in figure.axes) == 3
