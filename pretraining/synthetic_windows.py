"""Windows of endless synthetic series, as the pretrained network reads them."""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from seqcast.data.windows import NumberedBatches
from seqcast.pretrained.seasonal_inputs import SeasonalInputs, column_names, seasonal_inputs
from synthetic import FAMILIES, SyntheticSeries
from synthetic.generator import SEASONS, SLOW

# Share of the windows that know as much of the past as the batch has; others know less, down to
# half of it.
FULL = 0.35
# Fewest known values.
FEWEST = 6
# Most known steps of a batch of years, quarters, months or weeks, which are hardly longer.
LONGEST_SLOW = 512
# Most known steps of a batch with Gaussian processes, which cost the cube of their length.
LONGEST_DENSE = 512
# Batches that are read while others are learned from.
AHEAD = 8
# Libraries that would have threads of their own in each process.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class SyntheticBatches:
    """Batches of windows of synthetic series; batch `k` depends on the seed and on `k` alone.

    A batch has one context length and one horizon, and its series one season, of which that much
    holds one at least. Windows know a random number of their last values, as short series do, so
    many that no shorter context would hold them. Each has its own unit, so that losses of smooth
    series and of rough ones count alike.

    Args:
        seed: The seed.
        horizons: Steps of future that batches have, equally often, of those that are at most twice
            the context, or the first.
        batch_size: Windows of a batch, `B`.
        context_lengths: Numbers of past steps that batches have, equally often; one that stands
            there twice, twice as often.
        gaps: Share of the windows with missing values.
        read: Returns what the network reads of known values, seasons, longer seasons and a horizon.
        without: A family of series that does not count, but where it is part of a mixture.
        borrowed: Share of the windows that have the errors of another one in place of their own,
            with either sign.

    Example:
        >>> sizes = {"horizons": (8,), "batch_size": 4, "context_lengths": (16, 32)}
        >>> batches = SyntheticBatches(seed=0, **sizes)
        >>> inputs, y, weight = batches.batch(0)
        >>> {name: values.shape for name, values in inputs.items()}
        {'past': (4, 32, 7), 'future': (4, 8, 46), 'static': (4, 55)}
        >>> y.shape, weight.shape
        ((4, 8, 1), (4,))
    """

    seed: int
    horizons: tuple[int, ...]
    batch_size: int
    context_lengths: tuple[int, ...]
    gaps: float = 0.1
    read: Callable[..., SeasonalInputs] = seasonal_inputs
    without: str | None = None
    borrowed: float = 0.2

    def batch(self, number):
        """Return a batch by its number, from 0."""
        windows, future, families = self.windows(number)
        errors = windows.scaled(future)

        # Where errors are another window's, nothing that is read tells how far off the base is. So
        # a network learns to trust the base in doubt, since real series are unlike synthetic ones.
        # Those with a floor keep their own.
        rng = np.random.default_rng([self.seed, number, 2])
        others = rng.choice([-1.0, 1.0], (len(errors), 1)) * errors[rng.permutation(len(errors))]
        borrows = (rng.random((len(errors), 1)) < self.borrowed) & np.isinf(windows.floor)

        y = np.where(borrows, others, errors)[..., None].astype(np.float32)
        return windows.inputs, y, (families != self.without).astype(np.float32)

    def windows(self, number):
        """Return a batch.

        Args:
            number: Its number, from 0.

        Returns:
            The inputs, the values that follow, `[B, H]`, in the units of the series, and the
            families, `[B]`.
        """
        rng = np.random.default_rng([self.seed, number, 1])
        length = int(rng.choice(self.context_lengths))
        horizons = [steps for steps in self.horizons if steps <= 2 * length]
        horizon = int(rng.choice(horizons or self.horizons[:1]))

        drawn = self.drawn(number, length, horizon)
        past = drawn.values[:, :length].copy()
        future = drawn.values[:, length:]

        # Windows know a random number of their last values.
        fewest = FEWEST if length == min(self.context_lengths) else length // 2 + 1
        known = rng.integers(fewest, length + 1, self.batch_size)
        known = np.where(rng.random(self.batch_size) < FULL, length, known)
        past[np.arange(length) < length - known[:, None]] = np.nan

        season = np.full(self.batch_size, drawn.season.length)
        longer = np.full(self.batch_size, drawn.season.longer or 0)
        return self.read(past, season, longer, horizon), future, drawn.families

    def drawn(self, number, length, horizon):
        """Return the series of a batch, of so many known steps and so many more."""
        seasons = {
            season: share
            for season, share in SEASONS.items()
            if season <= length and (season not in SLOW or season == 1 or length <= LONGEST_SLOW)
        }
        weights = dict.fromkeys(FAMILIES, 1.0)
        if length > LONGEST_DENSE:
            del weights["gaussian_process"]
        series = SyntheticSeries(
            self.seed, length=length + horizon, weights=weights, seasons=seasons, gaps=self.gaps
        )
        return series.batch(number, n=self.batch_size)


class SyntheticWindows(NumberedBatches):
    """Windows of synthetic series for a training.

    Args:
        batches: The batches.
        steps: Batches an epoch.
        repeated: Whether each epoch has the same batches, as a validation needs, whose losses are
            compared. They are kept.
        processes: Processes that read batches ahead; 0 reads them here.

    Example:
        >>> batches = SyntheticBatches(seed=0, horizons=(8,), batch_size=4, context_lengths=(16,))
        >>> windows = SyntheticWindows(batches, steps=10)
        >>> len(windows), windows[3][1].shape
        (10, (4, 8, 1))
    """

    def __init__(self, batches, *, steps, repeated=False, processes=0):
        super().__init__(steps)
        self.batches = batches
        self.repeated = repeated
        self._kept = {}
        self._asked = {}
        self._pool = None
        if processes:
            # What is begun in new processes reads this when it loads its libraries.
            os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
            self._pool = ProcessPoolExecutor(
                processes, mp_context=multiprocessing.get_context("spawn")
            )

    def on_epoch_end(self):
        """Move on to the batches of the next epoch, or stay."""
        if not self.repeated:
            super().on_epoch_end()

    def batch(self, number):
        """Return a batch by its number, from 0."""
        if self.repeated:
            if number not in self._kept:
                self._kept[number] = self.batches.batch(number)
            return self._kept[number]
        if self._pool is None:
            return self.batches.batch(number)

        for asked in range(number, number + AHEAD):
            if asked not in self._asked:
                self._asked[asked] = self._pool.submit(self.batches.batch, asked)
        return self._asked.pop(number).result()

    def counted(self, number):
        """Return the rows of a batch, and the batch."""
        return np.arange(self.batches.batch_size), self.batches.batch(number)

    def describe(self, window):
        """Return what a window is called."""
        return f"synthetic series {window} of the batch"

    def columns(self, inputs, y):
        """Return the name of each column of the inputs and the targets."""
        return column_names({})
