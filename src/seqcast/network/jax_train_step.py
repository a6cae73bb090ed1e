"""One training step as pure functions of JAX: from parts of a batch to gradients, and from these to the next state.

```
batch ─ rows of each part ─ grad_part ─┐
                            grad_part ─┼─ combine ─ apply → logs, next state
                            grad_part ─┘
```

Nothing here knows who computes the parts, in which order or where: threads of one process carry them
(`seqcast.network.jax_steps`), and several processes may each have parts of their own (`seqcast.network.jax_processes`).
What is random is drawn for the whole batch and cut, so a part needs no other part.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqcast.network.losses import HeadLoss
from seqcast.network.row_random import part_of
from seqcast.runtime import Processes, keras

Batch = tuple[Any, Any, Any]
Part = dict[str, Any]


class StepState(NamedTuple):
    """The variables that a step reads and writes, in the order of Keras's trainer."""

    trainable: list[Any]
    non_trainable: list[Any]
    optimizer: list[Any]
    metrics: list[Any]

    @property
    def without_optimizer(self) -> StepState:
        """What a gradient takes: everything but the optimiser's variables."""
        return self._replace(optimizer=[])


def is_divisible(model: Any) -> bool:
    """Return whether the loss of a batch is known from its parts, is not scaled, and the step is Keras's own."""
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) or model.optimizer.loss_scale_factor
    methods = ("train_step", "compute_loss")
    overridden = any(getattr(type(model), name) is not getattr(keras.Model, name) for name in methods)
    return isinstance(model.loss, HeadLoss) and not scaled and not overridden


def batch_rows(batch: Batch) -> int:
    """Return the number of rows of a batch, those of its targets."""
    return int(jax.tree.leaves(batch[1])[0].shape[0])


def part_rows(rows: int, parts: int) -> list[Any]:
    """Return the row numbers of each part; all parts are of one size, and the last one may go beyond the batch.

    Args:
        rows: Number of rows of the batch.
        parts: Number of parts; fewer where some would be left without rows.

    Example:
        >>> [part.tolist() for part in part_rows(5, 2)], len(part_rows(3, 8))
        ([[0, 1, 2], [3, 4, 5]], 3)
    """
    size = -(-rows // min(parts, rows))
    # Not jnp.arange: JAX would compile, and keep, a program for each size.
    return [jnp.asarray(np.arange(first, first + size)) for first in range(0, rows, size)]


class TrainStep:
    """The training step of a compiled model.

    Args:
        model: A compiled model whose loss is a `HeadLoss`: the loss of a whole batch is the mean of its parts'
            losses, weighted with their `share`. Its `processes` share each batch; what a process has of one is the
            batch here.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.processes: Processes = model.processes

    def grad_part(self, state: StepState, batch: Batch, rows: Any) -> Part:
        """Return what one part contributes to a step.

        Args:
            state: The variables before the step; those of the optimiser are not read.
            batch: The whole batch: inputs, targets, weights.
            rows: The part's row numbers. Rows beyond the batch do not count.

        Returns:
            `gradients`, `loss` and `share` of the part; `forecast` if there are metrics; and `non_trainable`, the
            variables after the step that are not trained, the same from each part.
        """
        count = batch_rows(batch)
        x, y, weight = jax.tree.map(lambda values: jnp.take(values, rows, axis=0, mode="clip"), batch)
        weight = jnp.where(rows < count, 1.0 if weight is None else jnp.reshape(weight, (-1,)), 0.0)
        gradient = jax.value_and_grad(self.model.compute_loss_and_updates, has_aux=True)
        before = self.processes.rank * count
        with part_of(self.processes.count * count, before + jnp.minimum(rows, count - 1)):
            (_, aux), gradients = gradient(
                state.trainable,
                state.non_trainable,
                state.metrics,
                x,
                y,
                sample_weight=weight,
                training=True,
                optimizer_variables=[],
            )
        loss, forecast, non_trainable, _ = aux
        return {
            "gradients": gradients,
            "loss": loss,
            "share": self.model.loss.share(y, weight),
            "forecast": forecast if self._has_metrics else None,
            "non_trainable": non_trainable,
        }

    def combine(self, parts: list[Part]) -> Part:
        """Return what the whole batch contributes, from all its parts in their order."""
        total = sum(part["share"] for part in parts)

        def mean(*values: Any) -> Any:
            return sum(part["share"] * value for part, value in zip(parts, values, strict=True)) / total

        gradients = jax.tree.map(mean, *(part["gradients"] for part in parts))
        loss = mean(*(part["loss"] for part in parts))
        forecast = jnp.concatenate([part["forecast"] for part in parts]) if self._has_metrics else None
        return {
            "gradients": gradients,
            "loss": loss,
            "share": total,
            "forecast": forecast,
            "non_trainable": parts[0]["non_trainable"],
        }

    def apply(self, state: StepState, batch: Batch, combined: Part) -> tuple[dict[str, Any], StepState]:
        """Return the logs of a step and the variables after it.

        Args:
            state: The variables before the step.
            batch: The whole batch.
            combined: What `combine` returned.
        """
        trainable, optimizer = self.model.optimizer.stateless_apply(
            state.optimizer, combined["gradients"], state.trainable
        )
        logs, metrics = self._metrics(state.metrics, batch, combined)
        return logs, StepState(trainable, combined["non_trainable"], optimizer, metrics)

    def validate_part(self, state: StepState, batch: Batch) -> Part:
        """Return what a batch contributes to a validation, in the form of `grad_part`, without gradients.

        Args:
            state: The variables; those of the optimiser are not read.
            batch: Inputs, targets, weights.
        """
        x, y, weight = batch
        _, (loss, forecast, non_trainable, _) = self.model.compute_loss_and_updates(
            state.trainable, state.non_trainable, state.metrics, x, y, sample_weight=weight, training=False
        )
        return {
            "gradients": [],
            "loss": loss,
            "share": self.model.loss.share(y, weight),
            "forecast": forecast if self._has_metrics else None,
            "non_trainable": non_trainable,
        }

    def measure(self, state: StepState, batch: Batch, combined: Part) -> tuple[dict[str, Any], StepState]:
        """Return the logs of a validation step and the variables after it; arguments as for `apply`."""
        logs, metrics = self._metrics(state.metrics, batch, combined)
        return logs, state._replace(non_trainable=combined["non_trainable"], metrics=metrics)

    @property
    def _has_metrics(self) -> bool:
        return len(self.model.metrics) > 1  # the first is the loss

    def _metrics(self, values: list[Any], batch: Batch, combined: Part) -> tuple[dict[str, Any], list[Any]]:
        variables, rows = self.model.metrics_variables, batch_rows(batch)
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))) as scope:
            self.model.metrics[0].update_state(combined["loss"], sample_weight=rows)
            logs = {"loss": self.model.metrics[0].result()}
            if combined["forecast"] is not None:
                x, y, weight = batch
                logs = self.model.compute_metrics(x, y, combined["forecast"][:rows], weight)
        return logs, [scope.get_current_value(variable) for variable in variables]
