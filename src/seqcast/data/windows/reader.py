"""The one way from rows of series to windows, for training, validation, calibration, backtests and prediction."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.features import FeatureBuilder
from seqcast.data.frames import AnyFrame
from seqcast.data.series import SeriesScaler, SeriesStore, ShardedStore, starts_of
from seqcast.data.windows.gaps import fill_both_ways, fill_gaps, forward_fill
from seqcast.data.windows.index import ShardedIndex, WindowIndex
from seqcast.data.windows.order import Windows
from seqcast.data.windows.shard_order import ShardOrder, Shards

Array = npt.NDArray[Any]
Batch = tuple[dict[str, Array], Array, Array]
# Numbers the windows of some series; a mask says which of their rows have a target.
Numbering = Callable[[slice, Array | None], WindowIndex]

WEIGHTINGS = ("windows", "series")


@dataclass(frozen=True)
class WindowReader:
    """Cut windows out of series, scale their targets and lay their features beside them.

    It knows arrays and scalers, not where they come from. A window is identified by its series and the number of known
    rows, `stops`; its past are the `T` rows before, NaN where the series has none.

    Args:
        targets: Targets in the data's units, `D` columns; NaN is missing.
        features: Features beside the targets, `F - D` columns in single precision, those of the known future last;
            `None` for none.
        scaler: Scaling of each series.
        context_length: Steps of past, `T`.
        future: Number of trailing features that are known for the future too, `F'`.
        static: Static features of each series, `[N, S]`.
        observed: Whether the network has an observed channel, so that gaps stay NaN in its inputs.
        names: Names of the columns of each array of inputs and, under `y`, of the targets; empty where they have none.

    Example:
        >>> from seqcast.data.series.store import InMemoryStore
        >>> store = InMemoryStore(("a",), np.array([[1.0], [3.0], [1.0], [5.0]]), np.array([4]))
        >>> scaler = SeriesScaler.fit(store.values, store.ends, np.array([2]), "standard")
        >>> reader = WindowReader(store, None, scaler, context_length=2)
        >>> inputs, y = reader.windows(np.array([0]), np.array([3]), horizon=1)
        >>> inputs["past"].ravel().tolist(), y.ravel().tolist()
        ([1.0, -1.0], [3.0])
    """

    targets: SeriesStore
    features: SeriesStore | None
    scaler: SeriesScaler
    context_length: int
    future: int = 0
    static: Array | None = None
    observed: bool = False
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of_frame(
        cls,
        frame: AnyFrame,
        builder: FeatureBuilder,
        scaler: SeriesScaler,
        *,
        context_length: int,
        observed: bool,
    ) -> Self:
        """Return the reader of a frame whose categories are numbered as the builder's."""
        features = frame.mapped(builder.row_features) if builder.features > builder.targets else None
        by_part = [builder.static_features(part) for _, part in frame.parts()]
        static = np.concatenate([part for part in by_part if part is not None]) if by_part[0] is not None else None
        return cls(
            frame.target_store,
            features,
            scaler,
            context_length,
            future=builder.future_size,
            static=static,
            observed=observed,
            names=builder.input_names(frame.schema.columns.targets),
        )

    def with_context(self, context_length: int | None) -> Self:
        """Return a reader of the same series with another context length; `None` keeps it."""
        if context_length is None or context_length == self.context_length:
            return self
        return replace(self, context_length=context_length)

    def take(self, series: Array) -> Self:
        """Return a reader of some of the series, in this order."""
        features = None if self.features is None else self.features.take(series)
        static = None if self.static is None else self.static[series]
        scaler = self.scaler.take(series)
        return replace(self, targets=self.targets.take(series), features=features, scaler=scaler, static=static)

    @property
    def width(self) -> int:
        """Number of features of a step, `F`."""
        return self.targets.width + (0 if self.features is None else self.features.width)

    @property
    def lengths(self) -> Array:
        """Number of rows of each series."""
        return self.targets.lengths

    def index(
        self, horizon: int, *, first_target: Array | None = None, stops: Array | None = None
    ) -> WindowIndex | ShardedIndex:
        """Number the windows of these series that have a known target; arguments as for `WindowIndex.of`."""

        def of_series(series: slice, has_target: Array | None) -> WindowIndex:
            return WindowIndex.of(
                self.lengths[series],
                context_length=self.context_length,
                horizon=horizon,
                first_target=None if first_target is None else first_target[series],
                stops=None if stops is None else stops[series],
                pad_short=self.observed,
                has_target=has_target,
            )

        if isinstance(self.targets, ShardedStore) and not self.targets.complete:
            return _sharded_index(self.targets, of_series)
        return of_series(slice(None), self._has_target)

    def shards(self, per_series: Array) -> Shards | None:
        """Return how windows lie in shards; `None` where all rows are in memory.

        Args:
            per_series: Number of windows of each series, `[N]`.
        """
        stores = [store for store in (self.targets, self.features) if isinstance(store, ShardedStore)]
        if not stores:
            return None
        room = stores[0].cache.most_bytes // sum(store.shard_bytes for store in stores)
        return Shards(np.add.reduceat(per_series, stores[0].runs[:-1]), max(1, int(room)))

    def inputs(
        self,
        series: Array,
        stops: Array,
        horizon: int,
        *,
        scaler: SeriesScaler | None = None,
        future: Array | None = None,
    ) -> dict[str, Array]:
        """Return the inputs of a network for some windows.

        Args:
            series: The series of each window, `[B]`.
            stops: Number of its known rows, `[B]`.
            horizon: Number of steps, `H`.
            scaler: Scaling of each window; `None` is that of its series.
            future: Features of the known future, `[B, H, F']`; `None` reads them from the series' own rows.

        Returns:
            `past` `[B, T, F]`, NaN in gaps where the network has an observed channel; `static` `[B, S]` and `future`
            `[B, H, F']` where there are any.
        """
        return self._read(series, stops, horizon, 0, self.scaler_of(series, scaler), future=future)[0]

    def windows(
        self, series: Array, stops: Array, horizon: int, *, scaler: SeriesScaler | None = None
    ) -> tuple[dict[str, Array], Array]:
        """Return the inputs of a network, see `inputs`, and the scaled targets of the horizon, `[B, H, D]`."""
        return self._read(series, stops, horizon, horizon, self.scaler_of(series, scaler), future=None)

    def truth(self, series: Array, stops: Array, horizon: int, *, scaler: SeriesScaler | None = None) -> Array:
        """Return the scaled targets of the horizon, `[B, H, D]`, NaN where there are none; see `inputs`."""
        return self.scaler_of(series, scaler).transform(self._cut(self.targets, series, stops, stops + horizon))

    def last_future(self, series: Array, stops: Array) -> Array:
        """Return the last observed future features of each window, `[B, F']`; zero where there are none."""
        return forward_fill(self._future_columns(series, stops - self.context_length, stops))[:, -1]

    def scaler_of(self, series: Array, scaler: SeriesScaler | None) -> SeriesScaler:
        """Return the scaling of each window: the one given, or that of its series."""
        return self.scaler.take(series) if scaler is None else scaler

    def _read(
        self, series: Array, stops: Array, horizon: int, truth_steps: int, scaler: SeriesScaler, future: Array | None
    ) -> tuple[dict[str, Array], Array]:
        """Read windows, and the scaled targets of `truth_steps` steps after them."""
        steps, starts = self.context_length, stops - self.context_length
        targets = scaler.transform(self._cut(self.targets, series, starts, stops + truth_steps))
        past = targets[:, :steps].astype(np.float32)
        future_steps = horizon if self.future and future is None else 0
        if self.features is not None:
            features = self._cut(self.features, series, starts, stops + future_steps)
            past = np.concatenate([past, features[:, :steps]], axis=2)
            if future_steps:
                future = forward_fill(features[:, :, -self.future :])[:, steps:]
        inputs = {"past": past if self.observed else fill_both_ways(past)}
        if self.static is not None:
            inputs["static"] = self.static[series]
        if self.future:
            assert future is not None
            inputs["future"] = future
        return inputs, targets[:, steps:]

    def _future_columns(self, series: Array, starts: Array, stops: Array) -> Array:
        assert self.features is not None
        return self._cut(self.features, series, starts, stops)[:, :, -self.future :]

    @cached_property
    def _has_target(self) -> Array | None:
        """Whether a target of each row is known, `[rows]`; to see it, all series are read. `None` if all are."""
        if isinstance(self.targets, ShardedStore):
            return None
        return np.concatenate([~np.isnan(rows).all(axis=1) for _, rows in self.targets.batches()])

    @cached_property
    def _first_rows(self) -> Array:
        return starts_of(np.cumsum(self.lengths))

    def _cut(self, store: SeriesStore, series: Array, starts: Array, stops: Array) -> Array:
        """Cut stretches of equal length out of series, `[B, steps, C]`; NaN stands for rows that a series lacks."""
        low, last = self._first_rows[series][:, None], self.lengths[series][:, None] - 1
        within = starts[:, None] + np.arange(int(stops[0] - starts[0]) if len(starts) else 0)
        outside = (within < 0) | (within > last)
        if not outside.any():
            return store.read(low + within)
        stretches = store.read(low + np.clip(within, 0, last))
        stretches[outside] = np.nan
        return stretches


