"""From arrays or series to batches of windows, in a seeded order of their own, never all windows in memory.

A batch is `(inputs, y, sample_weight)`; `inputs` is a dict with `past` `[B, T, F]` and, where there are any,
`observed` `[B, T, F]`, `static` `[B, S]`, `future` `[B, H, F']` and, for decoders that are taught, `target`
`[B, H, D]`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast._backend import keras
from seqcast.data.scaling import Scaler
from seqcast.data.source import SeriesSource

__all__ = ["WEIGHTINGS", "ArrayWindows", "SeriesWindows", "Windows", "carried", "cut", "fill_gaps"]

Array = npt.NDArray[Any]
Batch = tuple[dict[str, Array], Array, Array]

WEIGHTINGS = ("rows", "series")


class Windows(keras.utils.PyDataset):
    """Windows divided into batches of equal size; an epoch's order depends only on the seed and the epoch.

    Keras's own shuffling draws from global generators, so it is not used. Batches differ by at most one window in
    size and are padded to the larger size with copies of weight zero: one shape, hence one compilation.

    Args:
        count: Number of windows.
        batch_size: Largest number of windows in a batch.
        seed: Seed of the order; `None` keeps the windows in order.
        steps: Batches an epoch; `None` is one pass. With fewer or more, passes simply follow one another.
        teach: Whether the inputs hold `target`.
    """

    def __init__(
        self,
        count: int,
        *,
        batch_size: int,
        seed: int | None = None,
        steps: int | None = None,
        teach: bool = False,
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self.count = count
        self.batches_per_pass = max(1, math.ceil(count / batch_size))
        self.batch_size = math.ceil(count / self.batches_per_pass)
        self.steps = steps or self.batches_per_pass
        self.seed = seed
        self.teach = teach
        self.epoch = 0
        self._order: tuple[int, Array] | None = None

    def __len__(self) -> int:
        return self.steps

    @property
    def position(self) -> dict[str, int]:
        """Where the reading stands, to be kept and set again."""
        return {"epoch": self.epoch}

    @position.setter
    def position(self, value: dict[str, int]) -> None:
        self.epoch = int(value["epoch"])

    def on_epoch_end(self) -> None:
        """Move on to the next epoch's order."""
        self.epoch += 1

    def __getitem__(self, index: int) -> Batch:
        number, batch = divmod(self.epoch * self.steps + index, self.batches_per_pass)
        low = batch * self.count // self.batches_per_pass
        high = (batch + 1) * self.count // self.batches_per_pass
        chosen = self._pass_order(number)[low:high]
        padded = chosen if len(chosen) == self.batch_size else np.resize(chosen, self.batch_size)
        inputs, y, weight = self.gather(padded)
        weight = np.where(np.arange(self.batch_size) < len(chosen), weight, 0.0).astype(np.float32)
        if self.teach:
            inputs["target"] = self.taught(inputs, y)
        return inputs, y, weight

    def taught(self, inputs: dict[str, Array], y: Array) -> Array:
        """Return what a decoder that is taught reads of the targets, without gaps."""
        del inputs
        return np.nan_to_num(y)

    def _pass_order(self, number: int) -> Array:
        if self._order is None or self._order[0] != number:
            order = np.arange(self.count)
            if self.seed is not None:
                order = np.random.default_rng([self.seed, number]).permutation(self.count)
            self._order = (number, order)
        return self._order[1]

    def gather(self, indices: Array) -> Batch:
        """Return the windows with these numbers as one batch."""
        raise NotImplementedError


