"""Visitors of the page: each session with its table, the options of a forecast and its results."""

import asyncio
import contextlib
import math
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seqcast.app.computations import Explanation, FitOutcome
from seqcast.app.job_queue import JobQueue, QueueFullError
from seqcast.app.settings import AppSettings
from seqcast.app.visitor_table import Table, VisitorFrame
from seqcast.errors import DataError, SeqcastError, WorkerDiedError
from seqcast.runtime import BoundedProcess, ProcessLimits, portable_name, write_atomically
from seqcast.tables import Dialect

# Seed of everything random, so that all of it can be repeated.
SEED = 0
# Characters of a file's name, of up to four bytes each: file systems take 255 bytes.
LONGEST_NAME = 60


# Limits of the reading of a visitor's file.
READER_LIMITS = ProcessLimits(seconds=60.0, memory=8 << 30)


class SessionLimitError(SeqcastError):
    """There are as many visitors as the settings allow."""


@dataclass(frozen=True)
class Asked:
    """The options of a visitor's forecast.

    Args:
        horizon: Steps to forecast.
        level: Levels of the intervals, in per cent.
        effort: As for `Forecaster`.
        time_limit: As for `Forecaster.fit`; `None` without.
    """

    horizon: int = 12
    level: tuple[float, ...] = (80.0, 95.0)
    effort: str = "quick"
    time_limit: str | None = None

    def options(self, frame: VisitorFrame) -> dict[str, Any]:
        """Return the arguments of a `Forecaster`.

        Args:
            frame: The series to forecast.
        """
        options = {
            "horizon": self.horizon,
            "level": self.level,
            "effort": self.effort,
            "random_state": SEED,
        }
        options |= {"on_bad_series": "skip"} if frame.problems else {}
        covariates = {f"{role}_covariates": names for role, names in self.covariates(frame).items()}
        return options | {"columns": frame.columns} | covariates

    def covariates(self, frame: VisitorFrame) -> dict[str, tuple[str, ...]]:
        """Return the covariates that are read, by role: past ones take a network that is trained.

        Args:
            frame: The series to forecast.
        """
        return {
            role: names
            for role, names in frame.covariates.items()
            if (role, self.effort) != ("past", "quick")
        }


@dataclass(eq=False)
class Session:
    """A visitor's work, in a folder that is removed when they leave.

    Args:
        folder: The folder.
        table: The table; `None` before there is one.
        frame: Its series; `None` while something is wrong with them.
        asked: The options that the page shows.
        fitted: The options of the last fit; `None` before one.
        outcome: The result of the last fit.
        begun: Number of the newest fit that has begun.
        taken: Number of the fit whose result was taken, or that no later result may be older than.
        backtest: The result of the last backtest.
        explanation: The explanation of the last fit.
    """

    folder: Path
    table: Table | None = None
    frame: VisitorFrame | None = None
    asked: Asked = field(default_factory=Asked)
    fitted: Asked | None = None
    outcome: FitOutcome | None = None
    begun: int = 0
    taken: int = 0
    backtest: Any = None
    explanation: Explanation | None = None

    @property
    def model_file(self) -> Path:
        """The file of the model whose forecast is shown."""
        return self.file_of_fit(self.taken)

    def begin_fit(self) -> int:
        """Return the number of a new fit.

        Each fit writes a file of its own, because two processes may fit for one visitor, and a fit
        that was stopped may end after a newer one.
        """
        self.begun += 1
        return self.begun

    def file_of_fit(self, number: int) -> Path:
        """Return the file for the model of a fit.

        Args:
            number: The number of the fit.
        """
        return self.folder / f"model-{number}.seqcast"

    @property
    def used(self) -> Asked:
        """The options of the last fit; before one, those that the page shows."""
        return self.fitted or self.asked

    @property
    def forecasted(self) -> tuple[VisitorFrame, FitOutcome] | None:
        """The series and the result of the last fit; `None` before there is a forecast."""
        return None if self.frame is None or self.outcome is None else (self.frame, self.outcome)

    def store(self, name: str, content: bytes) -> Path:
        """Write an uploaded file into the session's folder.

        Args:
            name: Its name, of which only the last component is taken.
            content: Its bytes.

        Returns:
            Its path.
        """
        name = "".join(filter(str.isprintable, name.replace("\\", "/"))).rpartition("/")[2]
        name = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 21]}…{name[-20:]}"
        path = self.folder / "table" / (portable_name(name) or "table.csv")
        shutil.rmtree(path.parent, ignore_errors=True)  # the previous file
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda file: file.write(content))
        return path

    def take(self, table: Table) -> None:
        """Take a table, which replaces the previous one and all its results.

        Args:
            table: The table.

        Raises:
            DataError: Something in it is wrong; the table stays, without series, to be fixed.
        """
        self.table = table
        self.frame = None
        self._remove_model()
        self.taken = self.begun  # fits that have begun are those of another table
        self.fitted = self.outcome = self.backtest = self.explanation = None
        self.frame = table.frame()

    def take_outcome(self, number: int, asked: Asked, outcome: FitOutcome) -> None:
        """Take the result of a fit, and remove what followed from the previous one.

        An outdated result is dropped.

        Args:
            number: The number of the fit.
            asked: The options of the fit.
            outcome: Its result.
        """
        if number <= self.taken:
            self._remove_model(number)
            return

        self._remove_model()
        self.taken = number
        self.fitted = asked
        self.outcome = outcome
        self.backtest = self.explanation = None

    def _remove_model(self, number: int | None = None) -> None:
        """Remove the file of a fit, or of the one whose forecast is shown."""
        with contextlib.suppress(OSError):  # on Windows another process may read it
            self.file_of_fit(self.taken if number is None else number).unlink(missing_ok=True)

    def ask(self, **changes: Any) -> None:
        """Change the options.

        Args:
            changes: Fields of `Asked`.
        """
        self.asked = replace(self.asked, **changes)


