import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.data.frames.frame_reader import read_frame
from seqcast.data.frames.stamps import format_stamps
from seqcast.errors import DataError, Fix, SpecError, compose_place
from seqcast.specs.columns import Columns, Covariates
from tests.rejections import rejected


def long(freq="D", names=("b", "a"), rows=20, zone=None):
    pieces = []
    for place, name in enumerate(names):
        ds = pd.date_range("2024-01-01", periods=rows + place, freq=freq, tz=zone)
        pieces.append(
            pd.DataFrame({"unique_id": name, "ds": ds, "y": np.arange(len(ds)) + 100.0 * place})
        )
    return pd.concat(pieces, ignore_index=True)


def forecast_frame(frame, values):
    """The frame of a forecast, as `predict` makes it."""
    stamps = frame.frequency.following(frame.last_stamps, values.shape[1])
    return frame.schema.to_long(
        frame.source.ids, {frame.schema.columns.ds: stamps}, {"m": values[:, :, None]}
    )


def with_value(row, column, value):
    df = long().astype({column: object}) if value is None or column == "unique_id" else long()
    df.loc[row, column] = value
    return df if column != "y" else df.astype({"y": float})


def test_series_come_out_sorted_whatever_the_order_of_rows():
    df = long()
    frame = read_frame(df)
    assert (frame.source.ids, frame.schema.kind) == (("a", "b"), "pandas")
    assert frame.source.lengths.tolist() == [21, 20]
    assert frame.source.series(0)[:2, 0].tolist() == [100.0, 101.0]
    assert str(frame.last_stamps[0].date()) == "2024-01-21"
    mixed = df.sample(frac=1, random_state=3).sort_values("ds", kind="stable")
    for again in (read_frame(mixed), read_frame(pl.from_pandas(df))):
        assert again.source.ids == frame.source.ids
        assert np.array_equal(again.source.values, frame.source.values)
        assert (again.stamps == frame.stamps).all()


WORD = long().astype({"y": object}).replace({"y": {2.0: "two"}})
TEXT = long().assign(y=pd.Series(["1.5", None, np.nan, pd.NA] + ["2"] * 37, dtype=object))
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
    "text ds": (long().astype({"ds": str}), r'df\["ds"\] = pd.to_datetime\(df\["ds"\], format="ISO8601"\)'),
    "float ds": (long().assign(ds=0.5), "ds: expected time stamps, dates or whole numbers"),
    "period ds": (long().assign(ds=pd.period_range("2024", periods=41, freq="M")), "dt.to_timestamp"),
    "text y": (long().astype({"y": str}), "y: expected numbers, received type (str|object)"),
    "commas in y": (
        long().assign(y=[f"{n},5" for n in range(len(long()))]),
        r'y: expected numbers with a decimal point.*df\["y"\] = df\["y"\]\.str\.replace\(",", "\."\)\.astype\(float\)',
    ),
    "a word in y": (WORD, r"y, row 2 \(series 'b'\): expected numbers, received 'two' in 1 row. .*'two'\], None"),
    "words in y": (long().assign(y="red"), r"such as 'red'. Leave it out, or name another with columns=Columns\(y="),
    "objects in y": (long().astype({"y": object}), r"y: expected numbers, received type object.*\.astype\(float\)"),
    "text and gaps in y": (TEXT, r"y: expected numbers, received type object, such as '1.5'. Convert it"),
    "nan": (with_value(5, "y", np.nan), r"y, row 5 \(series 'b'\): expected a finite number, received nan \(1 such"),
    "inf": (with_value(6, "y", np.inf), r"y, row 6 \(series 'b'\): expected a finite number, received inf"),
    "null y": (long().assign(y=pd.array([1, None] + [2] * 39, dtype="Int64")), r"y, row 1 \(series 'b'\): expected a"),
    "duplicate": (pd.concat([long().iloc[:2], long().iloc[1:]]), r"ds, row 2 \(series 'b'\).*duplicate.*on_dupl"),
    "rows again": (pd.concat([long(), long().iloc[:1]]), r"ds, row \d+ \(.*a stamp after .*row 0.*duplicate.*on_dupl"),
    "unsorted": (SHUFFLED, r"ds, row 1 \(series 'b'\): expected stamps that increase.*row 0.*sort_values"),
    "gap": (long().drop(index=35), r"ds, row 35 \(series 'a'\): expected 2024-01-16.*freq 'D', which was inferred"),
    "irregular": (long().iloc[[0, 1, 3, 7]], "Name it, e.g. freq='D'"),
}  # fmt: skip
WRONG_POLARS = {
    "lazy": (pl.from_pandas(long()).lazy(), r"df.collect\(\)"),
    "text ds": (pl.from_pandas(long().astype({"ds": str})), r"str.to_datetime\(\)"),
    "text y": (pl.from_pandas(long().astype({"y": str})), r"cast\(pl.Float64\)"),
    "float id": (pl.from_pandas(long(names=(1.5, 2.5))), r"cast\(pl.String\)"),
    "null y": (
        pl.from_pandas(long()).with_columns(y=pl.when(pl.col("y") != 2).then("y")),
        "y, row 2",
    ),
    "null id": (pl.from_pandas(with_value(3, "unique_id", None)), "unique_id, row 3"),
    "gap": (pl.from_pandas(long().drop(index=35)), "ds, row 35"),
}
ZONED = long(zone="Europe/Berlin")
OPTIONS = {
    "zoned duplicate": (
        pd.concat([ZONED.iloc[:2], ZONED.iloc[1:]]),
        {},
        r"ds, row 2 \(series 'b'\).*duplicate",
    ),
    "nothing": (long().assign(y=np.nan), {"missing": "fill"}, r"y \(series 'a'\): expected"),
    "static": (
        long().assign(g=range(41)),
        {"covariates": Covariates(static="g")},
        r"g, row 21 \(series 'a'\): exp",
    ),
    "off the grid": (
        long("W-SUN", rows=4),
        {"freq": "W-SAT"},
        r"ds, row 4 \(series 'a'\): expected a stamp of freq",
    ),
    "another freq": (long(), {"freq": "h"}, "expected 2024-01-01 01:00:00"),
}
FRAMES = {
    **{f"pandas, {name}": (df, {}, message) for name, (df, message) in WRONG.items()},
    **{f"polars, {name}": (df, {}, message) for name, (df, message) in WRONG_POLARS.items()},
    **OPTIONS,
}


