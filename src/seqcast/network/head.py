"""What all heads have: a dense layer, and what becomes of its numbers.

A head turns the decoder's output into a point, `[B, H, D]`, or into parameters, `[B, H, D, P]`, in normalised units;
`in_units` carries them into the data's. It owns the loss, and it knows how a draw comes out of its parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy.typing as npt

from seqcast.network.init import GlorotUniform
from seqcast.network.losses import HeadLoss
from seqcast.runtime import keras

Array = npt.NDArray[Any]
Tensor = Any
ops = keras.ops


class Head(keras.layers.Layer):
    """A dense layer `h W + b`, and what becomes of its numbers.

    Args:
        width: Width of the decoder's output, `n`.
        targets: Target dimensions, `D`.
        size: Numbers a target and step, `P`.
        regularizer: Keras regularisers; `kernel` and `bias` are used.
        seed: Seed of the initial weights.
    """

    name_in_specs: ClassVar[str]
    # Axes that parameters have beyond those of a point.
    axes: ClassVar[int] = 1

    def __init__(
        self,
        width: int,
        targets: int,
        *,
        size: int,
        regularizer: Mapping[str, Any] | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        regularizer = regularizer or {}
        self.size = size
        self.dense = keras.layers.Dense(
            targets * size,
            kernel_initializer=GlorotUniform(seed=seed),
            kernel_regularizer=regularizer.get("kernel"),
            bias_regularizer=regularizer.get("bias"),
            name="output",
        )
        self.dense.build((None, width))
        self.built = True

    def call(self, outputs: Tensor) -> Tensor:
        """Return the parameters, `[B, H, D, P]`, of decoder outputs `[B, H, n]`, in normalised units."""
        raise NotImplementedError

    def in_units(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Return the parameters of `scale x + loc`, when those of `x` are given.

        Args:
            parameters: `[..., D, P]`.
            loc: What the normaliser subtracted, `[..., D]`.
            scale: What it divided by.
        """
        raise NotImplementedError

    def shifted(self, parameters: Tensor, by: Tensor) -> Tensor:
        """Return the parameters of `x + by`, when those of `x` are given; `by` is `[..., D]`."""
        return self.in_units(parameters, by, ops.ones_like(by))

    def loss(self, loss: Any = None, *, horizon_decay: float = 0.0) -> HeadLoss:
        """Return the loss to train with.

        Args:
            loss: A Keras loss for a point; nothing for the others, which have their own.
            horizon_decay: How fast the weights of steps fall with their distance, see `HeadLoss`.

        Raises:
            SpecError: A loss for a head that has its own.
        """
        raise NotImplementedError

    def point(self, parameters: Tensor) -> Tensor:
        """Return one value for the parameters, `[..., D]`: what training feeds back and Keras's metrics measure."""
        raise NotImplementedError


class ProbabilisticHead(Head):
    """A head that says what may come, not only what is expected."""

    # Uniform numbers that a draw takes.
    uniforms: ClassVar[int] = 1

    def noise(self, numbers: Array) -> Array:
        """Turn uniform numbers, `[..., uniforms]`, into what `draw` reads, outside of any loop."""
        raise NotImplementedError

    def draw(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Draw from the distribution, `[..., D]`.

        Args:
            parameters: `[..., D, P]`, in the data's units.
            noise: What `noise` returned, `[..., D, k]`.
        """
        raise NotImplementedError

    def _numbers(self, outputs: Tensor) -> list[Tensor]:
        """Return the dense layer's numbers one by one, `[B, H, D]` each, in the precision of the weights."""
        numbers = ops.cast(self.dense(outputs), self.variable_dtype)
        return list(ops.split(numbers, self.size, axis=-1))
