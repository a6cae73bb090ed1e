"""Training and validation steps for JAX on a CPU: compiled for wide vectors, on all cores.

XLA's own threads gain nothing on products as small as those of a recurrent step, and collectives between host devices
have been seen to deadlock. So a batch is divided into parts of equal size; the cores run the same compiled program,
the gradient of one part, in Python threads (JAX releases the interpreter's lock meanwhile); then one compiled program
adds the gradients up and updates the weights. Nothing waits for another but the update for the gradients.

These functions take the place of the ones that Keras's own `fit` compiles, and keep to its contract: from the state and
the next batch to logs and the next state. Callbacks, metrics and history are Keras's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from seqcast.network.losses import HeadLoss
from seqcast.network.row_random import part_of
from seqcast.runtime.backend import keras
from seqcast.runtime.jit import jax_jit
from seqcast.runtime.threads import in_threads, threads

__all__ = ["make_test_function", "make_train_function"]

Batch = tuple[Any, Any, Any]
State = Any
StepFunction = Callable[[State, Any], tuple[Any, State]]

# Rows times weights of the smallest part that is worth a thread: what a smaller one would save, dividing costs.
SMALLEST_PART = 700_000

# Most bytes of scratch memory of a part: glibc's arenas of threads end at 64 MiB, what goes beyond is mapped anew at
# each step, which takes as long as the arithmetic. Parts of fewer rows than FEWEST_ROWS would lose more in products.
LARGEST_SCRATCH = 60 << 20
FEWEST_ROWS = 64


def make_train_function(model: Any) -> StepFunction:
    """Return the training function of a compiled model.

    Args:
        model: A compiled `Seq2Seq`.
    """
    whole = jax_jit(model.train_step, donate=(0,))
    divided = _Divided(model, threads()) if _can_be_divided(model) else None

    def step(state: State, iterator: Any) -> tuple[Any, State]:
        data = next(iterator)
        batch = keras.utils.unpack_x_y_sample_weight(data)
        if divided is None or not divided.pays(batch):
            return whole(state, data)  # type: ignore[no-any-return]
        return divided(state, batch)

    return step


def _can_be_divided(model: Any) -> bool:
    """Whether the loss of a batch is known from its parts, is not scaled by the optimiser, and the step is Keras's."""
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) or model.optimizer.loss_scale_factor
    own = any(getattr(type(model), name) is not getattr(keras.Model, name) for name in ("train_step", "compute_loss"))
    return isinstance(model.loss, HeadLoss) and not scaled and not own


def make_test_function(model: Any) -> StepFunction:
    """Return the validation function of a compiled model."""
    whole = jax_jit(model.test_step, donate=(0,))
    return lambda state, iterator: whole(state, next(iterator))


def _rows(batch: Batch) -> int:
    return int(jax.tree.leaves(batch[0])[0].shape[0])


def _kind(batch: Batch) -> tuple[Any, ...]:
    """What a compiled program is made for: the shapes and types of a batch."""
    return tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(batch))


@dataclass(frozen=True)
class _Plan:
    """How batches of one kind are divided.

    Attributes:
        program: The compiled program of a part.
        parts: The numbers of each part's rows; in the last part they may go beyond the batch.
        threads: How many threads share the parts.
    """

    program: Any
    parts: list[Any]
    threads: int


