"""Scaling of each window by its own known values, in double precision, see `seqcast.data.series.scalers`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqcast.data.series import CONSTANT_SCALE, LARGEST, LARGEST_LOGARITHM, LEAST_SHARE, LOGARITHMS, ROUNDING
from seqcast.errors import SpecError
from seqcast.export.graph import INFINITY, ONE, ZERO, Graph


@dataclass(frozen=True)
class Scaling:
    """A map `z = (f(x) - loc) / scale` for each window and target.

    Args:
        loc: Subtracted, `[B, 1, D]`.
        scale: Divisor, `[B, 1, D]`.
        unit: The size above which `f` is about logarithmic, `[B, 1, D]`; `None` for the identity.
    """

    loc: str
    scale: str
    unit: str | None = None

    def of_parts(self, graph: Graph) -> Scaling:
        """Return the same for values that have parts, `[B, H, D, parts]`."""
        loc, scale = (graph.unsqueeze(each, 3) for each in (self.loc, self.scale))
        return Scaling(loc, scale, None if self.unit is None else graph.unsqueeze(self.unit, 3))

    def transform(self, graph: Graph, values: str) -> str:
        """Return values, `[B, T, D]`, in scaled units."""
        if self.unit is not None:
            values = _logarithm(graph, values, self.unit)
        scaled = graph("Div", graph("Sub", values, self.loc), self.scale)
        return graph("Min", graph("Max", scaled, np.float64(-LARGEST)), np.float64(LARGEST))

    def inverse(self, graph: Graph, values: str) -> str:
        """Return scaled values, `[B, T, D]`, in the data's units."""
        values = graph("Add", graph("Mul", values, self.scale), self.loc)
        if self.unit is None:
            return values
        # Positive data has positive forecasts, and finite ones.
        bounded = graph("Min", graph("Max", values, ZERO), np.float64(LARGEST_LOGARITHM))
        grown = graph("Mul", self.unit, graph("Sub", graph("Exp", bounded), ONE))
        return graph("Min", grown, np.float64(np.finfo(np.float64).max))


def check_scale(method: str) -> None:
    """Refuse a scale that there are no operators for.

    Raises:
        SpecError: It is one.
    """
    if method not in _STATISTICS:
        raise SpecError(
            "scale",
            expected=f"one of {', '.join(map(repr, _STATISTICS))} for a file in ONNX",
            received=repr(method),
            hint="There are no operators for it: `seqcast.export` has to learn it first.",
        )


def learn_scaling(graph: Graph, past: str, known: str, method: str) -> Scaling:
    """Learn the scaling of windows.

    Args:
        graph: The graph.
        past: Values, `[B, T, D]`, in double precision; what is not known is 0.
        known: Which are known, `[B, T, D]`.
        method: As for `SeriesScaler.fit`.
    """
    with graph.scope("scaling"):
        rows = _Rows(graph, past, known)
        unit = None
        if method in LOGARITHMS:
            mean = graph("Mul", _positive(graph, rows.mean(graph("Abs", past))), np.float64(LEAST_SHARE))
            unit = mean if method == "log" else graph.value(np.ones((1, 1, 1)))
            rows = _Rows(graph, _logarithm(graph, past, unit), known)
        loc, scale = _STATISTICS[method](rows)
        return Scaling(loc, scale, unit)


