"""Attention of the decoder's outputs over the encoder's, see `seqcast.network.attention`."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqcast.export.graph import Graph
from seqcast.network import NO_SCORE, AdditiveAttention, Attention, DotAttention, MultiHeadAttention
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
