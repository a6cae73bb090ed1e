"""Windows of series as a network reads them that is told the season of each, to train it further."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.windows.order import Batch, Windows
from seqcast.data.windows.reader import WindowReader, series_weights
from seqcast.data.windows.seasonal_inputs import FUTURE, PAST, STATIC, seasonal_inputs

__all__ = ["SeasonalWindows", "without_features"]

Array = npt.NDArray[Any]


class SeasonalWindows(Windows):
    """Windows that slide along many series, each target of each by itself, in the units of the window.

    Args:
        reader: The window reader; features beside the targets are not read.
        horizon: Steps of future that windows have, `H`.
        season_length: Steps of a season; 1 is none.
        longer: Steps of a season that contains it; 0 is none.
        steps_forecast: Steps that the network writes, at least as many; those beyond the horizon do not count.
        first_target: As for `WindowIndex.of`.
        stops: As for `WindowIndex.of`.
        weighting: `windows` gives each window the same weight, `series` each series.
        **options: As for `Windows`.

    Example:
        >>> from seqcast.data.series.scalers import SeriesScaler
        >>> from seqcast.data.series.store import InMemoryStore
        >>> store = InMemoryStore.of({"a": np.arange(6.0)[:, None]})
        >>> reader = WindowReader(store, None, SeriesScaler(np.zeros((1, 1)), np.ones((1, 1))), context_length=4)
        >>> windows = SeasonalWindows(reader, 2, season_length=2, longer=0, steps_forecast=2, batch_size=8)
        >>> inputs, y, _ = windows[0]
        >>> inputs["past"].shape, y.shape
        ((1, 4, 6), (1, 2, 1))
    """

    def __init__(
        self,
        reader: WindowReader,
        horizon: int,
        *,
        season_length: int,
        longer: int,
        steps_forecast: int,
        first_target: Array | None = None,
        stops: Array | None = None,
        weighting: str = "windows",
        **options: Any,
    ) -> None:
        self.reader = without_features(reader)
        self.horizon, self.steps_forecast = horizon, steps_forecast
        self.season_length, self.longer = season_length, longer
        self.index = self.reader.index(horizon, first_target=first_target, stops=stops)
        self._weight = series_weights(self.index.per_series) if weighting == "series" else None
        self._targets = reader.scaler.loc.shape[1]
        super().__init__(self.index.count * self._targets, **options)

    def gather(self, windows: Array) -> Batch:
        """Return the windows with these numbers as one batch."""
        numbers, target = np.divmod(windows, self._targets)
        series, stops = self.index.locate(numbers)
        inputs, y = self.reader.windows(series, stops, self.horizon)
        scaler, rows = self.reader.scaler.take(series), np.arange(len(windows))
        past = scaler.inverse(inputs["past"])[rows, :, target]
        season, longer = (np.full(len(windows), steps) for steps in (self.season_length, self.longer))
        read = seasonal_inputs(past, season, longer, self.steps_forecast)
        scaled = np.full((len(windows), self.steps_forecast), np.nan)
        scaled[:, : self.horizon] = read.scaled(scaler.inverse(y)[rows, :, target])
        weight = np.sqrt(1.0 / read.step[:, 0])
        if self._weight is not None:
            weight = weight * self._weight[series]
        return read.inputs, scaled[:, :, None].astype(np.float32), weight

    def describe(self, window: int) -> str:
        """Return what a window is called."""
        series, stops = self.index.locate(np.array([window // self._targets]))
        return f"series {self.reader.targets.ids[series[0]]!r}, the {self.horizon} rows from row {stops[0]} of it on"

    def series(self, windows: Array) -> list[Any]:
        """Return the name of the series of each window."""
        return [self.reader.targets.ids[series] for series in self.index.locate(windows // self._targets)[0]]

    def columns(self, inputs: object, y: object) -> dict[str, tuple[str, ...]]:
        """Return the name of each column of the inputs and the targets."""
        del inputs, y
        return {"past": PAST, "future": FUTURE, "static": STATIC, "y": ("value",)}


def without_features(reader: WindowReader) -> WindowReader:
    """Return a reader of the targets alone, in which gaps stay gaps, also before the first row of a short series."""
    return replace(reader, observed=True, features=None, future=0, static=None, names={})
