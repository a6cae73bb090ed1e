"""How the steps of a sample path depend on each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Dependence:
    r"""A Gaussian copula of steps: their normal scores share a part, and have one that goes on from step to step.

    .. math:: \operatorname{corr}(z_s, z_t) = c + (1 - c)\, φ^{|s - t|}

    Args:
        shared: Share `c` of the variance that all steps have in common, as where the level of a forecast is wrong.
        persistence: Correlation `φ` of the rest with that of the step before, below 1.

    Example:
        >>> drawn = Dependence(shared=0.9).ranks(np.random.default_rng(0), (1000, 2))
        >>> float(np.corrcoef(drawn.T)[0, 1].round(1)), float(drawn.mean().round(1))
        (0.9, 0.5)

    Raises:
        ValueError: One of them is below 0 or not below 1.
    """

    shared: float = 0.0
    persistence: float = 0.0

    def __post_init__(self) -> None:
        if not (0.0 <= self.shared < 1.0 and 0.0 <= self.persistence < 1.0):
            raise ValueError(f"{self}, with numbers of at least 0 and below 1")

    def ranks(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Draw ranks between 0 and 1, `[paths, H, ...]`; each alone is equally often anywhere.

        Args:
            rng: The generator.
            shape: Their shape.
        """
        from scipy import special

        scores = rng.standard_normal(shape)
        innovation = math.sqrt(1.0 - self.persistence**2)
        for step in range(1, shape[1]):
            scores[:, step] = self.persistence * scores[:, step - 1] + innovation * scores[:, step]
        common = rng.standard_normal((shape[0], 1, *shape[2:]))
        return np.asarray(special.ndtr(math.sqrt(self.shared) * common + math.sqrt(1.0 - self.shared) * scores))
