"""The order of windows whose series lie in shards, of which some are in memory at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqcast.data.series import starts_of
from seqcast.data.windows.order import check_rank, rounded_size

Array = npt.NDArray[np.int64]

# So many batches are drawn from the shards that are in memory before others are read: reading them takes a small part
# of the time, and an epoch that ends early has seen windows of many shards.
BATCHES_A_VISIT = 32


@dataclass(frozen=True)
class Shards:
    """How windows lie in shards.

    Args:
        counts: Number of windows of each shard, which are numbered shard after shard.
        at_once: How many shards are in memory at a time.
    """

    counts: Array
    at_once: int


class ShardOrder:
    """The order of windows in shards: which of them make batch `k` of a training, counted from its first batch on.

    It is shuffled on two levels. A pass over all windows goes in rounds. In each round the shards, in a seeded order,
    come into memory some at a time, and give an equal share of their windows, which are drawn without replacement and
    mixed with those of the other shards in memory. So where a training stands is one number, `k`, and the windows of
    a batch depend on the seed, on `k` and on the list of shards alone.

    A batch consists of `parts`, each of which draws from shards of its own, or where there are fewer shards from a
    stretch of one. Processes that share a batch take whole parts, so each reads its own shards, and batches are the
    same whatever the number of processes.

    Args:
        shards: How the windows lie in shards.
        batch_size: Largest number of windows in a batch.
        seed: Seed of the order.
        steps: Batches an epoch; `None` is one pass.
        parts: Number of parts of a batch, a multiple of `world_size`; `None` is one a process.
        rank: Number of this process among those that share each batch, from 0.
        world_size: How many processes share each batch.

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
        parts: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        check_rank(rank, world_size)
        parts = parts or world_size
        counts = _stretches(np.asarray(shards.counts, dtype=np.int64), parts)
        self.count, self.rank, self.world_size = int(counts.sum()), rank, world_size
        first, size = starts_of(np.cumsum(counts)), math.ceil(batch_size / parts)
        # The same for any number of processes, since the order depends on it.
        at_once = max(1, shards.at_once // parts)
        owned = [np.arange(part, len(counts), parts) for part in range(parts)]
        # A pass ends for all parts with the same batch.
        largest = max(int(counts[own].sum()) for own in owned)
        self.batches_per_pass = max(1, math.ceil(largest / size))
        self.steps = steps or self.batches_per_pass
        self._parts = [_Part(counts[own], first[own], at_once, size, [seed, part]) for part, own in enumerate(owned)]
        self._own = slice(rank * parts // world_size, (rank + 1) * parts // world_size)
        self._part_size = rounded_size(math.ceil(largest / self.batches_per_pass))
        # This process's share of a batch.
        self.batch_size = self._part_size * len(self._parts[self._own])

    def batch(self, number: int) -> tuple[Array, npt.NDArray[np.bool_]]:
        """Return the windows of a batch that this process reads.

        Args:
            number: `k`, from 0.

        Returns:
            Numbers of the windows, `[batch_size]`, and which of them count; the others are padding.
        """
        return self._of_parts(number, self._parts[self._own])

    def whole_batch(self, number: int) -> tuple[Array, npt.NDArray[np.bool_]]:
        """Return the windows of a batch that all processes read together; see `batch`."""
        return self._of_parts(number, self._parts)

    def _of_parts(self, number: int, parts: Sequence[_Part]) -> tuple[Array, npt.NDArray[np.bool_]]:
        pass_number, place = divmod(number, self.batches_per_pass)
        pieces = [part.windows(pass_number, place, self.batches_per_pass) for part in parts]
        # A copy stands for what a part lacks, or a window of another part where it has none at all.
        spare = next((piece for piece in pieces if len(piece)), np.zeros(1, dtype=np.int64))
        filled = [np.resize(piece if len(piece) else spare, self._part_size) for piece in pieces]
        counts = [np.arange(self._part_size) < len(piece) for piece in pieces]
        return np.concatenate(filled), np.concatenate(counts)


def _stretches(counts: Array, parts: int) -> Array:
    """Return the numbers of windows of at least so many shards: where there are fewer, of stretches of equal size."""
    each = -(-parts // len(counts))
    if each == 1:
        return counts
    places = np.arange(each + 1)
    return np.diff(counts[:, None] * places // each, axis=1).reshape(-1)


class _Part:
    """The windows of some shards, in the order of each pass.

    Args:
        counts: Number of windows of each shard.
        first: Number of the first window of each.
        at_once: How many shards are in memory at a time.
        batch_size: Windows of a batch.
        seed: Seed of the order.
    """

    def __init__(self, counts: Array, first: Array, at_once: int, batch_size: int, seed: list[int]) -> None:
        self.counts, self.first, self.seed = counts, first, seed
        self.count = int(counts.sum())
        self.at_once = min(at_once, len(counts))
        groups = math.ceil(len(counts) / self.at_once)
        self.rounds = max(1, math.ceil(self.count / (groups * BATCHES_A_VISIT * batch_size)))
        self._pass: tuple[int, list[tuple[int, Array]], Array] | None = None
        self._visit: tuple[tuple[int, int], Array] | None = None

    def windows(self, number: int, place: int, batches: int) -> Array:
        """Return the windows of one of so many batches of a pass."""
        low, high = place * self.count // batches, (place + 1) * self.count // batches
        visits, ends = self._visits(number)
        pieces = []
        while low < high:
            visit = int(np.searchsorted(ends, low, side="right"))
            start = int(ends[visit - 1]) if visit else 0
            stop = min(high, int(ends[visit]))
            pieces.append(self._drawn(number, visit, *visits[visit])[low - start : stop - start])
            low = stop
        return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64)

    def _visits(self, number: int) -> tuple[list[tuple[int, Array]], Array]:
        """Return the round and the shards of each visit of a pass, and the number of windows up to its end."""
        if self._pass is None or self._pass[0] != number:
            visits, sizes = [], []
            for turn in range(self.rounds):
                order = np.random.default_rng([*self.seed, number, turn]).permutation(len(self.counts))
                for begin in range(0, len(order), self.at_once):
                    shards = np.sort(order[begin : begin + self.at_once])
                    low, high = self._share(shards, turn)
                    visits.append((turn, shards))
                    sizes.append(int((high - low).sum()))
            self._pass = number, visits, np.cumsum(sizes)
        return self._pass[1], self._pass[2]

    def _share(self, shards: Array, turn: int) -> tuple[Array, Array]:
        """Return from where to where the windows of shards, in the order of the pass, belong to a round."""
        counts = self.counts[shards]
        return turn * counts // self.rounds, (turn + 1) * counts // self.rounds

    def _drawn(self, number: int, visit: int, turn: int, shards: Array) -> Array:
        """Return the windows of a visit, mixed."""
        if self._visit is None or self._visit[0] != (number, visit):
            pieces = []
            for shard, low, high in zip(shards.tolist(), *self._share(shards, turn), strict=True):
                random = np.random.default_rng([*self.seed, number, self.rounds, shard])
                pieces.append(self.first[shard] + _spread(int(self.counts[shard]), low, high, random))
            drawn = np.concatenate(pieces)
            mixed = np.random.default_rng([*self.seed, number, self.rounds + 1, visit]).permutation(len(drawn))
            self._visit = (number, visit), drawn[mixed]
        return self._visit[1]


def _spread(count: int, low: int, high: int, random: np.random.Generator) -> Array:
    r"""Return the places from `low` up to `high` of a seeded order of so many numbers, without making all of it.

    .. math:: x_i = (a i + b) \bmod n, \quad \gcd(a, n) = 1

    Neighbours in it lie far apart, at about the golden section of all.

    Source: Knuth 1997, The Art of Computer Programming, volume 2, section 3.3.3, on multiples of the golden ratio.
    """
    if count < 2:
        return np.arange(low, high)
    step = max(1, int(count * random.uniform(0.55, 0.68)))
    while math.gcd(step, count) > 1:
        step += 1
    return np.asarray((np.arange(low, high) * step + int(random.integers(count))) % count)
