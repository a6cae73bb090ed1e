"""One training step as pure functions of JAX: micro-batches to gradients, these to the next state.

```
process 0: rows ─ grad_micro_batch ─┐
           rows ─ grad_micro_batch ─┴ combine ─┐
                                               ├─ sum ─ contribution of the batch ─ apply
process 1: rows ─ grad_micro_batch ─┐          │
           rows ─ grad_micro_batch ─┴ combine ─┘
```

`TrainStep` does not depend on where and in which order micro-batches are computed;
`seqcast.network.jax_training` runs them in threads. Random numbers are drawn for the whole batch
and cut, so micro-batches do not depend on each other.

Several processes may share each batch, joined by `seqcast.runtime.process_group`. `combine` returns
the form of one micro-batch, so a sum over processes, by JAX's own collectives, stands between
`combine` and `apply`; for one process it is the identity. It takes one message a step: one vector
of gradients, loss and share. Every process gets the same bits, and makes the same update.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from seqcast.network.loss_tracker import WeighedModel
from seqcast.network.losses import HeadLoss
from seqcast.network.randomness import rows_of_batch
from seqcast.runtime import Tensor, jax_jit, keras

Logs = dict[str, Tensor]


class Batch(NamedTuple):
    """Rows that one step reads, in the order of Keras's `fit`.

    Args:
        inputs: The inputs by name, or the past alone.
        targets: The true future, `[B, H, D]`.
        weights: Weights of the rows, `[B]`; `None` if all count alike.
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor | None

    @property
    def row_count(self) -> int:
        """Number of rows, `B`."""
        return int(jax.tree.leaves(self.targets)[0].shape[0])


class StepState(NamedTuple):
    """The variables that a step reads and writes, in the order of Keras's trainer."""

    trainable: list[Tensor]
    non_trainable: list[Tensor]
    optimizer: list[Tensor]
    metrics: list[Tensor]

    @property
    def without_optimizer(self) -> StepState:
        """The variables without those of the optimiser, for a gradient."""
        return self._replace(optimizer=[])


class Contribution(NamedTuple):
    """The contribution of a micro-batch to a step, or that of a whole batch.

    Args:
        forecast: The output of the network, `[rows, ...]`; `None` if no metric reads it.
        gradients: The gradients of the trainable variables; none in a validation.
        loss: The mean loss of the rows.
        non_trainable: The other variables after the step, the same from each micro-batch.
        share: The weight of the loss and the gradients in a mean over micro-batches.
    """

    forecast: Tensor | None
    gradients: list[Tensor]
    loss: Tensor
    non_trainable: list[Tensor]
    share: Tensor

    def summands(self) -> Summands:
        """Return what a mean over processes adds up."""
        gradients = jax.tree.map(lambda gradient: self.share * gradient, self.gradients)
        return Summands(gradients, self.share * self.loss, self.share)


class Summands(NamedTuple):
    """The summands of a mean: gradients and loss, each times the share, and the share."""

    gradients: list[Tensor]
    loss: Tensor
    share: Tensor


Summation = Callable[[Batch, list[Contribution]], tuple[Batch, list[Contribution]]]


def is_divisible(model: WeighedModel) -> bool:
    """Return whether micro-batches give the loss of a batch.

    They do if the loss is a head's, is not scaled, and the step is Keras's own.

    Args:
        model: A compiled model.
    """
    if not isinstance(model.loss, HeadLoss):
        return False
    optimizer = model.optimizer
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) or optimizer.loss_scale_factor:
        return False
    methods = ("train_step", "compute_loss")
    return all(getattr(type(model), name) is getattr(keras.Model, name) for name in methods)


