"""The page: its header, its panels, and a session for each visitor."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from nicegui import Client, app, ui

from seqcast.app.panels.blog_post_panel import PostPanel
from seqcast.app.panels.data_panel import DataPanel
from seqcast.app.panels.download_panel import TakePanel
from seqcast.app.panels.forecast_panel import ForecastPanel
from seqcast.app.panels.panel import Context, JobPanel
from seqcast.app.panels.scores_panel import ScoresPanel
from seqcast.app.panels.what_if_panel import WhatIfPanel
from seqcast.app.panels.why_panel import WhyPanel
from seqcast.app.theme import heading, problem_card, set_style
from seqcast.app.visitors import Sessions
from seqcast.errors import SeqcastError

# Text and icon of each tab, and its panel, by name.
PANELS: dict[str, tuple[str, str, Any]] = {
    "data": ("Data", "table_chart", DataPanel),
    "forecast": ("Forecast", "show_chart", ForecastPanel),
    "scores": ("How good", "fact_check", ScoresPanel),
    "why": ("Why", "psychology", WhyPanel),
    "what_if": ("What if", "tune", WhatIfPanel),
    "post": ("The post, live", "school", PostPanel),
    "take": ("Take away", "download", TakePanel),
}

PREFERS_DARK = 'window.matchMedia("(prefers-color-scheme: dark)").matches'
# A browser connects within moments of loading the page; a program that only asks for the page never
# does.
CONNECTING_SECONDS = 15.0


def add_page(sessions: Sessions, first: Path | None = None) -> None:
    """Add the page at `/`.

    Args:
        sessions: The visitors.
        first: File to open for each visitor.
    """

    @ui.page("/", title="seqcast", language="en-US")
    async def page(client: Client) -> None:
        """Build the page of a visitor once the browser has connected.

        So a request without a browser costs nothing.
        """
        set_style()
        dark = ui.dark_mode(value=None)
        await client.connected(CONNECTING_SECONDS)
        if client.is_deleted:
            return
        try:
            session = sessions.open()
        except SeqcastError as error:
            with ui.element("main"):
                heading("seqcast", 1)
                problem_card(error)
            return
        context = Context(sessions, session, dark)
        panels = {name: kind(context) for name, (_, _, kind) in PANELS.items()}
        client.on_delete(lambda: _leave(context, panels))
        switch = _build(context, panels)
        # The browser's preference comes first; later the switch decides.
        preferred = False
        with contextlib.suppress(TimeoutError):
            preferred = await ui.run_javascript(PREFERS_DARK, timeout=5.0)
        switch.set_value(True) if preferred else dark.set_value(False)
        if first is not None:
            path = session.store(first.name, await asyncio.to_thread(first.read_bytes))
            await panels["data"].open(path)

    app.on_shutdown(sessions.close_all)


def _leave(context: Context, panels: dict[str, Any]) -> None:
    """End a visitor's session and its jobs."""
    for panel in panels.values():
        if isinstance(panel, JobPanel) and panel.job is not None:
            panel.job.stop()
    context.sessions.close(context.session)


def _build(context: Context, panels: dict[str, Any]) -> ui.switch:
    """Write the header, the tabs and the panels; return the switch between light and dark."""

    def darken(event: Any) -> None:
        context.dark_mode.set_value(bool(event.value))
        context.changed()

    with ui.header().classes("items-center justify-between py-1 px-4"):
        with ui.row().classes("items-center no-wrap"):
            heading("seqcast", 1)
            ui.label("Forecast time series").classes("max-sm:hidden")
        switch = ui.switch("Dark", on_change=darken).props('color="grey-4"')
    context.tabs = ui.tabs().props('align=left outside-arrows mobile-arrows aria-label="Panels"')
    with context.tabs.classes("w-full seqcast-page"):
        for name, (text, icon, _) in PANELS.items():
            ui.tab(name, label=text, icon=icon).props("no-caps")
    main = ui.element("main").classes("seqcast-page p-2")
    ui.skip_link("Skip to the panel", target=main)
    with main, ui.tab_panels(context.tabs, value="data", animated=False, keep_alive=True) as shown:
        shown.classes("w-full bg-transparent")
        for name, panel in panels.items():
            with ui.tab_panel(name).classes("w-full gap-4 p-2"):
                panel.build()
                context.refreshers.append(panel.refresh)
    return switch
