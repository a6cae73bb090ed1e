"""The forecast that candidates share: the weighted mean of their quantiles, block by block."""

import functools
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from seqcast.data.windows import Origins, WindowReader
from seqcast.forecaster.candidates import FittedCandidate, reject_without_network
from seqcast.forecaster.cold_start import ColdStart
from seqcast.intervals import (
    WHOLE_LEVELS,
    Calibration,
    Copula,
    Dependence,
    ForecastRequest,
    bounded,
    calibrated,
)
from seqcast.pretrained import sharing_inputs
from seqcast.runtime import Array, tracked

# Most numbers in the contexts of a block of windows, so that memory does not grow with the number
# of forecasts.
MOST_NUMBERS = 2**24

# Most origins of a block, after each of which the progress is shown.
MOST_ORIGINS = 4096

# Most cutoffs whose common scores are remembered: series that end at one time share them.
MOST_CUTOFFS = 16

# The quantiles that stand for a whole distribution.
WHOLE = ForecastRequest(level=WHOLE_LEVELS)

# Their order by rising probability, and these probabilities.
ORDER = np.argsort(WHOLE.probabilities_with_point)
PROBABILITIES = np.sort(WHOLE.probabilities_with_point)

# The weights that they have in the mean, which is the mean of the sample paths.
WEIGHTS_OF_MEAN = np.diff(
    np.concatenate([[0.0], (PROBABILITIES[1:] + PROBABILITIES[:-1]) / 2, [1.0]])
)


