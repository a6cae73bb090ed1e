"""From a user's arrays or batches to windows for training and validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.arrays.checks import check_support, check_weight
from seqcast.data.arrays.preparation import Preparation
from seqcast.data.arrays.streams import check_in_batches, first_batches, is_stream, scaled_stream
from seqcast.errors import DataError
from seqcast.intervals.support import VALUES_OF, observed_support, outside_support_of
from seqcast.regressor.inputs import CheckedWindows, check_past, check_windows
from seqcast.regressor.options import Options
from seqcast.runtime.backend import keras

__all__ = ["TrainingData", "TrainingWindows", "prepare_windows"]

Array = npt.NDArray[Any]

# Keys of the third part of validation_data, named as the arguments of fit.
COVARIATES = ("static_covariates", "future_covariates")


@dataclass(frozen=True)
class TrainingData:
    """The arguments of `fit` or `partial_fit`, unchecked.

    Args:
        X: The past, or batches.
        y: The future; `None` for batches.
        static_covariates: `[N, S]`, or `None`.
        future_covariates: `[N, H, F']`, or `None`.
        sample_weight: `[N]`, or `None`.
        validation_data: Windows or batches to validate on, or `None`.
        validation_fraction: Share of the windows, the last ones, to validate on where there are no others.
    """

    X: Any
    y: Any = None
    static_covariates: Any = None
    future_covariates: Any = None
    sample_weight: Any = None
    validation_data: Any = None
    validation_fraction: float = 0.0


@dataclass(frozen=True)
class TrainingWindows:
    """Checked, scaled windows, and their preparation.

    Args:
        train: Batches to train on.
        validation: Batches to validate on, or `None`.
        preparation: Sizes and scaling.
        support: The support of each target.
    """

    train: Any
    validation: Any
    preparation: Preparation
    support: tuple[str, ...]


def prepare_windows(
    data: TrainingData, options: Options, owner: str, *, seed: int, fitted: Preparation | None = None
) -> TrainingWindows:
    """Check the data of a fit, learn sizes and scaling, and return windows.

    Args:
        data: The arguments of the fit.
        options: The regressor's options.
        owner: Name of the estimator's class, for messages.
        seed: Seed of the order in which windows are trained on.
        fitted: Sizes and scaling that an earlier fit has learnt and this one keeps; `None` learns them.

    Returns:
        The windows.

    Raises:
        DataError: Something in the data is wrong.
        SpecError: An option does not go with the data.
    """
    if data.y is None and is_stream(data.X):
        return _from_batches(data, options, owner, fitted)
    return _from_arrays(data, options, owner, seed, fitted)


def _from_arrays(
    data: TrainingData, options: Options, owner: str, seed: int, fitted: Preparation | None
) -> TrainingWindows:
    windows = check_windows(data.X, data.y, data.static_covariates, data.future_covariates, owner, fitted)
    check_support("y", windows.y, options.network.head)
    weight = check_weight(data.sample_weight, len(windows))
    validation_count = int(len(windows) * data.validation_fraction) if data.validation_data is None else 0
    count = len(windows) - validation_count
    train = _rows(windows, slice(None, count))
    preparation = _learn(train, options) if fitted is None else fitted
    preparation.check_y(train.y)
    validation = _validation_windows(data.validation_data, preparation, options, owner)
    if validation_count:
        last = _rows(windows, slice(count, None))
        last_weight = None if weight is None else weight[count:]
        validation = preparation.windows(last.inputs, last.y, last_weight, options.training)
    batches = preparation.windows(
        train.inputs,
        train.y,
        None if weight is None else weight[:count],
        options.training,
        seed=seed,
        teacher_forcing=options.network.uses_teacher_forcing,
    )
    return TrainingWindows(batches, validation, preparation, _support(windows.y, options.support))


def _from_batches(data: TrainingData, options: Options, owner: str, fitted: Preparation | None) -> TrainingWindows:
    check_in_batches(data.static_covariates, data.future_covariates, data.sample_weight)
    first, stream = first_batches(data.X, options.training.steps_per_epoch)
    if fitted is None:
        inputs = {name: np.concatenate([batch[0][name] for batch in first]) for name in first[0][0]}
        check_past(inputs["past"], owner)
        y = np.concatenate([batch[1] for batch in first])
        check_support("y", y, options.network.head)
        fitted = _learn(CheckedWindows(inputs, y, y_axes=3), options)
    batches = scaled_stream(stream, fitted, teacher_forcing=options.network.uses_teacher_forcing)
    validation = _validation_windows(data.validation_data, fitted, options, owner)
    # What later batches hold is not known yet.
    support = "real" if options.support == "auto" else options.support
    return TrainingWindows(batches, validation, fitted, (support,) * fitted.window.targets)


def _support(y: Array, support: str) -> tuple[str, ...]:
    """Return the support of each target, and refuse values outside the one that is asked for."""
    targets = int(y.shape[2])
    if support == "auto":
        return observed_support(y.reshape(-1, targets))
    outside = outside_support_of(y, support)
    if outside.any():
        window, step, target = (int(place) for place in np.argwhere(outside)[0])
        raise DataError(
            f"y, window {window}, step {step}, feature {target}",
            expected=f"{VALUES_OF[support]}, for support={support!r}",
            received=f"{y[window, step, target]:g} ({int(outside.sum())} such values)",
            hint="Correct it, or choose another support.",
        )
    return (support,) * targets


def _learn(windows: CheckedWindows, options: Options) -> Preparation:
    return Preparation.learn(
        windows.inputs,
        windows.y,
        network=options.network,
        scale=options.scale,
        y_axes=windows.y_axes,
        target_features=options.target_features,
        is_flat=windows.is_flat,
        feature_names=windows.feature_names,
        season_length=options.season_length,
    )


def _validation_windows(validation_data: Any, fitted: Preparation, options: Options, owner: str) -> Any:
    """Check a user's validation data against the training data and return them as windows."""
    if validation_data is None:
        return None
    if isinstance(validation_data, keras.utils.PyDataset) and validation_data.num_batches is not None:
        return scaled_stream(validation_data, fitted, teacher_forcing=False)
    if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
        raise DataError(
            "validation_data",
            expected="(X, y), (X, y, covariates), or a keras.utils.PyDataset that has an end",
            received=type(validation_data).__name__,
            hint="Give a tuple; a generator cannot be read again after each epoch.",
        )
    X, y, *more = validation_data
    covariates = _check_covariates(more[0] if more else {})
    static, future = (covariates.get(name) for name in COVARIATES)
    try:
        windows = check_windows(X, y, static, future, owner, fitted)
        fitted.check_y(windows.y)
        check_support("y", windows.y, options.network.head)
    except DataError as error:
        raise DataError(f"validation_data: {error}") from error
    return fitted.windows(windows.inputs, windows.y, None, options.training)


def _check_covariates(covariates: Any) -> Mapping[str, Any]:
    if not isinstance(covariates, Mapping) or set(covariates) - set(COVARIATES):
        raise DataError(
            "validation_data, covariates",
            expected=f"a dict with {' and '.join(COVARIATES)}",
            received=", ".join(map(str, covariates)) if isinstance(covariates, Mapping) else repr(type(covariates)),
            hint="Name them as the arguments of fit.",
        )
    return covariates


def _rows(windows: CheckedWindows, rows: slice) -> CheckedWindows:
    inputs = {name: values[rows] for name, values in windows.inputs.items()}
    return replace(windows, inputs=inputs, y=windows.y[rows])
