"""Segments: several steps folded into one token, so that a long window is a short sequence.

A token lists its steps one after the other, each with all its features. Pasts are lengthened to whole segments on the
left, so that segments end where the past ends; futures are lengthened on the right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqcast.network.init import GlorotUniform
from seqcast.runtime import keras

Tensor = Any
ops = keras.ops


class SegmentEmbedding(keras.layers.Layer):
    r"""A linear layer and ReLU a token: `x = \max(0, [x_1, …, x_s] W + b)`.

    Args:
        width: Width of what the encoder reads.
        features: Width of a token.
        regularizer: Keras regularisers; `kernel` and `bias` are used.
        seed: Seed of the initial weights.

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
        regularizer = regularizer or {}
        self.dense = keras.layers.Dense(
            width,
            activation="relu",
            kernel_initializer=GlorotUniform(seed=seed),
            kernel_regularizer=regularizer.get("kernel"),
            bias_regularizer=regularizer.get("bias"),
            name="segment",
        )
        self.dense.build((None, features))
        self.built = True

    def call(self, tokens: Tensor) -> Tensor:
        """Map tokens, `[B, tokens, features]`, to what the encoder reads, `[B, tokens, width]`."""
        return self.dense(tokens)


def token_count(steps: Any, segment: int) -> Any:
    """Return how many tokens so many steps fill, the last or first one perhaps in part.

    Example:
        >>> token_count(6, 3), token_count(7, 3)
        (2, 3)
    """
    return -(-steps // segment)


def fold(x: Tensor, segment: int) -> Tensor:
    """Fold whole segments of steps into tokens, `[B, tokens · s, f]` into `[B, tokens, s · f]`.

    Example:
        >>> keras.ops.convert_to_numpy(fold(keras.ops.reshape(keras.ops.arange(8), (1, 4, 2)), 2)).tolist()
        [[[0, 1, 2, 3], [4, 5, 6, 7]]]
    """
    if segment == 1:
        return x
    batch, steps = ops.shape(x)[0], ops.shape(x)[1]
    return ops.reshape(x, (batch, steps // segment, segment * x.shape[2]))


def unfold(x: Tensor, segment: int) -> Tensor:
    """Undo `fold`: `[B, tokens, s · f, …]` into `[B, tokens · s, f, …]`."""
    if segment == 1:
        return x
    batch, tokens = ops.shape(x)[0], ops.shape(x)[1]
    return ops.reshape(x, (batch, tokens * segment, x.shape[2] // segment, *x.shape[3:]))


def whole_on_left(x: Tensor, segment: int, *, repeat: bool = False) -> Tensor:
    """Lengthen a past, `[B, T, f]`, to whole segments on the left.

    Args:
        x: Steps.
        segment: Steps of a segment.
        repeat: Whether the first step is repeated; otherwise zeros are put before it.

    Example:
        >>> past = keras.ops.reshape(keras.ops.arange(1, 6), (1, 5, 1))
        >>> [int(step) for step in whole_on_left(past, 3)[0, :, 0]]
        [0, 1, 2, 3, 4, 5]
    """
    if segment == 1:
        return x
    first = x[:, :1] if repeat else ops.zeros_like(x[:, :1])
    longer = ops.concatenate([ops.repeat(first, segment - 1, axis=1), x], axis=1)
    # Cut instead of measured: a number of steps that is known at run time only cannot be padded to.
    return longer[:, (ops.shape(x)[1] + segment - 1) % segment :]


def whole_on_right(x: Tensor, segment: int) -> Tensor:
    """Lengthen a future, `[B, H, f]`, to whole segments by repeating its last step."""
    if segment == 1:
        return x
    longer = ops.concatenate([x, ops.repeat(x[:, -1:], segment - 1, axis=1)], axis=1)
    return longer[:, : token_count(ops.shape(x)[1], segment) * segment]
