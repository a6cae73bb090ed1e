"""Shapes of weights that are known before a network is built."""

import time

import pytest

from seqcast.network.seq2seq import Seq2Seq
from seqcast.network.weight_shapes import weight_shapes
from seqcast.specs.network import ATTENTIONS, CELLS, DECODER_INPUTS, HEADS, NetworkSpec, WindowSpec

PLAIN = WindowSpec(horizon=7, features=3, targets=2, target_features=(1, 0), season_length=2)
RICH = WindowSpec(
    horizon=7, features=3, targets=2, static=4, future=5, target_features=(1, 0), season_length=2, observed=True
)
EVEN = {"encoder_units": (4, 4), "decoder_units": (4, 4)}
UNEVEN = {"encoder_units": (6, 3), "decoder_units": (4,)}
POSITION = {"decoder_input": "position", "segment": 3}

NETWORKS = {
    **{cell: {**EVEN, "cell": cell} for cell in CELLS},
    **{f"{cell}, bridge": {**UNEVEN, "cell": cell} for cell in CELLS},
    **{f"{cell}, both ways": {**EVEN, "cell": cell, "bidirectional": True} for cell in CELLS},
    **{f"attention {name}": {**UNEVEN, "attention": name} for name in ATTENTIONS},
    **{f"even attention {name}": {**EVEN, "attention": name, "attention_heads": 2} for name in ATTENTIONS},
    "attention both ways": {**UNEVEN, "attention": "multi_head", "bidirectional": True},
    **{name: {**EVEN, "decoder_input": name, "sampling_steps": 9} for name in DECODER_INPUTS},
    **{f"head {name}": {**EVEN, "head": name} for name in HEADS},
    "four quantiles": {**EVEN, "head": "quantile", "quantiles": (0.1, 0.5, 0.9, 0.95)},
    "static at each step": {**UNEVEN, "static_input": "steps"},
    "segments": {**UNEVEN, **POSITION},
    "segments fed back": {**UNEVEN, "segment": 3, "decoder_input": "autoregressive", "residual": "gated"},
    "parallel segments": {**EVEN, **POSITION, "decoding": "parallel", "residual": "seasonal", "head": "normal"},
    "dropout": {**EVEN, "dropout": 0.1, "normalise": "instance", "regularizer": "l2"},
}


@pytest.mark.parametrize("window", [PLAIN, RICH], ids=["plain", "rich"])
@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_are_those_of_the_built_network(name, window):
    network = NetworkSpec(**NETWORKS[name])
    built = Seq2Seq(window, network, seed=0)
    assert list(weight_shapes(window, network)) == [tuple(weight.shape) for weight in built.weights]


def test_a_network_that_no_memory_holds_has_shapes():
    units = 10**9
    began = time.perf_counter()
    shapes = list(weight_shapes(PLAIN, NetworkSpec(encoder_units=(units,), decoder_units=(units,))))
    assert time.perf_counter() - began < 1
    assert (units, 3 * units) in shapes
