"""One line of JSON for each request: what was asked for and how it ended, never values, ids of series or keys."""

from __future__ import annotations

import datetime
import json
import logging
import sys
from typing import Any

__all__ = ["LOGGER", "log_event", "write_to"]

LOGGER = logging.getLogger("seqcast.serve")
LOGGER.addHandler(logging.NullHandler())
LOGGER.propagate = False


def write_to(stream: Any = None) -> logging.Handler:
    """Write lines to a stream from now on.

    Args:
        stream: A text stream; standard error if `None`.

    Returns:
        The handler, to be removed by `LOGGER.removeHandler`.
    """
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    return handler


def log_event(event: str, **fields: Any) -> None:
    """Write a line.

    Args:
        event: What happened: `request`, `model`, `ready`, `start`, `stop`.
        fields: JSON types; those that are `None` are left out.
    """
    if not LOGGER.isEnabledFor(logging.INFO):
        return
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    told = {name: value for name, value in fields.items() if value is not None}
    LOGGER.info(json.dumps({"time": now, "event": event, **told}, separators=(",", ":")))
