"""Trainings that workers of Ray share, jobs that each of them runs, and what is rejected."""

import contextlib
import os
import re
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from seqcast import RayCluster
from seqcast.cli.main import main
from seqcast.errors import ClusterError, SpecError, TrainingError, WorkerDiedError
from seqcast.runtime.executors import stop_workers
from seqcast.specs.training import CheckpointSpec
from seqcast.training.checkpoints import Checkpoints
from tests.rejections import rejected

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(keras.backend.backend() != "jax", reason="collectives of JAX"),
]

# Long enough to be killed in the middle, once the first epoch is over.
LONG = {"epochs": 30, "steps_per_epoch": 20}


def assert_close(ours, theirs, **tolerance):
    """Compare the weights of engines or of forecasters."""
    ours, theirs = (getattr(each, "engines_", [each]) for each in (ours, theirs))
    for one, other in zip(ours, theirs, strict=True):
        for weight, same in zip(one.weights, other.weights, strict=True):
            np.testing.assert_allclose(weight, same, rtol=0, **tolerance)


def share_workers():
    """Return the process ids of Ray Train's workers."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b"ray::RayTrainWorker" in path.read_bytes():
                found.append(int(path.parent.name))
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


# ---------------------------------------------------------------- one training that all workers
# share


def test_a_shared_training_is_that_of_one_process(cluster, frame, small_forecaster):
    alone = small_forecaster({"micro_batches": 4}).fit(frame)
    together = small_forecaster().fit(frame, on=cluster)
    assert_close(together, alone, atol=1e-4)
    ours, theirs = (each.history_["val_loss"][-1] for each in (together, alone))
    assert ours == pytest.approx(theirs, rel=0.01)
    assert together.history_.micro_batches == together.engine_.micro_batches == 4
    assert together.training_[0].micro_batches is None
    pd.testing.assert_frame_equal(together.predict(), alone.predict(), rtol=1e-3)


def test_a_training_goes_on_after_a_worker_was_killed(cluster, frame, small_forecaster, tmp_path):
    whole = small_forecaster(LONG).fit(frame, on=cluster)
    kills = []

    def kill():
        kills.append((time.time(), max(int(path.stem) for path in tmp_path.rglob("*.checkpoint"))))
        os.kill(share_workers()[-1], signal.SIGKILL)

    thread = after_first_checkpoint(tmp_path, kill)
    often = CheckpointSpec(tmp_path, minutes=0.005, keep=1000)
    forecaster = small_forecaster(LONG).fit(frame, on=cluster, checkpoint=often)
    thread.join()
    ((moment, step),) = kills
    assert len(forecaster.history_) == LONG["epochs"]
    assert_close(forecaster, whole, atol=1e-5)
    # What came before the last checkpoint was not trained once more.
    later = [
        int(path.stem)
        for path in tmp_path.rglob("*.checkpoint")
        if path.stat().st_mtime > moment + 1
    ]
    assert min(later) > step


def test_a_training_goes_on_with_another_number_of_workers(cluster, small_job, tmp_path):
    """The state of two is gone on with by four."""
    states = Checkpoints(tmp_path, {}, keep=9, resume=True)
    job = replace(small_job("weights"), checkpoints=states)
    whole = job.engine()
    further = job.engine()
    cluster.train(job, whole)
    for path in tmp_path.glob("*.checkpoint"):
        if int(path.stem) > 5:
            path.unlink()
    first = states.newest()
    first.history.epochs["loss"][0] = 123.0
    states.write(first)
    history = RayCluster(workers=4).train(job, further)
    assert history["loss"][0] == 123.0
    assert len(history) == 4
    assert_close(further, whole, atol=1e-4)


@pytest.mark.skipif(
    not os.environ.get("SEQCAST_RAY_MACHINES"), reason="two minutes: SEQCAST_RAY_MACHINES=1 runs it"
)
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # of JAX: machines are started by fork
def test_a_training_goes_on_with_fewer_workers_when_a_machine_is_gone(cluster, small_job, tmp_path):
    """Two machines, each with two workers; the machines are daemons of Ray's on this one."""
    from ray.cluster_utils import Cluster

    cluster.stop()
    machines = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False}
    )
    second = machines.add_node(num_cpus=2)
    try:
        job = small_job("weights")
        job = replace(job, training=replace(job.training, **LONG))
        where = {"workers": 4, "address": machines.address}
        rejected(
            SpecError,
            "storage of RayCluster: expected a folder that all machines",
            RayCluster(**where).connect,
        )
        states = Checkpoints(tmp_path / "states", {}, minutes=0.005)
        thread = after_first_checkpoint(
            tmp_path, lambda: machines.remove_node(second, allow_graceful=False)
        )
        engine = job.engine()
        both = RayCluster(**where, storage=tmp_path, min_workers=1)
        history = both.train(replace(job, checkpoints=states), engine)
        thread.join()
    finally:
        cluster.stop()
        machines.shutdown()
    alone = job.engine()
    expected = job.train(alone)
    assert len(history) == len(expected) == LONG["epochs"]
    assert history.micro_batches == 4
    # After some hundred steps sums in another order show.
    assert min(history["val_loss"]) == pytest.approx(min(expected["val_loss"]), rel=0.01)