@pytest.mark.parametrize("name", FRAMES)
def test_wrong_frames(name):
    df, options, message = FRAMES[name]
    with pytest.raises(DataError, match=message) as caught:
        read_frame(df, **options).check_observed()
    # What is wrong has its place as fields, also in another argument than `df`.
    error = caught.value
    assert error.where == compose_place(
        option=error.option, column=error.column, row=error.row, series=error.series
    )
    if name != "nothing":
        with pytest.raises(DataError, match=r"^validation[,: ]") as caught:
            read_frame(df, argument="validation", **options)
        assert caught.value.option == "validation"


def test_wrong_freq():
    rejected(SpecError, "freq", read_frame, long(), freq="nonsense")


def whole(df):
    """Return a frame of whole numbers, two a day."""
    numbers = 2 * (df["ds"] - pd.Timestamp("2024-01-01")).dt.days
    return df.assign(unique_id=df["unique_id"].map({"a": 9, "b": 10}), ds=numbers)


def dates(df):
    return df.assign(ds=df["ds"].dt.date)


def digits(ds_format):
    return lambda df: df.assign(ds=format_stamps(pd.DatetimeIndex(df["ds"]), ds_format))


DIGITS = {
    "%Y%m%d": "D",
    "%Y%m": "MS",
    "%Y%m%d%H": "h",
    "unix_s": "D",
    "unix_ms": "D",
    "unix_us": "D",
    "unix_ns": "D",
}
TYPES = {
    "pandas": lambda df: df,
    "polars": pl.from_pandas,
    **{
        kind: lambda df, kind=kind: df.astype({"unique_id": kind})
        for kind in ("object", "str", "category", "string")
    },
    "whole": whole,
    "whole polars": lambda df: pl.from_pandas(whole(df)),
    "whole categories": lambda df: whole(df).astype({"unique_id": "category"}),
    "whole and narrow": lambda df: whole(df).astype({"ds": "int32"}),
    "dates": dates,
    "dates polars": lambda df: pl.from_pandas(dates(df)),
    "dates pyarrow": lambda df: dates(df).astype({"ds": "date32[day][pyarrow]"}),
    **{ds_format: digits(ds_format) for ds_format in DIGITS},
    "milliseconds": lambda df: pl.from_pandas(df).with_columns(
        pl.col("ds").dt.cast_time_unit("ms")
    ),
    "nanoseconds": lambda df: pl.from_pandas(df).with_columns(pl.col("ds").dt.cast_time_unit("ns")),
}
FREQS = ["h", "15min", "s", "D", "B", "W-SAT", "2W-SUN", "MS", "ME", "QS-OCT", "QE-DEC", "YS-JAN"]
CASES = [(name, DIGITS.get(name, "D"), None) for name in TYPES]
CASES += [
    (name, freq, zone)
    for name in ("pandas", "polars")
    for freq in FREQS
    for zone in (None, "America/New_York")
]


