"""What is no array of finite numbers of the right shape is rejected, and the message says where it is wrong."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seqcast.data.arrays.array_checks import (
    as_array,
    check_covariates,
    check_finite,
    check_support,
    check_targets,
    check_weight,
    rank,
)
from seqcast.errors import DataError, DataTypeError

NUMBERS = "numbers in a regular array"


def with_value(shape, place, value):
    array = np.zeros(shape)
    array[place] = value
    return array


# ---------------------------------------------------------------- what is taken


HOLDERS = [
    [["1", "2"], ["3.0", "4e0"]],
    np.array([[1, 2], [3, 4]], dtype=np.int8),
    np.array([[1, 2], [3, 4]], dtype=object),
    np.array([[1, 2], [3, 4]], dtype=">f8"),
    np.array([[1, 2], [3, 4]]).view(np.matrix),  # its constructor would warn
    pd.DataFrame({"a": [1, 3], "b": [2, 4]}),
]


@pytest.mark.parametrize("values", HOLDERS)
def test_everything_that_holds_numbers(values):
    array = as_array("X", values, ranks=(2,))
    assert type(array) in (np.ndarray, np.matrix)
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, [[1, 2], [3, 4]])
    assert rank(values) == 2


def test_single_precision_stays_and_is_not_copied():
    values = np.zeros((2, 3), dtype=np.float32)
    assert as_array("X", values, ranks=(2,)) is values


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.float64, st.integers(1, 9), elements=st.floats(0, 1e6)))
@example(np.array([5e-324, 0.0]))
def test_weights_get_mean_one_and_keep_their_proportions(weight):
    if not weight.any():
        return
    scaled = check_weight(weight, len(weight))
    np.testing.assert_allclose(scaled.mean(), 1)
    np.testing.assert_allclose(scaled * weight.mean(), weight, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("weight", [None, 1, 3.5, np.float32(2)])
def test_one_weight_for_all_is_none(weight):
    assert check_weight(weight, 5) is None


# ---------------------------------------------------------------- what is rejected


def to_array(values):
    return as_array("X", values, ranks=(2, 3))


def weight(values):
    return check_weight(values, 4)


def static(features):
    return lambda values: check_covariates("c", values, 4, features=features)


def future(features):
    return lambda values: check_covariates("c", values, 4, features=features, horizon=3)


SPARSE = scipy.sparse.csr_array(np.eye(2))
# What else is rejected is tested where a regressor takes it.
REJECTED = [
    (to_array, None, "X: expected 2 axes or 3 axes, received 0 axes, shape ()."),
    (to_array, [[1 + 2j]], "Complex data not supported: X"),
    (to_array, SPARSE, "X: expected a dense array, received a sparse one"),
    (
        to_array,
        np.zeros((1, 2, 3, 4)),
        "X: expected 2 axes or 3 axes, received 4 axes, shape (1, 2, 3, 4).",
    ),
    (
        lambda y: check_targets(y, 4),
        np.zeros((4, 2, 0)),
        "y: expected at least one step, received shape (4, 2, 0).",
    ),
    (static(1), np.zeros((4, 1, 1)), "c: expected 2 axes, received 3 axes, shape (4, 1, 1)."),
    (static(None), with_value((4, 2), (1, 1), np.nan), "c, window 1, step 1: expected finite"),
    (future(None), np.zeros((4, 3)), "c: expected 3 axes, received 2 axes"),
    (
        future(1),
        with_value((4, 3, 1), (3, 2, 0), np.nan),
        "c, window 3, step 2, feature 0: expected finite numbers",
    ),
    (weight, [1, 1, 1], "sample_weight: expected as many windows as X, 4, received 3."),
    (weight, np.ones((4, 1)), "sample_weight: expected 1 axes, received 2 axes, shape (4, 1)."),
    (weight, [1, 1, 1, -1], "not zero for all, received weights from -1 to 1. Drop the windows"),
    (
        weight,
        [0, 0, 0, 0],
        "sample_weight: expected a weight >= 0 for each window, not zero for all",
    ),
    (weight, [1, np.nan, 1, 1], "sample_weight, window 1: expected finite numbers, received NaN."),
]


@pytest.mark.parametrize(("check", "values", "message"), REJECTED)
def test_what_is_rejected(check, values, message):
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        check(values)
    assert caught.value.hint


@pytest.mark.parametrize("values", [[[{"a": 1}]], object()])
def test_objects_are_of_the_wrong_type(values):
    with pytest.raises(DataTypeError, match=f"X: expected {NUMBERS}, received .*(dict|object)"):
        to_array(values)


@settings(max_examples=50, deadline=None)
@given(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)), st.data())
def test_the_first_wrong_place_is_named(shape, data):
    places = data.draw(
        st.lists(st.tuples(*(st.integers(0, size - 1) for size in shape)), min_size=1, max_size=3)
    )
    array = np.zeros(shape)
    for place in places:
        array[place] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    with pytest.raises(DataError) as caught:
        check_finite("X", array)
    window, step, feature = min(places)
    assert caught.value.where == f"X, window {window}, step {step}, feature {feature}"


OUTSIDE = [("negative_binomial", -1.0, "whole numbers >= 0"), ("log_normal", 0.0, "numbers > 0")]


@pytest.mark.parametrize(("head", "wrong", "expected"), OUTSIDE)
def test_targets_that_a_distribution_does_not_have(head, wrong, expected):
    y = np.ones((3, 4, 2))
    y[0] = np.nan
    check_support("y", y, head)
    y[2, 1, 0] = wrong
    with pytest.raises(
        DataError, match=f"y, window 2, step 1, feature 0: expected {expected}, received {wrong}"
    ):
        check_support("y", y, head)
    for other in ("point", "quantile", "normal", "student_t"):
        check_support("y", y, other)
