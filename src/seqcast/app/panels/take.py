"""*Take away*: the forecast as a table, the model, a report, a picture, and the recipes that repeat all of it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from functools import partial
from typing import Any

from nicegui import ui

from seqcast.app import recipes, tasks
from seqcast.app.context import Context, refreshable
from seqcast.app.table import Table, VisitorFrame
from seqcast.app.theme import heading, named, note, panel_card
from seqcast.data.frames import table_bytes

KINDS = {"csv": "CSV", "parquet": "Parquet", "xlsx": "Excel"}

# Copies the text beside the button that is pressed.
COPY = "(event) => navigator.clipboard?.writeText(event.currentTarget.previousElementSibling.textContent)"


class TakePanel:
    """The panel.

    Args:
        context: The visitor's page.
    """

    def __init__(self, context: Context) -> None:
        self.context = context

    def build(self) -> None:
        """Write the panel."""
        heading("Take away")
        self._show()
        self.context.on_change(self._show.refresh)

    @refreshable
    def _show(self) -> None:
        session = self.context.session
        outcome, frame, table = session.outcome, session.frame, session.table
        if outcome is None or frame is None or table is None:
            note("Make a forecast in the panel Forecast first.")
            return
        with panel_card():
            heading("The forecast", 3)
            make = partial(table_bytes, safe_formulas=True)
            with ui.row():
                for kind, name in KINDS.items():
                    button = self._button(name, f"forecast.{kind}", make, outcome.forecast, kind)
                    named(button, f"Forecast as {name}")
                self._button("Picture", "forecast.png", picture_of, frame, outcome.forecast)
                ui.button("Report", icon="download", on_click=partial(self._report, table, frame)).props(
                    "no-caps outline"
                )
                self._button("Model", "model.seqcast", session.model_file.read_bytes)
            note("The report is one page that needs no other file. The model is read by seqcast.Forecaster.load.")
            note("In CSV, an apostrophe stands before text that a spreadsheet would take for a formula, such as =1+1.")
        with panel_card():
            heading("The same again, without this page", 3)
            if recipes.needs_rows(table) or table.shipped:
                note("The recipes read these tables: download them beside the script.")
                with ui.row():
                    name = recipes.file_name(table)
                    if recipes.needs_rows(table):
                        self._button(name, name, table_bytes, frame.df, "csv")
                    else:
                        self._button(name, name, table.path.read_bytes)
                    if frame.roles.names("future"):
                        self._button(recipes.FUTURE, recipes.FUTURE, table_bytes, session.ahead(frame), "csv")
            ui.label("In Python:").classes("font-medium")
            asked = session.fitted or session.asked
            script = recipes.script_of(table, frame, asked)
            _code(script, "Python script")
            self._button("Script", "forecast.py", script.encode)
            ui.label("At the command line:").classes("font-medium")
            _code(recipes.command_of(table, frame, asked), "Command line")

    def _button(self, text: str, name: str, make: Callable[..., bytes], *arguments: Any) -> ui.button:
        """Write a button that has a browser save what a function makes."""

        async def give() -> None:
            try:
                content = await asyncio.to_thread(make, *arguments)
            except Exception as error:
                self.context.tell(error)
                return
            ui.download.content(content, name)

        return ui.button(text, icon="download", on_click=give).props("no-caps outline")

    async def _report(self, table: Table, frame: VisitorFrame) -> None:
        session = self.context.session
        path = session.folder / "report.html"
        try:
            write = partial(
                tasks.write_report,
                model_file=session.model_file,
                path=path,
                df=frame.df,
                ahead=session.ahead(frame),
                backtested=session.backtest,
                title=table.name,
            )
            job = self.context.sessions.answers.submit(write)
            await job.result()
        except Exception as error:
            self.context.tell(error)
            return
        ui.download.content(path.read_bytes(), "report.html")


def _code(text: str, said: str) -> None:
    """Show a script as plain text, which `ui.code` would read as Markdown, and a button that copies it."""
    with ui.row().classes("w-full items-start no-wrap"):
        named(ui.label(text).classes("seqcast-code grow min-w-0").props("tabindex=0 role=region"), said)
        copy = ui.button(icon="content_copy").props("flat round").on("click", js_handler=COPY)
        named(copy, f"Copy: {said}")


def picture_of(frame: VisitorFrame, forecast: Any) -> bytes:
    """Return a picture of the forecasts of the first series, as PNG.

    Args:
        frame: The visitor's series.
        forecast: Their forecasts.
    """
    from seqcast.plots import forecast_frame

    figure = forecast_frame(frame.df, forecast, columns=frame.columns)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()
