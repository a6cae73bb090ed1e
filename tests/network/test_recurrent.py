"""RecurrentStack against a loop in plain NumPy, and against itself; `test_plain_keras.py` compares it with Keras."""

import numpy as np
import pytest

from seqcast.errors import SpecError
from seqcast.network.cells import CELLS, Cell
from seqcast.network.plain_keras import to_keras
from seqcast.network.recurrent import RecurrentStack, Scanned
from seqcast.network.seq2seq import Seq2Seq, weight_shapes
from seqcast.runtime.backend import keras, to_numpy
from seqcast.specs.network import CHOICES, NetworkSpec, WindowSpec

from .networks import drawn_stack, reference_loop, same


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


@pytest.fixture(autouse=True)
def _min_gru(monkeypatch):
    """Enter a cell without a recurrent kernel in the tables, as `min_gru`."""
    monkeypatch.setitem(CELLS, "min_gru", MinGRUCell)
    monkeypatch.setitem(CHOICES, "cell", (*CHOICES["cell"], "min_gru"))


WAYS = (None, Scanned())  # the fastest one of the backend, and that of all backends
each_cell = pytest.mark.parametrize("name", [*CELLS, "min_gru"])


@each_cell
def test_a_sequence_is_a_numpy_loop_and_looped_steps(name):
    rng = np.random.default_rng(1)
    stack = drawn_stack((4, 3), 2, cell=name, seed=2)
    x = rng.normal(size=(5, 7, 2)).astype("float32")
    start = [
        tuple(rng.normal(size=(5, w)).astype("float32") for w in widths)
        for widths in stack.state_widths
    ]
    expected = x
    after = []
    for cell, states in zip(stack.layers_forward, start, strict=True):
        expected, last, _ = reference_loop(name, cell, expected, states)
        after.append(last)
    for way in WAYS:
        outputs, ours = stack.sequence(x, initial_state=start, loop_backend=way)
        keras.tree.map_structure(same, [outputs, *map(tuple, ours)], [expected, *after])
    looped = keras.tree.map_structure(keras.ops.convert_to_tensor, start)
    for t in range(7):
        written, looped = stack.step(x[:, t], looped)
        same(written, expected[:, t])


@each_cell
def test_two_directions_are_two_numpy_loops(name):
    x = np.random.default_rng(2).normal(size=(3, 6, 2)).astype("float32")
    stack = drawn_stack((4,), 2, cell=name, bidirectional=True, seed=3)
    zeros = tuple(np.zeros((3, 4)) for _ in range(stack.layers_forward[0].state_count))
    ahead, last, _ = reference_loop(name, stack.layers_forward[0], x, zeros)
    back, first, _ = reference_loop(name, stack.layers_backward[0], x[:, ::-1], zeros)
    for way in WAYS:
        outputs, (after,) = stack.sequence(x, loop_backend=way)
        same(outputs, np.concatenate([ahead, back[:, ::-1]], axis=-1))
        for state, pair in zip(after, zip(last, first, strict=True), strict=True):
            same(state, np.concatenate(pair, axis=-1))


def test_dropout_is_at_work_only_in_training_and_its_mask_is_one_a_sequence():
    stack = RecurrentStack((4, 3), 2, dropout=0.5, seed=6)
    x = np.ones((2, 5, 2), "float32")
    still, again, dropped = (
        to_numpy(stack.sequence(x, training=training)[0]) for training in (None, False, True)
    )
    np.testing.assert_array_equal(still, again)
    assert np.abs(still - dropped).max() > 1e-3
    masks = stack.dropout_masks(4, True)
    assert masks[0] is None
    assert set(np.unique(to_numpy(masks[1]))) <= {0.0, 2.0}


def test_a_cell_without_a_recurrent_kernel_is_scanned_and_named_by_to_keras():
    stack = RecurrentStack((4, 3), 2, cell="min_gru", seed=2)
    assert isinstance(stack.loop_backend, Scanned)
    assert [weight.name for weight in stack.weights] == ["kernel", "bias"] * 2
    window = WindowSpec(horizon=3, features=2, targets=1)
    network = Seq2Seq(window, NetworkSpec(cell="min_gru", bidirectional=True), seed=0)
    assert list(weight_shapes(window, network.network)) == [
        tuple(weight.shape) for weight in network.weights
    ]
    with pytest.raises(
        SpecError, match=r"cell: expected .*gru.*lstm.*simple_rnn.*, received 'min_gru'"
    ):
        to_keras(network)
