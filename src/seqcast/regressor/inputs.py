"""Checks of the regressor's input arrays. They return values and set nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from seqcast.data.arrays import (
    CheckedWindows,
    Preparation,
    as_array,
    check_covariates,
    check_finite,
    check_targets,
    is_stream,
    rank,
)
from seqcast.engine import Engine
from seqcast.errors import DataError
from seqcast.network import States

Array = npt.NDArray[Any]


# What scikit-learn's check of a table sets its attributes on; its messages show the name.
_Columns: Any = type("Seq2SeqRegressor", (BaseEstimator,), {})


@dataclass(frozen=True)
class GivenWindows:
    """Windows as a user gives them, unchecked.

    Args:
        X: The past, or batches.
        y: The future; `None` for batches.
        static_covariates: `[N, S]`, or `None`.
        future_covariates: `[N, H, F']`, or `None`.
        sample_weight: `[N]`, or `None`.
    """

    X: Any
    y: Any = None
    static_covariates: Any = None
    future_covariates: Any = None
    sample_weight: Any = None

    @property
    def are_batches(self) -> bool:
        """Whether X yields batches, with all that belongs to them."""
        return self.y is None and is_stream(self.X)


@dataclass(frozen=True)
class CheckedPast:
    """A checked past.

    Args:
        values: Finite numbers, `[N, T, F]`.
        is_flat: Whether the user gave `[N, T]`.
        feature_names: Names of the columns of a frame `[N, T]`, otherwise `None`.
    """

    values: Array
    is_flat: bool = False
    feature_names: tuple[str, ...] | None = None


def check_past(X: Any, fitted: Preparation | None = None) -> CheckedPast:
    """Check the past.

    Args:
        X: `[N, T, F]`, or `[N, T]` for univariate windows of a fixed length.
        fitted: The preparation of a fit, to which X has to conform; `None` while fitting.

    Returns:
        The past, with three axes.

    Raises:
        DataError: Shape or a value is wrong, or names or numbers of features are not those of fit.

    Example:
        >>> check_past([[1, 2, 3]]).values.shape
        (1, 3, 1)
    """
    if rank(X) == 3 and not hasattr(X, "toarray"):
        return CheckedPast(_check_cube(X, fitted))
    if fitted is not None and not fitted.is_flat:
        raise DataError(
            "X",
            expected=f"[N, T, {fitted.n_features_in}], as at fit",
            received=f"{rank(X)} axes",
            hint="Reshape your data.",
        )
    feature_names = _check_table(X, fitted)
    array = as_array("X", X, ranks=(2,))
    check_finite("X", array)
    return CheckedPast(array[:, :, None], is_flat=True, feature_names=feature_names)


def check_windows(given: GivenWindows, fitted: Preparation | None = None) -> CheckedWindows:
    """Check windows to train or to validate on, but for their weights.

    Args:
        given: The windows.
        fitted: The preparation of a fit, to which the past and the covariates have to conform; `None` while fitting.

    Returns:
        The windows.

    Raises:
        DataError: Something in them is wrong.
    """
    if given.y is None:
        check_targets(None, 0)
    past = check_past(given.X, fitted)
    rows = len(past.values)
    y, y_axes = check_targets(given.y, rows)
    covariates = _check_covariates(given, rows, y.shape[1], fitted)
    return CheckedWindows(
        {"past": past.values, **covariates}, y, y_axes, is_flat=past.is_flat, feature_names=past.feature_names
    )


def check_new_steps(X_new: Any, fitted: Preparation) -> Array:
    """Check steps that follow a past: like it, but of any number also where X had two axes at fit.

    Args:
        X_new: `[N, n, F]`, or `[N, n]` where X had two axes at fit.
        fitted: The preparation of a fit.

    Returns:
        The steps, `[N, n, F]`.

    Raises:
        DataError: Shape or a value is wrong.
    """
    if not fitted.is_flat or rank(X_new) != 2:
        return check_past(X_new, fitted).values
    steps = as_array("X_new", X_new, ranks=(2,))[:, :, None]
    check_finite("X_new", steps)
    return steps


def check_states(states: Any, engine: Engine) -> States:
    """Refuse states of a network of other sizes, and what is no state.

    Args:
        states: The user's states.
        engine: The engine that reads them.

    Returns:
        The states.

    Raises:
        DataError: They are no states, or come from a network of other sizes.
    """
    if not isinstance(states, States):
        raise DataError(
            "states", expected="what encode returned", received=type(states).__name__, hint="Or call predict(X)."
        )
    widths = [tuple(int(state.shape[-1]) for state in layer) for layer in states.layers]
    if widths != engine.state_widths:
        raise DataError(
            "states",
            expected=f"layer states of widths {engine.state_widths}",
            received=str(widths),
            hint="They come from another network; encode with this one.",
        )
    return states


def _check_cube(X: Any, fitted: Preparation | None) -> Array:
    """Check a past of three axes."""
    array = as_array("X", X, ranks=(3,))
    if 0 in array.shape:
        raise DataError("X", expected="at least one window, step and feature", received=f"shape {array.shape}")
    if fitted is not None and (fitted.is_flat or array.shape[2] != fitted.n_features_in):
        shape = f"[N, {fitted.n_features_in}]" if fitted.is_flat else f"[N, T, {fitted.n_features_in}]"
        raise DataError(
            "X",
            expected=f"{shape}, as at fit",
            received=f"shape {array.shape}",
            hint="Give the same features in the same order.",
        )
    check_finite("X", array)
    return array


def _check_covariates(given: GivenWindows, rows: int, horizon: int, fitted: Preparation | None) -> dict[str, Array]:
    """Check the covariates of windows, and return those that there are."""
    static, future = given.static_covariates, given.future_covariates
    if fitted is not None:
        return {**fitted.static(static, rows), **fitted.future(future, rows, horizon)}
    checked = {
        "static": check_covariates("static_covariates", static, rows, features=None),
        "future": check_covariates("future_covariates", future, rows, features=None, horizon=horizon),
    }
    return {name: values for name, values in checked.items() if values is not None}


def _check_table(X: Any, fitted: Preparation | None) -> tuple[str, ...] | None:
    """Run scikit-learn's check of a past of two axes, in its words, and return the names of the columns."""
    columns = _Columns()
    if fitted is not None:
        columns.n_features_in_ = fitted.n_features_in
        if fitted.feature_names is not None:
            columns.feature_names_in_ = np.array(fitted.feature_names, dtype=object)
    try:
        validate_data(columns, X, reset=fitted is None, ensure_all_finite=False, dtype=None)
    except ValueError as error:
        raise DataError(f"X: {error}") from error
    names = getattr(columns, "feature_names_in_", None)
    return None if names is None else tuple(str(name) for name in names)
