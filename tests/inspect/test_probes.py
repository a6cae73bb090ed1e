"""Probes find what is there and nothing else."""

import numpy as np
import pytest

from seqcast import Seq2SeqRegressor
from seqcast.data import random_sines, sine_parameters
from seqcast.errors import DataError, SpecError
from seqcast.inspect import circular, probe, states, unit_r2

RANDOM = np.random.default_rng(0)
ONE_SINE = {"num_signals": 1, "offset": (0.0, 0.0), "amplitude": (1.0, 1.0)}


@pytest.fixture(scope="module")
def one_sine():
    """A network that forecasts single sines, for which it has to know their frequency."""
    past, future = random_sines(4_096, **ONE_SINE, seed=1)
    sizes = {
        "encoder_units": (16,),
        "decoder_units": (16,),
        "validation_fraction": 0.0,
        "batch_size": 128,
    }
    return Seq2SeqRegressor(**sizes, learning_rate=0.02, epochs=8, random_state=0, verbose=0).fit(
        past, future
    )


def test_a_planted_frequency_is_found_in_the_state(one_sine):
    past, _ = random_sines(600, **ONE_SINE, seed=2)
    parameters = sine_parameters(600, **ONE_SINE, seed=2)
    table = probe(
        states(one_sine.model_inputs(past)), {"frequency": parameters.frequency[:, 0]}
    ).set_index("probe")
    assert (table["r2"] > 0.8).all()
    assert (table["r2_permuted"] < 0.1).all()
    assert (table["r2_low"] <= table["r2"] + 0.05).all()


def test_white_noise_has_no_frequency(one_sine):
    noise = RANDOM.normal(size=(600, 15, 1)).astype("float32")
    table = probe(
        states(one_sine.model_inputs(noise)), {"frequency": RANDOM.uniform(0.1, 10, size=600)}
    )
    assert (table["r2"] < 0.1).all()
    assert (np.abs(table["r2"] - table["r2_permuted"]) < 0.3).all()


def test_a_curved_property_needs_the_small_network():
    values = RANDOM.normal(size=(500, 4))
    table = probe(values, {"square": values[:, 0] ** 2}).set_index("probe")["r2"]
    assert table["linear"] < 0.1
    assert table["small network"] > 0.6
    first, second = (probe(values, {"x": values[:, 0]}, seed=3, folds=2) for _ in range(2))
    assert first.equals(second)


def test_windows_of_a_group_are_never_on_both_sides():
    """A state that only names its series tells a property of series it knows, and nothing of others."""
    group = np.repeat(np.arange(20), 20)
    names = RANDOM.normal(size=(20, 40))[group]
    own = RANDOM.normal(size=20)[group]
    apart = probe(names, {"own": own}, probes=["linear"], groups=group)["r2"].item()
    mixed = probe(names, {"own": own}, probes=["linear"])["r2"].item()
    assert mixed > 0.99
    assert apart < 0.3


def test_single_units_tell_by_their_correlation():
    values = RANDOM.normal(size=(200, 3))
    told = {"x": values[:, 0] + 0.5 * values[:, 1], "angle": circular(values[:, 2])}
    table = unit_r2(values, told)
    for unit in range(3):
        assert table.loc["x", unit + 1] == pytest.approx(
            np.corrcoef(values[:, unit], told["x"])[0, 1] ** 2
        )
        both = [np.corrcoef(values[:, unit], column)[0, 1] ** 2 for column in told["angle"].T]
        assert table.loc["angle", unit + 1] == pytest.approx(np.mean(both))
    assert unit_r2(np.ones((9, 1)), {"x": np.arange(9.0)}).loc["x", 1] == 0.0


WRONG = [
    (
        np.zeros((20, 2)),
        {"x": np.zeros(19)},
        {},
        r"properties\['x'\]: expected a number for each of the 20",
    ),
    (np.zeros((20, 2)), {"x": np.full(20, np.nan)}, {}, r"properties\['x'\]"),
    (np.full((20, 2), np.inf), {"x": np.zeros(20)}, {}, "values"),
    (np.zeros((9, 2)), {"x": np.zeros(9)}, {}, "at least 10 windows"),
    (np.zeros((20, 2)), {"x": np.zeros(20)}, {"probes": ["deep"]}, "probes"),
    (np.zeros((20, 2)), {"x": np.zeros(20)}, {"folds": 1}, "folds"),
]


@pytest.mark.parametrize(("values", "told", "options", "match"), WRONG)
def test_what_does_not_fit_is_rejected(values, told, options, match):
    with pytest.raises((DataError, SpecError), match=match):
        probe(values, told, **options)
