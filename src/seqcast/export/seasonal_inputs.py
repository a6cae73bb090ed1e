"""What the pretrained network reads of raw windows, see `seqcast.pretrained.inputs`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqcast.export.gaps import last_known
from seqcast.export.graph import INFINITY, ONE, ZERO, Graph
from seqcast.export.hold import again
from seqcast.export.known import Known, clip, join, mean_of_known
from seqcast.export.seasonal_base import SeasonalBaseGraph
from seqcast.pretrained import CHECKS, FARTHEST, LARGEST_UNIT, LEAST_UNIT, LONGER_GAINS, SEASONS


@dataclass(frozen=True)
class SeasonalRead:
    """What the network reads, and the units of its forecast.

    Args:
        past: `[N, T, 7]` in single precision.
        future: `[N, H, 32]`.
        static: `[N, 41]`.
        base: The forecast that the network corrects, `[N, H]`, in the units of the data.
        unit: Unit of the distances from it, `[N, 1]`.
    """

    past: str
    future: str
    static: str
    base: str
    unit: str


def read_seasonal(
    graph: Graph, past: Known, contexts: str, *, length: int, season: int, longer: int, horizon: int
) -> SeasonalRead:
    """Return what the network reads of windows; arguments as for `SeasonalBaseGraph`."""
    with graph.scope("seasonal"):
        base = SeasonalBaseGraph(graph, past, contexts, length, season, longer=longer, horizon=horizon)
        return _Reading(graph, base).read()


@dataclass(frozen=True)
class _Reading:
    """What is read of windows beside a base, and of how that base did."""

    graph: Graph
    base: SeasonalBaseGraph

    def read(self) -> SeasonalRead:
        """Return what the network reads."""
        g, values = self.graph, self.base.values
        differences = [self._difference(lag) for lag in (self.base.season, self.base.longer)]
        step = mean_of_known(g, Known(g("Abs", differences[0].values), differences[0].mask))
        least = g("ReduceMin", self.base.errors.filled(g, INFINITY), axes=[1], keepdims=1)
        step_else = g("Where", g("Equal", self.base.count, ZERO), ONE, least)
        spread = step.filled(g, step_else)
        unit = clip(g, spread, LEAST_UNIT, LARGEST_UNIT)
        surprises = Known(g("Sub", values.values, self.base.mean(self.base.models.ahead)), values.mask)

        def distance(known: Known) -> str:
            return Known(clip(g, g("Div", known.values, unit), -FARTHEST, FARTHEST), known.mask).filled(g)

        columns = [values.filled(g), *map(distance, (*differences, surprises))]
        columns += [g.cast(each.mask, np.float64) for each in (values, *differences)]
        past = g.concat([g.unsqueeze(each, 2) for each in columns], 2)
        static = self._static(spread, unit)
        base = self.base.in_units()
        past, future, static = (g.cast(each, np.float32) for each in (past, self._future(unit), static))
        return SeasonalRead(past, future, static, base, g("Mul", unit, self.base.scale))

    def _difference(self, lag: int) -> Known:
        """Return values less those so many steps before, `[N, T]`."""
        g, length = self.graph, self.base.length
        if not 0 < lag < length:
            return Known(g("Mul", self.base.values.values, ZERO), g("And", self.base.values.mask, np.array(False)))
        before = [g.cut(each, 1, 0, length - lag) for each in (self.base.values.values, self.base.values.mask)]
        rows = g.size(self.base.count, 0)
        zeros = g.expand(np.zeros((1, 1)), g.dims(rows, lag))
        nothing = g.expand(np.array([[False]]), g.dims(rows, lag))
        mask = g("And", self.base.values.mask, g.concat([nothing, before[1]], 1))
        return Known(g("Sub", self.base.values.values, g.concat([zeros, before[0]], 1)), mask)

    def _static(self, step: str, unit: str) -> str:
        """Return the columns that a window has once, `[N, 41]`."""
        g, past = self.graph, self.base.past
        zeros = mean_of_known(g, Known(g.cast(g("Equal", past.values, ZERO), np.float64), past.mask)).filled(g)
        pairs = [[g.cut(each, 1, *bounds) for each in (past.values, past.mask)] for bounds in ((1,), (0, -1))]
        same = g.cast(g("Equal", pairs[0][0], pairs[1][0]), np.float64)
        repeats = mean_of_known(g, Known(same, g("And", pairs[0][1], pairs[1][1]))).filled(g)
        seasons = [np.log(self.base.season) / 4, np.log(max(self.base.longer, 1)) / 6]
        rows = g.size(self.base.count, 0)
        checks = [self._own_check_error(steps) for steps in CHECKS]
        columns = [
            g.expand(np.array([seasons]), g.dims(rows, 2)),
            g("Div", g("Log", g("Add", self.base.count, ONE)), np.float64(6)),
            g(
                "Div",
                g("Log", g("Div", self.base.scale, g("Add", g("Abs", self.base.loc), self.base.scale))),
                np.float64(4),
            ),
            g("Div", g("Log", clip(g, step, 1e-3, 10.0)), np.float64(2)),
            zeros,
            repeats,
            self._logarithms(self.base.errors, unit),
        ]
        if not self.base.reads_longer:
            columns.append(g.expand(np.zeros((1, 1)), g.dims(rows, 2 * len(LONGER_GAINS))))
        columns += [self._logarithms(check, unit) for check in checks]
        columns += [g.cast(check.mask, np.float64) for check in checks]
        return g.concat(columns, 1)

    def _own_check_error(self, steps: int) -> Known:
        """Return the mean absolute error of the base's forecast of the last steps, `[N, 1]`."""
        g = self.graph
        if steps not in self.base.models.checks:
            return Known(g("Mul", self.base.count, ZERO), g("Less", self.base.count, ZERO))
        newest = self.base.newest(steps)
        off = g("Abs", g("Sub", self.base.mean(self.base.models.checks[steps]), newest.values))
        return mean_of_known(g, Known(off, newest.mask))

    def _logarithms(self, errors: Known, unit: str) -> str:
        """Return logarithms of errors in units of the distances; 0 where there is none."""
        found = self.graph("Log", clip(self.graph, self.graph("Div", errors.values, unit), 1e-2, 10.0))
        return Known(found, errors.mask).filled(self.graph)

    def _future(self, unit: str) -> str:
        """Return the columns of the future, `[N, H, 32]`."""
        g, horizon = self.graph, self.base.horizon
        sizes = {"length": self.base.length, "horizon": horizon}
        newest = g.squeeze(
            last_known(g, *(g.unsqueeze(each, 2) for each in (self.base.values.values, self.base.values.mask)))[0], 2
        )
        seasons = [again(g, self.base.values, self.base.season, back=back, **sizes) for back in range(1, SEASONS + 1)]
        longer = again(g, self.base.values, self.base.longer, **sizes)
        together = join(g, [Known(*(g.unsqueeze(part, 2) for part in (each.values, each.mask))) for each in seasons], 2)
        found = mean_of_known(g, together, 2)
        mean = Known(g.squeeze(found.values, 2), g.squeeze(found.mask, 2))
        candidates = [g.unsqueeze(each.filled(g, newest), 2) for each in (seasons[0], seasons[1], mean, longer)]
        forecast, there = g.unsqueeze(self.base.forecast, 2), g.unsqueeze(self.base.there, 1)
        models = g("Where", there, self.base.models.forecasts, forecast)
        if not self.base.reads_longer:
            # What no model says is as the base.
            models = g.concat([models, *([forecast] * (2 * len(LONGER_GAINS)))], 2)
        off = g("Div", g("Sub", g.concat([*candidates, models], 2), forecast), g.unsqueeze(unit, 2))
        steps = np.arange(horizon)
        numbers = np.stack([steps / 24, (steps // self.base.season) / 4], axis=1)[None]
        numbers_of_all = g.expand(numbers, g.dims(g.size(self.base.count, 0), horizon, 2))
        known = g.unsqueeze(g.cast(longer.mask, np.float64), 2)
        return g.concat([forecast, clip(g, off, -FARTHEST, FARTHEST), known, numbers_of_all], 2)
