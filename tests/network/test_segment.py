"""Segments, positions, parallel decoding and the seasonal residual, against plain loops and as whole networks."""

import keras
import numpy as np
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.network import Seq2Seq
from seqcast.network.segment import (
    fold,
    token_count,
    unfold,
    whole_on_left,
    whole_on_right,
    write_in_blocks,
)
from seqcast.runtime.backend import to_numpy as numpy
from seqcast.runtime.jit import compile_call
from seqcast.specs.network import NetworkSpec, WindowSpec

from .networks import batch, build, forecast, reference_step, sigmoid

# ---------------------------------------------------------------- folding


@pytest.mark.parametrize("segment", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("steps", [1, 5, 6, 7])
def test_folding_is_a_plain_loop(segment, steps):
    x = np.random.default_rng(0).normal(size=(2, steps, 3)).astype("float32")
    tokens = token_count(steps, segment)
    missing = tokens * segment - steps
    assert 0 <= missing < segment
    lengthened = {
        "zeros": (
            whole_on_left(x, segment),
            [np.zeros((2, 3))] * missing + [x[:, t] for t in range(steps)],
        ),
        "first": (
            whole_on_left(x, segment, repeat=True),
            [x[:, 0]] * missing + [x[:, t] for t in range(steps)],
        ),
        "last": (
            whole_on_right(x, segment),
            [x[:, t] for t in range(steps)] + [x[:, -1]] * missing,
        ),
    }
    for longer, rows in lengthened.values():
        longer = keras.ops.convert_to_tensor(longer)
        np.testing.assert_array_equal(numpy(longer), np.stack(rows, 1))
        expected = [
            np.concatenate(rows[k * segment : (k + 1) * segment], axis=-1) for k in range(tokens)
        ]
        folded = fold(longer, segment)
        np.testing.assert_array_equal(numpy(folded), np.stack(expected, 1))
        np.testing.assert_array_equal(numpy(unfold(folded, segment)), numpy(longer))


@pytest.mark.parametrize("segment", [1, 2, 3, 4])
@pytest.mark.parametrize("trained", [4, 5, 7])
def test_blocks_of_any_size_join_without_a_seam(trained, segment):
    """States are numbers of steps read; a forecast of a step is its number."""

    def decode(read, start, steps):
        assert read == start
        assert 0 < steps <= trained
        return keras.ops.reshape(keras.ops.arange(start + 1, start + steps + 1), (1, -1)), None

    def append(read, forecast):
        assert forecast.shape[1] % segment == 0
        return read + forecast.shape[1]

    for horizon in range(1, 20):
        forecast, weights = write_in_blocks(
            decode, append, 0, horizon=horizon, trained=trained, segment=segment
        )
        assert weights is None
        assert [int(step) for step in forecast[0]] == list(range(1, horizon + 1))


# ---------------------------------------------------------------- the network in plain NumPy


def dense(layer, x):
    kernel, bias = layer.get_weights()
    return x @ kernel + bias


def stack(cells, x, states):
    after = []
    for cell, h in zip(cells, states, strict=True):
        ((x,), _) = reference_step("gru", x, (h,), *cell.get_weights())
        after.append(x)
    return x, after


@pytest.mark.parametrize("residual", ["none", "seasonal", "gated"])
@pytest.mark.parametrize("decoding", ["parallel", "recurrent"])
def test_segments_and_decoding_are_those_of_segrnn(decoding, residual):
    network = build("segments, parallel", decoding=decoding, residual=residual)
    inputs, _ = batch(network)
    past = inputs["past"].astype(float).copy()
    last = past[:, -1:, 1].copy()
    past[:, :, 1] -= last
    padded = [past[:, 0], *[past[:, t] for t in range(8)]]  # 9 steps, three segments
    if (
        residual == "gated"
    ):  # another gate for each unit and step than the first one, which is half open everywhere
        gate = network.decoder.gate
        gate.kernel.assign(np.random.default_rng(4).normal(size=gate.kernel.shape))
    states = [np.zeros((6, 5)), np.zeros((6, 4))]
    for k in range(3):
        token = np.concatenate(padded[3 * k : 3 * k + 3], axis=-1)
        token = np.maximum(dense(network.encoder.embedding.dense, token), 0)
        _, states = stack(network.encoder.stack.layers_forward, token, states)
    written = []
    gates = []
    for k in range(2):
        position = np.repeat(numpy(network.decoder.position.value)[k : k + 1], 6, axis=0)
        output, after = stack(network.decoder.stack.layers_forward, position, states)
        states = after if decoding == "recurrent" else states
        written += [dense(network.decoder.head.dense, output)[:, t] for t in range(3)]
        if residual == "gated":
            gates += [sigmoid(dense(network.decoder.gate, output)[:, t]) for t in range(3)]
    expected = np.stack(written[:5], axis=1)
    if residual != "none":
        season = np.stack([past[:, 4 + t % 4, 1] for t in range(5)], axis=1)
        expected += season * (np.stack(gates[:5], axis=1) if gates else 1.0)
    np.testing.assert_allclose(forecast(network, inputs)[:, :, 0], expected + last, atol=1e-5)


@pytest.mark.parametrize("head", ["quantile", "normal", "student_t"])
def test_the_season_and_the_normaliser_move_a_distribution(head):
    """A token of a probabilistic head holds the parameters of all its steps, in the order of the steps."""
    network = build("segments, parallel, normal", head=head, decoding="recurrent", normalise="last")
    inputs, _ = batch(network)
    parameters = forecast(network, inputs)
    assert parameters.shape == (6, 5, 1, network.decoder.head.size)
    plain = build(
        "segments, parallel, normal",
        head=head,
        decoding="recurrent",
        normalise="none",
        residual="none",
    )
    plain.set_weights(network.get_weights())
    last = inputs["past"][:, -1:, 1:]
    centred = inputs["past"].copy()
    centred[:, :, 1:] -= last
    moved = forecast(plain, {"past": centred})
    season = np.stack([inputs["past"][:, 4 + t % 4, 1] for t in range(5)], axis=1)[..., None]
    expected = network.decoder.head.shifted(
        keras.ops.convert_to_tensor(moved), keras.ops.convert_to_tensor(season)
    )
    np.testing.assert_allclose(parameters, numpy(expected), atol=1e-5)


@pytest.mark.parametrize(
    ("normalise", "scale"), [("last", 1.0), ("level", 1.0), ("instance", 40.0), ("recent", 40.0)]
)
@pytest.mark.parametrize("name", ["segments, parallel", "rich, segments, scheduled"])
def test_moving_a_window_moves_its_forecast(name, normalise, scale):
    network = build(name, normalise=normalise, residual="seasonal")
    inputs, _ = batch(network, seed=3)
    inputs["past"] *= 100.0  # so that the deviation's epsilon is nothing beside it
    targets = list(network.window.target_features)
    moved = {**inputs, "past": inputs["past"].copy()}
    moved["past"][:, :, targets] = inputs["past"][:, :, targets] * scale + 300.0
    if network.window.observed:
        moved["past"][moved["observed"].cumsum(axis=1) < 0.5] = (
            0.0  # what is not seen yet does not move
        )
    expected = forecast(network, inputs) * scale + 300.0
    seen = (
        np.ones(6, bool)
        if not network.window.observed
        else inputs["observed"].cumsum(axis=1).min(axis=(1, 2)) > 0
    )
    assert seen.any()
    np.testing.assert_allclose(
        forecast(network, moved)[seen], expected[seen], rtol=2e-3, atol=0.05 * scale
    )


@pytest.mark.parametrize("normalise", ["none", "last", "instance"])
@pytest.mark.parametrize(
    "name", ["seasonal", "gated", "segments, parallel", "rich, segments, scheduled"]
)
def test_without_weights_the_residual_is_the_seasonal_naive_forecast(name, normalise):
    residual = "gated" if name == "gated" else "seasonal"
    network = build(name, residual=residual, normalise=normalise)
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    if network.decoder.gate is not None:
        network.decoder.gate.bias.assign(
            np.full(network.decoder.gate.bias.shape, 90.0)
        )  # wide open
    window = network.window
    inputs, _ = batch(network, horizon=11)
    past = {key: value for key, value in inputs.items() if key != "future"}
    if window.observed:
        past["observed"] = np.ones_like(past["past"])
    run = compile_call(
        network, lambda given: network.decode(network.encode(past), 11, given.get("future"))
    )
    naive = np.stack(
        [past["past"][:, 4 + t % 4][:, list(window.target_features)] for t in range(11)], axis=1
    )
    np.testing.assert_allclose(
        run({"future": inputs["future"]} if "future" in inputs else {}), naive, atol=1e-5
    )


def test_a_past_shorter_than_a_season_is_rejected():
    network = Seq2Seq(
        WindowSpec(horizon=4, features=1, targets=1, target_features=(0,), season_length=9),
        NetworkSpec(residual="seasonal"),
        seed=0,
    )
    with pytest.raises(
        DataError, match="past: expected at least a season, 9 steps, received 8 steps"
    ):
        network(np.zeros((2, 8, 1), "float32"))
    with pytest.raises(SpecError, match="encoder_model: expected a window of fixed context_length"):
        network.encoder_model  # noqa: B018
