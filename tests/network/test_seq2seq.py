"""Every kind of network through the same properties."""

import contextlib
import functools
import json
from dataclasses import replace

import keras
import numpy as np
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.network import Seq2Seq, load_network, weight_shapes
from seqcast.runtime.backend import to_numpy as numpy
from seqcast.runtime.jit import compile_call
from seqcast.specs.network import NetworkSpec, WindowSpec
from tests.rejections import rejected

from .networks import NETWORKS, PLAIN, RICH, batch, build, compiled, forecast, untrained

each_network = pytest.mark.parametrize("name", NETWORKS)


@functools.cache
def trained(name):
    """Return a network after one step of training, for tests that leave it as it is."""
    network = build(name)
    inputs, y = batch(network, target=True)
    y[0, 1:] = np.nan
    network.compile(keras.optimizers.SGD(0.5), network.decoder.head.loss())
    assert np.isfinite(network.train_on_batch(inputs, y))
    return network


@each_network
def test_one_step_of_training_reaches_every_weight(name):
    before = untrained(name).trainable_weights
    after = trained(name).trainable_weights
    still = [
        new.path
        for old, new in zip(before, after, strict=True)
        if np.array_equal(numpy(old), numpy(new))
    ]
    assert still == []
    assert all(np.isfinite(numpy(weight)).all() for weight in after)


@pytest.mark.parametrize(
    "name", ["seed", "autoregressive", "teacher", "scheduled", "rich, scheduled", "rich, teacher"]
)
def test_the_target_is_never_read_outside_training(name):
    network = trained(name)
    inputs, _ = batch(network)
    garbage = {**inputs, "target": np.full((6, 5, network.window.targets), np.nan, "float32")}
    np.testing.assert_array_equal(forecast(network, inputs), forecast(network, garbage))


@each_network
def test_prediction_models_share_the_weights_and_write_token_after_token_or_say_why_not(name):
    network = untrained(name)
    inputs, _ = batch(network, horizon=6)
    encoder = network.encoder_model
    if network.network.in_blocks:
        with pytest.raises(
            SpecError,
            match=r"decoder_model: .*limit of tokens.*decoder_input='position'.*block by block",
        ):
            network.decoder_model  # noqa: B018
        return
    decoder = network.decoder_model
    segment = network.network.segment
    past = {key: value for key, value in inputs.items() if key != "future"}
    states = compiled(encoder)(past)
    written = []
    for t in range(0, 6, segment):
        steps = inputs["future"][:, t : t + segment] if "future" in inputs else None
        known = {} if steps is None else {"future": steps if segment > 1 else steps[:, 0]}
        result = compiled(decoder)({"states": states, **known})
        states = result["states"]
        written.append(numpy(result["forecast"]).reshape(6, segment, -1))
    run = compile_call(
        network, lambda given: network.decode(network.encode(past), 6, given.get("future"))
    )
    whole = numpy(run({"future": inputs["future"]} if "future" in inputs else {}))
    np.testing.assert_allclose(
        np.concatenate(written, axis=1), whole.reshape(6, 6, -1), rtol=1e-4, atol=1e-5
    )
    ours = {id(weight) for weight in network.weights}
    assert {
        id(weight) for weight in [*encoder.trainable_weights, *decoder.trainable_weights]
    } <= ours


@each_network
def test_a_keras_file_brings_the_same_network_back(name, tmp_path):
    network = trained(name)
    inputs, _ = batch(network)
    network.save(tmp_path / "network.keras")
    loaded = load_network(tmp_path / "network.keras")
    np.testing.assert_array_equal(forecast(loaded, inputs), forecast(network, inputs))
    if name == "seed":
        assert isinstance(keras.saving.load_model(tmp_path / "network.keras"), Seq2Seq)
    rebuilt = Seq2Seq.from_config(json.loads(json.dumps(network.get_config())))
    assert rebuilt.get_config() == loaded.get_config() == network.get_config()
    for ours, theirs in zip(rebuilt.get_weights(), untrained(name).get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)  # the seed decides the weights


