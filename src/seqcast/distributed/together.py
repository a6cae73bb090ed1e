"""One training that all workers share, seen from the process that asks for it."""

from __future__ import annotations

import math
import os
import signal
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from seqcast.distributed.session import Session
from seqcast.distributed.sharing import train_share
from seqcast.engine import Engine, TrainingJob
from seqcast.errors import ClusterError, Option, Phrase, SpecError
from seqcast.runtime import NumberTypes, keras, make_folder, require, say
from seqcast.training import Checkpoints, History

# How Ray Train behaves here: it looks at its workers twice a second, and leaves them in the folder where they begin.
_SETTINGS = {
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
}


def train_together(
    session: Session,
    job: TrainingJob,
    engine: Engine,
    *,
    parts: int,
    min_workers: int,
    max_failures: int,
    verbose: int = 0,
) -> History:
    """Train one network in all workers together; errors and results as for `seqcast.distributed.RayCluster.train`.

    The first worker writes checkpoints: to those of the job, or else every two minutes to `storage`. Where a worker
    dies, Ray Train ends the others, which wait for it, and starts as many as there is room for from the last one.

    Args:
        session: The workers.
        job: The training.
        engine: Its engine, which holds the network afterwards.
        parts: Equal parts of a batch.
        min_workers: Fewest workers with which it begins or goes on.
        max_failures: How often it may go on after a worker has died.
        verbose: 0 is silent, 1 prints a line before and after, to standard error.
    """
    if keras.backend.backend() != "jax":
        raise SpecError(
            "on",
            expected="the JAX backend, whose collectives add up gradients",
            received=keras.backend.backend(),
            hint=Phrase("Set KERAS_BACKEND=jax, or leave out ", Option("on"), "."),
        )
    ray = session.connect()
    train = require("ray.train", extra="ray")
    training = replace(job.training, parts=parts)
    if verbose:
        say(f"seqcast: {session.workers} workers share each batch, in {parts} parts")
    if session.storage is not None:
        make_folder(session.storage)
    with tempfile.TemporaryDirectory(prefix="seqcast-", dir=session.storage, ignore_cleanup_errors=True) as folder:
        written = job.checkpoints or Checkpoints(Path(folder) / "network", {})
        written = replace(written, resume=True)
        shared = replace(job, training=training, checkpoints=None).with_own_series()
        work = {"work": ray.put((NumberTypes.current(), shared, written)), "parts": parts}
        try:
            with _settings(), _own_interrupts():
                limits = {"min_workers": min_workers, "max_failures": max_failures}
                outcome = _trainer(session, work, folder, **limits).fit().return_value
        except train.TrainingFailedError as error:
            raise ClusterError(
                "on",
                expected=f"workers that die at most {max_failures} times",
                received=str(error).strip().splitlines()[-1],
                hint="See what ends them, memory perhaps, or allow more with max_failures.",
            ) from error
        except KeyboardInterrupt as interruption:
            interruption.history = _take_best(engine, job, written)  # type: ignore[attr-defined]
            raise
    # A function in the job's own specs would come back as a copy, which Keras does not know as the registered one.
    engine.__setstate__({**outcome["engine"], "network": job.network, "training": job.training})
    history: History = outcome["history"]
    if outcome["error"] is not None:
        raise outcome["error"]
    if verbose:
        say(f"seqcast: {len(history)} epochs, {_outcome(history)}")
    return history


def _trainer(session: Session, work: dict[str, Any], folder: str, *, min_workers: int, max_failures: int) -> Any:
    """Return Ray Train's trainer of a shared training."""
    train = require("ray.train", extra="ray")
    # Its JaxTrainer joins processes on TPUs and GPUs only.
    trainer = require("ray.train.v2.api.data_parallel_trainer", extra="ray").DataParallelTrainer
    count = session.workers if min_workers == session.workers else (min_workers, session.workers)
    return trainer(
        train_share,
        train_loop_config=work,
        scaling_config=train.ScalingConfig(num_workers=count, resources_per_worker={"CPU": session.cpus_per_worker}),
        run_config=train.RunConfig(
            name=f"seqcast-{uuid.uuid4().hex[:8]}",
            storage_path=folder,
            failure_config=train.FailureConfig(max_failures=max_failures),
            worker_runtime_env={"env_vars": session.variables},
            logging_config=train.LoggingConfig("ERROR"),
        ),
    )


@contextmanager
def _settings() -> Iterator[None]:
    """Set the variables that Ray Train reads, unless the user has, for a `with` block."""
    ours = [name for name in _SETTINGS if name not in os.environ]
    os.environ.update({name: _SETTINGS[name] for name in ours})
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


@contextmanager
def _own_interrupts() -> Iterator[None]:
    """Turn what Ray Train makes of Ctrl-C, the end of the process, into a KeyboardInterrupt for a `with` block.

    It puts a handler of its own in place of the one that is there, and leaves it.
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
    """Give an engine the best weights of the last checkpoint, if there are any; return what was recorded until then."""
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
