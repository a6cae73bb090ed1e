"""Values as payloads of files: JSON types and arrays by the fields of dataclasses.

Files come from anywhere. So their content is compared with the declared types before an object is
built from it.
"""

import contextlib
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.errors import DataError

Array = npt.NDArray[Any]
# A value of the types that JSON has.
Json = Any
Payload = tuple[Json, dict[str, Array]]
# A type as annotations have it: a class, or an expression such as `tuple[float, ...] | None`.
TypeHint = Any
# Classes by their keys, for each of their base classes.
Tables = Mapping[type, Mapping[str, type]]


def to_payload(value: object) -> Payload:
    """Return JSON types, and arrays by name, that hold a value.

    Args:
        value: JSON types, arrays, sequences and mappings of such, and dataclasses with such fields.
            A class may have its own method `to_payload`, or `to_dict` if it has no arrays. A class
            with a `key` is written with it.

    Example:
        >>> to_payload({"level": (80, 95), "widths": np.ones(2)})
        ({'level': [80, 95], 'widths': None}, {'widths': array([1., 1.])})
    """
    header, arrays = _own_payload(value)
    key = getattr(type(value), "key", None)
    if isinstance(key, str):
        header = {"key": key, "payload": header}
    return header, arrays


def _own_payload(value: Any) -> Payload:
    """Return the payload of a value without the key of its class."""
    if isinstance(value, np.ndarray):
        return None, {"": value}
    if hasattr(value, "to_payload"):
        header, arrays = value.to_payload()
        return header, arrays
    if hasattr(value, "to_dict"):
        return value.to_dict(), {}
    if is_dataclass(value):
        items = {item.name: getattr(value, item.name) for item in fields(value)}
    elif isinstance(value, Mapping):
        items = dict(value)
    elif isinstance(value, tuple | list):
        items = {str(place): item for place, item in enumerate(value)}
    else:
        return value.item() if isinstance(value, np.generic) else value, {}

    payloads = {name: to_payload(item) for name, item in items.items()}
    described = {name: header for name, (header, _) in payloads.items()}
    arrays = {
        f"{name}/{key}" if key else name: array
        for name, (_, own) in payloads.items()
        for key, array in own.items()
    }
    return list(described.values()) if isinstance(value, tuple | list) else described, arrays


def from_payload(
    kind: TypeHint,
    header: Json,
    arrays: Mapping[str, Array],
    where: str = "header",
    tables: Tables = MappingProxyType({}),
) -> Any:
    """Build a value from the result of `to_payload`.

    Other fields and types than are declared are rejected.

    Args:
        kind: Its type: a dataclass or `TypedDict` whose fields declare theirs, a class with
            `from_payload` or `from_dict`, an array, `bool`, `int`, `float` (finite; whole numbers
            too), `str`, `Any`, or tuples, lists, mappings and unions of such.
        header: The JSON types.
        arrays: The arrays by name.
        where: Its place, for the error.
        tables: For each base class of classes with a key, the classes by key.

    Raises:
        ValueError: The payload is of another type.

    Example:
        >>> from_payload(tuple[float, ...] | None, [80, 95], {})
        (80, 95)
    """
    return _build(kind, _Part(header, arrays, where, tables))


@dataclass(frozen=True)
class _Part:
    """A part of a payload; the arguments are those of `from_payload`."""

    header: Json
    arrays: Mapping[str, Array]
    where: str
    tables: Tables

    @cached_property
    def _arrays_by_owner(self) -> dict[str, dict[str, Array]]:
        owners: dict[str, dict[str, Array]] = {}
        for name, values in self.arrays.items():
            owner, _, key = name.partition("/")
            owners.setdefault(owner, {})[key] = values
        return owners

    def item(self, place: int) -> Self:
        """Return the part of an item of a list or tuple."""
        arrays = self._arrays_by_owner.get(str(place), {})
        return replace(
            self, header=self.header[place], arrays=arrays, where=f"{self.where}[{place}]"
        )

    def field(self, name: str) -> Self:
        """Return the part of a field, or of a value of a mapping."""
        arrays = self._arrays_by_owner.get(name, {})
        return replace(self, header=self.header[name], arrays=arrays, where=f"{self.where}.{name}")


