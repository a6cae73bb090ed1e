"""A training that all workers of Ray share: the process that starts it, and the worker of each share.

A worker imports this module before it joins the others. So modules that create tensors are imported
inside functions, after `join`.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seqcast import runtime
from seqcast.errors import ClusterError, Option, Phrase, SpecError, TrainingError
from seqcast.runtime import Processes, make_folder, require, say, temporary_folder

if TYPE_CHECKING:
    from seqcast.engine import Engine, TrainingJob
    from seqcast.training import Checkpoints, History, TrainState

# Settings of Ray Train: it checks its workers twice a second, and does not change their folder.
_SETTINGS = {
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
}


def train_together(cluster: Any, job: TrainingJob, engine: Engine, *, verbose: int = 0) -> History:
    """Train one network in all workers together; errors and results as for `seqcast.distributed.RayCluster.train`.

    The first worker writes checkpoints: to those of the job, or else every two minutes to
    `storage`. If a worker dies, Ray Train stops the others, which wait for it. It then starts all
    workers for which there are CPUs from the last checkpoint.

    Args:
        cluster: The workers.
        job: The training job.
        engine: The engine of the job, which receives the network.
        verbose: 0 is silent, 1 prints a line before and after, to standard error.
    """
    from seqcast.training import Checkpoints

    micro_batches = cluster.shared_micro_batches(job.training)
    if runtime.keras.backend.backend() != "jax":
        expected = "the JAX backend, whose collectives add up gradients"
        hint = Phrase("Set KERAS_BACKEND=jax, or leave out ", Option("on"), ".")
        raise SpecError(
            "on", expected=expected, received=runtime.keras.backend.backend(), hint=hint
        )
    ray = cluster.connect()
    train = require("ray.train", extra="ray")
    training = replace(job.training, micro_batches=micro_batches)
    if verbose:
        say(
            f"seqcast: {cluster.workers} workers share each batch, in {micro_batches} micro-batches"
        )
    if cluster.storage is not None:
        make_folder(cluster.storage)
    with temporary_folder(cluster.storage) as folder:
        written = job.checkpoints or Checkpoints(folder / "network", {})
        written = replace(written, resume=True)
        shared = replace(job, training=training, checkpoints=None).with_own_series()
        work = {
            "work": ray.put((runtime.NumberTypes.current(), shared, written)),
            "micro_batches": micro_batches,
        }
        try:
            with _settings(), _own_interrupts():
                outcome = _trainer(cluster, work, str(folder)).fit().return_value
        except train.TrainingFailedError as error:
            expected = f"workers that die at most {cluster.max_failures} times"
            last_line = str(error).strip().splitlines()[-1]
            advice = "Find the cause, perhaps memory, or allow more with max_failures."
            raise ClusterError("on", expected=expected, received=last_line, hint=advice) from error
        except KeyboardInterrupt as interruption:
            interruption.history = _take_best(engine, job, written)  # type: ignore[attr-defined]
            raise
    # A function in the job's own specs would return as a copy, which is not registered with Keras.
    engine.__setstate__({**outcome["engine"], "network": job.network, "training": job.training})
    history: History = outcome["history"]
    if outcome["error"] is not None:
        raise outcome["error"]
    if verbose:
        say(f"seqcast: {len(history)} epochs, {_outcome(history)}")
    return history


def _trainer(cluster: Any, work: dict[str, Any], folder: str) -> Any:
    """Return Ray Train's trainer of a shared training."""
    train = require("ray.train", extra="ray")
    # Ray's JaxTrainer joins processes on TPUs and GPUs only.
    trainer = require("ray.train.v2.api.data_parallel_trainer", extra="ray").DataParallelTrainer
    least = cluster.min_workers
    most = cluster.workers
    return trainer(
        train_share,
        train_loop_config=work,
        scaling_config=train.ScalingConfig(
            num_workers=most if least == most else (least, most),
            resources_per_worker={"CPU": cluster.cpus_per_worker},
        ),
        run_config=train.RunConfig(
            name=f"seqcast-{uuid.uuid4().hex[:8]}",
            storage_path=folder,
            failure_config=train.FailureConfig(max_failures=cluster.max_failures),
            worker_runtime_env={"env_vars": cluster.variables},
            logging_config=train.LoggingConfig("ERROR"),
        ),
    )


