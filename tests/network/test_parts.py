"""Attention, bridge, normalisation, head, sampling and states, each against plain NumPy."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest

from seqcast.network.attention import ATTENTIONS
from seqcast.network.decode_inputs import SAMPLING_SCHEDULES, teacher_probability
from seqcast.network.dense import Bridge
from seqcast.network.encoder import States
from seqcast.network.losses import ObservedLoss
from seqcast.network.normalise import NORMALISERS
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


def split(layer, x):
    """Return what a dense layer makes of `x`, for two heads."""
    kernel, bias = layer.get_weights()
    return (x @ kernel + bias).reshape(*x.shape[:2], 2, 2)


def additive(layer, query, memory):
    """Scores of Bahdanau, and what they weigh."""
    w, (u, b), v = (
        layer.query_map.get_weights()[0],
        layer.key_map.get_weights(),
        layer.score_map.get_weights()[0],
    )
    return (np.tanh((query @ w)[:, :, None] + (memory @ u + b)[:, None]) @ v)[..., 0][
        :, None
    ], memory[:, None]


def dot(layer, query, memory):
    """Scores of Luong, and what they weigh."""
    keys = memory if layer.key_map is None else memory @ layer.key_map.get_weights()[0]
    return np.einsum("bhn,btn->bht", query, keys)[:, None], memory[:, None]


def multi_head(layer, query, memory):
    """Scores of two heads of Vaswani, and what they weigh."""
    q = split(layer.query_map, query)
    k = split(layer.key_map, memory)
    v = split(layer.value_map, memory)
    return np.einsum("bhid,btid->biht", q, k) / np.sqrt(2), np.swapaxes(v, 1, 2)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("width", [4, 6])
@pytest.mark.parametrize("reference", [additive, dot, multi_head])
def test_attention_is_that_of_the_papers_over_valid_steps(reference, width, masked):
    layer = ATTENTIONS[reference.__name__](4, width, heads=2, seed=1)
    query = RNG.normal(size=(3, 5, 4))
    memory = RNG.normal(size=(3, 7, width))
    valid = np.arange(7) >= np.array([3, 0, 6])[:, None] * masked
    scores, values = reference(layer, query, memory)
    weights = softmax(np.where(valid[:, None, None], scores, -np.inf))  # [B, heads, H, T]
    context = np.moveaxis(weights @ values, 1, 2).reshape(3, 5, -1)
    kernel, bias = layer.join.get_weights()
    mask = keras.ops.convert_to_tensor(valid) if masked else None
    outputs, ours = layer(tensor(query), layer.prepare(tensor(memory)), mask)
    np.testing.assert_allclose(numpy(ours), weights.mean(1), atol=1e-5)
    np.testing.assert_allclose(
        numpy(outputs), np.tanh(np.concatenate([context, query], -1) @ kernel + bias), atol=1e-5
    )


WIDTHS = [([(3,), (4,)], [(5,)], 0), ([(3,)], [(3,)], 2), ([(3, 3)], [(2, 2), (4, 4)], 1)]


@pytest.mark.parametrize(("encoder", "decoder", "static"), WIDTHS)
def test_bridge_is_a_dense_layer_a_decoder_state(encoder, decoder, static):
    assert not Bridge(encoder, encoder).weights  # equal sizes are handed on
    bridge = Bridge(encoder, decoder, static=static, seed=1)
    vectors = [RNG.normal(size=(2, width)) for layer in encoder for width in layer]
    vector = RNG.normal(size=(2, static)) if static else None
    flat = iter(vectors)
    states = [tuple(tensor(next(flat)) for _ in layer) for layer in encoder]
    after = bridge(states, None if vector is None else tensor(vector))
    joined = np.concatenate(vectors if vector is None else [*vectors, vector], -1)
    dense = iter(bridge.dense)
    for widths, layer in zip(decoder, after, strict=True):
        for k, (width, state) in enumerate(zip(widths, layer, strict=True)):
            kernel, bias = next(dense).get_weights()
            value = joined @ kernel + bias
            assert kernel.shape == (joined.shape[1], width)
            np.testing.assert_allclose(numpy(state), np.tanh(value) if k == 0 else value, atol=1e-5)


def reference_statistics(name, past, seen, segment):
    """Return loc and scale of a target's window, [T]."""
    known = past[seen] if seen.any() else np.zeros(1)
    token = past[-segment:][seen[-segment:]]
    level = token.mean() if token.size else past[-1]
    loc = {"last": past[-1], "instance": known.mean(), "scale": 0.0}.get(name, level)
    if name in ("last", "level"):
        return loc, 1.0
    return loc, (np.abs(known).mean() or 1.0) if name == "scale" else np.sqrt(
        known.var() + 1e-12
    ) + 1e-3


@pytest.mark.parametrize("segment", [1, 3])
@pytest.mark.parametrize("name", [name for name in NORMALISERS if name != "none"])
def test_statistics_are_those_of_what_was_observed_in_target_columns_and_lead_back(name, segment):
    past = RNG.normal(size=(6, 8, 4)) * 5 + 7
    past[3], past[4] = 0.0, 1e-4 * past[4]  # nothing but zeros, and tiny values
    seen = np.ones_like(past)
    seen[0, 6] = seen[1, 5:] = seen[2, :2] = (
        0  # one step of the last token, all of them, the first steps
    )
    seen[5] = 0
    past[1, 5:] = past[1, 4]  # gaps are filled with the value before
    past[2, :2] = 99.0
    normaliser = NORMALISERS[name](4, (2, 0), segment=segment)
    loc, scale = normaliser.statistics(tensor(past), tensor(seen))
    for place, column in enumerate((2, 0)):
        windows = zip(past[:, :, column], seen[:, :, column] > 0, strict=True)
        expected = np.array([reference_statistics(name, *window, segment) for window in windows]).T
        np.testing.assert_allclose(
            [numpy(loc)[:, place], numpy(scale)[:, place]], expected, rtol=1e-3, atol=1e-6
        )
    normalised = numpy(normaliser.apply(tensor(past), loc, scale))
    np.testing.assert_allclose(normalised[:, :, [1, 3]], past[:, :, [1, 3]], rtol=1e-5)
    back = normalised[:, :, [2, 0]] * numpy(scale)[:, None] + numpy(loc)[:, None]
    np.testing.assert_allclose(back, past[:, :, [2, 0]], rtol=1e-4, atol=1e-6)
    every = normaliser.statistics(tensor(past), tensor(np.ones_like(past)))
    for ours, theirs in zip(normaliser.statistics(tensor(past), None), every, strict=True):
        np.testing.assert_array_equal(numpy(ours), numpy(theirs))


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
    assert "mark" not in states.to_dict()
    states = dataclasses.replace(states, mark="theirs")
    assert states[1].mark == "theirs"
    assert "mark" not in states.arrays()
    rebuilt = States.from_dict(states.to_dict())
    assert rebuilt.mark == "theirs"
    np.testing.assert_array_equal(rebuilt.vector(), states.vector())
    with pytest.raises(AttributeError):
        states.static = None
