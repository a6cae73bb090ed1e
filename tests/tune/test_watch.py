"""Trials of processes that have died, and searches that are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from seqcast.tune import watch
from seqcast.tune.storage import MOST_RETRIES, Storage, quiet
from seqcast.tune.trials import finished
from seqcast.tune.watch import held_run, recover

JOB = """
import json, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from conftest import QUICK, SPACE, TINY, waves
from seqcast.tune import tune

found = tune(
    waves(), 4, preset=TINY, training={{**QUICK, "epochs": {epochs}}}, level=(), context_length=8, space=SPACE,
    trials={trials}, workers={workers}, ensemble=1, storage={storage!r}, resume=True, random_state=0, pruner="none",
    verbose=0,
)
print(json.dumps([[trial.number, trial.state] for trial in found.trials]))
"""


@pytest.fixture
def study(tmp_path):
    with quiet(), Storage.of(tmp_path / "study.log").study() as study:
        yield study


def begun(study, run, host=None, **attributes):
    trial = study.ask()
    trial.suggest_float("x", 0.0, 1.0)
    for name, value in {"run": run, "host": host or watch.platform.node(), **attributes}.items():
        trial.set_user_attr(name, value)
    return trial


def states(study):
    return [trial.state.name for trial in study.get_trials()]


def test_trials_of_a_run_that_is_gone_are_tried_again(study):
    trial = begun(study, "gone", untuned=True)
    assert recover(study, "ours") == 1
    assert states(study) == ["FAIL", "WAITING"]
    again = study.ask()
    assert again.suggest_float("x", 0.0, 1.0) == trial.params["x"]
    assert again.user_attrs == {"untuned": True, "retries": 1}


def test_trials_of_a_run_that_lives_are_left_alone(study):
    with held_run() as run:
        begun(study, run)
        assert recover(study, "ours") == 0
        # Our own workers are known to have ended.
        assert recover(study, run) == 1
    assert not os.path.exists(watch._lock_of(run))
    with pytest.raises(KeyboardInterrupt), held_run() as run:
        raise KeyboardInterrupt
    assert not os.path.exists(watch._lock_of(run))


def test_a_lock_that_is_left_behind_holds_nothing(study):
    path = watch._lock_of("left-behind")
    FileLock(path).acquire().lock.release()
    path.touch()
    begun(study, "left-behind")
    assert recover(study, "ours") == 1
    assert not path.exists()


def test_on_another_machine_silence_tells(study):
    begun(study, "theirs", host="another", beat=time.time())
    begun(study, "theirs", host="another", beat=time.time() - 2 * watch.SILENT_SECONDS)
    assert recover(study, "ours") == 1
    assert states(study) == ["RUNNING", "FAIL", "WAITING"]


def test_what_kills_its_process_again_and_again_is_given_up(study):
    begun(study, "gone", retries=MOST_RETRIES)
    assert recover(study, "ours") == 1
    assert states(study) == ["FAIL"]


def begin(storage, **how):
    code = JOB.format(tests=os.path.dirname(__file__), storage=str(storage), **how)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, process, seconds=240):
    until = time.time() + seconds
    while time.time() < until:
        if process.poll() is not None:
            raise AssertionError(process.stderr.read())
        try:
            found = condition()
        except Exception:  # the file is not there yet, or half of it
            found = None
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("it did not happen in time")


def trials_of(storage):
    with quiet(), Storage.of(storage).study() as study:
        return study.get_trials()


def is_training(storage):
    return any(trial.state.name == "RUNNING" and trial.intermediate_values for trial in trials_of(storage))


@pytest.mark.processes
@pytest.mark.parametrize("name", ["study.db", "study.log"])
def test_a_search_survives_the_death_of_its_process(tmp_path, name):
    """`kill -9` in mid-study; the search that goes on ends with the trials that were asked for."""
    storage = tmp_path / name
    killed = begin(storage, trials=3, workers=1, epochs=120)
    try:
        wait_for(lambda: is_training(storage), killed)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    before = trials_of(storage)
    assert [trial.state.name for trial in before][-1] == "RUNNING"
    goes_on = begin(storage, trials=3, workers=1, epochs=120)
    out, err = goes_on.communicate(timeout=300)
    assert goes_on.returncode == 0, err
    told = json.loads(out.splitlines()[-1])
    assert sum(state == "complete" for _, state in told) == 3
    assert sum(state == "failed" for _, state in told) == 1
    after = trials_of(storage)
    again = [trial for trial in after if trial.user_attrs.get("retries")]
    assert [trial.params for trial in again] == [before[-1].params]


@pytest.mark.processes
def test_a_search_survives_the_death_of_a_worker(tmp_path):
    storage = tmp_path / "study.log"
    parent = begin(storage, trials=3, workers=2, epochs=120)
    try:
        wait_for(lambda: is_training(storage), parent)
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        commands = {child: Path(f"/proc/{child}/cmdline").read_text() for child in children}
        workers = [child for child, command in commands.items() if "loky" in command and "tracker" not in command]
        os.kill(int(workers[0]), signal.SIGKILL)
        out, err = parent.communicate(timeout=300)
    finally:
        parent.kill()
    assert parent.returncode == 0, err
    told = json.loads(out.splitlines()[-1])
    assert sum(state == "complete" for _, state in told) == 3
    assert len(finished(trials_of(storage))) == 3
    assert any(state == "failed" for _, state in told)
