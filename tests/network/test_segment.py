"""Segments, positions, parallel decoding and the seasonal residual, against plain loops and as whole networks."""

import functools
import json

import keras
import numpy as np
import pytest

from seqcast.data.windows.gaps import fill_gaps
from seqcast.errors import DataError, SpecError
from seqcast.network import Seq2Seq, load_network
from seqcast.network.residual import season_ahead
from seqcast.network.segment import fold, token_count, unfold, whole_on_left, whole_on_right
from seqcast.runtime.backend import to_numpy
from seqcast.runtime.jit import compile_call
from seqcast.specs.network import NetworkSpec
from seqcast.specs.window import WindowSpec

PLAIN = WindowSpec(horizon=5, features=2, targets=1, target_features=(1,), context_length=8, season_length=4)
RICH = WindowSpec(
    horizon=5,
    features=3,
    targets=2,
    static=2,
    future=1,
    target_features=(2, 0),
    observed=True,
    season_length=4,
    context_length=8,
)
SIZES = {"encoder_units": (5, 4), "decoder_units": (5, 4)}
PARALLEL = {"decoder_input": "position", "decoding": "parallel"}

NETWORKS = {
    "segments": (PLAIN, {**SIZES, "segment": 3}),
    "position": (PLAIN, {**SIZES, "decoder_input": "position"}),
    "parallel": (PLAIN, {**SIZES, **PARALLEL}),
    "seasonal": (PLAIN, {**SIZES, "residual": "seasonal"}),
    "gated": (PLAIN, {**SIZES, "residual": "gated", "decoder_input": "autoregressive"}),
    "segments, parallel": (PLAIN, {**SIZES, **PARALLEL, "segment": 3, "normalise": "last"}),
    "rich, segments, scheduled": (
        RICH,
        {**SIZES, "segment": 2, "decoder_input": "scheduled", "sampling_steps": 5, "residual": "seasonal"},
    ),
    "rich, segments, parallel": (
        RICH,
        {
            **PARALLEL,
            "encoder_units": (6,),
            "decoder_units": (4,),
            "cell": "lstm",
            "segment": 3,
            "attention": "additive",
            "normalise": "instance",
            "static_input": "steps",
            "residual": "gated",
        },
    ),
    "segments, quantile": (
        PLAIN,
        {
            **SIZES,
            "segment": 2,
            "decoder_input": "autoregressive",
            "head": "quantile",
            "normalise": "instance",
            "residual": "seasonal",
        },
    ),
    "rich, segments, student_t": (
        RICH,
        {**SIZES, "segment": 2, "decoder_input": "teacher", "head": "student_t", "attention": "dot"},
    ),
    "segments, parallel, normal": (
        PLAIN,
        {**SIZES, **PARALLEL, "segment": 3, "normalise": "last", "head": "normal", "residual": "seasonal"},
    ),
}
each_network = pytest.mark.parametrize("name", NETWORKS)


def build(name, **changes):
    window, options = NETWORKS[name]
    return Seq2Seq(window, NetworkSpec(**{**options, **changes}), seed=11)


@functools.cache
def unchanged(name):
    """Return a network for tests that leave it as it is."""
    return build(name)


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def batch(window, rows=6, steps=8, horizon=5, seed=0, target=False):
    rng = np.random.default_rng(seed)
    inputs = {"past": rng.normal(size=(rows, steps, window.features))}
    if window.observed:
        inputs["past"][rng.random(inputs["past"].shape) < 0.2] = np.nan
        inputs["past"][0, :3] = np.nan
        inputs["past"], inputs["observed"] = fill_gaps(inputs["past"])
    if window.static:
        inputs["static"] = rng.normal(size=(rows, window.static))
    if window.future:
        inputs["future"] = rng.normal(size=(rows, horizon, window.future))
    if target:
        inputs["target"] = rng.normal(size=(rows, horizon, window.targets))
    y = rng.normal(size=(rows, horizon, window.targets)).astype("float32")
    return {key: value.astype("float32") for key, value in inputs.items()}, y


@functools.cache
def compiled(model):
    """Return a model's call, compiled as a whole."""
    return compile_call(model, model)


def forecast(network, inputs):
    """Return the network's output."""
    return to_numpy(compiled(network)(inputs))


# ---------------------------------------------------------------- folding


