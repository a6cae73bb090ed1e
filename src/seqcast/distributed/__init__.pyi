from .cluster import RayCluster as RayCluster
from .session import RayExecutor as RayExecutor
