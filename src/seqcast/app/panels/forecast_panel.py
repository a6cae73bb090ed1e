"""*Forecast*: horizon, levels and effort; the progress of the training; the forecast of each series."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from nicegui import ui

from seqcast.app.charts import Options, fan_chart, line_chart
from seqcast.app.computations import FitOutcome, fit
from seqcast.app.panels.panel import Context, JobPanel, refreshable
from seqcast.app.theme import heading, note, panel_card, redraw, show_chart, show_table, spoken_step
from seqcast.app.visitor_table import VisitorFrame, assumed_ahead, rows_of
from seqcast.app.visitors import estimate_seconds, in_words
from seqcast.runtime import TaskEvent
from seqcast.training import TrainingEvent

LEVELS = (50, 80, 90, 95)
EFFORTS = {
    "quick": "Quick: nothing is trained",
    "balanced": "Balanced: one network is trained, another fine-tuned",
    "best": "Best: as many networks as help",
}
# Past that is drawn before a forecast: a number of horizons, and a least number of steps.
HORIZONS_BEFORE, LEAST_BEFORE = 8, 60


class ForecastPanel(JobPanel):
    """The panel; arguments as for `Panel`."""

    title = "Forecast"
    stop_text = "Stop and keep the best so far"
    known: Any = None

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.losses: dict[int, tuple[float, Any]] = {}

    def _build(self) -> None:
        self._ask()
        self.build_progress()
        alt = "Loss of the training by epoch"
        self.curve = show_chart(self._loss_chart(), alt, dark=self.dark, height="16rem")
        self.curve.visible = False
        self._show()

    def refresh(self) -> None:
        """Show the changes."""
        frame = self.session.frame
        if frame is not self.known:
            self.known, self.problem = frame, None
            if frame is not None:
                season = frame.facts.season_length
                shortest = min(facts.rows for facts in frame.facts.series)
                horizon = max(1, min(2 * season if season > 1 else 12, 60, shortest // 4))
                self.session.ask(horizon=horizon, effort="balanced" if "past" in frame.covariates else "quick")
        super().refresh()

    @refreshable
    def _ask(self) -> None:
        frame = self.session.frame
        if frame is None:
            note("Choose a table in the panel Data first.")
            return
        with panel_card(), ui.row().classes("w-full items-start"):
            with ui.column().classes("gap-2 grow min-w-64"):
                self._ask_horizon()
            with ui.column().classes("gap-2 grow min-w-64"):
                self._ask_effort(frame)
            self.start_button("Forecast", "play_arrow", partial(self.fit, frame))

    def _ask_horizon(self) -> None:
        def ask_horizon(event: Any) -> None:
            if event.value and int(event.value) >= 1:
                self.session.ask(horizon=int(event.value))

        def ask_level(event: Any) -> None:
            self.session.ask(level=tuple(sorted(map(float, event.value))))

        asked = self.session.asked
        label = "Steps to forecast"
        steps = ui.number(label, value=asked.horizon, min=1, max=10_000, precision=0, on_change=ask_horizon)
        steps.classes("w-48")
        levels, chosen = {level: f"{level} %" for level in LEVELS}, [int(level) for level in asked.level]
        ui.select(levels, value=chosen, multiple=True, label="Intervals", on_change=ask_level).classes("w-48")

    def _ask_effort(self, frame: VisitorFrame) -> None:
        def ask_limit(event: Any) -> None:
            self.session.ask(time_limit=f"{float(event.value):g} min" if event.value else None)

        asked, pace = self.session.asked, self.context.sessions.pace.factor
        efforts = list(EFFORTS)
        if "past" in frame.covariates:
            note("The pretrained network reads no columns that end with the past: a network has to be trained.")
            efforts.remove("quick")
        times = {effort: in_words(pace * estimate_seconds(frame, asked.horizon, effort)) for effort in efforts}
        choices = {effort: f"{EFFORTS[effort]} ({times[effort]})" for effort in efforts}
        effort = ui.radio(choices, value=asked.effort, on_change=lambda event: self.session.ask(effort=event.value))
        effort.props('aria-label="Effort"')
        minutes = None if asked.time_limit is None else float(asked.time_limit.split()[0])
        label = "Minutes at most (empty: no limit)"
        limit = ui.number(label, value=minutes, min=0.2, max=600, on_change=ask_limit)
        limit.props("clearable").classes("w-full max-w-80")

    async def fit(self, frame: VisitorFrame) -> None:
        """Fit and forecast, and show the result.

        Args:
            frame: The series.
        """
        session, sessions = self.session, self.context.sessions
        asked, began = session.asked, time.monotonic()
        self.losses = {}
        # A fit that waited or was cut short does not measure the pace of this machine.
        tells_pace = not sessions.trainings.jobs and asked.time_limit is None and asked.effort != "quick"
        ahead, options = assumed_ahead(frame, asked.horizon), asked.options(frame)
        job = fit, frame.df, ahead, options, session.model_file, asked.time_limit
        outcome: FitOutcome | None = await self.compute(sessions.trainings, *job, on_event=self.on_event)
        if tells_pace and outcome is not None and not outcome.interrupted:
            estimated = estimate_seconds(frame, asked.horizon, asked.effort)
            sessions.pace.learn(estimated=estimated, measured=time.monotonic() - began)
        if outcome is not None and session.frame is frame:  # else another table has been chosen meanwhile
            session.take_outcome(asked, outcome)
        self.curve.visible = False
        self.context.changed()

    def on_event(self, event: TaskEvent) -> None:
        """Show the progress, and draw the losses of a training.

        Args:
            event: The event.
        """
        super().on_event(event)
        if not isinstance(event, TrainingEvent) or event.loss is None or event.epoch in self.losses:
            return
        if event.epoch == 1:
            self.losses = {}  # the curve of another network begins
        self.losses[event.epoch] = event.loss, event.validation_loss
        self.curve.visible = True
        redraw(self.curve, self._loss_chart(), dark=self.dark)

    def _loss_chart(self) -> Options:
        losses = [loss for loss, _ in self.losses.values()]
        validation = [loss for _, loss in self.losses.values() if loss is not None]
        lines = {"on rows that it learns from": losses, "on hold-out rows": validation}
        return line_chart(lines, x=range(1, len(losses) + 1), x_name="epoch", y_name="loss")

    @refreshable
    def _show(self) -> None:
        self.show_problem()
        if self.session.forecasted is None:
            return
        frame, outcome = self.session.forecasted
        with panel_card():
            heading("What forecasts, and why", 3)
            season = f"a season of {outcome.season_length} steps" if outcome.season_length > 1 else "no season"
            ui.label(f"The forecast is made with {outcome.choice}.")
            note(f"{len(frame.ids):,} series with {spoken_step(frame.facts.frequency)} and {season}.")
            note("The quantile loss is the error of the whole fan on hold-out rows; smaller is better.")
            if outcome.interrupted:
                ui.label("It was stopped: this is the best so far.").classes("font-medium")
        with panel_card():
            self.choose_series(frame.ids, self._show.refresh)
            ahead, bounds = forecast_of(frame.columns, outcome.forecast, self.series)
            past = drawn_past(frame, self.series, len(ahead[0]))
            chart = fan_chart(self.series, past, ahead, bounds, unit=frame.columns.value)
            alt = f"Forecast of {self.series} over {len(ahead[0])} steps with {len(bounds)} intervals, after its past."
            show_chart(chart, alt, dark=self.dark, height="28rem")
            note("Drag the handles below the chart, or use the wheel, to look closer.")
            with ui.expansion("The numbers").classes("w-full").props('header-class="font-medium"'):
                rows = rows_of(outcome.forecast, frame.columns, self.series)
                show_table(list(rows.columns), rows.head(500).values.tolist(), f"Forecast of {self.series}")
            with ui.row():
                ui.button("How good is it?", on_click=lambda: self.context.go_to("scores")).props("outline")
                ui.button("Take it away", on_click=lambda: self.context.go_to("take")).props("outline")


def drawn_past(frame: VisitorFrame, name: str, horizon: int) -> tuple[Any, Any]:
    """Return the stamps and values of a series that are drawn before its forecast.

    Args:
        frame: The series.
        name: Name of one.
        horizon: Steps of its forecast.
    """
    most = max(LEAST_BEFORE, HORIZONS_BEFORE * horizon)
    stamps, values = frame.series(name)
    return stamps[-most:], values[-most:]


def forecast_of(columns: Any, forecast: Any, name: str) -> tuple[tuple[Any, Any], dict[str, tuple[Any, Any]]]:
    """Return a series' forecast, and the bounds of its intervals, the widest first.

    Args:
        columns: Names of the columns.
        forecast: A frame from `Forecaster.predict`.
        name: Name of the series.
    """
    rows = rows_of(forecast, columns, name)
    return (rows[columns.ds].to_numpy(), rows["seqcast"].to_numpy(float)), bounds_of(rows)


def bounds_of(rows: Any) -> dict[str, tuple[Any, Any]]:
    """Return the bounds of the intervals in a frame of forecasts, the widest first.

    Args:
        rows: The frame.
    """
    levels = sorted((float(name.rpartition("-lo-")[2]) for name in rows.columns if "-lo-" in str(name)), reverse=True)
    ends = [[rows[f"seqcast-{end}-{level:g}"].to_numpy(float) for end in ("lo", "hi")] for level in levels]
    return {f"{level:g} % interval": (low, high) for level, (low, high) in zip(levels, ends, strict=True)}
