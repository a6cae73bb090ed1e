"""The objective of a search: the loss of forecasts from rolling origins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from seqcast import forecaster
from seqcast.data import naive_errors
from seqcast.data.frames import LongFrame
from seqcast.data.windows import Origins, check_first_cutoff, known_at_cutoffs
from seqcast.engine import TrainingJob
from seqcast.errors import DataError
from seqcast.forecaster import ForecasterArguments
from seqcast.pretrained import is_zero_shot
from seqcast.runtime import Array, keras
from seqcast.specs import EnsembleSpec, FinetuneSpec, MemberSpec, TrainingSpec
from seqcast.tune.space import Setting


@dataclass(frozen=True)
class TrialLimits:
    """How much a trial learns from.

    With the defaults ten trials on 500 series of 400 rows take two minutes of one core, and ten
    whole trainings a quarter of an hour.

    Args:
        windows: Approximate number of windows at most, over all epochs.
        series: Number of series at most.
        least_steps: Steps of an epoch, at least: first the epochs of a shortened training become
            shorter, down to this number, then fewer.
    """

    windows: int = 2**17
    series: int = 2_000
    least_steps: int = 25


USUAL_LIMITS = TrialLimits()


@dataclass(frozen=True, eq=False)
class Objective:
    r"""The loss of a network's forecasts from rolling origins.

    The network is trained, or the pretrained one fine-tuned, once on rows before the first origin,
    for a shorter time where windows are many. It forecasts from each origin with the rows before
    it. The loss is the quantile loss of each window over the seasonal naive error before the first
    origin. So neither the unit of a series nor its size matters:

    .. math:: L = \frac{1}{|W|} \sum_{(i, c) \in W} \frac{1}{e_i\, H P} \sum_{h=1}^{H}
        \sum_{p=1}^{P} 2\, \rho_{\tau_p}\big(y_{i, c + h} - q_{i, c + h, p}\big), \quad
        e_i = \frac{1}{n_i - m} \sum_{t=m+1}^{n_i} |y_{i, t} - y_{i, t - m}|

    with windows `W` of series `i` and origin `c`, and the `n_i` rows before the first origin. `ρ`
    is the pinball loss; the `P` quantiles are the bounds of the intervals and the point. With a
    point alone it is the mean absolute scaled error. Missing values are left out, and so are series
    that do not change.

    Args:
        frame: All rows of the series by which trials are compared: 2,000 at most, evenly chosen.
        arguments: The arguments of the forecaster without tuning.
        known: Number of rows of each series that are known at each origin, `[n_windows, N]`.
        origins: The origins.
        seed: Seed of everything random.
        untuned: The untuned setting.
        season_length: Steps of a season.
        step_size: Steps from one origin to the next, if given.
        limits: How much a trial learns from.
    """

    frame: LongFrame
    arguments: ForecasterArguments
    known: Array
    origins: Origins
    seed: int
    untuned: Setting
    season_length: int
    step_size: int | None = None
    limits: TrialLimits = USUAL_LIMITS

    @classmethod
    def of(
        cls,
        frame: LongFrame,
        arguments: ForecasterArguments,
        seed: int,
        *,
        n_windows: int | None,
        step_size: int | None,
        limits: TrialLimits = USUAL_LIMITS,
    ) -> Self:
        """Return the objective of a search.

        Args:
            frame: All rows that the user gave.
            arguments: The arguments of the forecaster.
            seed: Seed of everything random.
            n_windows: Number of origins; `None` is that of `windows_rule`.
            step_size: Steps from one origin to the next; `None` is the horizon.
            limits: How much a trial learns from.

        Raises:
            DataError: There are too few rows before the first origin.
            SpecError: An option is wrong.
        """
        frame.check_observed()
        horizon = int(arguments.horizon)
        complete = arguments.missing == "raise"
        if n_windows is None:
            rows = forecaster.middle_length(frame.source.lengths)
            n_windows = windows_rule(rows, horizon, step_size)
        known = known_at_cutoffs(frame, horizon, n_windows, step_size, complete=complete)
        untuned, season_length = untuned_setting(frame.until(known[0]), arguments, seed)

        if len(frame.source) > limits.series:
            every = -(-len(frame.source) // limits.series)
            chosen = np.arange(len(frame.source)) % every == 0
            frame = frame.of_series(chosen)
            known = known[:, chosen]

        origins = Origins.at_cutoffs(frame, known, horizon)
        check_first_cutoff([origins])
        return cls(
            frame=frame,
            arguments=arguments,
            known=known,
            origins=origins,
            seed=seed,
            untuned=untuned,
            season_length=season_length,
            step_size=step_size,
            limits=limits,
        )

    @property
    def sizes(self) -> forecaster.Sizes:
        """Sizes of the data: `windows` are rows of the longest series before the first origin."""
        context = int(self.untuned.values.get("context_length") or 1)
        rows = int(self.known[0].max())
        return forecaster.Sizes(rows, context, int(self.arguments.horizon), self.season_length)

    @property
    def share(self) -> float:
        """The length of a trial's training, as a fraction of the whole one."""
        training = self.untuned.training
        windows = (training.steps_per_epoch or 0) * training.batch_size or int(self.known[0].sum())
        return min(1.0, self.limits.windows / (training.epochs * windows))

    def score(self, setting: Setting, callbacks: Sequence[keras.callbacks.Callback] = ()) -> float:
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

    def fit(
        self, setting: Setting, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> forecaster.FittedForecaster:
        """Return the fitted value of a setting on the rows before the first origin.

        Args:
            setting: The setting.
            callbacks: Keras callbacks of its training.
        """
        frame = self.frame.until(self.known[0])
        if isinstance(setting, FinetuneSpec):
            plan = _finetuning_plan(
                frame, self.arguments, self.seed, training=setting.training, freeze=setting.freeze
            )
        else:
            arguments = replace(
                self.arguments,
                preset=EnsembleSpec((setting,), alone=True),
                season_length=self.season_length,
                training=None,
                context_length=None,
                members=1,
                effort="auto",
                calibrate=False,
            )
            plan = forecaster.make_plan(frame, forecaster.FitOptions.resolve(arguments, self.seed))

        jobs = tuple(tuple(map(self._shortened, jobs)) for jobs in plan.jobs)
        # No sample paths are drawn.
        return forecaster.fit_plan(
            replace(plan, jobs=jobs, held_out=None), forecaster.TrainingRun(callbacks=callbacks)
        )

    def _shortened(self, job: TrainingJob) -> TrainingJob:
        """Return a training of a fraction of its length.

        It has fewer steps an epoch, and fewer epochs where these steps are few.
        """
        training = job.training
        steps = training.steps_per_epoch or -(-job.count_windows() // training.batch_size)
        left = max(min(steps, self.limits.least_steps), round(self.share * steps))
        epochs = max(1, round(self.share * steps * training.epochs / left))
        return replace(job, training=replace(training, epochs=epochs, steps_per_epoch=left))

    def forecast(self, fitted: forecaster.FittedForecaster) -> tuple[Array, tuple[float, ...]]:
        """Return the forecasts from all origins, and the probability of each quantile.

        Args:
            fitted: The fitted value.

        Returns:
            The forecasts, `[B, H, D, quantiles]`, and the probabilities.
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
        errors = naive_errors(self.frame.target_store, self.known[0], self.season_length)
        scale = errors[self.origins.series][:, None]
        losses = 2.0 * forecaster.pinball(truth, forecast, probabilities).mean(axis=-1) / scale

        known = ~np.isnan(losses)
        counts = known.sum(axis=1)
        windows = np.where(known, losses, 0.0).sum(axis=1)[counts > 0] / counts[counts > 0]
        if not len(windows):
            raise DataError(
                "df",
                expected="known values after the first origin, of series that change before it",
                received="none",
                hint="Give more rows, or fewer windows.",
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


def untuned_setting(
    frame: LongFrame, arguments: ForecasterArguments, seed: int
) -> tuple[Setting, int]:
    """Return the setting of a forecaster without tuning, and the steps of a season.

    Args:
        frame: The rows to learn from.
        arguments: The arguments of the forecaster.
        seed: Seed of everything random.

    Raises:
        DataError: The rows give nothing to train on.
    """
    if is_zero_shot(arguments.preset):
        plan = _finetuning_plan(frame, arguments, seed, training=arguments.training)
        return FinetuneSpec(_first_job(plan).training), plan.rows.season_length

    single = replace(arguments, calibrate=False)
    options = forecaster.FitOptions.resolve(single, seed, 1).trained()
    plan = forecaster.make_plan(frame, options)
    job = _first_job(plan)
    return MemberSpec(job.network, job.training, job.window.context_length), plan.rows.season_length


def _finetuning_plan(
    frame: LongFrame,
    arguments: ForecasterArguments,
    seed: int,
    *,
    training: TrainingSpec | Mapping[str, Any] | None,
    freeze: tuple[str, ...] = (),
) -> forecaster.FitPlan:
    """Return the plan of a fine-tuning, as `Forecaster.finetune` makes it."""
    pretrained = replace(arguments, training=None, calibrate=False)
    options = forecaster.FitOptions.resolve(pretrained, seed, 1)
    fitted = forecaster.untrained(frame, options)
    options = replace(options, season_length=fitted.season_length)
    return forecaster.plan_finetuning(frame, fitted, options, training=training, freeze=freeze)


def _first_job(plan: forecaster.FitPlan) -> TrainingJob:
    """Return the training of the first network that learns from the data alone, if any."""
    jobs = list(plan.by_place.values())
    return next((job for job in jobs if not job.observers_only), jobs[0])
