"""Each window once a pass, in an order that depends on seed and epoch alone, in batches of one shape."""

import itertools
import random
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seqcast.data.series.scalers import SeriesScaler
from seqcast.data.series.store import InMemoryStore
from seqcast.data.windows.batches import ArrayWindows
from seqcast.data.windows.gaps import fill_gaps
from seqcast.data.windows.reader import SeriesWindows, WindowReader


def series_windows(
    store, *, context_length, horizon, targets=1, future=0, static=None, observed=False, **options
):
    """Windows of unscaled series, whose first columns are targets and whose last ones are known for the future."""
    values = np.atleast_2d(store.values.T).T
    unscaled = SeriesScaler(np.zeros((len(store), targets)), np.ones((len(store), targets)))
    others = values[:, targets:].astype(np.float32)
    features = InMemoryStore(store.ids, store.ends, others) if others.size else None
    kinds = {
        "context_length": context_length,
        "future": future,
        "static": static,
        "observed": observed,
    }
    reader = WindowReader(
        InMemoryStore(store.ids, store.ends, values[:, :targets]), features, unscaled, **kinds
    )
    return SeriesWindows(reader, horizon, **options)


few = settings(max_examples=60, deadline=None)
counts = st.integers(1, 40)
sizes = st.integers(1, 12)
seeds = st.none() | st.integers(0, 2**32)


def numbered(count, **options):
    """Windows of which each value is their own number, which their weight tells as well."""
    number = np.arange(count, dtype=float)
    inputs = {"past": np.tile(number[:, None, None], (1, 5, 2)), "static": number[:, None]}
    return ArrayWindows(inputs, np.tile(number[:, None, None], (1, 3, 1)), number + 1, **options)


def chosen(batch):
    """Return the numbers of the windows that count in a batch."""
    inputs, y, weight = batch
    number = inputs["past"][:, 0, 0]
    for values in (*inputs.values(), y):
        np.testing.assert_array_equal(values.T, np.broadcast_to(number, values.T.shape))
    real = weight > 0
    np.testing.assert_array_equal(weight[real], number[real] + 1)
    return number[real].astype(int).tolist()


def read(windows, epochs):
    """Read epoch after epoch, as Keras does."""
    batches = []
    for _ in range(epochs):
        batches += [chosen(windows[i]) for i in range(len(windows))]
        windows.on_epoch_end()
    return batches


# ---------------------------------------------------------------- batches and passes


@few
@given(counts, sizes, seeds, st.integers(1, 9))
def test_passes_follow_one_another_whatever_the_steps(count, batch_size, seed, steps):
    windows = numbered(count, batch_size=batch_size, seed=seed, steps=steps)
    assert len(windows) == steps
    per_pass = windows.order.batches_per_pass
    batches = read(windows, 2 * per_pass)
    for start in range(0, len(batches), per_pass):
        assert sorted(itertools.chain.from_iterable(batches[start : start + per_pass])) == list(
            range(count)
        )
    assert batches[:per_pass] == read(numbered(count, batch_size=batch_size, seed=seed), 1)


