"""Rolling origins of a long frame: what is known at each cutoff, and the truth after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.config import check_choice
from seqcast.data.frame import LongFrame
from seqcast.data.splits import cutoffs, repeat_season
from seqcast.errors import DataError

__all__ = ["ALIGNMENTS", "RollingOrigins"]

Array = npt.NDArray[Any]

ALIGNMENTS = ("time", "series")


class RollingOrigins:
    """Cutoffs of all series of a frame.

    Args:
        frame: The series.
        horizon: Steps of each forecast, `H`.
        n_windows: Number of cutoffs.
        step_size: Steps from one cutoff to the next; `None` is the horizon.
        align: `time` cuts all series at the same stamps, counted from the latest one, so that no series tells
            another's future; `series` counts from each series' own end.

    Raises:
        DataError: A cutoff comes before a series' first row.

    Example:
        >>> import pandas as pd
        >>> from seqcast.data.frame import read_frame
        >>> frame = read_frame(pd.DataFrame({"unique_id": "a", "ds": range(9), "y": range(9)}))
        >>> origins = RollingOrigins(frame, horizon=2, n_windows=2)
        >>> [known.source.lengths.tolist() for known in origins]
        [[5], [7]]
        >>> origins.table({"zero": np.zeros((2, 1, 2))}).head(2)
          unique_id  ds  cutoff    y  zero
        0         a   5       4  5.0   0.0
        1         a   6       4  6.0   0.0
    """

    def __init__(
        self,
        frame: LongFrame,
        horizon: int,
        n_windows: int = 1,
        step_size: int | None = None,
        align: str = "time",
    ) -> None:
        check_choice("align", align, ALIGNMENTS)
        self.frame = frame
        self.horizon = horizon
        lengths = frame.source.lengths
        if align == "series":
            own = [cutoffs(int(length), horizon, n_windows, step_size) for length in lengths]
            self.known = np.stack(own, axis=1)  # [n_windows, series]
        else:
            self.known = self._known_in_time(n_windows, step_size)
        late = np.flatnonzero(self.known[0] < 1)
        if len(late):
            raise DataError(
                f"df (series {frame.source.ids[late[0]]!r})",
                expected="rows up to the first cutoff",
                received=f"a first row at {frame.first_stamps[late[0]]}",
                mend="Leave the series out, or choose fewer windows or a smaller step_size.",
            )

    def _known_in_time(self, n_windows: int, step_size: int | None) -> Array:
        source, stamps = self.frame.source, self.frame.last_stamps
        # Of the series that end last, the longest is the clock.
        last = np.flatnonzero(stamps == stamps.max())
        clock = int(last[np.argmax(source.lengths[last])])
        marks = cutoffs(int(source.lengths[clock]), self.horizon, n_windows, step_size)
        series = np.repeat(np.arange(len(source)), source.lengths)
        known = []
        for mark in self.frame.stamps[source.starts[clock] + marks - 1]:
            before = np.asarray(self.frame.stamps <= mark)
            known.append(np.bincount(series[before], minlength=len(source)))
        return np.stack(known)

    def __iter__(self) -> Iterator[LongFrame]:
        """Yield the frame as it is known at each cutoff, the first one first."""
        return (self.frame.until(stops) for stops in self.known)

    def naive(self, season_length: int) -> Array:
        """Repeat the last season that is known, `[n_windows, series, H]`; length 1 repeats the last value."""
        source, options = self.frame.source, {"season_length": season_length, "horizon": self.horizon}
        return np.stack([repeat_season(source.values, source.starts, stops, **options) for stops in self.known])

    def table(self, forecasts: dict[str, Array]) -> Any:
        """Lay forecasts beside the truth.

        Args:
            forecasts: Forecasts by column name, `[n_windows, series, H]` each.

        Returns:
            A frame of the kind that came in, sorted by id, cutoff and stamp: `unique_id`, `ds`, `cutoff` (the
            last stamp that was known), `y` and the forecasts; a row for each step whose truth is known.
        """
        source, columns = self.frame.source, self.frame.form.columns
        known = self.known.T[:, :, None]  # [series, n_windows, 1]
        starts = source.starts[:, None, None]
        places = starts + known + np.arange(self.horizon)
        true = places < source.ends[:, None, None]
        cut = np.broadcast_to(starts + known - 1, places.shape)[true]
        ids = np.broadcast_to(np.arange(len(source))[:, None, None], places.shape)[true]
        times = {columns.ds: self.frame.stamps[places[true]], "cutoff": self.frame.stamps[cut]}
        values = {columns.y: source.values[places[true]]}
        values.update({name: forecast.transpose(1, 0, 2)[true] for name, forecast in forecasts.items()})
        return self.frame.form.build(np.asarray(source.ids)[ids], times, values)
