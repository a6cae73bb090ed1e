"""CSV and Parquet files of long frames: what is read and written, and how a file that cannot be read is rejected."""

import contextlib
import os
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.data.frames.frame_reader import read_frame
from seqcast.errors import AmbiguityError, DataError, MissingFileError, Option, Phrase
from seqcast.specs import Columns, Covariates
from seqcast.tables.dialect import Dialect
from seqcast.tables.open_table import OpenTable, read_leniently, read_raw, read_table
from seqcast.tables.writing import write_table
from tests.rejections import rejected

COLUMNS = Columns()


def table(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet", "CSV"])
def test_round_trip(tmp_path, suffix):
    ends = pd.date_range("2024-01-31", periods=3, freq="ME")
    frame = pd.DataFrame({"unique_id": [3, 3, 12], "ds": ends, "y": [0.1, -2e-300, 1e9]})
    write_table(frame, tmp_path / f"table.{suffix}")
    found = read_table(tmp_path / f"table.{suffix}", COLUMNS, whole_ids=True).frame
    pd.testing.assert_frame_equal(found, frame, check_dtype=False)
    assert [path.name for path in tmp_path.iterdir()] == [f"table.{suffix}"]


TIMES = [
    (("2024-01", "2024-02"), ("2024-01-01", "2024-02-01")),
    (("2024-01-31 12:30", "2024-02-01"), ("2024-01-31 12:30", "2024-02-01")),
    (("01/02/2024", "31/01/2024"), ("2024-02-01", "2024-01-31")),
    (("20-Feb-18", "19-Feb-18"), ("2018-02-20", "2018-02-19")),
    (
        ("2024-10-26T12:00+02:00", "2024-10-28T12:00+02:00"),
        ("2024-10-26 10:00Z", "2024-10-28 10:00Z"),
    ),
]


@pytest.mark.parametrize(("written", "read"), TIMES)
def test_times(tmp_path, written, read):
    path = table(tmp_path / "a.csv", "ds,y\n" + "".join(f"{time},1\n" for time in written))
    assert read_table(path, COLUMNS).frame["ds"].sort_index().tolist() == [
        pd.Timestamp(time) for time in read
    ]


ZONES = [("+0100", "+0000", "Europe/London"), ("-04", "-05", "America/New_York")]


@pytest.mark.parametrize(("summer", "winter", "zone"), ZONES)
def test_an_offset_that_changes_asks_for_the_zone(tmp_path, summer, winter, zone):
    path = table(
        tmp_path / "a.csv", f"ds,y\n2024-07-01 12:00{summer},1\n2024-11-28 12:00{winter},1\n"
    )
    rejected(
        DataError,
        rf"one offset from UTC, .*Columns\(tz='{zone}'\), which fits all",
        read_table,
        path,
        COLUMNS,
    )
    found = read_frame(
        read_table(path, Columns(tz=zone)).frame, Columns(tz=zone), irregular=True
    ).stamps
    assert [(stamp.hour, str(stamp.tz)) for stamp in found] == [(12, zone)] * 2
    with pytest.raises(
        DataError, match=r"row [23]: expected the offset from UTC of clocks in Asia/Tokyo"
    ):
        read_table(path, Columns(tz="Asia/Tokyo"))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    "ds_format", ["%d%m%y", "%m%d%Y", "%y%m%d", "%G%V", "%G-W%V", "%d.%m.%Y", "unix_s"]
)
def test_times_of_a_given_format_are_in_their_order(tmp_path, ds_format, suffix):
    weeks = pd.date_range("2023-10-02", periods=30, freq="7D")
    written = (
        weeks.astype("datetime64[s]").asi8 if ds_format == "unix_s" else weeks.strftime(ds_format)
    )
    times = pd.to_numeric(pd.Series(written)) if str(written[0]).isdecimal() else pd.Series(written)
    rows = pd.DataFrame({"unique_id": "a", "ds": times, "y": np.arange(30.0)})
    for place, given in enumerate((rows, rows.iloc[::-1])):
        write_table(given, tmp_path / f"{place}.{suffix}")
        columns = Columns(ds_format=ds_format)
        frame = read_frame(
            read_table(tmp_path / f"{place}.{suffix}", columns).frame, columns, freq="W-MON"
        )
        assert frame.stamps.tolist() == weeks.tolist()
        assert frame.source.values[:, 0].tolist() == list(range(30))


