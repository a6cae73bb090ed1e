"""What a training run shows while it runs: a bar in a terminal or a notebook, a few lines in a log file.

Everything goes to standard error, so that what a program prints can be piped on; a notebook gets one output that is
updated. All words are ASCII, because a log file or an old console may know nothing else, and rich draws the bar in
ASCII where the terminal's encoding is.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import sys
import threading
import time
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from seqcast.runtime import keras
from seqcast.training.deadline import Deadline

if TYPE_CHECKING:
    from rich.console import Console

Logs = Mapping[str, float]

# Drawing more often shows nothing more and takes time from training.
SECONDS_BETWEEN_UPDATES = 0.25
# Epochs that a log file gets a line of; the first, the last and the summary come on top.
LINES_IN_A_LOG = 16


def progress(verbose: int, *, file: IO[str] | None = None, deadline: Deadline | None = None) -> list[Progress]:
    """Return the callbacks that show a training run.

    Args:
        verbose: 0 is silent, anything above shows progress.
        file: Where to; `None` is standard error.
        deadline: When the training has to be done; then the bar shows the time in place of the epochs.

    Returns:
        One callback, or none when silent.

    Example:
        >>> progress(0)
        []
        >>> (callback,) = progress(1, file=sys.stdout)
        >>> callback.set_params({"epochs": 2, "steps": 1})
        >>> callback.on_train_begin()
        >>> callback.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.25})
        epoch 1/2  loss 0.5  validation loss 0.25  ... s
        >>> callback.close()
        stopped after 1 of 2 epochs in ... s, best epoch 1 with validation loss 0.25
    """
    if verbose <= 0:
        return []
    from rich.console import Console

    stream = file if file is not None else sys.stderr
    terminal = stream is not None and stream.isatty()
    # Many build servers set FORCE_COLOR, which makes rich take a log file for a terminal.
    return [Progress(Console(file=file, stderr=True, force_terminal=None if terminal else False), deadline)]


class Progress(keras.callbacks.Callback):
    """Show epochs, loss, validation loss, rate and time left of a training run, and one line that stays.

    The best epoch is the one with the smallest validation loss. Training that is interrupted or fails does not
    call `on_train_end`: whoever called `fit` calls `close` then.

    Args:
        console: Where to; a terminal and a notebook get a bar, anything else a few plain lines.
        deadline: When the training has to be done; `None` where its epochs say so.

    Example:
        >>> from rich.console import Console
        >>> Progress(Console(file=sys.stdout)).close()  # no training has begun, nothing is shown
    """

    # Without this Keras waits for the loss of every step before it begins the next; with it, steps are reported
    # from other threads, late and in any order.
    async_safe = True

    def __init__(self, console: Console, deadline: Deadline | None = None) -> None:
        super().__init__()
        self.console, self.deadline = console, deadline
        self._lock = threading.RLock()
        self._running = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the display."""
        with self._lock:
            self._running, self._began, self._drawn = True, time.perf_counter(), -math.inf
            # By the clock nobody knows how many there will be.
            self._epochs = 0 if self.deadline else int((self.params or {}).get("epochs") or 1)
            self._last_line = self._began
            self._ended_epochs = self._steps_before = self._step = 0
            self._logs: dict[str, float] = {}
            self._best = (math.inf, 0)
            self._unwritten = ""  # the last epoch's line, if a log file has not got it
            shown_live = self.console.is_jupyter or self.console.is_interactive
            self._bar = _Bar(self.console, self._epochs) if shown_live else None
            self._draw()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Count the step, and draw if the last drawing is old enough."""
        with self._lock:
            if not self._running:
                return
            if batch + 1 > self._step:
                self._step = batch + 1
                if logs and "loss" in logs:
                    self._logs["loss"] = float(logs["loss"])
            self._draw()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Take the epoch's losses; a log file gets a line of the first epoch, of every n-th and of the last."""
        with self._lock:
            if not self._running:
                return
            self._ended_epochs = epoch + 1
            self._steps_before += self._step
            self._step = 0
            self._logs.update({name: float(value) for name, value in (logs or {}).items()})
            if (validation := self._logs.get("val_loss", math.inf)) < self._best[0]:
                self._best = (validation, epoch + 1)
            if self._bar is None:
                self._unwritten = f"{_number(epoch + 1, self._epochs)}  {_losses(self._logs)}  {self._elapsed()}"
                if self.deadline is not None:
                    self._unwritten += f", {_left(self.deadline.left())}"
                if self._is_due(epoch + 1):
                    self._write()
            elif epoch == 0:
                self._bar.restart_rate()  # the validation was compiled
            self._draw()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the display and leave its last line."""
        self._finish("trained")

    def close(self) -> None:
        """Close the display, if training was interrupted or failed; once it is closed this does nothing."""
        self._finish("stopped after")

    def _finish(self, how: str) -> None:
        with self._lock:
            running, self._running = self._running, False
            if not running:
                return
            if self._bar is not None:
                self._bar.end(f"{how} {self._summary()}")
                return
            if self._unwritten:  # training stopped early
                self._write()
            self._unwritten = f"{how} {self._summary()}"
            self._write()

    def _write(self) -> None:
        # A full disk or a closed pipe is no reason to lose the training.
        with contextlib.suppress(OSError, ValueError):
            print(self._unwritten, file=self.console.file, flush=True)
        self._unwritten = ""

    def _is_due(self, epoch: int) -> bool:
        """Return whether a log file gets the line of an epoch."""
        if self.deadline is None:
            return epoch in (1, self._epochs) or epoch % math.ceil(self._epochs / LINES_IN_A_LOG) == 0
        between = (self.deadline.ends - self.deadline.began) / LINES_IN_A_LOG
        due = epoch == 1 or time.perf_counter() - self._last_line >= between
        self._last_line = time.perf_counter() if due else self._last_line
        return due

    def _draw(self) -> None:
        if self._bar is None or time.perf_counter() - self._drawn < SECONDS_BETWEEN_UPDATES:
            return
        self._drawn = time.perf_counter()
        if self.deadline is not None:
            self._bar.draw_clock(self.deadline, self._ended_epochs + 1, self._logs)
            return
        epoch = min(self._ended_epochs + 1, self._epochs)
        steps = (self.params or {}).get("steps")
        if not steps and self._ended_epochs:  # a stream of unknown length is known after its first epoch
            steps = self._steps_before // self._ended_epochs
        total = self._epochs * int(steps) if steps else None
        self._bar.draw(self._steps_before + self._step, total, epoch, self._logs)

    def _elapsed(self) -> str:
        return _duration(time.perf_counter() - self._began)

    def _summary(self) -> str:
        some = self._ended_epochs < self._epochs
        count = f"{self._ended_epochs} of {self._epochs}" if some else str(self._ended_epochs)
        text = f"{count} epoch{'s' * ((self._epochs or self._ended_epochs) != 1)} in {self._elapsed()}"
        if self._best[1]:
            return f"{text}, best epoch {self._best[1]} with validation loss {self._best[0]:.4g}"
        return f"{text}, {_losses(self._logs)}" if self._ended_epochs and self._logs else text


def _number(epoch: int, epochs: int) -> str:
    """Write the number of an epoch, and of how many if that is known.

    Example:
        >>> _number(3, 20), _number(3, 0)
        ('epoch  3/20', 'epoch 3')
    """
    return f"epoch {epoch:>{len(str(epochs))}}/{epochs}" if epochs else f"epoch {epoch}"


def _left(seconds: float) -> str:
    seconds = max(0.0, seconds)
    return f"{math.ceil(seconds)} s left" if seconds < 60 else f"{_duration(seconds)} left"


def _losses(logs: Logs, digits: int = 4, validation: str = "validation loss") -> str:
    names = {"loss": "loss", "val_loss": validation}
    return "  ".join(f"{name} {logs[key]:.{digits}g}" for key, name in names.items() if key in logs)


def _duration(seconds: float) -> str:
    """Write a duration.

    Example:
        >>> _duration(1.25), _duration(75), _duration(3725)
        ('1.2 s', '1:15 min', '1:02:05 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02} h"


class _Bar:
    """rich's bar, which goes when training ends: drawn over itself in a terminal, an updated output in a notebook."""

    def __init__(self, console: Console, epochs: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        def text(field: str) -> TextColumn:  # cut, not wrapped, where a terminal is too narrow
            column = Column(no_wrap=True, overflow="crop")
            return TextColumn(f"{{task.fields[{field}]}}", markup=False, table_column=column)

        self.console, self.epochs = console, epochs
        bar = BarColumn(max(8, min(console.width - 72, 40)))
        self.bar = Progress(
            text("epoch"), bar, text("state"), console=console, transient=True, auto_refresh=False,
            speed_estimate_period=math.inf,  # a step may take minutes
            # rich would print on this console what callbacks print, also where standard output goes to a file.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        )  # fmt: skip
        self.task = self.bar.add_task("", total=None, start=False, epoch="", state="")
        self.output: Any = None  # of a notebook
        if console.is_jupyter:
            # rich draws itself in an output that is updated; its own way to update one would need ipywidgets.
            self.output = importlib.import_module("IPython.display").display(self.bar, display_id=True)
        else:
            self.bar.start()

    def draw(self, done: int, total: int | None, epoch: int, logs: Logs) -> None:
        if done:  # rich's rate leaves out what came before the first sample: the step that compiled the network
            self.bar.start_task(self.task)
        self.bar.update(self.task, completed=done, total=total)
        state = self._state(logs, self.bar.tasks[0].speed, self.bar.tasks[0].time_remaining)
        self.bar.update(self.task, epoch=_number(epoch, self.epochs), state=state)
        self._show()

    def draw_clock(self, deadline: Deadline, epoch: int, logs: Logs) -> None:
        left, whole = max(0.0, deadline.left()), deadline.ends - deadline.began
        self.bar.update(self.task, completed=whole - left, total=whole)
        self.bar.update(self.task, epoch=_number(epoch, 0), state=self._state(logs, None, left))
        self._show()

    def _show(self) -> None:
        if self.output is None:
            self.bar.refresh()
        else:
            self.output.update(self.bar)

    def _state(self, logs: Logs, speed: float | None, left: float | None) -> str:
        """Write what changes during training, in as much as fits."""
        if not logs:
            return "starting"
        width = self.console.width
        parts = [_losses(logs if width >= 60 else {"loss": logs.get("loss", math.nan)}, 3, "validation")]
        if speed and width >= 80:
            parts.append(f"{speed:.{0 if speed >= 100 else 1}f} steps/s")
        if left is not None:
            parts.append(_left(left))
        return "  ".join(parts)

    def restart_rate(self) -> None:
        self.bar.reset(self.task)

    def end(self, text: str) -> None:
        from rich.text import Text

        self.bar.stop()
        if self.output is None:
            self.console.print(Text(text), soft_wrap=True)
        else:
            self.output.update(Text(text))
