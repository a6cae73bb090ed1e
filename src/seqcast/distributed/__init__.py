"""Training on several processes or machines, by Ray.

In reading order: `cluster` (which workers there are), `session` (how they are reached, and a job for each), `together`
(one training that all workers share, seen from here), `sharing` (the same, seen from a worker), `writing` (forecasts,
part by part).

Names are imported when they are first used: a worker has to begin with JAX's collectives before seqcast uses JAX.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["RayCluster", "RayExecutor"]
