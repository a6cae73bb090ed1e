"""The post's own model, built by plain Keras: its weights load, and its forecasts are the same."""

import numpy as np
import pytest

from seqcast.errors import SpecError
from seqcast.network import Seq2Seq, from_keras, to_keras
from seqcast.runtime.backend import keras, to_numpy
from seqcast.specs.network import NetworkSpec, WindowSpec
from tests.rejections import rejected

PAST = np.random.default_rng(0).normal(size=(3, 6, 2)).astype("float32")


def post(kind, units, *, features=2, targets=2):
    """The post's model: the encoder returns its states, the decoder begins with them and reads zeros."""
    make = getattr(keras.layers, kind)
    past = keras.Input((None, features))
    zeros = keras.Input((None, 1))
    encoder = [make(width, return_sequences=True, return_state=True) for width in units]
    decoder = [make(width, return_sequences=True) for width in units]
    head = keras.layers.TimeDistributed(keras.layers.Dense(targets))
    x = past
    states = []
    for layer in encoder:
        x, *last = layer(x)
        states.append(last)
    x = zeros
    for layer, state in zip(decoder, states, strict=True):
        x = layer(x, initial_state=state)
    return keras.Model([past, zeros], head(x)), encoder, decoder, head


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "SimpleRNN"])
def test_the_posts_model_loads(kind):
    model, encoder, decoder, head = post(kind, (5, 3))
    for weight in model.weights:
        weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    network = from_keras(encoder, decoder, head, horizon=4)
    theirs = to_numpy(model([PAST, np.zeros((3, 4, 1), "float32")]))
    np.testing.assert_allclose(to_numpy(network(PAST)), theirs, atol=1e-5)


def test_layers_of_stacked_cells_load():
    """As the post writes it: `RNN([GRUCell(35), GRUCell(35)], return_state=True)`."""
    cells = [[keras.layers.GRUCell(4), keras.layers.GRUCell(4)] for _ in range(2)]
    past = keras.Input((None, 1))
    zeros = keras.Input((None, 1))
    encoder = keras.layers.RNN(cells[0], return_state=True)
    decoder = keras.layers.RNN(cells[1], return_sequences=True)
    head = keras.layers.Dense(1)
    states = encoder(past)[1:]
    model = keras.Model([past, zeros], head(decoder(zeros, initial_state=states)))
    network = from_keras(encoder, decoder, head, horizon=3)
    theirs = to_numpy(model([PAST[:, :, :1], np.zeros((3, 3, 1), "float32")]))
    np.testing.assert_allclose(to_numpy(network(PAST[:, :, :1])), theirs, atol=1e-5)


@pytest.mark.parametrize("cell", ["gru", "lstm", "simple_rnn"])
def test_to_keras_and_back(cell):
    spec = NetworkSpec(cell=cell, encoder_units=(4, 3), decoder_units=(4, 3))
    network = Seq2Seq(WindowSpec(horizon=4, features=2, targets=1), spec, seed=3)
    model = to_keras(network)
    ours = to_numpy(network(PAST))
    theirs = to_numpy(model([PAST, np.zeros((3, 4, 1), "float32")]))
    np.testing.assert_allclose(theirs, ours, atol=1e-5)
    layers = {layer.name: layer for layer in model.layers}
    sides = [[layers[f"{side}_{depth}"] for depth in range(2)] for side in ("encoder", "decoder")]
    again = from_keras(*sides, layers["head"], horizon=4)
    np.testing.assert_allclose(to_numpy(again(PAST)), ours, atol=1e-6)


def test_each_model_keeps_its_weights_when_the_other_forecasts():
    """On JAX `predict` gives buffers of weights to its program, which frees them: none is shared."""
    model, *layers = post("GRU", (4,))
    network = from_keras(*layers, horizon=4)
    zeros = np.zeros((3, 4, 1), "float32")
    before = [model.predict([PAST, zeros], verbose=0), network.predict(PAST, verbose=0)]
    again = to_keras(network)
    again.predict([PAST, zeros], verbose=0)
    for theirs, first in zip(
        (model.predict([PAST, zeros], verbose=0), network.predict(PAST, verbose=0)),
        before,
        strict=True,
    ):
        np.testing.assert_allclose(theirs, first, atol=1e-6)


def built(layer, *shape):
    layer.build(shape)
    return layer


def gru(units=4, width=1, **options):
    return built(keras.layers.GRU(units, **options), None, None, width)


def dense(**options):
    return built(keras.layers.Dense(1, **options), None, 4)


UNLOADABLE = [
    (lambda: gru(reset_after=False), dense, "encoder: .*reset_after=True"),
    (lambda: gru(activation="relu"), dense, "activation='tanh', received 'relu'"),
    (lambda: built(keras.layers.LSTM(4), None, None, 1), dense, "decoder: .*gru and lstm"),
    (lambda: gru(3), dense, r"decoder: .*\(3,\), received gru layers of widths \(4,\)"),
    (lambda: keras.layers.GRU(4), dense, "encoder: expected built"),
    (lambda: keras.layers.Dense(4), dense, "encoder: expected built"),
    (list, dense, "encoder: expected a recurrent layer"),
    (
        lambda: [gru(width=4), gru()],
        dense,
        r"encoder: expected layers in their order.* \(4, 12\), received \(1, 12\)",
    ),
    (gru, lambda: dense(activation="tanh"), "head: expected a Dense"),
    (gru, lambda: dense(use_bias=False), "head: expected a Dense"),
]


@pytest.mark.parametrize(("encoder", "head", "message"), UNLOADABLE)
def test_what_does_not_load(encoder, head, message):
    layers = encoder()
    decoder = [gru(), gru(width=4)] if isinstance(layers, list) and layers else gru()
    rejected(SpecError, message, from_keras, layers, decoder, head(), horizon=3)


RICH = [
    ({"head": "normal"}, {}, "head"),
    ({"bidirectional": True}, {}, "bidirectional"),
    ({}, {"static": 2}, "static"),
]


@pytest.mark.parametrize(("network", "window", "name"), RICH)
def test_what_plain_layers_cannot_hold(network, window, name):
    spec = NetworkSpec(encoder_units=(4,), decoder_units=(4,), **network)
    model = Seq2Seq(
        WindowSpec(**{"horizon": 3, "features": 1, "targets": 1, **window}), spec, seed=0
    )
    rejected(SpecError, name, to_keras, model)
