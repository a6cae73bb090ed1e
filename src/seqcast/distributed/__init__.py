"""Training on several processes or machines, by Ray.

In reading order: `ray_cluster` (the connection to Ray, and the jobs of single workers),
`shared_training` (one training that all workers share).

Names are imported at their first use: a worker has to join JAX's collectives before seqcast uses
JAX.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["RayCluster", "RayExecutor"]
