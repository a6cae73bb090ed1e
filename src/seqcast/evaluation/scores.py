"""Scores of forecasts: overall, by series, by cutoff and by step, and a leaderboard.

The losses are those of utilsforecast.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from narwhals.typing import IntoDataFrame, IntoDataFrameT

from seqcast.data import SEASONAL_NAIVE, seasonal_naive_errors
from seqcast.errors import DataError, SpecError, unknown_name
from seqcast.evaluation.backtest_frames import Backtest
from seqcast.evaluation.forecast_frames import CUTOFF, STEP, TARGET, FrameRows, Groups
from seqcast.evaluation.metrics import Metric, find_metric, loss_functions
from seqcast.intervals import level_text
from seqcast.runtime import Array
from seqcast.specs import Columns, check_int

if TYPE_CHECKING:
    import pandas as pd

Metrics = Sequence[str | Callable[..., Any]] | str | None


def evaluate(
    df: IntoDataFrameT,
    metrics: Metrics = None,
    *,
    train_df: IntoDataFrame | None = None,
    season_length: int | None = None,
    level: Sequence[float] | float | None = None,
    models: Sequence[str] | None = None,
    by: Sequence[str] | str = (),
    columns: Columns | None = None,
) -> IntoDataFrameT:
    """Return the scores of each model of a backtest frame, such as `Forecaster.backtest` returns.

    A score is computed for each window (series and cutoff) over its steps, then averaged over
    cutoffs, then over series, each series the same weight. By step it is computed for each series
    and step over the cutoffs. Rows without truth are left out; a forecast that is missing where the
    truth is known is rejected, since models would be scored on different rows.

    Args:
        df: `unique_id`, `ds`, `y`, perhaps `cutoff`, `step`, `target`, and one column a model, with
            bounds such as `model-lo-80` and `model-hi-80`.
        metrics: Names from `METRICS`, or functions with the arguments of utilsforecast's point
            losses; `smape` is a fraction up to 1. `None` is `mae`, `rmse`, `smape`, `mase` if
            `train_df` shows a season, and `scaled_crps` and `coverage` if there are intervals.
            Undefined scores are missing (NaN): those of intervals for models without them, scaled
            ones of series that are constant or shorter than a season; `nd` and `scaled_crps` where
            all truth is 0.
        train_df: Rows from which scaled metrics take their scale, the seasonal naive forecast's
            error; with `cutoff`, only rows up to the cutoff are read.
        season_length: Steps of that naive forecast's season; `None` takes the usual one of
            `train_df`'s frequency.
        level: Levels of the intervals, in per cent; `None` takes all.
        models: Columns to score; `None` takes all that are no interval bounds.
        by: Keys with scores of their own: the column of the ids, `target`, `cutoff`, `step`.
        columns: Names of the columns.

    Returns:
        A frame of the kind that came in: the keys, `metric`, and one column a model.

    Raises:
        SpecError: There is no such metric, model, level or key.
        DataError: The frame lacks something, or a scaled metric needs `train_df`.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": [1.0, 2.0]})
        >>> df = df.assign(model=[1.0, 4.0])
        >>> print(evaluate(df, ["mae"]))
          metric  model
        0    mae    1.0
        >>> print(evaluate(df, ["mae"], by="step"))
           step metric  model
        0     1    mae    0.0
        1     2    mae    2.0
    """
    scorer = Scorer(
        df,
        metrics,
        train_df=train_df,
        season_length=season_length,
        level=level,
        models=models,
        columns=columns,
    )
    backtest = scorer.backtest
    keys = scorer.keys(by)

    groups, scores = scorer.scores(keys)
    names = np.repeat(np.array([*scores], dtype=object), len(groups))
    values = np.concatenate([*scores.values()])
    table = {"metric": names.tolist(), **dict(zip(backtest.models, values.T, strict=True))}

    result: IntoDataFrameT = backtest.rows.lay_out(keys, np.tile(groups.first, len(scores)), table)
    return result


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
        >>> df = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": [1.0, 2.0]})
        >>> df = df.assign(model=[1.0, 4.0])
        >>> Scorer(df, ["mae"]).scores(["step"])[1]
        {'mae': array([[0.],
               [2.]])}
    """

    def __init__(
        self,
        df: IntoDataFrame,
        metrics: Metrics = None,
        *,
        train_df: IntoDataFrame | None = None,
        season_length: int | None = None,
        level: Sequence[float] | float | None = None,
        models: Sequence[str] | None = None,
        columns: Columns | None = None,
    ) -> None:
        requested = [metrics] if isinstance(metrics, str) else metrics
        chosen = None if requested is None else [find_metric(metric) for metric in requested]
        self.backtest = Backtest(df, columns, models=models)
        self.levels = self.backtest.levels(level)
        self._requested = chosen is not None

        # Read from the training rows once, and only if needed.
        season = functools.cache(lambda: season_length or usual_season(self.backtest, train_df))
        if chosen is None:
            chosen = [find_metric(name) for name in self._usual_metrics(train_df, season)]

        names = [name for name, _ in chosen]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise SpecError(
                "metrics",
                expected="different names",
                received=f"{twice[0]!r} twice",
                hint="Give each function a __name__ of its own.",
            )

        self.metrics: dict[str, Metric] = dict(chosen)
        if not self.metrics:
            raise SpecError(
                "metrics",
                expected="at least one metric",
                received="none",
                hint="None takes the usual.",
            )

        self._check_intervals()
        if season_length is not None:
            check_int("season_length", season_length)
        self._scales = self._naive_scales(train_df, season)

    def _usual_metrics(
        self, train_df: IntoDataFrame | None, season: Callable[[], int]
    ) -> list[str]:
        names = ["mae", "rmse", "smape"]
        if train_df is not None:
            with contextlib.suppress(DataError):  # stamps without a regular frequency
                season()
                names.append("mase")

        return [*names, *(["scaled_crps", "coverage"] if self.levels else [])]

    def _check_intervals(self) -> None:
        of_intervals = [name for name, metric in self.metrics.items() if metric.of != "point"]
        if of_intervals and not self.levels:
            model = self.backtest.models[0]
            raise DataError(
                "df",
                expected=f"intervals, which {of_intervals[0]!r} scores",
                received=f"the columns {', '.join(map(repr, self.backtest.rows.frame.columns))}",
                hint=f"Add bounds such as {model}-lo-80 and {model}-hi-80.",
            )

    def _naive_scales(
        self, train_df: IntoDataFrame | None, season: Callable[[], int]
    ) -> dict[str | None, Array | float]:
        """Return the divisors of truth and forecasts, by the name of the metric's scale."""
        scaled = {
            metric.scale: name for name, metric in self.metrics.items() if metric.scale is not None
        }
        scales: dict[str | None, Array | float] = {None: 1.0}
        for scale, name in scaled.items():
            if train_df is None:
                raise DataError(
                    "train_df",
                    expected=f"the training rows, which {name!r} takes its scale from",
                    received="None",
                    hint=_TRAINING_ROWS,
                )
            scales[scale] = naive_scale(self.backtest, train_df, season(), scale)
            if self._requested and np.isnan(scales[scale]).all():
                raise DataError(
                    "train_df",
                    expected=(
                        f"rows before the cutoff that change over season_length={season()} steps"
                    ),
                    received="only constant series, or ones shorter than that",
                    hint="Choose metrics that are not scaled, or another season_length.",
                )

        return scales

    def keys(self, by: Sequence[str] | str) -> list[str]:
        """Return the keys by which scores are grouped, checked.

        Args:
            by: One or several of the id's column, `target`, `cutoff` and `step`.
        """
        known = [*self.backtest.rows.window, STEP]
        keys = list(dict.fromkeys([by] if isinstance(by, str) else by))
        for key in keys:
            if key not in known:
                raise unknown_name("by", key, known)
        return keys

    def scores(self, keys: Sequence[str]) -> tuple[Groups, dict[str, Array]]:
        """Return the groups of the keys, and each score by its name, `[groups, models]`.

        Args:
            keys: Columns by which rows are grouped.
        """
        rows = self.backtest.rows
        # By step a score pools the cutoffs, otherwise the steps.
        pooled = STEP in keys and CUTOFF not in keys
        windows = rows.groups(*dict.fromkeys([*keys, *(rows.series if pooled else rows.window)]))
        series = rows.groups(*dict.fromkeys([*keys, *rows.series]))
        groups = rows.groups(*keys)
        over_cutoffs = Groups(series.codes[windows.first], series.first)
        over_series = Groups(groups.codes[series.first], groups.first)

        scores = {
            name + ending: over_series.mean(over_cutoffs.mean(values))
            for name, metric in self.metrics.items()
            for ending, values in self._window_scores(metric, windows).items()
        }
        return groups, scores

    def _window_scores(self, metric: Metric, windows: Groups) -> dict[str, Array]:
        """Return scores of each window by their names' endings, `[windows, models]` each."""
        bounds = [self.backtest.rows.bounds(model) for model in self.backtest.models]
        scores = {}
        with np.errstate(all="ignore"):
            table = self._table(metric, windows)
            for ending, (levels, loss) in loss_functions(metric, self.levels).items():
                scored = [place for place, known in enumerate(bounds) if set(levels) <= set(known)]
                names = [str(place) for place in scored]
                scores[ending] = np.full((len(windows), len(bounds)), np.nan)
                if scored:
                    losses = loss(table, names).sort_values("group")
                    scores[ending][:, scored] = losses[names].to_numpy(dtype=np.float64)

        if metric.over_truth:
            sizes = np.bincount(windows.codes, np.abs(self.backtest.truth), minlength=len(windows))
            for values in scores.values():
                values[sizes == 0] = np.nan

        return scores

    def _table(self, metric: Metric, windows: Groups) -> pd.DataFrame:
        """Return the table of the losses; models are named by their places, so no name collides."""
        import pandas as pd

        scale = self._scales[metric.scale]
        columns: dict[str, Array] = {"group": windows.codes, "y": self.backtest.truth / scale}

        for place, model in enumerate(self.backtest.models):
            columns[str(place)] = self.backtest.forecasts[:, place] / scale
            for level in self.levels if metric.of != "point" else ():
                interval = self.backtest.interval(model, level)
                if interval is not None:
                    for side, bound in zip(("lo", "hi"), interval, strict=True):
                        columns[f"{place}-{side}-{level_text(level)}"] = bound / scale

        return pd.DataFrame(columns)


