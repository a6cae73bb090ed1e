"""Far horizons: what holds a forecast that reads its own forecasts as if they were known, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.pretrained.inputs import pieces, season_again
from seqcast.pretrained.seasonal_base import SeasonalBase

Array = npt.NDArray[Any]

# The largest share of the season before: what is wrong with a forecast that is read as if it were known grows from
# block to block (`benchmarks/far_horizons.py`).
REPEATED = 0.5
# The network writes so many blocks: all of them take three times as long, and squared errors are within 2 %.
BLOCKS = 3


@dataclass(frozen=True)
class Hold:
    r"""What holds a forecast to what was known, after the first block.

    .. math:: y_h = (1 - w)\, \hat y_h + w\, y_{h - m}, \quad w = \tfrac12 (1 - \bar R^2)

    `y` a season before is that of the block before; after the last block of the network it is its last season.
    `R^2` says how straight a line the seasons' means go on: what has a trend is not held back by the season before. And
    no value goes farther beyond the range of the past and of the first block than a line through it would.

    Args:
        season: Steps of the season of each window, `m`, `[B]`; 1 is none.
        share: The share of the season before, `w`, `[B, 1]`.
        low: The least value of the past and of the first block, `[B, 1]`.
        high: The largest one.
        steps: How many of these steps are known, `[B, 1]`.
        length: How many there are.

    Example:
        >>> known = np.tile([1.0, 2.0, 1.0, 2.0], (1, 3))
        >>> Hold.of(known, np.array([2]), repeats=True)(np.array([[1.0, 4.0, 9.0]]), known).round(2)
        array([[1.  , 3.  , 3.17]])
    """

    season: Array
    share: Array
    low: Array
    high: Array
    steps: Array
    length: int

    @classmethod
    def of(cls, known: Array, season: Array, *, repeats: bool) -> Self:
        """Learn what holds a forecast.

        Args:
            known: The past and the first block, `[B, T]`; NaN is missing.
            season: Steps of the season of each window, `[B]`.
            repeats: Whether the season before counts.
        """
        share = REPEATED * (1 - _straightness(known, season)) * (repeats & (season > 1))
        low, high = np.nanmin(known, axis=1, keepdims=True), np.nanmax(known, axis=1, keepdims=True)
        steps = (~np.isnan(known)).sum(axis=1, keepdims=True)
        return cls(season, share[:, None], low, high, steps=steps, length=known.shape[1])

    def __call__(self, median: Array, known: Array) -> Array:
        """Return what comes after the first block, held.

        Args:
            median: Its forecast, `[B, steps]`.
            known: What it was forecast from, all blocks before it included, `[B, T]`; NaN is missing.
        """
        repeated = season_again(known, self.season, median.shape[1])
        mixed = np.where(np.isnan(repeated), median, (1 - self.share) * median + self.share * repeated)
        later = known.shape[1] - self.length + np.arange(median.shape[1])
        room = (self.high - self.low) * (1 + later / self.steps)
        return np.clip(mixed, self.low - room, self.high + room)


def base_after(known: Array, season: Array, longer: Array, steps: int, context: int) -> Array:
    """Return what the base says of the steps after what is known, `[B, steps]`.

    Args:
        known: Values, those that were forecast included, `[B, T]`; NaN is missing.
        season: Steps of the season of each window, `[B]`; 1 is none.
        longer: Steps of a season that contains it, `[B]`; 0 is none.
        steps: How many.
        context: How many steps are read; all that are known where these hold fewer than two seasons.
    """
    read = np.where(2 * season <= context, context, known.shape[1])
    length = int(read.max(initial=1))
    known = np.where(np.arange(length) < length - read[:, None], np.nan, known[:, -length:])
    parts = pieces(len(known), length + steps)
    return np.concatenate([SeasonalBase.of(known[rows], season[rows], longer[rows], steps).in_units for rows in parts])


def widened(block: Array, before: Array, steps: int) -> Array:
    r"""Return how far quantiles are from the median in a block, and after it where there are more steps.

    To how far they are by themselves is added, as independent errors are, how far those of the step before the block
    were. After the block it comes again and again, each time after the one before:

    .. math:: d_{k, j} = \operatorname{sign}(d_j) \sqrt{d_j^2 + k\, d_n^2 + b^2}

    Args:
        block: How far they are in the block by itself, `d`, `[B, n, Qs]`.
        before: How far they are at the step before it, `b`, `[B, 1, Qs]`.
        steps: How many steps to return.

    Returns:
        The distances, `[B, steps, Qs]`.

    Example:
        >>> widened(np.array([[[3.0], [4.0]]]), np.array([[[0.0]]]), 3)[0, :, 0]
        array([3., 4., 5.])
    """
    places, length = np.arange(steps), block.shape[1]
    own, blocks = block[:, places % length], (places // length)[:, None]
    return np.asarray(np.sign(own) * np.hypot(np.hypot(own, np.sqrt(blocks) * block[:, -1:]), before))


def _straightness(known: Array, season: Array) -> Array:
    r"""Return which share of the spread of its seasons' means a line explains, of each window `[B]`.

    .. math:: \bar R^2 = \max\Big(0, 1 - (1 - R^2) \frac{n - 1}{n - 2}\Big)

    Args:
        known: Values, `[B, T]`; NaN is missing.
        season: Steps of a season; of one with fewer than three seasons, and without one, it is 0.
    """
    result = np.zeros(len(known))
    for steps in np.unique(season[season > 1]):
        count = known.shape[1] // steps
        rows = np.flatnonzero(season == steps)
        seasons = known[rows, known.shape[1] - count * steps :].reshape(len(rows), count, steps)
        there = ~np.isnan(seasons).all(axis=2)
        seasons = np.where(there, np.nansum(seasons, axis=2) / np.maximum((~np.isnan(seasons)).sum(axis=2), 1), 0.0)
        many = np.maximum(there.sum(axis=1, keepdims=True), 1)
        place = np.arange(count) - (there * np.arange(count)).sum(axis=1, keepdims=True) / many
        off = seasons - (there * seasons).sum(axis=1, keepdims=True) / many
        products = [(there * one * other).sum(axis=1) for one, other in ((place, off), (place, place), (off, off))]
        squared = products[0] ** 2 / np.maximum(products[1] * products[2], np.finfo(float).tiny)
        enough = many[:, 0] > 2
        result[rows] = np.where(enough, 1 - (1 - squared) * (many[:, 0] - 1) / np.maximum(many[:, 0] - 2, 1), 0.0)
    return np.clip(result, 0.0, 1.0)