def micro_batch_rows(rows: int, count: int) -> list[Tensor]:
    """Return the row numbers of each micro-batch.

    All micro-batches have one size, and the last may go beyond the batch.

    Args:
        rows: Number of rows of the batch.
        count: Number of micro-batches; fewer if some would have no rows.

    Example:
        >>> [rows.tolist() for rows in micro_batch_rows(5, 2)], len(micro_batch_rows(3, 8))
        ([[0, 1, 2], [3, 4, 5]], 3)
    """
    size = -(-rows // min(count, rows))
    # Not jnp.arange: JAX would compile, and keep, a program for each size.
    return [jnp.asarray(np.arange(first, first + size)) for first in range(0, rows, size)]


class TrainStep:
    """The training step of a compiled model.

    Args:
        model: A compiled model whose loss is a `HeadLoss`: the loss of a batch is the mean of its
            micro-batches' losses, weighted with their `share`. Its `processes` share each batch;
            here a batch has the rows of this process.
    """

    def __init__(self, model: WeighedModel) -> None:
        self.model = model
        self.processes = model.processes

    def grad_micro_batch(self, state: StepState, batch: Batch, rows: Tensor) -> Contribution:
        """Return the contribution of one micro-batch to a step.

        Args:
            state: The variables before the step; those of the optimiser are not read.
            batch: The whole batch.
            rows: The micro-batch's row numbers. Rows beyond the batch do not count.
        """
        count = batch.row_count
        inputs, targets, weights = jax.tree.map(
            lambda values: jnp.take(values, rows, axis=0, mode="clip"), batch
        )
        weights = 1.0 if weights is None else jnp.reshape(weights, (-1,))
        weights = jnp.where(rows < count, weights, 0.0)

        gradient = jax.value_and_grad(self.model.compute_loss_and_updates, has_aux=True)
        before = self.processes.rank * count
        with rows_of_batch(self.processes.count * count, before + jnp.minimum(rows, count - 1)):
            (_, outputs), gradients = gradient(
                state.trainable,
                state.non_trainable,
                state.metrics,
                inputs,
                targets,
                sample_weight=weights,
                training=True,
                optimizer_variables=[],
            )
        return self._contribution(gradients, outputs, targets, weights)

    def combine(self, contributions: list[Contribution]) -> Contribution:
        """Return the contribution of the whole batch.

        Args:
            contributions: The contributions of its micro-batches, in order.
        """
        total = sum(each.share for each in contributions)

        def mean(*values: Tensor) -> Tensor:
            pairs = zip(contributions, values, strict=True)
            return sum(each.share * value for each, value in pairs) / total

        gradients = jax.tree.map(mean, *(each.gradients for each in contributions))
        loss = mean(*(each.loss for each in contributions))

        forecasts = [each.forecast for each in contributions if each.forecast is not None]
        forecast = jnp.concatenate(forecasts) if forecasts else None
        return Contribution(forecast, gradients, loss, contributions[0].non_trainable, total)

    def apply(
        self, state: StepState, batch: Batch, combined: Contribution
    ) -> tuple[Logs, StepState]:
        """Return the logs of a step and the variables after it.

        Args:
            state: The variables before the step.
            batch: The whole batch.
            combined: The result of `combine`.
        """
        trainable, optimizer = self.model.optimizer.stateless_apply(
            state.optimizer, combined.gradients, state.trainable
        )
        logs, metrics = self._metrics(state.metrics, batch, combined)
        return logs, StepState(trainable, combined.non_trainable, optimizer, metrics)

    def validate_micro_batch(self, state: StepState, batch: Batch) -> Contribution:
        """Return the contribution of a batch to a validation, which has no gradients.

        Args:
            state: The variables; those of the optimiser are not read.
            batch: The batch.
        """
        _, outputs = self.model.compute_loss_and_updates(
            state.trainable,
            state.non_trainable,
            state.metrics,
            batch.inputs,
            batch.targets,
            sample_weight=batch.weights,
            training=False,
        )
        return self._contribution([], outputs, batch.targets, batch.weights)

    def measure(
        self, state: StepState, batch: Batch, combined: Contribution
    ) -> tuple[Logs, StepState]:
        """Return the logs of a validation step and the variables after it.

        Args:
            state: The variables before the step.
            batch: The whole batch.
            combined: The result of `combine`.
        """
        logs, metrics = self._metrics(state.metrics, batch, combined)
        return logs, state._replace(non_trainable=combined.non_trainable, metrics=metrics)

    def _contribution(
        self, gradients: list[Tensor], outputs: Tensor, targets: Tensor, weights: Tensor
    ) -> Contribution:
        """Return a contribution from what Keras's loss of a batch returns besides its gradients."""
        loss, forecast, non_trainable, _ = outputs
        share = self.model.loss.share(targets, weights)
        if len(self.model.metrics) == 1:  # the loss
            forecast = None
        return Contribution(forecast, gradients, loss, non_trainable, share)

    def _metrics(
        self, values: list[Tensor], batch: Batch, combined: Contribution
    ) -> tuple[Logs, list[Tensor]]:
        """Return the logs of a step and the variables of the metrics after it."""
        variables = self.model.metrics_variables
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))) as scope:
            tracker = self.model.loss_tracker
            tracker.update_state(combined.loss)
            tracker.weigh(combined.share)
            logs = {"loss": tracker.result()}

            if combined.forecast is not None:
                # Without the rows that fill up the last micro-batch.
                forecast = combined.forecast[: batch.row_count]
                logs = self.model.measure(batch.inputs, batch.targets, forecast, batch.weights)
        return logs, [scope.get_current_value(variable) for variable in variables]


