"""What a setting learns: a network that is trained, or the pretrained one, trained further."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from seqcast.data.frames import LongFrame
from seqcast.engine import TrainingJob
from seqcast.forecaster import (
    FitOptions,
    FitPlan,
    FittedForecaster,
    TrainingRun,
    fit_plan,
    make_plan,
    plan_finetuning,
    untrained,
)
from seqcast.pretrained import is_zero_shot
from seqcast.specs import EnsembleSpec, FinetuneSpec, MemberSpec, TrainingSpec
from seqcast.tune.space import Setting


def untuned_setting(frame: LongFrame, options: Mapping[str, Any], seed: int) -> tuple[Setting, int]:
    """Return the setting that a forecaster takes by itself, and the steps of a season.

    Args:
        frame: The rows to learn from.
        options: Options of the forecaster, by name.
        seed: Seed of everything random.

    Raises:
        DataError: The rows give nothing to train on.
    """
    if is_zero_shot(options["preset"]):
        plan = _further(frame, options, seed, options["training"])
        return FinetuneSpec(_first_job(plan).training), plan.rows.season_length
    resolved = FitOptions.resolve({**options, "calibrate": False}, seed, 1).trained()
    plan = make_plan(frame, resolved)
    job = _first_job(plan)
    return MemberSpec(job.network, job.training, job.window.context_length), plan.rows.season_length


def learn(
    setting: Setting, frame: LongFrame, options: Mapping[str, Any], seed: int, callbacks: Sequence[Any] = ()
) -> FittedForecaster:
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
    return fit_plan(make_plan(frame, resolved), TrainingRun(callbacks=callbacks))


def _further(
    frame: LongFrame,
    options: Mapping[str, Any],
    seed: int,
    training: TrainingSpec | Mapping[str, Any] | None,
    freeze: tuple[str, ...] = (),
) -> FitPlan:
    """Return the plan of a fine-tuning, as `Forecaster.finetune` makes it."""
    resolved = FitOptions.resolve({**options, "training": None, "calibrate": False}, seed, 1)
    fitted = untrained(frame, resolved)
    resolved = replace(resolved, season_length=fitted.season_length)
    return plan_finetuning(frame, fitted, resolved, training=training, freeze=freeze)


def _first_job(plan: FitPlan) -> TrainingJob:
    """Return the training of the first network that learns from the data alone, or else of the first one."""
    jobs = list(plan.by_place.values())
    return next((job for job in jobs if not job.observers_only), jobs[0])
