"""Bodies are read in time and memory that grow as they do, and no Python objects are made of what is too large."""

import contextlib
import json
import time

import pytest

from seqcast.errors import DataError, SeqcastError
from seqcast.serve import ServerSettings
from seqcast.serve.forecast_requests import find_model, read_options, read_query
from seqcast.serve.models import ModelShelf
from seqcast.serve.request_bodies import CSV, JSON, guess_body, read_body
from seqcast.tables import Steps

LIMITS = ServerSettings(watch=0)
SHELF = ModelShelf(LIMITS, print)
HEAD = b"unique_id,ds,y\n"


def read(data, kind):
    options = read_options(read_body(data, kind, LIMITS.max_rows), [("horizon", "7")])
    return read_query(options, find_model(options, SHELF, LIMITS), LIMITS)


def seconds(data, kind):
    """CPU time of reading a body, whether it is taken or rejected."""
    best = float("inf")
    for _ in range(3):
        begun = time.process_time()
        with contextlib.suppress(SeqcastError):
            read(data, kind)
        best = min(best, time.process_time() - begun)
    return best


# What n letters of a body may be.
LONG = {
    "digits": (CSV, lambda n: HEAD + b"a,2024-01-01," + b"1" * n + b"x\n"),
    "digits and a point": (CSV, lambda n: HEAD + b"a,2024-01-01," + b"1" * n + b".x\n"),
    "signs": (CSV, lambda n: HEAD + b"a,2024-01-01," + b"-" * n + b"\n"),
    "a whole number for a time": (CSV, lambda n: HEAD + b"a," + b"1" * n + b"x,1\n"),
    "quotes": (CSV, lambda n: HEAD + b'"' * n + b"x\n"),
    "spaces before a colon": (JSON, lambda n: b'{"model"' + b" " * n + b'x"a"}'),
    "digits in JSON": (JSON, lambda n: b'{"rows": [{"y": 0.' + b"1" * n + b"}]}"),
    "backslashes": (JSON, lambda n: b'{"model": "' + b"\\" * n + b"}"),
    "open lists": (JSON, lambda n: b'{"rows": ' + b"[" * n),
}


@pytest.mark.timing
@pytest.mark.parametrize("kind", LONG)
def test_four_times_the_letters_take_about_four_times_as_long(kind):
    media_type, make = LONG[kind]
    n = 30_000
    assert seconds(make(4 * n), media_type) < 6 * seconds(make(n), media_type) + 0.05


def rows(row, count):
    return b'{"rows":[' + b",".join([row] * count) + b"]}"


# Two megabytes each, of which Python would make twenty times as much.
LARGE = {
    "lists": (JSON, b'{"rows":[' + b"[]," * 700_000 + b"[]]}"),
    "objects": (JSON, rows(b"{}", 700_000)),
    "rows of a cell": (JSON, rows(b'{"a":1}', 250_000)),
    "names that differ": (
        JSON,
        b'{"rows":[' + b",".join(b'{"a%d":1}' % n for n in range(210_000)) + b"]}",
    ),
    "names of an object": (
        JSON,
        b'{"rows":[{' + b",".join(b'"a%d":1' % n for n in range(210_000)) + b"}]}",
    ),
    "lists in lists": (JSON, b'{"rows":' + b"[" * 2_000_000),
    "cells": (JSON, b'{"rows":{"y":[' + b"1," * 2_100_000 + b"1]}}"),
    "commas": (CSV, b"," * 2_100_000),
}


@pytest.mark.parametrize("kind", LARGE)
def test_what_is_too_large_is_rejected_before_python_makes_objects_of_it(kind, memory_at_most):
    media_type, data = LARGE[kind]
    with memory_at_most(6 * len(data)), pytest.raises(SeqcastError, match="at most"):
        read_body(data, media_type, LIMITS.max_rows)


def test_marks_of_a_long_body_are_counted_too():
    objects = b"{}," * 400_000
    with pytest.raises(SeqcastError, match="at most") as caught:
        read_body(
            b'{"model": "' + b"x" * 2_000_000 + b'", "rows": [' + objects + b"{}]}", JSON, 1000
        )
    assert caught.value.received == "400,003"


