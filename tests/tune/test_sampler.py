"""The order in which settings are tried."""

import optuna
import pytest

from seqcast.tune.storage import quiet
from seqcast.tune.trials import FIRST_TRIALS, sampler_of

NEIGHBOURS = [{"cell": "lstm", "dropout": 0.1}, {"cell": "gru", "dropout": 0.3}]


def asked(study, count):
    drawn = []
    for _ in range(count):
        trial = study.ask()
        trial.suggest_categorical("cell", ("gru", "lstm"))
        trial.suggest_float("dropout", 0.0, 0.4)
        study.tell(trial, trial.params["dropout"])
        drawn.append(trial.params)
    return drawn


@pytest.fixture
def make_study():
    with quiet():
        yield lambda seed: optuna.create_study(sampler=sampler_of(NEIGHBOURS, seed, several=False))


def test_neighbours_come_after_the_untuned_setting(make_study):
    study = make_study(0)
    study.enqueue_trial({"cell": "gru", "dropout": 0.1})
    drawn = asked(study, 14)
    assert drawn[0] == {"cell": "gru", "dropout": 0.1}
    assert drawn[1:3] == NEIGHBOURS
    assert all(0.0 <= each["dropout"] <= 0.4 for each in drawn)
    assert len({each["dropout"] for each in drawn[3:]}) == 11


def test_what_is_given_up_comes_first_of_all(make_study):
    study = make_study(0)
    study.enqueue_trial({"cell": "gru", "dropout": 0.1})
    asked(study, 1)
    study.enqueue_trial({"cell": "gru", "dropout": 0.2})
    assert asked(study, 2) == [{"cell": "gru", "dropout": 0.2}, NEIGHBOURS[1]]


def test_the_estimator_learns(make_study):
    """The loss is the dropout: what is proposed after the first trials is smaller than what is drawn."""
    drawn = [each["dropout"] for each in asked(make_study(1), 40)]
    first, later = drawn[3 : FIRST_TRIALS + 1], drawn[-15:]
    assert sum(later) / len(later) < sum(first) / len(first)


def test_seeds_decide(make_study):
    assert asked(make_study(3), 6) == asked(make_study(3), 6)
    assert asked(make_study(3), 6) != asked(make_study(4), 6)
