"""Stores of the rows of series: the interface, series in memory, and series in files."""

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from seqcast.runtime import Array


class SeriesStore(Protocol):
    """Rows of many series, numbered through all series.

    Windows are cut by `read`, which returns any rows. Statistics are learned from whole series,
    which `batches` yields some at a time, so that a store need not hold all of them at once.
    """

    @property
    def ids(self) -> tuple[Any, ...]:
        """One name a series, sorted."""

    @property
    def lengths(self) -> Array:
        """Number of rows of each series."""

    @property
    def width(self) -> int:
        """Number of columns, `C`."""

    def read(self, rows: Array) -> Array:
        """Return the rows with these numbers, `[..., C]` for numbers of any shape `[...]`.

        Args:
            rows: Numbers of the rows.
        """

    def batches(self) -> Iterator[tuple[Array, Array]]:
        """Yield whole series: their numbers, and their rows one after another, `[rows, C]`."""

    def take(self, series: Array) -> Self:
        """Return a store of some of the series, in this order.

        Args:
            series: Numbers of the series.
        """


@dataclass(frozen=True, eq=False)
class SeriesLayout:
    """Starts and ends of series among all rows; a base of stores.

    Args:
        ids: One name a series.
        ends: Position after each series' last row, `[N]`.
    """

    ids: tuple[Any, ...]
    ends: Array

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def starts(self) -> Array:
        """Position of each series' first row."""
        return starts_of(self.ends)

    @cached_property
    def lengths(self) -> Array:
        """Number of rows of each series."""
        return self.ends - self.starts

    @property
    def owner(self) -> Array:
        """Number of each row's series, `[rows]`."""
        return np.repeat(np.arange(len(self.ids)), self.lengths)

    def rows(self, number: int) -> slice:
        """Return the positions of the rows of a series.

        Args:
            number: Number of the series.
        """
        return slice(int(self.starts[number]), int(self.ends[number]))

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {name: place for place, name in enumerate(self.ids)}

    def places(self, names: Iterable[Any]) -> Array:
        """Return the number of each series by name, -1 for unknown names.

        Args:
            names: Names of series.

        Example:
            >>> InMemoryStore.of({"a": np.zeros(3), "b": np.zeros(2)}).places(["b", "x"])
            array([ 1, -1])
        """
        return np.array([self._places.get(name, -1) for name in names], dtype=np.int64)


@dataclass(frozen=True)
class InMemoryStore(SeriesLayout):
    """Many series in memory, laid end to end: a `SeriesStore`.

    Args:
        ids: One name a series, sorted.
        ends: Position after each series' last row in `values`, `[number of series]`.
        values: All rows, series after series, `[rows, C]`, or `[rows]` for one column.

    Example:
        >>> store = InMemoryStore.of({"a": np.arange(3.0), "b": np.arange(2.0)})
        >>> store.lengths
        array([3, 2])
        >>> store.read(np.array([0, 4])), store.series(1)
        (array([0., 1.]), array([0., 1.]))
    """

    values: Array

    @classmethod
    def of(cls, series: dict[Any, Array]) -> Self:
        """Return the series of a dict laid end to end, in the order of their ids.

        Args:
            series: The rows of each series, by its name.
        """
        ids = tuple(sorted(series))
        ends = np.cumsum([len(series[name]) for name in ids])
        return cls(ids, ends, np.concatenate([series[name] for name in ids]))

    @property
    def width(self) -> int:
        """Number of columns."""
        return 1 if self.values.ndim == 1 else int(self.values.shape[1])

    def read(self, rows: Array) -> Array:
        """Return the rows with these numbers.

        Args:
            rows: Numbers of the rows.
        """
        return np.take(self.values, rows, axis=0)

    def batches(self) -> Iterator[tuple[Array, Array]]:
        """Yield all series at once, as they are in memory already."""
        yield np.arange(len(self.ids)), self.values

    def series(self, number: int) -> Array:
        """Return the rows of one series.

        Args:
            number: Number of the series.
        """
        return self.values[self.rows(number)]

    def take(self, series: Array) -> Self:
        """Return a store of some of the series, in this order.

        Args:
            series: Numbers of the series.
        """
        lengths = self.lengths[series]
        ends = np.cumsum(lengths)
        shift = self.starts[series] - starts_of(ends)
        rows = np.arange(int(lengths.sum())) + np.repeat(shift, lengths)
        return type(self)(tuple(self.ids[place] for place in series), ends, self.values[rows])


def starts_of(ends: Array) -> Array:
    """Return the start of each series, from the ends.

    Args:
        ends: End of each series.

    Example:
        >>> starts_of(np.array([3, 5]))
        array([0, 3])
    """
    return np.concatenate([[0], ends[:-1]]).astype(np.int64)


def positions_of(ends: Array) -> Array:
    """Return the position of each row in its series, from the ends, `[rows]`.

    Args:
        ends: End of each series.

    Example:
        >>> positions_of(np.array([3, 5]))
        array([0, 1, 2, 0, 1])
    """
    starts = starts_of(ends)
    return np.asarray(np.arange(ends[-1]) - np.repeat(starts, ends - starts))


