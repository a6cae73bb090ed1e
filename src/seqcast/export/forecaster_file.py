"""The file of a forecaster: from the raw past of any series to its forecast in the same units."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from seqcast.data.series import LOGARITHMS
from seqcast.export.calendar import calendar_features
from seqcast.export.decoding import Parts
from seqcast.export.gaps import fill_gaps, newest_season
from seqcast.export.intervals import bounded, calibrated
from seqcast.export.network_file import NetworkInputs, add_network, check_network
from seqcast.export.onnx_file import ANY, OnnxFile, Outputs, check_horizon
from seqcast.export.operators import Array, ndx, shape_of
from seqcast.export.scaling import Scaling, check_scale, learn_scaling
from seqcast.intervals import Calibration, ForecastRequest
from seqcast.network import Seq2Seq
from seqcast.specs import check_choice

# Whether a window is scaled by its own values, or by an input of the file.
SCALINGS = ("past", "given")


class FilePart(Protocol):
    """What one candidate adds to a file."""

    def check(self, horizon: int | None) -> None:
        """Refuse what cannot be written, before anything is.

        Args:
            horizon: Number of steps; `None` is any.

        Raises:
            SpecError: There are no operators for it.
        """

    def forecast(self, windows: FileWindows, request: ForecastRequest) -> Array:
        """Return the parts of the candidate's forecast, scaled, `[B, H, D, parts]`.

        Args:
            windows: The windows of the file.
            request: Point and intervals.
        """


@dataclass(frozen=True)
class NetworksPart:
    """Trained networks that forecast together.

    Args:
        models: The networks.
        combine: How their forecasts become one: `median` or `mean`.
    """

    models: Sequence[Seq2Seq]
    combine: str = "median"

    def check(self, horizon: int | None) -> None:
        """Refuse networks with parts that have no operators.

        Args:
            horizon: Number of steps; `None` is any.
        """
        for model in self.models:
            check_network(model.network, model.window, horizon)

    def forecast(self, windows: FileWindows, request: ForecastRequest) -> Array:
        """Return the parts of the forecast of all networks.

        Args:
            windows: The windows of the file.
            request: Point and intervals.
        """
        forecasts, count = [], len(self.models)
        for network in self.models:
            parts = Parts(request.point, request.probabilities if network.network.is_probabilistic else ())
            written = add_network(network, windows.of(network), windows.horizon, parts)
            forecasts.append(ndx.astype(written, ndx.float64))
        together = ndx.stack(forecasts)
        if self.combine == "median" and count > 1:
            together = ndx.sort(together, axis=0)[(count - 1) // 2 : count // 2 + 1, ...]
        return ndx.mean(together, axis=0)


@dataclass(frozen=True)
class LastSeasonPart:
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
        sizes, horizon = (windows.model.context_length, windows.model.targets), windows.horizon
        forecast = newest_season(windows.scaled, windows.known, sizes, self.season_length, horizon)[..., None]
        return calibrated(forecast, self.calibrations, request.level, horizon) if self.calibrations else forecast


@dataclass(frozen=True)
class SeriesModel:
    """All that a file needs of a forecaster.

    Args:
        parts: What each candidate adds.
        shares: The share of each.
        request: Point and intervals.
        scale: How a series is scaled, as for `SeriesScaler.fit`.
        context_length: Steps of past that are read, `T`.
        horizon: The trained horizon.
        observed: Whether networks take gaps.
        names: Names of the columns of `past`, `future` and `static` that are given encoded, and under `y` of the
            targets, which come first in the past.
        calendar: Cycles that the file computes from stamps; they follow the other features.
        calibrations: The calibration of each target's intervals; empty for none.
        support: The support of each target; empty for no bounds.
        alias: What the forecast is called.
        facts: What else the file says about itself, JSON types.
    """

    parts: Sequence[FilePart]
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
    path: str | os.PathLike[str], model: SeriesModel, *, horizon: int | str | None = None, scaling: str = "past"
) -> None:
    """Write the file of a forecaster.

    Args:
        path: The file; it appears whole or not at all.
        model: The forecaster.
        horizon: Steps to forecast: a number, `any` for an input that says it, or `None` for the trained one.
        scaling: `past` scales each window by the values that it is given, as a new series; `given` reads the scaling.

    Raises:
        SpecError: An option is impossible, or a part of the forecaster cannot be written as operators.
        SaveError: The file could not be written.
    """
    steps = check_horizon(horizon, model.horizon)
    check_choice("scaling", scaling, SCALINGS)
    check_scale(model.scale)
    for part in model.parts:
        part.check(steps)
    free = "horizon" if steps is None else steps
    file = OnnxFile()
    windows = FileWindows(file, model, scaling, steps)
    forecasts = [part.forecast(windows, model.request) for part in model.parts]
    forecast = forecasts[0]
    if len(forecasts) > 1:
        weighted = [each * share for each, share in zip(forecasts, model.shares, strict=True)]
        forecast = sum(weighted[1:], weighted[0])
    if model.calibrations:
        forecast = calibrated(forecast, model.calibrations, model.request.level, windows.horizon)
    forecast = windows.scaling.inverse(forecast)
    forecast = bounded(forecast, model.support, model.request.probabilities_with_point)
    outputs = Outputs.of(model.alias, model.request)
    flat = model.targets == 1
    file.write_forecast(forecast, outputs, ("batch", free) if flat else ("batch", free, model.targets))
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

    def __init__(self, file: OnnxFile, model: SeriesModel, scaling: str, horizon: int | None) -> None:
        self.file, self.model = file, model
        targets, names = model.targets, model.names
        shape: tuple[int | str, ...] = ("batch", "time") if targets == 1 else ("batch", "time", targets)
        past = file.read("past", ndx.float64, shape, "values, oldest first; NaN is missing")
        past = past[..., None] if targets == 1 else past
        steps: int | str = "horizon" if horizon is None else horizon
        self.features = self._features("past_features", "stamps", "time", len(names["past"]) - targets)
        self.static = self._read("static", ("batch", len(names.get("static", ()))), "encoded static features")
        self.future = self._features("future", "future_stamps", steps, len(names.get("future", ())))
        self.horizon = file.read_horizon(horizon)
        known = ~ndx.isnan(past)
        values = ndx.where(known, past, 0.0)
        self.scaling = self._given() if scaling == "given" else learn_scaling(values, known, model.scale)
        self.known = self._end(known)
        # What is missing has no value, whatever 0 is in scaled units.
        self.scaled = ndx.where(self.known, self._end(self.scaling.transform(values)), 0.0)

    def of(self, model: Seq2Seq) -> NetworkInputs:
        """Return what a network reads: the end of the context, which is as long as the longest network's.

        Args:
            model: The network.
        """
        steps = model.window.context_length or self.model.context_length
        if not self.model.observed:
            return NetworkInputs(self._filled[:, -steps:, ...], None, self.static, self.future)
        # A network that knows gaps is shown what it reads alone: they are filled afterwards.
        past, known = (each[:, -steps:, ...] for each in self._context)
        past = fill_gaps(past, known, both_ways=False)
        return NetworkInputs(past, ndx.astype(known, ndx.float32), self.static, self.future)

    def _read(self, name: str, shape: tuple[int | str, ...], meaning: str) -> Array | None:
        return self.file.read(name, ndx.float32, shape, meaning) if shape[-1] else None

    def _features(self, name: str, stamps: str, steps: int | str, count: int) -> Array | None:
        """Return the features other than the targets, `[B, T, F]`: the given ones, then the calendar of the stamps."""
        of = "the same steps" if steps == "time" else "the steps to forecast"
        features = [self._read(name, ("batch", steps, count), f"encoded features of {of}")]
        if self.model.calendar:
            meaning = f"seconds since 1970 of {of}, on the wall clock"
            read = self.file.read(stamps, ndx.float64, ("batch", steps), meaning)
            features.append(calendar_features(read, self.model.calendar))
        there = [each for each in features if each is not None]
        return ndx.concat(there, axis=2) if there else None

    def _given(self) -> Scaling:
        """Return the scaling that is an input."""
        names = ("loc", "scale", "unit") if self.model.scale in LOGARITHMS else ("loc", "scale")
        shape = ("batch", self.model.targets)
        return Scaling(*(self.file.read(each, ndx.float64, shape, "scaling")[:, None, ...] for each in names))

    def _end(self, x: Array) -> Array:
        """Return the last steps, lengthened on the left by zeros to a whole context."""
        steps, sizes = self.model.context_length, x.dynamic_shape
        before = ndx.broadcast_to(ndx.zeros((), dtype=x.dtype), shape_of(sizes[0], steps, sizes[2]))
        return ndx.concat([before, x], axis=1)[:, -steps:, ...]

    @cached_property
    def _context(self) -> tuple[Array, Array]:
        """Targets and features of the context, in single precision, and which are known, `[B, T, F]` each."""
        past, known = ndx.astype(self.scaled, ndx.float32), self.known
        if self.features is None:
            return past, known
        there = ~ndx.isnan(self.features)
        past = ndx.concat([past, self._end(ndx.where(there, self.features, 0.0))], axis=2)
        return past, ndx.concat([known, self._end(there)], axis=2)

    @cached_property
    def _filled(self) -> Array:
        """The context without gaps, for networks that do not know them."""
        return fill_gaps(*self._context, both_ways=True)
