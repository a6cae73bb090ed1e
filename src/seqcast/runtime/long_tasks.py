"""Tasks that take long: a bar in a terminal with the time that is left, and events for a listener such as a page.

Only the outermost of nested tasks shows. It shows after two seconds, on standard error, and nowhere but in a terminal:
logs and pipes get nothing. Whether a thread shows its tasks is set by `showing`, at the doors that know what the user
wants: the commands, and methods of objects with `verbose`.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

Item = TypeVar("Item")
Method = TypeVar("Method", bound=Callable[..., Any])

# Shorter tasks show nothing.
SECONDS_BEFORE_BAR = 2.0
SECONDS_BETWEEN_EVENTS = 0.2


@dataclass(frozen=True)
class TaskEvent:
    """The progress of a task.

    Args:
        title: What is done.
        share: Finished fraction, from 0 to 1.
        seconds: Seconds since its beginning.
    """

    title: str
    share: float
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the end at this rate; `None` at the beginning."""
        return None if self.share <= 0 else self.seconds * (1 - self.share) / self.share


class _Here(threading.local):
    """Whether this thread shows its tasks, and whether one is under way."""

    shown = False
    inside = False


class _Audience:
    """The listener of this process."""

    on_event: Callable[[Any], None] | None = None


_HERE = _Here()


@contextlib.contextmanager
def showing(shown: bool) -> Iterator[None]:
    """Show the tasks of this thread within the block, or hide them.

    Args:
        shown: Whether they are shown.
    """
    before, _HERE.shown = _HERE.shown, shown
    try:
        yield
    finally:
        _HERE.shown = before


def shows_tasks(method: Method) -> Method:
    """Let a method show its tasks where the `verbose` of its object is positive.

    Args:
        method: The method.
    """

    @functools.wraps(method)
    def shown(self: Any, *arguments: Any, **options: Any) -> Any:
        with showing(_HERE.shown or self.verbose > 0):
            return method(self, *arguments, **options)

    return cast(Method, shown)


def bar_is_shown() -> bool:
    """Return whether a bar may be drawn now: tasks are shown, none is under way, and standard error is a terminal."""
    return _HERE.shown and not _HERE.inside and sys.stderr is not None and sys.stderr.isatty()


@contextlib.contextmanager
def listen(on_event: Callable[[Any], None]) -> Iterator[None]:
    """Send events of the tasks and trainings in this process within the block; worker processes send none.

    Args:
        on_event: Receives an event a few times a second, in the thread that works.

    Example:
        >>> with listen(lambda event: print(event.title, event.share)):
        ...     squares = [number**2 for number in tracked(range(2), "squaring", 2)]
        squaring 1.0
    """
    before, _Audience.on_event = _Audience.on_event, on_event
    try:
        yield
    finally:
        _Audience.on_event = before


def listener() -> Callable[[Any], None] | None:
    """Return what receives events in this process; `None` without a listener."""
    return _Audience.on_event


@contextlib.contextmanager
def task(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Count the steps of a task; yields a function that any thread calls after each.

    Args:
        title: What is done.
        total: Number of steps; with less than two nothing is shown.
    """
    if _HERE.inside or total < 2:
        yield lambda: None
        return
    done, began, lock = 0, time.perf_counter(), threading.Lock()
    last = began
    with _bar(title, total) if bar_is_shown() else contextlib.nullcontext() as advance_bar:

        def advance() -> None:
            nonlocal done, last
            with lock:
                done, now = done + 1, time.perf_counter()
                if advance_bar is not None:
                    advance_bar()
                if _Audience.on_event is not None and (done == total or now - last >= SECONDS_BETWEEN_EVENTS):
                    last = now
                    _Audience.on_event(TaskEvent(title, done / total, now - began))

        _HERE.inside = True
        try:
            yield advance
        finally:
            _HERE.inside = False


def tracked(items: Iterable[Item], title: str, total: int) -> Iterator[Item]:
    """Yield items; the work on each, until the next one is taken, is a step of a task.

    Args:
        items: The items.
        title: What is done with them.
        total: Their number.
    """
    with task(title, total) as advance:
        for item in items:
            yield item
            advance()


@contextlib.contextmanager
def _bar(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Draw a bar, if it takes longer than a moment; it is removed at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(compact=True)
    bar = Progress(*columns, TextColumn("left"), console=Console(file=sys.stderr), transient=True)
    number = bar.add_task(title, total=total)
    timer = threading.Timer(SECONDS_BEFORE_BAR, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield functools.partial(bar.advance, number)
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