class _Rows:
    """Statistics of the known values of windows, each `[B, 1, D]`."""

    def __init__(self, graph: Graph, values: str, known: str) -> None:
        self.graph, self.values, self.known = graph, values, known
        self.weight = graph.cast(known, np.float64)
        self.count = graph.total(self.weight, 1, keep=True)
        self.at_least_one = graph("Max", self.count, ONE)

    def mean(self, values: str) -> str:
        """Return the mean of values that are 0 where none is known; 0 where there is none."""
        return self.graph("Div", self.graph.total(values, 1, keep=True), self.at_least_one)

    def largest(self, values: str) -> str:
        """Return the largest known value, minus infinity where there is none."""
        known = self.graph("Where", self.known, values, -INFINITY)
        return self.graph("ReduceMax", known, axes=[1], keepdims=1)

    def level(self) -> str:
        """Return the largest magnitude, 0 where there is none."""
        return self.graph("ReduceMax", self.graph("Abs", self.values), axes=[1], keepdims=1)

    def sorted(self) -> str:
        """Return the values in rising order, those that are not known at the end."""
        known = self.graph("Where", self.known, self.values, INFINITY)
        return self.graph.several("TopK", 2, known, self.graph.size(known, 1), axis=1, largest=0, sorted=1)[0]

    def quantile(self, ranked: str, share: float) -> str:
        """Return a quantile of values in rising order, interpolated between neighbours; 0 where there is none."""
        g = self.graph
        last = g("Sub", self.at_least_one, ONE)
        place = g("Mul", last, np.float64(share))
        low = g.cast(place, np.int64)
        high = g("Min", g("Add", low, np.int64(1)), g.cast(last, np.int64))
        below, above = (g("GatherElements", ranked, each, axis=1) for each in (low, high))
        between = g("Mul", g("Sub", above, below), g("Sub", place, g.cast(low, np.float64)))
        return self.unless_empty(g("Add", below, between))

    def unless_empty(self, values: str) -> str:
        """Return values, and 0 where no value is known."""
        return self.graph("Where", self.graph("Greater", self.count, ZERO), values, ZERO)

    def unless_constant(self, loc: str, scale: str) -> tuple[str, str]:
        """Return statistics, with a hundredth of the level as the scale of a constant."""
        g, level = self.graph, self.level()
        varies = g("Greater", scale, g("Mul", level, np.float64(ROUNDING)))
        return loc, g("Where", varies, scale, _positive(g, g("Mul", level, np.float64(CONSTANT_SCALE))))


def _standard(rows: _Rows) -> tuple[str, str]:
    g = rows.graph
    rough = rows.mean(rows.values)
    rest = g("Mul", g("Sub", rows.values, rough), rows.weight)
    # The rounding of a sum of large values is found in the sum of the small rests.
    shift = rows.mean(rest)
    off = g("Mul", g("Sub", rest, shift), rows.weight)
    return rows.unless_constant(g("Add", rough, shift), g("Sqrt", rows.mean(g("Mul", off, off))))


def _robust(rows: _Rows) -> tuple[str, str]:
    g, ranked = rows.graph, rows.sorted()
    low, middle, high = (rows.quantile(ranked, share) for share in (0.25, 0.5, 0.75))
    scale = g("Sub", high, low)
    still = g("Greater", scale, g("Mul", g("Abs", middle), np.float64(ROUNDING)))
    return rows.unless_constant(middle, g("Where", still, scale, _standard(rows)[1]))


def _minmax(rows: _Rows) -> tuple[str, str]:
    g = rows.graph
    high = rows.unless_empty(rows.largest(rows.values))
    low = rows.unless_empty(g("Neg", rows.largest(g("Neg", rows.values))))
    return rows.unless_constant(low, g("Sub", high, low))


def _mean(rows: _Rows) -> tuple[str, str]:
    return rows.graph.value(np.zeros((1, 1, 1))), _positive(rows.graph, rows.mean(rows.graph("Abs", rows.values)))


def _none(rows: _Rows) -> tuple[str, str]:
    return rows.graph.value(np.zeros((1, 1, 1))), rows.graph.value(np.ones((1, 1, 1)))


_STATISTICS = {
    "standard": _standard,
    "robust": _robust,
    "minmax": _minmax,
    "mean": _mean,
    "log1p": _standard,
    "log": _standard,
    "none": _none,
}


def _positive(graph: Graph, values: str) -> str:
    return graph("Where", graph("Greater", values, ZERO), values, ONE)


def _logarithm(graph: Graph, values: str, unit: str) -> str:
    grown = graph("Add", graph("Div", graph("Abs", values), unit), ONE)
    return graph("Mul", graph("Sign", values), graph("Log", grown))
