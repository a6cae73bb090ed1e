"""From networks to the fitted state of what is chosen among them, by validation windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.windows.origins import Origins
from seqcast.engine.engine import Engine
from seqcast.errors import DataError
from seqcast.forecaster.choice import Choice, choose, pinball
from seqcast.forecaster.fallback import naive_calibrations, warn_of_fallback
from seqcast.forecaster.planning import FitPlan
from seqcast.forecaster.state import FittedState
from seqcast.forecaster.validation import apart, truths
from seqcast.intervals.calibration import Calibration
from seqcast.intervals.request import ForecastRequest
from seqcast.pretrained import PretrainedNetwork
from seqcast.specs.training import TrainingSpec
from seqcast.training.history import History

__all__ = ["Networks", "chosen_state", "warn_if_fallen"]

Array = npt.NDArray[Any]


# The loss of networks that were picked as the best of many may seem smaller than it is, by up to this factor.
PICKED = 1.2


@dataclass(frozen=True, kw_only=True)
class Networks:
    """The networks of a fit.

    Args:
        engines: The engines of those that were trained on the data alone.
        training: The training of each.
        histories: The history of each.
        pretrained: The pretrained network; `None` where it is not a candidate.
        finetuned: Whether it has been fine-tuned.
        finetuning: The history of its fine-tuning by this fit.
    """

    engines: tuple[Engine, ...]
    training: tuple[TrainingSpec, ...]
    histories: tuple[History, ...]
    pretrained: PretrainedNetwork | None
    finetuned: bool = False
    finetuning: History | None = None

    def with_finetuned(self, network: PretrainedNetwork, history: History) -> Self:
        """Return the networks with the pretrained one fine-tuned."""
        return replace(self, pretrained=network, finetuned=True, finetuning=history)

    @property
    def pretrained_name(self) -> str:
        """Name of the pretrained network among the candidates."""
        return "finetuned" if self.finetuned else "pretrained"

    def parted(self, plan: FitPlan) -> tuple[Self, Self | None]:
        """Return the networks that forecast, and those with the judge in their place; `None` where there is no judge.

        Args:
            plan: The plan.
        """
        options = plan.options
        if not options.judged or options.choice is not None or len(self.engines) < len(options.seeds):
            return self, None
        ours, judge = slice(0, -1), slice(-1, None)
        several, one = (
            replace(self, engines=self.engines[part], training=self.training[part], histories=self.histories[part])
            for part in (ours, judge)
        )
        return several, one

    def names(self, plan: FitPlan) -> list[str]:
        """Return the candidates of a plan that are there."""
        names = ["seasonal_naive"] if "seasonal_naive" in plan.options.candidates else []
        names += [self.pretrained_name] if self.pretrained is not None else []
        return [*names, *["trained"] * bool(self.engines)]

    def state(self, plan: FitPlan, choice: Choice, naive: tuple[Calibration, ...] = ()) -> FittedState:
        """Return the fitted state of a choice: it holds what has a share.

        Args:
            plan: The plan.
            choice: The choice.
            naive: Intervals of the seasonal naive forecast.
        """
        trained = slice(None if "trained" in choice.shares else 0)
        pretrained = self.pretrained if self.pretrained_name in choice.shares else None
        histories = self.histories[trained]
        if pretrained is not None:
            histories = (*histories, self.finetuning or History())
        return FittedState(
            series=plan.series,
            season_length=plan.season_length,
            seed=plan.options.seed,
            training=self.training[trained],
            choice=choice,
            engines=self.engines[trained],
            histories=histories or self.histories[:1] or (History(),),
            naive_intervals=naive if "seasonal_naive" in choice.shares else (),
            short_series=plan.short_series,
            skipped=plan.frame.skipped,
            pretrained=pretrained,
            rows=plan.frame if isinstance(plan.frame, LongFrame) else None,
        )


def chosen_state(plan: FitPlan, ready: Networks, finetuned: Networks | None) -> FittedState:
    """Return the fitted state of what forecasts best, alone or in shares with others.

    Args:
        plan: The plan.
        ready: The networks that there are.
        finetuned: The same with the pretrained one fine-tuned; `None` where it was not.
    """
    windows = _ValidationWindows(plan, plan.comparison) if plan.comparison is not None else None
    networks, forecasts = ready, dict[str, Array]()
    if finetuned is not None:
        networks, forecasts = _better_of(plan, windows, ready, finetuned)
    networks, judge = networks.parted(plan)
    names, choice = networks.names(plan), plan.options.choice
    naive = _naive_intervals(plan) if "seasonal_naive" in names else None
    if naive is None and len(names) > 1:
        names = [name for name in names if name != "seasonal_naive"]
    if choice is None:
        choice = _choice(windows, networks, names, naive or (), forecasts)
        if judge is not None:
            choice = _judged(choice, _choice(windows, judge, names, naive or (), forecasts))
    return networks.state(plan, choice.with_network(networks.pretrained_name), naive or ())


@dataclass(frozen=True)
class _ValidationWindows:
    """The windows on which candidates are compared.

    Args:
        plan: The plan.
        origins: Where their forecasts begin.
    """

    plan: FitPlan
    origins: Origins

    def __len__(self) -> int:
        return int((~np.isnan(self.truth)).any(axis=(1, 2)).sum()) if len(self.origins) else 0

    @property
    def request(self) -> ForecastRequest:
        """Point and intervals that are compared."""
        return ForecastRequest(self.plan.options.point, tuple(self.plan.options.level))

    @cached_property
    def truth(self) -> Array:
        """The truth in scaled units, `[B, H, D]`; NaN is missing."""
        return truths(self.plan.reader_at(self.origins), self.origins)

    def forecast(self, networks: Networks, name: str, naive: tuple[Calibration, ...] = ()) -> Array:
        """Return the forecasts of one candidate in scaled units, `[B, H, D, parts]`."""
        predictor = networks.state(self.plan, Choice.only(name), naive).predictor(self.plan.options.combine)
        return predictor.calibrated(self.plan.reader_at(self.origins), self.origins, self.request)

    def loss(self, forecast: Array) -> float:
        """Return the mean quantile loss of forecasts."""
        known = ~np.isnan(self.truth)
        return float(pinball(self.truth[known], forecast[known], self.request.probabilities_with_point).mean())


def _judged(own: Choice, judges: Choice) -> Choice:
    """Return the choice that holds for networks that were picked as the best of many on the windows.

    Args:
        own: What the windows say of them.
        judges: What they say of the network that judges.
    """
    losses = own.losses.get("trained"), judges.losses.get("trained")
    if losses[0] is None or losses[1] is None or PICKED * losses[0] < losses[1]:
        return own
    return judges


def _better_of(
    plan: FitPlan, windows: _ValidationWindows | None, ready: Networks, finetuned: Networks
) -> tuple[Networks, dict[str, Array]]:
    """Return the networks whose pretrained one forecasts the validation windows better, and its forecasts of them.

    Where there are no windows to tell by, the fine-tuned one is taken if the user asked for it, and left out of a
    choice by evidence.
    """
    if not windows:
        return (ready if plan.options.choice is None else finetuned), {}
    forecasts = [windows.forecast(networks, networks.pretrained_name) for networks in (ready, finetuned)]
    better = int(windows.loss(forecasts[1]) <= windows.loss(forecasts[0]))
    networks = (ready, finetuned)[better]
    return networks, {networks.pretrained_name: forecasts[better]}


def _choice(
    windows: _ValidationWindows | None,
    networks: Networks,
    names: list[str],
    naive: tuple[Calibration, ...],
    known: Mapping[str, Array],
) -> Choice:
    """Return the choice among some candidates, of which some forecasts are known."""
    if windows is None or len(names) == 1:
        return Choice.only(names[-1])
    if not len(windows):
        # A network that was trained on so few rows cannot be judged.
        return Choice.only("seasonal_naive" if networks.pretrained is None else networks.pretrained_name)
    forecasts = {name: known[name] if name in known else windows.forecast(networks, name, naive) for name in names}
    probabilities = windows.request.probabilities_with_point
    return choose(windows.truth, forecasts, probabilities, windows=apart(windows.origins))


def warn_if_fallen(plan: FitPlan, choice: Choice) -> None:
    """Warn where networks were trained, and the last season alone was chosen.

    Args:
        plan: The plan.
        choice: What was chosen.
    """
    if plan.comparison is None or not plan.jobs or list(choice.shares) != ["seasonal_naive"]:
        return
    reason = f"on the validation rows it erred least: {choice}"
    if not choice.losses:
        rows = f"give at least {3 * plan.options.horizon} rows"
        reason = f"there are no validation rows to judge a network by: {rows}"
    warn_of_fallback(plan.season_length, plan.series.context_length, reason)


def _naive_intervals(plan: FitPlan) -> tuple[Calibration, ...] | None:
    """Return the intervals of the seasonal naive forecast: none where none are asked for; `None` where none are known.

    Raises:
        DataError: None are known, and there is no other forecast.
    """
    if not plan.options.level:
        return ()
    season = plan.season_length if 1 < plan.season_length <= plan.series.context_length else 1
    try:
        return naive_calibrations(
            plan.reader, season_length=season, horizon=plan.options.horizon, level=plan.options.level
        )
    except DataError:
        if plan.pretrained is None and not plan.jobs:
            raise
        return None
