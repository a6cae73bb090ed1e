"""How many cores a process may use, and calls that share them."""

import os

import pytest

from seqcast.runtime.threads import in_threads, threads


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SEQCAST_THREADS": "3"}, 3),
        ({"SEQCAST_THREADS": "0"}, 1),
        ({"OMP_NUM_THREADS": "1"}, 1),
        ({"OMP_NUM_THREADS": "1,4"}, 1),
        ({"SEQCAST_THREADS": "2", "OMP_NUM_THREADS": "1"}, 2),
        ({"OMP_NUM_THREADS": "auto"}, None),
        ({"OMP_NUM_THREADS": "9999"}, None),
        ({}, None),
    ],
)
def test_how_many_threads(monkeypatch, variables, expected):
    for name in ("SEQCAST_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert threads() == (cores if expected is None else expected)


def test_threads_are_at_least_one(monkeypatch):
    monkeypatch.setenv("SEQCAST_THREADS", "-4")
    assert threads() == 1
    monkeypatch.delenv("SEQCAST_THREADS")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert 1 <= threads() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_results_come_in_the_order_of_the_items(count):
    assert in_threads(lambda item: item * item, range(7), count) == [0, 1, 4, 9, 16, 25, 36]


def test_an_error_comes_out_as_itself():
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda item: 1 / item, [1, 0, 2], 2)
