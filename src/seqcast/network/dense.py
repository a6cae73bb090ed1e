"""Dense layers around the recurrent ones: the embedding of segments and the bridge from encoder to decoder."""

from collections.abc import Mapping, Sequence
from typing import Any

from seqcast.network.randomness import GlorotUniform, child_seeds
from seqcast.runtime import Tensor, keras, ops

LayerStates = Sequence[tuple[Tensor, ...]]


def dense(
    inputs: int,
    outputs: int,
    name: str,
    *,
    seed: int,
    regularizer: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Return a dense layer with its weights.

    Args:
        inputs: Width of the input.
        outputs: Width of the output.
        name: Name of the layer.
        seed: Seed of the initial weights.
        regularizer: Keras regularisers; `kernel` and `bias` are used.
        **options: Other options of `keras.layers.Dense`.
    """
    regularizer = regularizer or {}
    layer = keras.layers.Dense(
        outputs,
        kernel_regularizer=regularizer.get("kernel"),
        bias_regularizer=regularizer.get("bias"),
        name=name,
        **{"kernel_initializer": GlorotUniform(seed=seed), **options},
    )
    layer.build((None, inputs))
    return layer


class SegmentEmbedding(keras.layers.Layer):
    r"""A linear layer and ReLU for each token: `x = \max(0, [x_1, …, x_s] W + b)`.

    Args:
        width: Width of the encoder's input.
        features: Width of a token.
        regularizer: Keras regularisers; `kernel` and `bias` are used.
        seed: Seed of the initial weights.
        options: Options of Keras's layers.

    Source: SegRNN, Lin et al. 2023, arXiv:2308.11200, section 3.2.
    """

    def __init__(
        self,
        width: int,
        features: int,
        *,
        regularizer: Mapping[str, Any] | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.dense = dense(
            features, width, "segment", seed=seed, regularizer=regularizer, activation="relu"
        )
        self.built = True

    def call(self, tokens: Tensor) -> Tensor:
        """Return the input of the encoder, `[B, tokens, width]`.

        Args:
            tokens: The tokens, `[B, tokens, features]`.
        """
        return self.dense(tokens)


class Bridge(keras.layers.Layer):
    """The bridge: states unchanged if sizes agree, otherwise a dense layer for each state of the decoder.

    .. math:: s_k = φ([e_1, …, e_m, v] W_k + b_k)

    with the encoder's states `e` and the static vector `v`. For outputs, which lie between -1 and
    1, `φ` is `tanh`; for an LSTM's cell state it is the identity.

    Args:
        encoder_widths: Width of each state of each encoder layer.
        decoder_widths: Width of each state of each decoder layer.
        static: Length of the static vector, `S`; with one, dense layers are used even if sizes
            agree.
        regularizer: Keras regularisers for `kernel` and `bias`.
        seed: Seed of the initial weights.
        options: Options of Keras's layers.

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
        self.identity = [
            tuple(widths) for widths in encoder_widths
        ] == self.decoder_widths and not static
        self.dense: list[Any] = []
        if not self.identity:
            inputs = sum(sum(widths) for widths in encoder_widths) + static
            flat = [
                (depth, k, n)
                for depth, widths in enumerate(self.decoder_widths)
                for k, n in enumerate(widths)
            ]
            with keras.name_scope(self.name):
                for (depth, k, n), own_seed in zip(flat, child_seeds(seed, len(flat)), strict=True):
                    name = f"state_{depth}_{k}"
                    activation = "tanh" if k == 0 else None
                    layer = dense(
                        inputs,
                        n,
                        name,
                        seed=own_seed,
                        regularizer=regularizer,
                        activation=activation,
                    )
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
        values = [state for layer in states for state in layer]
        joined = ops.concatenate(values if static is None else [*values, static], axis=-1)
        mapped = iter([layer(joined) for layer in self.dense])
        return [tuple(next(mapped) for _ in widths) for widths in self.decoder_widths]
