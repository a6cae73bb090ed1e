"""The program of the process that reads one file; `reader_process` starts it.

It runs as a plain file, imports one reader and nothing of seqcast, and may die of a damaged file.
It answers on standard output: a byte once its imports are done, then the table as an Arrow stream,
or the unpacked text. An error goes to standard error, as a line of JSON.
"""

import importlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import IO, Any

# Rows of a batch of the answer.
_ROWS = 1 << 16
# Bytes of a piece of text.
_CHUNK_BYTES = 1 << 20
# Rows of a sheet among which its header is looked for.
_MOST_TITLES = 30
# A number or a time, as text.
_NUMBER = re.compile(r"[-+(]?\d[\d.,:T%) /-]*")
# The flag of a zip's entry that is encrypted.
_ENCRYPTED = 0x1

Task = dict[str, Any]


class RejectedError(Exception):
    """A rejection, as a word for its kind and its message, which the asking process words."""


def main(task: Task) -> None:
    """Read a file and answer.

    Args:
        task: `kind`, `file`, `sheet` and `names_only`; `packages`, the folders to import from; and
            `memory` (0 for no limit) and `seconds`, its limits.
    """
    answers = _own(1)
    errors = _own(2)
    sys.path += task["packages"]

    try:
        name, read = _READERS[task["kind"]]
        module = importlib.import_module(name)
        _limit(task["memory"], task["seconds"])
        answers.write(b"+")
        answers.flush()
        read(module, task, answers)
        answers.flush()
    except BaseException as error:  # a panic in Rust is no Exception
        text = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        kind = "memory" if isinstance(error, MemoryError) else "something else"
        report = error.args if isinstance(error, RejectedError) else (kind, text)
        errors.write(json.dumps(report).encode())
        errors.flush()
        os._exit(1)
    os._exit(0)


def _own(descriptor: int) -> IO[bytes]:
    """Return a file for a descriptor, which the prints of readers no longer reach."""
    file = os.fdopen(os.dup(descriptor), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
    return file


def _limit(memory: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_CPU: seconds}
    if memory:
        limits[resource.RLIMIT_DATA] = memory
    for kind, most in limits.items():
        _, hard = resource.getrlimit(kind)
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (soft, hard))


# ---------------------------------------------------------------- tables


def _read_parquet(parquet: Any, task: Task, answers: IO[bytes]) -> None:
    with parquet.ParquetFile(task["file"]) as file:
        rows = () if task["names_only"] else file.iter_batches(batch_size=_ROWS, use_threads=False)
        _answer(answers, file.schema_arrow, rows)


def _read_feather(pyarrow: Any, task: Task, answers: IO[bytes]) -> None:
    with pyarrow.memory_map(task["file"]) as whole, pyarrow.ipc.open_file(whole) as file:
        _answer(answers, file.schema, map(file.get_batch, range(file.num_record_batches)))


def _read_workbook(fastexcel: Any, task: Task, answers: IO[bytes]) -> None:
    book = fastexcel.read_excel(task["file"])
    sheet = task["sheet"]
    if sheet is not None and sheet not in book.sheet_names:
        raise RejectedError("sheet", *book.sheet_names)

    names = [sheet] if sheet else book.sheet_names
    starts = {
        name: _cells(book.load_sheet(name, header_row=None, skip_rows=0, n_rows=_MOST_TITLES))
        for name in names
    }
    headers = {name: _header(start) for name, start in starts.items()}
    chosen = [name for name in names if _holds_table(starts[name], headers[name][0])] or names[:1]
    others = [name for name in names if name not in chosen]

    tables = [_table(book, name, *headers[name]) for name in chosen]
    table = tables[0]
    if len(tables) > 1:
        if not _are_alike([headers[name][1] for name in chosen]) or not _follow(tables):
            raise RejectedError("sheets", *chosen)
        table = _joined(tables, chosen)
    above, _ = headers[chosen[0]]
    about = {"above": str(above), "sheet": chosen[0], "sheets": _words_on_sheets(chosen, others)}
    _answer(answers, table.schema.with_metadata(about), table.to_batches())


def _words_on_sheets(chosen: Sequence[str], others: Sequence[str]) -> str:
    """Return words on several sheets that are read, and on those that are passed over."""
    said = []
    if len(chosen) > 1:
        said.append(f"{len(chosen)} sheets, {chosen[0]!r} to {chosen[-1]!r}, one after the other")
    if len(others) == 1:
        said.append(f"without the sheet {others[0]!r}, which holds no table")
    elif others:
        said.append(f"without the sheets {', '.join(map(repr, others))}, which hold no table")
    return ", ".join(said)


def _cells(start: Any) -> list[list[str]]:
    """Return the first rows of a sheet as text."""
    columns = [column.to_pylist() for column in start.to_arrow().columns]
    return [
        ["" if cell is None else str(cell) for cell in row] for row in zip(*columns, strict=True)
    ]


def _holds_table(rows: Sequence[Sequence[str]], above: int) -> bool:
    """Return whether a sheet has several columns of numbers or times below their names."""
    below = rows[above + 1 :]
    if len(below) < 2 or sum(map(bool, rows[above])) < 2:
        return False
    return any(_NUMBER.fullmatch(cell) for row in below for cell in row)


def _are_alike(headers: Sequence[Sequence[str]]) -> bool:
    """Return whether sheets have the same names, but for a few: a new site is one more column."""
    first = {*headers[0]}
    return all(len(first & {*own}) >= max(2, min(len(first), len(own))) for own in headers)


