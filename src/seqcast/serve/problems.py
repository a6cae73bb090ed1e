"""Errors as answers: a status, and a problem document (RFC 9457) with the fields of the error."""

from __future__ import annotations

import http
import reprlib
from typing import Any

from seqcast.errors import DataError, Option, Phrase, Row, SeqcastError, SpecError, compose_message, compose_place

MEDIA_TYPE = "application/problem+json"

# Letters of a value that a message shows.
_MOST_SHOWN = 80

# What a client calls the arguments of `Forecaster.predict`.
_NAMES = {"df": "rows"}

# What to do, for those who send a body, where Python's words are about code.
_REMEDIES = {
    "convert": "Send the column with another type.",
    "correct": "Send a number, or null where there is none.",
    "deduplicate": "Keep one of the two rows, or add them up.",
    "fill": "Send every step; null is a value that is missing.",
    "sort": "Send the rows of a series in the order of their times.",
}


def json_kind(value: Any) -> str:
    """Return what JSON calls the kind of a value.

    Example:
        >>> json_kind([1]), json_kind(1.5)
        ('a list', 'a number')
    """
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def shown(value: Any) -> str:
    """Return a JSON value as a message shows it: in a line, however long it is.

    Example:
        >>> shown([80, "x"]), shown({"a": 1}), len(shown("a" * 100_000))
        ("[80, 'x']", 'an object', 80)
    """
    if isinstance(value, dict | None):
        return json_kind(value)
    text = (
        reprlib.repr(value)
        if isinstance(value, list)
        else repr(value[:_MOST_SHOWN] if isinstance(value, str) else value)
    )
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"


class RequestError(SeqcastError):
    """A request cannot be answered.

    Args:
        status: The status of the answer.
        where: What is at fault.
        expected: What was expected there.
        received: What came instead.
        hint: What to do about it.
        retry_after: Seconds after which to come again.
    """

    def __init__(
        self,
        status: int,
        where: str,
        *,
        expected: str = "",
        received: str = "",
        hint: str = "",
        retry_after: int | None = None,
    ) -> None:
        super().__init__(where, expected=expected, received=received, hint=hint)
        self.status = status
        self.retry_after = retry_after


def too_many(most: int, retry_after: int) -> RequestError:
    """Build the error for a request that finds no place.

    Args:
        most: How many there are.
        retry_after: Seconds after which to come again.
    """
    return RequestError(
        429,
        "queue",
        expected=f"at most {most} requests that wait",
        received="another one",
        hint=f"Come again in {retry_after} s.",
        retry_after=retry_after,
    )


def problem_of(error: BaseException) -> tuple[int, dict[str, Any]]:
    """Return the status and the document of an error; of one that is not ours, nothing but that there was one.

    Example:
        >>> status, document = problem_of(DataError(column="y", row=3, series="a", expected="a number", received="x"))
        >>> status, document["detail"], document["row"]
        (422, "y, row 3 (series 'a'): expected a number, received x.", 3)
        >>> problem_of(KeyError("secret"))[1]
        {'type': 'about:blank', 'title': 'Internal Server Error', 'status': 500, 'error': 'InternalError', 'detail': ''}
    """
    if isinstance(error, RequestError):
        status = error.status
    elif isinstance(error, DataError | SpecError):
        status = 422
    else:
        return 500, _document(500, "InternalError", "")
    option: Any = getattr(error, "option", None)
    option = _NAMES.get(option, option)
    parts = {name: _reworded(getattr(error, name)) for name in ("expected", "received", "hint")}
    places: dict[str, Any] = {}
    if isinstance(error, DataError):
        series = error.series if error.series is None or isinstance(error.series, int) else str(error.series)
        places = {"option": option, "column": error.column, "row": error.row, "series": series}
        composed = compose_place(option=option, column=error.column, row=error.row, series=error.series)
        where = composed if composed else _NAMES.get(error.where, error.where)
        if not composed and where.isidentifier():
            places["option"] = where
    else:
        where = error.where
        places = {"option": where} if isinstance(error, SpecError) else {}
    document = _document(status, type(error).__name__, compose_message(where, **parts))
    given = {**places, **parts}
    return status, {**document, **{name: value for name, value in given.items() if value not in (None, "")}}


def _document(status: int, error: str, detail: str) -> dict[str, Any]:
    title = http.HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "error": error, "detail": detail}


def _reworded(text: str) -> str:
    if not isinstance(text, Phrase):
        return str(text)
    return _REMEDIES.get(text.remedy) or text.worded(_word)


def _word(part: Option | Row) -> str:
    if isinstance(part, Row):
        return str(part)
    return f"{part} (an option of the model's fit)" if part.value is not None else part.name
