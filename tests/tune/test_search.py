"""Searches: never worse than untuned, the same with the same seed, gone on with, and what they reject."""

import datetime
import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from optuna import TrialPruned
from optuna.trial import TrialState

from seqcast.errors import SpecError
from seqcast.forecaster.arguments import ForecasterArguments
from seqcast.forecaster.estimator import Forecaster
from seqcast.specs.network import NetworkSpec
from seqcast.specs.presets import EnsembleSpec, MemberSpec
from seqcast.specs.training import TrainingSpec
from seqcast.tune import Choice, Range
from seqcast.tune.final_fit import final_arguments
from seqcast.tune.objective import Objective

from .conftest import TINY, waves


def parameters(found):
    return [(trial.number, dict(trial.parameters), trial.loss) for trial in found.trials]


def test_a_trial_that_is_taken_for_dead_does_not_end_the_search(search, frame, monkeypatch):
    score = Objective.score

    def take_the_first(self, setting, callbacks):
        (watch,) = callbacks
        if watch.trial.number == 0:
            watch.trial.study.tell(0, state=TrialState.FAIL)
        return score(self, setting, callbacks)

    monkeypatch.setattr(Objective, "score", take_the_first)
    assert [trial.state for trial in search(frame, trials=2).trials] == [
        "failed",
        "complete",
        "complete",
    ]


@pytest.mark.parametrize("hours", [5, -5])
def test_a_clock_that_is_set_changes_no_trials_seconds(search, frame, monkeypatch, hours):
    """Optuna's own times are those of the day: each look at it is hours from the one before."""
    jumps = itertools.count()

    class Jumping(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz) + datetime.timedelta(hours=hours * next(jumps))

    monkeypatch.setattr("optuna.storages._rdb.storage.datetime", Jumping)
    result = search(frame, trials=2, time_limit="5 min")
    assert all(0 <= trial.seconds < 300 for trial in result.trials)
    assert 0 <= result.seconds < 300


def test_the_first_trial_is_untuned_and_the_best_is_never_worse(found):
    first = found.trials[0]
    assert first.untuned
    assert dict(first.parameters) == {"learning_rate": "0.01"}
    assert found.untuned_loss == first.loss
    assert found.best.loss <= found.untuned_loss
    assert found.best.loss == min(trial.loss for trial in found.trials)
    assert [trial.state for trial in found.trials] == ["complete"] * 4
    assert len(found.settings) == len(found.forecaster.engines_) == 2


def test_where_the_others_are_worse_the_best_is_trained_with_several_seeds(search, frame):
    only = search(frame, trials=1, ensemble=2)
    assert only.settings[0] == only.settings[1]
    first, second = (engine.weights for engine in only.forecaster.engines_)
    assert not all(np.array_equal(*pair) for pair in zip(first, second, strict=True))


def test_a_study_goes_on_with_the_trials_that_are_left(search, frame, found, tmp_path):
    place = tmp_path / "study.db"
    search(frame, trials=2, storage=place)
    with pytest.raises(
        SpecError,
        match="expected one without a study, or resume=True, received a study with 2 trials",
    ):
        search(frame, trials=4, storage=place)
    both = search(frame, trials=4, ensemble=2, storage=place, resume=True)
    assert len(both.trials) == 4
    assert parameters(both)[:1] == parameters(found)[:1]
    # Nothing is left to search: one worker and a seed make the same forecaster.
    again = search(frame, trials=4, ensemble=2, storage=place, resume=True)
    assert parameters(again) == parameters(both)
    np.testing.assert_array_equal(
        again.forecaster.predict()["seqcast"], both.forecaster.predict()["seqcast"]
    )


def test_an_interrupted_search_goes_on_with_the_trial_that_it_was_at(
    search, frame, found, tmp_path, monkeypatch
):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Objective, "fit", interrupt)
        with pytest.raises(KeyboardInterrupt):
            search(frame, trials=1, storage=tmp_path / "study.db")
    again = search(frame, trials=1, storage=tmp_path / "study.db", resume=True)
    assert [(trial.state, trial.untuned) for trial in again.trials] == [
        ("failed", True),
        ("complete", True),
    ]
    assert again.untuned_loss == found.untuned_loss


OTHER_STUDIES = [
    ({"space": {"learning_rate": [0.01, 0.1]}}, "other space: learning_rate"),
    ({"n_windows": 1}, "other windows: n_windows"),
    ({"df": waves(seed=1)}, "other data"),
    ({"preset": NetworkSpec(encoder_units=(4,), normalise="last")}, "other untuned network"),
]


@pytest.mark.parametrize(("changes", "part"), OTHER_STUDIES)
def test_a_study_of_something_else_is_rejected(search, frame, tmp_path_factory, changes, part):
    place = tmp_path_factory.getbasetemp() / "begun.db"
    if not place.exists():
        search(frame, trials=1, storage=place)
    df = changes.pop("df", frame)
    with pytest.raises(
        SpecError,
        match=f"resume: expected the study of this search; that in the storage has {part}",
    ):
        search(df, trials=1, storage=place, resume=True, **changes)


