"""Windows that slide along many series, cut out as they are needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.series.store import InMemoryStore
from seqcast.data.windows.gaps import cut, fill_gaps, forward_fill
from seqcast.data.windows.order import Windows

__all__ = ["WEIGHTINGS", "SeriesWindows"]

Array = npt.NDArray[Any]


Batch = tuple[dict[str, Array], Array, Array]


WEIGHTINGS = ("rows", "series")


class SeriesWindows(Windows):
    """Windows that slide along many series, cut out as they are needed.

    The columns of the series are the targets, then past covariates, then what is known ahead. Windows with no known
    target are left out.

    Args:
        source: The series, already scaled.
        context_length: Steps of past, `T`.
        horizon: Steps of future, `H`.
        first_target: For each series, the earliest position that a target may have; windows whose targets start
            before it are left out. `None` leaves none out.
        stops: For each series, how many rows may be used; `None` is all.
        targets: Number of leading columns that are targets, `D`.
        future: Number of trailing columns that are known ahead, `F'`.
        static: Static features of each series, `[number of series, S]`.
        observed: Whether the inputs get an observed-indicator channel and have their gaps filled. The context of a
            series that is shorter than `T + H` then begins before its first row, with gaps.
        weighting: `rows` gives each window the same weight, `series` each series.
        **options: As for `Windows`.

    Example:
        >>> source = InMemoryStore.of({"a": np.arange(6.0), "b": np.arange(4.0)})
        >>> windows = SeriesWindows(source, context_length=2, horizon=1, batch_size=8)
        >>> inputs, y, _ = windows[0]
        >>> inputs["past"][:, :, 0].tolist()
        [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0], [3.0, 4.0], [0.0, 1.0], [1.0, 2.0]]
    """

    def __init__(
        self,
        source: InMemoryStore,
        *,
        context_length: int,
        horizon: int,
        first_target: Array | None = None,
        stops: Array | None = None,
        targets: int = 1,
        future: int = 0,
        static: Array | None = None,
        observed: bool = False,
        weighting: str = "rows",
        **options: Any,
    ) -> None:
        self.source = source
        self.context_length = context_length
        self.horizon = horizon
        self.targets, self.future, self.static, self.observed = targets, future, static, observed
        lengths = source.lengths if stops is None else np.minimum(stops, source.lengths)
        least = np.full(len(source), context_length)
        if observed:
            least = np.where(lengths < context_length + horizon, 1, least)
        first = least if first_target is None else np.maximum(first_target, least)
        self._per_series = np.maximum(lengths - horizon - first + 1, 0)
        self._first = source.starts + first - context_length
        self._ends = np.cumsum(self._per_series)
        self._kept = self._with_a_target()
        self._weight = self._weights(weighting)
        count = int(self._ends[-1]) if len(source) else 0
        super().__init__(count if self._kept is None else len(self._kept), **options)

    def _with_a_target(self) -> Array | None:
        """Return the windows that have a known target; `None` for all."""
        missing = np.isnan(self._columns[:, : self.targets]).all(axis=1)
        if not missing.any():
            return None
        series = np.repeat(np.arange(len(self._ends)), self._per_series)
        target = self._start(series, np.arange(len(series))) + self.context_length
        known = np.concatenate([[0], np.cumsum(~missing)])
        return np.flatnonzero(known[target + self.horizon] > known[target])

    def _weights(self, weighting: str) -> Array | None:
        """Return the weight of each series' windows; `None` for ones."""
        if weighting == "rows":
            return None
        counts = self._per_series
        if self._kept is not None:
            counts = np.bincount(np.searchsorted(self._ends, self._kept, side="right"), minlength=len(counts))
        return np.asarray(counts.sum() / np.maximum(counts, 1) / max(1, np.count_nonzero(counts)))

    @property
    def _columns(self) -> Array:
        columns: Array = np.atleast_2d(self.source.values.T).T
        return columns

    def _start(self, series: Array, numbers: Array) -> Array:
        """Return the row at which windows' contexts begin."""
        rows: Array = self._first[series] + numbers - (self._ends - self._per_series)[series]
        return rows

    def gather(self, indices: Array) -> Batch:
        """Return the windows with these numbers as one batch."""
        numbers = indices if self._kept is None else self._kept[indices]
        series = np.searchsorted(self._ends, numbers, side="right")
        steps = self.context_length + self.horizon
        start = self._start(series, numbers)
        values = cut(self._columns, start, start + steps, self.source.starts[series], self.source.ends[series])
        values = values.astype(np.float32, copy=False)
        inputs = {"past": values[:, : self.context_length]}
        if self.future:
            inputs["future"] = forward_fill(values[:, :, -self.future :])[:, self.context_length :]
        if self.static is not None:
            inputs["static"] = self.static[series]
        if self.observed:
            inputs["past"], inputs["observed"] = fill_gaps(inputs["past"])
        weight = np.ones(len(indices)) if self._weight is None else self._weight[series]
        return inputs, values[:, self.context_length :, : self.targets], weight

    def teacher_targets(self, inputs: dict[str, Array], y: Array) -> Array:
        """Return the targets with the value before in gaps, be it one of the past."""
        if not np.isnan(y).any():
            return y
        whole = np.concatenate([inputs["past"][:, :, : self.targets], y], axis=1)
        filled: Array = forward_fill(whole)[:, self.context_length :]
        return filled