class ArrayWindows(Windows):
    """Windows that are given as arrays.

    Args:
        inputs: Arrays by name, first axis the windows.
        y: Targets, `[N, H, D]`; NaN is missing.
        sample_weight: Weights, `[N]`; their mean is taken to be 1.
        observed: Whether the inputs get an observed-indicator channel and have their gaps filled.
        scalers: What inputs and, under `y`, targets are scaled with, batch by batch: scaling them as a whole would
            take as much memory again. `None` for arrays that are scaled already.
        **options: As for `Windows`.

    Example:
        >>> windows = ArrayWindows({"past": np.zeros((5, 4, 1))}, np.zeros((5, 2, 1)), batch_size=2)
        >>> inputs, y, weight = windows[0]
        >>> len(windows), inputs["past"].shape, weight
        (3, (2, 4, 1), array([1., 0.], dtype=float32))
    """

    def __init__(
        self,
        inputs: dict[str, Array],
        y: Array,
        sample_weight: Array | None = None,
        *,
        observed: bool = False,
        scalers: Mapping[str, Scaler] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(len(y), **options)
        self.scalers = scalers or {}
        self.inputs = inputs
        self.y = y
        self.observed = observed
        self.sample_weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)

    def gather(self, indices: Array) -> Batch:
        """Return the windows with these numbers as one batch."""
        inputs = {name: self._scaled(name, values, indices) for name, values in self.inputs.items()}
        if self.observed:
            inputs["past"], inputs["observed"] = fill_gaps(inputs["past"])
        return inputs, self._scaled("y", self.y, indices), self.sample_weight[indices]

    def _scaled(self, name: str, values: Array, indices: Array) -> Array:
        chosen = np.take(values, indices, axis=0)
        if name in self.scalers:
            chosen = self.scalers[name].transform(chosen)
        return chosen.astype(np.float32, copy=False)


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
        >>> source = SeriesSource.of({"a": np.arange(6.0), "b": np.arange(4.0)})
        >>> windows = SeriesWindows(source, context_length=2, horizon=1, batch_size=8)
        >>> inputs, y, _ = windows[0]
        >>> inputs["past"][:, :, 0].tolist()
        [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0], [3.0, 4.0], [0.0, 1.0], [1.0, 2.0]]
    """

    def __init__(
        self,
        source: SeriesSource,
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
            inputs["future"] = carried(values[:, :, -self.future :])[:, self.context_length :]
        if self.static is not None:
            inputs["static"] = self.static[series]
        if self.observed:
            inputs["past"], inputs["observed"] = fill_gaps(inputs["past"])
        weight = np.ones(len(indices)) if self._weight is None else self._weight[series]
        return inputs, values[:, self.context_length :, : self.targets], weight

    def taught(self, inputs: dict[str, Array], y: Array) -> Array:
        """Return the targets with the value before in gaps, be it one of the past."""
        if not np.isnan(y).any():
            return y
        whole = np.concatenate([inputs["past"][:, :, : self.targets], y], axis=1)
        filled: Array = carried(whole)[:, self.context_length :]
        return filled


def cut(values: Array, starts: Array, stops: Array, lows: Array, highs: Array) -> Array:
    """Cut stretches of equal length out of rows, with NaN for what lies outside their series.

    Args:
        values: Rows of all series, `[rows, C]`.
        starts: First row of each stretch, `[B]`.
        stops: Row after its last, `[B]`.
        lows: First row of its series, `[B]`.
        highs: Row after the last of its series, `[B]`.

    Returns:
        The stretches, `[B, steps, C]`.

    Example:
        >>> cut(np.array([[1.0], [2.0]]), *(np.array([place]) for place in (-1, 2, 0, 2))).ravel()
        array([nan,  1.,  2.])
    """
    rows = starts[:, None] + np.arange(int(stops[0] - starts[0]) if len(starts) else 0)
    outside = (rows < lows[:, None]) | (rows >= highs[:, None])
    if not outside.any():
        return np.take(values, rows, axis=0)
    stretches = np.take(values, np.clip(rows, lows[:, None], highs[:, None] - 1), axis=0)
    stretches[outside] = np.nan
    return stretches


def carried(values: Array) -> Array:
    """Carry the last value seen into gaps, with zeros before the first one, `[B, T, F]`.

    Example:
        >>> carried(np.array([[[np.nan], [2.0], [np.nan]]])).ravel().tolist()
        [0.0, 2.0, 2.0]
    """
    return fill_gaps(values)[0] if np.isnan(values).any() else values


def fill_gaps(past: Array) -> tuple[Array, Array]:
    """Carry the last value seen into gaps, and mark what was seen.

    Args:
        past: Values, `[B, T, F]`; NaN is missing.

    Returns:
        The values, with zeros before the first one that was seen, and the indicator, 1 where a value was seen; both
        `[B, T, F]`.

    Example:
        >>> filled, seen = fill_gaps(np.array([[[np.nan], [2.0], [np.nan]]]))
        >>> filled.ravel().tolist(), seen.ravel().tolist()
        ([0.0, 2.0, 2.0], [0.0, 1.0, 0.0])
    """
    seen = ~np.isnan(past)
    steps = np.arange(past.shape[1])[None, :, None]
    last = np.maximum.accumulate(np.where(seen, steps, -1), axis=1)
    carried = np.take_along_axis(past, np.maximum(last, 0), axis=1)
    return np.where(last >= 0, carried, 0.0).astype(past.dtype), seen.astype(past.dtype)
