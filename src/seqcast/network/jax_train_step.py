"""One training step as pure functions of JAX: from micro-batches to gradients, and from these to the next state.

```
process 0: rows ─ grad_micro_batch ─┐
           rows ─ grad_micro_batch ─┴ combine ─┐
                                        ├─ sum ─ the batch's contribution, the same bits everywhere ─ apply
process 1: rows ─ grad_micro_batch ─┐          │
           rows ─ grad_micro_batch ─┴ combine ─┘
```

`TrainStep` does not depend on where and in which order micro-batches are computed; `seqcast.network.jax_training` runs
them in threads. Random numbers are drawn for the whole batch and cut, so micro-batches do not depend on each other.

Several processes may share each batch, joined by `seqcast.runtime.process_group`. `combine` returns the form of one
micro-batch, so a sum over processes, by JAX's own collectives, stands between `combine` and `apply`; for one process it
is the identity. It takes one message a step: one vector of gradients, loss and share. Then each process makes the same
update.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from seqcast.network.losses import HeadLoss
from seqcast.network.randomness import rows_of_batch
from seqcast.runtime import Processes, jax_jit, keras

Batch = tuple[Any, Any, Any]
Contribution = dict[str, Any]
Summation = Callable[[Batch, list[Contribution]], tuple[Batch, list[Contribution]]]


class StepState(NamedTuple):
    """The variables that a step reads and writes, in the order of Keras's trainer."""

    trainable: list[Any]
    non_trainable: list[Any]
    optimizer: list[Any]
    metrics: list[Any]

    @property
    def without_optimizer(self) -> StepState:
        """The variables without those of the optimiser, for a gradient."""
        return self._replace(optimizer=[])


def is_divisible(model: Any) -> bool:
    """Return whether micro-batches give the loss of a batch: it is not scaled, and the step is Keras's own.

    Args:
        model: A compiled model.
    """
    scaled = (
        isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        or model.optimizer.loss_scale_factor
    )
    methods = ("train_step", "compute_loss")
    overridden = any(
        getattr(type(model), name) is not getattr(keras.Model, name) for name in methods
    )
    return isinstance(model.loss, HeadLoss) and not scaled and not overridden


def batch_rows(batch: Batch) -> int:
    """Return the number of rows of a batch.

    Args:
        batch: Inputs, targets, weights.
    """
    return int(jax.tree.leaves(batch[1])[0].shape[0])


