"""RecurrentStack against Keras's own layers, against a loop in NumPy, and against itself."""

import keras
import numpy as np
import pytest

from seqcast.errors import SpecError
from seqcast.network.cells import CELLS, Cell
from seqcast.network.plain_keras import to_keras
from seqcast.network.randomness import child_seeds
from seqcast.network.recurrent import RecurrentStack, Scanned
from seqcast.network.seq2seq import Seq2Seq, weight_shapes
from seqcast.runtime.backend import to_numpy as numpy
from seqcast.specs import network as specs
from seqcast.specs.network import WindowSpec

KERAS_LAYERS = {"gru": "GRU", "lstm": "LSTM", "simple_rnn": "SimpleRNN"}


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def reference_step(name, x, states, kernel, recurrent, bias):
    """One step in plain NumPy, gates in Keras's order."""
    if name == "gru":
        a, b = x @ kernel + bias[0], states[0] @ recurrent + bias[1]
        (a_z, a_r, a_h), (b_z, b_r, b_h) = np.split(a, 3, -1), np.split(b, 3, -1)
        z, r = sigmoid(a_z + b_z), sigmoid(a_r + b_r)
        return (z * states[0] + (1 - z) * np.tanh(a_h + r * b_h),)
    gates = x @ kernel + states[0] @ recurrent + bias
    if name == "simple_rnn":
        return (np.tanh(gates),)
    i, f, g, o = np.split(gates, 4, -1)
    c = sigmoid(f) * states[1] + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


