"""From trials to the forecaster: which networks, in which share of the forecast, with which arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqcast.errors import SpecError
from seqcast.forecaster.finetuning import limits
from seqcast.forecaster.options import is_compared
from seqcast.specs.ensemble import EnsembleSpec, MemberSpec
from seqcast.tune.space import applied
from seqcast.tune.trials import Task, seconds_of

__all__ = ["Chosen", "chosen_networks", "final_options"]

# Networks whose loss is at most so much above the best one's are good enough for an ensemble: it gains about as much.
GOOD_ENOUGH = 0.02


@dataclass(frozen=True)
class Chosen:
    """What the forecaster is made of: its networks, and the seconds of its fit where the clock has to end it."""

    members: tuple[MemberSpec, ...]
    limit: float | None = None


def chosen_networks(trials: Sequence[Any], task: Task, ensemble: int) -> Chosen:
    """Return the networks of the forecaster.

    Args:
        trials: The trials of the study.
        task: What they had in common.
        ensemble: Most networks.
    """
    untuned, clock = task.objective.untuned, task.clock
    complete = sorted(
        (trial for trial in trials if trial.state.name == "COMPLETE"), key=lambda trial: (trial.value, trial.number)
    )
    limit = None if clock.deadline is None else max(clock.deadline.left() - clock.in_hand, 1.0)
    if not complete:
        if limit is None:
            raise SpecError("trials", expected="a trial that can be trained", received="none", hint="Widen the space.")
        return Chosen((untuned,), limit=limit)
    good = [trial for trial in complete if trial.value <= (1 + GOOD_ENOUGH) * complete[0].value][:ensemble]
    count = clock.affordable(float(np.median(seconds_of(good))))
    chosen = [good[place % len(good)] for place in range(max(1, count))]
    members = []
    for trial in chosen:
        given: dict[str, Any] = {}
        for name, parameter in task.space.items():
            given |= parameter.fields_of(name, trial.params[name])
        members.append(applied(untuned, given))
    return Chosen(tuple(members), None if count else limit)


def final_options(
    arguments: Mapping[str, Any], members: Sequence[MemberSpec], untuned: MemberSpec, seed: int
) -> dict[str, Any]:
    """Return the arguments of the final forecaster.

    Args:
        arguments: Those that the user gave.
        members: Its networks.
        untuned: The network as it is without tuning, which judges their share of the forecast.
        seed: Seed of everything random.
    """
    compared = is_compared(arguments["preset"])
    judge = untuned if compared and any(member != untuned for member in members) else None
    finetuning = limits(arguments["training"]) or None
    network = EnsembleSpec(tuple(members), alone=not compared, finetuning=finetuning, judge=judge)
    own = {"preset": network, "training": None, "context_length": None, "random_state": seed}
    final = {name: value for name, value in {**arguments, **own}.items() if name != "verbose"}
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in final.items()}
