"""Every kind of network through the same properties."""

import functools
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.network import Seq2Seq, load_network, weight_shapes
from seqcast.runtime.backend import to_numpy
from seqcast.runtime.jit import compile_call
from seqcast.specs.network import NetworkSpec
from seqcast.specs.window import WindowSpec

PLAIN = WindowSpec(horizon=4, features=2, targets=1, target_features=(1,))
RICH = WindowSpec(horizon=4, features=3, targets=2, static=2, future=1, target_features=(2, 0), observed=True)
SIZES = {"encoder_units": (5, 4), "decoder_units": (5, 4)}

NETWORKS = {
    "seed": (PLAIN, {**SIZES}),
    "lstm": (PLAIN, {**SIZES, "cell": "lstm"}),
    "simple_rnn": (PLAIN, {**SIZES, "cell": "simple_rnn"}),
    "other sizes": (PLAIN, {"encoder_units": (6,), "decoder_units": (3, 4)}),
    "lstm, other sizes": (PLAIN, {"encoder_units": (6,), "decoder_units": (3, 4), "cell": "lstm"}),
    "bidirectional": (PLAIN, {**SIZES, "bidirectional": True}),
    "last": (PLAIN, {**SIZES, "normalise": "last"}),
    "instance": (PLAIN, {**SIZES, "normalise": "instance"}),
    "additive": (PLAIN, {**SIZES, "attention": "additive"}),
    "dot": (PLAIN, {**SIZES, "attention": "dot"}),
    "multi_head": (PLAIN, {**SIZES, "attention": "multi_head", "attention_heads": 2}),
    "teacher": (PLAIN, {**SIZES, "decoder_input": "teacher"}),
    "scheduled": (PLAIN, {**SIZES, "decoder_input": "scheduled", "sampling_steps": 10}),
    "autoregressive": (PLAIN, {**SIZES, "decoder_input": "autoregressive"}),
    "rich": (RICH, {**SIZES}),
    "rich, static at each step": (RICH, {**SIZES, "static_input": "steps"}),
    "rich, scheduled": (
        RICH,
        {
            **SIZES,
            "decoder_input": "scheduled",
            "sampling_steps": 5,
            "attention": "additive",
            "normalise": "instance",
            "bidirectional": True,
        },
    ),
    "rich, teacher": (RICH, {**SIZES, "decoder_input": "teacher", "attention": "dot", "normalise": "last"}),
    "no own past": (WindowSpec(horizon=4, features=3, targets=1), {**SIZES}),
}

each_network = pytest.mark.parametrize("name", NETWORKS)


def numpy(x):
    return keras.ops.convert_to_numpy(x)


@functools.cache
def compiled(model):
    """Return a model's call, compiled as a whole: step by step it takes several times as long."""
    return compile_call(model, model)


def forecast(network, inputs):
    """Return the network's output."""
    return to_numpy(compiled(network)(inputs))


def decoded(network, inputs, horizon):
    """Return what `decode` makes of `encode`'s states, compiled as a whole."""

    def run(given):
        past = {key: value for key, value in given.items() if key != "future"}
        return network.decode(network.encode(past), horizon, given.get("future"))

    return to_numpy(compile_call(network, run)(inputs))


def build(name, **changes):
    window, options = NETWORKS[name]
    return Seq2Seq(window, NetworkSpec(**{**options, **changes}), seed=11)


@functools.cache
def untrained(name):
    """Return a network for tests that leave it as it is."""
    return build(name)


def batch(window, rows=6, steps=7, horizon=4, seed=0, target=False):
    rng = np.random.default_rng(seed)
    inputs = {"past": rng.normal(size=(rows, steps, window.features))}
    if window.observed:
        inputs["observed"] = (rng.random(size=inputs["past"].shape) < 0.8).astype(float)
        inputs["observed"][:, -1] = 1
    if window.static:
        inputs["static"] = rng.normal(size=(rows, window.static))
    if window.future:
        inputs["future"] = rng.normal(size=(rows, horizon, window.future))
    if target:
        inputs["target"] = rng.normal(size=(rows, horizon, window.targets))
    y = rng.normal(size=(rows, horizon, window.targets)).astype("float32")
    return {key: value.astype("float32") for key, value in inputs.items()}, y


@functools.cache
def trained(name, dropout=0.0):
    return train(name, dropout=dropout)


def train(name, **changes):
    network = build(name, **changes)
    inputs, y = batch(network.window, target=True)
    network.compile("adam", "mse")
    network.fit(inputs, y, epochs=2, verbose=0, shuffle=False)
    return network


