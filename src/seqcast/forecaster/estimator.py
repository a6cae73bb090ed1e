"""`Forecaster`: from long data frames to forecasts of any horizon, as frames of the same kind."""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from seqcast.data.description import Description
from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.frames.mask import masked
from seqcast.data.frames.sharded import AnyFrame
from seqcast.data.windows.cutoffs import known_at_cutoffs
from seqcast.data.windows.origins import Origins, check_first_cutoff
from seqcast.errors import SpecError
from seqcast.forecaster.adapt import AdaptMixin
from seqcast.forecaster.archive import read_forecaster, write_forecaster
from seqcast.forecaster.backtest import part_table
from seqcast.forecaster.cluster import Cluster, check_cluster, storage_of
from seqcast.forecaster.defaults import PRETRAINED
from seqcast.forecaster.explain import ExplainMixin
from seqcast.forecaster.exporting import ExportMixin
from seqcast.forecaster.fitting import (
    DivergedFitError,
    InterruptedFit,
    fit_plan,
    fit_plans,
)
from seqcast.forecaster.from_sources import SourceMixin, in_memory
from seqcast.forecaster.future import future_steps
from seqcast.forecaster.option_checks import check_head, check_mask, check_options
from seqcast.forecaster.options import FitOptions, interval_levels, refit_every
from seqcast.forecaster.parts import PartFolder, gathered
from seqcast.forecaster.planning import FitPlan, make_plan
from seqcast.forecaster.reading import read_rows
from seqcast.forecaster.reporting import ReportMixin
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.state import FittedState
from seqcast.forecaster.summary import PlannedFit, planned
from seqcast.forecaster.training_run import TrainingRun
from seqcast.forecaster.validation import validation_rows, with_validation
from seqcast.forecaster.views import FittedViews
from seqcast.intervals.request import ForecastRequest
from seqcast.network.init import fresh_seed
from seqcast.specs.checkpoint import CheckpointSpec
from seqcast.specs.checks import check_int
from seqcast.specs.columns import Columns
from seqcast.specs.ensemble import EnsembleSpec
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec
from seqcast.training.checkpoints import CheckpointFolder
from seqcast.training.deadline import check_time_limit
from seqcast.training.observers import check_callbacks

__all__ = ["Forecaster"]

Array = npt.NDArray[Any]


