"""Logs of trainings in files: CSV, or JSON lines."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any, Self

from seqcast.errors import FileFormatError
from seqcast.runtime import json_number, make_folder, suffix_of, warn_user, write_atomically
from seqcast.training.observers import Observer, Record

__all__ = ["TrainingLog", "read_log"]

FIELDS = ("event", "epoch", "step", "seconds", "learning_rate")
SUFFIXES = ("csv", "jsonl")


class TrainingLog(Observer):
    """Write the losses and metrics of a training to a file, a line for each record.

    A line has `event` (`epoch` or `step`), `epoch`, `step`, `seconds`, `learning_rate`, and losses
    and metrics by name. A new training replaces the file; a resumed one drops the lines after its
    checkpoint. Several networks of a fit have files of their own: `log-network-1.csv`,
    `log-pretrained.csv`.

    Args:
        path: The file; its suffix, `.csv` or `.jsonl`, is its format. Missing folders are created.
        every_n_steps: Steps from one line to the next within epochs; `None` writes epochs only.

    Raises:
        SpecError: The suffix is unknown, or `every_n_steps` is no whole number above 0.

    Example:
        >>> callbacks = [TrainingLog("runs/log.csv", every_n_steps=10)]  # for `fit`
    """

    def __init__(self, path: str | os.PathLike[str], every_n_steps: int | None = None) -> None:
        super().__init__(every_n_steps)
        self.path = Path(path)
        self.suffix = suffix_of(self.path, SUFFIXES)
        self._columns: list[str] = []
        self._failed = False

    def for_network(self, network: str) -> Self:
        """Return the log of one of several networks, whose file name has the network's name.

        Args:
            network: Name of the network.
        """
        log = super().for_network(network)
        log.path = self.path.with_stem(f"{self.path.stem}-{network}")
        return log

    def check(self) -> None:
        """Reject a file that is no log.

        Raises:
            FileFormatError: There is a file of that name that is no log.
        """
        if self.path.is_file():
            _check_log(self.path, self.suffix)

    def watch(self, windows: Any, validation: Any, *, step: int = 0, seconds: float = 0.0) -> None:
        """Begin the file, or drop the lines after the step of the checkpoint.

        Args:
            windows: Batches to train on.
            validation: Batches to validate on, or `None`.
            step: Finished training steps of a resumed training; 0 for a new one.
            seconds: Seconds of these steps.

        Raises:
            SaveError: The file cannot be written.
            FileFormatError: There is a file of that name that is no log.
        """
        self._failed = False
        make_folder(self.path.parent)
        self.check()
        rows: list[dict[str, Any]] = []
        if step and self.path.is_file():
            rows = [row for row in read_log(self.path) if row["step"] <= step]
        # A checkpoint is older than the line of its epoch by the time that it took to be written.
        seconds = max([seconds, *(row["seconds"] for row in rows)])
        super().watch(windows, validation, step=step, seconds=seconds)
        self._columns = list(rows[0]) if rows else []
        text = "".join(map(self._line, rows))
        if self.suffix == "csv" and rows:
            text = _csv_line(self._columns) + text
        write_atomically(self.path, lambda file: file.write(text.encode("utf-8")))

    def record(self, record: Record) -> None:
        """Append a line; if it cannot be written, warn once and let the training go on.

        Args:
            record: The record of an epoch or a step.
        """
        row = record.to_dict()
        head = ""
        if self.suffix == "csv" and not self._columns:
            names = list(record.values)
            # The first line may be that of a step, without validation losses.
            names += [f"val_{name}" for name in names if record.event == "step"]
            self._columns = [*FIELDS, *names]
            head = _csv_line(self._columns)
        try:
            with open(self.path, "a", encoding="utf-8", newline="") as file:
                file.write(head + self._line(row))
        except OSError as error:
            if not self._failed:
                warn_user(
                    f"{self.path} cannot be written, training goes on without it: {error.strerror}"
                )
            self._failed = True

    def _line(self, row: dict[str, Any]) -> str:
        if self.suffix == "csv":
            return _csv_line([row.get(name) for name in self._columns])
        return json.dumps({name: json_number(value) for name, value in row.items()}) + "\n"


def read_log(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read a log of training.

    Args:
        path: A file of `TrainingLog`.

    Returns:
        A dict for each line; an empty cell is `None`. An unfinished line of a killed process is
        left out.

    Raises:
        SpecError: The suffix is unknown.
        FileFormatError: The file is no log.
    """
    path = Path(path)
    suffix = suffix_of(path, SUFFIXES)
    _check_log(path, suffix)
    text = path.read_text("utf-8")
    lines = text[: text.rfind("\n") + 1]
    if suffix == "jsonl":
        return [json.loads(line) for line in lines.splitlines()]
    return [
        {name: _read(name, cell) for name, cell in row.items()}
        for row in csv.DictReader(io.StringIO(lines))
    ]


def _check_log(path: Path, suffix: str) -> None:
    """Reject a file whose first line is not that of a log; an empty file is a log."""
    with path.open("rb") as file:
        first = file.readline(4096).decode("utf-8", "replace").strip()
    start = ",".join(FIELDS) if suffix == "csv" else '{"event":'
    if first and not first.startswith(start):
        raise FileFormatError(
            str(path),
            expected="a log of training, or no file",
            received=repr(first[:60]),
            hint="Name another file.",
        )


def _csv_line(cells: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _read(name: str, cell: str) -> Any:
    if name == "event":
        return cell
    return None if cell == "" else int(cell) if name in ("epoch", "step") else float(cell)
