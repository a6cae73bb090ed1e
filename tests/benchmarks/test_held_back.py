"""Windows by which the pretrained network is chosen end before test parts, and count as the module says."""

import numpy as np
import pytest
from held_back import SOURCES, Source, halves, number, weights

VALUES = np.random.default_rng(0).normal(size=100)


def made_up(name, *, hourly, kept=-10, windows=2):
    return Source(name, lambda folder: [VALUES, VALUES[:60]], kept, windows, 5, 7, "D", hourly=hourly)


def test_windows_end_before_what_may_not_be_seen():
    latest, before = made_up("one", hourly=False).tasks(None)
    np.testing.assert_array_equal(latest.truth[0], VALUES[85:90])
    np.testing.assert_array_equal(before.truth[0], VALUES[80:85])
    np.testing.assert_array_equal(latest.truth[1], VALUES[45:50])
    np.testing.assert_array_equal(made_up("one", hourly=False, kept=40).tasks(None)[0].truth[0], VALUES[35:40])


def test_halves_and_sources_count_alike():
    counts = weights()
    assert sum(counts.values()) == pytest.approx(1)
    for tasks in halves(SOURCES).values():
        assert sum(counts[task] for task in tasks) == pytest.approx(0.5)
        by_source = {}
        for task in tasks:
            by_source.setdefault(SOURCES[task].name, []).append(counts[task])
        assert all(len(set(each)) == 1 for each in by_source.values())
        whole = {name: sum(each) for name, each in by_source.items()}
        assert whole.pop("ETT") == pytest.approx(1 / 18)
        np.testing.assert_allclose(list(whole.values()), 1 / 9)


def test_the_number_is_a_geometric_mean():
    naive = {"a": (2.0, 1.0), "b": (1.0, 1.0)}
    found = {"a": (1.0, 1.0), "b": (1.0, 2.0)}
    assert number(found, naive, {"a": 0.5, "b": 0.5}) == pytest.approx(1)
    assert number(found, naive, {"a": 3.0, "b": 1.0}) == pytest.approx(2 ** (-3 / 8 + 1 / 8))
    assert number({"a": (1.0, 1.0)}, naive, {"a": 0.2, "b": 0.8}) == pytest.approx(2**-0.5)
