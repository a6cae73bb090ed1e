"""What holds for every table: columns have one role each, what is left out is said, and no number or time is another.

A table is drawn with its truth: days, series, columns of numbers, and how a person writes them.
What is read has to be the truth of its column, or a question.
"""

import math
import os
import re
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.errors import DataError, SpecError
from seqcast.tables.layouts import joined_parts
from seqcast.tables.open_table import OpenTable

COUNT = int(os.environ.get("SEQCAST_FUZZ_READ", "60"))

# How days are written; a month apart where the day is not.
DAILY = [
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d/%m/%y",
    "%y/%m/%d",
    "%Y%m%d",
    "%d%m%Y",
    "%y%m%d",
    "%Y%j",
]
DAILY += ["%d-%b-%y", "%d %B %Y", "%Y/%m/%d", "%d-%m-%Y", "%Y-%m-%d 00:00"]
MONTHLY = ["%Y-%m", "%b-%y", "%Y%m", "%m/%Y", "%B %Y"]
# Marks of numbers: the separator of columns, the decimal mark, and the one between thousands.
MARKS = [
    (",", ".", ""),
    (";", ",", "."),
    (";", ",", ""),
    ("\t", ".", ","),
    ("\t", ",", " "),
    (";", ".", "'"),
]
MARKS += [("|", ".", ","), (",", ".", " ")]
VALUES = {
    "sales": lambda random, rows: np.round(random.gamma(2.0, 40.0, rows), 2),
    "visitors": lambda random, rows: random.integers(0, 5_000, rows),
    "weight": lambda random, rows: np.round(random.normal(1.5, 0.4, rows), 3),
    "revenue": lambda random, rows: np.round(random.normal(40_000, 9_000, rows), 2),
    "total_cases": lambda random, rows: np.cumsum(random.integers(0, 50, rows)),
    "number": lambda random, rows: np.arange(1, rows + 1),
    "open": lambda random, rows: random.integers(0, 2, rows),
    "price": lambda random, rows: np.round(random.choice([1.99, 2.49, 3.125], rows), 3),
    "temp": lambda random, rows: np.round(random.normal(4, 6, rows), 1),
    "q1": lambda random, rows: random.integers(90, 110, rows) * 1000,
}
WORDS = {
    "state": ("open", "closed", "sale"),
    "note": ("", "", "new"),
    "code": ("A1", "B2"),
    "empty": ("",),
}


@dataclass(frozen=True)
class Drawn:
    """A table that was drawn: its text, its times by the text of their cells, and its numbers by column and row."""

    text: str
    style: str
    times: list[date]
    names: list[str]
    numbers: dict[str, np.ndarray]


def written(number, decimals, decimal, thousands):
    """Return a number as a person writes it."""
    text = (
        f"{abs(number):,.{decimals}f}".replace(",", "\0")
        .replace(".", decimal)
        .replace("\0", thousands)
    )
    return f"-{text}" if number < 0 else text


def decimals_of(values):
    """Return the number of decimals that numbers have, at most three."""
    return next(places for places in range(4) if (np.round(values, places) == values).all())


@st.composite
def tables(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sep, decimal, thousands = draw(st.sampled_from(MARKS))
    monthly = draw(st.booleans())
    style = draw(st.sampled_from(MONTHLY if monthly else DAILY))
    steps = draw(st.integers(12, 40))
    series = draw(st.integers(1, 3))
    first = date(2019, 1, 1) + timedelta(draw(st.integers(0, 1500)))
    if monthly:
        times = [
            (pd.Timestamp(first).replace(day=1) + pd.DateOffset(months=step)).date()
            for step in range(steps)
        ]
    else:
        times = [
            first + timedelta(step * draw(st.sampled_from([1, 7]), label="step"))
            for step in range(steps)
        ]
        times = sorted(set(times))
    rows = [(name, time) for name in "xyz"[:series] for time in times]
    chosen = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3, unique=True))
    words = draw(st.lists(st.sampled_from(sorted(WORDS)), max_size=2, unique=True))
    numbers = {name: VALUES[name](random, len(rows)).astype("float") for name in chosen}
    decimals = {name: decimals_of(values) for name, values in numbers.items()}
    columns = {"date": [time.strftime(style) for _, time in rows]}
    if series > 1:
        columns["shop"] = [name for name, _ in rows]
    columns |= {
        n: [written(v, decimals[n], decimal, thousands) for v in numbers[n]] for n in chosen
    }
    columns |= {name: [str(random.choice(WORDS[name])) for _ in rows] for name in words}
    names = draw(st.permutations(list(columns)))
    quoted = {
        name: [f'"{cell}"' if sep in cell else cell for cell in cells]
        for name, cells in columns.items()
    }
    lines = [
        sep.join(names),
        *(sep.join(cells) for cells in zip(*(quoted[name] for name in names), strict=True)),
    ]
    return Drawn("\n".join(lines) + "\n", style, [time for _, time in rows], names, numbers)


@settings(max_examples=COUNT, deadline=None)
@given(tables())
def test_what_is_read_is_what_was_written_or_a_question(tmp_path_factory, drawn):
    path = tmp_path_factory.mktemp("drawn") / "a.csv"
    path.write_text(drawn.text, encoding="utf-8")
    try:
        read = OpenTable.of(path, None).guessed()
    except (DataError, SpecError):
        return  # a question

    frame = read.with_ids()
    columns = read.columns
    guess = read.guess
    said = read.understood
    roles = {
        "time": joined_parts(drawn.names, guess.time),
        "series": joined_parts(drawn.names, guess.unique_id),
        "value": [guess.value] if guess.layout == "long" else [],
        "covariate": [*guess.static, *guess.future, *guess.past],
        "left out": guess.left_out,
    }
    if guess.layout == "wide":
        roles["value"] = [str(name) for name in frame[columns.unique_id].unique()]
    used = [name for names in roles.values() for name in names]
    assert sorted(used) == sorted(drawn.names)
    assert all(repr(name) in said for name in guess.left_out)

    stamps = frame[columns.ds]
    if stamps.dtype.kind == "i":  # frames read such days by themselves
        stamps = pd.to_datetime(stamps.astype("str"), format=drawn.style)
    truth = {}
    for name, values in drawn.numbers.items():
        for row, (time, value) in enumerate(zip(drawn.times, values, strict=True)):
            truth[name, row] = (pd.Timestamp(time), value)
    ids = frame[columns.unique_id].astype("str")
    for place, (stamp, value, row) in enumerate(
        zip(stamps, frame[columns.value], frame.index, strict=True)
    ):
        name = ids.iloc[place] if guess.layout == "wide" else guess.value
        if isinstance(value, float) and math.isnan(value):
            continue
        time, number = truth[name, int(row)]
        assert math.isclose(value, number, rel_tol=1e-9, abs_tol=1e-9), (name, row, value, number)
        assert stamp == time, (name, row, stamp, time)
    assert len(frame) == len(drawn.times) * max(
        1, len(roles["value"]) if guess.layout == "wide" else 1
    ) or re.search(r"without \d+ rows?", said)
