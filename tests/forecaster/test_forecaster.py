from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone

from seqcast.data.datasets import load
from seqcast.data.frames.table import read_frame
from seqcast.data.windows.origins import Origins
from seqcast.errors import DataError, FileFormatError, NotFittedError, SpecError
from seqcast.forecaster.blend import Blend
from seqcast.forecaster.candidates.trained import FittedTrained
from seqcast.forecaster.defaults import Sizes, specs
from seqcast.forecaster.estimator import Forecaster
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.planning import make_plan
from seqcast.intervals.request import ForecastRequest
from seqcast.pretrained.finetuning import finetune_training
from seqcast.specs.columns import Columns
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec

TINY = NetworkSpec(encoder_units=(8,), decoder_units=(8,), normalise="last")
SHORT = TrainingSpec(epochs=2, batch_size=64)


def tiny(horizon=4, **options):
    defaults = {"context_length": 8, "preset": TINY, "training": SHORT, "random_state": 0, "verbose": 0}
    return Forecaster(horizon, **{**defaults, **options})


def panel(names="abc", rows=60, freq="D", seed=0):
    pieces = []
    for place, name in enumerate(names):
        rng = np.random.default_rng([seed, place])
        y = 10 * place + np.sin(np.arange(rows) / (2 + place)) + 0.1 * rng.normal(size=rows)
        ds = pd.date_range("2024-01-01", periods=rows, freq=freq)
        pieces.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": y}))
    return pd.concat(pieces, ignore_index=True)


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(panel())


# ------------------------------------------------------------------ shape and stamps


def test_forecast_frame(fitted):
    made = fitted.predict()
    assert list(made.columns) == ["unique_id", "ds", "seqcast"]
    assert list(made["unique_id"]) == ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    assert list(made["ds"][:4]) == list(pd.date_range("2024-03-01", periods=4))
    assert np.isfinite(made["seqcast"]).all()
    assert "val_loss" in fitted.history_
    assert (fitted.freq_, fitted.season_length_, fitted.context_length_) == ("D", 7, 8)


def test_a_shorter_forecast_is_the_beginning_of_a_longer_one(fitted):
    long = fitted.predict(horizon=11)
    for horizon in (1, 4, 7):
        short = fitted.predict(horizon=horizon)
        kept = long.groupby("unique_id").head(horizon).reset_index(drop=True)
        pd.testing.assert_frame_equal(short, kept, atol=1e-6)


def test_forecasts_learn_something():
    df = panel("a", rows=400)
    model = tiny(training=TrainingSpec(epochs=15, batch_size=32)).fit(df[:-8])
    error = np.abs(model.predict(8)["seqcast"].to_numpy() - df["y"][-8:].to_numpy()).mean()
    assert error < 0.5 * df["y"].std()


def rule(sizes, preset="auto", training=None):
    return specs(preset, training, (80.0, 95.0), sizes)


def plan_of(model, df):
    """Return what a fit of this forecaster would do with a frame, before anything is trained."""
    options = model.get_params(deep=False)

    return make_plan(read_frame(df, missing="fill"), FitOptions.resolve(options, 0, 1))


def planned(model, df):
    """Return what a fit of this forecaster would learn of a frame, before anything is trained."""
    return plan_of(model, df).rows.series


def alone(model, engine, request):
    """Return the forecasts of one network of a fitted forecaster, after the last rows."""
    series = model.series_state_
    origins = Origins.at_ends(series.frame, model.horizon)
    blend = Blend.of(FittedTrained((engine,)))
    return blend.forecast(series.reader(series.frame, origins), origins, request)


def test_rules_for_what_is_not_given(capsys):
    model = tiny(context_length=None, verbose=1).fit(panel(rows=100, freq="MS"))
    assert (model.context_length_, model.season_length_, model.freq_) == (24, 12, "MS")
    assert "freq 'MS' (inferred), season_length 12, context_length 24" in capsys.readouterr().out
    network, training = rule(Sizes(5000))
    assert (network.normalise, training.batch_size, training.steps_per_epoch) == ("last", 100, 60)
    assert training.early_stopping == 5
    assert rule(Sizes(2500), NetworkSpec())[1].steps_per_epoch == 40
    assert rule(Sizes(100), NetworkSpec())[1].steps_per_epoch == 25
    assert rule(Sizes(10**7))[1].steps_per_epoch == 200
    assert rule(Sizes(), NetworkSpec())[0].normalise == "none"


