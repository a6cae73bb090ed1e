"""From trials to the forecaster: which settings, in which share of the forecast, and how it is fitted with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqcast.errors import SpecError
from seqcast.forecaster import Cluster, Forecaster, is_compared
from seqcast.pretrained import limits
from seqcast.specs import EnsembleSpec, FinetuneSpec, MemberSpec
from seqcast.tune.script import script_of
from seqcast.tune.space import Setting
from seqcast.tune.trials import Task, seconds_of

# Networks whose loss is at most so much above the best one's are good enough for an ensemble: it gains about as much.
GOOD_ENOUGH = 0.02


@dataclass(frozen=True)
class Recipe:
    """How the forecaster of a search is made.

    Args:
        options: Its arguments, by name.
        settings: What was chosen: its networks, or the fine-tuning of the pretrained one.
        limit: The seconds of its fit where the clock has to end it.
    """

    options: Mapping[str, Any]
    settings: tuple[Setting, ...]
    limit: float | None = None

    @classmethod
    def of(
        cls,
        arguments: Mapping[str, Any],
        settings: Sequence[Setting],
        untuned: Setting,
        seed: int,
        limit: float | None = None,
    ) -> Recipe:
        """Return the recipe of some settings.

        Args:
            arguments: The arguments of the forecaster that the user gave, by name.
            settings: What was chosen.
            untuned: The setting as it is without tuning; as a network it judges the share that others have.
            seed: Seed of everything random.
            limit: As for the class; a fine-tuning, which is short, is not ended by the clock.
        """
        given = {name: value for name, value in arguments.items() if name != "verbose"}
        own: dict[str, Any] = {"training": None, "random_state": seed}
        members = tuple(each for each in settings if isinstance(each, MemberSpec))
        if isinstance(untuned, MemberSpec):
            compared = is_compared(arguments["preset"])
            judge = untuned if compared and any(member != untuned for member in members) else None
            finetuning = limits(arguments["training"]) or None
            network = EnsembleSpec(members, alone=not compared, finetuning=finetuning, judge=judge)
            own |= {"preset": network, "context_length": None}
        else:
            limit = None
        options = {
            name: value.item() if isinstance(value, np.generic) else value for name, value in {**given, **own}.items()
        }
        return cls(options, tuple(settings), limit)

    @property
    def finetuning(self) -> FinetuneSpec | None:
        """The fine-tuning that makes the forecaster; `None` where its networks are trained."""
        return next((each for each in self.settings if isinstance(each, FinetuneSpec)), None)

    @property
    def script(self) -> str:
        """Python that makes the forecaster."""
        return script_of(self.options, self.limit, self.finetuning)

    def fitted(self, df: Any, *, verbose: int, on: Cluster | None = None) -> Forecaster:
        """Return the forecaster, fitted.

        Args:
            df: As for `Forecaster.fit`.
            verbose: As for `Forecaster`.
            on: Workers that train its networks, where the clock does not have to end it; a fine-tuning runs here.
        """
        forecaster = Forecaster(**self.options, verbose=verbose)
        if self.finetuning is not None:
            return forecaster.finetune(df, **self.finetuning.arguments)
        return forecaster.fit(df, time_limit=self.limit, on=on if self.limit is None else None)


def chosen_settings(trials: Sequence[Any], task: Task, most: int) -> tuple[tuple[Setting, ...], float | None]:
    """Return the settings of the forecaster, and the seconds of its fit where the clock has to end it.

    Args:
        trials: The trials of the study.
        task: What they had in common.
        most: Most networks.
    """
    untuned, clock = task.objective.untuned, task.clock
    complete = sorted(
        (trial for trial in trials if trial.state.name == "COMPLETE"), key=lambda trial: (trial.value, trial.number)
    )
    limit = None if clock.deadline is None else max(clock.deadline.left() - clock.in_hand, 1.0)
    if not complete:
        if limit is None:
            raise SpecError("trials", expected="a trial that can be trained", received="none", hint="Widen the space.")
        return (untuned,), limit
    good = [trial for trial in complete if trial.value <= (1 + GOOD_ENOUGH) * complete[0].value][:most]
    count = clock.affordable(float(np.median(seconds_of(good))))
    settings = []
    for trial in (good[place % len(good)] for place in range(max(1, count))):
        parts = [parameter.fields_of(name, trial.params[name]) for name, parameter in task.space.items()]
        settings.append(untuned.changed({name: value for part in parts for name, value in part.items()}))
    return tuple(settings), None if count else limit