ELSEWHERE = """
import numpy as np, seqcast
forecast = seqcast.load_network("network.keras")(dict(np.load("inputs.npz")))
np.save("forecast.npy", seqcast.runtime.backend.keras.ops.convert_to_numpy(forecast))
"""


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="test_backends.py")
def test_another_process_reads_a_keras_file_with_only_seqcast_imported(
    run_python, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    network = trained("seed")
    inputs, _ = batch(network)
    network.save("network.keras")
    np.savez("inputs.npz", **inputs)
    run_python(ELSEWHERE)
    np.testing.assert_allclose(
        np.load("forecast.npy"), forecast(network, inputs), rtol=1e-5, atol=1e-6
    )


WITH_DROPOUT = [
    "bidirectional",
    "multi_head",
    "rich, scheduled",
    "segments",
    "rich, segments, parallel",
]


@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_dropout_is_drawn_by_the_seed(name):
    """Two steps of training that change nothing: what they draw shows in their losses."""

    def losses():
        network = build(name, dropout=0.5)
        inputs, y = batch(network, target=True)
        network.compile(keras.optimizers.SGD(0.0), network.decoder.head.loss())
        return [float(network.train_on_batch(inputs, y)) for _ in range(2)]

    first, second = losses()
    assert [first, second] == losses()
    assert abs(first - second) > 1e-4


@each_network
def test_rows_do_not_see_each_other(name):
    network = trained(name)
    inputs, _ = batch(network)
    order = np.array([3, 1, 5, 0, 4, 2])
    shuffled = {key: value[order] for key, value in inputs.items()}
    np.testing.assert_allclose(
        forecast(network, shuffled), forecast(network, inputs)[order], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("steps", [7, 8, 9])
@pytest.mark.parametrize("name", ["rich", "rich, segments, parallel"])
def test_padding_before_the_first_observation_leaves_no_trace(name, steps):
    network = untrained(name)
    inputs, _ = batch(network, steps=steps)
    padded = dict(inputs)
    padded["past"] = np.concatenate([np.full((6, 4, 3), 9.0, "float32"), inputs["past"]], axis=1)
    padded["observed"] = np.concatenate(
        [np.zeros((6, 4, 3), "float32"), inputs["observed"]], axis=1
    )
    np.testing.assert_allclose(forecast(network, padded), forecast(network, inputs), atol=1e-5)


def test_teacher_and_free_running_agree_when_the_truth_is_the_own_forecast():
    network = build("teacher")
    inputs, _ = batch(network)
    own = forecast(network, inputs)
    teacher_forcing = network({**inputs, "target": own}, training=True)
    np.testing.assert_allclose(numpy(teacher_forcing), own, atol=1e-5)


def test_scheduled_sampling_moves_from_taught_to_free():
    network = build("scheduled", sampling_steps=4)
    inputs, _ = batch(network, target=True)
    teacher = build("teacher")
    teacher.set_weights(
        [w for w in network.get_weights() if w.shape != ()][: len(teacher.get_weights())]
    )
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
    every = {"kernel": "l2", "recurrent": "l1", "bias": "l2"}
    losses = [
        build("seed", regularizer=regularizer).losses
        for regularizer in (None, every, {"bias": "l2"})
    ]
    assert losses[0] == []
    assert len(losses[1]) > 4
    assert sum(map(keras.ops.convert_to_numpy, losses[1])) > 0
    assert sum(map(keras.ops.convert_to_numpy, losses[2])) == 0.0


def test_attention_weights_can_be_asked_for():
    inputs, _ = batch(untrained("additive"))
    for name, shape in (("additive", (6, 5, 8)), ("seed", None)):
        network = untrained(name)
        forecast, weights = network.decode(network.encode(inputs), 5, return_attention=True)
        assert tuple(forecast.shape) == (6, 5, 1)
        assert (None if weights is None else tuple(weights.shape)) == shape


def test_any_keras_optimiser_loss_metric_and_callback():
    network = build("seed")
    inputs, y = batch(network)
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(sorted(logs))
    )
    network.compile(keras.optimizers.RMSprop(0.01), keras.losses.Huber(), metrics=["mae", "mse"])
    network.fit(inputs, y, epochs=2, validation_data=(inputs, y), callbacks=[callback], verbose=0)
    assert seen == [["loss", "mae", "mse", "val_loss", "val_mae", "val_mse"]] * 2


NO_OWN_PAST = WindowSpec(horizon=4, features=3, targets=1)
NO_SEASON = WindowSpec(horizon=4, features=1, targets=1, target_features=(0,))
SHORT = WindowSpec(
    horizon=4, features=1, targets=1, target_features=(0,), season_length=9, context_length=8
)
IMPOSSIBLE = [
    (
        NO_OWN_PAST,
        {"decoder_input": "position"},
        "target_features: .*needed by decoder_input='position'",
    ),
    (
        NO_OWN_PAST,
        {"decoder_input": "teacher"},
        "target_features: .*needed by decoder_input='teacher'",
    ),
    (NO_OWN_PAST, {"normalise": "last"}, "target_features: .*needed by normalise='last'"),
    (
        NO_SEASON,
        {"residual": "seasonal"},
        "season_length: expected the steps of a season, .*received None",
    ),
    (
        SHORT,
        {"residual": "seasonal"},
        "context_length: expected at least a season, 9 steps, .*received 8",
    ),
    (NO_SEASON, {"segment": 5}, "segment: expected at most the horizon, 4, received 5"),
    (PLAIN, {"decoder_input": "scheduled"}, "sampling_steps"),
    (replace(SHORT, season_length=8), {"residual": "seasonal"}, None),
    (NO_SEASON, {"segment": 4}, None),
    (NO_OWN_PAST, {}, None),
]


@pytest.mark.parametrize(("window", "options", "words"), IMPOSSIBLE)
def test_impossible_networks_are_rejected(window, options, words):
    rejection = contextlib.nullcontext() if words is None else pytest.raises(SpecError, match=words)
    with rejection:
        Seq2Seq(window, NetworkSpec(**options))


def test_missing_inputs_are_named():
    network = untrained("rich")
    teacher = untrained("teacher")
    inputs, _ = batch(network)
    future = r"future_covariates: expected .B, 5, 1., received "
    for missing, words in (
        ("static", "static"),
        ("observed", "observed"),
        ("future", future + "nothing"),
    ):
        rejected(
            DataError,
            words,
            network,
            {key: value for key, value in inputs.items() if key != missing},
        )
    rejected(
        DataError,
        future + ".B, 5, 2.",
        network,
        {**inputs, "future": np.repeat(inputs["future"], 2, axis=2)},
    )
    rejected(DataError, "target", teacher, batch(teacher)[0], training=True)


def test_it_forecasts_as_far_as_the_future_is_known():
    network = untrained("rich")
    for steps in (3, 6):
        assert network(batch(network, horizon=steps)[0]).shape[1] == steps


def test_shapes_of_weights_are_those_of_a_built_network_and_take_no_memory(memory_at_most):
    for network in map(untrained, ("multi_head", "rich, scheduled", "rich, segments, parallel")):
        assert weight_shapes(network.window, network.network) == [
            tuple(weight.shape) for weight in network.weights
        ]
    units = 10**9
    with memory_at_most(16 << 20):
        shapes = weight_shapes(RICH, NetworkSpec(encoder_units=(units,), decoder_units=(units,)))
        # The end of a scope gives values to variables of the same thread that have none.
        with keras.StatelessScope():
            pass
    assert (units, 3 * units) in shapes


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="steps of JAX")
def test_plain_keras_says_nan_and_keeps_its_weights():
    network = build("seed")
    network.compile("adam", "mse")
    before = network.get_weights()
    history = network.fit(np.ones((8, 8, 2)), np.full((8, 5, 1), np.nan), verbose=0)
    assert np.isnan(history.history["loss"][0])
    assert all(map(np.array_equal, network.get_weights(), before))