@pytest.mark.parametrize("name", ["001", "NA", "1e5", "nan", "None", " a", "1.0", "é"])
def test_ids_are_text_as_they_are_written(tmp_path, name):
    path = table(tmp_path / "a.csv", f'unique_id,ds,y\n"{name}",1,5\n"{name}",2,6\n')
    frame = read_table(path, COLUMNS).frame
    assert frame["unique_id"].tolist() == [name, name]
    write_table(frame, tmp_path / "b.csv")
    assert read_table(tmp_path / "b.csv", COLUMNS).frame["unique_id"].tolist() == [name, name]


def test_ids_become_whole_numbers_for_a_model_that_knows_no_others_and_none_is_missing(tmp_path):
    for second, ids in (("2", [1, 2]), ("x", ["01", "x"])):
        path = table(tmp_path / "a.csv", f"unique_id,ds,y\n01,1,5\n{second},2,6\n")
        assert read_table(path, COLUMNS, whole_ids=True).frame["unique_id"].tolist() == ids
    frame = read_table(table(tmp_path / "a.csv", "unique_id,ds,y\na,1,5\n,2,6\n"), COLUMNS).frame
    rejected(
        DataError, "unique_id, row 1: expected a series' name, received none", read_frame, frame
    )


def test_a_file_without_ids_is_one_series(tmp_path):
    path = table(tmp_path / "sales.csv", "ds,y\n1,1\n")
    read = read_table(path, COLUMNS)
    assert (list(read.frame.columns), read.one_series, read.added) == (
        ["ds", "y"],
        True,
        ("unique_id",),
    )
    assert read.with_ids()["unique_id"].tolist() == ["sales"]
    assert read.with_ids("b")["unique_id"].tolist() == ["b"]
    assert read_table(path, COLUMNS, series=7).with_ids()["unique_id"].tolist() == [7]
    with pytest.raises(DataError, match="expected a column 'shop', received the columns 'ds', 'y'"):
        read_table(path, Columns(unique_id="shop"))


def test_a_forecast_needs_no_values(tmp_path):
    path = table(tmp_path / "a.csv", "unique_id,ds,cutoff,model\na,2024-01-02,2024-01-01,1\n")
    frame = read_table(path, COLUMNS, value=False).frame
    assert frame["cutoff"].tolist() == [pd.Timestamp("2024-01-01")]
    rejected(DataError, "a column 'y'", read_table, path, COLUMNS)


def test_rows_after_the_last_value_of_all_series_are_left_out(tmp_path):
    text = "unique_id,ds,y,price\na,1,5,2\na,2,6,2\na,3,,9\nb,1,7,2\nb,2,,2\nb,3,,9\n"
    read = read_table(table(tmp_path / "a.csv", text), COLUMNS)
    assert read.frame["ds"].tolist() == [1, 2, 1, 2]
    assert (read.rows_ahead, read.understood) == (2, "without 2 rows after the last value")
    assert len(read_table(tmp_path / "a.csv", COLUMNS, value=False).frame) == 6


def test_text_of_a_given_format_is_sorted_as_times(tmp_path):
    text = "ds,y\n03.01.2024,\n02.01.2024,7\n01.02.2023,6\n"
    read = read_table(table(tmp_path / "a.csv", text), Columns(ds_format="%d.%m.%Y"))
    assert read.frame["ds"].tolist() == ["01.02.2023", "02.01.2024"]
    assert read.understood == "rows sorted by time, without 1 row after the last value"


def test_dates_of_parquet_are_times(tmp_path):
    days = pd.date_range("2024-01-01", periods=9)
    pd.DataFrame({"order_date": days[::-1].date, "sales": range(9)}).to_parquet(
        tmp_path / "a.parquet"
    )
    read = OpenTable.of(tmp_path / "a.parquet", None).guessed()
    frame = read.frame
    assert read.columns.ds == "order_date"
    assert (frame["order_date"].tolist(), frame["sales"].tolist()) == (
        list(days),
        list(range(9))[::-1],
    )


def test_rows_are_counted_as_the_file_shows_them(tmp_path):
    path = table(tmp_path / "a.csv", "ds,y\n2024-01-03,1\n2024-01-01,2\n2024-01-02,3\n")
    read = read_table(path, COLUMNS)
    assert [read.row_number(row) for row in range(3)] == [3, 4, 2]
    read.frame.to_parquet(tmp_path / "a.parquet")
    read = read_table(tmp_path / "a.parquet", COLUMNS)
    assert [read.row_number(row) for row in range(3)] == [1, 2, 3]


