"""The Diebold-Mariano test: is the difference between two models of a backtest more than chance?"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from narwhals.typing import IntoDataFrameT
from numpy.typing import ArrayLike

from seqcast.data.arrays import as_array
from seqcast.errors import DataError, SpecError, unknown_name
from seqcast.evaluation.backtest_frames import Backtest
from seqcast.evaluation.forecast_frames import CUTOFF, Groups
from seqcast.runtime import Array
from seqcast.specs import Columns, check_choice, check_int

Loss = Callable[[Array, Array], Array]

ALTERNATIVES = ("two-sided", "less", "greater")
OVER = ("cutoffs", "series")
LOSSES: dict[str, Loss] = {
    "absolute": lambda truth, forecast: np.abs(truth - forecast),
    "squared": lambda truth, forecast: (truth - forecast) ** 2,
}


def dm_test(
    differences: ArrayLike, horizon: int = 1, *, alternative: str = "two-sided"
) -> tuple[float, float]:
    """Test whether the mean of loss differences is zero.

    The forecasts have one horizon and were made one step after another.

    With `d̄` the mean of the `n` differences and `γ_k` their autocovariances (sums divided by `n`),
    `DM = d̄ / √((γ_0 + 2 Σ_{k<h} γ_k) / n)`: forecasts of `h` steps from cutoffs less than `h`
    steps from each other have correlated errors. `DM · √((n + 1 − 2h + h(h−1)/n) / n)` is compared
    with Student's t of `n − 1` degrees of freedom. If the variance is zero or less, the `γ_k` are
    weighted by `1 − k/h`, which makes it positive.

    Args:
        differences: Loss of model a minus loss of model b, in the order of time, `[n]`.
        horizon: Step of the forecasts, `h`, when they were made at each step; 1 for independent
            differences.
        alternative: `two-sided`; `less`: a loses less than b; `greater`: a loses more.

    Returns:
        The statistic, below zero when a is the better, and the p-value. Equal losses give 0 and 1,
        a constant difference an infinite statistic, and an `n` of `horizon` or less NaN.

    Raises:
        SpecError: An option is impossible.
        DataError: The differences are not `[n]`, or not finite.

    Example:
        >>> statistic, p_value = dm_test([0, -3, -5, 0, -9, -11])
        >>> round(statistic, 4), round(p_value, 4)
        (-2.4905, 0.0551)

    Source: Harvey, Leybourne and Newbold, Testing the equality of prediction mean squared errors,
        International Journal of Forecasting 13 (1997), equations 3 to 9; Diebold and Mariano,
        Comparing predictive accuracy, Journal of Business & Economic Statistics 13 (1995).
    """
    check_int("horizon", horizon)
    check_choice("alternative", alternative, ALTERNATIVES)

    values = as_array("differences", differences, (1,)).astype(np.float64)
    for place in np.flatnonzero(~np.isfinite(values)):
        raise DataError(
            f"differences, {place}",
            expected="finite numbers",
            received=str(values[place]),
            hint="Drop it.",
        )

    count = len(values)
    if count <= horizon:
        return math.nan, math.nan

    # Losses may be tiny or huge; the statistic has no unit.
    size = float(np.abs(values).max())
    if size == 0:
        return 0.0, 1.0 if alternative == "two-sided" else 0.5
    values = values / size

    mean = float(values.mean())
    variance = _long_run_variance(values, horizon)
    correction = (count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count
    if variance > 0:
        statistic = mean / math.sqrt(variance / count) * math.sqrt(correction)
    else:
        statistic = math.copysign(math.inf, mean)

    return statistic, _p_value(statistic, count - 1, alternative)


def _long_run_variance(values: Array, horizon: int) -> float:
    deviations = values - values.mean()
    count = len(values)
    covariances = np.array(
        [deviations[lag:] @ deviations[: count - lag] / count for lag in range(horizon)]
    )

    if covariances[0] <= 1e-30:  # rounding: the values are divided by the largest
        return 0.0
    variance = covariances[0] + 2 * covariances[1:].sum()
    if variance > 0:
        return float(variance)

    weights = 1 - np.arange(1, horizon) / horizon
    return float(covariances[0] + 2 * (weights @ covariances[1:]))


def _p_value(statistic: float, freedom: int, alternative: str) -> float:
    from scipy.special import stdtr

    if alternative == "two-sided":
        return float(2 * stdtr(freedom, -abs(statistic)))
    return float(stdtr(freedom, statistic if alternative == "less" else -statistic))


def diebold_mariano(
    df: IntoDataFrameT,
    *,
    models: Sequence[str] | None = None,
    baseline: str | None = None,
    loss: str | Loss = "absolute",
    alternative: str = "two-sided",
    over: str = "cutoffs",
    columns: Columns | None = None,
) -> IntoDataFrameT:
    """Compare models of a backtest pair by pair, at each step and over all of them.

    Args:
        df: The backtest: `unique_id`, `ds`, `cutoff`, `y`, perhaps `step` and `target`, and one
            column a model. Rows without truth are left out.
        models: Models to compare; `None` takes all.
        baseline: Model that the others are compared with; `None` compares all pairs.
        loss: `absolute`, `squared`, or a function of truth and forecast, `[rows]` each, that
            returns losses.
        alternative: `two-sided`; `less`: model a loses less than model b; `greater`: it loses more.
        over: The samples of the test. `cutoffs`: the differences are averaged over series first,
            and those of forecasts that overlap in time are taken to be correlated; for few series
            and many cutoffs. `series`: they are averaged over cutoffs first, and series are taken
            to be independent of each other; for many series and few cutoffs.
        columns: Names of the columns.

    Returns:
        A frame of the kind that came in, with a row for each pair and step: `model_a`, `model_b`,
        `step` (0 is all steps together), `statistic` (below zero when a is the better), `p_value`
        and `n`, the number of differences. Statistic and p-value are NaN where `n` is too small.
        With several series the losses of each are divided by their mean over both models, so that
        none weighs more for its size.

    Raises:
        SpecError: An option is impossible, or there are fewer than two models.
        DataError: The frame lacks something, or no step has enough cutoffs or series.

    Example:
        >>> import pandas as pd
        >>> truth = [0.0] * 6
        >>> df = pd.DataFrame({"unique_id": "a", "ds": range(1, 7), "cutoff": range(6), "y": truth})
        >>> df = df.assign(new=[0, 1, 2, 3, 4, 5], old=[0, 2, 3, 3, 5, 6])
        >>> print(diebold_mariano(df, loss="squared").round(4))
          model_a model_b  step  statistic  p_value  n
        0     new     old     1    -2.4905   0.0551  6
        1     new     old     0    -2.4905   0.0551  6

    Source: see `dm_test`.
    """
    check_choice("alternative", alternative, ALTERNATIVES)
    check_choice("over", over, OVER)
    if isinstance(loss, str):
        check_choice("loss", loss, tuple(LOSSES))
        loss = LOSSES[loss]

    backtest = Backtest(df, columns, models=models)
    pairs = _pairs(backtest.models, baseline)
    draws, spacing = _draws(backtest, over)
    losses = {name: _losses(loss, backtest, place) for place, name in enumerate(backtest.models)}

    names = ("model_a", "model_b", "step", "statistic", "p_value", "n")
    table: dict[str, list[Any]] = {name: [] for name in names}
    for model, rival in pairs:
        tests = _tests(backtest, draws, spacing, losses[model], losses[rival])
        for step, differences, horizon in tests:
            statistic, p_value = dm_test(differences, horizon, alternative=alternative)
            row = (model, rival, step, statistic, p_value, len(differences))
            for name, value in zip(names, row, strict=True):
                table[name].append(value)

    if np.isnan(table["statistic"]).all():
        raise DataError(
            "df",
            expected=(
                f"more {over}: at least 2, and more than there are cutoffs within one forecast"
            ),
            received=str(max(table["n"])),
            hint="Backtest from more cutoffs, or compare over='series' if there are several.",
        )

    result: IntoDataFrameT = backtest.rows.lay_out((), np.zeros(0, dtype=np.int64), table)
    return result


def _pairs(models: Sequence[str], baseline: str | None) -> list[tuple[str, str]]:
    if baseline is not None and baseline not in models:
        raise unknown_name("baseline", baseline, models)
    if len(models) < 2:
        raise SpecError(
            "models",
            expected="at least two models",
            received=f"{list(models)}",
            hint="Join another's forecasts.",
        )
    if baseline is None:
        return list(itertools.combinations(models, 2))
    return [(name, baseline) for name in models if name != baseline]


def _losses(loss: Loss, backtest: Backtest, place: int) -> Array:
    values = np.asarray(loss(backtest.truth, backtest.forecasts[:, place]), dtype=np.float64)
    if values.shape != backtest.truth.shape or not np.isfinite(values).all():
        where = f"loss of {backtest.models[place]!r}"
        raise DataError(
            where,
            expected=f"a finite number a row, {len(backtest.truth)}",
            received=(
                f"shape {values.shape}, {int((~np.isfinite(values)).sum())} of them not finite"
            ),
            hint="Return one loss a row; leave out a model with infinite forecasts.",
        )
    return values


def _tests(
    backtest: Backtest, draws: Groups, spacing: int, ours: Array, theirs: Array
) -> Iterator[tuple[int, Array, int]]:
    """Yield step, differences and horizon of each test: each step, then all steps as step 0."""
    steps = backtest.rows.steps
    series = backtest.rows.groups(*backtest.rows.series)
    size = series.mean((ours + theirs) / 2)
    size[size == 0] = 1.0
    differences = (ours - theirs) / size[series.codes]

    for step in [*np.unique(steps).tolist(), 0]:
        chosen = steps == step if step else slice(None)
        means = Groups(draws.codes[chosen], draws.first).mean(differences[chosen])
        yield step, means[~np.isnan(means)], math.ceil((step or int(steps.max())) / spacing)


def _draws(backtest: Backtest, over: str) -> tuple[Groups, int]:
    """Return the samples of the test, and the steps from one to the next.

    From a cutoff to the next this is the step of a forecast at which the next one begins.
    """
    rows = backtest.rows
    if over == "series":
        return rows.groups(*rows.series), int(rows.steps.max())
    rows.need(CUTOFF)
    cutoffs = rows.groups(CUTOFF)
    times = rows.times(CUTOFF)

    following = np.append(times[cutoffs.first], times[cutoffs.first][-1:])[cutoffs.codes + 1]
    reached = rows.times(rows.columns.ds) == following

    # When no forecast reaches the next cutoff, none overlap.
    return cutoffs, int(rows.steps[reached].min() if reached.any() else rows.steps.max())
