"""Checks of single options: a name, a number, probabilities, a flag, a Keras object."""

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

from seqcast.errors import SpecError, unknown_name

# Largest count of steps, rows, units or networks: no memory holds more, and NumPy makes raw errors
# of much more.
MOST_COUNT = 2**31 - 1
# Largest seed: the entropy that a `SeedSequence` of NumPy takes from the system.
MOST_SEED = 2**128 - 1
# Whole numbers of more bits are not written out in messages, and those of thousands of digits
# cannot be.
_MOST_BITS = 128


def check_choice(where: str, value: object, known: Sequence[str]) -> None:
    """Reject a name that is not in a list.

    Args:
        where: The option.
        value: The value of the option.
        known: The names.
    """
    if not isinstance(value, str) or value not in known:
        raise unknown_name(where, value, known)


def check_int(where: str, value: Any, *, at_least: int = 1, at_most: int = MOST_COUNT) -> int:
    """Return a whole number as an int, and reject everything else.

    Args:
        where: The option.
        value: The value of the option.
        at_least: The smallest number.
        at_most: The largest number.

    Example:
        >>> check_int("horizon", 15)
        15
        >>> check_int("horizon", 1.5)
        Traceback (most recent call last):
        seqcast.errors.SpecError: horizon: expected a whole number >= 1, received 1.5. Give it ...
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or int(value) < at_least:
        raise SpecError(
            where,
            expected=f"a whole number >= {at_least}",
            received=_shown(value),
            hint="Choose a larger one." if whole else "Give it as an int.",
        )
    if int(value) > at_most:
        raise SpecError(
            where,
            expected=f"a whole number from {at_least} to {at_most}",
            received=_shown(value),
            hint="Choose a smaller one.",
        )
    return int(value)


def check_characters(where: str, text: str) -> None:
    """Reject text with half a character, a lone surrogate, which no file, frame or terminal takes.

    Args:
        where: The option.
        text: The text.

    Raises:
        SpecError: It has half a character.
    """
    if not has_whole_characters(text):
        raise SpecError(
            where,
            expected="whole characters",
            received=f"{text!r:.80}",
            hint="Remove the lone surrogate.",
        )


def has_whole_characters(text: str) -> bool:
    """Return whether text has no half of a character, a lone surrogate.

    Args:
        text: The text.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: Any) -> str:
    """Return a value as a message shows it."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        kind = "negative whole number" if value < 0 else "whole number"
        return f"a {kind} of {value.bit_length()} bits"
    return repr(value)


def check_number(
    where: str,
    value: object,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
) -> float:
    """Return a finite number of an interval as a float, and reject everything else.

    Args:
        where: The option.
        value: The value of the option.
        low: The lower bound.
        high: The upper bound.
        open_low: Whether the lower bound is excluded.
    """
    bounds = f"a number in {'(' if open_low else '['}{low:g}, {high:g}]"
    try:
        number = (
            float(value)
            if isinstance(value, numbers.Real) and not isinstance(value, bool)
            else math.nan
        )
    except OverflowError:  # an int beyond the floats
        number = math.nan
    finite = math.isfinite(number)
    if not finite or number > high or number < low or (open_low and number == low):
        raise SpecError(
            where,
            expected=bounds,
            received=_shown(value),
            hint="Choose one inside." if finite else "Give it as a float.",
        )
    return number


def check_probabilities(where: str, values: Any) -> tuple[float, ...]:
    """Return probabilities as floats, and reject everything but numbers strictly between 0 and 1.

    Args:
        where: The option.
        values: The value of the option: a number, or several.

    Example:
        >>> check_probabilities("probabilities", [0.1, 0.9])
        (0.1, 0.9)
    """
    plain = values.tolist() if hasattr(values, "tolist") else values
    plain = (plain,) if isinstance(plain, numbers.Real) else plain
    items = list(plain) if isinstance(plain, Sequence) else []
    probabilities = tuple(
        float(value)
        for value in items
        if isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and 0.0 < float(value) < 1.0
    )
    if not items or len(probabilities) < len(items):
        raise SpecError(
            where,
            expected="numbers between 0 and 1, both excluded",
            received=repr(values),
            hint="Give them in a tuple, such as (0.1, 0.5, 0.9).",
        )
    return probabilities


def check_flag(where: str, value: object) -> None:
    """Reject a value that is neither True nor False.

    Args:
        where: The option.
        value: The value of the option.
    """
    if not isinstance(value, bool):
        raise SpecError(
            where, expected="True or False", received=repr(value), hint="Give one of the two."
        )


def check_keras_object(where: str, value: Any) -> None:
    """Reject a value that is no Keras object, name or config of the kind of the option.

    Args:
        where: The option: `regularizer`, `optimizer`, `loss`, `metrics`, `learning_rate_schedule`.
        value: The value of the option.
    """
    from seqcast.runtime import keras

    _check_modules(where, value)
    getter = {
        "regularizer": keras.regularizers.get,
        "optimizer": keras.optimizers.get,
        "loss": keras.losses.get,
        "metrics": keras.metrics.get,
        "learning_rate_schedule": _schedule,
    }
    try:
        # A copy, because Keras writes into the dicts of optimisers that it reads.
        if getter[where](dict(value) if isinstance(value, Mapping) else value) is None:
            raise ValueError("None")
    except Exception as error:  # Keras raises errors of many types
        raise SpecError(
            where,
            expected=f"a Keras {where}: name, config or object",
            received=repr(value),
            hint="See keras.io/api.",
        ) from error


# Modules of the objects that a config may name; `builtins` are Keras's own functions, by name.
_MODULES = ("builtins", "keras.losses", "keras.metrics", "keras.optimizers", "keras.regularizers")
_DEPTH = 64


def _check_modules(where: str, value: Any, depth: int = 0) -> None:
    """Reject a Keras config with objects of other modules.

    Configs come from files, and a layer of another module may read other files. Keras itself
    rejects code and modules that are not its own.
    """
    if depth > _DEPTH:
        raise SpecError(
            where,
            expected="a Keras config",
            received="a config with too many levels",
            hint="Check it.",
        )
    if isinstance(value, list | tuple):
        for item in value:
            _check_modules(where, item, depth + 1)
    if not isinstance(value, Mapping):
        return
    module = value.get("module")
    if module is not None and "class_name" in value and not _is_known(value, str(module)):
        raise SpecError(
            where,
            expected=f"objects of {', '.join(_MODULES[1:])}, or registered ones",
            received=f"{module}.{value['class_name']}",
            hint="Register your own with keras.saving.register_keras_serializable.",
        )
    for item in value.values():
        _check_modules(where, item, depth + 1)


def _is_known(config: Mapping[str, Any], module: str) -> bool:
    from seqcast.runtime import keras

    own = any(module == known or module.startswith(f"{known}.") for known in _MODULES)
    policy = module == "keras" and str(config["class_name"]).endswith("DTypePolicy")
    registered = config.get("registered_name")
    return (
        own
        or policy
        or (
            registered is not None
            and keras.saving.get_registered_object(str(registered)) is not None
        )
    )


def _schedule(value: Any) -> Any:
    from seqcast.runtime import keras

    schedules = keras.optimizers.schedules
    value = schedules.deserialize(value) if isinstance(value, Mapping) else value
    if not isinstance(value, schedules.LearningRateSchedule):
        raise TypeError("not a schedule")
    return value