def over_processes(step: TrainStep) -> Summation:
    """Return the function that sums the contributions of all processes to a batch.

    Args:
        step: The training step, whose processes share each batch.

    Returns:
        A function of this process's rows of a batch and the contributions of its micro-batches. It
        returns the batch for the metrics, and one contribution that combines those of all
        processes. One process returns its arguments.
    """
    return _of_one_process if step.processes.count == 1 else _ProcessSum(step)


def _of_one_process(
    batch: Batch, contributions: list[Contribution]
) -> tuple[Batch, list[Contribution]]:
    return batch, contributions


class _ProcessSum:
    """The sum over processes of a training step."""

    def __init__(self, step: TrainStep) -> None:
        self.step = step
        self.count = step.processes.count

        devices: dict[int, jax.Device] = {}
        for device in jax.devices():
            devices.setdefault(device.process_index, device)
        self.device = devices[step.processes.rank]

        ranked = np.array([devices[rank] for rank in range(self.count)])
        mesh = jax.sharding.Mesh(ranked, ("processes",))
        spec: Callable[..., jax.sharding.PartitionSpec] = jax.sharding.PartitionSpec
        everywhere = jax.sharding.NamedSharding(mesh, spec())
        self.by_process = jax.sharding.NamedSharding(mesh, spec("processes"))

        self.add = jax.jit(lambda vectors: vectors.sum(axis=0), out_shardings=everywhere)
        self.gather = jax.jit(lambda rows: rows, out_shardings=everywhere)
        self.pack = jax_jit(self._pack, one_thread=True)
        self.unpack: Callable[[Tensor], Summands] | None = None

    def __call__(
        self, batch: Batch, contributions: list[Contribution]
    ) -> tuple[Batch, list[Contribution]]:
        """Combine the contributions of all processes; they wait for each other."""
        if self.unpack is None:
            self.unpack = self._new_unpack(contributions)

        vector, forecast, non_trainable = self.pack(contributions)
        gradients, loss, share = self.unpack(self._together(self.add, vector))

        if forecast is not None:
            # Metrics may be of any kind, so each process measures them on the whole batch.
            targets = self._together(self.gather, batch.targets)
            weights = batch.weights
            if weights is not None:
                weights = self._together(self.gather, weights)
            forecast = self._together(self.gather, forecast)
            batch = Batch(batch.inputs, targets, weights)
        return batch, [Contribution(forecast, gradients, loss, non_trainable, share)]

    def _pack(
        self, contributions: list[Contribution]
    ) -> tuple[Tensor, Tensor | None, list[Tensor]]:
        """Return the summands as one row, and the values that are not summed."""
        combined = self.step.combine(contributions)
        vector, _ = ravel_pytree(combined.summands())
        return vector[None], combined.forecast, combined.non_trainable

    def _new_unpack(self, contributions: list[Contribution]) -> Callable[[Tensor], Summands]:
        """Return the program that undoes `_pack` after the sum; its shapes are known by now."""

        def summands(contributions: list[Contribution]) -> Summands:
            return self.step.combine(contributions).summands()

        shapes = jax.eval_shape(summands, contributions)
        zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
        _, unravel = ravel_pytree(zeros)
        return jax_jit(partial(_unpack, unravel), one_thread=True)

    def _together(self, program: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        """Return the result of a program on the rows of all processes."""
        rows = jax.device_put(rows, self.device)
        shape = (self.count * rows.shape[0], *rows.shape[1:])
        everyone = jax.make_array_from_single_device_arrays(shape, self.by_process, [rows])
        return program(everyone).addressable_data(0)


def _unpack(unravel: Callable[[Tensor], Summands], vector: Tensor) -> Summands:
    """Return gradients and loss of the whole batch, and its share, from the sum."""
    gradients, loss, share = unravel(jnp.asarray(vector))
    return Summands(jax.tree.map(lambda value: value / share, gradients), loss / share, share)
