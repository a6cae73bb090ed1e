"""Networks of every kind, what they read, and a step of each cell in plain NumPy."""

import functools
from dataclasses import replace

import numpy as np
from scipy import stats

from seqcast.data.windows.gaps import fill_gaps
from seqcast.network import Seq2Seq
from seqcast.network.recurrent import RecurrentStack
from seqcast.runtime.backend import to_numpy
from seqcast.runtime.jit import compile_call
from seqcast.specs.network import MULTIPLICATIVE_HEADS, NetworkSpec, WindowSpec

PLAIN = WindowSpec(
    horizon=5, features=2, targets=1, target_features=(1,), context_length=8, season_length=4
)
RICH = replace(
    PLAIN, features=3, targets=2, static=2, future=1, target_features=(2, 0), observed=True
)
SIZES = {"encoder_units": (5, 4), "decoder_units": (5, 4)}
PARALLEL = {"decoder_input": "position", "decoding": "parallel"}
TAUGHT = {"decoder_input": "scheduled", "sampling_steps": 5}
AHEAD = {**PARALLEL, "segment": 3, "normalise": "last"}
UNEQUAL = {"encoder_units": (6,), "decoder_units": (3, 4), "cell": "lstm"}
LEVELLED = {"normalise": "instance", "residual": "seasonal"}

PLAIN_NETWORKS = {
    "seed": {},
    "lstm": {"cell": "lstm"},
    "simple_rnn": {"cell": "simple_rnn"},
    "other sizes": UNEQUAL,
    "bidirectional": {"bidirectional": True},
    "additive": {"attention": "additive"},
    "dot": {"attention": "dot"},
    "multi_head": {"attention": "multi_head", "attention_heads": 2},
    "teacher": {"decoder_input": "teacher"},
    "scheduled": TAUGHT,
    "autoregressive": {"decoder_input": "autoregressive"},
    "segments": {"segment": 3},
    "position": {"decoder_input": "position"},
    "seasonal": {"residual": "seasonal"},
    "gated": {"residual": "gated", "decoder_input": "autoregressive"},
    "segments, parallel": AHEAD,
    "segments, quantile": {
        "segment": 2,
        "decoder_input": "autoregressive",
        "head": "quantile",
        **LEVELLED,
    },
    "segments, parallel, normal": {**AHEAD, "head": "normal", "residual": "seasonal"},
}
RICH_NETWORKS = {
    "rich": {},
    "rich, static at each step": {"static_input": "steps"},
    "rich, scheduled": {
        **TAUGHT,
        "attention": "additive",
        "normalise": "instance",
        "bidirectional": True,
    },
    "rich, teacher": {"decoder_input": "teacher", "attention": "dot", "normalise": "last"},
    "rich, segments, scheduled": {**TAUGHT, "segment": 2, "residual": "seasonal"},
    "rich, segments, parallel": {
        **PARALLEL,
        **UNEQUAL,
        "segment": 3,
        "attention": "additive",
        "normalise": "instance",
        "static_input": "steps",
        "residual": "gated",
    },
    "normal": {"head": "normal", "attention": "dot", "normalise": "last"},
    "student_t": {"head": "student_t", **TAUGHT},
    "rich, segments, student_t": {
        "segment": 2,
        "decoder_input": "teacher",
        "head": "student_t",
        "attention": "dot",
    },
    "negative_binomial": {
        "head": "negative_binomial",
        "normalise": "scale",
        "decoder_input": "teacher",
    },
    "log_normal": {
        "head": "log_normal",
        "normalise": "scale",
        "decoder_input": "autoregressive",
        "cell": "lstm",
    },
}
NETWORKS = {
    **{name: (PLAIN, options) for name, options in PLAIN_NETWORKS.items()},
    **{name: (RICH, options) for name, options in RICH_NETWORKS.items()},
    "no own past": (WindowSpec(horizon=5, features=3, targets=1, context_length=8), {}),
}


# SciPy's distribution of each head's parameters, and some of these.
REFERENCES = {
    "normal": (stats.norm, [(0.0, 1.0), (5.0, 0.01), (-1e3, 300.0)]),
    "student_t": (stats.t, [(2.01, 0.0, 1.0), (7.0, 3.0, 0.2), (1e4, 0.0, 1.0)]),
    "negative_binomial": (
        lambda mean, dispersion: stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean)),
        [
            (0.05, 3.0),
            (0.8, 0.5),
            (1.0, 40.0),
            (5.0, 1e-4),
            (40.0, 0.2),
            (1000.0, 0.001),
            (1e5, 1e-4),
            (2e6, 0.3),
        ],
    ),
    "log_normal": (
        lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc)),
        [(0.0, 1.0), (9.0, 0.3), (-4.0, 2.0)],
    ),
}


