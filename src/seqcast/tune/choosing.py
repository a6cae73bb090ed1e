"""From trials to the forecaster: which networks, in which share of the forecast, with which arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqcast.errors import SpecError
from seqcast.forecaster.choice import LEAST_SHARE, cautious_shares
from seqcast.forecaster.finetuning import limits
from seqcast.forecaster.options import is_compared
from seqcast.specs.ensemble import EnsembleSpec, MemberSpec
from seqcast.tune.space import applied
from seqcast.tune.trials import Task, is_untuned, seconds_of

__all__ = ["Chosen", "chosen_networks", "final_options", "shares_of"]

# Networks whose loss is at most so much above the best one's are good enough for an ensemble: it gains about as much.
GOOD_ENOUGH = 0.02
# The least of many losses may be too good by so much.
ALLOWANCE = 1.2


@dataclass(frozen=True)
class Chosen:
    """What the forecaster is made of: its networks, their mean loss, and the seconds of a fit that the clock ends."""

    members: tuple[MemberSpec, ...]
    loss: float | None = None
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
    loss = float(np.mean([trial.value for trial in chosen]))
    return Chosen(tuple(members), loss, None if count else limit)


def shares_of(references: Mapping[str, float], loss: float | None, trials: Sequence[Any]) -> dict[str, float] | None:
    """Return the share of the networks, and of what is compared with them; `None` where nothing is known.

    The least loss of many trials is smaller than what it promises. So the networks have the share of the untuned one,
    whose loss was not picked, unless theirs is smaller than that by more than an allowance.

    Args:
        references: The losses of what shares the forecast with them.
        loss: Their mean loss.
        trials: The trials of the study.
    """
    if not references or loss is None:
        return None
    untuned = [trial.value for trial in trials if is_untuned(trial) and trial.state.name == "COMPLETE"]
    shares = cautious_shares({**references, "trained": min([ALLOWANCE * loss, *untuned])})
    return {"trained": LEAST_SHARE, **shares}


def final_options(
    arguments: Mapping[str, Any],
    members: Sequence[MemberSpec],
    seed: int,
    preset: Any,
    shares: Mapping[str, float] | None,
) -> dict[str, Any]:
    """Return the arguments of the final forecaster."""
    finetuning = limits(arguments["training"]) or None
    network = EnsembleSpec(tuple(members), alone=not is_compared(preset), finetuning=finetuning, shares=shares)
    own = {"preset": network, "training": None, "context_length": None, "random_state": seed}
    final = {**arguments, **own}
    del final["verbose"]
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in final.items()}
