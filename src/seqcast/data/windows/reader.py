"""The reader of windows from rows of series, for training, backtests and prediction alike."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from typing_extensions import override

from seqcast.data.features import FeatureBuilder
from seqcast.data.frames import AnyFrame
from seqcast.data.series import SeriesScaler, SeriesStore, ShardedStore, starts_of
from seqcast.data.windows.batches import Batch, Windows
from seqcast.data.windows.gaps import fill_both_ways, fill_gaps, forward_fill
from seqcast.data.windows.order import BatchOrder, ShardOrder, Shards, WindowIndex
from seqcast.runtime import Array

# What weighs the same in a training.
WEIGHTINGS = ("windows", "series")


@dataclass(frozen=True)
class WindowReader:
    """Cuts windows out of series, scales their targets and adds their features.

    It knows arrays and scalers, not their origin. A window is identified by its series and the
    number of known rows, `stops`; its past are the `T` rows before, NaN where the series has none.

    Args:
        targets: Targets in the data's units, `D` columns; NaN is missing.
        features: Features other than the targets, `F - D` columns in single precision, those of the
            known future last; `None` for none.
        scaler: Scaling of each series.
        context_length: Steps of past, `T`.
        future: Number of trailing features that are known for the future too, `F'`.
        static: Static features of each series, `[N, S]`.
        observed: Whether the network has an observed channel, so that gaps stay NaN in its inputs.
        names: Names of the columns of each array of inputs and, under `y`, of the targets; empty
            where they have none.
        weight: Weight of each row, one column, NaN for missing rows; `None` where all weigh the
            same.

    Example:
        >>> from seqcast.data.series.store import InMemoryStore
        >>> store = InMemoryStore(("a",), np.array([4]), np.array([[1.0], [3.0], [1.0], [5.0]]))
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
    weight: SeriesStore | None = None

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
        """Return the reader of a frame whose categories are numbered as the builder's.

        Args:
            frame: The series.
            builder: The features that a fit has learned.
            scaler: Scaling of each series.
            context_length: Steps of past, `T`.
            observed: Whether the network has an observed channel.
        """
        features = None
        if builder.features > builder.targets:
            features = frame.mapped(builder.row_features)

        by_shard = [builder.static_features(shard) for _, shard in frame.in_shards()]
        known = [values for values in by_shard if values is not None]
        columns = frame.schema.columns

        return cls(
            frame.target_store,
            features,
            scaler,
            context_length,
            future=builder.future_size,
            static=np.concatenate(known) if known else None,
            observed=observed,
            names=builder.input_names(columns.targets),
            weight=None if columns.weight is None else _scaled_weights(frame),
        )

    def with_context(self, context_length: int | None) -> Self:
        """Return a reader of the same series with another context length; `None` keeps it.

        Args:
            context_length: Steps of past, `T`.
        """
        return self if context_length is None else replace(self, context_length=context_length)

    def take(self, series: Array) -> Self:
        """Return a reader of some of the series, in this order.

        Args:
            series: Numbers of the series.
        """
        return replace(
            self,
            targets=self.targets.take(series),
            features=None if self.features is None else self.features.take(series),
            scaler=self.scaler.take(series),
            static=None if self.static is None else self.static[series],
            weight=None if self.weight is None else self.weight.take(series),
        )

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
    ) -> WindowIndex:
        """Number the windows of these series that have a known target.

        Args:
            horizon: Steps of future, `H`.
            first_target: The earliest position that a target may have in each series; windows whose
                targets begin before it are left out. `None` leaves none out.
            stops: Number of usable rows of each series; `None` is all.
        """
        usable = self.lengths if stops is None else np.minimum(stops, self.lengths)
        # With an observed channel contexts of short series begin before their first row.
        is_short = self.observed & (usable < self.context_length + horizon)
        least = np.where(is_short, 1, self.context_length)
        first = least if first_target is None else np.maximum(first_target, least)
        index = WindowIndex(first, np.cumsum(np.maximum(usable - horizon - first + 1, 0)))

        is_complete = isinstance(self.targets, ShardedStore) and self.targets.complete
        return index if is_complete else index.with_target(self.targets, horizon)

    def shards(self, per_series: Array) -> Shards | None:
        """Return the windows in shards; `None` where all rows are in memory.

        Args:
            per_series: Number of windows of each series, `[N]`.
        """
        stores = [
            store for store in (self.targets, self.features) if isinstance(store, ShardedStore)
        ]
        if not stores:
            return None

        largest = [max(path.stat().st_size for path in store.paths) for store in stores]
        at_once = stores[0].cache.most_bytes // sum(largest)
        counts = np.add.reduceat(per_series, stores[0].runs[:-1])
        return Shards(counts, max(1, int(at_once)))

    def inputs(
        self,
        series: Array,
        stops: Array,
        horizon: int,
        scaler: SeriesScaler | None = None,
        future: Array | None = None,
    ) -> dict[str, Array]:
        """Return the inputs of a network for some windows.

        Args:
            series: The series of each window, `[B]`.
            stops: Number of its known rows, `[B]`.
            horizon: Number of steps, `H`.
            scaler: Scaling of each window; `None` is that of its series.
            future: Features of the known future, `[B, H, F']`; `None` reads them from the series'
                own rows.

        Returns:
            `past` `[B, T, F]`, NaN in gaps where the network has an observed channel; `static` `[B,
            S]` and `future` `[B, H, F']` where there are any.
        """
        own = self.scaler_of(series, scaler)
        return self._read(series, stops, horizon, 0, own, future=future)[0]

    def windows(self, series: Array, stops: Array, horizon: int) -> tuple[dict[str, Array], Array]:
        """Return the inputs of a network, see `inputs`, and the scaled targets, `[B, H, D]`.

        Args:
            series: The series of each window, `[B]`.
            stops: Number of known rows of each window, `[B]`.
            horizon: Number of steps, `H`.
        """
        return self._read(series, stops, horizon, horizon, self.scaler.take(series), future=None)

    def truth(
        self, series: Array, stops: Array, horizon: int, *, scaler: SeriesScaler | None = None
    ) -> Array:
        """Return the scaled targets of the horizon, `[B, H, D]`; NaN where there are none.

        Args:
            series: The series of each window, `[B]`.
            stops: Number of known rows of each window, `[B]`.
            horizon: Number of steps, `H`.
            scaler: Scaling of each window; `None` is that of its series.
        """
        values = self._cut(self.targets, series, stops, stops + horizon)
        return self.scaler_of(series, scaler).transform(values)

    def values(self, series: Array, stops: Array, steps: int = 0) -> Array:
        """Return the targets of contexts and of steps after them, `[B, T + steps, D]`.

        They are not scaled, and NaN is missing. Scaling in single precision and back moves zeros
        off zero, and whole numbers off whole numbers.

        Args:
            series: The series of each window, `[B]`.
            stops: Number of its known rows, `[B]`.
            steps: Number of steps after the context.
        """
        return self._cut(self.targets, series, stops - self.context_length, stops + steps)

    def weights(self, series: Array, stops: Array, horizon: int) -> Array | None:
        """Return the weights of the rows of the horizon, `[B, H, 1]`, NaN where rows are missing.

        Args:
            series: The series of each window, `[B]`.
            stops: Number of known rows of each window, `[B]`.
            horizon: Number of steps, `H`.

        Returns:
            The weights; `None` where all weigh the same.
        """
        if self.weight is None:
            return None
        return self._cut(self.weight, series, stops, stops + horizon)

    def last_future(self, series: Array, stops: Array) -> Array:
        """Return the last observed future features of each window, `[B, F']`; zero if none.

        Args:
            series: The series of each window, `[B]`.
            stops: Number of known rows of each window, `[B]`.
        """
        if self.features is None:
            return np.zeros((len(series), 0), dtype=np.float32)
        columns = self._cut(self.features, series, stops - self.context_length, stops)
        return forward_fill(columns[:, :, -self.future :])[:, -1]

    def scaler_of(self, series: Array, scaler: SeriesScaler | None) -> SeriesScaler:
        """Return the scaling of each window: the given one, or that of its series.

        Args:
            series: The series of each window, `[B]`.
            scaler: The given scaling, if any.
        """
        return self.scaler.take(series) if scaler is None else scaler

    def _read(
        self,
        series: Array,
        stops: Array,
        horizon: int,
        truth_steps: int,
        scaler: SeriesScaler,
        future: Array | None,
    ) -> tuple[dict[str, Array], Array]:
        """Read windows, and the scaled targets of `truth_steps` steps after them."""
        steps = self.context_length
        starts = stops - steps
        targets = scaler.transform(self._cut(self.targets, series, starts, stops + truth_steps))
        past = targets[:, :steps].astype(np.float32)

        reads_future = bool(self.future and horizon) and future is None
        if self.features is not None:
            ends = stops + horizon if reads_future else stops
            features = self._cut(self.features, series, starts, ends)
            past = np.concatenate([past, features[:, :steps]], axis=2)
            if reads_future:
                future = forward_fill(features[:, :, -self.future :])[:, steps:]

        inputs = {"past": past if self.observed else fill_both_ways(past)}
        if self.static is not None:
            inputs["static"] = self.static[series]
        if self.future and future is not None:
            inputs["future"] = future
        return inputs, targets[:, steps:]

    @cached_property
    def _first_rows(self) -> Array:
        return starts_of(np.cumsum(self.lengths))

    def _cut(self, store: SeriesStore, series: Array, starts: Array, ends: Array) -> Array:
        """Cut stretches of equal length, `[B, steps, C]`; NaN for rows that a series lacks."""
        low = self._first_rows[series][:, None]
        last = self.lengths[series][:, None] - 1
        steps = int(ends[0] - starts[0]) if len(starts) else 0
        within = starts[:, None] + np.arange(steps)
        outside = (within < 0) | (within > last)
        if not outside.any():
            return store.read(low + within)

        stretches = store.read(low + np.clip(within, 0, last))
        stretches[outside] = np.nan
        return stretches