class Sessions:
    """All visitors, and the three processes that work for them.

    One process runs trainings in turn; another one runs forecasts and explanations, which take
    moments; the third reads files, within limits.

    Args:
        settings: Limits of the page.
    """

    def __init__(self, settings: AppSettings) -> None:
        self.settings = settings
        self.trainings = JobQueue(max_waiting=settings.max_waiting)
        self.answers = JobQueue(max_waiting=4 * settings.max_waiting)
        # The ratio of measured to estimated seconds on this machine, learned from fits.
        self.pace = 1.0
        self.reader = BoundedProcess(READER_LIMITS)
        # Files are read in the order in which they came.
        self._reader_thread = ThreadPoolExecutor(1, thread_name_prefix="seqcast-files")
        self._readings = 0
        self._open: list[Session] = []

    def open(self) -> Session:
        """Return a new session.

        Raises:
            SessionLimitError: There are too many.
        """
        if len(self._open) >= self.settings.max_sessions:
            raise SessionLimitError(
                "visitors",
                expected=f"at most {self.settings.max_sessions} at a time",
                received=str(len(self._open)),
                hint="Close another page of this address, or try again later.",
            )
        self._open.append(Session(Path(tempfile.mkdtemp(prefix="seqcast-app-"))))
        return self._open[-1]

    async def read(self, path: Path, dialect: Dialect | None = None) -> Table:
        """Read a file and guess its columns in another process, so that no other visitor waits.

        Args:
            path: The file.
            dialect: Its format, as far as the visitor gave it.

        Raises:
            DataError: It is no table, or takes too much time or memory.
        """
        return await self._in_reader(path.name, Table.read, path, dialect)

    async def with_layout(self, table: Table, layout: str) -> Table:
        """Return a table with the roles that its columns have in another layout.

        Args:
            table: The table.
            layout: The layout.

        Raises:
            DataError: The guess takes too much time or memory.
        """
        return await self._in_reader(table.path.name, Table.with_layout, table, layout)

    async def _in_reader(self, name: str, function: Callable[..., Table], *arguments: Any) -> Table:
        if self._readings > self.settings.max_waiting:
            raise QueueFullError(
                "the queue",
                expected=f"at most {self.settings.max_waiting} files that wait to be read",
                received="another one",
                hint="Try again in a minute.",
            )

        loop = asyncio.get_running_loop()
        hint = "Send fewer rows or columns, or use the command line."
        self._readings += 1
        try:
            table: Table = await loop.run_in_executor(
                self._reader_thread, self.reader.run, function, *arguments
            )
        except TimeoutError:
            raise DataError(
                path=name,
                expected=f"a table that is read in {self.reader.limits.seconds:g} s",
                received="one that takes longer",
                hint=hint,
            ) from None
        except (MemoryError, WorkerDiedError):
            raise DataError(
                path=name,
                expected=f"a table that is read in {self.reader.limits.memory >> 20} MiB",
                received="one that takes more",
                hint=hint,
            ) from None
        finally:
            self._readings -= 1
        return table

    def close(self, session: Session) -> None:
        """Remove a session and its files.

        Args:
            session: The session.
        """
        if session in self._open:
            self._open.remove(session)
        shutil.rmtree(session.folder, ignore_errors=True)

    def close_all(self) -> None:
        """Remove all sessions and end the processes."""
        for session in list(self._open):
            self.close(session)
        self.trainings.close()
        self.answers.close()
        self._reader_thread.shutdown(wait=False, cancel_futures=True)
        self.reader.close()


def updated_pace(pace: float, *, estimated: float, measured: float) -> float:
    """Return a pace that is moved half-way to the ratio of a fit, by order of magnitude.

    Args:
        pace: The ratio of measured to estimated seconds so far.
        estimated: Seconds that the fit should have taken.
        measured: Seconds that it took.

    Example:
        >>> updated_pace(1.0, estimated=10.0, measured=40.0)
        2.0
    """
    return math.sqrt(pace * min(max(measured / max(estimated, 1e-9), 0.05), 20.0))
