"""The regressor's options: what they become, and which are refused."""

import dataclasses

import keras
import numpy as np
import pytest

from seqcast import Seq2SeqRegressor
from seqcast.errors import SpecError
from seqcast.regressor.arguments import draw_seed, resolve_options
from seqcast.specs.network import NetworkSpec
from seqcast.specs.presets import PRESETS
from seqcast.specs.training import TrainingSpec

SMALL = {"encoder_units": (6,), "epochs": 2, "batch_size": 32, "random_state": 0, "verbose": 0}


X, Y = np.ones((8, 6, 2)), np.ones((8, 3, 2))


def test_options_are_those_of_the_specs():
    others = {"preset", "scale", "target_features", "season_length", "support", "random_state", "verbose"}
    fields = {item.name for spec in (NetworkSpec, TrainingSpec) for item in dataclasses.fields(spec)}
    assert set(Seq2SeqRegressor().get_params()) == fields | others
    options = resolve_options(Seq2SeqRegressor().get_params())
    assert (options.network, options.training) == (PRESETS["classic"].network, PRESETS["classic"].training)


def test_none_is_the_presets_and_the_word_none_is_nothing():
    model = Seq2SeqRegressor(encoder_units=(7,), clip_norm="none", early_stopping="none")
    options = resolve_options(model.get_params())
    network, training = options.network, options.training
    assert network.encoder_units == network.decoder_units == (7,)
    assert training.clip_norm is None
    assert training.early_stopping is None


def test_one_metric_may_be_named_without_a_list(sines):
    assert "mae" in Seq2SeqRegressor(**SMALL, metrics="mae").fit(*sines).history_.epochs


@pytest.mark.parametrize("callbacks", [keras.callbacks.Callback(), [3]])
def test_callbacks_are_checked_before_training(sines, callbacks):
    model = Seq2SeqRegressor(**SMALL)
    for fit in (model.fit, model.partial_fit):
        with pytest.raises(SpecError, match=r"callbacks: expected a list of keras.callbacks.Callback"):
            fit(*sines, callbacks=callbacks)


WRONG_OPTIONS = [
    (
        {"cell": "grru"},
        "cell: expected one of 'gru', 'lstm', 'simple_rnn', received 'grru'. Did you mean 'gru'?",
    ),
    ({"preset": "clasic"}, "preset: expected one of 'classic', 'segment', received 'clasic'. Did you mean 'classic'?"),
    ({"scale": "standart"}, "scale: expected one of 'standard', 'none', received 'standart'."),
    ({"target_features": "al"}, "target_features: expected one of 'none', received 'al'."),
    ({"target_features": (0, 5)}, "target_features: expected 2 different column(s) of X below 2"),
    ({"target_features": "none", "decoder_input": "teacher"}, "target_features: expected the column of X"),
    ({"decoding": "parallel"}, "decoding: expected decoder_input='position' with 'parallel'"),
    ({"residual": "seasonal"}, "season_length: expected the steps of a season, for residual='seasonal'"),
    ({"segment": 99}, "segment: expected at most the horizon, "),
    ({"random_state": -1}, "random_state: expected a whole number >= 0, received -1."),
    ({"head": "normal", "loss": "mse"}, "loss: expected None with head='normal', received 'mse'."),
    ({"head": "log_normal"}, "scale: expected 'none' with head='log_normal', received 'standard'."),
    (
        {"head": "negative_binomial", "scale": "none", "normalise": "last"},
        "normalise: expected 'none' or 'scale' with head='negative_binomial', received 'last'.",
    ),
]


@pytest.mark.parametrize(("options", "message"), WRONG_OPTIONS)
def test_wrong_options_are_refused_before_training(options, message):
    model = Seq2SeqRegressor(**{**SMALL, **options})
    with pytest.raises(SpecError) as caught:
        model.fit(X, Y)
    assert str(caught.value).startswith(message)
    assert not hasattr(model, "engine_")


def test_a_seed_is_drawn_without_touching_global_generators():
    before = np.random.get_state()[1].copy()
    assert draw_seed(5) == draw_seed(np.int64(5)) == 5
    assert draw_seed(None) != draw_seed(None)
    assert draw_seed(np.random.RandomState(1)) == draw_seed(np.random.RandomState(1))
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    for wrong in (-1, 1.5, "1", True):
        with pytest.raises(SpecError, match="random_state: expected a whole number >= 0"):
            draw_seed(wrong)
