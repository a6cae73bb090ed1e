import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.data.frames.table import read_frame
from seqcast.errors import DataError, SpecError
from seqcast.specs.columns import Columns, Covariates


def long(freq="D", names=("b", "a"), rows=20, zone=None):
    pieces = []
    for place, name in enumerate(names):
        ds = pd.date_range("2024-01-01", periods=rows + place, freq=freq, tz=zone)
        pieces.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": np.arange(len(ds)) + 100.0 * place}))
    return pd.concat(pieces, ignore_index=True)


def forecast_frame(frame, values):
    """The frame of a forecast, as `predict` makes it."""
    stamps = frame.frequency.following(frame.last_stamps, values.shape[1])
    return frame.schema.to_long(frame.source.ids, {frame.schema.columns.ds: stamps}, {"m": values[:, :, None]})


def with_value(row, column, value):
    df = long().astype({column: object}) if value is None or column == "unique_id" else long()
    df.loc[row, column] = value
    return df if column != "y" else df.astype({"y": float})


def test_series_come_out_sorted_whatever_the_order_of_rows():
    df = long()
    frame = read_frame(df)
    assert frame.source.ids == ("a", "b")
    assert frame.source.lengths.tolist() == [21, 20]
    assert frame.source.series(0)[:2, 0].tolist() == [100.0, 101.0]
    assert str(frame.last_stamps[0].date()) == "2024-01-21"
    mixed = df.sample(frac=1, random_state=3).sort_values("ds", kind="stable")
    again = read_frame(mixed)
    assert again.source.ids == frame.source.ids
    assert np.array_equal(again.source.values, frame.source.values)
    assert (again.stamps == frame.stamps).all()


def test_polars_reads_the_same():
    df = long()
    one, two = read_frame(df), read_frame(pl.from_pandas(df))
    assert one.source.ids == two.source.ids
    assert np.array_equal(one.source.values, two.source.values)
    assert (one.stamps == two.stamps).all()
    assert (one.schema.kind, two.schema.kind) == ("pandas", "polars")


