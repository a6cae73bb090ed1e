"""What a training run shows while it runs: a bar in a terminal, a line in a notebook, a few lines in a log file.

Everything goes to standard error, so that what a program prints can be piped on. All text is ASCII, because a log
file or an old console may know nothing else.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING, Any, Protocol

from seqcast.runtime.backend import keras

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Progress", "progress"]

Logs = Mapping[str, float]

# Drawing more often shows nothing more and takes time from training.
SECONDS_BETWEEN_UPDATES = 0.25
# Epochs that a log file gets a line of; the first, the last and the summary come on top.
LINES_IN_A_LOG = 16


def progress(verbose: int, *, console: Console | None = None, file: IO[str] | None = None) -> list[Progress]:
    """Return the callbacks that show a training run.

    Args:
        verbose: 0 is silent, anything above shows progress.
        console: Where to, if not standard error; its kind (terminal, notebook, neither) chooses the display.
        file: Where to, when there is no console.

    Returns:
        One callback, or none when silent.

    Example:
        >>> progress(0)
        []
        >>> (shown,) = progress(1, file=sys.stdout)
        >>> shown.set_params({"epochs": 2, "steps": 1})
        >>> shown.on_train_begin()
        >>> shown.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.25})
        epoch 1/2  loss 0.5  validation loss 0.25  ... s
        >>> shown.close()
        stopped after 1 of 2 epochs in ... s, best epoch 1 with validation loss 0.25
    """
    if verbose <= 0:
        return []
    return [Progress(console if console is not None else _console(file))]


def _console(file: IO[str] | None) -> Console:
    from rich.console import Console

    stream = file if file is not None else sys.stderr
    terminal = stream is not None and stream.isatty()
    # Many build servers set FORCE_COLOR, which makes rich take a log file for a terminal.
    return Console(file=file, stderr=True, force_terminal=None if terminal else False)


class Progress(keras.callbacks.Callback):
    """Show epochs, loss, validation loss, rate and time left of a training run, and one line that stays.

    The best epoch is the one with the smallest validation loss. Training that is interrupted or fails does not
    call `on_train_end`: whoever called `fit` calls `close` then.

    Args:
        console: Where to; a terminal gets a bar, a notebook an updating line, anything else a few plain lines.

    Example:
        >>> from rich.console import Console
        >>> Progress(Console(file=sys.stdout)).close()  # nothing was begun, nothing is shown
    """

    # Without this Keras waits for the loss of every step before it begins the next; with it, steps are reported
    # from other threads, late and in any order.
    async_safe = True

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self._lock = threading.RLock()
        self._display: _Display | None = None
        self._restart()

    def _restart(self) -> None:
        self._began = time.perf_counter()
        self._ended_epochs = 0
        self._step = 0
        self._steps_before = 0
        self._mark: tuple[float, int] | None = None  # time and steps from which the rate is measured
        self._rate: float | None = None
        self._drawn = -math.inf
        self._logs: dict[str, float] = {}
        self._best = (math.inf, 0)

    @property
    def _epochs(self) -> int:
        return int((self.params or {}).get("epochs") or 1)

    @property
    def _steps(self) -> int | None:
        """Steps of an epoch; `None` in the first epoch over a stream of unknown length."""
        if steps := (self.params or {}).get("steps"):
            return int(steps)
        return self._steps_before // self._ended_epochs if self._ended_epochs else None

    def on_train_begin(self, logs: Logs | None = None) -> None:  # noqa: ARG002
        """Open the display."""
        with self._lock:
            self._restart()
            self._display = _display(self.console, self._epochs)
            self._display.begin()
            self._draw()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Count the step, and draw if the last drawing is old enough."""
        with self._lock:
            if self._display is None:
                return
            now = time.perf_counter()
            if batch + 1 > self._step:
                self._step = batch + 1
                if logs and "loss" in logs:
                    self._logs["loss"] = float(logs["loss"])
            if self._mark is None:  # the first step compiles the network and says nothing about the others
                self._mark = now, self._step
            if now - self._drawn >= SECONDS_BETWEEN_UPDATES:
                self._draw()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Take the epoch's losses."""
        with self._lock:
            if self._display is None:
                return
            self._ended_epochs = epoch + 1
            self._steps_before += self._step
            self._step = 0
            if epoch == 0:  # its validation was compiled
                self._mark = time.perf_counter(), self._steps_before
            self._logs.update({name: float(value) for name, value in (logs or {}).items()})
            if (validation := self._logs.get("val_loss", math.inf)) < self._best[0]:
                self._best = (validation, epoch + 1)
            self._display.epoch(self._ended_epochs, f"{_losses(self._logs)}  {_seconds(self._elapsed())}")
            if time.perf_counter() - self._drawn >= SECONDS_BETWEEN_UPDATES:
                self._draw()

    def on_train_end(self, logs: Logs | None = None) -> None:  # noqa: ARG002
        """Close the display and leave its last line."""
        self._finish("trained")

    def close(self) -> None:
        """Close the display, if training was interrupted or failed; once it is closed this does nothing."""
        self._finish("stopped after")

    def _finish(self, how: str) -> None:
        with self._lock:
            display, self._display = self._display, None
            if display is not None:
                display.end(f"{how} {self._summary()}")

    def _draw(self) -> None:
        assert self._display is not None
        done = self._ended_epochs + (min(self._step / self._steps, 1.0) if self._steps else 0.0)
        self._measure()
        left = (self._epochs - done) * self._steps / self._rate if self._rate and self._steps else None
        under_way = min(self._ended_epochs + 1, self._epochs)
        self._display.draw(min(done, self._epochs), under_way, self._logs, self._rate, left)
        self._drawn = time.perf_counter()

    def _measure(self) -> None:
        """Take the rate, in steps a second, validation included."""
        if self._mark is None:
            return
        seconds, steps = time.perf_counter() - self._mark[0], self._steps_before + self._step - self._mark[1]
        if steps > 0 and seconds >= SECONDS_BETWEEN_UPDATES / 2:
            self._rate = steps / seconds

    def _elapsed(self) -> float:
        return time.perf_counter() - self._began

    def _summary(self) -> str:
        some = self._ended_epochs < self._epochs
        count = f"{self._ended_epochs} of {self._epochs}" if some else str(self._epochs)
        text = f"{count} epoch{'s' * (self._epochs != 1)} in {_seconds(self._elapsed())}"
        if self._best[1]:
            return f"{text}, best epoch {self._best[1]} with validation loss {self._best[0]:.4g}"
        return f"{text}, {_losses(self._logs)}" if self._ended_epochs and self._logs else text


