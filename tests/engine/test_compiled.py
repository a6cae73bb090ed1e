"""Programs of a network: however many horizons are asked for, a bounded number stays."""

import functools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.engine import compiled
from seqcast.engine.compiled import CompiledNetwork
from seqcast.network.seq2seq import Seq2Seq
from seqcast.runtime.jit import Programs
from seqcast.specs.network import NetworkSpec, WindowSpec

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="programs of JAX")

MOST = 3
PAST = np.random.default_rng(0).normal(size=(9, 6, 1)).astype("float32")


def live_programs():
    import jax

    return len(jax.devices()[0].client.live_executables())


@pytest.fixture(scope="module")
def network():
    spec = NetworkSpec(encoder_units=(3,), decoder_units=(3,), decoder_input="position")
    return Seq2Seq(WindowSpec(horizon=8, features=1, targets=1, target_features=(0,)), spec, seed=0)


@pytest.fixture(scope="module")
def forecasts(network):
    """Return forecasts by number of rows, context and horizon, of programs that nothing makes room for."""
    unbounded = CompiledNetwork(network)
    return functools.cache(
        lambda rows, context, horizon: unbounded("predict", {"past": PAST[:rows, :context]}, horizon=horizon)
    )


QUESTIONS = st.tuples(st.sampled_from([1, 2, 9]), st.sampled_from([4, 6]), st.integers(1, 8))


@settings(max_examples=3, deadline=None)
@given(questions=st.lists(QUESTIONS, min_size=6, max_size=10, unique=True))
def test_live_programs_are_bounded_and_forecasts_stay_the_same(network, forecasts, questions):
    expected = [forecasts(*question) for question in questions]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "Programs", functools.partial(Programs, most=MOST))
        bounded = CompiledNetwork(network)
    before = live_programs()
    # Once more from the front: the first ones have made room meanwhile.
    for (rows, context, horizon), forecast in [*zip(questions, expected, strict=True)] * 2:
        again = bounded("predict", {"past": PAST[:rows, :context]}, horizon=horizon)
        np.testing.assert_array_equal(again, forecast)
        assert live_programs() <= before + MOST
    del bounded
    assert live_programs() == before
