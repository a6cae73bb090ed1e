"""Numbers and order of windows: the place of each in its series, and the windows of each batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from seqcast.data.series import SeriesStore, starts_of
from seqcast.runtime import Array, Processes

# One process reads batches as a whole.
ALONE = Processes()


@dataclass(frozen=True)
class WindowIndex:
    """Windows that slide along series by single rows, numbered series after series.

    Args:
        first: Number of known rows of each series at its first window, `[N]`.
        ends: Number of windows of this and all series before it, `[N]`.
        without_target: Numbers of windows that are left out, since they have no known target,
            ascending.

    Example:
        >>> index = WindowIndex(first=np.array([2, 2]), ends=np.array([4, 6]))
        >>> index.count, index.locate(np.array([0, 3, 4]))
        (6, (array([0, 0, 1]), array([2, 5, 2])))
    """

    first: Array
    ends: Array
    without_target: Array = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def count(self) -> int:
        """Number of windows."""
        return int(self.per_series.sum())

    @property
    def per_series(self) -> Array:
        """Number of windows of each series, `[N]`."""
        without = np.bincount(self._series(self.without_target), minlength=len(self.ends))
        return np.diff(self.ends, prepend=0) - without

    def with_target(self, store: SeriesStore, horizon: int) -> Self:
        """Return the index without the windows that have no known target.

        Args:
            store: The targets; NaN is missing.
            horizon: Steps of future, `H`.
        """
        left_out = [self.without_target]
        for series, rows in store.batches():
            known = ~np.isnan(rows).all(axis=1)
            if known.all():
                continue

            windows = np.arange(starts_of(self.ends)[series[0]], self.ends[series[-1]])
            owner, stops = self.locate(windows)
            target = starts_of(np.cumsum(store.lengths[series]))[owner - series[0]] + stops
            before = np.concatenate([[0], np.cumsum(known)])
            left_out.append(windows[before[target + horizon] == before[target]])
        return replace(self, without_target=np.concatenate(left_out))

    def locate(self, windows: Array) -> tuple[Array, Array]:
        """Return the series of each window, and the number of its known rows.

        Args:
            windows: Numbers of the windows, `[B]`.

        Returns:
            Number of the series and of its known rows, `[B]` each.
        """
        # The number of a window grows by the number of windows that are left out before it.
        counting = self.without_target - np.arange(len(self.without_target))
        numbers = windows + np.searchsorted(counting, windows, side="right")
        series = self._series(numbers)
        return series, self.first[series] + numbers - starts_of(self.ends)[series]

    def _series(self, numbers: Array) -> Array:
        return np.searchsorted(self.ends, numbers, side="right")


class BatchOrder:
    """The order of windows: which of them are in each batch of a training.

    One pass goes over all windows in an order that depends only on the seed and the number of the
    pass; passes follow one another, for any number of batches an epoch. So the position of a
    training is one number, `k`, that of its batch. Batches of a pass differ by at most one window
    and are padded with copies that do not count: one shape, hence one compilation. Sizes are
    rounded up, so that data of nearly the same size, such as those of the next cutoff, share it.

    Args:
        count: Number of windows.
        batch_size: Largest number of windows in a batch.
        seed: Seed of the order; `None` keeps the windows in order.
        steps: Batches an epoch; `None` is one pass.
        processes: The processes that share each batch equally. With the same number of
            micro-batches, batches are the same for any number of processes.

    Example:
        >>> order = BatchOrder(5, batch_size=2)
        >>> [windows[counts].tolist() for windows, counts in map(order.batch, range(4))]
        [[0], [1, 2], [3, 4], [0]]
        >>> processes = [Processes(rank, 2, 2) for rank in range(2)]
        >>> halves = [BatchOrder(4, batch_size=4, processes=each) for each in processes]
        >>> [half.batch(0)[0].tolist() for half in halves]
        [[0, 1], [2, 3]]
    """

    def __init__(
        self,
        count: int,
        *,
        batch_size: int,
        seed: int | None = None,
        steps: int | None = None,
        processes: Processes = ALONE,
    ) -> None:
        self.count = count
        self.seed = seed
        self.processes = processes
        self.batches_per_pass = max(1, math.ceil(count / batch_size))
        self.steps = steps or self.batches_per_pass

        size = rounded_size(math.ceil(count / self.batches_per_pass))
        micro_batches = processes.micro_batches
        micro_batch_size = math.ceil(size / micro_batches)
        # Windows of a batch that this process reads.
        self.batch_size = micro_batches // processes.count * micro_batch_size
        self._last_pass: tuple[int, Array] | None = None

    def batch(self, number: int) -> tuple[Array, Array]:
        """Return the windows of a batch that this process reads.

        Args:
            number: `k`, from 0.

        Returns:
            Numbers of the windows, `[batch_size]`, and which of them count; the others are padding.
        """
        windows, counts = self.whole_batch(number)
        first = self.processes.rank * self.batch_size
        own = slice(first, first + self.batch_size)
        return windows[own], counts[own]

    def whole_batch(self, number: int) -> tuple[Array, Array]:
        """Return the windows of a batch that all processes read together; see `batch`.

        Args:
            number: Number of the batch, from 0.
        """
        pass_number, place = divmod(number, self.batches_per_pass)
        low = place * self.count // self.batches_per_pass
        high = (place + 1) * self.count // self.batches_per_pass
        windows = self._pass_order(pass_number)[low:high]

        size = self.batch_size * self.processes.count
        counts = np.arange(size) < len(windows)
        if len(windows) < size:
            windows = np.resize(windows, size)
        return windows, counts

    def _pass_order(self, number: int) -> Array:
        if self._last_pass is None or self._last_pass[0] != number:
            order = np.arange(self.count)
            if self.seed is not None:
                order = np.random.default_rng([self.seed, number]).permutation(self.count)
            self._last_pass = (number, order)
        return self._last_pass[1]


def rounded_size(size: int) -> int:
    """Return the number of rows of a batch: a power of two up to 8, then a multiple of 8.

    Args:
        size: The number of windows.

    Example:
        >>> [rounded_size(size) for size in (3, 8, 9)]
        [4, 8, 16]
    """
    if size <= 1:
        return size
    if size <= 8:
        return 1 << (size - 1).bit_length()
    return math.ceil(size / 8) * 8


# ---------------------------------------------------------------- series in shards

# Batches that are drawn from the shards in memory before others are read. So reading takes little
# of the time, and an epoch that ends early has seen windows of many shards.
BATCHES_A_VISIT = 32


@dataclass(frozen=True)
class Shards:
    """Windows in shards.

    Args:
        counts: Number of windows of each shard, which are numbered shard after shard.
        at_once: Number of shards in memory at a time.
    """

    counts: Array
    at_once: int


class ShardOrder:
    """The order of windows in shards: which of them are in each batch of a training.

    It is shuffled on two levels. A pass over all windows goes in rounds. In each round the shards,
    in a seeded order, come into memory some at a time, and give an equal fraction of their windows.
    These are drawn without replacement and mixed with those of the other shards in memory. So the
    position of a training is one number, `k`, that of its batch. The windows of a batch depend on
    the seed, on `k` and on the list of shards alone.

    A batch consists of `micro_batches`, each of which draws from shards of its own, or where there
    are fewer shards from a stretch of one. Processes that share a batch take whole micro-batches,
    so each reads its own shards, and batches are the same for any number of processes.

    Args:
        shards: The windows in shards.
        batch_size: Largest number of windows in a batch.
        seed: Seed of the order.
        steps: Batches an epoch; `None` is one pass.
        processes: The processes that share each batch.

    Example:
        >>> order = ShardOrder(Shards(np.array([3, 3]), at_once=1), batch_size=3, seed=0)
        >>> batches = [windows[counts] for windows, counts in map(order.batch, range(2))]
        >>> sorted(np.concatenate(batches).tolist())
        [0, 1, 2, 3, 4, 5]
    """

    def __init__(
        self,
        shards: Shards,
        *,
        batch_size: int,
        seed: int,
        steps: int | None = None,
        processes: Processes = ALONE,
    ) -> None:
        micro_batches = processes.micro_batches
        counts = _stretches(np.asarray(shards.counts, dtype=np.int64), micro_batches)
        self.count = int(counts.sum())
        first = starts_of(np.cumsum(counts))
        size = math.ceil(batch_size / micro_batches)

        # The same for any number of processes, since the order depends on it.
        at_once = max(1, shards.at_once // micro_batches)
        owned = [np.arange(number, len(counts), micro_batches) for number in range(micro_batches)]
        # A pass ends for all micro-batches with the same batch.
        largest = max(int(counts[own].sum()) for own in owned)
        self.batches_per_pass = max(1, math.ceil(largest / size))
        self.steps = steps or self.batches_per_pass

        self._micro_batches = [
            _MicroBatch(counts[own], first[own], at_once, size, [seed, number])
            for number, own in enumerate(owned)
        ]

        own_count = micro_batches // processes.count
        self._own = slice(processes.rank * own_count, (processes.rank + 1) * own_count)
        self._micro_batch_size = rounded_size(math.ceil(largest / self.batches_per_pass))
        # Windows of a batch that this process reads.
        self.batch_size = self._micro_batch_size * len(self._micro_batches[self._own])

    def batch(self, number: int) -> tuple[Array, Array]:
        """Return the windows of a batch that this process reads.

        Args:
            number: `k`, from 0.

        Returns:
            Numbers of the windows, `[batch_size]`, and which of them count; the others are padding.
        """
        return self._of_micro_batches(number, self._micro_batches[self._own])

    def whole_batch(self, number: int) -> tuple[Array, Array]:
        """Return the windows of a batch that all processes read together; see `batch`.

        Args:
            number: Number of the batch, from 0.
        """
        return self._of_micro_batches(number, self._micro_batches)

    def _of_micro_batches(
        self, number: int, micro_batches: Sequence[_MicroBatch]
    ) -> tuple[Array, Array]:
        pass_number, place = divmod(number, self.batches_per_pass)
        pieces = [each.windows(pass_number, place, self.batches_per_pass) for each in micro_batches]

        # Copies fill a micro-batch, or copies of another one's window where it has none.
        spare = next((piece for piece in pieces if len(piece)), np.zeros(1, dtype=np.int64))
        size = self._micro_batch_size
        filled = [np.resize(piece if len(piece) else spare, size) for piece in pieces]
        counts = [np.arange(size) < len(piece) for piece in pieces]
        return np.concatenate(filled), np.concatenate(counts)


def _stretches(counts: Array, micro_batches: int) -> Array:
    """Return the numbers of windows of `micro_batches` shards or more, or of equal stretches."""
    each = math.ceil(micro_batches / len(counts))
    if each == 1:
        return counts
    return np.diff(counts[:, None] * np.arange(each + 1) // each, axis=1).reshape(-1)


class _MicroBatch:
    """The windows of some shards, in the order of each pass.

    Args:
        counts: Number of windows of each shard.
        first: Number of the first window of each.
        at_once: Number of shards in memory at a time.
        batch_size: Windows of a batch.
        seed: Seed of the order.
    """

    def __init__(
        self, counts: Array, first: Array, at_once: int, batch_size: int, seed: list[int]
    ) -> None:
        self.counts = counts
        self.first = first
        self.seed = seed
        self.count = int(counts.sum())

        self.at_once = min(at_once, len(counts))
        groups = math.ceil(len(counts) / self.at_once)
        self.rounds = max(1, math.ceil(self.count / (groups * BATCHES_A_VISIT * batch_size)))
        self._pass: tuple[int, list[tuple[int, Array]], Array] | None = None
        self._visit: tuple[tuple[int, int], Array] | None = None

    def windows(self, number: int, place: int, batches: int) -> Array:
        """Return the windows of one of the batches of a pass."""
        low = place * self.count // batches
        high = (place + 1) * self.count // batches
        visits, ends = self._visits(number)

        pieces = []
        while low < high:
            visit = int(np.searchsorted(ends, low, side="right"))
            first = int(ends[visit - 1]) if visit else 0
            end = min(high, int(ends[visit]))
            pieces.append(self._drawn(number, visit, *visits[visit])[low - first : end - first])
            low = end
        return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64)

    def _visits(self, number: int) -> tuple[list[tuple[int, Array]], Array]:
        """Return round and shards of each visit of a pass, and the number of windows so far."""
        if self._pass is None or self._pass[0] != number:
            visits = []
            sizes = []
            for turn in range(self.rounds):
                random = np.random.default_rng([*self.seed, number, turn])
                order = random.permutation(len(self.counts))
                for begin in range(0, len(order), self.at_once):
                    shards = np.sort(order[begin : begin + self.at_once])
                    low, high = self._bounds(shards, turn)
                    visits.append((turn, shards))
                    sizes.append(int((high - low).sum()))
            self._pass = number, visits, np.cumsum(sizes)
        return self._pass[1], self._pass[2]

    def _bounds(self, shards: Array, turn: int) -> tuple[Array, Array]:
        """Return the bounds of the windows of shards in a round, in the order of the pass."""
        counts = self.counts[shards]
        return turn * counts // self.rounds, (turn + 1) * counts // self.rounds

    def _drawn(self, number: int, visit: int, turn: int, shards: Array) -> Array:
        """Return the windows of a visit, mixed."""
        if self._visit is None or self._visit[0] != (number, visit):
            pieces = []
            for shard, low, high in zip(shards.tolist(), *self._bounds(shards, turn), strict=True):
                random = np.random.default_rng([*self.seed, number, self.rounds, shard])
                places = _spread(int(self.counts[shard]), low, high, random)
                pieces.append(self.first[shard] + places)

            drawn = np.concatenate(pieces)
            random = np.random.default_rng([*self.seed, number, self.rounds + 1, visit])
            self._visit = (number, visit), drawn[random.permutation(len(drawn))]
        return self._visit[1]


def _spread(count: int, low: int, high: int, random: np.random.Generator) -> Array:
    r"""Return the places from `low` up to `high` of a seeded order of `count` numbers.

    The whole order is never in memory:

    .. math:: x_i = (a i + b) \bmod n, \quad \gcd(a, n) = 1

    Neighbours in it differ by about the golden section of `count`.

    Source: Knuth 1997, The Art of Computer Programming, volume 2, section 3.3.3, on multiples of
        the golden ratio.
    """
    if count < 2:
        return np.arange(low, high)

    step = max(1, int(count * random.uniform(0.55, 0.68)))
    while math.gcd(step, count) > 1:
        step += 1
    return np.asarray((np.arange(low, high) * step + int(random.integers(count))) % count)
