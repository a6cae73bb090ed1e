"""Seasons of series: their strength, and the errors of forecasts that repeat them."""

import numpy as np

from seqcast.data.series import SeriesStore, starts_of
from seqcast.runtime import Array

# Column of the forecast that repeats the last season, in frames of backtests.
SEASONAL_NAIVE = "seasonal_naive"


def strengths(values: Array, season_length: int) -> tuple[float, float]:
    r"""Return the strength of trend and season of a series.

    .. math::
        F_T = \max\Big(0, 1 - \frac{Var(R)}{Var(T + R)}\Big), \quad
        F_S = \max\Big(0, 1 - \frac{Var(R)}{Var(S + R)}\Big)

    with the trend `T`, a moving average over a season, the season `S`, the mean of each of its
    steps, and the rest `R`.

    Args:
        values: The series, `[T]`; NaN is missing, and is interpolated.
        season_length: Steps of a season, `m`; 1 for none.

    Returns:
        Both; the season's is NaN without three whole seasons: of two, the trend leaves one.

    Example:
        >>> steps = np.arange(48.0)
        >>> trend, season = strengths(steps + 5 * np.sin(2 * np.pi * steps / 12), 12)
        >>> round(trend, 1), round(season, 1), strengths(steps, 1)[0]
        (1.0, 1.0, 1.0)

    Source: Hyndman and Athanasopoulos 2021, sections 3.4 and 4.3.
    """
    known = np.flatnonzero(~np.isnan(values))
    if len(known) < 4:
        return 0.0, float("nan")

    filled = values
    if len(known) < len(values):
        filled = np.interp(np.arange(len(values)), known, values[known])
    seasonal = season_length > 1 and len(filled) >= 3 * season_length

    window = season_length if seasonal else max(3, len(filled) // 10)
    # Where a window does not fit, at both ends, there is no trend.
    trend = _moving_average(filled, window)
    half = window // 2
    rest = filled[half : half + len(trend)] - trend

    season = np.zeros_like(rest)
    if seasonal:
        phase = np.arange(len(rest)) % season_length
        means = np.bincount(phase, rest) / np.bincount(phase)
        season = (means - means.mean())[phase]
        rest = rest - season

    rounding = 1e-24 * float(np.mean(filled**2))

    def strength(component: Array) -> float:
        whole = float(np.var(component + rest))
        if whole <= rounding:
            return 0.0
        return max(0.0, 1.0 - float(np.var(rest)) / whole)

    return strength(trend), strength(season) if seasonal else float("nan")


def _moving_average(values: Array, window: int) -> Array:
    """Return the centred moving average where the window fits; an even one weighs its ends half."""
    weights = np.ones(window + (window % 2 == 0))
    if window % 2 == 0:
        weights[[0, -1]] = 0.5
    return np.convolve(values, weights / window, mode="valid")


def seasonal_naive_errors(
    values: Array, starts: Array, ends: Array, season_length: int, *, squared: bool = False
) -> Array:
    r"""Return the mean seasonal naive error, `|y_t - y_{t-m}|`, in stretches of rows.

    Args:
        values: Series laid end to end, `[rows]` or `[rows, D]`; NaN is missing.
        starts: First row of each stretch, `[N]`.
        ends: The row after its last one, `[N]`.
        season_length: Steps of a season, `m`; 1 is the forecast that repeats the last value.
        squared: Whether errors are squared before their mean is taken.

    Returns:
        The errors, `[N]` or `[N, D]`; 0 also where no known value has another one a season before
        it.

    Example:
        >>> values = np.array([1.0, 2.0, 4.0, 1.0, np.nan])
        >>> seasonal_naive_errors(values, np.array([0, 2]), np.array([4, 5]), 1)
        array([2., 3.])
    """
    errors = np.zeros((len(starts), *values.shape[1:]))
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        stretch = values[start:end]
        own = np.abs(stretch[season_length:] - stretch[:-season_length])
        if squared:
            own = np.square(own)
        errors[place] = np.nansum(own, axis=0) / np.maximum((~np.isnan(own)).sum(axis=0), 1)
    return errors


def naive_errors(store: SeriesStore, stops: Array, season_length: int) -> Array:
    """Return the mean absolute seasonal naive error of the first rows of series, `[N, D]`.

    A series that is shorter than two seasons has the error of the last value; one that does not
    change has NaN.

    Args:
        store: The series.
        stops: Rows of each to look at, `[N]`.
        season_length: Steps of a season.

    Example:
        >>> from seqcast.data.series.store import InMemoryStore
        >>> store = InMemoryStore.of({"a": np.array([[1.0], [2.0], [4.0], [1.0], [3.0], [99.0]])})
        >>> naive_errors(store, np.array([5]), 3)
        array([[0.5]])
    """
    errors = np.zeros((len(store.lengths), store.width))
    for series, values in store.batches():
        starts = starts_of(np.cumsum(store.lengths[series]))
        ends = starts + stops[series]
        of_season = seasonal_naive_errors(values, starts, ends, season_length)
        of_step = seasonal_naive_errors(values, starts, ends, 1)
        errors[series] = np.where(of_season > 0, of_season, of_step)
    return np.where(errors > 0, errors, np.nan)
