"""The tree of exceptions is the documented one, and every message survives all ways an exception travels."""

import builtins
import concurrent.futures
import copy
import pickle
import re
import sys

import pytest
import sklearn.exceptions
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast import errors
from seqcast.runtime import environment
from seqcast.specs.network import CHOICES

WORDS = {"expected": "a whole number >= 1", "received": "0", "hint": "Choose a larger one."}
CLASSES = sorted(name for name in {*vars(errors), "NotFittedError"} if name.endswith("Error"))
WAYS = [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy]
each_class = pytest.mark.parametrize("name", CLASSES)


def documented_tree():
    """Yield `(class, parent, further base)` from the drawing in the module's docstring."""
    parents = ["SeqcastError"]
    for line in errors.__doc__.splitlines():
        drawn = re.match(r"([│ ]*)[├└]── (\w+)\s+\(([\w'-]+)\)", line)
        if drawn:
            indent, name, base = drawn.groups()
            depth = len(indent) // 4 + 1
            parents[depth:] = [name]
            yield name, parents[depth - 1], base


def test_tree_is_as_drawn():
    others = {
        "scikit-learn's": sklearn.exceptions.NotFittedError,
        "BrokenExecutor": concurrent.futures.BrokenExecutor,
    }
    tree = list(documented_tree())
    assert {"SeqcastError", *(name for name, _, _ in tree)} == set(CLASSES)
    for name, parent, base in tree:
        further = others.get(base) or getattr(builtins, base)
        assert issubclass(getattr(errors, name), getattr(errors, parent))
        assert issubclass(getattr(errors, name), further)
        assert not issubclass(errors.SeqcastError, further)


@each_class
def test_messages_are_made_of_their_parts_and_travel_unchanged(name):
    cls = getattr(errors, name)
    for words, text in (
        ({}, "horizon"),
        ({"expected": "one"}, "horizon: expected one."),
        ({"received": "two"}, "horizon: received two."),
        ({"hint": "Give it."}, "horizon. Give it."),
        (WORDS, "horizon: expected a whole number >= 1, received 0. Choose a larger one."),
    ):
        error = cls("horizon", **words)
        assert str(error) == text
        assert all(getattr(error, word) == words.get(word, "") for word in WORDS)
    error.history = {"loss": [1.0]}
    error.add_note("while fitting store 7")
    for way in WAYS:
        arrived = way(error)
        assert type(arrived) is cls
        assert (str(arrived), vars(arrived)) == (str(error), vars(error))
        assert (arrived.where, arrived.__notes__) == ("horizon", ["while fitting store 7"])


PHRASE = errors.Phrase("as in ", errors.Row(3), ", or ", errors.Option("missing", "fill"))
FIELDS = {"option": "future", "column": "row 3", "row": 7, "series": ("a", 1)}
each_data_error = pytest.mark.parametrize("name", ["DataError", "DataTypeError", "AmbiguityError"])


@each_data_error
@given(st.sets(st.sampled_from(["option", "column", "row", "series"]), min_size=1))
def test_a_data_error_keeps_its_place_as_fields_and_words_it(name, chosen):
    fields = {field: FIELDS[field] for field in FIELDS if field in chosen}
    error = getattr(errors, name)(**fields, expected=PHRASE, received="0", hint=PHRASE)
    names = [fields[field] for field in ("option", "column") if field in fields]
    names += [f"row {fields['row']}"] if "row" in fields else []
    series = f" (series {fields['series']!r})" if "series" in fields else ""
    assert error.where == ", ".join(names) + series
    assert str(error) == f"{error.where}: expected {PHRASE}, received 0. {PHRASE}"
    for arrived in (error, *(way(error) for way in WAYS)):
        assert all(getattr(arrived, field) == fields.get(field) for field in FIELDS)
        assert (vars(arrived), str(arrived)) == (vars(error), str(error))
        assert arrived.hint.fragments == PHRASE.fragments


@each_data_error
@pytest.mark.parametrize("fix", [*errors.Fix, None])
def test_a_data_error_keeps_its_fix_and_does_not_word_it(name, fix):
    error = getattr(errors, name)(column="y", row=3, **WORDS, fix=fix)
    error.rows = [3, 5]
    error.missing_values = ("closed",)
    changed = error.changed(path="a.csv", hint="")
    for arrived in (error, changed, *(way(error) for way in WAYS)):
        assert arrived.fix is fix
        assert (arrived.rows, arrived.missing_values) == ([3, 5], ("closed",))
    assert str(error) == "y, row 3: expected a whole number >= 1, received 0. Choose a larger one."
    assert error.changed(fix=errors.Fix.SORT).fix is errors.Fix.SORT


def test_an_ambiguity_keeps_its_answers_and_does_not_word_them():
    answers = (
        errors.Option("dialect.day_first", True),
        errors.Option("columns.ds_format", "%y/%m/%d"),
    )
    error = errors.AmbiguityError(column="ds", row=0, **WORDS, answers=list(answers))
    assert str(error) == f"ds, row 0: expected a whole number >= 1, received 0. {WORDS['hint']}"
    for arrived in (error, error.changed(path="a.csv", hint=""), *(way(error) for way in WAYS)):
        assert type(arrived) is errors.AmbiguityError
        assert arrived.answers == answers
    assert error.changed(answers=answers[:1]).answers == answers[:1]


def test_a_phrase_is_a_string_with_other_words_for_its_parts():
    assert PHRASE == "as in row 3, or missing='fill'"
    assert PHRASE.worded(lambda part: type(part).__name__) == "as in Row, or Option"
    # Text that only looks like a row is text.
    assert errors.Phrase("row 3 of ", errors.Row(5)).worded(lambda _: "x") == "row 3 of x"


def test_a_phrase_that_goes_on_has_the_fragments_of_both():
    longer = errors.Phrase(PHRASE, ", or ", errors.Row(4))
    assert longer == f"{PHRASE}, or row 4"
    assert longer.fragments == (*PHRASE.fragments, ", or ", errors.Row(4))
    assert errors.Phrase("", "text").fragments == ("", "text")


def test_not_fitted_error_arrives_in_a_new_process(run_python):
    sent = pickle.dumps(errors.NotFittedError("the network", **WORDS))
    code = f"import pickle; error = pickle.loads({sent!r}); print(type(error).__name__, error.received)"
    assert run_python(code) == "NotFittedError 0"


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [CHOICES[name] for name in ("cell", "decoder_input", "attention", "sampling_schedule")]
    ).flatmap(lambda names: st.tuples(st.just(names), st.sampled_from(names))),
    st.data(),
)
def test_one_wrong_letter_is_fixed(choice, data):
    names, meant = choice
    place = data.draw(st.integers(0, len(meant) - 1))
    written = (
        meant[:place] + data.draw(st.sampled_from(["", "q", meant[place] * 2])) + meant[place + 1 :]
    )
    error = errors.unknown_name("option", written, names)
    assert isinstance(error, errors.SpecError)
    assert error.received == repr(written)
    assert all(repr(name) in error.expected for name in names)
    assert error.hint == f"Did you mean {meant!r}?"


def test_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(
        errors.MissingPackageError,
        match=r"optional package 'optuna' is needed .*pip install '\.\[tune\]'$",
    ):
        environment.require("optuna", extra="tune")
