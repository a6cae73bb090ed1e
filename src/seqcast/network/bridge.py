"""From the encoder's states to the decoder's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqcast.network.init import GlorotUniform, child_seeds
from seqcast.runtime import keras

Tensor = Any
LayerStates = Sequence[tuple[Tensor, ...]]
ops = keras.ops


class Bridge(keras.layers.Layer):
    """Hand states on unchanged when sizes agree; otherwise through a dense layer per decoder state.

    .. math:: s_k = φ([e_1, …, e_m, v] W_k + b_k)

    with the encoder's states `e`, the static vector `v`, and `φ = tanh` for outputs (which lie between -1 and 1) and
    the identity for an LSTM's cell state (which does not).

    Args:
        encoder_widths: Width of each state of each encoder layer.
        decoder_widths: The same of the decoder.
        static: Length of the static vector, `S`; with one, the dense layers are used even when sizes agree.
        regularizer: Keras regularisers for `kernel` and `bias`.
        seed: Seed of the initial weights.

    Source: for the static vector, the context vector of Luke Tonin's post.
    """

    def __init__(
        self,
        encoder_widths: Sequence[tuple[int, ...]],
        decoder_widths: Sequence[tuple[int, ...]],
        *,
        static: int = 0,
        regularizer: Mapping[str, Any] | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.decoder_widths = [tuple(widths) for widths in decoder_widths]
        self.identity = [tuple(widths) for widths in encoder_widths] == self.decoder_widths and not static
        self.input_width = sum(sum(widths) for widths in encoder_widths) + static
        self.regularizer = regularizer or {}
        self.seed = seed
        self.dense: list[Any] = []
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Create the dense layers, if any are needed."""
        flat = [(depth, k, n) for depth, widths in enumerate(self.decoder_widths) for k, n in enumerate(widths)]
        if not self.identity and not self.dense:
            for (depth, k, n), seed in zip(flat, child_seeds(self.seed, len(flat)), strict=True):
                layer = keras.layers.Dense(
                    n,
                    activation="tanh" if k == 0 else None,
                    kernel_initializer=GlorotUniform(seed=seed),
                    kernel_regularizer=self.regularizer.get("kernel"),
                    bias_regularizer=self.regularizer.get("bias"),
                    name=f"state_{depth}_{k}",
                )
                layer.build((None, self.input_width))
                self.dense.append(layer)
        self.built = True

    def call(self, states: LayerStates, static: Tensor | None = None) -> list[tuple[Tensor, ...]]:
        """Return the decoder's initial states.

        Args:
            states: The encoder's states, `[B, n]` each.
            static: The static vector, `[B, S]`.

        Returns:
            The decoder's states, layer by layer.
        """
        if self.identity:
            return [tuple(layer) for layer in states]
        parts = [state for layer in states for state in layer]
        joined = ops.concatenate(parts if static is None else [*parts, static], axis=-1)
        mapped = iter([layer(joined) for layer in self.dense])
        return [tuple(next(mapped) for _ in widths) for widths in self.decoder_widths]
