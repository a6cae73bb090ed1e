"""Numbers as people read them, shares in per cent that add up, and numbers as JSON has them."""

import math
from collections.abc import Mapping
from typing import TypeVar

Name = TypeVar("Name")
Value = TypeVar("Value")

# Significant digits after the decimal point; whole numbers have all of theirs.
DIGITS = 4
# Sizes between which numbers are written out; others have too many zeros.
_LEAST = 1e-9
_MOST = 1e15


def number_text(value: float) -> str:
    """Return a number with at most four significant digits, but all those before the decimal point.

    Args:
        value: The number; NaN is `nan`.

    Example:
        >>> [number_text(value) for value in (100483.2, 0.00012345, -9.87654, 1000.0, 0.0)]
        ['100,483', '0.0001234', '-9.877', '1,000', '0']
    """
    if not _LEAST <= abs(value) < _MOST:
        return f"{value:.{DIGITS}g}"
    if abs(value) >= 10 ** (DIGITS - 1):
        return f"{value:,.0f}"
    import numpy as np  # not above: the help of commands does without it

    return np.format_float_positional(value, precision=DIGITS, fractional=False, trim="-")


def percentages(shares: Mapping[Name, float]) -> dict[Name, str]:
    """Return shares in whole per cent that add up as the shares do.

    Those with the largest remainders are rounded up.

    Args:
        shares: The shares, by name.

    Example:
        >>> percentages({"a": 0.534, "b": 0.394, "c": 0.072})
        {'a': '54%', 'b': '39%', 'c': '7%'}
    """
    whole = {name: math.floor(100 * share) for name, share in shares.items()}
    missing = round(100 * sum(shares.values())) - sum(whole.values())
    for name in sorted(shares, key=lambda each: whole[each] - 100 * shares[each])[:missing]:
        whole[name] += 1
    return {name: f"{share}%" for name, share in whole.items()}


def json_number(value: Value) -> Value | None:
    """Return a value as JSON has it: `None` in place of a number that is not finite.

    Args:
        value: The value.

    Example:
        >>> [json_number(value) for value in (1.5, float("inf"), "inf")]
        [1.5, None, 'inf']
    """
    return None if isinstance(value, float) and not math.isfinite(value) else value