@contextmanager
def _settings() -> Iterator[None]:
    """Set the variables of Ray Train that the user has not set, for a `with` block."""
    ours = [name for name in _SETTINGS if name not in os.environ]
    os.environ.update({name: _SETTINGS[name] for name in ours})
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


@contextmanager
def _own_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt in a `with` block where Ray Train would end the process after Ctrl-C.

    Ray Train replaces the signal's handler and does not restore it.
    """
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if main else None
    try:
        yield
    except SystemExit as ended:
        raise KeyboardInterrupt from ended
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


def _take_best(engine: Engine, job: TrainingJob, written: Checkpoints) -> History:
    """Set the best weights of the last checkpoint, if any, in an engine; return the history up to there."""
    from seqcast.training import History

    state = written.newest()
    if state is None or state.best_weights is None:
        return History(interrupted=True)
    engine.build(job.window, steps=max(1, state.step))
    engine.built.model.set_weights(state.best_weights)
    return replace(state.history, interrupted=True)


def _outcome(history: History) -> str:
    if "val_loss" in history:
        return f"best validation loss {min(history['val_loss'], default=math.nan):.4g}"
    return f"last loss {history['loss'][-1]:.4g}"


# In a worker


def processes_among(workers: int, micro_batches: int) -> int:
    """Return the largest number of workers that get equal numbers of micro-batches.

    Args:
        workers: Number of available workers.
        micro_batches: Number of equal micro-batches of a batch.

    Example:
        >>> processes_among(3, 4), processes_among(4, 4)
        (2, 4)
    """
    return max(count for count in range(1, workers + 1) if micro_batches % count == 0)


def train_share(config: dict[str, Any]) -> dict[str, Any] | None:
    """Compute a worker's share of a training; Ray Train calls it in each of them.

    Args:
        config: `work`, Ray's reference to number types, job and checkpoints, and `micro_batches`,
            the number of equal micro-batches of a batch.

    Returns:
        In the first worker the result of `train_processes`.
    """
    ray = require("ray", extra="ray")
    train = require("ray.train", extra="ray")
    broadcast = require("ray.train.collective", extra="ray").broadcast_from_rank_zero
    rank = train.get_context().get_world_rank()
    workers = train.get_context().get_world_size()
    processes = Processes(
        rank, processes_among(workers, config["micro_batches"]), config["micro_batches"]
    )
    joins = rank < processes.count
    address = broadcast(f"{ray.util.get_node_ip_address()}:{_free_port()}" if rank == 0 else None)
    if joins:
        runtime.join(processes, address)
    number_types, job, checkpoints = ray.get(config["work"])
    state = checkpoints.newest()
    step = None if state is None else state.step
    first_step = broadcast(step)
    if step != first_step:
        raise RuntimeError(
            f"worker {rank} sees the checkpoint of step {step}, the first worker that of {first_step}"
        )
    if not joins:
        return None
    number_types.apply()
    return train_processes(processes, job, state, checkpoints)


def train_processes(
    processes: Processes,
    job: TrainingJob,
    state: TrainState | None = None,
    checkpoints: Checkpoints | None = None,
) -> dict[str, Any] | None:
    """Train together with other processes, which have joined.

    Args:
        processes: The processes.
        job: The training job, the same for all processes.
        state: The state to resume from.
        checkpoints: The checkpoints, which the first process writes.

    Returns:
        In the first process `engine` (its state), `history`, and `error`, which ended the training,
        or `None`.
    """
    from seqcast.training import History

    first = processes.rank == 0
    # All processes have read the state already.
    writes = replace(checkpoints, resume=False) if first and checkpoints is not None else None
    engine = job.engine()
    error: SpecError | TrainingError | None = None
    try:
        history = replace(job, checkpoints=writes).train(engine, state=state, processes=processes)
    except (SpecError, TrainingError) as ours:
        # All processes reach it at the same step. Ray would retry after a raised error.
        history = getattr(ours, "history", None) or History()
        error = ours
    trained = (
        {"engine": engine.__getstate__(), "history": history, "error": error} if first else None
    )
    runtime.leave()
    return trained


def _free_port() -> int:
    """Return the number of a free port."""
    with socket.socket() as listening:
        listening.bind(("", 0))
        return int(listening.getsockname()[1])
