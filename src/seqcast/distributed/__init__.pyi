from .ray_cluster import RayCluster as RayCluster
from .ray_cluster import RayExecutor as RayExecutor
