"""The forecast that candidates share: the weighted mean of theirs, calibrated, in the data's units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.windows import Origins, WindowReader
from seqcast.forecaster.candidates.base import FittedCandidate, refuse_without_network
from seqcast.intervals import Calibration, ForecastRequest, bounded

Array = npt.NDArray[Any]

# Numbers in the contexts that are cut out at a time, so that memory does not grow with the number of forecasts.
MOST_NUMBERS = 2**24


@dataclass(frozen=True)
class Blend:
    r"""Forecast by the weighted mean of the forecasts of candidates.

    .. math:: q_p = \sum_k w_k\, q_{k, p}

    Means of quantiles keep the shape that the forecasts have in common, so that several good forecasts are not blurred
    into a wide one.

    Args:
        candidates: The candidates.
        shares: The share of each, `w`; they sum to 1.
        calibrations: The calibration of each target's intervals; empty for none.
        support: The support of each target; empty for no bounds.

    Source: Lichtendahl, Grushka-Cockayne and Winkler 2013, Is it better to average probabilities or quantiles?,
    Management Science 59(7).
    """

    candidates: Sequence[FittedCandidate]
    shares: Sequence[float]
    calibrations: Sequence[Calibration] = ()
    support: Sequence[str] = ()

    @classmethod
    def of(cls, candidate: FittedCandidate) -> Self:
        """Return the forecast of one candidate."""
        return cls([candidate], [1.0])

    def forecast(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return calibrated forecasts in the data's units, `[B, H, D, parts]`, made block by block.

        Args:
            reader: The window reader.
            origins: Where forecasts begin.
            request: Point and intervals of the forecasts.
        """
        by_block = []
        for block in _blocks(reader, origins):
            forecast = self._scaled(reader, block, request)
            if self.calibrations:
                forecast = request.calibrated(forecast, self.calibrations)
            scaler = block.scalers(reader)
            parts = [scaler.inverse(forecast[..., part]) for part in range(forecast.shape[-1])]
            by_block.append(bounded(np.stack(parts, axis=-1), self.support, request.probabilities_with_point))
        return np.concatenate(by_block)

    def scaled(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return forecasts in scaled units, not calibrated, `[B, H, D, parts]`; where only a point is known, that."""
        return np.concatenate([self._scaled(reader, block, request) for block in _blocks(reader, origins)])

    def _scaled(self, reader: WindowReader, block: Origins, request: ForecastRequest) -> Array:
        forecasts = (each.forecast(reader, block, request) for each in self.candidates)
        if len(self.candidates) == 1:
            return next(forecasts)
        return np.asarray(sum(share * forecast for share, forecast in zip(self.shares, forecasts, strict=True)))

    def paths(self, reader: WindowReader, origins: Origins, samples: int) -> Array:
        """Draw sample paths in the data's units, `[B, samples, H, D]`: of each candidate as many as its share.

        Those that forecast a point alone have none, unless nothing else forecasts.

        Args:
            reader: The window reader.
            origins: Where forecasts begin.
            samples: Number of paths.
        """
        pairs = list(zip(self.candidates, self.shares, strict=True))
        drawing = [(each, share) for each, share in pairs if each.is_probabilistic or each.networks] or pairs
        stops = np.round(np.cumsum([share for _, share in drawing]) / sum(share for _, share in drawing) * samples)
        counts = np.diff(stops.astype(int), prepend=0)
        drawn = [
            self._paths(each, reader, origins, int(count))
            for (each, _), count in zip(drawing, counts, strict=True)
            if count
        ]
        return np.concatenate(drawn, axis=1)

    def _paths(self, candidate: FittedCandidate, reader: WindowReader, origins: Origins, samples: int) -> Array:
        by_block = []
        for block in _blocks(reader, origins, copies=samples):
            paths = np.moveaxis(candidate.paths(reader, block, samples), 1, 2)  # [B, H, samples, D]
            paths = np.moveaxis(block.scalers(reader).inverse(paths), 2, 1)
            by_block.append(bounded(paths[..., None], self.support, (0.5,))[..., 0])
        return np.concatenate(by_block)

    def states(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the states of the encoders after each window's past, network after network, `[B, width]`."""
        encoding = [each for each in self.candidates if each.networks]
        if not encoding:
            refuse_without_network("encode")
        by_candidate = [
            np.concatenate([each.states(reader, block) for block in _blocks(reader, origins)]) for each in encoding
        ]
        return np.concatenate(by_candidate, axis=1)

    def attention(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the attention's weights over the steps of the past, those of the first networks, `[B, H, T]`.

        Raises:
            SpecError: They have no attention.
        """
        first = next((each for each in self.candidates if each.networks), self.candidates[0])
        return np.concatenate([first.attention(reader, block) for block in _blocks(reader, origins)])


def _blocks(reader: WindowReader, origins: Origins, *, copies: int = 1) -> Iterator[Origins]:
    """Yield as many origins at a time as memory allows when each has `copies` forecasts."""
    targets = reader.scaler.loc.shape[1]
    numbers = reader.width * (reader.context_length + origins.horizon)
    return origins.blocks(max(128, MOST_NUMBERS // max(numbers, copies * targets * origins.horizon)))
