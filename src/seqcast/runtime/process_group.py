"""The processes that share each batch of one training, and how JAX joins them."""

from dataclasses import dataclass

# Seconds without a sign of life after which a process counts as dead.
HEARTBEAT_SECONDS = 30
# Seconds to wait until all processes have begun.
START_SECONDS = 120


@dataclass(frozen=True)
class Processes:
    """The processes that share each batch of a training, and the rank of this one.

    Args:
        rank: Number of this process, from 0.
        count: Number of processes; 1 shares nothing.
        micro_batches: Number of equal micro-batches of a batch, a multiple of `count`.
    """

    rank: int = 0
    count: int = 1
    micro_batches: int = 1


def join(processes: Processes, address: str) -> None:
    """Let this process take part in the collectives of JAX; one alone has none.

    JAX has to know the others before it computes anything. So this comes before all imports that
    make a tensor, which are nearly all of seqcast. On a CPU the collectives are those of gloo, on
    GPUs of NCCL.

    Args:
        processes: The processes.
        address: Host and port at which the first one waits for the others.

    Raises:
        RuntimeError: JAX has been used already, or the others did not join.
    """
    if processes.count == 1:
        return
    import jax

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
    """End the collectives once all processes have called this; alone there is nothing to end."""
    import jax

    jax.distributed.shutdown()  # type: ignore[no-untyped-call]
