"""The one place where Keras is imported and its backend chosen.

Keras decides on a backend while it is imported and falls back to TensorFlow, which seqcast does not
install; so the choice comes first. The user has chosen if `KERAS_BACKEND` is set or if Keras is
imported already; otherwise it is JAX. (`~/.keras/keras.json` does not count: Keras writes that file
by itself.)

Every other module says `from seqcast.runtime.backend import keras`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, Self, cast

from seqcast.runtime.payload import Array

if "keras" not in sys.modules and not os.environ.get("KERAS_BACKEND"):
    os.environ["KERAS_BACKEND"] = "jax"

import keras as keras

ops = keras.ops
# A tensor of any backend.
Tensor = Any
# A tree of `keras.tree`: an array, or dicts, lists and tuples of trees.
Tree = Any

# Names that JAX has for GPUs.
_GPUS = ("cuda", "rocm")


class JaxConfig(Protocol):
    """The settings of JAX that seqcast reads, which JAX's own class makes as it runs."""

    jax_compilation_cache_dir: str | None
    jax_compilation_cache_max_size: int
    jax_default_device: object
    jax_enable_compilation_cache: bool
    jax_enable_x64: bool
    jax_logging_level: str

    def update(self, name: str, value: object) -> None:
        """Set one of them."""


def jax_config() -> JaxConfig:
    """Return the settings of JAX."""
    import jax

    return cast(JaxConfig, jax.config)


def platform() -> str:
    """Return the kind of device that networks run on: `cpu`, `gpu` or `tpu`.

    Code for the cores of a CPU asks here first: kernels, options of the compiler, threads that
    share a batch, worker processes. JAX's `jax_default_device` counts.

    Example:
        >>> platform()
        'cpu'
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        chosen = jax_config().jax_default_device or jax.default_backend()
        kind = str(getattr(chosen, "platform", chosen))  # of a device, or the name of a kind
        return "gpu" if kind in _GPUS else kind
    if backend == "torch":
        import torch

        return "gpu" if torch.cuda.is_available() else "cpu"
    if backend == "tensorflow":
        import tensorflow

        return "gpu" if tensorflow.config.list_physical_devices("GPU") else "cpu"
    return "cpu"


def to_numpy(tree: Tree) -> Tree:
    """Return a nested structure with every tensor turned into a NumPy array.

    Args:
        tree: The structure: dicts, lists and tuples of tensors.

    Example:
        >>> to_numpy({"y": [keras.ops.ones(2)]})
        {'y': [array([1., 1.], dtype=float32)]}
    """
    return keras.tree.map_structure(keras.ops.convert_to_numpy, tree)


def fetch_weights(model: keras.Model) -> None:
    """Bring the weights of a training into its model.

    With JAX, compiled steps hold them while `fit` runs.

    Args:
        model: The model.
    """
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()


def weights_of(model: keras.Layer) -> list[Array]:
    """Return a copy of all weights as NumPy arrays, in the order of `set_weights`.

    Args:
        model: A built model.
    """
    # Model.get_weights goes through Variable.__array__, which warns under NumPy 2.
    return copies(model.weights)


def copies(variables: Iterable[keras.Variable]) -> list[Array]:
    """Return copies of Keras variables as NumPy arrays.

    Args:
        variables: The variables.
    """
    return [keras.ops.convert_to_numpy(variable.value).copy() for variable in variables]


@dataclass(frozen=True)
class NumberTypes:
    """Number types of a process: floatx, policy and 64 bits; `apply` sets them in another process.

    Args:
        floatx: Keras's default type of floats.
        dtype_policy: Keras's policy for layers.
        jax_x64: Whether JAX has 64 bits; `None` on another backend.

    Example:
        >>> NumberTypes.current().floatx
        'float32'
    """

    floatx: str
    dtype_policy: keras.DTypePolicy
    jax_x64: bool | None

    @classmethod
    def current(cls) -> Self:
        """Return the number types of this process."""
        jax_x64 = None
        if keras.backend.backend() == "jax":
            jax_x64 = bool(jax_config().jax_enable_x64)
        return cls(keras.config.floatx(), keras.config.dtype_policy(), jax_x64)

    def apply(self) -> None:
        """Set them in this process."""
        if self.jax_x64 is not None:
            jax_config().update("jax_enable_x64", self.jax_x64)
        keras.config.set_floatx(self.floatx)
        keras.config.set_dtype_policy(self.dtype_policy)
