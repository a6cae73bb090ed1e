"""The encoder: from a window to all that the decoder reads, see `seqcast.network.encoder`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from seqcast.export.cells import LayerStates, Stack
from seqcast.export.graph import Graph
from seqcast.export.normalise import Normalisation, Statistics
from seqcast.export.segment import fold, whole_on_left
from seqcast.network import Encoder
from seqcast.runtime import to_numpy

HALF = np.float32(0.5)


@dataclass(frozen=True)
class Read:
    """What the encoder has read: the parts of `seqcast.network.encoder.States`, as values of a graph.

    Args:
        layers: The states of each layer.
        statistics: What the normaliser has taken.
        static: The static vector, `[B, S]`.
        memory: The encoder's outputs for attention, `[B, tokens, n]`.
        memory_valid: Which of them count, `[B, tokens]`; `None` when all do.
        last_targets: The targets' values in the last token, `[B, s · D]`.
        season: Their values in the last season, `[B, m, D]`.
        last_features: The last value of each feature, `[B, F]`.
    """

    layers: LayerStates
    statistics: Statistics
    static: str | None = None
    memory: str | None = None
    memory_valid: str | None = None
    last_targets: str | None = None
    season: str | None = None
    last_features: str | None = None


class EncoderGraph:
    """The encoder as operators.

    Args:
        graph: The graph.
        encoder: The encoder.
    """

    def __init__(self, graph: Graph, encoder: Encoder) -> None:
        self.graph, self.window, self.network = graph, encoder.window, encoder.network
        self.normalisation = Normalisation(graph, encoder.normaliser, encoder.network.normalise)
        self.stack = Stack(graph, encoder.stack, "stack")
        self.static_at_steps = encoder.static_at_steps
        self.embedding = None
        if encoder.embedding is not None:
            dense = encoder.embedding.dense
            self.embedding = to_numpy([dense.kernel.value, dense.bias.value])

    def read(
        self, past: str, observed: str | None, static: str | None, steps: int | None, tokens: str | None = None
    ) -> Read:
        """Read a past.

        Args:
            past: Scaled and without gaps, `[B, T, F]`.
            observed: 1 where a value was observed, `[B, T, F]`, where the network knows gaps.
            static: The static vector, `[B, S]`.
            steps: Number of steps, where it is known.
            tokens: How many tokens of each row are read, its last ones, `[B]`; `None` is all.
        """
        with self.graph.scope("encoder"):
            statistics = self.normalisation.statistics(past, observed)
            past = self.normalisation.apply(past, statistics)
            return self._read(past, observed, Read([], statistics, static), steps, lengths=tokens)

    def read_on(self, before: Read, forecast: str, steps: int) -> Read:
        """Read a forecast of whole segments as if it had been observed.

        Args:
            before: What was read before.
            forecast: The forecast, `[B, n, D]`, as the network writes it.
            steps: Its number of steps.
        """
        g, normaliser = self.graph, self.normalisation
        ours = normaliser.normaliser.place.sum(axis=0)
        with g.scope("encoder"):
            past = normaliser.apply(normaliser.placed(forecast), before.statistics)
            if not ours.all():
                # Other features keep their last value; those columns of the past hold nothing yet.
                assert before.last_features is not None
                past = g("Where", ours > 0, past, g.unsqueeze(before.last_features, 1))
            observed = None
            if self.window.observed:
                observed = g.expand(ours.astype(np.float32), g("Shape", past))
            return self._read(past, observed, before, steps, on=True)

    def _read(
        self,
        past: str,
        observed: str | None,
        before: Read,
        steps: int | None,
        *,
        on: bool = False,
        lengths: str | None = None,
    ) -> Read:
        """Read a normalised past, from the start or on from what was read before."""
        g, network, segment = self.graph, self.network, self.network.segment
        features = self.window.features * (2 if self.window.observed else 1)
        # A forecast has no padding.
        valid = self._valid(observed) if observed is not None and not on else None
        read = replace(before, last_features=self._last(past) if network.in_blocks else None)
        if network.reads_season:
            read = replace(read, season=self._season(past, None if on else observed, before.season))
        if segment > 1 and valid is not None:
            past = g("Where", valid, past, np.float32(0))
        repeat = observed is None
        whole = whole_on_left(g, past, segment, repeat=repeat, steps=steps)
        if network.feeds_back:
            last = fold(g, g.cut(self.normalisation.targets(whole), 1, -segment), segment, self.window.targets)
            read = replace(read, last_targets=g.squeeze(last, 1))
        if observed is not None:
            whole = g.concat([whole, whole_on_left(g, observed, segment, repeat=False, steps=steps)], 2)
        tokens, valid_first = fold(g, whole, segment, features), None
        if valid is not None:
            counts = whole_on_left(g, g.cast(valid, np.float32), segment, repeat=False, steps=steps)
            if segment > 1:
                # A token counts from its first step that does: its last step tells.
                counts = g.cut(fold(g, counts, segment, 1), 2, segment - 1)
            lengths = g.cast(g.total(g.squeeze(counts, 2), 1), np.int64)
        if lengths is not None:
            tokens = self._shifted(tokens, lengths)
        tokens = self._embedded(tokens, read.static)
        outputs, layers = self.stack.sequence(
            tokens,
            initial_state=before.layers if on else None,
            lengths=None if lengths is None else g.cast(lengths, np.int32),
        )
        read = replace(read, layers=layers)
        if network.attention == "none":
            return read
        if lengths is not None:
            places = g.unsqueeze(g.steps(g.size(outputs, 1)), 0)
            valid_first = g("Less", places, g.unsqueeze(lengths, 1))
        return self._with_memory(read, before, outputs, valid_first)

    def _valid(self, observed: str) -> str:
        """Return which steps are not padding, `[B, T, 1]`: from the first one on at which anything was observed."""
        anything = self.graph("ReduceMax", observed, axes=[2], keepdims=1)
        return self.graph("Greater", self.graph("CumSum", anything, np.int64(1)), HALF)

    def _shifted(self, tokens: str, lengths: str) -> str:
        """Move what counts of each row to its front, since the operators skip steps at the end only."""
        g = self.graph
        count = g.size(tokens, 1)
        first = g.unsqueeze(g("Sub", count, lengths), 1)
        places = g("Add", g.unsqueeze(g.steps(count), 0), first)
        places = g("Min", places, g("Sub", count, np.array([1], np.int64)))
        return g("GatherND", tokens, g.unsqueeze(places, 2), batch_dims=1)

    def _embedded(self, tokens: str, static: str | None) -> str:
        """Return what the stack reads, `[B, tokens, f]`."""
        g = self.graph
        if static is not None and self.static_at_steps:
            shape = g.dims(g.size(tokens, 0), g.size(tokens, 1), self.window.static)
            tokens = g.concat([tokens, g.expand(g.unsqueeze(static, 1), shape)], 2)
        return tokens if self.embedding is None else g("Relu", g.dense(tokens, *self.embedding))

    def _last(self, past: str) -> str:
        return self.graph.squeeze(self.graph.cut(past, 1, -1), 1)

    def _season(self, past: str, observed: str | None, before: str | None) -> str:
        """Return the targets' values in the last season, `[B, m, D]`; zeros before the first one seen."""
        g, season = self.graph, self.window.season_length
        assert season is not None
        values = self.normalisation.targets(past)
        if observed is not None:
            so_far = g("CumSum", self.normalisation.targets(observed), np.int64(1))
            values = g("Where", g("Greater", so_far, HALF), values, np.float32(0))
        return g.cut(values if before is None else g.concat([before, values], 1), 1, -season)

    def _with_memory(self, read: Read, before: Read, outputs: str, valid: str | None) -> Read:
        g = self.graph
        if before.memory is None:
            return replace(read, memory=outputs, memory_valid=valid)
        if before.memory_valid is not None:
            new = g.expand(np.array(True), g.dims(g.size(outputs, 0), g.size(outputs, 1)))
            valid = g.concat([before.memory_valid, new], 1)
        return replace(read, memory=g.concat([before.memory, outputs], 1), memory_valid=valid)
