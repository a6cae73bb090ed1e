"""Lines of JSON, one a request and one for whatever else happens: never values, ids of series or keys."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

from seqcast.errors import SeqcastError

LOGGER = logging.getLogger("seqcast.serve")
LOGGER.addHandler(logging.NullHandler())
LOGGER.propagate = False

_LONGEST_TEXT = 200


class _Lines(logging.Formatter):
    """Words records of other libraries as lines too, without what they fill into their texts."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.msg if isinstance(record.msg, str) else None
        if record.name == LOGGER.name:
            return str(text)
        error = record.exc_info[1] if record.exc_info else None
        return _line(
            "log",
            level=record.levelname,
            logger=record.name,
            text=text and text.partition("\n")[0][:_LONGEST_TEXT],
            error=error and describe_error(error),
        )


def write_to(stream: Any = None) -> logging.Handler:
    """Write lines to a stream from now on.

    Args:
        stream: A text stream; standard error if `None`.

    Returns:
        The handler, to be removed by `LOGGER.removeHandler`.
    """
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(_Lines())
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    return handler


@contextlib.contextmanager
def writing(stream: Any = None) -> Iterator[None]:
    """Write lines meanwhile for all that this process logs, whoever logs, warns or fails.

    Args:
        stream: A text stream; standard error if `None`.
    """
    root, handler = logging.getLogger(), write_to(stream)
    hooks, others = (sys.unraisablehook, threading.excepthook), root.handlers[:]
    root.handlers[:] = [handler]
    sys.unraisablehook = threading.excepthook = _log_lost
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _log_warning
            yield
    finally:
        root.handlers[:] = others
        sys.unraisablehook, threading.excepthook = hooks
        LOGGER.removeHandler(handler)


def log_event(event: str, **fields: Any) -> None:
    """Write a line.

    Args:
        event: What happened: `request`, `model`, `ready`, `start`, `stop`.
        fields: JSON types; those that are `None` are left out.
    """
    if LOGGER.isEnabledFor(logging.INFO):
        LOGGER.info(_line(event, **fields))


def describe_error(error: BaseException) -> str:
    """Return what a log says of an error: of one that is not ours its type and place, as its text may hold values.

    Args:
        error: The error.

    Example:
        >>> describe_error(ValueError("secret"))
        'ValueError'
    """
    if isinstance(error, SeqcastError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    return type(error).__name__ + (f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else "")


def _log_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any
) -> None:
    del message  # it may hold values
    log_event("warning", error=f"{category.__name__} at {filename}:{lineno}")


def _log_lost(lost: Any) -> None:
    log_event("lost", error=describe_error(lost.exc_value))


def _line(event: str, **fields: Any) -> str:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    given = {name: value for name, value in fields.items() if value is not None}
    return json.dumps({"time": now, "event": event, **given}, separators=(",", ":"))
