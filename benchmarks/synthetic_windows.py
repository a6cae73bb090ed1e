"""Windows of endless synthetic series, as a network reads them that is told the season of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from seqcast.data.synthetic import SyntheticBatch, SyntheticSeries
from seqcast.data.windows import Batch, NumberedBatches
from seqcast.pretrained.inputs import SeasonalInputs, column_names, seasonal_inputs

# Returns what a network reads of known values, their seasons, the longer ones, and a horizon.
Reading = Callable[
    [npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64], int],
    SeasonalInputs,
]

# Share of the windows that know as much of the past as the batch has; others know less.
FULL = 0.35
# Fewest known values.
FEWEST = 6


class SyntheticWindows(NumberedBatches):
    """Windows of synthetic series; batch `k` depends on the seed and on `k` alone.

    A batch has one context length, and its series one season. Windows know a random number of their last values, as
    short series do. Each has its own unit, so that losses of smooth series and of rough ones count alike.

    Args:
        seed: The seed.
        horizon: Steps of future, `H`.
        batch_size: Windows of a batch, `B`.
        context_lengths: Context lengths that batches have, equally often.
        steps: Batches an epoch.
        gaps: Share of the windows with missing values.
        repeated: Whether each epoch has the same batches, as a validation needs, whose losses are compared.
        read: Returns what the network reads of them.

    Example:
        >>> windows = SyntheticWindows(seed=0, horizon=8, batch_size=4, context_lengths=(16, 32), steps=10)
        >>> inputs, y, weight = windows[0]
        >>> inputs["past"].shape, inputs["future"].shape, inputs["static"].shape, y.shape, weight.shape
        ((4, 32, 7), (4, 8, 32), (4, 41), (4, 8, 1), (4,))
    """

    def __init__(
        self,
        *,
        seed: int,
        horizon: int,
        batch_size: int,
        context_lengths: Sequence[int],
        steps: int,
        gaps: float = 0.1,
        repeated: bool = False,
        read: Reading = seasonal_inputs,
    ) -> None:
        super().__init__(steps)
        self.seed, self.horizon, self.batch_size, self.gaps = seed, horizon, batch_size, gaps
        self.context_lengths = tuple(context_lengths)
        self.repeated, self.read = repeated, read

    def on_epoch_end(self) -> None:
        """Move on to the batches of the next epoch, or stay."""
        if not self.repeated:
            super().on_epoch_end()

    def batch(self, number: int) -> Batch:
        """Return a batch by its number, from 0."""
        windows, future = self.windows(number)
        y = windows.scaled(future)[..., None].astype(np.float32)
        return windows.inputs, y, np.ones(self.batch_size, np.float32)

    def windows(self, number: int) -> tuple[SeasonalInputs, npt.NDArray[np.float64]]:
        """Return the inputs of a batch, and the values that follow, `[B, H]`, in the units of the series."""
        rng = np.random.default_rng([self.seed, number, 1])
        length = int(rng.choice(self.context_lengths))
        drawn = self.drawn(number, length + self.horizon)
        past, future = drawn.values[:, :length].copy(), drawn.values[:, length:]
        fewest = min(max(FEWEST, 2 * drawn.season.length), length)
        known = np.exp(rng.uniform(np.log(fewest), np.log(length + 1), self.batch_size)).astype(int)
        known = np.where(rng.random(self.batch_size) < FULL, length, np.maximum(known, FEWEST))
        past[np.arange(length) < length - known[:, None]] = np.nan
        season = np.full(self.batch_size, drawn.season.length)
        longer = np.full(self.batch_size, drawn.season.longer or 0)
        return self.read(past, season, longer, self.horizon), future

    def drawn(self, number: int, length: int) -> SyntheticBatch:
        """Return the series of a batch, of so many steps."""
        return SyntheticSeries(self.seed, length=length, gaps=self.gaps).batch(number, n=self.batch_size)

    def counted(self, number: int) -> tuple[npt.NDArray[np.int64], Batch]:
        """Return the rows of a batch, and the batch."""
        return np.arange(self.batch_size), self.batch(number)

    def describe(self, window: int) -> str:
        """Return what a window is called."""
        return f"synthetic series {window} of the batch"

    def columns(self, inputs: object, y: object) -> dict[str, tuple[str, ...]]:
        """Return the name of each column of the inputs and the targets."""
        return column_names({})
