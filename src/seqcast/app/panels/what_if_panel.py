"""*What if*: a table of the columns known in advance, and a forecast that follows each change."""

from functools import partial
from typing import Any

import numpy as np
from nicegui import ui
from typing_extensions import override

from seqcast.app.charts import Options, fan_chart
from seqcast.app.computations import FitOutcome, forecast
from seqcast.app.panels.forecast_panel import forecast_of
from seqcast.app.panels.panel import Panel, refreshable
from seqcast.app.theme import named, note, panel_card, redraw, show_chart, show_table
from seqcast.app.visitor_table import VisitorFrame, assumed_ahead, changed_ahead, rows_of
from seqcast.data.frames import stamp_text


class WhatIfPanel(Panel):
    """The panel; arguments as for `Panel`."""

    title = "What if?"
    outcome: FitOutcome | None = None
    ahead: Any = None
    changed: Any = None
    requests = 0

    @override
    def refresh(self) -> None:
        if self.session.outcome is not self.outcome:
            self.outcome = self.session.outcome
            self.ahead = None
            self._reset()
        self._show.refresh()

    def _reset(self) -> None:
        """Restore the known future of the table."""
        self.requests += 1
        self.changed = None
        if self.session.forecasted is not None:
            self.ahead = assumed_ahead(self.session.forecasted[0], self.session.used.horizon)
        self._show.refresh()

    @refreshable
    def _show(self) -> None:
        if self.session.forecasted is None:
            note("Make a forecast in the panel Forecast first.")
            return
        frame, outcome = self.session.forecasted
        if self.ahead is None:
            note(
                "This table has no column that is known in advance. Give one that role in the "
                "panel Data, such as a price, a holiday or the weather forecast, and forecast "
                "again: then its future can be changed here."
            )
            return
        with panel_card():
            self.choose_series(frame.ids, self._show.refresh)
            alt = f"Forecast of {self.series} before and after the change"
            self.chart = show_chart(self._chart(frame, outcome), alt, dark=self.dark)
        text = (
            "Change a number: the forecast follows. Where the table has no value, the last season "
            "stands here."
        )
        with panel_card("What is known in advance", text):
            self._table(frame)
            ui.button("As it was", icon="undo", on_click=self._reset).props("outline")

    def _chart(self, frame: VisitorFrame, outcome: FitOutcome) -> Options:
        now = outcome.forecast if self.changed is None else self.changed
        ahead, bounds = forecast_of(frame.columns, now, self.series)
        before = (
            None
            if self.changed is None
            else forecast_of(frame.columns, outcome.forecast, self.series)[0]
        )
        return fan_chart(
            self.series,
            frame.series(self.series),
            ahead,
            bounds,
            before=before,
            unit=frame.columns.value,
        )

    def _table(self, frame: VisitorFrame) -> None:
        time = frame.columns.ds
        names = frame.covariates["future"]
        rows = []
        for step, row in enumerate(
            rows_of(self.ahead, frame.columns, self.series).to_dict("records")
        ):
            when = stamp_text(row[time])
            cells = [
                partial(self._cell, frame, step, name, value=row[name], alt=f"{name} on {when}")
                for name in names
            ]
            rows.append([when, *cells])
        show_table([time, *names], rows, "Known in advance")

    def _cell(self, frame: VisitorFrame, step: int, name: str, *, value: Any, alt: str) -> None:
        """Write a field for a value, by its kind."""

        async def change(event: Any) -> None:
            if event.value is not None:
                await self._change(step, name, event.value)

        cell: ui.element
        if isinstance(value, bool | np.bool_):
            cell = ui.checkbox(value=bool(value), on_change=change)
        elif isinstance(value, int | float | np.number):
            cell = ui.number(value=None if value != value else float(value), on_change=change)
            cell.props("debounce=300").classes("w-32")
        else:
            known = sorted(map(str, frame.df[name].dropna().unique()))
            cell = ui.select(
                known, value=str(value) if str(value) in known else None, on_change=change
            )
            cell.props("options-dense").classes("w-40")
        named(cell, alt)

    async def _change(self, step: int, name: str, value: Any) -> None:
        if self.session.forecasted is None:
            return
        frame, outcome = self.session.forecasted
        self.ahead = changed_ahead(
            self.ahead, frame, self.series, step=step, column=name, value=value
        )
        self.requests += 1
        request = self.requests
        job = forecast, self.session.model_file, frame.rows, self.ahead, self.session.used.level
        try:
            changed = await self.context.sessions.answers.submit(*job).result()
        except Exception as error:
            self.context.show_error(error)
            return
        if (
            request == self.requests and self.session.outcome is outcome
        ):  # else it has been changed again
            self.changed = changed
            redraw(self.chart, self._chart(frame, outcome), dark=self.dark)
