"""Far horizons: what holds a forecast that reads its own forecasts as if they were known, and how it ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.pretrained.inputs import pieces, season_again
from seqcast.pretrained.seasonal_base import SeasonalBase
from seqcast.pretrained.simple_forecasts import mean_of_known

Array = npt.NDArray[Any]

# The largest share of the season before: what is wrong with a forecast that is read as if it were known grows from
# block to block (`benchmarks/far_horizons.py`).
REPEATED = 0.5
# The network writes so many blocks: all of them take three times as long, and squared errors are within 2 %.
BLOCKS = 3


def held(median: Array, known: Array, season: Array, begun: int, *, repeats: bool) -> Array:
    r"""Hold a forecast after the first block to what was known.

    .. math:: y_h = (1 - w)\, \hat y_h + w\, y_{h - m}, \quad w = \tfrac12 (1 - \bar R^2)

    `y` a season before is that of the block before; after the last block of the network it is its last season.
    `R^2` says how straight a line the seasons' means go on: what has a trend is not held back by the season before. And
    no value goes farther beyond the range of the past and of the first block than a line through it would.

    Args:
        median: The forecast, `[B, steps]`.
        known: What it was forecast from, all blocks before it included, `[B, T]`; NaN is missing.
        season: Steps of the season of each window, `m`, `[B]`; 1 is none.
        begun: How many steps of these are the past and the first block.
        repeats: Whether the season before counts.

    Returns:
        The forecast, held.

    Example:
        >>> known = np.tile([1.0, 2.0, 1.0, 2.0], (1, 3))
        >>> held(np.array([[1.0, 4.0, 9.0]]), known, np.array([2]), begun=12, repeats=True).round(2)
        array([[1.  , 3.  , 3.17]])
    """
    first = known[:, :begun]
    share = (REPEATED * (1 - _straightness(first, season)) * (repeats & (season > 1)))[:, None]
    repeated = season_again(known, season, median.shape[1])
    mixed = np.where(np.isnan(repeated), median, (1 - share) * median + share * repeated)
    low, high = np.nanmin(first, axis=1, keepdims=True), np.nanmax(first, axis=1, keepdims=True)
    later = known.shape[1] - begun + np.arange(median.shape[1])
    room = (high - low) * (1 + later / (~np.isnan(first)).sum(axis=1, keepdims=True))
    return np.clip(mixed, low - room, high + room)


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
        means = mean_of_known(seasons, axis=2)[:, :, 0]
        many = (~np.isnan(means)).sum(axis=1)
        places = np.where(np.isnan(means), np.nan, np.arange(count))
        x, y = (each - mean_of_known(each) for each in (places, means))
        xx, xy, yy = (np.nansum(product, axis=1) for product in (x * x, x * y, y * y))
        squared = xy**2 / np.maximum(xx * yy, np.finfo(float).tiny)
        adjusted = 1 - (1 - squared) * (many - 1) / np.maximum(many - 2, 1)
        result[rows] = np.where(many > 2, adjusted, 0.0)
    return np.clip(result, 0.0, 1.0)
