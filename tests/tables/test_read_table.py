"""What a file holds: how it was read, in a line that loses no sentence; and errors about rows in terms of the file."""

import pickle
import re
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import seqcast
from seqcast.data.frames.forms import form_of
from seqcast.data.frames.frame_reader import read_frame
from seqcast.errors import DataError, Phrase, Row
from seqcast.evaluation import evaluate
from seqcast.specs import Columns
from seqcast.tables import Dialect, OpenTable, RawTable, read_raw, read_table
from tests.rejections import rejected

COLUMNS = Columns()
DAYS = (*range(1, 7), 9, 8, 7, *range(10, 20))
# All that may be unusual in a file: titles, units, flags, rows out of order, a planned row, a total
# and a source.
UNUSUAL = "\n".join(
    [
        "Sold by day\n\nday;sold;week\ndate;kg;",
        *(f"{day:02}.03.2024;{day},5{' p' * (day % 4 == 0)};{day}" for day in DAYS),
        "20.03.2024;;20\nTotal;200,5;\nSource: the office of statistics;;\n",
    ]
)
OF_DIALECT = "the header after 2 lines, semicolons between columns, decimal comma"
OF_ROWS = "without 1 row below the header, 'date', without 2 rows at the end, 'Total', without 'p' at numbers"
OF_TIMES = "rows sorted by time, without 1 row after the last value"


@pytest.fixture
def write(tmp_path):
    """Write a file of text, and return its path."""

    def write(text, name="a.csv"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


# ---------------------------------------------------------------- how a file was read


def test_a_line_says_all_that_is_unusual(write):
    opened = OpenTable.of(write(UNUSUAL), None)
    assert opened.raw.understood == f"{OF_DIALECT}, {OF_ROWS}"
    table = opened.guessed()
    guess = "time: day, value: sold; not used: week"
    assert (
        table.understood
        == f"{OF_DIALECT}, dates with the day first, {OF_ROWS}, {OF_TIMES}; {guess}"
    )
    assert ", ".join(table.sentences) == f"{OF_ROWS}, {OF_TIMES}"
    assert (table.guessed, table.guess.sentence(), table.rows_ahead) == (guess, guess, 1)
    assert (table.columns, table.layout) == (Columns(ds="day", y="sold"), "long")


def test_nothing_is_said_of_what_is_usual_or_was_named(write):
    assert (
        OpenTable.of(write("ds,y\n2024-01-01,1\n2024-01-02,2\n"), None).guessed().understood == ""
    )
    table = read_table(write(UNUSUAL), Columns(ds="day", y="sold"))
    assert (table.guess, table.guessed) == (None, "")
    assert table.understood == f"{OF_DIALECT}, dates with the day first, {OF_ROWS}, {OF_TIMES}"


MADE = {
    "clocks that change": (
        "ds,y\n" + "".join(f"2024-03-31T{h:02}:00:00+0{1 + (h > 2)}:00,{h}\n" for h in (0, 1, 3, 4)), "long",
        ("times in UTC, as their offsets change",),
    ),
    "years that begin in April": (
        "ds,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec,Jan,Feb,Mar\n2016-17,1,2,3,4,5,6,7,8,9,8,7,6\n", "grid",
        ("years that begin with 'Apr'", "fiscal years by the year in which they begin"),
    ),
    "a total below series": ("unique_id,1990,1991,1992\na,1,2,3\nb,4,5,6\nTotal,5,7,9\n", "rows",
                             ("without 1 row at the end, 'Total'",)),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_layouts_and_times_say_what_they_made(write, name):
    text, layout, sentences = MADE[name]
    assert read_table(write(text), COLUMNS, layout=layout).sentences == sentences


def test_cells_that_were_filled_are_known_before_the_columns_are(write):
    raw = read_raw(write("zone,year,m\na,2001,5\n,2002,6\nb,2001,5\n,2002,7\n"))
    assert (raw.merged, raw.understood, raw.first_row) == (("zone",), "'zone' filled downwards", 2)
    assert raw.frame["zone"].tolist() == ["a", "a", "b", "b"]


def test_a_workbook_has_a_sheet_and_other_files_have_none(tmp_path):
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=3), "y": 1.0})
    with pd.ExcelWriter(tmp_path / "a.xlsx") as book:
        frame.to_excel(book, sheet_name="Übersicht", index=False)
        frame.to_excel(book, sheet_name="2024", index=False, startrow=2)
    first = read_table(tmp_path / "a.xlsx", COLUMNS, dialect=Dialect(sheet="Übersicht"))
    assert (first.sheet, first.first_row) == ("Übersicht", 2)
    second = read_table(tmp_path / "a.xlsx", COLUMNS, dialect=Dialect(sheet="2024"))
    assert (second.sheet, second.first_row, second.row_number(0)) == ("2024", 4, 4)
    frame.to_parquet(tmp_path / "a.parquet")
    assert read_raw(tmp_path / "a.parquet").sheet is None


