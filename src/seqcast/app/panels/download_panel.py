"""*Take away*: the forecast as a table, the model, a report, a picture, recipes to repeat it."""

import asyncio
import inspect
import io
from collections.abc import Callable
from functools import partial
from typing import Any

from nicegui import ui

from seqcast.app.computations import write_report
from seqcast.app.panels.panel import Panel, refreshable
from seqcast.app.recipes import FUTURE, command_of, file_name, needs_rows, script_of
from seqcast.app.theme import named, note, panel_card
from seqcast.app.visitor_table import Table, VisitorFrame, assumed_ahead
from seqcast.tables import table_bytes

KINDS = {"csv": "CSV", "parquet": "Parquet", "xlsx": "Excel"}

# Copies the text next to the button that is pressed.
COPY = (
    "(event) => "
    "navigator.clipboard?.writeText(event.currentTarget.previousElementSibling.textContent)"
)


class TakePanel(Panel):
    """The panel; arguments as for `Panel`."""

    title = "Take away"

    @refreshable
    def _show(self) -> None:
        table = self.session.table
        if self.session.forecasted is None or table is None:
            note("Make a forecast in the panel Forecast first.")
            return
        frame, outcome = self.session.forecasted
        with panel_card("The forecast"):
            with ui.row():
                for kind, name in KINDS.items():
                    make = partial(table_bytes, outcome.forecast, kind, safe_formulas=True)
                    named(self._button(name, f"forecast.{kind}", make), f"Forecast as {name}")
                self._button(
                    "Picture", "forecast.png", partial(picture_of, frame, outcome.forecast)
                )
                self._button("Report", "report.html", partial(self._report, table, frame))
                self._button("Model", "model.seqcast", self.session.model_file.read_bytes)
            note(
                "The report is one page that needs no other file. The model is read by "
                "seqcast.Forecaster.load."
            )
            note(
                "In CSV, an apostrophe stands before text that a spreadsheet would take for a "
                "formula, such as =1+1."
            )
        text = "The recipes read these tables: put them into the folder of the script."
        with panel_card("The same again, without this page", text):
            with ui.row():
                name = file_name(table)
                rows = partial(table_bytes, frame.df, "csv")
                self._button(name, name, rows if needs_rows(table) else table.path.read_bytes)
                if "future" in frame.covariates:
                    ahead = assumed_ahead(frame, self.session.used.horizon)
                    self._button(FUTURE, FUTURE, partial(table_bytes, ahead, "csv"))
            ui.label("In Python:").classes("font-medium")
            script = script_of(table, frame, self.session.used)
            _code(script, "Python script")
            self._button("Script", "forecast.py", script.encode)
            ui.label("At the command line:").classes("font-medium")
            _code(command_of(table, frame, self.session.used), "Command line")

    def _button(self, text: str, name: str, make: Callable[[], Any]) -> ui.button:
        """Write a button that downloads the bytes from a function or a coroutine."""

        async def give() -> None:
            try:
                content = await (
                    make() if inspect.iscoroutinefunction(make) else asyncio.to_thread(make)
                )
            except Exception as error:
                self.context.show_error(error)
                return
            ui.download.content(content, name)

        return ui.button(text, icon="download", on_click=give).props("outline")

    async def _report(self, table: Table, frame: VisitorFrame) -> bytes:
        """Return the report, which another process writes."""
        session = self.session
        path = session.folder / "report.html"
        ahead = assumed_ahead(frame, session.used.horizon)
        job = (
            write_report,
            session.model_file,
            path,
            frame.rows,
            ahead,
            session.backtest,
            table.path.name,
        )
        await self.context.sessions.answers.submit(*job).result()
        return path.read_bytes()


def _code(text: str, alt: str) -> None:
    """Show a script and a button that copies it; `ui.code` would read the script as Markdown."""
    with ui.row().classes("w-full items-start no-wrap"):
        named(
            ui.label(text).classes("seqcast-code grow min-w-0").props("tabindex=0 role=region"), alt
        )
        copy = ui.button(icon="content_copy").props("flat round").on("click", js_handler=COPY)
        named(copy, f"Copy: {alt}")


def picture_of(frame: VisitorFrame, forecast: Any) -> bytes:
    """Return a picture of the forecasts of the first series, as PNG.

    Args:
        frame: The visitor's series.
        forecast: Their forecasts.
    """
    from seqcast.plots import forecast_frame

    buffer = io.BytesIO()
    forecast_frame(frame.df, forecast, columns=frame.columns).savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()