@each_network
def test_a_longer_horizon_goes_on_from_the_shorter(name):
    network = trained(name)
    targets = network.window.targets
    inputs, _ = batch(network.window, horizon=9)
    longer = decoded(network, inputs, 9)
    assert longer.shape == (6, 9, targets)
    short = {**inputs, "future": inputs["future"][:, :4]} if "future" in inputs else inputs
    trained_horizon = forecast(network, short)
    assert trained_horizon.shape == (6, 4, targets)
    np.testing.assert_allclose(longer[:, :4], trained_horizon, atol=1e-6)


@pytest.mark.parametrize("name", ["seed", "autoregressive", "rich, teacher", "no own past"])
def test_one_step_may_be_asked_for(name):
    network = trained(name)
    assert decoded(network, batch(network.window, horizon=1)[0], 1).shape == (6, 1, network.window.targets)


@each_network
def test_training_reaches_every_weight(name):
    before, after = untrained(name).trainable_weights, trained(name).trainable_weights
    still = [new.path for old, new in zip(before, after, strict=True) if np.array_equal(numpy(old), numpy(new))]
    assert still == []
    assert all(np.isfinite(numpy(weight)).all() for weight in after)


@pytest.mark.parametrize("name", ["seed", "autoregressive", "teacher", "scheduled", "rich, scheduled", "rich, teacher"])
def test_the_target_is_never_read_outside_training(name):
    network = trained(name)
    inputs, _ = batch(network.window)
    garbage = {**inputs, "target": np.full((6, 4, network.window.targets), np.nan, "float32")}
    np.testing.assert_array_equal(forecast(network, inputs), forecast(network, garbage))


@each_network
def test_prediction_models_share_the_weights_and_walk_the_same_way(name):
    network = trained(name)
    inputs, _ = batch(network.window)
    encoder, decoder = network.encoder_model, network.decoder_model
    states = compiled(encoder)({key: value for key, value in inputs.items() if key != "future"})
    written = []
    for t in range(4):
        given = {"states": states, **({"future": inputs["future"][:, t]} if "future" in inputs else {})}
        result = compiled(decoder)(given)
        states = result["states"]
        written.append(numpy(result["forecast"]))
    np.testing.assert_allclose(np.stack(written, 1), forecast(network, inputs), atol=1e-5)
    ours = {id(weight) for weight in network.weights}
    assert {id(weight) for weight in [*encoder.trainable_weights, *decoder.trainable_weights]} <= ours


@each_network
def test_a_keras_file_brings_the_same_network_back(name, tmp_path):
    network = trained(name)
    inputs, _ = batch(network.window)
    network.save(tmp_path / "network.keras")
    loaded = load_network(tmp_path / "network.keras")
    np.testing.assert_array_equal(forecast(loaded, inputs), forecast(network, inputs))
    rebuilt = Seq2Seq.from_config(json.loads(json.dumps(network.get_config())))
    assert rebuilt.get_config() == loaded.get_config() == network.get_config()
    for ours, theirs in zip(rebuilt.get_weights(), untrained(name).get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@each_network
def test_the_seed_decides_the_initial_weights(name):
    for a, b in zip(untrained(name).get_weights(), build(name).get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["bidirectional", "multi_head", "rich, scheduled"])
def test_the_seed_decides_what_is_dropped_and_shown(name):
    first, second = train(name, dropout=0.3), train(name, dropout=0.3)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@each_network
def test_rows_do_not_see_each_other(name):
    network = trained(name)
    inputs, _ = batch(network.window)
    order = np.array([3, 1, 5, 0, 4, 2])
    shuffled = {key: value[order] for key, value in inputs.items()}
    np.testing.assert_allclose(forecast(network, shuffled), forecast(network, inputs)[order], atol=1e-6)


@pytest.mark.processes
def test_another_process_loads_the_file(tmp_path):
    network = trained("rich, scheduled")
    inputs, _ = batch(network.window)
    network.save(tmp_path / "network.keras")
    np.savez(tmp_path / "inputs.npz", **inputs)
    code = (
        "import sys, numpy, seqcast\n"
        "network = seqcast.load_network(sys.argv[1] + '/network.keras')\n"
        "inputs = dict(numpy.load(sys.argv[1] + '/inputs.npz'))\n"
        "numpy.save(sys.argv[1] + '/out.npy', network.predict(inputs, verbose=0))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=os.environ.copy())
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), forecast(network, inputs), atol=1e-6)


