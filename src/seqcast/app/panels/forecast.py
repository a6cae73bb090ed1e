"""*Forecast*: how far, how sure, how much is tried; the training as it runs; the forecast of any series."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from nicegui import ui

from seqcast.app import tasks
from seqcast.app.charts import fan_chart, loss_chart
from seqcast.app.context import Context, refreshable
from seqcast.app.estimates import estimate_seconds, in_words
from seqcast.app.panels.progress import JobPanel
from seqcast.app.table import VisitorFrame, rows_of
from seqcast.app.theme import choose_series, heading, note, panel_card, redraw, show_chart, show_table, spoken_step
from seqcast.training import TrainingEvent

LEVELS = (50, 80, 90, 95)
EFFORTS = {
    "quick": "Quick: nothing is trained",
    "balanced": "Balanced: one network is trained, another fine-tuned",
    "best": "Best: as many networks as help",
}
# Steps of past that are drawn before a forecast: so many horizons, and no fewer than these.
HORIZONS_BEFORE, LEAST_BEFORE = 8, 60


class ForecastPanel(JobPanel):
    """The panel.

    Args:
        context: The visitor's page.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context, "Stop and keep the best so far")
        self.series = ""
        self.losses: list[tuple[int, float | None, float | None]] = []
        self.known: Any = None

    def build(self) -> None:
        """Write the panel."""
        heading("Forecast")
        self._ask()
        self.view.build()
        self.curve = show_chart(
            loss_chart([], []), "Loss of the training by epoch", dark=self.context.dark, height="16rem"
        )
        self.curve.visible = False
        self._show()
        self.context.on_change(self._refresh)

    def _refresh(self) -> None:
        frame = self.context.session.frame
        if frame is not self.known:
            self.known, self.problem, self.series = frame, None, ""
            if frame is not None:
                season = frame.facts.season_length
                shortest = min(facts.rows for facts in frame.facts.series)
                horizon = max(1, min(2 * season if season > 1 else 12, 60, shortest // 4))
                self.context.session.ask(horizon=horizon, effort="balanced" if frame.has_covariates else "quick")
        self._ask.refresh()
        self._show.refresh()

    @refreshable
    def _ask(self) -> None:
        session = self.context.session
        frame, asked = session.frame, session.asked
        if frame is None:
            note("Choose a table in the panel Data first.")
            return
        with panel_card(), ui.row().classes("w-full items-start"):
            with ui.column().classes("gap-2 grow min-w-64"):
                ui.number(
                    "Steps to forecast",
                    value=asked.horizon,
                    min=1,
                    max=10_000,
                    precision=0,
                    on_change=lambda event: self._horizon(event.value),
                ).props("outlined dense").classes("w-48")
                ui.select(
                    {level: f"{level} %" for level in LEVELS},
                    value=[int(level) for level in asked.level],
                    multiple=True,
                    label="Intervals",
                    on_change=lambda event: session.ask(level=tuple(sorted(map(float, event.value)))),
                ).props("outlined dense").classes("w-48")
            with ui.column().classes("gap-2 grow min-w-64"):
                if frame.has_covariates:
                    note("The pretrained network does not read further columns: one has to be trained.")
                pace = self.context.sessions.pace.factor
                seconds = {effort: pace * estimate_seconds(frame, asked.horizon, effort) for effort in EFFORTS}
                ui.radio(
                    {
                        effort: f"{text} ({in_words(seconds[effort])})"
                        for effort, text in EFFORTS.items()
                        if effort != "quick" or not frame.has_covariates
                    },
                    value=asked.effort,
                    on_change=lambda event: session.ask(effort=str(event.value)),
                ).props('aria-label="How much is tried"')
                ui.number(
                    "Be done in so many minutes (empty: no limit)",
                    value=None if asked.time_limit is None else float(asked.time_limit.split()[0]),
                    min=0.2,
                    max=600,
                    on_change=lambda event: self._limit(event.value),
                ).props("outlined dense clearable").classes("w-full max-w-80")
            self.start_button("Forecast", "play_arrow", partial(self.fit, frame))

    def _horizon(self, value: Any) -> None:
        if value and int(value) >= 1:
            self.context.session.ask(horizon=int(value))

    def _limit(self, value: Any) -> None:
        self.context.session.ask(time_limit=f"{float(value):g} min" if value else None)

    async def fit(self, frame: VisitorFrame) -> None:
        """Fit and forecast, and show what comes of it.

        Args:
            frame: The series.
        """
        session, sessions = self.context.session, self.context.sessions
        asked, began = session.asked, time.monotonic()
        self.losses = []
        # What waits, or is broken off, does not say how fast this machine is.
        tells_pace = not sessions.trainings.length and asked.time_limit is None and asked.effort != "quick"
        outcome = await self.compute(sessions.trainings, tasks.fit, session.fit_request(frame), hear=self._hear)
        if tells_pace and outcome is not None and not outcome.interrupted:
            estimated = estimate_seconds(frame, asked.horizon, asked.effort)
            sessions.pace.learn(estimated=estimated, measured=time.monotonic() - began)
        if outcome is not None and session.frame is frame:  # else another table has been chosen meanwhile
            session.take_outcome(outcome)
        self.curve.visible = False
        self.context.changed()

    def _hear(self, event: TrainingEvent) -> None:
        self.view.hear(event)
        if event.loss is None or (self.losses and self.losses[-1][:1] == (event.epoch,)):
            return
        if event.epoch == 1:
            self.losses = []  # the curve of another network begins
        self.losses.append((event.epoch, event.loss, event.validation_loss))
        self.curve.visible = True
        losses = [loss for _, loss, _ in self.losses if loss is not None]
        validation = [loss for _, _, loss in self.losses if loss is not None]
        redraw(self.curve, loss_chart(losses, validation), dark=self.context.dark)

    @refreshable
    def _show(self) -> None:
        session = self.context.session
        self.show_problem()
        if session.outcome is None or session.frame is None:
            return
        outcome, frame = session.outcome, session.frame
        with panel_card():
            heading("What forecasts, and why", 3)
            count, season = len(frame.ids), outcome.season_length
            seasons = f"a season of {season} steps" if season > 1 else "no season"
            ui.label(f"The forecast is made with {outcome.choice}.")
            note(f"{count:,} series with {spoken_step(frame.facts.frequency)} and {seasons}.")
            note("The quantile loss is the error of the whole fan on held-back rows; smaller is better.")
            if outcome.interrupted:
                ui.label("It was stopped: this is the best so far.").classes("font-medium")
        with panel_card():
            ids = frame.ids
            if self.series not in ids:
                self.series = ids[0]
            choose_series(ids, self.series, self._choose)
            rows = frame.columns, outcome.forecast
            ahead, bounds = forecast_of(*rows, self.series)
            chart = fan_chart(
                self.series,
                drawn_past(frame, self.series, len(ahead[0])),
                ahead,
                bounds,
                unit=frame.columns.value,
            )
            said = f"Forecast of {self.series} over {len(ahead[0])} steps with {len(bounds)} intervals, after its past."
            show_chart(chart, said, dark=self.context.dark, height="28rem")
            note("Drag the handles below the chart, or use the wheel, to look closer.")
            with ui.expansion("The numbers").classes("w-full").props('header-class="font-medium"'):
                part = rows_of(outcome.forecast, frame.columns, self.series)
                show_table(list(part.columns), part.head(500).values.tolist(), said=f"Forecast of {self.series}")
            with ui.row():
                ui.button("How good is it?", on_click=lambda: self.context.go_to("scores")).props("no-caps outline")
                ui.button("Take it away", on_click=lambda: self.context.go_to("take")).props("no-caps outline")

    def _choose(self, name: str) -> None:
        self.series = name
        self._show.refresh()


def drawn_past(frame: Any, name: str, horizon: int) -> tuple[Any, Any]:
    """Return the stamps and values of a series that are drawn before its forecast.

    Args:
        frame: The series.
        name: Name of one.
        horizon: Steps of its forecast.
    """
    rows = frame.series(name).tail(max(LEAST_BEFORE, HORIZONS_BEFORE * horizon))
    return rows[frame.columns.ds].to_numpy(), rows[frame.columns.value].to_numpy(float)


def forecast_of(columns: Any, forecast: Any, name: str) -> tuple[tuple[Any, Any], dict[str, tuple[Any, Any]]]:
    """Return a series' forecast, and the bounds of its intervals, the widest first.

    Args:
        columns: Names of the columns.
        forecast: A frame from `Forecaster.predict`.
        name: Name of the series.
    """
    part = rows_of(forecast, columns, name)
    return (part[columns.ds].to_numpy(), part["seqcast"].to_numpy(float)), bounds_of(part)


def bounds_of(part: Any) -> dict[str, tuple[Any, Any]]:
    """Return the bounds of the intervals in a frame of forecasts, the widest first.

    Args:
        part: The frame.
    """
    levels = sorted((float(name.rpartition("-lo-")[2]) for name in part.columns if "-lo-" in str(name)), reverse=True)
    return {
        f"{level:g} % interval": (
            part[f"seqcast-lo-{level:g}"].to_numpy(float),
            part[f"seqcast-hi-{level:g}"].to_numpy(float),
        )
        for level in levels
    }
