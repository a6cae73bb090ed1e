"""*Data*: a file, a paste or an example, its columns' roles, its series and its problems."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from weakref import proxy

from nicegui import events, ui

from seqcast.app.panels.forecast_panel import show_forecast
from seqcast.app.panels.panel import Panel, refreshable
from seqcast.app.theme import heading, named, note, panel_card, problem_card, show_table, warn
from seqcast.app.visitor_table import ROLES, Roles, Table, VisitorFrame
from seqcast.data import datasets
from seqcast.errors import DataError, SeqcastError
from seqcast.tables import LAYOUTS, Dialect, Steps

KINDS = "CSV, Excel, Parquet, JSON lines or Feather"
ACCEPTED = (
    ".csv,.tsv,.txt,.gz,.zst,.zip,.xlsx,.xlsm,.xls,.ods,.parquet,.feather,.arrow,.jsonl,.ndjson"
)
# Quasar's own button has no name for screen readers, and contains the input: one control within
# another.
UPLOAD_HEADER = """
<div class="row items-center no-wrap q-pa-sm q-gutter-sm">
  <q-btn no-caps unelevated color="white" text-color="primary" label="Choose a file"
    @click="props.pickFiles" />
  <span>or drop one here</span>
  <div style="display: none"><q-uploader-add-trigger /></div>