@few
@given(counts, sizes, seeds)
def test_batches_have_one_shape_and_nearly_one_size(count, batch_size, seed):
    windows = numbered(count, batch_size=batch_size, seed=seed)
    assert (
        windows.order.batch_size & (windows.order.batch_size - 1) == 0
    ) or windows.order.batch_size % 8 == 0
    assert windows.order.batch_size < 2 * batch_size
    assert len(windows) == -(-count // batch_size)
    counting = []
    for i in range(len(windows)):
        inputs, y, weight = windows[i]
        assert (
            len(inputs["past"])
            == len(inputs["static"])
            == len(y)
            == len(weight)
            == windows.order.batch_size
        )
        assert inputs["past"].dtype == y.dtype == weight.dtype == np.float32
        counting.append(int((weight > 0).sum()))
        assert (weight > 0).argmin() in (0, counting[-1])  # what does not count comes last
    assert max(counting) <= min(batch_size, windows.order.batch_size)
    assert max(counting) - min(counting) <= 1


def test_order_depends_on_nothing_else():
    first = read(numbered(50, batch_size=8, seed=1), 2)
    windows = numbered(50, batch_size=8, seed=1)
    keras.utils.set_random_seed(7)  # those of Python and NumPy too
    before = random.getstate(), np.random.get_state()[1].tolist()
    backwards = [chosen(windows[i]) for i in (6, 2, 2, 0, 5, 1, 4, 3)]
    assert [backwards[place] for place in (3, 5, 1, 7, 6, 4, 0)] == first[:7]
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


# ---------------------------------------------------------------- windows given as arrays


def test_teaching_shows_the_target_and_no_gap():
    inputs = {"past": np.ones((7, 5, 2))}
    y = np.ones((7, 4, 2))
    y[2, 1, 0] = np.nan
    teacher_forcing, y_batch, _ = ArrayWindows(inputs, y, batch_size=9, teacher_forcing=True)[0]
    np.testing.assert_array_equal(teacher_forcing["target"], np.nan_to_num(y_batch))
    assert np.isnan(y_batch[2, 1, 0])
    assert "target" not in ArrayWindows(inputs, y, batch_size=9)[0][0]


# ---------------------------------------------------------------- windows that slide along series

lengths_of = st.lists(st.integers(0, 14), min_size=1, max_size=5)


def source_of(lengths):
    """Series whose values tell series and position: 100 times the one plus the other."""
    return InMemoryStore.of(
        {f"s{i}": 100.0 * i + np.arange(length) for i, length in enumerate(lengths)}
    )


def windows_by_loop(source, context_length, horizon, first_target):
    found = []
    for i, length in enumerate(source.lengths):
        values = source.series(i).tolist()
        for cut in range(context_length, length - horizon + 1):  # targets start at `cut`
            if first_target is None or cut >= first_target[i]:
                found.append(values[cut - context_length : cut + horizon])
    return found


def windows_of(windows):
    found = []
    for i in range(len(windows)):
        inputs, y, weight = windows[i]
        assert list(inputs) == ["past"]
        assert set(weight.tolist()) <= {0.0, 1.0}
        found += np.concatenate([inputs["past"], y], axis=1)[weight > 0, :, 0].tolist()
    return found


@few
@given(lengths_of, st.integers(1, 4), st.integers(1, 4), st.booleans(), st.data())
def test_series_windows_equal_a_plain_loop(lengths, context_length, horizon, limited, data):
    source = source_of(lengths)
    first_target = np.array([data.draw(st.integers(0, 16)) for _ in lengths]) if limited else None
    options = {"context_length": context_length, "horizon": horizon, "first_target": first_target}
    expected = windows_by_loop(source, **options)
    windows = series_windows(source, batch_size=4, **options)
    assert windows.count == len(expected)
    assert windows_of(windows) == expected
    assert sorted(windows_of(series_windows(source, batch_size=4, seed=2, **options))) == sorted(
        expected
    )


# ---------------------------------------------------------------- gaps


GAPPY = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=5),
    elements=st.floats(-9, 9, width=32) | st.just(np.nan),
)


@few
@given(GAPPY)
def test_gaps_take_the_value_before(past):
    filled, seen = fill_gaps(past.copy())
    for window, own in zip(filled, past, strict=True):
        np.testing.assert_array_equal(window, pd.DataFrame(own).ffill().fillna(0.0))
    np.testing.assert_array_equal(seen, ~np.isnan(past))
    assert filled.dtype == seen.dtype == past.dtype
    np.testing.assert_array_equal(fill_gaps(past)[0], filled)


def test_contexts_of_short_series_begin_before_their_first_row():
    source = InMemoryStore.of({"a": np.array([1.0, 2.0, 3.0]), "b": np.arange(10.0, 20.0)})
    windows = series_windows(source, context_length=3, horizon=1, batch_size=50, observed=True)
    inputs, y, _ = windows[0]
    assert windows.count == 2 + 7
    np.testing.assert_array_equal(inputs["past"][:2, :, 0], [[0, 0, 1], [0, 1, 2]])
    np.testing.assert_array_equal(inputs["observed"][:2, :, 0], [[0, 0, 1], [0, 1, 1]])
    np.testing.assert_array_equal(y[:3].ravel(), [2, 3, 13])


