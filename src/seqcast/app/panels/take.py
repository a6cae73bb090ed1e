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
from seqcast.app.session import Session
from seqcast.app.theme import heading, named, note, panel_card
from seqcast.data.frames.writing import table_bytes

__all__ = ["TakePanel", "picture_of"]

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
        if session.outcome is None or session.frame is None:
            note("Make a forecast in the panel Forecast first.")
            return
        with panel_card():
            heading("The forecast", 3)
            with ui.row():
                for kind, name in KINDS.items():
                    button = ui.button(name, icon="download", on_click=lambda kind=kind: self._table(kind))
                    named(button.props("no-caps outline"), f"Forecast as {name}")
                ui.button("Picture", icon="download", on_click=self._picture).props("no-caps outline")
                ui.button("Report", icon="download", on_click=self._report).props("no-caps outline")
                ui.button("Model", icon="download", on_click=self._model).props("no-caps outline")
            note("The report is one page that needs no other file. The model is read by seqcast.Forecaster.load.")
            note("In CSV, an apostrophe stands before text that a spreadsheet would take for a formula, such as =1+1.")
        with panel_card():
            heading("The same again, without this page", 3)
            files = [recipes.file_name(session)]
            if recipes.needs_rows(session) or (session.table is not None and session.table.shipped):
                note("The recipes read these tables: download them beside the script.")
                with ui.row():
                    ui.button(files[0], icon="download", on_click=self._rows).props("no-caps outline")
                    if session.frame.roles.names("future"):
                        ui.button(recipes.FUTURE, icon="download", on_click=self._ahead).props("no-caps outline")
            ui.label("In Python:").classes("font-medium")
            script = recipes.script_of(session)
            _code(script, "Python script")
            ui.button("Script", icon="download", on_click=lambda: ui.download.content(script, "forecast.py")).props(
                "no-caps outline"
            )
            ui.label("At the command line:").classes("font-medium")
            _code(recipes.command_of(session), "Command line")

    async def _give(self, name: str, make: Callable[..., bytes], *arguments: Any) -> None:
        """Have a browser save what a function makes."""
        try:
            content = await asyncio.to_thread(make, *arguments)
        except Exception as error:
            self.context.tell(error)
            return
        ui.download.content(content, name)

    async def _table(self, kind: str) -> None:
        outcome = self.context.session.outcome
        assert outcome is not None
        await self._give(f"forecast.{kind}", partial(table_bytes, safe_formulas=True), outcome.forecast, kind)

    async def _picture(self) -> None:
        await self._give("forecast.png", picture_of, self.context.session)

    async def _report(self) -> None:
        session = self.context.session
        assert session.frame is not None
        assert session.table is not None
        path = session.folder / "report.html"
        try:
            job = self.context.sessions.answers.submit(
                tasks.write_report,
                session.model_file,
                path,
                session.frame.df,
                session.ahead(),
                session.backtest,
                session.table.name,
            )
            await job.result()
        except Exception as error:
            self.context.tell(error)
            return
        await self._give("report.html", path.read_bytes)

    async def _model(self) -> None:
        await self._give("model.seqcast", self.context.session.model_file.read_bytes)

    async def _rows(self) -> None:
        session = self.context.session
        assert session.frame is not None
        assert session.table is not None
        if recipes.needs_rows(session):
            await self._give(recipes.ROWS, table_bytes, session.frame.df, "csv")
        else:
            await self._give(session.table.path.name, session.table.path.read_bytes)

    async def _ahead(self) -> None:
        await self._give(recipes.FUTURE, table_bytes, self.context.session.ahead(), "csv")


def _code(text: str, said: str) -> None:
    """Show a script as plain text, which `ui.code` would read as Markdown, and a button that copies it."""
    with ui.row().classes("w-full items-start no-wrap"):
        named(ui.label(text).classes("seqcast-code grow min-w-0").props("tabindex=0 role=region"), said)
        copy = ui.button(icon="content_copy").props("flat round").on("click", js_handler=COPY)
        named(copy, f"Copy: {said}")


def picture_of(session: Session) -> bytes:
    """Return a picture of the forecasts of the first series, as PNG.

    Args:
        session: The visitor's work, with a forecast.
    """
    from seqcast.plots import forecast_frame

    assert session.frame is not None
    assert session.outcome is not None
    figure = forecast_frame(session.frame.df, session.outcome.forecast, columns=session.frame.columns)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()
