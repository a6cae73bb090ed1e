"""The door for frames: long data frames in, forecasts of any horizon out as frames of the same kind."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, clone

from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.frames.schema import as_ids
from seqcast.data.frames.table import read_frame
from seqcast.data.windows.origins import OriginRows, RollingOrigins
from seqcast.engine.checks import check_parts
from seqcast.engine.engine import Engine
from seqcast.engine.inputs import ModelInputs, SeriesLabels
from seqcast.errors import NotFittedError, SpecError
from seqcast.forecaster.archive import read_forecaster, write_forecaster
from seqcast.forecaster.defaults import Sizes, specs
from seqcast.forecaster.fallback import FallbackWarning, is_naive
from seqcast.forecaster.jobs import TrainingJob, member_seeds, run_jobs
from seqcast.forecaster.options import check_head, check_options, context_lengths, interval_levels
from seqcast.forecaster.planning import FitOptions, Plan, make_plan, plan_further
from seqcast.forecaster.predictor import EnsemblePredictor
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.validation import validation_rows, with_validation
from seqcast.intervals.calibration import Calibration
from seqcast.intervals.levels import check_levels, check_trained
from seqcast.intervals.request import ForecastRequest
from seqcast.specs.checks import check_int
from seqcast.specs.columns import Columns, Covariates
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec
from seqcast.training.history import History

__all__ = ["Forecaster"]

Array = npt.NDArray[Any]


class Forecaster(BaseEstimator):
    """A recurrent encoder-decoder for long frames: one network for all series, any horizon.

    Each series is scaled by its own training rows, so that scaling a series scales its forecast, and with
    `scale="standard"` shifting it shifts its forecast. Series need not end at the same time.

    Args:
        horizon: Steps to forecast in training, and in `predict` unless it is told otherwise.
        context_length: Steps of past that a forecast reads; several lengths are shared out among the members. `None`
            takes two seasons, two horizons or 24 steps, whichever is most, and two weeks where steps are parts of a day
            and the network reads segments; but at most half of what a series has beside one horizon: the series that
            the middle row of the frame is in, or with `missing="raise"` the shortest one. See
            `seqcast.forecaster.defaults.context_rule`.
        level: Levels of the intervals, in per cent. A named network forecasts the quantiles that they lie between; with
            `()` it forecasts a point only, by the squared error. A `NetworkSpec` with a distribution has intervals of
            any level, one with quantiles those between them, and one with a point none unless `calibrate` is given.
        preset: Name of a network, or a `NetworkSpec`, which is taken as it is. `auto` is `segment` where the season can
            be cut into segments of at least 4 steps, otherwise `classic` (see `seqcast.specs.presets`); and where
            that is not better than repeating the last season on the validation rows, or there are none to tell by, it
            repeats the last season, and warns (`FallbackWarning`). A named network normalises its windows, because
            real series leave the range that they had in training.
        training: How it is trained. `None` is a `TrainingSpec()`, or for segments that of the preset, but in batches
            down to 64 when windows are few, and in epochs of 25 to 200 steps (60 to 300 of segments); a dict changes
            some fields of that, and a `TrainingSpec` is taken as it is. `validation_fraction` is the share of each
            series, its end, on which the best epoch is chosen; it is not trained on. 0 trains on everything.
        columns: Names of the frame's columns, if not `unique_id`, `ds`, `y`. Several columns of values are forecast
            together; the forecasts then come with a column `target`.
        freq: Step between time stamps: a pandas alias, one of Polars' durations, or a whole number; `None`
            infers it, checks every row against it and says what it is.
        season_length: Steps of a season, for the default context and the seasonal naive forecast of
            `backtest`; `None` takes the usual one of the frequency.
        static_covariates: Columns that are constant within a series: numbers, scaled over all series, booleans, or
            text, of which each value that fit saw has an input of its own, and all others share one.
        past_covariates: Columns that are known up to the cutoff: numbers, booleans or text.
        future_covariates: Columns that are known ahead; `predict` needs them for the whole horizon.
        calendar: `auto` (sine and cosine of the cycles that the frequency has, that the longest series shows thrice and
            that are longer than the context), `none`, or names from
            `seqcast.data.features.calendar.CALENDAR_FEATURES`, `auto` and `holidays:DE` (any country of the
            package `holidays`, with a region as `holidays:US-CA`).
        missing: `fill` takes missing steps and values: networks see the value before and whether there was one, and
            losses and scores leave them out. `raise` refuses them, and series too short for a whole window.
        irregular: Whether stamps need not keep to a step. The time since the row before is then an input, and
            `predict` forecasts at the stamps of `future`.
        scale: How each series is scaled: `auto` (`log` where values are >= 0 and series swing the more the higher
            they stand, else `standard`; see `seqcast.forecaster.defaults.scale_rule`), `standard` (zero mean, unit
            deviation), `robust` (median and interquartile range), `minmax`, `mean` (divided by the mean magnitude),
            `log1p` (for values >= 0: logarithms of `1 + x`, then `standard`), `log` (the same with a hundredth of the
            series' mean in place of the 1, so that its unit does not matter) or `none`.
        weighting: `rows` gives each training window the same weight, `series` each series.
        calibrate: Whether intervals are widened (or narrowed) at each step so that they would have held what they
            promise on the validation rows, by split-conformal calibration; see `seqcast.intervals.conformal`.
        point: `median` or `mean`: what the point forecast is of the distribution that is forecast.
        members: Networks, trained side by side from seeds of their own.
        combine: How their forecasts become one: `median` (of an even number, the mean of the two in the middle) or
            `mean`, for the point and for each bound.
        alias: Name of the forecast's column.
        random_state: Seed of everything random, a whole number; `None` takes a fresh one.
        verbose: 0 is silent, 1 shows what was inferred and progress.

    Attributes:
        engines_: The trained engine of each member.
        engine_: The first of them.
        histories_: What the training of each member recorded.
        history_: The first of them.
        series_state_: Scaling and last rows of each series.
        freq_: The frequency; `None` for irregular stamps.
        season_length_: Steps of a season.
        context_length_: Steps of past that a forecast reads.
        calibrations_: What widens the intervals of each target, when `calibrate` is true.
        short_series_: Names of the series with fewer rows than a whole window, whose contexts were padded.

    Example:
        >>> from seqcast.data.datasets import load
        >>> from seqcast.specs.network import NetworkSpec
        >>> from seqcast.specs.training import TrainingSpec
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
        preset: str | NetworkSpec = "auto",
        training: TrainingSpec | Mapping[str, Any] | None = None,
        columns: Columns | None = None,
        freq: Any = None,
        season_length: int | None = None,
        static_covariates: Sequence[str] = (),
        past_covariates: Sequence[str] = (),
        future_covariates: Sequence[str] = (),
        calendar: str | Sequence[str] = "auto",
        missing: str = "fill",
        irregular: bool = False,
        scale: str = "auto",
        weighting: str = "rows",
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
        self.training = training
        self.columns = columns
        self.freq = freq
        self.season_length = season_length
        self.static_covariates = static_covariates
        self.past_covariates = past_covariates
        self.future_covariates = future_covariates
        self.calendar = calendar
        self.missing = missing
        self.irregular = irregular
        self.scale = scale
        self.weighting = weighting
        self.calibrate = calibrate
        self.point = point
        self.members = members
        self.combine = combine
        self.alias = alias
        self.random_state = random_state
        self.verbose = verbose
        check_head(preset, scale)

    def fit(self, df: Any, validation: Any = None, *, warm_start: bool = False) -> Self:
        """Train a new network, or `members` new networks, on all series of a frame.

        An interruption of the training of a single network keeps its best weights so far; one of an ensemble leaves
        the forecaster as it was.

        Args:
            df: A pandas or Polars frame with one row a series and time; series in any order.
            validation: On what the best epoch is chosen: a number of rows, the last ones of each series; a frame of
                rows that follow; or `None` for the training's `validation_fraction`. Forecasts go on from its end.
            warm_start: Whether training begins with the weights that the forecaster has, if it has any, instead of
                new ones. All else is learnt anew, such as scaling and categories.

        Returns:
            The fitted forecaster.

        Raises:
            DataError: Something in the frame is wrong; nothing was trained.
            SpecError: An option is wrong; nothing was trained.
            TrainingError: Training diverged.
            KeyboardInterrupt: The user interrupted.
        """
        check_options(self.get_params(deep=False))
        frame, starts = self._divided(self._read(df), validation)
        plan = self._plan(frame, starts, verbose=self.verbose)
        if warm_start and hasattr(self, "engines_"):
            plan = plan.from_weights(self.engines_)
        return self._train(plan, frame)

    def _judges(self) -> bool:
        """Return whether there are validation rows to judge networks by, as far as options say."""
        return self._specs(Sizes())[1].validation_fraction > 0

    def _divided(self, frame: LongFrame, validation: Any) -> tuple[LongFrame, Array | None]:
        """Return all rows, and the position of each series' first validation target, if that was given."""
        if validation is None:
            return frame, None
        if isinstance(validation, int | np.integer):
            return frame, validation_rows(frame, validation, int(self.horizon))
        return with_validation(frame, self._read(validation, frame, argument="validation"), fill=self.missing == "fill")

    def _specs(self, sizes: Sizes) -> tuple[NetworkSpec, TrainingSpec]:
        """Return the network and the training for training windows of these sizes."""
        return specs(self.preset, self.training, interval_levels(self.level), sizes)

    def _read(
        self,
        df: Any,
        before: LongFrame | SeriesState | None = None,
        *,
        static_optional: bool = True,
        argument: str = "df",
    ) -> LongFrame:
        """Check a frame; rows that go on with others are on their clock, and may leave static covariates out."""
        freq = self.freq if before is None or before.frequency is None else before.frequency.name
        return read_frame(
            df,
            self.columns,
            freq=freq,
            covariates=Covariates(self.static_covariates, self.past_covariates, self.future_covariates),  # type: ignore[arg-type]
            missing=self.missing,
            irregular=self.irregular,
            static_optional=static_optional and before is not None,
            zone=None if before is None else before.schema.zone,
            argument=argument,
        )

    def _options(self, members: int | None = None, **changes: Any) -> FitOptions:
        """Return what shapes a fit of so many members; `None` takes as many as the options say."""
        count = int(self.members) if members is None else members
        fresh = int(np.random.SeedSequence().generate_state(1)[0])
        options = FitOptions(
            horizon=int(self.horizon),
            context_lengths=context_lengths(self.context_length, count),
            season_length=self.season_length,
            calendar=self.calendar,
            scale=self.scale,
            point=self.point,
            weighting=self.weighting,
            fill=self.missing == "fill",
            calibrate=interval_levels(self.level) if self.calibrate else (),
            judge=self.preset == "auto" and self._judges(),
            seeds=member_seeds(fresh if self.random_state is None else int(self.random_state), count),
        )
        return replace(options, **changes)

    def _plan(self, frame: LongFrame, starts: Array | None = None, *, verbose: int = 0) -> Plan:
        """Scale the series and say how each member is to be trained."""
        plan = make_plan(frame, self._options(), self._specs, starts)
        if verbose:
            print(plan.describe())
        return plan

    def _train(self, plan: Plan, frame: LongFrame) -> Self:
        """Train what is planned and keep it."""
        count = len(plan.members)
        if count > 1:
            names = [f"member {place + 1} of {count}" for place in range(count)]
            return self._keep(plan, run_jobs(plan.members, names, verbose=self.verbose), frame)
        (member,) = plan.members
        engine = member.engine()
        try:
            history = member.train(engine, verbose=self.verbose)
        except KeyboardInterrupt as interruption:
            self._keep(plan, [(engine, getattr(interruption, "history", History(interrupted=True)))], frame)
            raise
        return self._keep(plan, [(engine, history)], frame)

    def _keep(
        self,
        plan: Plan,
        trained: Sequence[tuple[Engine, History]],
        frame: LongFrame | None = None,
        calibrations: Sequence[Calibration] = (),
    ) -> Self:
        self.engines_ = tuple(engine for engine, _ in trained)
        self.histories_ = tuple(history for _, history in trained)
        self.engine_, self.history_ = trained[0]
        self.series_state_ = plan.memory
        self.season_length_ = plan.season_length
        self.freq_ = None if plan.memory.frequency is None else plan.memory.frequency.name
        self.context_length_ = plan.memory.context_length
        self.short_series_ = plan.short
        self.calibrations_ = tuple(calibrations)
        self._rows = frame
        if plan.judgement is not None and frame is not None:
            plan = self._judged(plan, plan.judgement, frame)
        level = interval_levels(self.level)
        if plan.calibration is not None and frame is not None and all(engine.model for engine in self.engines_):
            self.calibrations_ = self._networks().calibrate(frame, *plan.calibration, int(self.horizon), level)
        elif is_naive(self.engine_.network) and plan.members and level:
            self.calibrations_ = plan.naive_calibrations(level)
        return self

    def _judged(self, plan: Plan, windows: tuple[Array, Array], frame: LongFrame) -> Plan:
        """Keep networks that are better than repeating the last season; otherwise repeat it, and say so."""
        found = f"there are no validation rows to judge a network by: give at least {3 * int(self.horizon)} rows"
        if len(windows[0]):
            ours, naive = self._networks().errors(frame, *windows, int(self.horizon), self.season_length_)
            if ours <= naive:
                return plan
            found = f"on the validation rows it erred by {naive:.3g} and the network by {ours:.3g} (scaled)"
        plan = plan.naive()
        (member,) = plan.members
        engine = member.engine()
        member.train(engine)
        self.engines_, self.engine_, self.histories_ = (engine,), engine, self.histories_[:1]
        repeated = f"season of {self.season_length_}" if engine.network.reads_season else "value"
        warnings.warn(
            f"forecasts repeat the last {repeated}, because {found}. Name a preset to have its network in any case.",
            FallbackWarning,
            stacklevel=5,  # where fit was called
        )
        return plan

    def predict(
        self,
        horizon: int | None = None,
        df: Any = None,
        future: Any = None,
        level: Sequence[float] | float | None = None,
        samples: int | None = None,
    ) -> Any:
        """Forecast the steps that follow each series' last row.

        Args:
            horizon: Number of steps, shorter or longer than trained; `None` is the trained one, or with irregular
                stamps as many as `future` has.
            df: Rows to forecast from, if not those of `fit`: rows of known series, before which those that are
                remembered stand, whose scaling stays that of training; or rows of new series, which are scaled by
                these.
            future: The steps ahead, one row a series and step, with the future covariates; with irregular stamps, the
                stamps to forecast. Rows of other series and stamps are not looked at.
            level: Levels of the intervals, in per cent: any for a network that forecasts a distribution, otherwise
                some of those that it was trained or calibrated for. `None` is all of those.
            samples: Number of sample paths to draw instead of a point and intervals. They are not calibrated.

        Returns:
            A frame of the kind that came in, sorted by `unique_id`: `unique_id`, `ds`, the forecast and the bounds of
            its intervals, such as `seqcast-lo-80` and `seqcast-hi-80`; with several targets, sorted by `target` too.
            Of sample paths: `unique_id`, `ds`, `sample` (from 1) and the path's value, path after path.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: Something in a frame is wrong, or `future` does not cover the horizon.
            SpecError: There are no intervals of a level, or no paths of a network that forecasts a point.
        """
        self._memory()
        if horizon is not None:
            horizon = check_int("horizon", horizon)
        if samples is not None and level is not None:
            raise SpecError("level", expected="None with samples", received=repr(level), hint="Ask for one of the two.")
        request = self._outlook(level)
        frame = self._rows_before(df)
        networks, ids, default = self._networks(), frame.source.ids, int(self.horizon)
        if samples is None:
            stamps, forecast, kept = networks.ahead(frame, future, horizon, request, default=default)
            times = {frame.schema.columns.ds: stamps}
            return frame.schema.to_long(ids, times, request.parts(forecast, self.alias), kept)
        count = check_int("samples", samples)
        stamps, paths, kept = networks.paths_ahead(frame, future, horizon, count, default=default)
        return frame.schema.paths_to_long(ids, stamps, self.alias, paths, kept)

    def _rows_before(self, df: Any) -> LongFrame:
        """Return the rows to go on from: those that are remembered, behind them rows that are given."""
        memory = self._memory()
        return memory.frame if df is None else memory.with_history(self._read(df, memory))

    def _outlook(self, level: Sequence[float] | float | None = None) -> ForecastRequest:
        """Return what is asked of a forecast, and refuse levels that there are no intervals for."""
        network, known = self.engine_.network, interval_levels(self.level)
        if not network.is_probabilistic and not self.calibrations_:
            known = ()
        if level is None:
            return ForecastRequest(self.point, known)
        asked = check_levels(level)
        if self.calibrations_ or network.head in ("point", "quantile"):
            how = "Fit with such a level."
            if not network.is_probabilistic and not self.calibrations_:
                how = "Fit with a named preset, with calibrate=True, or with a NetworkSpec that has another head."
            check_trained(asked, known, hint=how)
        return ForecastRequest(self.point, asked)

    def _networks(self) -> EnsemblePredictor:
        return EnsemblePredictor(self.engines_, self._memory(), self.combine, self.calibrations_)

    def _memory(self) -> SeriesState:
        if not hasattr(self, "series_state_"):
            raise NotFittedError("Forecaster", expected="a fitted one", received="none", hint="Call fit first.")
        return self.series_state_

    def update(self, df: Any) -> Self:
        """Append rows to the series that are remembered; nothing is trained, and known series keep their scaling.

        Args:
            df: Rows that follow those of known series, or rows of new series, which are scaled by these.

        Returns:
            This forecaster; `predict` goes on from the new rows.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: Something in the frame is wrong, or rows do not follow.
        """
        memory = self._memory()
        self.series_state_ = memory.updated(self._read(df, memory))
        return self

    def refit(self, df: Any, validation: Any = None) -> Self:
        """Train anew on other rows, with the choices that `fit` made from its own: the sizes stay as they are.

        Context length, frequency, season, calendar and network are those of the fit; scaling, categories and weights
        are learnt from these rows alone.

        Args:
            df: All rows to train on.
            validation: As for `fit`.

        Returns:
            The fitted forecaster.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: Something in the frame is wrong; nothing was trained.
            TrainingError: Training diverged.
            KeyboardInterrupt: The user interrupted.
        """
        memory = self._memory()
        check_options(self.get_params(deep=False))
        frame = self._read(df, memory, static_optional=False)
        frame, starts = self._divided(frame, validation)
        chosen = {_context(engine): (engine.network, engine.training) for engine in self.engines_}
        options = self._options(
            len(self.engines_),
            context_lengths=tuple(_context(engine) for engine in self.engines_),
            season_length=self.season_length_,
            calendar=memory.builder.calendar.names or "none",
            judge=False,
        )
        plan = make_plan(frame, options, lambda sizes: chosen[sizes.context_length], starts)
        if self.verbose:
            print(plan.describe())
        return self._train(plan, frame)

    def finetune(
        self,
        df: Any,
        *,
        freeze: Sequence[str] = (),
        training: TrainingSpec | Mapping[str, Any] | None = None,
        validation: Any = None,
    ) -> Self:
        """Train the networks further, from their present weights, on some series.

        Known series keep their scaling, new ones are scaled by their own training rows. Rows that are remembered of
        known series stand before the new ones. What is calibrated is calibrated anew.

        Args:
            df: Rows of known series, newer than those that `fit` saw or some of these once more up to the last, or
                rows of new series.
            freeze: Parts of the network that stay as they are: some of `encoder`, `decoder`, `head`.
            training: How to train: a spec, or what differs from the training of the fit; `None` takes a tenth of its
                learning rate.
            validation: As for `fit`.

        Returns:
            This forecaster.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: Something in the frame is wrong; nothing was trained.
            SpecError: An option is wrong; nothing was trained.
            TrainingError: Training diverged.
            KeyboardInterrupt: The user interrupted.
        """
        memory = self._memory()
        check_parts(freeze)
        frame, starts = self._divided(self._read(df, memory), validation)
        options = self._options(len(self.engines_), season_length=self.season_length_)
        plan = plan_further(frame, starts, memory, options, self.engines_, training, tuple(freeze))
        if self.verbose:
            print(plan.describe())
        return self._train(plan, plan.frame or frame)

    def predict_insample(self, df: Any = None, *, step_size: int = 1) -> Any:
        """Forecast the trained horizon from the rows that the networks were trained on, and lay the truth beside it.

        These forecasts tell how well the networks fit, not how well they forecast: for that there is `backtest`.

        Args:
            df: Rows of known or new series; `None` takes those of `fit`, which a loaded forecaster does not have.
            step_size: Steps from one cutoff to the next, counted from each series' end.

        Returns:
            A frame as that of `backtest`, without naive forecasts; a row for each step whose truth is known.

        Raises:
            NotFittedError: `fit` was not called, or the forecaster was loaded.
            DataError: Something in the frame is wrong, or no series is long enough.
        """
        memory, step = self._memory(), check_int("step_size", step_size)
        frame = self._seen_rows(df)
        rows, request = OriginRows(frame, int(self.horizon), memory.context_length, step), self._outlook()
        forecast = self._networks().from_rows(frame, rows.series, rows.stops, int(self.horizon), request)
        return rows.table(request.parts(forecast, self.alias))

    def _seen_rows(self, df: Any) -> LongFrame:
        """Return rows that were given, or those of fit."""
        memory = self._memory()
        if df is not None:
            return self._read(df, memory)
        if self._rows is None:
            raise NotFittedError(
                "df", expected="the rows of fit", received="a loaded forecaster", hint="Files hold no rows; give them."
            )
        return self._rows

    def backtest(
        self,
        df: Any,
        n_windows: int = 1,
        step_size: int | None = None,
        *,
        align: str = "time",
        refit: bool | int | str = False,
    ) -> Any:
        """Forecast a frame's own past from several cutoffs and lay the truth beside the forecasts.

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
                same seeds; a whole number `n` at every `n`-th cutoff, from the first on. Trainings run side by side.
                `"never"` takes this forecaster's own networks, and cutoffs from the last stamp on that they saw.

        Returns:
            A frame of the kind that came in: `unique_id`, `ds`, `cutoff` (the last stamp that was known),
            `y`, the forecast and its intervals, and the forecasts `seasonal_naive` and `last_value`; a row for
            each step whose truth is known.

        Raises:
            DataError: Something in the frame is wrong, or a series is too short before the first cutoff.
            SpecError: An option is wrong; nothing was trained.
            NotFittedError: `refit="never"` and `fit` was not called.
            TrainingError: Training diverged.
            KeyboardInterrupt: The user interrupted; nothing is kept.
        """
        check_options(self.get_params(deep=False))
        every = _refit_every(refit)
        frame = self._read(df, self._memory() if every is None else None)
        return self._backtest(frame, n_windows, step_size, align, every)

    def _backtest(
        self,
        frame: LongFrame,
        n_windows: int,
        step_size: int | None = None,
        align: str = "time",
        every: int | None = 0,
    ) -> Any:
        frame.check_seen()
        complete = self.missing == "raise"
        origins = RollingOrigins(frame, int(self.horizon), n_windows, step_size, align, complete=complete)
        if every is None:
            origins.check_after(self.series_state_.last_seen)
            models = [self]
        else:
            models = self._fitted_clones([frame.until(stops) for stops in origins.known[:: every or n_windows]])
        made, request = [], models[0]._outlook()
        for place, model in enumerate(models):
            windows = slice(place * (every or n_windows), (place + 1) * (every or n_windows))
            known, valid = origins.known[windows], origins.valid[windows]
            made.append(model._networks().from_cutoffs(frame, known, valid, int(self.horizon), request))
        forecasts = request.parts(np.concatenate(made), self.alias)
        for name, season in (("seasonal_naive", models[0].season_length_), ("last_value", 1)):
            forecasts[name] = origins.naive(season)
        return origins.table(forecasts)

    def _fitted_clones(self, frames: Sequence[LongFrame]) -> list[Self]:
        """Return a clone fitted on each frame; all members of all clones are trained side by side."""
        models = [clone(self) for _ in frames]
        if len(frames) == 1:
            return [models[0]._train(self._plan(frames[0], verbose=self.verbose), frames[0])]
        plans = [self._plan(frame, verbose=self.verbose and not place) for place, frame in enumerate(frames)]
        jobs: list[TrainingJob] = []
        names: list[str] = []
        for place, plan in enumerate(plans):
            jobs += plan.members
            name, count = f"training {place + 1} of {len(plans)}", len(plan.members)
            names += [name if count == 1 else f"{name}, member {k + 1} of {count}" for k in range(count)]
        trained = iter(run_jobs(jobs, names, verbose=self.verbose))
        return [
            model._keep(plan, [next(trained) for _ in plan.members], frame)
            for model, plan, frame in zip(models, plans, frames, strict=True)
        ]

    def model_inputs(
        self,
        df: Any = None,
        *,
        step_size: int | None = None,
        horizon: int | None = None,
        future: Any = None,
        member: int = 1,
    ) -> ModelInputs:
        """Return what a network reads, to look inside with `seqcast.inspect`.

        Args:
            df: Rows of known or new series; `None` takes those that are remembered, or with `step_size` those of
                `fit`.
            step_size: Steps from one window to the next, counted back from the last that has the horizon behind it
                in the rows, so that the truth is known; `None` is one window a series, that of `predict`.
            horizon: Number of steps; `None` is the trained one.
            future: The steps ahead, as for `predict`; without `step_size` only.
            member: Which network of an ensemble, from 1.

        Returns:
            The windows, in the network's units, called by their series and cutoff.

        Raises:
            NotFittedError: `fit` was not called, or the rows of fit are asked for of a loaded forecaster.
            DataError: Something in a frame is wrong, or no series is long enough.
            SpecError: There is no such member, or both `step_size` and `future` are given.
        """
        memory, networks = self._memory(), self._networks()
        steps = int(self.horizon) if horizon is None else check_int("horizon", horizon)
        if check_int("member", member) > len(self.engines_):
            raise SpecError("member", expected=f"1 to {len(self.engines_)}", received=repr(member))
        truth = None
        if step_size is None:
            frame = self._rows_before(df)
            series, stops = np.arange(len(frame.source)), frame.source.lengths
            inputs = networks.read_ahead(member - 1, frame, future, steps)
        elif future is not None:
            raise SpecError(
                "future", expected="None with step_size", received="a frame", hint="The rows themselves hold it."
            )
        else:
            frame, step = self._seen_rows(df), check_int("step_size", step_size)
            rows = OriginRows(frame, steps, memory.context_length, step)
            series, stops = rows.series, rows.stops
            inputs, truth = networks.read_rows(member - 1, frame, series, stops, steps)
        builder, columns, source = memory.builder, frame.schema.columns, frame.source
        return ModelInputs(
            self.engines_[member - 1],
            inputs,
            steps,
            SeriesLabels(frame.schema, as_ids(source.ids)[series], frame.stamps[source.starts[series] + stops - 1]),
            features=(*columns.targets, *builder.past.features, *builder.future_names),
            targets=columns.targets,
            known_future=builder.future_names,
            truth=truth,
        )

    def encode(self, df: Any = None) -> Any:
        """Return what the encoder holds after the last row of each series.

        Args:
            df: Rows to read, as for `predict`; `None` takes those that are remembered.

        Returns:
            A frame of the kind that came in, a row a series: `unique_id`, `ds` (the last stamp that was read) and the
            numbers `state_1`, `state_2`, …, layer after layer, member after member.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: Something in the frame is wrong.
        """
        frame = self._rows_before(df)
        states = self._networks().states(frame)
        values = {f"state_{place + 1}": column for place, column in enumerate(states.T)}
        return frame.schema.build(as_ids(frame.source.ids), {frame.schema.columns.ds: frame.last_stamps}, values)

    def attention(self, df: Any = None, future: Any = None, horizon: int | None = None) -> Any:
        """Return how much each step of a forecast looks at each step of the past.

        Args:
            df: As for `predict`.
            future: As for `predict`.
            horizon: As for `predict`.

        Returns:
            A frame of the kind that came in, sorted by series, step and past step: `unique_id`, `ds` (of the
            forecast), `past_ds` and `weight`, which sum to one over the past steps; with several members their mean.
            A network that reads segments has one weight a segment, at its last step.

        Raises:
            NotFittedError: `fit` was not called.
            SpecError: The network has no attention.
            DataError: Something in a frame is wrong.
        """
        frame = self._rows_before(df)
        stamps, steps, weights = self._networks().attention(frame, future, horizon, default=int(self.horizon))
        return frame.attended(stamps, steps, weights)

    def report(
        self,
        path: str | os.PathLike[str],
        df: Any = None,
        *,
        future: Any = None,
        backtest: Any = None,
        n_windows: int = 3,
        title: str = "",
        unit: str = "",
        max_series: int = 12,
    ) -> None:
        """Write what the forecaster has to say as one HTML page that needs no other file.

        It shows the series with their forecasts, how good forecasts from earlier cutoffs were beside naive ones,
        where they erred, how the training went, and all settings.

        Args:
            path: Where to; the page appears whole or not at all.
            df: The rows to forecast from; `None` takes those of `fit`, which a loaded forecaster does not have.
            future: As for `predict`; without it a forecaster that needs it, for future covariates or irregular stamps,
                shows no forecast.
            backtest: A frame that `backtest` gave, perhaps with other models' forecasts.
            n_windows: Cutoffs of the backtest that is made when none is given, which trains once more; 0 for none.
            title: Title of the page.
            unit: Unit of the values.
            max_series: Most series that are drawn.

        Raises:
            NotFittedError: `fit` was not called, or the forecaster was loaded and `df` is missing.
            DataError: Something in a frame is wrong; nothing was written.
            SaveError: The file could not be written.
        """
        from seqcast.report import report

        memory = self._memory()
        frame = self._seen_rows(df)
        check_int("n_windows", n_windows, at_least=0)
        history, columns = frame.table(), frame.schema.columns
        forecast = None
        if future is not None or not (memory.frame.covariates.future or self.irregular):
            forecast = self.predict(df=df, future=future)
        if backtest is None and n_windows:
            silent = clone(self).set_params(verbose=0)
            backtest = silent._backtest(frame, n_windows)
        report(
            path,
            title=title or "Forecast report",
            history=history,
            forecast=forecast,
            backtest=backtest,
            model=self.alias,
            metadata=self._facts(),
            learning=self.history_.epochs or None,
            season_length=self.season_length_,
            trained_horizon=int(self.horizon),
            max_series=max_series,
            unit=unit,
            columns=Columns(columns.unique_id, columns.ds, columns.value),
        )

    def _facts(self) -> dict[str, Any]:
        """Return what a reader of a report wants to know of the fit."""
        network, training = self.engine_.network, self.engine_.training
        covariates = self.series_state_.frame.covariates
        inputs = (*covariates.static, *covariates.varying, *self.series_state_.builder.calendar.names)
        epochs = len(self.history_)
        settings = {
            "horizon": int(self.horizon),
            "context_length": self.context_length_,
            "frequency": self.freq_ or "irregular",
            "season_length": self.season_length_,
            "inputs beside the values": ", ".join(map(str, inputs)) or "none",
            "scale": self.scale,
            "levels": ", ".join(f"{level:g} %" for level in self._outlook().level) or "none",
            "calibration windows": int(self.calibrations_[0].windows.min()) if self.calibrations_ else "not calibrated",
            "random_state": "fresh" if self.random_state is None else int(self.random_state),
        }
        built = {
            "cell": network.cell,
            "encoder units": ", ".join(map(str, network.encoder_units)),
            "decoder units": ", ".join(map(str, network.decoder_units)),
            "head": network.head,
            "weights": f"{self.engine_.weight_count:,}",
            "members": len(self.engines_),
        }
        if is_naive(network):
            built = {"kind": "repeats the last season, as no network was found to be better"}
        trained = {
            "epochs": f"{epochs}" + (" (stopped early)" if self.history_.stopped_early else ""),
            "best epoch": self.history_.best_epoch or "none chosen: no validation rows",
            "batch size": training.batch_size,
            "seconds": f"{self.history_.seconds:.1f}",
        }
        return {"Training": trained, "Network": built, "Settings": settings}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted forecaster to a file.

        Args:
            path: Where the file goes; it appears whole or not at all.

        Raises:
            NotFittedError: `fit` was not called.
            SpecError: The training holds a function that a file cannot.
            SaveError: The file could not be written.
        """
        memory = self._memory()
        options = {**self.get_params(deep=False), "freq": None if self.freq is None else self.freq_}
        trained = list(zip(self.engines_, self.histories_, strict=True))
        plan = Plan(memory, self.season_length_, short=self.short_series_)
        write_forecaster(path, options, plan, trained, self.calibrations_)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a fitted forecaster from a file; its forecasts are the identical numbers.

        Args:
            path: A file that `save` wrote.

        Returns:
            The forecaster.

        Raises:
            MissingFileError: There is no such file.
            FileFormatError: It is no forecaster's file.
        """
        options, plan, trained, calibrations = read_forecaster(path)
        return cls(**options)._keep(plan, trained, calibrations=calibrations)


def _context(engine: Engine) -> int:
    """Return the steps of past that a trained network reads."""
    assert engine.window is not None
    assert engine.window.context_length is not None
    return engine.window.context_length


def _refit_every(refit: bool | int | str) -> int | None:
    """Return after how many cutoffs a new clone is trained; 0 is only once, `None` not at all."""
    if isinstance(refit, str) and refit == "never":
        return None
    if isinstance(refit, bool | np.bool_):
        return int(refit)
    if isinstance(refit, int | np.integer) and refit >= 1:
        return int(refit)
    raise SpecError(
        "refit",
        expected="False, True or a whole number >= 1, or 'never'",
        received=repr(refit),
        hint="True trains at every cutoff, n at every n-th, 'never' takes the fitted networks.",
    )
