"""Guesses of columns: what people's tables look like, and tables that are drawn."""

import make
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcast.data.frames.dialect import Dialect
from seqcast.data.frames.guess import ColumnGuess, guess_columns
from seqcast.data.frames.io import read_raw

READABLE = [case for case in make.cases() if not case.refused]


@pytest.mark.parametrize("case", READABLE, ids=[case.name for case in READABLE])
def test_columns_of_messy_files(tmp_path, case):
    path = tmp_path / case.name
    case.write(path)
    guess = guess_columns(read_raw(path, dialect=Dialect(**case.dialect)))
    assert guess.time == case.columns.get("ds", "ds")
    if case.options.get("layout") != "wide":
        assert guess.value == case.columns.get("y", "y")


DAYS = pd.date_range("2024-01-01", periods=4).astype(str)
KEYS = {"Date": [*DAYS, *DAYS], "Store": ["a"] * 4 + ["b"] * 4}
UP = [1.0, 2.0, 3.0, 4.0]
SOLD = [1.0, 2.0, 3.0, np.nan] * 2

TABLES = {
    "static, known ahead, past": (
        {**KEYS, "Sold": SOLD, "region": ["n"] * 4 + ["s"] * 4, "price": np.arange(8.0), "seen": [1.0, 2, 3, None] * 2},
        ColumnGuess("Date", "Store", "Sold", static=("region",), future=("price",), past=("seen",)),
    ),
    "ids that are numbers": ({**KEYS, "Store": [1] * 4 + [2] * 4, "qty": SOLD}, ColumnGuess("Date", "Store", "qty")),
    "years": ({"year": [2000, 2001, 2002], "level": [1.5, 2.5, 3.5]}, ColumnGuess("year", None, "level")),
    "counted steps": ({"n": [7, 8, 9, 10], "v1": [0.1, 0.2, 0.1, 0.2]}, ColumnGuess("n", None, "v1")),
    "wide": ({"month": DAYS, "north": UP, "south": UP[::-1]}, ColumnGuess("month", layout="wide")),
    "one value": ({"ds": DAYS, "sales": UP, "rain": UP[::-1]}, ColumnGuess("ds", None, "sales", past=("rain",))),
    "text where numbers belong": ({"ds": DAYS, "y": ["5 EUR"] * 4}, ColumnGuess("ds", None, "y")),
    "no time": ({"colour": ["red", "blue"], "y": [1.5, 2.5]}, ColumnGuess(None, None, "y", past=("colour",))),
    "an empty column": ({"ds": DAYS, "y": [1.0, 2, 3, 4], "note": [None] * 4}, ColumnGuess("ds", None, "y")),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(name):
    table, guess = TABLES[name]
    assert guess_columns(pd.DataFrame(table)) == guess


@given(st.permutations(["when", "label", "number", "weight"]), st.integers(1, 4), st.integers(3, 9))
def test_the_order_of_columns_and_rows_does_not_matter(order, series, rows):
    number, day = np.divmod(np.arange(series * rows), rows)
    columns = {"when": pd.date_range("2024-03-01", periods=rows)[day], "label": [f"s{each}" for each in number]}
    table = pd.DataFrame({**columns, "number": np.arange(series * rows) / 3, "weight": (day + 1) / 7})
    mixed = table[order].sample(frac=1.0, random_state=rows)
    guess = guess_columns(mixed)
    assert guess.time == "when"
    assert (guess.layout == "wide") == (series == 1) or guess.unique_id == "label"
    if series > 1:
        # Both numbers could be the value: the first one is taken.
        assert guess.value == next(name for name in order if name in ("number", "weight"))