def test_a_table_is_a_value_that_other_processes_take(write):
    table = read_table(write(UNUSUAL), Columns(ds="day", y="sold"))
    with pytest.raises(FrozenInstanceError):
        table.series = "b"
    copied = pickle.loads(pickle.dumps(table))
    assert (copied.understood, copied.row_number(6)) == (table.understood, table.row_number(6))


# ---------------------------------------------------------------- one series


def test_a_file_that_names_no_series_has_a_frame_without_ids(write):
    table = read_table(write("ds,y\n2024-01-01,1\n2024-01-02,2\n", "sales.csv"), COLUMNS)
    assert (list(table.frame.columns), form_of(table.frame, COLUMNS)) == (["ds", "y"], "single")
    assert (table.one_series, table.series, table.added) == (True, "sales", ("unique_id",))
    assert table.with_ids()["unique_id"].tolist() == ["sales", "sales"]
    assert table.with_ids(7)["unique_id"].tolist() == [7, 7]
    named = read_table(write("unique_id,ds,y\na,1,1\n"), COLUMNS)
    assert (named.one_series, named.added) == (False, ())
    assert named.with_ids("b") is named.frame


def test_its_errors_ask_whether_it_is_several(write):
    path = write("ds,y\n2024-01-01,1\n2024-01-01,2\n")
    table = read_table(path, COLUMNS)
    for frame, added in ((table.frame, ()), (table.with_ids(), table.added)):
        with pytest.raises(DataError, match=r"Or does it hold several series\?") as caught:
            read_frame(frame, COLUMNS, added=added)
        assert str(table.locate(caught.value)).startswith(
            f"{path}, column 'ds', row 3: expected a stamp after"
        )


def panel(days=60):
    days = pd.date_range("2024-01-01", periods=days)
    return pd.DataFrame({"ds": days, "y": 20 + 5 * np.sin(np.arange(len(days)) * 2 * np.pi / 7)})


OPTIONS = {"effort": "quick", "verbose": 0, "random_state": 0}


def test_a_forecaster_takes_a_table_and_remembers_what_it_knows(write):
    text = panel().astype({"y": object})
    text.loc[20, "y"] = "closed"
    path = write(text.to_csv(index=False), "sales.csv")
    table = read_table(path, COLUMNS, dialect=Dialect(missing_values=("closed",)))
    model = seqcast.Forecaster(3, missing="fill", **OPTIONS).fit(table)
    assert model.series_state_.schema.missing_values == ("closed",)
    forecast = model.predict()
    assert forecast["unique_id"].tolist() == ["sales"] * 3
    # A frame says nothing of its file; its forecast has the frame's form.
    of_frame = seqcast.Forecaster(3, missing="fill", **OPTIONS).fit(table.frame).predict()
    pd.testing.assert_frame_equal(of_frame, forecast.drop(columns="unique_id"))
    # Rows in a file of any name go on with the only series.
    later = pd.date_range("2024-03-01", periods=4)
    newer = write(
        f"ds,y\n{later[0]},19\n{later[1]},closed\n{later[2]},closed\n{later[3]},21\n", "newer.csv"
    )
    for rows in (newer, read_table(newer, COLUMNS, dialect=Dialect(missing_values=("closed",)))):
        ahead = model.predict(df=rows)
        assert (ahead["unique_id"].unique().tolist(), ahead["ds"].iloc[0]) == (
            ["sales"],
            pd.Timestamp("2024-03-05"),
        )
    masked = seqcast.Forecaster(3, missing="fill", **OPTIONS).fit(
        table, mask=replace(table, frame=table.frame[9:12])
    )
    assert np.isnan(masked.series_state_.frame.source.values[9:12]).all()


