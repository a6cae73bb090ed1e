"""Scores of forecasts by utilsforecast's losses: overall, by series, by cutoff, by step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.errors import DataError, SpecError, unknown_name
from seqcast.evaluation.backtest import Backtest
from seqcast.evaluation.frame_view import CUTOFF, STEP, Groups
from seqcast.evaluation.metrics import Metric, find_metric, loss_functions
from seqcast.evaluation.naive import naive_error, usual_season
from seqcast.intervals.levels import level_text
from seqcast.specs.checks import check_int
from seqcast.specs.columns import Columns

__all__ = ["Scorer", "evaluate"]

Array = npt.NDArray[Any]
Metrics = Sequence[str | Callable[..., Any]] | str | None


def evaluate(
    df: Any,
    metrics: Metrics = None,
    *,
    train_df: Any = None,
    season_length: int | None = None,
    level: Sequence[float] | float | None = None,
    models: Sequence[str] | None = None,
    by: Sequence[str] | str = (),
    columns: Columns | None = None,
) -> Any:
    """Score each model of a frame of forecasts beside the truth, such as `Forecaster.backtest` gives.

    A score is computed for each window (series and cutoff) over its steps, then averaged over cutoffs, then over
    series, each series the same weight. By step it is computed for each series and step over the cutoffs. Rows
    without truth are left out; a forecast that is missing where the truth is known is refused, since models would
    be judged on different rows.

    Args:
        df: `unique_id`, `ds`, `y`, perhaps `cutoff`, `step`, `target`, and one column a model, with bounds such as
            `model-lo-80` and `model-hi-80`.
        metrics: Names from `METRICS`, or functions with the arguments of utilsforecast's point losses; `smape` is a
            fraction up to 1. `None` is `mae`, `rmse`, `smape`, `mase` when there is `train_df` with a season to be
            read, and `scaled_crps` and `coverage` when there are intervals. Scores of intervals are missing (NaN) for
            models without them, scaled ones of series that do not change or are shorter than a season.
        train_df: Rows from which scaled metrics take their unit, the naive error; with `cutoff`, only rows up to
            the cutoff are looked at.
        season_length: Steps of that naive error's season; `None` takes the usual one of `train_df`'s frequency.
        level: Levels of the intervals, in per cent; `None` takes all.
        models: Columns to score; `None` takes all that are no interval bounds.
        by: Keys that each have scores of their own: the column of the ids, `target`, `cutoff`, `step`.
        columns: Names of the columns.

    Returns:
        A frame of the kind that came in: the keys, `metric`, and one column a model.

    Raises:
        SpecError: There is no such metric, model, level or key.
        DataError: The frame lacks something, or a scaled metric is asked for without `train_df`.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": [1.0, 2.0], "model": [1.0, 4.0]})
        >>> print(evaluate(df, ["mae"]))
          metric  model
        0    mae    1.0
        >>> print(evaluate(df, ["mae"], by="step"))
           step metric  model
        0     1    mae    0.0
        1     2    mae    2.0
    """
    scorer = Scorer(
        df, metrics, train_df=train_df, season_length=season_length, level=level, models=models, columns=columns
    )
    backtest, keys = scorer.backtest, scorer.keys(by)
    groups, scores = scorer.scores(keys)
    names = np.repeat(np.array([*scores], dtype=object), len(groups))
    values = np.concatenate([*scores.values()])
    made = {"metric": names.tolist(), **{name: values[:, i] for i, name in enumerate(backtest.models)}}
    return backtest.rows.lay_out(keys, np.tile(groups.first, len(scores)), made)


class Scorer:
    """The scores of a backtest's models, as arrays.

    Args:
        df: The backtest.
        metrics: As `evaluate` takes them.
        train_df: Rows for scaled metrics.
        season_length: Season of scaled metrics.
        level: Levels of the intervals; `None` takes all.
        models: Columns to score; `None` takes all.
        columns: Names of the columns.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": [1.0, 2.0], "model": [1.0, 4.0]})
        >>> Scorer(df, ["mae"]).scores(["step"])[1]
        {'mae': array([[0.],
               [2.]])}
    """

    def __init__(
        self,
        df: Any,
        metrics: Metrics = None,
        *,
        train_df: Any = None,
        season_length: int | None = None,
        level: Sequence[float] | float | None = None,
        models: Sequence[str] | None = None,
        columns: Columns | None = None,
    ) -> None:
        given = [metrics] if isinstance(metrics, str) else metrics
        chosen = None if given is None else [find_metric(metric) for metric in given]
        self.backtest = Backtest(df, columns, models=models)
        self.levels = self.backtest.levels(level)
        self._asked = chosen is not None
        if chosen is None:
            chosen = [find_metric(name) for name in self._usual_metrics(train_df, season_length)]
        self.metrics: dict[str, Metric] = dict(chosen)
        if not self.metrics:
            raise SpecError("metrics", expected="at least one metric", received="none", hint="None takes the usual.")
        self._check_intervals()
        self._units = self._naive_errors(train_df, season_length)

    def _usual_metrics(self, train_df: Any, season_length: int | None) -> list[str]:
        names = ["mae", "rmse", "smape"]
        if train_df is not None:
            with contextlib.suppress(DataError):  # stamps without a frequency to be read
                _ = season_length or usual_season(self.backtest, train_df)
                names.append("mase")
        return [*names, *(["scaled_crps", "coverage"] if self.levels else [])]

    def _check_intervals(self) -> None:
        wanted = [name for name, metric in self.metrics.items() if metric.of != "point"]
        if wanted and not self.levels:
            raise DataError(
                "df",
                expected=f"intervals, which {wanted[0]!r} looks at",
                received=f"the columns {', '.join(map(repr, self.backtest.rows.frame.columns))}",
                hint=f"Add bounds such as {self.backtest.models[0]}-lo-80 and {self.backtest.models[0]}-hi-80.",
            )

    def _naive_errors(self, train_df: Any, season_length: int | None) -> dict[int, Array | float]:
        """Return what truth and forecasts are divided by, by the power of the metric's unit."""
        if season_length is not None:
            check_int("season_length", season_length)
        scaled = {metric.power: name for name, metric in self.metrics.items() if metric.power}
        units: dict[int, Array | float] = {0: 1.0}
        for power, name in scaled.items():
            if train_df is None:
                raise DataError(
                    "train_df",
                    expected=f"the training rows, which {name!r} takes its unit from",
                    received="None",
                    hint="Give the whole frame when df has a cutoff column, otherwise the rows before the forecast.",
                )
            season_length = season_length or usual_season(self.backtest, train_df)
            units[power] = naive_error(self.backtest, train_df, season_length, power)
            if self._asked and np.isnan(units[power]).all():
                raise DataError(
                    "train_df",
                    expected=f"rows before the cutoff that change over season_length={season_length} steps",
                    received="only constant series, or ones shorter than that",
                    hint="Choose metrics that are not scaled, or another season_length.",
                )
        return units

    def keys(self, by: Sequence[str] | str) -> list[str]:
        """Check the keys that scores are asked for by."""
        rows = self.backtest.rows
        known = [*rows.series, *([CUTOFF] if rows.has(CUTOFF) else []), STEP]
        keys = list(dict.fromkeys([by] if isinstance(by, str) else by))
        for key in keys:
            if key not in known:
                raise unknown_name("by", key, known)
        return keys

    def score_metrics(self) -> dict[str, Metric]:
        """Return the metric behind each score, by the score's name."""
        return {
            name + ending: metric
            for name, metric in self.metrics.items()
            for ending in loss_functions(metric, self.levels)
        }

    def scores(self, keys: Sequence[str]) -> tuple[Groups, dict[str, Array]]:
        """Return the groups of the keys, and each score by its name, `[groups, models]`."""
        rows = self.backtest.rows
        # By step a score pools the cutoffs, otherwise the steps.
        pooled = STEP in keys and CUTOFF not in keys
        units = rows.groups(*dict.fromkeys([*keys, *(rows.series if pooled else rows.window)]))
        series, groups = rows.groups(*dict.fromkeys([*keys, *rows.series])), rows.groups(*keys)
        over_cutoffs = Groups(series.codes[units.first], series.first)
        over_series = Groups(groups.codes[series.first], groups.first)
        found = {}
        for name, metric in self.metrics.items():
            for ending, values in self._unit_scores(metric, units).items():
                found[name + ending] = over_series.mean(over_cutoffs.mean(values))
        return groups, found

    def _unit_scores(self, metric: Metric, units: Groups) -> dict[str, Array]:
        """Return a metric's scores of each unit by their names' endings, `[units, models]` each."""
        with np.errstate(all="ignore"):
            table, found = self._table(metric, units), {}
            for ending, (levels, loss) in loss_functions(metric, self.levels).items():
                bounds = [self.backtest.rows.bounds(model) for model in self.backtest.models]
                judged = [place for place, own in enumerate(bounds) if set(levels) <= set(own)]
                names = [str(place) for place in judged]
                found[ending] = np.full((len(units), len(bounds)), np.nan)
                if judged:
                    scores = loss(table, names).sort_values("unit")
                    found[ending][:, judged] = scores[names].to_numpy(dtype=np.float64)
        return found

    def _table(self, metric: Metric, units: Groups) -> Any:
        """Return what the losses look at; models are called by their places, so that no name is in the way."""
        from pandas import DataFrame

        unit = self._units[metric.power]
        columns: dict[str, Array] = {"unit": units.codes, "y": self.backtest.truth / unit}
        for place, model in enumerate(self.backtest.models):
            columns[str(place)] = self.backtest.forecasts[:, place] / unit
            for level in self.levels if metric.of != "point" else ():
                interval = self.backtest.interval(model, level)
                if interval is not None:
                    for side, bound in zip(("lo", "hi"), interval, strict=True):
                        columns[f"{place}-{side}-{level_text(level)}"] = bound / unit
        return DataFrame(columns)
