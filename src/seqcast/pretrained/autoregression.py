"""Autoregressions of windows, which continue cycles of the season and of unknown length."""

from dataclasses import dataclass

import numpy as np

from seqcast.data.windows import forward_fill
from seqcast.pretrained.simple_models import (
    FARTHEST,
    RECENT,
    Array,
    Integers,
    SimpleForecasts,
    checks_of,
)

# Nearest lags; lags around a season and two of them, for windows with this number of values a lag.
NEAR = 12
AROUND = 2
MULTIPLES = (1, 2)
VALUES_A_LAG = 16
# Coefficients are shrunk as in a window of at most this number of values.
SHRUNK_AS = 20
# How often the penalty is updated by the errors that it leaves.
ROUNDS = 6
# The least penalty, as a fraction of a lag's sum of squares; and that of constant windows, whose
# coefficients are those without data.
LEAST_SHARE = 1e-7
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
    alike: dict[tuple[tuple[int, ...], int], list[int]] = {}
    for row in forecast_rows.tolist():
        steps = int(season[row])
        lags = lags_of(counts[row], steps, int(longer[row]))
        alike.setdefault((lags, 0 if len(lags) == NEAR else steps), []).append(row)
    whole = SimpleForecasts.unknown(len(values), values.shape[1], horizon, 1)
    for (lags, repeated), places in alike.items():
        rows = np.array(places)
        whole.put(rows, _of_lags(model, values[rows], np.array(lags), repeated, horizon))
    return whole


def lags_of(count: float, season: int, longer: int) -> tuple[int, ...]:
    """Return the lags of a window: the nearest ones, and those around seasons for which it has enough values.

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
    for center in [steps * times for steps in (season, longer) if steps > 1 for times in MULTIPLES]:
        more = lags | {center + off for off in range(-AROUND, AROUND + 1) if center + off > 0}
        if 2 * (center + AROUND) <= count and VALUES_A_LAG * len(more) <= count:
            lags = more
    return tuple(sorted(lags))


def _of_lags(
    model: Autoregression, values: Array, lags: Integers, repeated: int, horizon: int
) -> SimpleForecasts:
    """Return forecasts of a model with these lags; `repeated` is the lag that it repeats without data, 0 none."""
    rows, length = values.shape
    known = ~np.isnan(values)
    farthest = int(lags[-1])
    begun = np.logical_or.accumulate(known, axis=1)
    count = known.sum(axis=1)
    filled = forward_fill(values[:, :, None])[:, :, 0]
    first = np.argmax(begun, axis=1)
    if model.of_changes:
        # Before its first value a window is constant. These are the value before each step, and the
        # newest one.
        oldest = filled[np.arange(rows), first][:, None]
        came = np.concatenate([oldest, np.where(begun, filled, oldest)], axis=1)
        moves = np.diff(came, axis=1)
    else:
        mean = filled.sum(axis=1, where=begun, keepdims=True) / np.maximum(
            begun.sum(axis=1, keepdims=True), 1
        )
        moves = np.where(begun, filled - mean, 0.0)
    lagged = np.concatenate([np.zeros((rows, farthest)), moves], axis=1)
    before = np.stack([lagged[:, farthest - lag : farthest - lag + length] for lag in lags], axis=1)
    # Only steps after enough values count: after all lags, or a third of a short window's values.
    weight = (
        begun & (np.arange(length) >= (first + np.clip(count // 3, 1, farthest))[:, None])
    ).astype(float)
    if model.half_life is not None:
        weight *= 0.5 ** (np.arange(length)[::-1] / model.half_life)
    coefficients = _coefficients(model, moves, before, weight, (lags == repeated).astype(float))
    # Besides the future, the last steps of each check are forecast from their beginning.
    checks = checks_of(length)
    ends = {length: horizon, **{length - steps: steps for steps in checks}}
    continued = _continued(lagged, coefficients, lags, ends)
    ahead = (coefficients[:, None] @ before[:, :, -RECENT:])[:, 0]
    if model.of_changes:
        continued = {
            end: came[:, end, None] + np.cumsum(moved, axis=1) for end, moved in continued.items()
        }
        ahead += came[:, :-1][:, -RECENT:]
    else:
        continued = {end: mean + distance for end, distance in continued.items()}
        ahead = ahead + mean
    checked = {
        steps: np.where(count[:, None] >= 2 * steps, continued[length - steps], np.nan)[:, :, None]
        for steps in checks
    }
    effective = model.effective(count)
    optimism = np.sqrt((effective + model.fitted) / np.maximum(effective - model.fitted, 1))
    return SimpleForecasts(
        continued[length][:, :, None], ahead[:, :, None], checked, optimism[:, None]
    )


def _continued(
    lagged: Array, coefficients: Array, lags: Integers, ends: dict[int, int]
) -> dict[int, Array]:
    """Return windows continued from several places on, `[B, steps]`, by the place.

    Args:
        lagged: The values less their mean, after as many zeros as the farthest lag, `[B, lag + T]`.
        coefficients: Those of each window, `[B, lags]`.
        lags: The lags.
        ends: Number of steps to continue, by the number of known values.
    """
    rows = len(lagged)
    farthest = int(lags[-1])
    most = max(ends.values())
    # The longest come first, so that a step is one product for all that have not ended.
    order = sorted(ends, key=lambda end: -ends[end])
    line = np.zeros((len(order), rows, farthest + most))
    line[:, :, :farthest] = np.stack([lagged[:, end : end + farthest] for end in order])
    going = np.sum(np.array([ends[end] for end in order])[:, None] > np.arange(most), axis=0)
    places = farthest - lags
    for step, count in enumerate(going.tolist()):
        newest = np.einsum("erk,rk->er", line[:count, :, places + step], coefficients)
        np.minimum(
            np.maximum(newest, -FARTHEST, out=newest),
            FARTHEST,
            out=line[:count, :, step + farthest],
        )
    return {end: line[place, :, farthest : farthest + ends[end]] for place, end in enumerate(order)}


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
