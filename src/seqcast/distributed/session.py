"""The connection of this process to Ray."""

from __future__ import annotations

import logging
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqcast.errors import ClusterError, SpecError
from seqcast.runtime import cores, inherited_environment, require, worker_environment

LOCAL = "local"

# Variables of Ray's, unless the user has set them: no statistics are sent, and one warning of a coming change less.
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
# CPUs of the session that was started here; 0 where there is none, or the user has started it.
_started_cpus = 0


@dataclass(frozen=True)
class Session:
    """Workers of Ray, and how they are reached; arguments as for `seqcast.distributed.RayCluster`.

    Args:
        workers: Number of workers.
        cpus_per_worker: CPUs of each.
        address: Where they are.
        storage: A folder that all of them see.
    """

    workers: int
    cpus_per_worker: int = 1
    address: str | None = None
    storage: Path | None = None

    def connect(self) -> Any:
        """Return Ray, connected to the cluster; on this machine it is started.

        Raises:
            MissingPackageError: Ray is not installed.
            ClusterError: The cluster does not answer.
            SpecError: It has several machines and there is no `storage`.
        """
        global _started_cpus
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        ray = require("ray", extra="ray")
        # More CPUs than there are let more workers run than there are cores.
        cpus = max(cores(), self.workers * self.cpus_per_worker)
        if ray.is_initialized() and 0 < _started_cpus < cpus:
            self.stop()
        if not ray.is_initialized():
            address = self.address or os.environ.get("RAY_ADDRESS") or LOCAL
            _begin(ray, address, cpus)
            _started_cpus = cpus if address == LOCAL else 0
        if self.storage is None and sum(node["Alive"] for node in ray.nodes()) > 1:
            raise SpecError(
                "storage of RayCluster",
                expected="a folder that all machines of the cluster see",
                received="None",
                hint="Name one on a shared file system; at the command line it is that of --checkpoint.",
            )
        return ray

    def stop(self) -> None:
        """Leave the cluster; on this machine end Ray and the workers."""
        global _started_cpus
        require("ray", extra="ray").shutdown()
        _started_cpus = 0

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a worker: what this process has for seqcast, and as many threads as CPUs."""
        return {**inherited_environment(), **worker_environment(self.cpus_per_worker)}


def _begin(ray: Any, address: str, cpus: int) -> None:
    """Connect to a cluster, or start Ray on this machine."""
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address == LOCAL:
        options |= {"num_cpus": cpus, "include_dashboard": False}
    try:
        with warnings.catch_warnings():
            # JAX warns of the fork, after which Ray's processes run programs of their own at once.
            warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
            ray.init(address, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(
            "address",
            expected="a cluster of Ray that runs",
            received=f"{address!r}: {error}",
            hint="Start one with `ray start --head`, or leave the address out for this machine.",
        ) from error