SHUFFLED = long().iloc[[1, 0, *range(2, 41)]]
WRONG = {
    "no frame": ([1, 2], "expected a pandas or Polars data frame, received builtins.list"),
    "empty": (long().iloc[:0], "at least one row"),
    "column": (long().rename(columns={"unique_id": "uniqueid"}), "Did you mean 'uniqueid'"),
    "column list": (long().rename(columns={"y": "sales"}), "the columns 'unique_id', 'ds', 'sales'"),
    "index": (long().set_index("unique_id"), "an index is no column"),
    "twice": (pd.concat([long(), long()[["y"]]], axis=1), "column names that differ"),
    "null id": (with_value(3, "unique_id", None), "unique_id, row 3: expected a series' name"),
    "float id": (long(names=(1.5, 2.5)), "unique_id: expected text or whole numbers"),
    "mixed id": (with_value(3, "unique_id", 7), "unique_id: expected text or whole numbers"),
    "null ds": (with_value(4, "ds", None).astype({"ds": "datetime64[ns]"}), r"ds, row 4 \(series 'b'\): expected a t"),
    "text ds": (long().astype({"ds": str}), r'df\["ds"\] = pd.to_datetime\(df\["ds"\]\)'),
    "float ds": (long().assign(ds=0.5), "ds: expected time stamps, dates or whole numbers"),
    "period ds": (long().assign(ds=pd.period_range("2024", periods=41, freq="M")), "dt.to_timestamp"),
    "text y": (long().astype({"y": str}), "y: expected numbers, received type str"),
    "a word in y": (
        long().astype({"y": object}).replace({"y": {2.0: "two"}}),
        r"y, row 2 \(series 'b'\): expected a number, received 'two'. Correct it.*\.astype\(float\)",
    ),
    "objects in y": (long().astype({"y": object}), r"y: expected numbers, received type object.*\.astype\(float\)"),
    "text and gaps in y": (
        long().assign(y=pd.Series(["1.5", None, np.nan, pd.NA] + ["2"] * 37, dtype=object)),
        r"y: expected numbers, received type object, such as '1.5'. Convert it",
    ),
    "nan": (with_value(5, "y", np.nan), r"y, row 5 \(series 'b'\): expected a finite number, received nan \(1 such"),
    "inf": (with_value(6, "y", np.inf), r"y, row 6 \(series 'b'\): expected a finite number, received inf"),
    "null y": (long().assign(y=pd.array([1, None] + [2] * 39, dtype="Int64")), r"y, row 1 \(series 'b'\): expected a"),
    "duplicate": (pd.concat([long().iloc[:2], long().iloc[1:]]), r"ds, row 2 \(series 'b'\).*duplicate.*add the"),
    "unsorted": (SHUFFLED, r"ds, row 1 \(series 'b'\): expected stamps that increase.*row 0.*sort_values"),
    "gap": (long().drop(index=35), r"ds, row 35 \(series 'a'\): expected 2024-01-16.*freq 'D', which was inferred"),
    "irregular": (long().iloc[[0, 1, 3, 7]], "Name it, e.g. freq='D'"),
}  # fmt: skip
WRONG_POLARS = {
    "lazy": (pl.from_pandas(long()).lazy(), r"df.collect\(\)"),
    "text ds": (pl.from_pandas(long().astype({"ds": str})), r"str.to_datetime\(\)"),
    "text y": (pl.from_pandas(long().astype({"y": str})), r"cast\(pl.Float64\)"),
    "float id": (pl.from_pandas(long(names=(1.5, 2.5))), r"cast\(pl.String\)"),
    "null y": (pl.from_pandas(long()).with_columns(y=pl.when(pl.col("y") != 2).then("y")), "y, row 2"),
    "null id": (pl.from_pandas(with_value(3, "unique_id", None)), "unique_id, row 3"),
    "gap": (pl.from_pandas(long().drop(index=35)), "ds, row 35"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_pandas_frames(name):
    df, message = WRONG[name]
    with pytest.raises(DataError, match=message):
        read_frame(df)


@pytest.mark.parametrize("name", WRONG_POLARS)
def test_wrong_polars_frames(name):
    df, message = WRONG_POLARS[name]
    with pytest.raises(DataError, match=message):
        read_frame(df)


def test_wrong_freq():
    with pytest.raises(DataError, match=r"ds, row 4 \(series 'a'\): expected a stamp of freq 'W-SAT'"):
        read_frame(long("W-SUN", rows=4), freq="W-SAT")
    with pytest.raises(DataError, match="expected 2024-01-01 01:00:00"):
        read_frame(long(), freq="h")
    with pytest.raises(SpecError, match="freq"):
        read_frame(long(), freq="nonsense")


@pytest.mark.parametrize("freq", ["h", "D", "B", "W-SAT", "MS", "ME", "QS-OCT", "YS-JAN"])
@pytest.mark.parametrize("zone", [None, "America/New_York"])
@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_forecast_stamps_and_types(freq, zone, kind):
    df = long(freq, zone=zone)
    given = df if kind == "pandas" else pl.from_pandas(df)
    frame = read_frame(given)
    assert frame.frequency.name == freq
    made = forecast_frame(frame, np.arange(6.0).reshape(2, 3))
    expected = []
    for rows in (21, 20):
        expected += list(pd.date_range("2024-01-01", periods=rows + 3, freq=freq, tz=zone)[-3:])
    assert list(made["ds"]) == expected
    assert made["ds"].dtype == given["ds"].dtype
    assert made["unique_id"].dtype == given["unique_id"].dtype
    assert list(made["m"]) == list(range(6))
    assert type(made) is type(given)


@pytest.mark.parametrize("dtype", ["object", "str", "category", "string"])
def test_id_types_are_kept(dtype):
    frame = read_frame(long().astype({"unique_id": dtype}))
    made = forecast_frame(frame, np.zeros((2, 1)))
    assert made["unique_id"].dtype.name == dtype
    assert list(made["unique_id"]) == ["a", "b"]


def test_whole_number_ids_and_stamps():
    df = long(names=(10, 9)).assign(ds=[*range(0, 40, 2), *range(0, 42, 2)])
    for given in (df, pl.from_pandas(df), df.astype({"unique_id": "category"}), df.astype({"ds": "int32"})):
        frame = read_frame(given)
        assert (frame.source.ids, frame.frequency.name) == ((9, 10), 2)
        made = forecast_frame(frame, np.zeros((2, 1)))
        assert list(made["ds"]) == [42, 40]
        assert list(made["unique_id"]) == [9, 10]
        assert made["ds"].dtype == given["ds"].dtype


def test_dates_are_kept():
    dates = long(names=("a",)).assign(ds=lambda df: df["ds"].dt.date)
    for given in (dates, pl.from_pandas(dates), dates.astype({"ds": "date32[day][pyarrow]"})):
        frame = read_frame(given)
        made = forecast_frame(frame, np.zeros((1, 1)))
        assert list(made["ds"]) == [datetime.date(2024, 1, 21)]
        assert made["ds"].dtype == given["ds"].dtype


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_polars_units_and_enums(unit):
    df = pl.from_pandas(long()).with_columns(
        pl.col("ds").dt.cast_time_unit(unit), pl.col("unique_id").cast(pl.Enum(["a", "b"]))
    )
    frame = read_frame(df)
    made = forecast_frame(frame, np.zeros((2, 1)))
    assert made["ds"].dtype == df["ds"].dtype
    assert made["unique_id"].to_list() == ["a", "b"]


def test_own_columns():
    columns = Columns(unique_id="shop", ds="day", y="sales")
    df = long().rename(columns={"unique_id": "shop", "ds": "day", "y": "sales"})
    frame = read_frame(df, columns)
    made = forecast_frame(frame, np.zeros((2, 1)))
    assert list(made.columns) == ["shop", "day", "m"]
    with pytest.raises(DataError, match=r"Columns\(y=...\)"):
        read_frame(df.drop(columns="sales"), columns)


# ---------------------------------------------------------------- errors as fields


def fields(error):
    return error.option, error.column, error.row, error.series


FIELDS = {
    "column": (None, None, {}, ("df", None, None, None)),
    "null id": ("unique_id", [None, "b"], {}, (None, "unique_id", 0, None)),
    "float id": ("unique_id", [1.5, 2.5], {}, (None, "unique_id", None, None)),
    "text ds": ("ds", ["1", "2"], {}, (None, "ds", None, None)),
    "text y": ("y", ["1", "2"], {}, (None, "y", None, None)),
    "nan": ("y", [1.0, np.nan], {"missing": "raise"}, (None, "y", 1, "a")),
    "nothing": ("y", [np.nan, np.nan], {"missing": "fill"}, (None, "y", None, "a")),
    "duplicate": ("ds", [1, 1], {}, (None, "ds", 1, "a")),
    "unsorted": ("ds", [2, 1], {}, (None, "ds", 1, "a")),
    "static": ("region", ["x", "z"], {"covariates": Covariates(static="region")}, (None, "region", 1, "a")),
    "freq": ("ds", [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-03")], {}, (None, "ds", None, "a")),
    "gap": ("ds", pd.to_datetime(["2024-01-01", "2024-01-03"]), {"freq": "D"}, (None, "ds", 1, "a")),
    "off the grid": ("ds", pd.to_datetime(["2024-01-01", "2024-02-02"]), {"freq": "MS"}, (None, "ds", 1, "a")),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["pandas", "polars"])
@pytest.mark.parametrize("name", FIELDS)
def test_errors_have_their_place_as_fields(name, kind):
    column, values, options, expected = FIELDS[name]
    df = pd.DataFrame({"unique_id": ["a", "a"], "ds": [1, 2], "y": [1.0, 2.0], "region": "x"})
    df = df.drop(columns="y") if column is None else df.assign(**{column: values})
    with pytest.raises(DataError) as caught:
        read_frame(df if kind == "pandas" else pl.from_pandas(df), **options).check_observed()
    assert fields(caught.value) == expected


def test_errors_about_another_frame_than_df_name_it():
    df = long()
    with pytest.raises(DataError, match=r"^validation, y, row 5 \(series 'b'\): expected a finite number") as caught:
        read_frame(with_value(5, "y", np.nan), argument="validation")
    assert fields(caught.value) == ("validation", "y", 5, "b")
    with pytest.raises(DataError, match=r"^validation, ds, row 35 \(series 'a'\): expected 2024-01-16"):
        read_frame(df.drop(index=35), argument="validation")
    with pytest.raises(DataError, match=r"^validation, ds, row 1 \(series 'b'\): expected stamps that increase"):
        read_frame(SHUFFLED, argument="validation")
    with pytest.raises(DataError, match=r"^validation, ds \(series 'b'\): expected time stamps from which"):
        read_frame(df.iloc[[0, 1, 3, 7]], argument="validation")
    with pytest.raises(DataError, match=r"^validation: expected a column 'y'"):
        read_frame(df.drop(columns="y"), argument="validation")


def test_rows_that_were_added_for_missing_steps_have_no_number():
    frame = read_frame(long(names=("a",)).drop(index=3), freq="D", missing="fill")
    place = int(np.flatnonzero(frame.rows < 0)[0])
    assert fields(frame.error("y", place, expected="", received="", hint="")) == (None, "y", None, "a")
    assert fields(frame.error("y", place + 1, expected="", received="", hint="")) == (None, "y", 3, "a")