def test_plain_load_model_works_after_importing_the_package(tmp_path):
    network = trained("seed")
    network.save(tmp_path / "network.keras")
    assert isinstance(keras.saving.load_model(tmp_path / "network.keras"), Seq2Seq)


def test_padding_before_the_first_observation_leaves_no_trace():
    network = build("rich")
    inputs, _ = batch(network.window)
    inputs["observed"][:] = 1
    padded = dict(inputs)
    padded["past"] = np.concatenate([np.full((6, 3, 3), 9.0, "float32"), inputs["past"]], axis=1)
    padded["observed"] = np.concatenate([np.zeros((6, 3, 3), "float32"), inputs["observed"]], axis=1)
    np.testing.assert_allclose(forecast(network, padded), forecast(network, inputs), atol=1e-6)


def test_teacher_and_free_running_agree_when_the_truth_is_the_own_forecast():
    network = build("teacher")
    inputs, _ = batch(network.window)
    own = forecast(network, inputs)
    teacher_forcing = network({**inputs, "target": own}, training=True)
    np.testing.assert_allclose(numpy(teacher_forcing), own, atol=1e-5)


def test_scheduled_sampling_moves_from_taught_to_free():
    network = build("scheduled", sampling_steps=4)
    inputs, _ = batch(network.window, target=True)
    teacher = build("teacher")
    teacher.set_weights([w for w in network.get_weights() if w.shape != ()][: len(teacher.get_weights())])
    forced = numpy(teacher(inputs, training=True))
    free = forecast(network, inputs)
    first = numpy(network(inputs, training=True))
    np.testing.assert_allclose(first, forced, atol=1e-6)  # probability 1 at step 0
    for _ in range(3):
        network(inputs, training=True)
    assert float(network.decoder.teacher_steps) == 4.0
    np.testing.assert_allclose(numpy(network(inputs, training=True)), free, atol=1e-6)
    assert np.abs(forced - free).max() > 1e-3


def test_regularisers_add_to_the_loss():
    plain, regular = (
        build("seed"),
        build("seed", regularizer={"kernel": "l2", "recurrent": "l1", "bias": "l2"}),
    )
    assert plain.losses == []
    assert len(regular.losses) > 4
    assert sum(float(numpy(loss)) for loss in regular.losses) > 0
    only_bias = build("seed", regularizer={"bias": "l2"})
    assert sum(float(numpy(loss)) for loss in only_bias.losses) == 0.0


def test_attention_weights_can_be_asked_for():
    network = build("additive")
    inputs, _ = batch(network.window)
    forecast, weights = network.decode(network.encode(inputs), 5, return_attention=True)
    assert tuple(weights.shape) == (6, 5, 7)
    np.testing.assert_allclose(numpy(weights).sum(-1), 1.0, atol=1e-5)
    assert tuple(forecast.shape) == (6, 5, 1)
    assert build("seed").decode(build("seed").encode(inputs), 5, return_attention=True)[1] is None


def test_any_keras_optimiser_loss_metric_and_callback():
    network = build("seed")
    inputs, y = batch(network.window)
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(sorted(logs)))
    network.compile(keras.optimizers.RMSprop(0.01), keras.losses.Huber(), metrics=["mae", "mse"])
    network.fit(inputs, y, epochs=2, validation_data=(inputs, y), callbacks=[callback], verbose=0)
    assert seen == [["loss", "mae", "mse", "val_loss", "val_mae", "val_mse"]] * 2


def test_tensorboard_writes_its_log(tmp_path):
    # Keras's callback writes through TensorFlow whatever the backend; seqcast.interop.tensorboard does without.
    pytest.importorskip("tensorflow")
    network = build("seed")
    inputs, y = batch(network.window)
    network.compile("adam", "mse")
    network.fit(inputs, y, verbose=0, callbacks=[keras.callbacks.TensorBoard(tmp_path)])
    assert list(tmp_path.rglob("events*"))


@pytest.mark.parametrize(
    ("window", "options", "words"),
    [
        (WindowSpec(horizon=4, features=3, targets=1), {"decoder_input": "teacher"}, "target_features"),
        (WindowSpec(horizon=4, features=3, targets=1), {"normalise": "last"}, "normalise='last'"),
        (PLAIN, {"decoder_input": "scheduled"}, "sampling_steps"),
    ],
)
def test_impossible_networks_are_refused(window, options, words):
    with pytest.raises(SpecError, match=words):
        Seq2Seq(window, NetworkSpec(**options))


