"""Losses of training: means over the observed targets; NaN is missing."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from typing_extensions import override

from seqcast.errors import SpecError
from seqcast.network.likelihoods import LOG_LIKELIHOODS
from seqcast.runtime import Tensor, keras, ops

# A Keras loss of a point: its name, its config, an object, or a function of `(y_true, y_pred)`.
KerasLoss: TypeAlias = str | Mapping[str, object] | Callable[[Tensor, Tensor], Tensor]

# A loss has exploded when it is this many times that of the first batch, or of 1 if that is
# smaller. Less would stop trainings on unscaled series of very different levels, if the first batch
# has low ones.
EXPLODED = 1e9
# A weight has exploded when its square approaches the limit of single precision.
LARGEST_WEIGHT = 1e15


class HeadLoss(keras.losses.Loss):
    r"""The loss of a head: the weighted mean of its values over the observed targets.

    .. math:: \frac{\sum_b w_b \, ℓ_b}{\sum_b w_b \, o_b}, \qquad
        ℓ_b = \sum_h v_h \, ℓ_{bh}, \quad o_b = \sum_h v_h \, o_{bh}, \quad
        v_h = \frac{h^{-γ}}{\sum_k k^{-γ}}

    with the loss `ℓ_bh` of an example's step, to which missing targets add 0, and the fraction
    `o_bh` of its observed targets. The losses of micro-batches, weighted with their `share`, give
    the loss of the batch, and those of batches the loss of an epoch. It is computed in Keras's
    `floatx`, also where a network computes in half precision.

    Args:
        horizon_decay: The exponent `γ`; 0 counts all steps alike.

    Source: weights of steps as in the signal decay-based loss of CARD, Wang et al. 2024,
    arXiv:2305.12095, where the exponent is 1/2.
    """

    def __init__(self, *, horizon_decay: float = 0.0) -> None:
        super().__init__(name="loss", reduction="sum")
        self.horizon_decay = horizon_decay

    def values(self, y_true: Tensor, output: Tensor) -> Tensor:
        """Return the loss of each target, or of each example and step; 0 if the target is missing.

        Args:
            y_true: Targets, `[B, H, D]`; NaN is missing.
            output: The output of the network.
        """
        raise NotImplementedError

    def __call__(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Return the loss of a batch.

        Args:
            y_true: Targets, `[B, H, D]`.
            y_pred: The output of the network: forecasts, `[B, H, D]`, or parameters, `[B, H, D,
                P]`.
            sample_weight: Weights, `[B]`.

        Returns:
            A scalar.
        """
        losses = self.of_examples(y_true, y_pred)
        return _weighted_sum(losses, sample_weight) / self.share(y_true, sample_weight)

    def of_examples(self, y_true: Tensor, output: Tensor) -> Tensor:
        """Return the loss of each example, `[B]`, without missing targets.

        Args:
            y_true: Targets, `[B, H, D]`.
            output: The output of the network.
        """
        return self._per_example(self.values(self._as_floats(y_true), self._as_floats(output)))

    def share(self, y_true: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the denominator, the weight of the loss of a batch in a mean over batches.

        Args:
            y_true: Targets, `[B, H, D]`.
            sample_weight: Weights, `[B]`.
        """
        missing = self._as_floats(ops.isnan(ops.convert_to_tensor(y_true)))
        observed = self._per_example(1.0 - missing)
        return ops.maximum(_weighted_sum(observed, sample_weight), 1e-7)

    def _as_floats(self, values: Tensor) -> Tensor:
        return ops.cast(ops.convert_to_tensor(values), self.dtype)

    def _per_example(self, values: Tensor) -> Tensor:
        """Return the mean over all axes but the first, `[B]`; steps, the second, have weights."""
        if self.horizon_decay:
            if len(values.shape) < 2:
                raise SpecError(
                    "horizon_decay",
                    expected="0 with a loss that returns one value an example",
                    received=repr(self.horizon_decay),
                    hint="Let the loss return one value an example and step, `[B, H]`.",
                )
            decayed = np.arange(1.0, values.shape[1] + 1.0) ** -self.horizon_decay
            weights = ops.convert_to_tensor(decayed / decayed.mean(), dtype=values.dtype)
            values = values * ops.reshape(weights, (-1, *[1] * (len(values.shape) - 2)))

        axes = tuple(range(1, len(values.shape)))
        return ops.mean(values, axis=axes) if axes else values

    def get_config(self) -> dict[str, object]:
        """Return the arguments."""
        return {"horizon_decay": self.horizon_decay}


@keras.saving.register_keras_serializable(package="seqcast")
class ObservedLoss(HeadLoss):
    """A Keras loss of a point forecast.

    A missing target is replaced by its forecast before any subtraction: the gradient of `where`
    after one would be NaN.

    Args:
        loss: A Keras loss (name, config, object or function of `(y_true, y_pred)`) that is zero
            where both agree.
        horizon_decay: As for `HeadLoss`.

    Example:
        >>> y = keras.ops.convert_to_tensor([[[1.0], [float("nan")]]])
        >>> float(ObservedLoss("mse")(y, keras.ops.convert_to_tensor([[[3.0], [5.0]]])))
        4.0
    """

    def __init__(self, loss: KerasLoss = "mse", *, horizon_decay: float = 0.0) -> None:
        super().__init__(horizon_decay=horizon_decay)
        self.inner = keras.losses.get(loss)

    def values(self, y_true: Tensor, output: Tensor) -> Tensor:
        """Return the values of the Keras loss, `[B, H]`."""
        filled = ops.where(ops.isnan(y_true), ops.stop_gradient(output), y_true)
        # A function has no `call`; that of a loss returns the values that its own call averages.
        loss = getattr(self.inner, "call", self.inner)
        return loss(filled, output)

    @override
    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "loss": keras.losses.serialize(self.inner)}


@keras.saving.register_keras_serializable(package="seqcast")
class PinballLoss(HeadLoss):
    r"""The mean pinball loss over the quantiles; its minimum is the quantiles of the data.

    .. math:: ρ_p(e) = \max(p \, e, (p - 1) \, e), \qquad e = y - q_p

    Args:
        quantiles: The probabilities `p`.
        horizon_decay: As for `HeadLoss`.

    Example:
        >>> y, output = keras.ops.ones((1, 1, 1)), keras.ops.zeros((1, 1, 1, 2))
        >>> round(float(PinballLoss((0.5, 0.9))(y, output)), 6)
        0.7

    Source: Koenker and Bassett 1978, Regression Quantiles.
    """

    def __init__(self, quantiles: Sequence[float], *, horizon_decay: float = 0.0) -> None:
        super().__init__(horizon_decay=horizon_decay)
        self.quantiles = tuple(quantiles)

    def values(self, y_true: Tensor, output: Tensor) -> Tensor:
        """Return the mean over the quantiles, `[B, H, D]`; the output is `[B, H, D, Q]`."""
        probabilities = ops.convert_to_tensor(self.quantiles, dtype=output.dtype)

        def pinball(y: Tensor) -> Tensor:
            error = ops.expand_dims(y, -1) - output
            losses = ops.maximum(probabilities * error, (probabilities - 1.0) * error)
            return ops.mean(losses, axis=-1)

        return _where_observed(pinball, y_true)

    @override
    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "quantiles": list(self.quantiles)}


@keras.saving.register_keras_serializable(package="seqcast")
class NegativeLogLikelihood(HeadLoss):
    """The negative log-likelihood of a distribution whose parameters the network returns.

    Args:
        distribution: Name of the distribution in `seqcast.network.likelihoods.LOG_LIKELIHOODS`.
        horizon_decay: As for `HeadLoss`.

    Example:
        >>> y, output = keras.ops.ones((1, 1, 1)), keras.ops.ones((1, 1, 1, 2))
        >>> round(float(NegativeLogLikelihood("normal")(y, output)), 4)  # log √(2π)
        0.9189
    """

    def __init__(self, distribution: str, *, horizon_decay: float = 0.0) -> None:
        super().__init__(horizon_decay=horizon_decay)
        self.distribution = distribution

    def values(self, y_true: Tensor, output: Tensor) -> Tensor:
        """Return the negative logarithms, `[B, H, D]`; the output is `[B, H, D, P]`."""
        log_likelihood = LOG_LIKELIHOODS[self.distribution]
        return _where_observed(lambda y: -log_likelihood(y, output), y_true)

    @override
    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "distribution": self.distribution}


def _weighted_sum(values: Tensor, sample_weight: Tensor | None) -> Tensor:
    weight = ops.ones_like(values) if sample_weight is None else sample_weight
    return ops.sum(ops.reshape(ops.cast(weight, values.dtype), (-1,)) * values)


def _where_observed(loss: Callable[[Tensor], Tensor], y_true: Tensor) -> Tensor:
    """Return a loss of targets, 0 if they are missing."""
    # Missing targets are replaced by 1, which is a value of every distribution.
    missing = ops.isnan(y_true)
    return ops.where(missing, 0.0, loss(ops.where(missing, 1.0, y_true)))
