"""Optimisers, learning rates and other Keras objects, made anew for each training."""

from __future__ import annotations

import warnings
from typing import Any

from seqcast.runtime import keras
from seqcast.specs import TrainingSpec

# Muon (Jordan et al. 2024) turns the gradient of a matrix into the nearest orthogonal matrix, by iterations of Newton
# and Schulz. Biases, also those with two rows, learned positions and the last layer are left to Adam, as its authors
# advise. For matrices as small as those of a recurrent layer three iterations learn as well as Keras's five, and take
# less.
MUON = {"exclude_layers": ["bias", "output", "position"], "ns_steps": 3}


def clone_config(value: Any) -> Any:
    """Copy a Keras object from its configuration, so that a fit neither sees nor leaves traces in the user's.

    Names, numbers and functions, which hold nothing, are returned as they are.
    """
    if not hasattr(value, "get_config"):
        return value
    with warnings.catch_warnings():
        # keras.Variable.numpy, under get_config: NumPy 2 would like a keyword that Keras 3.15 does not have yet.
        warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
        return type(value).from_config(value.get_config())


def learning_rate(spec: TrainingSpec, steps: int) -> Any:
    """Return the learning rate, a number or a Keras schedule, for a training of so many steps.

    With `n` steps and the first `r` of them as warm-up, `cosine` gives step `k`, from 0, the rate
    `η / r + η (1 - 1/r) k / r` while `k < r`, and then `η (1 + cos(π (k - r) / (n - r))) / 2`.

    Source: Loshchilov and Hutter 2017, SGDR, arXiv:1608.03983, without restarts.
    """
    if spec.learning_rate_schedule == "constant":
        return spec.learning_rate
    if spec.learning_rate_schedule != "cosine":
        schedule = spec.learning_rate_schedule
        return (
            keras.optimizers.schedules.deserialize(schedule) if isinstance(schedule, dict) else clone_config(schedule)
        )
    rising = max(1, round(spec.warmup * steps)) if spec.warmup else 0
    return keras.optimizers.schedules.CosineDecay(
        spec.learning_rate / rising if rising else spec.learning_rate,
        decay_steps=max(1, steps - rising),
        warmup_target=spec.learning_rate if rising else None,
        warmup_steps=rising,
    )


@keras.saving.register_keras_serializable(package="seqcast", name="Muon")
class ShapedMuon(keras.optimizers.Muon):
    """Muon for TensorFlow, whose loops return gradients without a static shape; Keras 3.15 branches on it."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Keras's hook."""
        super().update_step(keras.ops.reshape(gradient, variable.shape), variable, learning_rate)


def optimizer(spec: TrainingSpec, rate: Any) -> Any:
    """Return a new optimiser; one that was given by name gets the rate and the clipping of the spec."""
    # A copy, because Keras writes into the dicts of optimisers that it reads.
    chosen = keras.optimizers.get(dict(spec.optimizer) if isinstance(spec.optimizer, dict) else spec.optimizer)
    if not isinstance(spec.optimizer, str):
        return clone_config(chosen)
    kind, more = type(chosen), {}
    if isinstance(chosen, keras.optimizers.Muon):
        kind, more = (ShapedMuon if keras.backend.backend() == "tensorflow" else kind), MUON
    return kind(learning_rate=rate, global_clipnorm=spec.clip_norm, **more)
