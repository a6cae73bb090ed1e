"""Phrases of messages, whose options and rows another speaker words its own way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Self


@dataclass(frozen=True)
class Option:
    """An option that a phrase mentions, or that answers an ambiguity.

    Args:
        name: The argument's name; `columns.y` is the field `y` of the argument `columns`.
        value: The value to give it; `None` only names the option, and `...` leaves the value to the
            reader.
        code: A line of Python that does the same where there is no such argument.

    Example:
        >>> print(Option("missing", "fill"), Option("freq"), Option("columns.y", ...))
        missing='fill' freq columns=Columns(y=...)
    """

    name: str
    value: object = None
    code: str = ""

    def __str__(self) -> str:
        if self.code:
            return self.code
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
    """A piece of a message with its options and rows as fields; the string is worded for Python.

    Args:
        fragments: Text, options and rows, one after the other. A phrase among them gives its own.

    Example:
        >>> phrase = Phrase("Fill it in, or take ", Option("missing", "fill"), ".")
        >>> phrase
        "Fill it in, or take missing='fill'."
        >>> phrase.worded(lambda fragment: f"--{fragment.name} {fragment.value}")
        'Fill it in, or take --missing fill.'
        >>> Phrase(phrase, " Or drop ", Row(3), ".").fragments
        ('Fill it in, or take ', Option(name='missing', value='fill', code=''), '.', ' Or drop ',
         Row(number=3), '.')
    """

    __slots__ = ("fragments",)

    fragments: tuple[str | Option | Row, ...]

    def __new__(cls, *fragments: str | Option | Row) -> Self:
        """Join the fragments, in Python's words."""
        parts = (each.fragments if isinstance(each, Phrase) else (each,) for each in fragments)
        phrase = super().__new__(cls, "".join(map(str, fragments)))
        phrase.fragments = tuple(chain.from_iterable(parts))
        return phrase

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), *self.fragments), ()

    def worded(self, word: Callable[[Option | Row], str]) -> str:
        """Return the phrase with its options and rows in other words.

        Args:
            word: Returns the words for an option or a row.
        """
        return "".join(
            fragment if isinstance(fragment, str) else word(fragment) for fragment in self.fragments
        )

    def with_rows(self, name: Callable[[Row], str | Row]) -> Phrase:
        """Return the phrase with its rows named otherwise.

        Args:
            name: Returns the new name of a row.

        Example:
            >>> Phrase("as in ", Row(3)).with_rows(lambda row: Row(row.number + 1))
            'as in row 4'
        """
        return Phrase(
            *(
                name(fragment) if isinstance(fragment, Row) else fragment
                for fragment in self.fragments
            )
        )