def hourly(growing=True, below=0.0):
    t = np.arange(1200)
    level = np.exp(0.002 * t) if growing else 1.0
    y = 10 * level * (2 + np.sin(t * 2 * np.pi / 24)) - below
    return pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=1200, freq="h"), "y": y})


@pytest.mark.parametrize(
    ("options", "df", "scale"),
    [
        ({}, hourly(), "log"),
        ({}, hourly(growing=False), "standard"),
        ({}, hourly(below=25.0), "standard"),  # below zero
        ({"point": "mean"}, hourly(), "standard"),
        ({"preset": NetworkSpec(head="log_normal")}, hourly(), "mean"),
        ({"preset": NetworkSpec(head="negative_binomial")}, hourly().assign(y=lambda df: df["y"].round()), "none"),
        ({"scale": "robust"}, hourly(), "robust"),
    ],
)
def test_scales_that_suit_the_data(options, df, scale):
    model = Forecaster(24, verbose=0, **options)
    assert planned(model, df).scale == scale


@pytest.mark.parametrize(
    ("options", "freq", "context"),
    [
        ({"preset": "segment"}, "h", 336),  # two weeks of days
        ({"preset": "segment"}, "D", 48),  # two horizons
        ({"preset": "segment", "season_length": 12}, "h", 48),  # the season is no day
        ({"preset": "classic"}, "h", 48),
        ({"preset": TINY}, "h", 48),
        ({"context_length": 50}, "h", 50),
    ],
)
def test_two_weeks_of_hours_are_read_in_segments(options, freq, context):
    model = Forecaster(24, verbose=0, **options)
    df = hourly().assign(ds=pd.date_range("2020-01-01", periods=1200, freq=freq))
    assert planned(model, df).context_length == context


def test_hours_are_refitted_with_the_sizes_of_the_fit():
    model = tiny(24, context_length=None, preset="segment", training={"epochs": 1, "steps_per_epoch": 1})
    model.fit(hourly()[:1100])
    network = model.engine_.network
    assert model.refit(hourly()).context_length_ == 336
    assert model.engine_.network == network


def test_small_data_take_more_steps_of_named_networks():
    daily = Sizes(windows=200, context_length=28, horizon=7, season_length=7)
    assert rule(daily)[1].steps_per_epoch == 60
    assert rule(daily, "classic")[1].steps_per_epoch == 60
    assert rule(daily, NetworkSpec())[1].steps_per_epoch == 25
    for windows, steps in ((99_999, 200), (100_000, 300)):
        assert rule(replace(daily, windows=windows))[1].steps_per_epoch == steps


def test_networks_of_segments_stop_sooner_where_epochs_are_long():
    few = Sizes(windows=20_000, context_length=28, horizon=7, season_length=7)
    many = replace(few, windows=60_000)

    def length(*arguments):
        training = rule(*arguments)[1]
        return training.epochs, training.early_stopping

    assert length(few) == (20, 5)
    assert length(many) == (8, 3)
    assert length(replace(many, windows=100_000)) == (12, 3)
    assert length(many, "classic") == (TrainingSpec().epochs, 5)
    spec = NetworkSpec(segment=7, decoder_input="position", normalise="instance")
    assert length(many, spec) == (TrainingSpec().epochs, TrainingSpec().early_stopping)


def test_a_fine_tuning_beside_a_network_of_its_own_is_half_as_long():
    many = 10**6
    for options, epochs, steps in (
        ({}, 6, 240),
        ({"shares_data": True}, 3, 120),
        ({"shares_data": True, "covariates": True}, 6, 240),
    ):
        training = finetune_training(many, **options)
        assert (training.epochs, training.epochs * training.steps_per_epoch) == (epochs, steps)
    plan = plan_of(Forecaster(24, effort="balanced", verbose=0), hourly())
    (job,) = (job for job in plan.by_place.values() if job.observers_only)
    assert job.training.epochs == 3


