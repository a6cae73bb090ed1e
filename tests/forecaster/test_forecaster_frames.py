"""Frames as they are: gaps, short series, covariates, several targets, irregular steps, and what is remembered."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast import Columns, Forecaster
from seqcast.errors import DataError, NotFittedError, SeqcastWarning, SpecError
from seqcast.forecaster.blend import MOST_ORIGINS
from tests.rejections import rejected

from . import panels
from .panels import COVARIATES, panel

PANEL = panel()
KNOWN = PANEL[PANEL["ds"] < "2024-02-17"]
AHEAD = PANEL[PANEL["ds"] >= "2024-02-17"]
FUTURE = AHEAD.drop(columns=["y", "region", "rain"])


def tiny(horizon=3, **options):
    return panels.tiny(horizon, **{"context_length": 6, **options})


def gappy():
    df = PANEL.drop(index=[5, 6, 30, 57])
    df.loc[[11, 12, 70], "y"] = np.nan
    return df


@pytest.fixture(scope="module")
def rich():
    """Fitted on the first 47 days of 50, with all kinds of covariates."""
    return tiny(**COVARIATES).fit(KNOWN)


@pytest.fixture(scope="module")
def plain():
    return tiny().fit(PANEL)


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
    more = pd.concat(
        [FUTURE, FUTURE.assign(unique_id="z"), FUTURE.assign(ds=FUTURE["ds"] + pd.Timedelta("9D"))]
    )
    for same in (FUTURE.sample(frac=1, random_state=0), more):
        pd.testing.assert_frame_equal(rich.predict(future=same), made)
    first = rich.predict(1, future=FUTURE)
    np.testing.assert_allclose(
        first["seqcast"], made.groupby("unique_id").head(1)["seqcast"], atol=1e-6
    )
    # A missing value is the one before.
    gone = FUTURE.assign(price=FUTURE["price"].where(FUTURE["ds"] < "2024-02-18"))
    forward_fill = gone.assign(price=gone.groupby("unique_id")["price"].ffill())
    pd.testing.assert_frame_equal(rich.predict(future=gone), rich.predict(future=forward_fill))


def test_days_without_a_row_in_the_past_need_none_in_the_future(tmp_path):
    is_open = PANEL["ds"].dt.dayofweek != 6
    df = PANEL[is_open & (PANEL["ds"] < "2024-02-17")]
    saved = tiny(context_length=14, future_covariates=("price", "promo")).fit(df)
    saved.save(tmp_path / "m.seqcast")
    model = Forecaster.load(tmp_path / "m.seqcast")
    without = model.predict(future=FUTURE[FUTURE["ds"].dt.dayofweek != 6])
    listed = FUTURE.assign(price=FUTURE["price"].where(FUTURE["ds"].dt.dayofweek != 6))
    listed["promo"] = listed["promo"].where(listed["price"].notna())
    pd.testing.assert_frame_equal(without, model.predict(future=listed))
    rejected(
        DataError, "none for 2024-02-17", model.predict, future=FUTURE[FUTURE["ds"] != "2024-02-17"]
    )


WITHOUT = "future: expected a frame of the steps ahead, with 'ds', 'price', 'promo', and 'unique_id' of several series"
LACKING = r"future \(series 'a'\): .*3 steps ahead, received none for 2024-02-18 00:00:00; 2 other series lack"
WRONG_FUTURE = [
    (None, WITHOUT),
    (FUTURE[FUTURE["ds"] != "2024-02-18"], LACKING),
    (FUTURE[FUTURE["unique_id"] != "b"], r"future \(series 'b'\).*none for 2024-02-17.*2024-02-19"),
    (FUTURE.drop(columns="price"), "future: expected a column 'price'"),
    (FUTURE.assign(price="dear"), "future, price: expected numbers, as at fit, received text"),
    (
        pd.concat([FUTURE, FUTURE.iloc[1:2]]),
        r"future, ds, row 9 \(series 'a'\).*the duplicate 2024-02-18",
    ),
    (FUTURE.assign(price=np.inf), r"future, price, row 0 \(series 'a'\): expected a finite number"),
    (FUTURE.assign(ds=range(9)), "future, ds: expected stamps such as 2024"),
    (
        FUTURE.assign(unique_id=1),
        "future, unique_id: expected text, as at fit, received whole numbers",
    ),
]


@pytest.mark.parametrize(("future", "message"), WRONG_FUTURE)
def test_wrong_frames_of_the_steps_ahead(rich, future, message):
    rejected(DataError, message, rich.predict, future=future)


@pytest.mark.tools
def test_a_report_needs_them_where_it_has_nothing_else_to_show(rich, tmp_path):
    rejected(DataError, WITHOUT, rich.report, tmp_path / "page.html", n_windows=0)
    assert list(tmp_path.iterdir()) == []


def said_once(message, *, model, **rows):
    """Return a forecast that warns once, with this message."""
    with pytest.warns(SeqcastWarning) as caught:
        forecast = model.predict(**rows)
    assert [str(each.message)[: len(message)] for each in caught] == [message]
    return forecast


def test_categories_that_fit_did_not_see(rich):
    """They share a slot of their own, ahead and in the past, and are said once."""
    told = "promo: fit saw no '{}' (series 'a'); new categories are read as one, 'other'"
    huge, small = (
        said_once(told.format(name), future=FUTURE.assign(promo=name), model=rich)
        for name in ("huge", "small")
    )
    pd.testing.assert_frame_equal(huge, small)
    assert (
        np.abs(huge["seqcast"] - rich.predict(future=FUTURE.assign(promo="big"))["seqcast"]).min()
        > 0
    )
    past = said_once(told.format("huge"), df=KNOWN.assign(promo="huge"), future=FUTURE, model=rich)
    assert np.abs(past["seqcast"] - rich.predict(future=FUTURE)["seqcast"]).min() > 0
    assert np.isfinite(past["seqcast"]).all()


def test_a_covariate_without_a_value_ahead_is_said_once(rich):
    told = "future, column 'price': expected values of the steps ahead, received none for 1 series, such as 'b'"
    gone = FUTURE.assign(price=FUTURE["price"].where(FUTURE["unique_id"] != "b"))
    assert np.isfinite(said_once(told, future=gone, model=rich)["seqcast"]).all()


def test_new_rows_and_new_series_with_covariates(rich):
    made = rich.predict(future=FUTURE)
    pd.testing.assert_frame_equal(rich.predict(df=KNOWN, future=FUTURE), made)
    own = KNOWN[KNOWN["unique_id"] == "a"]
    some = rich.predict(df=own.drop(columns="region")[-2:], future=FUTURE)
    np.testing.assert_allclose(some["seqcast"], made["seqcast"][:3], atol=1e-5)
    stranger = own.assign(unique_id="x", region="east")
    ahead = FUTURE[FUTURE["unique_id"] == "a"].assign(unique_id="x")
    new = said_once("region: fit saw no 'east' (series 'x')", df=stranger, future=ahead, model=rich)
    assert np.isfinite(new["seqcast"]).all()
    with pytest.raises(
        DataError, match=r"expected the columns 'region', received none for series 'x'"
    ):
        rich.predict(df=stranger.drop(columns="region"), future=FUTURE)


def test_scaling_comes_from_training_rows_of_all_series(rich):
    trained = KNOWN.groupby("unique_id").head(47 - 5)  # ten per cent are for validation
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
    assert list(model.predict(df=df)["ds"][:3]) == list(pd.date_range("2024-02-20", periods=3))
    table = tiny().backtest(df, n_windows=3)
    assert np.isfinite(table[["y", "seqcast", "seasonal_naive", "last_value"]].to_numpy()).all()
    rejected(DataError, r"y, row \d+ \(series 'a'\)|ds, row 5", tiny(missing="raise").fit, df)


def test_without_gaps_the_network_has_no_channel_for_them(plain):
    assert not plain.engine_.window.observed
    nothing_new = panel("a", rows=9, start="2024-02-20").assign(y=np.nan)
    for df in (gappy(), panel("x", rows=2), nothing_new):
        assert np.isfinite(plain.predict(df=df)["seqcast"]).all()


def test_a_step_that_is_not_there_is_a_value_that_is_missing():
    rows = pd.concat([gappy(), PANEL.loc[[5, 6]].assign(y=np.nan)]).sort_values(["unique_id", "ds"])
    pd.testing.assert_frame_equal(tiny().fit(rows).predict(), tiny().fit(gappy()).predict())


def test_short_series_are_padded_and_marked(capsys):
    model = tiny(verbose=1).fit(pd.concat([PANEL, panel("s", rows=2), panel("t", rows=5)]))
    assert model.short_series_ == ("s", "t")
    assert model.engine_.window.observed
    said = "2 of 5 series have fewer than context_length + horizon rows and are padded: 's', 't'"
    assert said in capsys.readouterr().out
    made = model.predict()
    assert list(made["unique_id"].unique()) == ["a", "b", "c", "s", "t"]
    assert np.isfinite(made["seqcast"]).all()


def test_nothing_to_train_on(monkeypatch):
    monkeypatch.setattr("seqcast.engine.engine.Engine.fit", lambda *_, **__: pytest.fail("trained"))
    rejected(
        DataError,
        r"df \(series 'a'\): expected at least 1 \+ 3 rows, one to read",
        tiny().fit,
        panel(rows=3),
    )
    empty = PANEL.assign(y=PANEL["y"].where(PANEL["unique_id"] != "b"))
    rejected(
        DataError,
        r"y \(series 'b'\): expected at least one number, received none in 50 rows",
        tiny().fit,
        empty,
    )


def test_more_windows_than_a_block_are_forecast_as_in_few_blocks(plain):
    names = [f"s{number:02}" for number in range(60)]
    rows = panel(names, rows=90)
    whole = plain.predict_insample(rows)
    assert whole.groupby(["unique_id", "cutoff"]).ngroups > MOST_ORIGINS
    is_first = rows["unique_id"].isin(names[:30])
    halves = [plain.predict_insample(half) for half in (rows[is_first], rows[~is_first])]
    pd.testing.assert_frame_equal(whole, pd.concat(halves, ignore_index=True))


def test_weights_of_series():
    df = pd.concat([panel("a", rows=200), panel("b", rows=30)])
    by_rows = tiny().fit(df)
    by_series = tiny(weighting="series").fit(df)
    assert not np.allclose(by_rows.predict()["seqcast"], by_series.predict()["seqcast"])


SIZES = [
    ("standard", 1e-12),
    ("standard", 1e12),
    ("robust", 1e12),
    ("minmax", 1e-12),
    ("mean", 1e12),
    ("log1p", 1e12),
]


@pytest.mark.parametrize(("scale", "magnitude"), [*SIZES, ("none", 1.0)])
def test_sizes_of_forecasts(scale, magnitude):
    df = panel("ab").assign(y=lambda df: (df["y"].abs() + 1) * magnitude)
    flat = pd.concat(
        [df[df["unique_id"] == "a"].assign(unique_id=f"flat {n}", y=n * magnitude) for n in (0, 5)]
    )
    made = tiny(scale=scale).fit(pd.concat([df, flat])).predict()
    size = made.groupby("unique_id")["seqcast"].apply(lambda y: y.abs().max())
    assert np.isfinite(made["seqcast"]).all()
    assert (size[["a", "b", "flat 5"]] < 100 * magnitude).all()
    assert (size[["b", "flat 5"]] > 0.01 * magnitude).all()


# ------------------------------------------------------------------ several targets


def test_one_target_of_another_name(plain):
    made = tiny(columns=Columns(y="sales")).fit(PANEL.rename(columns={"y": "sales"})).predict()
    pd.testing.assert_frame_equal(made, plain.predict())


def test_several_targets():
    columns = Columns(y=["y", "rain"])
    made = tiny(columns=columns).fit(PANEL).predict()
    assert list(made.columns) == ["unique_id", "target", "ds", "seqcast"]
    assert made["target"][:6].tolist() == ["y"] * 3 + ["rain"] * 3
    assert len(made) == 18
    df = PANEL.copy()
    df.loc[148, "rain"] = np.nan
    table = tiny(columns=columns).backtest(df, n_windows=2)
    assert list(table.columns)[:6] == ["unique_id", "target", "ds", "cutoff", "step", "y"]
    assert table.groupby("target").size().to_dict() == {"rain": 17, "y": 18}
    joined = table[table["target"] == "rain"].merge(df, on=["unique_id", "ds"])
    assert (joined["y_x"] == joined["rain"]).all()
    polars = tiny(columns=columns).fit(pl.from_pandas(PANEL)).predict()
    np.testing.assert_array_equal(polars["seqcast"].to_numpy(), made["seqcast"])


# ------------------------------------------------------------------ validation, update, in-sample,
# backtest


def test_validation_rows_and_frames():
    head = PANEL[PANEL["ds"] < "2024-02-11"]
    tail = PANEL[PANEL["ds"] >= "2024-02-11"]
    by_count = tiny().fit(PANEL, validation=9)
    by_frame = tiny().fit(head, validation=tail)
    pd.testing.assert_frame_equal(by_count.predict(), by_frame.predict())
    assert by_count.history_.epochs == by_frame.history_.epochs
    assert by_count.series_state_.scaler.loc[0] == pytest.approx(
        head[head["unique_id"] == "a"]["y"].mean()
    )
    rich = tiny(**COVARIATES).fit(head, validation=tail.drop(columns="region"))
    assert rich.series_state_.last_seen[0] == pd.Timestamp("2024-02-19")
    for validation, message in (
        (head, r"ds, row 0 \(series 'a'\): expected rows that follow 2024-02-10"),
        (
            tail.replace({"unique_id": {"b": "z"}}),
            r"validation \(series 'z'\): expected series of df",
        ),
        (2, "validation: expected a whole number >= 3"),
        ("a third", "validation: expected a pandas or Polars data frame"),
        (tail.drop(columns="y"), "validation: expected a column 'y'"),
        (
            tail.assign(ds=tail["ds"] + pd.Timedelta(days=1000)),
            r"series 'a'\): expected rows that begin within 1000 steps",
        ),
    ):
        rejected((DataError, SpecError), message, tiny().fit, head, validation=validation)


def test_update_is_as_good_as_having_known():
    df = panel("ab", rows=60)
    known = df[df["ds"] <= "2024-02-20"]
    fresh = df[df["ds"] > "2024-02-20"]
    model = tiny().fit(known)
    weights = model.engine_.weights
    expected = model.predict(df=df)
    assert model.update(fresh[:4]).update(fresh[4:]) is model
    pd.testing.assert_frame_equal(model.predict(), expected)
    assert all(map(np.array_equal, weights, model.engine_.weights))
    made = model.update(panel("0x", rows=20)).predict()
    assert list(made["unique_id"].unique()) == ["0", "a", "b", "x"]
    pd.testing.assert_frame_equal(
        made[made["unique_id"].isin(["a", "b"])].reset_index(drop=True), expected
    )
    rejected(
        DataError,
        r"ds, row 0 \(series 'a'\): expected rows that follow 2024-02-29",
        model.update,
        df,
    )


def test_in_sample(tmp_path):
    df = panel("ab", rows=30)
    model = tiny().fit(df)
    made = model.predict_insample()
    assert list(made.columns) == ["unique_id", "ds", "cutoff", "step", "y", "seqcast"]
    assert len(made) == 2 * (30 - 6 - 3 + 1) * 3
    assert set((made["ds"] - made["cutoff"]).dt.days) == {1, 2, 3}
    joined = made.merge(df, on=["unique_id", "ds"])
    assert (joined["y_x"] == joined["y_y"]).all()
    cutoff = pd.Timestamp("2024-01-20")
    known = model.predict(df=df[df["ds"] <= cutoff])
    np.testing.assert_allclose(
        known["seqcast"], made[made["cutoff"] == cutoff]["seqcast"], atol=1e-5
    )
    assert len(model.predict_insample(step_size=5)) == 2 * 5 * 3
    model.save(tmp_path / "m")
    loaded = Forecaster.load(tmp_path / "m")
    rejected(NotFittedError, "Files hold no rows", loaded.predict_insample)
    pd.testing.assert_frame_equal(loaded.predict_insample(df), made)


def test_backtest_with_the_fitted_networks():
    df = panel(rows=60)
    cut = pd.Timestamp("2024-02-19")
    days = pd.Timedelta(days=1)
    model = tiny(**COVARIATES).fit(df[df["ds"] <= cut])
    made = model.backtest(df, n_windows=3, refit="never")
    assert set(made["cutoff"]) == {cut + days, cut + 4 * days, cut + 7 * days}
    future = df.drop(columns=["y", "rain", "region"])
    expected = model.predict(df=df[df["ds"] <= cut + 4 * days], future=future)["seqcast"]
    np.testing.assert_allclose(
        made[made["cutoff"] == cut + 4 * days]["seqcast"], expected, atol=1e-5
    )
    late = df["ds"] > cut + days
    wild = df.assign(y=df["y"].where(~late, -1e6), rain=df["rain"].where(~late))
    at = made["cutoff"] == made["cutoff"].min()
    again = model.backtest(wild, n_windows=3, refit="never")
    np.testing.assert_array_equal(again[at]["seqcast"], made[at]["seqcast"])
    assert not np.allclose(again[~at]["seqcast"], made[~at]["seqcast"])
    with pytest.raises(
        DataError, match=r"n_windows \(series 'a'\): expected cutoffs at or after 2024-02-19"
    ):
        model.backtest(df, n_windows=5, refit="never")
    with pytest.raises(NotFittedError):
        tiny().backtest(df, refit="never")


def test_series_that_begin_after_the_first_cutoff():
    made = tiny().backtest(pd.concat([PANEL, panel("n", rows=5, start="2024-02-15")]), n_windows=3)
    assert made[made["unique_id"] == "n"]["cutoff"].nunique() == 1
    assert np.isfinite(made["seqcast"]).all()


# ------------------------------------------------------------------ stamps


def test_irregular_steps(tmp_path):
    hours = np.cumsum(np.random.default_rng(0).integers(1, 30, size=(2, 60)), axis=1)
    stamps = pd.Timestamp("2024-01-01") + pd.to_timedelta(hours.ravel(), unit="h")
    df = pd.DataFrame(
        {"unique_id": np.repeat(["a", "b"], 60), "ds": stamps, "y": np.sin(hours.ravel() / 30)}
    )
    model = tiny(irregular=True).fit(df)
    assert model.freq_ is None
    last = df.groupby("unique_id")["ds"].max()
    ahead = [("a", 2), ("a", 9), ("b", 5), ("b", 6), ("b", 40)]
    stamps = [last[name] + pd.Timedelta(hours=steps) for name, steps in ahead]
    future = pd.DataFrame({"unique_id": [name for name, _ in ahead], "ds": stamps})
    made = model.predict(future=future)
    pd.testing.assert_frame_equal(made[["unique_id", "ds"]], future, check_dtype=False)
    assert np.isfinite(made["seqcast"]).all()
    later = future.assign(ds=future["ds"] + pd.Timedelta(hours=50))
    assert np.abs(model.predict(future=later)["seqcast"] - made["seqcast"]).max() > 0
    rejected(DataError, "future: expected a frame of the steps ahead", model.predict)
    with pytest.raises(
        DataError, match=r"future \(series 'a'\): expected at least 3 rows after .*received 2"
    ):
        model.predict(3, future=future)
    assert len(tiny(irregular=True).backtest(df, n_windows=2, align="series")) == 12
    model.save(tmp_path / "m")
    pd.testing.assert_frame_equal(Forecaster.load(tmp_path / "m").predict(future=future), made)


STEPS = [("h", "America/New_York"), ("D", "America/New_York"), ("B", None), ("ME", None)]


@pytest.mark.parametrize(("freq", "tz"), STEPS)
def test_stamps_after_gaps(freq, tz):
    """The clock is put forward on 10 March, business days have weekends, months have ends."""
    ds = pd.date_range("2024-03-08", periods=63, freq=freq, tz=tz)
    df = pd.DataFrame({"unique_id": "a", "ds": ds, "y": np.sin(np.arange(63.0))})[:60].drop(
        index=[3, 4, 20, 41]
    )
    model = tiny(calendar="none").fit(df)
    assert model.freq_ == freq
    for made in (model.predict(), model.predict(df=df[-9:])):
        assert list(made["ds"]) == list(ds[60:])
        assert np.isfinite(made["seqcast"]).all()


def test_rows_from_another_zone_are_counted_on_the_clock_of_fit():
    df = panel("ab", rows=80, start="2024-01-15").assign(
        ds=lambda df: df["ds"].dt.tz_localize("Europe/Berlin")
    )
    cut = pd.Timestamp("2024-03-24", tz="Europe/Berlin")  # a week before the clock is put forward
    old = df[df["ds"] <= cut]
    new = df[df["ds"] > cut]
    old_abroad, new_abroad = (
        rows.assign(ds=rows["ds"].dt.tz_convert("UTC")) for rows in (old, new)
    )
    model = tiny(future_covariates=("price",)).fit(old)
    made = model.predict(future=new)
    assert str(made["ds"].dt.tz) == "Europe/Berlin"
    pd.testing.assert_frame_equal(model.predict(future=new_abroad), made)
    abroad = model.predict(df=old_abroad, future=new)
    assert str(abroad["ds"].dt.tz) == "UTC"
    np.testing.assert_array_equal(abroad["seqcast"], made["seqcast"])
    later = pd.Timestamp("2024-04-01", tz="Europe/Berlin")
    expected = model.predict(df=df[df["ds"] < later], future=new)
    model.update(new_abroad[new_abroad["ds"] < later])
    pd.testing.assert_frame_equal(model.predict(future=new), expected)


def test_units_of_stamps_may_differ():
    df = panel("ab").astype({"ds": "datetime64[ns]"})
    model = tiny().fit(df[df["ds"] < "2024-02-10"])
    made = model.predict(df=df[df["ds"] >= "2024-02-10"].astype({"ds": "datetime64[s]"}))
    again = model.predict(df=df)
    assert made["ds"].dtype == "datetime64[s]"
    np.testing.assert_array_equal(made["seqcast"], again["seqcast"])
    assert (made["ds"] == again["ds"]).all()


# ------------------------------------------------------------------ files


# A frame in which stamps, ids, gaps or values are special, and options.
KINDS = {
    "pandas": (PANEL, {}),
    "polars": (pl.from_pandas(PANEL), {}),
    "calibrated": (
        PANEL,
        {"calibrate": True, "level": 80, "training": {"epochs": 1, "validation_fraction": 0.3}},
    ),
    "covariates": (KNOWN, COVARIATES),
    "targets": (PANEL, {"columns": Columns(y=("y", "price"))}),
    "log1p": (PANEL.assign(y=PANEL["y"].abs()), {"scale": "log1p"}),
    "zoned": (PANEL.assign(ds=PANEL["ds"].dt.tz_localize("America/New_York")), {}),
    "whole": (
        PANEL.assign(ds=np.tile(np.arange(50), 3), unique_id=PANEL["unique_id"].map(ord)),
        {},
    ),
    "months": (panel(freq="ME"), {}),
    "gaps": (gappy(), {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_brings_all_that_is_remembered_back(tmp_path, kind):
    (df, options) = KINDS[kind]
    more = {"future": FUTURE} if kind == "covariates" else {"horizon": 9}
    model = tiny(random_state=np.int64(3), **options).fit(df)
    model.save(tmp_path / "m")
    loaded = Forecaster.load(tmp_path / "m")
    for arguments in ({}, {"df": df}, {"df": df[-40:]}):
        one = model.predict(**arguments, **more)
        two = loaded.predict(**arguments, **more)
        assert one.equals(two)
        assert list(one.dtypes) == list(two.dtypes)
    for name in ("short_series_", "history_", "freq_", "choice_", "seed_"):
        assert getattr(loaded, name) == getattr(model, name)
    assert loaded.get_params(deep=False) == model.get_params(deep=False)