def micro_batch_rows(rows: int, count: int) -> list[Any]:
    """Return the row numbers of each micro-batch; all have one size, and the last may go beyond the batch.

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

    def __init__(self, model: Any) -> None:
        self.model = model
        self.processes: Processes = model.processes

    def grad_micro_batch(self, state: StepState, batch: Batch, rows: Any) -> Contribution:
        """Return the contribution of one micro-batch to a step.

        Args:
            state: The variables before the step; those of the optimiser are not read.
            batch: The whole batch: inputs, targets, weights.
            rows: The micro-batch's row numbers. Rows beyond the batch do not count.

        Returns:
            `gradients`, `loss` and `share` of the micro-batch; `forecast` if there are metrics; and
            `non_trainable`, the other variables after the step, the same from each micro-batch.
        """
        count = batch_rows(batch)
        x, y, weight = jax.tree.map(
            lambda values: jnp.take(values, rows, axis=0, mode="clip"), batch
        )
        weight = jnp.where(rows < count, 1.0 if weight is None else jnp.reshape(weight, (-1,)), 0.0)
        gradient = jax.value_and_grad(self.model.compute_loss_and_updates, has_aux=True)
        before = self.processes.rank * count
        with rows_of_batch(self.processes.count * count, before + jnp.minimum(rows, count - 1)):
            how = {"sample_weight": weight, "training": True, "optimizer_variables": []}
            (_, aux), gradients = gradient(
                state.trainable, state.non_trainable, state.metrics, x, y, **how
            )
        return self._contribution(gradients, aux, y, weight)

    def combine(self, contributions: list[Contribution]) -> Contribution:
        """Return the contribution of the whole batch.

        Args:
            contributions: The contributions of its micro-batches, in order.
        """
        total = sum(contribution["share"] for contribution in contributions)

        def mean(*values: Any) -> Any:
            return (
                sum(
                    contribution["share"] * value
                    for contribution, value in zip(contributions, values, strict=True)
                )
                / total
            )

        return {
            "gradients": jax.tree.map(
                mean, *(contribution["gradients"] for contribution in contributions)
            ),
            "loss": mean(*(contribution["loss"] for contribution in contributions)),
            "share": total,
            "forecast": jnp.concatenate(
                [contribution["forecast"] for contribution in contributions]
            )
            if self._has_metrics
            else None,
            "non_trainable": contributions[0]["non_trainable"],
        }

    def apply(
        self, state: StepState, batch: Batch, combined: Contribution
    ) -> tuple[dict[str, Any], StepState]:
        """Return the logs of a step and the variables after it.

        Args:
            state: The variables before the step.
            batch: The whole batch.
            combined: The result of `combine`.
        """
        trainable, optimizer = self.model.optimizer.stateless_apply(
            state.optimizer, combined["gradients"], state.trainable
        )
        logs, metrics = self._metrics(state.metrics, batch, combined)
        return logs, StepState(trainable, combined["non_trainable"], optimizer, metrics)

    def validate_micro_batch(self, state: StepState, batch: Batch) -> Contribution:
        """Return the contribution of a batch to a validation, in the form of `grad_micro_batch`, without gradients.

        Args:
            state: The variables; those of the optimiser are not read.
            batch: Inputs, targets, weights.
        """
        x, y, weight = batch
        _, aux = self.model.compute_loss_and_updates(
            state.trainable,
            state.non_trainable,
            state.metrics,
            x,
            y,
            sample_weight=weight,
            training=False,
        )
        return self._contribution([], aux, y, weight)

    def _contribution(self, gradients: list[Any], aux: Any, y: Any, weight: Any) -> Contribution:
        loss, forecast, non_trainable, _ = aux
        return {
            "gradients": gradients,
            "loss": loss,
            "share": self.model.loss.share(y, weight),
            "forecast": forecast if self._has_metrics else None,
            "non_trainable": non_trainable,
        }

    def measure(
        self, state: StepState, batch: Batch, combined: Contribution
    ) -> tuple[dict[str, Any], StepState]:
        """Return the logs of a validation step and the variables after it.

        Args:
            state: The variables before the step.
            batch: The whole batch.
            combined: The result of `combine`.
        """
        logs, metrics = self._metrics(state.metrics, batch, combined)
        return logs, state._replace(non_trainable=combined["non_trainable"], metrics=metrics)

    @property
    def _has_metrics(self) -> bool:
        return len(self.model.metrics) > 1  # the first is the loss

    def _metrics(
        self, values: list[Any], batch: Batch, combined: Contribution
    ) -> tuple[dict[str, Any], list[Any]]:
        variables = self.model.metrics_variables
        rows = batch_rows(batch)
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))) as scope:
            tracker = self.model.loss_tracker
            tracker.update_state(combined["loss"])
            tracker.weigh(combined["share"])
            logs = {"loss": tracker.result()}
            if combined["forecast"] is not None:
                x, y, weight = batch
                logs = self.model.measure(x, y, combined["forecast"][:rows], weight)
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
    if step.processes.count == 1:
        return lambda batch, contributions: (batch, contributions)
    return _Sum(step)


class _Sum:
    """The sum over processes of a training step."""

    def __init__(self, step: TrainStep) -> None:
        self.step = step
        self.count = step.processes.count
        first: dict[int, Any] = {}
        for device in jax.devices():
            first.setdefault(device.process_index, device)
        mesh = jax.sharding.Mesh(
            np.array([first[rank] for rank in range(self.count)]), ("processes",)
        )
        self.device = first[step.processes.rank]
        spec: Any = jax.sharding.PartitionSpec
        self.by_process = jax.sharding.NamedSharding(mesh, spec("processes"))
        everywhere = jax.sharding.NamedSharding(mesh, spec())
        self.add = jax.jit(lambda vectors: vectors.sum(axis=0), out_shardings=everywhere)
        self.gather = jax.jit(lambda rows: rows, out_shardings=everywhere)
        self.pack = jax_jit(self._pack, one_thread=True)
        self.unpack: Callable[[Any], Any] | None = None

    def __call__(
        self, batch: Batch, contributions: list[Contribution]
    ) -> tuple[Batch, list[Contribution]]:
        """Combine the contributions of all processes; they wait for each other."""
        if self.unpack is None:
            shapes = jax.eval_shape(
                lambda contributions: _summands(self.step.combine(contributions)), contributions
            )
            _, unravel = ravel_pytree(
                jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
            )
            self.unpack = jax_jit(partial(_unpack, unravel), one_thread=True)
        vector, combined = self.pack(contributions)
        gradients, loss, share = self.unpack(self._together(self.add, vector))
        whole = {**combined, "gradients": gradients, "loss": loss, "share": share}
        if combined["forecast"] is None:
            return batch, [whole]
        # Metrics may be of any kind, so each process measures them on the whole batch.
        inputs, *measured = batch
        y, weight, whole["forecast"] = (
            None if rows is None else self._together(self.gather, rows)
            for rows in (*measured, combined["forecast"])
        )
        return (inputs, y, weight), [whole]

    def _pack(self, contributions: list[Contribution]) -> tuple[Any, Contribution]:
        """Return the summands as one row, and the values that are not summed."""
        combined = self.step.combine(contributions)
        vector, _ = ravel_pytree(_summands(combined))
        return vector[None], {name: combined[name] for name in ("forecast", "non_trainable")}

    def _together(self, program: Callable[[Any], Any], rows: Any) -> Any:
        """Return the result of a program on the rows of all processes."""
        rows = jax.device_put(rows, self.device)
        shape = (self.count * rows.shape[0], *rows.shape[1:])
        return program(
            jax.make_array_from_single_device_arrays(shape, self.by_process, [rows])
        ).addressable_data(0)


def _summands(contribution: Contribution) -> tuple[Any, Any, Any]:
    """Return the summands of a contribution: gradients and loss, weighted with the share, and the share."""
    share = contribution["share"]
    return (
        jax.tree.map(lambda value: share * value, contribution["gradients"]),
        share * contribution["loss"],
        share,
    )


def _unpack(unravel: Callable[[Any], Any], vector: Any) -> tuple[Any, Any, Any]:
    """Return gradients, loss and share of the whole batch from the sum."""
    gradients, loss, share = unravel(jnp.asarray(vector))
    return jax.tree.map(lambda value: value / share, gradients), loss / share, share