@pytest.mark.parametrize(
    ("training", "length"),
    [
        ({"loss": "mae"}, (8, 3)),
        ({"epochs": 50}, (50, 5)),
        ({"early_stopping": None}, (20, None)),
        ({"steps_per_epoch": 200}, (20, 5)),
        ({"batch_size": 16}, (20, 5)),
        ({"learning_rate": 1e-4}, (20, 5)),
        (TrainingSpec(epochs=30), (30, 20)),
    ],
)
def test_lengths_that_are_given_hold(training, length):
    many = Sizes(windows=60_000, context_length=28, horizon=7, season_length=7)
    found = rule(many, training=training)[1]
    assert (found.epochs, found.early_stopping) == length


def test_logarithms_have_positive_forecasts_and_read_what_is_negative():
    model = tiny(scale="log").fit(panel().assign(y=lambda df: df["y"].abs()))
    made = model.predict(df=panel().assign(y=lambda df: -df["y"].abs()))["seqcast"]
    assert np.isfinite(made).all()
    assert (made >= 0).all()
    with pytest.raises(DataError, match=r"expected values >= 0, for scale='log', received"):
        tiny(scale="log").fit(panel().assign(y=lambda df: df["y"] - 5))


def test_without_validation():
    model = tiny(training=replace(SHORT, validation_fraction=0.0)).fit(panel())
    assert "val_loss" not in model.history_


@pytest.mark.parametrize("scale", ["standard", "none"])
def test_teacher_and_scale(scale):
    network = replace(TINY, decoder_input="teacher")
    assert len(tiny(preset=network, scale=scale, horizon=1).fit(panel()).predict(3)) == 9


# ------------------------------------------------------------------ invariants


def test_order_of_rows_and_series_does_not_matter(fitted):
    df = panel()
    mixed = df.sample(frac=1, random_state=1).sort_values("ds", kind="stable")
    pd.testing.assert_frame_equal(tiny().fit(mixed).predict(), fitted.predict())
    some = fitted.predict(df=mixed[mixed["unique_id"] != "b"])
    whole = fitted.predict(df=df)
    kept = whole[whole["unique_id"] != "b"].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, kept, atol=1e-6)


def test_polars_in_polars_out(fitted):
    df = pl.from_pandas(panel())
    made = tiny().fit(df).predict()
    assert isinstance(made, pl.DataFrame)
    assert made["seqcast"].to_numpy() == pytest.approx(fitted.predict()["seqcast"].to_numpy(), abs=0)
    assert isinstance(fitted.predict(df=df), pl.DataFrame)
    assert isinstance(tiny().backtest(df), pl.DataFrame)


def test_scaling_and_shifting_series_scales_and_shifts_forecasts(fitted):
    df = panel()
    factor, shift = {"a": 3.0, "b": 0.01, "c": 1e6}, {"a": -7.0, "b": 5.0, "c": 1e7}
    moved = df.assign(y=df["y"] * df["unique_id"].map(factor) + df["unique_id"].map(shift))
    one, two = fitted.predict(), tiny().fit(moved).predict()
    back = (two["seqcast"] - two["unique_id"].map(shift)) / two["unique_id"].map(factor)
    assert back.to_numpy() == pytest.approx(one["seqcast"].to_numpy(), abs=1e-4)


def test_same_seed_same_forecast_and_global_generators_are_left_alone(fitted):
    import random

    before = (random.getstate(), np.random.get_state()[1].tolist())
    again = tiny().fit(panel()).predict()
    assert before == (random.getstate(), np.random.get_state()[1].tolist())
    pd.testing.assert_frame_equal(again, fitted.predict())
    other = tiny(random_state=None).fit(panel()).predict()
    assert not np.allclose(other["seqcast"], again["seqcast"])


@pytest.mark.parametrize("align", ["time", "series"])
def test_no_leak(align):
    df = panel()
    cutoff = pd.Timestamp("2024-02-21")
    made = tiny().backtest(df, n_windows=3, align=align)
    assert cutoff in set(made["cutoff"])
    for known in sorted(made["cutoff"].unique())[:2]:
        rng = np.random.default_rng(5)
        changed = df.assign(y=df["y"].where(df["ds"] <= known, 1e6 * rng.normal(size=len(df))))
        again = tiny().backtest(changed, n_windows=3, align=align)
        for name in ("seqcast", "seasonal_naive", "last_value"):
            before, after = (table[table["cutoff"] <= known][name].to_numpy() for table in (made, again))
            assert np.array_equal(before, after)


