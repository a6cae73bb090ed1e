"""What a forecaster remembers of the series that it was fitted on: scaling, last rows, last stamps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.form import FrameForm
from seqcast.data.frame import LongFrame
from seqcast.data.frequency import Frequency, Stamps
from seqcast.data.scaling import Scaler
from seqcast.data.source import SeriesSource
from seqcast.errors import DataError

__all__ = ["Contexts", "SeriesMemory", "fit_scalers"]

Array = npt.NDArray[Any]


def fit_scalers(source: SeriesSource, stops: Array, scale: str) -> Scaler:
    """Learn each series' scaling from its first rows.

    Args:
        source: The series.
        stops: Number of rows of each series to learn from.
        scale: `standard` or `none`.

    Returns:
        A scaler with one centre and spread a series.

    Example:
        >>> source = SeriesSource.of({"a": np.array([1.0, 3.0, 99.0]), "b": np.array([5.0, 7.0])})
        >>> fit_scalers(source, np.array([2, 2]), "standard").centre
        array([2., 6.])
    """
    centre, spread = np.zeros(len(source)), np.ones(len(source))
    for stop in np.unique(stops):  # series of one length at a time: panels mostly have one
        members = np.flatnonzero(stops == stop)
        rows = source.values[source.starts[members][None, :] + np.arange(stop)[:, None]]
        scaler = Scaler.fit(rows, scale)
        centre[members], spread[members] = scaler.centre, scaler.spread
    return Scaler(centre, spread)


@dataclass(frozen=True)
class Contexts:
    """What forecasts start from, a row a series.

    Args:
        ids: Names of the series.
        past: Last rows, scaled, `[N, T]`.
        scaler: Scaling of each series.
        last_stamps: Stamp of each series' last row.
        form: How the frame of the forecasts is to look.
    """

    ids: tuple[Any, ...]
    past: Array
    scaler: Scaler
    last_stamps: Stamps
    form: FrameForm


@dataclass(frozen=True)
class SeriesMemory:
    """Scaling and last rows of the series of a fit.

    Args:
        ids: Names of the series, sorted.
        tails: Their last rows, as they were, `[N, T]`.
        scaler: Their scaling, from training rows.
        last_stamps: Stamp of each series' last row.
        frequency: The step between stamps.
        form: How the frame looked.
        scale: How a new series is scaled: `standard` or `none`.
    """

    ids: tuple[Any, ...]
    tails: Array
    scaler: Scaler
    last_stamps: Stamps
    frequency: Frequency
    form: FrameForm
    scale: str

    @classmethod
    def of(cls, frame: LongFrame, *, context_length: int, scaler: Scaler, scale: str) -> Self:
        """Remember the series of a frame, all of which have `context_length` rows."""
        places = frame.source.ends[:, None] - context_length + np.arange(context_length)
        tails = frame.source.values[places]
        return cls(frame.source.ids, tails, scaler, frame.last_stamps, frame.frequency, frame.form, scale)

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {name: place for place, name in enumerate(self.ids)}

    def contexts(self, frame: LongFrame | None = None) -> Contexts:
        """Return what forecasts start from.

        Args:
            frame: New rows. A series that is known keeps its scaling and, where the new rows are fewer than
                the context and follow its last row, its own last rows come before them. A new series is
                scaled by its rows in the frame. `None` starts from the end of the known series.

        Returns:
            The contexts, in the order of the frame's ids.

        Raises:
            DataError: A series has too few rows.
        """
        if frame is None:
            past = self.scaler.transform(self.tails.T).T
            return Contexts(self.ids, past, self.scaler, self.last_stamps, self.form)
        self._check_ids(frame)
        known = np.array([self._places.get(name, -1) for name in frame.source.ids])
        tails = self._tails(frame, known)
        own = fit_scalers(frame.source, np.where(known < 0, frame.source.lengths, 1), self.scale)
        scaler = Scaler(
            np.where(known < 0, own.centre, self.scaler.centre[known]),
            np.where(known < 0, own.spread, self.scaler.spread[known]),
        )
        past = scaler.transform(tails.T).T
        return Contexts(frame.source.ids, past, scaler, frame.last_stamps, frame.form)

    def _check_ids(self, frame: LongFrame) -> None:
        new, old = type(frame.source.ids[0]), type(self.ids[0])
        if new is not old:
            raise DataError(
                frame.form.columns.unique_id,
                expected=f"ids of type {old.__name__}, as at fit",
                received=f"type {new.__name__}",
                mend="Convert the column.",
            )

    def _tails(self, frame: LongFrame, known: Array) -> Array:
        """Return the last rows of each series of a frame, `[N, T]`."""
        steps = self.tails.shape[1]
        source = frame.source
        places = source.ends[:, None] - steps + np.arange(steps)
        tails: Array = source.values[np.maximum(places, 0)]
        short = np.flatnonzero(source.lengths < steps)
        if not len(short):
            return tails
        following = self.frequency.after(self.last_stamps, 1)[known[short]]
        joins = (known[short] >= 0) & np.asarray(frame.first_stamps[short] == following)
        if not joins.all():
            self._refuse(frame, int(short[~joins][0]), known)
        for series in short.tolist():
            rows = source.read(series, 0, int(source.lengths[series]))
            tails[series] = np.concatenate([self.tails[known[series]], rows])[-steps:]
        return tails

    def _refuse(self, frame: LongFrame, series: int, known: Array) -> None:
        expected = f"at least {self.tails.shape[1]} rows, the context_length"
        if known[series] >= 0:
            following = self.frequency.after(self.last_stamps[known[series : series + 1]], 1)[0]
            expected += f", or rows that follow its training from {following} on"
        raise DataError(
            f"df (series {frame.source.ids[series]!r})",
            expected=expected,
            received=f"{frame.source.lengths[series]} rows from {frame.first_stamps[series]} on",
            mend="Give more of its past, drop it, or fit with a smaller context_length.",
        )

    def to_parts(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return JSON types and arrays that hold all of it."""
        zoned = getattr(self.last_stamps, "tz", None) is not None
        stamps = self.last_stamps.tz_convert(None) if zoned else self.last_stamps
        header = {"freq": self.frequency.name, "form": self.form.to_dict(), "scale": self.scale}
        arrays = {
            "ids": np.array(self.ids),
            "tails": self.tails,
            "centre": self.scaler.centre,
            "spread": self.scaler.spread,
            "last_stamps": stamps.to_numpy(),
        }
        return header, arrays

    @classmethod
    def from_parts(cls, header: dict[str, Any], arrays: dict[str, Array]) -> Self:
        """Build it from the result of `to_parts`."""
        form = FrameForm.from_dict(header["form"])
        return cls(
            ids=tuple(arrays["ids"].tolist()),
            tails=arrays["tails"],
            scaler=Scaler(arrays["centre"], arrays["spread"]),
            last_stamps=form.stamps(arrays["last_stamps"]),
            frequency=Frequency(header["freq"]),
            form=form,
            scale=header["scale"],
        )
