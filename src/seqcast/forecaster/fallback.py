"""The seasonal naive forecast, on which `preset="auto"` falls back where no network is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from seqcast.data.series.store import positions_of
from seqcast.data.windows.gaps import repeat_newest_season
from seqcast.data.windows.origins import Origins
from seqcast.data.windows.reader import WindowReader
from seqcast.errors import DataError, SeqcastWarning, SpecError
from seqcast.forecaster.predictor import Predictor, network_inputs
from seqcast.intervals.calibration import Calibration
from seqcast.intervals.levels import check_levels
from seqcast.intervals.request import ForecastRequest
from seqcast.runtime.caution import warn_user

__all__ = [
    "FallbackWarning",
    "SeasonalNaivePredictor",
    "naive_calibrations",
    "refuse_without_network",
    "warn_of_fallback",
]

Array = npt.NDArray[Any]

# Of more rows than this, differences are taken evenly from among all.
MOST_DIFFERENCES = 5_000_000


class FallbackWarning(SeqcastWarning):
    """Warns that forecasts repeat the last season, because no network was better."""


@dataclass(frozen=True)
class SeasonalNaivePredictor(Predictor):
    """Forecast by repeating the last season of each window's past, or its last value where it has no whole season.

    A step that is missing in the last season is taken from the newest season that has it.

    Args:
        season_length: Steps of a season, `m`; 1 repeats the last value.
        calibrations: The intervals around the forecast of each target; empty for none.
        support: The support of each target; empty for no bounds.
    """

    season_length: int
    calibrations: Sequence[Calibration] = ()
    support: Sequence[str] = ()

    def _scaled(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        del request
        targets = reader.scaler.loc.shape[1]
        # Gaps stay gaps: what is repeated is the newest value of the same phase, not the step before.
        past = network_inputs(replace(reader, observed=True), origins)["past"][:, :, :targets]
        return repeat_newest_season(past, season_length=self.season_length, horizon=origins.horizon)[..., None]

    def paths(self, reader: WindowReader, origins: Origins, samples: int) -> Array:
        """Refuse: there is no distribution to draw from."""
        del reader, origins, samples
        refuse_without_network("samples")

    def states(self, reader: WindowReader, origins: Origins) -> Array:
        """Refuse: there is no encoder."""
        del reader, origins
        refuse_without_network("encode")

    def attention(self, reader: WindowReader, origins: Origins) -> Array:
        """Refuse: there is no attention."""
        del reader, origins
        refuse_without_network("attention")


def refuse_without_network(what: str) -> NoReturn:
    """Refuse a method that needs a network, in a forecaster that has none.

    Raises:
        SpecError: Always.
    """
    raise SpecError(
        what,
        expected="a forecaster with a network",
        received="one that repeats the last season, as no network was found to be better",
        hint="Name a preset, such as preset='classic', to have its network in any case.",
    )


def warn_of_fallback(season_length: int, context_length: int, reason: str) -> None:
    """Warn that forecasts repeat the last season; the warning points at the user's own code."""
    repeated = f"season of {season_length}" if 1 < season_length <= context_length else "value"
    warn_user(
        f"forecasts repeat the last {repeated}, because {reason}. Name a preset to have its network in any case.",
        FallbackWarning,
    )


def naive_calibrations(
    reader: WindowReader, *, season_length: int, horizon: int, level: Sequence[float]
) -> tuple[Calibration, ...]:
    r"""Return the intervals of the seasonal naive forecast, in the units of the scaled series.

    .. math:: w_h = Q_{level}\big(|y_t - y_{t-m}|\big) \sqrt{k + 1}, \quad k = \lfloor (h - 1) / m \rfloor

    The quantile is that of the differences of one season over all series; `k` is the number of whole seasons before
    step `h`.

    Args:
        reader: The series and their scaling.
        season_length: Steps of a season, `m`.
        horizon: Steps to forecast, `H`.
        level: Levels of the intervals, in per cent.

    Returns:
        The calibration of each target.

    Raises:
        DataError: No value has another one a season before it.

    Example:
        >>> from seqcast.data.series.scalers import SeriesScaler
        >>> from seqcast.data.series.store import InMemoryStore
        >>> store = InMemoryStore.of({"a": np.array([[0.0], [1.0], [3.0], [6.0]])})
        >>> reader = WindowReader(store, None, SeriesScaler(np.zeros((1, 1)), np.ones((1, 1))), context_length=2)
        >>> (calibration,) = naive_calibrations(reader, season_length=1, horizon=4, level=(50,))
        >>> calibration.widths.ravel()
        array([2.        , 2.82842712, 3.46410162, 4.        ])

    Source: Hyndman and Athanasopoulos 2021, Forecasting: principles and practice, section 5.5, with quantiles in place
    of a normal distribution's.
    """
    levels = check_levels(level)
    every = -(-int(reader.lengths.sum()) // MOST_DIFFERENCES)
    by_batch = [_seasonal_differences(reader, *batch, season_length)[::every] for batch in reader.targets.batches()]
    differences = np.concatenate(by_batch)
    growth = np.sqrt(np.arange(horizon) // season_length + 1.0)[:, None]
    calibrations = []
    for column in differences.T:
        observed = column[~np.isnan(column)]
        if not len(observed):
            raise DataError(
                "df",
                expected=f"a value and another one {season_length} steps before it, to tell how far forecasts err",
                received="none",
                hint="Give longer series, or level=() for a forecast without intervals.",
            )
        widths = growth * np.quantile(observed, np.array(levels) / 100.0)
        calibrations.append(Calibration(levels, widths, np.full(horizon, len(observed)), "point"))
    return tuple(calibrations)


def _seasonal_differences(reader: WindowReader, series: Array, values: Array, season_length: int) -> Array:
    """Return how far scaled values are from those a season before, over some whole series, `[rows, D]`."""
    lengths = reader.lengths[series]
    scaled = reader.scaler.take(np.repeat(series, lengths)).transform(values)
    later = np.flatnonzero(positions_of(np.cumsum(lengths)) >= season_length)
    return np.asarray(np.abs(scaled[later] - scaled[later - season_length]))
