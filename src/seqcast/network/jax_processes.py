"""Several processes that share each batch: the sum of what they contribute, by JAX's own collectives.

```
process 0: its rows ─ parts ─ combine ─┐
                                       ├─ sum ─ the batch's contribution, the same bits in each process ─ apply
process 1: its rows ─ parts ─ combine ─┘
```

What `TrainStep.combine` makes of the parts of a process is a part again, so all parts of a batch have one form. A sum
takes one message of a step: gradients, loss and share lie behind one another in one vector. Each process then makes the
same update by itself. `seqcast.runtime.processes` joins the processes before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from seqcast.network.jax_train_step import Batch, Part, TrainStep
from seqcast.runtime import jax_jit

Summation = Callable[[Batch, list[Part]], tuple[Batch, list[Part]]]


def over_processes(step: TrainStep) -> Summation:
    """Return what joins the parts of a batch that several processes compute.

    Args:
        step: The training step, whose processes share each batch.

    Returns:
        A function of this process's share of a batch and its parts. It returns the batch by which metrics are measured
        and the parts that make the whole of it: of one process both as they are, otherwise one part, in which those of
        all processes are combined.
    """
    if step.processes.count == 1:
        return lambda batch, parts: (batch, parts)
    return _Sum(step)


class _Sum:
    """The sum over processes of a training step."""

    def __init__(self, step: TrainStep) -> None:
        self.step, self.count = step, step.processes.count
        first: dict[int, Any] = {}
        for device in jax.devices():
            first.setdefault(device.process_index, device)
        mesh = jax.sharding.Mesh(np.array([first[rank] for rank in range(self.count)]), ("processes",))
        self.device = first[step.processes.rank]
        spec: Any = jax.sharding.PartitionSpec
        self.apart = jax.sharding.NamedSharding(mesh, spec("processes"))
        everywhere = jax.sharding.NamedSharding(mesh, spec())
        self.add = jax.jit(lambda vectors: vectors.sum(axis=0), out_shardings=everywhere)
        self.gather = jax.jit(lambda rows: rows, out_shardings=everywhere)
        self.pack = jax_jit(self._pack, one_thread=True)
        self.unpack: Callable[[Any], Any] | None = None

    def __call__(self, batch: Batch, parts: list[Part]) -> tuple[Batch, list[Part]]:
        """Combine the parts of all processes; they wait for each other."""
        if self.unpack is None:
            shapes = jax.eval_shape(lambda parts: _summands(self.step.combine(parts)), parts)
            _, unravel = ravel_pytree(jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes))
            self.unpack = jax_jit(partial(_unpack, unravel), one_thread=True)
        vector, combined = self.pack(parts)
        gradients, loss, share = self.unpack(self._together(self.add, vector))
        whole = {**combined, "gradients": gradients, "loss": loss, "share": share}
        if combined["forecast"] is None:
            return batch, [whole]
        # Metrics may be anything, so they are measured by the whole batch in each process.
        inputs, *measured = batch
        y, weight, whole["forecast"] = (
            None if rows is None else self._together(self.gather, rows) for rows in (*measured, combined["forecast"])
        )
        return (inputs, y, weight), [whole]

    def _pack(self, parts: list[Part]) -> tuple[Any, Part]:
        """Return what is summed as one row, and the parts as one of which the rest is as in each process."""
        combined = self.step.combine(parts)
        vector, _ = ravel_pytree(_summands(combined))
        return vector[None], {name: combined[name] for name in ("forecast", "non_trainable")}

    def _together(self, program: Callable[[Any], Any], rows: Any) -> Any:
        """Return what a program makes of the rows of all processes."""
        rows = jax.device_put(rows, self.device)
        shape = (self.count * rows.shape[0], *rows.shape[1:])
        whole = jax.make_array_from_single_device_arrays(shape, self.apart, [rows])
        return program(whole).addressable_data(0)


def _summands(part: Part) -> tuple[Any, Any, Any]:
    """Return what of a part is added up: gradients and loss, weighted with the share, and the share."""
    share = part["share"]
    return jax.tree.map(lambda value: share * value, part["gradients"]), share * part["loss"], share


def _unpack(unravel: Callable[[Any], Any], vector: Any) -> tuple[Any, Any, Any]:
    """Return gradients, loss and share of the whole batch from the sum."""
    gradients, loss, share = unravel(jnp.asarray(vector))
    return jax.tree.map(lambda value: value / share, gradients), loss / share, share
