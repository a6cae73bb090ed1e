"""Forecasts of the pretrained network: it reads the last rows of each series, and is trained on none of them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.synthetic import Season
from seqcast.data.windows.origins import Origins
from seqcast.data.windows.reader import WindowReader
from seqcast.data.windows.seasonal_covariates import SeasonalCovariates, seasonal_reader
from seqcast.data.windows.seasonal_inputs import FUTURE, PAST, STATIC
from seqcast.engine.inputs import ModelInputs, SeriesLabels
from seqcast.errors import SpecError
from seqcast.forecaster.predictor import Predictor, blocks, network_inputs
from seqcast.intervals.calibration import Calibration
from seqcast.intervals.request import ForecastRequest
from seqcast.intervals.support import bounded
from seqcast.pretrained import PretrainedNetwork

__all__ = ["PretrainedPredictor", "pretrained_inputs"]

Array = npt.NDArray[Any]

# Sample paths are drawn from so many quantiles of each step.
DRAWN_QUANTILES = tuple(np.round(np.linspace(0.005, 0.995, 100), 4))


@dataclass(frozen=True)
class PretrainedPredictor(Predictor):
    """Forecast each target of each series by itself, with the network that has seen only synthetic series.

    Covariates are read by a network that was fine-tuned with them.

    Args:
        network: The network.
        season_length: Steps of a season; 1 is none.
        calibrations: The calibration of each target's intervals; empty for none.
        support: The support of each target; empty for no bounds.
    """

    network: PretrainedNetwork
    season_length: int
    calibrations: Sequence[Calibration] = ()
    support: Sequence[str] = ()

    def _scaled(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        return self._quantiles(reader, origins, request.probabilities_with_point)

    def _quantiles(self, reader: WindowReader, origins: Origins, probabilities: Sequence[float]) -> Array:
        """Return quantiles in scaled units, `[B, H, D, Qs]`.

        The network reads the data's units, so it forecasts the same however series are scaled for others.
        """
        past, covariates = self.past(reader, origins)
        rows, _, targets = past.shape
        each = np.moveaxis(past, 2, 1).reshape(rows * targets, -1)
        if covariates is not None:
            covariates = covariates.take(np.repeat(np.arange(rows), targets))
        quantiles = self.network.quantiles(each, *self.told(len(each)), origins.horizon, probabilities, covariates)
        quantiles = np.moveaxis(quantiles.reshape(rows, targets, origins.horizon, -1), 1, 3)
        return np.moveaxis(reader.scaler_of(origins.series, origins.scaler).transform(quantiles), 2, 3)

    def told(self, rows: int) -> tuple[Array, Array]:
        """Return the season length and the longer one, once for each window."""
        season = Season.of(self.season_length)
        return np.full(rows, season.length), np.full(rows, season.longer or 0)

    def paths(self, reader: WindowReader, origins: Origins, samples: int) -> Array:
        """Draw sample paths in the data's units, `[B, samples, H, D]`.

        Steps are drawn one by one from their quantiles, so paths say nothing of how steps go together. Those of a
        series do not depend on its company.
        """
        keys = np.array([zlib.crc32(repr(name).encode()) for name in reader.targets.ids], dtype=np.int64)
        by_block = []
        for block in blocks(reader, origins, copies=samples):
            quantiles = self._quantiles(reader, block, DRAWN_QUANTILES)
            shape = (samples, *quantiles.shape[1:3])
            drawn = [np.random.default_rng([key, stop]).random(shape) for key, stop in self._keys(keys, block)]
            places = np.stack(drawn) * (len(DRAWN_QUANTILES) - 1)
            low = places.astype(int)
            below, above = (_taken(quantiles, part) for part in (low, np.minimum(low + 1, len(DRAWN_QUANTILES) - 1)))
            paths = below + (places - low) * (above - below)
            paths = np.moveaxis(reader.scaler_of(block.series, block.scaler).inverse(np.moveaxis(paths, 1, 2)), 2, 1)
            by_block.append(bounded(paths[..., None], self.support, (0.5,))[..., 0])
        return np.concatenate(by_block)

    @staticmethod
    def _keys(keys: Array, block: Origins) -> list[tuple[int, int]]:
        return [(int(keys[series]), int(stop)) for series, stop in zip(block.series, block.stops, strict=True)]

    def states(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the states of the encoder after each window's past, target after target, `[B, width]`."""
        by_block = []
        for block in blocks(reader, origins):
            past, covariates = self.past(reader, block)
            by_target = []
            for target in range(past.shape[2]):
                read = self.network.read(past[:, :, target], *self.told(len(past)), 1, covariates)
                inputs = {name: read.inputs[name] for name in ("past", "static")}
                by_target.append(self.network.engine.encode(inputs).vector())
            by_block.append(np.concatenate(by_target, axis=1))
        return np.concatenate(by_block)

    def attention(self, reader: WindowReader, origins: Origins) -> Array:
        """Refuse: the network has no attention."""
        del reader, origins
        raise SpecError(
            "attention",
            expected="a network with attention",
            received="the pretrained network, which has none",
            hint="Train a network with attention: preset=NetworkSpec(attention='dot').",
        )

    def past(self, reader: WindowReader, origins: Origins) -> tuple[Array, SeasonalCovariates | None]:
        """Return the targets' past in the data's units, with gaps, `[B, T, D]`, and the covariates that are read."""
        reads, targets = bool(self.network.covariates), reader.scaler.loc.shape[1]
        # Without features the reader takes no notice of the known future.
        inputs = network_inputs(seasonal_reader(reader, covariates=reads), origins)
        covariates = SeasonalCovariates.of(inputs, targets) if reads else None
        past = inputs["past"][:, :, :targets].astype(float)
        return reader.scaler_of(origins.series, origins.scaler).inverse(past), covariates


def _taken(quantiles: Array, places: Array) -> Array:
    """Return quantiles `[B, H, D, Qs]` at the places of each path, `[B, samples, H, D]`."""
    return np.take_along_axis(quantiles[:, None], places[..., None], axis=4)[..., 0]


def pretrained_inputs(
    predictor: PretrainedPredictor, reader: WindowReader, origins: Origins, labels: SeriesLabels, truth: Array | None
) -> ModelInputs:
    """Return what the network reads of some windows, in its own units.

    Args:
        predictor: The predictor.
        reader: The window reader.
        origins: Where forecasts begin.
        labels: What the windows are called.
        truth: What came then in scaled units, `[B, H, D]`, where it is known.

    Raises:
        SpecError: There are several targets, each of which the network reads by itself.
    """
    targets = reader.scaler.loc.shape[1]
    if targets > 1:
        raise SpecError(
            "model_inputs",
            expected="one target, of which the pretrained network reads one at a time",
            received=str(targets),
            hint="Fit a forecaster with one of them.",
        )
    past, covariates = predictor.past(reader, origins)
    read = predictor.network.read(past[:, :, 0], *predictor.told(len(past)), origins.horizon, covariates)
    names = reader.names if covariates is not None else {}
    scaled = None
    if truth is not None:
        scaled = read.scaled(reader.scaler_of(origins.series, origins.scaler).inverse(truth)[:, :, 0])[:, :, None]
    return ModelInputs(
        predictor.network.engine,
        dict(read.inputs),
        origins.horizon,
        labels,
        features=(*PAST, *names.get("past", ())[targets:]),
        targets=("value",),
        known_future=(*FUTURE, *names.get("future", ())),
        truth=scaled,
        static=(*STATIC, *names.get("static", ())),
    )
