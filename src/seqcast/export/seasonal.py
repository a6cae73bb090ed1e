"""What the pretrained network reads of raw windows, see `seqcast.data.windows.seasonal_inputs` and `seasonal_base`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from seqcast.data.windows.seasonal_base import (
    FEW,
    GAINS,
    LEAST_ERROR,
    LEAST_SIZE,
    LEAST_SPREAD,
    LONGER_GAINS,
    MODELS,
    SHARPNESS,
    SHARPNESS_OF_CHECK,
    WAYS,
)
from seqcast.data.windows.seasonal_inputs import LARGEST_UNIT, LEAST_UNIT, SEASONS
from seqcast.data.windows.simple_forecasts import CHECKS, FARTHEST
from seqcast.export.autoregression import autoregressed
from seqcast.export.gaps import last_known
from seqcast.export.graph import INFINITY, ONE, ZERO, Graph
from seqcast.export.hold import again
from seqcast.export.known import Known, clip, either, join, mean_of_known
from seqcast.export.smoothing import Said, smoothed

__all__ = ["SeasonalRead", "read_seasonal"]


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
    """Return what the network reads of windows.

    Args:
        graph: The graph.
        past: Values, `[N, T]`, in the units of the data.
        contexts: With how many steps of past each is read, its last ones, `[N, 1]` as double.
        length: Number of steps, `T`.
        season: Steps of a season; 1 is none.
        longer: Steps of a season that contains it; 0 is none.
        horizon: Number of future steps, `H`.
    """
    with graph.scope("seasonal"):
        windows = _Windows(graph, past, contexts, length, season, longer, horizon)
        return windows.read()


class _Windows:
    """Windows and what simple models say of them, in each window's own units."""

    def __init__(
        self, graph: Graph, past: Known, contexts: str, length: int, season: int, longer: int, horizon: int
    ) -> None:
        self.graph, self.past, self.contexts = graph, Known(past.filled(graph), past.mask), contexts
        self.length, self.season, self.longer, self.horizon = length, season, longer, horizon
        self.count = graph.total(graph.cast(past.mask, np.float64), 1, keep=True)
        self.loc, self.scale = self._units(self.past, season)
        self.values = Known(self._scaled(self.past, self.loc, self.scale, far=FARTHEST), past.mask)
        self.models = self._said()
        self.errors = self._errors()
        checks = [self._check_errors(self.models, steps) for steps in CHECKS]
        self.weights = self._weights(self.errors, checks)
        self.forecast = self._mean(self.models.forecasts)  # [N, H]

    def _units(self, past: Known, season: int) -> tuple[str, str]:
        """Return the mean of the last season, and the mean absolute deviation, `[N, 1]` each."""
        g = self.graph
        everywhere = mean_of_known(g, past)
        last = mean_of_known(g, Known(*(g.cut(each, 1, -season) for each in (past.values, past.mask))))
        loc = either(g, last, everywhere).filled(g)
        off = Known(g("Abs", g("Sub", past.values, everywhere.values)), past.mask)
        spread = mean_of_known(g, off).filled(g)
        size = g("Max", g("Abs", loc), np.float64(LEAST_SIZE))
        return loc, g("Where", g("Greater", spread, g("Mul", size, np.float64(LEAST_SPREAD))), spread, size)

    def _scaled(self, past: Known, loc: str, scale: str, *, far: float | None) -> str:
        scaled = self.graph("Div", self.graph("Sub", past.values, loc), scale)
        scaled = scaled if far is None else clip(self.graph, scaled, -far, far)
        return self.graph("Where", past.mask, scaled, ZERO)

    def _said(self) -> Said:
        """Return what all models say, in the order of `MODELS`."""
        g = self.graph

        def smooth(season: int, gains: Sequence[tuple[float, float, float, float]]) -> Callable[[Known, int], Said]:
            def model(values: Known, copies: int) -> Said:
                own = season if 2 * season <= self.length else 1
                used = g("GreaterOrEqual", self.count, np.float64(2 * own))
                # Seasons are counted from the end; what is before the first whole one of a context is not among them.
                whole = g("Mul", g("Floor", g("Div", self.contexts, np.float64(own))), np.float64(own))
                inside = g("Less", np.arange(self.length, dtype=np.float64)[None, ::-1], whole)
                used, inside = (g.concat([each] * copies, 0) for each in (used, inside))
                return smoothed(g, values, used, inside, self.length, own, self.horizon, gains)

            return model

        parts = self._both_ways(self.season, self.loc, self.scale, smooth(self.season, GAINS))
        parts += self._both_ways(
            self.season,
            self.loc,
            self.scale,
            lambda values, _: autoregressed(g, values, self.length, self.horizon),
        )
        if self.reads_longer:
            loc, scale = self._units(self.past, self.longer)
            for part in self._both_ways(self.longer, loc, scale, smooth(self.longer, LONGER_GAINS)):
                parts.append(self._moved(part, loc, scale))
        return _joined(g, parts)

    @property
    def reads_longer(self) -> bool:
        """Whether a window can know two of the longer seasons."""
        return 0 < 2 * self.longer <= self.length

    def _both_ways(self, season: int, loc: str, scale: str, model: Callable[[Known, int], Said]) -> list[Said]:
        """Ask models about the values, and about their logarithms, in one loop for both."""
        g = self.graph
        values = self._scaled(self.past, loc, scale, far=FARTHEST)
        least = g("ReduceMin", self.past.filled(g, INFINITY), axes=[1], keepdims=1)
        positive = g("And", g("Greater", least, ZERO), g("Greater", self.count, ZERO))
        safe = Known(g("Log", g("Where", g("And", self.past.mask, positive), self.past.values, ONE)), self.past.mask)
        centre, spread = self._units(safe, season)
        logarithms = self._scaled(safe, centre, spread, far=None)
        both = Known(g.concat([values, logarithms], 0), g.concat([self.past.mask] * 2, 0))
        said = model(both, 2)
        rows = g.size(values, 0)
        most = g("Add", loc, g("Mul", scale, np.float64(2 * FARTHEST)))
        most = g("Log", g("Where", positive, most, ONE))
        loc3, scale3, centre3, spread3, most3, positive3 = (
            g.unsqueeze(each, 2) for each in (loc, scale, centre, spread, most, positive)
        )

        def halves(part: str) -> tuple[str, str]:
            of_values, found = g.cut(part, 0, 0, rows), g.cut(part, 0, rows)
            grown = g("Exp", g("Min", g("Add", g("Mul", found, spread3), centre3), most3))
            of_logarithms = g("Where", positive3, g("Div", g("Sub", grown, loc3), scale3), of_values)
            return clip(g, of_values, -FARTHEST, FARTHEST), clip(g, of_logarithms, -FARTHEST, FARTHEST)

        forecasts, ahead = halves(said.forecasts), halves(said.ahead)
        checks = {steps: halves(part) for steps, part in said.checks.items()}
        optimism = None if said.optimism is None else g.cut(said.optimism, 0, 0, rows)
        return [
            Said(forecasts[way], ahead[way], {steps: part[way] for steps, part in checks.items()}, optimism)
            for way in range(2)
        ]

    def _moved(self, said: Said, loc: str, scale: str) -> Said:
        """Return what is said in other units, in those of the windows."""
        g = self.graph
        own_loc, own_scale, to_loc, to_scale = (g.unsqueeze(each, 2) for each in (loc, scale, self.loc, self.scale))

        def moved(part: str) -> str:
            return g("Div", g("Sub", g("Add", g("Mul", part, own_scale), own_loc), to_loc), to_scale)

        return Said(moved(said.forecasts), moved(said.ahead), {n: moved(each) for n, each in said.checks.items()})

    def _there(self) -> str:
        """Return which models say something of which windows, `[N, K]`."""
        g, of_longer = self.graph, len(WAYS) * len(LONGER_GAINS)
        always = len(MODELS) - of_longer
        there = g.expand(np.ones((1, always), bool), g.dims(g.size(self.count, 0), always))
        if not self.reads_longer:
            return there
        longer = g("GreaterOrEqual", self.count, np.float64(2 * self.longer))
        return g.concat([there, *([longer] * of_longer)], 1)

    def _errors(self) -> Known:
        """Return the mean absolute error one step ahead of each model, `[N, K]`."""
        g = self.graph
        self.there = self._there()
        off = g("Abs", g("Sub", self.models.ahead, g.unsqueeze(self.values.values, 2)))
        error = mean_of_known(g, Known(off, g.unsqueeze(self.values.mask, 2)))
        values = g.squeeze(error.values, 1)
        if self.models.optimism is not None:
            values = g("Mul", values, self.models.optimism)
        return Known(values, g("And", self.there, g.squeeze(error.mask, 1)))

    def _check_errors(self, models: Said, steps: int) -> Known | None:
        """Return the mean absolute error of a check of each model, `[N, K]`; `None` where no window has it."""
        g = self.graph
        if steps not in models.checks:
            return None
        values, mask = (g.unsqueeze(g.cut(each, 1, -steps), 2) for each in (self.values.values, self.values.mask))
        error = mean_of_known(g, Known(g("Abs", g("Sub", models.checks[steps], values)), mask))
        found = g.squeeze(error.values, 1)
        if models.optimism is not None:
            found = g("Mul", found, models.optimism)
        enough = g("GreaterOrEqual", self.count, np.float64(2 * steps))
        return Known(found, g("And", g("And", enough, self.there), g.squeeze(error.mask, 1)))

    def _weights(self, errors: Known, checks: Sequence[Known | None]) -> str:
        """Return how much each model counts in their mean, `[N, K]`."""
        g = self.graph
        logarithms = g("Mul", self._above_least(errors), np.float64(SHARPNESS))
        for check in checks:
            if check is not None:
                above = g("Mul", self._above_least(check), np.float64(SHARPNESS_OF_CHECK))
                logarithms = g("Add", logarithms, above)
        nothing = g("Equal", self.count, ZERO)
        counts = g.cast(g("Or", errors.mask, nothing), np.float64)
        weights = g("Mul", g("Exp", g("Neg", logarithms)), counts)
        weights = g("Div", weights, g.total(weights, 1, keep=True))
        # Trends and coefficients of few values have no error.
        return g("Where", g("Less", self.count, np.float64(FEW)), ZERO, weights)

    def _above_least(self, errors: Known) -> str:
        """Return the logarithm of errors over the least of each window; 0 where there is none."""
        g = self.graph
        found = g("Log", g("Max", errors.values, np.float64(LEAST_ERROR)))
        least = g("ReduceMin", g("Where", errors.mask, found, np.float64(1e300)), axes=[1], keepdims=1)
        return g("Where", errors.mask, g("Sub", found, least), ZERO)

    def _mean(self, forecasts: str) -> str:
        """Return the mean of the models, `[N, .]`."""
        g = self.graph
        known = g("Where", g.unsqueeze(self.there, 1), forecasts, ZERO)
        return g.squeeze(g("MatMul", known, g.unsqueeze(self.weights, 2)), 2)

    # What is read.

    def read(self) -> SeasonalRead:
        """Return what the network reads."""
        g, values = self.graph, self.values
        differences = [self._difference(lag) for lag in (self.season, self.longer)]
        step = mean_of_known(g, Known(g("Abs", differences[0].values), differences[0].mask))
        least = g("ReduceMin", self.errors.filled(g, INFINITY), axes=[1], keepdims=1)
        step_else = g("Where", g("Equal", self.count, ZERO), ONE, least)
        spread = step.filled(g, step_else)
        unit = clip(g, spread, LEAST_UNIT, LARGEST_UNIT)
        surprises = Known(g("Sub", values.values, self._mean(self.models.ahead)), values.mask)

        def distance(known: Known) -> str:
            return Known(clip(g, g("Div", known.values, unit), -FARTHEST, FARTHEST), known.mask).filled(g)

        columns = [values.filled(g), *map(distance, (*differences, surprises))]
        columns += [g.cast(each.mask, np.float64) for each in (values, *differences)]
        past = g.concat([g.unsqueeze(each, 2) for each in columns], 2)
        static = self._static(spread, unit)
        base = g("Add", g("Mul", self.forecast, self.scale), self.loc)
        past, future, static = (g.cast(each, np.float32) for each in (past, self._future(unit), static))
        return SeasonalRead(past, future, static, base, g("Mul", unit, self.scale))

    def _difference(self, lag: int) -> Known:
        """Return values less those so many steps before, `[N, T]`."""
        g, length = self.graph, self.length
        if not 0 < lag < length:
            return Known(g("Mul", self.values.values, ZERO), g("And", self.values.mask, np.array(False)))
        before = [g.cut(each, 1, 0, length - lag) for each in (self.values.values, self.values.mask)]
        rows = g.size(self.count, 0)
        zeros = g.expand(np.zeros((1, 1)), g.dims(rows, lag))
        nothing = g.expand(np.array([[False]]), g.dims(rows, lag))
        mask = g("And", self.values.mask, g.concat([nothing, before[1]], 1))
        return Known(g("Sub", self.values.values, g.concat([zeros, before[0]], 1)), mask)

    def _static(self, step: str, unit: str) -> str:
        """Return the columns that a window has once, `[N, 41]`."""
        g, past = self.graph, self.past
        zeros = mean_of_known(g, Known(g.cast(g("Equal", past.values, ZERO), np.float64), past.mask)).filled(g)
        pairs = [[g.cut(each, 1, *bounds) for each in (past.values, past.mask)] for bounds in ((1,), (0, -1))]
        same = g.cast(g("Equal", pairs[0][0], pairs[1][0]), np.float64)
        repeats = mean_of_known(g, Known(same, g("And", pairs[0][1], pairs[1][1]))).filled(g)
        seasons = [np.log(self.season) / 4, np.log(max(self.longer, 1)) / 6]
        rows = g.size(self.count, 0)
        checks = [self._own_check_error(steps) for steps in CHECKS]
        columns = [
            g.expand(np.array([seasons]), g.dims(rows, 2)),
            g("Div", g("Log", g("Add", self.count, ONE)), np.float64(6)),
            g("Div", g("Log", g("Div", self.scale, g("Add", g("Abs", self.loc), self.scale))), np.float64(4)),
            g("Div", g("Log", clip(g, step, 1e-3, 10.0)), np.float64(2)),
            zeros,
            repeats,
            self._logarithms(self.errors, unit),
        ]
        if not self.reads_longer:
            columns.append(g.expand(np.zeros((1, 1)), g.dims(rows, 2 * len(LONGER_GAINS))))
        columns += [self._logarithms(check, unit) for check in checks]
        columns += [g.cast(check.mask, np.float64) for check in checks]
        return g.concat(columns, 1)

    def _own_check_error(self, steps: int) -> Known:
        """Return the mean absolute error of the base's forecast of the last steps, `[N, 1]`."""
        g = self.graph
        if steps not in self.models.checks:
            return Known(g("Mul", self.count, ZERO), g("Less", self.count, ZERO))
        values, mask = (g.cut(each, 1, -steps) for each in (self.values.values, self.values.mask))
        off = g("Abs", g("Sub", self._mean(self.models.checks[steps]), values))
        error = mean_of_known(g, Known(off, mask))
        enough = g("GreaterOrEqual", self.count, np.float64(2 * steps))
        return Known(error.values, g("And", enough, error.mask))

    def _logarithms(self, errors: Known, unit: str) -> str:
        """Return logarithms of errors in units of the distances; 0 where there is none."""
        found = self.graph("Log", clip(self.graph, self.graph("Div", errors.values, unit), 1e-2, 10.0))
        return Known(found, errors.mask).filled(self.graph)

    def _future(self, unit: str) -> str:
        """Return the columns of the future, `[N, H, 32]`."""
        g, horizon = self.graph, self.horizon
        sizes = {"length": self.length, "horizon": horizon}
        newest = g.squeeze(
            last_known(g, *(g.unsqueeze(each, 2) for each in (self.values.values, self.values.mask)))[0], 2
        )
        seasons = [again(g, self.values, self.season, back=back, **sizes) for back in range(1, SEASONS + 1)]
        longer = again(g, self.values, self.longer, **sizes)
        together = join(g, [Known(*(g.unsqueeze(part, 2) for part in (each.values, each.mask))) for each in seasons], 2)
        found = mean_of_known(g, together, 2)
        mean = Known(g.squeeze(found.values, 2), g.squeeze(found.mask, 2))
        candidates = [g.unsqueeze(each.filled(g, newest), 2) for each in (seasons[0], seasons[1], mean, longer)]
        forecast, there = g.unsqueeze(self.forecast, 2), g.unsqueeze(self.there, 1)
        models = g("Where", there, self.models.forecasts, forecast)
        if not self.reads_longer:
            # What no model says is as the base.
            models = g.concat([models, *([forecast] * (2 * len(LONGER_GAINS)))], 2)
        off = g("Div", g("Sub", g.concat([*candidates, models], 2), forecast), g.unsqueeze(unit, 2))
        steps = np.arange(horizon)
        numbers = np.stack([steps / 24, (steps // self.season) / 4], axis=1)[None]
        numbers_of_all = g.expand(numbers, g.dims(g.size(self.count, 0), horizon, 2))
        known = g.unsqueeze(g.cast(longer.mask, np.float64), 2)
        return g.concat([forecast, clip(g, off, -FARTHEST, FARTHEST), known, numbers_of_all], 2)


def _joined(graph: Graph, parts: Sequence[Said]) -> Said:
    """Return what several groups of models say of the same windows."""
    optimism = []
    for part in parts:
        shape = graph.dims(graph.size(part.forecasts, 0), graph.size(part.forecasts, 2))
        optimism.append(graph.expand(np.ones((1, 1)) if part.optimism is None else part.optimism, shape))
    return Said(
        graph.concat([part.forecasts for part in parts], 2),
        graph.concat([part.ahead for part in parts], 2),
        {steps: graph.concat([part.checks[steps] for part in parts], 2) for steps in parts[0].checks},
        graph.concat(optimism, 1),
    )
