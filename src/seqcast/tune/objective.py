"""The objective of a search: the loss of forecasts from rolling origins; and the fingerprint of a study."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from seqcast import forecaster
from seqcast.data import naive_errors
from seqcast.data.frames import LongFrame
from seqcast.data.windows import Origins, check_first_cutoff, known_at_cutoffs
from seqcast.engine import TrainingJob
from seqcast.errors import DataError, Option, Phrase, SpecError
from seqcast.pretrained import is_zero_shot
from seqcast.runtime import Array, digest
from seqcast.specs import EnsembleSpec, FinetuneSpec, MemberSpec, Spec
from seqcast.training import check_same
from seqcast.tune.space import Setting, Space

# A trial learns from about this number of windows and series at most. Ten trials on 500 series of
# 400 rows then take two minutes of one core, and ten whole trainings a quarter of an hour.
MOST_WINDOWS = 2**17
MOST_SERIES = 2_000
# Of a shortened training, first the epochs become shorter, down to this number of steps, then
# fewer.
LEAST_STEPS = 25


@dataclass(frozen=True, eq=False)
class Objective:
    r"""The loss of a network's forecasts from rolling origins.

    The network is trained, or the pretrained one fine-tuned, once on rows before the first origin,
    for a shorter time where windows are many. It forecasts from each origin with the rows before
    it. The loss is the quantile loss of each window over the seasonal naive error before the first
    origin. So neither the unit of a series nor its size matters:

    .. math:: L = \frac{1}{|W|} \sum_{(i, c) \in W} \frac{1}{e_i\, H P} \sum_{h=1}^{H} \sum_{p=1}^{P}
        2\, \rho_{\tau_p}\big(y_{i, c + h} - q_{i, c + h, p}\big), \quad
        e_i = \frac{1}{n_i - m} \sum_{t=m+1}^{n_i} |y_{i, t} - y_{i, t - m}|

    with windows `W` of series `i` and origin `c`, and the `n_i` rows before the first origin. `ρ`
    is the pinball loss; the `P` quantiles are the bounds of the intervals and the point. With a
    point alone it is the mean absolute scaled error. Missing values are left out, and so are series
    that do not change.

    Args:
        frame: All rows of the series by which trials are judged: 2,000 at most, evenly chosen.
        options: Options of the forecaster, by name, as they are without tuning.
        known: Number of rows of each series that are known at each origin, `[n_windows, N]`.
        origins: The origins.
        seed: Seed of everything random.
        untuned: The untuned setting.
        season_length: Steps of a season.
        step_size: Steps from one origin to the next, if given.
    """

    frame: LongFrame
    options: Mapping[str, Any]
    known: Array
    origins: Origins
    seed: int
    untuned: Setting
    season_length: int
    step_size: int | None = None

    @classmethod
    def of(
        cls,
        frame: LongFrame,
        options: Mapping[str, Any],
        seed: int,
        *,
        n_windows: int | None,
        step_size: int | None,
    ) -> Self:
        """Return the objective of a search.

        Args:
            frame: All rows that the user gave.
            options: Options of the forecaster, by name.
            seed: Seed of everything random.
            n_windows: Number of origins; `None` is that of `windows_rule`.
            step_size: Steps from one origin to the next; `None` is the horizon.

        Raises:
            DataError: There are too few rows before the first origin.
            SpecError: An option is wrong.
        """
        frame.check_observed()
        horizon = int(options["horizon"])
        complete = options["missing"] == "raise"
        if n_windows is None:
            n_windows = windows_rule(
                forecaster.middle_length(frame.source.lengths), horizon, step_size
            )
        known = known_at_cutoffs(frame, horizon, n_windows, step_size, complete=complete)
        untuned, season_length = untuned_setting(frame.until(known[0]), options, seed)
        if len(frame.source) > MOST_SERIES:
            chosen = np.arange(len(frame.source)) % -(-len(frame.source) // MOST_SERIES) == 0
            frame = frame.of_series(chosen)
            known = known[:, chosen]
        origins = Origins.at_cutoffs(frame, known, horizon)
        check_first_cutoff([origins])
        return cls(frame, options, known, origins, seed, untuned, season_length, step_size)

    @property
    def sizes(self) -> forecaster.Sizes:
        """Sizes of the data: `windows` are the rows of the longest series before the first origin."""
        context = int(self.untuned.values.get("context_length") or 1)
        rows = int(self.known[0].max())
        return forecaster.Sizes(rows, context, int(self.options["horizon"]), self.season_length)

    @property
    def share(self) -> float:
        """The length of a trial's training, as a fraction of the whole one."""
        training = self.untuned.training
        windows = (training.steps_per_epoch or 0) * training.batch_size or int(self.known[0].sum())
        return min(1.0, MOST_WINDOWS / (training.epochs * windows))

    def score(self, setting: Setting, callbacks: Sequence[Any] = ()) -> float:
        """Train a network and return its loss.

        Args:
            setting: The setting.
            callbacks: Keras callbacks of its training.

        Raises:
            DataError: There is nothing to score.
            SpecError: It is impossible for this data.
            TrainingError: Training diverged.
        """
        return self.loss_of(*self.forecast(self.fit(setting, callbacks)))

    def fit(self, setting: Setting, callbacks: Sequence[Any] = ()) -> forecaster.FittedForecaster:
        """Return the fitted value of a setting on the rows before the first origin.

        Args:
            setting: The setting.
            callbacks: Keras callbacks of its training.
        """
        frame = self.frame.until(self.known[0])
        if isinstance(setting, FinetuneSpec):
            plan = _finetuning_plan(
                frame, self.options, self.seed, setting.training, setting.freeze
            )
        else:
            own = {
                "training": None,
                "context_length": None,
                "members": 1,
                "effort": "auto",
                "calibrate": False,
            }
            preset = EnsembleSpec((setting,), alone=True)
            options = {**self.options, **own, "preset": preset, "season_length": self.season_length}
            arguments = forecaster.ForecasterArguments(**options)
            resolved = forecaster.FitOptions.resolve(arguments, self.seed)
            plan = forecaster.make_plan(frame, resolved)
        jobs = tuple(tuple(_shortened(job, self.share) for job in jobs) for jobs in plan.jobs)
        # No sample paths are drawn.
        return forecaster.fit_plan(
            replace(plan, jobs=jobs, held_out=None), forecaster.TrainingRun(callbacks=callbacks)
        )

    def forecast(self, fitted: forecaster.FittedForecaster) -> tuple[Array, tuple[float, ...]]:
        """Return the forecasts from all origins, `[B, H, D, quantiles]`, and the probability of each quantile.

        Args:
            fitted: The fitted value.
        """
        request = fitted.request()
        series = fitted.series
        frame = series.checked(self.frame)
        origins = series.scaled_at_cutoffs(frame, self.known, self.origins)
        forecast = fitted.blend.forecast(series.reader(frame, origins), origins, request)
        return forecast, request.probabilities_with_point

    def loss_of(self, forecast: Array, probabilities: Sequence[float]) -> float:
        """Return the loss of forecasts from all origins.

        Args:
            forecast: Quantiles in the data's units, `[B, H, D, quantiles]`.
            probabilities: The probability of each.

        Raises:
            DataError: No window has a known value of a series that changes.
        """
        places = self.origins.rows(self.frame)
        inside = places < self.frame.source.ends[self.origins.series][:, None]
        truth = np.where(inside[..., None], self.frame.targets[np.where(inside, places, 0)], np.nan)
        errors = naive_errors(self.frame.target_store, self.known[0], self.season_length)[
            self.origins.series
        ]
        losses = (
            2.0 * forecaster.pinball(truth, forecast, probabilities).mean(axis=-1) / errors[:, None]
        )
        known = ~np.isnan(losses)
        counts = known.sum(axis=1)
        windows = np.where(known, losses, 0.0).sum(axis=1)[counts > 0] / counts[counts > 0]
        if not len(windows):
            expected = "known values after the first origin, of series that change before it"
            raise DataError(
                "df", expected=expected, received="none", hint="Give more rows, or fewer windows."
            )
        return float(windows.mean())


