"""The files that a fitted model forecasts from, read as frames, and its forecasts in their form."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqcast.cli.console import print_json, print_line
from seqcast.cli.outputs import as_records

if TYPE_CHECKING:
    from seqcast.cli.files import FileOptions
    from seqcast.forecaster import Forecaster
    from seqcast.specs import Columns


def read_model_tables(model: Forecaster, data: Path | None, future: Path | None, files: FileOptions) -> tuple[Any, Any]:
    """Read the rows and the known future that a fitted model forecasts from.

    Args:
        model: The model, whose columns the files have.
        data: File of rows, if there is one.
        future: File of the steps to forecast and what is known of them, if there is one.
        files: How the files are written.

    Returns:
        Both as frames; `None` where there is no file.
    """
    columns = model.series_state_.schema.columns
    # Newer rows of the only series go on with it, whatever their file is called.
    ids = model.series_state_.ids
    only, whole_ids = ids[0] if len(ids) == 1 else None, isinstance(ids[0], int)
    read = partial(files.read, columns=columns, series=only, whole_ids=whole_ids)
    return None if data is None else read(data), None if future is None else read(future, value=False, wide=False)


def read_like(frame: Any, path: Path, columns: Columns, files: FileOptions) -> Any:
    """Read a file that names rows of another one.

    Args:
        frame: The rows of the other file.
        path: The file.
        columns: Names of the columns of both.
        files: How they are written.
    """
    ids = frame[columns.unique_id]
    only = ids.iloc[0] if ids.nunique() == 1 else None
    return files.read(path, columns, value=False, wide=False, series=only, whole_ids=ids.dtype.kind in "iu")


def as_in(files: FileOptions, forecast: Any, model: Forecaster) -> Any:
    """Return a forecast in the form of the files: wide where they are.

    Args:
        files: How the files are written.
        forecast: The forecast.
        model: The fitted model.
    """
    from seqcast.data.frames import to_wide

    if not files.wide:
        return forecast
    columns = model.series_state_.schema.columns
    values = [name for name in forecast.columns if name not in (columns.unique_id, columns.ds)]
    return to_wide(forecast, values, columns=columns)


def folder_of(output: Path | None, *, in_pieces: bool) -> Path | None:
    """Return the folder that forecasts are written to part by part; `None` where they are one table.

    Args:
        output: What the user names.
        in_pieces: Whether rows are read piece by piece.
    """
    return output if in_pieces and output is not None and not output.suffix else None


def tell_folder(folder: Path, *, as_json: bool) -> None:
    """Print how many files a folder of forecasts holds.

    Args:
        folder: The folder.
        as_json: Whether a JSON document is printed.
    """
    files = len(list(folder.glob("*.parquet")))
    if as_json:
        print_json({"folder": str(folder), "files": files})
    else:
        print_line(f"Wrote {folder}, {files} Parquet file{'s' * (files != 1)}")


def give(table: Any, output: Path | None, told: dict[str, Any], *, as_json: bool, safe_formulas: bool) -> None:
    """Write a forecast to its file or to standard output: as a table, or in a JSON document.

    Args:
        table: The forecast.
        output: The file; `None` is standard output.
        told: What a document tells beside it.
        as_json: Whether a document is printed.
        safe_formulas: As for `seqcast.data.frames.writing.write_table`.
    """
    from seqcast.data.frames import write_table

    if output is not None or not as_json:
        write_table(table, output, safe_formulas=safe_formulas)
    if as_json:
        print_json({**told, **({"forecast": as_records(table)} if output is None else {"file": str(output)})})
    elif output is not None:
        print_line(f"Wrote {output}")