def test_missing_inputs_are_named():
    network = build("rich")
    inputs, _ = batch(network.window)
    for missing in ("static", "observed"):
        with pytest.raises(DataError, match=missing):
            network({key: value for key, value in inputs.items() if key != missing})
    with pytest.raises(DataError, match=r"future_covariates: expected .B, 4, 1., received nothing"):
        network({key: value for key, value in inputs.items() if key != "future"})
    with pytest.raises(DataError, match=r"future_covariates: expected .B, 4, 1., received .B, 4, 2."):
        network({**inputs, "future": np.repeat(inputs["future"], 2, axis=2)})
    teacher = build("teacher")
    inputs, _ = batch(teacher.window)
    with pytest.raises(DataError, match="target"):
        teacher(inputs, training=True)


@pytest.mark.parametrize("steps", [3, 4, 6])
def test_it_forecasts_as_far_as_the_future_is_known(steps):
    network = build("rich")
    inputs, _ = batch(network.window)
    future = np.resize(inputs["future"], (len(inputs["future"]), steps, 1))
    assert network({**inputs, "future": future}).shape[1] == steps


# ---------------------------------------------------------------- heads


PROBABILISTIC = {
    "quantile": {"head": "quantile", "normalise": "instance"},
    "normal, attention": {"head": "normal", "attention": "dot", "normalise": "last"},
    "student_t, scheduled": {"head": "student_t", "decoder_input": "scheduled", "sampling_steps": 5},
    "negative_binomial": {"head": "negative_binomial", "normalise": "scale", "decoder_input": "teacher"},
    "log_normal": {"head": "log_normal", "normalise": "scale", "decoder_input": "autoregressive", "cell": "lstm"},
}
each_probabilistic = pytest.mark.parametrize("name", PROBABILISTIC)


def positive(window, **options):
    """Return a batch of counts from 1 on, which every distribution has."""
    inputs, y = batch(window, **options)
    for name in ("past", "target"):
        if name in inputs:
            inputs[name] = np.floor(np.abs(inputs[name]) * 4 + 1)
    return inputs, np.floor(np.abs(y) * 4 + 1)


@each_probabilistic
def test_parameters_come_out_and_training_reaches_every_weight(name):
    network = Seq2Seq(RICH, NetworkSpec(**SIZES, **PROBABILISTIC[name]), seed=11)
    inputs, y = positive(RICH, target=True)
    size = network.decoder.head.size
    assert forecast(network, inputs).shape == (6, 4, 2, size)
    y[0, 1:] = np.nan
    network.compile(keras.optimizers.SGD(1.0), network.decoder.head.loss())
    before = [numpy(weight) for weight in network.trainable_weights]
    assert np.isfinite(network.train_on_batch(inputs, y))
    changed = [not np.array_equal(numpy(w), old) for w, old in zip(network.trainable_weights, before, strict=True)]
    assert all(changed)
    assert all(np.isfinite(numpy(weight)).all() for weight in network.trainable_weights)


@each_probabilistic
def test_single_steps_give_the_same_parameters(name):
    network = Seq2Seq(PLAIN, NetworkSpec(**SIZES, **PROBABILISTIC[name]), seed=11)
    inputs, _ = positive(PLAIN)
    carry = network.decoder.start(network.encoder({"past": keras.ops.convert_to_tensor(inputs["past"])}))
    steps = []
    for _ in range(4):
        written, carry = network.decoder(carry)
        steps.append(numpy(written))
    np.testing.assert_allclose(np.stack(steps, axis=1), forecast(network, inputs), rtol=1e-4, atol=1e-5)
    assert network.decoder_model.output["forecast"].shape[1:] == (1, network.decoder.head.size)


def test_shapes_of_weights_are_those_of_a_built_network_and_take_no_memory(memory_at_most):
    window = WindowSpec(horizon=7, features=3, targets=2, static=4, future=5, target_features=(1, 0), observed=True)
    rich = NetworkSpec(
        encoder_units=(6, 3),
        decoder_units=(4,),
        bidirectional=True,
        attention="multi_head",
        decoder_input="scheduled",
        sampling_steps=9,
    )
    built = Seq2Seq(window, rich, seed=0)
    assert weight_shapes(window, rich) == [tuple(weight.shape) for weight in built.weights]
    units = 10**9
    with memory_at_most(16 << 20):
        shapes = weight_shapes(window, NetworkSpec(encoder_units=(units,), decoder_units=(units,)))
        # The end of a scope gives values to variables of the same thread that have none.
        with keras.StatelessScope():
            pass
    assert (units, 3 * units) in shapes