# ---------------------------------------------------------------- series in files


class ArrayCache:
    """A cache of the arrays that were used last, up to a number of bytes; threads may share it.

    Args:
        most_bytes: Size of the cache. One array alone may be larger.

    Example:
        >>> cache = ArrayCache(64)
        >>> cache.get("a", lambda: np.zeros(4)).nbytes, cache.get("b", lambda: np.zeros(8)).nbytes
        (32, 64)
        >>> len(cache)
        1
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._arrays: OrderedDict[Any, Array] = OrderedDict()
        self._lock = threading.Lock()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._arrays)

    def get(self, key: Any, make: Callable[[], Array]) -> Array:
        """Return the array of a key, which is made if it is not in the cache.

        Args:
            key: Its key.
            make: Makes the array.
        """
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]

        array = make()

        with self._lock:
            if key not in self._arrays:
                self._arrays[key] = array
                self._bytes += array.nbytes
            while self._bytes > self.most_bytes and len(self._arrays) > 1:
                self._bytes -= self._arrays.popitem(last=False)[1].nbytes

        return array

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.most_bytes,)  # another process reads what it needs


@dataclass(frozen=True, eq=False)
class ShardedStore(SeriesLayout):
    """Many series in files, the shards, in which they lie end to end: a `SeriesStore`.

    A series lies wholly in one shard. Shards that were read stay in memory as long as the cache has
    room.

    Args:
        ids: One name a series.
        ends: Position after each series' last row among the rows of all series of this store,
            `[N]`.
        paths: The shards, arrays that `numpy.save` wrote, `[rows, C]`.
        shard_ends: Number of rows of each shard and of all before it.
        first_rows: First row of each series among those of all shards, `[N]`.
        width: Number of columns.
        cache: The shards in memory.
        complete: Whether no value is missing.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "0.npy")
        ...     np.save(path, np.arange(5.0)[:, None])
        ...     ends = np.array([3, 5])
        ...     cache = ArrayCache(2**20)
        ...     store = ShardedStore(("a", "b"), ends, (path,), ends[1:], starts_of(ends), 1, cache)
        ...     store.read(np.array([0, 4])).ravel().tolist()
        [0.0, 4.0]
    """

    paths: tuple[Path, ...]
    shard_ends: Array
    first_rows: Array
    width: int
    cache: ArrayCache
    complete: bool = True

    @cached_property
    def runs(self) -> Array:
        """Number of the first series of each stretch of series in one shard, and at last `N`."""
        changes = np.flatnonzero(np.diff(self._owner(self.first_rows))) + 1
        return np.concatenate([[0], changes, [len(self.ids)]]).astype(np.int64)

    def read(self, rows: Array) -> Array:
        """Return the rows with these numbers.

        Args:
            rows: Numbers of the rows.
        """
        # Windows of one series each, as a rule: these are looked up as wholes.
        window = rows.shape[-1] if rows.ndim > 1 and rows.size else 1
        windows = rows.reshape(-1, window)
        if not self._is_whole:
            series = np.searchsorted(self.ends, windows, side="right")
            windows = windows + (self.first_rows - self.starts)[series]
        owner = self._owner(windows.min(axis=1, initial=np.iinfo(np.int64).max))
        if window > 1 and (owner != self._owner(windows.max(axis=1))).any():
            return self.read(rows.reshape(-1)).reshape(*rows.shape, self.width)

        values = np.empty((*windows.shape, self.width), dtype=self._dtype)
        first = starts_of(self.shard_ends)
        for shard in np.flatnonzero(np.bincount(owner)).tolist():
            places = np.flatnonzero(owner == shard)
            path = self.paths[shard]
            rows_of_shard = self.cache.get(path, partial(np.load, path, allow_pickle=False))
            values[places] = np.take(rows_of_shard, windows[places] - first[shard], axis=0)
        return values.reshape(*rows.shape, self.width)

    def _owner(self, rows: Array) -> Array:
        """Return the shard of each row, numbered over all shards."""
        return np.searchsorted(self.shard_ends, rows, side="right")

    def batches(self) -> Iterator[tuple[Array, Array]]:
        """Yield the series shard by shard."""
        for first, end in itertools.pairwise(self.runs.tolist()):
            rows = np.arange(self.starts[first], self.ends[end - 1])
            yield np.arange(first, end), self.read(rows)

    def take(self, series: Array) -> Self:
        """Return a store of some of the series, in this order.

        Args:
            series: Numbers of the series.
        """
        ids = tuple(self.ids[place] for place in series)
        ends = np.cumsum(self.lengths[series])
        return replace(self, ids=ids, ends=ends, first_rows=self.first_rows[series])

    @cached_property
    def _is_whole(self) -> bool:
        """Whether rows are numbered as in the shards."""
        return bool(np.array_equal(self.first_rows, self.starts))

    @cached_property
    def _dtype(self) -> np.dtype[Any]:
        return np.asarray(np.load(self.paths[0], mmap_mode="r", allow_pickle=False)).dtype
