"""Values as payloads of files: dataclasses as JSON types and arrays by their fields, read back by their annotations.

Files come from anywhere. So their content is compared with the declared types before an object is
built from it.
"""

import contextlib
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.errors import DataError

Array = npt.NDArray[Any]
Payload = tuple[Any, dict[str, Array]]
Tables = Mapping[type, Mapping[str, type]]


def to_payload(value: Any) -> Payload:
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
    if isinstance(getattr(type(value), "key", None), str):
        header = {"key": value.key, "payload": header}
    return header, arrays


def _own_payload(value: Any) -> Payload:
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
    kind: Any,
    header: Any,
    arrays: Mapping[str, Any],
    where: str = "header",
    tables: Tables = MappingProxyType({}),
) -> Any:
    """Build a value from the result of `to_payload`, and reject other fields and types than are declared.

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
    origin = typing.get_origin(kind)
    inner = typing.get_args(kind)
    if origin is np.ndarray:
        return arrays[""]
    if kind in tables:
        keyed = check_fields(header, {"key": str, "payload": Any}, where)
        if keyed["key"] not in tables[kind]:
            raise ValueError(f"{where}: {keyed['key']!r}, which is unknown")
        kind = tables[kind][keyed["key"]]
        header = keyed["payload"]
    if hasattr(kind, "from_payload"):
        return kind.from_payload(header, arrays)
    if hasattr(kind, "from_dict"):
        return kind.from_dict(header)
    if origin in (types.UnionType, typing.Union):
        return _from_any(inner, header, arrays, where, tables)
    if origin is None and not is_dataclass(kind) and not typing.is_typeddict(kind):
        return _checked(header, kind, where)
    own = _by_owner(arrays)

    def build(name: str, kind: Any, header: Any, place: str) -> Any:
        return from_payload(kind, header, own.get(name, {}), place, tables)

    if origin is None:
        hints = typing.get_type_hints(kind)
        names = [item.name for item in fields(kind)] if is_dataclass(kind) else list(hints)
        described = check_fields(header, dict.fromkeys(names, Any), where)
        payloads = {
            name: build(name, hints[name], each, f"{where}.{name}")
            for name, each in described.items()
        }
        try:
            return kind(**payloads)
        except DataError as error:  # arrays of a file are no data of the user's
            raise ValueError(str(error)) from error
    if origin in (tuple, list):
        listed = enumerate(_checked(header, list, where))
        return origin(
            build(str(place), inner[0], each, f"{where}[{place}]") for place, each in listed
        )
    named = _checked(header, dict, where).items()
    return {name: build(name, inner[1], each, f"{where}.{name}") for name, each in named}


def check_json(value: Any, hint: Any, where: str) -> Any:
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


def check_fields(values: Any, hints: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return an object that was read from JSON, and reject other fields than are declared, or of another type.

    Args:
        values: The object.
        hints: The type of each field.
        where: Its place, for the error.

    Raises:
        ValueError: A field is missing, unknown or of another type.
    """
    if not isinstance(values, dict) or set(values) != set(hints):
        names = (
            sorted(set(values) ^ set(hints))
            if isinstance(values, dict)
            else [type(values).__name__]
        )
        raise ValueError(
            f"{where} has other fields than expected ({', '.join(map(str, names[:5]))})"
        )
    return {name: check_json(values[name], hint, f"{where}.{name}") for name, hint in hints.items()}


def _checked(value: Any, kind: Any, where: str) -> Any:
    """Return a value of a type of JSON."""
    kinds = (int, float) if kind is float else kind
    if kind is not Any and (
        not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool)
    ):
        raise ValueError(f"{where} is {type(value).__name__!r}, where {kind.__name__} is expected")
    # Python's JSON reads NaN and Infinity, and as such numbers that are too large for a float.
    if kind is float and not math.isfinite(value):
        raise ValueError(f"{where} is {value}, where a finite number is expected")
    return value


def _from_any(
    kinds: Sequence[Any], header: Any, arrays: Mapping[str, Any], where: str, tables: Tables
) -> Any:
    """Build a value that is of one of several types; an error is that of the last one."""
    if header is None and not arrays and types.NoneType in kinds:
        return None
    *others, last = (kind for kind in kinds if kind is not types.NoneType)
    for kind in others:
        with contextlib.suppress(ValueError):
            return from_payload(kind, header, arrays, where, tables)
    return from_payload(last, header, arrays, where, tables)


def _by_owner(arrays: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """Return the arrays of each field or place."""
    owners: dict[str, dict[str, Array]] = {}
    for name, values in arrays.items():
        owner, _, key = name.partition("/")
        owners.setdefault(owner, {})[key] = values
    return owners
