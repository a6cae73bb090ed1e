"""Features other than the targets: learned from the frame of a fit, built for any like it.

A step's features are, in this order: the targets, past covariates, future covariates, the calendar,
and for irregular stamps the time since the step before. The last three are known for the future.
"""

import functools
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from seqcast.data.features.calendar import Calendar, check_calendar
from seqcast.data.features.encoders import LARGEST, ColumnEncoder, ColumnStatistics
from seqcast.data.frames import AnyFrame, LongFrame, Stamps, seconds
from seqcast.data.series import positions_of
from seqcast.runtime import Array
from seqcast.specs import WindowSpec


@dataclass(frozen=True)
class FeatureStatistics:
    """Statistics from which features are learned; those of some series merge with those of others.

    Args:
        columns: Covariates that are `past`, `future` and `static`.
        longest: Stamps of the longest series.
        gaps: Number of gaps between stamps, by their length; `None` for regular stamps.
    """

    columns: dict[str, ColumnStatistics]
    longest: Stamps
    gaps: Counter[float] | None = None

    @classmethod
    def of(cls, frame: LongFrame, stops: Array) -> Self:
        """Return the statistics of the first rows of each series.

        Args:
            frame: The series.
            stops: Number of first rows of each.
        """
        source = frame.source
        covariates = frame.covariates
        split = len(covariates.past)
        inside = positions_of(source.ends) < np.repeat(stops, source.lengths)
        values = frame.varying[inside] if covariates.varying else frame.varying[:0]

        columns = {
            "past": ColumnStatistics.of(covariates.past, frame.kinds[:split], values[:, :split]),
            "future": ColumnStatistics.of(
                covariates.future, frame.kinds[split:], values[:, split:]
            ),
            "static": ColumnStatistics.of(covariates.static, frame.static_kinds, frame.static),
        }

        longest = int(np.argmax(source.lengths))
        return cls(
            columns,
            longest=frame.stamps[source.rows(longest)],
            gaps=None if frame.frequency is not None else _gap_counts(frame, inside),
        )

    def merge(self, other: Self) -> Self:
        """Return the statistics of both together.

        Args:
            other: The statistics of other series.
        """
        return replace(
            self,
            columns={role: mine.merge(other.columns[role]) for role, mine in self.columns.items()},
            longest=other.longest if len(other.longest) > len(self.longest) else self.longest,
            gaps=None if self.gaps is None or other.gaps is None else self.gaps + other.gaps,
        )

    @property
    def median_gap(self) -> float | None:
        """The median time between two stamps, 1 where there are none; `None` for regular ones."""
        if self.gaps is None:
            return None

        lengths = sorted(self.gaps)
        counts = np.cumsum([self.gaps[length] for length in lengths])
        if not len(counts):
            return 1.0

        middle = np.searchsorted(counts, [(counts[-1] - 1) // 2, counts[-1] // 2], side="right")
        return float(np.mean([lengths[place] for place in middle]))


def _gap_counts(frame: LongFrame, inside: Array) -> Counter[float]:
    """Count the gaps between neighbouring rows of a series that are `inside`, by their length."""
    later = inside.copy()
    later[frame.source.starts] = False
    places = np.flatnonzero(later)
    moments = seconds(frame.stamps)
    lengths, counts = np.unique(moments[places] - moments[places - 1], return_counts=True)
    return Counter(dict(zip(lengths.tolist(), counts.tolist(), strict=True)))


@dataclass(frozen=True)
class FeatureBuilder:
    """Encoders that turn the rows of a frame into features.

    Args:
        targets: Number of targets, `D`.
        past: Past covariates.
        future: Future covariates.
        static: Static covariates.
        calendar: Features of the time stamps.
        median_gap: Seconds (or whole numbers) between stamps, the median; for irregular stamps
            only.

    Example:
        >>> import pandas as pd
        >>> from seqcast.data.frames.frame_reader import read_frame
        >>> table = pd.DataFrame({"unique_id": "a", "ds": range(4), "y": [1.0, 2.0, 3.0, 9.0]})
        >>> frame = read_frame(table)
        >>> builder = FeatureBuilder.learn(frame, np.array([3]), calendar="auto")
        >>> builder.features, builder.row_features(frame).shape
        (1, (4, 0))
    """

    targets: int
    past: ColumnEncoder
    future: ColumnEncoder
    static: ColumnEncoder
    calendar: Calendar
    median_gap: float | None = None

    @classmethod
    def learn(
        cls, frame: AnyFrame, stops: Array, *, calendar: Any, context_length: int = 0
    ) -> Self:
        """Learn categories and scaling from training rows, of all series together.

        Args:
            frame: The series.
            stops: Number of training rows of each.
            calendar: The option, as for `Calendar.choose`.
            context_length: Steps of past that a forecast reads.

        Raises:
            DataError: A column has too many categories, or the stamps have no such calendar.
        """
        by_shard = (
            FeatureStatistics.of(shard, stops[series]) for series, shard in frame.in_shards()
        )

        statistics = functools.reduce(FeatureStatistics.merge, by_shard)
        columns = frame.schema.columns
        return cls(
            targets=len(columns.targets),
            **{role: ColumnEncoder.of(each) for role, each in statistics.columns.items()},
            calendar=Calendar.choose(
                calendar, statistics.longest, columns.ds, context_length=context_length
            ),
            median_gap=statistics.median_gap,
        )

    @property
    def features(self) -> int:
        """Number of features of a step, `F`."""
        return self.targets + self.past.width + self.future_size

    @property
    def has_covariates(self) -> bool:
        """Whether there are features other than targets and calendar."""
        return bool(self.past.names or self.future.names or self.static.names)

    @property
    def future_size(self) -> int:
        """Number of features of the known future, `F'`."""
        return self.future.width + self.calendar.width + (self.median_gap is not None)

    @property
    def future_names(self) -> tuple[str, ...]:
        """Name of each feature of the known future."""
        gap = () if self.median_gap is None else ("time since the step before",)
        return (*self.future.features, *self.calendar.feature_names, *gap)

    def input_names(self, targets: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Return the names of the features of each input of a network, and of the targets as `y`.

        Args:
            targets: Names of the targets.
        """
        names = {"past": (*targets, *self.past.features, *self.future_names), "y": targets}
        if self.future_size:
            names["future"] = self.future_names
        if self.static.names:
            names["static"] = self.static.features
        return names

    def window(self, *, horizon: int, context_length: int, observed: bool) -> WindowSpec:
        """Return the sizes of a window.

        Args:
            horizon: Steps of future, `H`.
            context_length: Steps of past, `T`.
            observed: Whether the network has an observed channel.
        """
        return WindowSpec(
            horizon=horizon,
            features=self.features,
            targets=self.targets,
            static=self.static.width,
            future=self.future_size,
            target_features=tuple(range(self.targets)),
            context_length=context_length,
            observed=observed,
        )

    def align(self, frame: LongFrame, *, warns: bool = False) -> LongFrame:
        """Return another frame with its categories numbered as at fit.

        Args:
            frame: The other frame.
            warns: Whether to warn of new categories.
        """
        ids = frame.source.ids

        def series_of_row(row: int) -> Hashable:
            name: Hashable = ids[int(frame.owners(np.asarray(row)))]
            return name

        of_row = series_of_row if warns else None
        of_series = ids.__getitem__ if warns else None
        split = len(self.past.names)
        values = frame.source.values
        if frame.kinds:
            past = self.past.align(frame.varying[:, :split], frame.kinds[:split], series=of_row)
            future = self.future.align(frame.varying[:, split:], frame.kinds[split:], series=of_row)
            weights = values[:, self.targets + len(frame.kinds) :]
            values = np.concatenate([frame.targets, past, future, weights], axis=1)

        return replace(
            frame,
            source=replace(frame.source, values=values),
            kinds=(*self.past.kinds, *self.future.kinds),
            static=self.static.align(frame.static, frame.static_kinds, series=of_series),
            static_kinds=self.static.kinds,
        )

    def row_features(self, frame: LongFrame) -> Array:
        """Return the features of each row of an aligned frame, without targets, `[rows, F - D]`.

        Args:
            frame: The series.
        """
        split = len(self.past.names)
        past = frame.varying[:, :split]
        future = frame.varying[:, split:]

        blocks = [
            self.past.encode(past),
            self.future.encode(future),
            self.calendar.features(frame.stamps),
        ]

        if self.median_gap is not None:
            moments = seconds(frame.stamps)
            gaps = np.diff(moments, prepend=moments[:1])
            gaps[frame.source.starts] = self.median_gap  # nothing is known before the first row
            blocks.append(self._scaled_gaps(gaps)[:, None])

        return np.concatenate(blocks, axis=1).astype(np.float32, copy=False)

    def static_features(self, frame: LongFrame) -> Array | None:
        """Return the static features of each series of an aligned frame, `[series, S]`, if any.

        Args:
            frame: The series.
        """
        if not self.static.names:
            return None
        return self.static.encode(self.static.filled(frame.static))

    def future_features(self, future: Array, stamps: Stamps, last_stamps: Stamps) -> Array:
        """Return the features of the known future.

        Args:
            future: Aligned future covariates, `[N, H, columns]`.
            stamps: Stamps of the steps, series after series.
            last_stamps: The stamp before the first step of each series.

        Returns:
            The features, `[N, H, F']`; NaN is missing.
        """
        count, horizon = future.shape[:2]

        blocks = [
            self.future.encode(future),
            self.calendar.features(stamps).reshape(count, horizon, -1),
        ]

        if self.median_gap is not None:
            times = seconds(stamps).reshape(count, horizon)
            moments = np.concatenate([seconds(last_stamps)[:, None], times], axis=1)
            blocks.append(self._scaled_gaps(np.diff(moments, axis=1))[:, :, None])

        return np.concatenate(blocks, axis=2)

    def _scaled_gaps(self, gaps: Array) -> Array:
        return np.clip(gaps / (self.median_gap or 1.0), 0.0, LARGEST).astype(np.float32)

    def check(self) -> None:
        """Reject a builder of a file whose fields are impossible.

        Raises:
            ValueError: A field is impossible.
            SpecError: There is no such feature of the calendar.
        """
        gap = self.median_gap
        calendar = check_calendar(self.calendar.names)
        if self.targets < 1 or "auto" in calendar or (gap is not None and not 0 < gap < np.inf):
            raise ValueError(f"features of {self.targets} targets, {calendar} and gaps of {gap}")
