"""Dense layers around the recurrent ones: embedding of segments, bridge from encoder to decoder."""

from collections.abc import Sequence

from seqcast.network.cells import Regularizers, Tensors
from seqcast.network.randomness import GlorotUniform, child_seeds
from seqcast.runtime import Tensor, keras, ops

# The states of each layer, first to last, `[B, n]` each.
LayerStates = Sequence[Tensors]


def dense(
    inputs: int,
    outputs: int,
    name: str,
    *,
    seed: int,
    regularizer: Regularizers | None = None,
    **options: object,
) -> keras.layers.Dense:
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
    options.setdefault("kernel_initializer", GlorotUniform(seed=seed))
    layer = keras.layers.Dense(
        outputs,
        kernel_regularizer=regularizer.get("kernel"),
        bias_regularizer=regularizer.get("bias"),
        name=name,
        **options,
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
        regularizer: Regularizers | None = None,
        seed: int = 0,
        **options: object,
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
    """The bridge from encoder to decoder: the states unchanged if sizes agree, else dense layers.

    There is a dense layer for each state of the decoder:

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
        regularizer: Regularizers | None = None,
        seed: int = 0,
        **options: object,
    ) -> None:
        super().__init__(**options)
        self.decoder_widths = [tuple(widths) for widths in decoder_widths]
        same_widths = [tuple(widths) for widths in encoder_widths] == self.decoder_widths
        self.identity = same_widths and not static

        self.dense: list[keras.layers.Dense] = []
        if not self.identity:
            inputs = sum(map(sum, encoder_widths)) + static
            seeds = iter(child_seeds(seed, sum(map(len, self.decoder_widths))))
            with keras.name_scope(self.name):
                for depth, widths in enumerate(self.decoder_widths):
                    for place, width in enumerate(widths):
                        layer = dense(
                            inputs,
                            width,
                            f"state_{depth}_{place}",
                            seed=next(seeds),
                            regularizer=regularizer,
                            activation="tanh" if place == 0 else None,
                        )
                        self.dense.append(layer)
        self.built = True

    def call(self, states: LayerStates, static: Tensor | None = None) -> list[Tensors]:
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
        if static is not None:
            values.append(static)
        joined = ops.concatenate(values, axis=-1)
        mapped = iter([layer(joined) for layer in self.dense])
        return [tuple(next(mapped) for _ in widths) for widths in self.decoder_widths]