def test_statistics_come_from_training_rows_only(fitted):
    df = panel()
    # Ten per cent of 60 rows is the validation tail.
    rows = df[df["unique_id"] == "a"]["y"].to_numpy()[:54]
    assert fitted.series_state_.scaler.loc[0] == pytest.approx(rows.mean())
    assert fitted.series_state_.scaler.scale[0] == pytest.approx(rows.std())
    fitted.predict(df=df.assign(y=df["y"] * 100))
    assert fitted.series_state_.scaler.loc[0] == pytest.approx(rows.mean())


# ------------------------------------------------------------------ new rows


def test_new_rows_of_known_series_join_the_old_ones(fitted):
    full = panel(rows=66)
    whole = fitted.predict(df=full)
    fresh = fitted.predict(df=full[full["ds"] >= "2024-03-01"])
    pd.testing.assert_frame_equal(fresh, whole)
    assert str(fresh["ds"][0].date()) == "2024-03-07"
    assert not np.allclose(fresh["seqcast"], fitted.predict()["seqcast"])


def test_unknown_series_are_scaled_by_their_own_rows(fitted):
    known = panel("a")
    new = pd.concat([known, known.assign(unique_id="z", y=known["y"] * 1000 + 5)])
    made = fitted.predict(df=new)
    assert list(made["unique_id"].unique()) == ["a", "z"]
    longer = fitted.predict(df=new[new["unique_id"] == "z"])
    pd.testing.assert_frame_equal(longer, made[made["unique_id"] == "z"].reset_index(drop=True))
    shifted = new.assign(y=new["y"] * np.where(new["unique_id"] == "z", 2.0, 1.0))
    again = fitted.predict(df=shifted)
    assert again["seqcast"][:4].to_numpy() == pytest.approx(made["seqcast"][:4].to_numpy(), abs=1e-6)
    assert again["seqcast"][4:].to_numpy() == pytest.approx(2 * made["seqcast"][4:].to_numpy(), rel=1e-4)


def test_new_rows_that_overlap_join_what_is_remembered(fitted):
    df = panel()
    pd.testing.assert_frame_equal(fitted.predict(df=df[df["ds"] >= "2024-02-25"]), fitted.predict())


WRONG_ROWS = [
    (lambda df: df[df["ds"].between("2024-01-20", "2024-01-24")], r"series 'a'.*at least 8 rows.*or rows.*2024-03-01"),
    (lambda df: df.assign(unique_id=df["unique_id"] + "x")[df["ds"] >= "2024-02-25"], "series 'ax'.*at least 8"),
    (lambda df: df.assign(unique_id=df["unique_id"].map(ord)), "unique_id: expected ids of type str"),
    (lambda df: df.assign(ds=df["ds"].map(pd.Timestamp.toordinal)), "freq: expected a whole number"),
    (lambda df: df.assign(ds=df["ds"].dt.tz_localize("UTC")), "ds: expected time stamps without a zone"),
    (lambda df: df[::2], "ds, row 1 .*expected 2024-01-02"),
    (lambda df: df.drop(columns="y"), "expected a column 'y'"),
]


@pytest.fixture(scope="module")
def strict():
    return tiny(missing="raise").fit(panel())


@pytest.mark.parametrize(("change", "message"), WRONG_ROWS)
def test_wrong_new_rows(strict, change, message):
    with pytest.raises((DataError, SpecError), match=message):
        strict.predict(df=change(panel()))


