"""Initial weights, drawn with NumPy.

Keras's own initialisers have the same distributions, but compile a program for each shape on JAX, which takes a second
before any training begins, and draw other numbers on each backend. These draw the same numbers everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqcast.runtime import keras, one_blas_thread


class _Seeded(keras.initializers.Initializer):
    """An initialiser with a seed; the same seed gives the same weights.

    Args:
        seed: The seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """Return a tensor of this shape."""
        values = self.draw(np.random.default_rng(self.seed), tuple(shape))
        return keras.ops.convert_to_tensor(values, dtype=dtype or keras.config.floatx())

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Any:
        """Draw the values."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"seed": self.seed}


@keras.saving.register_keras_serializable(package="seqcast")
class GlorotUniform(_Seeded):
    r"""Uniform between `±√(6 / (f + n))` for a matrix `[f, n]`.

    Example:
        >>> weights = keras.ops.convert_to_numpy(GlorotUniform(seed=0)((20, 30)))
        >>> bool(abs(weights).max() <= (6 / 50) ** 0.5)
        True

    Source: Glorot and Bengio 2010, equation 16.
    """

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Any:
        """Draw the values."""
        limit = math.sqrt(6.0 / sum(shape))
        return generator.uniform(-limit, limit, shape)


@keras.saving.register_keras_serializable(package="seqcast")
class Orthogonal(_Seeded):
    """A matrix `[n, m]` with orthonormal rows (`n <= m`) or columns, uniform among all of them.

    Example:
        >>> weights = keras.ops.convert_to_numpy(Orthogonal(seed=0)((2, 6)))
        >>> bool(abs(weights @ weights.T - np.eye(2)).max() < 1e-6)
        True

    Source: Saxe et al. 2014, arXiv:1312.6120; Mezzadri 2007, arXiv:math-ph/0609050, for the signs.
    """

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Any:
        """Draw the values."""
        rows, columns = shape
        normal = generator.normal(size=(max(shape), min(shape)))
        with one_blas_thread():
            q, r = np.linalg.qr(normal)
        q *= np.sign(np.diag(r))
        return q if rows >= columns else q.T


@keras.saving.register_keras_serializable(package="seqcast")
class StandardNormal(_Seeded):
    """Normal with mean 0 and deviation 1: for learned vectors that are read like scaled inputs.

    Example:
        >>> vectors = keras.ops.convert_to_numpy(StandardNormal(seed=0)((500, 4)))
        >>> bool(abs(vectors.std() - 1) < 0.05)
        True

    Source: the position embeddings of SegRNN, Lin et al. 2023, arXiv:2308.11200.
    """

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Any:
        """Draw the values."""
        return generator.standard_normal(shape)


def fresh_seed() -> int:
    """Return a seed from the operating system; global generators are left alone."""
    return int(np.random.SeedSequence().generate_state(1)[0])


def child_seeds(seed: int, count: int) -> list[int]:
    """Derive independent seeds from one, so that no initialiser or mask shares its stream with another.

    Example:
        >>> child_seeds(0, 2) == child_seeds(0, 3)[:2]
        True
    """
    # 31 bits: torch takes seeds as signed numbers.
    return [int(word) >> 1 for word in np.random.SeedSequence(seed).generate_state(count)]
