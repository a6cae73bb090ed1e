"""The output of forecasts: one frame, or numbered Parquet files of a folder."""

import functools
import json
import operator
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import narwhals.stable.v2 as nw
import numpy as np

from seqcast._version import __version__
from seqcast.data.frames import LongFrame, file_groups, in_source, open_source, plain_stamps
from seqcast.errors import DataError, SaveError, SpecError
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.reading import Memory, SourceRows, frame_of
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.training_run import Cluster
from seqcast.runtime import digest, make_folder, require, tracked, write_atomically

# File with the job of a folder and its progress; readers of folders of Parquet files ignore such
# names.
MANIFEST = "_seqcast.json"


@dataclass(frozen=True)
class OutputFolder:
    """A folder of numbered Parquet files, in which an interrupted job continues.

    Args:
        path: The folder.
        job: The arguments of the forecasts in it, JSON types by name.

    Example:
        >>> import tempfile, pandas as pd
        >>> with tempfile.TemporaryDirectory() as path:
        ...     folder = OutputFolder.opened(path, {"horizon": 2})
        ...     for number in (0, 1):
        ...         folder.write(number, lambda number=number: pd.DataFrame({"y": [number]}))
        ...     folder.record(files=2)
        ...     pd.read_parquet(path)["y"].tolist()
        [0, 1]
    """

    path: Path
    job: Mapping[str, Any]

    @classmethod
    def opened(cls, path: str | os.PathLike[str], job: Mapping[str, Any]) -> Self:
        """Open a folder for a job: a new or empty one, or one that the same job has begun.

        Args:
            path: The folder.
            job: The arguments of the forecasts; a continued job keeps its first `piece_rows`.

        Raises:
            SaveError: It has other files, or cannot be created.
        """
        require("pyarrow.parquet", extra="parquet")
        folder = Path(path)
        job = {"seqcast": __version__, **job}
        make_folder(folder)
        manifest = folder / MANIFEST
        if manifest.exists():
            try:
                begun = json.loads(manifest.read_text("utf-8"))["job"]
            except (OSError, ValueError, KeyError, TypeError):
                begun = {}
            job = json.loads(json.dumps(job, default=str))
            same = {*begun, *job} - {"piece_rows", "seed"}
            differing = ", ".join(sorted(name for name in same if begun.get(name) != job.get(name)))
            if differing:
                raise SaveError(
                    str(folder),
                    expected="an empty folder, or one that the same job has begun",
                    received=f"one of a job with another {differing}",
                    hint="Name another folder, or remove this one.",
                )
            return cls(folder, begun)

        if any(folder.iterdir()):
            raise SaveError(
                str(folder),
                expected="an empty folder",
                received="one that holds files",
                hint="Name another folder.",
            )

        opened = cls(folder, job)
        opened.record()
        return opened

    def seed(self, seed: int) -> int:
        """Return the seed of the job: that of its beginning, or a new one.

        Args:
            seed: The seed of a job that begins.
        """
        if "seed" not in self.job:
            replace(self, job={**self.job, "seed": seed}).record()
            return seed
        return int(self.job["seed"])

    @property
    def piece_rows(self) -> int:
        """Approximate number of rows of the source for a file."""
        return int(self.job["piece_rows"])

    def file(self, number: int) -> Path:
        """Return the path of an output file.

        Args:
            number: Its number, from 0.
        """
        return self.path / f"part-{number:06}.parquet"

    def write(self, number: int, table: Callable[[], Any]) -> None:
        """Write an output file, unless it exists.

        Args:
            number: Its number, from 0.
            table: Makes its frame.

        Raises:
            SaveError: It could not be written.
        """
        if self.file(number).exists() or (frame := table()) is None:
            return
        parquet: Any = require("pyarrow.parquet", extra="parquet")
        arrow = nw.from_native(frame, eager_only=True).to_arrow()
        write_atomically(self.file(number), lambda file: parquet.write_table(arrow, file))

    def record(self, **more: Any) -> None:
        """Write the manifest.

        Args:
            **more: What it says besides the job: the number of `files`, once all are written.
        """
        text = json.dumps({"job": dict(self.job), **more}, indent=1, default=str)
        write_atomically(self.path / MANIFEST, lambda file: file.write(text.encode()))


def gathered(
    table: Callable[[Any], Any],
    items: Iterable[Any],
    folder: OutputFolder | None,
    on: Cluster | None = None,
) -> Any:
    """Return the frames of items as one, or write them one after another.

    Args:
        table: Makes the frame of an item, or `None` where it would be empty.
        items: Arguments of `table`, one for each frame.
        folder: Where they are written; `None` returns them.
        on: The workers that write them; `None` writes them here.

    Returns:
        The frame, or the path of the folder.

    Raises:
        SaveError: A file could not be written.
    """
    if folder is None:
        tables = (
            table(item) for item in tracked(items, "forecasting", operator.length_hint(items))
        )
        frames = [frame for frame in tables if frame is not None]
        if len(frames) == 1:
            return frames[0]
        together = nw.concat([nw.from_native(frame, eager_only=True) for frame in frames])
        return nw.to_native(nw.maybe_reset_index(together))

    count = 0
    if on is not None:
        several = list(items)
        on.write(table, several, folder)
        count = len(several)
    else:
        for count, item in enumerate(items, 1):
            folder.write(count - 1, functools.partial(table, item))
    folder.record(files=count)
    return folder.path


