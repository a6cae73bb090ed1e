"""All that the decoder needs to know of the past."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from seqcast.runtime import keras

Array = Any


@dataclass(frozen=True)
class States:
    """What the encoder has read, frozen: `decode` needs only this and future covariates.

    Args:
        layers: The encoder's states, layer by layer, `[B, n]` each; an LSTM's layer has two.
        memory: The encoder's outputs for attention, one a token, `[B, T, n]`; `None` without attention.
        memory_valid: Which of them count, `[B, T]`; `None` when all do.
        loc: What the normaliser has subtracted from each target, `[B, D]`; `None` without one.
        scale: What the normaliser has divided by, `[B, D]`.
        static: The static vector, `[B, S]`; `None` without one.
        last_targets: The targets' values in the last token, normalised, `[B, s · D]`; `None` when the decoder reads
            no targets.
        season: The targets' values in the last season, normalised, `[B, m, D]`; `None` when the forecast is not added
            to them.
        last_features: The last value of each feature, target columns normalised, `[B, F]`; what gaps in new steps are
            filled with. `None` when the encoder needs it for nothing.
        observed_any: 1 for features of which a value was seen, else 0, `[B, F]`; `None` when the window knows no gaps.

    Example:
        >>> states = States(layers=((np.ones((2, 3)),), (np.zeros((2, 4)),)))
        >>> len(states), states.vector().shape, len(states[:1])
        (2, (2, 7), 1)
    """

    layers: tuple[tuple[Array, ...], ...]
    memory: Array | None = None
    memory_valid: Array | None = None
    loc: Array | None = None
    scale: Array | None = None
    static: Array | None = None
    last_targets: Array | None = None
    season: Array | None = None
    last_features: Array | None = None
    observed_any: Array | None = None

    def __len__(self) -> int:
        return int(self.layers[0][0].shape[0])

    def __getitem__(self, rows: Any) -> Self:
        """Return the states of some of the examples; `rows` is a slice, an index array or a mask."""
        if isinstance(rows, int | np.integer):
            rows = slice(rows, rows + 1) if rows != -1 else slice(-1, None)
        return type(self).from_dict(keras.tree.map_structure(lambda value: value[rows], self.to_dict()))

    def vector(self) -> Array:
        """Return all layer states joined, `[B, sum of widths]`, first layer first."""
        return np.concatenate([np.asarray(state) for layer in self.layers for state in layer], axis=-1)

    def to_dict(self) -> dict[str, Any]:
        """Return the parts that are there, by name."""
        pairs = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in pairs.items() if value is not None}

    @classmethod
    def from_dict(cls, parts: dict[str, Any]) -> Self:
        """Build the states from the result of `to_dict`."""
        layers = tuple(tuple(layer) for layer in parts["layers"])
        return cls(**{**parts, "layers": layers})
