"""Forecasts of several predictors as one: their weighted mean, quantile by quantile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.windows.origins import Origins
from seqcast.data.windows.reader import WindowReader
from seqcast.forecaster.predictor import Predictor
from seqcast.intervals.calibration import Calibration
from seqcast.intervals.request import ForecastRequest

__all__ = ["BlendPredictor"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class BlendPredictor(Predictor):
    r"""Forecast by the weighted mean of other forecasts.

    .. math:: q_p = \sum_k w_k\, q_{k, p}

    Means of quantiles keep the shape that the forecasts have in common, so that several good forecasts are not blurred
    into a wide one.

    Args:
        parts: The predictors.
        shares: The share of each, `w`; they sum to 1.
        networks: Which of the predictors have a network, in this order; samples and states come from these.
        calibrations: The calibration of each target's intervals; empty for none.
        support: The support of each target; empty for no bounds.

    Source: Lichtendahl, Grushka-Cockayne and Winkler 2013, Is it better to average probabilities or quantiles?,
    Management Science 59(7).
    """

    parts: Sequence[Predictor]
    shares: Sequence[float]
    networks: Sequence[int] = ()
    calibrations: Sequence[Calibration] = ()
    support: Sequence[str] = ()

    def _scaled(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        forecasts = (part.calibrated(reader, origins, request) for part in self.parts)
        weighted = (share * forecast for share, forecast in zip(self.shares, forecasts, strict=True))
        return np.asarray(sum(weighted))

    def paths(self, reader: WindowReader, origins: Origins, samples: int) -> Array:
        """Draw sample paths in the data's units, `[B, samples, H, D]`: of each network as many as its share.

        Args:
            reader: The window reader.
            origins: Where forecasts begin.
            samples: Number of paths.
        """
        shares = np.array([self.shares[place] for place in self.networks])
        stops = np.round(np.cumsum(shares) / shares.sum() * samples).astype(int)
        counts = np.diff(stops, prepend=0)
        drawn = [
            self.parts[place].paths(reader, origins, int(count))
            for place, count in zip(self.networks, counts, strict=True)
            if count
        ]
        return np.concatenate(drawn, axis=1)

    def states(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the states of the encoders after each window's past, network after network, `[B, width]`."""
        return np.concatenate([self.parts[place].states(reader, origins) for place in self.networks], axis=1)

    def attention(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the attention's weights over the steps of the past, those of the trained networks, `[B, H, T]`.

        Raises:
            SpecError: They have no attention.
        """
        return self.parts[self.networks[0]].attention(reader, origins)
