"""`Forecaster`: from long data frames to forecasts of any horizon, as frames of the same kind."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, overload

from seqcast.data.frames import AnyFrame
from seqcast.engine import Engine, FittedAttribute, LearningEstimator, ModelInputs
from seqcast.errors import DataError, SpecError, TrainingError
from seqcast.forecaster import explain
from seqcast.forecaster.adapt import plan_finetuning, plan_refit, untrained
from seqcast.forecaster.anomalies import find_anomalies
from seqcast.forecaster.archive import read_forecaster, write_forecaster
from seqcast.forecaster.arguments import ForecasterArguments
from seqcast.forecaster.backtest import Backtest, fits_at, refit_every
from seqcast.forecaster.candidates import reject_without_network
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.fitting import InterruptedFit, fit_plan
from seqcast.forecaster.option_checks import check_head, check_options
from seqcast.forecaster.options import FitOptions, ForecastOptions, ReadOptions
from seqcast.forecaster.output import OutputFolder, digests, gathered, predicted
from seqcast.forecaster.planning import FitPlan, make_plan
from seqcast.forecaster.reading import Memory, SourceRows, in_memory, read_all, read_rows
from seqcast.forecaster.report import PlannedFit, described, planned, write_report
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.totals import Total, compare_scenarios, forecast_totals
from seqcast.forecaster.training_rows import with_validation, without_masked
from seqcast.forecaster.training_run import Cluster, TrainingRun, check_cluster
from seqcast.intervals import Calibration
from seqcast.network import fresh_seed
from seqcast.pretrained import is_zero_shot
from seqcast.runtime import say, shows_tasks
from seqcast.specs import (
    CheckpointSpec,
    TrainingSpec,
    check_int,
    check_submodules,
)
from seqcast.training import CheckpointFolder, History

if TYPE_CHECKING:
    import pandas as pd
    from narwhals.typing import IntoDataFrame
    from typing_extensions import TypeVar

    # The kind of frame that comes in, and so goes out; any where the call does not say it.
    Frame = TypeVar("Frame", bound=IntoDataFrame, default=Any)


@dataclass(eq=False, repr=False)
class Forecaster(LearningEstimator[FittedForecaster], ForecasterArguments):
    """A recurrent encoder-decoder for long frames: one network for all series, any horizon.

    Each series is scaled by its own training rows, so that scaling a series scales its forecast,
    and with `scale="standard"` shifting it shifts its forecast. Series need not end at the same
    time.

    Args:
        horizon: Steps to forecast in training, and by default in `predict`.
        context_length: Past steps that a forecast reads; several lengths are divided among the
            members. `None` takes the most of two seasons, two horizons and 24 steps, but at most
            half of a usual series. Networks of segments read at least two weeks where steps are
            shorter than a day. See `seqcast.forecaster.defaults.context_rule`.
        level: Levels of the intervals, in per cent. A named network forecasts the quantiles that
            bound them; with `()` it forecasts a point only, by the squared error. A `NetworkSpec`
            with a distribution has intervals of any level, and one with quantiles those between
            them. One with a point needs `calibrate`.
        preset: Name of a network, or a `NetworkSpec` or `EnsembleSpec`. `auto` compares candidates
            on validation windows: the last season, the pretrained network, also fine-tuned, and a
            trained network (`segment` if the season divides into segments of at least 4 steps, else
            `classic`). Their shares follow their losses there; `choice_` shows them. `auto` warns
            if the last season alone is better. `pretrained` has seen synthetic series only, reads
            up to 2,048 steps and is not trained.
        effort: How much `auto` tries: `quick` trains nothing; `balanced` trains a network and
            fine-tunes the pretrained one; `best` trains three, and three more while they help.
            `auto` is `quick` for fewer than 2,000 rows with a horizon after them. Otherwise, or
            with covariates, `training` or `members`, it is `balanced`.
        training: How the networks are trained: a `TrainingSpec`, or a dict that changes some fields
            of the default. A dict that changes length, rate or optimiser trains all epochs. `None`
            is the default, which stops early and adapts batches and epochs to the number of
            windows; see `seqcast.forecaster.defaults.specs`. The best epoch is chosen on the last
            `validation_fraction` of each series, which is not trained on; 0 trains on everything.
        columns: Names of the columns, if not `unique_id`, `ds`, `y`. Several targets are forecast
            together.
        freq: Step between time stamps: a pandas alias, one of Polars' durations, or a whole number.
            `None` infers it, checks every row against it and prints it.
        season_length: Steps of a season, also of the last season in `backtest`; `None` takes the
            frequency's usual one, or where that has none the one that training rows show.
        static_covariates: Columns that are constant within a series: numbers, booleans or text.
            Numbers are scaled over all series. Each text that fit saw has an input of its own, and
            all others share one.
        past_covariates: Columns that are known up to the cutoff: numbers, booleans or text.
        future_covariates: Columns that are known for the future; `predict` needs them for the whole
            horizon.
        calendar: Calendar features: `auto`, `none`, or names from
            `seqcast.data.features.calendar.CALENDAR_FEATURES`, `auto` and `holidays:DE` (any
            country of the package `holidays`, with a region as `holidays:US-CA`). `auto` takes sine
            and cosine of each cycle that the longest series shows three times and no context
            contains.
        missing: `fill` accepts missing steps and values. Networks read the value before, and
            whether one was observed; losses and scores leave them out. `raise` rejects them, and
            series too short for a whole window.
        on_bad_series: Treatment of series with an error, such as a repeated stamp: `raise`, or
            `skip` them and train on the others. `skipped_series_` shows their errors.
        on_duplicates: Treatment of rows of a series with one stamp: `raise` an error, take the
            `first` or `last`, or the `mean` or `sum` of their targets with the covariates of the
            first.
        irregular: Whether steps between stamps may differ. The time since the row before is then an
            input, and `predict` forecasts at the stamps of `future`.
        scale: How each series is scaled: `standard` (zero mean, unit deviation), `robust` (median
            and interquartile range), `minmax`, `mean` (divided by the mean magnitude) or `none`;
            for values >= 0 also `log1p` (`standard` of `log(1 + x)`) or `log` (with a hundredth of
            the series' mean in place of the 1). `auto` is `log` where values are >= 0 and series
            vary more at higher levels, else `standard`. See
            `seqcast.forecaster.defaults.scale_rule`.
        support: Possible values of forecasts, bounds and sample paths: `real`, `non-negative`, or
            `counts` (whole numbers). `auto` is `non-negative` for targets that were never negative
            in the frame of fit, else `real`. For medians it is `counts` where all values are whole
            numbers and at least half are zero.
        weighting: `windows` gives each training window the same weight, `series` each series.
        calibrate: Whether intervals are widened (or narrowed) by the errors on the validation rows
            so that they reach their levels, by split-conformal calibration; see
            `seqcast.intervals.conformal` and `common_errors`.
        point: The point forecast: the `median` or the `mean` of the forecast distribution.
        members: Number of networks, trained in parallel from seeds of their own.
        combine: How forecasts become one: `median` (of an even number the mean of the middle two),
            or `mean`.
        alias: Name of the forecast's column.
        random_state: Seed of everything random, a whole number; `None` draws one, which `seed_`
            shows.
        verbose: 0 is silent, 1 shows inferred options and progress.

    Attributes:
        fitted_: The fitted value, which forecasts by itself
            (`seqcast.forecaster.fitted.FittedForecaster`).
        choice_: The shares of the candidates in the forecast, and their hold-out losses.
        engines_: The engine of each member, and of the pretrained network; `engine_` is the first.
        histories_: The training history of each engine; `history_` is the first.
        training_: The training of each member.
        series_state_: Scaling and last rows of each series.
        freq_: The frequency; `None` for irregular stamps. `season_length_` are the steps of a
            season.
        context_length_: Past steps that a forecast reads.
        calibrations_: The calibration of each target's intervals, when `calibrate` is true.
        short_series_: Names of the series with fewer rows than a whole window, whose contexts were
            padded.
        skipped_series_: The error of each series that was left out, by name.

    Example:
        >>> from seqcast import NetworkSpec, TrainingSpec
        >>> from seqcast.data.datasets import load
        >>> tiny = NetworkSpec(encoder_units=(4,), decoder_units=(4,), normalise="last")
        >>> forecaster = Forecaster(12, preset=tiny, training=TrainingSpec(epochs=1), verbose=0)
        >>> forecast = forecaster.fit(load("elnino")).predict(horizon=2)
        >>> list(forecast.columns), [str(day.date()) for day in forecast["ds"]]
        (['unique_id', 'ds', 'seqcast'], ['2011-01-01', '2011-02-01'])
    """

    def __post_init__(self) -> None:
        check_head(self.preset, self.scale)

    # Fitted attributes

    @property
    def fitted_(self) -> FittedForecaster:
        """The fitted value, frozen, with the present `horizon`, `level`, `point` and `alias`.

        Its forecasts are those of one fit, even while another thread fits again.

        Raises:
            NotFittedError: `fit` was not called.
        """
        return replace(
            self._published, reading=ReadOptions.of(self), forecasting=ForecastOptions.of(self)
        )

    choice_ = FittedAttribute[Choice](lambda fitted: fitted.choice)
    """The shares of the candidates in the forecast, and their hold-out losses."""

    engines_ = FittedAttribute[tuple[Engine, ...]](lambda fitted: fitted.networks)
    """The engine of each network, the pretrained one last; none for the last season."""

    histories_ = FittedAttribute[tuple[History, ...]](lambda fitted: fitted.histories)
    """The training history of each network."""

    history_ = FittedAttribute[History](lambda fitted: fitted.histories[0])
    """The training history of the first network."""

    training_ = FittedAttribute[tuple[TrainingSpec, ...]](lambda fitted: fitted.trainings)
    """The training of each network at the fit."""

    series_state_ = FittedAttribute[SeriesState](lambda fitted: fitted.series)
    """Scaling and last rows of each series."""

    freq_ = FittedAttribute[str | int | None](lambda fitted: fitted.frequency)
    """The frequency; `None` for irregular stamps."""

    season_length_ = FittedAttribute[int](lambda fitted: fitted.season_length)
    """Steps of a season."""

    context_length_ = FittedAttribute[int](lambda fitted: fitted.series.context_length)
    """Past steps that a forecast reads."""

    calibrations_ = FittedAttribute[tuple[Calibration, ...]](lambda fitted: fitted.calibrations)
    """The calibration of each target's intervals, when `calibrate` is true."""

    short_series_ = FittedAttribute[tuple[Any, ...]](lambda fitted: fitted.short_series)
    """Names of the series with fewer rows than a whole window, whose contexts were padded."""

    skipped_series_ = FittedAttribute[dict[Any, DataError]](lambda fitted: dict(fitted.skipped))
    """The error of each series that was left out, by name."""

    seed_ = FittedAttribute[int](lambda fitted: fitted.seed)
    """Seed of everything random: `random_state`, or a drawn one."""

    @property
    def engine_(self) -> Engine:
        """The first of the engines."""
        engines = self.fitted_.networks
        if not engines:
            raise AttributeError(
                "this forecaster repeats the last season: it has no network, and engines_ is ()"
            )
        return engines[0]

    # Fits

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

        An interruption keeps the best weights so far of a single network, and the members of an
        ensemble that have finished; before these it leaves the forecaster as it was.

        Args:
            df: A pandas or Polars frame with one row a series and time; series in any order. A
                frame without ids is one series, and so is a pandas Series or frame with an index of
                times; results have the same form. Or a table that `seqcast.tables.read_table`
                returns, whose one series has its name. Or a source that is read piece by piece: the
                path of Parquet files (one, several, a pattern such as `sales/*.parquet`, a folder),
                a `pyarrow.dataset`, a Polars `LazyFrame` or a DuckDB relation. There the rows of
                each series are contiguous.
            validation: Rows on which the best epoch is chosen: a number of last rows of each
                series; a frame of rows that follow; or `None` for the training's
                `validation_fraction`. Forecasts begin after these rows.
            mask: Rows whose values are left out, as if they were missing: a frame with their ids
                and stamps, such as `df[unusual]`, or the frame of `anomalies`, whose rows count
                where `anomaly` is true.
            warm_start: Whether training begins with the forecaster's present weights, if any,
                instead of new ones. All else is learned again, such as scaling and categories.
            callbacks: Keras callbacks of this fit alone. Observers
                (`seqcast.training.observers.Observer`) see each network. Others see the one that is
                trained on the data, and are rejected for several networks, with `checkpoint` and
                with `on`.
            checkpoint: A folder for this fit, to which each training is written every two minutes
                and at the end of epochs; a `CheckpointSpec` sets how often.
            resume: Whether to continue the trainings of `checkpoint`, if there are any, after the
                process has died. With the same data and options the fit ends as if it had never
                been interrupted.
            time_limit: Approximate time of the fit, compilation included: seconds, or a text such
                as `10 min`. The learning rate follows the time in place of the epochs, and the best
                weights are restored. Not with `checkpoint`.
            memory_limit: Memory for the rows of a source: bytes, or a text such as `512 MiB`;
                `None` is 1 GiB. The network and the names of the series come on top. Checked rows
                are in a temporary folder (`TMPDIR`) until the fit ends; it takes about 24 bytes a
                row, and 8 for each covariate.
            on: A `RayCluster` that trains: one network in all workers together, several in a worker
                each.

        Returns:
            The fitted forecaster.

        Raises:
            DataError: Something in the frame is wrong; nothing was trained.
            SpecError: An option is wrong; nothing was trained.
            TrainingError: Training diverged; this forecaster is as it was before, see the error's
                `best`.
            KeyboardInterrupt: The user interrupted.
        """
        run = TrainingRun.of(
            self.verbose, callbacks, on, time_limit=time_limit, checkpoint=checkpoint
        )
        reading = self._read_options()
        with contextlib.ExitStack() as opened:
            given = read_all(opened, reading, df, memory_limit, run.storage)
            run = run.opened(opened, checkpoint, resume=resume)
            frame, starts = with_validation(reading, given, validation, int(self.horizon))
            frame = without_masked(reading, frame, mask)
            options = self._options_of_fit(run, warm_start=warm_start)
            options = options.within(Memory.of(memory_limit).rows_remembered(given))
            plan = make_plan(frame, options, starts=starts)
            return self._publish(plan, run)

    def refit(self, df: Any, validation: Any = None) -> Self:
        """Train new networks on other rows, with the sizes that `fit` chose.

        Context length, frequency, season, calendar and network are those of the fit; scaling,
        categories and weights are learned from these rows alone.

        Args:
            df: All rows to train on.
            validation: As for `fit`.

        Returns:
            The fitted forecaster.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: Something in the frame is wrong; nothing was trained.
            TrainingError: Training diverged; this forecaster is as it was before, see the error's
                `best`.
            KeyboardInterrupt: The user interrupted.
        """
        fitted = self.fitted_
        reading = self._read_options()
        frame, starts = with_validation(
            reading, fitted.read(df, static_optional=False), validation, int(self.horizon)
        )
        return self._publish(plan_refit(frame, fitted, self._resolved_again(fitted), starts))

    def finetune(
        self,
        df: Any,
        *,
        freeze: Sequence[str] = (),
        training: TrainingSpec | Mapping[str, Any] | None = None,
        validation: Any = None,
    ) -> Self:
        """Train the networks on some series, from their present weights.

        Known series keep their scaling, new ones are scaled by their own training rows. Remembered
        rows of known series precede the new ones. Intervals are calibrated again. The pretrained
        network stays as it was where the fine-tuned one is worse on the validation rows;
        `preset="pretrained"` needs no earlier `fit`, and learns to read covariates.

        Args:
            df: Rows of new series, or of known ones: newer rows, or some rows of `fit` again up to
                the last.
            freeze: Submodules of the network that stay as they are: some of `encoder`, `decoder`,
                `head`.
            training: A spec, or the fields that differ from the training of the fit; `None` takes a
                tenth of its learning rate, or for the pretrained network
                `seqcast.pretrained.finetuning.finetune_training`.
            validation: As for `fit`.

        Returns:
            This forecaster.

        Raises:
            NotFittedError: `fit` was not called, and the preset is not `pretrained`.
            DataError: Something in the frame is wrong; nothing was trained.
            SpecError: An option is wrong; nothing was trained.
            TrainingError: Training diverged; this forecaster is as it was before, see the error's
                `best`.
            KeyboardInterrupt: The user interrupted.
        """
        check_submodules(freeze)
        if self._fitted is None and is_zero_shot(self.preset):
            reading = self._read_options()
            frame, starts = with_validation(
                reading, read_rows(reading, df), validation, int(self.horizon)
            )
            fitted = untrained(frame, self._resolved(self._seed(), 1), starts)
        else:
            fitted = self.fitted_

        if not fitted.networks:
            reject_without_network("finetune")

        frame, starts = with_validation(
            fitted.reading, fitted.read(df), validation, int(self.horizon)
        )
        new = in_memory(frame, "df")
        options = self._resolved_again(fitted)
        return self._publish(
            plan_finetuning(new, fitted, options, training=training, freeze=freeze, starts=starts)
        )

    def update(self, df: Any) -> Self:
        """Append rows to the remembered series without a training; known series keep their scale.

        Args:
            df: Rows that follow those of known series, or rows of new series, which are scaled by
                these.

        Returns:
            This forecaster; `predict` continues from the new rows.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: Something in the frame is wrong, or rows do not follow.
        """
        self._fitted = self.fitted_.updated(df)
        return self

    def _read_options(self) -> ReadOptions:
        """Check all options, and return how frames are read."""
        check_options(self)
        return ReadOptions.of(self)

    def _seed(
        self, before: FittedForecaster | None = None, folder: CheckpointFolder | None = None
    ) -> int:
        """Return the seed of a training: the user's, an earlier fit's, the folder's or new."""
        if self.random_state is not None:
            return int(self.random_state)
        seed = fresh_seed() if before is None else before.seed
        return seed if folder is None else folder.seed(seed)

    def _resolved(self, seed: int, members: int | None = None) -> FitOptions:
        """Return the options resolved for a fit; `members` is the number of networks, if known."""
        return FitOptions.resolve(self, seed, members)

    def _options_of_fit(self, run: TrainingRun, *, warm_start: bool) -> FitOptions:
        """Return the options resolved for a fit."""
        engines = self._fitted.trained_networks if warm_start and self._fitted is not None else ()
        members = len(engines) if self.effort == "best" and engines else None
        options = self._resolved(self._seed(folder=run.folder), members).continuing(engines)

        return options.trained() if warm_start or run.asks_for_training else options

    def _resolved_again(self, fitted: FittedForecaster) -> FitOptions:
        """Return the options resolved for a later training of as many networks."""
        return self._resolved(self._seed(fitted), max(1, len(fitted.trainings)))

    @shows_tasks
    def _publish(self, plan: FitPlan, run: TrainingRun | None = None) -> Self:
        """Run a plan and publish the fitted value by one assignment."""
        if self.verbose:
            say(plan.describe(), is_result=True)
        try:
            self._fitted = fitted = fit_plan(plan, run or TrainingRun(self.verbose))
        except InterruptedFit as interruption:
            self._fitted = interruption.fitted
            raise
        except TrainingError as error:
            error.best = None if error.best is None else self.with_fitted(error.best)
            raise
        if self.verbose and plan.comparison is not None:
            say(f"seqcast: forecasts are made with {fitted.choice}", is_result=True)
        return self

    def describe(self, df: Any) -> PlannedFit:
        """Describe a frame and the settings of its fit, whatever is wrong with its rows.

        Args:
            df: As for `fit`.

        Returns:
            Facts about the series and the settings of a fit; print it, or take its `to_dict()`.

        Raises:
            DataError: Something in the frame is wrong.
            SpecError: An option is wrong.
        """
        check_options(self)
        facts = described(self, df)
        plan = make_plan(
            facts.frame, self._resolved(0 if self.random_state is None else int(self.random_state))
        )
        return PlannedFit(facts, planned(plan, self))

    # Forecasts

    @overload
    def predict(
        self,
        horizon: Any = None,
        df: Frame | None = None,
        future: Any = None,
        level: Any = None,
        samples: Any = None,
    ) -> Frame: ...

    @overload
    def predict(self, *args: Any, **options: Any) -> Any: ...

    @shows_tasks
    def predict(
        self,
        horizon: int | None = None,
        df: Any = None,
        future: Any = None,
        level: Sequence[float] | float | None = None,
        samples: int | None = None,
        *,
        total: str | int | None = None,
        total_over: str = "steps",
        output: str | os.PathLike[str] | None = None,
        memory_limit: int | str | None = None,
        on: Cluster | None = None,
    ) -> Any:
        """Forecast the steps that follow each series' last row.

        Args:
            horizon: Number of steps, shorter or longer than trained; `None` is the trained one, or
                with irregular stamps that of `future`.
            df: Rows to forecast from, if not those of `fit`: rows of known series, which follow the
                remembered ones and keep the scaling of the fit; or rows of new series, which are
                scaled by these. A source, as for `fit`, is forecast piece by piece.
            future: The future steps, one row a series and step, with the future covariates; with
                irregular stamps, the stamps to forecast. Rows of other series and stamps are
                ignored.
            level: Levels of the intervals, in per cent: any for a network that forecasts a
                distribution, otherwise some of those that it was trained or calibrated for. `None`
                is all of them.
            samples: Number of sample paths to draw instead of a point and intervals. Each step has
                the quantiles of the forecast, calibrated and within the support; steps depend on
                each other as on the validation rows.
            total: Sums in place of steps: of `all` steps, a number of steps each, or each period,
                such as `W` or `M` (a pandas alias). The point is the median of the sum, or with
                `point="mean"` and of counts the mean.
            total_over: `steps` sums up each series; `series` sums up all series of the frame too,
                which end at the same time. Series depend on each other as on the validation rows.
            output: A folder to which the forecasts are written, in numbered Parquet files, each
                whole or not at all. After an interruption, a call with the same arguments writes
                the missing ones.
            memory_limit: As for `fit`; with `on` that of each worker.
            on: A `RayCluster` whose workers forecast the series of a file each, and write them to
                `output`.

        Returns:
            The path of `output`, if there is one. Else a frame of the kind that came in, sorted by
            `unique_id`: `unique_id`, `ds`, the forecast and the bounds of its intervals, such as
            `seqcast-lo-80` and `seqcast-hi-80`; with several targets, sorted by `target` too. Of
            sample paths: `unique_id`, `ds`, `sample` (from 1) and the path's value, path after
            path. Of totals: as of steps, with the last stamp of each sum and its number of `steps`.
            Forecasts from a source are in its order.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: Something in a frame is wrong, or `future` does not cover the horizon.
            SpecError: There are no intervals of a level, or no paths of a network that forecasts a
                point.
        """
        fitted = self.fitted_

        horizon = None if horizon is None else check_int("horizon", horizon)
        samples = None if samples is None else check_int("samples", samples)
        for name, given in (("level", level), ("total", total)):
            if samples is not None and given is not None:
                raise SpecError(
                    name,
                    expected="None with samples",
                    received=repr(given),
                    hint="Ask for one of the two.",
                )

        sums = Total(total, total_over)
        request = fitted.request(level)
        if total is not None:
            forecast = functools.partial(forecast_totals, fitted, request=request, total=sums)
        elif samples is None:
            forecast = functools.partial(fitted.forecast, request=request)
        else:
            forecast = functools.partial(fitted.paths, samples=samples)
        forecast = functools.partial(forecast, horizon=horizon, future=future)

        arguments = {
            "horizon": horizon,
            "level": request.level,
            "samples": samples,
            "future": future,
        }
        arguments |= {"total": total, "total_over": total_over}

        on = check_cluster(on)
        return predicted(
            fitted, df, forecast, arguments, output=output, memory_limit=memory_limit, on=on
        )

    @shows_tasks
    def scenarios(
        self,
        futures: Mapping[str, Any],
        horizon: int | None = None,
        df: Any = None,
        level: Sequence[float] | float | None = None,
        *,
        total: str | int | None = None,
        total_over: str = "steps",
    ) -> Any:
        """Forecast several futures, such as plans of prices, and how they differ from the first.

        Args:
            futures: The future steps of each scenario, as for `predict`, by its name.
            horizon: As for `predict`.
            df: As for `predict`, without sources.
            level: As for `predict`.
            total: As for `predict`.
            total_over: As for `predict`.

        Returns:
            A frame like that of `predict`, scenario after scenario, with the columns `scenario` and
            `difference`: the forecast less that of the first scenario, with the bounds of its
            intervals. Those compare paths that differ in the known future alone. They say how the
            effect varies, not how well the network has learned it.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: Something in a frame is wrong, or a future does not cover the horizon.
            SpecError: There are no scenarios, no intervals of a level, or no such periods.
        """
        fitted = self.fitted_
        sums = Total(total, total_over)
        horizon = None if horizon is None else check_int("horizon", horizon)
        frame = fitted.rows_to_forecast(df)
        return compare_scenarios(
            fitted, frame, futures, fitted.request(level), sums, horizon=horizon
        )

    @overload
    def backtest(
        self,
        df: Frame,
        n_windows: int = 1,
        step_size: int | None = None,
        *,
        align: str = "time",
        refit: Any = False,
    ) -> Frame: ...

    @overload
    def backtest(self, df: Any, *args: Any, **options: Any) -> Any: ...

    @shows_tasks
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
        """Forecast a frame's own past from several cutoffs, with the truth.

        A clone is trained on rows up to the first cutoff; later cutoffs give it newer rows to
        forecast from, until `refit` trains another clone. This forecaster does not change. Future
        covariates are read from the frame.

        Args:
            df: As for `fit`.
            n_windows: Number of cutoffs.
            step_size: Steps from one cutoff to the next; `None` is the horizon.
            align: `time` cuts all series at the same time stamps, counted from the latest one, so
                that no series shows another's future; one that ends before a cutoff, or begins
                after it, has no rows there. `series` counts from each series' own end.
            refit: `False` trains once, at the first cutoff; `True` trains a fresh clone at every
                cutoff, with the same seeds; a whole number `n` at every `n`-th cutoff, from the
                first on. Trainings run side by side, those of `effort="best"` cutoff after cutoff.
                `"never"` takes this forecaster's own networks, and cutoffs from the last stamp of
                their fit on.
            checkpoint: As for `fit`, for all trainings.
            resume: As for `fit`.
            time_limit: As for `fit`, for all trainings together.
            output: As for `predict`. The trainings continue by `checkpoint` and `resume`.
            memory_limit: As for `fit`.
            on: As for `fit`; several trainings are those of different cutoffs too.

        Returns:
            The path of `output`, if there is one. Else a frame of the kind that came in:
            `unique_id`, `ds`, `cutoff` (the last stamp that was known), `step` (1 is the first
            after it), `y`, the forecast and its intervals, and the forecasts `seasonal_naive` (the
            last season, or the last longer season where that erred less in the rows before the
            cutoff) and `last_value`; a row for each step whose truth is known.

        Raises:
            DataError: Something in the frame is wrong, or a series is too short before the first
                cutoff.
            SpecError: An option is wrong; nothing was trained.
            NotFittedError: `refit="never"` and `fit` was not called.
            TrainingError: Training diverged.
            KeyboardInterrupt: The user interrupted; nothing has changed.
        """
        run = TrainingRun.of(self.verbose, None, on, time_limit=time_limit, checkpoint=checkpoint)
        reading = self._read_options()
        every = refit_every(refit)
        before = self.fitted_ if every is None else None
        series = None if before is None else before.series
        cutoffs = {"n_windows": n_windows, "step_size": step_size, "align": align}

        with contextlib.ExitStack() as opened:
            run = run.opened(opened, checkpoint, resume=resume)
            df, source = SourceRows.of(reading, df, memory_limit, series)
            written: OutputFolder | None = None
            if output is not None:
                job = {"job": "backtest", **cutoffs, "refit": every, "options": self._written_out()}
                written = OutputFolder.opened(output, job | digests(before, df, source))

            if source is None:
                frame: AnyFrame = read_rows(reading, df, series)
            else:
                piece_rows = None if written is None else written.piece_rows
                frame = source.sharded(opened, piece_rows=piece_rows, storage=run.storage)

            backtest = self._backtest(frame, **cutoffs, every=every)
            if before is None:
                options = self._options_of_backtest(run, written)
                options = options.within(Memory.of(memory_limit).rows_remembered(frame))
                fits = fits_at(backtest.frames, options, self._fitted, run)
            else:
                backtest.check_after(before)
                fits = [before]

            shards = range(len(backtest.origins))
            table = functools.partial(backtest.table, fits)
            return gathered(table, shards, written, run.on)

    def _written_out(self) -> str:
        """Return the arguments that a backtest depends on, as text."""
        given = self.get_params(deep=False).items()
        return ", ".join(f"{name}={value!r}" for name, value in given if name != "verbose")

    def _options_of_backtest(self, run: TrainingRun, written: OutputFolder | None) -> FitOptions:
        """Return the options resolved for the fits of a backtest."""
        seed = self._seed(self._fitted, run.folder)
        options = self._resolved(seed if written is None else written.seed(seed))
        return options.trained() if run.asks_for_training else options

    def _backtest(self, frame: AnyFrame, **how: Any) -> Backtest:
        return Backtest.of(frame, int(self.horizon), complete=self.missing == "raise", **how)

    # Explanations

    @shows_tasks
    def predict_insample(self, df: Frame | None = None, *, step_size: int = 1) -> Frame:
        """Forecast the rows that the networks were trained on, with the truth.

        These forecasts show how well the networks fit, not how well they forecast; use `backtest`
        for that.

        Args:
            df: Rows of known or new series; `None` takes those of `fit`, which a loaded forecaster
                does not have.
            step_size: Steps from one cutoff to the next, counted from each series' end.

        Returns:
            A frame like that of `backtest`, without naive forecasts; a row for each step whose
            truth is known.

        Raises:
            NotFittedError: `fit` was not called, or the forecaster was loaded.
            DataError: Something in the frame is wrong, or no series is long enough.
        """
        forecast: Frame = explain.in_sample(self.fitted_, df, step_size)
        return forecast

    @shows_tasks
    def anomalies(self, df: Frame | None = None, level: float = 99) -> Frame:
        """Find anomalies: rows outside the interval of a forecast from the rows before them.

        Forecasts begin one horizon after another, counted from each series' end, so that each row
        is scored once. The first rows of a series are not scored: the context of a trained network,
        or two seasons where none is trained. Intervals are calibrated on the errors of these
        forecasts (see `seqcast.intervals.unusual`): about `100 - level` per cent of usual rows lie
        outside. Where later forecasts read anomalies, their forecasts replace them.

        Args:
            df: Rows to score, with those before them that a context reads; `None` takes those of
                `fit`.
            level: Level of the intervals, in per cent.

        Returns:
            A frame of the kind that came in, a row for each known value that was scored:
            `unique_id`, `ds`, `cutoff`, `step`, `y`, the forecast and the bounds of its interval,
            `score` (the number of standard deviations at which normal values are as rare; the bound
            of level 99 is at 2.58), `anomaly` (whether it lies outside) and `trained_on` (whether
            the networks were trained on it; such errors are smaller).

        Raises:
            NotFittedError: `fit` was not called, or the forecaster was loaded and `df` is missing.
            DataError: Something in the frame is wrong, or there are too few rows.
            SpecError: There is no such level.

        Example:
            >>> from seqcast.data.datasets import load
            >>> from seqcast.forecaster.estimator import Forecaster
            >>> from seqcast.specs.network import NetworkSpec
            >>> tiny = NetworkSpec(encoder_units=(4,), decoder_units=(4,), normalise="last")
            >>> options = {"preset": tiny, "training": {"epochs": 1}, "random_state": 0}
            >>> forecaster = Forecaster(12, **options, verbose=0)
            >>> scored = forecaster.fit(load("elnino")).anomalies()
            >>> list(scored.columns[3:])
            ['step', 'y', 'seqcast', 'seqcast-lo-99', 'seqcast-hi-99', 'score', 'anomaly',
             'trained_on']
        """
        scored: Frame = find_anomalies(self.fitted_, df, level)
        return scored

    def model_inputs(
        self,
        df: Any = None,
        *,
        step_size: int | None = None,
        horizon: int | None = None,
        future: Any = None,
        member: int = 1,
    ) -> ModelInputs:
        """Return the inputs of a network, to look inside it with `seqcast.inspect`.

        Args:
            df: Rows of known or new series; `None` takes the remembered ones, or with `step_size`
                those of `fit`.
            step_size: Steps from one window to the next, counted back from the last one whose truth
                is among the rows; `None` is one window a series, that of `predict`.
            horizon: Number of steps; `None` is the trained one.
            future: The future steps, as for `predict`; without `step_size` only.
            member: Which network of an ensemble, from 1.

        Returns:
            The windows, in the network's units, labelled by series and cutoff.

        Raises:
            NotFittedError: `fit` was not called, or a loaded forecaster needs the rows of `fit`.
            DataError: Something in a frame is wrong, or no series is long enough.
            SpecError: There is no such member, or both `step_size` and `future` are given.
        """
        return explain.model_inputs(
            self.fitted_, df, step_size, horizon, future=future, member=member
        )

    @shows_tasks
    def covariate_importance(
        self, df: Any = None, *, metric: str = "mae", repeats: int = 10, seed: int = 0
    ) -> pd.DataFrame:
        """Return the permutation importance of covariates on rows that were not trained on.

        Args:
            df: Rows to evaluate on, with the context before them; only windows after the training
                rows count. `None` takes the rows of `fit`, of which the validation rows count.
            metric: `mae`, `mse` or `rmse`, in scaled units.
            repeats: Number of permutations.
            seed: Seed of the permutations.

        Returns:
            A pandas frame as from `seqcast.inspect.covariate_importance`; the mean of an ensemble's
            networks. Features of the calendar count as covariates.

        Raises:
            NotFittedError: `fit` was not called, or a loaded forecaster needs rows.
            DataError: Something in the frame is wrong, there are no covariates, or too few
                untrained windows.
        """
        return explain.covariate_importance(
            self.fitted_, df, metric=metric, repeats=repeats, seed=seed
        )

    def explain(self, df: Any = None, future: Any = None, horizon: int | None = None) -> Any:
        r"""Return what each future covariate adds to the forecast, and the rest.

        .. math:: \hat y = f^{-1}(z), \quad
            a_j = e_j\, \frac{f^{-1}(z) - f^{-1}(z - \sum_k e_k)}{\sum_k e_k}

        with the effects `e` of the covariates on the point `z` in scaled units, and the scaling
        `f`. Rest and additions sum to the point; only bounds of the support are not divided.

        Args:
            df: As for `predict`.
            future: As for `predict`.
            horizon: As for `predict`.

        Returns:
            A frame of the kind that came in: `unique_id`, `ds`, the point (`seqcast`), the rest
            (`seqcast-rest`), and a column for each future covariate. A covariate that did not help
            on the hold-out windows adds 0.

        Raises:
            NotFittedError: `fit` was not called.
            SpecError: A network that was trained on the covariates has a share of the forecast.
            DataError: Something in a frame is wrong.

        Source: Aumann and Shapley 1974, Values of non-atomic games, for the division of what is not
            linear.

        Example:
            >>> import numpy as np
            >>> import pandas as pd
            >>> promotion = np.random.default_rng(0).random(94) < 0.2
            >>> days = pd.date_range("2025-01-01", periods=94)
            >>> values = 50.0 + 30 * promotion
            >>> sales = pd.DataFrame({"ds": days, "promotion": promotion, "y": values})
            >>> options = {"preset": "pretrained", "future_covariates": ["promotion"]}
            >>> forecaster = Forecaster(4, **options, verbose=0)
            >>> explained = forecaster.fit(sales[:90]).explain(future=sales[90:])
            >>> explained[["seqcast-rest", "promotion"]].round().values.tolist()
            [[50.0, 0.0], [50.0, 0.0], [50.0, 28.0], [50.0, 0.0]]
        """
        return explain.contributions(self.fitted_, df, future, horizon)

    def encode(self, df: Frame | None = None) -> Frame:
        """Return the encoder's state after the last row of each series.

        Args:
            df: Rows to read, as for `predict`; `None` takes the remembered ones.

        Returns:
            A frame of the kind that came in, a row a series: `unique_id`, `ds` (the last stamp that
            was read) and the numbers `state_1`, `state_2`, …, layer after layer, member after
            member.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: Something in the frame is wrong.
        """
        states: Frame = self.fitted_.states(df)
        return states

    def attention(
        self, df: Frame | None = None, future: Any = None, horizon: int | None = None
    ) -> Frame:
        """Return the attention weights of each forecast step over the steps of the past.

        Args:
            df: As for `predict`.
            future: As for `predict`.
            horizon: As for `predict`.

        Returns:
            A frame of the kind that came in, sorted by series, step and past step: `unique_id`,
            `ds` (of the forecast), `past_ds` and `weight`, which sum to one over the past steps;
            with several members their mean. A network that reads segments has one weight a segment,
            at its last step.

        Raises:
            NotFittedError: `fit` was not called.
            SpecError: The network has no attention.
            DataError: Something in a frame is wrong.
        """
        weights: Frame = explain.attention(self.fitted_, df, future, horizon)
        return weights

    # Files

    @shows_tasks
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
        """Write a report as one HTML page that needs no other file.

        It shows the series with their forecasts, the scores of a backtest and of naive forecasts,
        and the largest errors. The importance of covariates, the training curve and all settings
        follow.

        Args:
            path: Path of the page, which appears whole or not at all.
            df: The rows to forecast from; `None` takes those of `fit`, which a loaded forecaster
                does not have.
            future: As for `predict`; without it a forecaster that needs it, for future covariates
                or irregular stamps, shows no forecast.
            backtest: A frame from `backtest`, perhaps with other models' forecasts.
            n_windows: Cutoffs of a backtest where none is given; it trains once more. 0 for none.
            title: Title of the page.
            unit: Unit of the values.
            max_series: Most series that are drawn.

        Raises:
            NotFittedError: `fit` was not called, or the forecaster was loaded and `df` is missing.
            DataError: Something in a frame is wrong; nothing was written.
            SaveError: The file could not be written.
        """
        fitted = self.fitted_
        frame = fitted.rows_of_fit(df)
        if check_int("n_windows", n_windows, at_least=0) and backtest is None:
            cutoffs = self._backtest(frame, n_windows=n_windows)
            options = self._resolved(self._seed(fitted))
            backtest = cutoffs.table(fits_at(cutoffs.frames, options, fitted, TrainingRun()), 0)
        shown = {"title": title or "Forecast report", "unit": unit, "max_series": max_series}
        write_report(fitted, df, frame, self, path=path, future=future, backtest=backtest, **shown)

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        horizon: int | str | None = None,
        scaling: str = "past",
    ) -> None:
        """Write the forecaster to one ONNX file, which forecasts series from their raw past.

        The file fills gaps, scales, forecasts, calibrates and returns to the data's units. It reads
        `past`, the values of each window, `[batch, time]` of any length (`[batch, time, D]` with
        several targets), NaN where one is missing; where the forecaster has a calendar also
        `stamps` and `future_stamps`, seconds since 1970, and where it has covariates their encoded
        features, named in the file's metadata. It returns `point`, `[batch, horizon]`, and
        `quantiles`, `[batch, horizon, Q]`, in rising order.

        Args:
            path: Path of the file, which appears whole or not at all.
            horizon: Steps to forecast: a number, `any` for an input named `horizon`, or `None` for
                the trained one.
            scaling: `past` scales each window by all of its values, as `predict(df=…)` does a new
                series. `given` reads `loc` and `scale` (and `unit` of logarithms), `[batch, D]`
                each, such as those of a known series in `series_state_.scaler`.

        Raises:
            NotFittedError: `fit` was not called.
            SpecError: An option is impossible, or the forecaster has a component that ONNX has no
                operators for.
            MissingPackageError: The package `ndonnx` is not installed.
            SaveError: The file could not be written.
        """
        self.fitted_.export(path, horizon=horizon, scaling=scaling)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted forecaster to a file.

        Args:
            path: Path of the file, which appears whole or not at all.

        Raises:
            NotFittedError: `fit` was not called.
            SpecError: The training has a function, which cannot be written to a file.
            SaveError: The file could not be written.
        """
        fitted = self.fitted_
        freq = None if self.freq is None else fitted.frequency
        write_forecaster(path, {**self.get_params(deep=False), "freq": freq}, fitted)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, max_size: Any = None) -> Self:
        """Read a fitted forecaster from a file; its forecasts are the identical numbers.

        Args:
            path: A file that `save` wrote.
            max_size: Largest size of the file: bytes, or a text such as `8 GB`; `None` is 4 GB.

        Returns:
            The forecaster.

        Raises:
            MissingFileError: There is no such file.
            FileFormatError: It is not the file of a forecaster, or is too large.
            SpecError: `max_size` is no size.
        """
        options, fitted = read_forecaster(path, cls._get_param_names(), max_size=max_size)
        return cls(**options).with_fitted(fitted)
