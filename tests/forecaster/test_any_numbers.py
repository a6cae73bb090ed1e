"""Numbers of any size and kind: the same forecast whatever the order, the file or the type of a column, or an error."""

import os
import warnings
from datetime import timedelta, timezone
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from dateutil import tz

from seqcast import Forecaster, NetworkSpec, Seq2SeqRegressor
from seqcast.errors import DataError, SeqcastError, SeqcastWarning

HORIZON = 3
ROWS = 24
CASES = int(os.environ.get("SEQCAST_FUZZ_NUMBERS", "12"))
# Cases that once ended in a warning of NumPy: scores of the copula, units of windows, losses of
# about zero.
FOUND = (28, 188, 214, 230)
NETWORK = NetworkSpec(encoder_units=(3,), decoder_units=(3,), normalise="last")
TRAINED = {
    "preset": NETWORK,
    "training": {"epochs": 1, "steps_per_epoch": 1, "batch_size": 16},
    "context_length": 6,
}
WAYS = [
    {"preset": "pretrained"},
    {"effort": "quick"},
    TRAINED,
    {"preset": "pretrained", "calibrate": True},
]

# A series of a kind, by a generator and a number of rows.
SERIES = {
    "waves": lambda rng, rows: np.sin(np.arange(rows)) + 0.1 * rng.normal(size=rows),
    "huge": lambda rng, rows: 1e15 * rng.normal(size=rows),
    "largest": lambda rng, rows: 1e300 * rng.normal(size=rows),
    "tiny": lambda rng, rows: 1e-300 * rng.normal(size=rows),
    "denormal": lambda rng, rows: 5e-324 * rng.integers(0, 9, rows),
    "mixed": lambda rng, rows: rng.normal(size=rows) * 10.0 ** rng.integers(-30, 30, rows),
    "all mixed": lambda rng, rows: rng.normal(size=rows) * 10.0 ** rng.integers(-300, 300, rows),
    "spike": lambda rng, rows: np.where(
        np.arange(rows) == rng.integers(rows), 1e30, rng.normal(size=rows)
    ),
    "zeros": lambda rng, rows: np.zeros(rows),
    "negative zeros": lambda rng, rows: np.full(rows, -0.0),
    "constant": lambda rng, rows: np.full(rows, float(rng.normal() * 10.0 ** rng.integers(-9, 9))),
    "far level": lambda rng, rows: 1e9 + 1e-3 * rng.normal(size=rows),
    "whole": lambda rng, rows: 2.0**53 + rng.integers(0, 99, rows).astype(float),
    "counts": lambda rng, rows: rng.poisson(0.4, rows).astype(float),
    "gaps": lambda rng, rows: np.where(rng.random(rows) < 0.4, np.nan, rng.normal(size=rows)),
    "one value": lambda rng, rows: np.where(np.arange(rows) == 2, 3.0, np.nan),
    "nothing": lambda rng, rows: np.full(rows, np.nan),
}
NAMES = [
    "a",
    "",
    " ",
    "ü\u202e",
    "a\0b",
    "x\ny",
    "'\"",
    "=1+1",
    "007",
    "7",
    "n" * 5_000,
    "nan",
    "None",
    "\U0001f600",
]


def draw(rng):
    """Return a frame of one to three series of any kinds, and their names."""
    names = sorted(rng.choice(NAMES, int(rng.integers(1, 4)), replace=False).tolist())
    kinds = rng.choice(list(SERIES), len(names)).tolist()
    tables = []
    for name, kind in zip(names, kinds, strict=True):
        rows = int(rng.choice([1, 3, ROWS, ROWS, ROWS]))
        days = pd.date_range("2024-01-01", periods=rows)
        tables.append(pd.DataFrame({"unique_id": name, "ds": days, "y": SERIES[kind](rng, rows)}))
    return pd.concat(tables, ignore_index=True), kinds


def outcome(call):
    """Return the result, or the error of ours as text; a warning of NumPy is an error."""
    with warnings.catch_warnings(), np.errstate(all="warn", under="ignore"):
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", SeqcastWarning)
        try:
            return call()
        except SeqcastError as error:
            return f"{type(error).__name__}: {error}"


def forecasts(df, options, path):
    """Return forecasts of rows, and the same after saving and loading."""
    model = Forecaster(HORIZON, freq="D", random_state=0, verbose=0, **options).fit(df)
    model.save(path)
    return model.predict(), Forecaster.load(path).predict()


