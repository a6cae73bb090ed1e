"""Kernels of JAX against the loops of all backends, differentiated automatically, and against finite differences.

`test_recurrent.py` compares either with NumPy.
"""

import os

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from seqcast.network.cells import CELLS
from seqcast.network.jax_loops import RECURRENCES, FeaturesMajor
from seqcast.network.recurrent import RecurrentStack, Scanned

from .networks import drawn_stack

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="kernels of JAX")

each_cell = pytest.mark.parametrize("name", CELLS)

# Each example compiles two programs, so there are few, and none to find a smaller one that fails
# too. They are the same in every run, so that the cache of compiled programs holds them. `make
# fuzz` takes more.
EXAMPLES = max(3, int(os.environ.get("SEQCAST_FUZZ", "0")) // 500)
few = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.generate]
)


def drawn_mask(rng, padding, batch, steps):
    """Return which steps count: all, those after a padding on the left, or any."""
    if padding == "none":
        return None
    if padding == "left":
        return np.arange(steps) >= rng.integers(0, steps + 1, size=(batch, 1))
    return rng.random(size=(batch, steps)) < 0.6


def cells_of(stack):
    return [*stack.layers_forward, *stack.layers_backward]


def by_way(stack, loop_backend, length=None):
    """Return the stack as a function that goes through time in a given way, and its weights."""

    def run(x, start, valid):
        stack.loop_backend = loop_backend
        return stack.sequence(x, initial_state=start, valid=valid, length=length)

    return run, [weight for cell in cells_of(stack) for weight in cell.weights]


def values_and_gradients(function, x, start, valid, pulls):
    """Return results, and the gradients of their sum, each weighted with a pull, by weights, input and start."""
    run, variables = function

    def total(values, x, start):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            outputs, after = run(x, start, valid)
        if valid is not None:
            # What stands at a step that does not count is nobody's concern.
            outputs = jnp.where(jnp.asarray(valid)[..., None], outputs, 0)
        results = (outputs, after)
        return sum(
            jnp.sum(pull * result)
            for pull, result in zip(pulls, jax.tree.leaves(results), strict=True)
        ), results

    values = [variable.value for variable in variables]
    (_, results), gradients = jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2), has_aux=True))(
        values, x, start
    )
    return jax.tree.map(np.asarray, (results, gradients))


def assert_same(ours, theirs, tolerance):
    """Compare two trees, each array within a tolerance relative to the largest number in it."""
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1e-2, np.abs(b).max()))


def compare(
    name, units, features, batch, steps, *, started, bidirectional, padding, seed, tolerance
):
    """Compare the loops with those of all backends; 0 features are none."""
    rng = np.random.default_rng(seed)
    dtype = keras.config.floatx()
    if not features:
        bidirectional = False
        padding = "none"
    stack = drawn_stack(units, features, cell=name, bidirectional=bidirectional, seed=seed)
    x = rng.normal(size=(batch, steps, features)).astype(dtype) if features else None
    start = None
    if started or not features:
        start = [
            tuple(rng.normal(size=(batch, n)).astype(dtype) for n in widths)
            for widths in stack.state_widths
        ]
    valid = drawn_mask(rng, padding, batch, steps)
    shapes = [
        (batch, steps, stack.output_width),
        *((batch, n) for widths in stack.state_widths for n in widths),
    ]
    pulls = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    length = None if features else steps
    ours, others = (
        values_and_gradients(by_way(stack, way, length), x, start, valid, pulls)
        for way in (FeaturesMajor(), Scanned())
    )
    assert_same(ours, others, tolerance)
    if valid is not None and x is not None:
        assert np.abs(ours[1][1][~valid]).sum() == 0.0


def widths(most):
    return st.lists(st.integers(1, most), min_size=1, max_size=3).map(tuple)


@each_cell
@few
@given(
    units=widths(9),
    features=st.integers(0, 5),
    batch=st.integers(1, 9),
    steps=st.integers(1, 9),
    started=st.booleans(),
    bidirectional=st.booleans(),
    padding=st.sampled_from(["none", "left", "any"]),
    seed=st.integers(0, 9),
)
def test_values_and_gradients_are_those_of_automatic_differentiation(name, **case):
    compare(name, **case, tolerance=1e-5)


def test_there_is_a_kernel_for_every_cell():
    assert set(RECURRENCES) == set(CELLS.values())
    assert all(
        isinstance(RecurrentStack((4,), 2, cell=cell).loop_backend, FeaturesMajor) for cell in CELLS
    )


def check_finite_differences(name):
    """Compare gradients, and gradients of gradients, with finite differences, in double precision."""
    (cell,) = drawn_stack((3,), 2, cell=name, seed=3).layers_forward
    rng = np.random.default_rng(4)
    x = rng.normal(size=(4, 2, 3))
    valid = jnp.asarray(rng.random(size=(4, 1, 3)) < 0.7)
    start = tuple(rng.normal(size=(3, 3)) for _ in range(cell.state_count))
    weights = [weight.value for weight in cell.weights]

    @jax.jit
    def run(weights, x, start):
        with keras.StatelessScope(state_mapping=list(zip(cell.weights, weights, strict=True))):
            return FeaturesMajor().run(cell, x, start, valid=valid)

    check_grads(run, (weights, x, start), order=2, modes=["rev"], eps=1e-5, atol=1e-6, rtol=1e-6)


@each_cell
@pytest.mark.usefixtures("double_precision")
def test_double_precision(name, monkeypatch):
    # Keras's own tanh on JAX returns single precision whatever it is given.
    monkeypatch.setattr(keras.ops, "tanh", jnp.tanh)
    case = {"batch": 4, "steps": 6, "seed": 5, "tolerance": 1e-10}
    check_finite_differences(name)
    compare(name, (5, 3), 2, started=True, bidirectional=True, padding="left", **case)
    compare(name, (5,), 0, started=True, bidirectional=False, padding="none", **case)


def rounded_and_exact(name):
    """Return results and gradients of a training's loops and of exact ones, with a padding on the left."""
    rng = np.random.default_rng(6)
    dtype = keras.config.floatx()
    stack = drawn_stack((5, 4), 3, cell=name, seed=7)
    x = rng.normal(size=(6, 8, 3)).astype(dtype)
    shapes = [(6, 8, 4), *((6, n) for widths in stack.state_widths for n in widths)]
    pulls = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    valid = drawn_mask(rng, "left", 6, 8)
    ways = FeaturesMajor(rounded=True), FeaturesMajor()
    return [values_and_gradients(by_way(stack, way), x, None, valid, pulls) for way in ways]


@each_cell
def test_a_training_rounds_what_its_gradient_needs_and_nothing_else(name):
    rounded, exact = rounded_and_exact(name)
    assert_same(rounded[0], exact[0], 0.0)
    assert_same(rounded[1], exact[1], 0.01)
    with pytest.raises(AssertionError):
        assert_same(rounded[1], exact[1], 1e-6)


@each_cell
@pytest.mark.usefixtures("double_precision")
def test_double_precision_is_not_rounded(name):
    rounded, exact = rounded_and_exact(name)
    assert_same(rounded, exact, 0.0)


def test_only_a_training_rounds():
    stack = drawn_stack((4,), 2, cell="gru")
    assert stack.training_backend.rounded
    assert not stack.loop_backend.rounded
