"""Autoregressions of windows, which continue cycles of the season and of unknown length."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.windows import forward_fill
from seqcast.pretrained.simple_models import (
    FARTHEST,
    RECENT,
    Array,
    Integers,
    SimpleForecasts,
    checks_of,
)

# Number of nearest lags.
NEAR = 12
# Number of lags to either side of a season.
AROUND = 2
# Multiples of a season that have lags around them.
MULTIPLES = (1, 2)
# Least number of values for each lag, of windows with lags around seasons.
VALUES_A_LAG = 16
# Coefficients are shrunk as in a window of at most this number of values.
SHRUNK_AS = 20
# How often the penalty is updated by the errors that it leaves.
ROUNDS = 6
# The least penalty, as a fraction of a lag's sum of squares.
LEAST_SHARE = 1e-7
# The penalty of constant windows, whose coefficients are those without data.
LEAST_PENALTY = 1e-9


@dataclass(frozen=True)
class Autoregression:
    """The options of an autoregression.

    Args:
        name: Its name.
        of_changes: Whether it continues changes from step to step; otherwise distances from the
            mean.
        half_life: Steps after which a step counts half; `None` if all count alike.
        noise: Inverse of the unexplained fraction of the variance from which on all of the penalty
            applies.
        fitted: Effective number of its coefficients after shrinkage.
    """

    name: str
    of_changes: bool
    half_life: int | None
    noise: float
    fitted: int

    def effective(self, count: Integers) -> Array:
        """Return the effective number of steps, as if all of them counted alike, `[B]`.

        Args:
            count: Number of known values, `[B]`.
        """
        return np.minimum(count, np.inf if self.half_life is None else self.half_life / np.log(2))


# The first fits the whole window. The second follows recent changes, such as a level that moves or
# a cycle that gets faster; where a season is known twice, seasonal models forecast better.
AUTOREGRESSIONS = (
    Autoregression("autoregression", of_changes=False, half_life=None, noise=30, fitted=8),
    Autoregression("recent autoregression", of_changes=True, half_life=40, noise=3, fitted=16),
)


def autoregressed(
    values: Array, season: Integers, longer: Integers, horizon: int
) -> SimpleForecasts:
    r"""Fit autoregressions to each window and continue them.

    .. math:: z_t = \sum_k a_k z_{t-k}, \quad
        \min_a \sum_t w_t ε_t^2 + v \min(1, 20 / n)^{1.5} \min(1, c \, σ^2 / s^2) \sum_k (a_k -
        a^0_k)^2

    `z` is the distance from the mean of the window, or the change from the step before. `w_t`
    halves every `half_life` steps, `n` is the sum of these, and `v` the mean sum of squares of a
    lag. The penalty falls with the unexplained fraction of the variance, `σ² / s²`: exact cycles
    are not shrunk. The lags are those of `lags_of`. Without data the forecast would be the last
    season, `a⁰ = 1` at its lag, where there are lags around it, and `z = 0` elsewhere. The last
    known value replaces missing ones. Akaike's final prediction error enlarges the errors.

    Args:
        values: The known values in the windows' own units, `[B, T]`; NaN is missing.
        season: Steps of the season of each, `[B]`; 1 is none.
        longer: Steps of a season that contains it, `[B]`; 0 is none.
        horizon: Number of future steps, `H`.

    Returns:
        Forecasts of the models of `AUTOREGRESSIONS`; those of changes are NaN where a season is
        known twice.

    Example:
        >>> wave = np.sin(np.arange(60.0) / 3)[None]
        >>> ahead = np.sin(np.arange(60.0, 64.0) / 3)
        >>> continued = autoregressed(wave, np.array([1]), np.array([0]), 4)
        >>> np.abs(continued.forecasts[0] - ahead[:, None]).max(axis=0).round(2).tolist()
        [0.05, 0.0]

    Source: Akaike 1969, "Fitting autoregressive models for prediction"; Hoerl and Kennard 1970,
        "Ridge regression";
    MacKay 1992, "Bayesian interpolation", for a penalty that is set by the errors.
    """
    return SimpleForecasts.concat(
        [_of_model(model, values, season, longer, horizon) for model in AUTOREGRESSIONS]
    )


class _Terms(NamedTuple):
    """The lags of an autoregression.

    Args:
        lags: The lags, rising.
        repeated: The lag that it repeats without data; 0 is none.
    """

    lags: tuple[int, ...]
    repeated: int

    @classmethod
    def of(cls, count: float, season: int, longer: int) -> Self:
        """Return the lags of a window; arguments as for `lags_of`."""
        lags = lags_of(count, season, longer)
        return cls(lags, 0 if len(lags) == NEAR else season)


@dataclass(frozen=True)
class _Moves:
    """The series that an autoregression continues: distances from the mean, or changes.

    Args:
        values: The series, `[B, T]`.
        level: What the distances are added to, the mean, `[B, 1]`; of changes the value before each
            step, and the newest one, `[B, T + 1]`.
        of_changes: Whether they are changes.
    """

    values: Array
    level: Array
    of_changes: bool

    @classmethod
    def of_windows(cls, filled: Array, begun: npt.NDArray[np.bool_], *, of_changes: bool) -> Self:
        """Return the series of windows.

        Args:
            filled: The values, each missing one that before it, `[B, T]`.
            begun: Which steps have a known value, or one before them, `[B, T]`.
            of_changes: Whether to return changes.
        """
        if of_changes:
            # Before its first value a window is constant.
            first = np.argmax(begun, axis=1)
            oldest = filled[np.arange(len(filled)), first][:, None]
            level = np.concatenate([oldest, np.where(begun, filled, oldest)], axis=1)
            return cls(np.diff(level, axis=1), level, of_changes)

        count = np.maximum(begun.sum(axis=1, keepdims=True), 1)
        mean = filled.sum(axis=1, where=begun, keepdims=True) / count
        return cls(np.where(begun, filled - mean, 0.0), mean, of_changes)

    def restored(self, end: int, continued: Array) -> Array:
        """Return what continues `end` known steps, `[B, steps]`, in the windows' units."""
        if self.of_changes:
            return self.level[:, end, None] + np.cumsum(continued, axis=1)
        return self.level + continued

    def restored_ahead(self, ahead: Array) -> Array:
        """Return one-step forecasts of the last steps in the windows' units, `[B, t]`."""
        if self.of_changes:
            return ahead + self.level[:, :-1][:, -RECENT:]
        return ahead + self.level