@pytest.mark.parametrize("number", sorted({*FOUND, *range(CASES)}))
def test_numbers_and_names_of_any_kind(number, tmp_path):
    rng = np.random.default_rng([41, number])
    df, kinds = draw(rng)
    options = WAYS[int(rng.integers(len(WAYS)))]
    made = outcome(lambda: forecasts(df, options, tmp_path / "model.seqcast"))
    if isinstance(made, str):
        assert "received" in made, made
        return
    forecast, loaded = made
    pd.testing.assert_frame_equal(loaded, forecast, check_exact=True)
    numbers = forecast.select_dtypes("number")
    assert np.isfinite(numbers).all(axis=None), (kinds, options)
    mixed = pd.concat(
        rows for _, rows in sorted(df.groupby("unique_id"), reverse=True)
    ).reset_index(drop=True)
    again, _ = outcome(lambda: forecasts(mixed, options, tmp_path / "again.seqcast"))
    pd.testing.assert_frame_equal(again, forecast, check_exact=True)


COLUMNS = {
    "Int64": lambda y: y.astype("Int64"),
    "int8": lambda y: y.astype("int8"),
    "uint8": lambda y: y.astype("uint8"),
    "Float64": lambda y: y.astype("Float64"),
    "float32": lambda y: y.astype("float32"),
    "Arrow": lambda y: y.astype(pd.ArrowDtype(pa.float64())),
    "Arrow, whole": lambda y: y.astype("int64").astype(pd.ArrowDtype(pa.int64())),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_the_type_of_a_column_changes_nothing(name):
    y = pd.Series(np.random.default_rng(0).poisson(9.0, ROWS).astype(float))
    days = pd.date_range("2024-01-01", periods=ROWS)
    model = Forecaster(HORIZON, preset="pretrained", verbose=0, random_state=0)
    expected, made = (
        outcome(
            lambda y=y: model.fit(pd.DataFrame({"unique_id": "a", "ds": days, "y": y})).predict()
        )
        for y in (y, COLUMNS[name](y))
    )
    pd.testing.assert_frame_equal(made, expected)


DAYS = pd.date_range("2024-01-01", periods=ROWS)
VALUES = pd.Series(np.random.default_rng(0).poisson(9.0, ROWS).astype(float))
REJECTED = {
    "Decimal": {"y": [Decimal(int(value)) for value in VALUES]},
    "objects": {"y": VALUES.astype(object)},
    "whole numbers of 400 digits": {"y": pd.Series([10**400, "x", *VALUES[2:]], dtype=object)},
    "flags": {"y": VALUES > 9},
    "flags with missing ones": {"y": (VALUES > 9).astype("boolean")},
    "text": {"y": VALUES.astype("string")},
    "complex numbers": {"y": VALUES.astype(complex)},
    "infinite": {"y": [np.inf, *VALUES[1:]]},
    "flags for ids": {"unique_id": True},
    "no ids": {"unique_id": None},
    "NaN for ids": {"unique_id": np.nan},
    "fractions for ids": {"unique_id": 1.5},
    "text and numbers for ids": {"unique_id": ["a"] * 12 + [1] * 12},
    "bytes for ids": {"unique_id": [b"a"] * ROWS},
    "half a character in an id": {"unique_id": pd.Series(["a\ud800"] * ROWS, dtype=object)},
    "tuples for ids": {"unique_id": [("a", 1)] * ROWS},
    "text for stamps": {"ds": DAYS.strftime("%Y-%m-%d")},
    "periods": {"ds": DAYS.to_period("D")},
    "stamps as objects": {"ds": pd.Series(list(DAYS.tz_localize("Europe/Berlin")), dtype=object)},
    "a stamp twice": {"ds": [DAYS[0], *DAYS[:-1]]},
    "stamps that decrease": {"ds": DAYS[::-1]},
    "a missing stamp": {"ds": [pd.NaT, *DAYS[1:]]},
}


@pytest.mark.parametrize("name", REJECTED)
def test_what_is_no_number_name_or_stamp_is_rejected_before_any_work(name, monkeypatch):
    df = pd.DataFrame({"unique_id": "a", "ds": DAYS, "y": VALUES} | REJECTED[name])
    monkeypatch.setattr("seqcast.forecaster.fitting.fit_plan", None)
    with pytest.raises(DataError) as caught:
        Forecaster(HORIZON, preset="pretrained", verbose=0).fit(df)
    assert caught.value.expected
    assert caught.value.received
    assert caught.value.hint


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
)
@pytest.mark.parametrize(
    "day", ["2024-03-09", "2024-03-30", "2024-04-06", "2024-10-05", "2024-10-26", "2024-11-02"]
)
def test_clocks_that_are_changed_change_no_hour(zone, day):
    """Hours in a zone are those of UTC, in the past and ahead, whatever clocks show."""
    hours = pd.date_range(day, periods=72, freq="h", tz=zone)
    df = pd.DataFrame({"unique_id": "a", "ds": hours, "y": np.sin(np.arange(72) * np.pi / 12)})
    model = Forecaster(24, preset="pretrained", verbose=0, random_state=0)
    made, expected = (
        model.fit(each).predict() for each in (df, df.assign(ds=hours.tz_convert("UTC")))
    )
    assert str(made["ds"].dt.tz) == zone
    pd.testing.assert_frame_equal(made.assign(ds=made["ds"].dt.tz_convert("UTC")), expected)
    assert (made["ds"].dt.tz_convert("UTC").diff().dropna() == pd.Timedelta("1h")).all()


