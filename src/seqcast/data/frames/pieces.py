"""Pieces of a source: some whole series at a time, whose rows have to lie together."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.places import Span, place_in_file
from seqcast.data.frames.sources import TableSource
from seqcast.errors import DataError, SpecError, compose_place
from seqcast.runtime import require


@dataclass(frozen=True)
class Piece:
    """Rows of some whole series.

    Args:
        table: The rows, an Arrow table.
        spans: Where they are from, in their order.
    """

    table: Any
    spans: tuple[Span, ...]


def pieces(
    source: TableSource, columns: Sequence[str], keys: tuple[str, str], rows: int, most_rows: int
) -> Iterator[Piece]:
    """Yield the rows of a source, some whole series at a time.

    Args:
        source: The source.
        columns: The columns that are read.
        keys: The columns of ids and of times; where the source has no ids, its rows are one series.
        rows: About how many rows a piece has, where series are shorter.
        most_rows: Most rows of a series.

    Raises:
        DataError: The rows of a series lie apart, or a series has too many rows.
    """
    pyarrow: Any = require("pyarrow", extra="parquet")
    id_column, _ = keys
    named = id_column in source.columns
    seen = _SeenIds()
    batches: list[Any] = []
    spans: list[Span] = []
    counts: dict[str | None, int] = {}
    waiting = 0
    for path, batch in source.read(list(columns)):
        first = counts.get(path, 0)
        counts[path] = first + batch.num_rows
        batches.append(batch)
        spans.append(Span(path, first, batch.num_rows))
        waiting += batch.num_rows
        if waiting < rows:
            continue
        table = pyarrow.Table.from_batches(batches)
        changes = _changes(table.column(id_column)) if named else []
        if len(changes):
            *begins, whole = [0, *changes]
            ready, spans = _divided(spans, whole)
            _remember(table.column(id_column), begins, ready, seen, keys=keys, source=source)
            yield Piece(table.slice(0, whole).combine_chunks(), tuple(ready))
            # A copy, so that what was handed out can be freed.
            batches = _copied(table.slice(whole))
            waiting -= whole
        if waiting > most_rows:
            raise SpecError(
                "memory_limit",
                expected=f"room for the longest series; it has room for {most_rows:,} rows of one",
                received=f"a series of {waiting:,} rows and more",
                hint="Choose a larger memory_limit.",
            )
    if not batches:
        raise DataError(option="df", expected="at least one row", received=f"none in {source.name}", hint="Give some.")
    table = pyarrow.Table.from_batches(batches)
    if named:
        ids = table.column(id_column)
        _remember(ids, [0, *_changes(ids)], spans, seen, keys=keys, source=source)
    yield Piece(table, tuple(spans))


def _copied(table: Any) -> list[Any]:
    pyarrow: Any = require("pyarrow", extra="parquet")
    rows = pyarrow.array(range(table.num_rows), type=pyarrow.int64())
    return list(table.take(rows).combine_chunks().to_batches())


def _changes(ids: Any) -> list[int]:
    """Return at which rows another series begins than in the row before."""
    pyarrow: Any = require("pyarrow", extra="parquet")
    compute: Any = require("pyarrow.compute", extra="parquet")
    whole = ids.combine_chunks() if isinstance(ids, pyarrow.ChunkedArray) else ids
    if pyarrow.types.is_dictionary(whole.type):
        whole = whole.dictionary_decode()
    if len(whole) < 2:
        return []
    differs = compute.not_equal(whole.slice(1), whole.slice(0, len(whole) - 1))
    # A missing id is refused by the reader of frames.
    changes: list[int] = (np.flatnonzero(np.asarray(compute.fill_null(differs, True))) + 1).tolist()
    return changes


def _divided(spans: Sequence[Span], rows: int) -> tuple[list[Span], list[Span]]:
    """Return the spans of the first rows, and those of the others."""
    first, rest = [], []
    for span in spans:
        taken = min(rows, span.rows)
        rows -= taken
        if taken:
            first.append(Span(span.path, span.first, taken))
        if taken < span.rows:
            rest.append(Span(span.path, span.first + taken, span.rows - taken))
    return first, rest


def _remember(
    ids: Any,
    begins: Sequence[int],
    spans: Sequence[Span],
    seen: _SeenIds,
    keys: tuple[str, str],
    source: TableSource,
) -> None:
    """Add the series of a piece to those that were seen.

    Args:
        ids: Ids of its rows, and perhaps of others after them.
        begins: The row at which each series begins.
        spans: Where its rows are from.
        seen: The series that were seen.
        keys: As for `pieces`.
        source: As for `pieces`.

    Raises:
        DataError: One of them was seen before.
    """
    names = ids.take(begins).to_pylist()
    again = seen.add(names)
    if again is not None:
        (*_, last), _ = _divided(spans, begins[again] + 1)
        raise _apart(source, keys, names[again], last.path, last.first + last.rows - 1)


class _SeenIds:
    """The ids of series that were read, in eight bytes each: their hashes.

    Ids that ascend are new without a look at the hashes, of which two may be the same by chance.
    """

    def __init__(self) -> None:
        # An array a piece: one that grows would be copied again and again, and leave holes in the memory.
        self._hashes: list[npt.NDArray[np.uint64]] = []
        self._largest: Any = None

    def add(self, names: Sequence[Any]) -> int | None:
        """Add ids; return the place of the first that was there before, or `None`.

        Args:
            names: The ids, in the order in which their series begin.
        """
        import pandas as pd

        known = [name for name in names if name is not None]  # a missing one is refused by the reader of frames
        ascending = all(one < other for one, other in itertools.pairwise(known))
        if not known or (ascending and (self._largest is None or known[0] > self._largest)):
            again = None
        else:
            first = {name: place for place, name in reversed(list(enumerate(names)))}
            hashes = pd.util.hash_array(np.asarray(names, dtype=object))
            repeated = np.array([first[name] != place for place, name in enumerate(names)])
            for before in self._hashes:
                repeated |= np.isin(hashes, before, kind="sort")  # a table of so large numbers fails in NumPy 2.0
            places = np.flatnonzero(repeated)
            again = int(places[0]) if len(places) else None
        if known:
            self._hashes.append(pd.util.hash_array(np.asarray(known, dtype=object)))
            self._largest = max(known) if self._largest is None else max(self._largest, *known)
        return again


def _apart(source: TableSource, keys: tuple[str, str], name: Any, path: str | None, row: int) -> DataError:
    """Return the error for a series whose rows lie apart."""
    column, time = keys
    named = f"--id {shlex.quote(column)} --time {shlex.quote(time)}"
    where = compose_place(option="df", column=column, row=row, series=name)
    data = "DATA"
    if path is not None:
        where = place_in_file(Path(path), column=column, row=row + 1, series=name)
        data = shlex.quote(source.name)
    return DataError(
        where,
        path=path,
        column=column,
        row=row,
        series=name,
        expected="the rows of each series together, one series after another",
        received="rows of a series that had others after it",
        hint=f"Bring them together: seqcast partition {data} -o FOLDER {named}",
    )
