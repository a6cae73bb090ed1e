"""The one place where Keras is imported and its backend chosen.

Keras decides on a backend while it is imported and falls back to TensorFlow, which seqcast does not install; so the
choice comes first. The user has chosen if `KERAS_BACKEND` is set or if Keras is imported already; otherwise it is
JAX. (`~/.keras/keras.json` does not count: Keras writes that file by itself.)

Every other module says `from seqcast.runtime.backend import keras`.
"""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["keras", "to_numpy", "weights_of"]


def _choose_backend() -> None:
    if "keras" not in sys.modules and not os.environ.get("KERAS_BACKEND"):
        os.environ["KERAS_BACKEND"] = "jax"


_choose_backend()

import keras  # noqa: E402  (the choice above comes first)


def to_numpy(tree: Any) -> Any:
    """Turn every tensor in a nested structure into a NumPy array."""
    return keras.tree.map_structure(keras.ops.convert_to_numpy, tree)


def weights_of(model: Any) -> list[Any]:
    """Return a copy of all weights as NumPy arrays, in the order of `set_weights`."""
    # Model.get_weights goes through Variable.__array__, which warns under NumPy 2.
    return [keras.ops.convert_to_numpy(weight.value).copy() for weight in model.weights]
