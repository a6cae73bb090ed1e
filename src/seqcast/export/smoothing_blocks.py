"""Exponential smoothing, a block of steps at a time.

What is forecast of a step is linear in the state before its block and in the errors before it,

    forecast = C x + G c e,    e = y - forecast,    so    (1 + G c) e = y - C x,

with `x` the level, the trend and the entries of the season that the block reads, and `c` 1 where a value is known. `G`
is strictly lower triangular, so three products solve it for all blocks at once (`solved_triangular`). After a block the
state is `A x + B c e`, a matrix times the state before it and a vector. A loop from block to block multiplies by these,
where one from step to step has a dozen operators for each.

In the words of state-space models: `C` is `Effects.read`, the transition `A` `Effects.kept_state`, the gain `B`
`Effects.on_state`, and `e` are the innovations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.export.graph import ONE, Graph, solved_triangular
from seqcast.pretrained import Gains

Array = npt.NDArray[Any]

# Steps of a block: of more steps the matrices are larger, of fewer there are more turns of the loop.
STEPS = 8


@dataclass(frozen=True)
class State:
    """Level, trend and season between two steps, of `K` sets of gains and `W` ways to write the values.

    Args:
        level: `[N, K, W]`.
        trend: `[N, K, W]`.
        seasons: What the next steps add, `[N, S, K, W]`: those of a season, or of as many steps as are asked for.
    """

    level: str
    trend: str
    seasons: str


class Effects:
    """What the steps of a block do to each other and to the state, as numbers.

    Args:
        gains: Gains of level, trend and season, and damping, of each of `K` sets.
        season: Steps of a season; 1 is none.
    """

    def __init__(self, gains: Gains, season: int) -> None:
        self.alpha, self.beta, gamma, self.phi = np.array(gains).T
        self.gamma = gamma * float(season > 1)
        self.season = season
        # Entries of the season that a block reads.
        self.entries = min(season, STEPS)

    def reach(self, steps: int = STEPS) -> Array:
        """Return what a trend of 1 adds to the level in 0, 1, … steps, `[steps + 1, K]`."""
        return np.cumsum(self.kept(steps), axis=0) - 1

    def kept(self, steps: int = STEPS) -> Array:
        """Return what is left of a trend of 1 after 0, 1, … steps, `[steps + 1, K]`."""
        return np.asarray(self.phi ** np.arange(steps + 1)[:, None])

    def read(self) -> Array:
        """Return what steps take from the state before their block, by how many of them have begun.

        Returns:
            `[steps + 1, K, steps, 2 + entries]`.
        """
        begun = np.maximum(np.arange(STEPS + 1)[:, None] - np.arange(STEPS)[::-1], 0)
        found = np.ones((STEPS + 1, len(self.alpha), STEPS, 2 + self.entries))
        found[:, :, :, 1] = np.moveaxis(self.reach()[begun], 2, 1)
        found[:, :, :, 2:] = np.eye(self.entries)[np.arange(STEPS) % self.season]
        return found

    def on_forecasts(self) -> tuple[Array, Array]:
        """Return what errors do to later forecasts, by the line and by the season, `[K, steps, steps]`."""
        lag = np.arange(STEPS)[:, None] - np.arange(STEPS)
        reach = self.reach()[np.maximum(lag, 0)]
        by_line = np.where(lag[:, :, None] > 0, self.alpha + self.beta * reach, 0.0)
        by_season = np.where(((lag > 0) & (lag % self.season == 0))[:, :, None], self.gamma, 0.0)
        return np.moveaxis(by_line, 2, 0), np.moveaxis(by_season, 2, 0)

    def on_state(self, steps: int) -> Array:
        """Return what the errors of a block do to the state after its first steps, `[K, 2 + entries, STEPS]`."""
        places = np.arange(steps)
        back = steps - 1 - places
        found = np.zeros((2 + self.entries, STEPS, len(self.alpha)))
        found[0, :steps] = self.alpha + self.beta * self.reach()[back]
        found[1, :steps] = self.beta * self.kept()[back]
        found[2 + self._entry(places, steps), places] = self.gamma
        return np.moveaxis(found, 2, 0)

    def kept_state(self, steps: int) -> Array:
        """Return the state after the first steps of a block from that before it, by how many of them have begun.

        Returns:
            `[steps + 1, K, 2 + entries, 2 + entries]`.
        """
        entries = np.arange(self.entries)
        found = np.zeros((steps + 1, len(self.alpha), 2 + self.entries, 2 + self.entries))
        found[:, :, 0, 0] = 1.0
        found[:, :, 2 + self._entry(entries, steps), 2 + entries] = 1.0
        found[:, :, 0, 1], found[:, :, 1, 1] = self.reach(steps), self.kept(steps)
        return found

    def _entry(self, places: Array, steps: int) -> Array:
        """Return the entry at which a step's season stands some steps later; one longer than a block the loop moves."""
        return places if self.season > STEPS else (places - steps) % self.season