def references(name):
    """Return parameters [rows, P], and SciPy's distribution of each row."""
    make, rows = REFERENCES[name]
    return np.array(rows), [make(*row) for row in rows]


def log_density(reference, y):
    """Return SciPy's logarithm of a density, or of a probability of counts."""
    return (reference.logpdf if hasattr(reference.dist, "pdf") else reference.logpmf)(y)


def largest_distance(drawn, reference):
    """Return how far the shares of draws below each of them are from the distribution, at most."""
    values, counts = np.unique(drawn, return_counts=True)
    return np.abs(np.cumsum(counts) / len(drawn) - reference.cdf(values)).max()


@functools.cache
def compiled(model):
    """Return a model's call, compiled as a whole: step by step it takes several times as long."""
    return compile_call(model, model)


def forecast(network, inputs):
    """Return the network's output."""
    return to_numpy(compiled(network)(inputs))


def build(name, **changes):
    window, options = NETWORKS[name]
    return Seq2Seq(window, NetworkSpec(**{**SIZES, **options, **changes}), seed=11)


@functools.cache
def untrained(name):
    """Return a network for tests that leave it as it is."""
    return build(name)


def batch(network, rows=6, steps=8, horizon=5, seed=0, target=False):
    """Return inputs and targets: counts from 1 on where the head is for positive data."""
    window = network.window
    rng = np.random.default_rng(seed)

    def values(*shape):
        drawn = rng.normal(size=(rows, *shape))
        return (
            np.floor(np.abs(drawn) * 4 + 1)
            if network.network.head in MULTIPLICATIVE_HEADS
            else drawn
        )

    inputs = {"past": values(steps, window.features)}
    if window.observed:
        inputs["past"][rng.random(inputs["past"].shape) < 0.2] = np.nan
        inputs["past"][0, :3] = np.nan
        inputs["past"], inputs["observed"] = fill_gaps(inputs["past"])
    if window.static:
        inputs["static"] = rng.normal(size=(rows, window.static))
    if window.future:
        inputs["future"] = rng.normal(size=(rows, horizon, window.future))
    if target:
        inputs["target"] = values(horizon, window.targets)
    y = values(horizon, window.targets).astype("float32")
    return {key: value.astype("float32") for key, value in inputs.items()}, y


def same(ours, theirs, tolerance=1e-5):
    """Compare two arrays of any backend."""
    np.testing.assert_allclose(to_numpy(ours), to_numpy(theirs), atol=tolerance)


def drawn_stack(units, features, *, cell, bidirectional=False, seed=0):
    """Return a stack with all weights drawn, the biases too."""
    stack = RecurrentStack(units, features, cell=cell, bidirectional=bidirectional)
    rng = np.random.default_rng(seed)
    for weight in stack.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.5)
    return stack


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def reference_step(name, x, states, kernel, *recurrent_and_bias):
    """Return the states after a step, and its gates in Keras's order, in plain NumPy."""
    *recurrent, bias = recurrent_and_bias
    if name == "gru":
        a = np.split(x @ kernel + bias[0], 3, -1)
        b = np.split(states[0] @ recurrent[0] + bias[1], 3, -1)
        z = sigmoid(a[0] + b[0])
        r = sigmoid(a[1] + b[1])
        g = np.tanh(a[2] + r * b[2])
        return (z * states[0] + (1 - z) * g,), (z, r, g)
    joined = x @ kernel + bias + (states[0] @ recurrent[0] if recurrent else 0.0)
    if name == "simple_rnn":
        return (np.tanh(joined),), (np.tanh(joined),)
    if name == "min_gru":
        z, g = np.split(joined, 2, -1)
        return ((1 - sigmoid(z)) * states[0] + sigmoid(z) * g,), (sigmoid(z), g)
    i, f, g, o = np.split(joined, 4, -1)
    i = sigmoid(i)
    f = sigmoid(f)
    g = np.tanh(g)
    o = sigmoid(o)
    c = f * states[1] + i * g
    return (o * np.tanh(c), c), (i, f, g, o)


def reference_loop(name, cell, x, states):
    """Return a cell's outputs, its last states, and its gates at each step."""
    outputs = []
    gates = []
    for t in range(x.shape[1]):
        states, now = reference_step(name, x[:, t], states, *cell.get_weights())
        outputs.append(states[0])
        gates.append(now)
    return np.stack(outputs, 1), states, [np.stack(each, 1) for each in zip(*gates, strict=True)]
