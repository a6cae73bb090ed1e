"""The forecast that the pretrained network corrects, see `seqcast.pretrained.seasonal_base`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from seqcast.export.autoregression import autoregressed
from seqcast.export.graph import INFINITY, ONE, ZERO, Graph
from seqcast.export.known import Known, clip, either, mean_of_known
from seqcast.export.simple_forecasts import Said
from seqcast.export.smoothing import smoothed
from seqcast.pretrained import (
    BASE_FORECASTS,
    FARTHEST,
    FEW,
    GAINS,
    LEAST_ERROR,
    LEAST_SIZE,
    LEAST_SPREAD,
    LONGER_GAINS,
    SHARPNESS,
    SHARPNESS_OF_CHECK,
    WAYS,
    Gains,
)


class SeasonalBaseGraph:
    """What simple models say of windows, in each window's own units, and their mean.

    Args:
        graph: The graph.
        past: Values, `[N, T]`, in the units of the data.
        contexts: With how many steps of past each is read, its last ones, `[N, 1]` as double.
        length: Number of steps, `T`.
        season: Steps of a season; 1 is none.
        longer: Steps of a season that contains it; 0 is none.
        horizon: Number of future steps, `H`.
    """

    def __init__(
        self, graph: Graph, past: Known, contexts: str, length: int, season: int, longer: int, horizon: int
    ) -> None:
        self.graph, self.past, self.contexts = graph, Known(past.filled(graph), past.mask), contexts
        self.length, self.season, self.longer, self.horizon = length, season, longer, horizon
        self.count = graph.total(graph.cast(past.mask, np.float64), 1, keep=True)
        self.loc, self.scale = self._units(self.past, season)
        self.values = Known(self._scaled(self.past, self.loc, self.scale, far=FARTHEST), past.mask)
        self.models = self._said()
        self.there = self._there()
        self.errors = self._errors(self.models.ahead, self.values)
        checks = [self._errors(part, self.newest(steps)) for steps, part in self.models.checks.items()]
        self.weights = self._weights(self.errors, checks)
        self.forecast = self.mean(self.models.forecasts)  # [N, H]

    def in_units(self) -> str:
        """Return the forecast in the units of the data, `[N, H]`."""
        return self.graph("Add", self.graph("Mul", self.forecast, self.scale), self.loc)

    def _units(self, past: Known, season: int) -> tuple[str, str]:
        """Return the mean of the last season, and the mean absolute deviation, `[N, 1]` each."""
        g = self.graph
        everywhere = mean_of_known(g, past)
        last = mean_of_known(g, Known(*(g.cut(each, 1, -season) for each in (past.values, past.mask))))
        loc = either(g, last, everywhere).filled(g)
        off = Known(g("Abs", g("Sub", past.values, everywhere.values)), past.mask)
        spread = mean_of_known(g, off).filled(g)
        low = g("ReduceMin", past.filled(g, INFINITY), axes=[1], keepdims=1)
        high = g("ReduceMax", past.filled(g, -INFINITY), axes=[1], keepdims=1)
        return loc, g("Where", g("Greater", high, low), spread, g("Max", g("Abs", loc), np.float64(LEAST_SIZE)))

    def _scaled(self, past: Known, loc: str, scale: str, *, far: float | None) -> str:
        scaled = self.graph("Div", self.graph("Sub", past.values, loc), scale)
        scaled = scaled if far is None else clip(self.graph, scaled, -far, far)
        return self.graph("Where", past.mask, scaled, ZERO)

    def _said(self) -> Said:
        """Return what all models say, in the order of `BASE_FORECASTS`."""
        g = self.graph

        def autoregress(past: Known) -> list[Said]:
            return autoregressed(g, past, self.length, self.horizon, len(WAYS))

        smooth = partial(self._smoothed, season=self.season, gains=GAINS)
        parts = self._both_ways(self.season, self.loc, self.scale, smooth, autoregress)
        if self.reads_longer:
            loc, scale = self._units(self.past, self.longer)
            smooth = partial(self._smoothed, season=self.longer, gains=LONGER_GAINS)
            parts += [self._moved(part, loc, scale) for part in self._both_ways(self.longer, loc, scale, smooth)]
        return Said.concat(g, parts)

    def _smoothed(self, past: Known, season: int, gains: Gains) -> list[Said]:
        """Smooth each way, in windows that hold two seasons with a season."""
        g = self.graph
        own = season if 2 * season <= self.length else 1
        used = g("GreaterOrEqual", self.count, np.float64(2 * own))
        # Seasons are counted from the end; what is before the first whole one of a context is not among them.
        whole = g("Mul", g("Floor", g("Div", self.contexts, np.float64(own))), np.float64(own))
        inside = g("Less", np.arange(self.length, dtype=np.float64)[None, ::-1], whole)
        inside, length, horizon = g.unsqueeze(inside, 2), self.length, self.horizon
        return smoothed(g, past, used, inside, gains, length=length, season=own, horizon=horizon, ways=len(WAYS))

    @property
    def reads_longer(self) -> bool:
        """Whether a window can know two of the longer seasons."""
        return 0 < 2 * self.longer <= self.length

    def _both_ways(self, season: int, loc: str, scale: str, *models: Callable[[Known], list[Said]]) -> list[Said]:
        """Ask each of some models about the values, and about their logarithms."""
        g = self.graph
        values = self._scaled(self.past, loc, scale, far=FARTHEST)
        least = g("ReduceMin", self.past.filled(g, INFINITY), axes=[1], keepdims=1)
        positive = g("And", g("Greater", least, ZERO), g("Greater", self.count, ZERO))
        positive = g("And", positive, g("Greater", scale, g("Mul", loc, np.float64(LEAST_SPREAD))))
        safe = Known(g("Log", g("Where", g("And", self.past.mask, positive), self.past.values, ONE)), self.past.mask)
        centre, spread = self._units(safe, season)
        logarithms = self._scaled(safe, centre, spread, far=None)
        both = g.concat([g.unsqueeze(each, 2) for each in (values, logarithms)], 2)
        asked = Known(both, g.unsqueeze(self.past.mask, 2))
        # What is out of reach anyway, before its exponential is more than a number can be.
        most = g("Add", loc, g("Mul", scale, np.float64(2 * FARTHEST)))
        most = g("Log", g("Where", positive, most, ONE))
        loc, scale, centre, spread, most, positive = (
            g.unsqueeze(each, 2) for each in (loc, scale, centre, spread, most, positive)
        )

        def grown(part: str) -> str:
            values = g("Exp", g("Min", g("Add", g("Mul", part, spread), centre), most))
            return g("Div", g("Sub", values, loc), scale)

        found = []
        for of_values, of_logarithms in (model(asked) for model in models):
            # Of windows that have none, the logarithms' place is taken by the values.
            found += [of_values, of_logarithms.mapped(grown).joined(of_values, lambda a, b: g("Where", positive, a, b))]
        return [said.mapped(lambda part: clip(g, part, -FARTHEST, FARTHEST)) for said in found]

    def _moved(self, said: Said, loc: str, scale: str) -> Said:
        """Return what is said in other units, in those of the windows."""
        g = self.graph
        own_loc, own_scale, to_loc, to_scale = (g.unsqueeze(each, 2) for each in (loc, scale, self.loc, self.scale))

        def moved(part: str) -> str:
            return g("Div", g("Sub", g("Add", g("Mul", part, own_scale), own_loc), to_loc), to_scale)

        return said.mapped(moved)

    def _there(self) -> str:
        """Return which models say something of which windows, `[N, K]`."""
        g, of_longer = self.graph, len(WAYS) * len(LONGER_GAINS)
        always = len(BASE_FORECASTS) - of_longer
        there = g.expand(np.ones((1, always), bool), g.dims(g.size(self.count, 0), always))
        if not self.reads_longer:
            return there
        longer = g("GreaterOrEqual", self.count, np.float64(2 * self.longer))
        return g.concat([there, *([longer] * of_longer)], 1)

    def _errors(self, forecasts: str, values: Known) -> Known:
        """Return the mean absolute error of each model, `[N, K]`, of what was forecast, `[N, n, K]`, of `[N, n]`."""
        g = self.graph
        off = g("Abs", g("Sub", forecasts, g.unsqueeze(values.values, 2)))
        error = mean_of_known(g, Known(off, g.unsqueeze(values.mask, 2)))
        found = g("Mul", g.squeeze(error.values, 1), self.models.optimism)
        return Known(found, g("And", self.there, g.squeeze(error.mask, 1)))

    def newest(self, steps: int) -> Known:
        """Return the last values, `[N, steps]`, known only of windows that know as many before them."""
        g = self.graph
        values, mask = (g.cut(each, 1, -steps) for each in (self.values.values, self.values.mask))
        return Known(values, g("And", mask, g("GreaterOrEqual", self.count, np.float64(2 * steps))))

    def _weights(self, errors: Known, checks: Sequence[Known]) -> str:
        """Return how much each model counts in their mean, `[N, K]`."""
        g = self.graph
        logarithms = g("Mul", self._above_least(errors), np.float64(SHARPNESS))
        for check in checks:
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

    def mean(self, forecasts: str) -> str:
        """Return the mean of the models, `[N, .]`."""
        g = self.graph
        known = g("Where", g.unsqueeze(self.there, 1), forecasts, ZERO)
        return g.squeeze(g("MatMul", known, g.unsqueeze(self.weights, 2)), 2)
