"""Bodies are read in time and memory that grow as they do, and no Python objects are made of what is too large."""

import contextlib
import json
import time

import pytest

from seqcast.errors import SeqcastError
from seqcast.serve import ServerSettings
from seqcast.serve.forecast_requests import find_model, read_options, read_query
from seqcast.serve.models import ModelShelf
from seqcast.serve.request_bodies import CSV, JSON, read_body

LIMITS = ServerSettings(watch=0)
SHELF = ModelShelf(LIMITS, print)
HEAD = b"unique_id,ds,y\n"


def read(data, kind):
    options = read_options(read_body(data, kind, LIMITS.max_rows), [("horizon", "7")])
    return read_query(options, find_model(options, SHELF, LIMITS), LIMITS)


def seconds(data, kind):
    """CPU time of reading a body, whether it is taken or refused."""
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
    "names that differ": (JSON, b'{"rows":[' + b",".join(b'{"a%d":1}' % n for n in range(210_000)) + b"]}"),
    "lists in lists": (JSON, b'{"rows":' + b"[" * 2_000_000),
    "cells": (JSON, b'{"rows":{"y":[' + b"1," * 2_100_000 + b"1]}}"),
    "commas": (CSV, b"," * 2_100_000),
}


@pytest.mark.parametrize("kind", LARGE)
def test_what_is_too_large_is_refused_before_python_makes_objects_of_it(kind, memory_at_most):
    media_type, data = LARGE[kind]
    with memory_at_most(6 * len(data)), pytest.raises(SeqcastError, match="at most"):
        read_body(data, media_type, LIMITS.max_rows)


def test_marks_in_text_do_not_count():
    name = '[{Smith, John}] said: "a", b\\\\ and c\\"'
    days = [f"2024-01-{day:02d}" for day in range(1, 31)]
    document = {"rows": [{"unique_id": name * 400, "ds": day, "y": 1.0} for day in days]}
    assert read_body(json.dumps(document).encode(), JSON, 30) == document


def test_columns_that_nobody_reads_cost_nothing():
    days = [f"2024-01-{day:02d}" for day in range(1, 31)]
    wide = [{"unique_id": "a", "ds": day, "y": 1.0, **{f"x{n}{day}": n for n in range(900)}} for day in days]
    query = read(json.dumps({"rows": wide}).encode(), JSON)
    assert set(query.rows.columns) == {"unique_id", "ds", "y"}
    assert query.size == 30
