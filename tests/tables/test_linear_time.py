"""What anybody may put into a text file is read or rejected in time that grows linearly with its size."""

import contextlib
import time
from functools import partial

import pandas as pd
import pytest

from seqcast.data.frames.forms import form_of
from seqcast.data.frames.frequency import resolve
from seqcast.errors import SeqcastError, SpecError, suggest_name
from seqcast.specs.columns import Columns
from seqcast.tables.guess import guess_columns
from seqcast.tables.open_table import read_raw, read_table

# Four times the text may take six times the time; times below this one are noise.
GROWTH = 6.0
NOISE = 0.02

HEADER = "unique_id,ds,y\na,2024-01-01,1\n"
LONG = 100_000
STARTS = ("1", "1h", "1 ", ".", "a")


def row(cell):
    return f"{HEADER}a,2024-01-02,{cell}\n"


def times(cell):
    return f"unique_id,ds,y\na,01.02.2024,1\na,{cell},2\n"


def wide(columns, cell, sep=","):
    names = sep.join(f"c{number}" for number in range(columns))
    return f"ds{sep}{names}\n" + 3 * (f"2024-01-01{sep}" + sep.join([cell] * columns) + "\n")


TEXTS = {
    "a cell of digits": (lambda n: row("1" * n), LONG),
    "an exponent": (lambda n: row("1e" + "9" * n), LONG),
    "thousands": (lambda n: row("1" + ".234" * (n // 4)).replace(",", ";"), LONG),
    "signs": (lambda n: row("-" * n), LONG),
    "quotes in a cell": (lambda n: row('"' * 2 * n), LONG),
    "an open quote": (lambda n: row('"' * (2 * n + 1)), LONG),
    "a time of digits": (lambda n: times("1" * n), LONG),
    "a time of spaces": (lambda n: times("01.02.2024" + " " * n + "x"), LONG),
    "a time of months": (lambda n: times("jan " * (n // 4)), LONG),
    "a time of parts of a second": (lambda n: times("2024-01-01T00:00:00." + "0" * n), LONG),
    "a name": (lambda n: f"unique_id,ds,y,{'a' * n}\na,2024-01-01,2,3\n", LONG // 4),
    "empty lines before": (lambda n: "\n" * n + HEADER, 4 * LONG),
    "nothing but quotes": (lambda n: '"' * n, 4 * LONG),
    "zeros": (lambda n: HEADER + "\0" * n, 4 * LONG),
    "a line of commas": (lambda n: "," * n, LONG),
    # The names that pandas itself makes for columns without any take time that grows with the
    # square of their number.
    "marks of all kinds": (lambda n: ";|\t," * n, 400),
    "columns": (lambda n: wide(n, "1"), 500),
    "columns with commas": (lambda n: wide(n, "1 234,5", ";"), 100),
    "rows": (lambda n: HEADER + "a,2024-01-02,1\n" * n, 10_000),
}


def growth(call, small, large):
    """Return how much longer a call takes, in CPU time; the best of several where it is too long."""

    def seconds(argument):
        start = time.process_time()
        with contextlib.suppress(SeqcastError):
            call(argument)
        return time.process_time() - start

    longest = seconds(large)
    shortest = NOISE
    if longest > GROWTH * NOISE:
        shortest = max(NOISE, min(seconds(small) for _ in range(3)))
    for _ in range(5):  # what else runs on the machine slows either
        if longest <= GROWTH * shortest:
            break
        shortest = max(NOISE, min(shortest, seconds(small)))
        longest = min(longest, seconds(large))
    return longest / shortest


@pytest.mark.timing
@pytest.mark.parametrize("name", TEXTS)
def test_text_of_any_kind_is_read_or_rejected_in_linear_time(tmp_path, name):
    make, size = TEXTS[name]
    paths = []
    for factor in (1, 4):
        paths.append(tmp_path / f"{factor}.csv")
        paths[-1].write_text(make(factor * size), newline="")

    assert growth(lambda path: read_table(path, Columns()), *paths) < GROWTH
    if not any(
        word in name for word in ("columns", "a line", "marks")
    ):  # each column is looked at by itself
        assert growth(lambda path: guess_columns(read_raw(path).frame), *paths) < GROWTH


def test_a_dialect_is_found_where_the_sample_ends_within_a_line(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text(
        "ds;value;text\n" + "".join(f"2024-01-01;1,5;{'x y' * 100}\n" for _ in range(1_000))
    )
    frame = read_raw(path).frame
    assert list(frame.columns) == ["ds", "value", "text"]
    assert frame["value"].eq(1.5).all()
    path.write_text(
        ";".join(f"column {number:40}" for number in range(2_000)) + "\n" + ";".join("1" * 2_000)
    )
    assert read_raw(path).frame.shape == (1, 2_000)


def letters(n):
    return "".join(chr(0x4E00 + number * number % 2_003) for number in range(n))


def frame(n):
    return pd.DataFrame([range(n)], columns=[f"unique name {number}" for number in range(n)])


DAYS = pd.date_range("2024-01-01", periods=3)
CALLS = {
    **{
        f"frequency of {text!r}": partial(lambda text, n: resolve(text * n + "!", DAYS), text)
        for text in STARTS
    },
    "suggested names": lambda n: suggest_name(letters(n), [letters(n)[::-1]]),
    "columns of numbers": lambda n: guess_columns(frame(n // 8)),
    "names of a frame": lambda n: form_of(frame(n // 4), Columns()),
}


@pytest.mark.timing
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_names_and_frequencies_are_compared_in_linear_time(call):
    assert growth(call, 2_000, 8_000) < GROWTH


@pytest.mark.parametrize("text", [*(text * 10_000 for text in STARTS), "9" * 17 + "mo"])
def test_long_frequencies_are_rejected(text):
    with pytest.raises(SpecError, match=r"^freq: expected"):
        resolve(text, DAYS)
