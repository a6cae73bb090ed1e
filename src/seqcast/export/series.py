"""The file of a forecaster: from the raw past of any series to its forecast in the same units."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from seqcast.data.series import LOGARITHMS
from seqcast.export.calendar import calendar_features
from seqcast.export.file import write_model
from seqcast.export.gaps import fill_gaps, newest_season
from seqcast.export.graph import Graph
from seqcast.export.heads import Parts
from seqcast.export.intervals import bounded, calibrated
from seqcast.export.metadata import ANY, Described, check_horizon, outputs_of, read_horizon
from seqcast.export.network import NetworkInputs, add_network, check_network
from seqcast.export.part import FilePart, PartWindows
from seqcast.export.scaling import Scaling, check_scale, learn_scaling
from seqcast.intervals import Calibration, ForecastRequest
from seqcast.network import Seq2Seq
from seqcast.specs import check_choice

# Whether a window is scaled by its own values, or by what is given beside it.
SCALINGS = ("past", "given")


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
        """Refuse networks with parts that have no operators."""
        for model in self.models:
            check_network(model.network, model.window, horizon)

    def add(self, windows: PartWindows, request: ForecastRequest) -> str:
        """Add the networks, and return the parts of their forecast."""
        graph, forecasts = windows.graph, []
        for place, network in enumerate(self.models):
            probabilistic = network.network.is_probabilistic
            parts = Parts(request.point, request.probabilities if probabilistic else ())
            with graph.scope(f"member_{place}"):
                written = add_network(graph, network, windows.of(network), windows.horizon, parts)
            forecasts.append(graph.cast(written, np.float64))
        if len(forecasts) == 1:
            return forecasts[0]
        with graph.scope("members"):
            together = graph.concat([graph.unsqueeze(each, 0) for each in forecasts], 0)
            return _combined(graph, together, len(forecasts), self.combine)


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
        """Accept any horizon."""

    def add(self, windows: PartWindows, request: ForecastRequest) -> str:
        """Add the last season, and return the point and its intervals."""
        graph, season = windows.graph, self.season_length
        forecast = newest_season(graph, windows.scaled, windows.known, windows.context_length, season, windows.horizon)
        forecast = graph.unsqueeze(forecast, 3)
        if not self.calibrations:
            return forecast
        return calibrated(graph, forecast, self.calibrations, request.level, windows.horizon)


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
        MissingPackageError: The package `onnx` is not installed.
        SaveError: The file could not be written.
    """
    steps = check_horizon(horizon, model.horizon)
    check_choice("scaling", scaling, SCALINGS)
    check_scale(model.scale)
    for part in model.parts:
        part.check(steps)
    graph = Graph()
    windows = _Windows(graph, model, scaling, steps)
    forecast = _blended(graph, model, windows)
    if model.calibrations:
        forecast = calibrated(graph, forecast, model.calibrations, model.request.level, windows.horizon)
    forecast = windows.scaling.of_parts(graph).inverse(graph, forecast)
    forecast = bounded(graph, forecast, model.support, model.request.probabilities_with_point)
    outputs = outputs_of(model.alias, model.request)
    outputs.write(graph, forecast, ANY if steps is None else steps, targets=model.targets, flat=model.targets == 1)
    described = Described(
        model={"name": model.alias, "kind": "Forecaster", **model.facts},
        past={
            "targets": list(model.names["y"]),
            "context_length": model.context_length,
            "features": list(model.names["past"])[model.targets :],
            "calendar": list(model.calendar),
            "scaling": scaling,
            "scale": model.scale,
        },
        future=list(model.names.get("future", ())),
        static=list(model.names.get("static", ())),
        horizon=ANY if steps is None else steps,
        outputs=outputs,
    )
    write_model(path, graph, described.properties())


