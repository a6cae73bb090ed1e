"""Names of months: each language by itself, and words that are two months."""

import csv
from importlib.resources import files

import pytest

from seqcast.tables.months import month_numbers

TEXT = files("seqcast.tables").joinpath("month_names.csv").read_text(encoding="utf-8")
ROWS = list(csv.DictReader(TEXT.splitlines()))
LANGUAGES = {
    row["language"]: [row[str(month)].split("|") for month in range(1, 13)] for row in ROWS
}
# Capitals of Turkish and Greek have other small letters than those of English.
OTHER_CAPITALS = ("tr", "el")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_year_of_each_language_is_read(language):
    names = [names[0] for names in LANGUAGES[language]]
    assert [month_numbers(names).get(name) for name in names] == list(range(1, 13))
    if language not in OTHER_CAPITALS:
        assert list(month_numbers(name.upper() for name in names).values()) == list(range(1, 13))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_of_a_language_is_another_month_by_itself(language):
    """A single name is its month in some language that has it, or none where languages differ."""
    for month, names in enumerate(LANGUAGES[language], 1):
        for name in names:
            of_all = {
                number
                for each in LANGUAGES.values()
                for number, known in enumerate(each, 1)
                if name in known
            }
            assert month in of_all
            assert month_numbers([name]) == ({name: month} if of_all == {month} else {})


def test_other_names_decide_the_language():
    assert month_numbers(["lipanj", "srpanj", "listopad"])["listopad"] == 10
    assert month_numbers(["lipiec", "sierpień", "listopad"])["listopad"] == 11
    assert month_numbers(["marraskuu", "meitheamh", "Total"]) == {"marraskuu": 11}
