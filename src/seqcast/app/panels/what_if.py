"""*What if*: columns that are known in advance, step by step in a table, and the forecast that follows them at once."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from nicegui import ui

from seqcast.app import tasks
from seqcast.app.assumptions import changed_ahead
from seqcast.app.charts import fan_chart
from seqcast.app.context import Context, refreshable
from seqcast.app.panels.forecast import drawn_past, forecast_of
from seqcast.app.table import VisitorFrame, rows_of
from seqcast.app.tasks import FitOutcome
from seqcast.app.theme import choose_series, heading, html_table, named, note, panel_card, redraw, show_chart
from seqcast.data.frames import stamp_text


class WhatIfPanel:
    """The panel.

    Args:
        context: The visitor's page.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.series = ""
        self.ahead: Any = None
        self.outcome: Any = None
        self.changed: Any = None
        self.asked = 0

    def build(self) -> None:
        """Write the panel."""
        heading("What if?")
        self._show()
        self.context.on_change(self._refresh)

    def _refresh(self) -> None:
        session = self.context.session
        if session.outcome is not self.outcome:
            self.outcome, self.changed, self.series = session.outcome, None, ""
            frame = session.frame
            self.ahead = None if session.outcome is None or frame is None else session.ahead(frame)
        self._show.refresh()

    @refreshable
    def _show(self) -> None:
        session = self.context.session
        if session.outcome is None or session.frame is None:
            note("Make a forecast in the panel Forecast first.")
            return
        if self.ahead is None:
            note(
                "This table has no column that is known in advance. Give one that role in the panel Data, such as a"
                " price, a holiday or the weather forecast, and forecast again: then its future can be changed here."
            )
            return
        frame = session.frame
        ids = frame.ids
        if self.series not in ids:
            self.series = ids[0]
        with panel_card():
            choose_series(ids, self.series, self._choose)
            said = f"Forecast of {self.series} before and after the change"
            self.chart = show_chart(self._options(frame, session.outcome), said, dark=self.context.dark)
        with panel_card():
            heading("What is known in advance", 3)
            note("Change a number: the forecast follows. Where the table said nothing, the last season stands here.")
            self._table(frame)
            ui.button("As it was", icon="undo", on_click=partial(self._reset, frame)).props("no-caps outline")

    def _options(self, frame: VisitorFrame, outcome: FitOutcome) -> dict[str, Any]:
        forecast = outcome.forecast if self.changed is None else self.changed
        ahead, bounds = forecast_of(frame.columns, forecast, self.series)
        before = None
        if self.changed is not None:
            before = forecast_of(frame.columns, outcome.forecast, self.series)[0]
        past = drawn_past(frame, self.series, len(ahead[0]))
        return fan_chart(self.series, past, ahead, bounds, before=before, unit=frame.columns.value)

    def _table(self, frame: Any) -> None:
        columns, names = frame.columns, frame.roles.names("future")
        part = rows_of(self.ahead, columns, self.series)
        with html_table((columns.ds, *names), "Known in advance"):
            for step, row in enumerate(part.to_dict("records")):
                with ui.element("tr"):
                    when = stamp_text(row[columns.ds])
                    with ui.element("th").props("scope=row"):
                        ui.label(when)
                    for name in names:
                        with ui.element("td"):
                            self._cell(step, name, row[name], f"{name} on {when}")

    def _cell(self, step: int, name: str, value: Any, said: str) -> None:
        async def change(event: Any) -> None:
            await self._change(step, name, event.value)

        cell: ui.element
        if isinstance(value, bool | np.bool_):
            cell = ui.checkbox(value=bool(value), on_change=change)
        elif isinstance(value, int | float | np.number):
            cell = ui.number(value=None if value != value else float(value), on_change=change)
            cell.props("outlined dense debounce=300").classes("w-32")
        else:
            known = sorted(map(str, self.context.session.frame.df[name].dropna().unique()))  # type: ignore[union-attr]
            cell = ui.select(known, value=str(value) if str(value) in known else None, on_change=change)
            cell.props("outlined dense options-dense").classes("w-40")
        named(cell, said)

    async def _change(self, step: int, name: str, value: Any) -> None:
        session = self.context.session
        frame, outcome = session.frame, session.outcome
        if value is None or frame is None or outcome is None:
            return
        self.ahead = changed_ahead(self.ahead, frame, self.series, step=step, column=name, value=value)
        self.asked += 1
        mine = self.asked
        level = (session.fitted or session.asked).level
        try:
            job = self.context.sessions.answers.submit(tasks.forecast, session.model_file, frame.df, self.ahead, level)
            changed = await job.result()
        except Exception as error:
            self.context.tell(error)
            return
        if mine == self.asked and session.outcome is outcome:  # else it has been changed again
            self.changed = changed
            redraw(self.chart, self._options(frame, outcome), dark=self.context.dark)

    def _reset(self, frame: VisitorFrame) -> None:
        self.asked += 1
        self.ahead, self.changed = self.context.session.ahead(frame), None
        self._show.refresh()

    def _choose(self, name: str) -> None:
        self.series = name
        self._show.refresh()
