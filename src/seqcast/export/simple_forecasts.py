"""What simple models say of windows, see `seqcast.pretrained.simple_forecasts`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from seqcast.export.graph import Graph


@dataclass(frozen=True)
class Said:
    """What `K` simple models say of windows.

    Args:
        forecasts: Forecasts, `[N, H, K]`.
        ahead: What was forecast of each step from the one before it, `[N, T, K]`.
        checks: What was forecast of the last steps, `[N, n, K]`, by their number.
        optimism: How much larger errors are at steps that a model was not fitted to, `[N, 1]`: 1 where none was.
    """

    forecasts: str
    ahead: str
    checks: dict[int, str]
    optimism: str

    def mapped(self, change: Callable[[str], str]) -> Self:
        """Return all forecasts changed by a function."""
        checks = {steps: change(part) for steps, part in self.checks.items()}
        return type(self)(change(self.forecasts), change(self.ahead), checks, self.optimism)

    def joined(self, other: Self, join: Callable[[str, str], str]) -> Self:
        """Return all forecasts joined with those of another one by a function."""
        checks = {steps: join(part, other.checks[steps]) for steps, part in self.checks.items()}
        forecasts, ahead = join(self.forecasts, other.forecasts), join(self.ahead, other.ahead)
        return type(self)(forecasts, ahead, checks, self.optimism)

    @classmethod
    def concat(cls, graph: Graph, parts: Sequence[Self]) -> Self:
        """Return what several groups of models say of the same windows."""
        optimism = []
        for part in parts:
            shape = graph.dims(graph.size(part.forecasts, 0), graph.size(part.forecasts, 2))
            optimism.append(graph.expand(part.optimism, shape))
        return cls(
            graph.concat([part.forecasts for part in parts], 2),
            graph.concat([part.ahead for part in parts], 2),
            {steps: graph.concat([part.checks[steps] for part in parts], 2) for steps in parts[0].checks},
            graph.concat(optimism, 1),
        )
