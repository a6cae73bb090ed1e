"""What keeps the weights of a training whole on JAX: a step whose numbers have gone bad changes nothing.

Whether a step is sound is decided inside its compiled program, so that nobody has to wait for the numbers of each step;
whoever looks later, finds the variables as they were before the first bad one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqcast.network.jax_train_step import StepState
from seqcast.network.losses import EXPLODED, LARGEST_WEIGHT


class Guard(NamedTuple):
    """What is known about the steps so far; of the bad one, once there is one.

    Args:
        sound: Whether all numbers were sound so far.
        steps: Sound steps of this epoch.
        loss: The loss of the last step that was looked at.
        limit: The largest loss that is sound; infinite before the first step, NaN where none is too large.
    """

    sound: Any
    steps: Any
    loss: Any
    limit: Any

    @classmethod
    def new(cls) -> Guard:
        """Return the guard of a training that nobody watches: no loss is too large."""
        return cls(np.bool_(True), np.int32(0), np.float32(0.0), np.float32(np.nan))

    @classmethod
    def watched(cls) -> Guard:
        """Return the guard of a training that is stopped when its loss explodes."""
        return cls.new()._replace(limit=np.float32(np.inf))

    def in_epoch(self, step: int) -> Guard:
        """Return the guard at a step of an epoch."""
        return self._replace(steps=np.int32(step))


def guarded(before: StepState, after: StepState, guard: Guard) -> tuple[StepState, Guard]:
    """Return the variables after a step, which are those before it if its numbers went bad.

    They did if the loss of the batch is not finite or exploded, or if a weight is not finite or exploded. After that,
    no later step changes anything but the metrics, which say so.

    Args:
        before: The variables before the step.
        after: The variables that it computed.
        guard: What is known about the steps before.
    """
    # The first metric is the mean loss: its first two variables are the weighted sum and the sum of weights.
    total, count = (new - old for new, old in zip(after.metrics[:2], before.metrics[:2], strict=True))
    loss = jnp.asarray(total / jnp.maximum(count, 1e-7), jnp.float32)
    limit = jnp.where(jnp.isinf(guard.limit), EXPLODED * jnp.maximum(1.0, jnp.abs(loss)), guard.limit)
    small = [(jnp.abs(weights) < LARGEST_WEIGHT).all() for weights in after.trainable]
    sound = guard.sound & jnp.isfinite(loss) & ~(loss > limit) & jnp.stack(small).all()
    state = jax.tree.map(lambda old, new: jnp.where(sound, new, old), before, after)._replace(metrics=after.metrics)
    guard = Guard(
        sound,
        guard.steps + sound.astype(jnp.int32),
        jnp.where(guard.sound, loss, guard.loss),
        jnp.asarray(jnp.where(guard.sound, limit, guard.limit), jnp.float32),
    )
    return state, guard
