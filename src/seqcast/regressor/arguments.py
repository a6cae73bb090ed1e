"""The regressor's arguments, checked: keyword arguments as specs, the seed, and arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from seqcast.data.arrays import (
    CheckedWindows,
    Preparation,
    as_array,
    check_covariates,
    check_targets,
    is_stream,
    rank,
)
from seqcast.data.series import SCALES
from seqcast.errors import DataError, SpecError
from seqcast.intervals import SUPPORTS
from seqcast.network import fresh_seed
from seqcast.runtime import Array, is_verbose, keras
from seqcast.specs import (
    MOST_SEED,
    MULTIPLICATIVE_HEADS,
    NetworkSpec,
    TrainingSpec,
    check_choice,
    check_int,
    check_loss,
    preset,
)

Spec = TypeVar("Spec", NetworkSpec, TrainingSpec)

# Arrays or frames of windows, or batches, which may also come from a generator.
UserWindows: TypeAlias = ArrayLike | keras.utils.PyDataset
Callback: TypeAlias = keras.callbacks.Callback

# Options whose absence is a value, written "none" because None means "as the preset says".
NONE_BY_NAME = ("regularizer", "clip_norm", "early_stopping", "steps_per_epoch", "sampling_steps")

# scikit-learn's check of a table sets attributes on this class; its messages show the name.
_Columns: Any = type("Seq2SeqRegressor", (BaseEstimator,), {})


@dataclass(frozen=True)
class Options:
    """The keyword arguments, resolved and checked.

    Args:
        network: The network.
        training: How it is trained.
        scale: `standard` or `none`.
        target_features: The user's argument; it is checked against the data.
        season_length: Steps of a season, where there is one.
        support: Possible values, see `seqcast.intervals.quantiles.SUPPORTS`.
    """

    network: NetworkSpec
    training: TrainingSpec
    scale: str = "standard"
    target_features: Sequence[int] | int | str | None = None
    season_length: int | None = None
    support: str = "auto"


def resolve_options(params: Mapping[str, Any]) -> Options:
    """Return the options with the preset's defaults, checked as far as possible without data.

    Args:
        params: The result of `Seq2SeqRegressor.get_params`.

    Returns:
        The options.

    Raises:
        SpecError: An option is unknown, impossible, or does not go with another one.

    Example:
        >>> from seqcast import Seq2SeqRegressor
        >>> regressor = Seq2SeqRegressor(encoder_units=8, clip_norm="none")
        >>> options = resolve_options(regressor.get_params())
        >>> options.network.decoder_units, options.training.clip_norm
        ((8,), None)
    """
    base = preset(params["preset"])
    scale = params["scale"]
    check_choice("scale", scale, SCALES)
    check_choice("support", params["support"], SUPPORTS)
    is_verbose(params["verbose"])

    if params["decoder_units"] is None:
        params = {**params, "decoder_units": params["encoder_units"]}
    if isinstance(params["metrics"], str):
        params = {**params, "metrics": (params["metrics"],)}

    network = _changed(base.network, params)
    training = _changed(base.training, params)
    check_loss(network.head, training.loss)
    if network.head in MULTIPLICATIVE_HEADS and scale != "none":
        raise SpecError(
            "scale",
            expected=f"'none' with head={network.head!r}",
            received=repr(scale),
            hint=(
                "Positive data may be multiplied, but not shifted; normalise='scale' does that "
                "window by window."
            ),
        )

    own = {name: params[name] for name in ("scale", "target_features", "season_length", "support")}
    return Options(network, training, **own)


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """Return the seed of everything random in a fit, without touching global generators.

    Args:
        random_state: A whole number, which is the seed; a `numpy.random.RandomState`, which draws
            it; or `None`, for one from the operating system.

    Returns:
        The seed. The same fit with it as `random_state` gives the same model.

    Raises:
        SpecError: It is none of these.

    Example:
        >>> draw_seed(7)
        7
    """
    if random_state is None:
        return fresh_seed()
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return check_int("random_state", random_state, at_least=0, at_most=MOST_SEED)


def _changed(spec: Spec, params: Mapping[str, Any]) -> Spec:
    """Return a spec with the fields that are given; `None` is as the preset says."""
    changed = dict(vars(spec))
    for name in (item.name for item in fields(spec)):
        value = params[name]
        is_none = name in NONE_BY_NAME and isinstance(value, str) and value == "none"
        if value is not None:
            changed[name] = None if is_none else value
    return type(spec).from_dict(changed)


@dataclass(frozen=True)
class GivenWindows:
    """A user's windows, unchecked.

    Args:
        X: The past, or batches.
        y: The future; `None` for batches.
        static_covariates: `[N, S]`, or `None`.
        future_covariates: `[N, H, F']`, or `None`.
        sample_weight: `[N]`, or `None`.
    """

    X: UserWindows
    y: ArrayLike | None = None
    static_covariates: ArrayLike | None = None
    future_covariates: ArrayLike | None = None
    sample_weight: ArrayLike | None = None

    @property
    def are_batches(self) -> bool:
        """Whether X yields batches, with their targets and covariates."""
        return self.y is None and is_stream(self.X)


def check_past(
    X: ArrayLike, fitted: Preparation | None = None
) -> tuple[Array, tuple[str, ...] | None]:
    """Check the past.

    Args:
        X: `[N, T, F]`, or `[N, T]` for univariate windows of a fixed length.
        fitted: The preparation of a fit, to which X has to conform; `None` while fitting.

    Returns:
        The past, `[N, T, F]`, and the names of the columns of a frame `[N, T]`, otherwise `None`.

    Raises:
        DataError: Shape or a value is wrong, or names or numbers of features are not those of fit.

    Example:
        >>> check_past([[1, 2, 3]])[0].shape
        (1, 3, 1)
    """
    if rank(X) == 3 and not hasattr(X, "toarray"):
        return _check_cube(X, fitted), None
    if fitted is not None and not fitted.is_flat:
        raise DataError(
            "X",
            expected=f"[N, T, {fitted.n_features_in}], as at fit",
            received=f"{rank(X)} axes",
            hint="Reshape your data.",
        )
    feature_names = _check_table(X, fitted)
    return _steps("X", X), feature_names


def check_windows(given: GivenWindows, fitted: Preparation | None = None) -> CheckedWindows:
    """Check windows to train or to validate on, except for their weights.

    Args:
        given: The windows.
        fitted: The preparation of a fit, to which the past and the covariates have to conform;
            `None` while fitting.

    Returns:
        The windows.

    Raises:
        DataError: Something in them is wrong.
    """
    if given.y is None:
        check_targets(None, 0)
    past, feature_names = check_past(given.X, fitted)
    y, y_axes = check_targets(given.y, len(past))
    covariates = _check_covariates(given, len(past), y.shape[1], fitted)
    return CheckedWindows(
        {"past": past, **covariates},
        y,
        y_axes,
        is_flat=rank(given.X) == 2,
        feature_names=feature_names,
    )


def check_new_steps(X_new: ArrayLike, fitted: Preparation) -> Array:
    """Check steps that follow a past; any number is legal, also where X had two axes at fit.

    Args:
        X_new: `[N, n, F]`, or `[N, n]` where X had two axes at fit.
        fitted: The preparation of a fit.

    Returns:
        The steps, `[N, n, F]`.

    Raises:
        DataError: Shape or a value is wrong.
    """
    if not fitted.is_flat or rank(X_new) != 2:
        return check_past(X_new, fitted)[0]
    return _steps("X_new", X_new)


def _steps(where: str, values: ArrayLike) -> Array:
    """Check steps of one feature, `[N, n]`, and return them as `[N, n, 1]`."""
    return as_array(where, values, ranks=(2,), finite=True)[:, :, None]


def _check_cube(X: ArrayLike, fitted: Preparation | None) -> Array:
    """Check a past of three axes."""
    array = as_array("X", X, ranks=(3,), finite=True)
    if 0 in array.shape:
        raise DataError(
            "X", expected="at least one window, step and feature", received=f"shape {array.shape}"
        )
    if fitted is not None and (fitted.is_flat or array.shape[2] != fitted.n_features_in):
        shape = (
            f"[N, {fitted.n_features_in}]" if fitted.is_flat else f"[N, T, {fitted.n_features_in}]"
        )
        raise DataError(
            "X",
            expected=f"{shape}, as at fit",
            received=f"shape {array.shape}",
            hint="Give the same features in the same order.",
        )
    return array


def _check_covariates(
    given: GivenWindows, rows: int, horizon: int, fitted: Preparation | None
) -> dict[str, Array]:
    """Check the covariates of windows, and return the given ones."""
    static = given.static_covariates
    future = given.future_covariates
    if fitted is not None:
        return {**fitted.static(static, rows), **fitted.future(future, rows, horizon)}
    checked = {
        "static": check_covariates("static_covariates", static, rows, features=None),
        "future": check_covariates(
            "future_covariates", future, rows, features=None, horizon=horizon
        ),
    }
    return {name: values for name, values in checked.items() if values is not None}


def _check_table(X: ArrayLike, fitted: Preparation | None) -> tuple[str, ...] | None:
    """Run scikit-learn's check of a past of two axes, and return the names of its columns."""
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
