"""Forecasts of trained networks as arrays, from wherever a window reader and origins say."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from seqcast.data.windows.origins import Origins
from seqcast.data.windows.reader import WindowReader
from seqcast.engine.engine import Engine
from seqcast.intervals.calibration import Calibration
from seqcast.intervals.request import ForecastRequest

__all__ = ["COMBINATIONS", "EnsemblePredictor", "Predictor", "blocks", "in_data_units"]

Array = npt.NDArray[Any]

# Numbers in the contexts that are cut out at a time, so that memory does not grow with the number of forecasts.
MOST_NUMBERS = 2**24

COMBINATIONS: dict[str, Callable[..., Any]] = {"median": np.median, "mean": np.mean}


class Predictor(Protocol):
    """What forecasts windows of series; the parts of a forecast are those of a `ForecastRequest`."""

    def forecast(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return forecasts in the data's units, `[B, H, D, parts]`."""

    def scaled(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return forecasts in scaled units, not calibrated, `[B, H, D, parts]`; of a point network the point alone."""

    def paths(self, reader: WindowReader, origins: Origins, samples: int) -> Array:
        """Draw sample paths in the data's units, `[B, samples, H, D]`."""

    def states(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the states of the encoders after each window's past, network after network, `[B, width]`."""

    def attention(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the attention's weights over the steps of the past, `[B, H, T]`."""


@dataclass(frozen=True)
class EnsemblePredictor:
    """Trained networks that forecast together.

    Args:
        engines: The engine of each network.
        combine: How their forecasts become one, part by part: `median` or `mean`.
        calibrations: What widens the intervals of each target, if anything does.
    """

    engines: Sequence[Engine]
    combine: str = "median"
    calibrations: Sequence[Calibration] = ()

    def forecast(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return forecasts in the data's units, `[B, H, D, parts]`.

        Args:
            reader: What reads the windows.
            origins: Where forecasts begin.
            request: What is asked of them.
        """
        made = []
        for block in blocks(reader, origins):
            scaled = self._scaled(reader, block, request)
            if self.calibrations:
                scaled = request.calibrated(scaled, self.calibrations)
            made.append(in_data_units(reader, block, scaled))
        return np.concatenate(made)

    def scaled(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return forecasts in scaled units, not calibrated; arguments as for `forecast`."""
        return np.concatenate([self._scaled(reader, block, request) for block in blocks(reader, origins)])

    def _scaled(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        inputs = read(reader, origins)
        members = [_forecast(engine, _ending(engine, inputs), origins.horizon, request) for engine in self.engines]
        return members[0] if len(members) == 1 else np.asarray(COMBINATIONS[self.combine](members, axis=0))

    def paths(self, reader: WindowReader, origins: Origins, samples: int) -> Array:
        """Draw sample paths in the data's units, the same number from each network.

        Series are drawn independently of each other, and a series' paths do not depend on its company.

        Args:
            reader: What reads the windows.
            origins: Where forecasts begin.
            samples: Number of paths.

        Returns:
            The paths, `[B, samples, H, D]`.
        """
        keys = np.array([zlib.crc32(repr(name).encode()) for name in reader.targets.ids], dtype=np.int64)
        made = []
        for block in blocks(reader, origins, copies=samples):
            inputs, seeds = read(reader, block), keys[block.series]
            drawn = []
            for place, engine in enumerate(self.engines):
                count = samples // len(self.engines) + (place < samples % len(self.engines))
                if count:
                    own = _ending(engine, inputs)
                    drawn.append(engine.paths(own, block.horizon, paths=count, seed=seeds ^ engine.seed))
            paths = np.moveaxis(np.concatenate(drawn, axis=1), 1, 2)  # [B, H, samples, D]
            made.append(np.moveaxis(_scaler(reader, block).inverse(paths), 2, 1))
        return np.concatenate(made)

    def states(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the states of the encoders after each window's past, network after network, `[B, width]`."""
        made = []
        for block in blocks(reader, origins):
            inputs = read(reader, block)
            inputs.pop("future", None)
            vectors = [engine.encode(_ending(engine, inputs)).vector() for engine in self.engines]
            made.append(np.concatenate(vectors, axis=1))
        return np.concatenate(made)

    def attention(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the attention's weights over the steps of the past, the mean of the networks, `[B, H, T]`.

        Raises:
            SpecError: A network has no attention.
        """
        made = []
        for block in blocks(reader, origins):
            inputs = read(reader, block)
            # A token that folds several steps stands at its last one.
            weights = np.zeros((len(block), block.horizon, reader.context_length))
            for engine in self.engines:
                own = engine.attention(_ending(engine, inputs), block.horizon)
                back = engine.network.segment * np.arange(own.shape[2])[::-1]
                weights[:, :, weights.shape[2] - 1 - back] += own / len(self.engines)
            made.append(weights)
        return np.concatenate(made)


def blocks(reader: WindowReader, origins: Origins, *, copies: int = 1) -> Iterator[Origins]:
    """Yield so many origins at a time as memory allows, when each forecast is kept so many times."""
    targets = reader.scaler.loc.shape[1]
    numbers = reader.width * (reader.context_length + origins.horizon)
    return origins.blocks(max(128, MOST_NUMBERS // max(numbers, copies * targets * origins.horizon)))


def read(reader: WindowReader, origins: Origins) -> dict[str, Array]:
    """Return what networks read at some origins."""
    return reader.inputs(origins.series, origins.stops, origins.horizon, scaler=origins.scaler, future=origins.future)


def in_data_units(reader: WindowReader, origins: Origins, scaled: Array) -> Array:
    """Return forecasts in the data's units, `[B, H, D, parts]`."""
    scaler = _scaler(reader, origins)
    return np.stack([scaler.inverse(scaled[..., part]) for part in range(scaled.shape[-1])], axis=-1)


def _scaler(reader: WindowReader, origins: Origins) -> Any:
    return reader.scaler.take(origins.series) if origins.scaler is None else origins.scaler


def _ending(engine: Engine, inputs: dict[str, Array]) -> dict[str, Array]:
    """Return what one network reads: the end of a context that is as long as the longest network's."""
    own = None if engine.window is None else engine.window.context_length
    if own is None or own == inputs["past"].shape[1]:
        return inputs
    return {**inputs, "past": inputs["past"][:, -own:]}


def _forecast(engine: Engine, inputs: dict[str, Array], horizon: int, request: ForecastRequest) -> Array:
    """Return one network's forecast, `[B, H, D, parts]`."""
    if not engine.network.is_probabilistic:
        return engine.predict(inputs, horizon)[..., None]
    distribution = engine.distribution(inputs, horizon)
    point = distribution.mean() if request.point == "mean" else distribution.median()
    if not request.level:
        return point[..., None]
    return np.concatenate([point[..., None], distribution.quantile(request.probabilities)], axis=-1)
