"""Values in files: dataclasses as JSON types and arrays by their fields, read back by the types that these declare."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.runtime.json_types import check_fields, check_json

Array = npt.NDArray[Any]
Parts = tuple[Any, dict[str, Array]]
Tables = Mapping[type, Mapping[str, type]]


def to_parts(value: Any) -> Parts:
    """Return JSON types, and arrays by name, that hold a value.

    Args:
        value: JSON types, arrays, sequences and mappings of such, and dataclasses with such fields. A class says itself
            how by a method `to_parts`, or `to_dict` where it has no arrays. A class with a `key` is written with it.

    Example:
        >>> to_parts({"level": (80, 95), "widths": np.ones(2)})
        ({'level': [80, 95], 'widths': None}, {'widths': array([1., 1.])})
    """
    header, arrays = _own_parts(value)
    if isinstance(getattr(type(value), "key", None), str):
        header = {"key": value.key, "parts": header}
    return header, arrays


def _own_parts(value: Any) -> Parts:
    if isinstance(value, np.ndarray):
        return None, {"": value}
    if hasattr(value, "to_parts"):
        header, arrays = value.to_parts()
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
    parts = {name: to_parts(item) for name, item in items.items()}
    described = {name: header for name, (header, _) in parts.items()}
    arrays = {f"{name}/{key}" if key else name: array for name, (_, own) in parts.items() for key, array in own.items()}
    return list(described.values()) if isinstance(value, tuple | list) else described, arrays


def from_parts(
    kind: Any, header: Any, arrays: Mapping[str, Any], where: str = "header", tables: Tables = MappingProxyType({})
) -> Any:
    """Build a value from the result of `to_parts`, and refuse other fields and types than are declared.

    Args:
        kind: Its type: a dataclass whose fields declare theirs, a class with `from_parts` or `from_dict`, an array, a
            type of JSON as in `check_json`, or tuples, lists, mappings and optional values of such.
        header: The JSON types.
        arrays: The arrays, in memory or in an open file.
        where: Its place, for the error.
        tables: For each base class of what was written with a key, the classes by key.

    Raises:
        ValueError: The parts are those of something else.

    Example:
        >>> from_parts(tuple[float, ...] | None, [80, 95], {})
        (80, 95)
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is np.ndarray:
        return np.asarray(arrays[""])
    if kind in tables:
        keyed = check_fields(header, {"key": str, "parts": Any}, where)
        if keyed["key"] not in tables[kind]:
            raise ValueError(f"{where}: {keyed['key']!r}, which there is not")
        kind, header = tables[kind][keyed["key"]], keyed["parts"]
    if hasattr(kind, "from_parts"):
        return kind.from_parts(header, arrays)
    if hasattr(kind, "from_dict"):
        return kind.from_dict(header)
    if origin in (types.UnionType, typing.Union):
        others = [each for each in inner if each is not types.NoneType]
        if header is not None and len(others) == 1:
            return from_parts(others[0], header, arrays, where, tables)
        return check_json(header, kind, where)
    own = _by_owner(arrays)
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        names = {item.name: Any for item in fields(kind)}
        described = check_fields(header, names, where)
        made = {n: from_parts(hints[n], described[n], own.get(n, {}), f"{where}.{n}", tables) for n in names}
        build: Any = kind
        return build(**made)
    if origin in (tuple, list):
        listed = enumerate(check_json(header, list[Any], where))
        items = [from_parts(inner[0], each, own.get(str(n), {}), f"{where}[{n}]", tables) for n, each in listed]
        return tuple(items) if origin is tuple else items
    if origin is Mapping:
        named = check_json(header, dict[str, Any], where).items()
        return {n: from_parts(inner[1], each, own.get(n, {}), f"{where}.{n}", tables) for n, each in named}
    return check_json(header, kind, where)


def _by_owner(arrays: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the arrays of each field or place."""
    owners: dict[str, dict[str, Any]] = {}
    for name, values in arrays.items():
        owner, _, key = name.partition("/")
        owners.setdefault(owner, {})[key] = values
    return owners
