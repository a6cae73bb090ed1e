"""The copula of sample paths: known, or learned where paths are first drawn."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from scipy import special

from seqcast import intervals
from seqcast.data.series import SeriesScaler
from seqcast.data.windows import Origins, WindowReader
from seqcast.forecaster.blend import PROBABILITIES, Blend, at_ranks
from seqcast.runtime import Array

# Paths that are drawn for each hold-out window, and the probabilities of intervals of 80 %.
PATHS = 200
TAILS = (0.1, 0.9)


class CopulaSource(Protocol):
    """Where a fitted forecaster takes the copula of its sample paths from."""

    @property
    def copula(self) -> intervals.Copula:
        """The dependence of sample paths over steps and series."""


@dataclass(frozen=True)
class KnownCopula:
    """A copula that has been learned.

    Args:
        copula: The copula.
    """

    copula: intervals.Copula = field(default_factory=intervals.Copula)


@dataclass(frozen=True, eq=False)
class CopulaOfWindows:
    """The copula under which sums over hold-out windows have their levels, fitted at the first use.

    A forecast of points and intervals draws no paths, so most forecasters, above all those that
    train nothing, need no copula. It is a function of this value alone, so learning it late gives
    the same numbers.

    Args:
        blend: The forecast, calibrated if it is to be.
        read: Returns the window reader of the rows.
        origins: Where the windows' forecasts begin.
        times: Number of the time of each origin's cutoff, `[B]`.
    """

    blend: Blend
    read: Callable[[], WindowReader]
    origins: Origins
    times: Array

    @functools.cached_property
    def copula(self) -> intervals.Copula:
        """The copula."""
        reader = self.read()
        origins = self.origins
        shape = (len(origins), reader.targets.width)
        as_they_are = replace(origins, scaler=SeriesScaler(np.zeros(shape), np.ones(shape)))

        truth, quantiles = _within_reach(
            as_they_are.truth(reader), self.blend.whole(reader, origins)
        )
        scores = np.moveaxis(
            intervals.normal_scores(truth, quantiles, PROBABILITIES, np.random.default_rng(0)), 2, 0
        )

        # Each target is a series of its own.
        times = self.times + len(origins) * np.arange(shape[1])[:, None]
        overlap = len(origins) / _count_disjoint(origins)
        held = functools.partial(share_held, truth, quantiles)
        return intervals.Copula.learn(
            scores.reshape(-1, origins.horizon), times.ravel(), self.blend.prior, overlap, held
        )


def _within_reach(truth: Array, quantiles: Array) -> tuple[Array, Array]:
    """Return truth and quantiles, where single precision overflows as if the truth were missing."""
    is_finite = np.isfinite(quantiles)
    return np.where(np.isfinite(truth) & is_finite.all(axis=-1), truth, np.nan), np.where(
        is_finite, quantiles, 0.0
    )


def share_held(truth: Array, quantiles: Array, dependence: intervals.Dependence) -> float:
    """Return the share of sums of the first known steps, two or more, that intervals of 80 % hold.

    Args:
        truth: The truth of each window, `[B, H, D]`; NaN is missing.
        quantiles: Its forecast at `PROBABILITIES`, `[B, H, D, Q]`.
        dependence: The dependence of the steps of the paths that are summed up.
    """
    ranks = special.ndtr(dependence.scores(np.random.default_rng(0), (PATHS, *truth.shape[1:])))
    sums = np.nan_to_num(truth).cumsum(axis=1)
    known = ~np.isnan(truth)
    paths = (
        (at_ranks(own, ranks) * mask).cumsum(axis=1)
        for own, mask in zip(quantiles, known, strict=True)
    )
    low, high = np.stack([np.quantile(each, TAILS, axis=0) for each in paths], axis=1)
    return float(((low <= sums) & (sums <= high))[known.cumsum(axis=1) > 1].mean())


def _count_disjoint(origins: Origins) -> int:
    """Return the number of windows that do not overlap, over all series."""
    first = np.unique(origins.series, return_index=True)[1]
    last, least = (end.reduceat(origins.stops, first) for end in (np.maximum, np.minimum))
    return int(((last - least) // origins.horizon + 1).sum())