def _scaled_weights(frame: AnyFrame) -> SeriesStore:
    """Return the weights of rows, of which the largest is 1."""
    weights = (np.nan_to_num(shard.source.values[:, -1]) for _, shard in frame.in_shards())
    largest = max(float(each.max()) for each in weights) or 1.0
    return frame.mapped(lambda shard: shard.source.values[:, -1:] / largest)


class SeriesWindows(Windows):
    """Windows that slide along many series, read on demand.

    Args:
        reader: The window reader.
        horizon: Steps of future, `H`.
        first_target: As for `WindowReader.index`.
        stops: As for `WindowReader.index`.
        weighting: `windows` gives each window the same weight, `series` each series.
        each: Number of windows at each place.
        teacher_forcing: As for `Windows`.
        **order: As for `BatchOrder`, or for `ShardOrder` where there is a seed and series are in
            shards.

    Example:
        >>> from seqcast.data.series.store import InMemoryStore
        >>> store = InMemoryStore.of({"a": np.arange(6.0)[:, None], "b": np.arange(4.0)[:, None]})
        >>> unscaled = SeriesScaler(np.zeros((2, 1)), np.ones((2, 1)))
        >>> reader = WindowReader(store, None, unscaled, context_length=2)
        >>> windows = SeriesWindows(reader, 1, batch_size=8)
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
        teacher_forcing: bool = False,
        **order: Any,
    ) -> None:
        self.reader = reader
        self.horizon = horizon
        self.each = each
        self.index = reader.index(horizon, first_target=first_target, stops=stops)
        self._weight = _series_weights(self.index.per_series) if weighting == "series" else None

        shards = None
        if order.get("seed") is not None:
            shards = reader.shards(self.index.per_series * each)
        super().__init__(
            BatchOrder(self.index.count * each, **order)
            if shards is None
            else ShardOrder(shards, **order),
            teacher_forcing=teacher_forcing,
        )

    def locate(self, windows: Array) -> tuple[Array, Array]:
        """Return the series of windows and the number of known rows of each, `[B]` each.

        Args:
            windows: Numbers of the windows, `[B]`.
        """
        return self.index.locate(windows // self.each)

    def weights(self, series: Array, stops: Array) -> Array:
        """Return the weights of windows, `[B]`.

        Args:
            series: The series of each window, `[B]`.
            stops: Number of its known rows, `[B]`.
        """
        of_series = np.ones(len(series)) if self._weight is None else self._weight[series]
        rows = self.reader.weights(series, stops, self.horizon)
        return of_series if rows is None else of_series * np.nanmean(rows, axis=(1, 2))

    @override
    def gather(self, windows: Array) -> Batch:
        series, stops = self.locate(windows)
        inputs, y = self.reader.windows(series, stops, self.horizon)
        if self.reader.observed:
            inputs["past"], inputs["observed"] = fill_gaps(inputs["past"])
        return inputs, y.astype(np.float32), self.weights(series, stops)

    @override
    def describe(self, window: int) -> str:
        series, stops = self.locate(np.array([window]))
        first = stops[0] - self.reader.context_length
        last = stops[0] + self.horizon - 1
        name = self.reader.targets.ids[series[0]]
        return f"series {name!r}, rows {max(first, 0)} to {last} of it"

    @override
    def series(self, windows: Array) -> list[Hashable]:
        return [self.reader.targets.ids[series] for series in self.locate(windows)[0]]

    @override
    def columns(self, inputs: dict[str, Array], y: Array) -> dict[str, tuple[str, ...]]:
        return dict(self.reader.names) or super().columns(inputs, y)

    def teacher_targets(self, inputs: dict[str, Array], y: Array) -> Array:
        """Return the targets with gaps filled by the last value, from the past where needed.

        Args:
            inputs: The inputs of a batch.
            y: Its targets.
        """
        targets = np.concatenate([inputs["past"][:, :, : y.shape[2]], y], axis=1)
        return forward_fill(targets)[:, self.reader.context_length :]


def _series_weights(counts: Array) -> Array:
    """Return the weight of the windows of each series: all series weigh the same, mean 1."""
    return np.asarray(counts.sum() / np.maximum(counts, 1) / max(1, np.count_nonzero(counts)))
