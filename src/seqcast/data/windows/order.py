"""From arrays or series to batches of windows, in a seeded order of their own, never all windows in memory.

A batch is `(inputs, y, sample_weight)`; `inputs` is a dict with `past` `[B, T, F]` and, where there are any,
`observed` `[B, T, F]`, `static` `[B, S]`, `future` `[B, H, F']` and, for decoders that are taught, `target`
`[B, H, D]`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.runtime.backend import keras

__all__ = ["Windows"]

Array = npt.NDArray[Any]


Batch = tuple[dict[str, Array], Array, Array]


class Windows(keras.utils.PyDataset):
    """Windows divided into batches of equal size; an epoch's order depends only on the seed and the epoch.

    Keras's own shuffling draws from global generators, so it is not used. Batches differ by at most one window in
    size and are padded to the larger size with copies of weight zero: one shape, hence one compilation.

    Args:
        count: Number of windows.
        batch_size: Largest number of windows in a batch.
        seed: Seed of the order; `None` keeps the windows in order.
        steps: Batches an epoch; `None` is one pass. With fewer or more, passes simply follow one another.
        teacher_forcing: Whether the inputs hold `target`.
    """

    def __init__(
        self,
        count: int,
        *,
        batch_size: int,
        seed: int | None = None,
        steps: int | None = None,
        teacher_forcing: bool = False,
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self.count = count
        self.batches_per_pass = max(1, math.ceil(count / batch_size))
        self.batch_size = math.ceil(count / self.batches_per_pass)
        self.steps = steps or self.batches_per_pass
        self.seed = seed
        self.teacher_forcing = teacher_forcing
        self.epoch = 0
        self._order: tuple[int, Array] | None = None

    def __len__(self) -> int:
        return self.steps

    @property
    def position(self) -> dict[str, int]:
        """Where the reading stands, to be kept and set again."""
        return {"epoch": self.epoch}

    @position.setter
    def position(self, value: dict[str, int]) -> None:
        self.epoch = int(value["epoch"])

    def on_epoch_end(self) -> None:
        """Move on to the next epoch's order."""
        self.epoch += 1

    def __getitem__(self, index: int) -> Batch:
        number, batch = divmod(self.epoch * self.steps + index, self.batches_per_pass)
        low = batch * self.count // self.batches_per_pass
        high = (batch + 1) * self.count // self.batches_per_pass
        chosen = self._pass_order(number)[low:high]
        padded = chosen if len(chosen) == self.batch_size else np.resize(chosen, self.batch_size)
        inputs, y, weight = self.gather(padded)
        weight = np.where(np.arange(self.batch_size) < len(chosen), weight, 0.0).astype(np.float32)
        if self.teacher_forcing:
            inputs["target"] = self.teacher_targets(inputs, y)
        return inputs, y, weight

    def teacher_targets(self, inputs: dict[str, Array], y: Array) -> Array:
        """Return what a decoder that is taught reads of the targets, without gaps."""
        del inputs
        return np.nan_to_num(y)

    def _pass_order(self, number: int) -> Array:
        if self._order is None or self._order[0] != number:
            order = np.arange(self.count)
            if self.seed is not None:
                order = np.random.default_rng([self.seed, number]).permutation(self.count)
            self._order = (number, order)
        return self._order[1]

    def gather(self, indices: Array) -> Batch:
        """Return the windows with these numbers as one batch."""
        raise NotImplementedError
