"""Several processes that JAX joins for its collectives.

JAX has to be told of the others before it computes anything, so this comes before all imports that make a tensor: of
seqcast nearly everything else.
"""

from __future__ import annotations

import jax

from seqcast.runtime.processes import Processes

# Seconds without a sign of life after which a process counts as dead, and those that are waited for all to begin.
HEARTBEAT_SECONDS, START_SECONDS = 30, 120


def join(processes: Processes, address: str) -> None:
    """Let this process take part in collectives; one alone has none.

    On a CPU they are those of gloo, on GPUs of NCCL.

    Args:
        processes: The processes.
        address: Host and port at which the first one waits for the others.

    Raises:
        RuntimeError: JAX has been used already, or the others did not come.
    """
    if processes.count == 1:
        return
    jax.config.update("jax_cpu_collectives_implementation", "gloo")  # type: ignore[no-untyped-call]
    jax.distributed.initialize(
        address,
        processes.count,
        processes.rank,
        cluster_detection_method="deactivate",
        initialization_timeout=START_SECONDS,
        heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
        shutdown_timeout_seconds=START_SECONDS,
    )


def leave() -> None:
    """End collectives, once all processes have come so far; alone there is nothing to end."""
    jax.distributed.shutdown()  # type: ignore[no-untyped-call]
