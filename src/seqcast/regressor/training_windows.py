"""Batches to train and to validate on, from a user's arrays or batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from seqcast.data import arrays
from seqcast.data.windows import ArrayWindows, Batch
from seqcast.errors import DataError, SpecError
from seqcast.intervals import VALUES_OF, observed_support, outside_support_of
from seqcast.regressor.arguments import (
    Callback,
    GivenWindows,
    Options,
    UserWindows,
    check_past,
    check_windows,
)
from seqcast.runtime import Array, keras
from seqcast.specs import check_int
from seqcast.training import check_observers

Batches = ArrayWindows | arrays.StreamWindows | Iterator[Batch]

# Windows `(X, y)` or `(X, y, covariates)`, their number, or batches.
UserValidation: TypeAlias = (
    int
    | tuple[ArrayLike, ArrayLike]
    | tuple[ArrayLike, ArrayLike, Mapping[str, ArrayLike]]
    | keras.utils.PyDataset
    | None
)

# Keys of the covariates of `validation`, named as the arguments of fit.
COVARIATES = ("static_covariates", "future_covariates")


@dataclass(frozen=True)
class Validation:
    """The windows on which the best epoch is chosen; none by default.

    Args:
        count: Number of windows, the last ones of the training data.
        share: Fraction of the windows, the last ones, where there is no number.
        windows: Separate windows.
        batches: Separate batches.
    """

    count: int = 0
    share: float = 0.0
    windows: GivenWindows | None = None
    batches: keras.utils.PyDataset | None = None

    @classmethod
    def of(cls, validation: UserValidation, share: float) -> Self:
        """Return the validation that the argument of a fit names.

        Args:
            validation: The argument.
            share: Fraction of the windows where it is `None`.

        Raises:
            SpecError: It is a number below 1.
            DataError: It is of another type.

        Example:
            >>> Validation.of(None, 0.1).share, Validation.of(20, 0.1).count
            (0.1, 20)
        """
        if validation is None:
            return cls(share=share)
        if isinstance(validation, int | np.integer):
            return cls(count=check_int("validation", validation))

        is_dataset = isinstance(validation, keras.utils.PyDataset)
        if is_dataset and arrays.batch_count(validation) is not None:
            return cls(batches=validation)

        if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
            raise DataError(
                "validation",
                expected=(
                    "a number of windows, (X, y), (X, y, covariates), "
                    "or a keras.utils.PyDataset that has an end"
                ),
                received=type(validation).__name__,
                hint="Give a tuple; a generator cannot be read again after each epoch.",
            )
        X, y, *covariates = validation
        static, future = _covariates(*covariates) if covariates else (None, None)
        return cls(windows=GivenWindows(X, y, static, future))

    def split(
        self, windows: arrays.CheckedWindows
    ) -> tuple[arrays.CheckedWindows, arrays.CheckedWindows | None]:
        """Return the windows to train on, and those of them to validate on.

        Args:
            windows: The checked windows of the fit.

        Returns:
            Both; `None` where windows of their own, or none, are validated on.

        Raises:
            DataError: None would be left to train on.
        """
        count = self.count or int(len(windows) * self.share)
        left = len(windows) - count
        if left < 1:
            raise DataError(
                "validation",
                expected=f"fewer windows than X has, {len(windows)}",
                received=str(count),
                hint="Leave some to train on.",
            )
        if not count:
            return windows, None
        return windows.rows(slice(None, left)), windows.rows(slice(left, None))

    def batches_for(self, preparation: arrays.Preparation, options: Options) -> Batches | None:
        """Return separate windows or batches, checked and in the network's units.

        Args:
            preparation: Sizes and scaling of the windows that are trained on.
            options: The regressor's options.

        Returns:
            Batches; `None` where there are no separate windows.

        Raises:
            DataError: They do not conform to the training data.
        """
        if self.batches is not None:
            return arrays.scaled_stream(self.batches, preparation, teacher_forcing=False)
        if self.windows is None:
            return None
        try:
            windows = check_windows(self.windows, preparation)
            preparation.check_y(windows.y)
            arrays.check_support("y", windows.y, options.network.head)
        except DataError as error:
            raise DataError(f"validation: {error}") from error
        return preparation.batches(windows, options.training)


@dataclass(frozen=True)
class TrainingWindows:
    """Batches in the network's units, and their preparation.

    Args:
        train: Batches to train on.
        validation: Batches to validate on, or `None`.
        preparation: Sizes and scaling.
        support: The support of each target.
    """

    train: Batches
    validation: Batches | None
    preparation: arrays.Preparation
    support: tuple[str, ...]


def prepare_windows(
    given: GivenWindows,
    options: Options,
    validation: Validation,
    *,
    seed: int,
    fitted: arrays.Preparation | None = None,
) -> TrainingWindows:
    """Check the data of a fit, learn sizes and scaling, and return batches.

    Args:
        given: The data of the fit.
        options: The regressor's options.
        validation: The windows on which the best epoch is chosen.
        seed: Seed of the order in which windows are trained on.
        fitted: Sizes and scaling of an earlier fit, which this one takes; `None` learns them.

    Returns:
        The batches.

    Raises:
        DataError: Something in the data is wrong.
        SpecError: An option does not go with the data.
    """
    if given.are_batches:
        return _from_batches(given, options, validation, fitted)

    network = options.network
    training = options.training
    windows = check_windows(given, fitted)
    arrays.check_support("y", windows.y, network.head)
    windows = replace(windows, weight=arrays.check_weight(given.sample_weight, len(windows)))
    train, last = validation.split(windows)
    preparation = fitted or _fitted_preparation(train, options)
    preparation.check_y(train.y)

    validated_on = validation.batches_for(preparation, options)
    if last is not None:
        validated_on = preparation.batches(last, training)
    return TrainingWindows(
        preparation.batches(
            train, training, seed=seed, teacher_forcing=network.uses_teacher_forcing
        ),
        validated_on,
        preparation,
        _support(windows.y, options.support),
    )


def _from_batches(
    given: GivenWindows, options: Options, validation: Validation, fitted: arrays.Preparation | None
) -> TrainingWindows:
    """Return a user's batches in the network's units, whose first ones say sizes and scaling."""
    arrays.check_in_batches(given.static_covariates, given.future_covariates, given.sample_weight)
    if validation.count:
        raise DataError(
            "validation",
            expected="windows or batches of their own, for an X of batches",
            received=str(validation.count),
            hint="Give (X, y), or a keras.utils.PyDataset.",
        )

    steps = options.training.steps_per_epoch
    first, stream = arrays.first_batches(given.X, steps)
    preparation = fitted or _fitted_preparation(_joined(first, options.network.head), options)

    # The values of later batches are not known yet.
    support = "real" if options.support == "auto" else options.support
    return TrainingWindows(
        arrays.scaled_stream(
            stream, preparation, teacher_forcing=options.network.uses_teacher_forcing, steps=steps
        ),
        validation.batches_for(preparation, options),
        preparation,
        (support,) * preparation.window.targets,
    )


def _fitted_preparation(windows: arrays.CheckedWindows, options: Options) -> arrays.Preparation:
    """Learn sizes and scaling from training windows."""
    return arrays.Preparation.learn(
        windows,
        options.network,
        scale=options.scale,
        target_features=options.target_features,
        season_length=options.season_length,
    )


def _joined(batches: Sequence[Batch], head: str) -> arrays.CheckedWindows:
    """Return the windows of some batches, checked for a head."""
    inputs = {name: np.concatenate([batch[0][name] for batch in batches]) for name in batches[0][0]}
    check_past(inputs["past"])
    y = np.concatenate([batch[1] for batch in batches])
    arrays.check_support("y", y, head)
    return arrays.CheckedWindows(inputs, y, y_axes=3)


def _support(y: Array, support: str) -> tuple[str, ...]:
    """Return the support of each target, and reject values outside a given one."""
    targets = int(y.shape[2])
    if support == "auto":
        return observed_support(y.reshape(-1, targets))

    outside = outside_support_of(y, support)
    if outside.any():
        window, step, target = (int(place) for place in np.argwhere(outside)[0])
        where = f"y, window {window}, step {step}, feature {target}"
        raise DataError(
            where,
            expected=f"{VALUES_OF[support]}, for support={support!r}",
            received=f"{y[window, step, target]:g} ({int(outside.sum())} such values)",
            hint="Correct it, or choose another support.",
        )
    return (support,) * targets


def _covariates(
    covariates: Mapping[str, ArrayLike],
) -> tuple[ArrayLike | None, ArrayLike | None]:
    """Return the static and the known-future covariates of `validation`."""
    if not isinstance(covariates, Mapping) or set(covariates) - set(COVARIATES):
        raise DataError(
            "validation, covariates",
            expected=f"a dict with {' and '.join(COVARIATES)}",
            received=(
                ", ".join(map(str, covariates))
                if isinstance(covariates, Mapping)
                else repr(type(covariates))
            ),
            hint="Name them as the arguments of fit.",
        )
    static, future = (covariates.get(name) for name in COVARIATES)
    return static, future


def reject_unresumable(
    checkpoint: object, X: UserWindows, validation: Validation, callbacks: Sequence[Callback]
) -> None:
    """Reject checkpoints of a fit that cannot be resumed.

    Args:
        checkpoint: The argument of the fit; `None` is none.
        X: The past, or batches.
        validation: The windows on which the best epoch is chosen.
        callbacks: Its callbacks.

    Raises:
        SpecError: Batches come from a `PyDataset` or generator, or there are callbacks that are no
            observers: their progress is not known.
    """
    if checkpoint is None:
        return
    check_observers(callbacks, "observers only with checkpoint")
    streams = {"X": arrays.is_stream(X), "validation": validation.batches is not None}
    for name, is_given in streams.items():
        if is_given:
            raise SpecError(
                "checkpoint",
                expected=f"None with batches of one's own in {name}, which cannot be resumed",
                received=repr(checkpoint),
                hint="Leave out one of the two, or give arrays.",
            )
