"""Types of JSON that was read from a file: declared as type hints, compared before anything is built of it."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from typing import Any


def check_json(value: Any, hint: Any, where: str) -> Any:
    """Return a value that was read from JSON, and refuse another type than is declared.

    Args:
        value: The value.
        hint: `None`, `bool`, `int`, `float` (finite; whole numbers too), `str`, `list[…]`, `dict[str, …]`, unions
            of them, `Any`, or a `TypedDict`, whose fields have to be there, and no others.
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
    if hint is Any:
        return value
    if typing.is_typeddict(hint):
        return check_fields(value, typing.get_type_hints(hint), where)
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return value if value is None and type(None) in parts else _check_any(value, parts, where)
    if origin is list and isinstance(value, list):
        return [check_json(item, parts[0], f"{where}[{place}]") for place, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {name: check_json(item, parts[1], f"{where}.{name}") for name, item in value.items()}
    kinds = (int, float) if hint is float else hint
    if origin is None and isinstance(value, kinds) and (hint is bool or not isinstance(value, bool)):
        # Python's JSON reads NaN and Infinity, and as such what is too large for a float.
        if hint is float and not math.isfinite(value):
            raise ValueError(f"{where} is {value}, where a finite number is expected")
        return value
    raise ValueError(f"{where} is {type(value).__name__!r}, where {getattr(hint, '__name__', hint)} is expected")


def check_fields(values: Any, hints: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return an object that was read from JSON, and refuse other fields than are declared, or of another type.

    Args:
        values: The object.
        hints: The type of each field.
        where: Its place, for the error.

    Raises:
        ValueError: A field is missing, unknown or of another type.
    """
    if not isinstance(values, dict) or set(values) != set(hints):
        names = sorted(set(values) ^ set(hints)) if isinstance(values, dict) else [type(values).__name__]
        raise ValueError(f"{where} has not the fields that are expected ({', '.join(map(str, names[:5]))})")
    return {name: check_json(values[name], hint, f"{where}.{name}") for name, hint in hints.items()}


def _check_any(value: Any, hints: tuple[Any, ...], where: str) -> Any:
    """Return a value that is of one of several types, and say of the last one what is wrong."""
    for hint in hints[:-1]:
        try:
            return check_json(value, hint, where)
        except ValueError:
            continue
    return check_json(value, hints[-1], where)