PLACES = [
    ("ds,y\n1,1\n2,n/k\n", ("y", 1)),
    ("ds,y\n2020-01-01,1\n2020-01-02,1\n2020-13-01,1\n", ("ds", 2)),
    ("ds,y\n01/02/2020,1\n01/03/2020,2\n", ("ds", 0)),
    ("ds,z\n1,1\n", (None, None)),
]


@pytest.mark.parametrize(("text", "fields"), PLACES)
def test_errors_have_column_and_row_of_the_frame_as_fields(tmp_path, text, fields):
    with pytest.raises(DataError) as caught:
        read_table(table(tmp_path / "a.csv", text), COLUMNS)
    assert (caught.value.column, caught.value.row) == fields


def test_times_that_many_rows_share_are_parsed_once(tmp_path, monkeypatch):
    rows = "".join(f"{name},{day}.01.2024,1\n" for name in range(50) for day in range(10, 30))
    path = table(tmp_path / "a.csv", f"unique_id,ds,y\n{rows}")
    sizes = []
    parse = pd.to_datetime
    monkeypatch.setattr(
        pd, "to_datetime", lambda values, **how: sizes.append(len(values)) or parse(values, **how)
    )
    frame = read_table(path, COLUMNS).frame
    assert max(sizes) == 20
    assert frame["ds"].tolist() == list(parse([f"2024-01-{day}" for day in range(10, 30)] * 50))
    table(path, f"unique_id,ds,y\n{rows}0,soon,1\n")
    rejected(DataError, "column 'ds', row 1002: expected a date or time", read_table, path, COLUMNS)


def test_tables_without_columns_are_rejected(tmp_path):
    """An empty sheet, a file of rows without columns, and lines of objects without names."""
    pd.DataFrame().to_excel(tmp_path / "a.xlsx", index=False)
    pd.DataFrame(index=range(3)).to_parquet(tmp_path / "a.parquet")
    for path in (
        tmp_path / "a.xlsx",
        tmp_path / "a.parquet",
        table(tmp_path / "a.jsonl", "{}\n{}\n"),
    ):
        rejected(DataError, "expected a table, received no columns", read_table, path, COLUMNS)


# ---------------------------------------------------------------- text that is too much

HEADER = '{"ds": 1, "y": 2}\n\n'
WIDE = ",".join(["ds", "y", *(f"c{place}" for place in range(30_000))]) + "\n1,2\n"
ALLOW = "If you trust the file, allow more: max_size='8GB'"
TOO_MUCH = {
    "rows of empty cells": ("csv", ",".join(f"c{n}" for n in range(15_000)) + "\n" + "1\n" * 2000,
                            "expected at most 67.11 MB, received 2,002 rows of 15,000 columns"),
    "columns": ("csv", WIDE, f"expected at most 20,000 columns, received 30,002. {ALLOW}"),
    "names that differ from line to line": ("jsonl", "".join(f'{{"c{place}": 1}}\n' for place in range(15_000)),
                                            "expected at most 67.11 MB, received"),
    "a list": ("jsonl", HEADER + "[1, 2]\n", "a.jsonl, line 3: expected a JSON object, .* received list"),
    "a number": ("jsonl", HEADER + "3\n", "line 3: expected a JSON object, .* received int"),
    "half an object": ("jsonl", HEADER + "{\n", "line 3: expected a JSON object, .* received Expecting property name"),
    "nested": ("jsonl", HEADER + '{"ds": ' + "[" * 100_000 + "]" * 100_000 + "}", "line 3: expected a JSON object"),
    "a name twice": ("jsonl", HEADER + '{"ds": "2024-01-01", "y": 1, "y": 2}\n', "line 3: .* the name 'y' twice"),
    "not a number": ("jsonl", HEADER + "NaN\n", "line 3: expected a JSON object, .* received float"),
    "a field that never ends": ("csv", 'ds,y\n1,2\n"' + "x" * 300_000, "a.csv"),
    "a name that never ends": ("csv", '"' + "x" * 300_000, "a.csv"),
    "a time of millions of letters": ("csv", 'ds,y\n"' + "'" * 2_000_000 + '",1\n', "a.csv"),
    "a number of millions of letters": ("csv", 'ds,y\n1,"' + "x" * 2_000_000 + '"\n', "a.csv"),
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_MUCH)
def test_text_that_is_too_much_is_rejected_in_few_words_and_little_memory(
    tmp_path, memory_at_most, name
):
    suffix, text, message = TOO_MUCH[name]
    path = table(tmp_path / f"a.{suffix}", text)
    with (
        memory_at_most((20 << 20) + 8 * len(text)),
        pytest.raises(DataError, match=message) as caught,
    ):
        read_table(path, COLUMNS)
    assert len(str(caught.value)) < 400 + len(str(path))