def usual_season(backtest: Backtest, train_df: Any) -> int:
    """Return the usual season of the training rows' frequency, that of the longest series.

    Args:
        backtest: The backtest, for the names of columns.
        train_df: The training rows.

    Raises:
        DataError: The stamps have no regular frequency.
    """
    from pandas import Index

    from seqcast.data.frames import infer

    rows = FrameRows("train_df", train_df, backtest.rows.user_columns)
    codes = rows.groups(*rows.series).codes
    stamps = np.unique(
        rows.times(rows.columns.ds, local=True)[codes == np.argmax(np.bincount(codes))]
    )

    try:
        return infer(Index(stamps), "train_df").season_length
    except DataError as error:
        raise DataError(
            "train_df",
            expected="stamps from which the frequency, and so the season, can be read",
            received=error.received,
            hint="Give season_length.",
        ) from error


def naive_scale(
    backtest: Backtest, train_df: IntoDataFrame, season_length: int, scale: str
) -> Array:
    """Return the naive error in training, up to the cutoff, for each row of a backtest.

    It is the seasonal naive forecast's error, the scale of utilsforecast's `mase` and `rmsse`. Each
    window has training rows of its own, sorted by time, so that one call serves several cutoffs and
    targets.

    Args:
        backtest: The backtest.
        train_df: Training rows of its series, in any order. Rows after a window's cutoff are not
            read; a missing value leaves out its two differences.
        season_length: Steps of a season.
        scale: `mase` for the mean absolute error, `rmsse` for the root mean squared one.

    Returns:
        The scale of each row, `[rows]`; NaN where the training rows are constant or shorter than a
        season.

    Raises:
        DataError: A series has no training rows.

    Example:
        >>> import pandas as pd
        >>> past = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 3, 4], "y": [0.0, 1.0, 4.0, 99.0]})
        >>> df = pd.DataFrame({"unique_id": "a", "ds": [4], "cutoff": 3, "y": 99.0, "model": 5.0})
        >>> naive_scale(Backtest(df), past, season_length=1, scale="mase")
        array([2.])
    """
    values, windows, starts, stops = _training_rows(backtest, train_df)
    with np.errstate(over="ignore"):
        errors = seasonal_naive_errors(
            values, starts, stops, season_length, squared=scale == "rmsse"
        )
    scales = np.sqrt(errors) if scale == "rmsse" else errors
    return np.asarray(np.where((scales > 0) & np.isfinite(scales), scales, np.nan)[windows.codes])


