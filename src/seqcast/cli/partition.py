"""`seqcast partition`: a table of any size becomes a folder of files with whole series."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from seqcast.cli.console import print_json, print_line
from seqcast.cli.options import TimeColumn, TimeFormat, count_option, named_columns
from seqcast.cli.outputs import AsJson


def partition(
    data: Annotated[
        list[str],
        typer.Argument(metavar="DATA...", help="Parquet or CSV: files, a folder, or a pattern as 'data/*.parquet'."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder to write.")],
    id_column: Annotated[str, typer.Option("--id", help="Column that names the series.")] = "unique_id",
    time_column: TimeColumn = "ds",
    time_format: TimeFormat = None,
    files: Annotated[int, count_option("--files", help="Most files to write.")] = 64,
    memory_limit: Annotated[
        str, typer.Option("--memory-limit", metavar="SIZE", help="Memory to sort with, as '4 GB'.")
    ] = "1 GiB",
    force: Annotated[bool, typer.Option("--force", help="Replace a folder of Parquet files.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a table of any size as a folder of Parquet files with whole series, sorted by time.

    The table may be larger than the memory: what does not fit is sorted on the disk.
    Needs the extra `files`: pip install 'seqcast[files]'.

    For example:

        seqcast partition sales.csv -o sales --id shop --time day

        seqcast partition 'years/*.parquet' -o sales --files 200

        seqcast partition sales.parquet -o sales --memory-limit '8 GB'
    """
    from seqcast.data.partition import partition as write

    columns = named_columns(id_column, time_column, "y", time_format)
    written = write(data, output, columns=columns, files=files, memory_limit=memory_limit, force=force)
    if as_json:
        print_json(asdict(written) | {"folder": str(written.folder)})
        return
    counts = [(written.files, "file"), (written.series, "series"), (written.rows, "row")]
    words = (f"{count:,} {name}{'s' * (count > 1 and name != 'series')}" for count, name in counts)
    print_line(f"Wrote {written.folder}: {', '.join(words)}")
