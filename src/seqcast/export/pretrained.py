"""The pretrained network: from raw windows to quantiles, see `seqcast.pretrained`."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqcast.data.synthetic import Season
from seqcast.errors import SpecError
from seqcast.export.graph import Graph
from seqcast.export.heads import Parts
from seqcast.export.hold import Hold
from seqcast.export.known import Known
from seqcast.export.network import NetworkInputs, add_network
from seqcast.export.part import PartWindows
from seqcast.export.seasonal_base import SeasonalBaseGraph
from seqcast.export.seasonal_inputs import read_seasonal
from seqcast.intervals import ForecastRequest
from seqcast.pretrained import BLOCKS, PretrainedNetwork


@dataclass(frozen=True)
class PretrainedPart:
    """The pretrained network, fine-tuned or not, as a part of a file.

    Args:
        network: The network.
        season_length: Steps of a season; 1 is none.
    """

    network: PretrainedNetwork
    season_length: int

    def check(self, horizon: int | None) -> None:
        """Refuse what the file of the pretrained network cannot do.

        Args:
            horizon: Number of steps; `None` is any.

        Raises:
            SpecError: The horizon is any, or the network reads covariates.
        """
        if horizon is None:
            raise SpecError(
                "horizon",
                expected="a number with the pretrained network",
                received="'any'",
                hint="What it reads of the future is computed for a known number of steps: write a file for each "
                "horizon.",
            )
        if self.network.covariates:
            raise SpecError(
                "export",
                expected="a pretrained network that reads no covariates",
                received=f"one that was fine-tuned with {self.network.covariates}",
                hint="Fine-tune without covariates, or name a preset, whose file takes them.",
            )

    def add(self, windows: PartWindows, request: ForecastRequest) -> str:
        """Add the network, which forecasts each target of each window by itself.

        Args:
            windows: The windows of the file.
            request: Intervals of the forecasts.

        Returns:
            The parts of the forecast, scaled, `[B, H, D, parts]`.
        """
        g, network, horizon = windows.graph, self.network, windows.horizon
        assert isinstance(horizon, int)
        with g.scope("pretrained"):
            # Its windows come from a reader in single precision.
            raw = windows.scaling.inverse(g, g.cast(g.cast(windows.scaled, np.float32), np.float64))
            targets = g.size(raw, 2)
            parts = (
                g("Reshape", g.transpose(each, 0, 2, 1), g.dims(-1, g.size(raw, 1))) for each in (raw, windows.known)
            )
            past = Known(*parts)
            length = network.context_lengths[-1]
            past = Known(_end(g, past.values, length, np.array(0.0)), _end(g, past.mask, length, np.array(False)))
            contexts = _contexts(g, past.mask, network)
            blocks = _Blocks(g, self, past, contexts, Parts("median", request.probabilities))
            shape = g.dims(-1, targets, horizon, 1 + len(request.probabilities))
            forecast = g.transpose(g("Reshape", blocks.forecast(horizon), shape), 0, 2, 1, 3)
            return windows.scaling.of_parts(g).transform(g, forecast)


@functools.singledispatch
def zero_shot_part(model: Any, season_length: int) -> PretrainedPart:
    """Return the part of a file that does what a zero-shot model does; models register theirs by their type.

    Args:
        model: The model.
        season_length: Steps of a season; 1 is none.

    Raises:
        SpecError: There are no operators for such a model.
    """
    del season_length
    raise SpecError(
        "export",
        expected="a zero-shot model that ONNX has operators for",
        received=f"{model.key!r}, which is written in Python",
        hint="Name another preset, such as preset='classic', and fit again.",
    )


zero_shot_part.register(PretrainedNetwork, PretrainedPart)


class _Blocks:
    """A forecast block by block, as `PretrainedNetwork.forecast` writes it."""

    def __init__(self, graph: Graph, candidate: PretrainedPart, past: Known, contexts: str, parts: Parts) -> None:
        self.graph, self.network, self.parts = graph, candidate.network, parts
        self.season = Season.of(candidate.season_length)
        self.past, self.contexts = past, contexts
        self.length = self.network.context_lengths[-1]

    def forecast(self, horizon: int) -> str:
        """Return the parts of the forecast in the units of the data, `[N, H, parts]`."""
        g, known, length, blocks = self.graph, self.past, self.length, []
        before: str | None = None
        hold: Hold | None = None
        near = min(horizon, BLOCKS * self.network.horizon)
        for first in range(0, near, self.network.horizon):
            steps = self.network.steps(near - first)
            block = self._block(known, steps)
            median = g.cut(block, 2, 0, 1)
            distance = own = g("Sub", block, median)
            if before is not None:
                distance = self._farther(own, g("Mul", before, before))
            before = g.cut(distance, 1, -1)
            line = g.squeeze(median, 2)
            if first:
                if hold is None:
                    sizes = {"length": length, "first": first}
                    hold = Hold.of(g, known, self.contexts, self.season.length, **sizes)
                line = self._held(hold, line, known, length, steps)
            blocks.append(g("Add", g.unsqueeze(line, 2), distance))
            # The next block's seasons begin where this one's go on.
            new = g.expand(np.array([[True]]), g.dims(g.size(line, 0), steps))
            known = Known(g.concat([known.values, line], 1), g.concat([known.mask, new], 1))
            length += steps
        if near < horizon:
            assert hold is not None
            assert before is not None
            line = self._held(hold, self._base_after(known, near, horizon - near), known, length, horizon - near)
            blocks.append(g("Add", g.unsqueeze(line, 2), self._widths_after(own, before, horizon - near)))
        return g.cut(g.concat(blocks, 1), 1, 0, horizon)

    def _farther(self, own: str, squares: str) -> str:
        """Return distances to which others are added, given their squares, as those of independent errors are."""
        g = self.graph
        size = g("Sqrt", g("Add", g("Mul", own, own), squares))
        return g("Mul", g("Sign", own), size)

    def _held(self, hold: Hold, line: str, known: Known, length: int, count: int) -> str:
        """Return medians after the first block, held to what they were forecast from."""
        since = length - self.length - self.network.horizon
        return hold.held(self.graph, line, known, length=length, count=count, since=since)

    def _base_after(self, known: Known, written: int, steps: int) -> str:
        """Return what the base says of the steps after what is known and written, `[N, steps]`."""
        g, sizes = self.graph, (self.length, self.season.length, self.season.longer or 0, steps)
        with g.scope("seasonal"):
            # What was written is read on top of contexts that hold fewer than two seasons.
            more = g("Min", g("Add", self.contexts, np.float64(written)), np.float64(self.length))
            short = g("Less", self.contexts, np.float64(2 * self.season.length))
            contexts = g("Where", short, more, self.contexts)
            return SeasonalBaseGraph(g, self._read(known, contexts), contexts, *sizes).in_units()

    def _widths_after(self, block: str, before: str, steps: int) -> str:
        """Return how far parts are from the median after the last block, as `far_horizons.widened` does."""
        g = self.graph
        places, length = np.arange(steps), self.network.horizon
        end = g.cut(block, 1, -1)
        numbers = (places // length).astype(np.float64)[None, :, None]
        squares = g("Add", g("Mul", numbers, g("Mul", end, end)), g("Mul", before, before))
        return self._farther(g.take(block, places % length, 1), squares)

    def _read(self, known: Known, contexts: str) -> Known:
        """Return the last steps that are known, of which each window is read with its context."""
        g = self.graph
        values, mask = (g.cut(each, 1, -self.length) for each in (known.values, known.mask))
        # What is before the context of a window is not read, also where it has slid on.
        inside = g("Less", np.arange(self.length, dtype=np.float64)[None, ::-1], contexts)
        return Known(values, g("And", mask, inside))

    def _block(self, known: Known, steps: int) -> str:
        """Return the parts of one block, `[N, steps, parts]`."""
        g = self.graph
        read = read_seasonal(
            g,
            self._read(known, self.contexts),
            self.contexts,
            length=self.length,
            season=self.season.length,
            longer=self.season.longer or 0,
            horizon=steps,
        )
        tokens = g.cast(g.squeeze(g("Div", self.contexts, np.float64(self.network.segment)), 1), np.int64)
        model = self.network.engine.built.model
        inputs = NetworkInputs(read.past, None, read.static, read.future, self.length, tokens)
        written = g.squeeze(add_network(g, model, inputs, steps, self.parts), 2)
        distances = g("Mul", g.cast(written, np.float64), g.unsqueeze(read.unit, 2))
        return g("Add", distances, g.unsqueeze(read.base, 2))


def _end(graph: Graph, x: str, length: int, missing: np.ndarray) -> str:
    """Return the last steps of windows, `[N, T]`, lengthened on the left."""
    before = graph.expand(missing, graph.dims(graph.size(x, 0), length))
    return graph.cut(graph.concat([before, x], 1), 1, -length)


def _contexts(graph: Graph, mask: str, network: PretrainedNetwork) -> str:
    """Return the shortest context length that holds what is known of each window, `[N, 1]`."""
    begun = graph("Min", graph("CumSum", graph.cast(mask, np.int64), np.int64(1)), np.int64(1))
    lengths = graph.total(begun, 1, keep=True)
    contexts = graph.value(np.array([[float(network.context_lengths[0])]]))
    for shorter, longer in itertools.pairwise(network.context_lengths):
        more = graph.cast(graph("Greater", lengths, np.int64(shorter)), np.float64)
        contexts = graph("Add", contexts, graph("Mul", more, np.float64(longer - shorter)))
    return contexts
