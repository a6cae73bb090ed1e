"""The program of the process that reads one file; `reader_process` starts it.

It runs as a plain file, imports one reader and nothing of seqcast, and may die of a damaged file. It answers on
standard output: a byte once its imports are done, then the table as an Arrow stream, or the unpacked text. An error
goes to standard error, as a line of JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from typing import IO, Any

# Rows of a batch of the answer, and bytes of a piece of text.
_ROWS, _CHUNK_BYTES = 1 << 16, 1 << 20
# Rows of a sheet among which its header is looked for.
_MOST_TITLES = 30
# The flag of a zip's entry that is encrypted.
_ENCRYPTED = 0x1


class RefusedError(Exception):
    """A refusal, which the asking process turns into its own error: a word for its kind, and its message."""


def main(task: dict[str, Any]) -> None:
    """Read a file and answer.

    Args:
        task: `kind`, `file`, `sheet` and `names_only`; `packages`, the folders to import from; and `memory` (0 for no
            limit) and `seconds`, its limits.
    """
    answers, errors = _own(1), _own(2)
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
        errors.write(json.dumps(error.args if isinstance(error, RefusedError) else [kind, text]).encode())
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
    limits = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_CPU, seconds)]
    limits += [(resource.RLIMIT_DATA, memory)] if memory else []
    for kind, most in limits:
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


# ---------------------------------------------------------------- tables


def _read_parquet(parquet: Any, task: dict[str, Any], answers: IO[bytes]) -> None:
    with parquet.ParquetFile(task["file"]) as file:
        batches = [] if task["names_only"] else file.iter_batches(batch_size=_ROWS, use_threads=False)
        _answer(answers, file.schema_arrow, batches)


def _read_feather(pyarrow: Any, task: dict[str, Any], answers: IO[bytes]) -> None:
    with pyarrow.memory_map(task["file"]) as whole, pyarrow.ipc.open_file(whole) as file:
        _answer(answers, file.schema, map(file.get_batch, range(file.num_record_batches)))


def _read_workbook(fastexcel: Any, task: dict[str, Any], answers: IO[bytes]) -> None:
    book, sheet = fastexcel.read_excel(task["file"]), task["sheet"]
    if sheet is not None and sheet not in book.sheet_names:
        raise RefusedError("sheet", *book.sheet_names)
    name = sheet or book.sheet_names[0]
    first = book.load_sheet(name, header_row=None, skip_rows=0, n_rows=_MOST_TITLES).to_arrow()
    cells = [sum(column[row].is_valid for column in first.columns) for row in range(first.num_rows)]
    # Titles stand above the first whole row; a header just above it may have an empty corner.
    wide = max(cells, default=0)
    above = cells.index(wide) if cells else 0
    above -= above > 0 and wide > 2 and cells[above - 1] == wide - 1
    batch = book.load_sheet(name, header_row=above).to_arrow()
    _answer(answers, batch.schema.with_metadata({"above": str(above)}), [batch])


def _answer(answers: IO[bytes], schema: Any, batches: Iterable[Any]) -> None:
    """Write a table in pieces, with dictionary-encoded text written out."""
    pyarrow: Any = importlib.import_module("pyarrow")
    fields = [pyarrow.field(each.name, _plain(pyarrow, each.type), metadata=each.metadata) for each in schema]
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
    return {"string_view": pyarrow.string(), "binary_view": pyarrow.binary()}.get(str(kind), kind)


# ---------------------------------------------------------------- packed text


def _unpack_gzip(gzip: Any, task: dict[str, Any], answers: IO[bytes]) -> None:
    shutil.copyfileobj(gzip.open(task["file"]), answers, _CHUNK_BYTES)


def _unpack_zstandard(pyarrow: Any, task: dict[str, Any], answers: IO[bytes]) -> None:
    shutil.copyfileobj(pyarrow.input_stream(task["file"], compression="zstd"), answers, _CHUNK_BYTES)


def _unpack_zip(zipfile: Any, task: dict[str, Any], answers: IO[bytes]) -> None:
    archive = zipfile.ZipFile(task["file"])
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) != 1:
        raise RefusedError("refused", "one file in it", str(len(entries)), "Unpack it and give one of them.")
    if entries[0].flag_bits & _ENCRYPTED:
        hint = "Unpack it with its password and give its content."
        raise RefusedError("refused", "a file in it", "an encrypted one", hint)
    shutil.copyfileobj(archive.open(entries[0]), answers, _CHUNK_BYTES)


_READERS: dict[str, tuple[str, Callable[[Any, dict[str, Any], IO[bytes]], None]]] = {
    "Parquet": ("pyarrow.parquet", _read_parquet),
    "Feather": ("pyarrow", _read_feather),
    "Excel": ("fastexcel", _read_workbook),
    ".gz": ("gzip", _unpack_gzip),
    ".zst": ("pyarrow", _unpack_zstandard),
    ".zip": ("zipfile", _unpack_zip),
}

if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