def test_validation_rows_may_be_a_table(write):
    first, later = (
        write(rows.to_csv(index=False), name)
        for rows, name in ((panel()[:50], "first.csv"), (panel()[50:], "later.csv"))
    )
    model = seqcast.Forecaster(3, **OPTIONS).fit(
        read_table(first, COLUMNS), read_table(later, COLUMNS)
    )
    assert (model.series_state_.ids, model.predict()["ds"].iloc[0]) == (
        ("first",),
        pd.Timestamp("2024-03-01"),
    )


def test_a_known_future_may_be_a_table(write):
    rows = panel().assign(price=np.tile([1.0, 2.0, 3.0], 20))
    model = seqcast.Forecaster(3, future_covariates=("price",), **OPTIONS).fit(
        read_table(write(rows.to_csv(index=False)), COLUMNS)
    )
    prices = pd.DataFrame({"ds": pd.date_range("2024-03-01", periods=3), "price": [1.0, 2.0, 3.0]})
    known = read_table(write(prices.to_csv(index=False), "prices.csv"), COLUMNS, value=False)
    pd.testing.assert_frame_equal(model.predict(future=known), model.predict(future=prices))


def test_a_forecast_of_a_path_has_the_name_of_the_file(write):
    path = write(panel().to_csv(index=False), "sales.csv")
    assert seqcast.forecast(path, 2, verbose=0)["unique_id"].tolist() == ["sales"] * 2
    assert (
        seqcast.Forecaster(2, **OPTIONS).fit(path).predict()["unique_id"].tolist() == ["sales"] * 2
    )


def test_what_takes_frames_rejects_a_table(write):
    table = read_table(write("unique_id,ds,y,m\na,1,1,2\n"), COLUMNS)
    rejected(
        DataError,
        "expected a pandas or Polars data frame, received seqcast.ReadTable",
        evaluate,
        table,
    )
    rejected(
        DataError,
        "expected a pandas or Polars data frame, received seqcast.ReadTable",
        read_frame,
        table,
    )


# ---------------------------------------------------------------- errors


def test_rows_of_an_error_are_those_of_the_file(write):
    path = write("Title\n\nds,y\n2024-01-03,1\n2024-01-01,2\n2024-01-02,3\n")
    table = read_table(path, COLUMNS)
    assert [table.row_number(row) for row in range(3)] == [5, 6, 4]
    error = DataError(
        column="y", row=1, expected=Phrase("as in ", Row(2)), received="another", hint="Correct it."
    )
    error.rows = [0, 1, 9]
    located = table.locate(error)
    assert (
        str(located)
        == f"{path}, column 'y', row 6: expected as in row 4, received another. Correct it."
    )
    assert (located.path, located.rows) == (str(path), [5, 6])
    # The rows of another frame are none of the file's.
    assert str(replace(table, frame=table.frame[:0]).locate(error)).startswith(
        f"{path}, column 'y': expected as in"
    )


def test_a_series_of_a_wide_table_is_its_column(write):
    path = write("ds,north,south\n1,1,2\n2,3,4\n")
    error = DataError(column="y", row=1, series="south", expected="another")
    table = read_table(path, COLUMNS, layout="wide")
    assert table.locate(error).where == f"{path}, column 'south', row 3"
    # Cells of other layouts are values of a column that the file does not have.
    rows = read_table(write("unique_id,1990,1991,1992\nsouth,1,2,3\n"), COLUMNS, layout="rows")
    assert rows.locate(error).where == f"{path}, row 2 (series 'south')"


def test_rows_of_a_table_in_memory_count_from_0():
    opened = OpenTable.of_frame(
        pd.DataFrame({"day": ["2024-01-01", "soon"] * 20, "sold": 1.0}), "data"
    )
    assert isinstance(opened.raw, RawTable)
    rejected(
        DataError,
        "data, column 'day', row 1: expected a date or time",
        opened.frame,
        Columns(ds="day", y="sold"),
    )


# ---------------------------------------------------------------- no state on the side

SOURCES = sorted(Path(seqcast.__file__).parent.rglob("*.py"))


def test_no_module_keeps_anything_in_the_attributes_of_a_frame():
    """pandas copies or drops them as it likes, and no type shows them."""
    assert len(SOURCES) > 200
    assert [
        str(path)
        for path in SOURCES
        if re.search(r"\.attrs\b|[\"']attrs[\"']", path.read_text("utf-8"))
    ] == []
