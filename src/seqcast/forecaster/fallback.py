"""The network that has nothing to learn: it repeats the last season. What `preset="auto"` falls back on.

A forecast is what a network writes, added to the last season or the last value. A network whose head writes zeros is
the seasonal naive forecast, for any horizon, with everything else that forecasts have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.engine.engine import Engine
from seqcast.errors import DataError
from seqcast.intervals.calibration import Calibration
from seqcast.intervals.levels import check_levels
from seqcast.specs.network import NetworkSpec
from seqcast.specs.window import WindowSpec

__all__ = ["FallbackWarning", "build_naive", "is_naive", "naive_calibrations", "naive_network"]

Array = npt.NDArray[Any]

_SMALL: dict[str, Any] = {"cell": "simple_rnn", "encoder_units": (1,), "decoder_units": (1,)}
REPEAT_SEASON = NetworkSpec(**_SMALL, residual="seasonal")
REPEAT_LAST = NetworkSpec(**_SMALL, normalise="last")


class FallbackWarning(UserWarning):
    """Forecasts repeat the last season, because no network was found to be better."""


def naive_network(season_length: int, context_length: int) -> NetworkSpec:
    """Return the network that repeats the last season, or the last value where there is none in a context.

    Example:
        >>> naive_network(12, 24).residual, naive_network(1, 24).residual, naive_network(12, 8).residual
        ('seasonal', 'none', 'none')
    """
    return REPEAT_SEASON if 1 < season_length <= context_length else REPEAT_LAST


def is_naive(network: NetworkSpec) -> bool:
    """Tell whether a network is one that only repeats.

    Example:
        >>> is_naive(naive_network(12, 24)), is_naive(NetworkSpec())
        (True, False)
    """
    return network in (REPEAT_SEASON, REPEAT_LAST)


def build_naive(engine: Engine, window: WindowSpec) -> None:
    """Build the engine of such a network, so that what it writes is zero."""
    engine.build(window, steps=1)
    assert engine.model is not None
    for weight in engine.model.decoder.head.weights:
        weight.assign(np.zeros(weight.shape))


def naive_calibrations(
    values: Array, ends: Array, *, season_length: int, horizon: int, level: Sequence[float]
) -> tuple[Calibration, ...]:
    r"""Return the intervals of the seasonal naive forecast, in the units of the values.

    .. math:: w_h = Q_{level}\big(|y_t - y_{t-m}|\big) \sqrt{k + 1}, \quad k = \lfloor (h - 1) / m \rfloor

    The quantile is that of the differences of one season over all series; `k` is the number of whole seasons that a
    step is ahead.

    Args:
        values: Series laid end to end, `[rows, D]`; NaN where a value is missing.
        ends: End of each series, `[N]`.
        season_length: Steps of a season, `m`.
        horizon: Steps to forecast, `H`.
        level: Levels of the intervals, in per cent.

    Returns:
        The calibration of each target.

    Raises:
        DataError: No value has another one a season before it.

    Example:
        >>> steps = np.array([[0.0], [1.0], [3.0], [6.0]])
        >>> (found,) = naive_calibrations(steps, np.array([4]), season_length=1, horizon=4, level=(50,))
        >>> found.widths.ravel()
        array([2.        , 2.82842712, 3.46410162, 4.        ])

    Source: Hyndman and Athanasopoulos 2021, Forecasting: principles and practice, section 5.5, with quantiles in place
    of a normal distribution's.
    """
    levels = check_levels(level)
    lengths = np.diff(ends, prepend=0)
    within = np.arange(len(values)) - np.repeat(ends - lengths, lengths) >= season_length
    later = np.flatnonzero(within)
    differences = np.abs(values[later] - values[later - season_length])
    growth = np.sqrt(np.arange(horizon) // season_length + 1.0)[:, None]
    found = []
    for column in differences.T:
        known = column[~np.isnan(column)]
        if not len(known):
            raise DataError(
                "df",
                expected=f"a value and another one {season_length} steps before it, to tell how far forecasts err",
                received="none",
                hint="Give longer series, or level=() for a forecast without intervals.",
            )
        widths = growth * np.quantile(known, np.array(levels) / 100.0)
        found.append(Calibration(levels, widths, np.full(horizon, len(known)), "point"))
    return tuple(found)
