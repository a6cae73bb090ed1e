"""Lines of progress and results through Python's logging, and warnings."""

import contextlib
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqcast.errors import SaveError, SeqcastWarning

LOGGER = logging.getLogger("seqcast")
LOGGER.addHandler(logging.NullHandler())


class _Printing(logging.Handler):
    """Prints lines as they are: results to standard output, progress to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        if getattr(record, "is_result", False):
            with writing_out():
                print(self.format(record), flush=True)
        else:
            # A full disk under the log of a training ends no training.
            with contextlib.suppress(OSError):
                print(self.format(record), file=sys.stderr, flush=True)


_PRINTING = _Printing()


@contextlib.contextmanager
def writing_out() -> Iterator[None]:
    """Write results to standard output in a block, and raise our own error where there is no room.

    Raises:
        SaveError: Standard output takes nothing more, for example on a full disk.
        BrokenPipeError: The reader has seen enough.
    """
    try:
        yield
        if sys.stdout is not None:  # a program without a console has none
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # Python would write the rest when it ends, and fail again.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SaveError(
            "standard output",
            expected="room for the result",
            received=str(error.strerror),
            hint="Free some, or write to another place, as with -o FILE.",
        ) from error


def say(line: str, *, is_result: bool = False) -> None:
    """Log a line as `INFO` of the logger `seqcast`; where no handler is configured, print it.

    Args:
        line: The line.
        is_result: Whether it is a result, which is printed to standard output; progress goes to
            standard error.

    Example:
        >>> say("seqcast: 3 series", is_result=True)
        seqcast: 3 series
    """
    own = [
        each for each in LOGGER.handlers if not isinstance(each, logging.NullHandler | _Printing)
    ]
    if own or logging.getLogger().handlers:
        LOGGER.removeHandler(_PRINTING)
    else:
        LOGGER.addHandler(_PRINTING)
    if LOGGER.level == logging.NOTSET:
        LOGGER.setLevel(logging.INFO)
    LOGGER.info(line, extra={"is_result": is_result})


@dataclass(frozen=True)
class _InContext:
    """The text of an entry in `warnings.filters`, which matches only while its block is running.

    Python reads it by its method `match` alone; scikit-learn hands its `pattern` on to other
    threads.
    """

    action: Literal["ignore", "error"]
    category: type[Warning]
    containing: str

    def match(self, text: str) -> bool:
        """Tell whether the innermost running block about this category and text is the entry's."""
        about = (
            each
            for each in reversed(_running.get())
            if each.category is self.category and each.containing in text
        )
        return next(about, None) == self

    @property
    def pattern(self) -> str:
        """A regular expression for the texts that are matched in this context."""
        return f"(?s:.*{re.escape(self.containing)})" if self in _running.get() else "(?!)"


class _Unused(Warning):
    """A category of no warning."""


# The entries whose blocks are running, the innermost last.
_running: ContextVar[tuple[_InContext, ...]] = ContextVar("warning filters", default=())


@contextlib.contextmanager
def filtering_warnings(
    action: Literal["ignore", "error"], category: type[Warning] = Warning, containing: str = ""
) -> Iterator[None]:
    """Ignore warnings in a block, or raise them, in this thread alone.

    `warnings.catch_warnings` replaces the filters of the whole process and restores them at its
    end, so of two threads the one that ends last restores the filters of the other, for good. Here
    an entry is added once, and looks whether its block is running in the thread that warns. Of
    nested blocks about one category the innermost decides.

    Args:
        action: `ignore` or `error`.
        category: The category of the warnings.
        containing: A piece of their text.

    Example:
        >>> with filtering_warnings("ignore", UserWarning):
        ...     warnings.warn("nobody sees this")
    """
    entry = _InContext(action, category, containing)
    added: object = (action, entry, category, None, 0)
    if added not in warnings.filters:
        warnings.filters.insert(0, added)  # type: ignore[attr-defined]
        # Python forgets which warnings it has shown when the filters change, which it does not see
        # here.
        warnings.simplefilter("ignore", _Unused)

    token = _running.set((*_running.get(), entry))
    try:
        yield
    finally:
        _running.reset(token)


_PACKAGE = str(Path(__file__).parents[1])


def warn_user(message: str, category: type[SeqcastWarning] = SeqcastWarning) -> None:
    """Warn with the place in the user's own code rather than in ours.

    Args:
        message: The text.
        category: Kind of warning.
    """
    depth = 1
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        depth += 1
        frame = frame.f_back
    warnings.warn(message, category, stacklevel=depth)