def _joined(tables: Sequence[Any], names: Sequence[str]) -> Any:
    """Return tables one after the other."""
    pyarrow: Any = importlib.import_module("pyarrow")
    try:
        return pyarrow.concat_tables(tables, promote_options="permissive")
    except pyarrow.ArrowException:  # one has words where another has numbers
        raise RejectedError("sheets", *names) from None


def _header(rows: Sequence[Sequence[str]]) -> tuple[int, list[str]]:
    """Return the number of rows above the header of a sheet, and its names."""
    cells = [len(row) - row.count("") for row in rows]
    if not cells:
        return 0, []

    # Titles stand above the first whole row; a header just above it may have an empty corner.
    wide = max(cells)
    above = cells.index(wide)
    over = rows[above - 1] if above else []
    if wide > 2 and len({*over} - {""}) == wide - 1 == len(over) - over.count(""):
        above -= 1
    return above, joined_names(rows[above - 1] if above else [], rows[above])


def joined_names(over: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return names of columns, each with the word above it where some names occur twice.

    Args:
        over: The cells above; a merged one has its word in the first column.
        names: The names, which stay where those words do not tell them apart.

    Example:
        >>> joined_names(["", "north", "", "south", ""], ["day", "sold", "left", "sold", "left"])
        ['day', 'north sold', 'north left', 'south sold', 'south left']
    """
    groups = [next(filter(None, over[place::-1]), "") for place in range(len(over))]
    joined = [f"{group} {name}".strip() for group, name in zip(groups, names, strict=False)]
    tells = len(joined) == len(names) > len(set(names)) and len(set(joined)) == len(names)
    return joined if tells else list(names)


def _table(book: Any, name: str, above: int, names: list[str]) -> Any:
    """Return a sheet, an Arrow table, with the reader's names where some are missing or equal."""
    pyarrow: Any = importlib.import_module("pyarrow")
    batch = book.load_sheet(name, header_row=above).to_arrow()
    are_whole = len(names) == batch.num_columns == len(set(names) - {""})
    own = names if are_whole else batch.schema.names
    return pyarrow.Table.from_arrays(batch.columns, names=own)


def _follow(tables: list[Any]) -> bool:
    """Return whether the times of tables do not overlap."""
    compute: Any = importlib.import_module("pyarrow.compute")
    timed = [
        field.name
        for field in tables[0].schema
        if str(field.type).startswith(("date", "timestamp"))
    ]
    if not timed or not all(timed[0] in table.column_names for table in tables):
        return False

    spans = [compute.min_max(table[timed[0]]).as_py() for table in tables]
    if len({type(span["min"]) for span in spans}) > 1 or any(span["min"] is None for span in spans):
        return False
    ends = sorted((span["min"], span["max"]) for span in spans)
    return all(end[1] < start[0] for end, start in pairwise(ends))


def _answer(answers: IO[bytes], schema: Any, batches: Iterable[Any]) -> None:
    """Write a table in pieces, with dictionary-encoded text written out."""
    pyarrow: Any = importlib.import_module("pyarrow")
    fields = [
        pyarrow.field(each.name, _plain(pyarrow, each.type), metadata=each.metadata)
        for each in schema
    ]
    plain = pyarrow.schema(fields, schema.metadata)

    with pyarrow.ipc.new_stream(answers, plain) as stream:
        for batch in batches:
            # Offsets and indices may point anywhere until they are validated.
            batch.validate(full=True)
            for start in range(0, batch.num_rows, _ROWS):
                stream.write_batch(batch.slice(start, _ROWS).cast(plain))


def _plain(pyarrow: Any, kind: Any) -> Any:
    """Return the type of a column whose values are written out."""
    kind = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
    plain = {
        "string_view": pyarrow.string(),
        "binary_view": pyarrow.binary(),
        "halffloat": pyarrow.float32(),
    }
    return plain.get(str(kind), kind)


# ---------------------------------------------------------------- packed text


def _unpack_gzip(gzip: Any, task: Task, answers: IO[bytes]) -> None:
    shutil.copyfileobj(gzip.open(task["file"]), answers, _CHUNK_BYTES)


def _unpack_zstandard(pyarrow: Any, task: Task, answers: IO[bytes]) -> None:
    shutil.copyfileobj(
        pyarrow.input_stream(task["file"], compression="zstd"), answers, _CHUNK_BYTES
    )


def _unpack_zip(zipfile: Any, task: Task, answers: IO[bytes]) -> None:
    archive = zipfile.ZipFile(task["file"])
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) != 1:
        hint = "Unpack it and give one of them."
        raise RejectedError("rejected", "one file in it", str(len(entries)), hint)
    if entries[0].flag_bits & _ENCRYPTED:
        hint = "Unpack it with its password and give its content."
        raise RejectedError("rejected", "a file in it", "an encrypted one", hint)
    shutil.copyfileobj(archive.open(entries[0]), answers, _CHUNK_BYTES)


_READERS: dict[str, tuple[str, Callable[[Any, Task, IO[bytes]], None]]] = {
    "Parquet": ("pyarrow.parquet", _read_parquet),
    "Feather": ("pyarrow", _read_feather),
    "Excel": ("fastexcel", _read_workbook),
    ".gz": ("gzip", _unpack_gzip),
    ".zst": ("pyarrow", _unpack_zstandard),
    ".zip": ("zipfile", _unpack_zip),
}

if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
