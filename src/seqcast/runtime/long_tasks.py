"""Tasks that take long: a bar in a terminal with the time that is left, and events for a listener.

Only the outermost of nested tasks shows. It shows after two seconds, on standard error, and nowhere
but in a terminal: logs and pipes get nothing. Whether a thread shows its tasks is set by `showing`,
where the wish of the user is known: by the commands, and by methods of objects with `verbose`.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import numbers
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from seqcast.errors import SpecError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

Item = TypeVar("Item")
Method = TypeVar("Method", bound=Callable[..., Any])

# Receives each event: a `TaskEvent`, or an event of a training.
Listener = Callable[[Any], None]

# Shorter tasks show nothing.
SECONDS_BEFORE_BAR = 2.0


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
    """The state of this thread.

    Attributes:
        shown: Whether it shows its tasks.
        inside: Whether a task is under way.
        on_event: Receives the events of its tasks.
    """

    shown = False
    inside = False
    on_event: Listener | None = None


_HERE = _Here()


@contextlib.contextmanager
def _set(name: str, value: object) -> Iterator[None]:
    before = getattr(_HERE, name)
    setattr(_HERE, name, value)
    try:
        yield
    finally:
        setattr(_HERE, name, before)


def showing(shown: bool) -> contextlib.AbstractContextManager[None]:
    """Show the tasks of this thread within a block, or hide them.

    Args:
        shown: Whether they are shown.
    """
    return _set("shown", shown)


def listen(on_event: Listener) -> contextlib.AbstractContextManager[None]:
    """Send events of the tasks and trainings in this thread within a block.

    Worker processes send none.

    Args:
        on_event: Receives each event, in the thread that works.

    Example:
        >>> with listen(lambda event: print(event.title, event.share)):
        ...     squares = [number**2 for number in tracked(range(2), "squaring", 2)]
        squaring 0.5
        squaring 1.0
    """
    return _set("on_event", on_event)


def listener() -> Listener | None:
    """Return what receives events of this thread; `None` without a listener."""
    return _HERE.on_event


def is_verbose(verbose: object) -> bool:
    """Return whether the option `verbose` shows progress.

    Args:
        verbose: The value of the option.

    Raises:
        SpecError: It is neither a number nor true or false.

    Example:
        >>> is_verbose(1), is_verbose(False)
        (True, False)
        >>> is_verbose("loud")
        Traceback (most recent call last):
        seqcast.errors.SpecError: verbose: expected a whole number, received 'loud'. Give 0 for ...
    """
    if isinstance(verbose, numbers.Integral):
        return int(verbose) > 0

    import numpy as np  # the command line imports this module, and would wait for NumPy

    if isinstance(verbose, np.bool_):
        return bool(verbose)
    raise SpecError(
        "verbose",
        expected="a whole number",
        received=f"{verbose!r:.80}",
        hint="Give 0 for silence, or 1.",
    )


def shows_tasks(method: Method) -> Method:
    """Let a method show its tasks where the `verbose` of its object is positive.

    Args:
        method: The method.
    """

    @functools.wraps(method)
    def shown(self: Any, *arguments: Any, **options: Any) -> Any:
        with showing(is_verbose(self.verbose) or _HERE.shown):
            return method(self, *arguments, **options)

    return cast(Method, shown)


def bar_is_shown() -> bool:
    """Return whether a bar may be drawn now.

    Tasks are shown, none is under way, and standard error is a terminal.
    """
    return _HERE.shown and not _HERE.inside and sys.stderr is not None and sys.stderr.isatty()


@contextlib.contextmanager
def task(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Count the steps of a task; yields a function to call after each.

    Args:
        title: What is done.
        total: Number of steps; with less than two nothing is shown.
    """
    if _HERE.inside or total < 2:
        yield lambda: None
        return

    done = itertools.count(1)
    began = time.perf_counter()
    on_event = _HERE.on_event
    with (
        _bar(title, total) if bar_is_shown() else contextlib.nullcontext() as advance_bar,
        _set("inside", True),
    ):

        def advance() -> None:
            share = next(done) / total
            if advance_bar is not None:
                advance_bar()
            if on_event is not None:
                on_event(TaskEvent(title, share, time.perf_counter() - began))

        yield advance


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


def new_bar(console: Console, *, fixed: bool = False) -> Progress:
    """Return a bar of steps with the time that is left, which is removed at the end.

    It takes one line in any terminal.

    Args:
        console: The terminal.
        fixed: Whether it is drawn on request only; otherwise also as time passes.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    # Cut, not wrapped, where the terminal is too narrow.
    line = Column(no_wrap=True, overflow="crop")
    return Progress(
        TextColumn("{task.description}", markup=False, table_column=line),
        BarColumn(),
        MofNCompleteColumn(table_column=line),
        TimeRemainingColumn(compact=True, table_column=line),
        TextColumn("left", table_column=line),
        console=console,
        transient=True,
        auto_refresh=not fixed,
        speed_estimate_period=math.inf,  # a step may take minutes
        # rich would print the output of the work on this console, even if standard output is a
        # file.
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
    )


@contextlib.contextmanager
def _bar(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Draw a bar, if it takes longer than a moment."""
    from rich.console import Console

    bar = new_bar(Console(file=sys.stderr))
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
