"""Scaling to zero mean and unit deviation, for whole arrays or series by series."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.config import check_choice

__all__ = ["SCALES", "Scaler"]

Array = npt.NDArray[Any]

SCALES = ("standard", "none")


@dataclass(frozen=True)
class Scaler:
    """An affine map `z = (x - centre) / spread` and its inverse.

    Args:
        centre: What is subtracted; broadcasts against the values.
        spread: What is divided by; positive.

    Example:
        >>> scaler = Scaler.fit(np.array([[1.0], [3.0]]))
        >>> scaler.transform(np.array([[5.0]]))
        array([[3.]])
        >>> scaler.inverse(scaler.transform(np.array([[5.0]])))
        array([[5.]])
    """

    centre: Array
    spread: Array

    @classmethod
    def fit(cls, values: Array, scale: str = "standard") -> Self:
        """Take mean and population standard deviation over all axes but the last; NaN is left out.

        Args:
            values: Training values, `[..., F]`.
            scale: `standard`, or `none` for the identity.

        Returns:
            The scaler, with `centre` and `spread` of shape `[F]`. A feature that is constant up to rounding keeps
            spread 1 (only its level is taken away), so that no noise is blown up.

        Raises:
            SpecError: The scale's name is unknown.
        """
        check_choice("scale", scale, SCALES)
        features = values.shape[-1]
        if scale == "none":
            return cls(np.zeros(features), np.ones(features))
        flat = np.asarray(values).reshape(-1, features)
        count = np.maximum(_sum(lambda block: ~np.isnan(block), flat), 1.0)
        # Dividing by the largest magnitude first keeps squares inside the range of floats for huge and tiny values.
        magnitude = np.max([np.fmax.reduce(np.abs(block), initial=0.0) for block in _blocks(flat)], axis=0)
        magnitude = np.where(magnitude > 0, magnitude, 1.0)
        centre = _sum(lambda block: block / magnitude, flat) / count
        spread = np.sqrt(_sum(lambda block: (block / magnitude - centre) ** 2, flat) / count)
        rounding = 1e-7 * np.maximum(np.abs(centre), np.finfo(np.float64).tiny)
        constant = spread <= rounding
        return cls(centre * magnitude, np.where(constant, 1.0, spread * magnitude))

    def transform(self, values: Array) -> Array:
        """Return the values in scaled units, in the values' own precision."""
        return ((values - self.centre) / self.spread).astype(_floating(values), copy=False)

    def inverse(self, values: Array) -> Array:
        """Return scaled values in their original units, in double precision."""
        return np.asarray(values, dtype=np.float64) * self.spread + self.centre

    def columns(self, indices: tuple[int, ...]) -> Self:
        """Return the scaler of some of the features."""
        return type(self)(self.centre[list(indices)], self.spread[list(indices)])


def _blocks(flat: Array) -> Iterator[Array]:
    """Give rows in blocks, in double precision, so that statistics need no memory of the data's size."""
    size = max(1, 2**20 // flat.shape[1])
    for start in range(0, max(len(flat), 1), size):
        yield flat[start : start + size].astype(np.float64)


def _sum(f: Callable[[Array], Array], flat: Array) -> Array:
    """Sum a function of all values, feature by feature; NaN is left out."""
    return np.asarray(np.sum([np.nansum(f(block), axis=0, dtype=np.float64) for block in _blocks(flat)], axis=0))


def _floating(values: Array) -> Any:
    return values.dtype if np.issubdtype(values.dtype, np.floating) else np.float64
