"""*Forecast*: horizon, levels and effort, the training's progress, each series' forecast."""

import time
from functools import partial
from typing import Any

from nicegui import ui

from seqcast.app.charts import fan_chart
from seqcast.app.computations import FitOutcome, fit
from seqcast.app.panels.panel import JobPanel, refreshable
from seqcast.app.theme import heading, named, note, panel_card, redraw, show_chart, show_table
from seqcast.app.visitor_table import VisitorFrame, assumed_ahead, rows_of
from seqcast.app.visitors import updated_pace
from seqcast.errors import counted
from seqcast.forecaster import estimate_seconds, in_words
from seqcast.runtime import percentages

LEVELS = (50, 80, 90, 95)
EFFORTS = {
    "quick": "Quick: nothing is trained",
    "balanced": "Balanced: one network is trained, another fine-tuned",
    "best": "Best: as many networks as help",
}


# A heading and a chart.
Drawing = tuple[ui.label, ui.echart]


class ForecastPanel(JobPanel):
    """The panel; arguments as for `Panel`."""

    title = "Forecast"
    stop_text = "Stop and keep the best so far"
    known: Any = None

    def refresh(self) -> None:
        """Show the changes; what is being typed stays, unless it is about another table."""
        frame = self.session.frame
        if frame is not self.known:
            self.known = frame
            self.problem = None
            if frame is not None:
                self._begin(frame)
            self._ask.refresh()
        self._show.refresh()

    def _begin(self, frame: VisitorFrame) -> None:
        """Forecast at once, while better forecasts are offered."""
        season = frame.facts.season_length
        shortest = min(facts.rows for facts in frame.facts.series)
        horizon = max(1, min(2 * season if season > 1 else 12, 60, shortest // 4))
        self.session.ask(horizon=horizon, effort="quick", time_limit=None)
        # What was pressed may be gone by now; the row stays.
        with self.row:
            ui.timer(0, partial(self.fit, frame), once=True)

    @refreshable
    def _ask(self) -> None:
        frame = self.session.frame
        if frame is None:
            note("Choose a table in the panel Data first.")
            return
        with panel_card(), ui.row().classes("w-full items-start"):
            with ui.column().classes("gap-2 grow min-w-64"):
                self._ask_horizon(frame)
            with ui.column().classes("gap-2 grow min-w-64"):
                self._ask_effort(frame)
            self.start_button("Forecast", "play_arrow", partial(self.fit, frame))

    def _ask_horizon(self, frame: VisitorFrame) -> None:
        def ask_horizon(event: Any) -> None:
            if event.value and int(event.value) >= 1:
                self.session.ask(horizon=int(event.value))
                steps.props["hint"] = frame.spoken_end(int(event.value))[2:]

        def ask_level(event: Any) -> None:
            self.session.ask(level=tuple(sorted(map(float, event.value))))

        asked = self.session.asked
        label = f"{frame.spoken_steps('').strip().capitalize()} to forecast"
        steps = ui.number(
            label, value=asked.horizon, min=1, max=10_000, precision=0, on_change=ask_horizon
        )
        steps.classes("w-full max-w-80").props["hint"] = frame.spoken_end(asked.horizon)[2:]
        levels = {level: f"{level} %" for level in LEVELS}
        chosen = [int(level) for level in asked.level]
        intervals = ui.select(
            levels, value=chosen, multiple=True, label="Intervals", on_change=ask_level
        )
        intervals.classes("w-full max-w-80")
        note("An 80 % interval is meant to contain the actual value eight times out of ten.")

    def _ask_effort(self, frame: VisitorFrame) -> None:
        def ask_limit(event: Any) -> None:
            self.session.ask(time_limit=f"{float(event.value):g} min" if event.value else None)

        asked = self.session.asked
        pace = self.context.sessions.pace
        lengths = frame.facts.frame.source.lengths
        times = {
            effort: in_words(
                pace
                * estimate_seconds(
                    lengths, asked.horizon, effort, season_length=frame.facts.season_length
                )
            )
            for effort in EFFORTS
        }
        choices = {effort: f"{text} ({times[effort]})" for effort, text in EFFORTS.items()}
        effort = ui.radio(
            choices,
            value=asked.effort,
            on_change=lambda event: self.session.ask(effort=event.value),
        )
        effort.props('aria-label="Effort"')
        if past := frame.covariates.get("past"):
            note(f"Quick does not read {', '.join(past)}: it takes a network that is trained.")
        minutes = None if asked.time_limit is None else float(asked.time_limit.split()[0])
        label = "Minutes at most (empty: no limit)"
        limit = ui.number(label, value=minutes, min=0.2, max=600, on_change=ask_limit)
        limit.props("clearable").classes("w-full max-w-80")

    async def fit(self, frame: VisitorFrame) -> None:
        """Fit and forecast, and show the result.

        Args:
            frame: The series.
        """
        session = self.session
        sessions = self.context.sessions
        asked = session.asked
        began = time.monotonic()
        # A fit that waited or was cut short does not measure the pace of this machine.
        tells_pace = (
            not sessions.trainings.jobs and asked.time_limit is None and asked.effort != "quick"
        )
        ahead = assumed_ahead(frame, asked.horizon)
        options = asked.options(frame)
        number = session.begin_fit()
        job = fit, frame.rows, ahead, options, session.file_of_fit(number), asked.time_limit
        # What takes moments does not wait for the trainings of others.
        queue = sessions.answers if asked.effort == "quick" else sessions.trainings
        outcome: FitOutcome | None = await self.compute(queue, *job, on_event=self.on_event)
        if tells_pace and outcome is not None and not outcome.interrupted:
            estimated = estimate_seconds(
                frame.facts.frame.source.lengths,
                asked.horizon,
                asked.effort,
                season_length=frame.facts.season_length,
            )
            sessions.pace = updated_pace(
                sessions.pace, estimated=estimated, measured=time.monotonic() - began
            )
            self._ask.refresh()
        if outcome is not None:
            session.take_outcome(number, asked, outcome)
        self.context.changed()

    @refreshable
    def _show(self) -> None:
        self.show_problem()
        if self.session.forecasted is None:
            return
        frame, outcome = self.session.forecasted
        with panel_card():
            self.choose_series(frame.ids, self._show.refresh)
            if outcome.interrupted:
                ui.label("It was stopped: this is the best so far.").classes("font-medium")
            show_forecast(frame, outcome, self.series, dark=self.dark)
            with ui.expansion("The numbers").classes("w-full").props('header-class="font-medium"'):
                rows = rows_of(outcome.forecast, frame.columns, self.series)
                show_table(
                    list(rows.columns), rows.head(500).values.tolist(), f"Forecast of {self.series}"
                )
            with ui.row():
                ui.button("How good is it?", on_click=lambda: self.context.go_to("scores")).props(
                    "outline"
                )
                ui.button("Take it away", on_click=lambda: self.context.go_to("take")).props(
                    "outline"
                )
        with panel_card("What forecasts, and why"):
            self._choice(frame, outcome)

    def _choice(self, frame: VisitorFrame, outcome: FitOutcome) -> None:
        steps = outcome.season_length
        season = f"a season of {frame.spoken_steps(steps)}" if steps > 1 else "no season"
        note(f"{len(frame.ids):,} series with {season}.")
        shares = percentages({name: share for name, share, _ in outcome.choice})
        rows = [
            [name, shares[name], "" if loss is None else loss] for name, _, loss in outcome.choice
        ]
        show_table(
            ["what forecasts", "share of the forecast", "error on the past"],
            rows,
            "Who makes the forecast",
        )
        if outcome.windows:
            note(
                "The error is that of line and intervals together, on "
                f"{counted(outcome.windows, 'period')} of the past from which nothing was learned; "
                "0 would be perfect. Shares follow the errors. The last season repeats the values "
                "of one season before, the last longer season those of a week of hours or a year "
                "of days."
            )


def show_forecast(
    frame: VisitorFrame,
    outcome: FitOutcome | None,
    name: str,
    *,
    dark: bool,
    drawn: Drawing | None = None,
) -> Drawing:
    """Draw a series and its forecast, with the time at which it ends.

    Args:
        frame: The series.
        outcome: Their forecasts; `None` before there are any.
        name: Name of one.
        dark: Whether the page is dark.
        drawn: An earlier drawing, in whose place this one is drawn.

    Returns:
        Its heading and its chart.
    """
    ahead, bounds = (
        (None, {}) if outcome is None else forecast_of(frame.columns, outcome.forecast, name)
    )
    steps = 0 if ahead is None else len(ahead[0])
    past = frame.series(name)
    title = (
        f"{name}: {frame.spoken_steps(steps)}{frame.spoken_end(steps, past[0][-1])}"
        if steps
        else name
    )
    options = fan_chart(name, past, ahead, bounds, unit=frame.columns.value)
    ahead_in_words = (
        f", and their forecast over {steps} steps with {len(bounds)} intervals" if steps else ""
    )
    alt = f"Values of {name}{ahead_in_words}."
    if drawn is not None:
        label, chart = drawn
        label.set_text(title)
        redraw(named(chart, alt), options, dark=dark)
        return drawn
    drawing = heading(title, 3), show_chart(options, alt, dark=dark, height="26rem")
    note(
        "Gaps are left open; diamonds are values far from the rest. Handles below the chart show "
        "more of the past."
    )
    return drawing


def forecast_of(
    columns: Any, forecast: Any, name: str
) -> tuple[tuple[Any, Any], dict[str, tuple[Any, Any]]]:
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
    levels = sorted(
        (float(name.rpartition("-lo-")[2]) for name in rows.columns if "-lo-" in str(name)),
        reverse=True,
    )
    ends = [
        [rows[f"seqcast-{end}-{level:g}"].to_numpy(float) for end in ("lo", "hi")]
        for level in levels
    ]
    return {
        f"{level:g} % interval": (low, high)
        for level, (low, high) in zip(levels, ends, strict=True)
    }
