"""What a training depends on, in a form that can be written and compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast._version import __version__
from seqcast.runtime import NumberTypes, keras
from seqcast.specs import NetworkSpec, TrainingSpec, check_writable

Array = npt.NDArray[Any]


def digest(arrays: Iterable[Array | None]) -> str:
    """Return a short text that differs where any of the arrays does.

    Example:
        >>> digest([np.zeros(2), None]) == digest([np.zeros(2), None]), digest([np.zeros(2)]) == digest([np.zeros(3)])
        (True, False)
    """
    whole = hashlib.blake2b(digest_size=16)
    for array in arrays:
        if array is None:
            whole.update(b"none")
            continue
        values = np.ascontiguousarray(array)
        whole.update(f"{values.dtype.str} {values.shape}".encode())
        whole.update(values.view(np.uint8).reshape(-1).data if values.size else b"")
    return whole.hexdigest()


def fingerprint(
    arrays: Iterable[Array | None], network: NetworkSpec, training: TrainingSpec, **more: Any
) -> dict[str, Any]:
    """Return what a training depends on, JSON types by name.

    Args:
        arrays: Its data.
        network: The network.
        training: How it is trained.
        **more: What else it depends on; underscores of the names become spaces.

    Raises:
        SpecError: A spec holds a function, which a checkpoint cannot be compared by.
    """
    check_writable([network, training], where="checkpoint", expected="a training that can be written to a file")
    return {
        "data": digest(arrays),
        "network": network.to_dict(),
        "training": training.to_dict(),
        **{name.replace("_", " "): value for name, value in more.items()},
        "versions": _versions(),
    }


def _versions() -> dict[str, Any]:
    """Return what the bits of a training depend on beside data and options."""
    types = NumberTypes.current()
    backend = keras.backend.backend()
    return {
        "seqcast": __version__,
        "keras": keras.__version__,
        backend: __import__(backend).__version__,
        "floatx": types.floatx,
        "dtype_policy": getattr(types.dtype_policy, "name", str(types.dtype_policy)),
        "x64": types.jax_x64,
    }
