"""The final fit: a forecaster with the best settings of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from seqcast.forecaster import Cluster, Forecaster, ForecasterArguments, is_compared
from seqcast.pretrained import limits
from seqcast.specs import EnsembleSpec, FinetuneSpec, MemberSpec
from seqcast.tune.script import searched_script
from seqcast.tune.space import Setting
from seqcast.tune.trials import Task, none_complete, seconds_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# A network joins the ensemble if its loss exceeds the best one by at most this fraction, about the
# gain of an ensemble.
GOOD_ENOUGH = 0.02


@dataclass(frozen=True)
class FinalFit:
    """The fit of a forecaster with the best settings.

    Args:
        arguments: The arguments of the forecaster.
        settings: Its networks, or the fine-tuning of the pretrained one.
        time_limit: Seconds of the fit, where the clock has to end it.
    """

    arguments: ForecasterArguments
    settings: tuple[Setting, ...]
    time_limit: float | None = None

    @classmethod
    def of(cls, trials: Sequence[FrozenTrial], task: Task) -> Self:
        """Return the fit with the best settings of a study, as many as there is time for.

        Args:
            trials: The trials of the study.
            task: The task of the workers.

        Raises:
            SpecError: No trial is complete.
        """
        clock = task.clock
        best = _best(trials, clock.members)
        if not best:
            raise none_complete(clock, trials)

        count = clock.affordable(float(np.median(seconds_of(best))))
        settings = tuple(task.setting(each.params) for each in islice(cycle(best), max(1, count)))
        is_cut_short = count == 0 and isinstance(settings[0], MemberSpec)
        objective = task.objective
        return cls(
            final_arguments(objective.arguments, settings, objective.untuned, objective.seed),
            settings,
            time_limit=max(clock.left, 1.0) if is_cut_short else None,
        )

    def fit(self, df: Any, cluster: Cluster | None, *, verbose: int) -> Forecaster:
        """Return the fitted forecaster.

        Args:
            df: The rows, as the user gave them.
            cluster: The workers, which train where no clock ends the fit.
            verbose: 0 is silent, 1 shows the fit.
        """
        forecaster = Forecaster(**vars(replace(self.arguments, verbose=verbose)))
        if self._finetuning is not None:
            forecaster.finetune(df, **self._finetuning.arguments)
        else:
            on = cluster if self.time_limit is None else None
            forecaster.fit(df, time_limit=self.time_limit, on=on)
        return forecaster

    def script(self) -> str:
        """Return Python that makes the forecaster."""
        options = dict(sorted(vars(self.arguments).items()))
        del options["verbose"]
        return searched_script(options, self.time_limit, self._finetuning)

    @property
    def _finetuning(self) -> FinetuneSpec | None:
        (first, *_) = self.settings
        return first if isinstance(first, FinetuneSpec) else None


def _best(trials: Sequence[FrozenTrial], most: int) -> list[FrozenTrial]:
    """Return the complete trials whose losses are good enough, the best first."""
    ranked = sorted(
        (trial.value, trial.number, trial)
        for trial in trials
        if trial.state.name == "COMPLETE" and trial.value is not None
    )
    return [trial for loss, _, trial in ranked if loss <= (1 + GOOD_ENOUGH) * ranked[0][0]][:most]


def final_arguments(
    arguments: ForecasterArguments, settings: Sequence[Setting], untuned: Setting, seed: int
) -> ForecasterArguments:
    """Return the arguments of a forecaster with some settings.

    Args:
        arguments: The arguments without tuning.
        settings: Its networks, or the fine-tuning of the pretrained one.
        untuned: The untuned setting; as a network it represents the others on the hold-out windows.
        seed: Seed of everything random.
    """
    final = replace(arguments, training=None, random_state=seed)
    if not isinstance(untuned, MemberSpec):
        return final
    members = tuple(each for each in settings if isinstance(each, MemberSpec))
    is_alone = not is_compared(arguments.preset)
    is_untuned = all(member == untuned for member in members)
    ensemble = EnsembleSpec(
        members,
        alone=is_alone,
        finetuning=limits(arguments.training) or None,
        proxy=None if is_alone or is_untuned else untuned,
    )
    return replace(final, preset=ensemble, context_length=None)