@pytest.mark.parametrize(("name", "freq", "zone"), CASES)
def test_forecasts_go_on_in_the_stamps_and_types_that_were_read(name, freq, zone):
    series = (
        long(freq, rows=23, zone=zone).sort_values("unique_id", kind="stable").groupby("unique_id")
    )
    given = TYPES[name](series.head(-3))
    ahead = TYPES[name](series.tail(3))
    frame = read_frame(given)
    assert frame.frequency.name == (2 if name.startswith("whole") else freq)
    made = forecast_frame(frame, np.arange(6.0).reshape(2, 3))
    assert type(made) is type(given)
    for column in ("unique_id", "ds"):
        assert list(made[column]) == list(ahead[column])
        assert made[column].dtype == given[column].dtype
    assert list(made["m"]) == list(range(6))


def test_own_columns():
    columns = Columns(unique_id="shop", ds="day", y="sales")
    df = long().rename(columns={"unique_id": "shop", "ds": "day", "y": "sales"})
    frame = read_frame(df, columns)
    made = forecast_frame(frame, np.zeros((2, 1)))
    assert list(made.columns) == ["shop", "day", "m"]
    rejected(DataError, r"Columns\(y=...\)", read_frame, df.drop(columns="sales"), columns)


def test_rows_that_were_added_for_missing_steps_have_no_number():
    frame = read_frame(long(names=("a",)).drop(index=3), freq="D", missing="fill")
    place = int(np.flatnonzero(frame.rows < 0)[0])
    errors = [
        frame.error("y", each, expected="", received="", hint="") for each in (place, place + 1)
    ]
    assert [(error.column, error.row, error.series) for error in errors] == [
        ("y", None, "a"),
        ("y", 3, "a"),
    ]


# ---------------------------------------------------------------- hints, fixes, and rows with one
# stamp


def fixed(df, error):
    """Return a frame after the line of code in an error's hint."""
    code = error.hint.partition(": ")[2].removesuffix(".")
    scope = {"df": df, "pd": pd, "pl": pl}
    exec(code, scope)
    return scope["df"]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_code_of_hints_fixes_words_and_dates(library):
    df = long(names=("a",)).astype({"y": str})
    df["y"] = df["y"].mask(df.index.isin([3, 8]), "n/a").mask(df.index == 9, "it's")
    df["ds"] = df["ds"].dt.strftime("%d/%m/%Y")
    df = df if library == "pandas" else pl.from_pandas(df)
    with pytest.raises(DataError, match=r"""such as '01/01/2024'.*"%d/%m/%Y".*\)\.$""") as caught:
        read_frame(df, missing="fill")
    df = fixed(df, caught.value)
    with pytest.raises(DataError, match="received 'n/a' in 2 rows, \"it's\" in 1 row") as caught:
        read_frame(df, missing="fill")
    assert list(caught.value.rows) == [3, 8, 9]
    frame = read_frame(fixed(df, caught.value), missing="fill")
    assert (frame.frequency.name, str(frame.last_stamps[0].date())) == ("D", "2024-01-20")
    assert np.flatnonzero(np.isnan(frame.source.values[:, 0])).tolist() == [3, 8, 9]


def test_dates_that_may_be_either_have_two_formats():
    df = long(names=("a",), rows=9).assign(ds=lambda df: df["ds"].dt.strftime("%d/%m/%Y"))
    rejected(
        DataError,
        r'format="%m/%d/%Y"\), or with "%d/%m/%Y" where the day comes first\.',
        read_frame,
        df,
    )


def test_columns_of_the_user_are_listed_and_one_in_another_case_is_named():
    df = long(names=("a",)).drop(columns="unique_id").rename(columns={"y": "Y"})
    message = r"received the columns 'ds', 'Y'\. Did you mean 'Y'\? Name yours with columns=Columns\(y='Y'\)"
    rejected(DataError, message, read_frame, df)
    rejected(DataError, r"the columns 'Y'\. Did", read_frame, df.set_index("ds"))
    message = r"'DS', received the columns 'ds', 'Y'\. Did you mean 'ds'\? Name yours with columns=Columns\(ds='ds'\)"
    rejected(DataError, message, read_frame, df, Columns(ds="DS", y="Y"))


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("how", ["first", "last", "mean", "sum"])
def test_rows_with_one_stamp_become_one(library, how):
    rng = np.random.default_rng(4)
    rows = (
        long(rows=8)
        .sample(60, replace=True, random_state=1)
        .assign(y=rng.normal(size=60), x=range(60))
    )
    rows = pd.concat([long(rows=8).assign(x=-1), rows]).sort_values(
        ["unique_id", "ds"], kind="stable"
    )
    rows.loc[rows.sample(20, random_state=2).index, "y"] = np.nan
    groups = rows.groupby(["unique_id", "ds"])
    kept = groups.nth(-1 if how == "last" else 0)
    y = (
        kept["y"]
        if how in ("first", "last")
        else groups["y"].agg(how, **({"min_count": 1} if how == "sum" else {}))
    )
    df = rows.reset_index(drop=True)
    covariates = Covariates(past="x")
    options = {"missing": "fill", "on_duplicates": how}
    frame = read_frame(
        df if library == "pandas" else pl.from_pandas(df), covariates=covariates, **options
    )
    assert np.allclose(frame.source.values[:, 0], y.to_numpy(), equal_nan=True)
    assert frame.source.values[:, 1].tolist() == kept["x"].tolist()
    rejected(DataError, "the duplicate", read_frame, df, missing="fill")


