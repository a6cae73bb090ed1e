"""The sections of a report that come from a backtest: accuracy, errors, significance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw

from seqcast.errors import DataError
from seqcast.evaluation import BASELINE, CUTOFF, Backtest, diebold_mariano, leaderboard, spoken_metric
from seqcast.plots import (
    calibration_curve,
    forecast_frame,
    residual_diagnostics,
    score_by_series,
    score_by_step,
    spoken,
)
from seqcast.report.page import Note, Part, Picture, Section, Table
from seqcast.specs import Columns

_OVERLAYS = 4  # series whose backtest is drawn
_ALPHA = 0.05


class BacktestSections:
    """The sections of a report about a backtest.

    Args:
        history: The series.
        backtest: Forecasts beside the truth.
        model: The model that the report is about; `None` takes the first.
        metrics: Metrics of the leaderboard.
        season_length: Season of scaled metrics.
        trained_horizon: Steps that the network was trained to forecast.
        max_series: Most series that are drawn.
        unit: Unit of the values.
        columns: Names of the columns.

    Raises:
        SpecError: There is no such model.
        DataError: The backtest lacks something.
    """

    def __init__(
        self,
        history: Any,
        backtest: Any,
        *,
        model: str | None,
        metrics: Sequence[str] | None,
        season_length: int | None,
        trained_horizon: int | None,
        max_series: int,
        unit: str,
        columns: Columns | None,
    ) -> None:
        checked = Backtest(backtest, columns)
        rows = checked.rows
        rows.models(None if model is None else [model])  # refuses a model that is not there
        self.history, self.backtest, self.columns, self.unit = history, backtest, columns, unit
        self.metrics, self.season_length = metrics, season_length
        self.trained_horizon, self.max_series = trained_horizon, max_series
        self.model = model or checked.models[0]
        self.models = [self.model, *(name for name in checked.models if name != self.model)]
        self.levels = checked.levels()
        self.series = len(rows.groups(*rows.series))
        self.windows = len(rows.groups(*rows.window))
        self.cutoffs = len(rows.groups(CUTOFF)) if rows.has(CUTOFF) else 1

    def accuracy(self) -> Section:
        """Return the leaderboard and pictures of forecasts beside the truth."""
        parts: list[Part] = [self._leaderboard()]
        drawn = self.models[:1] + [name for name in self.models[1:] if name == BASELINE]
        figure = forecast_frame(
            self.history,
            self.backtest,
            columns=self.columns,
            models=drawn,
            max_series=min(_OVERLAYS, self.max_series),
            ylabel=self.unit or None,
        )
        alt = f"Forecasts by {' and '.join(map(spoken, drawn))} from {_count(self.cutoffs, 'cutoff')}, beside the truth"
        parts.append(Picture.of(figure, alt, "Each forecast saw the series up to its cutoff only."))
        if self.levels:
            figure = calibration_curve(self.backtest, columns=self.columns)
            alt = "Share of the truth inside the intervals against their level, with the band of chance"
            caption = (
                "Below the line intervals are too narrow, above it too wide. Within the grey band the difference may "
                "be chance."
            )
            parts.append(Picture.of(figure, alt, caption))
        return Section("Accuracy in the backtest", parts, name="Accuracy")

    def _leaderboard(self) -> Table:
        frame = leaderboard(
            self.backtest,
            self.metrics,
            train_df=self.history,
            season_length=self.season_length,
            models=self.models,
            columns=self.columns,
        )
        columns = nw.from_native(frame).to_dict(as_series=False)
        names, points = columns.pop("model"), columns.pop("points")[0]
        columns.pop("series")
        best = {
            (min(range(len(names)), key=lambda row: _order(values[row])), column)
            for column, (name, values) in enumerate(columns.items(), start=1)
            if not name.startswith(("bias", "coverage"))
        }
        rows = [
            [spoken(model), *(_number(values[row]) for values in columns.values())] for row, model in enumerate(names)
        ]
        caption = (
            f"Means over {_count(self.windows, 'window')} of {self.series:,} series, {points:,} forecasts in all; the "
            f"best of a column is bold. {_GLOSSARY}"
        )
        return Table(["model", *map(spoken_metric, columns)], rows, caption, best=best)

    def errors(self) -> Section:
        """Return pictures of the errors by step and by series, and of their distribution."""
        models, columns, unit = self.models, self.columns, self.unit
        figure = score_by_step(
            self.backtest, models=models, trained_horizon=self.trained_horizon, columns=columns, unit=unit
        )
        caption = "How fast a forecast loses its worth the further ahead it looks; the lowest line is the best."
        parts: list[Part] = [Picture.of(figure, f"Mean absolute error by step, of {_listed(models)}", caption)]
        if self.series > 1:
            figure = score_by_series(
                self.backtest, models=models, max_series=self.max_series, columns=columns, unit=unit
            )
            caption = "A mark a model on each series' line; further left is better."
            parts.append(Picture.of(figure, f"Mean absolute error by series, of {_listed(self.models)}", caption))
        figure = residual_diagnostics(self.backtest, self.model, columns=self.columns, unit=self.unit)
        caption = (
            "Errors of a good forecast lie around 0 at all times and steps. That those of one window resemble each "
            "other is usual beyond the first step."
        )
        alt = f"Errors of {spoken(self.model)}: over time, as a histogram, by step, and their autocorrelation"
        return Section("Errors", [*parts, Picture.of(figure, alt, caption)])

    def significance(self) -> Section:
        """Return the Diebold-Mariano tests of the model against each other one."""
        return Section("Is the difference more than chance?", [self._tests()], name="Significance")

    def _tests(self) -> Table | Note:
        if len(self.models) < 2:
            return Note("There is only one model, and nothing to compare it with.")
        over = "cutoffs" if self.cutoffs >= self.series else "series"
        try:
            frame = diebold_mariano(self.backtest, models=self.models, over=over, columns=self.columns)
        except DataError as error:
            return Note(f"There is too little to test. {error}")
        tests = nw.from_native(frame).filter(nw.col("model_a") == self.model).to_dict(as_series=False)
        rows = []
        for rival in self.models[1:]:
            against = [i for i, name in enumerate(tests["model_b"]) if name == rival]
            overall = next(i for i in against if tests["step"][i] == 0)
            steps = [i for i in against if tests["step"][i] > 0]
            clear = [i for i in steps if tests["p_value"][i] < _ALPHA]
            statistic, p_value = tests["statistic"][overall], tests["p_value"][overall]
            rows.append(
                [
                    spoken(rival),
                    _verdict(statistic, p_value),
                    _number(statistic),
                    _p_value(p_value),
                    f"{len(clear)} of {len(steps)}",
                    f"{tests['n'][overall]:,}",
                ]
            )
        caption = (
            f"Diebold-Mariano test of absolute errors over {over}, two-sided, with the correction of Harvey, Leybourne "
            f"and Newbold; all steps together, and at how many single steps the p-value is below {_ALPHA}. Many tests "
            "find something by chance: one in twenty where there is nothing."
        )
        header = ["against", f"{spoken(self.model)} is", "statistic", "p-value", "single steps", over]
        return Table(header, rows, caption, words=header[1:2])


_GLOSSARY = (
    "MAE is the mean absolute error, RMSE the root mean squared one, sMAPE the error as a share of forecast plus "
    "truth, MASE the error over that of the seasonal naive forecast in training, scaled CRPS the error of all "
    "intervals together. A relative score below 1 beats the baseline."
)


def _order(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.4g}" if abs(value) < 1e6 else f"{value:.3e}"


def _p_value(value: float) -> str:
    return "–" if math.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _verdict(statistic: float, p_value: float) -> str:
    if math.isnan(p_value):
        return "cannot be told"
    if p_value >= _ALPHA:
        return "not clearly different"
    return "better" if statistic < 0 else "worse"


def _listed(models: Sequence[str]) -> str:
    return ", ".join(map(spoken, models))


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'s' * (number != 1)}"
