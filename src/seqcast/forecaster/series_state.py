"""The state of the series of a fitted forecaster: scaling, last rows and last stamps."""

import contextlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from seqcast.data.features import FeatureBuilder
from seqcast.data.frames import (
    AnyFrame,
    FrameSchema,
    Frequency,
    LongFrame,
    Stamps,
    complete,
    in_zone_of,
    stamp_kind,
)
from seqcast.data.series import InMemoryStore, SeriesScaler, positions_of
from seqcast.data.windows import Origins, WindowReader
from seqcast.errors import DataError, Option, Phrase
from seqcast.runtime import Array

# Remembered rows that end more steps than this before new ones are not joined to them.
FARTHEST = 1000


@dataclass(frozen=True)
class SeriesState:
    """Scaling and last rows of the series of a fit, and how rows become features.

    Args:
        frame: The last rows of each series, unscaled, categories numbered as at fit.
        scaler: Scaling of each series, from training rows.
        builder: How rows become features.
        scale: How a new series is scaled.
        context_length: Steps of past that a forecast reads, `T`.
        observed: Whether networks have an input that marks gaps.
        fill: Whether missing values and short series are legal.
        last_seen: The last stamp that the fit saw, an index of one.
        trained_until: The last training stamp of each series; the least possible one for a series
            without.
        support: The support of each target, see `seqcast.intervals.quantiles.SUPPORTS`.
    """

    frame: LongFrame
    scaler: SeriesScaler
    builder: FeatureBuilder
    scale: str
    context_length: int
    observed: bool
    fill: bool
    last_seen: Stamps
    trained_until: Stamps
    support: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[Any, ...]:
        """Names of the series, sorted."""
        return self.frame.source.ids

    @property
    def schema(self) -> FrameSchema:
        """Schema of the user's frame."""
        return self.frame.schema

    @property
    def frequency(self) -> Frequency | None:
        """The step between stamps."""
        return self.frame.frequency

    def places(self, ids: tuple[Any, ...]) -> Array:
        """Return the number of each series, -1 for new ones.

        Args:
            ids: Names of the series.
        """
        return self.frame.source.places(ids)

    def with_history(self, new: LongFrame, *, empty: bool = False) -> LongFrame:
        """Return new rows with the remembered rows of the same series before them.

        Args:
            new: Rows of known or new series.
            empty: Whether new series may have no values.

        Raises:
            DataError: Ids, stamps or categories are of another kind than at fit, or a new series
                has no values or no static covariates.
        """
        new = self.checked(new, empty=empty)
        return self.concat(new, new.source.ids)

    def copies(self, places: Array, ids: tuple[Any, ...]) -> Self:
        """Return the state of copies of some series, under other names.

        Args:
            places: Number of the series of each copy; one may be copied often.
            ids: Their names, sorted.
        """
        taken = self.frame.source.take(places)
        lengths = self.frame.source.lengths[places]
        rows = positions_of(taken.ends) + np.repeat(self.frame.source.starts[places], lengths)

        frame = replace(
            self.frame,
            source=replace(taken, ids=ids),
            stamps=self.frame.stamps[rows],
            rows=self.frame.rows[rows],
            static=self.frame.static[places],
        )

        return replace(
            self,
            frame=frame,
            scaler=self.scaler.take(places),
            trained_until=self.trained_until[places],
        )

    def updated(self, new: LongFrame) -> Self:
        """Return the state with new rows appended.

        Args:
            new: Rows that follow those of known series, and rows of new series, which are scaled by
                these.

        Raises:
            DataError: As for `with_history`; or rows do not follow.
        """
        new = self.checked(new)
        self.check_follows(new)
        ids = tuple(sorted({*self.ids, *new.source.ids}))
        joined = self.concat(new, ids)
        frame = replace(joined.tail(self.context_length), schema=self.schema)
        scaler = self.scaler_of(joined, joined.source.lengths)
        return replace(self, frame=frame, scaler=scaler, trained_until=self.trained_until_of(ids))

    def add_series(self, frame: LongFrame, scaler: SeriesScaler, stops: Array) -> Self:
        """Return the state with the series of a frame added, each up to its last row.

        Args:
            frame: Known and new series, checked, as `with_history` returns them.
            scaler: Scaling of each.
            stops: Number of rows of each that were trained on.
        """
        ids = tuple(sorted({*self.ids, *frame.source.ids}))
        in_frame = frame.source.places(ids)
        before = self.trained_until_of(ids)
        now = in_zone_of(frame.stamps[frame.source.starts + stops - 1], before)[in_frame]
        until = before.where((in_frame < 0) | np.asarray(before > now), now)
        scalers = self.scaler.take(self.places(ids)).where(in_frame < 0, scaler.take(in_frame))
        joined = replace(self.concat(frame, ids).tail(self.context_length), schema=self.schema)
        last_seen = max(self.last_seen, frame.latest_stamp, key=lambda stamp: stamp[0])
        return replace(self, frame=joined, scaler=scalers, last_seen=last_seen, trained_until=until)

    def trained_rows(self, frame: LongFrame) -> Array:
        """Return which rows of a frame were trained on, a mask `[rows]`.

        Args:
            frame: The series.
        """
        until = in_zone_of(self.trained_until_of(frame.source.ids), frame.stamps)
        return np.asarray(
            frame.stamps <= until[np.repeat(np.arange(len(until)), frame.source.lengths)]
        )

    def trained_until_of(self, ids: tuple[Any, ...]) -> Stamps:
        """Return the last training stamp of some series; for those without, one before all others.

        For times it is NaT, with which every comparison is false.

        Args:
            ids: Names of the series.
        """
        places = self.places(ids)
        never = np.iinfo(np.int64).min if self.trained_until.dtype.kind in "iu" else None
        return self.trained_until[places].where(places >= 0, never)

    def scaler_of(self, frame: AnyFrame, stops: Array) -> SeriesScaler:
        """Return the scaling of each series: the fit's, or for a new one that of its first rows.

        Args:
            frame: The series.
            stops: Number of known rows of each, `[N]`.
        """
        places = self.places(frame.source.ids)
        known = places >= 0
        scaler = self.scaler.take(places)
        return (
            scaler
            if known.all()
            else scaler.where(known, SeriesScaler.learn(frame.target_store, stops, self.scale))
        )

    def reader(self, frame: AnyFrame, origins: Origins) -> WindowReader:
        """Return the window reader of a checked frame; new series are scaled by all of their rows.

        Args:
            frame: The series.
            origins: Where forecasts begin.

        Raises:
            DataError: The context of an origin is too short.
        """
        self.check_contexts(frame, origins)
        scaler = self.scaler_of(frame, frame.source.lengths)
        return WindowReader.of_frame(
            frame, self.builder, scaler, context_length=self.context_length, observed=self.observed
        )

    def scaled_at_cutoffs(self, frame: LongFrame, known: Array, origins: Origins) -> Origins:
        """Return origins whose new series are scaled by the known rows at each cutoff.

        Args:
            frame: The series, checked.
            known: Number of known rows of each series at each cutoff, `[n_windows, N]`.
            origins: The origins at these cutoffs, cutoff after cutoff.
        """
        scalers = (self.scaler_of(frame, stops) for stops in known)
        by_cutoff = [
            scaler.take(origins.series[origins.cutoff == cutoff])
            for cutoff, scaler in enumerate(scalers)
        ]
        return replace(origins, scaler=SeriesScaler.concat(by_cutoff))

    def check_contexts(self, frame: AnyFrame, origins: Origins) -> None:
        """Reject origins with fewer known rows than a context has, where none may be padded.

        Args:
            frame: The series.
            origins: Where forecasts begin.

        Raises:
            DataError: A context is too short.
        """
        short = np.flatnonzero(origins.stops < self.context_length)
        if self.fill or not len(short):
            return
        series = int(origins.series[short[0]])
        name = frame.source.ids[series]
        expected = f"at least {self.context_length} rows, the context_length"
        place = int(self.places((name,))[0])
        if place >= 0 and self.frequency is not None:
            following = self.frequency.after(self.frame.last_stamps[place : place + 1], 1)[0]
            expected += f", or rows that follow its last known one from {following} on"
        more = "Give more of its past, drop it, or fit with a smaller context_length or "
        raise DataError(
            option="df",
            series=name,
            expected=expected,
            received=f"{origins.stops[short[0]]} rows from {frame.first_stamps[series]} on",
            hint=Phrase(more, Option("missing", "fill"), "."),
        )

    def check_follows(self, new: LongFrame) -> None:
        """Reject rows that do not follow the remembered ones of their series.

        Args:
            new: The new rows, checked.

        Raises:
            DataError: A series' first new row does not follow.
        """
        places = self.places(new.source.ids)
        last = self.frame.last_stamps[places]
        misplaced = np.asarray(last >= new.first_stamps)
        if not self.fill and self.frequency is not None:
            misplaced = np.asarray(self.frequency.after(last, 1) != new.first_stamps)
        misplaced &= places >= 0

        if misplaced.any():
            series = int(np.flatnonzero(misplaced)[0])
            raise new.error(
                self.schema.columns.ds,
                int(new.source.starts[series]),
                expected=f"rows that follow {last[series]}, the last one that is known",
                received=str(new.first_stamps[series]),
                hint="Give new rows only.",
            )

    def checked(self, new: LongFrame, *, empty: bool = False) -> LongFrame:
        """Return a frame with its categories numbered as at fit.

        Args:
            new: Rows of known or new series.
            empty: Whether new series may have no values.

        Raises:
            DataError: As for `with_history`.
        """
        ids = (f"type {type(each.source.ids[0]).__name__}" for each in (self.frame, new))
        columns = new.schema.columns
        kinds = (stamp_kind(each.stamps) for each in (self.frame, new))
        for column, prefix, (ours, theirs) in (
            (columns.unique_id, "ids of ", ids),
            (columns.ds, "", kinds),
        ):
            if ours != theirs:
                raise DataError(
                    column=column,
                    expected=f"{prefix}{ours}, as at fit",
                    received=theirs,
                    hint="Convert the column.",
                )

        if self.scale == "log1p":
            new.check_positive(self.scale)

        places = self.places(new.source.ids)
        if (places < 0).any():
            self._check_new_series(new, places < 0, empty)

        aligned = self.builder.align(new, warns=True)
        remembered = np.where((places >= 0)[:, None], self.frame.static[places], np.nan)
        return replace(
            aligned, static=np.where(np.isnan(aligned.static), remembered, aligned.static)
        )

    def without_empty(self, new: LongFrame) -> LongFrame:
        """Return a frame without new series that have no value; they count as skipped.

        Args:
            new: Rows of known or new series.
        """
        try:
            new.of_series(self.places(new.source.ids) < 0).check_observed()
        except DataError as error:
            return new.without(error.by_series)[1]
        return new

    def _check_new_series(self, new: LongFrame, unknown: Array, empty: bool) -> None:
        """Reject `unknown` series, a mask, without static covariates or, unless `empty`, values."""
        if not new.static_given:
            name = new.source.ids[int(unknown.argmax())]
            raise DataError(
                "df",
                expected=f"the columns {', '.join(map(repr, self.builder.static.names))}",
                received=f"none for series {name!r}, which fit did not see",
                hint="Add the static covariates.",
            )
        if not empty:
            new.of_series(unknown).check_observed()

    def concat(self, new: LongFrame, ids: tuple[Any, ...]) -> LongFrame:
        """Return remembered and new rows of some series, laid end to end.

        Args:
            new: The new rows, checked; a remembered row is taken when it is older than the first of
                them.
            ids: Names of the series, sorted; those of the new rows are among them.
        """
        remembered = self.frame

        place_of = {name: place for place, name in enumerate(ids)}
        remembered_owner = np.array(
            [place_of.get(name, -1) for name in remembered.source.ids], dtype=np.int64
        )
        new_owner = np.array([place_of[name] for name in new.source.ids], dtype=np.int64)

        older = self._older(new) & np.repeat(remembered_owner >= 0, remembered.source.lengths)
        owner = np.repeat(remembered_owner, remembered.source.lengths)[older]
        owner = np.concatenate([owner, np.repeat(new_owner, new.source.lengths)])
        order = np.argsort(owner, kind="stable")

        values = np.concatenate([remembered.source.values[older], new.source.values])[order]
        stamps = in_zone_of(remembered.stamps[older], new.stamps).append(new.stamps)[order]
        rows = np.concatenate([np.full(int(older.sum()), -1), new.rows])[order]

        static = np.full((len(ids), remembered.static.shape[1]), np.nan)
        static[remembered_owner[remembered_owner >= 0]] = remembered.static[remembered_owner >= 0]
        static[new_owner] = np.where(np.isnan(new.static), static[new_owner], new.static)

        source = InMemoryStore(ids, np.cumsum(np.bincount(owner, minlength=len(ids))), values)
        joined = replace(
            new, source=source, stamps=stamps, rows=rows, static=static, frequency=self.frequency
        )
        joined.check_sizes()
        return complete(joined, fill=self.fill)

    def _older(self, new: LongFrame) -> Array:
        """Return which remembered rows can stand before new ones, a mask `[remembered rows]`."""
        remembered = self.frame
        other = new.source.places(remembered.source.ids)
        owner = np.repeat(np.arange(len(other)), remembered.source.lengths)
        firsts = new.first_stamps[other]
        earlier = np.asarray(remembered.stamps < firsts[owner])
        counts = np.bincount(owner[earlier], minlength=len(other))
        last = remembered.stamps[remembered.source.starts + np.maximum(counts - 1, 0)]

        joins = counts > 0
        if self.frequency is not None:
            # Rows that end a whole context before the new ones are out of reach; without gaps all
            # have to join.
            reach = min(self.context_length, FARTHEST) if self.fill else 1
            with contextlib.suppress(
                OverflowError, ValueError
            ):  # beyond the calendar, so nothing is out of reach
                joins &= np.asarray(self.frequency.after(last, reach) >= firsts)
        return np.where((other >= 0)[owner], earlier & joins[owner], True)


