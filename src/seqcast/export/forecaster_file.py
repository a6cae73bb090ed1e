"""The file of a forecaster: from the raw past of any series to its forecast in the same units."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from seqcast.data.series import LOGARITHMS, SeriesScaler
from seqcast.export.calendar import calendar_features
from seqcast.export.decoding import ForecastColumns
from seqcast.export.network_file import NetworkInputs, add_network, check_network
from seqcast.export.onnx_file import ANY, OnnxFile, Outputs, check_horizon
from seqcast.export.operators import Array, ndx, op, pad, reduced, reshape, steps_to
from seqcast.export.window_rows import WindowRows, fill_gaps, newest_season
from seqcast.intervals import Calibration, ForecastRequest, bounded, calibrated
from seqcast.network import Seq2Seq
from seqcast.specs import check_choice

# Whether a window is scaled by its own values, or by an input of the file.
SCALINGS = ("past", "given")


class CandidateGraph(Protocol):
    """The operators of one candidate in a file."""

    def check(self, horizon: int | None) -> None:
        """Reject components without operators, before anything is written.

        Args:
            horizon: Number of steps; `None` is any.

        Raises:
            SpecError: There are no operators for it.
        """

    def forecast(self, windows: FileWindows, request: ForecastRequest) -> Array:
        """Return the columns of the candidate's forecast, scaled, `[B, H, D, columns]`.

        Args:
            windows: The windows of the file.
            request: Point and intervals.
        """


@dataclass(frozen=True)
class NetworksGraph:
    """Trained networks that forecast together.

    Args:
        models: The networks.
        combine: How their forecasts become one: `median` or `mean`.
    """

    models: Sequence[Seq2Seq]
    combine: str = "median"

    def check(self, horizon: int | None) -> None:
        """Reject networks with components that have no operators.

        Args:
            horizon: Number of steps; `None` is any.
        """
        for model in self.models:
            check_network(model.network, model.window, horizon)

    def forecast(self, windows: FileWindows, request: ForecastRequest) -> Array:
        """Return the columns of the forecast of all networks.

        Args:
            windows: The windows of the file.
            request: Point and intervals.
        """
        forecasts = []
        count = len(self.models)
        for network in self.models:
            probabilities = request.probabilities if network.network.is_probabilistic else ()
            columns = ForecastColumns(request.point, probabilities)
            written = add_network(network, windows.of(network), windows.horizon, columns)
            forecasts.append(ndx.astype(written, ndx.float64))

        if count == 1:
            return forecasts[0]

        together = ndx.stack(forecasts)
        if self.combine == "median":
            together = ndx.sort(together, axis=0)[(count - 1) // 2 : count // 2 + 1, ...]
        return reduced(op.reduce_mean, together, 0, keepdims=False)


@dataclass(frozen=True)
class LastSeasonGraph:
    """The last season, repeated.

    Args:
        season_length: Steps of a season.
        calibrations: The intervals around it, of each target; empty for none.
    """

    season_length: int
    calibrations: Sequence[Calibration] = ()

    def check(self, horizon: int | None) -> None:
        """Accept any horizon.

        Args:
            horizon: Number of steps; `None` is any.
        """

    def forecast(self, windows: FileWindows, request: ForecastRequest) -> Array:
        """Return the last season and its intervals.

        Args:
            windows: The windows of the file.
            request: Point and intervals.
        """
        sizes = (windows.model.context_length, windows.model.targets)
        season = newest_season(
            windows.scaled, windows.known, sizes, self.season_length, windows.horizon
        )
        return windows.calibrated(season[..., None], request, self.calibrations)


@dataclass(frozen=True)
class SeriesModel:
    """The content of a forecaster's file.

    Args:
        graphs: The operators of each candidate.
        shares: The share of each.
        request: Point and intervals.
        scale: How a series is scaled, as for `SeriesScaler.fit`.
        context_length: Steps of past that are read, `T`.
        horizon: The trained horizon.
        observed: Whether networks read which values are observed.
        names: Names of the encoded columns of `past`, `future` and `static`, and under `y` of the
            targets, which come first in the past.
        calendar: Cycles that the file computes from stamps; they follow the other features.
        calibrations: The calibration of each target's intervals; empty for none.
        support: The support of each target; empty for no bounds.
        alias: Name of the forecast.
        facts: Other metadata of the file, JSON types.
    """

    graphs: Sequence[CandidateGraph]
    shares: Sequence[float]
    request: ForecastRequest
    scale: str
    context_length: int
    horizon: int
    observed: bool
    names: Mapping[str, Sequence[str]]
    calendar: Sequence[str] = ()
    calibrations: Sequence[Calibration] = ()
    support: Sequence[str] = ()
    alias: str = "seqcast"
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def targets(self) -> int:
        """Number of targets, `D`."""
        return len(self.names["y"])


def write_series_model(
    path: str | os.PathLike[str],
    model: SeriesModel,
    *,
    horizon: int | str | None = None,
    scaling: str = "past",
) -> None:
    """Write the file of a forecaster.

    Args:
        path: The file; it appears whole or not at all.
        model: The forecaster.
        horizon: Steps to forecast: a number, `any` for an input that says it, or `None` for the
            trained one.
        scaling: `past` scales each window by the values that it is given, as a new series; `given`
            reads the scaling.

    Raises:
        SpecError: An option is impossible, or a component of the forecaster cannot be written as
            operators.
        SaveError: The file could not be written.
    """
    steps = check_horizon(horizon, model.horizon)
    check_choice("scaling", scaling, SCALINGS)
    for graph in model.graphs:
        graph.check(steps)

    free = "horizon" if steps is None else steps
    file = OnnxFile()
    windows = FileWindows(file, model, scaling, steps)

    forecasts = [graph.forecast(windows, model.request) for graph in model.graphs]
    if len(forecasts) > 1:
        forecasts = [each * share for each, share in zip(forecasts, model.shares, strict=True)]
    forecast = sum(forecasts[1:], forecasts[0])

    forecast = windows.calibrated(forecast, model.request, model.calibrations)
    # The last axis of a forecast is its columns.
    forecast = windows.scaling.take((..., None)).inverse(forecast)
    forecast = bounded(forecast, model.support, is_mean=model.request.point == "mean")
    outputs = Outputs.of(model.alias, model.request)
    shape: tuple[int | str, ...] = ("batch", free)
    if model.targets > 1:
        shape += (model.targets,)
    file.write_forecast(forecast, outputs, shape)

    past = {
        "targets": list(model.names["y"]),
        "context_length": model.context_length,
        "features": list(model.names["past"])[model.targets :],
        "calendar": list(model.calendar),
        "scaling": scaling,
        "scale": model.scale,
    }

    metadata = {
        "model": {"name": model.alias, "kind": "Forecaster", **model.facts},
        "past": past,
        "future": list(model.names.get("future", ())),
        "static": list(model.names.get("static", ())),
        "horizon": ANY if steps is None else steps,
        "outputs": outputs.to_dict(),
    }
    file.save(path, metadata)


class FileWindows:
    """Windows of a file, read and scaled.

    Args:
        file: The file.
        model: The forecaster.
        scaling: `past` or `given`.
        horizon: Steps to forecast; `None` for an input that says it.

    Attributes:
        scaled: The scaled past, `[B, T, D]`, in double precision; 0 where it is not known.
        known: Which values are known.
        scaling: The scaling.
        horizon: Number of steps, or the input that says it.
    """

    def __init__(
        self, file: OnnxFile, model: SeriesModel, scaling: str, horizon: int | None
    ) -> None:
        self.file = file
        self.model = model
        targets = model.targets
        names = model.names
        shape: tuple[int | str, ...] = ("batch", "time")
        if targets > 1:
            shape += (targets,)
        past = file.read("past", ndx.float64, shape, "values, oldest first; NaN is missing")
        if targets == 1:
            past = past[..., None]

        steps: int | str = "horizon" if horizon is None else horizon
        before = self._features("past_features", "stamps", "time", len(names["past"]) - targets)
        self.static = self._read(
            "static", ("batch", len(names.get("static", ()))), "encoded static features"
        )
        after = self._features("future", "future_stamps", steps, len(names.get("future", ())))
        self.horizon = file.read_horizon(horizon)
        self.features, self.future = self._with_calendar(before, after)
        self.scaling: Any = (
            self._given() if scaling == "given" else _learned_scaling(past, model.scale)
        )
        past, self.known = self._end(past)
        # Missing values are 0 in scaled units, not 0 before the scaling.
        self.scaled = ndx.where(self.known, self.scaling.transform(past), 0.0)

    def of(self, model: Seq2Seq) -> NetworkInputs:
        """Return the inputs of a network: the end of the context of the longest network.

        Args:
            model: The network.
        """
        steps = model.window.context_length or self.model.context_length
        if not self.model.observed:
            return NetworkInputs(_last(self._filled, steps), None, self.static, self.future)
        # A network that knows gaps fills them from its own context alone.
        past, known = (_last(each, steps) for each in self._context)
        past = fill_gaps(past, known, both_ways=False)
        return NetworkInputs(past, ndx.astype(known, ndx.float32), self.static, self.future)

    def calibrated(
        self, forecast: Array, request: ForecastRequest, calibrations: Sequence[Calibration]
    ) -> Array:
        """Return a forecast with calibrated intervals, or as it is without calibrations.

        Args:
            forecast: The forecast, `[B, H, D, columns]`.
            request: Point and intervals.
            calibrations: The calibration of each target; empty for none.
        """
        if not calibrations:
            return forecast
        # Widths of a known horizon are constants.
        steps = np.arange(self.horizon) if isinstance(self.horizon, int) else steps_to(self.horizon)
        widened: Array = calibrated(forecast, request, calibrations, steps)
        return widened

    def _read(self, name: str, shape: tuple[int | str, ...], meaning: str) -> Array | None:
        return self.file.read(name, ndx.float32, shape, meaning) if shape[-1] else None

    def _features(
        self, name: str, stamps: str, steps: int | str, count: int
    ) -> tuple[Array | None, Array | None]:
        """Read features other than the targets, `[B, T, F]`, and stamps, `[B, T]`."""
        of = "the same steps" if steps == "time" else "the steps to forecast"
        features = self._read(name, ("batch", steps, count), f"encoded features of {of}")
        if not self.model.calendar:
            return features, None
        meaning = f"seconds since 1970 of {of}, on the wall clock"
        return features, self.file.read(stamps, ndx.float64, ("batch", steps), meaning)

    def _with_calendar(
        self, before: tuple[Array | None, Array | None], after: tuple[Array | None, Array | None]
    ) -> tuple[Array | None, Array | None]:
        """Return features of the context and of the future, the calendar of their stamps last."""
        (past, stamps) = before
        (future, future_stamps) = after
        past = None if past is None else past[:, -self.model.context_length :, ...]
        if stamps is None or future_stamps is None:
            return past, future
        # One calendar of all stamps has half as many operators as one of each.
        stamps = ndx.concat([future_stamps, stamps[:, -self.model.context_length :]], axis=1)
        cycles = calendar_features(stamps, self.model.calendar)
        ahead = cycles[:, : self.horizon, ...]
        behind = cycles[:, self.horizon :, ...]
        return _joined(past, behind), _joined(future, ahead)

    def _given(self) -> Any:
        """Return the scaling that is an input."""
        names = ("loc", "scale", "unit") if self.model.scale in LOGARITHMS else ("loc", "scale")
        shape = ("batch", self.model.targets)
        statistics: list[Any] = [
            self.file.read(each, ndx.float64, shape, "scaling")[:, None, ...] for each in names
        ]
        return SeriesScaler(*statistics)

    def _end(self, x: Array) -> tuple[Array, Array]:
        """Return the last steps, a whole context, and which values are known; others are 0."""
        steps = self.model.context_length
        missing = ndx.asarray(np.array(np.nan, x.dtype.unwrap_numpy()))
        # A shape that is known when the file is written spares operators later.
        end = reshape(pad(x, steps, value=missing)[:, -steps:, ...], 0, steps, 0)
        known = ~ndx.isnan(end)
        return ndx.where(known, end, 0.0), known

    @cached_property
    def _context(self) -> tuple[Array, Array]:
        """Targets and features of the context and which of them are known, `[B, T, F]`."""
        past = ndx.astype(self.scaled, ndx.float32)
        known = self.known
        if self.features is None:
            return past, known
        features, there = self._end(self.features)
        return ndx.concat([past, features], axis=2), ndx.concat([known, there], axis=2)

    @cached_property
    def _filled(self) -> Array:
        """The context without gaps, for networks that do not know them."""
        return fill_gaps(*self._context, both_ways=True)


def _learned_scaling(past: Array, method: str) -> Any:
    known = ~ndx.isnan(past)
    return SeriesScaler.of(WindowRows(ndx.where(known, past, 0.0), known), method)


def _joined(features: Array | None, cycles: Array) -> Array:
    return cycles if features is None else ndx.concat([features, cycles], axis=2)


def _last(x: Array, steps: int) -> Array:
    return x if x.shape[1] == steps else x[:, -steps:, ...]
