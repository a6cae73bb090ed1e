"""A training that all workers of Ray share: the process that starts it, and its workers.

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
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from seqcast import runtime
from seqcast.errors import ClusterError, Option, Phrase, SpecError, TrainingError
from seqcast.runtime import Processes, make_folder, require, say, temporary_folder

if TYPE_CHECKING:
    from pathlib import Path

    from seqcast.engine import Engine, TrainingJob
    from seqcast.specs import TrainingSpec
    from seqcast.training import Checkpoints, History, TrainState

# Settings of Ray Train: it checks its workers twice a second, and does not change their folder.
_SETTINGS = {
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
}


class TrainingCluster(Protocol):
    """What a shared training needs of `seqcast.distributed.RayCluster`, which starts it."""

    workers: int
    min_workers: int
    cpus_per_worker: int
    max_failures: int
    storage: Path | None

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a worker."""

    def connect(self) -> ModuleType:
        """Connect to Ray, and return its module."""

    def shared_micro_batches(self, training: TrainingSpec) -> int:
        """Return the number of micro-batches of a batch that workers share.

        Args:
            training: The training.
        """


@dataclass(frozen=True)
class SharedOutcome:
    """The end of a shared training, which the first worker returns.

    Args:
        engine: The state of its engine.
        history: The history of the training.
        error: The error that has ended it, if any; Ray would retry after a raised one.
    """

    engine: dict[str, Any]
    history: History
    error: SpecError | TrainingError | None


def train_together(
    cluster: TrainingCluster, job: TrainingJob, engine: Engine, *, verbose: int = 0
) -> History:
    """Train one network in all workers together, as `seqcast.distributed.RayCluster.train` does.

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
    backend = runtime.keras.backend.backend()
    if backend != "jax":
        raise SpecError(
            "on",
            expected="the JAX backend, whose collectives add up gradients",
            received=backend,
            hint=Phrase("Set KERAS_BACKEND=jax, or leave out ", Option("on"), "."),
        )
    ray = cluster.connect()
    if verbose:
        say(
            f"seqcast: {cluster.workers} workers share each batch, in {micro_batches} micro-batches"
        )
    if cluster.storage is not None:
        make_folder(cluster.storage)

    with temporary_folder(cluster.storage) as folder:
        checkpoints = job.checkpoints or Checkpoints(folder / "network", {})
        checkpoints = replace(checkpoints, resume=True)
        training = replace(job.training, micro_batches=micro_batches)
        shared = replace(job, training=training, checkpoints=None).with_own_series()
        work = ray.put((runtime.NumberTypes.current(), shared, checkpoints))
        config = {"work": work, "micro_batches": micro_batches}
        try:
            with _settings(), _own_interrupts():
                outcome = _run_workers(cluster, config, str(folder))
        except KeyboardInterrupt as interruption:
            best = _take_best(engine, job, checkpoints)
            interruption.history = best  # type: ignore[attr-defined]
            raise

    # A function in the job's own specs would return as a copy, which is not registered with Keras.
    engine.__setstate__({**outcome.engine, "network": job.network, "training": job.training})
    if outcome.error is not None:
        raise outcome.error
    if verbose:
        say(f"seqcast: {len(outcome.history)} epochs, {_loss_of(outcome.history)}")
    return outcome.history


def _run_workers(cluster: TrainingCluster, config: dict[str, object], folder: str) -> SharedOutcome:
    """Let Ray Train run the workers, and return the outcome of the first one."""
    train = require("ray.train", extra="ray")
    # Ray's JaxTrainer joins processes on TPUs and GPUs only.
    trainers = require("ray.train.v2.api.data_parallel_trainer", extra="ray")
    least = cluster.min_workers
    most = cluster.workers
    trainer = trainers.DataParallelTrainer(
        train_share,
        train_loop_config=config,
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

    try:
        outcome: SharedOutcome = trainer.fit().return_value
    except train.TrainingFailedError as error:
        raise ClusterError(
            "on",
            expected=f"workers that die at most {cluster.max_failures} times",
            received=str(error).strip().splitlines()[-1],
            hint="Find the cause, perhaps memory, or allow more with max_failures.",
        ) from error
    return outcome


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


def _take_best(engine: Engine, job: TrainingJob, checkpoints: Checkpoints) -> History:
    """Set the best weights of the last checkpoint, if any, in an engine; return its history."""
    from seqcast.training import History

    state = checkpoints.newest()
    if state is None or state.best_weights is None:
        return History(interrupted=True)
    engine.build(job.window, steps=max(1, state.step))
    engine.built.model.set_weights(state.best_weights)
    return replace(state.history, interrupted=True)


def _loss_of(history: History) -> str:
    if "val_loss" in history:
        return f"best validation loss {min(history['val_loss'], default=math.nan):.4g}"
    return f"last loss {history['loss'][-1]:.4g}"


# ---------------------------------------------------------------- in a worker


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


def train_share(config: dict[str, Any]) -> SharedOutcome | None:
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
    context = train.get_context()
    rank = context.get_world_rank()
    micro_batches = config["micro_batches"]
    count = processes_among(context.get_world_size(), micro_batches)
    processes = Processes(rank, count, micro_batches)

    joins = rank < count
    address = broadcast(f"{ray.util.get_node_ip_address()}:{_free_port()}" if rank == 0 else None)
    if joins:
        runtime.join(processes, address)

    number_types, job, checkpoints = ray.get(config["work"])
    state = checkpoints.newest()
    step = None if state is None else state.step
    first_step = broadcast(step)
    if step != first_step:
        raise RuntimeError(
            f"worker {rank} sees the checkpoint of step {step}, "
            f"the first worker that of {first_step}"
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
) -> SharedOutcome | None:
    """Train together with other processes, which have joined.

    Args:
        processes: The processes.
        job: The training job, the same for all processes.
        state: The state to resume from.
        checkpoints: The checkpoints, which the first process writes.

    Returns:
        The outcome in the first process, `None` in the others.
    """
    from seqcast.training import History

    is_first = processes.rank == 0
    # All processes have read the state already.
    if checkpoints is not None:
        checkpoints = replace(checkpoints, resume=False) if is_first else None
    own_job = replace(job, checkpoints=checkpoints)
    engine = job.engine()
    error: SpecError | TrainingError | None = None
    try:
        history = own_job.train(engine, state=state, processes=processes)
    except (SpecError, TrainingError) as ours:
        # All processes reach it at the same step.
        history = getattr(ours, "history", None) or History()
        error = ours

    outcome = SharedOutcome(engine.__getstate__(), history, error) if is_first else None
    runtime.leave()
    return outcome


def _free_port() -> int:
    """Return the number of a free port."""
    with socket.socket() as listening:
        listening.bind(("", 0))
        return int(listening.getsockname()[1])
