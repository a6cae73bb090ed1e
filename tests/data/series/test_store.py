"""A source gives back the series that it was made of."""

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.data.series.store import InMemoryStore

series_of = st.dictionaries(
    st.text("abcxyz", min_size=1, max_size=3),
    st.lists(st.floats(-9, 9), max_size=6).map(np.array),
    min_size=1,
)
few = settings(max_examples=50, deadline=None)


@few
@given(series_of)
def test_series_in_the_order_of_their_ids(series):
    source = InMemoryStore.of(series)
    assert source.ids == tuple(sorted(series))
    assert len(source) == len(series)
    for i, name in enumerate(source.ids):
        assert source.lengths[i] == len(series[name])
        np.testing.assert_array_equal(source.read(i, 0, len(series[name])), series[name])
        first = source.starts[i]
        np.testing.assert_array_equal(source.values[first : source.ends[i]], series[name])


@few
@given(series_of)
def test_the_order_of_the_dict_does_not_matter(series):
    source, turned = InMemoryStore.of(series), InMemoryStore.of(dict(reversed(series.items())))
    assert source.ids == turned.ids
    np.testing.assert_array_equal(source.values, turned.values)
    np.testing.assert_array_equal(source.ends, turned.ends)


@few
@given(series_of, st.data())
def test_read_is_a_slice(series, data):
    source = InMemoryStore.of(series)
    i = data.draw(st.integers(0, len(source) - 1))
    start = data.draw(st.integers(0, int(source.lengths[i])))
    stop = data.draw(st.integers(start, int(source.lengths[i])))
    np.testing.assert_array_equal(source.read(i, start, stop), series[source.ids[i]][start:stop])


@few
@given(series_of, st.data())
def test_until_cuts_each_series(series, data):
    source = InMemoryStore.of(series)
    stops = np.array([data.draw(st.integers(0, int(length))) for length in source.lengths])
    cut = source.until(stops)
    assert cut.ids == source.ids
    np.testing.assert_array_equal(cut.lengths, stops)
    for i, name in enumerate(cut.ids):
        np.testing.assert_array_equal(cut.read(i, 0, int(stops[i])), series[name][: stops[i]])


def test_ids_may_be_numbers():
    source = InMemoryStore.of({10: np.zeros(2), 9: np.ones(1)})
    assert source.ids == (9, 10)
    np.testing.assert_array_equal(source.values, [1, 0, 0])


def test_frozen_and_picklable():
    source = InMemoryStore.of({"a": np.arange(3.0)})
    with pytest.raises(dataclasses.FrozenInstanceError):
        source.ids = ("b",)
    arrived = pickle.loads(pickle.dumps(source))
    assert arrived.ids == source.ids
    np.testing.assert_array_equal(arrived.values, source.values)
