"""Pieces of messages that remember which options and rows they mention, so that each speaker words them its own way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Option:
    """An option that a phrase mentions.

    Args:
        name: The argument's name; `columns.y` is the field `y` of the argument `columns`.
        value: The value to give it; `None` only names the option, and `...` leaves the value to the reader.

    Example:
        >>> print(Option("missing", "fill"), Option("freq"), Option("columns.y", ...))
        missing='fill' freq columns=Columns(y=...)
    """

    name: str
    value: object = None

    def __str__(self) -> str:
        owner, _, field = self.name.rpartition(".")
        value = "..." if self.value is ... else repr(self.value)
        text = field if self.value is None else f"{field}={value}"
        return f"{owner}={owner.capitalize()}({text})" if owner else text


@dataclass(frozen=True)
class Row:
    """A row that a phrase mentions.

    Args:
        number: The row's number, from 0, in the frame's own order.

    Example:
        >>> print(Row(3))
        row 3
    """

    number: int

    def __str__(self) -> str:
        return f"row {self.number}"


class Phrase(str):
    """A piece of a message that remembers which options and rows it mentions; as a string it speaks of Python.

    Args:
        parts: Text, options and rows, one after the other.
        remedy: What the reader should do, as one word, where another speaker has a sentence of its own for it.

    Example:
        >>> phrase = Phrase("Fill it in, or take ", Option("missing", "fill"), ".")
        >>> phrase
        "Fill it in, or take missing='fill'."
        >>> phrase.worded(lambda part: f"--{part.name} {part.value}")
        'Fill it in, or take --missing fill.'
    """

    __slots__ = ("parts", "remedy")

    parts: tuple[str | Option | Row, ...]
    remedy: str

    def __new__(cls, *parts: str | Option | Row, remedy: str = "") -> Self:
        """Join the parts, in Python's words."""
        phrase = super().__new__(cls, "".join(map(str, parts)))
        phrase.parts, phrase.remedy = parts, remedy
        return phrase

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_phrase, (self.parts, self.remedy)

    def worded(self, word: Callable[[Option | Row], str]) -> str:
        """Return the phrase with its options and rows in other words.

        Args:
            word: Returns the words for an option or a row.
        """
        return "".join(part if isinstance(part, str) else word(part) for part in self.parts)

    def with_rows(self, name: Callable[[Row], str | Row]) -> Phrase:
        """Return the phrase with its rows named otherwise.

        Args:
            name: Returns what a row becomes.

        Example:
            >>> Phrase("as in ", Row(3)).with_rows(lambda row: Row(row.number + 1))
            'as in row 4'
        """
        return Phrase(*(name(part) if isinstance(part, Row) else part for part in self.parts), remedy=self.remedy)


def _rebuild_phrase(parts: tuple[str | Option | Row, ...], remedy: str) -> Phrase:
    return Phrase(*parts, remedy=remedy)