def windows_rule(rows: int, horizon: int, step_size: int | None = None) -> int:
    """Choose the number of origins: one to three, whose horizons are at most a fifth of the rows.

    With more origins, networks of short series would learn from much fewer rows than in the final
    fit.

    Args:
        rows: Rows of the series that the middle row of the frame is in.
        horizon: Steps to forecast.
        step_size: Steps from one origin to the next; `None` is the horizon.

    Example:
        >>> windows_rule(700, 56), windows_rule(44, 8), windows_rule(1000, 12)
        (2, 1, 3)
    """
    more = int((0.2 * rows - horizon) // (step_size or horizon))
    return max(1, min(3, 1 + more))


def untuned_setting(frame: LongFrame, options: Mapping[str, Any], seed: int) -> tuple[Setting, int]:
    """Return the setting of a forecaster without tuning, and the steps of a season.

    Args:
        frame: The rows to learn from.
        options: Options of the forecaster, by name.
        seed: Seed of everything random.

    Raises:
        DataError: The rows give nothing to train on.
    """
    if is_zero_shot(options["preset"]):
        plan = _finetuning_plan(frame, options, seed, options["training"])
        return FinetuneSpec(_first_job(plan).training), plan.rows.season_length
    arguments = forecaster.ForecasterArguments(**{**options, "calibrate": False})
    resolved = forecaster.FitOptions.resolve(arguments, seed, 1).trained()
    plan = forecaster.make_plan(frame, resolved)
    job = _first_job(plan)
    return MemberSpec(job.network, job.training, job.window.context_length), plan.rows.season_length


def _shortened(job: TrainingJob, share: float) -> TrainingJob:
    """Return a training of a fraction of its length: of fewer steps an epoch, and of fewer epochs if these are few."""
    steps = job.training.steps_per_epoch or -(-job.count_windows() // job.training.batch_size)
    left = max(min(steps, LEAST_STEPS), round(share * steps))
    epochs = max(1, round(share * steps * job.training.epochs / left))
    return replace(job, training=replace(job.training, epochs=epochs, steps_per_epoch=left))


def _finetuning_plan(
    frame: LongFrame,
    options: Mapping[str, Any],
    seed: int,
    training: Any,
    freeze: tuple[str, ...] = (),
) -> forecaster.FitPlan:
    """Return the plan of a fine-tuning, as `Forecaster.finetune` makes it."""
    arguments = forecaster.ForecasterArguments(**{**options, "training": None, "calibrate": False})
    resolved = forecaster.FitOptions.resolve(arguments, seed, 1)
    fitted = forecaster.untrained(frame, resolved)
    resolved = replace(resolved, season_length=fitted.season_length)
    return forecaster.plan_finetuning(frame, fitted, resolved, training=training, freeze=freeze)


def _first_job(plan: forecaster.FitPlan) -> TrainingJob:
    """Return the training of the first network that learns from the data alone, or else of the first one."""
    jobs = list(plan.by_place.values())
    return next((job for job in jobs if not job.observers_only), jobs[0])


FINGERPRINT = "seqcast fingerprint"
SEED = "seqcast seed"
# Options that change neither the networks nor their losses.
_FREE = ("verbose", "random_state", "alias", "calibrate", "preset", "training")


def check_study(
    study: Any, objective: Objective, space: Space, *, resume: bool, drawn: bool
) -> int:
    """Reject the study of another search, and return the seed of a study; a new study gets a fingerprint.

    Args:
        study: Optuna's study.
        objective: The objective, with the seed of this call.
        space: The space.
        resume: Whether the study may exist already.
        drawn: Whether the seed was drawn, and not given.

    Raises:
        SpecError: There is a study and `resume` is false, or it differs.
    """
    before = study.user_attrs
    now = _fingerprint(objective, space)
    if FINGERPRINT not in before:
        study.set_user_attr(FINGERPRINT, json.loads(json.dumps(now)))
        study.set_user_attr(SEED, objective.seed)
        return objective.seed
    if not resume:
        expected = Phrase("one without a study, or ", Option("resume", True))
        received = f"a study with {len(study.get_trials(deepcopy=False))} trials"
        raise SpecError(
            "storage",
            expected=expected,
            received=received,
            hint="Go on with it, or name another storage.",
        )
    check_same(
        before[FINGERPRINT],
        now,
        "the study of this search; that in the storage",
        "name another storage",
    )
    return int(before[SEED]) if drawn else objective.seed


def _fingerprint(objective: Objective, space: Space) -> dict[str, Any]:
    """Return the fingerprint of a study: all that it depends on, JSON types by name."""
    frame = objective.frame
    given = objective.options
    stamps = np.array([str(stamp) for stamp in (*frame.first_stamps, *frame.last_stamps)])
    names = np.array([repr(name) for name in frame.source.ids])
    options = {name: value for name, value in given.items() if name not in _FREE}
    return {
        "data": digest([frame.source.values, frame.source.lengths, frame.static, stamps, names]),
        "horizon": int(given["horizon"]),
        "windows": {"n_windows": len(objective.known), "step_size": objective.step_size},
        "space": {name: repr(parameter) for name, parameter in space.items()},
        "untuned network": objective.untuned.to_dict(),
        "options": {
            name: each.to_dict() if isinstance(each, Spec) else repr(each)
            for name, each in options.items()
        },
    }
