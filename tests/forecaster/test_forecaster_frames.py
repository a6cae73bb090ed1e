"""Frames as they are: gaps, short series, covariates, several targets, irregular steps, and what is remembered."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.errors import DataError, FileFormatError, NotFittedError, SpecError
from seqcast.forecaster.estimator import Forecaster
from seqcast.specs.columns import Columns
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec

TINY = NetworkSpec(encoder_units=(6,), decoder_units=(6,), normalise="last")
SHORT = TrainingSpec(epochs=1, batch_size=64)
COVARIATES = {
    "static_covariates": ("region",),
    "past_covariates": ("rain",),
    "future_covariates": ("price", "promo"),
}


def tiny(horizon=3, **options):
    defaults = {"context_length": 6, "preset": TINY, "training": SHORT, "random_state": 0, "verbose": 0}
    return Forecaster(horizon, **{**defaults, **options})


def panel(names="abc", rows=50, freq="D", start="2024-01-01"):
    parts = []
    for place, name in enumerate(names):
        rng = np.random.default_rng([3, place])
        price = rng.normal(size=rows).round(2)
        parts.append(
            pd.DataFrame({
                "unique_id": name,
                "ds": pd.date_range(start, periods=rows, freq=freq),
                "y": 10 * place + price + np.sin(np.arange(rows) / 2),
                "region": "north" if place % 2 else "south",
                "rain": rng.normal(size=rows),
                "price": price,
                "promo": np.where(np.arange(rows) % 3 == 0, "big", "none"),
            })
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def gappy(rows=50):
    df = panel(rows=rows).drop(index=[5, 6, 30, rows + 7])
    df.loc[[11, 12, rows + 20], "y"] = np.nan
    return df


@pytest.fixture(scope="module")
def rich():
    """Fitted on the first 47 days of 50, with all kinds of covariates."""
    df = panel()
    return tiny(**COVARIATES).fit(df[df["ds"] < "2024-02-17"])


@pytest.fixture(scope="module")
def plain():
    return tiny().fit(panel())


FUTURE = panel()[lambda df: df["ds"] >= "2024-02-17"].drop(columns=["y", "region", "rain"])


# ------------------------------------------------------------------ covariates


def test_sizes_and_columns(rich):
    window = rich.engine_.window
    # y, rain, price, promo as big/none/other, day of week as sine and cosine
    assert (window.features, window.future, window.static, window.observed) == (8, 6, 3, False)
    assert rich.series_state_.builder.calendar.names == ("day_of_week",)
    made = rich.predict(future=FUTURE)
    assert list(made.columns) == ["unique_id", "ds", "seqcast"]
    assert list(made["ds"][:3]) == list(pd.date_range("2024-02-17", periods=3))
    assert np.isfinite(made["seqcast"]).all()


def test_what_is_known_ahead_is_read_and_what_is_not_is_not(rich):
    made = rich.predict(future=FUTURE)
    dearer = rich.predict(future=FUTURE.assign(price=FUTURE["price"] + 1))
    assert np.abs(made["seqcast"] - dearer["seqcast"]).min() > 0
    mixed = FUTURE.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(rich.predict(future=mixed), made)
    more = pd.concat([FUTURE, FUTURE.assign(unique_id="z"), FUTURE.assign(ds=FUTURE["ds"] + pd.Timedelta("9D"))])
    pd.testing.assert_frame_equal(rich.predict(future=more), made)
    first = rich.predict(1, future=FUTURE)
    np.testing.assert_allclose(first["seqcast"], made.groupby("unique_id").head(1)["seqcast"], atol=1e-6)


def test_a_missing_covariate_ahead_is_the_one_before(rich):
    gone = FUTURE.assign(price=FUTURE["price"].where(FUTURE["ds"] < "2024-02-18"))
    forward_fill = gone.assign(price=gone.groupby("unique_id")["price"].ffill())
    pd.testing.assert_frame_equal(rich.predict(future=gone), rich.predict(future=forward_fill))


WRONG_FUTURE = {
    "none": (
        None,
        "future: expected a frame of the steps ahead, with 'ds', 'price', 'promo', and 'unique_id' of several series",
    ),
    "stamps": (
        FUTURE[FUTURE["ds"] != "2024-02-18"],
        r"future \(series 'a'\): .*3 steps ahead, received none for 2024-02-18 00:00:00; 2 other series lack",
    ),
    "series": (FUTURE[FUTURE["unique_id"] != "b"], r"future \(series 'b'\).*none for 2024-02-17.*2024-02-19"),
    "column": (FUTURE.drop(columns="price"), "future: expected a column 'price'"),
    "type": (FUTURE.assign(price="dear"), "future, price: expected numbers, as at fit, received text"),
    "twice": (pd.concat([FUTURE, FUTURE.iloc[1:2]]), r"future, ds, row 9 \(series 'a'\).*the duplicate 2024-02-18"),
    "infinite": (FUTURE.assign(price=np.inf), r"future, price, row 0 \(series 'a'\): expected a finite number"),
    "stamp type": (FUTURE.assign(ds=range(9)), "future, ds: expected stamps such as 2024"),
    "id type": (FUTURE.assign(unique_id=1), "future, unique_id: expected text, as at fit, received whole numbers"),
}


@pytest.mark.parametrize("name", WRONG_FUTURE)
def test_wrong_frames_of_the_steps_ahead(rich, name):
    future, message = WRONG_FUTURE[name]
    with pytest.raises(DataError, match=message):
        rich.predict(future=future)


def test_categories_that_fit_did_not_see(rich):
    """They share a slot of their own, ahead and in the past."""
    df = panel()
    old = df[df["ds"] < "2024-02-17"]
    huge, tiny_ = (rich.predict(future=FUTURE.assign(promo=name)) for name in ("huge", "tiny"))
    pd.testing.assert_frame_equal(huge, tiny_)
    assert np.abs(huge["seqcast"] - rich.predict(future=FUTURE.assign(promo="big"))["seqcast"]).min() > 0
    past = rich.predict(df=old.assign(promo="huge"), future=FUTURE)
    assert np.abs(past["seqcast"] - rich.predict(future=FUTURE)["seqcast"]).min() > 0
    assert np.isfinite(past["seqcast"]).all()


def test_new_rows_and_new_series_with_covariates(rich):
    df = panel()
    old = df[df["ds"] < "2024-02-17"]
    made = rich.predict(future=FUTURE)
    pd.testing.assert_frame_equal(rich.predict(df=old, future=FUTURE), made)
    some = rich.predict(df=old[old["unique_id"] == "a"].drop(columns="region")[-2:], future=FUTURE)
    np.testing.assert_allclose(some["seqcast"], made["seqcast"][:3], atol=1e-5)
    stranger = old[old["unique_id"] == "a"].assign(unique_id="x", region="east")
    new = rich.predict(df=stranger, future=FUTURE.replace({"unique_id": {"a": "x"}}))
    assert np.isfinite(new["seqcast"]).all()
    with pytest.raises(DataError, match=r"expected the columns 'region', received none for series 'x'"):
        rich.predict(df=stranger.drop(columns="region"), future=FUTURE)


def test_values_after_the_cutoff_do_not_leak():
    df = panel()
    options = {"n_windows": 2, "step_size": 4}
    made = tiny(**COVARIATES).backtest(df, **options)
    first = made["cutoff"].min()
    late = df["ds"] > first
    changed = df.assign(y=df["y"].where(~late, 1e5), rain=df["rain"].where(~late, -1e5))
    again = tiny(**COVARIATES).backtest(changed, **options)
    at = made["cutoff"] == first
    assert np.array_equal(made[at]["seqcast"], again[at]["seqcast"])
    assert not np.allclose(made[~at]["seqcast"], again[~at]["seqcast"])


def test_scaling_comes_from_training_rows_of_all_series(rich):
    df = panel()
    old = df[df["ds"] < "2024-02-17"]
    trained = old.groupby("unique_id").head(47 - 5)  # the validation tail is ten per cent
    encoding = rich.series_state_.builder.future
    assert encoding.loc[0] == pytest.approx(trained["price"].mean())
    assert encoding.scale[0] == pytest.approx(trained["price"].std(ddof=0))


# ------------------------------------------------------------------ gaps and short series


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_gaps(kind):
    df = gappy()
    model = tiny().fit(df if kind == "pandas" else pl.from_pandas(df))
    assert model.engine_.window.observed
    assert np.isfinite(model.predict()["seqcast"].to_numpy()).all()
    made = model.predict(df=df)
    assert list(made["ds"][:3]) == list(pd.date_range("2024-02-20", periods=3))
    table = tiny().backtest(df, n_windows=3)
    assert not table["y"].isna().any()
    assert np.isfinite(table[["seqcast", "seasonal_naive", "last_value"]].to_numpy()).all()
    with pytest.raises(DataError, match=r"y, row \d+ \(series 'a'\)|ds, row 5"):
        tiny(missing="raise").fit(df)


def test_without_gaps_the_network_has_no_channel_for_them(plain):
    assert not plain.engine_.window.observed
    made = plain.predict(df=gappy())
    assert np.isfinite(made["seqcast"]).all()
    few = panel("x", rows=2)
    assert np.isfinite(plain.predict(df=few)["seqcast"]).all()
    nothing_new = panel("a", rows=9, start="2024-02-20").assign(y=np.nan)
    assert np.isfinite(plain.predict(df=nothing_new)["seqcast"]).all()


def test_filled_values_are_not_learnt_from():
    df = gappy()
    wild = df.copy()
    model, again = tiny().fit(df), tiny().fit(wild.fillna({"y": np.nan}))
    pd.testing.assert_frame_equal(model.predict(), again.predict())
    rows = pd.concat([df, panel().loc[[5, 6]].assign(y=np.nan)]).sort_values(["unique_id", "ds"])
    pd.testing.assert_frame_equal(tiny().fit(rows).predict(), model.predict())


def test_short_series_are_padded_and_marked(capsys):
    df = pd.concat([panel(), panel("s", rows=2), panel("t", rows=5)])
    model = tiny(verbose=1).fit(df)
    assert model.short_series_ == ("s", "t")
    assert model.engine_.window.observed
    assert "2 of 5 series have fewer than context_length + horizon rows and are padded: 's', 't'" in (
        capsys.readouterr().out
    )
    made = model.predict()
    assert list(made["unique_id"].unique()) == ["a", "b", "c", "s", "t"]
    assert np.isfinite(made["seqcast"]).all()


def test_nothing_to_train_on(monkeypatch):
    monkeypatch.setattr("seqcast.engine.engine.Engine.fit", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(DataError, match=r"df \(series 'a'\): expected at least 1 \+ 3 rows, one to read"):
        tiny().fit(panel(rows=3))
    empty = panel()
    empty.loc[empty["unique_id"] == "b", "y"] = np.nan
    with pytest.raises(DataError, match=r"y \(series 'b'\): expected at least one number, received none in 50 rows"):
        tiny().fit(empty)


def test_contexts_are_cut_out_in_blocks(plain, monkeypatch):
    whole = plain.predict_insample(panel(rows=90))
    monkeypatch.setattr("seqcast.forecaster.choice.MOST_NUMBERS", 1)
    pd.testing.assert_frame_equal(plain.predict_insample(panel(rows=90)), whole)


def test_weights_of_series():
    df = pd.concat([panel("a", rows=200), panel("b", rows=30)])
    by_rows, by_series = tiny().fit(df), tiny(weighting="series").fit(df)
    assert not np.allclose(by_rows.predict()["seqcast"], by_series.predict()["seqcast"])


# ------------------------------------------------------------------ scales


@pytest.mark.parametrize(
    ("scale", "magnitude"),
    [
        ("standard", 1e-12),
        ("standard", 1e12),
        ("robust", 1e12),
        ("minmax", 1e-12),
        ("mean", 1e12),
        ("log1p", 1e12),
        ("none", 1.0),
    ],
)
def test_sizes_of_forecasts(scale, magnitude):
    df = panel("ab").assign(y=lambda df: (df["y"].abs() + 1) * magnitude)
    flat = pd.concat([df[df["unique_id"] == "a"].assign(unique_id=f"flat {n}", y=n * magnitude) for n in (0, 5)])
    made = tiny(scale=scale).fit(pd.concat([df, flat])).predict()
    size = made.groupby("unique_id")["seqcast"].apply(lambda y: y.abs().max())
    assert np.isfinite(made["seqcast"]).all()
    assert (size[["a", "b", "flat 5"]] < 100 * magnitude).all()
    assert (size[["b", "flat 5"]] > 0.01 * magnitude).all()


# ------------------------------------------------------------------ several targets


def test_several_targets():
    columns = Columns(y=["y", "rain"])
    model = tiny(columns=columns).fit(panel())
    made = model.predict()
    assert list(made.columns) == ["unique_id", "target", "ds", "seqcast"]
    assert made["target"][:6].tolist() == ["y"] * 3 + ["rain"] * 3
    assert len(made) == 18
    df = panel()
    df.loc[148, "rain"] = np.nan
    table = tiny(columns=columns).backtest(df, n_windows=2)
    assert list(table.columns)[:5] == ["unique_id", "target", "ds", "cutoff", "y"]
    assert table.groupby("target").size().to_dict() == {"rain": 17, "y": 18}
    joined = table[table["target"] == "rain"].merge(df, on=["unique_id", "ds"])
    assert (joined["y_x"] == joined["rain"]).all()
    polars = tiny(columns=columns).fit(pl.from_pandas(panel())).predict()
    np.testing.assert_array_equal(polars["seqcast"].to_numpy(), made["seqcast"])


# ------------------------------------------------------------------ validation, update, in-sample, backtest


def test_validation_rows_and_frames():
    df = panel()
    head, tail = df[df["ds"] < "2024-02-11"], df[df["ds"] >= "2024-02-11"]
    by_count = tiny().fit(df, validation=9)
    by_frame = tiny().fit(head, validation=tail)
    pd.testing.assert_frame_equal(by_count.predict(), by_frame.predict())
    assert by_count.history_.epochs == by_frame.history_.epochs
    assert by_count.series_state_.scaler.loc[0] == pytest.approx(head[head["unique_id"] == "a"]["y"].mean())
    rich = tiny(**COVARIATES).fit(head, validation=tail.drop(columns="region"))
    assert rich.series_state_.last_seen[0] == pd.Timestamp("2024-02-19")
    with pytest.raises(DataError, match=r"ds, row 0 \(series 'a'\): expected rows that follow 2024-02-10"):
        tiny().fit(head, validation=head)
    with pytest.raises(DataError, match=r"validation \(series 'z'\): expected series of df"):
        tiny().fit(head, validation=tail.replace({"unique_id": {"b": "z"}}))
    with pytest.raises(SpecError, match="validation: expected a whole number >= 3"):
        tiny().fit(df, validation=2)
    with pytest.raises(DataError, match="validation: expected a pandas or Polars data frame"):
        tiny().fit(df, validation="a third")
    with pytest.raises(DataError, match="validation: expected a column 'y'"):
        tiny().fit(df, validation=tail.drop(columns="y"))
    far = tail.assign(ds=tail["ds"] + pd.Timedelta(days=1000))
    with pytest.raises(
        DataError, match=r"validation \(series 'a'\): expected rows that begin within 1000 steps of 2024-02"
    ):
        tiny().fit(head, validation=far)


def test_update_is_as_good_as_having_known():
    df = panel("ab", rows=60)
    cut = pd.Timestamp("2024-02-20")
    model = tiny().fit(df[df["ds"] <= cut])
    weights = [weight.numpy() for weight in model.engine_.model.weights]
    expected = model.predict(df=df)
    fresh = df[df["ds"] > cut]
    assert model.update(fresh[:4]).update(fresh[4:]) is model
    pd.testing.assert_frame_equal(model.predict(), expected)
    for before, after in zip(weights, model.engine_.model.weights, strict=True):
        np.testing.assert_array_equal(before, after.numpy())
    model.update(panel("0x", rows=20))
    made = model.predict()
    assert list(made["unique_id"].unique()) == ["0", "a", "b", "x"]
    pd.testing.assert_frame_equal(made[made["unique_id"].isin(["a", "b"])].reset_index(drop=True), expected)
    with pytest.raises(DataError, match=r"ds, row 0 \(series 'a'\): expected rows that follow 2024-02-29"):
        model.update(df)


def test_in_sample(tmp_path):
    df = panel("ab", rows=30)
    model = tiny().fit(df)
    made = model.predict_insample()
    assert list(made.columns) == ["unique_id", "ds", "cutoff", "y", "seqcast"]
    assert len(made) == 2 * (30 - 6 - 3 + 1) * 3
    assert set((made["ds"] - made["cutoff"]).dt.days) == {1, 2, 3}
    joined = made.merge(df, on=["unique_id", "ds"])
    assert (joined["y_x"] == joined["y_y"]).all()
    cutoff = pd.Timestamp("2024-01-20")
    known = model.predict(df=df[df["ds"] <= cutoff])
    np.testing.assert_allclose(known["seqcast"], made[made["cutoff"] == cutoff]["seqcast"], atol=1e-5)
    assert len(model.predict_insample(step_size=5)) == 2 * 5 * 3
    model.save(tmp_path / "m")
    loaded = Forecaster.load(tmp_path / "m")
    with pytest.raises(NotFittedError, match="Files hold no rows"):
        loaded.predict_insample()
    pd.testing.assert_frame_equal(loaded.predict_insample(df), made)


def test_backtest_with_the_fitted_networks():
    df = panel(rows=60)
    cut = pd.Timestamp("2024-02-19")
    model = tiny(**COVARIATES).fit(df[df["ds"] <= cut])
    made = model.backtest(df, n_windows=3, refit="never")
    assert set(made["cutoff"]) == {cut + pd.Timedelta(days=days) for days in (1, 4, 7)}
    known = df[df["ds"] <= cut + pd.Timedelta(days=4)]
    future = df.drop(columns=["y", "rain", "region"])
    expected = model.predict(df=known, future=future)["seqcast"]
    np.testing.assert_allclose(made[made["cutoff"] == cut + pd.Timedelta(days=4)]["seqcast"], expected, atol=1e-5)
    late = df["ds"] > cut + pd.Timedelta(days=1)
    wild = df.assign(y=df["y"].where(~late, -1e6), rain=df["rain"].where(~late))
    at = made["cutoff"] == made["cutoff"].min()
    again = model.backtest(wild, n_windows=3, refit="never")
    np.testing.assert_array_equal(again[at]["seqcast"], made[at]["seqcast"])
    assert not np.allclose(again[~at]["seqcast"], made[~at]["seqcast"])
    with pytest.raises(DataError, match=r"n_windows \(series 'a'\): expected cutoffs at or after 2024-02-19"):
        model.backtest(df, n_windows=5, refit="never")
    with pytest.raises(NotFittedError):
        tiny().backtest(df, refit="never")


def test_series_that_begin_after_the_first_cutoff():
    df = pd.concat([panel(), panel("n", rows=5, start="2024-02-15")])
    made = tiny().backtest(df, n_windows=3)
    assert made[made["unique_id"] == "n"]["cutoff"].nunique() == 1
    assert np.isfinite(made["seqcast"]).all()


# ------------------------------------------------------------------ irregular steps


def irregular(seed=0, rows=60):
    rng = np.random.default_rng(seed)
    parts = []
    for name in "ab":
        hours = np.cumsum(rng.integers(1, 30, size=rows))
        ds = pd.Timestamp("2024-01-01") + pd.to_timedelta(hours, unit="h")
        parts.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": np.sin(hours / 30)}))
    return pd.concat(parts, ignore_index=True)


def test_irregular_steps(tmp_path):
    df = irregular()
    model = tiny(irregular=True).fit(df)
    assert model.freq_ is None
    last = df.groupby("unique_id")["ds"].max()
    ahead = [
        (name, last[name] + pd.Timedelta(hours=h)) for name, hours in (("a", (2, 9)), ("b", (5, 6, 40))) for h in hours
    ]
    future = pd.DataFrame(ahead, columns=["unique_id", "ds"])
    made = model.predict(future=future)
    pd.testing.assert_frame_equal(made[["unique_id", "ds"]], future, check_dtype=False)
    assert np.isfinite(made["seqcast"]).all()
    later = future.assign(ds=future["ds"] + pd.Timedelta(hours=50))
    assert np.abs(model.predict(future=later)["seqcast"] - made["seqcast"]).max() > 0
    with pytest.raises(DataError, match="future: expected a frame of the steps ahead"):
        model.predict()
    with pytest.raises(DataError, match=r"future \(series 'a'\): expected at least 3 rows after .*received 2"):
        model.predict(3, future=future)
    table = tiny(irregular=True).backtest(df, n_windows=2, align="series")
    assert len(table) == 12
    model.save(tmp_path / "m")
    pd.testing.assert_frame_equal(Forecaster.load(tmp_path / "m").predict(future=future), made)


# ------------------------------------------------------------------ clocks and calendars


def stamped(freq, rows=60, holes=(3, 4, 20, 41), tz=None, start="2024-01-01"):
    ds = pd.date_range(start, periods=rows + 3, freq=freq, tz=tz)
    df = pd.DataFrame({"unique_id": "a", "ds": ds, "y": np.sin(np.arange(rows + 3.0))})
    return df[:rows].drop(index=list(holes)), ds[rows:]


@pytest.mark.parametrize(
    ("freq", "tz"), [("h", "America/New_York"), ("D", "America/New_York"), ("B", None), ("ME", None)]
)
def test_stamps_after_gaps(freq, tz):
    """The clock is put forward on 10 March, business days have weekends, months have ends."""
    df, ahead = stamped(freq, tz=tz, start="2024-03-08")
    model = tiny(calendar="none").fit(df)
    assert model.freq_ == freq
    for made in (model.predict(), model.predict(df=df[-9:])):
        assert list(made["ds"]) == list(ahead)
        assert np.isfinite(made["seqcast"]).all()


def test_rows_from_another_zone_are_counted_on_the_clock_of_fit():
    df = panel("ab", rows=80, freq="D", start="2024-01-15").assign(
        ds=lambda df: df["ds"].dt.tz_localize("Europe/Berlin")
    )
    covariates = {"future_covariates": ("price",)}
    cut = pd.Timestamp("2024-03-24", tz="Europe/Berlin")  # a week before the clock is put forward
    old, new = df[df["ds"] <= cut], df[df["ds"] > cut]
    elsewhere = {name: part.assign(ds=part["ds"].dt.tz_convert("UTC")) for name, part in (("old", old), ("new", new))}
    model = tiny(**covariates).fit(old)
    made, again = model.predict(future=new), model.predict(future=elsewhere["new"])
    pd.testing.assert_frame_equal(made, again)
    assert str(made["ds"].dt.tz) == "Europe/Berlin"
    abroad = model.predict(df=elsewhere["old"], future=new)
    assert str(abroad["ds"].dt.tz) == "UTC"
    np.testing.assert_array_equal(abroad["seqcast"], made["seqcast"])
    later = pd.Timestamp("2024-04-01", tz="Europe/Berlin")
    expected = model.predict(df=df[df["ds"] < later], future=new)
    model.update(elsewhere["new"][elsewhere["new"]["ds"] < later])
    pd.testing.assert_frame_equal(model.predict(future=new), expected)


def test_units_of_stamps_may_differ():
    df = panel("ab").assign(ds=lambda df: df["ds"].astype("datetime64[ns]"))
    model = tiny().fit(df[df["ds"] < "2024-02-10"])
    coarse = df[df["ds"] >= "2024-02-10"].astype({"ds": "datetime64[s]"})
    made, again = model.predict(df=coarse), model.predict(df=df)
    assert made["ds"].dtype == "datetime64[s]"
    np.testing.assert_array_equal(made["seqcast"], again["seqcast"])
    assert (made["ds"] == again["ds"]).all()


# ------------------------------------------------------------------ files


WAYS_TO_FIT = {
    "pandas": {},
    "calibrated": {"calibrate": True, "level": 80, "training": {"epochs": 1, "validation_fraction": 0.3}},
    "covariates": COVARIATES,
    "targets": {"columns": Columns(y=("y", "price"))},
    "log1p": {"scale": "log1p"},
    **{kind: {} for kind in ("polars", "zoned", "whole", "months", "gaps")},
}


def of_kind(kind):
    """Return a frame of a kind, in which stamps, ids, gaps or values are special."""
    df = gappy() if kind == "gaps" else panel(freq="ME" if kind == "months" else "D")
    if kind == "zoned":
        return df.assign(ds=df["ds"].dt.tz_localize("America/New_York"))
    if kind == "whole":
        return df.assign(ds=df.groupby("unique_id").cumcount(), unique_id=df["unique_id"].map(ord))
    if kind == "covariates":
        return df[df["ds"] < "2024-02-17"]
    return pl.from_pandas(df) if kind == "polars" else df.assign(y=df["y"].abs()) if kind == "log1p" else df


@pytest.mark.parametrize("kind", WAYS_TO_FIT)
def test_a_file_brings_all_that_is_remembered_back(tmp_path, kind):
    df, more = of_kind(kind), {"future": FUTURE} if kind == "covariates" else {"horizon": 9}
    model = tiny(random_state=np.int64(3), **WAYS_TO_FIT[kind]).fit(df)
    model.save(tmp_path / "m")
    loaded = Forecaster.load(tmp_path / "m")
    for arguments in ({}, {"df": df}, {"df": df[-40:]}):
        one, two = model.predict(**arguments, **more), loaded.predict(**arguments, **more)
        assert one.equals(two)
        assert list(one.dtypes) == list(two.dtypes)
    for name in ("short_series_", "history_", "freq_", "choice_", "seed_"):
        assert getattr(loaded, name) == getattr(model, name)
    assert loaded.get_params(deep=False) == model.get_params(deep=False)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("series/ids", lambda ids: ids[:-1]),
        ("series/values", lambda values: values[:-1]),
        ("series/ends", lambda ends: ends[::-1]),
        ("candidates/0/engines/0/weight/0", lambda weight: weight[:, :-1]),
    ],
)
def test_files_whose_parts_do_not_fit_are_refused(tmp_path, plain, rewrite_archive, name, change):
    plain.save(tmp_path / "m")
    rewrite_archive(tmp_path / "m", arrays={name: change})
    with pytest.raises(FileFormatError, match="whose parts do not fit together"):
        Forecaster.load(tmp_path / "m")
