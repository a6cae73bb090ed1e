"""*Take away*: the forecast as a table, the model, a report, a picture, and the recipes that repeat all of it."""

from __future__ import annotations

import asyncio
import io
from typing import Any

from nicegui import ui

from seqcast.app import recipes, tasks
from seqcast.app.context import Context
from seqcast.app.session import Session
from seqcast.app.theme import heading, note, panel_card

__all__ = ["TakePanel", "as_file", "picture_of"]

KINDS = {"csv": "CSV", "parquet": "Parquet", "xlsx": "Excel"}


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

    @ui.refreshable_method
    def _show(self) -> None:
        session = self.context.session
        if session.outcome is None or session.frame is None:
            note("Make a forecast in the panel Forecast first.")
            return
        with panel_card():
            heading("The forecast", 3)
            with ui.row():
                for kind, name in KINDS.items():
                    ui.button(name, icon="download", on_click=lambda kind=kind: self._table(kind)).props(
                        f'no-caps outline aria-label="Forecast as {name}"'
                    )
                ui.button("Picture", icon="download", on_click=self._picture).props("no-caps outline")
                ui.button("Report", icon="download", on_click=self._report).props("no-caps outline")
                ui.button("Model", icon="download", on_click=self._model).props("no-caps outline")
            note("The report is one page that needs no other file. The model is read by seqcast.Forecaster.load.")
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
            _code(script, "python", "Python script")
            ui.button("Script", icon="download", on_click=lambda: ui.download.content(script, "forecast.py")).props(
                "no-caps outline"
            )
            ui.label("At the command line:").classes("font-medium")
            _code(recipes.command_of(session), "bash", "Command line")

    async def _table(self, kind: str) -> None:
        session = self.context.session
        assert session.outcome is not None
        try:
            content = await asyncio.to_thread(as_file, session.outcome.forecast, kind)
        except Exception as error:
            self.context.tell(error)
            return
        ui.download.content(content, f"forecast.{kind}")

    async def _picture(self) -> None:
        try:
            content = await asyncio.to_thread(picture_of, self.context.session)
        except Exception as error:
            self.context.tell(error)
            return
        ui.download.content(content, "forecast.png")

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
        ui.download.content(path.read_bytes(), "report.html")

    def _model(self) -> None:
        ui.download.content(self.context.session.model_file.read_bytes(), "model.seqcast")

    def _rows(self) -> None:
        session = self.context.session
        assert session.frame is not None
        assert session.table is not None
        if recipes.needs_rows(session):
            ui.download.content(as_file(session.frame.df, "csv"), recipes.ROWS)
        else:
            ui.download.content(session.table.path.read_bytes(), session.table.path.name)

    def _ahead(self) -> None:
        ui.download.content(as_file(self.context.session.ahead(), "csv"), recipes.FUTURE)


def _code(text: str, language: str, said: str) -> None:
    code = ui.code(text, language=language).classes("w-full").props(f'tabindex=0 aria-label="{said}"')
    code.copy_button.props(f'aria-label="Copy: {said}"')


def as_file(table: Any, kind: str) -> bytes:
    """Return a table as the content of a file.

    Args:
        table: A pandas frame.
        kind: One of `KINDS`.
    """
    buffer = io.BytesIO()
    if kind == "parquet":
        table.to_parquet(buffer, index=False)
    elif kind == "xlsx":
        table.to_excel(buffer, index=False, sheet_name="forecast")
    else:
        table.to_csv(buffer, index=False)
    return buffer.getvalue()


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
