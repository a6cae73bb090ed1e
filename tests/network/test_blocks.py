"""Any horizon, states and their update, for every combination of boxes."""

import itertools

import keras
import numpy as np
import pytest

from seqcast.data.windows.gaps import fill_gaps
from seqcast.errors import DataError, SpecError
from seqcast.network import Seq2Seq
from seqcast.runtime.backend import to_numpy
from seqcast.runtime.jit import compile_call
from seqcast.specs.network import NetworkSpec, WindowSpec
from tests.rejections import rejected

HORIZON = 5
SEASON = 4
OLD, NEW = 5, 6  # steps; neither the first nor the trained horizon is a multiple of the segment
READING = {
    "zeros": {"decoder_input": "zeros"},
    "position": {"decoder_input": "position"},
    "parallel": {"decoder_input": "position", "decoding": "parallel"},
    "teacher": {"decoder_input": "teacher"},
    "scheduled": {"decoder_input": "scheduled", "sampling_steps": 5},
    "autoregressive": {"decoder_input": "autoregressive"},
}
CHOICES = {
    "reading": tuple(READING),
    "segment": (3, 1),
    "residual": ("seasonal", "none", "gated"),
    "normalise": ("instance", "last", "none"),
    "observed": (True, False),
    "static": ("state", "steps", None),
    "future": (1, 0),
    "attention": ("dot", "none"),
    "cell": ("gru", "lstm"),
}


def all_pairs(choices):
    """Return few combinations in which each pair of choices of two boxes meets."""
    everything = [
        dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())
    ]
    np.random.default_rng(0).shuffle(everything)
    pairs = [set(itertools.combinations(one.items(), 2)) for one in everything]
    few = []
    missing = set().union(*pairs)
    while missing:
        best = max(range(len(pairs)), key=lambda place: len(pairs[place] & missing))
        missing -= pairs[best]
        few.append(everything[best])
    return few


each_combination = pytest.mark.parametrize(
    "chosen", all_pairs(CHOICES), ids=lambda chosen: " ".join(map(str, chosen.values()))
)


def build(chosen, **changes):
    own = {**chosen, **changes}
    reading, static, future, observed = (
        own.pop(name) for name in ("reading", "static", "future", "observed")
    )
    sizes = {
        "horizon": HORIZON,
        "features": 3,
        "targets": 2,
        "target_features": (2, 0),
        "season_length": SEASON,
    }
    window = WindowSpec(**sizes, static=2 if static else 0, future=future, observed=observed)
    units = {"encoder_units": (4,), "decoder_units": (4,)}
    return Seq2Seq(
        window,
        NetworkSpec(**units, **own, **READING[reading], static_input=static or "state"),
        seed=4,
    )


def batch(window, steps=OLD + NEW, horizon=11, rows=5):
    rng = np.random.default_rng(1)
    inputs = {"past": rng.normal(size=(rows, steps, window.features)) + 1.0}
    if window.observed:
        inputs["past"][rng.random(inputs["past"].shape) < 0.3] = np.nan
        inputs["past"][0, : OLD + 2] = np.nan  # nothing is seen in the old part
        inputs["past"][1, :2] = np.nan
        inputs["past"][2, OLD:, 1] = np.nan
    if window.static:
        inputs["static"] = rng.normal(size=(rows, window.static))
    if window.future:
        inputs["future"] = rng.normal(size=(rows, horizon, window.future))
    return {key: value.astype("float32") for key, value in inputs.items()}


def ready(window, inputs, start=0, end=None):
    """Cut the past and fill its gaps, as the engine does."""
    cut = {key: value for key, value in inputs.items() if key != "future"}
    cut["past"] = cut["past"][:, start:end]
    if window.observed:
        cut["past"], cut["observed"] = fill_gaps(cut["past"])
    return cut


@each_combination
def test_states_suffice_and_shorter_horizons_begin_longer_ones(chosen):
    network = build(chosen)
    window = network.window
    segment = network.network.segment
    inputs = batch(window)
    known = inputs.get("future")

    def run(given):
        def decode(states, horizon):
            return network.decode(
                states, horizon, None if known is None else given["future"][:, :horizon]
            )

        past = {key: value for key, value in given.items() if key != "future"}
        states = network.encode(past)
        future = {} if known is None else {"future": given["future"][:, :HORIZON]}
        return {
            "network": network({**past, **future}),
            "last rows": decode(states[2:], HORIZON)
            if known is None
            else decode(states, HORIZON)[2:],
            **{f"{horizon} steps": decode(states, horizon) for horizon in (1, HORIZON, 11)},
        }

    whole = {**ready(window, inputs), **({} if known is None else {"future": known})}
    written = to_numpy(compile_call(network, run)(whole))
    longest = written["11 steps"]
    assert longest.shape == (5, 11, 2)
    assert np.isfinite(longest).all()
    np.testing.assert_allclose(written["5 steps"], written["network"], atol=1e-6, rtol=1e-5)
    np.testing.assert_allclose(written["last rows"], written["network"][2:], atol=1e-5, rtol=1e-5)
    for horizon in (1, HORIZON):
        # The known future of a token that the horizon cuts is known in part only.
        cut = known is not None and not network.network.in_blocks
        steps = (
            horizon // segment * segment
            if cut or (known is not None and horizon < HORIZON)
            else horizon
        )
        shorter = written[f"{horizon} steps"]
        np.testing.assert_allclose(longest[:, :steps], shorter[:, :steps], atol=1e-5, rtol=1e-5)