def test_marks_in_text_do_not_count():
    name = '[{Smith, John}] said: "a", b\\\\ and c\\"'
    days = [f"2024-01-{day:02d}" for day in range(1, 31)]
    document = {"rows": [{"unique_id": name * 400, "ds": day, "y": 1.0} for day in days]}
    assert read_body(json.dumps(document).encode(), JSON, 30) == document


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'{"horizon": 7, "horizon": 8}', "horizon"),
        (b'{"rows": [{"unique_id": "a", "ds": "2024-01-01", "y": 1, "y": 2}]}', "y"),
        (b'{"rows": {"y": [1], "ds": [1], "y": [2]}}', "y"),
    ],
)
def test_a_name_that_an_object_has_twice_is_rejected(data, name):
    with pytest.raises(
        SeqcastError, match=f'each name of an object once, received .*"{name}"'
    ) as caught:
        read_body(data, JSON, LIMITS.max_rows)
    assert caught.value.status == 400


def test_columns_that_nobody_reads_cost_nothing():
    days = [f"2024-01-{day:02d}" for day in range(1, 31)]
    wide = [
        {"unique_id": "a", "ds": day, "y": 1.0, **{f"x{n}{day}": n for n in range(900)}}
        for day in days
    ]
    query = read(json.dumps({"rows": wide}).encode(), JSON)
    assert set(query.rows.columns) == {"unique_id", "ds", "y"}
    assert query.size == 30


# ---------------------------------------------------------------- tables whose columns are guessed


def as_json(columns):
    return JSON, json.dumps({"rows": columns}).encode()


# Each took seconds of the event loop, or gigabytes.
COSTLY = {
    "columns of a CSV": (
        CSV,
        b",".join(b"c%d" % n for n in range(999)) + b"\n" + b",".join([b"a"] * 999) + b"\n",
        "50",
    ),
    "columns of text": (*as_json({f"c{n}": ["a", "b"] for n in range(51)}), "50 columns of text"),
    "columns of numbers": (*as_json({f"c{n}": [1, 2] for n in range(2001)}), "2,000 columns"),
    "names that differ": (*as_json([{f"c{n}": 1} for n in range(2001)]), "2,000 columns"),
    "cells": (*as_json([*({f"c{n}": 1} for n in range(1000)), *[{}] * 99_000]), "2,001,000 cells"),
}


@pytest.mark.timing
@pytest.mark.parametrize("kind", COSTLY)
def test_tables_that_take_long_to_guess_are_rejected(kind):
    media_type, data, most = COSTLY[kind]
    begun = time.process_time()
    with pytest.raises(SeqcastError, match=f"at most {most}"):
        guess_body(data, media_type, Steps(), LIMITS.max_rows)
    assert time.process_time() - begun < 1


def test_a_wide_table_of_a_thousand_series_is_guessed():
    table = {"day": ["2024-01-01", "2024-01-02"], **{f"shop {n}": [n, n + 1] for n in range(999)}}
    columns, words = guess_body(
        json.dumps({"rows": table}).encode(), JSON, Steps(), LIMITS.max_rows
    )
    assert words == "time: day, a series in each column"
    assert len(columns["y"]) == 2 * 999


def test_a_guessed_table_has_a_row_for_each_cell():
    table = {"day": ["2024-01-01", "2024-01-02"], **{f"shop {n}": [n, n + 1] for n in range(60)}}
    with pytest.raises(SeqcastError, match="at most 100 rows, received 120"):
        guess_body(json.dumps({"rows": table}).encode(), JSON, Steps(), 100)


def test_long_names_of_series_are_rejected():
    rows = [{"unique_id": name, "ds": "2024-01-01", "y": 1.0} for name in ("x" * 1000, "x" * 1001)]
    with pytest.raises(
        DataError,
        match=r"rows, unique_id, row 1: .*at most 1,000 characters, received one of 1,001",
    ):
        read(json.dumps({"rows": rows}).encode(), JSON)
    assert read(json.dumps({"rows": rows[:1]}).encode(), JSON).size == 1


def test_a_long_name_of_a_guessed_column_is_rejected():
    with pytest.raises(DataError, match="names of at most 1,000 characters"):
        guess_body(
            *reversed(as_json({"day": ["2024-01-01"], "x" * 1001: [1]})), Steps(), LIMITS.max_rows
        )


# ---------------------------------------------------------------- the size of an answer


def test_an_answer_that_would_be_too_long_is_rejected_before_it_is_made():
    days = [f"2024-01-{day:02d}" for day in range(1, 31)]
    rows = [
        {"unique_id": f"{n}" + "ü" * 900, "ds": day, "y": 1.0} for n in range(20) for day in days
    ]
    data = json.dumps({"rows": rows}).encode()
    options = read_options(read_body(data, JSON, LIMITS.max_rows), [("horizon", "1000")])
    with pytest.raises(SeqcastError, match="an answer of at most 33,554,432 bytes"):
        read_query(options, find_model(options, SHELF, LIMITS), LIMITS)
    assert read(data, JSON).answer_bytes < LIMITS.max_answer
