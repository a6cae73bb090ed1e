"""From known rows to what a network reads: contexts at any row of any series, and what is known of the steps ahead."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.series.scalers import SeriesScaler
from seqcast.data.windows.gaps import cut, fill_gaps, forward_fill
from seqcast.errors import DataError, Option, Phrase
from seqcast.forecaster.series_state import SeriesState

__all__ = ["Contexts"]

Array = npt.NDArray[Any]


class Contexts:
    """Contexts of a frame's series, cut out as they are needed.

    Args:
        memory: What the forecaster remembers.
        frame: Rows of known or new series, their categories numbered as at fit.

    Example:
        >>> import pandas as pd
        >>> from seqcast.data.frames.table import read_frame
        >>> from seqcast.data.features.builder import FeatureBuilder
        >>> frame = read_frame(pd.DataFrame({"unique_id": "a", "ds": range(4), "y": [1.0, 3.0, 1.0, 5.0]}))
        >>> scaler = SeriesScaler.fit(frame.targets, frame.source.ends, np.array([2]), "standard")
        >>> builder = FeatureBuilder.learn(frame, np.array([2]), calendar="none")
        >>> memory = SeriesState(frame, scaler, builder, "standard", 2, False, True, frame.last_stamps)
        >>> contexts = Contexts(memory, frame)
        >>> contexts.inputs(np.array([0]), np.array([4]), scaler)["past"].ravel().tolist()
        [-1.0, 3.0]
    """

    def __init__(self, memory: SeriesState, frame: LongFrame) -> None:
        self.memory = memory
        self.frame = frame

    # Rows are taken from whole arrays: of a view of some columns each taking would make a copy.
    @cached_property
    def _targets(self) -> Array:
        return np.ascontiguousarray(self.frame.targets)

    @cached_property
    def _covariates(self) -> Array:
        return self.memory.builder.covariates(self.frame)

    @cached_property
    def _ahead(self) -> Array:
        return np.ascontiguousarray(self._covariates[:, self._covariates.shape[1] - self.memory.builder.ahead :])

    @cached_property
    def _static(self) -> Array | None:
        return self.memory.builder.static_features(self.frame)

    def scaler(self, stops: Array) -> SeriesScaler:
        """Return the scaling of each series: a known one's is that of its training, a new one's is of its first rows.

        Args:
            stops: Number of known rows of each series, `[N]`.
        """
        memory, source = self.memory, self.frame.source
        places = memory.places(source.ids)
        scaler = memory.scaler.take(places)
        if (places >= 0).all():
            return scaler
        return scaler.where(places >= 0, SeriesScaler.fit(self.frame.targets, source.ends, stops, memory.scale))

    def inputs(self, series: Array, stops: Array, scaler: SeriesScaler) -> dict[str, Array]:
        """Return what networks read of the past.

        Args:
            series: The series of each context, `[B]`.
            stops: Number of its rows that are known, `[B]`.
            scaler: Scaling of each context.

        Returns:
            `past` `[B, T, F]`, NaN where the network takes gaps, and `static` `[B, S]` where there is any.

        Raises:
            DataError: A context is too short, and may not be.
        """
        if not self.memory.fill:
            self._check_lengths(series, stops)
        start = stops - self.memory.context_length
        targets = scaler.transform(self._cut(self._targets, series, start, stops))
        beside = self._cut(self._covariates, series, start, stops)
        past = np.concatenate([targets.astype(np.float32), beside], axis=2)
        inputs = {"past": past if self.memory.observed else _as_if_known(past)}
        if self._static is not None:
            inputs["static"] = self._static[series]
        return inputs

    def ahead(self, series: Array, stops: Array, horizon: int) -> Array:
        """Return what the frame's own rows say of the steps ahead, `[B, H, F']`.

        Args:
            series: The series of each context, `[B]`.
            stops: Number of its rows that are known, `[B]`.
            horizon: Number of steps, `H`.
        """
        known: Array = forward_fill(self._cut(self._ahead, series, stops - self.memory.context_length, stops + horizon))
        return known[:, -horizon:]

    def last_known(self, series: Array, stops: Array) -> Array:
        """Return the last features known ahead that were seen at each context, `[B, F']`; zero where there are none."""
        return forward_fill(self._cut(self._ahead, series, stops - self.memory.context_length, stops))[:, -1]

    def _cut(self, values: Array, series: Array, starts: Array, stops: Array) -> Array:
        source = self.frame.source
        first = source.starts[series]
        return cut(values, first + starts, first + stops, first, source.ends[series])

    def _check_lengths(self, series: Array, stops: Array) -> None:
        steps = self.memory.context_length
        short = np.flatnonzero(stops < steps)
        if not len(short):
            return
        number = int(series[short[0]])
        name = self.frame.source.ids[number]
        expected = f"at least {steps} rows, the context_length"
        place = int(self.memory.places((name,))[0])
        if place >= 0 and self.memory.frequency is not None:
            following = self.memory.frequency.after(self.memory.frame.last_stamps[place : place + 1], 1)[0]
            expected += f", or rows that follow its last known one from {following} on"
        raise DataError(
            option="df",
            series=name,
            expected=expected,
            received=f"{stops[short[0]]} rows from {self.frame.first_stamps[number]} on",
            hint=Phrase(
                "Give more of its past, drop it, or fit with a smaller context_length or ",
                Option("missing", "fill"),
                ".",
            ),
        )


def _as_if_known(past: Array) -> Array:
    """Fill gaps for a network that has no channel for them: with the value before, or the first one after."""
    if not np.isnan(past).any():
        return past
    filled, seen = fill_gaps(past)
    first = np.argmax(seen, axis=1)[:, None, :]
    before = np.arange(past.shape[1])[None, :, None] < first
    return np.where(before, np.take_along_axis(filled, first, axis=1), filled)
