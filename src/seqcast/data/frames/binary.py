"""Tables that are not text: workbooks, Parquet and Feather files, which a process of their own reads."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from seqcast.data.frames.excess import check_cells
from seqcast.data.frames.places import place_in_file
from seqcast.data.frames.reader_process import ReaderProcess
from seqcast.errors import DataError
from seqcast.runtime import FileLimits, require


def read_binary(kind: str, path: Path, limits: FileLimits, sheet: str | None = None) -> Any:
    """Read a table as a pandas frame. What is in a cell is a number, text, a time or a flag.

    Args:
        kind: `parquet`, `feather` or `excel`.
        path: The file.
        limits: What is allowed.
        sheet: Name of the sheet of a workbook; the first if `None`.

    Raises:
        DataError: It is too large or damaged, holds what is no table, or its reader dies.
        SpecError: There is no such sheet.
        MissingPackageError: A package is missing that reads such files.
    """
    pyarrow: Any = require("pyarrow", extra="parquet")
    if kind == "excel":
        require("fastexcel", extra="files")
    packed = path.stat().st_size

    def take(answer: IO[bytes]) -> Any:
        with pyarrow.ipc.open_stream(answer) as stream:
            _check_columns(path, stream.schema)
            batches, rows, columns = [], 1, len(stream.schema)
            check_cells(path, limits, packed, rows, columns)
            for batch in stream:
                rows += len(batch)
                check_cells(path, limits, packed, rows, columns)
                batches.append(batch)
            table = pyarrow.Table.from_batches(batches, stream.schema)
            # pandas writes an index without a name as such a column; what else it says of columns is not obeyed.
            index = [name for name in table.column_names if name.startswith("__index_level_")]
            return table.drop_columns(index).to_pandas(ignore_metadata=True)

    return ReaderProcess(kind, path, limits, sheet).ask(take)


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a Parquet file.

    Args:
        path: The file.

    Raises:
        DataError: It is damaged, or its reader dies.
        MissingPackageError: pyarrow is not installed.
    """
    pyarrow: Any = require("pyarrow", extra="parquet")
    process = ReaderProcess("columns", path, FileLimits())
    return process.ask(lambda answer: list(pyarrow.ipc.open_stream(answer).schema.names))


def _check_columns(path: Path, schema: Any) -> None:
    """Refuse columns of lists, structures and the like, and names that stand twice."""
    types: Any = require("pyarrow", extra="parquet").types
    tests = ("primitive", "null", "decimal", "fixed_size_binary", "string", "large_string", "binary", "large_binary")
    names = set()
    for field in schema:
        if field.name in names:
            received, hint = f"{field.name!r} twice", "Rename one of them."
            raise DataError(path=str(path), expected="each column once", received=received, hint=hint)
        names.add(field.name)
        if not any(getattr(types, f"is_{test}")(field.type) for test in tests):
            raise DataError(
                place_in_file(path, column=field.name),
                path=str(path),
                column=field.name,
                expected="numbers, text, times or flags",
                received=str(field.type)[:80],
                hint="Leave the column out of the file.",
            )
