"""Batches of windows, in a seeded order.

A batch is `(inputs, y, sample_weight)`; `inputs` is a dict with `past` `[B, T, F]` and, where there are any,
`observed` `[B, T, F]`, `static` `[B, S]`, `future` `[B, H, F']` and, for teacher forcing, `target` `[B, H, D]`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.errors import SpecError
from seqcast.runtime import keras

Array = npt.NDArray[Any]
Batch = tuple[dict[str, Array], Array, Array]


class BatchOrder:
    """The order of windows: which of them make batch `k` of a training, counted from its first batch on.

    One pass goes over all windows in an order that depends only on the seed and the number of the pass; passes follow
    one another, however many batches an epoch has. So where a training stands is one number, `k`. Batches of a pass
    differ by at most one window and are padded with copies that do not count: one shape, hence one compilation. Sizes
    are rounded up, so that data of nearly the same size, such as those of the next cutoff, share it.

    Args:
        count: Number of windows.
        batch_size: Largest number of windows in a batch.
        seed: Seed of the order; `None` keeps the windows in order.
        steps: Batches an epoch; `None` is one pass.
        rank: Number of this process among those that share each batch, from 0.
        world_size: How many processes share each batch; each one gets as many windows.
        parts: Equal parts of a batch, of which each process gets as many, a multiple of `world_size`; `None` is one a
            process. With the same parts batches are the same, however many processes share them.

    Example:
        >>> order = BatchOrder(5, batch_size=2)
        >>> [windows[counts].tolist() for windows, counts in map(order.batch, range(4))]
        [[0], [1, 2], [3, 4], [0]]
        >>> halves = [BatchOrder(4, batch_size=4, rank=rank, world_size=2) for rank in range(2)]
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
        rank: int = 0,
        world_size: int = 1,
        parts: int | None = None,
    ) -> None:
        check_rank(rank, world_size)
        self.count, self.seed, self.rank, self.world_size = count, seed, rank, world_size
        self.batches_per_pass = max(1, math.ceil(count / batch_size))
        self.steps = steps or self.batches_per_pass
        parts = parts or world_size
        part_size = math.ceil(rounded_size(math.ceil(count / self.batches_per_pass)) / parts)
        # This process's share of a batch.
        self.batch_size = parts // world_size * part_size
        self._last_pass: tuple[int, Array] | None = None

    def batch(self, number: int) -> tuple[Array, Array]:
        """Return the windows of a batch that this process reads.

        Args:
            number: `k`, from 0.

        Returns:
            Numbers of the windows, `[batch_size]`, and which of them count; the others are padding.
        """
        windows, counts = self.whole_batch(number)
        share = slice(self.rank * self.batch_size, (self.rank + 1) * self.batch_size)
        return windows[share], counts[share]

    def whole_batch(self, number: int) -> tuple[Array, Array]:
        """Return the windows of a batch that all processes read together; see `batch`."""
        pass_number, place = divmod(number, self.batches_per_pass)
        low = place * self.count // self.batches_per_pass
        high = (place + 1) * self.count // self.batches_per_pass
        windows, size = self._pass_order(pass_number)[low:high], self.batch_size * self.world_size
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


def check_rank(rank: int, world_size: int) -> None:
    """Refuse a number that no process has.

    Args:
        rank: Number of a process among those that share each batch, from 0.
        world_size: How many processes share each batch.

    Raises:
        SpecError: It is not below `world_size`.
    """
    if not 0 <= rank < world_size:
        raise SpecError(
            "rank", expected=f"0 to {world_size - 1}", received=repr(rank), hint="Ranks are counted from 0."
        )


def rounded_size(size: int) -> int:
    """Return the number of rows of a batch: a power of two up to 8, then a multiple of 8.

    Example:
        >>> [rounded_size(size) for size in (3, 8, 9)]
        [4, 8, 16]
    """
    if size <= 1:
        return size
    return 1 << (size - 1).bit_length() if size <= 8 else -(-size // 8) * 8


class NamedWindows(keras.utils.PyDataset):
    """Batches whose windows and columns have names, for messages; here those of arrays."""

    def counted(self, number: int) -> tuple[Array, Batch]:
        """Return the numbers of the windows of a batch that count, and the batch of these alone.

        Args:
            number: Number of the batch, counted from the first one of the training.
        """
        raise NotImplementedError

    def describe(self, window: int) -> str:
        """Return what a window is called."""
        return f"X[{window}]"

    def series(self, windows: Array) -> list[Any]:
        """Return the name of the series of each window; none for arrays."""
        return []

    def columns(self, inputs: dict[str, Array], y: Array) -> dict[str, tuple[str, ...]]:
        """Return the name of each column of the inputs and, under `y`, of the targets.

        Args:
            inputs: The inputs of a batch.
            y: Its targets.
        """
        arrays = {"past": "X", "static": "static_covariates", "future": "future_covariates", "y": "y"}
        widths = {name: values.shape[-1] for name, values in {**inputs, "y": y}.items() if name in arrays}
        return {name: tuple(f"{arrays[name]}[..., {k}]" for k in range(width)) for name, width in widths.items()}


class NumberedBatches(NamedWindows):
    """Batches that are numbered from the first one of a training on, so that where it stands is one number.

    Args:
        steps: Batches an epoch.
    """

    def __init__(self, steps: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self.steps = steps
        # Where the training stands: number of the first batch of this epoch.
        self.position = 0

    def batch(self, number: int) -> Batch:
        """Return a batch by its number, from 0."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> Batch:
        return self.batch(self.position + index)

    def on_epoch_end(self) -> None:
        """Move on to the batches of the next epoch."""
        self.position += len(self)


class Windows(NumberedBatches):
    """Batches of windows for Keras, in a `BatchOrder`, or in another order.

    Keras's own shuffling draws from global generators, so it is not used.

    Args:
        count: Number of windows.
        teacher_forcing: Whether the inputs hold `target`.
        make_order: Makes the order of so many windows.
        **order: As for `BatchOrder`.
    """

    def __init__(
        self, count: int, *, teacher_forcing: bool = False, make_order: Callable[..., Any] = BatchOrder, **order: Any
    ) -> None:
        self.order = make_order(count, **order)
        super().__init__(self.order.steps)
        self.teacher_forcing = teacher_forcing

    @property
    def count(self) -> int:
        """Number of windows."""
        return int(self.order.count)

    def batch(self, number: int) -> Batch:
        """Return a batch, filled up with copies of its windows that do not count."""
        windows, counts = self.order.batch(number)
        inputs, y, weight = self.gather(windows)
        weight = np.where(counts, weight, 0.0).astype(np.float32)
        if self.teacher_forcing:
            inputs["target"] = self.teacher_targets(inputs, y)
        return inputs, y, weight

    def counted(self, number: int) -> tuple[Array, Batch]:
        """Return the numbers of the windows of a batch that count, and the batch of these alone."""
        windows, counts = self.order.whole_batch(number)
        inputs, y, weight = self.gather(windows[counts])
        if self.teacher_forcing:
            inputs["target"] = self.teacher_targets(inputs, y)
        return windows[counts], (inputs, y, weight)

    def teacher_targets(self, inputs: dict[str, Array], y: Array) -> Array:
        """Return the targets that a decoder reads under teacher forcing, without gaps."""
        return np.nan_to_num(y)

    def gather(self, windows: Array) -> Batch:
        """Return the windows with these numbers as one batch."""
        raise NotImplementedError