def _training_rows(
    backtest: Backtest, train_df: IntoDataFrame
) -> tuple[Array, Groups, Array, Array]:
    """Return training values by series and time, windows, and their first and last places."""
    rows = backtest.rows
    train = FrameRows("train_df", train_df, backtest.rows.user_columns)
    train.need(train.columns.value, *((TARGET,) if rows.has(TARGET) else ()))

    series = train.groups(*train.series)
    times = train.times(train.columns.ds)
    order = np.lexsort((times, series.codes))
    times = times[order]
    edges = np.searchsorted(series.codes[order], np.arange(len(series) + 1))
    places = {name: place for place, name in enumerate(train.names[series.first])}

    windows = rows.groups(*rows.window)
    cutoffs = rows.times(CUTOFF) if rows.has(CUTOFF) else None
    starts, stops = np.zeros((2, len(windows)), dtype=np.int64)

    for window, row in enumerate(windows.first):
        place = places.get(rows.names[row])
        if place is None:
            raise DataError(
                "train_df",
                expected=f"rows of each series, such as {rows.names[row]!r}",
                received="none",
                hint=_TRAINING_ROWS,
            )
        starts[window] = edges[place]
        stops[window] = edges[place + 1]
        if cutoffs is not None:
            known = times[edges[place] : edges[place + 1]]
            stops[window] = starts[window] + np.searchsorted(known, cutoffs[row], side="right")
    return train.numbers(train.columns.value)[order], windows, starts, stops


