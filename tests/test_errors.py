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
from seqcast.runtime import environment as _environment
from seqcast.specs.network import ATTENTIONS, CELLS, DECODER_INPUTS, SAMPLING_SCHEDULES

PARTS = {"expected": "a whole number >= 1", "received": "0", "hint": "Choose a larger one."}
CLASSES = [name for name in errors.__all__ if name.endswith("Error")]
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


TREE = list(documented_tree())


def test_the_drawing_has_every_class():
    assert {"SeqcastError", *(name for name, _, _ in TREE)} == set(CLASSES)


@pytest.mark.parametrize(("name", "parent", "base"), TREE)
def test_tree_is_as_drawn(name, parent, base):
    cls = getattr(errors, name)
    others = {"scikit-learn's": sklearn.exceptions.NotFittedError, "BrokenExecutor": concurrent.futures.BrokenExecutor}
    further = others.get(base) or getattr(builtins, base)
    assert issubclass(cls, getattr(errors, parent))
    assert issubclass(cls, further)
    assert not issubclass(errors.SeqcastError, further)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({}, "horizon"),
        ({"expected": "one"}, "horizon: expected one."),
        ({"received": "two"}, "horizon: received two."),
        ({"expected": "one", "received": "two"}, "horizon: expected one, received two."),
        ({"hint": "Give it."}, "horizon. Give it."),
        (PARTS, "horizon: expected a whole number >= 1, received 0. Choose a larger one."),
    ],
)
@each_class
def test_message(name, parts, text):
    error = getattr(errors, name)("horizon", **parts)
    assert str(error) == text
    for part in ("expected", "received", "hint"):
        assert getattr(error, part) == parts.get(part, "")


@pytest.mark.parametrize("way", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
@each_class
def test_travels_unchanged(name, way):
    cls = getattr(errors, name)
    error = cls("column 'y', row 3", **PARTS)
    error.history = {"loss": [1.0]}
    error.add_note("while fitting store 7")
    arrived = way(error)
    assert type(arrived) is cls
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)
    assert arrived.where == "column 'y', row 3"
    assert arrived.history == {"loss": [1.0]}
    assert arrived.__notes__ == ["while fitting store 7"]


FIELDS = {"option": "future", "column": "row 3", "row": 7, "series": ("a", 1)}
SUBSETS = [dict(list(FIELDS.items())[i:j]) for i in range(4) for j in range(i + 1, 5)]
DATA_ERRORS = ("DataError", "DataTypeError")


@pytest.mark.parametrize("fields", SUBSETS, ids=lambda fields: "-".join(fields))
@pytest.mark.parametrize("name", DATA_ERRORS)
def test_a_data_error_keeps_its_place_as_fields_and_words_it(name, fields):
    error = getattr(errors, name)(**fields, **PARTS)
    for field in FIELDS:
        assert getattr(error, field) == fields.get(field)
    names = [fields[field] for field in ("option", "column") if field in fields]
    names += [f"row {fields['row']}"] if "row" in fields else []
    series = f" (series {fields['series']!r})" if "series" in fields else ""
    assert error.where == ", ".join(names) + series
    assert str(error) == f"{error.where}: expected a whole number >= 1, received 0. Choose a larger one."


PHRASE = errors.Phrase("as in ", errors.Row(3), ", or ", errors.Option("missing", "fill"), remedy="fill")


@pytest.mark.parametrize("way", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("name", DATA_ERRORS)
def test_fields_and_phrases_travel(name, way):
    error = getattr(errors, name)(**FIELDS, expected=PHRASE, hint=PHRASE)
    arrived = way(error)
    assert vars(arrived) == vars(error)
    assert str(arrived) == str(error)
    for text in (arrived.expected, arrived.hint):
        assert (text.parts, text.remedy) == (PHRASE.parts, "fill")


def test_a_phrase_is_a_string_with_other_words_for_its_parts():
    assert PHRASE == "as in row 3, or missing='fill'"
    assert PHRASE.worded(lambda part: type(part).__name__) == "as in Row, or Option"
    # Text that only looks like a row is text.
    assert errors.Phrase("row 3 of ", errors.Row(5)).worded(lambda _: "x") == "row 3 of x"


def test_not_fitted_error_is_one_class_and_arrives_in_a_new_process(run_python):
    first, second = errors.NotFittedError, errors.NotFittedError
    assert first is second
    with pytest.raises(sklearn.exceptions.NotFittedError, match="Call fit first"):
        raise errors.NotFittedError("the network", hint="Call fit first.")
    sent = pickle.dumps(errors.NotFittedError("the network", **PARTS))
    code = f"import pickle; error = pickle.loads({sent!r}); print(type(error).__name__, error.received)"
    assert run_python(code) == "NotFittedError 0"


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([CELLS, DECODER_INPUTS, ATTENTIONS, SAMPLING_SCHEDULES]).flatmap(
        lambda names: st.tuples(st.just(names), st.sampled_from(names))
    ),
    st.data(),
)
def test_one_wrong_letter_is_mended(choice, data):
    names, meant = choice
    place = data.draw(st.integers(0, len(meant) - 1))
    written = meant[:place] + data.draw(st.sampled_from(["", "q", meant[place] * 2])) + meant[place + 1 :]
    error = errors.unknown_name("option", written, names)
    assert isinstance(error, errors.SpecError)
    assert error.received == repr(written)
    assert all(repr(name) in error.expected for name in names)
    assert error.hint == f"Did you mean {meant!r}?"


def test_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(errors.MissingPackageError) as caught:
        _environment.require("optuna", extra="tune")
    assert str(caught.value) == (
        "the optional package 'optuna' is needed for this. Install it: pip install 'seqcast[tune]'"
    )
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value.__cause__, ImportError)
