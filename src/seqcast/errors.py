"""What can go wrong, as one tree of exceptions.

```
SeqcastError
├── SpecError                 (ValueError)        an option: unknown name, impossible value or combination
├── DataError                 (ValueError)        arrays or frames: NaN, shape, stamps, lengths
│   └── DataTypeError         (TypeError)         arrays or frames: values that are no numbers at all
├── NotFittedError            (scikit-learn's)    a result was asked for before `fit`
├── FileFormatError           (ValueError)        a file is damaged, foreign or written by a newer version
├── MissingFileError          (FileNotFoundError) a file to read is not there
├── TrainingError             (ArithmeticError)   training diverged
├── SaveError                 (OSError)           a file could not be written; what was there before is intact
└── MissingPackageError       (ImportError)       an optional package is not installed
```

Every message says where (argument, or column and row), what was expected, what came, and how to mend it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

__all__ = [
    "DataError",
    "DataTypeError",
    "FileFormatError",
    "MissingFileError",
    "MissingPackageError",
    "NotFittedError",
    "SaveError",
    "SeqcastError",
    "SpecError",
    "TrainingError",
    "unknown_name",
]


class SeqcastError(Exception):
    """Base of all errors that seqcast raises on purpose.

    Args:
        where: The argument, or the column and row, that is at fault.
        expected: What was expected there.
        received: What came instead.
        hint: What to do about it.

    Example:
        >>> print(DataError("X, row 3", expected="finite numbers", received="nan", hint="Drop the row."))
        X, row 3: expected finite numbers, received nan. Drop the row.
    """

    def __init__(self, where: str, *, expected: str = "", received: str = "", hint: str = "") -> None:
        self.where = where
        self.expected = expected
        self.received = received
        self.hint = hint
        middle = ", ".join(f"{verb} {text}" for verb, text in (("expected", expected), ("received", received)) if text)
        message = f"{where}: {middle}" if middle else where
        super().__init__(f"{message}. {hint}".rstrip() if middle or hint else message)

    def __reduce__(self) -> tuple[Any, ...]:
        # Workers hand their exceptions back pickled, and keyword arguments are lost on that way.
        # What was attached since (a history, notes) travels as the state.
        return _rebuild, (type(self), self.where, self.expected, self.received, self.hint), self.__dict__


class SpecError(SeqcastError, ValueError):
    """An option has an unknown name, an impossible value, or does not go with another option."""


class DataError(SeqcastError, ValueError):
    """Arrays or frames cannot be used as they are."""


class DataTypeError(DataError, TypeError):
    """Arrays or frames hold things that are not numbers."""


class FileFormatError(SeqcastError, ValueError):
    """A file is damaged, is not one of ours, or was written by a newer version."""


class MissingFileError(SeqcastError, FileNotFoundError):
    """A file that should be read does not exist."""

    def __str__(self) -> str:
        # OSError would print its arguments its own way.
        return str(self.args[0])


class TrainingError(SeqcastError, ArithmeticError):
    """Training diverged; the best weights so far are kept."""


class SaveError(SeqcastError, OSError):
    """A file could not be written; nothing half-written is left and an older file is intact."""

    def __str__(self) -> str:
        # OSError would print its arguments its own way.
        return str(self.args[0])


class MissingPackageError(SeqcastError, ImportError):
    """An optional package is needed for this and is not installed."""


def _rebuild(cls: type[SeqcastError], where: str, expected: str, received: str, hint: str) -> SeqcastError:
    return cls(where, expected=expected, received=received, hint=hint)


def unknown_name(where: str, name: object, known: Iterable[str]) -> SpecError:
    """Build the error for a name that is not in a list, with the nearest one as a suggestion.

    Args:
        where: The argument's name.
        name: What the user wrote.
        known: The names that exist.

    Returns:
        The error, to be raised.

    Example:
        >>> print(unknown_name("cell", "grru", ["gru", "lstm"]))
        cell: expected one of 'gru', 'lstm', received 'grru'. Did you mean 'gru'?
    """
    names = [str(item) for item in known]
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    return SpecError(
        where,
        expected="one of " + ", ".join(repr(item) for item in names),
        received=repr(name),
        hint=f"Did you mean {close[0]!r}?" if close else "Choose one of them.",
    )


if TYPE_CHECKING:

    class NotFittedError(SeqcastError, ValueError, AttributeError):
        """A result was asked for before `fit`."""


def __getattr__(name: str) -> Any:
    # It has to be scikit-learn's too, and scikit-learn takes most of a second to import.
    if name == "NotFittedError":
        from sklearn.exceptions import NotFittedError as SklearnNotFittedError

        cls = type(
            "NotFittedError",
            (SeqcastError, SklearnNotFittedError),
            {"__doc__": "A result was asked for before `fit`.", "__module__": __name__},
        )
        globals()[name] = cls
        return cls
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
