"""The decoder: from what was read to a forecast's parts, see `seqcast.network.decoder`."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqcast.export.cells import LayerStates, Stack
from seqcast.export.encoder import Read
from seqcast.export.graph import Graph
from seqcast.export.heads import Parts, head_parts
from seqcast.export.normalise import Normalisation
from seqcast.export.segment import fold, token_count, unfold, whole_on_right
from seqcast.network import NO_SCORE, AdditiveAttention, Attention, Decoder, DotAttention, MultiHeadAttention
from seqcast.runtime import to_numpy


class AttentionGraph:
    """Attention as operators.

    Args:
        attention: The attention.
    """

    def __init__(self, attention: Attention) -> None:
        self.attention = attention

    def prepare(self, graph: Graph, memory: str) -> tuple[str, str]:
        """Return keys and values of the memory, `[B, T, ·]`, computed once a forecast."""
        attention = self.attention
        with graph.scope("attention"):
            if isinstance(attention, MultiHeadAttention):
                keys, values = (
                    self._heads(graph, _dense(graph, layer, memory))
                    for layer in (attention.key_map, attention.value_map)
                )
                return keys, values
            if isinstance(attention, AdditiveAttention | DotAttention) and attention.key_map is not None:
                return _dense(graph, attention.key_map, memory), memory
            return memory, memory

    def __call__(self, graph: Graph, query: str, prepared: tuple[str, str], valid: str | None) -> str:
        """Return the decoder's outputs with their context, `[B, H, n]`.

        Args:
            graph: The graph.
            query: Decoder outputs, `[B, H, n]`.
            prepared: What `prepare` returned.
            valid: Which steps of the memory count, `[B, T]`.
        """
        keys, values = prepared
        with graph.scope("attention"):
            scores = self._scores(graph, query, keys)
            if valid is not None:
                axes = (1, 2) if isinstance(self.attention, MultiHeadAttention) else (1,)
                scores = graph("Where", graph.unsqueeze(valid, *axes), scores, np.float32(NO_SCORE))
            context = graph("MatMul", graph("Softmax", scores, axis=-1), values)
            if isinstance(self.attention, MultiHeadAttention):
                context = graph.reshape(graph.transpose(context, 0, 2, 1, 3), (0, 0, -1))
            return graph("Tanh", _dense(graph, self.attention.join, graph.concat([context, query], 2)))

    def _scores(self, graph: Graph, query: str, keys: str) -> str:
        attention = self.attention
        if isinstance(attention, AdditiveAttention):
            mapped = graph(
                "Add", graph.unsqueeze(_dense(graph, attention.query_map, query), 2), graph.unsqueeze(keys, 1)
            )
            return graph.squeeze(_dense(graph, attention.score_map, graph("Tanh", mapped)), 3)
        if isinstance(attention, MultiHeadAttention):
            scale = np.float32(float(attention.query_width // attention.heads) ** -0.5)
            heads = self._heads(graph, _dense(graph, attention.query_map, query))
            return graph("Mul", graph("MatMul", heads, graph.transpose(keys, 0, 1, 3, 2)), scale)
        return graph("MatMul", query, graph.transpose(keys, 0, 2, 1))

    def _heads(self, graph: Graph, x: str) -> str:
        attention = self.attention
        parts = graph.reshape(x, (0, 0, attention.heads, attention.query_width // attention.heads))
        return graph.transpose(parts, 0, 2, 1, 3)


def _dense(graph: Graph, layer: Any, x: str) -> str:
    return graph.dense(x, to_numpy(layer.kernel.value), to_numpy(layer.bias.value) if layer.use_bias else None)


class DecoderGraph:
    """The decoder as operators.

    Args:
        graph: The graph.
        decoder: The decoder.
        normalisation: What gives back what the encoder took.
        parts: What is asked of a forecast.
    """

    def __init__(self, graph: Graph, decoder: Decoder, normalisation: Normalisation, parts: Parts) -> None:
        self.graph, self.decoder, self.normalisation, self.parts = graph, decoder, normalisation, parts
        self.window, self.network = decoder.window, decoder.network
        self.stack = Stack(graph, decoder.stack, "stack")
        self.attention = None if decoder.attention is None else AttentionGraph(decoder.attention)
        self.width = self.network.segment * self.window.targets

    def write(self, read: Read, horizon: int | str, future: str | None) -> str:
        """Write a forecast.

        Args:
            read: What the encoder has read.
            horizon: Number of steps, `H`; a number, or a value `[1]`.
            future: Known-future inputs, `[B, H, F']`.

        Returns:
            The parts of the forecast in the network's units, `[B, H, D, parts]`.
        """
        g, segment = self.graph, self.network.segment
        with g.scope("decoder"):
            layers = self._bridge(read)
            tokens = token_count(g, horizon, segment)
            known = self._known(layers, tokens, horizon, future)
            season = self._season(read, tokens)
            if self.network.feeds_back:
                forecast = self._stepwise(read, layers, tokens, known, season)
            else:
                sequence = self._parallel if self.network.decoding == "parallel" else self._sequence
                forecast = self._written(g, sequence(layers, tokens, known), read, self._prepared(read), season)
            forecast = unfold(g, forecast, segment, self.window.targets, len(self.parts))
            if segment > 1 and not (isinstance(horizon, int) and horizon % segment == 0):
                forecast = g.cut(forecast, 1, 0, horizon)
            return self.normalisation.restored(forecast, read.statistics, 1)

    def _bridge(self, read: Read) -> LayerStates:
        """Return the decoder's initial states."""
        g, bridge = self.graph, self.decoder.bridge
        if bridge.identity:
            return read.layers
        parts = [state for layer in read.layers for state in layer]
        if read.static is not None and self.network.static_input == "state":
            parts.append(read.static)
        with g.scope("bridge"):
            joined = g.concat(parts, 1)
            mapped = []
            for layer in bridge.dense:
                state = g.dense(joined, *to_numpy([layer.kernel.value, layer.bias.value]))
                mapped.append(g("Tanh", state) if layer.activation.__name__ == "tanh" else state)
        states = iter(mapped)
        return [tuple(next(states) for _ in widths) for widths in bridge.decoder_widths]

    def _known(self, layers: LayerStates, tokens: int | str, horizon: int | str, future: str | None) -> str | None:
        """Return what tokens read that does not depend on outputs, `[B, tokens, p + f]`."""
        g, parts = self.graph, []
        if self.decoder.position is not None:
            assert isinstance(tokens, int)
            positions = to_numpy(self.decoder.position.value)[None, :tokens].astype(np.float32)
            parts.append(g.expand(positions, g.dims(g.size(layers[0][0], 0), 1, 1)))
        if future is not None:
            segment = self.network.segment
            parts.append(fold(g, whole_on_right(g, future, segment, horizon), segment, self.window.future))
        return g.concat(parts, 2) if parts else None

    def _season(self, read: Read, tokens: int | str) -> str | None:
        """Return the last season, repeated over the tokens, `[B, tokens, s · D]`."""
        g, segment, season = self.graph, self.network.segment, self.window.season_length
        if read.season is None or season is None:
            return None
        if isinstance(tokens, int):
            repeated = g.take(read.season, (np.arange(tokens * segment) % season).tolist(), 1)
        else:
            steps = g.steps(g("Mul", tokens, np.array([segment], np.int64)))
            repeated = g.take(read.season, g("Mod", steps, np.int64(season)), 1)
        return fold(g, repeated, segment, self.window.targets)

    def _parallel(self, layers: LayerStates, tokens: int | str, known: str | None) -> str:
        """Return the stack's outputs, `[B, tokens, n]`, each token a single step from the same states."""
        g = self.graph
        assert known is not None
        assert isinstance(tokens, int)
        rows, width = g.size(known, 0), self.decoder.stack.layers_forward[0].features
        repeated = [
            tuple(
                g.reshape(g.expand(g.unsqueeze(state, 1), g.dims(rows, tokens, n)), (-1, n))
                for state, n in zip(states, widths, strict=True)
            )
            for states, widths in zip(layers, self.decoder.stack.state_widths, strict=True)
        ]
        output, _ = self.stack.step(g.reshape(known, (-1, width)), repeated)
        return g.reshape(output, (-1, tokens, self.decoder.stack.output_width))

    def _sequence(self, layers: LayerStates, tokens: int | str, known: str | None) -> str:
        """Return the stack's outputs when no input depends on an output."""
        return self.stack.sequence(known, initial_state=layers, steps=tokens)[0]

    def _stepwise(
        self, read: Read, layers: LayerStates, tokens: int | str, known: str | None, season: str | None
    ) -> str:
        """Write token after token, each reading the one before, `[B, tokens, s · D, 1]`."""
        g, prepared = self.graph, self._prepared(read)
        by_token = [None if each is None else g.transpose(each, 1, 0, 2) for each in (known, season)]
        assert read.last_targets is not None
        before = [read.last_targets, *(state for layer in layers for state in layer)]
        body = g.body()
        with body.scope("token"):
            name = body.name("loop")
            number = body.read(f"{name}/number", np.int64, ())
            going = body.read(f"{name}/going", np.bool_, ())
            widths = [self.width, *(n for each in self.decoder.stack.state_widths for n in each)]
            last, *flat = (
                body.read(f"{name}/before_{place}", np.float32, ("batch", n)) for place, n in enumerate(widths)
            )
            states = iter(flat)
            own = [tuple(next(states) for _ in layer) for layer in layers]
            at = [None if each is None else body.take(each, number, 0) for each in by_token]
            output, after = self.stack.within(body).step(
                body.concat([x for x in (last, at[0]) if x is not None], 1), own
            )
            own_season = None if at[1] is None else body.unsqueeze(at[1], 1)
            forecast = self._written(body, body.unsqueeze(output, 1), read, prepared, own_season)
            forecast = body.squeeze(forecast, 1, 3)
            body.write(f"{name}/goes_on", going, np.bool_, ())
            for place, state in enumerate([forecast, *(state for layer in after for state in layer)]):
                body.write(f"{name}/after_{place}", state, np.float32, ("batch", widths[place]))
            body.write(f"{name}/forecast", forecast, np.float32, ("batch", self.width))
        count: Any = np.int64(tokens) if isinstance(tokens, int) else g.squeeze(tokens, 0)
        *_, written = g.several("Loop", len(before) + 1, count, "", *before, body=body)
        return g.unsqueeze(g.transpose(written, 1, 0, 2), 3)

    def _prepared(self, read: Read) -> tuple[str, str] | None:
        if self.attention is None:
            return None
        assert read.memory is not None
        return self.attention.prepare(self.graph, read.memory)

    def _written(
        self, graph: Graph, outputs: str, read: Read, prepared: tuple[str, str] | None, season: str | None
    ) -> str:
        """Attend, apply the head and add the season: `[B, tokens, n]` to `[B, tokens, s · D, parts]`."""
        if self.attention is not None and prepared is not None:
            outputs = self.attention(graph, outputs, prepared, read.memory_valid)
        forecast = head_parts(graph, self.decoder.head, self.network, outputs, self.parts)
        if season is None:
            return forecast
        if self.decoder.gate is not None:
            kernel, bias = to_numpy([self.decoder.gate.kernel.value, self.decoder.gate.bias.value])
            season = graph("Mul", season, graph("Sigmoid", graph.dense(outputs, kernel, bias)))
        return graph("Add", forecast, graph.unsqueeze(season, 3))