def test_ctrl_c_keeps_the_best_weights_of_the_last_checkpoint(
    cluster, frame, small_forecaster, tmp_path
):
    forecaster = small_forecaster(LONG)
    thread = after_first_checkpoint(tmp_path, lambda: os.kill(os.getpid(), signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        forecaster.fit(frame, on=cluster, checkpoint=tmp_path)
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before
    assert forecaster.history_.interrupted
    assert len(forecaster.predict()) == 21
    # The workers have ended, and others begin.
    small_forecaster().fit(frame, on=cluster)


def test_a_training_that_diverges_says_where_and_is_not_tried_again(
    cluster, frame, small_forecaster
):
    with pytest.raises(TrainingError, match="training, epoch 1, batch") as caught:
        small_forecaster({"learning_rate": 1e30, "clip_norm": None}).fit(frame, on=cluster)
    assert caught.value.best is not None
    assert caught.value.series


def test_workers_that_die_too_often(cluster, frame, small_forecaster, tmp_path):
    thread = after_first_checkpoint(tmp_path, lambda: os.kill(share_workers()[0], signal.SIGKILL))
    with pytest.raises(ClusterError, match="workers that die at most 0 times"):
        small_forecaster(LONG).fit(
            frame, on=RayCluster(workers=2, max_failures=0), checkpoint=tmp_path
        )
    thread.join()


# ---------------------------------------------------------------- a job for each worker


def test_members_and_refits_go_to_a_worker_each(cluster, frame, small_forecaster, monkeypatch):
    def backtest(**where):
        return small_forecaster(members=2).backtest(frame, 2, refit=True, **where)

    ours = backtest(on=cluster)
    monkeypatch.setattr("seqcast.runtime.executors.threads", lambda: 2)
    pd.testing.assert_frame_equal(ours, backtest())
    stop_workers()


def test_trials_of_a_search_run_in_the_workers(cluster, frame):
    from seqcast.tune import Range, tune

    options = {
        "preset": "classic",
        "training": {"epochs": 1, "steps_per_epoch": 2},
        "random_state": 0,
        "verbose": 0,
    }
    found = tune(
        frame, 7, space={"dropout": Range(0.0, 0.2)}, trials=3, ensemble=1, on=cluster, **options
    )
    assert len(found.trials) == 3
    assert len(found.forecaster.predict()) == 21


def test_a_worker_has_one_thread_and_our_backend_and_results_come_in_the_order_of_the_jobs(cluster):
    def look(number):
        import keras

        from seqcast.runtime.threads import threads

        return (
            number,
            os.getpid(),
            threads(),
            os.environ["OMP_NUM_THREADS"],
            keras.backend.backend(),
        )

    told = []
    results = cluster.executor().map(
        look, [(3,), (1,), (2,)], finished=lambda *result: told.append(result)
    )
    for number, (asked, process, *rest) in zip((3, 1, 2), results, strict=True):
        assert (asked, rest) == (number, [1, "1", "jax"])
        assert process != os.getpid()
    assert sorted(told) == list(enumerate(results))
    assert cluster.executor().map(abs, []) == []


def test_the_first_error_comes_out_as_itself_and_nothing_goes_on(cluster, tmp_path):
    def wait_for(name):
        while not (tmp_path / name).exists():
            time.sleep(0.05)

    def fail(number):
        if number == 0:
            wait_for("begun")
            (tmp_path / "raised").touch()
            raise SpecError("number", expected="1 or more", received=str(number), hint="Give 1.")
        (tmp_path / "begun").touch()
        wait_for("raised")
        time.sleep(3)
        (tmp_path / "ended").touch()

    with pytest.raises(SpecError, match="number: expected 1 or more, received 0") as caught:
        cluster.executor().map(fail, [(1,), (0,)])
    assert type(caught.value) is SpecError
    time.sleep(4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["begun", "raised"]


def test_a_job_whose_worker_dies_is_tried_again_as_often_as_that(cluster, tmp_path):
    def die_once(name):
        if not (tmp_path / name).exists():
            (tmp_path / name).touch()
            os._exit(1)
        return True

    rejected(
        WorkerDiedError,
        "a process that computes",
        cluster.executor(retries=0).map,
        die_once,
        [("first",)],
    )
    assert cluster.executor(retries=1).map(die_once, [("second",)]) == [True]


# ---------------------------------------------------------------- the page, and the command line


def test_the_page_runs(cluster, frame, small_forecaster):
    page = Path(__file__).parents[2] / "docs" / "scale.md"
    section = page.read_text().partition("## Several machines: Ray")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    few = code.replace("workers=4", "workers=2").replace("Forecaster(28)", "make()")
    names = {"df": frame, "make": small_forecaster}
    exec(compile(few, "docs/scale.md", "exec"), names)
    assert names["forecaster"].history_.micro_batches == 4


def test_fit_and_backtest_of_the_command_line(cluster, frame, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    frame.to_csv("a.csv", index=False)
    how = [
        "-H",
        "7",
        "--units",
        "3",
        "--epochs",
        "1",
        "--level",
        "",
        "--seed",
        "0",
        "--ray",
        "local",
        "--workers",
        "2",
    ]
    for command in (
        ["fit", "a.csv", "-o", "a.seqcast"],
        ["backtest", "a.csv", "--n-windows", "2", "--refit", "1"],
    ):
        monkeypatch.setattr(sys, "argv", ["seqcast", *command, *how])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr().err
        assert ended.value.code in (0, None), told
        if command[0] == "fit":
            assert "seqcast: 2 workers share each batch, in 4 micro-batches" in told
    assert Path("a.seqcast").exists()
