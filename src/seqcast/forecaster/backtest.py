"""Forecasts of a frame's own past from several cutoffs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqcast.data import SEASONAL_NAIVE, Season
from seqcast.data.frames import AnyFrame, LongFrame
from seqcast.data.windows import Origins, check_first_cutoff, known_at_cutoffs
from seqcast.errors import SpecError
from seqcast.forecaster.candidates import Candidate
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.fitting import fit_plans
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.planning import make_plan
from seqcast.forecaster.training_run import TrainingRun
from seqcast.runtime import Array, say, tracked


@dataclass(frozen=True)
class Backtest:
    """The cutoffs of a backtest, and where forecasts begin there.

    Args:
        frame: The series.
        known: Number of known rows of each series at each cutoff, `[n_windows, N]`.
        origins: The origins at these cutoffs, cutoff after cutoff, in each shard of the frame.
        every: Number of cutoffs that each fit forecasts from.
    """

    frame: AnyFrame
    known: Array
    origins: Sequence[Origins]
    every: int

    @classmethod
    def of(
        cls, frame: AnyFrame, horizon: int, *, every: int | None = 0, **cutoffs: Any
    ) -> Backtest:
        """Return the backtest of a frame.

        Args:
            frame: The series.
            horizon: Steps to forecast.
            every: Number of cutoffs between two trainings; 0 trains once, `None` not at all.
            **cutoffs: Other arguments of `seqcast.data.windows.known_at_cutoffs`.

        Raises:
            DataError: There are no rows to forecast from.
        """
        frame.check(LongFrame.check_observed)
        known = known_at_cutoffs(frame, horizon, **cutoffs)
        origins = [
            Origins.at_cutoffs(shard, known[:, series], horizon)
            for series, shard in frame.in_shards()
        ]
        check_first_cutoff(origins)
        return cls(frame, known, origins, every or len(known))

    @property
    def frames(self) -> list[AnyFrame]:
        """The rows up to each cutoff at which there is a fit."""
        return [self.frame.until(stops) for stops in self.known[:: self.every]]

    def check_after(self, fitted: FittedForecaster) -> None:
        """Reject cutoffs before the last stamp that a fit saw.

        Args:
            fitted: The fitted forecaster.

        Raises:
            DataError: A forecast would begin at or before it.
        """
        for origins, (_, shard) in zip(self.origins, self.frame.in_shards(), strict=True):
            origins.check_after(shard, fitted.series.last_seen)

    def table(self, fits: Sequence[FittedForecaster], number: int) -> Any:
        """Forecast the series in one shard of the frame.

        Args:
            fits: The fitted forecaster for the first `every` cutoffs, for the next, and so on.
            number: Number of the shard.

        Returns:
            A frame as `Forecaster.backtest` returns it; `None` where there are no origins.
        """
        series, frame = self.frame.shard(number)
        known = self.known[:, series]
        origins = self.origins[number]
        request = fits[0].request()

        if not len(origins):
            return None

        by_fit = []
        for place, fitted in enumerate(tracked(fits, "forecasting", len(fits))):
            chosen = origins.cutoff // self.every == place
            if not chosen.any():
                continue
            checked = fitted.series.checked(frame)
            own = origins.take(chosen)
            own = fitted.series.scaled_at_cutoffs(checked, known, own)
            by_fit.append(fitted.blend.forecast(fitted.series.reader(checked, own), own, request))

        forecasts = request.by_column(np.concatenate(by_fit), fits[0].forecasting.alias)
        forecasts[SEASONAL_NAIVE] = origins.naive(frame, Season.of(fits[0].season_length).lengths)
        forecasts["last_value"] = origins.naive(frame, (1,))
        return origins.table(frame, forecasts)


def fits_at(
    frames: Sequence[AnyFrame],
    options: FitOptions,
    before: FittedForecaster | None,
    run: TrainingRun,
) -> list[FittedForecaster]:
    """Return a fitted forecaster for each frame, all with the same seed.

    Args:
        frames: The rows up to each cutoff.
        options: The resolved options of the forecaster.
        before: The present fitted value of the forecaster, if any.
        run: How trainings are run.
    """
    choice: Choice | None = None
    candidates: tuple[Candidate, ...] = ()
    if before is not None and options.is_zero_shot:
        # Fine-tuned or not, as the forecaster is.
        choice = before.choice
        candidates = tuple(each.for_refit(options) for each in before.candidates)

    # No sample paths are drawn.
    plans = [
        replace(make_plan(frame, options, candidates=candidates, choice=choice), held_out=None)
        for frame in frames
    ]

    if run.verbose:
        say(plans[0].describe(), is_result=True)
    return fit_plans(plans, run)


def refit_every(refit: bool | int | str) -> int | None:
    """Return the number of cutoffs between two trainings of a backtest.

    It is 0 where the network is trained once, and `None` where it is not trained.

    Args:
        refit: The argument of `Forecaster.backtest`.

    Raises:
        SpecError: It is no such value.

    Example:
        >>> refit_every(False), refit_every(True), refit_every(3), refit_every("never")
        (0, 1, 3, None)
    """
    if isinstance(refit, str) and refit == "never":
        return None
    if isinstance(refit, bool | np.bool_) or (isinstance(refit, int | np.integer) and refit >= 1):
        return int(refit)
    raise SpecError(
        "refit",
        expected="False, True or a whole number >= 1, or 'never'",
        received=repr(refit),
        hint="True trains at every cutoff, n at every n-th, 'never' takes the fitted networks.",
    )
