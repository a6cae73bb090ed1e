"""What a setting learns: a network that is trained, or the pretrained one, trained further."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from seqcast.data.frames.long_frame import LongFrame
from seqcast.forecaster.defaults import PRETRAINED
from seqcast.forecaster.fitting import fit_plan, untrained_state
from seqcast.forecaster.further import plan_further
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.planning import FitPlan, make_plan
from seqcast.forecaster.state import FittedState
from seqcast.forecaster.training_run import TrainingRun
from seqcast.specs.ensemble import EnsembleSpec, MemberSpec
from seqcast.specs.finetune import FinetuneSpec
from seqcast.specs.training import TrainingSpec
from seqcast.tune.space import Setting

__all__ = ["learn", "untuned_setting"]


def untuned_setting(frame: LongFrame, options: Mapping[str, Any], seed: int) -> tuple[Setting, int]:
    """Return the setting that a forecaster takes by itself, and the steps of a season.

    Args:
        frame: The rows to learn from.
        options: Options of the forecaster, by name.
        seed: Seed of everything random.

    Raises:
        DataError: The rows give nothing to train on.
    """
    if options["preset"] == PRETRAINED:
        plan = _further(frame, options, seed, options["training"])
        return FinetuneSpec(plan.jobs[0].training), plan.season_length
    resolved = FitOptions.resolve({**options, "calibrate": False}, seed, 1).trained()
    plan = make_plan(frame, resolved, resolved.specs)
    job = plan.jobs[0]
    return MemberSpec(job.network, job.training, job.window.context_length), plan.season_length


def learn(
    setting: Setting, frame: LongFrame, options: Mapping[str, Any], seed: int, callbacks: Sequence[Any] = ()
) -> FittedState:
    """Return what a setting learns from some rows.

    Args:
        setting: The setting.
        frame: The rows.
        options: Options of the forecaster, by name.
        seed: Seed of everything random.
        callbacks: Keras callbacks of the training.

    Raises:
        DataError: The rows give nothing to train on.
        SpecError: The setting is impossible for these rows.
        TrainingError: Training diverged.
    """
    if isinstance(setting, FinetuneSpec):
        return fit_plan(
            _further(frame, options, seed, setting.training, setting.freeze), TrainingRun(callbacks=callbacks)
        )
    own = {"training": None, "context_length": None, "members": 1, "effort": "auto", "calibrate": False}
    resolved = FitOptions.resolve({**options, **own, "preset": EnsembleSpec((setting,), alone=True)}, seed)
    return fit_plan(make_plan(frame, resolved, resolved.specs), TrainingRun(callbacks=callbacks))


def _further(
    frame: LongFrame,
    options: Mapping[str, Any],
    seed: int,
    training: TrainingSpec | Mapping[str, Any] | None,
    freeze: tuple[str, ...] = (),
) -> FitPlan:
    """Return the plan of a fine-tuning, as `Forecaster.finetune` makes it."""
    resolved = FitOptions.resolve({**options, "training": None, "calibrate": False}, seed, 1)
    state = untrained_state(frame, None, resolved)
    resolved = replace(resolved, season_length=state.season_length, choice=state.choice)
    return plan_further(frame, None, state, resolved, training, freeze)
