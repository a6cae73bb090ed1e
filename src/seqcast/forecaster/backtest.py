"""Forecasts of a frame's own past from several cutoffs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data import SEASONAL_NAIVE
from seqcast.data.frames import AnyFrame
from seqcast.data.windows import Origins, check_first_cutoff, known_at_cutoffs
from seqcast.forecaster.fitted import FittedForecaster

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Backtest:
    """The cutoffs of a backtest, and where forecasts begin there.

    Args:
        frame: The series.
        known: Number of known rows of each series at each cutoff, `[n_windows, N]`.
        origins: The origins at these cutoffs, cutoff after cutoff, in each part of the frame.
        every: Number of cutoffs that each fit forecasts from.
    """

    frame: AnyFrame
    known: Array
    origins: Sequence[Origins]
    every: int

    @classmethod
    def of(
        cls,
        frame: AnyFrame,
        horizon: int,
        n_windows: int,
        *,
        step_size: int | None = None,
        align: str = "time",
        complete: bool = False,
        every: int | None = 0,
    ) -> Backtest:
        """Return the backtest of a frame.

        Args:
            frame: The series.
            horizon: Steps to forecast.
            n_windows: Number of cutoffs.
            step_size: As for `Forecaster.backtest`.
            align: As for `Forecaster.backtest`.
            complete: Whether all series have to reach each cutoff.
            every: Number of cutoffs between two trainings; 0 trains once, `None` not at all.

        Raises:
            DataError: There are no rows to forecast from.
        """
        frame.check_observed()
        known = known_at_cutoffs(frame, horizon, n_windows, step_size, align, complete=complete)
        origins = [Origins.within(part, known[:, series], horizon) for series, part in frame.parts()]
        check_first_cutoff(origins)
        return cls(frame, known, origins, every or n_windows)

    @property
    def frames(self) -> list[AnyFrame]:
        """The rows up to each cutoff at which there is a fit."""
        return [self.frame.until(stops) for stops in self.known[:: self.every]]

    def check_after(self, fitted: FittedForecaster) -> None:
        """Refuse cutoffs before the last stamp that a fit saw.

        Raises:
            DataError: A forecast would begin at or before it.
        """
        for origins, (_, part) in zip(self.origins, self.frame.parts(), strict=True):
            origins.check_after(part, fitted.series.last_seen)

    def table(self, fits: Sequence[FittedForecaster], number: int) -> Any:
        """Forecast the series in one part of the frame, and return forecasts beside the truth and naive forecasts.

        Args:
            fits: The fitted forecaster for the first `every` cutoffs, for the next, and so on.
            number: Number of the part.

        Returns:
            A frame as `Forecaster.backtest` returns it; `None` where there are no origins.
        """
        series, frame = self.frame.part(number)
        known, origins, request = self.known[:, series], self.origins[number], fits[0].request()
        if not len(origins):
            return None
        by_fit = []
        for place, fitted in enumerate(fits):
            first = place * self.every
            chosen = (origins.cutoff >= first) & (origins.cutoff < first + self.every)
            if not chosen.any():
                continue
            checked, own = fitted.series.checked(frame), origins.take(chosen)
            own = fitted.series.scaled_at_cutoffs(checked, known, own)
            by_fit.append(fitted.blend.forecast(fitted.series.reader(checked, own), own, request))
        forecasts = request.parts(np.concatenate(by_fit), fits[0].output.alias)
        for name, season in ((SEASONAL_NAIVE, fits[0].season_length), ("last_value", 1)):
            forecasts[name] = origins.naive(frame, season)
        return origins.table(frame, forecasts)
