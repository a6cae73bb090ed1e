from .ray_cluster import RayCluster as RayCluster
from .ray_session import RayExecutor as RayExecutor
