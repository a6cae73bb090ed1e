"""Trials: which setting is next, how time is shared, and what happens when a process dies."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from seqcast.errors import SpecError
from seqcast.specs import MemberSpec, NetworkSpec, TrainingSpec
from seqcast.training.deadline import Deadline
from seqcast.tune import Range
from seqcast.tune.clock import Clock
from seqcast.tune.study import open_study, quiet
from seqcast.tune.study import storage_url as url_of
from seqcast.tune.trials import (
    FIRST_TRIALS,
    LateTrialError,
    Task,
    TrialWatch,
    has_run,
    none_complete,
    run_trials,
    sampler_of,
)

NEIGHBOURS = [{"cell": "lstm", "dropout": 0.1}, {"cell": "gru", "dropout": 0.3}]


# ---------------------------------------------------------------- which setting is next


def asked(study, count):
    drawn = []
    for _ in range(count):
        trial = study.ask()
        drawn.append({"cell": trial.suggest_categorical("cell", ("gru", "lstm"))})
        drawn[-1]["dropout"] = trial.suggest_float("dropout", 0.0, 0.4)
        study.tell(trial, drawn[-1]["dropout"])
    return drawn


@pytest.fixture
def make_study():
    import optuna

    with quiet():
        yield lambda seed: optuna.create_study(sampler=sampler_of(NEIGHBOURS, seed, several=False))


def test_neighbours_come_after_the_untuned_setting_and_what_is_given_up_before_them(make_study):
    study = make_study(0)
    study.enqueue_trial({"cell": "gru", "dropout": 0.1})
    assert asked(study, 1) == [{"cell": "gru", "dropout": 0.1}]
    study.enqueue_trial({"cell": "gru", "dropout": 0.2})
    drawn = asked(study, 13)
    assert drawn[:2] == [{"cell": "gru", "dropout": 0.2}, NEIGHBOURS[1]]
    assert all(0.0 <= each["dropout"] <= 0.4 for each in drawn)
    assert len({each["dropout"] for each in drawn[2:]}) == 11


def test_the_sampler_learns_and_its_seed_decides(make_study):
    """The loss is the dropout: what is proposed after the first trials is smaller than what is drawn."""
    drawn = [each["dropout"] for each in asked(make_study(1), 40)]
    first = drawn[3 : FIRST_TRIALS + 1]
    later = drawn[-15:]
    assert sum(later) / len(later) < sum(first) / len(first)
    again = [[each["dropout"] for each in asked(make_study(seed), 6)] for seed in (1, 4)]
    assert drawn[:6] == again[0]
    assert drawn[:6] != again[1]


# ---------------------------------------------------------------- time


def test_the_search_gets_half_at_least_and_leaves_what_the_fit_needs():
    def clock(left, **changes):
        now = time.monotonic()
        usual = {"workers": 2, "members": 5, "compared": False}
        return Clock(Deadline(now + left - 100.0, now + left), **{**usual, **changes})

    watch = clock(100.0)
    endless = Clock(None, 2, 5, compared=True)
    began = watch.deadline.began
    ends = [watch.search_ends(seconds) - began for seconds in ([], [500.0], [10.0], [1.0])]
    assert ends[:2] == pytest.approx([47.0, 47.0])
    assert 47.0 < ends[2] < ends[3] < 97.0
    assert [each.fits_another([20.0]) for each in (watch, clock(60.0), endless)] == [
        True,
        False,
        True,
    ]
    # The fit has as many networks as there is time for.
    counts = [clock(left).affordable(10.0) for left in (1.0, 17.0, 23.0, 200.0)]
    assert (counts[0], counts[-1], endless.affordable(1e9)) == (0, 5, 5)
    assert counts == sorted(set(counts))
    assert clock(100.0, compared=True).final_seconds(10.0, 3) > watch.final_seconds(10.0, 3)
    # Where trials are shortened, a network of the fit takes longer.
    assert clock(100.0, share=0.25).final_seconds(10.0, 3) > 3 * watch.final_seconds(10.0, 3)


def test_a_late_trial_says_how_long_one_takes(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    trial = SimpleNamespace(user_attrs={})
    trial.set_user_attr = trial.user_attrs.__setitem__
    watch = TrialWatch(trial, ends=1030.0)
    watch.set_params({"epochs": 2, "steps": 4})
    for batch in range(3):
        watch.on_train_batch_begin(batch)
    now[0] = 1030.0
    with pytest.raises(LateTrialError):
        watch.on_train_batch_begin(3)
    late = Clock(Deadline(930.0, 1029.9), 2, 5, compared=False)
    error = none_complete(late, [trial, SimpleNamespace(user_attrs={})])
    assert str(error).startswith(
        "time_limit: expected about 163 s: one trial takes 80 s, received 99.9 s, in which no"
    )
    assert "expected more time" in str(none_complete(late, []))
    for deadline in (None, Deadline.of(100.0)):
        error = none_complete(Clock(deadline, 2, 5, compared=False), [trial])
        assert str(error).startswith("trials: expected a trial that can be trained")


# ---------------------------------------------------------------- processes that die

JOB = """
import json, sys
sys.path.insert(0, {tests!r})
from conftest import QUICK, SPACE, TINY, waves
from seqcast.tune import study, tune