def of_objects(values):
    """Return a series of these values."""
    return long(names=("a",), rows=len(values)).assign(y=pd.Series(values, dtype=object))


ORDER = {"back": [0, 1, 3, 2, 4], "twice": [0, 1, 1, 2, 3], "twice, further up": [0, 1, 2, 1, 3]}
FIXES = {
    "type": (long().assign(y=True), Fix.CONVERT),
    "decimal commas": (of_objects(["1,5", "2,5", "3,5", "4,5"]), Fix.CONVERT),
    "words": (of_objects([1, "closed", 3, 4]), Fix.CORRECT),
    "words alone": (of_objects(["red", "blue", "red", "blue"]), None),
    "text for stamps": (long().assign(ds=lambda df: df["ds"].astype(str)), Fix.CONVERT),
    "back": (long(names=("a",)).iloc[ORDER["back"]], Fix.SORT),
    "twice": (long(names=("a",)).iloc[ORDER["twice"]], Fix.DEDUPLICATE),
    "twice, further up": (long(names=("a",)).iloc[ORDER["twice, further up"]], Fix.SORT),
    "a gap": (long(names=("a",)).drop(index=5), Fix.FILL),
    "a value": (with_value(3, "y", np.inf), None),
}


@pytest.mark.parametrize("name", FIXES)
def test_an_error_has_its_fix(name):
    df, fix = FIXES[name]
    freq = "D" if fix is Fix.FILL else None
    with pytest.raises(DataError) as caught:
        read_frame(df, freq=freq)
    assert caught.value.fix is fix
    assert {each.fix for each in caught.value.by_series.values()} <= {fix}


@pytest.mark.parametrize("order", ORDER.values(), ids=ORDER)
def test_the_fix_stays_where_rows_without_ids_may_be_of_several_series(order):
    df = long(names=("a",)).iloc[order]
    errors = []
    for each in (df, df.drop(columns="unique_id")):
        with pytest.raises(DataError) as caught:
            read_frame(each)
        errors.append(caught.value)
    assert errors[0].fix is errors[1].fix
    assert errors[1].hint.startswith(f"{errors[0].hint} Or does it hold several series?")
    assert errors[1].hint.fragments[: len(errors[0].hint.fragments)] == errors[0].hint.fragments


def test_the_first_of_equal_stamps_has_the_place():
    df = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 1, 3, 4], "y": [1.0, 2.0, 5.0, 3.0, 4.0]})
    assert read_frame(df, on_duplicates="last").source.values[:, 0].tolist() == [5.0, 2.0, 3.0, 4.0]
    rejected(
        SpecError,
        "'raise', 'first', 'last', 'mean', 'sum', received 'average'",
        read_frame,
        df,
        on_duplicates="average",
    )


def test_bad_rows_are_left_out_and_counted_as_the_user_does():
    df = long().astype({"y": object})
    df.loc[[4, 30], "y"] = "?"
    df.loc[7, "unique_id"] = None
    frame = read_frame(df.iloc[::-1], missing="fill", on_bad_rows="skip")
    by_message = {str(fault).partition(":")[0]: sorted(fault.rows) for fault in frame.faults}
    assert by_message["unique_id, row 33"] == [33]
    assert np.isnan(frame.source.values[:, 0]).sum() == 3  # two words, and a step without a row
    assert by_message["y, row 10 (series 'a')"] == [10, 36]
    places = {
        name: frame.rows[frame.owners(np.arange(len(frame.rows))) == n]
        for n, name in enumerate("ab")
    }
    assert places["a"][places["a"] >= 0].tolist() == list(range(20, -1, -1))
    assert places["b"][places["b"] >= 0].tolist() == [
        each for each in range(40, 20, -1) if each != 33
    ]