ZONES = {
    "Europe/Berlin": tz.gettz("Europe/Berlin"),
    "UTC": tz.tzutc(),
    "UTC+01:00": tz.tzoffset("here", 3600),
    "UTC+05:30": timezone(timedelta(hours=5, minutes=30)),
}


@pytest.mark.parametrize("name", ZONES)
def test_zones_of_other_libraries_are_those_of_their_names(name, tmp_path):
    hours = pd.date_range("2024-03-30", periods=72, freq="h", tz=name)
    df = pd.DataFrame({"unique_id": "a", "ds": hours, "y": np.sin(np.arange(72) * np.pi / 12)})
    model = Forecaster(24, preset="pretrained", verbose=0, random_state=0)
    expected = model.fit(df).predict()
    made = model.fit(df.assign(ds=hours.tz_convert(ZONES[name]))).predict()
    model.save(tmp_path / "model.seqcast")
    for each in (made, Forecaster.load(tmp_path / "model.seqcast").predict()):
        assert str(each["ds"].dt.tz) == name
        pd.testing.assert_frame_equal(each, expected, check_dtype=False)


def test_a_zone_without_a_name_is_rejected():
    hours = pd.date_range("2024-03-30", periods=72, freq="h", tz="UTC").tz_convert(
        tz.tzstr("CET-1CEST")
    )
    df = pd.DataFrame({"unique_id": "a", "ds": hours, "y": np.arange(72.0)})
    with pytest.raises(DataError, match="ds: expected a time zone with a name, received tzstr"):
        Forecaster(HORIZON, preset="pretrained", verbose=0).fit(df)


@pytest.mark.parametrize("kind", SERIES)
def test_a_backtest_is_the_same_in_any_order_of_series(kind):
    rng = np.random.default_rng(5)
    y = {name: SERIES[kind](rng, ROWS) for name in "ab"}
    tables = [
        pd.DataFrame({"unique_id": name, "ds": DAYS, "y": values}) for name, values in y.items()
    ]
    model = Forecaster(HORIZON, preset="pretrained", freq="D", verbose=0, random_state=0)
    made, mixed = (
        outcome(lambda df=df: model.backtest(pd.concat(df), n_windows=2))
        for df in (tables, tables[::-1])
    )
    if isinstance(made, str):
        assert "received" in made, made
        assert isinstance(mixed, str)
        return
    pd.testing.assert_frame_equal(mixed, made, check_exact=True)
    assert np.isfinite(made["seqcast"]).all()


@pytest.mark.parametrize("kind", SERIES)
def test_windows_of_any_numbers_are_forecast_in_any_order(kind, tmp_path):
    rng = np.random.default_rng(6)
    past = np.stack([SERIES[kind](rng, 6) for _ in range(16)])[..., None]
    future = np.stack([SERIES[kind](rng, HORIZON) for _ in range(16)])[..., None]
    options = {
        "encoder_units": (3,),
        "decoder_units": (3,),
        "epochs": 1,
        "random_state": 0,
        "verbose": 0,
    }
    model = Seq2SeqRegressor(**options)
    made = outcome(lambda: model.fit(past, future).predict(past))
    if isinstance(made, str):
        assert "received" in made, made
        return
    assert np.isfinite(made).all()
    np.testing.assert_allclose(model.predict(past[::-1]), made[::-1], rtol=1e-6)
    model.save(tmp_path / "model.seqcast")
    np.testing.assert_array_equal(
        Seq2SeqRegressor.load(tmp_path / "model.seqcast").predict(past), made
    )
