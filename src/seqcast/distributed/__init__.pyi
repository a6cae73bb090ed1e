from .cluster import RayCluster as RayCluster
from .executor import RayExecutor as RayExecutor