class Blocks:
    """Windows in blocks, the last of which ends with them.

    Args:
        graph: The graph.
        values: Values, `[N, T, W]`, of `W` ways to write them; 0 where they are missing.
        counted: 1 where a value is known, `[N, T]`.
        used: Which windows have a season, `[N, 1]`.
        effects: What steps do.
        length: Number of steps, `T`.
        ways: Number of ways, `W`.
    """

    def __init__(
        self, graph: Graph, values: str, counted: str, used: str, effects: Effects, *, length: int, ways: int
    ) -> None:
        self.graph, self.length, self.ways, self.effects = graph, length, ways, effects
        self.sets, self.width = len(effects.alpha), 2 + effects.entries
        # Steps before the first value change nothing, so some can be added.
        self.added = -length % STEPS
        self.count = (length + self.added) // STEPS
        self.used = graph.unsqueeze(graph.cast(used, np.float64), 2, 3, 4)
        counted, values = self._longer(counted), self._longer(values, ways)
        begun = graph("Min", graph("CumSum", counted, np.int64(1)), ONE)
        # Of a block the last steps have begun.
        self.begun = graph.reshape(graph.cast(begun, np.int64), (0, self.count, STEPS))
        self.counted = graph.reshape(counted, (0, self.count, 1, 1, STEPS))
        self.values = graph.reshape(values, (0, self.count, 1, STEPS, ways))
        self.of_state, self.of_values = self._solved()

    def _longer(self, x: str, *others: int) -> str:
        if not self.added:
            return x
        shape = self.graph.dims(self.graph.size(x, 0), self.added, *others)
        return self.graph.concat([self.graph.expand(np.zeros([1] * (2 + len(others))), shape), x], 1)

    def _solved(self) -> tuple[str, str]:
        """Return what a state takes from the errors of a block, and the errors where that state is nothing.

        `[N, blocks, K, steps, 2 + entries]` and `[N, blocks, K, steps, W]`; the errors are the second less the first
        times the state.
        """
        g = self.graph
        by_line, by_season = (each[None, None] for each in self.effects.on_forecasts())
        later = g.value(-by_line)
        if by_season.any():
            later = g("Sub", later, g("Mul", self.used, by_season))
        later = g("Mul", later, self.counted)
        read = g.take(self.effects.read(), g.total(self.begun, 2), 0)
        of_state, of_values = solved_triangular(g, later, [read, self.values], STEPS)
        return of_state, of_values

    def after(self, steps: int, begun: str, counted: str) -> tuple[str, str]:
        """Return what the first steps of blocks do to the state: a matrix of the state, and one of the errors.

        Args:
            steps: How many steps.
            begun: 1 for each step that has begun, `[N, blocks, STEPS]`.
            counted: 1 for each step whose value is known, `[N, blocks, 1, 1, STEPS]`.
        """
        g, effects = self.graph, self.effects
        matrix = g.take(effects.kept_state(steps), g.total(g.cut(begun, 2, 0, steps), 2), 0)
        of_errors = g.value(effects.on_state(steps)[None, None])
        if effects.season > 1:
            line = (np.arange(self.width) < 2)[None, None, None, :, None]
            of_errors = g("Mul", of_errors, g("Where", line, ONE, self.used))
        return matrix, g("Mul", of_errors, counted)

    def run(self, level: str, trend: str, profile: str) -> Run:
        """Smooth all blocks one after another.

        Args:
            level: The level before the first value, `[N, 1, W]`.
            trend: The first trend, `[N, 1, W]`.
            profile: The first season, from the step after the last one on, `[N, m, W]`.
        """
        g, season = self.graph, self.effects.season
        matrix, of_errors = self.after(STEPS, self.begun, self.counted)
        matrix = g("Sub", matrix, g("MatMul", of_errors, self.of_state))
        vector = g("MatMul", of_errors, self.of_values)
        turn = ((np.arange(season) - self.length - self.added) % season).tolist()
        state = g.unsqueeze(g.concat([level, trend, g.take(profile, turn, 1)], 1), 1)
        state = g.expand(state, g.dims(g.size(level, 0), self.sets, 2 + season, self.ways))
        end, starts = g.several(
            "Scan",
            2,
            state,
            matrix,
            vector,
            body=self._body(),
            num_scan_inputs=2,
            scan_input_axes=[1, 1],
            scan_output_axes=[1],
        )
        errors = g("Sub", self.of_values, g("MatMul", self.of_state, starts))
        return Run(self, end, starts, errors)

    def _body(self) -> Graph:
        """Return one block as the body of a loop."""
        season, width = self.effects.season, self.width
        body = self.graph.body()
        with body.scope("block"):
            name = body.name("loop")
            whole, part = ("rows", self.sets, 2 + season, self.ways), ("rows", self.sets, width, self.ways)
            state = body.read(f"{name}/state", np.float64, whole)
            matrix = body.read(f"{name}/matrix", np.float64, ("rows", self.sets, width, width))
            vector = body.read(f"{name}/vector", np.float64, part)
            start = state if season <= STEPS else body.cut(state, 2, 0, width)
            after = body("Add", body("MatMul", matrix, start), vector)
            if season > STEPS:
                # The entries that were read come again a season later.
                later = body.cut(state, 2, width)
                after = body.concat([body.cut(after, 2, 0, 2), later, body.cut(after, 2, 2)], 2)
            body.write(f"{name}/after", after, np.float64, whole)
            body.write(f"{name}/start", start, np.float64, part)
        return body


