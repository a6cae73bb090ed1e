"""Monitoring: counters for Prometheus, and a log in JSON without values, series' ids or keys."""

import contextlib
import datetime
import json
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from seqcast.errors import SeqcastError
from seqcast.runtime import require

LOGGER = logging.getLogger("seqcast.serve")
LOGGER.addHandler(logging.NullHandler())
LOGGER.propagate = False

_LONGEST_TEXT = 200
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counters of a server, in a registry of their own.

    Args:
        waiting: Returns the number of queries that wait.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        client: Any = require("prometheus_client", extra="serve")
        self._client, self._registry = client, client.CollectorRegistry()
        own = {"registry": self._registry}
        self.requests = client.Counter(
            "seqcast_requests", "Requests by route and status", ("route", "status"), **own
        )
        self.seconds = client.Histogram(
            "seqcast_request_seconds", "Time of a request", ("route",), **own
        )
        self.in_flight = client.Gauge(
            "seqcast_requests_in_flight", "Requests being answered", **own
        )
        self.batch = client.Histogram(
            "seqcast_batch_size", "Requests forecast in one call", buckets=_SIZES, **own
        )
        self.loads = client.Counter(
            "seqcast_model_loads", "Model files read", ("model", "outcome"), **own
        )
        self.rows = client.Counter("seqcast_rows", "Rows received", ("model",), **own)
        client.Gauge("seqcast_queue_length", "Requests that wait", **own).set_function(waiting)

    def text(self) -> tuple[bytes, str]:
        """Return all metrics as Prometheus reads them, and their media type."""
        return bytes(self._client.generate_latest(self._registry)), str(
            self._client.CONTENT_TYPE_LATEST
        )


def log_event(event: str, **fields: Any) -> None:
    """Write a line of the log.

    Args:
        event: Kind of the event: `request`, `model`, `ready`, `start`, `stop`.
        fields: JSON types; those that are `None` are left out.
    """
    LOGGER.info(event, extra={"fields": fields})


def describe_error(error: BaseException) -> str:
    """Return the message of an error of seqcast, or the type and place of any other error.

    Messages of other packages may contain values of the user's data.

    Args:
        error: The error.

    Example:
        >>> describe_error(ValueError("secret"))
        'ValueError'
    """
    if isinstance(error, SeqcastError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    return type(error).__name__ + (
        f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    )


class _JsonLines(logging.Formatter):
    """Writes records as JSON; those of other libraries without the arguments of their messages."""

    def format(self, record: logging.LogRecord) -> str:
        event = "log"
        fields = getattr(record, "fields", None)
        if fields is not None:
            event = record.msg
        elif record.name == "py.warnings":  # "file:line: category: text"
            event = "warning"
            fields = {"error": ":".join(record.getMessage().split(":")[:3])}
        else:
            text = (
                record.msg.partition("\n")[0][:_LONGEST_TEXT]
                if isinstance(record.msg, str)
                else None
            )
            error = (
                describe_error(record.exc_info[1])
                if record.exc_info and record.exc_info[1]
                else None
            )
            fields = {
                "level": record.levelname,
                "logger": record.name,
                "text": text,
                "error": error,
            }
        now = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(
            timespec="milliseconds"
        )
        given = {name: value for name, value in fields.items() if value is not None}
        return json.dumps({"time": now, "event": event, **given}, separators=(",", ":"))


@contextlib.contextmanager
def logging_everything(stream: Any = None) -> Iterator[None]:
    """Log the records, warnings and lost errors of all libraries in this process.

    Args:
        stream: A text stream; standard error if `None`.
    """
    root = logging.getLogger()
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(_JsonLines())
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    hooks = (sys.unraisablehook, threading.excepthook)
    others = root.handlers[:]
    root.handlers[:] = [handler]
    sys.unraisablehook = threading.excepthook = _log_lost
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = others
        sys.unraisablehook, threading.excepthook = hooks
        LOGGER.removeHandler(handler)


def _log_lost(lost: Any) -> None:
    log_event("lost", error=describe_error(lost.exc_value))