def _of_model(
    model: Autoregression, values: Array, season: Integers, longer: Integers, horizon: int
) -> SimpleForecasts:
    known = (~np.isnan(values)).sum(axis=1)
    forecast_rows = np.arange(len(values))

    if model.of_changes:
        forecast_rows = np.flatnonzero((season == 1) | (2 * season > known))
        # Earlier steps have no weight.
        values = values[:, -RECENT:]
        known = (~np.isnan(values)).sum(axis=1)

    counts = model.effective(known)
    alike: dict[_Terms, list[int]] = {}
    for row in forecast_rows.tolist():
        terms = _Terms.of(counts[row], int(season[row]), int(longer[row]))
        alike.setdefault(terms, []).append(row)

    whole = SimpleForecasts.unknown(len(values), values.shape[1], horizon, 1)
    for terms, places in alike.items():
        rows = np.array(places)
        whole.put(rows, _of_terms(model, values[rows], terms, horizon))
    return whole


def lags_of(count: float, season: int, longer: int) -> tuple[int, ...]:
    """Return the lags of a window: the nearest, and those around seasons with enough values.

    Args:
        count: Number of known values that count.
        season: Steps of the season; 1 is none.
        longer: Steps of a season that contains it; 0 is none.

    Example:
        >>> lags_of(1000, season=24, longer=0)[12:]
        (22, 23, 24, 25, 26, 46, 47, 48, 49, 50)
        >>> lags_of(100, season=24, longer=0) == tuple(range(1, 13))
        True
    """
    lags = set(range(1, NEAR + 1))

    centers = [steps * times for steps in (season, longer) if steps > 1 for times in MULTIPLES]
    for center in centers:
        around = range(max(1, center - AROUND), center + AROUND + 1)
        more = lags.union(around)
        if 2 * around[-1] <= count and VALUES_A_LAG * len(more) <= count:
            lags = more

    return tuple(sorted(lags))


