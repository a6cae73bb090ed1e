"""One series without ids, a pandas index of times, a column for each series: each becomes long, and comes back."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.data import from_wide, to_wide
from seqcast.data.frames.forms import form_of, in_form, to_long
from seqcast.data.frames.frame_reader import read_frame
from seqcast.errors import DataError
from seqcast.specs.columns import Columns
from seqcast.tables.guess import guess_columns
from seqcast.tables.open_table import OpenTable, read_raw, read_table
from tests.rejections import rejected, rejections

DAYS = pd.date_range("2024-01-01", periods=6)
B = [1.0, 2.0, np.nan, 3.0]
WIDE = pd.DataFrame(
    {"ds": DAYS, "b": [np.nan, *B, np.nan], "a": np.arange(6.0), "empty": [np.nan] * 6}
)
LONG = pd.DataFrame(
    {"unique_id": [*"bbbbaaaaaa"], "ds": [*DAYS[1:5], *DAYS], "y": [*B, *np.arange(6.0)]}
)


# ---------------------------------------------------------------- one series


FORMS = [
    (pd.Series(range(6), DAYS), "index"),
    (pd.Series(range(6), DAYS, name="sales"), "index"),
    (pd.Series(range(6), DAYS.to_period("D")), "period:D"),
    (pd.DataFrame({"y": range(6)}, DAYS), "index"),
    (pd.DataFrame({"ds": DAYS, "y": range(6)}), "single"),
    (pl.DataFrame({"ds": DAYS.to_numpy(), "y": range(6)}), "single"),
    (LONG, "long"),
    (LONG.set_index("unique_id"), "long"),
]


@pytest.mark.parametrize(("df", "form"), FORMS)
def test_forms_are_told_apart_and_come_back(df, form):
    columns = Columns()
    assert form_of(df, columns) == form
    if form == "long":
        assert to_long(df, columns, form) is df
        return
    long = to_long(df, columns, form)
    named = getattr(df, "name", None) or "series"
    assert set(long["unique_id"].to_list()) == {named}
    frame = read_frame(df)
    assert (frame.source.ids, frame.frequency.name) == ((named,), "D")
    back = in_form(long, columns, form)
    back, df = (each.to_pandas() if isinstance(each, pl.DataFrame) else each for each in (back, df))
    expected = df.to_frame("y") if isinstance(df, pd.Series) else df
    pd.testing.assert_frame_equal(back, expected, check_freq=False, check_names=False)


def test_one_series_may_be_several():
    df = pd.concat([WIDE[["ds", "a"]].rename(columns={"a": "y"})] * 2)
    rejected(
        DataError,
        r"Or does it hold several series\? Name the column .*Columns\(unique_id=",
        read_frame,
        df,
    )


# ---------------------------------------------------------------- wide


def test_wide_becomes_long_and_back():
    long = from_wide(WIDE)
    pd.testing.assert_frame_equal(long, LONG, check_dtype=False)
    pd.testing.assert_frame_equal(to_wide(long), WIDE[["ds", "b", "a"]], check_dtype=False)
    polars = from_wide(pl.from_pandas(WIDE))
    assert polars.equals(pl.from_pandas(long))
    assert to_wide(polars).equals(pl.from_pandas(to_wide(long)))
    for index in (DAYS, DAYS.to_period("D")):
        wide = WIDE.drop(columns="ds").set_axis(index)
        pd.testing.assert_frame_equal(from_wide(wide, ds=None), LONG, check_dtype=False)


def test_names_are_those_of_the_columns():
    columns = Columns("shop", "day", "sold")
    long = from_wide(WIDE, columns=columns)
    assert list(long.columns) == ["shop", "day", "sold"]
    assert list(to_wide(long, columns=columns).columns) == ["day", "b", "a"]
    forecast = LONG.rename(columns={"y": "seqcast"}).assign(**{"seqcast-lo-80": 0.0})
    assert to_wide(forecast)["a"].tolist() == list(range(6))


def test_steps_and_cutoffs_of_a_backtest_are_no_series(tmp_path):
    backtest = LONG.assign(cutoff=DAYS[0], step=1)[["unique_id", "ds", "cutoff", "step", "y"]]
    forecast = backtest.rename(columns={"y": "seqcast"})
    pd.testing.assert_frame_equal(to_wide(forecast), to_wide(LONG))
    totals = LONG.assign(steps=7, seqcast=LONG["y"])[["unique_id", "ds", "steps", "seqcast"]]
    pd.testing.assert_frame_equal(to_wide(totals), to_wide(LONG))
    wide = WIDE.drop(columns="empty")
    keyed = wide.assign(cutoff=DAYS[0], step=range(1, 7))[["ds", "cutoff", "step", "b", "a"]]
    pd.testing.assert_frame_equal(from_wide(keyed), from_wide(wide))
    path = tmp_path / "wide.csv"
    keyed.to_csv(path, index=False)
    for layout in ("wide", None):
        read = OpenTable.of(path, None).guessed(layout=layout)
        assert sorted(set(read.frame[read.columns.unique_id])) == ["a", "b"]
    backtest.to_csv(path, index=False)
    guess = guess_columns(read_raw(path).frame)
    assert (guess.value, guess.static, guess.past, guess.future) == ("y", (), (), ())


NO_TABLES = [
    (lambda: from_wide(WIDE, ds="dz"), "expected a column 'dz' and one for each series"),
    (lambda: from_wide(WIDE[["ds"]]), "expected a column 'ds' and one for each series"),
    (lambda: from_wide(WIDE.assign(note="x")), "note: expected numbers, received text"),
    (lambda: from_wide(WIDE[["ds", "empty"]]), "expected at least one number"),
    (lambda: to_wide(pd.concat([LONG, LONG])), "expected each time of a series once"),
    (lambda: to_wide(LONG.drop(columns="ds")), "expected a column 'ds'"),
]
test_what_is_no_such_table_is_rejected = rejections(
    (call, DataError, message) for call, message in NO_TABLES
)


def test_files_may_be_wide(tmp_path):
    path = tmp_path / "wide.csv"
    WIDE.drop(columns="empty").to_csv(path, index=False)
    frame = read_table(path, Columns(), layout="wide").frame
    pd.testing.assert_frame_equal(frame.reset_index(drop=True), LONG, check_dtype=False)
    # Rows keep their number in the file.
    assert frame.index.tolist() == [1, 2, 3, 4, 0, 1, 2, 3, 4, 5]
    for text, message in (
        (
            "".join(f"2024-01-0{day},{day},{day if day < 6 else 'x'}\n" for day in range(1, 7)),
            "'b', row 7: expected num",
        ),
        ("2024-01-01,,x", "expected at least one number"),
    ):
        path.write_text(f"ds,a,b\n{text}\n")
        rejected(DataError, message, read_table, path, Columns(), layout="wide")