class _Windows:
    """Windows of a file, read and scaled."""

    def __init__(self, graph: Graph, model: SeriesModel, scaling: str, horizon: int | None) -> None:
        self.graph, self.model = graph, model
        targets, names = model.targets, model.names
        flat = targets == 1
        shape: tuple[int | str, ...] = ("batch", "time") if flat else ("batch", "time", targets)
        past = graph.read("past", np.float64, shape, "values, oldest first; NaN is missing")
        past = graph.unsqueeze(past, 2) if flat else past
        steps: int | str = "horizon" if horizon is None else horizon
        count = len(names["past"]) - targets
        self.features = self._features("past_features", "stamps", "time", count, "the same steps")
        self.static = self._read("static", ("batch", len(names.get("static", ()))), "encoded static features")
        count = len(names.get("future", ()))
        self.future = self._features("future", "future_stamps", steps, count, "the steps to forecast")
        self.horizon = read_horizon(graph, horizon)
        known = graph("Not", graph("IsNaN", past))
        values = graph("Where", known, past, np.float64(0))
        self.scaling = self._given() if scaling == "given" else learn_scaling(graph, values, known, model.scale)
        self.known = self._end(known, np.array(False))
        self.scaled = self._end(self.scaling.transform(graph, values), np.float64(0))
        # What is missing has no value, whatever 0 is in scaled units.
        self.scaled = graph("Where", self.known, self.scaled, np.float64(0))

    @property
    def context_length(self) -> int:
        """Steps of past that are read."""
        return self.model.context_length

    def _read(self, name: str, shape: Sequence[int | str], meaning: str) -> str | None:
        return self.graph.read(name, np.float32, shape, meaning) if shape[-1] else None

    def _features(self, name: str, stamps: str, steps: int | str, count: int, of: str) -> str | None:
        """Return features beside the targets, `[B, T, F]`: those that are given, then the calendar of the stamps."""
        g, parts = self.graph, [self._read(name, ("batch", steps, count), f"encoded features of {of}")]
        if self.model.calendar:
            meaning = f"seconds since 1970 of {of}, on the wall clock"
            read = g.read(stamps, np.float64, ("batch", steps), meaning)
            parts.append(calendar_features(g, read, self.model.calendar))
        there = [part for part in parts if part is not None]
        return g.concat(there, 2) if there else None

    def _given(self) -> Scaling:
        """Return the scaling that is an input."""
        names = ("loc", "scale", "unit") if self.model.scale in LOGARITHMS else ("loc", "scale")
        shape = ("batch", self.model.targets)
        return Scaling(
            *(self.graph.unsqueeze(self.graph.read(each, np.float64, shape, "scaling"), 1) for each in names)
        )

    def _end(self, x: str, missing: Any) -> str:
        """Return the last steps, lengthened on the left by missing ones: a whole context."""
        g, steps = self.graph, self.model.context_length
        before = g.expand(missing, g.dims(g.size(x, 0), steps, g.size(x, 2)))
        return g.cut(g.concat([before, x], 1), 1, -steps)

    def of(self, model: Seq2Seq) -> NetworkInputs:
        """Return what a network reads: the end of the context, which is as long as the longest network's."""
        g, steps = self.graph, model.window.context_length or self.model.context_length
        if not self.model.observed:
            return NetworkInputs(self._last(self._filled, steps), None, self.static, self.future, steps)
        # A network that knows gaps is shown what it reads alone: they are filled afterwards.
        past, known = (self._last(each, steps) for each in self._context)
        past = fill_gaps(g, past, known, both_ways=False)
        return NetworkInputs(past, g.cast(known, np.float32), self.static, self.future, steps)

    @cached_property
    def _context(self) -> tuple[str, str]:
        """Targets and features of the context, in single precision, and which are known, `[B, T, F]` each."""
        g, past, known = self.graph, self.graph.cast(self.scaled, np.float32), self.known
        if self.features is None:
            return past, known
        there = g("Not", g("IsNaN", self.features))
        values = g("Where", there, self.features, np.float32(0))
        past = g.concat([past, self._end(values, np.float32(0))], 2)
        return past, g.concat([known, self._end(there, np.array(False))], 2)

    @cached_property
    def _filled(self) -> str:
        """The context without gaps, for networks that do not know them."""
        return fill_gaps(self.graph, *self._context, both_ways=True)

    def _last(self, x: str, steps: int) -> str:
        return x if steps == self.model.context_length else self.graph.cut(x, 1, -steps)


def _blended(graph: Graph, model: SeriesModel, windows: _Windows) -> str:
    """Return the weighted mean of all candidates, scaled, in double precision, `[B, H, D, parts]`."""
    forecasts = [part.add(windows, model.request) for part in model.parts]
    if len(forecasts) == 1:
        return forecasts[0]
    with graph.scope("blend"):
        shares = zip(model.shares, forecasts, strict=True)
        return graph("Sum", *(graph("Mul", forecast, np.float64(share)) for share, forecast in shares))


def _combined(graph: Graph, together: str, count: int, combine: str) -> str:
    """Return the mean or the median over the first axis."""
    if combine == "median":
        ranked = graph.several("TopK", 2, together, np.array([count], np.int64), axis=0, largest=0, sorted=1)[0]
        together = graph.cut(ranked, 0, (count - 1) // 2, count // 2 + 1)
    return graph("ReduceMean", together, axes=[0], keepdims=0)
