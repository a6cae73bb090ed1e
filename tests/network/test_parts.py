"""Attention, bridge, normalisation, head, sampling and states, each against plain NumPy."""

import itertools

import keras
import numpy as np
import pytest

from seqcast.network.attention import ATTENTIONS
from seqcast.network.decode_inputs import SAMPLING_SCHEDULES, teacher_probability
from seqcast.network.dense import Bridge
from seqcast.network.encoder import States
from seqcast.network.losses import ObservedLoss
from seqcast.network.normalise import (
    InstanceNormaliser,
    LastNormaliser,
    LevelNormaliser,
    Normaliser,
    RecentNormaliser,
    ScaleNormaliser,
)
from seqcast.runtime.backend import to_numpy as numpy


@pytest.fixture(autouse=True)
def _draw_anew():
    """Give every test the same draws, whichever tests run before it."""
    global RNG
    RNG = np.random.default_rng(0)


def tensor(x):
    return keras.ops.convert_to_tensor(np.asarray(x, "float32"))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_weights_are_a_distribution_over_valid_steps(name):
    layer = ATTENTIONS[name](4, 6, heads=2, seed=1)
    query, memory = tensor(RNG.normal(size=(3, 5, 4))), tensor(RNG.normal(size=(3, 7, 6)))
    valid = np.ones((3, 7), bool)
    valid[0, :3] = False
    outputs, weights = layer(query, layer.prepare(memory), keras.ops.convert_to_tensor(valid))
    assert tuple(outputs.shape) == (3, 5, 4)
    weights = numpy(weights)
    np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-5)
    assert weights.min() >= 0
    assert weights[0, :, :3].max() == 0.0
    assert weights[1].min() > 0.0


def test_additive_scores_are_bahdanaus():
    layer = ATTENTIONS["additive"](4, 6, seed=2)
    query, memory = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 5, 6))
    w, (u, b), v = (layer.query_map.get_weights()[0], layer.key_map.get_weights(), layer.score_map.get_weights()[0])
    scores = (np.tanh((query @ w)[:, :, None] + (memory @ u + b)[:, None]) @ v)[..., 0]
    _, weights = layer(tensor(query), layer.prepare(tensor(memory)))
    np.testing.assert_allclose(numpy(weights), softmax(scores), atol=1e-5)


@pytest.mark.parametrize("width", [4, 6])
def test_dot_scores_are_luongs(width):
    layer = ATTENTIONS["dot"](4, width, seed=3)
    query, memory = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 5, width))
    keys = memory if width == 4 else memory @ layer.key_map.get_weights()[0]
    weights = softmax(np.einsum("bhn,btn->bht", query, keys))
    kernel, bias = layer.join.get_weights()
    expected = np.tanh(np.concatenate([weights @ memory, query], -1) @ kernel + bias)
    outputs, ours = layer(tensor(query), layer.prepare(tensor(memory)))
    np.testing.assert_allclose(numpy(ours), weights, atol=1e-5)
    np.testing.assert_allclose(numpy(outputs), expected, atol=1e-5)


def test_multi_head_is_that_of_the_paper():
    layer = ATTENTIONS["multi_head"](4, 6, heads=2, seed=4)
    query, memory = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 5, 6))

    def dense(part, x):
        kernel, bias = part.get_weights()
        return (x @ kernel + bias).reshape(*x.shape[:2], 2, 2)

    q, k, v = dense(layer.query_map, query), dense(layer.key_map, memory), dense(layer.value_map, memory)
    weights = softmax(np.einsum("bhid,btid->biht", q, k) / np.sqrt(2))
    context = np.einsum("biht,btid->bhid", weights, v).reshape(2, 3, 4)
    kernel, bias = layer.join.get_weights()
    outputs, ours = layer(tensor(query), layer.prepare(tensor(memory)))
    np.testing.assert_allclose(numpy(ours), weights.mean(1), atol=1e-5)
    np.testing.assert_allclose(numpy(outputs), np.tanh(np.concatenate([context, query], -1) @ kernel + bias), atol=1e-5)


def test_bridge_hands_equal_sizes_on_unchanged():
    bridge = Bridge([(3,), (4,)], [(3,), (4,)])
    states = [(tensor(np.ones((2, 3))),), (tensor(np.ones((2, 4))),)]
    after = bridge(states)
    assert not bridge.weights
    np.testing.assert_array_equal(numpy(after[1][0]), np.ones((2, 4)))


@pytest.mark.parametrize(
    ("encoder", "decoder", "static"), [([(3,), (4,)], [(5,)], 0), ([(3,)], [(3,)], 2), ([(3, 3)], [(2, 2), (4, 4)], 1)]
)
def test_bridge_is_a_dense_layer_a_decoder_state(encoder, decoder, static):
    bridge = Bridge(encoder, decoder, static=static, seed=1)
    parts = [RNG.normal(size=(2, width)) for layer in encoder for width in layer]
    vector = RNG.normal(size=(2, static)) if static else None
    flat = iter(parts)
    states = [tuple(tensor(next(flat)) for _ in layer) for layer in encoder]
    after = bridge(states, None if vector is None else tensor(vector))
    joined = np.concatenate(parts if vector is None else [*parts, vector], -1)
    dense = iter(bridge.dense)
    for widths, layer in zip(decoder, after, strict=True):
        for k, (width, state) in enumerate(zip(widths, layer, strict=True)):
            kernel, bias = next(dense).get_weights()
            value = joined @ kernel + bias
            assert kernel.shape == (joined.shape[1], width)
            np.testing.assert_allclose(numpy(state), np.tanh(value) if k == 0 else value, atol=1e-5)


