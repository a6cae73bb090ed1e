import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.data.datasets import load
from seqcast.errors import DataError, SpecError
from seqcast.forecaster.estimator import Forecaster
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


def test_logarithms_have_positive_forecasts_and_read_what_is_negative():
    model = tiny(scale="log").fit(panel().assign(y=lambda df: df["y"].abs()))
    made = model.predict(df=panel().assign(y=lambda df: -df["y"].abs()))["seqcast"]
    assert np.isfinite(made).all()
    assert (made >= 0).all()
    with pytest.raises(DataError, match=r"expected values >= 0, for scale='log', received"):
        tiny(scale="log").fit(panel().assign(y=lambda df: df["y"] - 5))


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


def test_short_series_are_named(monkeypatch):
    monkeypatch.setattr("seqcast.engine.engine.Engine.fit", lambda *_, **__: pytest.fail("trained"))
    df = pd.concat([panel(), panel("s", rows=11)])
    with pytest.raises(DataError, match=r"series 's'\): expected at least 8 \+ 4 rows.*received 11 rows"):
        tiny(missing="raise").fit(df)
    with pytest.raises(DataError, match="up to the first cutoff"):
        tiny(missing="raise").backtest(
            df.assign(ds=df["ds"] + pd.Timedelta(days=49) * (df["unique_id"] == "s")), n_windows=4
        )


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


# ------------------------------------------------------------------ members


# ------------------------------------------------------------------ files


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
