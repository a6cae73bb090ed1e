"""The inputs of a network: windows in its own units, with names for their rows and columns.

`Seq2SeqRegressor.model_inputs` and `Forecaster.model_inputs` return them. `seqcast.inspect` takes
them, and knows neither arrays nor frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np

from seqcast.data.frames import FrameSchema, Stamps
from seqcast.engine.engine import Engine
from seqcast.runtime import Array


class Labels(Protocol):
    """Labels of windows, as columns of frames."""

    def frame(self, rows: Array, values: dict[str, Any], near: Array | None = None) -> Any:
        """Return a frame with labels of windows and columns of values.

        Args:
            rows: Number of the window of each row.
            values: Columns by name.
            near: Number of a second window of each row, whose labels follow.
        """

    def take(self, rows: Array) -> Self:
        """Return the labels of some windows.

        Args:
            rows: Numbers of the windows.
        """


@dataclass(frozen=True)
class ArrayLabels:
    """Labels of windows of arrays, their numbers, in a pandas frame.

    Args:
        numbers: The number of each window, `[N]`.

    Example:
        >>> ArrayLabels(np.arange(3)).frame(np.array([2, 0]), {"x": [0.5, 1.5]}).to_dict("list")
        {'window': [2, 0], 'x': [0.5, 1.5]}
    """

    numbers: Array

    def frame(self, rows: Array, values: dict[str, Any], near: Array | None = None) -> Any:
        """Return a frame of labels and values.

        Args:
            rows: Number of the window of each row.
            values: Columns by name.
            near: Number of a second window of each row.
        """
        import pandas as pd

        second = {} if near is None else {"near_window": self.numbers[near]}
        return pd.DataFrame({"window": self.numbers[rows], **second, **values})

    def take(self, rows: Array) -> ArrayLabels:
        """Return the labels of some windows.

        Args:
            rows: Numbers of the windows.
        """
        return ArrayLabels(self.numbers[rows])


@dataclass(frozen=True)
class SeriesLabels:
    """Labels of windows of series, the series and the cutoff, in frames like the user's.

    Args:
        schema: Schema of the user's frames.
        ids: The series of each window, `[N]`.
        cutoffs: The last time stamp that each window reads.
    """

    schema: FrameSchema
    ids: Array
    cutoffs: Stamps

    def frame(self, rows: Array, values: dict[str, Any], near: Array | None = None) -> Any:
        """Return a frame of labels and values.

        Args:
            rows: Number of the window of each row.
            values: Columns by name.
            near: Number of a second window of each row.
        """
        times = {"cutoff": self.cutoffs[rows]}
        named = {}
        if near is not None:
            times["near_cutoff"] = self.cutoffs[near]
            named[f"near_{self.schema.columns.unique_id}"] = self.ids[near].tolist()
        return self.schema.build(self.ids[rows], times, {**named, **values})

    def take(self, rows: Array) -> SeriesLabels:
        """Return the labels of some windows.

        Args:
            rows: Numbers of the windows.
        """
        return SeriesLabels(self.schema, self.ids[rows], self.cutoffs[rows])


@dataclass(frozen=True)
class ModelInputs:
    """Windows in a network's own units, with their labels.

    Args:
        engine: The network.
        inputs: `past` `[N, T, F]`, with NaN if the network takes gaps; `static` and `future` if it
            reads them; all in the network's units.
        horizon: Steps to forecast, `H`.
        labels: Labels of the windows.
        features: Name of each feature of the past, `F`.
        known_future: Name of each feature of the known future, `F'`.
        targets: Name of each target, `D`.
        truth: True values of the horizon, `[N, H, D]`, in the network's units, if known; NaN is
            missing.
        static: Name of each static feature, `S`.

    Example:
        >>> from seqcast import Seq2SeqRegressor
        >>> from seqcast.data.signals import random_sines
        >>> past, future = random_sines(64, past=15, future=5, seed=1)
        >>> model = Seq2SeqRegressor(encoder_units=(8,), epochs=1, random_state=0, verbose=0)
        >>> model = model.fit(past, future)
        >>> model_inputs = model.model_inputs(past[:3], future[:3])
        >>> len(model_inputs), model_inputs.horizon, model_inputs.features, len(model_inputs[1:])
        (3, 5, ('x0',), 2)
    """

    engine: Engine
    inputs: dict[str, Array]
    horizon: int
    labels: Labels
    features: tuple[str, ...]
    targets: tuple[str, ...]
    known_future: tuple[str, ...] = ()
    truth: Array | None = None
    static: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.inputs["past"])

    def __getitem__(self, rows: Any) -> ModelInputs:
        """Return some windows; `rows` is a slice, an index array or a mask."""
        places = np.atleast_1d(np.arange(len(self))[rows])
        return replace(
            self,
            inputs={name: values[places] for name, values in self.inputs.items()},
            labels=self.labels.take(places),
            truth=None if self.truth is None else self.truth[places],
        )

    @property
    def past(self) -> dict[str, Array]:
        """The inputs without the known future."""
        return {name: values for name, values in self.inputs.items() if name != "future"}