@dataclass(frozen=True)
class Blend:
    r"""Forecast by the weighted mean of the forecasts of candidates.

    .. math:: q_p = \sum_k w_k\, q_{k, p}

    Means of quantiles keep the shape that the forecasts have in common, so that several good
    forecasts are not blurred into a wide one.

    Args:
        candidates: The candidates.
        shares: The share of each, `w`; they sum to 1.
        calibrations: The calibration of each target's intervals; empty for none.
        support: The support of each target; empty for no bounds.
        copula: The dependence of sample paths.
        cold: The series with borrowed rows, whose intervals are wider; `None` where none borrows.

    Source: Lichtendahl, Grushka-Cockayne and Winkler 2013, Is it better to average probabilities or
        quantiles?,
    Management Science 59(7).
    """

    candidates: Sequence[FittedCandidate]
    shares: Sequence[float]
    calibrations: Sequence[Calibration] = ()
    support: Sequence[str] = ()
    copula: Copula = field(default_factory=Copula)
    cold: ColdStart | None = None

    def forecast(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return calibrated forecasts in the data's units, `[B, H, D, 1 + 2 L]`, block by block.

        Args:
            reader: The window reader.
            origins: Where forecasts begin.
            request: Point and intervals of the forecasts.
        """
        by_block = []
        for block in _blocks(reader, origins):
            forecast = self._in_units(reader, block, request)
            has_mean = reader.scaler.unit is None and all(each.has_mean for each in self.candidates)
            if request.point == "mean" and not has_mean:
                forecast[..., 0] = self.whole(reader, block) @ WEIGHTS_OF_MEAN
            by_block.append(bounded(forecast, self.support, is_mean=request.point == "mean"))
        return np.concatenate(by_block)

    @property
    def prior(self) -> Dependence:
        """The dependence of steps before any is learned: the candidates' mean, by their shares."""
        own = [(each.dependence.shared, each.dependence.persistence) for each in self.candidates]
        return Dependence(*np.average(own, axis=0, weights=self.shares).tolist())

    def _in_units(self, reader: WindowReader, block: Origins, request: ForecastRequest) -> Array:
        """Return calibrated forecasts in the data's units, `[B, H, D, 1 + 2 L]`, without bounds."""
        forecast = self._scaled(reader, block, request)
        if self.calibrations:
            forecast = calibrated(forecast, request, self.calibrations)
        scaler = block.scalers(reader)
        columns = [scaler.inverse(forecast[..., column]) for column in range(forecast.shape[-1])]
        forecast = np.stack(columns, axis=-1)
        return forecast if self.cold is None else self.cold.widened(forecast, block.series, request)

    def scaled(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return forecasts in scaled units, `[B, H, D, 1 + 2 L]`, or only points, not calibrated.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.
            request: Point and intervals of the forecasts.
        """
        return np.concatenate(
            [self._scaled(reader, block, request) for block in _blocks(reader, origins)]
        )

    @sharing_inputs()
    def _scaled(self, reader: WindowReader, block: Origins, request: ForecastRequest) -> Array:
        forecasts = (each.forecast(reader, block, request) for each in self.candidates)
        if len(self.candidates) == 1:
            return next(forecasts)
        return np.asarray(
            sum(share * forecast for share, forecast in zip(self.shares, forecasts, strict=True))
        )

    def whole(self, reader: WindowReader, block: Origins) -> Array:
        """Return the calibrated quantiles of `WHOLE` in the data's units, `[B, H, D, Q]`.

        They are not below zero where the support is not, and counts are not rounded.

        Args:
            reader: The window reader.
            block: Where forecasts begin; as many as memory allows.
        """
        forecast = self._in_units(reader, block, WHOLE)
        quantiles = np.maximum.accumulate(
            np.broadcast_to(forecast, (*forecast.shape[:3], len(ORDER)))[..., ORDER], -1
        )
        least = np.array([-np.inf if each == "real" else 0.0 for each in self.support or ("real",)])
        return np.asarray(np.maximum(quantiles, least[:, None]))

    def paths(
        self, reader: WindowReader, origins: Origins, cutoffs: Array, samples: int
    ) -> Iterator[Array]:
        """Yield the sample paths of each window in the data's units, `[samples, H, D]`.

        Each step is drawn from the quantiles of the forecast, and within the support; `copula`
        joins steps and series. A count is the whole number below or above a quantile, by chance, so
        that means stay. Paths of a series do not depend on which others are forecast.

        Args:
            reader: The window reader.
            origins: Where forecasts begin.
            cutoffs: The last known time of each, a whole number `>= 0`, `[B]`.
            samples: Number of paths.
        """
        shape = (samples, origins.horizon, reader.targets.width)
        draw = self.copula.steps.scores
        common = functools.lru_cache(MOST_CUTOFFS)(
            lambda cutoff: draw(np.random.default_rng(cutoff), shape)
        )

        counts = np.array([each == "counts" for each in self.support or ("real",)])
        keys = [zlib.crc32(repr(reader.targets.ids[series]).encode()) for series in origins.series]
        seeds = zip(keys, cutoffs.tolist(), strict=True)

        for block in _blocks(reader, origins):
            for quantiles, (key, cutoff) in zip(self.whole(reader, block), seeds, strict=False):
                rng = np.random.default_rng([key, cutoff])
                paths = at_ranks(quantiles, self.copula.ranks(draw(rng, shape), common(cutoff)))
                if counts.any():
                    paths = np.where(counts, np.floor(paths + rng.random(shape)), paths)
                yield bounded(paths[..., None], self.support)[..., 0]

    def states(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the encoders' states after each window's past, one network's after another's.

        They have the shape `[B, width]`.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.
        """
        encoding = [each for each in self.candidates if each.networks]
        if not encoding:
            reject_without_network("encode")
        by_candidate = [
            np.concatenate([each.states(reader, block) for block in _blocks(reader, origins)])
            for each in encoding
        ]
        return np.concatenate(by_candidate, axis=1)

    def attention(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the attention weights of the first networks over past steps, `[B, H, T]`.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.

        Raises:
            SpecError: They have no attention.
        """
        first = next((each for each in self.candidates if each.networks), self.candidates[0])
        return np.concatenate(
            [first.attention(reader, block) for block in _blocks(reader, origins)]
        )


def _blocks(reader: WindowReader, origins: Origins) -> Iterator[Origins]:
    """Yield blocks of origins that memory allows."""
    numbers = reader.width * (reader.context_length + origins.horizon)
    size = min(max(128, MOST_NUMBERS // numbers), MOST_ORIGINS)
    return tracked(origins.blocks(size), "forecasting", math.ceil(len(origins) / size))


def at_ranks(quantiles: Array, ranks: Array) -> Array:
    """Return the values of a forecast at ranks, `[samples, H, D]`.

    Between quantiles they are interpolated linearly, and beyond them they are constant.

    Args:
        quantiles: The quantiles of `PROBABILITIES`, `[H, D, Q]`.
        ranks: Ranks between 0 and 1, `[samples, H, D]`.
    """
    places = np.interp(ranks, PROBABILITIES, np.arange(len(PROBABILITIES)))
    low = np.minimum(places.astype(int), len(PROBABILITIES) - 2)
    steps, targets = np.ogrid[: quantiles.shape[0], : quantiles.shape[1]]
    below, above = (quantiles[steps, targets, side] for side in (low, low + 1))
    return np.asarray(below + (places - low) * (above - below))
