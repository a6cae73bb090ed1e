"""Steps whose numbers go bad change nothing but the metrics."""

import keras
import numpy as np
import pytest

from seqcast import NetworkSpec, WindowSpec
from seqcast.network.losses import EXPLODED, LARGEST_WEIGHT
from seqcast.network.seq2seq import Seq2Seq

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="steps of JAX")

if keras.backend.backend() == "jax":
    import jax

    from seqcast.network.jax_steps import Guard, guarded
    from seqcast.network.jax_train_step import StepState


def state(weight, total, count):
    """Return variables, among them the sum of losses and of weights so far."""
    numbers = [np.float32(value) for value in (total, count)]
    return StepState([np.full(3, weight, np.float32)], [np.uint32(7)], [np.float32(weight)], numbers)


def step(guard, loss, *, weight=1.0, before=0.5):
    after, guard = jax.jit(guarded)(state(before, 3.0, 3.0), state(weight, 3.0 + loss, 4.0), guard)
    return float(after.trainable[0][0]), float(after.optimizer[0]), guard


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_not_finite_changes_nothing(loss):
    weight, moment, guard = step(Guard.watched(), loss)
    assert (weight, moment, bool(guard.sound), int(guard.steps)) == (0.5, 0.5, False, 0)
    np.testing.assert_equal(float(guard.loss), loss)


@pytest.mark.parametrize("weight", [np.nan, np.inf, -2 * LARGEST_WEIGHT])
def test_weights_that_are_not_finite_are_not_taken(weight):
    assert step(Guard.watched(), 1.0, weight=weight)[0] == 0.5


def test_the_first_loss_says_what_is_too_much():
    weight, _, guard = step(Guard.watched(), 20.0)
    assert (weight, int(guard.steps)) == (1.0, 1)
    assert float(guard.limit) == pytest.approx(20 * EXPLODED)
    assert step(guard, 19 * EXPLODED)[0] == 1.0
    weight, _, guard = step(guard, 21 * EXPLODED)
    assert (weight, bool(guard.sound)) == (0.5, False)


def test_after_a_bad_step_no_other_one_counts():
    _, _, guard = step(Guard.watched(), 1.0)
    _, _, bad = step(guard, np.nan)
    weight, _, later = step(bad, 1.0)
    assert weight == 0.5
    assert (int(later.steps), np.isnan(float(later.loss))) == (1, True)


def test_plain_keras_says_nan_and_keeps_its_weights():
    network = Seq2Seq(
        WindowSpec(horizon=2, features=1, targets=1), NetworkSpec(encoder_units=(3,), decoder_units=(3,)), seed=0
    )
    network.compile("adam", "mse")
    before = network.get_weights()
    history = network.fit(np.ones((8, 4, 1)), np.full((8, 2, 1), np.nan), verbose=0)
    assert np.isnan(history.history["loss"][0])
    assert all(map(np.array_equal, network.get_weights(), before))
