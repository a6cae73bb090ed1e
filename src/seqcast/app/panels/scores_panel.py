"""*How good*: a backtest, errors by step and series next to naive ones, coverage of intervals."""

from functools import partial
from typing import Any

import numpy as np
from nicegui import ui
from typing_extensions import override

from seqcast.app.charts import fan_chart, line_chart
from seqcast.app.computations import backtest
from seqcast.app.panels.forecast_panel import bounds_of
from seqcast.app.panels.panel import JobPanel, refreshable
from seqcast.app.theme import heading, note, panel_card, show_chart, show_table
from seqcast.app.visitor_table import VisitorFrame, rows_of
from seqcast.evaluation import BASELINE, evaluate
from seqcast.runtime import number_text

FORECASTS = {"seqcast": "the forecast", BASELINE: "the last season", "last_value": "the last value"}
WORST_SHOWN = 50
# Steps that are drawn with a forecast of the past, in horizons.
DRAWN = 9


class ScoresPanel(JobPanel):
    """The panel; arguments as for `Panel`."""

    title = "How good is it?"
    about = (
        "The table's own past is forecast from several moments, and compared with the actual "
        "values. Networks are trained on the rows before the first of these moments."
    )
    stop_text = "Stop the test"
    known: Any = None
    windows: float | None = 3

    @override
    def refresh(self) -> None:
        if self.session.outcome is not self.known:
            self.known = self.session.outcome
            self.problem = None
        super().refresh()

    @refreshable
    def _ask(self) -> None:
        frame = self.session.frame
        if frame is None:
            note("Choose a table in the panel Data first.")
            return
        with ui.row().classes("items-center"):
            windows = ui.number("Moments to forecast from", min=1, max=50, precision=0)
            windows.classes("w-56").bind_value(self, "windows")
            self.start_button("Test on the past", "fact_check", partial(self.test, frame))

    async def test(self, frame: VisitorFrame) -> None:
        """Backtest, and show the scores.

        Args:
            frame: The series.
        """
        asked = self.session.used
        trainings = self.context.sessions.trainings
        windows = max(1, int(self.windows or 1))
        job = backtest, frame.rows, asked.options(frame), windows, asked.time_limit
        tested = await self.compute(trainings, *job, on_event=self.on_event)
        if (
            tested is not None
            and self.session.frame is frame
            and (self.session.fitted or asked) == asked
        ):
            self.session.backtest = tested
        self.context.changed()

    @refreshable
    def _show(self) -> None:
        self.show_problem()
        frame = self.session.frame
        tested = self.session.backtest
        if tested is None or frame is None:
            return
        columns = frame.columns
        with panel_card("Mean error by step"):
            ui.label(_verdict(tested, columns))
            steps, errors = error_by_step(tested, columns)
            lines = {FORECASTS[name]: values for name, values in errors.items()}
            chart = line_chart(
                lines,
                x=steps,
                x_name="step of the forecast",
                y_name=f"mean error of {columns.value}",
            )
            show_chart(
                chart,
                "Mean absolute error of the forecast and two simple ones, by step",
                dark=self.dark,
            )
        text = "An 80 % interval should contain about 80 % of the actual values."
        with panel_card("How often the intervals contained the value", text):
            rows = [
                [f"{level:g} %", f"{share:.0%}"]
                for level, share in coverage(tested, columns).items()
            ]
            show_table(["interval", "share of values within"], rows, "Coverage of the intervals")
        table = scores_by_series(tested, columns)
        with panel_card("Series, the worst first"):
            names = [
                "series",
                "mean error of the forecast",
                "of repeating the last season",
                "first / second",
            ]
            show_table(
                names, table.head(WORST_SHOWN).values.tolist(), "Errors by series, the worst first"
            )
            if len(table) > WORST_SHOWN:
                note(
                    f"and {len(table) - WORST_SHOWN:,} series with smaller errors against the last "
                    "season's"
                )
        with panel_card():
            self.choose_series(table["series"].tolist(), self._show.refresh)
            self._window(frame, tested)

    def _window(self, frame: VisitorFrame, tested: Any) -> None:
        columns = frame.columns
        rows = rows_of(tested, columns, self.series)
        last = rows[rows["cutoff"] == rows["cutoff"].max()]
        ahead = last[columns.ds].to_numpy(), last["seqcast"].to_numpy(float)
        stamps, values = frame.series(self.series)
        end = int((stamps <= ahead[0].max()).sum())
        shown = slice(max(0, end - DRAWN * len(last)), end)
        heading(f"{self.series}: the last of these forecasts, and the actual values", 3)
        chart = fan_chart(
            self.series, (stamps[shown], values[shown]), ahead, bounds_of(last), unit=columns.value
        )
        show_chart(
            chart, f"Forecast of the past of {self.series} and actual values", dark=self.dark
        )


def _verdict(tested: Any, columns: Any) -> str:
    scores = evaluate(tested, ["mae"], models=["seqcast", BASELINE], columns=columns).iloc[0]
    ours = float(scores["seqcast"])
    naive = float(scores[BASELINE])
    ratio = ours / naive if naive else float("inf")
    if not np.isfinite(ratio):
        return f"On average the forecast was off by {number_text(ours)} ({columns.value})."
    off = (
        f"On average the forecast was off by {number_text(ours)} ({columns.value}), an error "
        f"{abs(ratio - 1):.0%}"
    )
    return f"{off} {'smaller' if ratio < 1 else 'larger'} than that of repeating the last season."


def error_by_step(tested: Any, columns: Any) -> tuple[list[int], dict[str, list[float]]]:
    """Return the steps whose truth is known, and each forecast's mean absolute error at each.

    Args:
        tested: A frame from `Forecaster.backtest`.
        columns: Names of its columns.
    """
    table = evaluate(tested, ["mae"], by="step", models=list(FORECASTS), columns=columns)
    return table["step"].tolist(), {name: table[name].tolist() for name in FORECASTS}


def coverage(tested: Any, columns: Any) -> dict[float, float]:
    """Return the fraction of known values within the interval of each level.

    Args:
        tested: A frame from `Forecaster.backtest`.
        columns: Names of its columns.
    """
    levels = sorted(float(label.split()[0]) for label in bounds_of(tested))
    if not levels:
        return {}
    table = evaluate(tested, ["coverage"], models=["seqcast"], level=levels, columns=columns)
    return dict(zip(levels, table["seqcast"].tolist(), strict=True))


def scores_by_series(tested: Any, columns: Any) -> Any:
    """Return the mean absolute errors of each series, with their ratio, the largest ratio first.

    Args:
        tested: A frame from `Forecaster.backtest`.
        columns: Names of its columns.
    """
    models = ["seqcast", BASELINE]
    table = evaluate(tested, ["mae"], by=columns.unique_id, models=models, columns=columns)
    table = table.rename(columns={columns.unique_id: "series"})[["series", *models]].astype(
        {"series": str}
    )
    table["ratio"] = table["seqcast"] / table[BASELINE].where(table[BASELINE] > 0)
    return table.sort_values("ratio", ascending=False, kind="stable", na_position="last")
