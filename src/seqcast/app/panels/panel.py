"""The base of all panels: the visitor's page, the choice of a series, and the progress of a job."""

import logging
import time
from collections.abc import Callable
from functools import cached_property, wraps
from types import MethodType
from typing import Any

from nicegui import ui
from nicegui.functions.refreshable import RefreshableTarget
from typing_extensions import override

from seqcast.app.job_queue import Job, JobQueue, OnEvent
from seqcast.app.theme import explain_problem, heading, note, problem_card
from seqcast.app.visitors import Session, Sessions
from seqcast.errors import SeqcastError, counted

logger = logging.getLogger("seqcast.app")

SECONDS_BETWEEN_LOOKS = 0.3


def refreshable(method: Callable[[Any], None]) -> cached_property[ui.refreshable[[], None]]:
    """Let a method of a panel be run again by its `refresh`.

    `ui.refreshable_method` is one for all visitors, and keeps the panels and tables of those who
    have left in memory.

    Args:
        method: Writes a section of the panel.
    """

    @wraps(method)
    def write(panel: Any) -> None:
        try:
            # A refresh runs later than it was asked for; the visitor may have left since.
            if not ui.context.slot.parent.is_deleted:
                method(panel)
        finally:
            # NiceGUI keeps the section that was written last, and with it the visitor's tables.
            RefreshableTarget.current_target = None

    return cached_property(lambda panel: ui.refreshable(MethodType(write, panel)))


class Context:
    """The page of a visitor.

    Args:
        sessions: All visitors.
        session: This visitor's session.
        dark: The switch between light and dark.

    Attributes:
        tabs: The tabs, once they are written.
    """

    tabs: ui.tabs

    def __init__(self, sessions: Sessions, session: Session, dark: ui.dark_mode) -> None:
        self.sessions = sessions
        self.session = session
        self.dark_mode = dark
        self.refreshers: list[Callable[[], Any]] = []

    def go_to(self, panel: str) -> None:
        """Show a panel.

        Args:
            panel: Its name in `seqcast.app.webpage.PANELS`.
        """
        self.tabs.set_value(panel)

    def changed(self) -> None:
        """Refresh all panels after a change of the session or of the colours."""
        for refresh in self.refreshers:
            refresh()

    def show_error(self, error: BaseException) -> None:
        """Show a problem that belongs to no panel.

        Args:
            error: The error.
        """
        if not isinstance(error, SeqcastError):
            logger.error("unexpected", exc_info=error)
        ui.notify(
            explain_problem(error),
            type="negative",
            multi_line=True,
            timeout=10_000,
            close_button="Close",
        )


class Panel:
    """A panel of a visitor's page.

    Args:
        context: The page.
    """

    title = ""
    about = ""
    series = ""
    problem: BaseException | None = None

    def __init__(self, context: Context) -> None:
        self.context = context
        self.session = context.session

    @property
    def dark(self) -> bool:
        """Whether the page is dark."""
        return bool(self.context.dark_mode.value)

    def choose_series(self, names: list[str], refresh: Callable[[], Any]) -> None:
        """Write a choice among several series, which sets `series`.

        Args:
            names: Their names.
            refresh: Called when another one is chosen.
        """

        def choose(event: Any) -> None:
            if event.value is not None:
                self.series = event.value
                refresh()

        if self.series not in names:
            self.series = names[0]
        if len(names) > 1:
            label = f"Series, of {len(names):,}; type to search"
            ui.select(
                names, value=self.series, with_input=True, label=label, on_change=choose
            ).classes("w-full")

    def build(self) -> None:
        """Write the panel."""
        heading(self.title)
        if self.about:
            note(self.about)
        self._build()

    def _build(self) -> None:
        """Write the content below the title."""
        self._show()

    def refresh(self) -> None:
        """Show the changes."""
        self._show.refresh()

    @refreshable
    def _show(self) -> None:
        """Write the content that depends on the session."""

    def show_problem(self) -> None:
        """Show the problem, if there is one."""
        if self.problem is not None:
            problem_card(self.problem)


