"""An endless source of batches of random sines for `model.fit`, safe with several workers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.signals import random_sines
from seqcast.data.sine_parameters import Range
from seqcast.errors import SpecError
from seqcast.runtime import keras
from seqcast.specs import check_int

__all__ = ["SineBatches"]

Array = npt.NDArray[Any]


class SineBatches(keras.utils.PyDataset):
    """Batches of `random_sines`, new ones in every epoch.

    A batch depends on the seed, the epoch and its number alone: whichever worker asks, in whatever order,
    gets the same windows. Four habits of Keras to know: `fit` counts one epoch before the first, while it
    builds the model; it shuffles an epoch's batches with a global generator unless it is given
    `shuffle=False`; with more than one worker (or process workers) it hands batches that were left over on to
    the next epoch, so that which ones are used depends on timing; and it moves validation data on after each
    evaluation, so give those `repeat=True`. One worker is enough: 512 windows take less than a millisecond.

    Args:
        steps_per_epoch: Batches an epoch.
        batch_size: Windows a batch, `B`.
        past: Steps of the past, `T`.
        future: Steps of the future, `H`.
        num_signals: Sines in a sum.
        amplitude: `(low, high)` for all sines, or one such pair for each of them; in the signal's unit.
        frequency: The same, in turns per 30 steps.
        phase: The same, in radians.
        offset: The same, in the signal's unit.
        noise: Standard deviation of Gaussian noise on the past, or the `(low, high)` from which each window
            draws it.
        repeat: Whether every epoch has the same windows, as in the code published with Tonin's post.
        seed: A whole number, or `None` for one that is drawn here, once.
        dtype: Floating type of the batches.
        workers: Workers of Keras that make batches.
        use_multiprocessing: Whether they are processes rather than threads.
        max_queue_size: Batches that Keras keeps ready when there are several workers.

    Raises:
        SpecError: A size is not a positive whole number, a range is none, or the type is not a floating one.

    Example:
        >>> batches = SineBatches(steps_per_epoch=10, batch_size=4, seed=1969)
        >>> inputs, y = batches[0]
        >>> len(batches), inputs["past"].shape, y.shape
        (10, (4, 15, 1), (4, 15, 1))
        >>> batches.on_epoch_end()
        >>> bool((batches[0][1] == y).all())
        False

    Source: L. Tonin, "Keras implementation of an encoder-decoder for time series prediction" (2019).
    """

    def __init__(
        self,
        steps_per_epoch: int,
        batch_size: int = 512,
        *,
        past: int = 15,
        future: int = 15,
        num_signals: int = 2,
        amplitude: Range = (0.1, 1.0),
        frequency: Range = (0.1, 10.0),
        phase: Range = (0.0, 2.0 * math.pi),
        offset: Range = (-0.5, 0.5),
        noise: float | tuple[float, float] = 0.0,
        repeat: bool = False,
        seed: int | None = None,
        dtype: npt.DTypeLike = "float32",
        workers: int = 1,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
    ) -> None:
        super().__init__(workers=workers, use_multiprocessing=use_multiprocessing, max_queue_size=max_queue_size)
        self.steps_per_epoch = check_int("steps_per_epoch", steps_per_epoch)
        self.batch_size = check_int("batch_size", batch_size)
        self.past = past
        self.future = future
        self.num_signals = num_signals
        self.amplitude = amplitude
        self.frequency = frequency
        self.phase = phase
        self.offset = offset
        self.noise = noise
        if not isinstance(repeat, bool):
            raise SpecError("repeat", expected="True or False", received=repr(repeat))
        self.repeat = repeat
        # Drawn here and not at the first batch: copies in other processes must agree.
        self.entropy = np.random.SeedSequence().entropy if seed is None else check_int("seed", seed, at_least=0)
        self.dtype = dtype
        self.epoch = 0
        self._draw(1, np.random.SeedSequence(0))  # wrong options fail here, not in a worker

    def __len__(self) -> int:
        return self.steps_per_epoch

    def __getitem__(self, index: int) -> tuple[dict[str, Array], Array]:
        if not 0 <= index < self.steps_per_epoch:
            raise IndexError(f"batch {index} of {self.steps_per_epoch}")
        epoch = 0 if self.repeat else self.epoch
        past, future = self._draw(self.batch_size, np.random.SeedSequence(self.entropy, spawn_key=(epoch, int(index))))
        return {"past": past}, future

    def on_epoch_end(self) -> None:
        """Move on to the next epoch's windows."""
        self.epoch += 1

    @property
    def position(self) -> dict[str, int]:
        """The epoch, from which reading can be resumed."""
        return {"epoch": self.epoch}

    @position.setter
    def position(self, value: dict[str, int]) -> None:
        self.epoch = int(value["epoch"])

    def _draw(self, n: int, seed: np.random.SeedSequence) -> tuple[Array, Array]:
        return random_sines(
            n,
            past=self.past,
            future=self.future,
            num_signals=self.num_signals,
            amplitude=self.amplitude,
            frequency=self.frequency,
            phase=self.phase,
            offset=self.offset,
            noise=self.noise,
            seed=seed,
            dtype=self.dtype,
        )
