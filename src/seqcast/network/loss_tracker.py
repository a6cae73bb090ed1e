"""The mean loss of an epoch, in which each batch counts with the weight of its targets."""

from typing import Any

from seqcast.network.losses import HeadLoss
from seqcast.runtime import Tensor, keras, ops


class LossTracker(keras.metrics.Mean):
    """The mean of the losses of batches, each with a weight of its own.

    Keras gives its tracker the loss of a batch and the number of its rows, also of those without
    weight or targets. So `update_state` only notes the loss, and `weigh` adds it with the weight
    that the loss of a batch is a mean over.

    Attributes:
        latest: The loss of the last batch.

    Example:
        >>> tracker = LossTracker()
        >>> for loss, weight in ((1.0, 3.0), (5.0, 1.0)):
        ...     tracker.update_state(loss)
        ...     tracker.weigh(weight)
        >>> float(tracker.result()), float(tracker.latest.value)
        (2.0, 5.0)
    """

    # The place of `latest` among the variables of a compiled model, whose first metric is the
    # tracker.
    PLACE_OF_LATEST = 2

    def __init__(self) -> None:
        super().__init__(name="loss")
        self.latest = self.add_variable(
            shape=(), initializer="zeros", dtype=self.dtype, name="latest"
        )

    def update_state(self, values: Tensor, sample_weight: Tensor | None = None) -> None:
        """Note the loss of a batch.

        Args:
            values: The loss, a scalar.
            sample_weight: Keras's number of rows, which is not read.
        """
        self.latest.assign(ops.cast(values, self.dtype))

    def weigh(self, weight: Tensor) -> None:
        """Add the noted loss to the mean.

        Args:
            weight: Its weight, a scalar.
        """
        super().update_state(self.latest.value, sample_weight=weight)

    def reset_state(self) -> None:
        """Begin a new epoch."""
        super().reset_state()
        self.latest.assign(0.0)


class WeighedModel(keras.Model):
    """A Keras model whose loss of an epoch is the loss of all its rows.

    Batches may have any sizes and weights.
    """

    def compile(self, *args: object, **options: object) -> None:
        """Compile as Keras does.

        Args:
            args: Arguments of Keras's models.
            options: Options of Keras's models.
        """
        super().compile(*args, **options)
        # Keras would list an attribute that it searches for metrics a second time.
        object.__setattr__(self, "_loss_tracker", LossTracker())

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile a model that is read from a file: Keras's hook for a `compile` of one's own.

        Args:
            config: The result of `get_compile_config`.
        """
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    @property
    def loss_tracker(self) -> LossTracker:
        """The mean loss of this epoch."""
        return self._loss_tracker  # type: ignore[no-any-return]

    def compute_metrics(
        self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Keras's hook after each batch: weigh its loss, and update the metrics.

        Args:
            x: Inputs.
            y: Targets.
            y_pred: The output of the model.
            sample_weight: Weights of the rows, `[B]`.
        """
        self.loss_tracker.weigh(self._weight_of_loss(y, y_pred, sample_weight))
        return self.measure(x, y, y_pred, sample_weight)

    def measure(
        self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Update the metrics besides the loss, and return all.

        Args:
            x: Inputs.
            y: Targets.
            y_pred: The output of the model.
            sample_weight: Weights of the rows, `[B]`.
        """
        return super().compute_metrics(x, y, y_pred, sample_weight)  # type: ignore[no-any-return]

    def _weight_of_loss(self, y: Tensor, y_pred: Tensor, sample_weight: Tensor | None) -> Tensor:
        """Return what the loss of a batch is a mean over: for Keras's own losses, the rows."""
        if isinstance(self.loss, HeadLoss):
            return self.loss.share(y, sample_weight)
        return ops.cast(ops.shape(y_pred)[0], self.loss_tracker.dtype)