def _losses(logs: Logs, digits: int = 4, validation: str = "validation loss") -> str:
    names = {"loss": "loss", "val_loss": validation}
    return "  ".join(f"{shown} {logs[name]:.{digits}g}" for name, shown in names.items() if name in logs)


def _seconds(seconds: float) -> str:
    """Write a duration.

    Example:
        >>> _seconds(1.25), _seconds(75), _seconds(3725)
        ('1.2 s', '1:15 min', '1:02:05 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02} h"


def _under_way(logs: Logs, rate: float | None, left: float | None, width: int = 80) -> str:
    """Write what changes during training, in as much as fits."""
    if not logs:
        return "starting"
    shown = [_losses(logs if width >= 60 else {"loss": logs.get("loss", math.nan)}, 3, "validation")]
    if rate is not None and width >= 80:
        shown.append(f"{rate:.{0 if rate >= 100 else 1}f} steps/s")
    if left is not None:
        shown.append(f"{math.ceil(left)} s left" if left < 60 else f"{_seconds(left)} left")
    return "  ".join(shown)


class _Display(Protocol):
    """A place for the progress: drawn often, told of each epoch, ended once."""

    def begin(self) -> None: ...
    def draw(self, done: float, epoch: int, logs: Logs, rate: float | None, left: float | None) -> None: ...
    def epoch(self, number: int, text: str) -> None: ...
    def end(self, text: str) -> None: ...


def _display(console: Console, epochs: int) -> _Display:
    if console.is_jupyter:
        return _Notebook(epochs)
    return _Bar(console, epochs) if console.is_interactive else _Lines(console, epochs)


class _Bar:
    """One bar in a terminal, which goes when training ends."""

    def __init__(self, console: Console, epochs: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        def text(field: str) -> TextColumn:
            return TextColumn(f"{{task.fields[{field}]}}", markup=False, table_column=Column(no_wrap=True))

        self.console, self.epochs = console, epochs
        width = max(8, min(console.width - 72, 40))
        self.bar = Progress(
            text("epoch"), BarColumn(width), text("state"),
            console=console, transient=True, auto_refresh=False,
            # rich would print on this console what callbacks print, also where standard output goes to a file.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        )  # fmt: skip
        self.task = self.bar.add_task("", total=epochs, epoch=f"epoch 1/{epochs}", state="starting")

    def begin(self) -> None:
        self.bar.start()

    def draw(self, done: float, epoch: int, logs: Logs, rate: float | None, left: float | None) -> None:
        number = f"epoch {epoch:>{len(str(self.epochs))}}/{self.epochs}"
        state = _under_way(logs, rate, left, self.console.width)
        self.bar.update(self.task, completed=done, epoch=number, state=state)
        self.bar.refresh()

    def epoch(self, number: int, text: str) -> None:
        pass

    def end(self, text: str) -> None:
        self.bar.stop()
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


class _Notebook:
    """One line below the cell that updates; rich's own bar would need ipywidgets."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.show: Callable[..., Any] = importlib.import_module("IPython.display").display
        self.handle: Any = None

    def begin(self) -> None:
        self.handle = self.show({"text/plain": "training"}, raw=True, display_id=True)

    def _line(self, text: str) -> None:
        if self.handle is not None:
            self.handle.update({"text/plain": text}, raw=True)

    def draw(self, done: float, epoch: int, logs: Logs, rate: float | None, left: float | None) -> None:
        filled = round(20 * done / self.epochs)
        bar = f"[{'#' * filled:.<20}]"
        self._line(f"epoch {epoch}/{self.epochs}  {bar}  {_under_way(logs, rate, left)}")

    def epoch(self, number: int, text: str) -> None:
        pass

    def end(self, text: str) -> None:
        self._line(text)


class _Lines:
    """Plain lines for a file: the first epoch, every n-th, the last, and the summary."""

    def __init__(self, console: Console, epochs: int) -> None:
        self.console, self.epochs = console, epochs
        self.every = math.ceil(epochs / LINES_IN_A_LOG)
        self.held = ""

    def begin(self) -> None:
        pass

    def _line(self, text: str) -> None:
        # A full disk or a closed pipe is no reason to lose the training.
        with contextlib.suppress(OSError, ValueError):
            print(text, file=self.console.file, flush=True)

    def draw(self, done: float, epoch: int, logs: Logs, rate: float | None, left: float | None) -> None:
        pass

    def epoch(self, number: int, text: str) -> None:
        line = f"epoch {number:>{len(str(self.epochs))}}/{self.epochs}  {text}"
        shown = number in (1, self.epochs) or number % self.every == 0
        self.held = "" if shown else line
        if shown:
            self._line(line)

    def end(self, text: str) -> None:
        if self.held:  # the last epoch, when training stopped early
            self._line(self.held)
        self._line(text)
