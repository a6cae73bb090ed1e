"""Panels that have something computed, and how they show it: place in the queue, share, time left, a stop button."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from nicegui import ui

from seqcast.app.context import Context
from seqcast.app.jobs import Job, JobQueue
from seqcast.app.theme import note, problem_card
from seqcast.errors import SeqcastError

SECONDS_BETWEEN_LOOKS = 0.3


class JobView:
    """Shows the job of a panel while it waits and runs; nothing in between.

    Args:
        stop_text: What the stop button says.
    """

    def __init__(self, stop_text: str) -> None:
        self.job: Job | None = None
        self.stop_text = stop_text
        self.event: Any = None

    def build(self) -> None:
        """Write it, hidden."""
        with ui.row().classes("w-full items-center sm:flex-nowrap") as self.row:
            self.spinner = ui.spinner(size="md").props('aria-hidden="true"')
            self.text = ui.label().props("role=status").classes("shrink-0 max-sm:shrink")
            self.bar = (
                ui.linear_progress(0, show_value=False, size="0.8rem")
                .classes("grow")
                .props('aria-label="Share that is done" instant-feedback')
            )
            self.button = ui.button(self.stop_text, icon="stop", on_click=self.stop).props(
                "no-caps outline no-wrap color=negative"
            )
        self.row.visible = False
        self.timer = ui.timer(SECONDS_BETWEEN_LOOKS, self._look, active=False)

    def begin(self, job: Job) -> None:
        """Show a job.

        Args:
            job: The job.
        """
        self.job, self.event, self.began = job, None, time.monotonic()
        self.button.enable()
        self.row.visible = True
        self.timer.activate()
        self._look()

    def hear(self, event: Any) -> None:
        """Take what the job tells, with a `share` that is done and `seconds_left` if it knows them.

        Args:
            event: What it tells.
        """
        self.event = event

    def end(self) -> None:
        """Hide it."""
        self.job = None
        if not self.row.is_deleted:  # the visitor may have left
            self.row.visible = False
            self.timer.deactivate()

    def stop(self) -> None:
        """Ask the job to stop."""
        if self.job is not None:
            self.job.stop()
            self.button.disable()
            self.text.set_text("Stopping; what is best so far is kept")

    def _look(self) -> None:
        if self.job is None or not self.button.enabled:
            return
        before, seconds = self.job.before, time.monotonic() - self.began
        share = getattr(self.event, "share", None)
        self.bar.visible = share is not None
        if before:
            self.text.set_text(f"Waiting: {before} computation{'s' * (before > 1)} come first")
        elif share is None:
            self.text.set_text(f"Computing, {seconds:.0f} s")
        else:
            left = getattr(self.event, "seconds_left", None)
            which = getattr(self.event, "training", 1)
            name = "Training" if which == 1 else f"Training, network {which}"
            self.text.set_text(f"{name}: {seconds:.0f} s" + ("" if left is None else f", at most {left:.0f} s left"))
            self.bar.set_value(share)


class JobPanel:
    """A panel with a button that has something computed.

    Args:
        context: The visitor's page.
        stop_text: What the stop button says.
    """

    def __init__(self, context: Context, stop_text: str) -> None:
        self.context = context
        self.view = JobView(stop_text)
        self.start: ui.button | None = None
        self.problem: BaseException | None = None

    def start_button(self, text: str, icon: str, on_click: Callable[[], Any]) -> None:
        """Write the button; it cannot be pressed while the job runs.

        Args:
            text: What it says.
            icon: Its icon.
            on_click: What it does.
        """
        self.start = ui.button(text, icon=icon, on_click=on_click).props("no-caps")
        if self.view.job is not None:
            self.start.disable()

    async def compute(
        self,
        queue: JobQueue,
        function: Callable[..., Any],
        *arguments: Any,
        hear: Callable[[Any], None] | None = None,
    ) -> Any:
        """Have a function run, and show how far it is.

        Args:
            queue: Where it runs.
            function: As for `JobQueue.submit`.
            arguments: Its arguments.
            hear: Hears its events; the view does if `None`.

        Returns:
            The result; `None` where there is a `problem`.
        """
        self.problem = None
        try:
            job = queue.submit(function, *arguments, hear=hear or self.view.hear)
            if self.start is not None:
                self.start.disable()
            self.view.begin(job)
            return await job.result()
        except Exception as error:
            self.problem = error
            if not isinstance(error, SeqcastError):
                self.context.tell(error)
            return None
        finally:
            self.view.end()

    def show_problem(self) -> None:
        """Show what went wrong, if something did."""
        if self.problem is not None:
            hint = getattr(self.problem, "hint", "")
            problem_card(self.problem, (lambda: note(hint)) if hint else None)
