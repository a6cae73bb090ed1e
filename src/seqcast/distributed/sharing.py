"""One training that all workers share, seen from a worker.

What makes a tensor is imported inside functions, after `join`.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seqcast.errors import SpecError, TrainingError
from seqcast.runtime import Processes, require

if TYPE_CHECKING:
    from seqcast.engine import TrainingJob
    from seqcast.training import Checkpoints, TrainState


def processes_among(workers: int, parts: int) -> int:
    """Return how many workers share a training: as many as parts can be shared out to evenly.

    Args:
        workers: Workers that there are.
        parts: Equal parts of a batch.

    Example:
        >>> processes_among(3, 4), processes_among(4, 4)
        (2, 4)
    """
    return max(count for count in range(1, workers + 1) if parts % count == 0)


def train_share(config: dict[str, Any]) -> dict[str, Any] | None:
    """Compute a worker's share of a training; Ray Train calls it in each of them.

    Args:
        config: `work`, Ray's reference to number types, job and checkpoints, and `parts`, the equal parts of a batch.

    Returns:
        In the first worker what `train_processes` returns.
    """
    from seqcast.runtime import join

    ray, train = require("ray", extra="ray"), require("ray.train", extra="ray")
    broadcast = require("ray.train.collective", extra="ray").broadcast_from_rank_zero
    rank, workers = train.get_context().get_world_rank(), train.get_context().get_world_size()
    processes = Processes(rank, processes_among(workers, config["parts"]), config["parts"])
    takes_part = rank < processes.count
    address = broadcast(f"{ray.util.get_node_ip_address()}:{_free_port()}" if rank == 0 else None)
    if takes_part:
        join(processes, address)
    number_types, job, checkpoints = ray.get(config["work"])
    state = checkpoints.newest()
    step = None if state is None else state.step
    first_step = broadcast(step)
    if step != first_step:
        raise RuntimeError(f"worker {rank} sees the checkpoint of step {step}, the first worker that of {first_step}")
    if not takes_part:
        return None
    number_types.apply()
    return train_processes(processes, job, state, checkpoints)


def train_processes(
    processes: Processes, job: TrainingJob, state: TrainState | None = None, checkpoints: Checkpoints | None = None
) -> dict[str, Any] | None:
    """Train with other processes, which have joined.

    Args:
        processes: The processes.
        job: The training, the same for all of them.
        state: The state to go on with.
        checkpoints: Where the first process writes it.

    Returns:
        In the first process `engine`, its state, `history`, and `error`, what ended the training or `None`.
    """
    from seqcast.runtime import leave
    from seqcast.training import History

    first = processes.rank == 0
    # The state is read already, by all of them.
    writes = replace(checkpoints, resume=False) if first and checkpoints is not None else None
    engine = job.engine()
    error: SpecError | TrainingError | None = None
    try:
        history = replace(job, checkpoints=writes).train(engine, state=state, processes=processes)
    except (SpecError, TrainingError) as ours:
        # All of them come to it at the same step. Raised, it would be tried again.
        history, error = getattr(ours, "history", None) or History(), ours
    trained = {"engine": engine.__getstate__(), "history": history, "error": error} if first else None
    leave()
    return trained


def _free_port() -> int:
    """Return the number of a port that is free now."""
    with socket.socket() as listening:
        listening.bind(("", 0))
        return int(listening.getsockname()[1])