@pytest.mark.parametrize(
    "cls", [LastNormaliser, LevelNormaliser, InstanceNormaliser, RecentNormaliser, ScaleNormaliser]
)
def test_normalisation_touches_target_columns_only_and_knows_the_way_back(cls):
    past = RNG.normal(size=(3, 8, 4)) * 5 + 7
    normaliser = cls(4, (2, 0), segment=3)
    loc, scale = normaliser.statistics(tensor(past), None)
    normalised = numpy(normaliser.apply(tensor(past), loc, scale))
    targets = past[:, :, [2, 0]]
    if cls is LastNormaliser:
        np.testing.assert_allclose(numpy(loc), targets[:, -1], rtol=1e-5)
        np.testing.assert_allclose(numpy(scale), 1.0)
    elif cls is ScaleNormaliser:
        np.testing.assert_array_equal(numpy(loc), 0.0)
        np.testing.assert_allclose(numpy(scale), np.abs(targets).mean(1), rtol=1e-5)
    elif cls is LevelNormaliser:
        np.testing.assert_allclose(numpy(loc), targets[:, -3:].mean(1), rtol=1e-5)
        np.testing.assert_allclose(numpy(scale), 1.0)
    else:
        centred = targets if cls is InstanceNormaliser else targets[:, -3:]
        np.testing.assert_allclose(numpy(loc), centred.mean(1), rtol=1e-5)
        np.testing.assert_allclose(numpy(scale), targets.std(1), rtol=1e-2)
    np.testing.assert_allclose(normalised[:, :, [1, 3]], past[:, :, [1, 3]], rtol=1e-5)
    back = normalised[:, :, [2, 0]] * numpy(scale)[:, None] + numpy(loc)[:, None]
    np.testing.assert_allclose(back, targets, rtol=1e-4)


def test_instance_statistics_leave_gaps_out():
    past = RNG.normal(size=(2, 6, 1))
    seen = np.ones((2, 6, 1))
    seen[:, :2] = 0
    garbage = np.where(seen > 0, past, 99.0)
    loc, _ = InstanceNormaliser(1, (0,)).statistics(tensor(garbage), tensor(seen))
    np.testing.assert_allclose(numpy(loc)[:, 0], past[:, 2:, 0].mean(1), rtol=1e-5)
    assert Normaliser(1, (0,)).statistics(tensor(past), None) is None


@pytest.mark.parametrize("cls", [LevelNormaliser, RecentNormaliser])
def test_the_level_is_that_of_what_was_observed_in_the_last_token(cls):
    past = RNG.normal(size=(3, 6, 1))
    seen = np.ones_like(past)
    seen[0, 4] = 0  # one of the token's steps
    seen[1, 3:] = 0  # all of them: gaps are filled with the value before
    past[1, 3:] = past[1, 2]
    loc, _ = cls(1, (0,), segment=3).statistics(tensor(past), tensor(seen))
    expected = [past[0, [3, 5], 0].mean(), past[1, 2, 0], past[2, 3:, 0].mean()]
    np.testing.assert_allclose(numpy(loc)[:, 0], expected, rtol=1e-5)
    alone, _ = cls(1, (0,)).statistics(tensor(past), None)  # tokens of one step: the last value
    np.testing.assert_allclose(numpy(alone)[:, 0], past[:, -1, 0], rtol=1e-6)


def test_scale_leaves_gaps_out_and_zeros_alone():
    past = np.stack([RNG.normal(size=(6, 1)), np.zeros((6, 1)), 1e-9 * RNG.normal(size=(6, 1))])
    seen = np.ones_like(past)
    seen[:, :2] = 0
    garbage = np.where(seen > 0, past, 99.0)
    normaliser = ScaleNormaliser(1, (0,))
    loc, scale = normaliser.statistics(tensor(garbage), tensor(seen))
    expected = np.abs(past[:, 2:]).mean(1)
    np.testing.assert_allclose(numpy(scale), np.where(expected > 0, expected, 1.0), rtol=1e-5)
    small = numpy(normaliser.apply(tensor(past), loc, scale))[2]  # tiny data are as good as large ones
    assert np.abs(small[2:]).mean() == pytest.approx(1.0, rel=1e-5)


def test_observed_loss_takes_functions_and_survives_having_nothing():
    def twice(y_true, y_pred):
        return 2.0 * keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    y = tensor(np.ones((2, 3, 1)))
    assert float(ObservedLoss(twice)(y, y * 3.0)) == pytest.approx(8.0)
    assert float(ObservedLoss("mse")(y * np.nan, y)) == 0.0


@pytest.mark.parametrize("schedule", SAMPLING_SCHEDULES)
def test_teaching_falls_from_nearly_always_to_never(schedule):
    shares = [float(teacher_probability(schedule, float(step), 100)) for step in range(0, 121, 10)]
    assert shares[0] > 0.99
    assert all(a > b for a, b in itertools.pairwise(shares[:11]))
    assert shares[10:] == [0.0, 0.0, 0.0]
    assert all(0.0 <= share <= 1.0 for share in shares)


def test_states_are_frozen_rows():
    layers = ((np.arange(6.0).reshape(3, 2),), (np.arange(3.0).reshape(3, 1),))
    states = States(layers, static=np.ones((3, 4)))
    assert len(states) == 3
    np.testing.assert_array_equal(states[1].vector(), [[2, 3, 1]])
    np.testing.assert_array_equal(states[-1].vector(), [[4, 5, 2]])
    assert states[np.array([True, False, True])].static.shape == (2, 4)
    rebuilt = States.from_dict(states.to_dict())
    np.testing.assert_array_equal(rebuilt.vector(), states.vector())
    with pytest.raises(AttributeError):
        states.static = None