@each_combination
def test_an_update_equals_encoding_the_whole_under_the_kept_statistics(chosen):
    network = build(chosen)
    raw = build(chosen, normalise="none")
    raw.set_weights(network.get_weights())
    window = network.window
    inputs = batch(window)

    def run(given):
        old = network.encode(given["old"])
        return old.to_dict(), network.update(old, given["new"]).to_dict()

    new = {key: value for key, value in ready(window, inputs, OLD).items() if key != "static"}
    old, updated = to_numpy(
        compile_call(network, run)({"old": ready(window, inputs, end=OLD), "new": new})
    )
    whole = ready(window, inputs)
    if "loc" in old:
        targets = list(window.target_features)
        whole["past"][:, :, targets] -= old["loc"][:, None]
        whole["past"][:, :, targets] /= old["scale"][:, None]
        for name in ("loc", "scale"):
            np.testing.assert_array_equal(updated.pop(name), old[name])
    expected = to_numpy(compile_call(raw, lambda given: raw.encode(given).to_dict())(whole))
    assert set(updated) == set(expected)
    for name, value in expected.items():
        for ours, theirs in zip(
            keras.tree.flatten(updated[name]), keras.tree.flatten(value), strict=True
        ):
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-5, err_msg=name)


BLOCKS = {
    **{name: values[0] for name, values in CHOICES.items()},
    "reading": "parallel",
    "static": None,
    "future": 0,
}


@pytest.mark.parametrize("observed", [True, False])
def test_a_longer_horizon_reads_its_own_forecast(observed):
    """Block after block by hand: trained horizon 5 in segments of 3, so that one segment at a time is read."""
    network = build({**BLOCKS, "observed": observed, "attention": "none"})
    inputs = ready(network.window, batch(network.window))
    states = network.encode(inputs)
    written = to_numpy(network.decode(states, HORIZON))
    latest = inputs["past"][:, -1, 1]
    for start in (0, 3):
        new = np.zeros((5, 3, 3), "float32")
        new[:, :, [2, 0]] = written[:, start : start + 3]
        new[:, :, 1] = latest[:, None]  # the feature that is no target keeps its last value ...
        given = {"past": new}
        if observed:
            given["observed"] = np.ones_like(new)
            given["observed"][:, :, 1] = 0.0  # ... and is marked as unseen
        states = network.update(states, given)
        block = to_numpy(network.decode(states, HORIZON))
        written = np.concatenate([written, block[:, written.shape[1] - start - 3 :]], axis=1)
    assert written.shape[1] == 11
    whole = to_numpy(network.decode(network.encode(inputs), 11))
    np.testing.assert_allclose(whole, written, atol=1e-5)


def test_attention_goes_on_over_what_was_appended():
    network = build({**BLOCKS, "observed": False})
    inputs = ready(network.window, batch(network.window))
    _, weights = network.decode(network.encode(inputs), 11, return_attention=True)
    weights = to_numpy(weights)
    assert weights.shape == (
        5,
        11,
        4 + 2,
    )  # ceil(11 / 3) tokens of past, and two segments of forecast
    np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-5)
    assert weights[:, :HORIZON, 4:].max() == 0.0
    assert weights[:, 8:, 4:].min() > 0.0
    np.testing.assert_array_equal(
        weights[:, 0], weights[:, 2]
    )  # steps of one token look the same way


def test_updates_and_futures_that_do_not_fit_are_rejected():
    network = build({**BLOCKS, "observed": False})
    given = ready(network.window, batch(network.window))
    states = network.encode(given)
    for steps in (0, 2, 4):
        with pytest.raises(
            DataError, match=rf"whole segments of 3, received {steps} steps.*encode the whole past"
        ):
            network.update(states, np.zeros((5, steps, 3), "float32"))
    backwards = build({**BLOCKS, "observed": False}, bidirectional=True)
    states = backwards.encode(given)
    with pytest.raises(
        SpecError, match=r"reads forwards only, received bidirectional=True.*encode the whole past"
    ):
        backwards.update(states, np.zeros((5, 3, 3), "float32"))
    assert backwards.decode(states, HORIZON).shape == (5, HORIZON, 2)
    rejected(
        SpecError,
        r"horizon: expected at most the trained one, 5, .*received 6",
        backwards.decode,
        states,
        6,
    )
    network = build({**BLOCKS, "future": 1})
    inputs = batch(network.window)
    states = network.encode(ready(network.window, inputs))
    rejected(
        DataError, r"inputs\['observed'\]", network.update, states, np.zeros((5, 3, 3), "float32")
    )
    with pytest.raises(
        DataError, match=r"future_covariates: expected .B, 11, 1., received .B, 10, 1."
    ):
        network.decode(states, 11, inputs["future"][:, :10])
