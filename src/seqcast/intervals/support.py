"""The support of targets: forecasts of what is never negative are not negative, those of counts are whole numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]

SUPPORTS = ("auto", "real", "non-negative", "counts")

# In words.
VALUES_OF = {"real": "any number", "non-negative": "values >= 0", "counts": "whole numbers >= 0"}

# Whole numbers beyond this are no longer told apart by doubles.
MOST_COUNT = 2.0**53


def observed_support(targets: Array) -> tuple[str, ...]:
    """Return the support that the rule `auto` gives each target: `non-negative` if no value is below zero, else `real`.

    Args:
        targets: Values, `[rows, D]`; NaN is missing.

    Example:
        >>> observed_support(np.array([[0.0, -1.0], [2.5, np.nan]]))
        ('non-negative', 'real')
    """
    below = np.atleast_1d(np.any(targets < 0, axis=0))
    return tuple("real" if any_below else "non-negative" for any_below in below)


def outside_support_of(targets: Array, support: str) -> Array:
    """Return which values lie outside a support; NaN is missing.

    Example:
        >>> outside_support_of(np.array([-1.0, 0.5, 2.0, np.nan]), "counts")
        array([ True,  True, False, False])
    """
    outside = np.zeros(targets.shape, dtype=bool)
    if support in ("non-negative", "counts"):
        outside |= targets < 0
    if support == "counts":
        outside |= ~np.isnan(targets) & (targets != np.floor(targets))
    return outside


def bounded(forecast: Array, supports: Sequence[str], probabilities: Sequence[float]) -> npt.NDArray[np.generic]:
    """Return a forecast within the support of its targets.

    Values below zero become zero. Counts are rounded: bounds of intervals outwards, so that an interval still holds
    what it held, all else to the nearest whole number.

    Args:
        forecast: Parts of a forecast, `[..., D, parts]`.
        supports: Support of each target; none for no bounds.
        probabilities: Probability of each part; 0.5 for a point, and for sample paths.

    Returns:
        The forecast, as whole numbers where all targets are counts.

    Example:
        >>> forecast, probabilities = np.array([[[1.4, -0.2, 2.1]]]), [0.5, 0.1, 0.9]
        >>> bounded(forecast, ["counts"], probabilities).tolist()
        [[[1, 0, 3]]]
        >>> bounded(forecast, ["real"], probabilities).tolist()
        [[[1.4, -0.2, 2.1]]]
    """
    if all(support == "real" for support in supports):
        return forecast
    within = forecast.copy()
    for target, support in enumerate(supports):
        values = within[..., target, :]
        if support != "real":
            np.maximum(values, 0.0, out=values)
        if support == "counts":
            np.minimum(values, MOST_COUNT, out=values)
            for part, probability in enumerate(probabilities):
                whole = np.floor if probability < 0.5 else np.ceil if probability > 0.5 else np.rint
                values[..., part] = whole(values[..., part])
    return within.astype(np.int64) if all(support == "counts" for support in supports) else within
