"""What a forecast depends on: derivatives are those of finite differences, and a copy's delay is found."""

import numpy as np
import pytest

from seqcast import Seq2SeqRegressor
from seqcast.data.signals import random_sines
from seqcast.engine.engine import Engine
from seqcast.engine.labelled_inputs import ArrayLabels, ModelInputs
from seqcast.errors import SpecError
from seqcast.inspect import Sensitivity, attention, remove_units, sensitivity, states
from seqcast.network.encoder import States
from seqcast.specs.network import NetworkSpec, WindowSpec
from seqcast.specs.training import TrainingSpec
from tests.rejections import rejected

RANDOM = np.random.default_rng(0)
NETWORKS = {
    "zeros": ({}, 4),
    "lstm, two layers": ({"cell": "lstm", "encoder_units": (4, 3), "decoder_units": (4, 3)}, 4),
    "autoregressive": ({"decoder_input": "autoregressive"}, 4),
    "quantiles": ({"head": "quantile", "quantiles": (0.1, 0.5, 0.9)}, 4),
    "parallel segments": (
        {"segment": 2, "decoder_input": "position", "decoding": "parallel", "normalise": "last"},
        4,
    ),
    "block by block": ({"decoder_input": "position", "normalise": "instance"}, 6),
    "bidirectional with attention": (
        {"bidirectional": True, "attention": "dot", "encoder_units": (2,)},
        4,
    ),
}


def engine(options, *, future=0, observed=False):
    spec = NetworkSpec(**{"encoder_units": (4,), "decoder_units": (4,), **options})
    made = Engine(spec, TrainingSpec(), seed=1)
    made.build(
        WindowSpec(
            4, features=2, targets=1, target_features=(0,), future=future, observed=observed
        ),
        steps=1,
    )
    return made


def reading_of(made, *, horizon=4, future=0, past=None):
    inputs = {"past": RANDOM.normal(size=(3, 6, 2)).astype("float32") if past is None else past}
    if future:
        inputs["future"] = RANDOM.normal(size=(3, horizon, future)).astype("float32")
    names = tuple(f"f{k}" for k in range(future))
    return ModelInputs(made, inputs, horizon, ArrayLabels(np.arange(3)), ("y", "x"), ("y",), names)


CASES = [(name, 0) for name in NETWORKS] + [(name, 2) for name in ("zeros", "block by block")]


@pytest.mark.parametrize(("name", "future"), CASES)
def test_derivatives_are_those_of_finite_differences(name, future):
    options, horizon = NETWORKS[name]
    made = engine(options, future=future)
    model_inputs = reading_of(made, horizon=horizon, future=future)
    found = sensitivity(model_inputs)
    assert (found.future is None) is (future == 0)
    for side, derivatives in (("past", found.past), ("future", found.future)):
        if derivatives is None:
            continue
        for _ in range(6):
            window, step, feature = (
                int(RANDOM.integers(size)) for size in model_inputs.inputs[side].shape
            )
            moved = []
            for change in (-1e-2, 1e-2):
                inputs = {key: values.copy() for key, values in model_inputs.inputs.items()}
                inputs[side][window, step, feature] += change
                moved.append(made.predict(inputs, horizon))
            difference = (moved[1] - moved[0])[:, :, 0] / 2e-2
            np.testing.assert_allclose(
                derivatives[window, :, 0, step, feature], difference[window], atol=2e-3
            )
            assert not np.delete(difference, window, axis=0).any()


def test_derivatives_in_blocks_are_those_at_once_also_with_gaps():
    past = RANDOM.normal(size=(3, 6, 2)).astype("float32")
    past[1, 2, 0] = np.nan
    made = engine({}, observed=True)
    whole = sensitivity(reading_of(made, past=past)).past
    assert np.isfinite(whole).all()
    one_by_one = made.sensitivity({"past": past}, 4, most_numbers=4 * 6 * 2)["past"]
    np.testing.assert_allclose(one_by_one[..., : whole.shape[-1]], whole, atol=1e-6)


def planted():
    past = np.zeros((2, 3, 1, 5, 2))
    past[:, 0, 0, 4, 0] = [3.0, -3.0]  # the first step depends on the last value
    past[:, 1, 0, 1, 0] = 1.0
    past[:, 1, 0, 4, 1] = 2.0
    past[:, 2, 0, :, 0] = 1.0
    return Sensitivity(past, np.ones((2, 3, 1, 3, 1)), ("y", "x"), ("f",), ("y",))


