"""Windows of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.series import Scaler
from seqcast.data.windows.gaps import fill_gaps
from seqcast.data.windows.order import Windows

Array = npt.NDArray[Any]


Batch = tuple[dict[str, Array], Array, Array]


class ArrayWindows(Windows):
    """Windows of arrays, scaled batch by batch.

    Args:
        inputs: Arrays by name, first axis the windows.
        y: Targets, `[N, H, D]`; NaN is missing.
        sample_weight: Weights, `[N]`; their mean is taken to be 1.
        observed: Whether the inputs get an observed-indicator channel and have their gaps filled.
        scalers: Scalers of the inputs and, under `y`, of the targets; they scale batch by batch, since scaling all at
            once would take as much memory again. `None` for arrays that are scaled already.
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
