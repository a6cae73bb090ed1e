"""Forecasts of queries, several of one shape in one call, and their answers as JSON or CSV."""

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqcast.forecaster import Forecaster
from seqcast.runtime import CompilationNeededError, filtering_warnings
from seqcast.serve.forecast_requests import Query
from seqcast.serve.problems import RequestError, shown
from seqcast.serve.request_bodies import CSV, JSON, Table

# Rows of a piece of an answer: about half a megabyte.
_PIECE_ROWS = 2000


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer of one query: some rows of the table of a call, which may answer several queries.

    Args:
        table: A pandas frame.
        columns: All columns as lists of JSON types.
        facts: Fields of a JSON document besides its rows.
        start: The first row.
        stop: The row after the last one.
    """

    table: Any
    columns: dict[str, list[Any]]
    facts: dict[str, Any]
    start: int
    stop: int

    def pieces(self, media_type: str) -> Iterator[bytes]:
        """Yield the answer as bytes, some rows at a time.

        The whole text would take as much memory again.

        Args:
            media_type: JSON or CSV.
        """
        bounds = [*range(self.start, self.stop, _PIECE_ROWS), self.stop]
        spans = itertools.pairwise(bounds)
        yield from self._csv(spans) if media_type == CSV else self._json(spans)

    def _csv(self, spans: Iterable[tuple[int, int]]) -> Iterator[bytes]:
        for start, stop in spans:
            text = self.table.iloc[start:stop].to_csv(index=False, header=start == self.start)
            yield text.encode("utf-8", "replace")

    def _json(self, spans: Iterable[tuple[int, int]]) -> Iterator[bytes]:
        # The facts without their closing brace, the list of rows, and the brace.
        head = _compact(self.facts).removesuffix("}")
        separator = head + ("," if self.facts else "") + '"rows":['
        for start, stop in spans:
            cells = zip(*(column[start:stop] for column in self.columns.values()), strict=True)
            rows = [dict(zip(self.columns, row, strict=True)) for row in cells]
            yield (separator + _compact(rows)[1:-1]).encode()
            separator = ","
        yield b"]}"


def _compact(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


Outcome = Answer | BaseException


def choose_media_type(accept: str | None) -> str:
    """Return the format of an answer: the first that a client names and the server has.

    Args:
        accept: The header `Accept`; `None` and `*/*` are JSON.

    Raises:
        RequestError: The server has none of them.

    Example:
        >>> choose_media_type(None), choose_media_type("image/png, text/*;q=0.5")
        ('application/json', 'text/csv')
    """
    for entry in (accept or JSON).split(","):
        kind = entry.partition(";")[0].strip().lower()
        for offered in (JSON, CSV):
            if kind in (offered, "*/*", f"{offered.partition('/')[0]}/*"):
                return offered
    raise RequestError(406, "Accept", f"{JSON} or {CSV}", shown(accept), "Leave it out for JSON.")


def answer_all(queries: Sequence[Query]) -> list[Outcome]:
    """Forecast queries of one shape; a query at fault gets its own error, the others their answers.

    Args:
        queries: The queries; one whose shape is `None` stands alone.

    Returns:
        The answer or the error of each.

    Raises:
        CompilationNeededError: They need a program that is not compiled yet, within
            `compiling_nothing`.
    """
    with filtering_warnings("ignore"):  # about the rows of clients
        try:
            if len(queries) == 1:
                return [_alone(queries[0])]
            return list(_together(queries, queries[0].model))
        except CompilationNeededError:  # no query is at fault
            raise
        except Exception as error:
            if len(queries) == 1:
                return [error]
            # Halves find the query at fault in a few calls.
            middle = len(queries) // 2
            return [*answer_all(queries[:middle]), *answer_all(queries[middle:])]


def _together(queries: Sequence[Query], model: Any) -> list[Answer]:
    """Forecast in one call."""
    first = queries[0]
    future = None
    future_owners = None
    frame, owners = Table.joined(
        [table for query in queries if (table := query.rows or query.series)]
    )
    if first.future is not None:
        future, future_owners = Table.joined(
            [query.future for query in queries if query.future is not None]
        )
    table, owners = model.fitted.for_owners(
        frame,
        owners,
        remembered=first.rows is None,
        horizon=first.horizon,
        level=first.level,
        future=future,
        future_owners=future_owners,
    )
    return _answers(
        table, model.version, np.searchsorted(owners, np.arange(len(queries) + 1)).tolist()
    )


def _alone(query: Query) -> Answer:
    frame, future = (table and Table.joined([table])[0] for table in (query.rows, query.future))
    if query.model is None:
        options: dict[str, Any] = {
            "preset": "pretrained",
            "random_state": 0,
            "verbose": 0,
            **query.network,
        }
        forecaster = Forecaster(query.steps, **options).fit(frame)
        table = forecaster.predict()
        facts = {"model": query.name, "frequency": forecaster.freq_}
        facts |= {"read": query.read} if query.read else {}
        facts["season_length"] = forecaster.season_length_
    else:
        fitted = query.model.fitted
        if query.series is not None:
            fitted = fitted.of_series(query.series.columns[query.model.needed.unique_id].tolist())
        rows = fitted.rows_to_forecast(frame)
        request = fitted.request(query.level)
        table = fitted.forecast(rows, request, horizon=query.horizon, future=future)
        facts = query.model.version
    return _answers(table, facts, [0, len(table)])[0]


def _answers(table: Any, facts: dict[str, Any], bounds: Sequence[int]) -> list[Answer]:
    """Return the answers that a table holds, one between each two bounds."""
    columns = {str(name): _as_json(table[name]) for name in table.columns}
    return [
        Answer(table, columns, facts, start, stop) for start, stop in itertools.pairwise(bounds)
    ]


def _as_json(column: Any) -> list[Any]:
    """Return a column as JSON types: times in ISO 8601, missing and infinite numbers as `None`."""
    kind = column.dtype.kind
    if kind == "M":
        if getattr(column.dtype, "tz", None) is not None:
            return [value.isoformat() for value in column]
        stamps: Any = column.to_numpy()
        is_whole = bool((stamps == stamps.astype("datetime64[s]")).all())
        return list(np.datetime_as_string(stamps, unit="s" if is_whole else "us").tolist())
    values: list[Any] = column.tolist()
    if kind == "f" and not np.isfinite(column.to_numpy()).all():
        return [value if np.isfinite(value) else None for value in values]
    return (
        [value.isoformat() if hasattr(value, "isoformat") else value for value in values]
        if kind == "O"
        else values
    )
