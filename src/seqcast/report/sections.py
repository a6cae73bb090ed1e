"""The report and its sections: forecasts, scores in a backtest, training and settings."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
from matplotlib.figure import Figure
from narwhals.typing import IntoDataFrame

from seqcast import evaluation, plots
from seqcast.data.frames import open_frame, stamp_text
from seqcast.errors import DataError, SpecError, counted
from seqcast.intervals import level_text
from seqcast.plots import spoken
from seqcast.report.page import Block, Facts, Note, Picture, Section, Table, page
from seqcast.runtime import Array, number_text, write_atomically
from seqcast.specs import Columns, check_int

# Most series whose backtest is drawn.
_OVERLAYS = 4
# Level of significance.
_ALPHA = 0.05
NO_FORECAST = (
    "No forecast was given. A model with future covariates or irregular times needs the steps "
    "ahead for one."
)


def report(
    path: str | os.PathLike[str],
    *,
    title: str,
    history: IntoDataFrame,
    forecast: IntoDataFrame | None = None,
    backtest: IntoDataFrame | None = None,
    model: str | None = None,
    metadata: Mapping[str, Mapping[str, object]] | None = None,
    learning: Mapping[str, Sequence[float]] | None = None,
    importance: IntoDataFrame | None = None,
    metrics: Sequence[str] | None = None,
    season_length: int | None = None,
    trained_horizon: int | None = None,
    max_series: int = 12,
    unit: str = "",
    columns: Columns | None = None,
) -> None:
    """Write a report to a file: one page that needs no other file and no network.

    Args:
        path: The file, which is written completely or not at all.
        title: Title of the page.
        history: The series, as a long frame.
        forecast: Forecasts after the ends of the series; `None` leaves them out.
        backtest: Forecasts of one or more models from earlier cutoffs, with the truth; `None`
            leaves them out.
        model: The main model of the report; `None` takes the first of the backtest or the forecast.
        metadata: Facts to show by heading: `{"Training": {"epochs": 20}, …}`.
        learning: Loss by epoch to draw, `loss` and perhaps `val_loss`.
        importance: The importance of each covariate, from `covariate_importance`.
        metrics: Metrics of the leaderboard; `None` takes the default, see `evaluate`.
        season_length: Season of scaled metrics; `None` takes that of the frequency.
        trained_horizon: The trained horizon of the network.
        max_series: Most series to draw.
        unit: Unit of the values.
        columns: Names of the columns, of all frames.

    Raises:
        SpecError: The model or a metric does not exist, or neither forecast nor backtest is given.
        DataError: A frame lacks a column or rows; nothing was written.
        SaveError: The file could not be written.

    Example:
        >>> import pandas as pd, pathlib, tempfile
        >>> past = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 3], "y": [1.0, 2.0, 3.0]})
        >>> future = pd.DataFrame({"unique_id": "a", "ds": [4, 5], "seqcast": [4.0, 5.0]})
        >>> file = pathlib.Path(tempfile.mkdtemp(), "report.html")
        >>> report(file, title="Sales", history=past, forecast=future)
        >>> "<title>Sales</title>" in file.read_text("utf-8")
        True
    """
    if forecast is None and backtest is None:
        raise SpecError(
            "forecast", expected="a forecast or a backtest", received="neither", hint="Give one."
        )

    check_int("max_series", max_series)
    rows = evaluation.FrameRows("history", history, columns)
    rows.need(rows.columns.value)

    sections = [Section("The data", [Facts(_data(rows))])]
    if forecast is None:
        sections.append(Section("Forecast", [Note(NO_FORECAST)]))
    else:
        _, future = plots.read_pair(history, forecast, columns)
        main = plots.main_model(future, model)
        figure = plots.forecast_fans(
            history,
            forecast,
            model=main,
            max_series=max_series,
            columns=columns,
            ylabel=unit or None,
        )
        sections.append(Section("Forecast", [_forecast_picture(figure, future, main)]))

    if backtest is not None:
        scored = _Scored(
            history, backtest, columns=columns, model=model, max_series=max_series, unit=unit
        )
        accuracy = [scored.leaderboard(metrics, season_length), *scored.overlays()]
        sections += [
            Section("Accuracy in the backtest", accuracy, name="Accuracy"),
            Section("Errors", scored.errors(trained_horizon)),
            Section("Is the difference more than chance?", [scored.tests()], name="Significance"),
        ]

    if importance is not None:
        sections.append(
            Section(
                "Importance of covariates", [_importance_picture(importance)], name="Covariates"
            )
        )

    sections += _fit_sections(metadata or {}, learning)

    lead = f"Forecasts of {len(rows.groups(*rows.series)):,} series"
    if model:
        lead += f" by {spoken(model)}"
    text = page(title, f"{lead}.", sections)
    write_atomically(path, lambda file: file.write(text.encode("utf-8")))


def _data(rows: evaluation.FrameRows) -> dict[str, object]:
    groups = rows.groups(*rows.series)
    lengths = np.bincount(groups.codes)
    times = rows.times(rows.columns.ds, local=True)
    first, last = map(stamp_text, np.array([times.min(), times.max()]).tolist())
    each = str(lengths[0])
    if lengths.min() < lengths.max():
        each = f"{lengths.min()} to {lengths.max()}"

    return {
        "series": len(groups),
        "rows": len(rows),
        "rows a series": each,
        "first stamp": first,
        "last stamp": last,
        "missing values": int(np.isnan(rows.numbers(rows.columns.value)).sum()),
    }


def _forecast_picture(figure: Figure, forecast: evaluation.FrameRows, model: str) -> Picture:
    names = list(dict.fromkeys(forecast.names))
    listed = ", ".join(map(str, names[:5]))
    if len(names) > 5:
        listed += ", …"
    alt = (
        f"History and forecast by {spoken(model)}, a panel a series, "
        f"of {len(names)} series: {listed}"
    )

    bounds = " and ".join(f"{level_text(level)} %" for level in forecast.bounds(model))
    caption = "A point forecast."
    if bounds:
        caption = f"The shaded bands are intervals for {bounds} of the true values."
    return Picture.of(figure, alt, caption)


def _importance_picture(importance: IntoDataFrame) -> Picture:
    names = open_frame(importance, "importance")["covariate"].to_list()
    alt = (
        f"Growth of the error without each of {len(names)} covariates; "
        f"the most important is {names[0]}"
    )
    caption = (
        "Growth of the mean absolute error when a covariate is taken from another window, on rows "
        "that were not trained on; lines reach one standard deviation to either side. Correlated "
        "covariates share their importance."
    )
    return Picture.of(plots.importance_chart(importance), alt, caption)


def _fit_sections(
    metadata: Mapping[str, Mapping[str, object]], learning: Mapping[str, Sequence[float]] | None
) -> list[Section]:
    """Return the sections about training and settings."""
    groups = dict(metadata)
    sections = []
    if learning is not None:
        alt = "Loss by epoch"
        if "loss" in learning:
            alt = f"Loss over {len(learning['loss'])} epochs of training"
        caption = (
            "The training loss should fall and level off; a validation loss that rises is a sign "
            "of overfitting."
        )
        curve = Picture.of(plots.learning_curve(learning, ylabel="loss"), alt, caption)
        facts = groups.pop("Training", {})
        sections.append(Section("Training", [curve, Facts(facts)] if facts else [curve]))

    return [*sections, *(Section(name, [Facts(values)]) for name, values in groups.items())]


@dataclass
class _Scored:
    """The backtest of a report, with tables and pictures of its scores."""

    history: IntoDataFrame
    backtest: IntoDataFrame
    columns: Columns | None
    model: str | None
    max_series: int
    unit: str

    def __post_init__(self) -> None:
        checked = evaluation.Backtest(self.backtest, self.columns)
        rows = checked.rows
        # Rejects a model that is not there.
        rows.models(None if self.model is None else [self.model])
        main = self.model or checked.models[0]
        self.models = [main, *(name for name in checked.models if name != main)]

        self.levels = checked.levels()
        self.own_levels = tuple(sorted(rows.bounds(main)))
        self.series = len(rows.groups(*rows.series))
        self.windows = len(rows.groups(*rows.window))
        self.cutoffs = len(rows.groups(evaluation.CUTOFF)) if rows.has(evaluation.CUTOFF) else 1

    def leaderboard(self, metrics: Sequence[str] | None, season_length: int | None) -> Table:
        """Return the table of scores."""
        frame = evaluation.leaderboard(
            self.backtest,
            metrics,
            train_df=self.history,
            season_length=season_length,
            models=self.models,
            columns=self.columns,
        )

        scores = nw.from_native(frame).to_dict(as_series=False)
        names = scores.pop("model")
        points = scores.pop("points")[0]
        scores.pop("series")
        best = set()
        for column, (name, values) in enumerate(scores.items(), start=1):
            # Bias is best at 0, coverage at its level.
            if not name.startswith(("bias", "coverage")):
                ranked = [(math.isnan(value), value, row) for row, value in enumerate(values)]
                best.add((min(ranked)[2], column))

        rows = [
            [spoken(model), *(_number(each[row]) for each in scores.values())]
            for row, model in enumerate(names)
        ]

        caption = (
            f"Means over {counted(self.windows, 'window')} of {self.series:,} series, "
            f"{points:,} forecasts in all; the best of a column is bold. {_GLOSSARY}"
        )
        return Table(["model", *map(evaluation.spoken_metric, scores)], rows, caption, best=best)

    def overlays(self) -> list[Block]:
        """Return pictures of forecasts and intervals, with the truth."""
        drawn = self.models[:1] + [name for name in self.models[1:] if name == evaluation.BASELINE]
        figure = plots.forecast_frame(
            self.history,
            self.backtest,
            columns=self.columns,
            models=drawn,
            max_series=min(_OVERLAYS, self.max_series),
            ylabel=self.unit or None,
        )

        alt = (
            f"Forecasts by {' and '.join(map(spoken, drawn))} "
            f"from {counted(self.cutoffs, 'cutoff')}, over the truth"
        )
        pictures: list[Block] = [
            Picture.of(figure, alt, "Each forecast saw the series up to its cutoff only.")
        ]

        if self.levels:
            figure = plots.calibration_curve(self.backtest, columns=self.columns)
            alt = (
                "Share of the truth inside the intervals against their level, "
                "with the band of chance"
            )
            caption = (
                "Below the line intervals are too narrow, above too wide; within the grey band "
                "it may be chance."
            )
            pictures.append(Picture.of(figure, alt, caption))

        if self.own_levels:
            pictures.append(self.coverage())
        return pictures

    def coverage(self) -> Table:
        """Return the coverage of the main model's intervals: over all rows, by step, by series."""
        levels = self.own_levels
        ids = (self.columns or Columns()).unique_id
        scorer = evaluation.Scorer(
            self.backtest,
            ["coverage"],
            level=levels,
            models=self.models[:1],
            columns=self.columns,
        )
        overall, by_step, by_series = (
            100 * np.hstack([*scorer.scores(scorer.keys(by))[1].values()]).T
            for by in ((), evaluation.STEP, ids)
        )

        steps = np.unique(scorer.backtest.rows.steps)
        third = -(-int(steps.max()) // 3)
        rows = {
            "all": overall[:, 0],
            "first third of the steps": _mean(by_step[:, steps <= third]),
            "last third of the steps": _mean(by_step[:, steps > steps.max() - third]),
            "a tenth of the series: at most": np.nanquantile(by_series, 0.1, axis=1),
            "half of the series: at most": np.nanquantile(by_series, 0.5, axis=1),
        }

        cells = [[name, *map(_per_cent, values)] for name, values in rows.items()]
        caption = (
            "Share of the truth inside intervals; good ones reach their level at each step and in "
            "each series."
        )
        return Table(["coverage", *(f"{level_text(level)} %" for level in levels)], cells, caption)

    def errors(self, trained_horizon: int | None) -> list[Block]:
        """Return pictures of the errors by step and by series, and of their distribution."""
        models = self.models
        listed = ", ".join(map(spoken, models))
        figure = plots.score_by_step(
            self.backtest,
            models=models,
            trained_horizon=trained_horizon,
            columns=self.columns,
            unit=self.unit,
        )

        caption = "Growth of the error with each step ahead; the lowest line is the best."
        pictures: list[Block] = [
            Picture.of(figure, f"Mean absolute error by step, of {listed}", caption)
        ]

        if self.series > 1:
            figure = plots.score_by_series(
                self.backtest,
                models=models,
                max_series=self.max_series,
                columns=self.columns,
                unit=self.unit,
            )
            caption = "One mark for each model on the line of a series; left is better."
            pictures.append(
                Picture.of(figure, f"Mean absolute error by series, of {listed}", caption)
            )

        figure = plots.residual_diagnostics(
            self.backtest, models[0], columns=self.columns, unit=self.unit
        )
        caption = (
            "Errors of a good forecast lie around 0 at all times and steps. Correlated errors "
            "within a window are usual beyond the first step."
        )
        alt = (
            f"Errors of {spoken(models[0])}: over time, as a histogram, by step, "
            "and their autocorrelation"
        )
        return [*pictures, Picture.of(figure, alt, caption)]

    def tests(self) -> Table | Note:
        """Return the Diebold-Mariano tests of the main model against each other model."""
        if len(self.models) < 2:
            return Note("There is only one model, so there is nothing to test.")
        over = "cutoffs" if self.cutoffs >= self.series else "series"
        try:
            frame = evaluation.diebold_mariano(
                self.backtest, models=self.models, over=over, columns=self.columns
            )
        except DataError as error:
            return Note(f"There are too few forecasts to test. {error}")

        tests = nw.from_native(frame).filter(nw.col("model_a") == self.models[0])

        rows = []
        for rival in self.models[1:]:
            against = tests.filter(nw.col("model_b") == rival)
            *_, statistic, p_value, count = against.filter(nw.col("step") == 0).row(0)
            steps = against.filter(nw.col("step") > 0)["p_value"].to_numpy()
            cells = [_verdict(statistic, p_value), _number(statistic), _p_value(p_value)]
            rows.append(
                [spoken(rival), *cells, f"{(steps < _ALPHA).sum()} of {len(steps)}", f"{count:,}"]
            )

        caption = (
            f"Diebold-Mariano test of absolute errors over {over}, two-sided, with the correction "
            "of Harvey, Leybourne and Newbold; for all steps together, and the number of single "
            f"steps with a p-value below {_ALPHA}. Of twenty tests without a difference, one finds "
            "one by chance."
        )
        header = [
            "against",
            f"{spoken(self.models[0])} is",
            "statistic",
            "p-value",
            "single steps",
            over,
        ]
        return Table(header, rows, caption, words=header[1:2])


_GLOSSARY = (
    "MAE is the mean absolute error, RMSE the root mean squared one, sMAPE the error as a share of "
    "forecast plus truth, MASE the error over that of the seasonal naive forecast in training, "
    "scaled CRPS the error of all intervals together. A relative score below 1 beats the baseline."
)


def _mean(values: Array) -> Array:
    """Return the mean of each row, missing values left out; NaN where there are no columns."""
    return np.nanmean(values, axis=1) if values.shape[1] else np.full(len(values), np.nan)


def _per_cent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3g} %"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else number_text(value)


def _p_value(value: float) -> str:
    if math.isnan(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _verdict(statistic: float, p_value: float) -> str:
    if math.isnan(p_value):
        return "unknown"
    if p_value >= _ALPHA:
        return "not clearly different"
    return "better" if statistic < 0 else "worse"