def _of_terms(model: Autoregression, values: Array, terms: _Terms, horizon: int) -> SimpleForecasts:
    """Return forecasts of windows that have these lags."""
    rows, length = values.shape
    lags = np.array(terms.lags)
    farthest = terms.lags[-1]
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    begun = np.logical_or.accumulate(known, axis=1)
    filled = forward_fill(values[:, :, None])[:, :, 0]

    moves = _Moves.of_windows(filled, begun, of_changes=model.of_changes)
    lagged = np.concatenate([np.zeros((rows, farthest)), moves.values], axis=1)
    before = np.stack([lagged[:, farthest - lag : farthest - lag + length] for lag in lags], axis=1)

    # Only steps after enough values count: after all lags, or a third of a short window's values.
    first = np.argmax(begun, axis=1) + np.clip(count // 3, 1, farthest)
    weight = (begun & (np.arange(length) >= first[:, None])).astype(float)
    if model.half_life is not None:
        weight *= 0.5 ** (np.arange(length)[::-1] / model.half_life)
    at_first = (lags == terms.repeated).astype(float)
    coefficients = _coefficients(model, moves.values, before, weight, at_first)

    # Besides the future, the last steps of each check are forecast from their beginning.
    checks = checks_of(length)
    lengths = {length: horizon, **{length - steps: steps for steps in checks}}
    continued = {
        end: moves.restored(end, further)[:, :, None]
        for end, further in _continued(lagged, coefficients, lags, lengths).items()
    }
    checked = {}
    for steps in checks:
        is_known = count[:, None, None] >= 2 * steps
        checked[steps] = np.where(is_known, continued[length - steps], np.nan)

    ahead = moves.restored_ahead((coefficients[:, None] @ before[:, :, -RECENT:])[:, 0])
    effective = model.effective(count)
    optimism = np.sqrt((effective + model.fitted) / np.maximum(effective - model.fitted, 1))
    return SimpleForecasts(continued[length], ahead[:, :, None], checked, optimism[:, None])


def _continued(
    lagged: Array, coefficients: Array, lags: Integers, lengths: dict[int, int]
) -> dict[int, Array]:
    """Return windows continued from several places on, `[B, steps]`, by the place.

    Args:
        lagged: The values less their mean, after as many zeros as the farthest lag, `[B, lag + T]`.
        coefficients: Coefficients of each window, `[B, lags]`.
        lags: The lags.
        lengths: Number of steps to continue, by the number of known values.
    """
    rows = len(lagged)
    farthest = int(lags[-1])
    # The longest come first, so that a step is one product for all that have not ended.
    ends = sorted(lengths, key=lambda end: -lengths[end])
    most = lengths[ends[0]]
    line = np.zeros((len(ends), rows, farthest + most))
    line[:, :, :farthest] = np.stack([lagged[:, end : end + farthest] for end in ends])

    sizes = np.array([lengths[end] for end in ends])
    going = np.sum(sizes[:, None] > np.arange(most), axis=0)
    places = farthest - lags
    for step, count in enumerate(going.tolist()):
        newest = np.einsum("erk,rk->er", line[:count, :, places + step], coefficients)
        np.maximum(newest, -FARTHEST, out=newest)
        np.minimum(newest, FARTHEST, out=line[:count, :, step + farthest])

    return {
        end: line[place, :, farthest : farthest + lengths[end]] for place, end in enumerate(ends)
    }


def _coefficients(
    model: Autoregression, moves: Array, before: Array, weight: Array, at_first: Array
) -> Array:
    """Return the coefficients of each window, `[B, lags]`.

    Args:
        model: The options of the autoregression.
        moves: The series that are continued, `[B, T]`.
        before: Their values at each lag, `[B, lags, T]`.
        weight: Weight of each step, `[B, T]`.
        at_first: The coefficients without data, `[lags]`.
    """
    lags = before.shape[1]
    count = np.maximum(weight.sum(axis=1), 1.0)
    weighted = before * weight[:, None]
    degrees = count / np.maximum(count - model.fitted, 1.0)
    variance = np.maximum((weight * moves**2).sum(axis=1), LEAST_PENALTY)

    products = np.matmul(weighted, before.swapaxes(1, 2))
    sides = np.matmul(weighted, moves[:, :, None])

    size = np.trace(products, axis1=1, axis2=2) / lags
    most = size * np.minimum(1.0, SHRUNK_AS / count) ** 1.5

    share = np.ones(len(moves))
    for _ in range(ROUNDS + 1):
        penalty = np.maximum(most * share, LEAST_SHARE * size) + LEAST_PENALTY
        whole = products + penalty[:, None, None] * np.eye(lags)
        solution = np.linalg.solve(whole, sides + penalty[:, None, None] * at_first[:, None])
        explained = (solution * (2 * sides - products @ solution)).sum(axis=(1, 2))
        share = np.minimum(1.0, model.noise * degrees * np.maximum(1.0 - explained / variance, 0.0))

    return np.asarray(solution[:, :, 0])
