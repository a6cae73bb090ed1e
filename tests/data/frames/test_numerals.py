"""Words among numbers: which of them may stand for missing values."""

import pandas as pd
import pytest

from seqcast.data.frames.numerals import find_words
from seqcast.errors import Fix

WORDS = {
    "a word": (["closed"], ("closed",), "Correct them, or read them as missing: "),
    "an error in a formula": (["#DIV/0!"], ("#DIV/0!",), "Correct them, or read them as missing: "),
    "a number of another dialect": (
        ["5,5"],
        (),
        "Correct them: write each as the other numbers are written.",
    ),
    "a unit": (["42%", "79 kg"], (), "Correct them: write each as the other numbers are written."),
    "a word beside a unit": (
        ["42%", "closed"],
        ("closed",),
        "Correct them, or read some as missing: ",
    ),
    "a note": (
        ["closed, for works"],
        (),
        "Correct them: write each as the other numbers are written.",
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_only_words_are_proposed_as_missing(name):
    words, proposed, hint = WORDS[name]
    found = find_words(pd.Series(["1", "2.5", *words, "3"]))
    assert found.fix is Fix.CORRECT
    assert found.missing_values == proposed
    assert found.hint.startswith(hint)
    assert all(repr(word) in found.text for word in words)


@pytest.mark.parametrize(
    ("column", "hint"), [(["red", "blue"], "Leave it out"), (["0,5", "1,5"], "Write them as other")]
)
def test_a_column_of_words_is_another_one_than_that_of_numbers_in_another_dialect(column, hint):
    found = find_words(pd.Series(column))
    assert (found.fix, found.missing_values) == (None, ())
    assert found.hint.startswith(hint)
