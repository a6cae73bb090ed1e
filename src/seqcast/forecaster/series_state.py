"""What a fitted forecaster knows of its series: their scaling, last rows and last stamps."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.features.builder import FeatureBuilder
from seqcast.data.frames.frequency import Frequency, Stamps, in_zone_of, plain_stamps, stamp_kind
from seqcast.data.frames.long_frame import LongFrame, complete
from seqcast.data.frames.schema import FrameSchema
from seqcast.data.series.scalers import SeriesScaler
from seqcast.data.series.store import InMemoryStore
from seqcast.data.windows.origins import Origins
from seqcast.data.windows.reader import WindowReader
from seqcast.errors import DataError, Option, Phrase
from seqcast.specs.columns import Covariates

__all__ = ["FARTHEST", "SeriesState"]

Array = npt.NDArray[Any]

# Steps between remembered and new rows beyond which the former are not looked at.
FARTHEST = 1000


@dataclass(frozen=True)
class SeriesState:
    """Scaling and last rows of the series of a fit, and how rows become features.

    Args:
        frame: The last rows of each series, as they were, categories numbered as at fit.
        scaler: Scaling of each series, from training rows.
        builder: How rows become features.
        scale: How a new series is scaled.
        context_length: Steps of past that a forecast reads, `T`.
        observed: Whether the network takes gaps.
        fill: Whether missing values and short series are legal.
        last_seen: The last stamp that the fit saw, an index of one.
    """

    frame: LongFrame
    scaler: SeriesScaler
    builder: FeatureBuilder
    scale: str
    context_length: int
    observed: bool
    fill: bool
    last_seen: Stamps

    @property
    def ids(self) -> tuple[Any, ...]:
        """Names of the series, sorted."""
        return self.frame.source.ids

    @property
    def schema(self) -> FrameSchema:
        """How the frame looked."""
        return self.frame.schema

    @property
    def frequency(self) -> Frequency | None:
        """The step between stamps."""
        return self.frame.frequency

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {name: place for place, name in enumerate(self.ids)}

    def places(self, ids: tuple[Any, ...]) -> Array:
        """Return the number of each series, -1 for new ones."""
        return np.array([self._places.get(name, -1) for name in ids], dtype=np.int64)

    def with_history(self, new: LongFrame) -> LongFrame:
        """Return new rows, with the remembered rows of the same series before them.

        Args:
            new: Rows of known or new series.

        Raises:
            DataError: Ids, stamps or categories are of another kind than at fit, or a new series has no values or
                no static covariates.
        """
        new = self.checked(new)
        return self.concat(new, new.source.ids)

    def updated(self, new: LongFrame) -> Self:
        """Return the state that goes on to the new rows.

        Args:
            new: Rows that follow those of known series, and rows of new series, which are scaled by these.

        Raises:
            DataError: As for `with_history`; or rows do not follow.
        """
        new = self.checked(new)
        self.check_follows(new)
        ids = tuple(sorted({*self.ids, *new.source.ids}))
        whole = self.concat(new, ids)
        own = SeriesScaler.fit(whole.targets, whole.source.ends, whole.source.lengths, self.scale)
        places = self.places(ids)
        scaler = self.scaler.take(places).where(places >= 0, own)
        frame = replace(whole.tail(self.context_length), schema=self.schema)
        return replace(self, frame=frame, scaler=scaler)

    def add_series(self, frame: LongFrame, scaler: SeriesScaler) -> Self:
        """Return the state with the series of a frame added, which goes on from their ends.

        Args:
            frame: Known and new series, checked, as `with_history` returns them.
            scaler: Scaling of each.
        """
        ids = tuple(sorted({*self.ids, *frame.source.ids}))
        here = {name: place for place, name in enumerate(frame.source.ids)}
        fresh = np.array([here.get(name, -1) for name in ids], dtype=np.int64)
        joined = self.scaler.take(self.places(ids)).where(fresh < 0, scaler.take(fresh))
        whole = replace(self.concat(frame, ids).tail(self.context_length), schema=self.schema)
        last = int(frame.last_stamps.argmax())
        seen = frame.last_stamps[last : last + 1]
        later = seen if bool(np.asarray(seen > self.last_seen)[0]) else self.last_seen
        return replace(self, frame=whole, scaler=joined, last_seen=later)

    def scaler_of(self, frame: LongFrame, stops: Array) -> SeriesScaler:
        """Return the scaling of each series: a known one's is that of its training, a new one's of its first rows.

        Args:
            frame: The series.
            stops: Number of known rows of each, `[N]`.
        """
        places = self.places(frame.source.ids)
        scaler = self.scaler.take(places)
        if (places >= 0).all():
            return scaler
        return scaler.where(places >= 0, SeriesScaler.learn(frame.target_store, stops, self.scale))

    def reader(self, frame: LongFrame, origins: Origins) -> WindowReader:
        """Return the reader of windows of a frame, whose new series are scaled by all of their rows.

        Args:
            frame: The series, checked.
            origins: Where windows end.

        Raises:
            DataError: A context is too short, and may not be.
        """
        if not self.fill:
            self._check_contexts(frame, origins)
        scaler = self.scaler_of(frame, frame.source.lengths)
        return WindowReader.of_frame(
            frame, self.builder, scaler, context_length=self.context_length, observed=self.observed
        )

    def scaled_at_cutoffs(self, frame: LongFrame, known: Array, origins: Origins) -> Origins:
        """Return origins whose new series are scaled by what was known at each cutoff.

        Args:
            frame: The series, checked.
            known: Number of known rows of each series at each cutoff, `[n_windows, N]`.
            origins: The origins at these cutoffs, cutoff after cutoff.
        """
        scalers = (self.scaler_of(frame, stops) for stops in known)
        parts = [scaler.take(origins.series[origins.cutoff == cutoff]) for cutoff, scaler in enumerate(scalers)]
        return replace(origins, scaler=SeriesScaler.concat(parts))

    def _check_contexts(self, frame: LongFrame, origins: Origins) -> None:
        """Refuse origins with fewer known rows than a context has."""
        short = np.flatnonzero(origins.stops < self.context_length)
        if not len(short):
            return
        series = int(origins.series[short[0]])
        name = frame.source.ids[series]
        expected = f"at least {self.context_length} rows, the context_length"
        place = int(self.places((name,))[0])
        if place >= 0 and self.frequency is not None:
            following = self.frequency.after(self.frame.last_stamps[place : place + 1], 1)[0]
            expected += f", or rows that follow its last known one from {following} on"
        raise DataError(
            option="df",
            series=name,
            expected=expected,
            received=f"{origins.stops[short[0]]} rows from {frame.first_stamps[series]} on",
            hint=Phrase(
                "Give more of its past, drop it, or fit with a smaller context_length or ",
                Option("missing", "fill"),
                ".",
            ),
        )

    def check_follows(self, new: LongFrame) -> None:
        """Refuse rows that are not after the remembered ones of their series, or without gaps do not join them.

        Raises:
            DataError: A series' first new row is elsewhere.
        """
        known = self.places(new.source.ids)
        last = self.frame.last_stamps[known]
        wrong = np.asarray(last >= new.first_stamps)
        if not self.fill and self.frequency is not None:
            wrong = np.asarray(self.frequency.after(last, 1) != new.first_stamps)
        wrong &= known >= 0
        if wrong.any():
            series = int(np.flatnonzero(wrong)[0])
            raise new.error(
                self.schema.columns.ds,
                int(new.source.starts[series]),
                expected=f"rows that follow {last[series]}, the last one that is known",
                received=str(new.first_stamps[series]),
                hint="Give new rows only.",
            )

    def checked(self, new: LongFrame) -> LongFrame:
        """Return a frame with its categories numbered as at fit.

        Raises:
            DataError: As for `with_history`.
        """
        if (ours := type(self.ids[0])) is not (theirs := type(new.source.ids[0])):
            raise DataError(
                column=new.schema.columns.unique_id,
                expected=f"ids of type {ours.__name__}, as at fit",
                received=f"type {theirs.__name__}",
                hint="Convert the column.",
            )
        old, fresh = stamp_kind(self.frame.stamps), stamp_kind(new.stamps)
        if old != fresh:
            raise DataError(
                column=new.schema.columns.ds, expected=f"{old}, as at fit", received=fresh, hint="Convert the column."
            )
        if self.scale == "log1p":
            self.builder.check_positive(new, self.scale)
        strangers = np.flatnonzero(self.places(new.source.ids) < 0)
        if len(strangers):
            self._check_strangers(new, strangers)
        aligned, known = self.builder.align(new), self.places(new.source.ids)
        remembered = np.where((known >= 0)[:, None], self.frame.static[known], np.nan)
        return replace(aligned, static=np.where(np.isnan(aligned.static), remembered, aligned.static))

    def _check_strangers(self, new: LongFrame, strangers: Array) -> None:
        if not new.static_given:
            raise DataError(
                "df",
                expected=f"the columns {', '.join(map(repr, self.builder.static.names))}",
                received=f"none for series {new.source.ids[strangers[0]]!r}, which fit did not see",
                hint="Add the static covariates.",
            )
        lengths = new.source.lengths
        only = np.zeros_like(lengths)
        only[strangers] = lengths[strangers]
        new.between(np.zeros_like(lengths), only).check_seen()

    def concat(self, new: LongFrame, ids: tuple[Any, ...]) -> LongFrame:
        """Lay remembered and new rows of some series end to end.

        Args:
            new: The new rows, checked; a remembered row is taken when it is older than the first of them.
            ids: Names of the series, sorted; those of the new rows are among them.
        """
        old = self.frame
        place = {name: number for number, name in enumerate(ids)}
        olds = np.array([place.get(name, -1) for name in old.source.ids], dtype=np.int64)
        news = np.array([place[name] for name in new.source.ids], dtype=np.int64)
        kept = self._older(new) & np.repeat(olds >= 0, old.source.lengths)
        owner = np.concatenate([
            np.repeat(olds, old.source.lengths)[kept], np.repeat(news, new.source.lengths)
        ])  # fmt: skip
        order = np.argsort(owner, kind="stable")
        values = np.concatenate([old.source.values[kept], new.source.values])[order]
        stamps = in_zone_of(old.stamps[kept], new.stamps).append(new.stamps)[order]
        rows = np.concatenate([np.full(int(kept.sum()), -1), new.rows])[order]
        static = np.full((len(ids), old.static.shape[1]), np.nan)
        static[olds[olds >= 0]] = old.static[olds >= 0]
        static[news] = np.where(np.isnan(new.static), static[news], new.static)
        source = InMemoryStore(ids, values, np.cumsum(np.bincount(owner, minlength=len(ids))))
        whole = replace(new, source=source, stamps=stamps, rows=rows, static=static, frequency=self.frequency)
        return complete(whole, fill=self.fill)

    def _older(self, new: LongFrame) -> Array:
        """Tell which remembered rows can stand before the new ones, `[remembered rows]`."""
        old = self.frame
        match = {name: number for number, name in enumerate(new.source.ids)}
        other = np.array([match.get(name, -1) for name in old.source.ids], dtype=np.int64)
        owner = np.repeat(np.arange(len(other)), old.source.lengths)
        firsts = new.first_stamps[other]
        kept = np.asarray(old.stamps < firsts[owner])
        counts = np.bincount(owner[kept], minlength=len(other))
        last = old.stamps[old.source.starts + np.maximum(counts - 1, 0)]
        joins = counts > 0
        if self.frequency is not None:
            # Rows that end a whole context before the new ones are out of reach; without gaps all have to join.
            reach = min(self.context_length, FARTHEST) if self.fill else 1
            with contextlib.suppress(OverflowError, ValueError):  # beyond the calendar, so nothing is out of reach
                joins &= np.asarray(self.frequency.after(last, reach) >= firsts)
        return np.where((other >= 0)[owner], kept & joins[owner], True)

    def to_parts(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return JSON types and arrays that hold all of it."""
        header = {
            "freq": None if self.frequency is None else self.frequency.name,
            "schema": self.schema.to_dict(),
            "covariates": self.frame.covariates.to_dict(),
            "builder": self.builder.to_dict(),
            "scale": self.scale,
            "context_length": self.context_length,
            "observed": self.observed,
            "fill": self.fill,
        }
        arrays = {
            "ids": np.array(self.ids),
            "ends": self.frame.source.ends,
            "values": self.frame.source.values,
            "stamps": plain_stamps(self.frame.stamps),
            "static": self.frame.static,
            "loc": self.scaler.loc,
            "scale": self.scaler.scale,
            **({} if self.scaler.unit is None else {"unit": self.scaler.unit}),
            "last_seen": plain_stamps(self.last_seen),
        }
        return header, arrays

    @classmethod
    def from_parts(cls, header: dict[str, Any], arrays: dict[str, Array]) -> Self:
        """Build it from the result of `to_parts`."""
        unit = arrays.get("unit")
        schema, builder = FrameSchema.from_dict(header["schema"]), FeatureBuilder.from_dict(header["builder"])
        frame = LongFrame(
            InMemoryStore(tuple(arrays["ids"].tolist()), arrays["values"], arrays["ends"]),
            schema.stamps(arrays["stamps"]),
            None if header["freq"] is None else Frequency(header["freq"]),
            schema,
            Covariates.from_dict(header["covariates"]),
            (*builder.past.kinds, *builder.future.kinds),
            arrays["static"],
            builder.static.kinds,
            np.full(len(arrays["values"]), -1),
        )
        return cls(
            frame=frame,
            scaler=SeriesScaler(arrays["loc"], arrays["scale"], unit),
            builder=builder,
            scale=header["scale"],
            context_length=header["context_length"],
            observed=header["observed"],
            fill=header["fill"],
            last_seen=schema.stamps(arrays["last_seen"]),
        )
