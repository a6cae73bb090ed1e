"""Windows in a network's own units, with names for their rows and columns: where looking inside begins.

Both doors make one (`Seq2SeqRegressor.model_inputs`, `Forecaster.model_inputs`); `seqcast.inspect` takes it and knows
neither arrays nor frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np

from seqcast.data.frames import FrameSchema, Stamps
from seqcast.engine.engine import Engine
from seqcast.runtime import Array


class Labels(Protocol):
    """Names of windows in frames."""

    def frame(self, rows: Array, values: dict[str, Any], near: Array | None = None) -> Any:
        """Return a frame with a row for each of `rows`, numbers of windows: their labels, then columns of values.

        Args:
            rows: Number of the window of each row.
            values: Columns by name.
            near: Number of a second window of each row, whose labels follow those of the first.
        """

    def take(self, rows: Array) -> Self:
        """Return the labels of some windows.

        Args:
            rows: Their numbers.
        """


@dataclass(frozen=True)
class ArrayLabels:
    """Windows of arrays, called by their numbers, in a pandas frame.

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
            rows: Their numbers.
        """
        return ArrayLabels(self.numbers[rows])


@dataclass(frozen=True)
class SeriesLabels:
    """Windows of series, called by their series and their cutoff, in frames like the user's.

    Args:
        schema: How the user's frames look.
        ids: The series of each window, `[N]`.
        cutoffs: The last stamp that each reads.
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
        times, named = {"cutoff": self.cutoffs[rows]}, {}
        if near is not None:
            times["near_cutoff"] = self.cutoffs[near]
            named[f"near_{self.schema.columns.unique_id}"] = self.ids[near].tolist()
        return self.schema.build(self.ids[rows], times, {**named, **values})

    def take(self, rows: Array) -> SeriesLabels:
        """Return the labels of some windows.

        Args:
            rows: Their numbers.
        """
        return SeriesLabels(self.schema, self.ids[rows], self.cutoffs[rows])


@dataclass(frozen=True)
class ModelInputs:
    """Windows as a network reads them.

    Args:
        engine: The network.
        inputs: `past` `[N, T, F]`, NaN where the network takes gaps; `static` and `future` where it reads them; all in
            the network's units.
        horizon: Steps to forecast, `H`.
        labels: What the windows are called.
        features: Name of each feature of the past, `F`.
        known_future: Name of each feature of the known future, `F'`.
        targets: Name of each target, `D`.
        truth: What came then, `[N, H, D]`, in the network's units, where it is known; NaN is missing.
        static: Name of each static feature, `S`.

    Example:
        >>> from seqcast import Seq2SeqRegressor
        >>> from seqcast.data.signals import random_sines
        >>> past, future = random_sines(64, past=15, future=5, seed=1)
        >>> model = Seq2SeqRegressor(encoder_units=(8,), epochs=1, random_state=0, verbose=0).fit(past, future)
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
        """Return some of the windows; `rows` is a slice, an index array or a mask."""
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
