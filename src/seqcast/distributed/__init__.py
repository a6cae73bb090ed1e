"""Training on several processes or machines, by Ray.

In reading order: `ray_cluster` (`RayCluster`), `ray_session` (how workers are reached, and what each of them does),
`shared_training` (one training that all workers share).

Names are imported when they are first used: a worker has to begin with JAX's collectives before seqcast uses JAX.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["RayCluster", "RayExecutor"]
