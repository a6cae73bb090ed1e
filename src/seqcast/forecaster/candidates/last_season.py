"""The candidate that repeats the last season, which the others have to beat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from seqcast.data.series import positions_of
from seqcast.data.windows import Origins, WindowReader, repeat_newest_season
from seqcast.engine import Outcome
from seqcast.errors import DataError, SeqcastWarning
from seqcast.forecaster.candidates.candidate import Candidate, FittedCandidate
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.training_rows import PlannedRows
from seqcast.intervals import Calibration, ForecastRequest, calibrated, check_trained
from seqcast.runtime import Array, warn_user

# With more rows than this, differences are taken evenly from all.
MOST_DIFFERENCES = 5_000_000


class FallbackWarning(SeqcastWarning):
    """Warns that forecasts repeat the last season, because no network was better."""


@dataclass(frozen=True)
class FittedLastSeason(FittedCandidate):
    """Forecast by repeating the last season of each window's past, or its last value where it has no whole season.

    A step that is missing in the last season is taken from the newest season that has it.

    Args:
        season_length: Steps of a season, `m`; 1 repeats the last value.
        intervals: The intervals around the forecast of each target; empty for none.
    """

    key: ClassVar[str] = "seasonal_naive"
    season_length: int
    intervals: tuple[Calibration, ...] = ()

    def forecast(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return the point, and the intervals if there are any.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.
            request: Point and intervals of the forecasts.
        """
        targets = reader.scaler.loc.shape[1]
        # Gaps stay gaps: the newest value of the same phase is repeated, not the step before.
        past = origins.inputs(replace(reader, observed=True))["past"][:, :, :targets]
        point = repeat_newest_season(past, season_length=self.season_length, horizon=origins.horizon)[..., None]
        return calibrated(point, request, self.intervals) if self.intervals and request.level else point

    def contributions(self, reader: WindowReader, origins: Origins) -> Array:
        """Return zeros: it reads no covariates.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.
        """
        return np.zeros((len(origins), origins.horizon, reader.targets.width, 1))

    @property
    def is_probabilistic(self) -> bool:
        """False: it forecasts a point, and intervals of some levels around it."""
        return False

    def check_levels(self, levels: Sequence[float], fitted: Sequence[float]) -> None:
        """Refuse levels that the fit did not name.

        Args:
            levels: The levels.
            fitted: Those of the fit.
        """
        check_trained(levels, fitted, hint="Fit with such a level.")

    def limits(self, *, alone: bool) -> Iterator[str]:
        """Yield the limits of a repeated season.

        Args:
            alone: Whether nothing else has a share of the forecast.
        """
        if alone:
            yield "It repeats the last season: no network was better on the validation windows."
        else:
            yield "The last season is repeated, so a trend is not followed in this share."

    def warn_if_alone(self, reason: str, context_length: int) -> None:
        """Warn that forecasts repeat the last season; the warning points at the user's own code.

        Args:
            reason: Why nothing else forecasts.
            context_length: Steps of past that a forecast reads.
        """
        repeated = f"season of {self.season_length}" if 1 < self.season_length <= context_length else "value"
        warn_user(
            f"forecasts repeat the last {repeated}, because {reason}. Name a preset to have its network in any case.",
            FallbackWarning,
        )

    def check_file(self, series: SeriesState, season_length: int) -> None:
        """Refuse another season, and intervals of other targets than the series have.

        Args:
            series: The state of the series.
            season_length: Steps of a season.
        """
        targets = len(series.schema.columns.targets)
        if len(self.intervals) not in (0, targets) or self.season_length != season_length:
            raise ValueError(f"{len(self.intervals)} intervals of {targets} targets")

    def for_refit(self, options: FitOptions) -> LastSeason:
        """Return the candidate.

        Args:
            options: The resolved options of the forecaster.
        """
        return LastSeason()

    def export(self) -> Any:
        """Return its graph for a file in ONNX."""
        from seqcast.export import LastSeasonGraph

        return LastSeasonGraph(self.season_length, self.intervals)


class LastSeason(Candidate):
    """The last season, which learns the size of its errors."""

    key: ClassVar[str] = "seasonal_naive"
    words: ClassVar[Mapping[str, str]] = {"seasonal_naive": "the last season"}
    # It cannot learn what windows do not show, so a network that is as good counts for more.
    prior: ClassVar[float] = 0.1
    fitted_type: ClassVar[type[FittedCandidate]] = FittedLastSeason

    def fitted(self, rows: PlannedRows, outcomes: Mapping[int, Outcome]) -> list[FittedCandidate]:
        """Return it with intervals of the levels of the fit.

        Args:
            rows: The rows of the fit.
            outcomes: Engine and history of the jobs that were trained, by their place.

        Raises:
            DataError: No value has another one a season before it.
        """
        season, output = rows.season_length, rows.options.output
        steps = season if 1 < season <= rows.series.context_length else 1
        return [FittedLastSeason(season, naive_calibrations(rows.reader, steps, output.horizon, output.level))]


def naive_calibrations(
    reader: WindowReader, season_length: int, horizon: int, level: tuple[float, ...]
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
        The calibration of each target; none without levels.

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
    if not level:
        return ()
    every = -(-int(reader.lengths.sum()) // MOST_DIFFERENCES)
    by_batch = [_seasonal_differences(reader, *batch, season_length)[::every] for batch in reader.targets.batches()]
    differences = np.concatenate(by_batch)
    growth = np.sqrt(np.arange(horizon) // season_length + 1.0)[:, None]
    counts = (~np.isnan(differences)).sum(axis=0)
    if not counts.all():
        expected = f"a value and another one {season_length} steps before it, to measure errors of forecasts"
        hint = "Give longer series, or level=() for a forecast without intervals."
        raise DataError("df", expected=expected, received="none", hint=hint)
    # Target after target.
    widths = np.nanquantile(differences, np.array(level) / 100.0, axis=0).T
    by_target = zip(widths, counts, strict=True)
    return tuple(Calibration(level, growth * each, np.full(horizon, count), "point") for each, count in by_target)


def _seasonal_differences(reader: WindowReader, series: Array, values: Array, season_length: int) -> Array:
    """Return the distances of scaled values from those a season before, in whole series, `[rows, D]`."""
    lengths = reader.lengths[series]
    scaled = reader.scaler.take(np.repeat(series, lengths)).transform(values)
    later = np.flatnonzero(positions_of(np.cumsum(lengths)) >= season_length)
    return np.asarray(np.abs(scaled[later] - scaled[later - season_length]))