@pytest.mark.parametrize("segment", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("steps", [1, 5, 6, 7])
def test_folding_is_a_plain_loop(segment, steps):
    x = np.random.default_rng(0).normal(size=(2, steps, 3)).astype("float32")
    tokens = token_count(steps, segment)
    missing = tokens * segment - steps
    assert 0 <= missing < segment
    lengthened = {
        "zeros": (whole_on_left(x, segment), [np.zeros((2, 3))] * missing + [x[:, t] for t in range(steps)]),
        "first": (whole_on_left(x, segment, repeat=True), [x[:, 0]] * missing + [x[:, t] for t in range(steps)]),
        "last": (whole_on_right(x, segment), [x[:, t] for t in range(steps)] + [x[:, -1]] * missing),
    }
    for longer, rows in lengthened.values():
        longer = keras.ops.convert_to_tensor(longer)
        np.testing.assert_array_equal(numpy(longer), np.stack(rows, 1))
        expected = [np.concatenate(rows[k * segment : (k + 1) * segment], axis=-1) for k in range(tokens)]
        folded = fold(longer, segment)
        np.testing.assert_array_equal(numpy(folded), np.stack(expected, 1))
        np.testing.assert_array_equal(numpy(unfold(folded, segment)), numpy(longer))


@pytest.mark.parametrize("steps", [1, 3, 4, 9])
def test_the_last_season_is_repeated(steps):
    season = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    expected = np.stack([season[:, t % 4] for t in range(steps)], 1)
    np.testing.assert_array_equal(numpy(season_ahead(keras.ops.convert_to_tensor(season), steps)), expected)


# ---------------------------------------------------------------- the network in plain NumPy


def gru(cell, x, h):
    kernel, recurrent, bias = (numpy(w.value) for w in (cell.kernel, cell.recurrent_kernel, cell.bias))
    a, b = np.split(x @ kernel + bias[0], 3, -1), np.split(h @ recurrent + bias[1], 3, -1)
    z, r = (1 / (1 + np.exp(-(a[k] + b[k]))) for k in (0, 1))
    return z * h + (1 - z) * np.tanh(a[2] + r * b[2])


def dense(layer, x):
    kernel, bias = (numpy(w.value) for w in layer.weights)
    return x @ kernel + bias


def stack(cells, x, states):
    after = []
    for cell, h in zip(cells, states, strict=True):
        x = gru(cell, x, h)
        after.append(x)
    return x, after


@pytest.mark.parametrize("residual", ["none", "seasonal", "gated"])
@pytest.mark.parametrize("decoding", ["parallel", "recurrent"])
def test_segments_and_decoding_are_those_of_segrnn(decoding, residual):
    network = build("segments, parallel", decoding=decoding, residual=residual)
    inputs, _ = batch(PLAIN)
    past = inputs["past"].astype(float).copy()
    last = past[:, -1:, 1].copy()
    past[:, :, 1] -= last
    padded = [past[:, 0], *[past[:, t] for t in range(8)]]  # 9 steps, three segments
    if residual == "gated":  # another gate for each unit and step than the first one, which is half open everywhere
        gate = network.decoder.gate
        gate.kernel.assign(np.random.default_rng(4).normal(size=gate.kernel.shape))
    states = [np.zeros((6, 5)), np.zeros((6, 4))]
    for k in range(3):
        token = np.concatenate(padded[3 * k : 3 * k + 3], axis=-1)
        token = np.maximum(dense(network.encoder.embedding.dense, token), 0)
        _, states = stack(network.encoder.stack.layers_forward, token, states)
    written, gates = [], []
    for k in range(2):
        position = np.repeat(numpy(network.decoder.position.value)[k : k + 1], 6, axis=0)
        output, after = stack(network.decoder.stack.layers_forward, position, states)
        states = after if decoding == "recurrent" else states
        written += [dense(network.decoder.head.dense, output)[:, t] for t in range(3)]
        if residual == "gated":
            gates += [1 / (1 + np.exp(-dense(network.decoder.gate, output)[:, t])) for t in range(3)]
    expected = np.stack(written[:5], axis=1)
    if residual != "none":
        season = np.stack([past[:, 4 + t % 4, 1] for t in range(5)], axis=1)
        expected += season * (np.stack(gates[:5], axis=1) if gates else 1.0)
    np.testing.assert_allclose(forecast(network, inputs)[:, :, 0], expected + last, atol=1e-5)


# ---------------------------------------------------------------- properties of whole networks


@each_network
def test_one_step_of_training_reaches_every_weight(name):
    network = build(name)
    inputs, y = batch(network.window, target=True)
    network.compile(keras.optimizers.SGD(1.0), network.decoder.head.loss())
    before = [numpy(weight.value).copy() for weight in network.trainable_weights]
    assert np.isfinite(network.train_on_batch(inputs, y, return_dict=True)["loss"])
    after = [numpy(weight.value) for weight in network.trainable_weights]
    assert all(np.isfinite(new).all() for new in after)
    pairs = zip(network.trainable_weights, before, after, strict=True)
    assert [weight.path for weight, old, new in pairs if np.array_equal(old, new)] == []


@each_network
def test_a_keras_file_brings_the_same_network_back(name, tmp_path):
    network = unchanged(name)
    inputs, _ = batch(network.window)
    network.save(tmp_path / "network.keras")
    loaded = load_network(tmp_path / "network.keras")
    np.testing.assert_array_equal(forecast(loaded, inputs), forecast(network, inputs))
    rebuilt = Seq2Seq.from_config(json.loads(json.dumps(network.get_config())))
    assert rebuilt.get_config() == loaded.get_config() == network.get_config()
    for ours, theirs in zip(rebuilt.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)  # the seed decides the weights


@each_network
def test_prediction_models_write_token_after_token_or_say_why_not(name):
    network = unchanged(name)
    inputs, _ = batch(network.window, horizon=6)
    if network.network.in_blocks:
        assert network.encoder_model.output["layers"]
        with pytest.raises(SpecError, match=r"decoder_model: .*without end.*decoder_input='position'.*block by block"):
            network.decoder_model  # noqa: B018
        return
    encoder, decoder = network.encoder_model, network.decoder_model
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
    run = compile_call(network, lambda given: network.decode(network.encode(past), 6, given.get("future")))
    whole = to_numpy(run({"future": inputs["future"]} if "future" in inputs else {}))
    np.testing.assert_allclose(np.concatenate(written, axis=1), whole.reshape(6, 6, -1), atol=1e-5)


@pytest.mark.parametrize("head", ["quantile", "normal", "student_t"])
def test_the_season_and_the_normaliser_move_a_distribution(head):
    """A token of a probabilistic head holds the parameters of all its steps, in the order of the steps."""
    network = build("segments, parallel, normal", head=head, decoding="recurrent", normalise="last")
    inputs, _ = batch(PLAIN)
    parameters = forecast(network, inputs)
    assert parameters.shape == (6, 5, 1, network.decoder.head.size)
    plain = build("segments, parallel, normal", head=head, decoding="recurrent", normalise="none", residual="none")
    plain.set_weights(network.get_weights())
    last = inputs["past"][:, -1:, 1:]
    centred = inputs["past"].copy()
    centred[:, :, 1:] -= last
    moved = forecast(plain, {"past": centred})
    season = np.stack([inputs["past"][:, 4 + t % 4, 1] for t in range(5)], axis=1)[..., None]
    expected = network.decoder.head.shifted(keras.ops.convert_to_tensor(moved), keras.ops.convert_to_tensor(season))
    np.testing.assert_allclose(parameters, numpy(expected), atol=1e-5)


@pytest.mark.parametrize("steps", [7, 8, 9])
def test_padding_before_the_first_observation_leaves_no_trace(steps):
    network = build("rich, segments, parallel", normalise="instance")
    inputs, _ = batch(RICH, steps=steps)
    padded = dict(inputs)
    padded["past"] = np.concatenate([np.full((6, 4, 3), 9.0, "float32"), inputs["past"]], axis=1)
    padded["observed"] = np.concatenate([np.zeros((6, 4, 3), "float32"), inputs["observed"]], axis=1)
    np.testing.assert_allclose(forecast(network, padded), forecast(network, inputs), atol=1e-5)


def test_no_step_of_a_past_that_is_no_multiple_is_lost():
    network = build("segments")
    inputs, _ = batch(PLAIN)
    base = forecast(network, inputs)
    for step in range(8):
        changed = inputs["past"].copy()
        changed[:, step] += 1.0
        assert np.abs(forecast(network, {"past": changed}) - base).max() > 1e-6


@pytest.mark.parametrize(("normalise", "scale"), [("last", 1.0), ("level", 1.0), ("instance", 40.0), ("recent", 40.0)])
@pytest.mark.parametrize("name", ["segments, parallel", "rich, segments, scheduled"])
def test_moving_a_window_moves_its_forecast(name, normalise, scale):
    network = build(name, normalise=normalise, residual="seasonal")
    inputs, _ = batch(network.window, seed=3)
    inputs["past"] *= 100.0  # so that the deviation's epsilon is nothing beside it
    targets = list(network.window.target_features)
    moved = {**inputs, "past": inputs["past"].copy()}
    moved["past"][:, :, targets] = inputs["past"][:, :, targets] * scale + 300.0
    if network.window.observed:
        moved["past"][moved["observed"].cumsum(axis=1) < 0.5] = 0.0  # what is not seen yet does not move
    expected = forecast(network, inputs) * scale + 300.0
    seen = np.ones(6, bool) if not network.window.observed else inputs["observed"].cumsum(axis=1).min(axis=(1, 2)) > 0
    assert seen.any()
    np.testing.assert_allclose(forecast(network, moved)[seen], expected[seen], rtol=2e-3, atol=0.05 * scale)


@pytest.mark.parametrize("normalise", ["none", "last", "instance"])
@pytest.mark.parametrize("name", ["seasonal", "gated", "segments, parallel", "rich, segments, scheduled"])
def test_without_weights_the_residual_is_the_seasonal_naive_forecast(name, normalise):
    residual = "gated" if name == "gated" else "seasonal"
    network = build(name, residual=residual, normalise=normalise)
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    if network.decoder.gate is not None:
        network.decoder.gate.bias.assign(np.full(network.decoder.gate.bias.shape, 90.0))  # wide open
    window = network.window
    inputs, _ = batch(window, horizon=11)
    past = {key: value for key, value in inputs.items() if key != "future"}
    if window.observed:
        past["observed"] = np.ones_like(past["past"])
    run = compile_call(network, lambda given: network.decode(network.encode(past), 11, given.get("future")))
    naive = np.stack([past["past"][:, 4 + t % 4][:, list(window.target_features)] for t in range(11)], axis=1)
    np.testing.assert_allclose(run({"future": inputs["future"]} if "future" in inputs else {}), naive, atol=1e-5)


@pytest.mark.parametrize("name", ["segments", "rich, segments, scheduled", "rich, segments, parallel"])
def test_dropout_is_drawn_by_the_seed(name):
    """Two steps of training that change nothing: what they draw shows in their losses."""

    def losses():
        network = build(name, dropout=0.5)
        inputs, y = batch(network.window, target=True)
        network.compile(keras.optimizers.SGD(0.0), network.decoder.head.loss())
        return [float(network.train_on_batch(inputs, y)) for _ in range(2)]

    first, second = losses()
    assert [first, second] == losses()
    assert abs(first - second) > 1e-4


# ---------------------------------------------------------------- refusals

NO_OWN_PAST = WindowSpec(horizon=4, features=3, targets=1)
NO_SEASON = WindowSpec(horizon=4, features=1, targets=1, target_features=(0,))
SHORT = WindowSpec(horizon=4, features=1, targets=1, target_features=(0,), season_length=9, context_length=8)


@pytest.mark.parametrize(
    ("window", "options", "words"),
    [
        (NO_OWN_PAST, {"decoder_input": "position"}, "target_features: .*needed by decoder_input='position'"),
        (NO_OWN_PAST, {"residual": "seasonal"}, "target_features: .*needed by residual='seasonal'"),
        (NO_SEASON, {"residual": "seasonal"}, "season_length: expected the steps of a season, .*received None"),
        (SHORT, {"residual": "seasonal"}, "context_length: expected at least a season, 9 steps, .*received 8"),
        (NO_SEASON, {"segment": 5}, "segment: expected at most the horizon, 4, received 5"),
    ],
)
def test_impossible_networks_are_refused(window, options, words):
    with pytest.raises(SpecError, match=words):
        Seq2Seq(window, NetworkSpec(**options))


def test_a_past_shorter_than_a_season_is_refused():
    network = Seq2Seq(
        WindowSpec(horizon=4, features=1, targets=1, target_features=(0,), season_length=9),
        NetworkSpec(residual="seasonal"),
        seed=0,
    )
    with pytest.raises(DataError, match="past: expected at least a season, 9 steps, received 8 steps"):
        network(np.zeros((2, 8, 1), "float32"))
    with pytest.raises(SpecError, match="encoder_model: expected a window of fixed context_length"):
        network.encoder_model  # noqa: B018