def test_windows_without_a_known_target_are_left_out():
    y = np.arange(12.0)
    y[5:8] = np.nan
    windows = series_windows(
        InMemoryStore.of({"a": y}), context_length=2, horizon=2, batch_size=50, observed=True
    )
    _, targets, _ = windows[0]
    assert not np.isnan(targets).all(axis=1).any()
    assert windows.count == 9 - 2


def test_columns_of_windows():
    values = np.arange(40.0).reshape(10, 4)
    values[6, 3] = np.nan
    source = InMemoryStore(("a",), np.array([10]), values)
    static = np.array([[5.0]])
    options = {"targets": 2, "future": 1, "static": static, "observed": True}
    inputs, y, _ = series_windows(source, context_length=3, horizon=4, batch_size=1, **options)[0]
    np.testing.assert_array_equal(inputs["past"][0], values[:3])
    np.testing.assert_array_equal(y[0], values[3:7, :2])
    np.testing.assert_array_equal(inputs["future"][0, :, 0], [15, 19, 23, 23])
    np.testing.assert_array_equal(inputs["static"], static)


def test_what_decoders_are_taught_has_the_value_before_in_gaps():
    y = np.arange(1.0, 9.0)
    y[[3, 4, 6]] = np.nan
    options = {
        "context_length": 3,
        "horizon": 4,
        "batch_size": 1,
        "observed": True,
        "teacher_forcing": True,
    }
    inputs, y, _ = series_windows(InMemoryStore.of({"a": y}), **options)[0]
    np.testing.assert_array_equal(y.ravel(), [np.nan, np.nan, 6, np.nan])
    np.testing.assert_array_equal(inputs["target"].ravel(), [3, 3, 6, 6])


def test_series_of_equal_weight():
    source = source_of([20, 8, 2])
    windows = series_windows(source, context_length=3, horizon=2, batch_size=50, weighting="series")
    inputs, _, weight = windows[0]
    first = inputs["past"][:, 0, 0] < 100
    assert weight[weight > 0].mean() == pytest.approx(1)
    assert weight[first].sum() == pytest.approx(weight[~first].sum())


# ---------------------------------------------------------------- names


def test_windows_of_series_are_called_by_series_and_rows():
    store = InMemoryStore.of({"a": np.arange(6.0)[:, None], "b": np.arange(4.0)[:, None]})
    windows = series_windows(store, context_length=2, horizon=1, batch_size=4, seed=3)
    assert windows.describe(0) == "series 'a', rows 0 to 2 of it"
    assert windows.describe(5) == "series 'b', rows 1 to 3 of it"
    assert windows.series(np.array([5, 0])) == ["b", "a"]
    numbers, (inputs, y, weight) = windows.counted(1)
    np.testing.assert_array_equal(inputs["past"][:, -1, 0] + 1, y[:, 0, 0])
    assert (weight > 0).all()
    assert sorted([*numbers, *windows.counted(0)[0]]) == list(range(6))


def test_columns_have_the_readers_names_or_those_of_arrays():
    store = InMemoryStore.of({"a": np.arange(12.0).reshape(6, 2)})
    windows = series_windows(store, context_length=2, horizon=1, future=1, batch_size=4)
    inputs, y, _ = windows[0]
    expected = {
        "past": ("X[..., 0]", "X[..., 1]"),
        "future": ("future_covariates[..., 0]",),
        "y": ("y[..., 0]",),
    }
    assert windows.columns(inputs, y) == expected
    windows.reader = replace(
        windows.reader, names={"past": ("sales", "price"), "future": ("price",), "y": ("sales",)}
    )
    assert windows.columns(inputs, y)["past"] == ("sales", "price")
