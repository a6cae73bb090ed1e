"""Checks of arrays: shapes, lengths, finite numbers; errors say where a value is wrong."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from seqcast.data.series import power_of_two
from seqcast.errors import DataError, DataTypeError
from seqcast.runtime import LARGEST_NUMBER, Array

# Names of the axes in messages, by the number of axes.
_AXES = {1: ("window",), 2: ("window", "step"), 3: ("window", "step", "feature")}


@dataclass(frozen=True)
class CheckedWindows:
    """Checked windows: past, covariates, targets and weights.

    Args:
        inputs: `past` `[N, T, F]`, and if given `static` `[N, S]` and `future` `[N, H, F']`.
        y: Targets, `[N, H, D]`.
        y_axes: Number of axes that the user's y had.
        weight: Weights, `[N]`; `None` weighs all alike.
        is_flat: Whether the user's X was `[N, T]`.
        feature_names: Names of the columns of a frame `[N, T]`, otherwise `None`.

    Example:
        >>> windows = CheckedWindows({"past": np.zeros((5, 4, 1))}, np.zeros((5, 2, 1)), y_axes=3)
        >>> len(windows), len(windows.rows(slice(3, None)))
        (5, 2)
    """

    inputs: dict[str, Array]
    y: Array
    y_axes: int
    weight: Array | None = None
    is_flat: bool = False
    feature_names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def rows(self, rows: slice) -> Self:
        """Return some of the windows.

        Args:
            rows: Slice of their numbers.
        """
        inputs = {name: values[rows] for name, values in self.inputs.items()}
        weight = None if self.weight is None else self.weight[rows]
        return replace(self, inputs=inputs, y=self.y[rows], weight=weight)


def as_array(
    where: str,
    values: Any,
    ranks: tuple[int, ...],
    *,
    finite: bool = False,
    count: int | None = None,
) -> Array:
    """Turn lists, frames and arrays into an array of floats of one of the ranks.

    Args:
        where: The argument's name.
        values: The user's values.
        ranks: Numbers of axes that are possible.
        finite: Whether NaN and infinite values are rejected too.
        count: Number of windows in X, if there have to be as many.

    Returns:
        The array; single precision stays single, everything else becomes double.

    Raises:
        DataError: The values are not real numbers, are ragged, have another rank or length, or are
            not finite.

    Example:
        >>> as_array("y", [1, 2], ranks=(1, 2)).dtype
        dtype('float64')
    """
    array = _as_floats(where, values)
    if array.ndim not in ranks:
        raise DataError(
            where,
            expected=" or ".join(f"{rank} axes" for rank in ranks),
            received=f"{array.ndim} axes, shape {array.shape}",
            hint="Reshape your data: windows first, then steps, then features.",
        )

    if count is not None and len(array) != count:
        raise DataError(
            where,
            expected=f"as many windows as X, {count}",
            received=str(len(array)),
            hint="Give one entry a window.",
        )

    if finite:
        check_finite(where, array)
    return array


def _as_floats(where: str, values: Any) -> Array:
    """Return values as an array of single precision if they have it, otherwise of double."""
    if hasattr(values, "toarray"):
        raise DataError(
            where, expected="a dense array", received="a sparse one", hint="Call .toarray() first."
        )

    try:
        array = np.asarray(values)
        is_complex = np.iscomplexobj(array)
        if array.dtype != np.float32 and not is_complex:
            array = array.astype(np.float64)
    except (ValueError, TypeError) as error:
        kind = DataTypeError if isinstance(error, TypeError) else DataError
        raise kind(
            where,
            expected="numbers in a regular array",
            received=str(error),
            hint=(
                "Every argument must be a string of digits or a real number, "
                "every row of the same length."
            ),
        ) from error

    if is_complex:
        raise DataError(f"Complex data not supported: {where}", hint="Give real numbers.")
    return array


def rank(values: Any) -> int:
    """Return the number of axes of an array, a frame or nested lists; -1 for ragged ones.

    Args:
        values: The array.
    """
    if hasattr(values, "ndim"):
        return int(values.ndim)
    try:
        return np.asarray(values).ndim
    except ValueError:
        return -1


def check_finite(where: str, array: Array) -> None:
    """Reject NaN and infinite values, naming the first one.

    Args:
        where: The argument's name.
        array: The array.

    Example:
        >>> check_finite("X", np.array([[1.0, np.nan]]))
        Traceback (most recent call last):
        seqcast.errors.DataError: X, window 0, step 1: expected finite numbers, received NaN. ...
    """
    # The extremes of an array with NaN are NaN; they need no array of their own.
    if max(float(array.max(initial=0.0)), -float(array.min(initial=0.0))) <= LARGEST_NUMBER:
        return

    place, value = _first_place(where, array, ~(np.abs(array.astype(np.float64)) <= LARGEST_NUMBER))
    raise DataError(
        place,
        expected=f"numbers up to {LARGEST_NUMBER:g}" if np.isfinite(value) else "finite numbers",
        received="NaN" if np.isnan(value) else f"{value:g}",
        hint="Drop or fill it.",
    )


def _first_place(where: str, array: Array, wrong: Array) -> tuple[str, float]:
    """Return the first wrong place of an array in words, and its value."""
    place = np.argwhere(wrong)[0]
    axes = ", ".join(f"{axis} {i}" for axis, i in zip(_AXES[array.ndim], place, strict=True))
    return f"{where}, {axes}", array[tuple(place)]


def check_support(where: str, array: Array, head: str) -> None:
    """Reject targets outside the support of a head's distribution; NaN is missing.

    Args:
        where: The argument's name.
        array: Targets, `[N, H, D]`.
        head: Name of the head.

    Example:
        >>> check_support("y", np.array([[[1.0], [-2.0]]]), "log_normal")
        Traceback (most recent call last):
        seqcast.errors.DataError: y, window 0, step 1, feature 0: expected numbers > 0, ...
    """
    unsupported, expected = outside_support(array, head)
    if unsupported.any():
        place, value = _first_place(where, array, unsupported)
        raise DataError(
            place,
            expected=expected,
            received=str(value),
            hint=f"head={head!r} is for such data only; head='quantile' is for any.",
        )


def outside_support(array: Array, head: str) -> tuple[Array, str]:
    """Return which values are outside the support of a head's distribution, and the support.

    NaN is missing, and not outside.

    Args:
        array: The values.
        head: Name of the head.

    Example:
        >>> outside_support(np.array([1.0, 0.5, np.nan]), "negative_binomial")
        (array([False,  True, False]), 'whole numbers >= 0')
    """
    if head == "negative_binomial":
        is_no_count = (array < 0) | (array != np.floor(array))
        return ~np.isnan(array) & is_no_count, "whole numbers >= 0"
    if head == "log_normal":
        return array <= 0, "numbers > 0"
    return np.zeros(array.shape, dtype=bool), "numbers"


def check_targets(y: Any, count: int) -> tuple[Array, int]:
    """Check targets and return them with three axes.

    Args:
        y: `[N, H, D]`, `[N, H]` or `[N]`.
        count: Number of windows in X.

    Returns:
        `[N, H, D]`, and the number of axes that the user gave.

    Raises:
        DataError: Shape, length or a value is wrong.
    """
    if y is None:
        raise DataError(
            "Seq2SeqRegressor requires y to be passed, but the target y is None",
            hint="Give the future of each window.",
        )

    array = as_array("y", y, ranks=(1, 2, 3), finite=True, count=count)
    if 0 in array.shape:
        raise DataError(
            "y",
            expected="at least one step",
            received=f"shape {array.shape}",
            hint="Give a future.",
        )
    return array.reshape((*array.shape, 1, 1)[:3]), array.ndim


def check_covariates(
    where: str, values: Any, count: int, *, features: int | None, horizon: int | None = None
) -> Array | None:
    """Check static covariates, `[N, S]`, or with a horizon known-future ones, `[N, H, F']`.

    Args:
        where: The argument's name.
        values: The user's values; `None` is none.
        count: Number of windows in X.
        features: Number of features at fit, 0 for none; `None` while fitting.
        horizon: Steps to cover; more are cut off.

    Returns:
        The array, or `None`.

    Raises:
        DataError: They are missing, were none at fit, or have a wrong shape, length or value.
    """
    if values is None:
        if features:
            raise DataError(
                where,
                expected=f"{features} features, as at fit",
                received="nothing",
                hint="Give them.",
            )
        return None
    if features == 0:
        raise DataError(
            where,
            expected="nothing, as at fit",
            received="an array",
            hint="Fit with it, or leave it out.",
        )

    array = as_array(
        where, values, ranks=(2,) if horizon is None else (3,), finite=True, count=count
    )
    if features is not None and array.shape[-1] != features:
        raise DataError(
            where,
            expected=f"{features} features, as at fit",
            received=str(array.shape[-1]),
            hint="Give the same ones.",
        )
    if horizon is None:
        return array

    if array.shape[1] < horizon:
        raise DataError(
            where,
            expected=f"at least {horizon} steps, the horizon",
            received=str(array.shape[1]),
            hint="Known-future covariates have to cover every step of the horizon.",
        )
    return array[:, :horizon]


def check_weight(sample_weight: Any, count: int) -> Array | None:
    """Check sample weights, `[N]`, and scale them to mean 1; a single number means equal weights.

    Args:
        sample_weight: The user's weights.
        count: Number of windows in X.
    """
    if sample_weight is None or rank(sample_weight) == 0:
        return None

    expected = "a weight >= 0 for each window, not zero for all"
    given = as_weights("sample_weight", sample_weight, count, expected)
    # The mean of the smallest numbers would be 0.
    weight = given / power_of_two(given.max())
    return np.asarray(weight / weight.mean())


def as_weights(where: str, values: Any, count: int, expected: str, *, zeros: bool = False) -> Array:
    """Check weights, `[N]`, and return them unscaled.

    Args:
        where: The argument's name.
        values: The user's weights.
        count: Number of windows in X.
        expected: The expected weights, in words.
        zeros: Whether all may be zero.
    """
    weight = as_array(where, values, ranks=(1,), finite=True, count=count)
    if (weight < 0).any() or not (zeros or weight.any()):
        raise DataError(
            where,
            expected=expected,
            received=f"weights from {weight.min():g} to {weight.max():g}",
            hint="Drop the windows that should not count.",
        )
    return weight
