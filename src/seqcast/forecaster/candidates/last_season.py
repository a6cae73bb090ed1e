"""The candidate that repeats the last season, which the others have to beat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from seqcast.data import Season
from seqcast.data.series import positions_of
from seqcast.data.windows import Origins, WindowReader, repeat_newest_season
from seqcast.engine import Outcome
from seqcast.errors import DataError, Option, Phrase, SeqcastWarning
from seqcast.forecaster.candidates.candidate import Candidate, FittedCandidate
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.training_rows import FitRows, PlannedRows
from seqcast.intervals import WHOLE_LEVELS, Calibration, ForecastRequest, calibrated
from seqcast.runtime import Array, warn_user

# The name in `Choice.shares` of the last longer season.
LONGER = "longer_seasonal_naive"
# With more rows than this, differences are taken evenly from all.
MOST_DIFFERENCES = 5_000_000


class FallbackWarning(SeqcastWarning):
    """Warns that forecasts repeat the last season, because no network was better."""


@dataclass(frozen=True)
class FittedLastSeason(FittedCandidate):
    """Forecast by repeating the last season of each window's past, or its last value.

    The last value is repeated where there is no whole season.

    A step that is missing in the last season is taken from the newest season that has it.

    Args:
        season_length: Steps of the season that is repeated, `m`; 1 repeats the last value.
        intervals: The intervals around the forecast of each target; empty for none.
        is_longer: Whether it is the longer season of the series.
    """

    key: ClassVar[str] = "seasonal_naive"
    has_mean: ClassVar[bool] = True
    # It forecasts a point, and intervals around it.
    is_probabilistic: ClassVar[bool] = False
    season_length: int
    intervals: tuple[Calibration, ...] = ()
    is_longer: bool = False

    @property
    @override
    def name(self) -> str:
        return LONGER if self.is_longer else self.key

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
        point = repeat_newest_season(
            past, season_length=self.season_length, horizon=origins.horizon
        )[..., None]
        return (
            calibrated(point, request, self.intervals)
            if self.intervals and request.level
            else point
        )

    def contributions(self, reader: WindowReader, origins: Origins) -> Array:
        """Return zeros: it reads no covariates.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.
        """
        return np.zeros((len(origins), origins.horizon, reader.targets.width, 1))

    @override
    def limits(self, *, alone: bool) -> Iterator[str]:
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
        repeated = (
            f"season of {self.season_length}"
            if 1 < self.season_length <= context_length
            else "value"
        )
        why = f"forecasts repeat the last {repeated}, because {reason}"
        warn_user(f"{why}. Name a preset to have its network in any case.", FallbackWarning)

    def check_file(self, series: SeriesState, season_length: int) -> None:
        """Reject the season of other series, and intervals of other targets.

        Args:
            series: The state of the series.
            season_length: Steps of a season.
        """
        targets = len(series.schema.columns.targets)
        own = Season.of(season_length).longer if self.is_longer else season_length
        if len(self.intervals) not in (0, targets) or self.season_length != own:
            raise ValueError(
                f"{len(self.intervals)} intervals of {targets} targets, "
                f"a season of {self.season_length}"
            )

    @override
    def for_refit(self, options: FitOptions) -> LastSeason:
        return LastSeason((self.is_longer,))

    def export(self) -> Any:
        """Return its graph for a file in ONNX."""
        from seqcast.export import LastSeasonGraph

        return LastSeasonGraph(self.season_length, self.intervals)


@dataclass(frozen=True)
class LastSeason(Candidate):
    """The last season or the last longer season, which learns the size of its errors.

    Args:
        longer: For each version whether it repeats the longer season; the better one on the
            hold-out windows is taken.
    """

    key: ClassVar[str] = "seasonal_naive"
    words: ClassVar[Mapping[str, str]] = {
        "seasonal_naive": "the last season",
        LONGER: "the last longer season",
    }
    # It cannot learn what windows do not show, so a network that is as good counts for more.
    prior: ClassVar[float] = 0.1
    fitted_type: ClassVar[type[FittedCandidate]] = FittedLastSeason

    longer: tuple[bool, ...] = (False, True)

    def rows_read(self, rows: FitRows) -> int:
        """Return the longer season if forecasts may read it and a series has more rows; else 1.

        Args:
            rows: The rows of the fit.
        """
        longer = Season.of(rows.season_length).longer or 1
        options = rows.options
        fits = longer < min(rows.lengths.max(), options.most_rows_read or np.inf)
        return longer if True in self.longer and options.reading.fill and fits else 1

    def fitted(self, rows: PlannedRows, outcomes: Mapping[int, Outcome]) -> list[FittedCandidate]:
        """Return its versions, with their intervals.

        Args:
            rows: The rows of the fit.
            outcomes: Engine and history of the jobs that were trained, by their place.

        Raises:
            DataError: No value has another one a season before it.
        """
        season = Season.of(rows.season_length)
        read = rows.series.context_length
        output = rows.options.forecasting
        is_known = (season.longer or np.inf) < min(read + 1, rows.lengths.max())

        versions = list[FittedCandidate]()
        level = tuple(sorted({*WHOLE_LEVELS, *output.level}))

        for is_longer in self.longer if is_known else self.longer[:1]:
            length = season.lengths[is_longer]
            steps = length if 1 < length <= read else 1
            calibrations: tuple[Calibration, ...] = ()
            try:
                calibrations = naive_calibrations(rows.reader, steps, output.horizon, level)
            except DataError:
                if output.level:
                    raise
            versions.append(FittedLastSeason(length, calibrations, is_longer))
        return versions


def naive_calibrations(
    reader: WindowReader, season_length: int, horizon: int, level: tuple[float, ...]
) -> tuple[Calibration, ...]:
    r"""Return the intervals of the seasonal naive forecast, in the units of the scaled series.

    .. math:: w_h = Q_{level}\big(|y_t - y_{t-m}|\big) \sqrt{k + 1},
        \quad k = \lfloor (h - 1) / m \rfloor

    The quantile is that of the differences of one season over all series; `k` is the number of
    whole seasons before step `h`.

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
        >>> scaler = SeriesScaler(np.zeros((1, 1)), np.ones((1, 1)))
        >>> reader = WindowReader(store, None, scaler, context_length=2)
        >>> (calibration,) = naive_calibrations(reader, season_length=1, horizon=4, level=(50,))
        >>> calibration.widths.ravel()
        array([2.        , 2.82842712, 3.46410162, 4.        ])

    Source: Hyndman and Athanasopoulos 2021, Forecasting: principles and practice, section 5.5, with
        quantiles in place
    of a normal distribution's.
    """
    every = -(-int(reader.lengths.sum()) // MOST_DIFFERENCES)
    by_batch = [
        _seasonal_differences(reader, *batch, season_length)[::every]
        for batch in reader.targets.batches()
    ]
    differences = np.concatenate(by_batch)
    counts = (~np.isnan(differences)).sum(axis=0)
    if not counts.all():
        raise DataError(
            "df",
            expected=(
                f"a value and another one {season_length} steps before it, "
                "to measure errors of forecasts"
            ),
            received="none",
            hint=Phrase(
                "Give longer series, or ", Option("level", ()), " for a forecast without intervals."
            ),
        )

    growth = np.sqrt(np.arange(horizon) // season_length + 1.0)[:, None]
    # Target after target.
    widths = np.nanquantile(differences, np.array(level) / 100.0, axis=0).T
    by_target = zip(widths, counts, strict=True)
    return tuple(
        Calibration(level, growth * each, np.full(horizon, count), "point")
        for each, count in by_target
    )


def _seasonal_differences(
    reader: WindowReader, series: Array, values: Array, season_length: int
) -> Array:
    """Return distances of scaled values from the season before, in whole series, `[rows, D]`."""
    lengths = reader.lengths[series]
    scaled = reader.scaler.take(np.repeat(series, lengths)).transform(values)
    later = np.flatnonzero(positions_of(np.cumsum(lengths)) >= season_length)
    return np.asarray(np.abs(scaled[later] - scaled[later - season_length]))