study.HEARTBEAT_SECONDS, study.GRACE_SECONDS = 1, {grace}
found = tune(
    waves(), 4, preset=TINY, training={{**QUICK, "epochs": 120}}, level=(), context_length=8, space=SPACE,
    trials=3, workers={workers}, ensemble=1, storage={storage!r}, resume=True, random_state=0, pruner="none",
    verbose=0,
)
print(json.dumps([[trial.number, trial.state] for trial in found.trials]))
"""


def begin(storage, workers, grace=3):
    code = JOB.format(
        tests=os.path.dirname(__file__), storage=str(storage), workers=workers, grace=grace
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def trials_of(storage):
    with quiet(), open_study(url_of(storage)) as study:
        return study.get_trials()


def wait_until_it_trains(storage, process, seconds=240):
    until = time.time() + seconds
    begun = []
    while not any(trial.state.name == "RUNNING" and trial.intermediate_values for trial in begun):
        assert process.poll() is None, process.stderr.read()
        assert time.time() < until
        time.sleep(0.2)
        with contextlib.suppress(SpecError):  # its tables are being made
            begun = trials_of(storage) if storage.exists() else []


def check_end(process, storage):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    states = [state for _, state in json.loads(out.splitlines()[-1])]
    assert states.count("complete") == 3
    after = trials_of(storage)
    retried = [trial for trial in after if trial.system_attrs.get("failed_trial") is not None]
    assert retried
    for trial in retried:
        failed = after[trial.system_attrs["failed_trial"]]
        assert (failed.state.name, failed.params) == ("FAIL", trial.params)


@pytest.mark.processes
def test_a_search_survives_the_death_of_its_process(tmp_path):
    """`kill -9` in the middle; the search that goes on ends with the trials that were asked for."""
    storage = tmp_path / "study.db"
    killed = begin(storage, workers=1)
    try:
        wait_until_it_trains(storage, killed)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    assert trials_of(storage)[-1].state.name == "RUNNING"
    check_end(begin(storage, workers=1), storage)


@pytest.mark.processes
def test_a_search_survives_the_death_of_a_worker(tmp_path):
    storage = tmp_path / "study.db"
    parent = begin(storage, workers=2)
    try:
        wait_until_it_trains(storage, parent)
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        commands = {child: Path(f"/proc/{child}/cmdline").read_text() for child in children}
        workers = [
            child
            for child, command in commands.items()
            if "loky" in command and "tracker" not in command
        ]
        os.kill(int(workers[0]), signal.SIGKILL)
        check_end(parent, storage)
    finally:
        parent.kill()


def test_a_storage_is_opened_by_its_address_and_closed(tmp_path):
    with quiet(), open_study(url_of(tmp_path / "a.db")) as study:
        study.enqueue_trial({"x": 1.0})
        with open_study(url_of(tmp_path / "a.db")) as again:
            assert len(again.get_trials()) == 1
    # The study is still there, as a user's variable may keep it.
    files = {os.path.realpath(place) for place in Path("/proc/self/fd").glob("*")}
    assert not [path for path in files if path.startswith(str(tmp_path))]


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_two_workers_that_ask_at_once_get_different_trials(tmp_path):
    url = url_of(tmp_path / "a.db")
    together = threading.Barrier(2)
    asked = []

    def ask():
        with quiet(), open_study(url) as study:
            together.wait()
            asked.extend(study.ask().number for _ in range(15))

    with quiet(), open_study(url) as study:
        for place in range(30):
            study.enqueue_trial({"x": float(place)})
        workers = [threading.Thread(target=ask) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert sorted(asked) == list(range(30))


def test_of_two_workers_that_ask_for_the_last_trial_at_once_one_runs_it(tmp_path):
    """Here the other one asks after this one has counted the trials, and ends its trial after this one has asked."""

    from optuna.distributions import FloatDistribution
    from optuna.trial import TrialState, create_trial

    distributions = {"dropout": FloatDistribution(0.0, 0.2)}
    others = create_trial(
        state=TrialState.RUNNING, params={"dropout": 0.1}, distributions=distributions
    )

    class OtherWorker:
        workers = 2

        def fits_another(self, seconds):
            if study.get_trials():
                study.tell(0, 1.0)
            else:
                study.add_trial(others)
            return True

    url = url_of(tmp_path / "a.db")
    objective = SimpleNamespace(
        seed=0, untuned=MemberSpec(NetworkSpec(), TrainingSpec()), score=None
    )
    task = Task(
        url, objective, {"dropout": Range(0.0, 0.1)}, trials=1, clock=OtherWorker(), pruner="none"
    )
    with quiet(), open_study(url) as study:
        run_trials(task, worker=1)
        states = [(trial.state.name, has_run(trial)) for trial in study.get_trials()]
    assert states == [("COMPLETE", True), ("FAIL", False)]


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_processes_that_create_a_storage_at_once_share_it(tmp_path):
    url = url_of(tmp_path / "a.db")
    together = threading.Barrier(4)

    def create(_):
        together.wait()
        with quiet(), open_study(url) as study:
            return study.study_name

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(create, range(4)))) == 1
