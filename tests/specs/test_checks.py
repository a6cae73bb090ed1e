"""Whole numbers of any size are taken or rejected, by messages that are short."""

import numpy as np
import pytest

from seqcast.errors import SpecError
from seqcast.specs.checks import MOST_COUNT, check_int, check_number
from tests.rejections import rejected


@pytest.mark.parametrize("value", [1, MOST_COUNT, np.int64(7)])
def test_counts_that_fit_memory_are_taken(value):
    assert check_int("horizon", value) == value


@pytest.mark.parametrize("digits", [10, 400, 5000])
def test_numbers_of_many_digits_are_rejected_briefly(digits):
    larger = f"horizon: expected a whole number from 1 to {MOST_COUNT}, received "
    for value, expected in (
        (10**digits, larger),
        (-(10**digits), "horizon: expected a whole number >= 1, received "),
    ):
        with pytest.raises(SpecError, match=expected) as caught:
            check_int("horizon", value)
        assert len(str(caught.value)) < 200
    assert check_int("max_body", 2**40, at_most=2**63 - 1) == 2**40


def test_no_number_of_thousands_of_digits_is_written_out():
    rejected(
        SpecError,
        "level: expected a number in .*, received a whole number of",
        check_number,
        "level",
        10**5000,
    )
