"""What is traced is what the network does: the same states, by gates that NumPy computes too."""

import numpy as np
import pytest

from seqcast.network.cells import CELLS
from seqcast.network.recurrent import RecurrentStack
from seqcast.network.segment import unfold
from seqcast.network.seq2seq import Seq2Seq
from seqcast.network.trace import trace_decoder, trace_encoder, trace_stack
from seqcast.runtime.backend import keras, to_numpy
from seqcast.specs.network import NetworkSpec, WindowSpec

RANDOM = np.random.default_rng(0)
ops = keras.ops


def tensors(*shape):
    return ops.convert_to_tensor(RANDOM.normal(size=shape).astype("float32"))


def same(ours, theirs):
    np.testing.assert_allclose(to_numpy(ours), to_numpy(theirs), atol=2e-6)


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


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru_gates(a, b):
    z, r = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
    return {"update": z, "reset": r, "candidate": np.tanh(a[2] + r * b[2])}


def lstm_gates(a, b):
    i, f, g, o = (x + u for x, u in zip(a, b, strict=True))
    return {"input": sigmoid(i), "forget": sigmoid(f), "candidate": np.tanh(g), "output": sigmoid(o)}


@pytest.mark.parametrize(("cell", "formula"), [("gru", gru_gates), ("lstm", lstm_gates)])
def test_gates_are_those_of_the_formula(cell, formula):
    stack = RecurrentStack((3,), features=2, cell=cell, seed=2)
    (layer,), x = stack.layers_forward, tensors(2, 6, 2)
    layer.bias.assign(RANDOM.normal(size=layer.bias.shape))
    w, u, bias = (to_numpy(v.value) for v in (layer.kernel, layer.recurrent_kernel, layer.bias))
    bias = bias if cell == "gru" else (bias, 0.0)
    (traced,), h = trace_stack(stack, x), np.zeros((2, 3))
    for step in range(6):
        shares = (to_numpy(x)[:, step] @ w + bias[0], h @ u + bias[1])
        for name, values in formula(*(np.split(share, len(traced["gates"]), axis=1) for share in shares)).items():
            same(traced["gates"][name][:, step], values)
        h = to_numpy(traced["states"][0])[:, step]


NETWORKS = {
    "zeros": {},
    "bridge": {"decoder_units": (5,)},
    "lstm": {"cell": "lstm"},
    "attention": {"attention": "dot"},
    "autoregressive": {"decoder_input": "autoregressive"},
    "teacher": {"decoder_input": "teacher", "attention": "additive"},
    "quantiles fed back": {"decoder_input": "autoregressive", "head": "quantile", "quantiles": (0.1, 0.5, 0.9)},
    "position": {"decoder_input": "position"},
    "parallel": {"decoder_input": "position", "decoding": "parallel", "normalise": "last"},
    "segments": {"segment": 2, "decoder_input": "position", "decoding": "parallel", "normalise": "last"},
    "segments fed back": {"segment": 2, "decoder_input": "autoregressive"},
}


def network(options, **window):
    spec = NetworkSpec(**{"encoder_units": (4, 4), "decoder_units": (4, 4), **options})
    sizes = {"horizon": 5, "features": 1, "targets": 1, "target_features": (0,), **window}
    return Seq2Seq(WindowSpec(**sizes), spec, seed=3)


MORE = {"observed": True, "static": 2, "future": 3}
CASES = [(name, {}) for name in NETWORKS] + [(name, MORE) for name in ("zeros", "parallel", "segments fed back")]


@pytest.mark.parametrize(("name", "extra"), CASES)
def test_the_encoder_ends_and_the_decoder_writes_as_they_are_traced(name, extra):
    model = network(NETWORKS[name], **extra)
    inputs = {"past": tensors(3, 8, 1)}
    if extra:
        observed = np.ones((3, 8, 1), np.float32)
        observed[1, :3] = observed[2, 5] = 0.0
        inputs |= {"observed": ops.convert_to_tensor(observed), "static": tensors(3, 2), "future": tensors(3, 5, 3)}
    states = model.encoder(inputs, training=False)
    read = trace_encoder(model, inputs)
    for layer, after in zip(read["layers"], states["layers"], strict=True):
        for whole, last in zip(layer["states"], after, strict=True):
            same(whole[:, -1], last)
    assert ("valid" in read) is bool(extra)
    written = trace_decoder(model, states, horizon=5, future=inputs.get("future"))
    forecast, _ = model.decoder.unroll(states, horizon=5, future=inputs.get("future"))
    decode_inputs = model.decoder.decode_inputs(states, 5, inputs.get("future"))
    again, _ = model.decoder.write(
        written[-1]["states"][0], decode_inputs.carry, model.decoder.prepared(decode_inputs.carry)
    )
    again = model.decoder.in_units(unfold(again, model.network.segment)[:, :5], decode_inputs.carry)
    same(again, forecast)


def test_steps_before_the_first_that_was_seen_change_nothing():
    model = network({}, observed=True)
    observed = np.ones((1, 8, 1), np.float32)
    observed[0, :3] = 0.0
    traced = trace_encoder(model, {"past": tensors(1, 8, 1), "observed": ops.convert_to_tensor(observed)})
    assert to_numpy(traced["valid"])[0].tolist() == [False] * 3 + [True] * 5
    assert not to_numpy(traced["layers"][0]["states"][0])[0, :3].any()
