"""What is traced is what the network does: the same states, by gates that NumPy computes too."""

import numpy as np
import pytest

from seqcast.network.cells import CELLS
from seqcast.network.recurrent import RecurrentStack
from seqcast.network.segment import unfold
from seqcast.network.trace import trace_decoder, trace_encoder, trace_stack
from seqcast.runtime.backend import keras, to_numpy

from .networks import batch, build, drawn_stack, reference_loop, same

RANDOM = np.random.default_rng(0)
ops = keras.ops


def tensors(*shape):
    return ops.convert_to_tensor(RANDOM.normal(size=shape).astype("float32"))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_traced_states_are_those_of_the_sequence(cell, bidirectional, padded):
    stack = RecurrentStack((4, 3), features=2, cell=cell, bidirectional=bidirectional, seed=1)
    x = tensors(5, 7, 2)
    valid = ops.convert_to_tensor(np.arange(7) >= np.arange(5)[:, None]) if padded else None
    outputs, last = stack.sequence(x, valid=valid)
    traced = trace_stack(stack, x, valid=valid)
    same(traced[-1]["states"][0], outputs)
    for layer, states in zip(traced, last, strict=True):
        for whole, after in zip(layer["states"], states, strict=True):
            forward = after[:, : after.shape[1] // 2] if bidirectional else after
            same(whole[:, -1, : forward.shape[1]], forward)
            if bidirectional:
                same(whole[:, 0, forward.shape[1] :], after[:, forward.shape[1] :])


def test_a_stack_without_input_starts_from_its_states():
    stack = RecurrentStack((4,), features=0, cell="lstm", seed=1)
    start = [(tensors(5, 4), tensors(5, 4))]
    outputs, last = stack.sequence(None, initial_state=start, length=6)
    traced = trace_stack(stack, None, initial_state=start, length=6)
    same(traced[0]["states"][0], outputs)
    same(traced[0]["states"][1][:, -1], last[0][1])


NAMES = {
    "gru": ("update", "reset", "candidate"),
    "lstm": ("input", "forget", "candidate", "output"),
}


@pytest.mark.parametrize("cell", NAMES)
def test_gates_are_those_of_the_formula(cell):
    stack = drawn_stack((3,), 2, cell=cell, seed=2)
    x = tensors(2, 6, 2)
    (layer,) = stack.layers_forward
    (traced,) = trace_stack(stack, x)
    _, _, gates = reference_loop(
        cell, layer, to_numpy(x), tuple(np.zeros((2, 3)) for _ in range(layer.state_count))
    )
    assert tuple(traced["gates"]) == NAMES[cell]
    for ours, expected in zip(traced["gates"].values(), gates, strict=True):
        same(ours, expected, 2e-6)


TRACED = [
    *("seed", "other sizes", "dot", "teacher", "autoregressive", "position", "segments, parallel"),
    *("segments, quantile", "rich", "rich, segments, parallel", "rich, segments, student_t"),
]


@pytest.mark.parametrize("name", TRACED)
def test_the_encoder_ends_and_the_decoder_writes_as_they_are_traced(name):
    model = build(name, residual="none")
    inputs = keras.tree.map_structure(ops.convert_to_tensor, batch(model)[0])
    future = inputs.get("future")
    states = model.encoder(inputs, training=False)
    read = trace_encoder(model, inputs)
    for layer, after in zip(read["layers"], states["layers"], strict=True):
        for whole, last in zip(layer["states"], after, strict=True):
            same(whole[:, -1], last)
    assert ("valid" in read) is ("observed" in inputs)
    if "valid" in read:  # steps before the first that was seen change nothing
        assert not to_numpy(read["layers"][0]["states"][0])[~to_numpy(read["valid"])].any()
    written = trace_decoder(model, states, horizon=5, future=future)
    forecast, _ = model.decoder.unroll(states, horizon=5, future=future)
    carry = model.decoder.decode_inputs(states, 5, future).carry
    again, _ = model.decoder.write(written[-1]["states"][0], carry, model.decoder.prepared(carry))
    same(model.decoder.in_units(unfold(again, model.network.segment)[:, :5], carry), forecast)
