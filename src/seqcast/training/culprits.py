"""What in a batch made its numbers go bad: the windows with the worst losses, and the columns that stand out there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.windows import NamedWindows
from seqcast.network import HeadLoss
from seqcast.runtime import compile_call, keras

Array = npt.NDArray[Any]

# Scaled values are a few units large; beyond this many they stand out.
UNUSUAL = 1e3
# Windows and columns that a message names.
MOST_NAMED = 3


@dataclass(frozen=True)
class Culprits:
    """The windows and the columns of a batch to look at.

    Args:
        windows: What the windows with the worst losses are called, the worst first.
        series: Names of their series; empty for windows of arrays.
        columns: Names of the columns that stand out in them, with the most extreme value of each, in the units that
            the network reads.
    """

    windows: tuple[str, ...] = ()
    series: tuple[Any, ...] = ()
    columns: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, model: Any, windows: Any, number: int) -> Self:
        """Find them.

        Args:
            model: The compiled model, with the weights before the batch.
            windows: The windows of the training; nothing is known of a generator's.
            number: Number of the batch, counted from the first one of the training.
        """
        if not isinstance(windows, NamedWindows):
            return cls()
        numbers, (inputs, y, weight) = windows.counted(number)
        losses = np.where(np.asarray(weight) > 0, _losses(model, inputs, y), -np.inf)
        worst = _worst(np.where(np.isnan(losses), np.inf, losses))
        columns = _unusual({**inputs, "y": y}, windows.columns(inputs, y), worst)
        named = worst[:MOST_NAMED]
        series = dict.fromkeys(windows.series(numbers[named]))
        return cls(tuple(windows.describe(int(window)) for window in numbers[named]), tuple(series), columns)

    def __str__(self) -> str:
        """Return them in words, to be put after what was received; empty where nothing is known."""
        if self.series and not self.columns:
            return f" in series {', '.join(map(repr, self.series))}"
        text = f" in {'; '.join(self.windows)}" if self.windows else ""
        if self.columns:
            text += ", with " + " and ".join(f"{value:.3g} in {name}" for name, value in self.columns) + " (scaled)"
        return text


def _worst(losses: Array) -> Array:
    """Return the windows with losses that are about as bad as the worst one, the worst first."""
    order = np.argsort(-losses, kind="stable")
    worst = losses[order[0]]
    return order[losses[order] >= worst / 10] if worst > 0 else order[:1]


def _losses(model: Any, inputs: dict[str, Array], y: Array) -> Array:
    """Return the loss of each window, `[B]`."""
    if isinstance(model.loss, HeadLoss):

        def of_batch(arrays: dict[str, Any]) -> Any:
            return model.loss.of_examples(arrays["y"], model(arrays["inputs"], training=False))

        # Compiled as a whole: of what is computed step by step JAX would keep each piece.
        losses = compile_call(model, of_batch)({"inputs": inputs, "y": y})
    else:
        output = model(inputs, training=False)
        losses = keras.ops.stack([model.loss(y[row : row + 1], output[row : row + 1]) for row in range(len(y))])
    return np.asarray(keras.ops.convert_to_numpy(losses), dtype=float).reshape(len(y))


def _unusual(
    arrays: Mapping[str, Array], names: Mapping[str, tuple[str, ...]], rows: Array
) -> tuple[tuple[str, float], ...]:
    """Return the columns with values that are not finite or far out in some windows, the most extreme first."""
    extremes: dict[str, float] = {}
    for array, columns in names.items():
        values = arrays[array][rows]
        for place, column in enumerate(columns):
            ours = values[..., place].ravel()
            # In the targets NaN is missing; what the network reads has no gaps any more.
            known = ours[~np.isnan(ours)] if array == "y" else ours
            if not len(known):
                continue
            size = np.where(np.isnan(known), np.inf, np.abs(known))
            extreme = float(known[np.argmax(size)])
            if size.max() > UNUSUAL and size.max() >= _size(extremes.get(column, 0.0)):
                extremes[column] = extreme
    ordered = sorted(extremes.items(), key=lambda item: -_size(item[1]))
    return tuple(ordered[:MOST_NAMED])


def _size(value: float) -> float:
    return float("inf") if np.isnan(value) else abs(value)