def test_a_user_may_allow_more_columns(tmp_path):
    assert (
        len(read_table(table(tmp_path / "a.csv", WIDE), COLUMNS, max_size="8GB").frame.columns)
        == 30_002
    )


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.xlsx"])
def test_a_pipe_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(
        MissingFileError, match="expected a file with a table, received a pipe, which - reads"
    ):
        read_table(tmp_path / name, COLUMNS)


# ---------------------------------------------------------------- missing values and words


FILES = [
    ("a.csv", "ds,y\n2024-01-01,1.5\n2024-01-02,-9999\n2024-01-03,closed\n2024-01-04,2.5\n"),
    ("a.csv", "ds;y\n01.01.2024;1,5\n13.01.2024;-9999\n14.01.2024;closed\n15.01.2024;2,5\n"),
    ("a.jsonl", '{"ds": "2024-01-01", "y": 1.5}\n{"ds": "2024-01-02", "y": -9999}\n'
                '{"ds": "2024-01-03", "y": "closed"}\n{"ds": "2024-01-04", "y": 2.5}\n'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), FILES)
def test_values_for_missing_ones_are_read_as_such(tmp_path, name, text):
    path = table(tmp_path / name, text)
    message = r"expected numbers, received 'closed' in 1 row. .*: dialect=Dialect\(missing_values=\('closed',\)\)"
    rejected(DataError, message, read_table, path, COLUMNS)
    read = read_table(path, COLUMNS, dialect=Dialect(missing_values=("closed", "-9999")))
    assert read.frame["y"].fillna(0.0).tolist() == [1.5, 0.0, 0.0, 2.5]
    assert "'closed', '-9999' for missing values" in read.understood


def test_keys_stay_as_they_are(tmp_path):
    path = table(tmp_path / "a.csv", "unique_id,ds,y,x\n7,7,7,7\n8,8,8,8\n")
    read = read_table(path, COLUMNS, dialect=Dialect(missing_values=("7",)))
    assert read.frame.fillna(0).values.tolist() == [["7", 7, 0, 0], ["8", 8, 8, 8]]


def test_a_table_is_read_whatever_is_wrong_with_its_rows(tmp_path):
    rows = [(f"{day:02}/02/2024", f"{day},5") for day in range(1, 10)]
    rows[3], rows[5], rows[6] = ("soon", "4,5"), (rows[5][0], "closed"), (rows[6][0], "open")
    path = table(tmp_path / "a.csv", "ds;y\n" + "".join(f"{day};{value}\n" for day, value in rows))
    faults = []

    def attempt(dialect, left_out, columns=COLUMNS):
        return OpenTable.of(path, dialect, left_out=left_out).frame(columns)

    read = read_leniently(faults, attempt, Dialect())
    assert [(fault.column, list(fault.rows)) for fault in faults] == [
        ("ds", [5]),
        ("ds", []),
        ("y", [7, 8]),
    ]
    assert [read.row_number(row) for row in range(len(read.frame))] == [2, 3, 4, 6, 9, 10]
    assert read.frame["y"].tolist() == [1.5, 2.5, 3.5, 5.5, 8.5, 9.5]
    assert read.frame["ds"].dt.month.unique().tolist() == [2]  # the first answer
    rejected(
        DataError,
        "a column 'z'",
        read_leniently,
        [],
        partial(attempt, columns=Columns(y="z")),
        Dialect(),
    )


