"""Dataclasses go into JSON and arrays by their fields and come back equal; other fields are rejected."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from seqcast.runtime.payload import check_json, from_payload, to_payload
from tests.rejections import rejected


class Shape:
    """A base whose kinds a file names by their keys."""


@dataclass(frozen=True)
class Circle(Shape):
    key: ClassVar[str] = "circle"
    radius: float


@dataclass(frozen=True)
class Polygon(Shape):
    key: ClassVar[str] = "polygon"
    corners: npt.NDArray[Any]


TABLES = {Shape: {"circle": Circle, "polygon": Polygon}}


class Note:
    """A class that says itself how."""

    def __init__(self, text):
        self.text = text

    def to_dict(self):
        return {"text": self.text}

    @classmethod
    def from_dict(cls, values):
        return cls(values["text"])


@dataclass(frozen=True)
class Drawing:
    name: str
    shapes: tuple[Shape, ...]
    grids: Mapping[str, npt.NDArray[Any]]
    weights: list[npt.NDArray[Any]] | None
    note: Note
    size: int | None = None


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
GRIDS = arrays_of.arrays(
    st.sampled_from([np.float32, np.int64, bool]), arrays_of.array_shapes(max_dims=2, max_side=3)
)
DRAWINGS = st.builds(
    Drawing,
    name=st.text(),
    shapes=st.lists(st.builds(Circle, NUMBERS) | st.builds(Polygon, GRIDS), max_size=3).map(tuple),
    grids=st.dictionaries(st.text(alphabet="ab c1", min_size=1), GRIDS, max_size=2),
    weights=st.none() | st.lists(GRIDS, max_size=3),
    note=st.builds(Note, st.text()),
    size=st.none() | st.integers(),
)


def through_json(value):
    header, arrays = to_payload(value)
    return json.loads(json.dumps(header)), arrays


@given(DRAWINGS)
def test_what_was_written_comes_back(drawing):
    again = from_payload(Drawing, *through_json(drawing), tables=TABLES)
    (header, arrays), (other, others) = to_payload(drawing), to_payload(again)
    assert header == other
    assert list(arrays) == list(others)
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, others[name])
        assert values.dtype == others[name].dtype
    assert [type(shape) for shape in again.shapes] == [type(shape) for shape in drawing.shapes]
    assert isinstance(again.shapes, tuple)


DRAWING = Drawing(
    "a", (Circle(1.0), Polygon(np.ones(3))), {"g": np.zeros(2)}, [np.ones(1)], Note("b"), 3
)
CHANGES = [
    (lambda header: header.pop("name"), r"header has other fields than expected \(name\)"),
    (
        lambda header: header["shapes"].append([1]),
        r"shapes\[2\] has other fields than expected \(list\)",
    ),
    (lambda header: header.update(shapes={}), "header.shapes is 'dict'"),
    (lambda header: header.update(grids=[]), "header.grids is 'list'"),
    (
        lambda header: header["shapes"][0].update(key="line"),
        r"shapes\[0\]: 'line', which is unknown",
    ),
    (
        lambda header: header["shapes"][0]["payload"].update(radius=True),
        r"shapes\[0\].radius is 'bool'",
    ),
]


@pytest.mark.parametrize(("change", "text"), CHANGES)
def test_other_fields_types_and_keys_are_rejected(change, text):
    header, arrays = through_json(DRAWING)
    change(header)
    rejected(ValueError, text, from_payload, Drawing, header, arrays, tables=TABLES)


def test_an_array_that_lacks_is_rejected():
    header, arrays = through_json(DRAWING)
    assert sorted(arrays) == ["grids/g", "shapes/1/corners", "weights/0"]
    for name in arrays:
        others = {other: values for other, values in arrays.items() if other != name}
        with pytest.raises(LookupError):
            from_payload(Drawing, header, others, tables=TABLES)


def test_numbers_of_numpy_are_plain():
    assert to_payload({"a": np.int64(3), "b": (np.float32(0.5), None)}) == (
        {"a": 3, "b": [0.5, None]},
        {},
    )


# ---------------------------------------------------------------- types of JSON


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


INVALID = [
    ({"name": 3}, "header.name is 'int', where str is expected"),
    ({"numbers": [1, "2"]}, r"header.numbers\[1\] is 'str', where float is expected"),
    ({"numbers": [True]}, r"header.numbers\[0\] is 'bool', where float is expected"),
    (
        {"numbers": [1, float("nan")]},
        r"header.numbers\[1\] is nan, where a finite number is expected",
    ),
    (
        {"numbers": json.loads("[-1e999]")},
        r"header.numbers\[0\] is -inf, where a finite number is expected",
    ),
    ({"numbers": None}, "header.numbers is 'NoneType'"),
    ({"counts": {"a": 1.0}}, "header.counts.a is 'float', where int is expected"),
    ({"counts": [1]}, "header.counts is 'list'"),
    ({"more": 1}, r"header has other fields than expected \(more\)"),
    *[({name: ...}, rf"header has other fields than expected \({name}\)") for name in VALID],
]


@pytest.mark.parametrize(("change", "text"), INVALID)
def test_what_is_not_is_rejected_with_its_place(change, text):
    header = {name: value for name, value in {**VALID, **change}.items() if value is not ...}
    rejected(ValueError, text, check_json, header, Header, "header")


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
