"""Checks of an engine: the precision of weights, the weights of a file."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from seqcast.errors import SpecError
from seqcast.network import weight_shapes
from seqcast.runtime import keras
from seqcast.specs import NetworkSpec, WindowSpec


def check_precision() -> None:
    """Refuse weights of half precision."""
    policy = keras.config.dtype_policy()
    if policy.variable_dtype in ("float16", "bfloat16"):
        raise SpecError(
            "keras.config.dtype_policy()",
            expected="weights of float32 or float64",
            received=repr(policy.name),
            hint="Half precision rounds small updates away; 'mixed_bfloat16' keeps the weights in float32.",
        )


def check_weights(weights: Sequence[Any], window: WindowSpec, network: NetworkSpec) -> None:
    """Refuse arrays, of which only shape and type are looked at, that are not the weights of a network.

    Example:
        >>> import numpy as np
        >>> window, tiny = WindowSpec(horizon=3, features=2, targets=1), NetworkSpec(encoder_units=(4,))
        >>> check_weights([np.zeros((5, 12))], window, tiny)
        Traceback (most recent call last):
        ValueError: weight 0 of shape (5, 12) and type float64, where the network has (2, 12)
    """
    network.check_window(window)
    expected = weight_shapes(window, network)
    for place, (values, shape) in enumerate(itertools.zip_longest(weights, expected)):
        if values is None or shape is None or values.shape != shape or values.dtype.kind != "f":
            told = "none" if values is None else f"shape {values.shape} and type {values.dtype}"
            raise ValueError(f"weight {place} of {told}, where the network has {'none' if shape is None else shape}")
