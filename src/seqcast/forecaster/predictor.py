"""Forecasts of trained networks as arrays, for the windows at given origins."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.windows.origins import Origins
from seqcast.data.windows.reader import WindowReader
from seqcast.engine.engine import Engine
from seqcast.intervals.calibration import Calibration
from seqcast.intervals.request import ForecastRequest
from seqcast.intervals.support import bounded

__all__ = ["COMBINATIONS", "EnsemblePredictor", "Predictor", "blocks", "network_inputs"]

Array = npt.NDArray[Any]

# Numbers in the contexts that are cut out at a time, so that memory does not grow with the number of forecasts.
MOST_NUMBERS = 2**24

COMBINATIONS: dict[str, Callable[..., Any]] = {"median": np.median, "mean": np.mean}


class Predictor(ABC):
    """Forecasts windows of series; the parts of a forecast are those of a `ForecastRequest`.

    Attributes:
        calibrations: The calibration of each target's intervals; empty for none.
        support: The support of each target; empty for no bounds.
    """

    calibrations: Sequence[Calibration]
    support: Sequence[str]

    def forecast(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return calibrated forecasts in the data's units, `[B, H, D, parts]`, made block by block.

        Args:
            reader: The window reader.
            origins: Where forecasts begin.
            request: Point and intervals of the forecasts.
        """
        by_block = []
        for block in blocks(reader, origins):
            forecast = self.calibrated(reader, block, request)
            scaler = reader.scaler_of(block.series, block.scaler)
            parts = [scaler.inverse(forecast[..., part]) for part in range(forecast.shape[-1])]
            by_block.append(bounded(np.stack(parts, axis=-1), self.support, request.probabilities_with_point))
        return np.concatenate(by_block)

    def scaled(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return forecasts in scaled units, not calibrated, `[B, H, D, parts]`; where only a point is known, that."""
        return np.concatenate([self._scaled(reader, block, request) for block in blocks(reader, origins)])

    def calibrated(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return forecasts in scaled units, calibrated, `[B, H, D, parts]`."""
        forecast = self.scaled(reader, origins, request)
        return request.calibrated(forecast, self.calibrations) if self.calibrations else forecast

    @abstractmethod
    def _scaled(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return the forecasts of one block in scaled units."""

    @abstractmethod
    def paths(self, reader: WindowReader, origins: Origins, samples: int) -> Array:
        """Draw sample paths in the data's units, `[B, samples, H, D]`."""

    @abstractmethod
    def states(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the states of the encoders after each window's past, network after network, `[B, width]`."""

    @abstractmethod
    def attention(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the attention's weights over the steps of the past, `[B, H, T]`."""


@dataclass(frozen=True)
class EnsemblePredictor(Predictor):
    """Trained networks that forecast together.

    Args:
        engines: The engine of each network.
        combine: How their forecasts become one, part by part: `median` or `mean`.
        calibrations: The calibration of each target's intervals; empty for none.
        support: The support of each target; empty for no bounds.
    """

    engines: Sequence[Engine]
    combine: str = "median"
    calibrations: Sequence[Calibration] = ()
    support: Sequence[str] = ()

    def _scaled(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        inputs = network_inputs(reader, origins)
        members = [
            _forecast(engine, _member_inputs(engine, inputs), origins.horizon, request) for engine in self.engines
        ]
        return members[0] if len(members) == 1 else np.asarray(COMBINATIONS[self.combine](members, axis=0))

    def paths(self, reader: WindowReader, origins: Origins, samples: int) -> Array:
        """Draw sample paths in the data's units, the same number from each network.

        Series are drawn independently of each other, and a series' paths do not depend on its company.

        Args:
            reader: The window reader.
            origins: Where forecasts begin.
            samples: Number of paths.

        Returns:
            The paths, `[B, samples, H, D]`.
        """
        keys = np.array([zlib.crc32(repr(name).encode()) for name in reader.targets.ids], dtype=np.int64)
        by_block = []
        for block in blocks(reader, origins, copies=samples):
            inputs, seeds = network_inputs(reader, block), keys[block.series]
            by_member = []
            for place, engine in enumerate(self.engines):
                count = samples // len(self.engines) + (place < samples % len(self.engines))
                if count:
                    member_inputs = _member_inputs(engine, inputs)
                    by_member.append(engine.paths(member_inputs, block.horizon, paths=count, seed=seeds ^ engine.seed))
            paths = np.moveaxis(np.concatenate(by_member, axis=1), 1, 2)  # [B, H, samples, D]
            paths = np.moveaxis(reader.scaler_of(block.series, block.scaler).inverse(paths), 2, 1)
            by_block.append(bounded(paths[..., None], self.support, (0.5,))[..., 0])
        return np.concatenate(by_block)

    def states(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the states of the encoders after each window's past, network after network, `[B, width]`."""
        by_block = []
        for block in blocks(reader, origins):
            inputs = network_inputs(reader, block)
            inputs.pop("future", None)
            by_member = [engine.encode(_member_inputs(engine, inputs)).vector() for engine in self.engines]
            by_block.append(np.concatenate(by_member, axis=1))
        return np.concatenate(by_block)

    def attention(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the attention's weights over the steps of the past, the mean of the networks, `[B, H, T]`.

        Raises:
            SpecError: A network has no attention.
        """
        by_block = []
        for block in blocks(reader, origins):
            inputs = network_inputs(reader, block)
            # A token that folds several steps stands at its last one.
            weights = np.zeros((len(block), block.horizon, reader.context_length))
            for engine in self.engines:
                member_weights = engine.attention(_member_inputs(engine, inputs), block.horizon)
                back = engine.network.segment * np.arange(member_weights.shape[2])[::-1]
                weights[:, :, weights.shape[2] - 1 - back] += member_weights / len(self.engines)
            by_block.append(weights)
        return np.concatenate(by_block)


def blocks(reader: WindowReader, origins: Origins, *, copies: int = 1) -> Iterator[Origins]:
    """Yield as many origins at a time as memory allows when each has `copies` forecasts."""
    targets = reader.scaler.loc.shape[1]
    numbers = reader.width * (reader.context_length + origins.horizon)
    return origins.blocks(max(128, MOST_NUMBERS // max(numbers, copies * targets * origins.horizon)))


def network_inputs(reader: WindowReader, origins: Origins) -> dict[str, Array]:
    """Return the inputs of a network for the windows at some origins."""
    return reader.inputs(origins.series, origins.stops, origins.horizon, scaler=origins.scaler, future=origins.future)


def _member_inputs(engine: Engine, inputs: dict[str, Array]) -> dict[str, Array]:
    """Return the inputs of one network: the end of the context, which is as long as the longest network's."""
    steps = None if engine.window is None else engine.window.context_length
    if steps is None or steps == inputs["past"].shape[1]:
        return inputs
    return {**inputs, "past": inputs["past"][:, -steps:]}


def _forecast(engine: Engine, inputs: dict[str, Array], horizon: int, request: ForecastRequest) -> Array:
    """Return one network's forecast, `[B, H, D, parts]`."""
    if not engine.network.is_probabilistic:
        return engine.predict(inputs, horizon)[..., None]
    distribution = engine.distribution(inputs, horizon)
    point = distribution.mean() if request.point == "mean" else distribution.median()
    if not request.level:
        return point[..., None]
    return np.concatenate([point[..., None], distribution.quantile(request.probabilities)], axis=-1)
