"""How time is shared."""

import time

import pytest

from seqcast.training.deadline import Deadline
from seqcast.tune.clock import Clock


def clock(left, whole=100.0, **changes):
    now = time.time()
    usual = {"workers": 2, "members": 5, "compared": False}
    return Clock(Deadline(now + left - whole, now + left), **{**usual, **changes})


def test_the_search_gets_half_at_least_and_leaves_what_the_fit_needs():
    watch = clock(100.0)
    began = watch.deadline.began
    assert watch.search_ends([]) - began == pytest.approx(47.0)
    assert watch.search_ends([500.0]) - began == pytest.approx(47.0)
    assert 47.0 < watch.search_ends([10.0]) - began < 97.0
    assert watch.search_ends([1.0]) > watch.search_ends([10.0])


def test_trials_that_would_not_be_done_are_not_started():
    assert clock(100.0).fits_another([20.0])
    assert not clock(60.0).fits_another([20.0])
    assert Clock(None, 1, 5, compared=True).fits_another([1e9])


def test_the_fit_has_as_many_networks_as_there_is_time_for():
    watch = clock(100.0)
    counts = [watch.affordable(10.0, left) for left in (1.0, 12.0, 20.0, 200.0)]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[-1] == 5
    assert Clock(None, 2, 3, compared=True).affordable(1e9) == 3


def test_a_fine_tuning_takes_time_too():
    assert clock(100.0, compared=True).final_seconds(10.0, 3) > clock(100.0).final_seconds(10.0, 3)