def predicted(
    fitted: FittedForecaster,
    df: Any,
    forecast: Callable[[LongFrame], Any],
    arguments: Mapping[str, Any],
    *,
    output: str | os.PathLike[str] | None,
    memory_limit: Any,
    on: Cluster | None = None,
) -> Any:
    """Forecast from the rows of a frame or a source.

    Args:
        fitted: The fitted forecaster.
        df: The rows; `None` for the remembered ones.
        forecast: Function that forecasts from rows.
        arguments: The arguments of the forecast, by name: JSON types, and the frame of the known
            future.
        output: The folder for the forecasts, if any.
        memory_limit: The user's limit.
        on: Workers that forecast a group of files each.
    """
    df, source = SourceRows.of(fitted.reading, df, memory_limit, fitted.series)

    if source is None and output is None and on is None:
        return forecast(fitted.rows_to_forecast(df))
    if arguments["total_over"] == "series":
        raise SpecError(
            "total_over",
            expected="'steps' where series are forecast piece by piece",
            received="'series'",
            hint="Forecast sums of each series, and read them all to add up their points.",
        )

    table = None if source is None else source.source
    groups = None if on is None else file_groups(table, fitted.series.schema.columns.unique_id)

    folder = None
    if output is not None:
        job = {"job": "predict", **arguments, "future": _frame_digest(arguments["future"])}
        job |= {"files": "pieces" if on is None else "files"}
        folder = OutputFolder.opened(output, {**job, **digests(fitted, df, source)})

    if source is None:
        return gathered(lambda rows: forecast(fitted.rows_to_forecast(rows)), [df], folder)

    of_piece = functools.partial(_of_piece, fitted.series, forecast)
    if groups is None:
        return gathered(
            of_piece, source.pieces(None if folder is None else folder.piece_rows), folder
        )
    if folder is None:
        raise SpecError(
            "output",
            expected="a folder with on",
            received="None",
            hint="Name one that all workers see.",
        )
    return gathered(
        functools.partial(_of_files, fitted, source.memory, of_piece), groups, folder, on
    )


def _of_piece(
    series: SeriesState, forecast: Callable[[LongFrame], Any], piece: tuple[LongFrame, Any]
) -> Any:
    """Forecast from new rows and the remembered ones before them; errors name file and row."""
    frame, spans = piece
    try:
        return forecast(series.with_history(frame))
    except DataError as error:
        raise in_source(error, spans) from error


def _of_files(
    fitted: FittedForecaster,
    memory: Memory,
    of_piece: Callable[[tuple[LongFrame, Any]], Any],
    files: list[str],
) -> Any:
    """Forecast from the rows of some files."""
    return gathered(
        of_piece,
        SourceRows(fitted.reading, open_source(files), memory, fitted.series).pieces(),
        None,
    )


def digests(fitted: FittedForecaster | None, df: Any, source: SourceRows | None) -> dict[str, Any]:
    """Return what tells the job of a folder from others, JSON types by name: forecaster and rows.

    Args:
        fitted: The fitted forecaster, if nothing is to be trained.
        df: The frame that is read.
        source: The source that is read in place of a frame.
    """
    forecaster = None if fitted is None else _digest_of(fitted)
    if source is None:
        return {"forecaster": forecaster, "rows": _frame_digest(df), "piece_rows": 0}
    rows = {
        "source": source.source.name,
        "rows": source.source.version,
        "piece_rows": source.piece_rows,
    }
    return {"forecaster": forecaster, **rows}


def _frame_digest(frame: Any) -> str | None:
    """Return a short text that differs between frames; `None` for none."""
    if frame is None:
        return None
    import pandas as pd

    try:
        opened: Any = nw.from_native(frame_of(frame), eager_only=True, allow_series=True)
    except TypeError:  # its reader rejects it later
        return type(frame).__name__
    return digest([pd.util.hash_pandas_object(opened.to_pandas()).to_numpy()])


def _digest_of(fitted: FittedForecaster) -> str:
    """Return a short text that differs between forecasters with different forecasts."""
    scaler = fitted.series.scaler
    frame = fitted.series.frame
    weights = [weights for engine in fitted.networks for weights in engine.weights]
    shares = np.array(list(fitted.choice.shares.values()))
    widths = [calibration.widths for calibration in fitted.calibrations]
    rows = (frame.source.values, plain_stamps(frame.last_stamps))
    options = repr(fitted.forecasting).encode()
    arrays = [*weights, *widths, *rows, scaler.loc, scaler.scale, scaler.unit, shares]
    return digest([*arrays, np.frombuffer(options, np.uint8)])
