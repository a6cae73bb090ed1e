"""Progress of a training: a bar or a few lines, and events for listeners such as a page.

Progress goes to standard error, so that the output of a program can be piped on; a notebook gets
the lines of a log. All text is ASCII, the only encoding of some log files and old consoles, where
rich draws the bar in ASCII too.
"""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from seqcast.errors import counted
from seqcast.runtime import TaskEvent, bar_is_shown, keras, listener, new_bar
from seqcast.training.callbacks import History, Logs
from seqcast.training.deadline import Deadline

if TYPE_CHECKING:
    from rich.console import Console

# More frequent updates are not visible and take time from training.
SECONDS_BETWEEN_UPDATES = 0.2
# Most lines of epochs in a log file, without the first, the last and the summary.
LINES_IN_A_LOG = 16


class _Follower(keras.callbacks.Callback):
    """A callback that shows the progress of a training at intervals.

    Args:
        deadline: The end of the training; `None` if its epochs determine it.
    """

    # Without this Keras waits for the loss of every step before it begins the next; with it, steps
    # are reported from other threads, late and in any order.
    async_safe = True

    def __init__(self, deadline: Deadline | None) -> None:
        super().__init__()
        self.deadline = deadline
        self._lock = threading.RLock()
        self._running = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        with self._lock:
            params = self.params or {}
            self._running = True
            self._began = time.perf_counter()
            # With a deadline the number of epochs is not known.
            self._epochs = 0 if self.deadline else int(params.get("epochs") or 1)
            # Steps of an epoch; for a stream of unknown length they are known after the first
            # epoch.
            self._steps = int(params.get("steps") or 0)
            self._epoch = self._step = 0
            self._logs: dict[str, float] = {}
            self._show()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        with self._lock:
            if not self._running:
                return
            if batch + 1 > self._step:
                self._step = batch + 1
                if logs and "loss" in logs:
                    self._logs["loss"] = float(logs["loss"])
            self._show_if_due()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        with self._lock:
            if not self._running:
                return
            self._steps = self._steps or self._step
            self._epoch = epoch + 1
            self._step = 0
            self._logs.update({name: float(value) for name, value in (logs or {}).items()})
            self._end_epoch()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._running = False

    def _show_if_due(self) -> None:
        if time.perf_counter() - self._shown >= SECONDS_BETWEEN_UPDATES:
            self._show()

    def _show(self) -> None:
        self._shown = time.perf_counter()

    def _end_epoch(self) -> None:
        raise NotImplementedError


def listeners(deadline: Deadline | None) -> list[Any]:
    """Return the callback that sends events to the listener of this process, if there is one.

    Args:
        deadline: The end of the training; `None` if its epochs determine it.

    Example:
        >>> from seqcast.runtime import listen
        >>> with listen(print):
        ...     (callback,) = listeners(None)
        ...     callback.set_params({"epochs": 2, "steps": 1})
        ...     callback.on_train_begin()
        ...     callback.on_epoch_end(0, {"loss": 0.5})
        TaskEvent(title='training', share=0.0, seconds=...)
        TaskEvent(title='training', share=0.5, seconds=...)
    """
    on_event = listener()
    return [] if on_event is None else [_Listener(on_event, deadline)]


class _Listener(_Follower):
    """Send events of a training to the listener."""

    def __init__(self, on_event: Callable[[TaskEvent], None], deadline: Deadline | None) -> None:
        super().__init__(deadline)
        self.on_event = on_event

    def _end_epoch(self) -> None:
        self._show()

    def _show(self) -> None:
        super()._show()
        seconds = self._shown - self._began
        if self.deadline is None:
            steps = self._steps or 1
            share = (self._epoch + min(self._step, steps) / steps) / self._epochs
        else:
            share = seconds / max(seconds + self.deadline.left(), 1e-9)
        self.on_event(TaskEvent("training", min(1.0, share), seconds))


