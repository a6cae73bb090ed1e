"""What all distributions have: questions about parameters, answered by NumPy and SciPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Distribution:
    """A kind of distribution; its parameters come with each question."""

    # Whether it is one of whole numbers.
    whole: ClassVar[bool] = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        raise NotImplementedError

    def mean(self, parameters: Array) -> Array:
        """Return the mean, `[...]`."""
        raise NotImplementedError

    def median(self, parameters: Array) -> Array:
        """Return the median, `[...]`."""
        return self.quantile(parameters, (0.5,))[..., 0]

    def quantile(self, parameters: Array, probabilities: Sequence[float]) -> Array:
        """Return quantiles, `[..., Qs]`, which never cross.

        Args:
            parameters: `[..., P]`.
            probabilities: Strictly between 0 and 1, `[Qs]`.
        """
        asked = np.asarray(probabilities, dtype=np.float64)
        values = np.asarray(self._inverse(np.asarray(parameters, dtype=np.float64)[..., None, :], asked))
        order = np.argsort(asked)
        # Rounding may exchange two that are nearly equal.
        values[..., order] = np.maximum.accumulate(values[..., order], axis=-1)
        return values

    def cdf(self, parameters: Array, y: Array) -> Array:
        """Return the probability of at most `y`, which broadcasts against `[...]`."""
        raise NotImplementedError

    def sample(self, parameters: Array, count: int, generator: np.random.Generator) -> Array:
        """Draw so many times, `[count, ...]`, each draw independent of the others and of its neighbours."""
        parameters = np.asarray(parameters, dtype=np.float64)
        return self._draw(parameters, (count, *parameters.shape[:-1]), generator)

    def _inverse(self, parameters: Array, probabilities: Array) -> Array:
        """Return the inverse of the CDF; probabilities broadcast against the parameters' shape without its last."""
        raise NotImplementedError

    def _draw(self, parameters: Array, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        raise NotImplementedError


def columns(parameters: Array) -> list[Array]:
    """Return the parameters one by one, `[...]` each, in double precision."""
    return list(np.moveaxis(np.asarray(parameters, dtype=np.float64), -1, 0))
