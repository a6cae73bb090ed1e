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

HORIZON, SEASON = 5, 4
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
    names = list(choices)
    everything = [dict(zip(names, values, strict=True)) for values in itertools.product(*choices.values())]
    rng = np.random.default_rng(0)
    rng.shuffle(everything)

    def pairs(chosen):
        return set(itertools.combinations(chosen.items(), 2))

    missing = set().union(*(pairs(one) for one in everything))
    few = []
    while missing:
        best = max(everything[:400], key=lambda one: len(pairs(one) & missing))
        best = best if pairs(best) & missing else next(one for one in everything if pairs(one) & missing)
        missing -= pairs(best)
        few.append(best)
    return few


COMBINATIONS = all_pairs(CHOICES)


def build(chosen, **changes):
    window = WindowSpec(
        horizon=HORIZON,
        features=3,
        targets=2,
        static=0 if chosen["static"] is None else 2,
        future=chosen["future"],
        target_features=(2, 0),
        observed=chosen["observed"],
        season_length=SEASON,
    )
    spec = NetworkSpec(
        encoder_units=(4,),
        decoder_units=(4,),
        cell=chosen["cell"],
        segment=chosen["segment"],
        residual=chosen["residual"],
        normalise=changes.get("normalise", chosen["normalise"]),
        static_input=chosen["static"] or "state",
        attention=chosen["attention"],
        bidirectional=changes.get("bidirectional", False),
        **READING[chosen["reading"]],
    )
    return Seq2Seq(window, spec, seed=4)


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


@pytest.mark.parametrize("chosen", COMBINATIONS, ids=lambda chosen: " ".join(map(str, chosen.values())))
def test_states_suffice_and_shorter_horizons_begin_longer_ones(chosen):
    network = build(chosen)
    window, segment = network.window, network.network.segment
    inputs = batch(window)
    known = inputs.get("future")

    def run(given):
        def decode(states, horizon):
            return network.decode(states, horizon, None if known is None else given["future"][:, :horizon])

        past = {key: value for key, value in given.items() if key != "future"}
        states = network.encode(past)
        future = {} if known is None else {"future": given["future"][:, :HORIZON]}
        return {
            "network": network({**past, **future}),
            "last rows": decode(states[2:], HORIZON) if known is None else decode(states, HORIZON)[2:],
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
        steps = horizon // segment * segment if cut or (known is not None and horizon < HORIZON) else horizon
        shorter = written[f"{horizon} steps"]
        np.testing.assert_allclose(longest[:, :steps], shorter[:, :steps], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("chosen", COMBINATIONS, ids=lambda chosen: " ".join(map(str, chosen.values())))
def test_an_update_equals_encoding_the_whole_under_the_kept_statistics(chosen):
    network, raw = build(chosen), build(chosen, normalise="none")
    raw.set_weights(network.get_weights())
    window = network.window
    inputs = batch(window)

    def run(given):
        old = network.encode(given["old"])
        return old.to_dict(), network.update(old, given["new"]).to_dict()

    new = {key: value for key, value in ready(window, inputs, OLD).items() if key != "static"}
    old, updated = to_numpy(compile_call(network, run)({"old": ready(window, inputs, end=OLD), "new": new}))
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
        for ours, theirs in zip(keras.tree.flatten(updated[name]), keras.tree.flatten(value), strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-5, err_msg=name)


BLOCKS = {**{name: values[0] for name, values in CHOICES.items()}, "reading": "parallel", "static": None, "future": 0}


@pytest.mark.parametrize("observed", [True, False])
def test_a_longer_horizon_reads_its_own_forecast(observed):
    """Block after block by hand: trained horizon 5 in segments of 3, so that one segment at a time is read."""
    network = build({**BLOCKS, "observed": observed, "attention": "none"})
    inputs = ready(network.window, batch(network.window))
    states = network.encode(inputs)
    written = keras.ops.convert_to_numpy(network.decode(states, HORIZON))
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
        block = keras.ops.convert_to_numpy(network.decode(states, HORIZON))
        written = np.concatenate([written, block[:, written.shape[1] - start - 3 :]], axis=1)
    assert written.shape[1] == 11
    whole = keras.ops.convert_to_numpy(network.decode(network.encode(inputs), 11))
    np.testing.assert_allclose(whole, written, atol=1e-5)


def test_attention_goes_on_over_what_was_appended():
    network = build({**BLOCKS, "observed": False})
    inputs = ready(network.window, batch(network.window))
    _, weights = network.decode(network.encode(inputs), 11, return_attention=True)
    weights = keras.ops.convert_to_numpy(weights)
    assert weights.shape == (5, 11, 4 + 2)  # ceil(11 / 3) tokens of past, and two segments of forecast
    np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-5)
    assert weights[:, :HORIZON, 4:].max() == 0.0
    assert weights[:, 8:, 4:].min() > 0.0
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])  # steps of one token look the same way


# ---------------------------------------------------------------- refusals


def test_incomplete_segments_are_refused():
    network = build({**BLOCKS, "observed": False})
    states = network.encode(ready(network.window, batch(network.window)))
    for steps in (0, 2, 4):
        with pytest.raises(DataError, match=rf"whole segments of 3, received {steps} steps.*encode the whole past"):
            network.update(states, np.zeros((5, steps, 3), "float32"))


def test_a_bidirectional_encoder_cannot_go_on():
    network = build({**BLOCKS, "observed": False}, bidirectional=True)
    states = network.encode(ready(network.window, batch(network.window)))
    with pytest.raises(SpecError, match=r"reads forwards only, received bidirectional=True.*encode the whole past"):
        network.update(states, np.zeros((5, 3, 3), "float32"))
    assert network.decode(states, HORIZON).shape == (5, HORIZON, 2)
    with pytest.raises(SpecError, match=r"horizon: expected at most the trained one, 5, .*received 6"):
        network.decode(states, 6)


def test_the_observed_channel_and_the_known_future_are_asked_for():
    network = build({**BLOCKS, "future": 1})
    inputs = batch(network.window)
    states = network.encode(ready(network.window, inputs))
    with pytest.raises(DataError, match=r"inputs\['observed'\]"):
        network.update(states, np.zeros((5, 3, 3), "float32"))
    with pytest.raises(DataError, match=r"future_covariates: expected .B, 11, 1., received .B, 10, 1."):
        network.decode(states, 11, inputs["future"][:, :10])