# ------------------------------------------------------------------ options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 0}, "horizon: expected a whole number >= 1"),
        ({"horizon": 2.5}, "horizon"),
        ({"context_length": 0}, "context_length"),
        ({"season_length": -1}, "season_length"),
        ({"random_state": -1}, "random_state"),
        ({"training": "fast"}, "training: expected a TrainingSpec, a dict of some of its fields, or None"),
        ({"training": {"epoch": 3}}, "TrainingSpec field: expected one of"),
        ({"columns": "y"}, "columns: expected a Columns"),
        ({"scale": "standart"}, "Did you mean 'standard'"),
        ({"alias": "y"}, "alias: expected a name other than"),
        ({"freq": "nonsense"}, "freq"),
    ],
)
def test_wrong_options_are_refused_before_training(options, message, monkeypatch):
    monkeypatch.setattr("seqcast.engine.engine.Engine.fit", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(SpecError, match=message):
        tiny(**options).fit(panel())


def test_short_series_are_named(monkeypatch):
    monkeypatch.setattr("seqcast.engine.engine.Engine.fit", lambda *_, **__: pytest.fail("trained"))
    df = pd.concat([panel(), panel("s", rows=11)])
    with pytest.raises(DataError, match=r"series 's'\): expected at least 8 \+ 4 rows.*received 11 rows"):
        tiny(missing="raise").fit(df)
    with pytest.raises(DataError, match="up to the first cutoff"):
        tiny(missing="raise").backtest(
            df.assign(ds=df["ds"] + pd.Timedelta(days=49) * (df["unique_id"] == "s")), n_windows=4
        )


def test_not_fitted():
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        tiny().predict()
    with pytest.raises(NotFittedError):
        tiny().save("nowhere")


def test_arguments_are_kept_and_cloned():
    model = tiny(columns=Columns(y="v"))
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert "Forecaster(" in repr(model)


# ------------------------------------------------------------------ backtest


def test_backtest_table():
    df = panel(rows=60)
    model = tiny(alias="gru")
    made = model.backtest(df, n_windows=2, step_size=3)
    assert not hasattr(model, "engine_")
    assert list(made.columns) == ["unique_id", "ds", "cutoff", "y", "gru", "seasonal_naive", "last_value"]
    assert len(made) == 3 * 2 * 4
    joined = made.merge(df, on=["unique_id", "ds"])
    assert (joined["y_x"] == joined["y_y"]).all()
    assert ((made["ds"] - made["cutoff"]).dt.days == np.tile([1, 2, 3, 4], 6)).all()
    values = df.set_index(["unique_id", "ds"])["y"]
    for row in made.itertuples():
        assert row.last_value == values[row.unique_id, row.cutoff]
        assert row.seasonal_naive == values[row.unique_id, row.ds - pd.Timedelta(days=7)]
    first = df[df["ds"] <= made["cutoff"].min()]
    trained = tiny(alias="gru").fit(first).predict()
    again = made[made["cutoff"] == made["cutoff"].min()]["gru"]
    assert np.array_equal(trained["gru"], again)


def test_backtest_of_series_that_end_at_different_times():
    df = panel()
    early = df[(df["unique_id"] != "a") | (df["ds"] < "2024-02-27")]  # two of the last four days are missing
    in_time = tiny().backtest(early, n_windows=2)
    assert in_time.groupby("unique_id").size().to_dict() == {"a": 5, "b": 8, "c": 8}
    assert set(in_time["cutoff"].dt.day) == {21, 25}
    own = tiny().backtest(early, n_windows=2, align="series")
    assert own.groupby("unique_id").size().to_dict() == {"a": 8, "b": 8, "c": 8}
    with pytest.raises(SpecError, match="align"):
        tiny().backtest(df, align="ends")
    with pytest.raises(DataError, match="n_windows"):
        tiny().backtest(df, n_windows=20)


def test_refits_are_fresh_clones_at_the_cutoffs():
    df = panel("ab", rows=60)
    once = tiny().backtest(df, n_windows=3)
    always = tiny().backtest(df, n_windows=3, refit=True)
    second = tiny().backtest(df, n_windows=3, refit=2)
    cutoffs = sorted(once["cutoff"].unique())

    def at(table, place):
        return table[table["cutoff"] == cutoffs[place]]["seqcast"].to_numpy()

    for place, (same, other) in enumerate(
        [((once, always, second), ()), ((once, second), (always,)), ((always, second), (once,))]
    ):
        for table in same[1:]:
            np.testing.assert_array_equal(at(table, place), at(same[0], place))
        for table in other:
            assert np.abs(at(table, place) - at(same[0], place)).max() > 0
    last = tiny().fit(df[df["ds"] <= cutoffs[2]]).predict()
    np.testing.assert_array_equal(at(always, 2), last["seqcast"])


@pytest.mark.parametrize("refit", [0, -1, 1.5, "yes", None])
def test_refit_that_means_nothing(refit):
    with pytest.raises(SpecError, match="refit: expected False, True or a whole number >= 1"):
        tiny().backtest(panel(), refit=refit)


# ------------------------------------------------------------------ members


def test_an_ensemble_forecasts_the_median_of_its_members(tmp_path):
    df = panel("ab")
    model = tiny(members=3).fit(df)
    assert len(model.engines_) == len(model.histories_) == 3
    assert model.engine_ is model.engines_[0]
    assert model.history_ is model.histories_[0]
    first = tiny().fit(df)
    for ours, theirs in zip(model.engine_.model.weights, first.engine_.model.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    single = [alone(model, engine, ForecastRequest())[:, :, 0, 0].ravel() for engine in model.engines_]
    np.testing.assert_allclose(model.predict()["seqcast"], np.median(single, axis=0), rtol=1e-6)
    assert np.abs(single[0] - single[1]).max() > 0
    model.save(tmp_path / "m.seqcast")
    loaded = Forecaster.load(tmp_path / "m.seqcast")
    assert loaded.members == 3
    assert loaded.histories_ == model.histories_
    pd.testing.assert_frame_equal(loaded.predict(), model.predict())


@pytest.mark.parametrize("members", [0, 1.5, None])
def test_members_that_mean_nothing(members):
    with pytest.raises(SpecError, match="members"):
        tiny(members=members).fit(panel())


# ------------------------------------------------------------------ files


@pytest.mark.parametrize("kind", ["pandas", "polars", "zoned", "whole", "months"])
def test_save_and_load_give_identical_numbers(tmp_path, kind):
    df = panel(freq="ME" if kind == "months" else "D")
    if kind == "zoned":
        df = df.assign(ds=df["ds"].dt.tz_localize("America/New_York"))
    if kind == "whole":
        df = df.assign(ds=df.groupby("unique_id").cumcount(), unique_id=df["unique_id"].map(ord))
    df = pl.from_pandas(df) if kind == "polars" else df
    model = tiny(random_state=np.int64(3)).fit(df)
    model.save(tmp_path / "m.seqcast")
    loaded = Forecaster.load(tmp_path / "m.seqcast")
    for options in ({}, {"horizon": 9}, {"df": df}):
        one, two = model.predict(**options), loaded.predict(**options)
        assert one.equals(two)
        assert list(one.dtypes) == list(two.dtypes)
    assert loaded.get_params(deep=False) == model.get_params(deep=False)
    assert loaded.history_ == model.history_
    assert loaded.freq_ == model.freq_


def test_what_would_not_come_back_is_not_written(tmp_path):
    def loss(y_true, y_pred):
        return abs(y_true - y_pred)

    model = tiny(training=replace(SHORT, loss=loss)).fit(panel())
    with pytest.raises(SpecError, match="training or preset: expected options that can be written"):
        model.save(tmp_path / "m.seqcast")
    assert not list(tmp_path.iterdir())


def test_other_files_are_refused(tmp_path):
    (tmp_path / "x").write_text("no model")
    with pytest.raises(FileFormatError):
        Forecaster.load(tmp_path / "x")


def test_interrupted_training_keeps_what_there_is(monkeypatch):
    def interrupt(self, *_, window, **__):
        self.build(window, steps=1)
        raise KeyboardInterrupt

    monkeypatch.setattr("seqcast.engine.engine.Engine.fit", interrupt)
    model = tiny()
    with pytest.raises(KeyboardInterrupt):
        model.fit(panel())
    assert model.history_.interrupted
    assert len(model.predict()) == 12


def test_changes_to_the_training_keep_the_rules_of_the_rest(tmp_path):
    frame = load("sunspots")
    changed = Forecaster(5, preset=TINY, training={"epochs": 1}, random_state=0, verbose=0).fit(frame)
    assert changed.engine_.training.epochs == 1
    assert changed.engine_.training.batch_size == 64
    assert changed.engine_.training.learning_rate == TrainingSpec().learning_rate
    changed.save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    assert loaded.training == {"epochs": 1}
    pd.testing.assert_frame_equal(loaded.predict(), changed.predict())
    spec = TrainingSpec(epochs=1, batch_size=33)
    taken = Forecaster(5, preset=TINY, training=spec, random_state=0, verbose=0).fit(frame)
    taken.save(tmp_path / "model")
    assert Forecaster.load(tmp_path / "model").training == spec == taken.engine_.training
    with pytest.raises(SpecError, match="Did you mean 'epochs'"):
        Forecaster(5, training={"epoch": 1}, verbose=0).fit(frame)