def _build(kind: TypeHint, part: _Part) -> object:
    """Build a value of a type."""
    if kind in part.tables:
        keyed = check_fields(part.header, {"key": str, "payload": Any}, part.where)
        if keyed["key"] not in part.tables[kind]:
            raise ValueError(f"{part.where}: {keyed['key']!r}, which is unknown")
        kind = part.tables[kind][keyed["key"]]
        part = replace(part, header=keyed["payload"])

    if hasattr(kind, "from_payload"):
        return kind.from_payload(part.header, part.arrays)
    if hasattr(kind, "from_dict"):
        return kind.from_dict(part.header)
    if typing.get_origin(kind) is not None:
        return _build_generic(kind, part)
    if is_dataclass(kind) or typing.is_typeddict(kind):
        return _build_fields(kind, part)
    return _checked(part.header, kind, part.where)


def _build_generic(kind: TypeHint, part: _Part) -> object:
    """Build a value of a type with type arguments."""
    origin: TypeHint = typing.get_origin(kind)
    inner = typing.get_args(kind)
    if origin is np.ndarray:
        return part.arrays[""]
    if origin in (types.UnionType, typing.Union):
        return _build_any(inner, part)
    if origin in (tuple, list):
        count = len(_checked(part.header, list, part.where))
        return origin(_build(inner[0], part.item(place)) for place in range(count))
    names = _checked(part.header, dict, part.where)
    return {name: _build(inner[1], part.field(name)) for name in names}


def _build_any(kinds: Sequence[TypeHint], part: _Part) -> object:
    """Build a value that is of one of several types; an error is that of the last one."""
    if part.header is None and not part.arrays and types.NoneType in kinds:
        return None
    *others, last = (kind for kind in kinds if kind is not types.NoneType)
    for kind in others:
        with contextlib.suppress(ValueError):
            return _build(kind, part)
    return _build(last, part)


def _build_fields(kind: TypeHint, part: _Part) -> object:
    """Build a dataclass or `TypedDict`."""
    hints = typing.get_type_hints(kind)
    names = [item.name for item in fields(kind)] if is_dataclass(kind) else list(hints)
    check_fields(part.header, dict.fromkeys(names, Any), part.where)
    values = {name: _build(hints[name], part.field(name)) for name in names}
    try:
        return kind(**values)
    except DataError as error:  # arrays of a file are no data of the user's
        raise ValueError(str(error)) from error


def check_json(value: Json, hint: TypeHint, where: str) -> Json:
    """Return a value that was read from JSON, and reject another type than is declared.

    Args:
        value: The value.
        hint: Its type, as for `from_payload`.
        where: Its place, for the error.

    Raises:
        ValueError: It is of another type.

    Example:
        >>> check_json([1, 2.5], list[float], "level")
        [1, 2.5]
        >>> check_json({"seed": "7"}, dict[str, int], "header")
        Traceback (most recent call last):
        ValueError: header.seed is 'str', where int is expected
    """
    return from_payload(hint, value, {}, where)


def check_fields(values: Json, hints: Mapping[str, TypeHint], where: str) -> dict[str, Json]:
    """Return an object that was read from JSON.

    Other fields than are declared, or of another type, are rejected.

    Args:
        values: The object.
        hints: The type of each field.
        where: Its place, for the error.

    Raises:
        ValueError: A field is missing, unknown or of another type.
    """
    different = [type(values).__name__]
    if isinstance(values, dict):
        different = sorted(set(values) ^ set(hints))
    if different:
        names = ", ".join(map(str, different[:5]))
        raise ValueError(f"{where} has other fields than expected ({names})")
    return {name: check_json(values[name], hint, f"{where}.{name}") for name, hint in hints.items()}


def _checked(value: Json, kind: TypeHint, where: str) -> Json:
    """Return a value of a type of JSON."""
    if kind is Any:
        return value
    is_of_kind = isinstance(value, int | float if kind is float else kind)
    if isinstance(value, bool):
        is_of_kind = kind is bool
    if not is_of_kind:
        raise ValueError(f"{where} is {type(value).__name__!r}, where {kind.__name__} is expected")
    # Python's JSON reads NaN and Infinity, and as such numbers that are too large for a float.
    if kind is float and not math.isfinite(value):
        raise ValueError(f"{where} is {value}, where a finite number is expected")
    return value
