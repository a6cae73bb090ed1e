"""Series in files give what they give in memory, and no more of them is in memory than is allowed."""

import pickle
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.data.series.store import ArrayCache, InMemoryStore, ShardedStore, starts_of

series_of = st.dictionaries(
    st.text("abcxyz", min_size=1, max_size=3),
    st.lists(st.floats(-9, 9), max_size=6).map(np.array),
    min_size=1,
)
few = settings(max_examples=60, deadline=None)


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


def stores(folder: Path, lengths, width=1, most_bytes=200):
    """Return a store in files and one in memory of the same series; `lengths` are those of each shard's series."""
    ends = np.cumsum(np.concatenate(lengths))
    shard_ends = np.cumsum([sum(shard) for shard in lengths])
    values = np.random.default_rng(0).normal(size=(shard_ends[-1], width))
    paths = tuple(folder / f"{number}.npy" for number in range(len(lengths)))
    for path, own in zip(paths, np.split(values, shard_ends[:-1]), strict=True):
        np.save(path, own)
    ids = tuple(range(len(ends)))
    store = ShardedStore(
        ids, ends, paths, shard_ends, starts_of(ends), width, ArrayCache(most_bytes)
    )
    return store, InMemoryStore(ids, ends, values)


shapes = st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), min_size=1, max_size=4)


@few
@given(shapes, st.integers(1, 2), st.data())
def test_rows_are_those_of_a_store_in_memory(tmp_path_factory, lengths, width, data):
    store, whole = stores(tmp_path_factory.mktemp("shards"), lengths, width)
    number = st.integers(0, len(whole.values) - 1)
    rows = np.array(data.draw(st.lists(number, min_size=1, max_size=12)))
    np.testing.assert_array_equal(store.read(rows), whole.read(rows))
    np.testing.assert_array_equal(store.read(rows[:, None]), whole.read(rows[:, None]))
    np.testing.assert_array_equal(store.lengths, whole.lengths)
    assert store.runs.tolist() == [0, *np.cumsum([len(shard) for shard in lengths])]
    again = pickle.loads(pickle.dumps(store))  # another process reads for itself
    assert len(again.cache) == 0
    np.testing.assert_array_equal(again.read(rows), whole.read(rows))
    chosen = np.array(data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=6)))
    some = store.take(chosen)
    few_in_memory = whole.take(chosen)
    assert some.ids == few_in_memory.ids
    every = np.arange(int(some.lengths.sum()))
    np.testing.assert_array_equal(some.read(every), few_in_memory.read(every))
    batches = list(some.batches())
    np.testing.assert_array_equal(
        np.concatenate([series for series, _ in batches]), np.arange(len(chosen))
    )
    np.testing.assert_array_equal(
        np.concatenate([values for _, values in batches]), few_in_memory.values
    )


def test_runs_of_chosen_series(tmp_path):
    store, _ = stores(tmp_path, [[1, 2], [3], [1, 1, 1]])
    assert store.take(np.array([5, 0, 1])).runs.tolist() == [0, 1, 3]


def test_memory_is_kept_to(tmp_path):
    store, whole = stores(tmp_path, [[10]] * 8, most_bytes=3 * 80)
    for row in range(0, 80, 10):
        store.read(np.array([row]))
        assert len(store.cache) <= 3
    np.testing.assert_array_equal(store.read(np.arange(80)), whole.values)
    assert len(store.cache) == 3