@pytest.mark.parametrize("name", CELLS)
def test_values_and_states_are_those_of_keras(name):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 6, 2)).astype("float32")
    stack = RecurrentStack((5, 4), 2, cell=name, seed=1)
    layers = []
    value = x
    for cell in stack.layers_forward:
        layer = getattr(keras.layers, KERAS_LAYERS[name])(cell.units, return_sequences=True, return_state=True)
        layer.build(value.shape)
        bias = rng.normal(size=cell.bias.shape).astype("float32")
        cell.bias.assign(bias)
        layer.set_weights(cell.get_weights())
        value, *states = layer(value)
        layers.append([numpy(state) for state in states])
    outputs, ours = stack.sequence(x)
    np.testing.assert_allclose(numpy(outputs), numpy(value), atol=1e-5)
    for layer, expected in zip(ours, layers, strict=True):
        for state, wanted in zip(layer, expected, strict=True):
            np.testing.assert_allclose(numpy(state), wanted, atol=1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_weights_have_the_names_and_shapes_of_keras(name):
    cell = CELLS[name](4, 3)
    cell.build()
    layer = getattr(keras.layers, KERAS_LAYERS[name])(4)
    layer.build((None, 5, 3))
    assert [(w.name, tuple(w.shape)) for w in cell.weights] == [(w.name, tuple(w.shape)) for w in layer.weights]


@pytest.mark.parametrize("name", CELLS)
def test_sequence_equals_a_numpy_loop_and_looped_steps(name):
    rng = np.random.default_rng(1)
    stack = RecurrentStack((4, 3), 2, cell=name, seed=2)
    x = rng.normal(size=(5, 7, 2)).astype("float32")
    start = [tuple(rng.normal(size=(5, w)).astype("float32") for w in widths) for widths in stack.state_widths]
    outputs, after = stack.sequence(x, initial_state=start)
    looped = [tuple(keras.ops.convert_to_tensor(s) for s in layer) for layer in start]
    reference = [list(layer) for layer in start]
    for t in range(7):
        written, looped = stack.step(x[:, t], looped)
        value = x[:, t]
        for depth, cell in enumerate(stack.layers_forward):
            reference[depth] = reference_step(name, value, reference[depth], *cell.get_weights())
            value = reference[depth][0]
        np.testing.assert_allclose(numpy(outputs)[:, t], numpy(written), atol=1e-5)
        np.testing.assert_allclose(numpy(written), value, atol=1e-5)
    for ours, wanted in zip(after, looped, strict=True):
        np.testing.assert_allclose(numpy(ours[-1]), numpy(wanted[-1]), atol=1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_bidirectional_is_that_of_keras(name):
    x = np.random.default_rng(2).normal(size=(3, 6, 2)).astype("float32")
    stack = RecurrentStack((4,), 2, cell=name, bidirectional=True, seed=3)
    layer = keras.layers.Bidirectional(
        getattr(keras.layers, KERAS_LAYERS[name])(4, return_sequences=True, return_state=True)
    )
    layer.build(x.shape)
    layer.forward_layer.set_weights(stack.layers_forward[0].get_weights())
    layer.backward_layer.set_weights(stack.layers_backward[0].get_weights())
    expected, *states = layer(x)
    outputs, after = stack.sequence(x)
    np.testing.assert_allclose(numpy(outputs), numpy(expected), atol=1e-5)
    half = len(states) // 2
    for k, state in enumerate(after[0]):
        joined = np.concatenate([numpy(states[k]), numpy(states[half + k])], axis=-1)
        np.testing.assert_allclose(numpy(state), joined, atol=1e-5)


def test_dropout_is_at_work_only_in_training_and_its_mask_is_one_a_sequence():
    stack = RecurrentStack((4, 3), 2, dropout=0.5, seed=6)
    x = np.ones((2, 5, 2), "float32")
    still, _ = stack.sequence(x)
    again, _ = stack.sequence(x, training=False)
    dropped, _ = stack.sequence(x, training=True)
    np.testing.assert_array_equal(numpy(still), numpy(again))
    assert np.abs(numpy(still) - numpy(dropped)).max() > 1e-3
    masks = stack.dropout_masks(4, True)
    assert masks[0] is None
    assert set(np.unique(numpy(masks[1]))) <= {0.0, 2.0}


def test_the_seed_alone_decides_the_weights():
    first = RecurrentStack((4, 3), 2, seed=7).get_weights()
    same = RecurrentStack((4, 3), 2, seed=7).get_weights()
    other = RecurrentStack((4, 3), 2, seed=8).get_weights()
    for a, b in zip(first, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(np.abs(a - b).max() > 0 for a, b in zip(first, other, strict=True))
    assert len(set(child_seeds(0, 10))) == 10


# ---------------------------------------------------------------- cells whose gates read the input alone


class MinGRUCell(Cell):
    """`h' = (1 - z) h + z g`: Feng et al. 2024, arXiv:2410.01201, section 3.1."""

    gate_names = ("update", "candidate")
    reads_state = False

    def gate_values(self, projected, states, recurrent):
        assert recurrent == ()
        z, g = projected
        return keras.ops.sigmoid(z), g

    def mixed(self, gates, states):
        z, g = gates
        return ((1 - z) * states[0] + z * g,)


@pytest.fixture
def min_gru(monkeypatch):
    """A cell without a recurrent kernel, entered in the tables under this name."""
    monkeypatch.setitem(CELLS, "min_gru", MinGRUCell)
    names = (*specs.CELLS, "min_gru")
    monkeypatch.setattr(specs, "CELLS", names)
    monkeypatch.setitem(specs.NetworkSpec._names, "cell", names)
    return "min_gru"


def test_a_cell_without_a_recurrent_kernel_runs_over_time(min_gru):
    rng = np.random.default_rng(5)
    stack = RecurrentStack((4, 3), 2, cell=min_gru, seed=2)
    assert isinstance(stack.loop_backend, Scanned)
    assert [weight.name for weight in stack.weights] == ["kernel", "bias"] * 2
    x = rng.normal(size=(5, 7, 2)).astype("float32")
    start = [(rng.normal(size=(5, width)).astype("float32"),) for (width,) in stack.state_widths]
    outputs, after = stack.sequence(x, initial_state=start)
    expected = [layer[0] for layer in start]
    for t in range(7):
        value = x[:, t]
        for depth, cell in enumerate(stack.layers_forward):
            kernel, bias = cell.get_weights()
            z, g = np.split(value @ kernel + bias, 2, -1)
            value = expected[depth] = (1 - sigmoid(z)) * expected[depth] + sigmoid(z) * g
        np.testing.assert_allclose(numpy(outputs)[:, t], value, atol=1e-5)
    for layer, last in zip(after, expected, strict=True):
        np.testing.assert_allclose(numpy(layer[0]), last, atol=1e-5)
    window, spec = WindowSpec(horizon=3, features=2, targets=1), specs.NetworkSpec(cell=min_gru, bidirectional=True)
    assert list(weight_shapes(window, spec)) == [tuple(w.shape) for w in Seq2Seq(window, spec, seed=0).weights]


def test_a_cell_that_keras_lacks_is_named_by_to_keras(min_gru):
    spec = specs.NetworkSpec(cell=min_gru, encoder_units=(4,), decoder_units=(4,))
    network = Seq2Seq(WindowSpec(horizon=3, features=1, targets=1), spec, seed=0)
    with pytest.raises(SpecError, match=f"cell: expected .*gru.*lstm.*simple_rnn.*, received '{min_gru}'"):
        to_keras(network)
