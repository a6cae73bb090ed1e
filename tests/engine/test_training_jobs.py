"""Trainings side by side give what one after another gives."""

import pickle

import numpy as np
import pytest

from seqcast import NetworkSpec, TrainingSpec, WindowSpec
from seqcast.data.series import InMemoryStore, SeriesScaler
from seqcast.data.windows import WindowReader
from seqcast.engine import DivergedJobsError, TrainingJob, run_jobs
from seqcast.forecaster.options import member_seeds
from seqcast.runtime import executors

WINDOW = WindowSpec(horizon=2, features=1, targets=1, target_features=(0,), context_length=4)
TINY = NetworkSpec(encoder_units=(3,), decoder_units=(3,))


def member(seeds=(0, 1), title="network 1", *, start=50, **training):
    return TrainingJob(
        reader({"a": 60}),
        np.array([start]),
        WINDOW,
        TINY,
        spec(**training),
        seeds=seeds,
        title=title,
    )


def reader(lengths):
    """Unscaled waves, of a number of rows each."""
    store = InMemoryStore.of(
        {name: np.sin(np.arange(float(rows)))[:, None] for name, rows in lengths.items()}
    )
    unscaled = SeriesScaler(np.zeros((len(lengths), 1)), np.ones((len(lengths), 1)))
    return WindowReader(store, None, unscaled, context_length=4)


def spec(**training):
    return TrainingSpec(**{"epochs": 2, "batch_size": 16, **training})


@pytest.fixture(scope="module", autouse=True)
def _no_worker_is_left():
    yield
    executors.stop_workers()


def test_seeds_of_the_first_members_stay_when_more_join():
    assert member_seeds(7, 5)[:2] == member_seeds(7, 2)
    assert len({seed for pair in member_seeds(7, 5) for seed in pair}) == 10


@pytest.mark.processes
def test_in_workers_is_one_after_another(capsys, monkeypatch):
    monkeypatch.setattr(executors, "threads", lambda: 2)
    members = [member((0, 1), title="one"), member((2, 3), title="two")]
    past = {"past": np.sin(np.arange(8.0)).reshape(2, 4, 1)}
    together = run_jobs(members, verbose=1)
    shown = capsys.readouterr()
    assert shown.out == ""
    titles = sorted(line.split(",")[0] for line in shown.err.splitlines())
    assert titles == ["seqcast: one trained", "seqcast: two trained"]
    assert "2 epochs, best validation loss" in shown.err
    for one, (engine, history, _) in zip(members, together, strict=True):
        alone = one.engine()
        np.testing.assert_allclose(history["val_loss"], one.train(alone)["val_loss"], rtol=1e-5)
        np.testing.assert_allclose(
            engine.predict(past, horizon=3), alone.predict(past, horizon=3), atol=1e-5
        )
    first, second = (engine.predict(past, horizon=3) for engine, *_ in together)
    assert np.abs(first - second).max() > 1e-3


class Elsewhere:
    """An executor of somebody else's, which sends copies as another machine would."""

    def map(self, function, jobs, *, finished):
        for place, job in enumerate(jobs):
            call, arguments = pickle.loads(pickle.dumps((function, tuple(job))))
            finished(place, call(*arguments))


def test_trainings_run_on_any_executor(capsys):
    past = {"past": np.sin(np.arange(4.0)).reshape(1, 4, 1)}
    members = [member((0, 1)), member((2, 3), start=60)]
    (engine, history, _), (other, *_) = run_jobs(members, verbose=1, executor=Elsewhere())
    validated, unvalidated = capsys.readouterr().err.splitlines()
    assert "best validation loss" in validated
    assert "last loss" in unvalidated
    alone = member((0, 1)).engine()
    assert member((0, 1)).train(alone).epochs == history.epochs
    np.testing.assert_array_equal(engine.predict(past, horizon=2), alone.predict(past, horizon=2))
    assert (other.predict(past, horizon=2) != engine.predict(past, horizon=2)).any()


@pytest.mark.parametrize(
    "executor", [pytest.param(None, marks=pytest.mark.processes), executors.SerialExecutor()]
)
def test_a_training_that_diverges_is_an_error(monkeypatch, executor):
    monkeypatch.setattr(executors, "threads", lambda: 2)
    wild = member(
        optimizer="sgd", learning_rate=1e30, clip_norm=None, learning_rate_schedule="constant"
    )
    with pytest.raises(DivergedJobsError) as caught:
        run_jobs([member(), wild], executor=executor)
    error = caught.value.error
    trained = caught.value.trained
    assert (error.where, error.columns) == ("training, epoch 1, batch 1", ())
    assert set(trained) <= {0}  # side by side the other one may not have finished
    assert trained or executor is None


def test_a_job_carries_its_own_series_only():
    starts = np.array([50, 5, 30])
    job = TrainingJob(
        reader({"a": 60, "b": 5, "c": 40}), starts, WINDOW, TINY, spec(), seeds=(0, 1)
    )
    sent = job.with_own_series()
    assert sent.reader.targets.ids == ("a", "c")  # b has no window
    assert sent.starts.tolist() == [50, 30]
    whole = job.engine()
    own = sent.engine()
    assert job.train(whole).epochs == sent.train(own).epochs
    for ours, theirs in zip(whole.weights, own.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
