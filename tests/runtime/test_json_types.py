"""JSON of the declared type passes as it is; any other is refused with its place."""

import json
from typing import Any, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcast.runtime.json_types import check_fields, check_json


class Header(TypedDict):
    name: str | None
    numbers: list[float]
    counts: dict[str, int]
    rest: Any


VALID = {"name": None, "numbers": [1, 2.5], "counts": {"a": 1}, "rest": [{}]}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_what_is_declared_passes():
    assert check_json(VALID, Header, "header") == VALID


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": 3}, "header.name is 'int', where NoneType is expected"),
        ({"numbers": [1, "2"]}, r"header.numbers\[1\] is 'str', where float is expected"),
        ({"numbers": [True]}, r"header.numbers\[0\] is 'bool', where float is expected"),
        ({"numbers": [1, float("nan")]}, r"header.numbers\[1\] is nan, where a finite number is expected"),
        ({"numbers": json.loads("[-1e999]")}, r"header.numbers\[0\] is -inf, where a finite number is expected"),
        ({"numbers": None}, "header.numbers is 'NoneType'"),
        ({"counts": {"a": 1.0}}, "header.counts.a is 'float', where int is expected"),
        ({"counts": [1]}, "header.counts is 'list'"),
        ({"more": 1}, r"header has not the fields that are expected \(more\)"),
    ],
)
def test_what_is_not_is_refused_with_its_place(change, text):
    with pytest.raises(ValueError, match=text):
        check_json({**VALID, **change}, Header, "header")


@pytest.mark.parametrize("name", VALID)
def test_a_field_that_is_missing_is_refused(name):
    with pytest.raises(ValueError, match=rf"header has not the fields that are expected \({name}\)"):
        check_json({key: value for key, value in VALID.items() if key != name}, Header, "header")


@given(ANYTHING)
def test_nothing_passes_as_another_type_or_fails_in_another_way(value):
    kinds = {int: int, str: str, bool: bool, list[str]: list, dict[str, int]: dict}
    for hint, kind in kinds.items():
        try:
            passed = check_json(value, hint, "x")
        except ValueError:
            continue
        assert isinstance(passed, kind)
        assert json.dumps(passed) == json.dumps(value)


def test_no_object_at_all():
    with pytest.raises(ValueError, match=r"header has not the fields that are expected \(list\)"):
        check_fields([1], {"a": int}, "header")