class Forecaster(SourceMixin, AdaptMixin, ExplainMixin, ReportMixin, ExportMixin, FittedViews, BaseEstimator):
    """A recurrent encoder-decoder for long frames: one network for all series, any horizon.

    Each series is scaled by its own training rows, so that scaling a series scales its forecast, and with
    `scale="standard"` shifting it shifts its forecast. Series need not end at the same time.

    Args:
        horizon: Steps to forecast in training, and by default in `predict`.
        context_length: Steps of past that a forecast reads; several lengths are shared out among the members. `None`
            takes two seasons, two horizons or 24 steps, whichever is most, and two weeks where steps are parts of a day
            and the network reads segments; but at most half of what a series has beside one horizon: the series that
            the middle row of the frame is in, or with `missing="raise"` the shortest one. See
            `seqcast.forecaster.defaults.context_rule`.
        level: Levels of the intervals, in per cent. A named network forecasts the quantiles that they lie between; with
            `()` it forecasts a point only, by the squared error. A `NetworkSpec` with a distribution has intervals of
            any level, one with quantiles those between them, and one with a point none unless `calibrate` is given.
        preset: Name of a network, or a `NetworkSpec` or `EnsembleSpec`, as it is. `auto` chooses by evidence: the last
            season, the pretrained network, the same fine-tuned, and one that is trained (`segment` where the season can
            be cut into segments of at least 4 steps, else `classic`, see `seqcast.specs.presets`) forecast validation
            windows, and share the forecast as is best there; `choice_` says how and why. If the last season alone is
            better, it warns. `pretrained` has seen synthetic series only, reads 512 steps and is not trained.
        effort: How much `auto` tries: `quick` trains nothing; `balanced` trains a network and fine-tunes the pretrained
            one; `best` trains three, and three more while they help. `auto` is `quick` for fewer than 2,000 rows with a
            horizon after them, and otherwise, or with covariates, `training` or `members`, `balanced`.
        training: How it is trained. `None` is a `TrainingSpec()` with `early_stopping=5`, or for segments that of the
            preset, in batches down to 64 when windows are few and epochs of 60 to 200 steps (of segments to 300; of a
            `NetworkSpec` from 25 on, and its own early stopping). Epochs of segments that have 200 steps or more are 8
            at most, from 100,000 windows on 12, and end after 3 without a gain. A dict changes some fields (who changes
            length, rate or optimiser has all epochs), and a `TrainingSpec` is taken as it is. The best epoch is chosen
            on `validation_fraction` of each series, its end, which is not trained on; 0 trains on everything.
        columns: Names of the columns, if not `unique_id`, `ds`, `y`; several values are forecast together (`target`).
        freq: Step between time stamps: a pandas alias, one of Polars' durations, or a whole number; `None`
            infers it, checks every row against it and says what it is.
        season_length: Steps of a season, also of the last one in `backtest`; `None` takes the usual of the frequency.
        static_covariates: Columns that are constant within a series: numbers, scaled over all series, booleans, or
            text, of which each value that fit saw has an input of its own, and all others share one.
        past_covariates: Columns that are known up to the cutoff: numbers, booleans or text.
        future_covariates: Columns that are known for the future; `predict` needs them for the whole horizon.
        calendar: `auto` (sine and cosine of the cycles that the frequency has, that the longest series shows thrice and
            that are longer than the context), `none`, or names from
            `seqcast.data.features.calendar.CALENDAR_FEATURES`, `auto` and `holidays:DE` (any country of the
            package `holidays`, with a region as `holidays:US-CA`).
        missing: `fill` takes missing steps and values: networks see the value before and whether there was one, and
            losses and scores leave them out. `raise` refuses them, and series too short for a whole window.
        on_bad_series: What to do about series in which something is wrong, such as a stamp twice: `raise`, or `skip`
            them and train on the others; `skipped_series_` says which and why.
        irregular: Whether stamps need not keep to a step. The time since the row before is then an input, and
            `predict` forecasts at the stamps of `future`.
        scale: How each series is scaled: `auto` (`log` where values are >= 0 and series swing the more the higher
            they stand, else `standard`; see `seqcast.forecaster.defaults.scale_rule`), `standard` (zero mean, unit
            deviation), `robust` (median and interquartile range), `minmax`, `mean` (divided by the mean magnitude),
            `log1p` (for values >= 0: logarithms of `1 + x`, then `standard`), `log` (the same with a hundredth of the
            series' mean in place of the 1, so that its unit does not matter) or `none`.
        support: Which values are possible; forecasts, bounds and sample paths keep to them: `real`, `non-negative`,
            `counts` (whole numbers, rounded, the bounds of intervals outwards), or `auto`: `non-negative` for targets
            that were never negative in the frame of fit, else `real`.
        weighting: `windows` gives each training window the same weight, `series` each series.
        calibrate: Whether intervals are widened (or narrowed) at each step so that they would have held what they
            promise on the validation rows, by split-conformal calibration; see `seqcast.intervals.conformal`.
        point: Whether the point forecast is the `median` or the `mean` of the distribution that is forecast.
        members: Networks, trained side by side from seeds of their own.
        combine: How forecasts become one: `median` (of an even number the mean of the middle two), or `mean`.
        alias: Name of the forecast's column.
        random_state: Seed of everything random, a whole number; `None` draws one, which `seed_` shows.
        verbose: 0 is silent, 1 shows what was inferred and progress.

    Attributes:
        choice_: What forecasts are made with, in which shares, and why.
        engines_: The engine of each member, and of the pretrained network; `engine_` is the first.
        histories_: The training history of each; `history_` is the first.
        training_: The training of each member.
        series_state_: Scaling and last rows of each series.
        freq_: The frequency; `None` for irregular stamps. `season_length_` are the steps of a season.
        context_length_: Steps of past that a forecast reads.
        calibrations_: The calibration of each target's intervals, when `calibrate` is true.
        short_series_: Names of the series with fewer rows than a whole window, whose contexts were padded.
        skipped_series_: What is wrong with each series that was left out, by its name.

    Example:
        >>> from seqcast import NetworkSpec, TrainingSpec
        >>> from seqcast.data.datasets import load
        >>> tiny = NetworkSpec(encoder_units=(4,), decoder_units=(4,), normalise="last")
        >>> forecaster = Forecaster(12, preset=tiny, training=TrainingSpec(epochs=1), verbose=0)
        >>> forecast = forecaster.fit(load("elnino")).predict(horizon=2)
        >>> list(forecast.columns), [str(day.date()) for day in forecast["ds"]]
        (['unique_id', 'ds', 'seqcast'], ['2011-01-01', '2011-02-01'])
    """

    def __init__(
        self,
        horizon: int,
        *,
        context_length: int | Sequence[int] | None = None,
        level: Sequence[float] | float = (80, 95),
        preset: str | NetworkSpec | EnsembleSpec = "auto",
        effort: str = "auto",
        training: TrainingSpec | Mapping[str, Any] | None = None,
        columns: Columns | None = None,
        freq: Any = None,
        season_length: int | None = None,
        static_covariates: Sequence[str] = (),
        past_covariates: Sequence[str] = (),
        future_covariates: Sequence[str] = (),
        calendar: str | Sequence[str] = "auto",
        missing: str = "fill",
        on_bad_series: str = "raise",
        irregular: bool = False,
        scale: str = "auto",
        support: str = "auto",
        weighting: str = "windows",
        calibrate: bool = False,
        point: str = "median",
        members: int = 1,
        combine: str = "median",
        alias: str = "seqcast",
        random_state: int | None = None,
        verbose: int = 1,
    ) -> None:
        self.horizon = horizon
        self.context_length = context_length
        self.level = level
        self.preset = preset
        self.effort = effort
        self.training = training
        self.columns = columns
        self.freq = freq
        self.season_length = season_length
        self.static_covariates = static_covariates
        self.past_covariates = past_covariates
        self.future_covariates = future_covariates
        self.calendar = calendar
        self.missing = missing
        self.on_bad_series = on_bad_series
        self.irregular = irregular
        self.scale = scale
        self.support = support
        self.weighting = weighting
        self.calibrate = calibrate
        self.point = point
        self.members = members
        self.combine = combine
        self.alias = alias
        self.random_state = random_state
        self.verbose = verbose
        check_head(preset, scale)

    def fit(
        self,
        df: Any,
        validation: Any = None,
        *,
        mask: Any = None,
        warm_start: bool = False,
        callbacks: Sequence[Any] | None = None,
        checkpoint: str | os.PathLike[str] | CheckpointSpec | None = None,
        resume: bool = False,
        time_limit: float | str | None = None,
        memory_limit: int | str | None = None,
        on: Cluster | None = None,
    ) -> Self:
        """Train a new network, or `members` new networks, on all series of a frame.

        An interruption keeps the best weights so far of a single network, and the members of an ensemble that have
        finished; where there are none yet it leaves the forecaster as it was.

        Args:
            df: A pandas or Polars frame with one row a series and time; series in any order. A frame without ids is one
                series, and so is a pandas Series or frame with an index of times; results have the same form. Or a
                source that is read piece by piece: the path of Parquet files (one, several, a pattern such as
                `sales/*.parquet`, a folder), a `pyarrow.dataset`, a Polars `LazyFrame` or a DuckDB relation, in which
                the rows of each series lie together.
            validation: On what the best epoch is chosen: a number of rows, the last ones of each series; a frame of
                rows that follow; or `None` for the training's `validation_fraction`. Forecasts go on from its end.
            mask: Rows whose values are left out, as if they were missing: a frame with their ids and stamps, such as
                `df[unusual]`, or what `anomalies` returned, of which the rows count whose `anomaly` is true.
            warm_start: Whether training begins with the weights that the forecaster has, if it has any, instead of
                new ones. All else is learnt anew, such as scaling and categories.
            callbacks: Keras callbacks of this fit, which are not kept. Those that only watch
                (`seqcast.training.observers.Observer`) hear each network. Others hear the one that is trained on the
                data, and are refused where there are several, and with `checkpoint`. Not with `on`.
            checkpoint: A folder for this fit, to which each training is written every two minutes and at the end of
                epochs; a `CheckpointSpec` says how often.
            resume: Whether to go on with the trainings of `checkpoint`, if there are any, after the process has died.
                With the same data and options the fit ends as if it had never been interrupted.
            time_limit: About how long it may take, compilation included: seconds, or a text such as `10 min`. The
                learning rate is laid over the time in place of the epochs, and the best weights are kept. Not with
                `checkpoint`.
            memory_limit: How much memory the rows of a source may take, bytes or a text such as `512 MiB`; `None` is 1
                GiB. Beside it there are the network, and the names of the series. Checked rows are kept in a temporary
                folder (`TMPDIR`) until the fit ends; it takes about 24 bytes a row, and 8 for each covariate.
            on: A `RayCluster` that trains: one network in all workers together, several in a worker each.

        Returns:
            The fitted forecaster.

        Raises:
            DataError: Something in the frame is wrong; nothing was trained.
            SpecError: An option is wrong; nothing was trained.
            TrainingError: Training diverged; this forecaster is as it was before, see the error's `kept`.
            KeyboardInterrupt: The user interrupted.
        """
        callbacks, deadline = check_callbacks(callbacks), check_time_limit(time_limit, checkpoint)
        on = check_cluster(on, time_limit=time_limit, callbacks=callbacks)
        check_options(self.get_params(deep=False))
        with (
            self._training_rows(df, memory_limit, storage_of(on)) as (rows, remembered),
            CheckpointFolder.opened(checkpoint, resume=resume) as folder,
        ):
            frame, starts = self._with_validation(rows, validation)
            if mask is not None:
                check_mask(self.missing)
                frame = masked(in_memory(frame, "mask"), mask)
            engines = self._state.engines if warm_start and self._state is not None else ()
            options = self._resolved(self._seed(folder=folder), (self.effort == "best" and len(engines)) or None)
            options = options.trained() if warm_start or folder is not None or deadline is not None else options
            options = replace(options, most_rows_read=remembered)
            plan = make_plan(frame, options, options.specs, starts)
            plan = plan.with_weights(engines) if engines else plan
            return self._publish(plan, TrainingRun(self.verbose, folder, deadline, callbacks, on))

    def _seed(self, before: FittedState | None = None, folder: CheckpointFolder | None = None) -> int:
        """Return the seed of a training: the user's, or that of the fit before, or a drawn one, which is kept."""
        if self.random_state is not None:
            return int(self.random_state)
        seed = fresh_seed() if before is None else before.seed
        return seed if folder is None else folder.seed(seed)

    def _resolved(self, seed: int, members: int | None = None, **changes: Any) -> FitOptions:
        """Return the options resolved for a fit, of so many networks where that is known."""
        return replace(FitOptions.resolve(self.get_params(deep=False), seed, members), **changes)

    def _with_validation(self, frame: AnyFrame, validation: Any) -> tuple[Any, Array | None]:
        """Return all rows, and the position of each series' first validation target, `None` without `validation`."""
        if validation is None:
            return frame, None
        if isinstance(validation, int | np.integer):
            return frame, validation_rows(frame, validation, int(self.horizon))
        before = in_memory(frame, "validation")
        later = self._read(validation, before, argument="validation")
        return with_validation(before, later, fill=self.missing == "fill")

    def _read(self, df: Any, before: LongFrame | SeriesState | None = None, **how: Any) -> LongFrame:
        """Read and check a frame, see `read_rows`; rows that follow `before` may leave static covariates out."""
        return read_rows(self.get_params(deep=False), df, before, **how)

    def _publish(
        self, plan: FitPlan, run: TrainingRun | None = None, training: Sequence[TrainingSpec] | None = None
    ) -> Self:
        """Run a plan and publish its fitted state."""
        if self.verbose:
            print(plan.describe())
        try:
            self._state = fit_plan(plan, run or TrainingRun(self.verbose), training=training)
        except InterruptedFit as interruption:
            self._state = interruption.state
            raise
        except DivergedFitError as diverged:
            diverged.error.kept = kept = copy.copy(self)
            kept._state = diverged.state
            raise diverged.error from None
        if self.verbose and plan.comparison is not None:
            print(f"seqcast: forecasts are made with {self._state.choice}")
        return self

    def predict(
        self,
        horizon: int | None = None,
        df: Any = None,
        future: Any = None,
        level: Sequence[float] | float | None = None,
        samples: int | None = None,
        *,
        output: str | os.PathLike[str] | None = None,
        memory_limit: int | str | None = None,
        on: Cluster | None = None,
    ) -> Any:
        """Forecast the steps that follow each series' last row.

        Args:
            horizon: Number of steps, shorter or longer than trained; `None` is the trained one, or with irregular
                stamps as many as `future` has.
            df: Rows to forecast from, if not those of `fit`: rows of known series, before which those that are
                remembered stand, whose scaling stays that of training; or rows of new series, which are scaled by
                these. A source, as for `fit`, is forecast piece by piece.
            future: The future steps, one row a series and step, with the future covariates; with irregular stamps, the
                stamps to forecast. Rows of other series and stamps are ignored.
            level: Levels of the intervals, in per cent: any for a network that forecasts a distribution, otherwise
                some of those that it was trained or calibrated for. `None` is all of those.
            samples: Number of sample paths to draw instead of a point and intervals. They are not calibrated.
            output: A folder to which the forecasts are written, in numbered Parquet files, each whole or not at all.
                Called again after an interruption, with the same arguments, it writes those that are missing.
            memory_limit: As for `fit`; with `on` that of each worker.
            on: A `RayCluster` whose workers forecast the series of a file each, and write them to `output`.

        Returns:
            The path of `output`, if there is one. Else a frame of the kind that came in, sorted by `unique_id`:
            `unique_id`, `ds`, the forecast and the bounds of its intervals, such as `seqcast-lo-80` and
            `seqcast-hi-80`; with several targets, sorted by `target` too. Of sample paths: `unique_id`, `ds`, `sample`
            (from 1) and the path's value, path after path. What comes from a source is in its order.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: Something in a frame is wrong, or `future` does not cover the horizon.
            SpecError: There are no intervals of a level, or no paths of a network that forecasts a point.
        """
        state = self._fitted()
        horizon = None if horizon is None else check_int("horizon", horizon)
        samples = None if samples is None else check_int("samples", samples)
        if samples is not None and level is not None:
            raise SpecError("level", expected="None with samples", received=repr(level), hint="Ask for one of the two.")
        request = self._request(state, level)
        forecast = functools.partial(self._forecast, state, request, future, horizon, samples)
        asked = {"horizon": horizon, "level": request.level, "samples": samples, "future": future}
        return self._predicted(state, df, forecast, output, memory_limit, asked, check_cluster(on))

    def _forecast(
        self,
        state: FittedState,
        request: ForecastRequest,
        future: Any,
        horizon: int | None,
        samples: int | None,
        frame: LongFrame,
    ) -> Any:
        """Forecast from the last rows of a frame."""
        steps = future_steps(state.series, frame, future, horizon, default=int(self.horizon))
        predictor, schema, ids = state.predictor(self.combine), frame.schema, frame.source.ids
        if samples is not None:
            paths = predictor.paths(steps.reader, steps.origins, samples)
            return schema.paths_to_long(ids, steps.stamps, self.alias, paths, steps.of_targets)
        parts = request.parts(predictor.forecast(steps.reader, steps.origins, request), self.alias)
        return schema.to_long(ids, {schema.columns.ds: steps.stamps}, parts, steps.of_targets)

    def _rows_before(self, state: FittedState, df: Any) -> LongFrame:
        """Return the rows to forecast from: those that are remembered, followed by the rows of `df`."""
        return state.series.frame if df is None else state.series.with_history(self._read(df, state.series))

    def _request(self, state: FittedState, level: Sequence[float] | float | None = None) -> ForecastRequest:
        """Return a forecast request, and refuse levels that there are no intervals for."""
        return state.request(self.point, interval_levels(self.level), level)

    def describe(self, df: Any) -> PlannedFit:
        """Describe a frame and what `fit` would make of it; nothing is trained.

        Args:
            df: As for `fit`.

        Returns:
            Facts about the series and the settings of a fit; print it, or take its `to_dict()`.

        Raises:
            DataError: Something in the frame is wrong.
            SpecError: An option is wrong.
        """
        check_options(self.get_params(deep=False))
        frame, seed = self._read(df), 0 if self.random_state is None else int(self.random_state)
        options = self._resolved(seed)
        plan = make_plan(frame, options, options.specs)
        return PlannedFit(
            Description.of(in_memory(plan.frame, "df"), self.season_length), planned(plan, self.get_params(deep=False))
        )

    def backtest(
        self,
        df: Any,
        n_windows: int = 1,
        step_size: int | None = None,
        *,
        align: str = "time",
        refit: bool | int | str = False,
        checkpoint: str | os.PathLike[str] | CheckpointSpec | None = None,
        resume: bool = False,
        time_limit: float | str | None = None,
        output: str | os.PathLike[str] | None = None,
        memory_limit: int | str | None = None,
        on: Cluster | None = None,
    ) -> Any:
        """Forecast a frame's own past from several cutoffs, beside the truth.

        A clone is trained on rows up to the first cutoff; later cutoffs give it newer rows to forecast from, until
        `refit` has another clone trained. This forecaster is left as it was. Future covariates are read from the
        frame.

        Args:
            df: As for `fit`.
            n_windows: Number of cutoffs.
            step_size: Steps from one cutoff to the next; `None` is the horizon.
            align: `time` cuts all series at the same time stamps, counted from the latest one, so that no
                series tells another's future; one that ends before a cutoff, or begins after it, has no rows there.
                `series` counts from each series' own end.
            refit: `False` trains once, at the first cutoff; `True` trains a fresh clone at every cutoff, with the
                same seeds; a whole number `n` at every `n`-th cutoff, from the first on. Trainings run side
                by side, those of `effort="best"` cutoff after cutoff.
                `"never"` takes this forecaster's own networks, and cutoffs from the last stamp on that they saw.
            checkpoint: As for `fit`, for all trainings.
            resume: As for `fit`.
            time_limit: As for `fit`, for all trainings together.
            output: As for `predict`. The trainings go on by `checkpoint` and `resume`.
            memory_limit: As for `fit`.
            on: As for `fit`; several trainings are those of different cutoffs too.

        Returns:
            The path of `output`, if there is one. Else a frame of the kind that came in: `unique_id`, `ds`, `cutoff`
            (the last stamp that was known), `y`, the forecast and its intervals, and the forecasts `seasonal_naive` and
            `last_value`; a row for each step whose truth is known.

        Raises:
            DataError: Something in the frame is wrong, or a series is too short before the first cutoff.
            SpecError: An option is wrong; nothing was trained.
            NotFittedError: `refit="never"` and `fit` was not called.
            TrainingError: Training diverged.
            KeyboardInterrupt: The user interrupted; nothing is kept.
        """
        deadline, on = check_time_limit(time_limit, checkpoint), check_cluster(on, time_limit=time_limit)
        check_options(self.get_params(deep=False))
        every = refit_every(refit)
        before = self._fitted() if every is None else None
        cutoffs = {"n_windows": n_windows, "step_size": step_size, "align": align, "refit": every}
        rows = self._rows_of_backtest(before, df, output, memory_limit, cutoffs, storage_of(on))
        with (
            CheckpointFolder.opened(checkpoint, resume=resume) as folder,
            rows as (frame, parts, remembered),
        ):
            run = TrainingRun(self.verbose, folder, deadline, on=on)
            return self._backtest(frame, n_windows, step_size, align, every, run, parts, remembered)

    def _backtest(
        self,
        frame: AnyFrame,
        n_windows: int,
        step_size: int | None = None,
        align: str = "time",
        every: int | None = 0,
        run: TrainingRun | None = None,
        parts: PartFolder | None = None,
        remembered: int | None = None,
    ) -> Any:
        frame.check_observed()
        complete, horizon = self.missing == "raise", int(self.horizon)
        known = known_at_cutoffs(frame, horizon, n_windows, step_size, align, complete=complete)
        origins = [Origins.within(part, known[:, series], horizon) for series, part in frame.parts()]
        check_first_cutoff(origins)
        if every is None:
            states = [self._fitted()]
            for part_origins, (_, part) in zip(origins, frame.parts(), strict=True):
                part_origins.check_after(part, states[0].series.last_seen)
        else:
            trained_at = known[:: every or n_windows]
            frames = [frame.until(stops) for stops in trained_at]
            states = self._fitted_at(frames, run or TrainingRun(), remembered, parts)
        request = self._request(states[0])
        how: Any = {"every": every or n_windows, "request": request, "combine": self.combine, "alias": self.alias}
        table = functools.partial(part_table, frame, known, origins, states, how)
        on = None if run is None or run.on is None or parts is None else run.on.write
        return gathered(table, range(len(origins)), parts, on)

    def _fitted_at(
        self,
        frames: Sequence[AnyFrame],
        run: TrainingRun,
        remembered: int | None = None,
        parts: PartFolder | None = None,
    ) -> list[FittedState]:
        """Return what a fit learns from each frame, all with the same seed."""
        before = self._state
        seed = self._seed(before, run.folder)
        options = self._resolved(seed if parts is None else parts.seed(seed), most_rows_read=remembered)
        if before is not None and self.preset == PRETRAINED:
            options = replace(options, choice=before.choice)  # fine-tuned or not, as this one is
        plans = [make_plan(frame, options, options.specs) for frame in frames]
        if run.verbose:
            print(plans[0].describe())
        return fit_plans(plans, run)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted forecaster to a file.

        Args:
            path: Where the file goes; it appears whole or not at all.

        Raises:
            NotFittedError: `fit` was not called.
            SpecError: The training holds a function that a file cannot.
            SaveError: The file could not be written.
        """
        options = {**self.get_params(deep=False), "freq": None if self.freq is None else self.freq_}
        write_forecaster(path, options, self._fitted())

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, max_size: Any = None) -> Self:
        """Read a fitted forecaster from a file; its forecasts are the identical numbers.

        Args:
            path: A file that `save` wrote.
            max_size: To how much it may unpack, whatever its own size: bytes, or a text such as `8 GB`; `None` is 4 GB,
                and at most a hundred times the file's size or 64 MiB.

        Returns:
            The forecaster.

        Raises:
            MissingFileError: There is no such file.
            FileFormatError: It is no forecaster's file, or is too large.
            SpecError: `max_size` is no size.
        """
        options, state = read_forecaster(path, cls._get_param_names(), max_size=max_size)
        forecaster = cls(**options)
        forecaster._state = state
        return forecaster
