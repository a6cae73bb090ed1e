"""One visitor's work: a table, what was asked for, and what came of it. It knows nothing of how it is shown."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seqcast.app.estimates import Pace
from seqcast.app.jobs import JobQueue
from seqcast.app.settings import AppSettings
from seqcast.app.table import Table, VisitorFrame
from seqcast.app.tasks import BacktestRequest, Explanation, FitOutcome, FitRequest
from seqcast.app.worker import Worker
from seqcast.errors import SeqcastError
from seqcast.runtime import write_beside

# Characters of a file's name, of up to four bytes each: file systems take 255 bytes.
LONGEST_NAME = 60


class SessionLimitError(SeqcastError):
    """As many visitors are here as the settings allow."""


@dataclass(frozen=True)
class Asked:
    """What a visitor asks for.

    Args:
        horizon: Steps to forecast.
        level: Levels of the intervals, in per cent.
        effort: How much is tried.
        time_limit: As for `Forecaster.fit`; `None` without.
        season_length: Steps of a season; `None` takes the usual one.
        seed: Seed of everything random, so that all of it can be repeated.
    """

    horizon: int = 12
    level: tuple[float, ...] = (80.0, 95.0)
    effort: str = "quick"
    time_limit: str | None = None
    season_length: int | None = None
    seed: int = 0

    def options(self) -> dict[str, Any]:
        """Return the arguments of a `Forecaster` beside those about columns."""
        return {
            "horizon": self.horizon,
            "level": self.level,
            "effort": self.effort,
            "season_length": self.season_length,
            "random_state": self.seed,
        }


@dataclass
class Session:
    """What a visitor has, in a folder of their own that goes with them.

    Args:
        folder: The folder.
        table: The table; `None` before there is one.
        frame: Its series; `None` while something is wrong with them.
        asked: What was asked for.
        fitted: What the outcome was asked with.
        outcome: What came of the last fit.
        backtest: What came of the last backtest.
        explanation: What came of the last look inside.
    """

    folder: Path
    table: Table | None = None
    frame: VisitorFrame | None = None
    asked: Asked = field(default_factory=Asked)
    fitted: Asked | None = None
    outcome: FitOutcome | None = None
    backtest: Any = None
    explanation: Explanation | None = None

    @property
    def model_file(self) -> Path:
        """Where the fitted model is."""
        return self.folder / "model.seqcast"

    def store(self, name: str, content: bytes) -> Path:
        """Write a file that was uploaded into the session's folder.

        Args:
            name: Its name, of which only the last part is taken.
            content: What is in it.

        Returns:
            Where it is.
        """
        name = "".join(filter(str.isprintable, name.replace("\\", "/"))).rpartition("/")[2][-LONGEST_NAME:]
        path = self.folder / "table" / (name if name.strip(". ") else "table.csv")
        shutil.rmtree(path.parent, ignore_errors=True)  # the file before it
        path.parent.mkdir(parents=True, exist_ok=True)
        write_beside(path, lambda file: file.write(content))
        return path

    def take(self, table: Table) -> None:
        """Take a table, in place of the one before and all that came of it.

        Args:
            table: The table.

        Raises:
            DataError: Something in it is wrong; it is kept, without series, so that it can be mended.
        """
        self.table, self.frame = table, None
        self.fitted = self.outcome = self.backtest = self.explanation = None
        self.frame = table.frame()

    def fit_request(self, frame: VisitorFrame) -> FitRequest:
        """Return what is to be fitted to some series."""
        options = {**self.asked.options(), **frame.options()}
        return FitRequest(frame.df, self.ahead(frame), options, self.model_file, self.asked.time_limit)

    def ahead(self, frame: VisitorFrame) -> Any:
        """Return what is known of the steps to forecast: what the table says, and assumptions where it does not."""
        from seqcast.app.assumptions import assumed_ahead

        return assumed_ahead(frame, self.asked.horizon)

    def take_outcome(self, outcome: FitOutcome) -> None:
        """Take what came of a fit; what was known of the one before goes.

        Args:
            outcome: What came of it.
        """
        self.fitted, self.outcome = self.asked, outcome
        self.backtest = self.explanation = None

    def backtest_request(self, frame: VisitorFrame, windows: int) -> BacktestRequest:
        """Return what is to be tested on its own past.

        Args:
            frame: The series.
            windows: Number of cutoffs.
        """
        asked = self.fitted or self.asked
        options = {**asked.options(), **frame.options()}
        return BacktestRequest(frame.df, options, windows, asked.time_limit)

    def ask(self, **changes: Any) -> None:
        """Change what is asked for.

        Args:
            changes: Fields of `Asked`.
        """
        self.asked = replace(self.asked, **changes)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Sessions:
    """All visitors, and the two processes that compute for them.

    Trainings wait for each other in one process; forecasts and looks inside, which take moments, have another.

    Args:
        settings: How many there may be.
    """

    def __init__(self, settings: AppSettings) -> None:
        self.settings = settings
        self.trainings = JobQueue(Worker("seqcast-training"), max_waiting=settings.max_waiting)
        self.answers = JobQueue(Worker("seqcast-answers"), max_waiting=4 * settings.max_waiting)
        self.pace = Pace()
        # Readers of files may take gigabytes each.
        self.reading = asyncio.Semaphore(2)
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
                received=f"{len(self._open)}",
                hint="Close another page of this address, or try again later.",
            )
        session = Session(Path(tempfile.mkdtemp(prefix="seqcast-app-")))
        self._open.append(session)
        return session

    def close(self, session: Session) -> None:
        """Remove a session and its files.

        Args:
            session: The session.
        """
        if session in self._open:
            self._open.remove(session)
        session.close()

    def close_all(self) -> None:
        """Remove all sessions and end the processes."""
        for session in list(self._open):
            self.close(session)
        self.trainings.worker.close()
        self.answers.worker.close()
