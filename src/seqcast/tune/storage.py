"""Where trials are kept: SQLite, Optuna's journal file, or a database that several machines reach."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from seqcast.errors import SpecError
from seqcast.runtime import require

STUDY_NAME = "seqcast"
SQLITE_SUFFIXES, JOURNAL_SUFFIXES = (".db", ".sqlite", ".sqlite3"), (".log", ".journal")
# Seconds between two signs of life of a trial in a database, and without one after which it is tried again.
HEARTBEAT_SECONDS, GRACE_SECONDS = 30, 180
# So often is a trial tried again whose process died.
MOST_RETRIES = 3
# Seconds that a process waits for another one that writes to SQLite.
LOCK_SECONDS = 120


def optuna() -> Any:
    """Return Optuna.

    Raises:
        MissingPackageError: It is not installed.
    """
    return require("optuna", extra="tune")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's log and its notes on experimental parts to itself for a `with` block."""
    package = optuna()
    level = package.logging.get_verbosity()
    package.logging.set_verbosity(package.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", package.exceptions.ExperimentalWarning)
            yield
    finally:
        package.logging.set_verbosity(level)


@dataclass(frozen=True)
class Storage:
    """The address of a study; each process opens it for itself.

    Args:
        kind: `journal` or `database`.
        place: Path of a journal, or URL of a database.

    Example:
        >>> Storage.of("study.db").kind, Storage.of("runs/study.log").kind, Storage.of("postgresql://host/name").kind
        ('database', 'journal', 'database')
    """

    kind: str
    place: str

    @classmethod
    def of(cls, storage: str | os.PathLike[str]) -> Self:
        """Return the address that a user gives.

        Args:
            storage: A file, whose suffix says its kind, or the URL of a database.

        Raises:
            SpecError: It is neither.
        """
        text = os.fspath(storage) if isinstance(storage, str | os.PathLike) else ""
        if "://" in text:
            return cls("database", text)
        suffix = Path(text).suffix.lower()
        if suffix in SQLITE_SUFFIXES:
            return cls("database", f"sqlite:///{Path(text).absolute()}")
        if suffix in JOURNAL_SUFFIXES:
            return cls("journal", str(Path(text).absolute()))
        raise SpecError(
            "storage",
            expected="a file study.db (SQLite) or study.log (journal), or the URL of a database",
            received=repr(storage),
            hint="Several machines share a journal on a common disk, or postgresql://user@host/name.",
        )

    def open(self) -> Any:
        """Return Optuna's storage, which is made if it is not there.

        Raises:
            MissingPackageError: Optuna, or the driver of the database, is not installed.
            SpecError: The storage cannot be opened.
        """
        storages = optuna().storages
        try:
            if self.kind == "journal":
                from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

                lock = JournalFileOpenLock(self.place)
                return storages.JournalStorage(JournalFileBackend(self.place, lock_obj=lock))
            waiting = {"connect_args": {"timeout": LOCK_SECONDS}} if self.place.startswith("sqlite:") else {}
            return storages.RDBStorage(
                self.place,
                engine_kwargs=waiting,
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=GRACE_SECONDS,
                heartbeat_stale_trial_callback=storages.RetryHeartbeatStaleTrialCallback(max_retry=MOST_RETRIES),
            )
        except Exception as error:  # whatever the driver raises
            missing = isinstance(error, ImportError)
            raise SpecError(
                "storage",
                expected="a storage that can be opened",
                received=f"{_without_password(self.place)}: {str(error).splitlines()[0]}",
                hint="Install the driver of the database, such as 'psycopg[binary]' for PostgreSQL."
                if missing
                else "Check path, URL and rights.",
            ) from error

    @contextlib.contextmanager
    def study(self, *, sampler: Any = None, pruner: Any = None) -> Iterator[Any]:
        """Yield the study, which is made if it is not there, for a `with` block; then no connection is left open."""
        storage = self.open()
        try:
            yield optuna().create_study(
                storage=storage, study_name=STUDY_NAME, load_if_exists=True, sampler=sampler, pruner=pruner
            )
        finally:
            storage.remove_session()
            if self.kind == "database":
                storage.engine.dispose()


def _without_password(url: str) -> str:
    """Return a URL as it may be shown.

    Example:
        >>> _without_password("postgresql://me:secret@host/name")
        'postgresql://me:***@host/name'
    """
    head, separator, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    if not at:
        return url
    return f"{head}{separator}{user.partition(':')[0]}{':***' if ':' in user else ''}{at}{place}"
