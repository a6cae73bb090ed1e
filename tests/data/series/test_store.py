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
        np.testing.assert_array_equal(source.series(i), series[name])
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
def test_rows_are_read_by_their_numbers(series, data):
    store = InMemoryStore.of(series)
    rows = np.array(data.draw(st.lists(st.integers(0, max(0, len(store.values) - 1)), max_size=9)), dtype=int)
    if len(store.values):
        np.testing.assert_array_equal(store.read(rows), store.values[rows])
        np.testing.assert_array_equal(store.read(rows[:, None]), store.values[rows][:, None])


@few
@given(series_of, st.data())
def test_some_of_the_series(series, data):
    store = InMemoryStore.of(series)
    chosen = np.array(data.draw(st.lists(st.integers(0, len(store) - 1), min_size=1, max_size=6)))
    some = store.take(chosen)
    assert some.ids == tuple(store.ids[number] for number in chosen)
    for place, number in enumerate(chosen):
        np.testing.assert_array_equal(some.series(place), store.series(number))


@few
@given(series_of)
def test_batches_are_all_series_whole(series):
    store = InMemoryStore.of(series)
    numbers, rows = zip(*store.batches(), strict=True)
    np.testing.assert_array_equal(np.concatenate(numbers), np.arange(len(store)))
    np.testing.assert_array_equal(np.concatenate(rows), store.values)


@few
@given(series_of, st.data())
def test_until_cuts_each_series(series, data):
    source = InMemoryStore.of(series)
    stops = np.array([data.draw(st.integers(0, int(length))) for length in source.lengths])
    cut = source.until(stops)
    assert cut.ids == source.ids
    np.testing.assert_array_equal(cut.lengths, stops)
    for i, name in enumerate(cut.ids):
        np.testing.assert_array_equal(cut.series(i), series[name][: stops[i]])


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
