"""Attention of the decoder's outputs over the encoder's outputs.

The decoder's output is the query. The context is joined with it and mapped back to its width (Luong
et al. 2015, arXiv:1508.04025, equation 5), so the decoder does not wait for attention and runs as
one loop.
"""

from seqcast.network.cells import Regularizers
from seqcast.network.dense import dense
from seqcast.network.randomness import child_seeds
from seqcast.runtime import Tensor, keras, ops

# The score of a step that does not count.
NO_SCORE = -1e9


class Attention(keras.layers.Layer):
    """The base of all attentions: softmax over valid steps, weighted sum, join with the query.

    Args:
        query_width: Width of the decoder's output, `n`.
        memory_width: Width of the encoder's output, `m`.
        heads: Number of heads, for `multi_head`.
        regularizer: Keras regularisers; `kernel` and `bias` are used.
        seed: Seed of the initial weights.
        options: Options of Keras's layers.
    """

    def __init__(
        self,
        query_width: int,
        memory_width: int,
        *,
        heads: int = 1,
        regularizer: Regularizers | None = None,
        seed: int = 0,
        **options: object,
    ) -> None:
        super().__init__(**options)
        self.query_width = query_width
        self.memory_width = memory_width
        self.heads = heads
        self.regularizer = regularizer
        self._seeds = iter(child_seeds(seed, 8))
        self.build()

    def build(self, input_shape: object = None) -> None:
        """Create the weights.

        Args:
            input_shape: Not read; all sizes are known.
        """
        self.build_score()
        self.join = self._dense(
            self.context_width + self.query_width, self.query_width, "join", activation="tanh"
        )
        self.built = True

    def _dense(self, inputs: int, outputs: int, name: str, **options: object) -> keras.layers.Dense:
        return dense(
            inputs, outputs, name, seed=next(self._seeds), regularizer=self.regularizer, **options
        )

    @property
    def context_width(self) -> int:
        """Width of the context vector."""
        return self.memory_width

    def build_score(self) -> None:
        """Create the weights of the score."""
        raise NotImplementedError

    def prepare(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values of the memory, computed once a sequence; `[B, T, ·]` each.

        Args:
            memory: The encoder's outputs, `[B, T, m]`.
        """
        return memory, memory

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return the scores of all queries against all keys, `[B, H, T]`, or `[B, heads, H, T]`.

        Args:
            query: Decoder outputs, `[B, H, n]`.
            keys: The first value that `prepare` returned.
        """
        raise NotImplementedError

    def contexts(self, weights: Tensor, values: Tensor) -> Tensor:
        """Return the weighted sums of the values, `[B, H, c]`.

        Args:
            weights: The softmax of the scores.
            values: The second value that `prepare` returned.
        """
        return ops.matmul(weights, values)

    def call(
        self, query: Tensor, prepared: tuple[Tensor, Tensor], valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            query: Decoder outputs, `[B, H, n]`.
            prepared: The result of `prepare`.
            valid: Whether a step of the memory counts, `[B, T]`.

        Returns:
            The decoder outputs with their context, `[B, H, n]`, and the weights, `[B, H, T]`, which
            sum to 1 over valid steps (the mean of several heads).
        """
        keys, values = prepared
        scores = self.scores(query, keys)
        if valid is not None:
            mask = ops.expand_dims(valid, 1)
            if len(scores.shape) == 4:
                mask = ops.expand_dims(mask, 1)
            scores = ops.where(mask, scores, ops.cast(NO_SCORE, scores.dtype))

        weights = ops.softmax(scores, axis=-1)
        context = self.contexts(weights, values)
        if len(weights.shape) == 4:
            weights = ops.mean(weights, axis=1)
        return self.join(ops.concatenate([context, query], axis=-1)), weights


class AdditiveAttention(Attention):
    """Score `vᵀ tanh(W q + U k)`. Source: Bahdanau et al. 2015, arXiv:1409.0473, appendix A.1.2."""

    def build_score(self) -> None:
        """Create `W`, `U` and `v`."""
        self.query_map = self._dense(self.query_width, self.query_width, "query", use_bias=False)
        self.key_map = self._dense(self.memory_width, self.query_width, "key")
        self.score_map = self._dense(self.query_width, 1, "score", use_bias=False)

    def prepare(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return `U k`, `[B, T, n]`, and the memory itself."""
        return self.key_map(memory), memory

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return the scores, `[B, H, T]`."""
        mapped = ops.expand_dims(self.query_map(query), 2) + ops.expand_dims(keys, 1)
        return ops.squeeze(self.score_map(ops.tanh(mapped)), -1)


class DotAttention(Attention):
    """Score `qᵀ k`, or `qᵀ W k` when widths differ.

    Source: Luong et al. 2015, arXiv:1508.04025, section 3.1.
    """

    def build_score(self) -> None:
        """Create `W`, if widths differ."""
        self.key_map = None
        if self.query_width != self.memory_width:
            self.key_map = self._dense(self.memory_width, self.query_width, "key", use_bias=False)

    def prepare(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return `W k` and the memory itself."""
        keys = memory if self.key_map is None else self.key_map(memory)
        return keys, memory

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return the scores, `[B, H, T]`."""
        return ops.matmul(query, ops.swapaxes(keys, -1, -2))


class MultiHeadAttention(Attention):
    """Scores `q_iᵀ k_i / √d` in several heads.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
    """

    @property
    def context_width(self) -> int:
        """Width of the context vector: the heads joined."""
        return self.query_width

    def build_score(self) -> None:
        """Create the maps to queries, keys and values."""
        self.query_map = self._dense(self.query_width, self.query_width, "query")
        self.key_map = self._dense(self.memory_width, self.query_width, "key")
        self.value_map = self._dense(self.memory_width, self.query_width, "value")

    def _split(self, x: Tensor) -> Tensor:
        depth = self.query_width // self.heads
        heads = ops.reshape(x, (-1, ops.shape(x)[1], self.heads, depth))
        return ops.transpose(heads, (0, 2, 1, 3))

    def prepare(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values, head by head, `[B, heads, T, n / heads]`."""
        return self._split(self.key_map(memory)), self._split(self.value_map(memory))

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return the scores, `[B, heads, H, T]`."""
        scale = float(self.query_width // self.heads) ** -0.5
        queries = self._split(self.query_map(query))
        return ops.matmul(queries, ops.swapaxes(keys, -1, -2)) * scale

    def contexts(self, weights: Tensor, values: Tensor) -> Tensor:
        """Return the heads' contexts joined, `[B, H, n]`."""
        joined = ops.transpose(ops.matmul(weights, values), (0, 2, 1, 3))
        return ops.reshape(joined, (-1, ops.shape(joined)[1], self.query_width))


ATTENTIONS: dict[str, type[Attention]] = {
    "additive": AdditiveAttention,
    "dot": DotAttention,
    "multi_head": MultiHeadAttention,
}