@dataclass(frozen=True)
class OwnedSeries:
    """The series of several owners, who may own series of the same name.

    Args:
        column: Name of the column of ids.
        names: The different ids of all rows, an index of pandas.
        pairs: Numbers of the different pairs of owner and id, sorted: the owner times the number of
            ids, plus the id.
        rows: The pair of each row, `[rows]`.
    """

    column: str
    names: Any
    pairs: Array
    rows: Array

    @classmethod
    def of(cls, df: Any, owners: Array, column: str) -> Self:
        """Return the series of a pandas frame.

        Args:
            df: The frame.
            owners: Number of the owner of each row, `[rows]`.
            column: Name of the column of ids.
        """
        import pandas as pd

        codes, names = pd.factorize(df[column], sort=True)
        pairs, rows = np.unique(owners * len(names) + codes, return_inverse=True)
        return cls(column, names, pairs, rows)

    @cached_property
    def pair_names(self) -> list[Any]:
        """The id of each pair."""
        return list(self.names[self.pairs % len(self.names)].tolist())

    @property
    def dtype(self) -> str:
        """Type of the ids of forecasts: whole numbers or objects."""
        return "int64" if self.names.dtype.kind in "iu" else "object"

    @cached_property
    def labels(self) -> Array:
        """The names of the pairs during a forecast, in their order, and one more at the end."""
        count = len(self.pairs) + 1
        return (
            np.arange(count)
            if self.dtype == "int64"
            else np.array([f"{n:012d}" for n in range(count)], object)
        )

    def copies(self, series: SeriesState) -> tuple[SeriesState, int]:
        """Return the fitted series with a copy for each owner, and the number of known ones.

        Args:
            series: The state of the fitted series.
        """
        places = series.places(tuple(self.pair_names))
        known = np.flatnonzero(places >= 0)
        labels = self.labels
        # One more series at the end, so that the state has one where all are new.
        last = (
            labels.tolist()[-1]
            if (self.dtype == "int64") == isinstance(series.ids[0], int)
            else series.ids[0]
        )
        return series.copies(np.append(places[known], 0), (*labels[known].tolist(), last)), len(
            known
        )

    def renamed(self, df: Any) -> Any:
        """Return the rows of the frame under the names of their pairs.

        Args:
            df: The frame.
        """
        return df.assign(**{self.column: self.labels[self.rows]})

    def renamed_future(self, future: Any, owners: Array) -> Any:
        """Return the rows of the future whose series are forecast, under the names of their pairs.

        Args:
            future: The frame of the future.
            owners: Number of the owner of each of its rows.
        """
        codes = self.names.get_indexer(future[self.column])
        wanted = owners * len(self.names) + codes
        places = np.minimum(np.searchsorted(self.pairs, wanted), len(self.pairs) - 1)
        known = (codes >= 0) & (self.pairs[places] == wanted)
        return future[known].assign(**{self.column: self.labels[places[known]]})

    def restored(self, table: Any) -> tuple[Any, Array]:
        """Return forecasts under the ids of their owners, and the owner of each row.

        Args:
            table: A pandas frame under the names of the pairs.
        """
        import pandas as pd

        rows = table[self.column].to_numpy().astype(np.int64)
        table[self.column] = pd.Series(self.pair_names, dtype=self.dtype).to_numpy()[rows]
        return table, self.pairs[rows] // len(self.names)