def test_root_mean_squares_by_step_and_feature():
    depends = planted()
    np.testing.assert_allclose(depends.by_step("y")[0], [0, 0, 0, 0, 3])
    np.testing.assert_allclose(depends.by_step()[1], [0, 1, 0, 0, 2])
    np.testing.assert_allclose(depends.by_step(future=True), np.ones((3, 3)))
    assert depends.memory_length().tolist() == [1, 4, 5]
    assert depends.memory_length(0.75).tolist() == [1, 1, 4]
    assert depends.memory_length(1.0).tolist() == [1, 4, 5]
    frame = depends.frame()
    own = frame[(frame["step"] == 1) & (frame["feature"] == "y")].set_index("input_step")[
        "sensitivity"
    ]
    assert own.to_dict() == {-4: 0, -3: 0, -2: 0, -1: 0, 0: 3}
    assert frame.loc[frame["feature"] == "f", "input_step"].unique().tolist() == [1, 2, 3]
    rejected(SpecError, "one of y, x", depends.by_step, "z")
    rejected(
        SpecError, "known future", Sensitivity(depends.past, None, ("y", "x")).by_step, future=True
    )
    rejected(SpecError, "share", depends.memory_length, 0.0)


def test_memory_length_is_the_delay_of_a_copy():
    """Values that were read so many steps ago are to be told: nothing else matters, and nothing before them."""
    delays = [3, 7]
    noise = RANDOM.normal(size=(4_096, 10, 1)).astype("float32")
    copies = noise[:, [-delay for delay in delays]]
    sizes = {
        "encoder_units": (24,),
        "decoder_units": (24,),
        "validation_fraction": 0.0,
        "batch_size": 128,
    }
    model = Seq2SeqRegressor(**sizes, learning_rate=0.02, epochs=25, random_state=0, verbose=0).fit(
        noise, copies
    )
    assert np.square(model.predict(noise[:64]) - copies[:64]).mean() < 0.1  # it does copy
    assert (
        sensitivity(model.model_inputs(noise[:64], copies[:64])).memory_length().tolist() == delays
    )


# ---------------------------------------------------------------- attention and removal


def test_attention_is_that_of_a_network_that_has_it():
    weights = attention(reading_of(engine({"attention": "dot"})))
    assert weights.shape == (3, 4, 6)
    np.testing.assert_allclose(weights.sum(axis=2), 1.0, rtol=1e-5)
    rejected(SpecError, "a network with attention", attention, reading_of(engine({})))


def test_removing_a_unit_is_decoding_from_its_mean():
    past, future = random_sines(64, past=12, future=4, seed=1)
    options = {
        "encoder_units": (5, 3),
        "decoder_units": (5, 3),
        "epochs": 1,
        "random_state": 0,
        "verbose": 0,
    }
    model_inputs = (
        Seq2SeqRegressor(cell="lstm", **options)
        .fit(past, future)
        .model_inputs(past[:10], future[:10])
    )
    table = remove_units(model_inputs)
    assert table[["layer", "unit"]].to_numpy().tolist() == [[1, k] for k in range(1, 6)] + [
        [2, k] for k in range(1, 4)
    ]
    encoded = model_inputs.engine.encode(model_inputs.past)
    layers = [[np.array(submodule) for submodule in layer] for layer in encoded.layers]
    for submodule in layers[1]:
        submodule[:, 2] = submodule[:, 2].mean()
    without = model_inputs.engine.decode(
        States.from_dict({**encoded.to_dict(), "layers": layers}), 4
    )
    whole = model_inputs.engine.predict(model_inputs.inputs, 4)
    row = table.iloc[-1]
    assert row["change"] == pytest.approx(np.sqrt(np.square(without - whole).mean()), rel=1e-4)
    assert row["mse"] == pytest.approx(np.square(whole - model_inputs.truth).mean(), rel=1e-5)
    assert row["mse_without"] == pytest.approx(
        np.square(without - model_inputs.truth).mean(), rel=1e-5
    )
    by_step = remove_units(model_inputs, by_step=True)
    assert len(by_step) == 4 * len(table)
    means = by_step.groupby(["layer", "unit"])["mse_without"].mean()
    np.testing.assert_allclose(means, table["mse_without"], rtol=1e-5)


def test_a_unit_that_nothing_reads_can_be_taken_away():
    made = engine({"decoder_units": (3,)})  # a bridge reads the state
    kernel = made.model.decoder.bridge.dense[0].kernel
    kernel.assign(
        np.where(
            np.arange(4)[:, None] == 2, 0.0, kernel.numpy() if hasattr(kernel, "numpy") else kernel
        )
    )
    model_inputs = reading_of(made)
    changes = remove_units(model_inputs)["change"]
    assert changes[2] == 0.0
    assert (changes.drop(2) > 1e-4).all()
    assert "mse" not in remove_units(model_inputs).columns
    assert states(model_inputs).shape == (3, 4)
