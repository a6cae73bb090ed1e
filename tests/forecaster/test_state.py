"""A fit is one frozen value: published at once, never changed, read by many threads."""

import copy
import dataclasses
import pickle
import threading

import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster, NetworkSpec
from seqcast.errors import DataError, NotFittedError, TrainingError
from seqcast.forecaster import backtest

TINY = NetworkSpec(encoder_units=(4,), decoder_units=(4,), normalise="last")
ONE_EPOCH = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 16}


def series(level=1.0, rows=40, ids="ab"):
    days = pd.date_range("2024-01-01", periods=rows)
    wave = np.sin(np.arange(rows))
    return pd.concat(
        [
            pd.DataFrame({"unique_id": name, "ds": days, "y": level * (2 + wave + place)})
            for place, name in enumerate(ids)
        ],
        ignore_index=True,
    )


def tiny(**options):
    given = {"preset": TINY, "training": ONE_EPOCH, "context_length": 7, "random_state": 0, "verbose": 0, **options}
    return Forecaster(3, **given)


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(series())


FITTED = [
    "engines_",
    "engine_",
    "histories_",
    "history_",
    "series_state_",
    "freq_",
    "season_length_",
    "context_length_",
    "calibrations_",
    "short_series_",
    "seed_",
]


@pytest.mark.parametrize("name", FITTED)
def test_fitted_attributes_are_there_after_fit_only_and_read_only(fitted, name):
    unfitted = tiny()
    assert not hasattr(unfitted, name)
    with pytest.raises(NotFittedError):
        getattr(unfitted, name)
    getattr(fitted, name)
    with pytest.raises(AttributeError):
        setattr(fitted, name, None)


@pytest.mark.parametrize("arrive", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_forecast_the_same(fitted, arrive):
    pd.testing.assert_frame_equal(arrive(fitted).predict(), fitted.predict())


def test_the_state_is_frozen(fitted):
    with pytest.raises(dataclasses.FrozenInstanceError):
        fitted.fitted_.candidates = ()


def test_a_fit_that_fails_leaves_the_old_one_whole(fitted):
    model = copy.deepcopy(fitted)
    before = model.predict()
    model.set_params(training={**ONE_EPOCH, "learning_rate": 1e30, "optimizer": "sgd", "clip_norm": None, "epochs": 3})
    with pytest.raises(TrainingError) as caught:
        model.fit(series(level=1e4))
    assert np.isfinite(caught.value.kept.predict()[list(before)[2:]]).all().all()
    pd.testing.assert_frame_equal(model.predict(), before)


def test_the_series_and_the_column_that_made_a_training_diverge_are_named():
    frame = series()
    frame.loc[frame["unique_id"] == "b", "y"] = 0.0
    frame.loc[frame.index[frame["unique_id"] == "b"][10], "y"] = 1e30
    model = tiny(scale="none", preset=dataclasses.replace(TINY, head="normal"), level=())
    with pytest.raises(TrainingError) as caught:
        model.fit(frame)
    error = caught.value
    assert (error.series, error.columns) == (("b",), ("y",))
    assert "in series 'b', rows " in error.received
    assert error.received.endswith(" in y (scaled)")


def test_later_trainings_derive_theirs_from_that_of_the_fit():
    model = tiny(training={**ONE_EPOCH, "learning_rate": 0.01}).fit(series())
    later = series(rows=46)
    for _ in range(2):
        model.finetune(later)
        assert model.engine_.training.learning_rate == pytest.approx(0.001)
    model.refit(later)
    assert model.engine_.training.learning_rate == pytest.approx(0.01)


def test_a_further_training_says_how_many_rows_it_needs(fitted):
    """Its network has read whole contexts only."""
    model = copy.deepcopy(fitted)
    with pytest.raises(DataError, match=r"df \(series 'new'\): expected at least 7 \+ 3 rows, .* received 9 rows"):
        model.finetune(series(rows=9, ids=["new"]))
    model.finetune(series(rows=12, ids=["new"]))


def test_a_drawn_seed_is_kept_and_repeats_the_fit(tmp_path):
    model = tiny(random_state=None).fit(series())
    again = tiny(random_state=model.seed_).fit(series())
    pd.testing.assert_frame_equal(model.predict(), again.predict())
    assert tiny(random_state=None).fit(series()).seed_ != model.seed_
    model.save(tmp_path / "model.seqcast")
    assert Forecaster.load(tmp_path / "model.seqcast").seed_ == model.seed_
    model.report(tmp_path / "page.html", n_windows=0)
    assert f"{model.seed_} (drawn)" in (tmp_path / "page.html").read_text()


def test_refits_of_a_backtest_share_a_drawn_seed(monkeypatch):
    seeds = []
    train = backtest.fit_plans
    monkeypatch.setattr(
        "seqcast.forecaster.backtest.fit_plans",
        lambda plans, run: (
            [seeds.append(next(iter(plan.by_place.values())).seeds) for plan in plans] and train(plans, run)
        ),
    )
    tiny(random_state=None).backtest(series(), n_windows=2, refit=True)
    assert len(seeds) == 2
    assert seeds[0] == seeds[1]


def test_threads_that_predict_see_whole_states(tmp_path):
    """Levels differ by a factor of 1000, so that old scaling with new weights or rows would show."""
    model = tiny(training={**ONE_EPOCH, "learning_rate": 0.1})
    frames = [series(level=level) for level in (1.0, 1000.0)]
    answers, seen, torn, done = [], [0] * 8, [], threading.Event()

    def publish(change):
        change()
        answers.append(model.predict()["seqcast"].to_numpy())

    states = []
    for frame in frames:  # what each state answers is known before any thread predicts
        publish(lambda frame=frame: model.fit(frame))
        states.append(copy.deepcopy(model))
    rows = pd.concat([frame.assign(ds=frame["ds"] + pd.Timedelta(days=40)) for frame in frames[1:]])
    publish(lambda: model.update(rows))
    model.save(tmp_path / "model.seqcast")

    def predict(place):
        while not done.is_set() or seen[place] < 125:
            answer = model.predict()["seqcast"].to_numpy()
            seen[place] += 1
            if not any(np.array_equal(answer, known) for known in answers):
                torn.append(answer)

    threads = [threading.Thread(target=predict, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for turn in range(3):
        model.fit(frames[turn % 2])
        if turn % 2:
            model.update(rows)
        pd.testing.assert_frame_equal(
            Forecaster.load(tmp_path / "model.seqcast").predict(), Forecaster.load(tmp_path / "model.seqcast").predict()
        )
    done.set()
    for thread in threads:
        thread.join()
    assert sum(seen) >= 1000
    assert torn == []
