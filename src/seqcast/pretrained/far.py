"""Far horizons: what holds a forecast that reads its own forecasts as if they were known."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["held"]

Array = npt.NDArray[Any]

# The largest share of the season before: what is wrong with a forecast that is read as if it were known grows from
# block to block (`benchmarks/far_horizons.py`).
REPEATED = 0.5


def held(median: Array, known: Array, season: Array, begun: int, *, repeats: bool) -> Array:
    r"""Return a later block of a forecast, held to what was known.

    .. math:: y_h = (1 - w)\, \hat y_h + w\, y_{h - m}, \quad w = \tfrac12 (1 - \bar R^2)

    `R^2` says how straight a line the seasons' means go on: what has a trend is not held back by the season before. And
    no value goes farther beyond the range of the past and of the first block than a line through it would.

    Args:
        median: The block, `[B, steps]`.
        known: What it was forecast from, the blocks before it included, `[B, T]`; NaN is missing.
        season: Steps of the season of each window, `m`; 1 is none.
        begun: How many of the known steps are the past and the first block.
        repeats: Whether the season before counts.

    Example:
        >>> known = np.tile([1.0, 2.0, 1.0, 2.0], (1, 3))
        >>> held(np.array([[1.0, 4.0, 9.0]]), known, np.array([2]), begun=12, repeats=True)
        array([[1., 3., 3.]])
    """
    if repeats:
        repeated = _season_before(known, season, median.shape[1])
        share = REPEATED * (1 - _straightness(known[:, :begun], season))[:, None]
        median = np.where(np.isnan(repeated), median, (1 - share) * median + share * repeated)
    return np.clip(median, *_reach(known[:, :begun], known.shape[1] - begun))


def _reach(known: Array, first: int) -> tuple[Array, Array]:
    """Return how far values of a later block may go.

    That is beyond the range of the past and of the first block by as much, and by more the farther they are: a line
    through that range goes on in it.

    Args:
        known: The past and the first block, `[B, T]`; NaN is missing.
        first: How many steps are forecast before the later block.
    """
    low, high = np.nanmin(known, axis=1, keepdims=True), np.nanmax(known, axis=1, keepdims=True)
    room = (high - low) * (1 + first / (~np.isnan(known)).sum(axis=1, keepdims=True))
    return low - room, high + room


def _season_before(known: Array, season: Array, steps: int) -> Array:
    """Return the last season of each window again and again, `[B, steps]`; NaN where there is none or it has gaps."""
    places = known.shape[1] - season[:, None] + np.arange(steps) % season[:, None]
    values = np.take_along_axis(known, np.maximum(places, 0), axis=1)
    return np.asarray(np.where((places >= 0) & (season[:, None] > 1), values, np.nan))


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
