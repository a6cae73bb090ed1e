"""Windows of series as a network reads them that is told the season of each, to train it further."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.windows import Batch, SeriesWindows, WindowReader
from seqcast.pretrained.covariates import SeasonalCovariates, seasonal_reader
from seqcast.pretrained.inputs import FUTURE, PAST, STATIC, seasonal_inputs
from seqcast.runtime import begin, threads

Array = npt.NDArray[Any]


class SeasonalWindows(SeriesWindows):
    """Windows that slide along many series, each target of each by itself, in the units of the window.

    Args:
        reader: The window reader.
        horizon: Steps of future that windows have, `H`.
        season_length: Steps of a season; 1 is none.
        longer: Steps of a season that contains it; 0 is none.
        steps_forecast: Steps that the network writes, at least as many; those beyond the horizon do not count.
        covariates: Whether features beside the targets are read too.
        **options: As for `SeriesWindows`.

    Example:
        >>> from seqcast.data.series.scalers import SeriesScaler
        >>> from seqcast.data.series.store import InMemoryStore
        >>> store = InMemoryStore.of({"a": np.arange(6.0)[:, None]})
        >>> reader = WindowReader(store, None, SeriesScaler(np.zeros((1, 1)), np.ones((1, 1))), context_length=4)
        >>> windows = SeasonalWindows(reader, 2, season_length=2, longer=0, steps_forecast=2, batch_size=8)
        >>> inputs, y, _ = windows[0]
        >>> inputs["past"].shape, y.shape
        ((1, 4, 7), (1, 2, 1))
    """

    def __init__(
        self,
        reader: WindowReader,
        horizon: int,
        *,
        season_length: int,
        longer: int,
        steps_forecast: int,
        covariates: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            seasonal_reader(reader, covariates=covariates), horizon, each=reader.scaler.loc.shape[1], **options
        )
        self.covariates = covariates
        self.season_length, self.longer, self.steps_forecast = season_length, longer, steps_forecast
        self._kept: dict[int, Batch] | None = None
        self._next: tuple[int, Callable[[], Batch]] | None = None

    def keep(self) -> None:
        """Keep batches once they are read: for few windows without a seed, which each epoch reads again."""
        self._kept = {}

    def batch(self, number: int) -> Batch:
        """Return a batch; see `Windows`. The next one is read meanwhile, which takes as long as a training step."""
        if self._kept is not None:
            place = number % self.order.batches_per_pass
            if place not in self._kept:
                self._kept[place] = super().batch(place)
            return self._kept[place]
        following, self._next = self._next, None
        batch = following[1]() if following is not None and following[0] == number else super().batch(number)
        if threads() > 1:
            self._next = number + 1, begin(super().batch, number + 1)
        return batch

    def gather(self, windows: Array) -> Batch:
        """Return the windows with these numbers as one batch."""
        series, stops = self.locate(windows)
        rows, target = np.arange(len(windows)), windows % self.each
        inputs, y = self.reader.windows(series, stops, self.horizon)
        scaler = self.reader.scaler.take(series)
        past = scaler.inverse(inputs["past"][:, :, : self.each])[rows, :, target]
        season, longer = (np.full(len(windows), steps) for steps in (self.season_length, self.longer))
        read = seasonal_inputs(past, season, longer, self.steps_forecast)
        own: dict[str, Array] = dict(read.inputs)
        if self.covariates:
            own = SeasonalCovariates.of(inputs, self.each).beside(own)
        scaled = np.full((len(windows), self.steps_forecast), np.nan)
        scaled[:, : self.horizon] = read.scaled(scaler.inverse(y)[rows, :, target])
        return own, scaled[:, :, None].astype(np.float32), self.weights(series)

    def columns(self, inputs: object, y: object) -> dict[str, tuple[str, ...]]:
        """Return the name of each column of the inputs and the targets."""
        names = self.reader.names
        return {
            "past": (*PAST, *names.get("past", ())[self.each :]),
            "future": (*FUTURE, *names.get("future", ())),
            "static": (*STATIC, *names.get("static", ())),
            "y": ("value",),
        }