</div>
"""
ROWS_SHOWN = 6
# Of a wider table, only the first columns are shown.
COLUMNS_SHOWN = 40
PROBLEMS_SHOWN = 10
# Most columns of a role that are named in a line.
NAMES_SAID = 4
# Rows shown before and after a wrong one.
ROWS_AROUND = 2
AUTOMATIC = "automatic"
SEPARATORS = {AUTOMATIC: None, "comma ,": ",", "semicolon ;": ";", "tab": "\t", "bar |": "|"}
MARKS = {AUTOMATIC: None, "point .": ".", "comma ,": ","}
ORDERS = {AUTOMATIC: None, "day first, 31/12/2024": True, "month first, 12/31/2024": False}


class DataPanel(Panel):
    """The panel; arguments as for `Panel`."""

    title = "Data"
    drawn: tuple[Any, ...] = ()

    def refresh(self) -> None:
        """Show the changes; if only the forecast is new, the visitor's open choices stay."""
        now = self.session.table, self.session.frame, self.problem, self.dark
        before = self.drawn
        self.drawn = now
        if before and all(new is old for new, old in zip(now, before, strict=True)):
            self._draw()
        else:
            self._show.refresh()

    def _build(self) -> None:
        self.give = (
            ui.expansion("A table", value=True)
            .classes("w-full")
            .props('header-class="text-lg font-medium"')
        )
        with self.give, ui.row().classes("w-full items-stretch"):
            with ui.column().classes("grow min-w-64 gap-1"):
                heading("A file", 3)
                note(f"{KINDS}: one row a time, or a column for each series.")
                self._upload()
            with ui.column().classes("grow min-w-64 gap-1"):
                heading("Copied from a spreadsheet", 3)
                self.pasted = ui.textarea(label="Paste rows here, the header first").classes(
                    "w-full"
                )
                self.pasted.props("outlined rows=3")
                ui.button("Read what was pasted", on_click=self._read_pasted).props("outline")
            with ui.column().classes("grow min-w-64 gap-1"):
                heading("An example", 3)
                titles = {name: datasets.describe(name).title for name in datasets.names()}
                label = "Series that comes along"
                self.example = ui.select(titles, value=next(iter(titles)), label=label).classes(
                    "w-full"
                )
                ui.button("Take this example", on_click=self._take_example).props("outline")
        self._show()

    def _upload(self) -> None:
        # FastAPI caches the route of each upload, and with it this function: a proxy lets the panel
        # go.
        panel = proxy(self)
        most = self.context.sessions.settings.max_upload
        rejected = f"Expected one table: a {KINDS} file of at most {most} MiB."
        self.upload = ui.upload(
            auto_upload=True,
            max_file_size=most << 20,
            on_upload=lambda event: panel._uploaded(event),
            on_rejected=lambda: ui.notify(rejected, type="negative"),
        )
        self.upload.props("bordered flat hide-upload-btn").classes("w-full").props["accept"] = (
            ACCEPTED
        )
        self.upload.add_slot("header", UPLOAD_HEADER)
        with self.upload.add_slot("list"):
            self.dropped = note("No file yet.")

    async def open(
        self, path: Path, dialect: Dialect | None = None, roles: Roles | None = None
    ) -> None:
        """Read a table and show it, with its problems.

        Args:
            path: The file.
            dialect: Format of the file, as far as the visitor gave it.
            roles: Roles of the columns, if the visitor chose them.
        """
        self.problem = None
        try:
            table = await self.context.sessions.read(path, dialect)
            if roles is not None and set(roles.of) == set(table.roles.of):
                table = replace(table, roles=roles)
            await asyncio.to_thread(self.session.take, table)
        except Exception as error:  # readers of files raise errors of many kinds
            self.problem = error
            if not isinstance(error, SeqcastError):
                self.context.show_error(error)
            elif self.session.table is None or self.session.table.path != path:
                self.session.table = self.session.frame = None
        if self.problem is None:
            self.give.value = False
            self.give.text = "Another table"
        self.dropped.text = path.name if self.problem is None else f"{path.name}: see below"
        self.context.changed()

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        path = self.session.store(event.file.name, await event.file.read())
        self.upload.reset()
        await self.open(path)

    async def _read_pasted(self) -> None:
        text = self.pasted.value or ""
        if not text.strip():
            ui.notify("Paste some rows first.", type="warning")
            return
        await self.open(self.session.store("pasted.csv", text.encode()))

    async def _take_example(self) -> None:
        name = str(self.example.value)
        frame = await asyncio.to_thread(datasets.load, name)
        await self.open(self.session.store(f"{name}.csv", frame.to_csv(index=False).encode()))

    async def _change(self, table: Table, roles: Roles) -> None:
        self.problem = None
        try:
            await asyncio.to_thread(self.session.take, replace(table, roles=roles))
        except SeqcastError as error:
            self.problem = error
        self.context.changed()

    @refreshable
    def _show(self) -> None:
        table = self.session.table
        frame = self.session.frame
        if self.problem is not None:
            problem_card(self.problem, self._around)
        elif table is None:
            note("No table yet.")
        if table is not None:
            if frame is not None:
                text = f"{self._read(table)} These are guesses: correct below what is wrong."
                with panel_card(f"The series of {table.path.name}", text):
                    self._series(frame)
            with panel_card("What the columns are"):
                self._columns(table)

    def _around(self) -> None:
        """Show the rows around the wrong one."""
        error = self.problem
        table = self.session.table
        if error is not None:
            self._missing(error)
        if (
            not isinstance(error, DataError)
            or table is None
            or error.row is None
            or not len(table.raw.frame)
        ):
            note(
                "Correct the columns or the way in which the file is written below, or the file "
                "itself."
            )
            return
        raw = table.raw.frame
        names = [str(name) for name in raw.columns][:COLUMNS_SHOWN]
        first = max(0, min(error.row, len(raw) - 1) - ROWS_AROUND)
        rows = raw[names].iloc[first : error.row + ROWS_AROUND + 1].itertuples(index=False)
        cells = [[table.raw.row_number(first + place), *row] for place, row in enumerate(rows)]
        column = names.index(error.column) if error.column in names else -1
        show_table(
            ["row", *names], cells, "Rows around the problem", wrong=(error.row - first, column + 1)
        )

    def _columns(self, table: Table) -> None:
        raw = table.raw.frame
        names = [str(name) for name in raw.columns]
        if table.guess.rivals:
            note(f"As likely: {', '.join(table.guess.rivals[:ROWS_SHOWN])}.")
        if table.guess.unread and not table.roles.names("time"):
            note(
                f"No times are found; words in {', '.join(table.guess.unread[:ROWS_SHOWN])}. Rows "
                "count as steps."
            )
        with ui.row().classes("w-full"):
            layouts = {name: layout.words for name, layout in LAYOUTS.items()}
            change = partial(self._set_layout, table)
            chosen = ui.select(
                layouts, value=table.roles.layout, label="The table has", on_change=change
            )
            chosen.classes("w-72 max-w-full")
            if not table.roles.names("time"):
                self._steps(table)
        rows = [
            [name, partial(self._role, table, name), *raw[name].head(ROWS_SHOWN)]
            for name in names[:COLUMNS_SHOWN]
        ]
        first = [f"row {table.raw.row_number(row)}" for row in range(min(ROWS_SHOWN, len(raw)))]
        show_table(["column", "is", *first], rows, "Columns of the table")
        if len(names) > COLUMNS_SHOWN:
            note(f"and {len(names) - COLUMNS_SHOWN} more columns like these")
        with (
            ui.expansion("How the file is written")
            .classes("w-full")
            .props('header-class="font-medium"'),
            ui.row(),
        ):
            self._writing(table, "Between columns", SEPARATORS, "sep")
            self._writing(table, "Decimal mark", MARKS, "decimal")
            self._writing(table, "Dates", ORDERS, "day_first")
            self._missing()

    def _role(self, table: Table, name: str) -> None:
        others = {"time": ROLES["time"], "value": "a series", "ignore": ROLES["ignore"]}
        others |= {"unique_id": ROLES["unique_id"]} if table.roles.layout == "rows" else {}

        async def change(event: Any) -> None:
            await self._change(table, table.roles.changed(name, str(event.value)))

        roles = dict(ROLES) if table.roles.layout == "long" else others
        chosen = ui.select(roles, value=table.roles.of[name], on_change=change)
        named(chosen.props("options-dense").classes("w-52"), f"What the column {name} is")

    async def _set_layout(self, table: Table, event: Any) -> None:
        try:
            table = await self.context.sessions.with_layout(table, str(event.value))
        except SeqcastError as error:
            ui.notify(str(error), type="negative")
        else:
            await self._change(table, table.roles)

    def _steps(self, table: Table) -> None:
        """Write the times of a table without times, which its visitor may know."""
        start = ui.input("First time, such as 2024-01-31", value=str(table.steps.start or ""))
        freq = ui.input("Step, such as h, D, W or MS", value=str(table.steps.freq or ""))

        async def change() -> None:
            try:
                steps = Steps(start.value or None, freq.value or None)
            except SeqcastError as error:
                ui.notify(str(error), type="negative")
            else:
                await self._change(replace(table, steps=steps), table.roles)

        ui.button("Count from there", on_click=change).props("outline")

    def _writing(self, table: Table, label: str, known: Mapping[str, Any], field: str) -> None:
        """Write a choice for one property of the file's format."""

        async def change(event: Any) -> None:
            dialect = replace(table.dialect, **{field: known[str(event.value)]})
            await self.open(table.path, dialect, table.roles if field == "day_first" else None)

        chosen = next(text for text, each in known.items() if each == getattr(table.dialect, field))
        ui.select(list(known), value=chosen, label=label, on_change=change).classes("w-56")

    def _series(self, frame: VisitorFrame) -> None:
        """Draw the series with a first forecast, and list their problems."""
        self.choose_series(frame.ids, self._draw)
        self.drawing = show_forecast(frame, self.session.outcome, self.series, dark=self.dark)
        text = "A first forecast follows in some seconds; if not, the panel Forecast says why."
        self.waiting = ui.label(text).props("role=status")
        self.waiting.visible = self.session.outcome is None
        with ui.row():
            ui.button("Go on to the forecast", on_click=lambda: self.context.go_to("forecast"))
            ui.button("How good is it?", on_click=lambda: self.context.go_to("scores")).props(
                "outline"
            )
        facts = frame.facts.to_dict()
        season = (
            frame.spoken_steps(facts["season_length"]) if facts["season_length"] > 1 else "none"
        )
        step = "irregular" if facts["frequency"] is None else frame.spoken_steps(1)
        size = [facts["series_count"], f"{facts['rows']:,}", step, season]
        wrong = [facts[name] for name in ("missing_steps", "missing_values", "outliers")]
        names = [
            "series",
            "rows",
            "step",
            "season",
            "missing steps",
            "missing values",
            "far from the rest",
        ]
        show_table(names, [size + wrong], "Facts about the series")
        for fault in frame.facts.faults:
            if not fault.missing_values:
                continue
            error = frame.rows.locate(fault)
            warn(error)
            self._missing(error)
        for text in frame.problems[:PROBLEMS_SHOWN]:
            warn(text)
        if frame.problems:
            more = len(frame.problems) - PROBLEMS_SHOWN
            others = f"and {more:,} more. " if more > 0 else ""
            note(f"{others}Series in which something is wrong are left out of the forecast.")

    def _missing(self, error: BaseException | None = None) -> None:
        """Show the field for missing values, next to an error with the values that it proposes."""
        table = self.session.table
        proposed = error.missing_values if isinstance(error, DataError) else ()
        if table is None or (error is not None and not proposed):
            return
        words = dict.fromkeys(map(str, (*table.dialect.missing_values, *proposed)))
        with ui.row().classes("items-end"):
            typed = ui.input("Read as missing", value=", ".join(words))

            async def change() -> None:
                missing = tuple(each.strip() for each in typed.value.split(",") if each.strip())
                await self.open(
                    table.path, replace(table.dialect, missing_values=missing), table.roles
                )

            ui.button("Read again", on_click=change).props("outline")

    def _draw(self) -> None:
        """Draw a series into the same chart.

        NiceGUI fails if a chart is removed before it was drawn.
        """
        frame = self.session.frame
        outcome = self.session.outcome
        if frame is not None and not self.waiting.is_deleted:  # the visitor may have left
            show_forecast(frame, outcome, self.series, dark=self.dark, drawn=self.drawing)
            self.waiting.visible = outcome is None

    def _read(self, table: Table) -> str:
        """Return what was read in a sentence."""
        by_role = [
            (text, table.roles.names(role)) for role, text in ROLES.items() if role != "ignore"
        ]
        roles = [f"{text}: {_first_names(of)}" for text, of in by_role if of]
        rows, columns = table.raw.frame.shape
        frame = self.session.frame
        # What became of times and rows is known once the series have been read.
        understood = table.raw.understood if frame is None else frame.rows.understood
        said = [f"{rows:,} rows, {columns} columns", understood, *roles]
        return f"{'; '.join(filter(None, said))}."


def _first_names(names: Sequence[str]) -> str:
    """Return the first of some names in words, with an ellipsis for the others."""
    shown = ", ".join(names[:NAMES_SAID])
    return shown if len(names) <= NAMES_SAID else f"{shown}, …"
