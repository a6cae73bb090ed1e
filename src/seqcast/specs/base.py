"""The base of all specs: conversion to JSON, and fields that are set during creation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any, ClassVar, Self

from seqcast.errors import SpecError, unknown_name
from seqcast.specs.checks import check_int


class Spec:
    """A spec, which converts to and from a dict of its fields, as JSON types."""

    # The type of each field of one spec or several.
    _specs: ClassVar[Mapping[str, type[Spec]]] = {}

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        names = [item.name for item in fields(self)]  # type: ignore[arg-type]
        return {name: _plain(getattr(self, name)) for name in names}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build the spec from the result of `to_dict`, or from some of its fields.

        Args:
            values: The fields by name, as JSON types.

        Raises:
            SpecError: A field does not exist or has an impossible value, or `values` is no mapping.
        """
        if not isinstance(values, Mapping):
            raise SpecError(
                cls.__name__,
                expected="its fields, by name",
                received=repr(values)[:80],
                hint="Give a dict.",
            )
        known = [item.name for item in fields(cls)]  # type: ignore[arg-type]
        for name in values:
            if name not in known:
                raise unknown_name(f"{cls.__name__} field", name, known)
        for item in fields(cls):  # type: ignore[arg-type]
            if (
                item.name not in values
                and item.default is MISSING
                and item.default_factory is MISSING
            ):
                where = f"{cls.__name__} field {item.name!r}"
                raise SpecError(where, expected="a value", received="nothing", hint="Give one.")
        return cls(**{name: _read(cls._specs.get(name), value) for name, value in values.items()})


def _read(kind: type[Spec] | None, value: Any) -> Any:
    """Return the value of a field from JSON, as a spec if the field has specs."""
    if kind is None or value is None:
        return value
    if isinstance(value, list | tuple):
        return tuple(kind.from_dict(each) for each in value)
    return kind.from_dict(value)


def check_writable(specs: Iterable[Spec], *, where: str, expected: str) -> None:
    """Reject specs with functions that cannot be written as JSON and read back.

    Args:
        specs: The specs.
        where: The option, for the message.
        expected: The expected value, for the message.

    Raises:
        SpecError: A spec has such a function.
    """
    unwritable = unwritable_fields(specs)
    if unwritable:
        raise SpecError(
            where,
            expected=expected,
            received=", ".join(f"{name}={value!r}" for name, value in unwritable.items()),
            hint="Give names, Keras objects, or functions registered with keras.saving.",
        )


def unwritable_fields(specs: Iterable[Spec]) -> dict[str, Any]:
    """Return the fields with objects that cannot be written as JSON and read back, by name.

    Args:
        specs: The specs, whose fields may be specs too.
    """
    return {
        item.name: getattr(spec, item.name)
        for spec in specs
        for item in fields(spec)  # type: ignore[arg-type]
        if not _is_writable(getattr(spec, item.name))
    }


def _is_writable(value: Any) -> bool:
    """Return whether a value can be written as JSON and read again."""
    if value is None or isinstance(value, str | int | float):
        return True
    if isinstance(value, Spec):
        return not unwritable_fields([value])
    if isinstance(value, Mapping | list | tuple):
        return all(map(_is_writable, value.values() if isinstance(value, Mapping) else value))
    from seqcast.runtime import filtering_warnings, keras

    try:
        with filtering_warnings(
            "ignore"
        ):  # Keras warns of lambdas, and of NumPy 2; the result covers both
            plain = keras.saving.serialize_keras_object(value)
            json.dumps(plain)
            keras.saving.deserialize_keras_object(plain)
    except Exception:  # Keras raises errors of many types
        return False
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if value is None or isinstance(value, (str, int, float, bool, list)):
        return value
    from seqcast.runtime import keras

    return _plain(keras.saving.serialize_keras_object(value))


def set_fields(spec: Any, **values: Any) -> None:
    """Set fields of a frozen spec while it is created.

    Args:
        spec: The spec.
        **values: The values of the fields.
    """
    for name, value in values.items():
        object.__setattr__(spec, name, value)


def set_ints(spec: Any, *names: str, at_least: int = 1, optional: bool = False) -> None:
    """Check that fields of a frozen spec are whole numbers, and set them as ints.

    Args:
        spec: The spec.
        *names: Names of the fields.
        at_least: The smallest number.
        optional: Whether the fields may be `None`.
    """
    for name in names:
        value = getattr(spec, name)
        if not (optional and value is None):
            set_fields(spec, **{name: check_int(name, value, at_least=at_least)})