_TRAINING_ROWS = (
    "Give the whole frame when df has a cutoff column, otherwise the rows before the forecast."
)


# The model that others are compared with.
BASELINE = SEASONAL_NAIVE

# Ratios to the baseline are clipped, so that no single series decides.
_RATIOS = (0.01, 100.0)


def leaderboard(
    df: IntoDataFrameT,
    metrics: Metrics = None,
    *,
    baseline: str | None = None,
    sort_by: str | None = None,
    train_df: IntoDataFrame | None = None,
    season_length: int | None = None,
    level: Sequence[float] | float | None = None,
    models: Sequence[str] | None = None,
    columns: Columns | None = None,
) -> IntoDataFrameT:
    """Return the models of a backtest, ranked by a score.

    Args:
        df: The backtest, as `evaluate` takes it.
        metrics: Metrics as `evaluate` takes them.
        baseline: Model that the others are compared with; `None` takes `seasonal_naive` if there is
            one.
        sort_by: The score that ranks, such as `mae`, lower being better; `None` takes the first
            metric.
        train_df: Rows for scaled metrics.
        season_length: Season of scaled metrics.
        level: Levels of the intervals; `None` takes all.
        models: Columns to rank; `None` takes all.
        columns: Names of the columns.

    Returns:
        A frame of the kind that came in, the best model first: `model`, one column a score, with a
        baseline `relative_<sort_by>`, then `series` and `points`, the numbers that were scored.
        `relative_<sort_by>` is the geometric mean over series of the model's score over the
        baseline's, so that no series weighs more for its size. Each ratio counts as 0.01 at least
        and 100 at most.

    Raises:
        SpecError: There is no such metric, baseline or score, or a lower one is not better.
        DataError: The frame lacks something.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": [1.0, 2.0]})
        >>> df = df.assign(naive=0.0, model=[1.0, 3.5])
        >>> print(leaderboard(df, ["mae"], baseline="naive"))
           model   mae  relative_mae  series  points
        0  model  0.75           0.5       1       2
        1  naive  1.50           1.0       1       2

    Source of the relative score: Davydenko and Fildes, Measuring forecasting accuracy,
    International Journal of Forecasting 29 (2013).
    """
    scorer = Scorer(
        df,
        metrics,
        train_df=train_df,
        season_length=season_length,
        level=level,
        models=models,
        columns=columns,
    )

    backtest = scorer.backtest
    rows = backtest.rows
    count = len(backtest.models)

    if baseline is not None and baseline not in backtest.models:
        raise unknown_name("baseline", baseline, backtest.models)
    baseline = baseline or (BASELINE if BASELINE in backtest.models else None)

    ranked = _ranking(scorer, sort_by)
    series, by_series = scorer.scores(rows.series)
    every = Groups(np.zeros(len(series), dtype=np.int64), np.zeros(1, dtype=np.int64))
    overall = {name: every.mean(values) for name, values in by_series.items()}

    order = np.argsort(overall[ranked][0], kind="stable")
    table: dict[str, list[str] | Array] = {"model": [backtest.models[i] for i in order]}
    table |= {name: values[0][order] for name, values in overall.items()}

    if baseline is not None:
        relative = _log_ratios(by_series[ranked], backtest.models.index(baseline))
        table[f"relative_{ranked}"] = np.exp(every.mean(relative)[0])[order]
    table |= {"series": np.full(count, len(series)), "points": np.full(count, len(rows))}

    result: IntoDataFrameT = rows.lay_out((), np.zeros(0, dtype=np.int64), table)
    return result


def _ranking(scorer: Scorer, sort_by: str | None) -> str:
    """Return the name of the score by which models are ranked."""
    scores = {
        name + ending: metric
        for name, metric in scorer.metrics.items()
        for ending in loss_functions(metric, scorer.levels)
    }

    ranked = next(iter(scores)) if sort_by is None else sort_by
    if ranked not in scores:
        raise unknown_name("sort_by", ranked, scores)
    if not scores[ranked].lower_is_better:
        raise SpecError(
            "sort_by",
            expected="a score of which less is better",
            received=repr(ranked),
            hint="Bias is best at 0 and coverage at its level: choose another, such as 'mae'.",
        )

    return ranked


def _log_ratios(scores: Array, baseline: int) -> Array:
    """Return logarithms of each model's score over the baseline's, `[series, models]`."""
    with np.errstate(all="ignore"):
        ratios = scores / scores[:, [baseline]]
    ratios[(scores == 0) & (scores[:, [baseline]] == 0)] = 1.0
    return np.asarray(np.log(np.clip(ratios, *_RATIOS)))