def progress(
    verbose: int,
    *,
    file: IO[str] | None = None,
    deadline: Deadline | None = None,
    before: History | None = None,
) -> list[Progress]:
    """Return the callbacks that show a training run.

    Args:
        verbose: 0 is silent, but for a terminal where long tasks are shown; a larger number shows
            progress.
        file: The stream to write to; `None` is standard error.
        deadline: The end of the training; the bar then shows the time in place of the epochs.
        before: The history of the training that is resumed; `None` if it begins.

    Returns:
        One callback, or none if silent.

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
    if verbose <= 0 and not bar_is_shown():
        return []
    from rich.console import Console

    stream = file if file is not None else sys.stderr
    terminal = stream is not None and stream.isatty()
    # With FORCE_COLOR, which many build servers set, rich treats a log file as a terminal.
    return [
        Progress(
            Console(file=file, stderr=True, force_terminal=None if terminal else False),
            deadline,
            before,
        )
    ]


class Progress(_Follower):
    """Show epochs, loss, validation loss and remaining time of a training, and a final line.

    The best epoch has the smallest validation loss. An interrupted or failed training does not call
    `on_train_end`: the caller of `fit` then calls `close`.

    Args:
        console: A terminal, for a bar; another console gets a few plain lines.
        deadline: The end of the training; `None` if its epochs determine it.
        before: The history of the training that is resumed, whose epochs count; `None` if it
            begins.

    Example:
        >>> from rich.console import Console
        >>> Progress(Console(file=sys.stdout)).close()  # no training has begun, nothing is shown
    """

    def __init__(
        self, console: Console, deadline: Deadline | None = None, before: History | None = None
    ) -> None:
        super().__init__(deadline)
        self.console = console
        self.before = History() if before is None else before

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the display.

        Args:
            logs: Empty.
        """
        with self._lock:
            self._bar = new_bar(self.console, fixed=True) if self.console.is_interactive else None
            if self._bar is not None:
                self._task = self._bar.add_task("", total=None, start=False)
                self._bar.start()
            self._best = (math.inf, 0)
            if self.before.best_epoch is not None:
                self._best = (
                    self.before["val_loss"][self.before.best_epoch - 1],
                    self.before.best_epoch,
                )
            self._last_line = time.perf_counter()
            self._unwritten = ""  # the last epoch's line, if it is not in the log file
            super().on_train_begin(logs)
            self._epoch = len(self.before)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the display and write its last line.

        Args:
            logs: Losses and metrics by name.
        """
        self._finish("trained")

    def close(self) -> None:
        """Close the display after an interrupted or failed training; a second call does nothing."""
        self._finish("stopped after")

    def _finish(self, how: str) -> None:
        with self._lock:
            running = self._running
            self._running = False
            if not running:
                return
            if self._bar is not None:
                self._bar.stop()
            if self._unwritten:  # training stopped early
                self._write()
            self._unwritten = f"{how} {self._summary()}"
            self._write()

    def _end_epoch(self) -> None:
        """Note the best epoch; a log file gets a line of the first, every n-th and last epoch."""
        if (validation := self._logs.get("val_loss", math.inf)) < self._best[0]:
            self._best = (validation, self._epoch)
        if self._bar is None:
            self._unwritten = (
                f"{_number(self._epoch, self._epochs)}  {_losses(self._logs)}  {self._elapsed()}"
            )
            if self.deadline is not None:
                self._unwritten += f", {_duration(max(0.0, self.deadline.left()))} left"
            if self._line_is_due():
                self._write()
        elif self._epoch == 1:
            self._bar.reset(self._task)  # the first validation included its compilation
        self._show_if_due()

    def _write(self) -> None:
        # A full disk or a closed pipe does not end the training.
        with contextlib.suppress(OSError, ValueError):
            print(self._unwritten, file=self.console.file, flush=True)
        self._unwritten = ""

    def _line_is_due(self) -> bool:
        if self.deadline is None:
            every = math.ceil(self._epochs / LINES_IN_A_LOG)
            return self._epoch in (1, self._epochs) or self._epoch % every == 0
        between = (self.deadline.ends - self.deadline.began) / LINES_IN_A_LOG
        due = self._epoch == 1 or time.perf_counter() - self._last_line >= between
        self._last_line = time.perf_counter() if due else self._last_line
        return due

    def _show(self) -> None:
        super()._show()
        if self._bar is None:
            return
        if self.deadline is None:
            total: float = self._epochs * self._steps
            done: float = self._epoch * self._steps + self._step
        else:
            total = self.deadline.ends - self.deadline.began
            done = total - max(0.0, self.deadline.left())
        # rich's rate leaves out the time before the first sample: the step that compiled.
        if done:
            self._bar.start_task(self._task)
        epoch = min(self._epoch + 1, self._epochs or self._epoch + 1)
        text = f"{_number(epoch, self._epochs)}  {_losses(self._logs) or 'starting'}"
        self._bar.update(
            self._task, completed=done, total=total or None, description=text, refresh=True
        )

    def _elapsed(self) -> str:
        return _duration(time.perf_counter() - self._began)

    def _summary(self) -> str:
        epochs = counted(self._epochs or self._epoch, "epoch")
        if self._epoch < self._epochs:
            epochs = f"{self._epoch} of {epochs}"
        text = f"{epochs} in {self._elapsed()}"
        if self._best[1]:
            return f"{text}, best epoch {self._best[1]} with validation loss {self._best[0]:.4g}"
        return f"{text}, {_losses(self._logs)}" if self._epoch and self._logs else text


def _number(epoch: int, epochs: int) -> str:
    """Return the number of an epoch, and the number of epochs if it is known.

    Example:
        >>> _number(3, 20), _number(3, 0)
        ('epoch  3/20', 'epoch 3')
    """
    return f"epoch {epoch:>{len(str(epochs))}}/{epochs}" if epochs else f"epoch {epoch}"


def _losses(logs: Logs) -> str:
    names = {"loss": "loss", "val_loss": "validation loss"}
    return "  ".join(f"{name} {logs[key]:.4g}" for key, name in names.items() if key in logs)


def _duration(seconds: float) -> str:
    """Return a duration as text.

    Example:
        >>> _duration(1.25), _duration(75), _duration(3725)
        ('1.2 s', '1:15 min', '1:02:05 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return (
        f"{minutes}:{rest:02} min"
        if minutes < 60
        else f"{minutes // 60}:{minutes % 60:02}:{rest:02} h"
    )