def test_a_table_of_which_all_rows_are_wrong_is_rejected_for_its_last_fault(tmp_path):
    path = table(tmp_path / "a.csv", "ds,y\n2024-01-01,1\n2024-01-32,2\n")
    faults = []

    def attempt(dialect, left_out):
        read = OpenTable.of(path, dialect, left_out=left_out).frame(COLUMNS)
        error = DataError("a.csv", expected="other rows")
        error.rows = [read.row_number(0)]
        raise error

    rejected(DataError, "a.csv: expected other rows", read_leniently, faults, attempt, Dialect())
    assert [list(fault.rows) for fault in faults] == [[3], [2]]


def raising(*errors):
    """Return a function that raises one error after the other, and then returns its arguments."""
    left = list(errors)

    def read(dialect, left_out):
        if left:
            raise left.pop(0)
        return dialect, left_out

    return read


def test_an_ambiguity_is_settled_by_its_first_answer_for_a_dialect_whatever_the_hint_says():
    day = Option("dialect.day_first", True)
    month = Option("dialect.day_first", False)
    answers = [Option("columns.ds_format", "%y/%m/%d"), Option("layout", "wide"), month, day]
    for hint in (
        "",
        "Ask the author.",
        Phrase("Give ", day, " or ", Option("dialect.sep", ";"), "."),
    ):
        error = AmbiguityError("a.csv", hint=hint, answers=answers)
        faults = []
        assert read_leniently(faults, raising(error), Dialect(sep="|")) == (
            Dialect(sep="|", day_first=False),
            (),
        )
        assert faults == [error]


def test_several_ambiguities_are_settled_beside_rows_that_are_left_out():
    marks = AmbiguityError("a.csv", answers=[Option("dialect.decimal", ",")])
    row = DataError("a.csv, row 7")
    row.rows = [7]
    order = AmbiguityError("a.csv", answers=[Option("dialect.day_first", True)])
    faults = []
    read = read_leniently(faults, raising(marks, row, order), Dialect())
    assert read == (Dialect(decimal=",", day_first=True), (7,))
    assert faults == [marks, row, order]


@pytest.mark.parametrize("answers", [[], [Option("layout", "wide"), Option("columns.y", "a")]])
def test_an_ambiguity_without_an_answer_for_a_dialect_is_raised(answers):
    hint = Phrase("Give ", Option("dialect.day_first", True), ".")
    for error in (
        AmbiguityError("a.csv", hint=hint, answers=answers),
        DataError("a.csv", hint=hint),
    ):
        faults = []
        with pytest.raises(DataError) as caught:
            read_leniently(faults, raising(error), Dialect())
        assert caught.value is error
        assert faults == []


@pytest.mark.parametrize("text", ["time,#Passengers\n", "ds,y\n\n", "day;north;south\n"])
def test_a_header_without_rows_is_called_so(tmp_path, text):
    path = tmp_path / "empty.csv"
    path.write_text(text)
    for call in (
        read_raw,
        lambda path: OpenTable.of(path, None).guessed(),
        lambda path: read_table(path, Columns()),
    ):
        with pytest.raises(
            DataError, match="expected at least one row below the header, received none"
        ):
            call(path)


def test_a_number_beyond_double_precision_is_rejected(tmp_path):
    path = tmp_path / "a.csv"
    rows = "".join(f"a,2024-01-0{day},{'9' * 400 if day == 3 else day}\n" for day in range(1, 8))
    path.write_text(f"unique_id,ds,y\n{rows}")
    rejected(
        DataError,
        "row 4: expected numbers, received 'a number of more than 308 digits'",
        read_table,
        path,
        Columns(),
    )


@pytest.mark.parametrize("digits", [400, 5000])
@pytest.mark.parametrize("column", ["unique_id", "ds", "y", "price"])
def test_numbers_of_many_digits_in_a_frame_end_in_no_raw_errors(column, digits):
    days = pd.date_range("2024-01-01", periods=20)
    frame = pd.DataFrame({"unique_id": "a", "ds": days, "y": np.arange(20.0), "price": 1.0})
    values = [10**digits, *frame[column][1:]]
    polars = pl.from_pandas(frame).with_columns(pl.Series(column, values, dtype=pl.Object))
    frame[column] = pd.Series(values, dtype=object)
    for df in (frame, polars):
        with pytest.raises(DataError, match=column) as caught:
            read_frame(df, covariates=Covariates(future=("price",)))
        assert len(str(caught.value)) < 1000
    with contextlib.suppress(DataError):
        OpenTable.of_frame(frame.rename(columns={"ds": "day", "y": "sold"}), "frame").guessed()
