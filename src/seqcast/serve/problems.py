"""Errors as answers: a status, and a problem document (RFC 9457) with the fields of the error."""

import http
import json
import reprlib
from typing import Any

from seqcast.errors import (
    DataError,
    Fix,
    Option,
    Phrase,
    Row,
    SeqcastError,
    SpecError,
    compose_message,
    compose_place,
)

MEDIA_TYPE = "application/problem+json"

# A client's names of the arguments of `Forecaster.predict`.
_NAMES: dict[str | None, str] = {"df": "rows"}

# Hints for clients, who send a body, in place of those about code.
_HINTS: dict[Fix | None, str] = {
    Fix.CONVERT: "Send the column with another type.",
    Fix.CORRECT: "Send a number, or null where there is none.",
    Fix.DEDUPLICATE: "Keep one of the two rows, or add them up.",
    Fix.FILL: "Send every step; null is a value that is missing.",
    Fix.SORT: "Send the rows of a series in the order of their times.",
}

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 80


def shown(value: Any) -> str:
    """Return a value as a message shows it: in one short line.

    Args:
        value: Any JSON type.

    Example:
        >>> shown([80, "x"]), shown({"a": 1}), len(shown("a" * 100_000))
        ("[80, 'x']", "{'a': 1}", 80)
    """
    return _SHORT.repr(value)


class RequestError(SeqcastError):
    """A request cannot be answered.

    Args:
        status: The status of the answer; 422 for an option.
        where: The option or header that is at fault.
        expected: The value that was expected.
        received: The value that came instead.
        hint: How to fix it.
        headers: Headers of the answer.
    """

    def __init__(
        self,
        status: int,
        where: str,
        expected: str,
        received: str,
        hint: str = "",
        **headers: str | int,
    ) -> None:
        super().__init__(where, expected=expected, received=received, hint=hint)
        self.status = status
        self.headers = {name.replace("_", "-"): str(value) for name, value in headers.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process that reads a body returns its errors pickled.
        return (
            type(self),
            (self.status, self.where, self.expected, self.received, self.hint),
            self.__dict__,
        )


def problem_of(error: BaseException) -> tuple[int, dict[str, Any]]:
    """Return the status and the document of an error; an error of another library is not described.

    Args:
        error: The error.

    Example:
        >>> error = DataError(column="y", row=3, series="a", expected="a number", received="x")
        >>> status, document = problem_of(error)
        >>> status, document["detail"], document["row"]
        (422, "y, row 3 (series 'a'): expected a number, received x.", 3)
        >>> problem_of(KeyError("secret"))[1]
        {'type': 'about:blank', 'title': 'Internal Server Error', 'status': 500,
         'error': 'InternalError', 'detail': ''}
    """
    status = 500
    name = "InternalError"
    detail = ""
    fields = dict[str, Any]()
    if isinstance(error, RequestError | DataError | SpecError):
        status = getattr(error, "status", 422)
        name = type(error).__name__
        (where, fields) = _place_of(error)
        texts = {
            field: _reworded(getattr(error, field)) for field in ("expected", "received", "hint")
        }
        texts["hint"] = _HINTS.get(getattr(error, "fix", None), texts["hint"])
        fields = fields | texts
        detail = compose_message(where, **texts)
    title = http.HTTPStatus(status).phrase
    document = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "error": name,
        "detail": detail,
    }
    return status, document | {
        name: value for name, value in fields.items() if value not in (None, "")
    }


def problem_response(error: BaseException, request_id: str | None = None) -> Any:
    """Return the answer to a request that failed: a problem document.

    Args:
        error: The error.
        request_id: The name of the request.
    """
    from starlette.responses import Response

    status, document = problem_of(error)
    if request_id is not None:
        document["request_id"] = request_id
    return Response(json.dumps(document), status, getattr(error, "headers", None), MEDIA_TYPE)


def _place_of(error: SeqcastError) -> tuple[str, dict[str, Any]]:
    """Return the place of an error in words, and as fields of a document."""
    where = _NAMES.get(error.where, error.where)
    if not isinstance(error, DataError):
        return where, {"option": where} if getattr(error, "status", 422) == 422 else {}
    option = _NAMES.get(error.option, error.option)
    composed = compose_place(option=option, column=error.column, row=error.row, series=error.series)
    if not composed and where.isidentifier():
        option = where
    series = error.series if isinstance(error.series, int | None) else str(error.series)
    return composed or where, {
        "option": option,
        "column": error.column,
        "row": error.row,
        "series": series,
    }


def _reworded(text: str) -> str:
    return text.worded(_word) if isinstance(text, Phrase) else text


def _word(mention: Option | Row) -> str:
    if isinstance(mention, Row):
        return str(mention)
    if mention.name.startswith("columns."):  # a request has the usual names
        return mention.name.removeprefix("columns.")
    return (
        f"{mention} (an option of the model's fit)" if mention.value is not None else mention.name
    )
