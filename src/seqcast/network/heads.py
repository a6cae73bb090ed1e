"""From the decoder's output to the forecast, and the loss that goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqcast._backend import keras
from seqcast.network.initial import GlorotUniform

__all__ = ["ObservedLoss", "PointHead"]

Tensor = Any
ops = keras.ops


class PointHead(keras.layers.Layer):
    """One number a target and step: `y = h W + b`.

    Args:
        width: Width of the decoder's output, `n`.
        targets: Target dimensions, `D`.
        regularizer: Keras regularisers; `kernel` and `bias` are used.
        seed: Seed of the initial weights.
    """

    def __init__(
        self,
        width: int,
        targets: int,
        *,
        regularizer: Mapping[str, Any] | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        regularizer = regularizer or {}
        self.dense = keras.layers.Dense(
            targets,
            kernel_initializer=GlorotUniform(seed=seed),
            kernel_regularizer=regularizer.get("kernel"),
            bias_regularizer=regularizer.get("bias"),
            name="output",
        )
        self.dense.build((None, width))
        self.built = True

    def call(self, outputs: Tensor) -> Tensor:
        """Return the forecast, `[B, H, D]`, of decoder outputs `[B, H, n]`."""
        return self.dense(outputs)

    def loss(self, loss: Any) -> Any:
        """Return the loss to train with: the given Keras loss, taken over observed targets only."""
        return ObservedLoss(loss)


@keras.saving.register_keras_serializable(package="seqcast")
class ObservedLoss(keras.losses.Loss):
    r"""The mean of a Keras loss over the targets that are there; NaN is missing.

    .. math:: \frac{\sum_b w_b \, ℓ_b}{\sum_b w_b \, o_b}

    with each example's loss `ℓ_b`, in which a missing target counts as met exactly, and the share `o_b` of its targets
    that are observed. Missing targets are replaced before any subtraction: the gradient of `where` after one would be
    NaN.

    Args:
        loss: A Keras loss (name, config, object or function of `(y_true, y_pred)`) that is zero where both agree.

    Example:
        >>> y = keras.ops.convert_to_tensor([[[1.0], [float("nan")]]])
        >>> float(ObservedLoss("mse")(y, keras.ops.convert_to_tensor([[[3.0], [5.0]]])))
        4.0
    """

    def __init__(self, loss: Any = "mse") -> None:
        super().__init__(name="loss", reduction="sum")
        self.inner = keras.losses.get(loss)

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the loss of a batch.

        Args:
            y_true: Targets, `[B, H, D]`.
            y_pred: Forecasts, `[B, H, D]`.
            sample_weight: Weights, `[B]`.

        Returns:
            A scalar.
        """
        y_true = ops.cast(ops.convert_to_tensor(y_true), y_pred.dtype)
        missing = ops.isnan(y_true)
        filled = ops.where(missing, ops.stop_gradient(y_pred), y_true)
        values = self.inner.call(filled, y_pred) if hasattr(self.inner, "call") else self.inner(filled, y_pred)
        losses = _per_example(values)
        weight = ops.ones_like(losses) if sample_weight is None else ops.cast(sample_weight, losses.dtype)
        return ops.sum(ops.reshape(weight, (-1,)) * losses) / self.share(y_true, sample_weight)

    def share(self, y_true: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the denominator: with it as weight, the losses of the parts of a batch give that of the whole.

        Args:
            y_true: Targets, `[B, H, D]`.
            sample_weight: Weights, `[B]`.
        """
        observed = _per_example(1.0 - ops.cast(ops.isnan(y_true), y_true.dtype))
        weight = ops.ones_like(observed) if sample_weight is None else ops.cast(sample_weight, observed.dtype)
        return ops.maximum(ops.sum(ops.reshape(weight, (-1,)) * observed), 1e-7)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"loss": keras.losses.serialize(self.inner)}


def _per_example(values: Tensor) -> Tensor:
    """Mean over all axes but the first."""
    axes = tuple(range(1, len(values.shape)))
    return ops.mean(values, axis=axes) if axes else values
