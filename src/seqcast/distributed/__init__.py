"""Training on several processes or machines, by Ray.

In reading order: `cluster` (which workers there are), `session` (how they are reached), `executor` (a job for each
worker), `together` (one training that all workers share, seen from here), `sharing` (the same, seen from a worker),
`writing` (forecasts, part by part).

Names are imported when they are first used: a worker has to begin with JAX's collectives before seqcast uses JAX.

Stability: experimental.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqcast.distributed.cluster import RayCluster as RayCluster
    from seqcast.distributed.executor import RayExecutor as RayExecutor

_PLACES = {"RayCluster": "seqcast.distributed.cluster", "RayExecutor": "seqcast.distributed.executor"}

__all__ = ["RayCluster", "RayExecutor"]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
