"""Trainings that workers of Ray share, jobs that each of them runs, and what is refused."""

import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from seqcast import RayCluster
from seqcast.errors import SpecError
from seqcast.specs.checkpoint import CheckpointSpec

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(keras.backend.backend() != "jax", reason="collectives of JAX"),
]

LONG = {"epochs": 60, "steps_per_epoch": 40}


def weights_of(forecaster):
    return [weights for engine in forecaster.engines_ for weights in engine.weights]


def assert_close(ours, theirs, **tolerance):
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, **(tolerance or {"rtol": 0, "atol": 0}))


def share_workers():
    """Return the process ids of Ray Train's workers."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"ray::RayTrainWorker" in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def after_first_checkpoint(folder, act):
    """Call a function once a training has written to a folder, in a thread that is returned."""

    def watch():
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if any(folder.rglob("*.checkpoint")):
                act()
                return
            time.sleep(0.05)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


# ---------------------------------------------------------------- one training that all workers share


def test_a_shared_training_is_that_of_one_process(cluster, frame, small_forecaster):
    alone = small_forecaster({"parts": 4}).fit(frame)
    together = small_forecaster().fit(frame, on=cluster)
    assert_close(weights_of(together), weights_of(alone), atol=1e-4, rtol=0)
    ours, theirs = (each.history_["val_loss"][-1] for each in (together, alone))
    assert ours == pytest.approx(theirs, rel=0.01)
    assert together.history_.parts == together.engine_.parts == 4
    assert together.training_[0].parts is None
    pd.testing.assert_frame_equal(together.predict(), alone.predict(), rtol=1e-3)


def test_a_training_goes_on_after_a_worker_was_killed(cluster, frame, small_forecaster, tmp_path):
    whole = small_forecaster(LONG).fit(frame, on=cluster)
    killed = []

    def kill():
        killed.append(share_workers()[-1])
        os.kill(killed[0], signal.SIGKILL)

    thread = after_first_checkpoint(tmp_path / "fit", kill)
    forecaster = small_forecaster(LONG).fit(
        frame, on=cluster, checkpoint=CheckpointSpec(tmp_path / "fit", minutes=0.005)
    )
    thread.join()
    assert killed
    assert len(forecaster.history_) == 60
    assert_close(weights_of(forecaster), weights_of(whole), atol=1e-5, rtol=0)


def test_a_training_goes_on_with_another_number_of_workers(cluster, small_job, tmp_path):
    """The state of two is gone on with by four."""
    from dataclasses import replace

    folder = tmp_path / "states"
    from seqcast.training.checkpoints import Checkpoints

    job = small_job("weights")
    short = replace(job, checkpoints=Checkpoints(folder, {}, keep=9))
    whole = job.engine()
    cluster.train(short, whole)
    for path in sorted(folder.glob("*.checkpoint"), key=lambda path: int(path.stem))[1:]:
        path.unlink()
    further = job.engine()
    history = RayCluster(workers=4).train(short, further)
    assert len(history) == 4
    assert_close(further.weights, whole.weights, atol=1e-4, rtol=0)


# ---------------------------------------------------------------- a job for each worker


def test_results_come_in_the_order_of_the_jobs(cluster):
    told = []
    results = cluster.executor().map(
        lambda base, exponent: base**exponent,
        [(2, 3), (3, 2), (5, 0), (1, 1)],
        finished=lambda place, result: told.append((place, result)),
    )
    assert results == [8, 9, 1, 1]
    assert sorted(told) == list(enumerate(results))
    assert cluster.executor().map(abs, []) == []


def test_a_worker_has_one_thread_and_our_backend(cluster):
    def look():
        import keras

        from seqcast.runtime.threads import threads

        return os.getpid(), threads(), os.environ["OMP_NUM_THREADS"], keras.backend.backend()

    ((process, *rest),) = cluster.executor().map(look, [()])
    assert process != os.getpid()
    assert rest == [1, "1", "jax"]


def test_the_first_error_comes_out_as_itself_and_nothing_goes_on(cluster, tmp_path):
    def fail(number):
        if not number:
            raise SpecError("number", expected="1 or more", received=str(number), hint="Give 1.")
        time.sleep(3)
        (tmp_path / "ended").touch()

    with pytest.raises(SpecError, match="number: expected 1 or more, received 0") as caught:
        cluster.executor().map(fail, [(1,), (0,)])
    assert type(caught.value) is SpecError
    time.sleep(4)
    assert not list(tmp_path.iterdir())


def test_a_job_whose_worker_dies_is_tried_again_as_often_as_that(cluster, tmp_path):
    def die_once():
        first = not (tmp_path / "seen").exists()
        (tmp_path / "seen").touch()
        if first:
            os._exit(1)
        return True

    with pytest.raises(BrokenExecutor):
        cluster.executor(retries=0).map(die_once, [()])
    (tmp_path / "seen").unlink()
    assert cluster.executor(retries=1).map(die_once, [()]) == [True]


# ---------------------------------------------------------------- the command line
