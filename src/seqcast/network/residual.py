"""What a forecast is added to."""

from __future__ import annotations

from typing import Any

from seqcast.runtime.backend import keras

__all__ = ["season_ahead"]

Tensor = Any
ops = keras.ops


def season_ahead(season: Tensor, steps: int) -> Tensor:
    """Repeat the last season over the steps ahead.

    Args:
        season: The targets' values in the last season, oldest first, `[B, m, D]`.
        steps: Number of steps.

    Returns:
        The seasonal naive forecast, `[B, steps, D]`.

    Example:
        >>> season = keras.ops.reshape(keras.ops.arange(1.0, 4.0), (1, 3, 1))
        >>> [float(value) for value in season_ahead(season, 5)[0, :, 0]]
        [1.0, 2.0, 3.0, 1.0, 2.0]

    Source: Hyndman and Athanasopoulos 2021, Forecasting: principles and practice, section 5.2.
    """
    repeats = -(-steps // season.shape[1])
    return ops.tile(season, (1, repeats, 1))[:, :steps]
