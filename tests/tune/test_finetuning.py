"""Searches for the fine-tuning of the pretrained network."""

import numpy as np
import pandas as pd
import pytest

from seqcast.forecaster.estimator import Forecaster
from seqcast.specs.presets import FinetuneSpec

from .conftest import QUICK, waves

# Rates that are told apart, and parts that stay.
SPACE = {"learning_rate": [0.0005, 0.005], "freeze": [(), ("encoder", "head")]}


@pytest.fixture(scope="module")
def tuned(search, frame):
    changes = {
        "preset": "pretrained",
        "space": SPACE,
        "level": 80,
        "context_length": None,
        "ensemble": None,
    }
    return search(frame, **changes)


def test_trials_are_fine_tunings_and_the_first_is_the_usual_one(tuned):
    assert [trial.state for trial in tuned.trials] == ["complete"] * 3
    assert dict(tuned.trials[0].parameters) == {"learning_rate": "0.0005", "freeze": "()"}
    assert tuned.trials[0].untuned
    assert len({trial.loss for trial in tuned.trials}) > 1
    (setting,) = tuned.settings
    assert isinstance(setting, FinetuneSpec)
    assert {"epochs": setting.training.epochs, "batch_size": setting.training.batch_size} == {
        name: QUICK[name] for name in ("epochs", "batch_size")
    }


def test_the_forecaster_is_one_that_finetune_makes(tuned, frame):
    (setting,) = tuned.settings
    ours = Forecaster(4, preset="pretrained", level=80, random_state=0, verbose=0)
    ours.finetune(frame, training=setting.training, freeze=setting.freeze)
    pd.testing.assert_frame_equal(ours.predict(), tuned.forecaster.predict())
    names = {"__name__": "script"}
    exec(compile(tuned.script, "fit_best.py", "exec"), names)
    pd.testing.assert_frame_equal(
        names["fit"](frame).predict(), tuned.forecaster.predict(), rtol=1e-6
    )


def test_with_covariates_which_the_network_has_to_learn_nothing_is_frozen(search):
    frame = waves()
    frame["price"] = np.cos(np.arange(len(frame)))
    changes = {
        "preset": "pretrained",
        "space": None,
        "trials": 1,
        "level": 80,
        "context_length": None,
    }
    found = search(frame, **changes, past_covariates=["price"])
    assert "freeze" not in found.trials[0].parameters
    assert found.forecaster.predict().shape[0] == 8
