"""The study of a search: where Optuna stores its trials, and whether it is that of this search."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqcast.errors import Option, Phrase, SpecError
from seqcast.runtime import digest, filtering_warnings, require
from seqcast.specs import Spec
from seqcast.training import check_same
from seqcast.tune.objective import Objective
from seqcast.tune.space import Space

if TYPE_CHECKING:
    from types import ModuleType

    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.storages import RDBStorage

STUDY_NAME = "seqcast"
SUFFIXES = (".db", ".sqlite", ".sqlite3")
# Attributes of a study.
FINGERPRINT = "seqcast fingerprint"
SEED = "seqcast seed"
# Options that change neither the networks nor their losses.
_FREE = ("verbose", "random_state", "alias", "calibrate", "preset", "training")

# Seconds between two heartbeats of a running trial.
HEARTBEAT_SECONDS = 10
# Seconds without a heartbeat after which a trial is tried again.
GRACE_SECONDS = 60
# Most retries of a trial.
MOST_RETRIES = 3
# Attempts to open a storage.
ATTEMPTS = 10
# Seconds that a process waits for another one that writes to SQLite.
LOCK_SECONDS = 120


def optuna() -> ModuleType:
    """Return Optuna.

    Raises:
        MissingPackageError: It is not installed.
    """
    return require("optuna", extra="tune")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence Optuna's log and its warnings of experimental features for a `with` block."""
    logging = optuna().logging
    level = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with filtering_warnings("ignore", optuna().exceptions.ExperimentalWarning):
            yield
    finally:
        logging.set_verbosity(level)


def storage_url(storage: str | os.PathLike[str]) -> str:
    """Return the URL of a storage, which each process opens for itself.

    Args:
        storage: An SQLite file, or the URL of a database.

    Raises:
        SpecError: It is neither.

    Example:
        >>> storage_url("/runs/study.db"), storage_url("postgresql://host/name")
        ('sqlite:////runs/study.db', 'postgresql://host/name')
    """
    text = os.fspath(storage) if isinstance(storage, str | os.PathLike) else ""
    if "://" in text:
        return text
    if Path(text).suffix.lower() in SUFFIXES:
        return f"sqlite:///{Path(text).absolute()}"
    raise SpecError(
        "storage",
        expected="a file study.db (SQLite), or the URL of a database",
        received=repr(storage),
        hint="Several machines share a database, such as postgresql://user@host/name.",
    )


@contextlib.contextmanager
def open_study(url: str, pruner: BasePruner | None = None) -> Iterator[Study]:
    """Yield a study, a new one if there is none; no connection is left open afterwards.

    Running trials send heartbeats. A trial without them is tried again, since its process has died.

    Args:
        url: The URL of its storage, from `storage_url`.
        pruner: Optuna's pruner.

    Raises:
        MissingPackageError: Optuna is not installed.
        SpecError: The storage cannot be opened.
    """
    storage = _open_storage(url)
    try:
        yield optuna().create_study(
            storage=storage, study_name=STUDY_NAME, load_if_exists=True, pruner=pruner
        )
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _open_storage(url: str) -> RDBStorage:
    """Open a storage; other processes may create its tables at the same moment, so it retries."""
    failure = None
    for _ in range(ATTEMPTS):
        try:
            return _storage(url)
        except Exception as error:  # drivers raise errors of their own
            failure = error

    hint = "Check path, URL and rights."
    if isinstance(failure, ImportError):
        hint = "Install the driver of the database, such as 'psycopg[binary]' for PostgreSQL."
    raise SpecError(
        "storage",
        expected="a storage that can be opened",
        received=f"{_without_password(url)}: {str(failure).splitlines()[0]}",
        hint=hint,
    ) from failure


def _storage(url: str) -> RDBStorage:
    storages = optuna().storages
    is_sqlite = url.startswith("sqlite:")
    retry = storages.RetryHeartbeatStaleTrialCallback(max_retry=MOST_RETRIES)
    storage: RDBStorage = storages.RDBStorage(
        url,
        engine_kwargs={"connect_args": {"timeout": LOCK_SECONDS}} if is_sqlite else {},
        heartbeat_interval=HEARTBEAT_SECONDS,
        grace_period=GRACE_SECONDS,
        heartbeat_stale_trial_callback=retry,
    )
    if is_sqlite:
        # SQLite has no `FOR UPDATE`: two workers that read before either writes would both run a
        # waiting trial.
        listen = require("sqlalchemy", extra="tune").event.listen
        listen(storage.engine, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
    return storage


def _without_password(url: str) -> str:
    """Return a URL as it may be shown.

    Example:
        >>> _without_password("postgresql://me:secret@host/name")
        'postgresql://me:***@host/name'
    """
    scheme, _, rest = url.partition("://")
    user, at, host = rest.rpartition("@")
    name, colon, _ = user.partition(":")
    return f"{scheme}://{name}:***@{host}" if at and colon else url


def check_study(
    study: Study, objective: Objective, space: Space, *, resume: bool, drawn: bool
) -> int:
    """Reject the study of another search, and return the seed of a study.

    A new study gets a fingerprint.

    Args:
        study: Optuna's study.
        objective: The objective, with the seed of this call.
        space: The space.
        resume: Whether the study may exist already.
        drawn: Whether the seed was drawn, and not given.

    Raises:
        SpecError: There is a study and `resume` is false, or it differs.
    """
    before = study.user_attrs
    now = _fingerprint(objective, space)
    if FINGERPRINT not in before:
        study.set_user_attr(FINGERPRINT, json.loads(json.dumps(now)))
        study.set_user_attr(SEED, objective.seed)
        return objective.seed

    if not resume:
        raise SpecError(
            "storage",
            expected=Phrase("one without a study, or ", Option("resume", True)),
            received=f"a study with {len(study.get_trials(deepcopy=False))} trials",
            hint="Go on with it, or name another storage.",
        )
    check_same(
        before[FINGERPRINT],
        now,
        "the study of this search; that in the storage",
        "name another storage",
    )
    return int(before[SEED]) if drawn else objective.seed


def _fingerprint(objective: Objective, space: Space) -> dict[str, object]:
    """Return the fingerprint of a study: all that it depends on, JSON types by name."""
    frame = objective.frame
    given = vars(objective.arguments)
    stamps = np.array([str(stamp) for stamp in (*frame.first_stamps, *frame.last_stamps)])
    names = np.array([repr(name) for name in frame.source.ids])
    return {
        "data": digest([frame.source.values, frame.source.lengths, frame.static, stamps, names]),
        "horizon": int(given["horizon"]),
        "windows": {"n_windows": len(objective.known), "step_size": objective.step_size},
        "space": {name: repr(parameter) for name, parameter in space.items()},
        "untuned network": objective.untuned.to_dict(),
        "options": {
            name: value.to_dict() if isinstance(value, Spec) else repr(value)
            for name, value in given.items()
            if name not in _FREE
        },
    }
