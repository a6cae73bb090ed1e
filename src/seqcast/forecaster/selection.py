"""The selection after the trainings: versions, shares, and the calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from seqcast.data.frames import LongFrame
from seqcast.engine import Outcome
from seqcast.errors import DataError
from seqcast.forecaster.calibration import calibrate, copula_of_fit
from seqcast.forecaster.candidates import Candidate, FittedCandidate
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.hold_out import HoldOut
from seqcast.forecaster.planning import FitPlan, Place
from seqcast.pretrained import sharing_inputs
from seqcast.runtime import Array
from seqcast.training import History


@dataclass(frozen=True)
class Version:
    """A fitted version of a candidate that may share the forecast.

    Args:
        candidate: The candidate.
        fitted: The fitted version.
        forecast: Its forecasts of the hold-out windows, where they are known.
        proxy: A network that measures the loss of its networks, where these were picked by their
            losses on the hold-out windows.
    """

    candidate: Candidate
    fitted: FittedCandidate
    forecast: Array | None = None
    proxy: FittedCandidate | None = None


@dataclass(frozen=True)
class Selection:
    """The selection among the candidates of a plan.

    | case | versions of a candidate | shares |
    |---|---|---|
    | a new fit of several candidates | the best of each name on hold-out windows | by losses |
    | a new fit of one candidate | the best one on the hold-out windows | the whole |
    | a new fit without hold-out windows | the simplest | whole: the last that trains nothing |
    | a later training, with hold-out windows | the best one there | those of the fit |
    | a later training without them | those with a share in the fit, or the last | as before |

    Args:
        plan: The plan.
        outcomes: The outcomes of its jobs, by their places; some are missing after an interruption.
    """

    plan: FitPlan
    outcomes: Mapping[Place, Outcome]

    def fitted(self) -> FittedForecaster:
        """Return the fitted forecaster of the candidates that forecast best, in their shares.

        Raises:
            DataError: No candidate can learn enough from the rows.
        """
        plan = self.plan
        rows = plan.rows
        hold_out = plan.hold_out
        versions = self._versions(hold_out)
        fitted = [version.fitted for version in versions]
        choice = _choice(versions, hold_out) if plan.choice is None else plan.choice.among(fitted)

        return FittedForecaster(
            series=rows.series,
            season_length=rows.season_length,
            seed=rows.options.seed,
            choice=choice,
            candidates=tuple(each for each in fitted if each.name in choice.shares),
            reading=rows.options.reading,
            forecasting=rows.options.forecasting,
            short_series=plan.short_series,
            skipped=rows.frame.skipped,
            tried=self._history(),
            frame=rows.frame if isinstance(rows.frame, LongFrame) else None,
        )

    def _versions(self, hold_out: HoldOut | None) -> list[Version]:
        """Return the versions of all candidates that can learn enough from the rows."""
        versions = list[Version]()
        faults = list[DataError]()
        for place, candidate in enumerate(self.plan.candidates):
            outcomes = {
                number: self.outcomes[owner, number]
                for owner, number in sorted(self.outcomes)
                if owner == place
            }
            try:
                fitted = candidate.fitted(self.plan.rows, outcomes)
            except DataError as error:
                faults.append(error)
                continue
            proxy = candidate.proxy(self.plan.rows, outcomes)
            for version, forecast in self._compared(fitted, hold_out):
                versions.append(Version(candidate, version, forecast, proxy))

        if not versions:
            raise faults[0]
        return versions

    @sharing_inputs()
    def _compared(
        self, fitted: Sequence[FittedCandidate], hold_out: HoldOut | None
    ) -> list[tuple[FittedCandidate, Array | None]]:
        """Return the versions of a candidate that may share the forecast, with known forecasts."""
        choice = self.plan.choice
        if hold_out is not None and len(hold_out):
            have_names = choice is None and len(self.plan.candidates) > 1
            alike = dict[str, list[FittedCandidate]]()
            for each in fitted:
                alike.setdefault(each.name if have_names else "", []).append(each)
            return [hold_out.best(versions) for versions in alike.values()]
        if choice is None:
            return [(each, None) for each in fitted[:1]]
        if hold_out is not None:
            return [(each, None) for each in fitted[-1:]]
        shared = {each.name: each for each in reversed(fitted) if each.name in choice.shares}
        return [(each, None) for each in shared.values() or fitted[-1:]]

    def _history(self) -> History:
        """Return the training history of the first network that learned from the data alone."""
        candidates = self.plan.candidates
        places = [place for place in sorted(self.outcomes) if candidates[place[0]].learns_alone]
        return self.outcomes[places[0]].history if places else History()


def _choice(versions: Sequence[Version], hold_out: HoldOut | None) -> Choice:
    """Return the choice among the versions of candidates."""
    if hold_out is None or len(versions) == 1:
        return Choice({versions[-1].fitted.name: 1.0})
    if not len(hold_out):
        # The loss of a network that was trained on so few rows cannot be measured.
        untrained = [each for each in versions if not each.candidate.learns_alone]
        return Choice({untrained[-1].fitted.name: 1.0})

    forecasts = {
        each.fitted.name: hold_out.forecast(each.fitted) if each.forecast is None else each.forecast
        for each in versions
    }
    choice = hold_out.choice(forecasts)
    for each in versions:
        if each.proxy is not None:
            choice = hold_out.choice_of_picked(choice, forecasts, each.fitted.name, each.proxy)
    return choice


def calibrated(fitted: FittedForecaster, plan: FitPlan) -> FittedForecaster:
    """Return a fitted forecaster with calibrated intervals and the source of its copula.

    It warns where no trained network has a share.

    Args:
        fitted: The fitted forecaster.
        plan: Its plan, with the validation rows.
    """
    learns = any(candidate.learns_alone for candidate in plan.candidates)
    if plan.comparison is not None and learns and len(fitted.candidates) == 1:
        reason = f"on the validation rows it erred least: {fitted.choice}"
        if not fitted.choice.losses:
            rows = f"give at least {3 * plan.rows.options.horizon} rows"
            reason = f"there are no validation rows to evaluate a network on: {rows}"
        fitted.candidates[0].warn_if_alone(reason, fitted.series.context_length)

    if plan.calibration is not None:
        reader = plan.reader_at(plan.calibration)
        level = plan.rows.options.forecasting.level
        calibrations = calibrate(fitted, reader, plan.calibration, level)
        fitted = replace(fitted, calibrations=calibrations)
    return replace(fitted, copula_source=copula_of_fit(fitted, plan))
