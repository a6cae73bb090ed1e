"""Forecasts of networks that were trained on a frame, as arrays: from the last rows, from cutoffs, from every row."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.frequency import Stamps
from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.series.scalers import SeriesScaler
from seqcast.data.windows.gaps import fill_gaps, forward_fill
from seqcast.data.windows.origins import repeat_season
from seqcast.engine.engine import Engine
from seqcast.forecaster.contexts import Contexts
from seqcast.forecaster.future import future_steps
from seqcast.forecaster.series_state import SeriesState
from seqcast.intervals.calibration import Calibration
from seqcast.intervals.conformal import calibrate_intervals, calibrate_points
from seqcast.intervals.request import ForecastRequest

__all__ = ["COMBINATIONS", "EnsemblePredictor"]

Array = npt.NDArray[Any]

# Numbers in the contexts that are cut out at a time, so that memory does not grow with the number of forecasts.
MOST_NUMBERS = 2**24

COMBINATIONS: dict[str, Callable[..., Any]] = {"median": np.median, "mean": np.mean}


@dataclass(frozen=True)
class Origins:
    """Where forecasts begin, and what is known of the steps ahead.

    Args:
        series: Number of the series of each forecast, `[B]`.
        stops: Number of its rows that are known, `[B]`.
        scaler: Scaling of each forecast.
        horizon: Steps to forecast, `H`.
        ahead: What is known of these steps, `[B, H, F']`; `None` reads it from the frame's own rows.
    """

    series: Array
    stops: Array
    scaler: SeriesScaler
    horizon: int
    ahead: Array | None = None

    def blocks(self, size: int) -> Iterator[Origins]:
        """Yield so many at a time."""
        for start in range(0, len(self.series), size):
            block = slice(start, start + size)
            places = np.arange(len(self.series))[block]
            ahead = None if self.ahead is None else self.ahead[block]
            yield Origins(self.series[block], self.stops[block], self.scaler.take(places), self.horizon, ahead)


@dataclass(frozen=True)
class EnsemblePredictor:
    """Trained networks and what is remembered of the series.

    The parts of a forecast, its point and the bounds of its intervals, are those of an `ForecastRequest`.

    Args:
        engines: The engine of each member.
        memory: What is remembered.
        combine: How forecasts of the members become one, part by part: `median` or `mean`.
        calibrations: What widens the intervals of each target, if anything does.
    """

    engines: Sequence[Engine]
    memory: SeriesState
    combine: str = "median"
    calibrations: Sequence[Calibration] = field(default=())

    def ahead(
        self, frame: LongFrame, future: Any, horizon: int | None, request: ForecastRequest, *, default: int
    ) -> tuple[Stamps, Array, Array]:
        """Forecast what follows the last row of each series.

        Args:
            frame: The series, categories numbered as at fit.
            future: The user's frame of steps ahead, or `None`.
            horizon: Number of steps, or `None`.
            request: What is asked.
            default: The trained horizon.

        Returns:
            Stamps, `H` of each series, series after series; the forecasts, `[N, H, D, parts]`; which of them are
            steps, `[N, H, D]`.

        Raises:
            DataError: The steps ahead are not covered, or a context is too short.
        """
        stamps, contexts, origins, kept = self._after(frame, future, horizon, default)
        return stamps, self._at(contexts, origins, request), kept

    def paths_ahead(
        self, frame: LongFrame, future: Any, horizon: int | None, samples: int, *, default: int
    ) -> tuple[Stamps, Array, Array]:
        """Draw sample paths of what follows the last row of each series, the same number from each member.

        Series are drawn independently of each other, and a series' paths do not depend on its company.

        Args:
            frame: As for `ahead`, and so on.
            future: The steps ahead.
            horizon: Number of steps.
            samples: Number of paths.
            default: The trained horizon.

        Returns:
            Stamps; the paths, `[N, paths, H, D]`; which of them are steps, `[N, H, D]`.
        """
        stamps, contexts, origins, kept = self._after(frame, future, horizon, default)
        keys = np.array([zlib.crc32(repr(name).encode()) for name in frame.source.ids], dtype=np.int64)
        made = []
        for block in self._blocks(origins, samples):
            inputs, seeds = self._inputs(contexts, block), keys[block.series]
            drawn = []
            for place, engine in enumerate(self.engines):
                count = samples // len(self.engines) + (place < samples % len(self.engines))
                if count:
                    given = self._read_by(engine, inputs)
                    drawn.append(engine.paths(given, block.horizon, paths=count, seed=seeds ^ engine.seed))
            paths = np.moveaxis(np.concatenate(drawn, axis=1), 1, 2)  # [N, H, paths, D]
            made.append(np.moveaxis(block.scaler.inverse(paths), 2, 1))
        return stamps, np.concatenate(made), kept

    def from_cutoffs(
        self, frame: LongFrame, known: Array, valid: Array, horizon: int, request: ForecastRequest
    ) -> Array:
        """Forecast a frame's own rows from several cutoffs, all of them in a few batches.

        Args:
            frame: The series, as they were read.
            known: Number of rows of each series that are known at each cutoff, `[n_windows, N]`.
            valid: Where a forecast is wanted, `[n_windows, N]`.
            horizon: Steps to forecast, `H`.
            request: What is asked.

        Returns:
            The forecasts, `[n_windows, N, H, D, parts]`; NaN where none is wanted.
        """
        contexts = Contexts(self.memory, self.memory.checked(frame))
        scaler = SeriesScaler.concat(
            [contexts.scaler(stops).take(np.flatnonzero(wanted)) for stops, wanted in zip(known, valid, strict=True)]
        )
        made = self._at(contexts, Origins(np.nonzero(valid)[1], known[valid], scaler, horizon), request)
        forecasts = np.full((*known.shape, *made.shape[1:]), np.nan)
        forecasts[valid] = made
        return forecasts

    def from_rows(self, frame: LongFrame, series: Array, stops: Array, horizon: int, request: ForecastRequest) -> Array:
        """Forecast a frame's own rows from given ones; new series are scaled by all of their rows.

        Args:
            frame: The series, as they were read.
            series: Number of the series of each forecast, `[B]`.
            stops: Number of its rows that are known, `[B]`.
            horizon: Steps to forecast, `H`.
            request: What is asked.

        Returns:
            The forecasts, `[B, H, D, parts]`.
        """
        contexts, origins = self._from_rows(frame, series, stops, horizon)
        return self._at(contexts, origins, request)

    def calibrate(
        self, frame: LongFrame, series: Array, stops: Array, horizon: int, level: Sequence[float]
    ) -> tuple[Calibration, ...]:
        """Learn by how much intervals have to be widened, from forecasts of a frame's own rows.

        Widths are learnt and kept in the units of the scaled series, in which all series are alike.

        Args:
            frame: The series, as they were read; each forecast's steps are among its rows.
            series: Number of the series of each forecast, `[B]`.
            stops: Number of its rows that are known, `[B]`.
            horizon: Steps to forecast, `H`.
            level: Levels of the intervals.

        Returns:
            The calibration of each target.

        Raises:
            DataError: A step has too few known values for a level.
        """
        contexts, origins = self._from_rows(frame, series, stops, horizon)
        request = ForecastRequest(level=tuple(level) if self.is_probabilistic else ())
        blocks = self._blocks(origins)
        forecast = np.concatenate([self._scaled(self._inputs(contexts, one), horizon, request) for one in blocks])
        truth = _truth(contexts, origins)
        found = []
        for target in range(truth.shape[2]):
            part = forecast[:, :, target]
            if self.is_probabilistic:
                lower, upper = part[..., 1::2], part[..., 2::2]
                found.append(calibrate_intervals(truth[:, :, target], lower, upper, level=level))
            else:
                found.append(calibrate_points(truth[:, :, target], part[..., 0], level=level))
        return tuple(found)

    def errors(
        self, frame: LongFrame, series: Array, stops: Array, horizon: int, season_length: int
    ) -> tuple[float, float]:
        """Return how far forecasts of a frame's own rows err, and how far repeating the last season does.

        Args:
            frame: The series, as they were read; each forecast's steps are among its rows.
            series: Number of the series of each forecast, `[B]`.
            stops: Number of its rows that are known, `[B]`.
            horizon: Steps to forecast, `H`.
            season_length: Steps of a season, `m`; a context that is shorter repeats its last value.

        Returns:
            The mean absolute errors of both, in the units of the scaled series.
        """
        contexts, origins = self._from_rows(frame, series, stops, horizon)
        truth, ours, naive = _truth(contexts, origins), [], []
        for block in self._blocks(origins):
            inputs = self._inputs(contexts, block)
            ours.append(self._scaled(inputs, horizon, ForecastRequest())[..., 0])
            past, _ = fill_gaps(inputs["past"][:, :, : truth.shape[2]])
            rows, steps = past.shape[:2]
            starts, stops = steps * np.arange(rows), np.full(rows, steps)
            laid = past.reshape(rows * steps, -1)
            naive.append(repeat_season(laid, starts, stops, season_length=season_length, horizon=horizon))
        mine, repeated = (float(np.nanmean(np.abs(np.concatenate(made) - truth))) for made in (ours, naive))
        return mine, repeated

    @property
    def is_probabilistic(self) -> bool:
        """Whether the networks forecast a distribution, not only a point."""
        return self.engines[0].network.is_probabilistic

    def states(self, frame: LongFrame) -> Array:
        """Return the encoders' states after the last row of each series, members side by side, `[N, width]`."""
        contexts, origins = self._from_rows(frame, np.arange(len(frame.source)), frame.source.lengths, 1)
        made = []
        for block in self._blocks(origins):
            inputs = self._inputs(contexts, block)
            inputs.pop("future", None)
            vectors = [engine.encode(self._read_by(engine, inputs)).vector() for engine in self.engines]
            made.append(np.concatenate(vectors, axis=1))
        return np.concatenate(made)

    def attention(
        self, frame: LongFrame, future: Any, horizon: int | None, *, default: int
    ) -> tuple[Stamps, Array, Array]:
        """Return how much each step of a forecast looks at the context, the mean of the members.

        Returns:
            Stamps of the steps ahead, series after series; which steps of the context are looked at, counted back from
            its end, `[A]`; the weights, `[N, H, A]`.
        """
        stamps, contexts, origins, _ = self._after(frame, future, horizon, default)
        made = []
        for block in self._blocks(origins):
            inputs = self._inputs(contexts, block)
            # A token that folds several steps stands at its last one.
            weights = np.zeros((len(block.series), block.horizon, self.memory.context_length))
            for engine in self.engines:
                own = engine.attention(self._read_by(engine, inputs), block.horizon)
                back = engine.network.segment * np.arange(own.shape[2])[::-1]
                weights[:, :, weights.shape[2] - 1 - back] += own / len(self.engines)
            made.append(weights)
        joined = np.concatenate(made)
        places = np.flatnonzero((joined != 0).any(axis=(0, 1)))
        return stamps, joined.shape[2] - 1 - places, joined[:, :, places]

    def read_ahead(self, member: int, frame: LongFrame, future: Any, horizon: int) -> dict[str, Array]:
        """Return what a member reads to forecast what follows the last row of each series; arguments of `ahead`."""
        _, contexts, origins, _ = self._after(frame, future, horizon, horizon)
        return self._read_by(self.engines[member], self._inputs(contexts, origins))

    def read_rows(
        self, member: int, frame: LongFrame, series: Array, stops: Array, horizon: int
    ) -> tuple[dict[str, Array], Array]:
        """Return what a member reads to forecast a frame's own rows from given ones, and what came then.

        Args:
            member: Number of the member.
            frame: The series, as they were read.
            series: Number of the series of each forecast, `[B]`.
            stops: Number of its rows that are known, `[B]`; the steps ahead are among its rows.
            horizon: Steps to forecast, `H`.

        Returns:
            The inputs, and the truth in scaled units, `[B, H, D]`.
        """
        contexts, origins = self._from_rows(frame, series, stops, horizon)
        return self._read_by(self.engines[member], self._inputs(contexts, origins)), _truth(contexts, origins)

    def _after(
        self, frame: LongFrame, future: Any, horizon: int | None, default: int
    ) -> tuple[Stamps, Contexts, Origins, Array]:
        stamps, known, kept = future_steps(self.memory, frame, future, horizon, default=default)
        contexts = Contexts(self.memory, frame)
        series, stops = np.arange(len(frame.source)), frame.source.lengths
        if self.memory.builder.ahead:
            before = contexts.last_known(series, stops)[:, None]
            known = forward_fill(np.concatenate([before, known], axis=1))[:, 1:]
        origins = Origins(series, stops, contexts.scaler(stops), known.shape[1], known)
        return stamps, contexts, origins, np.broadcast_to(kept[:, :, None], (*kept.shape, self.memory.builder.targets))

    def _from_rows(self, frame: LongFrame, series: Array, stops: Array, horizon: int) -> tuple[Contexts, Origins]:
        contexts = Contexts(self.memory, self.memory.checked(frame))
        scaler = contexts.scaler(frame.source.lengths).take(series)
        return contexts, Origins(series, stops, scaler, horizon)

    def _at(self, contexts: Contexts, origins: Origins, request: ForecastRequest) -> Array:
        """Forecast from contexts, `[B, H, D, parts]`."""
        made = []
        for block in self._blocks(origins):
            scaled = self._scaled(self._inputs(contexts, block), block.horizon, request)
            if self.calibrations:
                scaled = request.calibrated(scaled, self.calibrations)
            parts = [block.scaler.inverse(scaled[..., place]) for place in range(scaled.shape[-1])]
            made.append(np.stack(parts, axis=-1))
        return np.concatenate(made)

    def _scaled(self, inputs: dict[str, Array], horizon: int, request: ForecastRequest) -> Array:
        """Return the members' forecasts joined, `[B, H, D, parts]` in scaled units; of a point head the point alone."""
        if len(self.engines) == 1:
            return _forecast(self.engines[0], self._read_by(self.engines[0], inputs), horizon, request)
        members = [_forecast(engine, self._read_by(engine, inputs), horizon, request) for engine in self.engines]
        return np.asarray(COMBINATIONS[self.combine](members, axis=0))

    def _blocks(self, origins: Origins, copies: int = 1) -> Iterator[Origins]:
        """Yield so many forecasts at a time as memory allows, when each is kept so many times."""
        builder = self.memory.builder
        numbers = builder.features * (self.memory.context_length + origins.horizon)
        return origins.blocks(max(128, MOST_NUMBERS // max(numbers, copies * builder.targets * origins.horizon)))

    def _inputs(self, contexts: Contexts, origins: Origins) -> dict[str, Array]:
        """Return what networks read of some forecasts."""
        inputs = contexts.inputs(origins.series, origins.stops, origins.scaler)
        if self.memory.builder.ahead:
            known = origins.ahead
            inputs["future"] = (
                contexts.ahead(origins.series, origins.stops, origins.horizon) if known is None else known
            )
        return inputs

    def _read_by(self, engine: Engine, inputs: dict[str, Array]) -> dict[str, Array]:
        """Return what one network reads: the end of a context that is as long as the longest member's."""
        own = None if engine.window is None else engine.window.context_length
        if own is None or own == self.memory.context_length:
            return inputs
        return {**inputs, "past": inputs["past"][:, -own:]}


def _truth(contexts: Contexts, origins: Origins) -> Array:
    """Return what came after origins whose steps ahead are rows of the frame, `[B, H, D]` in scaled units."""
    first = contexts.frame.source.starts[origins.series] + origins.stops
    return origins.scaler.transform(contexts.frame.targets[first[:, None] + np.arange(origins.horizon)])


def _forecast(engine: Engine, inputs: dict[str, Array], horizon: int, request: ForecastRequest) -> Array:
    """Return one network's forecast, `[B, H, D, parts]`."""
    if not engine.network.is_probabilistic:
        return engine.predict(inputs, horizon)[..., None]
    distribution = engine.distribution(inputs, horizon)
    point = distribution.mean() if request.point == "mean" else distribution.median()
    if not request.level:
        return point[..., None]
    return np.concatenate([point[..., None], distribution.quantile(request.probabilities)], axis=-1)