@dataclass(frozen=True)
class Run:
    """Blocks that were smoothed.

    Args:
        blocks: The blocks.
        end: The state after the last step, `[N, K, 2 + m, W]`.
        starts: What each block read of the state before it, `[N, blocks, K, 2 + entries, W]`.
        errors: Errors one step ahead, `[N, blocks, K, steps, W]`.
    """

    blocks: Blocks
    end: str
    starts: str
    errors: str

    def ahead(self) -> str:
        """Return what was forecast of each step from the one before it, `[N, T, K, W]`."""
        return self._by_step(self.blocks.graph("Sub", self.blocks.values, self.errors))

    def last(self) -> State:
        """Return the state after the last step."""
        return self._state(self.end)

    def before(self, left: int) -> State:
        """Return the state before the last steps, with as many entries of the season as these read.

        Args:
            left: How many last steps.
        """
        g, blocks = self.blocks.graph, self.blocks
        place, steps = blocks.count - -(-left // STEPS), -left % STEPS
        start, errors, begun, counted = (
            g.cut(each, 1, place, place + 1) for each in (self.starts, self.errors, blocks.begun, blocks.counted)
        )
        if steps:
            matrix, of_errors = blocks.after(steps, begun, counted)
            start = g("Add", g("MatMul", matrix, start), g("MatMul", of_errors, errors))
        state = self._state(g.squeeze(start, 1))
        if blocks.effects.season <= STEPS:
            return state
        stop = blocks.length - left + min(left, blocks.effects.season)
        return State(state.level, state.trend, g.cut(self._added, 1, blocks.length - left, stop))

    @cached_property
    def _added(self) -> str:
        """What the season added to each step, `[N, T, K, W]`, of one that is longer than a block."""
        return self._by_step(self.blocks.graph.cut(self.starts, 3, 2))

    def _state(self, state: str) -> State:
        g = self.blocks.graph
        level, trend = (g.take(state, np.int64(place), 2) for place in range(2))
        return State(level, trend, g.transpose(g.cut(state, 2, 2), 0, 2, 1, 3))

    def _by_step(self, x: str) -> str:
        """Return `[N, blocks, K, steps, W]` step by step, `[N, T, K, W]`."""
        g, blocks = self.blocks.graph, self.blocks
        x = g.transpose(x, 0, 1, 3, 2, 4)
        x = g.reshape(x, (0, blocks.count * STEPS, blocks.sets, blocks.ways))
        return g.cut(x, 1, blocks.added) if blocks.added else x
