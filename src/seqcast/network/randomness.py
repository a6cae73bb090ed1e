"""Randomness of a network: seeds, initial weights, and random numbers for the rows of a batch.

Keras's own initialisers have the same distributions, but draw other numbers on each backend. On JAX
they also compile a program for each shape, which takes a second before training. These initialisers
draw with NumPy: the same numbers on every backend.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from seqcast.runtime import Array, Tensor, keras, one_blas_thread


def fresh_seed() -> int:
    """Return a seed from the operating system, without a change of global generators."""
    return int(np.random.SeedSequence().generate_state(1)[0])


def child_seeds(seed: int, count: int) -> list[int]:
    """Derive independent seeds from one: no initialiser or mask shares its stream with another.

    Args:
        seed: The seed to derive from.
        count: Number of seeds; the first ones do not depend on it.

    Example:
        >>> child_seeds(0, 2) == child_seeds(0, 3)[:2]
        True
    """
    # 31 bits: torch takes seeds as signed numbers.
    return [int(word) >> 1 for word in np.random.SeedSequence(seed).generate_state(count)]


class _Seeded(keras.initializers.Initializer):
    """An initialiser with a seed; the same seed gives the same weights.

    Args:
        seed: The seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        """Return a tensor of a shape."""
        values = self._draw(np.random.default_rng(self.seed), tuple(shape))
        return keras.ops.convert_to_tensor(values, dtype=dtype or keras.config.floatx())

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Draw the values."""
        raise NotImplementedError

    def get_config(self) -> dict[str, object]:
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

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
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

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        rows, columns = shape
        normal = generator.normal(size=(max(shape), min(shape)))
        with one_blas_thread():
            q, r = np.linalg.qr(normal)
        q *= np.sign(np.diag(r))
        orthogonal: Array = q if rows >= columns else q.T
        return orthogonal


@keras.saving.register_keras_serializable(package="seqcast")
class StandardNormal(_Seeded):
    """Normal with mean 0 and deviation 1, for learned vectors that are read like scaled inputs.

    Example:
        >>> vectors = keras.ops.convert_to_numpy(StandardNormal(seed=0)((500, 4)))
        >>> bool(abs(vectors.std() - 1) < 0.05)
        True

    Source: the position embeddings of SegRNN, Lin et al. 2023, arXiv:2308.11200.
    """

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return generator.standard_normal(shape)


# Number of rows of the whole batch, and the row numbers of the micro-batch that is computed.
_ROWS: ContextVar[tuple[int, Tensor] | None] = ContextVar("rows", default=None)


@contextmanager
def rows_of_batch(batch: int, rows: Tensor) -> Iterator[None]:
    """Let `draw_rows` return the rows of one micro-batch within this block.

    Each micro-batch draws for the whole batch and takes its own rows, so the result does not depend
    on the number of micro-batches.

    Args:
        batch: Number of rows of the whole batch.
        rows: Row numbers of the micro-batch.
    """
    token = _ROWS.set((batch, rows))
    try:
        yield
    finally:
        _ROWS.reset(token)


def draw_rows(draw: Callable[[Tensor], Tensor], batch: Tensor, *, axis: int = 0) -> Tensor:
    """Return random numbers for the rows of a batch, or of the micro-batch in `rows_of_batch`.

    Args:
        draw: Takes a number of rows and returns a tensor with this length along `axis`.
        batch: Number of rows.
        axis: The axis of the rows.

    Example:
        >>> whole = draw_rows(lambda rows: keras.random.uniform((rows, 1), seed=1), 4)
        >>> with rows_of_batch(4, keras.ops.arange(2, 4)):
        ...     some = draw_rows(lambda rows: keras.random.uniform((rows, 1), seed=1), 2)
        >>> bool(keras.ops.all(whole[2:] == some))
        True
    """
    micro_batch = _ROWS.get()
    if micro_batch is None:
        return draw(batch)
    whole, rows = micro_batch
    return keras.ops.take(draw(whole), rows, axis=axis)


def dropout_mask(
    batch: Tensor,
    shape: tuple[int, ...],
    rate: float,
    seed: keras.random.SeedGenerator,
    dtype: str,
) -> Tensor:
    """Draw a dropout mask, `[B, *shape]`: zeros, and `1 / (1 - rate)` for the values that stay.

    Args:
        batch: Number of rows, `B`.
        shape: Shape of a row.
        rate: Fraction of values to drop.
        seed: A `keras.random.SeedGenerator`.
        dtype: Type of the mask.

    Example:
        >>> mask = dropout_mask(1000, (2,), 0.5, keras.random.SeedGenerator(0), "float32")
        >>> sorted({float(value) for value in keras.ops.reshape(mask, (-1,))})
        [0.0, 2.0]
    """

    def draw(rows: Tensor) -> Tensor:
        ones = keras.ops.ones((rows, *shape), dtype=dtype)
        return keras.random.dropout(ones, rate, seed=seed)

    return draw_rows(draw, batch)