REJECTED = [
    ({"trials": 0}, "trials: expected a whole number >= 1"),
    ({"time_limit": "soon"}, "time_limit: expected seconds, or a text such as '10 min'"),
    ({"storage": "study.txt"}, "storage: expected a file study.db"),
    ({"storage": "no/study.db"}, "storage: expected a storage that can be opened"),
    ({"storage": "nowhere://me:secret@host/x"}, r"nowhere://me:\*\*\*@host/x"),
    ({"resume": True}, "resume: expected storage as well"),
    ({"pruner": "sharp"}, "unknown pruner 'sharp'|pruner"),
    (
        {"space": {"horizon_decay": [0.0]}, "pruner": "median"},
        "expected 'none' where horizon_decay is searched",
    ),
    (
        {
            "space": {"goal": Choice({"a": {"horizon_decay": 0.1}, "b": {"horizon_decay": 0.5}})},
            "pruner": "median",
        },
        "expected 'none' where horizon_decay is searched",
    ),
    ({"members": 2}, "members: expected 1 in a search, received 2. Give ensemble=5"),
    ({"preset": "auto", "effort": "best"}, "effort: expected 'auto' in a search"),
    (
        {"preset": EnsembleSpec([MemberSpec(TINY, TrainingSpec())]), "training": None},
        "preset: expected auto, cl",
    ),
    ({"preset": "pretrained", "ensemble": 2}, "ensemble: expected 1 with preset='pretrained'"),
    (
        {"preset": "pretrained", "space": {"dropout": [0.0]}},
        "expected one of .*freeze.*, received 'dropout'",
    ),
    ({"space": {"freeze": [()]}}, "field of space: expected one of .*, received 'freeze'"),
    ({"colour": "red"}, "colour: expected an argument of tune or of Forecaster"),
]


@pytest.mark.parametrize(("changes", "message"), REJECTED)
def test_options_that_are_rejected(search, frame, changes, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=message):
        search(frame, **changes)
    assert not list(tmp_path.iterdir())


def test_settings_that_cannot_be_trained_are_left_out(search, frame):
    found = search(frame, trials=3, space={"segment": [1, 9]}, random_state=1)
    bad = [trial for trial in found.trials if trial.parameters.get("segment") == "9"]
    assert bad
    assert all(
        trial.state == "pruned" and "at most the horizon, 4" in trial.reason for trial in bad
    )
    assert len(found.trials) == 3


def test_a_worse_validation_loss_ends_a_trial(search, frame):
    """At a rate of nothing the loss stays where it is; six epochs at a good one make it smaller."""
    training = {"epochs": 6, "steps_per_epoch": 8, "batch_size": 16, "early_stopping": 6}
    how = {
        "space": {"learning_rate": [1e-6]},
        "pruner": "median",
        "training": training,
        "random_state": 3,
    }
    found = search(frame, trials=9, **how)
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    assert pruned
    assert {trial.parameters["learning_rate"] for trial in pruned} == {"1e-06"}
    assert all(
        trial.epochs < 6 and trial.reason == "others had a smaller validation loss"
        for trial in pruned
    )
    assert len(found.trials) == 9


def test_a_search_without_a_complete_trial_fits_nothing(search, frame, monkeypatch):
    monkeypatch.setattr(Forecaster, "fit", None)
    with pytest.raises(
        SpecError, match=r"time_limit: expected more time, received 0\.01 s, in which no trial"
    ):
        search(frame, trials=None, time_limit=0.01)

    def prune(*_):
        raise TrialPruned("others had a smaller validation loss")

    monkeypatch.setattr(Objective, "score", prune)
    with pytest.raises(
        SpecError, match="trials: expected a trial that can be trained, received none"
    ):
        search(frame, trials=1)


@pytest.mark.processes
def test_a_time_limit_ends_search_and_fit(search, frame):
    found = search(frame, trials=None, time_limit=12, ensemble=5)
    assert found.seconds < 20
    assert found.forecaster.predict().shape[0] == 8


def test_trials_are_a_frame_and_json(found):
    table = found.to_frame()
    assert list(table.columns)[:3] == ["number", "state", "loss"]
    assert table["learning_rate"].tolist() == [
        trial.parameters["learning_rate"] for trial in found.trials
    ]
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["trials"] == {"complete": 4, "pruned": 0, "failed": 0}
    assert told["best"]["loss"] == found.best.loss
    if found.importance:
        assert math.isclose(sum(found.importance.values()), 1.0)


def test_what_is_found_has_the_share_that_the_untuned_network_would_have():
    untuned = MemberSpec(TINY, TrainingSpec())
    other = MemberSpec(TINY, TrainingSpec(epochs=3))
    for preset, members, proxy in (
        ("auto", [other], untuned),
        ("auto", [untuned], None),
        ("classic", [other], None),
    ):
        limited = {"epochs": 2, "learning_rate": 0.1}
        given = ForecasterArguments(4, preset=preset, training=limited, context_length=8, level=80)
        expected = EnsembleSpec(
            members, alone=preset != "auto", finetuning={"epochs": 2}, proxy=proxy
        )
        final = final_arguments(given, members, untuned, 3)
        assert vars(final) == vars(
            replace(given, preset=expected, training=None, context_length=None, random_state=3)
        )


@pytest.mark.filterwarnings("ignore::seqcast.forecaster.candidates.last_season.FallbackWarning")
def test_without_a_named_preset_the_last_season_may_share_the_forecast(search, frame):
    found = search(
        frame,
        preset="auto",
        trials=1,
        level=(80,),
        point="mean",
        space={"dropout": Range(0.0, 0.1)},
    )
    assert set(found.forecaster.choice_.losses) >= {"seasonal_naive", "trained"}
    assert not found.forecaster.preset.alone
