"""Models ranked by a score, and relative to a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoDataFrameT

from seqcast.data.windows import SEASONAL_NAIVE
from seqcast.errors import SpecError, unknown_name
from seqcast.evaluation.frame_view import Groups
from seqcast.evaluation.metrics import Metric
from seqcast.evaluation.scores import Metrics, Scorer
from seqcast.specs import Columns

Array = npt.NDArray[Any]

BASELINE = SEASONAL_NAIVE
"""The model that others are compared with."""

# Ratios to the baseline are clipped, so that no single series decides.
_RATIOS = (0.01, 100.0)


def leaderboard(
    df: IntoDataFrameT,
    metrics: Metrics = None,
    *,
    baseline: str | None = None,
    sort_by: str | None = None,
    train_df: Any = None,
    season_length: int | None = None,
    level: Sequence[float] | float | None = None,
    models: Sequence[str] | None = None,
    columns: Columns | None = None,
) -> IntoDataFrameT:
    """Return the models of a backtest, ranked by a score.

    Args:
        df: The backtest, as `evaluate` takes it.
        metrics: Metrics as `evaluate` takes them.
        baseline: Model that the others are compared with; `None` takes `seasonal_naive` if it is there.
        sort_by: The score that ranks, such as `mae`, less being better; `None` takes the first metric.
        train_df: Rows for scaled metrics.
        season_length: Season of scaled metrics.
        level: Levels of the intervals; `None` takes all.
        models: Columns to rank; `None` takes all.
        columns: Names of the columns.

    Returns:
        A frame of the kind that came in, the best model first: `model`, one column a score, with a baseline
        `relative_<sort_by>` (the geometric mean over series of the model's score over the baseline's, so that no
        series weighs more for its size; each ratio counts as 0.01 at least and 100 at most), then `series` and
        `points`, how many were scored.

    Raises:
        SpecError: There is no such metric, baseline or score, or less of it is not better.
        DataError: The frame lacks something.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": [1.0, 2.0], "naive": 0.0, "model": [1.0, 3.5]})
        >>> print(leaderboard(df, ["mae"], baseline="naive"))
           model   mae  relative_mae  series  points
        0  model  0.75           0.5       1       2
        1  naive  1.50           1.0       1       2

    Source of the relative score: Davydenko and Fildes, Measuring forecasting accuracy, International Journal of
    Forecasting 29 (2013).
    """
    scorer = Scorer(
        df, metrics, train_df=train_df, season_length=season_length, level=level, models=models, columns=columns
    )
    backtest = scorer.backtest
    rows, count = backtest.rows, len(backtest.models)
    if baseline is not None and baseline not in backtest.models:
        raise unknown_name("baseline", baseline, backtest.models)
    baseline = baseline or (BASELINE if BASELINE in backtest.models else None)
    ranked = _ranking(scorer.score_metrics(), sort_by)
    series, by_series = scorer.scores(rows.series)
    every = Groups(np.zeros(len(series), dtype=np.int64), np.zeros(1, dtype=np.int64))
    overall = {name: every.mean(values) for name, values in by_series.items()}
    order = np.argsort(overall[ranked][0], kind="stable")
    table: dict[str, list[str] | Array] = {"model": [backtest.models[i] for i in order]}
    table |= {name: values[0][order] for name, values in overall.items()}
    if baseline is not None:
        table[f"relative_{ranked}"] = _relative(by_series[ranked], backtest.models.index(baseline))[order]
    table |= {"series": np.full(count, len(series)), "points": np.full(count, len(rows))}
    result: IntoDataFrameT = rows.lay_out((), np.zeros(0, dtype=np.int64), table)
    return result


def _ranking(scores: dict[str, Metric], sort_by: str | None) -> str:
    """Return the name of the score by which models are ranked."""
    if sort_by is not None and sort_by not in scores:
        raise unknown_name("sort_by", sort_by, scores)
    chosen = sort_by or next(iter(scores))
    if not scores[chosen].lower_is_better:
        raise SpecError(
            "sort_by",
            expected="a score of which less is better",
            received=repr(chosen),
            hint="Bias is best at 0 and coverage at its level: choose another, such as 'mae'.",
        )
    return chosen


def _relative(scores: Array, baseline: int) -> Array:
    """Return each model's geometric mean over series of its score over the baseline's; scores `[series, models]`."""
    with np.errstate(all="ignore"):
        ratios = scores / scores[:, [baseline]]
    ratios[(scores == 0) & (scores[:, [baseline]] == 0)] = 1.0
    logs = np.log(np.clip(ratios, *_RATIOS))
    known = ~np.isnan(logs)
    means = np.full(scores.shape[1], np.nan)
    np.divide(np.where(known, logs, 0.0).sum(axis=0), known.sum(axis=0), out=means, where=known.any(axis=0))
    return np.asarray(np.exp(means))