class SeriesWindows(Windows):
    """Windows that slide along many series, read as they are needed.

    Args:
        reader: The window reader.
        horizon: Steps of future, `H`.
        first_target: As for `WindowIndex.of`.
        stops: As for `WindowIndex.of`.
        weighting: `windows` gives each window the same weight, `series` each series.
        each: Windows that are cut at each place.
        **options: As for `Windows`.

    Example:
        >>> from seqcast.data.series.store import InMemoryStore
        >>> store = InMemoryStore.of({"a": np.arange(6.0)[:, None], "b": np.arange(4.0)[:, None]})
        >>> unscaled = SeriesScaler(np.zeros((2, 1)), np.ones((2, 1)))
        >>> windows = SeriesWindows(WindowReader(store, None, unscaled, context_length=2), 1, batch_size=8)
        >>> inputs, y, _ = windows[0]
        >>> inputs["past"][:6, :, 0].tolist()
        [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0], [3.0, 4.0], [0.0, 1.0], [1.0, 2.0]]
    """

    def __init__(
        self,
        reader: WindowReader,
        horizon: int,
        *,
        first_target: Array | None = None,
        stops: Array | None = None,
        weighting: str = "windows",
        each: int = 1,
        **options: Any,
    ) -> None:
        self.reader, self.horizon, self.each = reader, horizon, each
        self.index = reader.index(horizon, first_target=first_target, stops=stops)
        self._weight = _series_weights(self.index.per_series) if weighting == "series" else None
        shards = None if options.get("seed") is None else reader.shards(self.index.per_series * each)
        if shards is not None:
            options["make_order"] = functools.partial(_shard_order, shards)
        super().__init__(self.index.count * each, **options)

    def locate(self, windows: Array) -> tuple[Array, Array]:
        """Return the series of windows and how many of its rows each knows, `[B]` each."""
        return self.index.locate(windows // self.each)

    def weights(self, series: Array) -> Array:
        """Return the weight of windows of these series, `[B]`."""
        return np.ones(len(series)) if self._weight is None else self._weight[series]

    def gather(self, windows: Array) -> Batch:
        """Return the windows with these numbers as one batch."""
        series, stops = self.locate(windows)
        inputs, y = self.reader.windows(series, stops, self.horizon)
        if self.reader.observed:
            inputs["past"], inputs["observed"] = fill_gaps(inputs["past"])
        return inputs, y.astype(np.float32), self.weights(series)

    def describe(self, window: int) -> str:
        """Return what a window is called."""
        series, stops = self.locate(np.array([window]))
        first, last = stops[0] - self.reader.context_length, stops[0] + self.horizon - 1
        return f"series {self.reader.targets.ids[series[0]]!r}, rows {max(first, 0)} to {last} of it"

    def series(self, windows: Array) -> list[Any]:
        """Return the name of the series of each window."""
        return [self.reader.targets.ids[series] for series in self.locate(windows)[0]]

    def columns(self, inputs: dict[str, Array], y: Array) -> dict[str, tuple[str, ...]]:
        """Return the name of each column of the inputs and the targets."""
        return dict(self.reader.names) or super().columns(inputs, y)

    def teacher_targets(self, inputs: dict[str, Array], y: Array) -> Array:
        """Return the targets with gaps filled by the last value, from the past where needed."""
        if not np.isnan(y).any():
            return y
        targets = np.concatenate([inputs["past"][:, :, : y.shape[2]], y], axis=1)
        return forward_fill(targets)[:, self.reader.context_length :]


def _shard_order(shards: Shards, _count: int, **options: Any) -> ShardOrder:
    """Return the order of windows in shards; their number is known."""
    return ShardOrder(shards, **options)


def _sharded_index(store: ShardedStore, of_series: Numbering) -> ShardedIndex:
    """Return the index of windows of series in shards, some of whose targets are missing."""
    key = object()

    def of_run(run: int) -> WindowIndex:
        series = slice(int(store.runs[run]), int(store.runs[run + 1]))
        with_target = store.cache.get((key, run), lambda: _with_target(store, series, of_series))
        return replace(of_series(series, None), with_target=with_target)

    per_series = np.concatenate([of_run(run).per_series for run in range(len(store.runs) - 1)])
    return ShardedIndex(of_run, store.runs[:-1], per_series)


def _with_target(store: ShardedStore, series: slice, of_series: Numbering) -> Array:
    """Return those windows of some series in one shard that have a known target."""
    rows = np.arange(store.starts[series.start], store.ends[series.stop - 1])
    index = of_series(series, np.asarray(~np.isnan(store.read(rows)).all(axis=1)))
    return np.arange(index.count) if index.with_target is None else index.with_target


def _series_weights(counts: Array) -> Array:
    """Return the weight of each series' windows: all series together weigh the same, and windows 1 in the mean."""
    return np.asarray(counts.sum() / np.maximum(counts, 1) / max(1, np.count_nonzero(counts)))