class JobPanel(Panel):
    """A panel with a button that starts a job.

    It shows the job's place in the queue, its progress, and a button that stops it.

    Args:
        context: The visitor's page.
    """

    stop_text = "Stop"
    job: Job | None = None
    event: Any = None
    start: ui.button | None = None

    def _build(self) -> None:
        self._ask()
        self.build_progress()
        self._show()

    @override
    def refresh(self) -> None:
        self._ask.refresh()
        self._show.refresh()

    @refreshable
    def _ask(self) -> None:
        """Write the options of the job."""

    def build_progress(self) -> None:
        """Write the progress, hidden until a job runs."""
        with ui.row().classes("w-full items-center sm:flex-nowrap") as self.row:
            ui.spinner(size="md").props('aria-hidden="true"')
            self.text = ui.label().props("role=status").classes("shrink-0 max-sm:shrink")
            self.bar = ui.linear_progress(0, show_value=False, size="0.8rem").classes("grow")
            self.bar.props('aria-label="Progress" instant-feedback')
            self.button = ui.button(self.stop_text, icon="stop", on_click=self.stop)
            self.button.props("outline no-wrap color=negative")
        self.row.visible = False
        self.timer = ui.timer(SECONDS_BETWEEN_LOOKS, self._look, active=False)

    def start_button(self, text: str, icon: str, on_click: Callable[[], Any]) -> None:
        """Write the button; it cannot be pressed while the job runs.

        Args:
            text: Its text.
            icon: Its icon.
            on_click: Called when it is pressed.
        """
        self.start = ui.button(text, icon=icon, on_click=on_click)
        self.start.set_enabled(self.job is None)

    async def compute(
        self,
        queue: JobQueue,
        function: Callable[..., Any],
        *arguments: Any,
        on_event: OnEvent | None = None,
    ) -> Any:
        """Run a function as a job, and show its progress.

        Args:
            queue: The queue of the process that runs it.
            function: As for `JobQueue.submit`.
            arguments: Its arguments.
            on_event: Called with each event that the job sends.

        Returns:
            The result; `None` where there is a `problem`.
        """
        self.stop()  # of an earlier table
        self.problem = self.event = self.job = job = None
        try:
            self.job = job = queue.submit(function, *arguments, on_event=on_event)
            self._show_job(True)
            return await job.result()
        except Exception as error:
            if self.job is job:
                self.problem = error
                if not isinstance(error, SeqcastError):
                    self.context.show_error(error)
            return None
        finally:
            if self.job is job:
                self.job = None
                if not self.row.is_deleted:  # the visitor may have left
                    self._show_job(False)

    def on_event(self, event: Any) -> None:
        """Show an event of the job.

        Args:
            event: A `seqcast.runtime.TaskEvent`.
        """
        self.event = event

    def stop(self) -> None:
        """Ask the job to stop."""
        if self.job is not None:
            self.job.stop()
            self.button.disable()
            self.text.set_text("Stopping; the best result so far stays")

    def _show_job(self, runs: bool) -> None:
        """Show the progress while a job runs, and hide it afterwards."""
        self.began = time.monotonic()
        if self.start is not None:
            self.start.set_enabled(not runs)
        self.button.enable()
        self.row.visible = self.timer.active = runs
        self._look()

    def _look(self) -> None:
        if self.job is None or not self.button.enabled:
            return
        before = self.job.before
        seconds = time.monotonic() - self.began
        self.bar.visible = self.event is not None
        if before:
            self.text.set_text(f"Waiting for {counted(before, 'computation')}")
        elif self.event is None:
            self.text.set_text(f"Computing, {seconds:.0f} s")
        else:
            left = (
                ""
                if self.event.seconds_left is None
                else f", at most {self.event.seconds_left:.0f} s left"
            )
            self.text.set_text(f"{self.event.title.capitalize()}: {seconds:.0f} s{left}")
            self.bar.set_value(self.event.share)
