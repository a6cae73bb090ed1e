"""Checks of the regressor's input arrays. They return values and set nothing."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from seqcast.data.arrays.checks import as_array, check_covariates, check_finite, check_targets, rank
from seqcast.data.arrays.preparation import Preparation
from seqcast.engine.engine import Engine
from seqcast.errors import DataError
from seqcast.network.states import States

__all__ = [
    "CheckedPast",
    "CheckedWindows",
    "check_new_steps",
    "check_past",
    "check_states",
    "check_windows",
]

Array = npt.NDArray[Any]


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


@dataclass(frozen=True)
class CheckedWindows:
    """Checked windows: past, covariates and targets.

    Args:
        inputs: `past` `[N, T, F]`, and where they were given `static` `[N, S]` and `future` `[N, H, F']`.
        y: Targets, `[N, H, D]`.
        y_axes: Number of axes that the user's y had.
        is_flat: Whether the user's X was `[N, T]`.
        feature_names: Names of the columns of a frame `[N, T]`, otherwise `None`.
    """

    inputs: dict[str, Array]
    y: Array
    y_axes: int
    is_flat: bool = False
    feature_names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.y)


def check_past(X: Any, owner: str, fitted: Preparation | None = None) -> CheckedPast:
    """Check the past.

    Args:
        X: `[N, T, F]`, or `[N, T]` for univariate windows of a fixed length.
        owner: Name of the estimator's class, for messages.
        fitted: The preparation of a fit, to which X has to conform; `None` while fitting.

    Returns:
        The past, with three axes.

    Raises:
        DataError: Shape or a value is wrong, or names or numbers of features are not those of fit.

    Example:
        >>> check_past([[1, 2, 3]], "Seq2SeqRegressor").values.shape
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
    feature_names = _check_table(X, owner, fitted)
    array = as_array("X", X, ranks=(2,))
    check_finite("X", array)
    return CheckedPast(array[:, :, None], is_flat=True, feature_names=feature_names)


def check_windows(
    X: Any, y: Any, static: Any, future: Any, owner: str, fitted: Preparation | None = None
) -> CheckedWindows:
    """Check windows to train or to validate on.

    Args:
        X: The past, as for `check_past`.
        y: The future, `[N, H, D]`, `[N, H]` or `[N]`.
        static: Static covariates, `[N, S]`, or `None`.
        future: Known-future covariates, `[N, H, F']`, or `None`.
        owner: Name of the estimator's class, for messages.
        fitted: The preparation of a fit, to which the past and the covariates have to conform; `None` while fitting.

    Returns:
        The windows.

    Raises:
        DataError: Something in them is wrong.
    """
    if y is None:
        check_targets(None, 0)
    past = check_past(X, owner, fitted)
    rows = len(past.values)
    targets, y_axes = check_targets(y, rows)
    horizon = targets.shape[1]
    if fitted is not None:
        covariates = fitted.covariates(rows, static, future, horizon)
    else:
        checked = {
            "static": check_covariates("static_covariates", static, rows, features=None),
            "future": check_covariates("future_covariates", future, rows, features=None, horizon=horizon),
        }
        covariates = {name: values for name, values in checked.items() if values is not None}
    return CheckedWindows({"past": past.values, **covariates}, targets, y_axes, past.is_flat, past.feature_names)


def check_new_steps(X_new: Any, owner: str, fitted: Preparation) -> Array:
    """Check steps that follow a past: like it, but of any number also where X had two axes at fit.

    Args:
        X_new: `[N, n, F]`, or `[N, n]` where X had two axes at fit.
        owner: Name of the estimator's class, for messages.
        fitted: The preparation of a fit.

    Returns:
        The steps, `[N, n, F]`.

    Raises:
        DataError: Shape or a value is wrong.
    """
    if not fitted.is_flat or rank(X_new) != 2:
        return check_past(X_new, owner, fitted).values
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


def _check_table(X: Any, owner: str, fitted: Preparation | None) -> tuple[str, ...] | None:
    """Run scikit-learn's check of a past of two axes, in its words, and return the names of the columns."""
    # validate_data sets attributes of its estimator, so it gets a temporary one.
    columns = _columns_class(owner)()
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


@functools.cache
def _columns_class(owner: str) -> Any:
    """Return a class with the estimator's name, which scikit-learn's messages show."""
    return type(owner, (BaseEstimator,), {})
