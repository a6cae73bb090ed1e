"""Numbers for people: no powers of ten, and shares that add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcast.runtime.number_text import number_text, percentages


@given(st.floats(-1e14, 1e14).filter(lambda value: value == 0 or abs(value) > 1e-8))
def test_a_number_has_no_power_of_ten_and_is_nearly_itself(value):
    text = number_text(value)
    assert "e" not in text
    assert float(text.replace(",", "")) == pytest.approx(value, rel=6e-4)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (100_483.0, "100,483"),
        (61_130.4, "61,130"),
        (1.012456, "1.012"),
        (12.5, "12.5"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_as_they_are_read(value, text):
    assert number_text(value) == text


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=9))
def test_shares_add_up_to_a_hundred(parts):
    shares = {place: part / sum(parts) for place, part in enumerate(parts)}
    whole = {place: int(text.removesuffix("%")) for place, text in percentages(shares).items()}
    assert sum(whole.values()) == 100
    assert all(abs(whole[place] - 100 * share) < 1 for place, share in shares.items())
