"""What a forecast is added to, and the gate that lets it through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqcast.runtime import keras

Tensor = Any
ops = keras.ops


def season_ahead(season: Tensor, steps: int) -> Tensor:
    """Repeat the last season over the horizon.

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


def season_gate(width: int, size: int, regularizer: Mapping[str, Any] | None) -> Any:
    """Return the layer that says how much of the season is added, between 0 and 1 for each number of the forecast.

    It is open at first, since most seasons go on.

    Args:
        width: Width of the decoder's output, which the gate reads.
        size: Numbers of a token's forecast.
        regularizer: Keras regularisers; `kernel` and `bias` are used.
    """
    regularizer = regularizer or {}
    gate = keras.layers.Dense(
        size,
        activation="sigmoid",
        kernel_initializer="zeros",
        bias_initializer="ones",
        kernel_regularizer=regularizer.get("kernel"),
        bias_regularizer=regularizer.get("bias"),
        name="gate",
    )
    gate.build((None, width))
    return gate