class _Divided:
    """A training step in parts that the cores share.

    Args:
        model: A compiled model whose loss is a `HeadLoss`: the loss of a whole batch is the mean of its parts'
            losses, weighted with their `share`.
        cores: Number of threads. There are as many parts, or a multiple if one would need too much scratch memory.
    """

    def __init__(self, model: Any, cores: int) -> None:
        self.model = model
        self.cores = cores
        weights = sum(math.prod(weight.shape) for weight in model.trainable_weights)
        self.fewest_rows = math.ceil(SMALLEST_PART / max(1, weights))
        self.part = jax_jit(self._part, one_thread=True)
        self.update = jax_jit(self._update, donate=(0,))
        self.plans: dict[tuple[Any, ...], _Plan] = {}

    def pays(self, batch: Batch) -> bool:
        """Whether a batch is large enough for two parts."""
        return self._threads(batch) > 1

    def _threads(self, batch: Batch) -> int:
        return int(min(self.cores, _rows(batch) // self.fewest_rows))

    def __call__(self, state: State, batch: Batch) -> tuple[Any, State]:
        trainable, non_trainable, _, metrics_variables = state
        given = (trainable, non_trainable, metrics_variables, batch)
        kind = _kind(batch)
        if kind not in self.plans:
            self.plans[kind] = self._plan(given)
        plan = self.plans[kind]

        # Nobody waits for the numbers: the next batch is made ready while they are computed.
        results = in_threads(lambda rows: plan.program(*given, rows), plan.parts, plan.threads)
        return self.update(state, batch, results)  # type: ignore[no-any-return]

    def _plan(self, given: tuple[Any, ...]) -> _Plan:
        """Compile the program of a part, for smaller parts if its scratch memory turns out too large."""
        batch = given[-1]
        count, threads = _rows(batch), self._threads(batch)
        parts = threads
        while True:
            size = math.ceil(count / parts)
            rows = [jnp.arange(k * size, (k + 1) * size) for k in range(parts)]
            program = self.part.lower(*given, rows[0]).compile()
            memory = program.memory_analysis()
            if memory is None or memory.temp_size_in_bytes <= LARGEST_SCRATCH or size < 2 * FEWEST_ROWS:
                return _Plan(program, rows, threads)
            parts *= 2  # an even division: products over a number of rows that vectors divide are faster

    def _part(self, trainable: Any, non_trainable: Any, metrics_variables: Any, batch: Batch, rows: Any) -> Any:
        """Return one part's gradients, loss and share, the forecasts that metrics need, and the generators' state."""
        count = _rows(batch)
        x, y, weight = jax.tree.map(lambda values: jnp.take(values, rows, axis=0, mode="clip"), batch)
        # The last part of a batch that cannot be divided evenly is filled up with rows that do not count.
        weight = jnp.where(rows < count, 1.0 if weight is None else jnp.reshape(weight, (-1,)), 0.0)
        with part_of(count, jnp.minimum(rows, count - 1)):
            (_, aux), gradients = jax.value_and_grad(self.model.compute_loss_and_updates, has_aux=True)(
                trainable, non_trainable, metrics_variables, x, y, weight, training=True, optimizer_variables=[]
            )
        loss, forecast, non_trainable, _ = aux
        return {
            "gradients": gradients,
            "loss": loss,
            "share": self.model.loss.share(y, weight),
            "forecast": forecast if self._has_metrics else None,
            "non_trainable": non_trainable,
        }

    @property
    def _has_metrics(self) -> bool:
        return len(self.model.metrics) > 1  # the first is the loss

    def _update(self, state: State, batch: Batch, results: list[Any]) -> tuple[Any, State]:
        """Join the parts and update the weights."""
        trainable, _, optimizer_variables, metrics_variables = state
        total = sum(result["share"] for result in results)

        def mean(*values: Any) -> Any:
            return sum(result["share"] * value for result, value in zip(results, values, strict=True)) / total

        gradients = jax.tree.map(mean, *(result["gradients"] for result in results))
        loss = mean(*(result["loss"] for result in results))
        trainable, optimizer_variables = self.model.optimizer.stateless_apply(optimizer_variables, gradients, trainable)
        forecast = None
        if self._has_metrics:
            forecast = jnp.concatenate([result["forecast"] for result in results])[: _rows(batch)]
        logs, metrics_variables = self._metrics(metrics_variables, loss, forecast, batch)
        return logs, (trainable, results[0]["non_trainable"], optimizer_variables, metrics_variables)

    def _metrics(self, values: list[Any], loss: Any, forecast: Any, batch: Batch) -> tuple[Any, list[Any]]:
        variables = self.model.metrics_variables
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))) as scope:
            self.model.metrics[0].update_state(loss, sample_weight=_rows(batch))
            logs = {"loss": self.model.metrics[0].result()}
            if forecast is not None:
                x, y, weight = batch
                logs = self.model.compute_metrics(x, y, forecast, weight)
        return logs, [scope.get_current_value(variable) for variable in variables]
