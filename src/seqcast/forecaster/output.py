"""Forecasts of more series than memory holds: numbered Parquet files in a folder, each written once."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import narwhals.stable.v2 as nw

from seqcast._version import __version__
from seqcast.errors import SaveError
from seqcast.runtime import make_folder, require, write_beside

# What the folder holds, and how far it is; programs that read folders of Parquet files pass over such names.
MANIFEST = "_seqcast.json"


@dataclass(frozen=True)
class OutputFolder:
    """A folder of numbered Parquet files, in which an interrupted job goes on.

    Args:
        path: The folder.
        job: What is written to it, JSON types by name.

    Example:
        >>> import tempfile, pandas as pd
        >>> with tempfile.TemporaryDirectory() as path:
        ...     folder = OutputFolder.opened(path, {"horizon": 2})
        ...     for number in (0, 1):
        ...         folder.write(number, lambda number=number: pd.DataFrame({"y": [number]}))
        ...     folder.finish(2)
        ...     pd.read_parquet(path)["y"].tolist()
        [0, 1]
    """

    path: Path
    job: Mapping[str, Any]

    @classmethod
    def opened(cls, path: str | os.PathLike[str], job: Mapping[str, Any]) -> Self:
        """Open a folder for a job: a new one, an empty one, or one that the same job has begun to write.

        Args:
            path: The folder.
            job: What will be written; where the job was begun, `piece_rows` is as it was then.

        Raises:
            SaveError: It holds something else, or cannot be made.
        """
        require("pyarrow.parquet", extra="parquet")
        folder, job = Path(path), {"seqcast": __version__, **job}
        make_folder(folder)
        manifest = folder / MANIFEST
        if manifest.exists():
            try:
                begun = json.loads(manifest.read_text())["job"]
            except (OSError, ValueError, KeyError, TypeError):
                begun = {}
            job = json.loads(json.dumps(job, default=str))
            same = {*begun, *job} - {"piece_rows", "seed"}
            differing = sorted(name for name in same if begun.get(name) != job.get(name))
            if differing:
                raise SaveError(
                    str(folder),
                    expected="an empty folder, or one that the same job has begun",
                    received=f"one of a job with another {', '.join(differing)}",
                    hint="Name another folder, or remove this one.",
                )
            return cls(folder, begun)
        if any(folder.iterdir()):
            raise SaveError(
                str(folder), expected="an empty folder", received="one that holds files", hint="Name another folder."
            )
        opened = cls(folder, job)
        opened._write_manifest()
        return opened

    def seed(self, seed: int) -> int:
        """Return the seed of the job: the one that it was begun with, or this one.

        Args:
            seed: The seed of a job that begins.
        """
        if "seed" not in self.job:
            replace(self, job={**self.job, "seed": seed})._write_manifest()
            return seed
        return int(self.job["seed"])

    @property
    def piece_rows(self) -> int:
        """About how many rows of the source a part is made of."""
        return int(self.job["piece_rows"])

    def part(self, number: int) -> Path:
        """Return the file of a part."""
        return self.path / f"part-{number:06}.parquet"

    def write(self, number: int, table: Callable[[], Any]) -> None:
        """Write a part, unless it is there.

        Args:
            number: Its number, from 0.
            table: Makes its frame.

        Raises:
            SaveError: It could not be written.
        """
        if self.part(number).exists():
            return
        if (frame := table()) is None:
            return
        parquet: Any = require("pyarrow.parquet", extra="parquet")
        pyarrow: Any = require("pyarrow", extra="parquet")
        arrow = (
            frame.to_arrow() if hasattr(frame, "to_arrow") else pyarrow.Table.from_pandas(frame, preserve_index=False)
        )
        write_beside(self.part(number), lambda file: parquet.write_table(arrow, file))

    def finish(self, parts: int) -> None:
        """Write down that all parts are there.

        Args:
            parts: How many they are.
        """
        self._write_manifest(parts=parts)

    def _write_manifest(self, **more: Any) -> None:
        text = json.dumps({"job": dict(self.job), **more}, indent=1, default=str)
        write_beside(self.path / MANIFEST, lambda file: file.write(text.encode()))


def gathered(
    table: Callable[[Any], Any],
    items: Iterable[Any],
    folder: OutputFolder | None,
    write: Callable[[Callable[[Any], Any], Sequence[Any], OutputFolder], None] | None = None,
) -> Any:
    """Return the frames of items as one, or write them one after another.

    Args:
        table: Makes the frame of an item, or `None` where it would be empty.
        items: What each frame is made of.
        folder: Where they are written; `None` returns them.
        write: Writes the parts of all items elsewhere; `None` writes them here, item by item.

    Returns:
        The frame, or the path of the folder.

    Raises:
        SaveError: A part could not be written.
    """
    if folder is None:
        frames = [frame for frame in (table(item) for item in items) if frame is not None]
        if len(frames) == 1:
            return frames[0]
        together = nw.concat([nw.from_native(frame, eager_only=True) for frame in frames])
        return nw.to_native(nw.maybe_reset_index(together))
    if write is not None:
        several = list(items)
        write(table, several, folder)
        folder.finish(len(several))
        return folder.path
    count = 0
    for count, item in enumerate(items, 1):
        folder.write(count - 1, functools.partial(table, item))
    folder.finish(count)
    return folder.path
