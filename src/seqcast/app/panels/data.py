"""*Data*: a file, a paste or a shipped series; what its columns are; what the series look like; what is wrong."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from weakref import proxy

from nicegui import events, ui

from seqcast.app.charts import series_chart
from seqcast.app.context import Context, refreshable
from seqcast.app.table import ROLES, Roles, Table, VisitorFrame
from seqcast.app.theme import (
    heading,
    html_table,
    named,
    note,
    panel_card,
    problem_card,
    show_chart,
    show_table,
    spoken_step,
)
from seqcast.data import datasets
from seqcast.data.frames import Dialect, stamp_text
from seqcast.errors import DataError, SeqcastError

ACCEPTED = ".csv,.tsv,.txt,.gz,.zst,.zip,.xlsx,.xlsm,.xls,.ods,.parquet,.feather,.arrow,.jsonl,.ndjson"
# Quasar's own button has no name for screen readers, and holds the input: two things to press, one in the other.
UPLOAD_HEADER = """
<div class="row items-center no-wrap q-pa-sm q-gutter-sm">
  <q-btn no-caps unelevated color="white" text-color="primary" label="Choose a file" @click="props.pickFiles" />
  <span>or drop one here</span>
  <div style="display: none"><q-uploader-add-trigger /></div>
</div>
"""
ROWS_SHOWN = 6
# A table with more columns than these is shown by its first ones.
COLUMNS_SHOWN = 40
PROBLEMS_SHOWN = 10
# Rows before and after one that something is wrong with.
ROWS_AROUND = 2
FOUND_OUT = "found out"
SEPARATORS = {FOUND_OUT: None, "comma ,": ",", "semicolon ;": ";", "tab": "\t", "bar |": "|"}
MARKS = {FOUND_OUT: None, "point .": ".", "comma ,": ","}
ORDERS = {FOUND_OUT: None, "day first, 31/12/2024": True, "month first, 12/31/2024": False}


class DataPanel:
    """The panel.

    Args:
        context: The visitor's page.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.problem: BaseException | None = None
        self.shown: list[str] = []

    def build(self) -> None:
        """Write the panel."""
        heading("Data")
        with ui.row().classes("w-full items-stretch"):
            with ui.column().classes("grow min-w-64 gap-1"):
                heading("A file", 3)
                note("CSV, Excel, Parquet, JSON lines or Feather: one row a time, or a column for each series.")
                kinds = "a CSV, Excel, Parquet, JSON lines or Feather file"
                # FastAPI's caches keep the route of each upload, and the route keeps this function.
                panel = proxy(self)
                most = f"at most {self.context.settings.max_upload // 2**20} MiB"
                self.upload = (
                    ui.upload(
                        auto_upload=True,
                        max_file_size=self.context.settings.max_upload,
                        on_upload=lambda event: panel._uploaded(event),
                        on_rejected=lambda: ui.notify(f"Expected one table: {kinds} of {most}.", type="negative"),
                    )
                    .props("bordered flat hide-upload-btn")
                    .classes("w-full")
                )
                self.upload.props["accept"] = ACCEPTED
                self.upload.add_slot("header", UPLOAD_HEADER)
            with ui.column().classes("grow min-w-64 gap-1"):
                heading("Copied from a spreadsheet", 3)
                self.pasted = (
                    ui.textarea(label="Paste rows here, the header first").classes("w-full").props("outlined rows=3")
                )
                ui.button("Read what was pasted", on_click=self._read_pasted).props("outline no-caps")
            with ui.column().classes("grow min-w-64 gap-1"):
                heading("An example", 3)
                titles = {name: datasets.describe(name).title for name in datasets.names()}
                self.example = (
                    ui.select(titles, value=next(iter(titles)), label="Series that comes along")
                    .props("outlined")
                    .classes("w-full")
                )
                ui.button("Take this example", on_click=self._take_example).props("outline no-caps")
        self._show()
        self.context.on_change(self._show.refresh)

    async def open(
        self, path: Any, *, shipped: str = "", dialect: Dialect | None = None, roles: Roles | None = None
    ) -> None:
        """Read a table and show it; what is wrong with it is shown too.

        Args:
            path: Its file.
            shipped: Name of the data set that it holds.
            dialect: How it is written, as far as a person has said.
            roles: What its columns are, if a person has said so.
        """
        session, self.problem, self.shown = self.context.session, None, []
        try:
            async with self.context.sessions.reading:
                table = await asyncio.to_thread(
                    lambda: Table.read(path, dialect=dialect, shipped=shipped, max_rows=self.context.settings.max_rows)
                )
            if roles is not None and set(roles.of) == set(table.roles.of):
                table = replace(table, roles=roles)
            await asyncio.to_thread(session.take, table)
        except SeqcastError as error:
            self.problem = error
            if session.table is None or session.table.path != path:
                session.table = session.frame = None
        except Exception as error:  # a file can provoke anything in what reads it
            self.problem = error
            self.context.tell(error)
        self.context.changed()

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        path = self.context.session.store(event.file.name, await event.file.read())
        self.upload.reset()
        await self.open(path)

    async def _read_pasted(self) -> None:
        text = self.pasted.value or ""
        if not text.strip():
            ui.notify("Paste some rows first.", type="warning")
            return
        await self.open(self.context.session.store("pasted.csv", text.encode()))

    async def _take_example(self) -> None:
        name = str(self.example.value)
        frame = await asyncio.to_thread(datasets.load, name)
        path = self.context.session.store(f"{name}.csv", frame.to_csv(index=False).encode())
        await self.open(path, shipped=name)

    async def _change(self, table: Table, roles: Roles) -> None:
        self.problem = None
        try:
            await asyncio.to_thread(self.context.session.take, replace(table, roles=roles))
        except SeqcastError as error:
            self.problem = error
        self.context.changed()

    @refreshable
    def _show(self) -> None:
        session = self.context.session
        if self.problem is not None:
            problem_card(self.problem, self._around)
        if session.table is None:
            if self.problem is None:
                note("No table yet.")
            return
        with panel_card():
            self._columns(session.table)
        if session.frame is None:
            return
        with panel_card():
            self._series(session.frame)

    def _around(self) -> None:
        """Show the rows around the one that something is wrong with, and what to do."""
        error, table = self.problem, self.context.session.table
        if isinstance(error, SeqcastError) and error.hint and not isinstance(error, DataError):
            note(error.hint)
        if not isinstance(error, DataError) or table is None or error.row is None or not len(table.raw):
            note("Correct the columns or the way in which the file is written below, or the file itself.")
            return
        raw, columns = table.raw, [str(name) for name in table.raw.columns][:COLUMNS_SHOWN]
        first = max(0, min(error.row, len(raw) - 1) - ROWS_AROUND)
        rows = raw.iloc[first : error.row + ROWS_AROUND + 1]
        column = columns.index(error.column) if error.column in columns else -1
        show_table(
            ["row", *columns],
            [[first + place + 2, *row] for place, row in enumerate(rows[columns].itertuples(index=False))],
            said="Rows around the problem",
            wrong=(error.row - first, column + 1),
        )

    def _columns(self, table: Table) -> None:
        heading("What the columns are", 3)
        note(
            f"{table.name}: {len(table.raw):,} rows, {len(table.raw.columns)} columns."
            + (f" Read with {table.understood}." if table.understood else "")
            + " These are guesses. Correct what is wrong."
        )
        with ui.row().classes("items-center"):
            ui.switch(
                "Each column of values is a series",
                value=table.roles.wide,
                on_change=lambda event: self._set_wide(table, bool(event.value)),
            )
        names = [str(name) for name in table.raw.columns]
        first = (f"row {row + 2}" for row in range(min(ROWS_SHOWN, len(table.raw))))
        with html_table(("column", "is", *first), "Columns of the table"):
            for name in names[:COLUMNS_SHOWN]:
                with ui.element("tr"):
                    with ui.element("th").props("scope=row"):
                        ui.label(name)
                    with ui.element("td"):
                        self._role(table, name)
                    for value in table.raw[name].head(ROWS_SHOWN):
                        with ui.element("td"):
                            ui.label("" if value != value else stamp_text(value))
        if len(names) > COLUMNS_SHOWN:
            note(f"and {len(names) - COLUMNS_SHOWN} more columns like these")
        with ui.expansion("How the file is written").classes("w-full").props('header-class="font-medium"'):
            self._dialect(table)

    def _role(self, table: Table, name: str) -> None:
        roles = (
            {"time": ROLES["time"], "value": "a series", "ignore": ROLES["ignore"]} if table.roles.wide else dict(ROLES)
        )
        chosen = ui.select(
            roles,
            value=table.roles.of[name],
            on_change=lambda event, name=name: self._change(table, table.roles.changed(name, str(event.value))),
        )
        named(chosen.props("outlined dense options-dense").classes("w-52"), f"What the column {name} is")

    async def _set_wide(self, table: Table, wide: bool) -> None:
        import pandas as pd

        of = dict(table.roles.of)
        for name, role in of.items():
            if wide and role != "time":
                of[name] = "value" if pd.api.types.is_numeric_dtype(table.raw[name]) else "ignore"
            elif not wide and role == "value":
                of[name] = "ignore"
        roles = Roles(of, wide)
        if not wide:
            values = [name for name, role in table.roles.of.items() if role == "value"]
            roles = roles.changed(values[0], "value") if values else roles
        await self._change(table, roles)

    def _dialect(self, table: Table) -> None:
        now = table.dialect
        with ui.row():
            for label, known, field, value in (
                ("Between columns", SEPARATORS, "sep", now.sep),
                ("Decimal mark", MARKS, "decimal", now.decimal),
                ("Dates", ORDERS, "day_first", now.day_first),
            ):
                chosen = next(text for text, each in known.items() if each == value)
                ui.select(
                    list(known),
                    value=chosen,
                    label=label,
                    on_change=lambda event, field=field, known=known: self._rewrite(
                        table, field, known[str(event.value)]
                    ),
                ).props("outlined dense").classes("w-56")

    async def _rewrite(self, table: Table, field: str, value: Any) -> None:
        dialect = replace(table.dialect, **{field: value})
        roles = table.roles if field == "day_first" else None
        await self.open(table.path, shipped=table.shipped, dialect=dialect, roles=roles)

    def _series(self, frame: VisitorFrame) -> None:
        heading("The series", 3)
        ids = frame.ids
        # Other columns may name other series.
        known = set(ids)
        self.shown = [name for name in self.shown if name in known] or ids[: min(3, self.context.settings.drawn_series)]
        most = self.context.settings.drawn_series
        if len(ids) > 1:
            drawn = ui.select(
                ids,
                value=self.shown,
                multiple=True,
                with_input=len(ids) > 8,
                label=f"Series that are drawn, of {len(ids):,}; at most {most}",
                on_change=lambda event: self._draw(list(event.value)),
            )
            drawn.props("outlined use-chips").classes("w-full").props["max-values"] = most
        lines, marks = {}, {}
        for name in self.shown:
            rows = frame.series(name)
            lines[name] = rows[frame.columns.ds].to_numpy(), rows[frame.columns.value].to_numpy(float)
            marks[name] = frame.marks(name)[0]
        said = f"Values of {', '.join(self.shown)} over time; gaps are left open, outliers have diamonds."
        show_chart(series_chart(lines, marks=marks, unit=frame.columns.value), said, dark=self.context.dark)
        facts = frame.facts.to_dict()
        season = f"{facts['season_length']} steps" if facts["season_length"] > 1 else "none"
        show_table(
            ["series", "rows", "step", "season", "missing steps", "missing values", "far from the rest"],
            [
                [
                    facts["series_count"],
                    f"{facts['rows']:,}",
                    spoken_step(facts["frequency"]),
                    season,
                    facts["missing_steps"],
                    facts["missing_values"],
                    facts["outliers"],
                ]
            ],
            said="Facts about the series",
        )
        note("Gaps are left open in the chart. Diamonds are values far from the rest of their series.")
        for text in frame.problems[:PROBLEMS_SHOWN]:
            with ui.row().classes("items-center no-wrap"):
                ui.icon("warning", color="negative").props("aria-hidden=true")
                ui.label(text)
        if frame.problems:
            more = len(frame.problems) - PROBLEMS_SHOWN
            note(
                f"and {more:,} more. " * (more > 0) + "Series in which something is wrong are left out of the forecast."
            )
        ui.button("Go on to the forecast", on_click=lambda: self.context.go_to("forecast")).props("no-caps")

    def _draw(self, names: list[str]) -> None:
        self.shown = names
        self._show.refresh()
