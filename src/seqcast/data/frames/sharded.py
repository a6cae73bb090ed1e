"""Long frames of more rows than fit in memory: shards of checked series in a folder."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from seqcast.data.frames.frequency import Frequency
from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.frames.row_sources import Span, in_source
from seqcast.data.frames.schema import FrameSchema
from seqcast.data.frames.stamps import Stamps, from_utc, plain_stamps
from seqcast.data.series import ArrayCache, InMemoryStore, SeriesLayout, ShardedStore
from seqcast.errors import DataError, SaveError
from seqcast.runtime import Array
from seqcast.specs import Covariates


@dataclass(frozen=True)
class Scratch:
    """A folder for the shards of a fit, and the cache of their arrays.

    Args:
        folder: The folder.
        cache: The arrays in memory.
    """

    folder: Path
    cache: ArrayCache

    def save(self, values: Array) -> Path:
        """Write an array to a new file, as `numpy.save` does, and return its path.

        Args:
            values: The array, of numbers or times.

        Raises:
            SaveError: The disk is full.
        """
        path = self.folder / secrets.token_hex(8)
        try:
            with path.open("wb") as file:
                np.save(file, np.ascontiguousarray(values), allow_pickle=False)
        except OSError as error:
            raise SaveError(
                str(path),
                expected="room for the rows of a fit, eight bytes a number",
                received=error.strerror or str(error),
                hint="Set TMPDIR to a folder with more room.",
            ) from error
        return path


@dataclass(frozen=True)
class _Shard:
    """Some whole series: their rows in files of arrays, everything else in memory.

    Only arrays of numbers and times are in files, so that nothing is ever unpickled from the disk.

    Args:
        empty: The frame without rows and series, which has names and types.
        values: File of its values.
        stamps: File of its time stamps, in UTC.
        rows: File of the positions of its rows in the user's frame.
        static: File of its static covariates.
        sizes: Its series.
        first_stamps: First stamp of each series.
        last_stamps: Last stamp of each.
        complete: Whether no target is missing.
        spans: Places of its rows, in the order of their reading.
    """

    empty: LongFrame
    values: Path
    stamps: Path
    rows: Path
    static: Path
    sizes: SeriesLayout
    first_stamps: Stamps
    last_stamps: Stamps
    complete: bool
    spans: tuple[Span, ...]

    @classmethod
    def of(cls, frame: LongFrame, spans: Sequence[Span], scratch: Scratch) -> Self:
        """Write the rows of a frame to files."""
        return cls(
            empty=_without_rows(frame),
            values=scratch.save(frame.source.values),
            stamps=scratch.save(plain_stamps(frame.stamps)),
            rows=scratch.save(frame.rows),
            static=scratch.save(frame.static),
            sizes=SeriesLayout(frame.source.ids, frame.source.ends),
            first_stamps=frame.first_stamps,
            last_stamps=frame.last_stamps,
            complete=not np.isnan(frame.targets).any(),
            spans=tuple(spans),
        )

    def frame(self) -> LongFrame:
        """Read the frame."""
        stamps = pd.Index(_load(self.stamps), name=self.empty.stamps.name)
        return replace(
            self.empty,
            source=InMemoryStore(self.sizes.ids, self.sizes.ends, _load(self.values)),
            stamps=from_utc(stamps, getattr(self.empty.stamps, "tz", None)),
            rows=_load(self.rows),
            static=_load(self.static),
        )


def _without_rows(frame: LongFrame) -> LongFrame:
    """Return a frame without rows, series and errors; views would keep all rows in memory."""
    return replace(
        frame,
        source=InMemoryStore((), frame.source.ends[:0].copy(), frame.source.values[:0].copy()),
        stamps=frame.stamps[:0].copy(deep=True),
        rows=frame.rows[:0].copy(),
        static=frame.static[:0].copy(),
        skipped={},
        faults=(),
    )


def _load(path: Path) -> Array:
    """Read an array of a file."""
    return np.asarray(np.load(path, allow_pickle=False))


@dataclass(frozen=True, eq=False)
class ShardedFrame:
    """A checked frame in shards, each of which is a `LongFrame` of some whole series.

    A plan uses it as it does a `LongFrame`. Series are in the order of the shards, within each
    sorted by id.

    Args:
        scratch: The folder of the shards.
        shards: The shards.
        frequency: The step between stamps.
        schema: Names and types of the user's frame.
        covariates: Names of the covariates.
        skipped: Error of each series that was left out, by its name.
    """

    scratch: Scratch
    shards: tuple[_Shard, ...]
    frequency: Frequency | None
    schema: FrameSchema
    covariates: Covariates
    skipped: Mapping[Any, DataError] = field(default_factory=dict)

    @classmethod
    def of(cls, scratch: Scratch, frames: Iterator[tuple[LongFrame, Sequence[Span]]]) -> Self:
        """Write frames to a folder.

        Args:
            scratch: The folder for them.
            frames: Frames of whole series, at least one, with the places of their rows.
        """
        shards: list[_Shard] = []
        headers: list[tuple[Frequency | None, FrameSchema, Covariates]] = []
        skipped: dict[Any, DataError] = {}
        for frame, spans in frames:
            headers.append((frame.frequency, frame.schema, frame.covariates))
            shards.append(_Shard.of(frame, spans, scratch))
            skipped |= frame.skipped

        frequency, schema, covariates = headers[0]
        return cls(
            scratch, tuple(shards), frequency, schema, covariates=covariates, skipped=skipped
        )

    # ------------------------------------------------------------ facts

    @cached_property
    def source(self) -> SeriesLayout:
        """Names and lengths of the series."""
        ids = tuple(name for shard in self.shards for name in shard.sizes.ids)
        lengths = np.concatenate([shard.sizes.lengths for shard in self.shards])
        return SeriesLayout(ids, np.cumsum(lengths))

    @cached_property
    def first_stamps(self) -> Stamps:
        """First time stamp of each series."""
        return _appended([shard.first_stamps for shard in self.shards])

    @cached_property
    def last_stamps(self) -> Stamps:
        """Last time stamp of each series."""
        return _appended([shard.last_stamps for shard in self.shards])

    @property
    def latest_stamp(self) -> Stamps:
        """The latest time stamp of all series, an index of one."""
        return self.last_stamps[[self.last_stamps.argmax()]]

    # ------------------------------------------------------------ rows

    def in_shards(self) -> Iterator[tuple[Array, LongFrame]]:
        """Yield the shards one after another: the numbers of its series, and the frame."""
        return (self.shard(number) for number in range(len(self.shards)))

    def shard(self, number: int) -> tuple[Array, LongFrame]:
        """Return the shard with a number: the numbers of its series, and its frame.

        Args:
            number: Number of the shard, from 0.
        """
        first = sum(len(shard.sizes) for shard in self.shards[:number])
        shard = self.shards[number]
        return np.arange(first, first + len(shard.sizes)), shard.frame()

    def check(self, check: Callable[[LongFrame], object]) -> None:
        """Call a check with the frame of each shard.

        Args:
            check: Raises an error where something is wrong.

        Raises:
            DataError: The first error, which names file and row, and has the error of each series
                with one.
        """
        first: DataError | None = None
        for shard in self.shards:
            try:
                check(shard.frame())
            except DataError as error:
                located = in_source(error, shard.spans)
                if not located.by_series:
                    raise located from error
                first = first or located
                first.by_series = {**located.by_series, **first.by_series}
        if first is not None:
            raise first

    def changed(self, change: Callable[[LongFrame], LongFrame]) -> Self:
        """Return a frame in new shards, without empty ones.

        Args:
            change: Returns a shard's changed frame.
        """
        shards = []
        for shard in self.shards:
            try:
                frame = change(shard.frame())
            except DataError as error:
                raise in_source(error, shard.spans) from error
            if len(frame.source):
                shards.append(_Shard.of(frame, shard.spans, self.scratch))
        return replace(self, shards=tuple(shards))

    def mapped(self, values: Callable[[LongFrame], Array]) -> ShardedStore:
        """Return a store of numbers that are computed shard by shard.

        Args:
            values: Returns those of a shard's frame, `[rows, C]`.
        """
        paths = []
        complete = True
        width = 0
        for _, frame in self.in_shards():
            computed = values(frame)
            paths.append(self.scratch.save(computed))
            complete = complete and not np.isnan(computed).any()
            width = computed.shape[1]
        return self._store(tuple(paths), width, complete=complete)

    def _store(self, paths: tuple[Path, ...], width: int, *, complete: bool) -> ShardedStore:
        sizes = self.source
        return ShardedStore(
            ids=sizes.ids,
            ends=sizes.ends,
            paths=paths,
            shard_ends=np.cumsum([int(shard.sizes.lengths.sum()) for shard in self.shards]),
            first_rows=sizes.starts,
            width=width,
            cache=self.scratch.cache,
            complete=complete,
        )

    @cached_property
    def target_store(self) -> ShardedStore:
        """The targets of each series."""
        if not self.covariates.varying and self.schema.columns.weight is None:
            complete = all(shard.complete for shard in self.shards)
            paths = tuple(shard.values for shard in self.shards)
            return self._store(paths, len(self.schema.columns.targets), complete=complete)
        return self.mapped(lambda frame: frame.targets)

    def count_observed(self, stops: Array) -> Array:
        """Count the observed values among the first `stops` rows of each series, `[series, D]`.

        Args:
            stops: Number of rows of each series.
        """
        counts = [frame.count_observed(stops[series]) for series, frame in self.in_shards()]
        return np.concatenate(counts)

    def until(self, stops: Array) -> Self:
        """Return the frame with each series cut off after `stops` rows, see `LongFrame.until`.

        Args:
            stops: Number of rows of each series.
        """
        return self.changed(lambda frame: frame.until(stops[self.source.places(frame.source.ids)]))

    def tail(self, steps: int) -> LongFrame:
        """Return the last `steps` rows of each series, in memory, sorted by id.

        Args:
            steps: Most rows of each series.
        """
        return LongFrame.concat([frame.tail(steps) for _, frame in self.in_shards()])

    def without(self, errors: Mapping[Any, DataError]) -> tuple[Array, Self]:
        """Return which series remain, and the frame without the others, see `LongFrame.without`.

        Args:
            errors: Error of each series that is left out, by its name.
        """
        remaining = np.array([name not in errors for name in self.source.ids])
        rest = self.changed(lambda frame: frame.without(errors)[1])
        return remaining, replace(rest, skipped={**self.skipped, **errors})


def _appended(stamps: Sequence[Stamps]) -> Stamps:
    return stamps[0].append(list(stamps[1:]))


# Frames that a fit reads.
AnyFrame = LongFrame | ShardedFrame
