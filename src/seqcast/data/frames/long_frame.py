"""Checked series of a long frame, at one frequency, with a row for every step.

Each row keeps its place in the user's frame, so that errors can name it. Frames that are built from
it are of the user's kind: pandas or Polars.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from seqcast.data.frames.forms import UserFrame
from seqcast.data.frames.frame_columns import ColumnType
from seqcast.data.frames.frequency import Frequency
from seqcast.data.frames.schema import FrameSchema, as_ids
from seqcast.data.frames.stamps import Stamps, plain_stamps
from seqcast.data.series import InMemoryStore, positions_of, starts_of
from seqcast.errors import DataError, Fix, Option, Phrase
from seqcast.runtime import Array, warn_user
from seqcast.specs import Covariates

# What becomes of missing values and steps.
MISSING = ("fill", "raise")

# A double that is this many times larger than another holds no digit of it.
MOST_DIGITS = 2.0**52

# With fewer steps between rows, all may be multiples of a longer one by chance.
LEAST_STEPS = 10


@dataclass(frozen=True)
class LongFrame:
    """A checked frame: series at one frequency, sorted by id, with a row for every step.

    NaN is missing.

    Args:
        source: Targets, past covariates and future covariates, in double precision, `[rows,
            columns]`; at the end the weights of rows, where the columns name them, NaN for missing
            rows.
        stamps: Time stamp of each row: a pandas Index.
        frequency: The step between them; `None` for irregular ones.
        schema: Names and types of the user's frame.
        covariates: Names of the covariates.
        kinds: Type of each past and future covariate.
        static: Static covariates, `[series, S]`.
        static_kinds: Type of each static covariate.
        rows: Position of each row in the user's frame; -1 for missing steps.
        static_given: Whether the static covariates were in the frame.
        skipped: Error of each series that was left out, by its name.
        option: The argument that holds the user's frame, if errors about its columns name it.
        faults: Errors about rows that were left out, or sorted.
    """

    source: InMemoryStore
    stamps: Stamps
    frequency: Frequency | None
    schema: FrameSchema
    covariates: Covariates
    kinds: tuple[ColumnType, ...]
    static: Array
    static_kinds: tuple[ColumnType, ...]
    rows: Array
    static_given: bool = True
    skipped: Mapping[Any, DataError] = field(default_factory=dict)
    option: str | None = None
    faults: tuple[DataError, ...] = ()

    @classmethod
    def concat(cls, frames: Sequence[Self]) -> Self:
        """Return the series of several frames as one, sorted by id.

        Args:
            frames: Frames of the same columns, whose series differ and whose categories are
                numbered alike.
        """
        if len(frames) == 1:
            return frames[0]

        ids = [name for frame in frames for name in frame.source.ids]
        order = np.array(sorted(range(len(ids)), key=ids.__getitem__))
        lengths = np.concatenate([frame.source.lengths for frame in frames])
        ends = np.cumsum(lengths[order])
        moved = starts_of(np.cumsum(lengths))[order] - starts_of(ends)
        rows = np.arange(int(ends[-1])) + np.repeat(moved, lengths[order])
        values = np.concatenate([frame.source.values for frame in frames])[rows]

        return replace(
            frames[0],
            source=InMemoryStore(tuple(ids[place] for place in order), ends, values),
            stamps=frames[0].stamps.append([frame.stamps for frame in frames[1:]])[rows],
            rows=np.concatenate([frame.rows for frame in frames])[rows],
            static=np.concatenate([frame.static for frame in frames])[order],
            skipped={name: error for frame in frames for name, error in frame.skipped.items()},
        )

    def in_shards(self) -> Iterator[tuple[Array, Self]]:
        """Yield the frame as its only shard: the numbers of its series, and itself."""
        yield np.arange(len(self.source)), self

    def shard(self, number: int) -> tuple[Array, Self]:
        """Return the shard with a number: the numbers of its series, and its frame.

        Args:
            number: Number of the shard: 0.
        """
        return list(self.in_shards())[number]

    def check(self, check: Callable[[Self], object]) -> None:
        """Call a check with the frame, which is its only shard.

        Args:
            check: Raises an error where something is wrong.
        """
        check(self)

    def changed(self, change: Callable[[Self], Self]) -> Self:
        """Return the changed frame.

        Args:
            change: Returns the changed frame.
        """
        return change(self)

    def mapped(self, values: Callable[[Self], Array]) -> InMemoryStore:
        """Return a store of numbers that are computed from the frame, `[rows, C]`.

        Args:
            values: Returns the numbers of the frame.
        """
        return replace(self.source, values=values(self))

    @property
    def first_stamps(self) -> Stamps:
        """First time stamp of each series."""
        return self.stamps[self.source.starts]

    @property
    def last_stamps(self) -> Stamps:
        """Last time stamp of each series."""
        return self.stamps[self.source.ends - 1]

    @property
    def cutoffs(self) -> Array:
        """Last time stamp of each series as a whole number `>= 0`, of a time in seconds, `[N]`."""
        stamps = plain_stamps(self.last_stamps)
        whole = stamps.astype("datetime64[s]") if stamps.dtype.kind == "M" else stamps
        return whole.astype(np.int64).astype(np.uint64)

    @property
    def latest_stamp(self) -> Stamps:
        """The latest time stamp of all series, an index of one."""
        return self.last_stamps[[self.last_stamps.argmax()]]

    @property
    def targets(self) -> Array:
        """Values of the targets, `[rows, D]`."""
        return self.source.values[:, : len(self.schema.columns.targets)]

    @property
    def varying(self) -> Array:
        """Values of the past covariates, then of the future ones, `[rows, columns]`."""
        first = len(self.schema.columns.targets)
        return self.source.values[:, first : first + len(self.covariates.varying)]

    @property
    def target_store(self) -> InMemoryStore:
        """The targets of each series, contiguous, since reading some columns copies each time."""
        return replace(self.source, values=np.ascontiguousarray(self.targets))

    def count_observed(self, stops: Array) -> Array:
        """Count the observed values among the first `stops` rows of each series, target by target.

        Args:
            stops: Number of rows, `[..., series]`.

        Returns:
            The counts, `[..., series, D]`.
        """
        counts = np.zeros((len(self.stamps) + 1, self.targets.shape[1]), dtype=np.int64)
        np.cumsum(~np.isnan(self.targets), axis=0, out=counts[1:])
        starts = self.source.starts
        observed: Array = counts[starts + np.clip(stops, 0, self.source.lengths)] - counts[starts]
        return observed

    def error(
        self,
        column: str,
        place: int,
        *,
        expected: str,
        received: str,
        hint: str,
        fix: Fix | None = None,
    ) -> DataError:
        """Build the error for a row, which names its number in the user's frame and its series.

        Args:
            column: The column that is at fault.
            place: Position of the row.
            expected: The expected value, in words.
            received: The received value, in words.
            hint: How to fix it.
            fix: How to fix it, for code.
        """
        row = int(self.rows[place])
        return DataError(
            option=self.option,
            column=column,
            row=None if row < 0 else row,
            series=self.source.ids[int(self.owners(np.array([place]))[0])],
            expected=expected,
            received=received,
            hint=hint,
            fix=fix,
        )

    def first_error(
        self, places: Array, at: Callable[[int], DataError], *, of_series: bool = False
    ) -> DataError:
        """Return the error for the first of some rows, which has the first of each series.

        Args:
            places: Positions of the rows, in order, or numbers of series.
            at: Builds the error for a row or a series.
            of_series: Whether errors are about series.
        """
        owners = places if of_series else self.owners(places)
        names = [self.source.ids[each] for each in owners]
        return DataError.first_of(places.tolist(), names, at)

    def reject(
        self,
        column: str,
        places: Array,
        texts: Callable[[int], tuple[str, str]],
        hint: str,
        *,
        fix: Fix | None = None,
    ) -> None:
        """Reject rows; the error has the first one of each series.

        Args:
            column: The column that is at fault.
            places: Positions of the rows, in order.
            texts: Returns the expected and the received value of a row, in words.
            hint: How to fix it.
            fix: How to fix it, for code.

        Raises:
            DataError: There are such rows.
        """

        def at(place: int) -> DataError:
            expected, received = texts(place)
            return self.error(
                column, place, expected=expected, received=received, hint=hint, fix=fix
            )

        if len(places):
            raise self.first_error(places, at)

    def owners(self, places: Array) -> Array:
        """Return the number of the series of each row.

        Args:
            places: Positions of the rows.
        """
        return np.searchsorted(self.source.ends, places, side="right")

    def reject_targets(self, mask: Array, *, expected: str, hint: str) -> None:
        """Reject targets where a mask, `[rows, D]`, is true, naming the first one.

        Args:
            mask: Which targets are rejected.
            expected: The expected value, in words.
            hint: How to fix it.

        Raises:
            DataError: The mask is true somewhere.
        """
        count = int(np.count_nonzero(mask))

        def at(place: int) -> DataError:
            target = int(mask[place].argmax())
            name = self.schema.columns.targets[target]
            return self.error(
                name,
                place,
                expected=expected,
                received=f"{self.targets[place, target]:g} ({count} such rows)",
                hint=hint,
            )

        if count:
            raise self.first_error(np.flatnonzero(mask.any(axis=1)), at)

    def without(self, errors: Mapping[Any, DataError]) -> tuple[Array, Self]:
        """Return which series remain, and the frame without the others.

        Args:
            errors: Error of each series that is left out, by its name.

        Returns:
            A mask of the series, `[N]`, and the frame of those that remain.
        """
        remaining = np.array([name not in errors for name in self.source.ids])
        return remaining, replace(self.of_series(remaining), skipped={**self.skipped, **errors})

    def until(self, stops: Array) -> Self:
        """Return the frame with each series cut off after `stops` rows.

        Series without values are left out.

        Args:
            stops: Number of rows of each series.
        """
        has_rows = np.minimum(stops, self.source.lengths) > 0
        has_values = (self.count_observed(stops) > 0).all(axis=-1)
        return self.between(np.zeros_like(stops), np.where(has_rows & has_values, stops, 0))

    def between(self, starts: Array, ends: Array) -> Self:
        """Return the frame with the rows of each series from `starts` up to `ends`.

        Empty series are left out.

        Args:
            starts: First row of each series.
            ends: The row after the last one of each series.
        """
        places = positions_of(self.source.ends)
        lengths = self.source.lengths
        inside = (places >= np.repeat(starts, lengths)) & (places < np.repeat(ends, lengths))
        counts = np.minimum(ends, lengths) - starts
        series = np.flatnonzero(counts > 0)
        ids = tuple(self.source.ids[place] for place in series)

        return replace(
            self,
            source=InMemoryStore(ids, np.cumsum(counts[series]), self.source.values[inside]),
            stamps=self.stamps[inside],
            rows=self.rows[inside],
            static=self.static[series],
        )

    def of_series(self, mask: Array) -> Self:
        """Return the frame with some of its series.

        Args:
            mask: Which series remain, `[N]`.
        """
        lengths = self.source.lengths
        return self.between(np.zeros_like(lengths), np.where(mask, lengths, 0))

    def tail(self, steps: int) -> Self:
        """Return the frame with the last `steps` rows of each series.

        Args:
            steps: Most rows of each series.
        """
        lengths = self.source.lengths
        return self.between(np.maximum(lengths - steps, 0), lengths)

    def table(self) -> UserFrame:
        """Return ids, stamps and known values as a frame of the kind that came in.

        Several targets follow each other, in a column of values and one of their names, `target`.
        """
        columns = self.schema.columns
        series = self.source.owner
        rows, targets = np.nonzero(~np.isnan(self.targets))
        order = np.lexsort((rows, targets, series[rows]))
        rows = rows[order]
        targets = targets[order]

        ids = as_ids(self.source.ids)[series[rows]]
        stamps = {columns.ds: self.stamps[rows]}
        values = {columns.value: self.targets[rows, targets]}
        return self.schema.build(ids, stamps, values, targets)

    def check_positive(self, scale: str) -> None:
        """Reject negative values, which have no logarithm.

        Args:
            scale: The scaling that takes logarithms.

        Raises:
            DataError: A target is negative.
        """
        expected = Phrase("values >= 0, for ", Option("scale", scale))
        hint = Phrase("Choose another ", Option("scale"), ".")
        self.reject_targets(self.targets < 0, expected=expected, hint=hint)

    def check_frequency(self) -> None:
        """Reject a frequency that is too fine for the rows.

        One that leaves most steps missing may be right, and is warned of.

        Raises:
            DataError: More than half of the steps are missing, and all gaps are multiples of
                several steps.
        """
        if self.frequency is None or self.frequency.inferred:
            return
        given = np.flatnonzero(self.rows >= 0)
        fraction = 1 - len(given) / max(1, len(self.rows))
        if fraction <= 0.5:
            return

        is_same_series = np.diff(self.owners(given)) == 0
        steps = np.diff(given)[is_same_series]
        step = int(np.gcd.reduce(steps))
        name = self.frequency.name
        missing = f"{fraction:.1%} of the steps missing at freq {name!r}"
        if step > 1 and len(steps) >= LEAST_STEPS:
            advice = " out to have it inferred, or name the longer step."
            raise DataError(
                option="freq",
                expected=(
                    f"the step between the rows, {step} steps of {name!r} or a multiple of that"
                ),
                received=missing,
                hint=Phrase("Leave ", Option("freq"), advice),
            )

        warn_user(
            f"{missing}. Name the longer step, if there is one; missing steps are read as gaps."
        )

    def check_observed(self) -> None:
        """Reject series without values of a target, or with one that rounds all others away.

        Raises:
            DataError: All values of a target are missing in a series, or one rounds the usual ones
                away.
        """
        self.check_sizes()
        empty = self.count_observed(self.source.lengths) == 0

        def at(series: int) -> DataError:
            return DataError(
                option=self.option,
                column=self.schema.columns.targets[int(empty[series].argmax())],
                series=self.source.ids[series],
                expected="at least one number",
                received=f"none in {self.source.lengths[series]} rows",
                hint="Drop the series, or fill it in.",
            )

        if empty.any():
            raise self.first_error(np.flatnonzero(empty.any(axis=1)), at, of_series=True)

    def check_sizes(self) -> None:
        """Reject values such as `2**64 - 1` among others near 10."""
        sizes = np.abs(self.targets)
        source = self.source
        largest = np.fmax.reduceat(sizes, source.starts)
        least = np.fmin.reduceat(np.where(sizes > 0, sizes, np.nan), source.starts)
        # Rounding near zero makes no value too large.
        is_wide = (largest > MOST_DIGITS) & (largest > MOST_DIGITS * least)

        excessive = np.zeros(sizes.shape, dtype=bool)
        for series in np.flatnonzero(is_wide.any(axis=1)):
            rows = source.rows(int(series))
            own = np.where(sizes[rows] > 0, sizes[rows], np.nan)
            own[:, np.isnan(own).all(axis=0)] = 1.0  # among zeros alone no size is excessive
            excessive[rows] = (own > MOST_DIGITS) & (own > MOST_DIGITS * np.nanmedian(own, axis=0))

        expected = "a value so small that the usual ones of its series are not rounded away"
        hint = "Correct it, or write NaN where a value is missing."
        self.reject_targets(excessive, expected=expected, hint=hint)
