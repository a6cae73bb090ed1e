"""Calls side by side: order, errors, threads of a worker, and scripts without a guard."""

import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

from seqcast.runtime import executors as parallel
from seqcast.runtime.executors import side_by_side


@pytest.fixture(scope="module", autouse=True)
def _no_worker_is_left():
    yield
    parallel._stop()


def test_results_come_in_the_order_of_the_jobs():
    told = []
    results = side_by_side(
        lambda number: (number, os.getpid()),
        [(0,), (1,), (2,), (3,)],
        workers=2,
        finished=lambda place, result: told.append((place, result[0])),
    )
    assert [number for number, _ in results] == [0, 1, 2, 3]
    assert os.getpid() not in {process for _, process in results}
    assert sorted(told) == [(place, place) for place in range(4)]


@pytest.mark.parametrize(("jobs", "workers"), [([(1,)], 2), ([(1,), (2,)], 1), ([], 2)])
def test_one_job_or_one_worker_needs_no_process(jobs, workers):
    assert side_by_side(lambda _: os.getpid(), jobs, workers=workers) == [os.getpid()] * len(jobs)


def test_a_worker_has_one_thread_and_our_types():
    def told():
        import keras

        from seqcast.runtime.threads import threads

        return threads(), os.environ["OMP_NUM_THREADS"], keras.backend.backend(), keras.config.floatx()

    (first, _) = side_by_side(told, [(), ()], workers=2)
    assert first == (1, "1", keras.backend.backend(), "float32")


def test_workers_are_kept():
    first, second = (set(side_by_side(os.getpid, [()] * 4, workers=2)) for _ in range(2))
    assert first & second


def test_the_first_error_comes_out_as_itself_and_stops_the_others():
    def fail(number):
        if number:
            raise ValueError(f"job {number}")
        return number

    with pytest.raises(ValueError, match="job 1"):
        side_by_side(fail, [(0,), (1,)], workers=2)
    assert parallel._kept is None
    assert side_by_side(pow, [(2, 3), (3, 2)], workers=2) == [8, 9]


SCRIPT = """
    import numpy as np
    import pandas as pd
    from sklearn.model_selection import GridSearchCV
    from seqcast import Forecaster, NetworkSpec, Seq2SeqRegressor, TrainingSpec

    def wave_loss(y_true, y_pred):
        return (y_true - y_pred) ** 2

    waves = np.sin(np.arange(11) * 0.5 + np.linspace(0, 6, 40)[:, None])
    model = Seq2SeqRegressor(encoder_units=4, epochs=1, random_state=0, loss=wave_loss, verbose=0)
    search = GridSearchCV(model, {"batch_size": [8, 16]}, cv=2, n_jobs=2, error_score="raise")
    search.fit(waves[:, :8, None], waves[:, 8:, None])
    print("trials", np.isfinite(search.cv_results_["mean_test_score"]).all())

    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024", periods=60), "y": np.sin(np.arange(60.0))})
    small = NetworkSpec(encoder_units=(4,), decoder_units=(4,))
    few = TrainingSpec(epochs=1, loss=wave_loss)
    ensemble = Forecaster(3, context_length=6, preset=small, training=few, members=2, random_state=0, verbose=0)
    print("members", len(ensemble.fit(frame).engines_))
    print("refits", len(ensemble.backtest(frame, n_windows=2, refit=True)))
"""


def test_trials_members_and_refits_from_a_script_without_a_guard(tmp_path):
    """Functions of the script itself go to the workers; nothing of the script runs twice."""
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(SCRIPT))
    environment = {**os.environ, "SEQCAST_THREADS": "2"}
    done = subprocess.run([sys.executable, path], env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["trials True", "members 2", "refits 6"]


def test_arrays_come_back_whole():
    doubled = side_by_side(lambda values: 2 * values, [(np.arange(3),), (np.ones(2),)], workers=2)
    np.testing.assert_array_equal(doubled[0], [0, 2, 4])
    np.testing.assert_array_equal(doubled[1], [2, 2])
