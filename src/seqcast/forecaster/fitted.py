"""A fitted forecaster: all that a fit has learned, as one frozen value that forecasts."""

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from seqcast.data.frames import ClosedSteps, LongFrame, Stamps, as_ids, read_future
from seqcast.data.windows import Origins, WindowReader, forward_fill
from seqcast.engine import Engine
from seqcast.errors import DataError, NotFittedError, Option, Phrase, SpecError
from seqcast.forecaster.blend import Blend
from seqcast.forecaster.candidates import FittedCandidate
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.cold_start import ColdStart, Panel, with_blank_rows
from seqcast.forecaster.copulas import CopulaSource, KnownCopula
from seqcast.forecaster.options import ForecastOptions, ReadOptions
from seqcast.forecaster.reading import check_future_given, frame_of, read_rows, warn_of_unknown
from seqcast.forecaster.series_state import OwnedSeries, SeriesState
from seqcast.intervals import Calibration, Copula, ForecastRequest, check_levels, check_trained
from seqcast.runtime import Array
from seqcast.specs import TrainingSpec, check_int
from seqcast.training import History

# Fewest rows before a forecast of the past, also without a season.
LEAST_ROWS_BEFORE = 8


@dataclass(frozen=True)
class StepsAhead:
    """The future steps of a forecast.

    Args:
        stamps: Their stamps, `H` of each series, series after series.
        reader: The window reader of the series.
        origins: Where the forecasts begin, with the features of the known future.
        exist: Which of them are steps, `[N, H]`; irregular series may have fewer than others.
        cold: The series with borrowed rows, if any borrows.
    """

    stamps: Stamps
    reader: WindowReader
    origins: Origins
    exist: Array
    cold: ColdStart | None = None

    @property
    def of_targets(self) -> Array:
        """Which of them are steps of each target, `[N, H, D]`."""
        return np.broadcast_to(
            self.exist[:, :, None], (*self.exist.shape, self.reader.scaler.loc.shape[1])
        )


@dataclass(frozen=True, eq=False)
class FittedForecaster:
    """Everything that a forecaster has learned by `fit`, with the methods that use it.

    It never changes: `fit`, `update`, `refit` and `finetune` of a `Forecaster` make another one.
    Threads that predict therefore see the old one or the new one, never a mixture.

    Args:
        series: Scaling and last rows of each series, and how rows become features.
        season_length: Steps of a season.
        seed: Seed of everything random, drawn where `random_state` is `None`.
        choice: The shares of the candidates, and their hold-out losses.
        candidates: The candidates that share the forecast.
        reading: How frames are read.
        forecasting: The defaults of a forecast.
        calibrations: The calibration of each target's intervals; empty for none.
        short_series: Names of the series whose contexts were padded in training.
        skipped: The error of each series that was left out, by name.
        tried: The training history of a network without a share, where no candidate with one was
            trained.
        copula_source: The copula of sample paths, or the windows that it is learned from.
        frame: The rows of the fit; `None` in a loaded forecaster, and where they were read from
            files.
    """

    series: SeriesState
    season_length: int
    seed: int
    choice: Choice
    candidates: tuple[FittedCandidate, ...]
    reading: ReadOptions
    forecasting: ForecastOptions
    calibrations: tuple[Calibration, ...] = ()
    short_series: tuple[Any, ...] = ()
    skipped: Mapping[Any, DataError] = field(default_factory=dict)
    tried: History = field(default_factory=History)
    copula_source: CopulaSource = field(default_factory=KnownCopula)
    frame: LongFrame | None = None

    # Properties

    @property
    def by_learning(self) -> tuple[FittedCandidate, ...]:
        """The candidates, those that learn from the data alone before others."""
        return self.candidates[::-1]

    @property
    def networks(self) -> tuple[Engine, ...]:
        """The engine of each network: those trained on the data, then the pretrained one."""
        return tuple(engine for candidate in self.by_learning for engine in candidate.networks)

    @property
    def trained_networks(self) -> tuple[Engine, ...]:
        """The engine of each network that learned from the data alone."""
        return tuple(
            engine for each in self.by_learning if each.trainings for engine in each.networks
        )

    @property
    def histories(self) -> tuple[History, ...]:
        """The training history of each network."""
        return tuple(
            history for candidate in self.by_learning for history in candidate.histories
        ) or (self.tried,)

    @property
    def trainings(self) -> tuple[TrainingSpec, ...]:
        """The training of each network that learned from the data alone."""
        return tuple(training for candidate in self.by_learning for training in candidate.trainings)

    @property
    def frequency(self) -> str | int | None:
        """Name of the step between stamps; `None` for irregular ones."""
        return None if self.series.frequency is None else self.series.frequency.name

    @property
    def is_probabilistic(self) -> bool:
        """Whether a distribution is forecast, not only a point and intervals around it."""
        by_candidate = [each.is_probabilistic for each in self.candidates if not each.intervals]
        return bool(by_candidate) and all(by_candidate)

    @property
    def can_draw(self) -> bool:
        """Whether it has intervals, so that sample paths can be drawn."""
        return bool(self.calibrations) or all(
            each.is_probabilistic or each.intervals for each in self.candidates
        )

    @property
    def context_length(self) -> int | None:
        """Steps of past that a candidate needs; `None` where they take any number."""
        return max(
            [each.context_length for each in self.candidates if each.context_length is not None],
            default=None,
        )

    @property
    def rows_before(self) -> int:
        """Rows that a series has before the first forecast of its past.

        They are the context of a trained network. Without one they are two seasons, and eight at
        least: the pretrained network may read more, but needs no more. Where no window may be
        padded, they are a whole context.
        """
        if not self.series.fill:
            return self.series.context_length
        return self.context_length or min(
            self.series.context_length, max(2 * self.season_length, LEAST_ROWS_BEFORE)
        )

    @property
    def blend(self) -> Blend:
        """The forecast that the candidates share."""
        shares = [self.choice.shares[each.name] for each in self.candidates]
        return Blend(self.candidates, shares, self.calibrations, self.series.support)

    @property
    def copula(self) -> Copula:
        """The dependence of sample paths over steps and series, learned when it is first read."""
        return self.copula_source.copula

    def blend_of(self, steps: StepsAhead) -> Blend:
        """Return the blend for steps ahead; series with borrowed rows have wider intervals.

        Args:
            steps: The steps.
        """
        return replace(self.blend, cold=steps.cold)

    def trained_rows(self, frame: LongFrame) -> Array:
        """Return which rows of a frame the networks were trained on, a mask `[rows]`.

        Args:
            frame: The series.
        """
        if any(each.is_trained for each in self.candidates):
            return self.series.trained_rows(frame)
        return np.zeros(len(frame.stamps), dtype=bool)

    # Rows

    def read(self, df: Any, **how: Any) -> LongFrame:
        """Read and check a frame of rows that follow, see `seqcast.forecaster.reading.read_rows`.

        Args:
            df: The frame.
            **how: Other arguments of `read_rows`.
        """
        return read_rows(self.reading, df, self.series, **how)

    def rows_to_forecast(self, df: Any = None) -> LongFrame:
        """Return the rows to forecast from: the remembered ones, followed by newer ones.

        Args:
            df: The newer rows, if any; without stamps and values it names new series.
        """
        if df is None:
            return self.series.frame
        empty = self.panel.lends
        return self.series.with_history(
            self.read(with_blank_rows(self.series, df) if empty else df), empty=empty
        )

    @functools.cached_property
    def panel(self) -> Panel:
        """The series that those with few rows borrow from."""
        return Panel(self.series, max(2 * self.season_length, LEAST_ROWS_BEFORE))

    def rows_of_fit(self, df: Any = None) -> LongFrame:
        """Return some rows, or else those of the fit.

        Args:
            df: The rows; `None` takes those of the fit.

        Raises:
            NotFittedError: The rows of the fit are not in memory.
        """
        if df is not None:
            return self.read(df)
        if self.frame is None:
            raise NotFittedError(
                "df",
                expected="the rows of fit",
                received="a forecaster that was loaded, or fitted to files",
                hint="Files hold no rows; give them.",
            )
        return self.frame

    def past_windows(
        self, df: Any, step_size: Any, horizon: int | None = None
    ) -> tuple[LongFrame, Origins]:
        """Return rows and origins among them, each with a whole horizon after it.

        Args:
            df: The rows; `None` takes those of the fit.
            step_size: Rows from one origin to the next.
            horizon: Number of steps; `None` is the trained one.

        Raises:
            NotFittedError: The rows of the fit are not in memory.
            DataError: Something in the frame is wrong, or no series is long enough.
        """
        frame = self.rows_of_fit(df)
        steps = self.forecasting.horizon if horizon is None else horizon
        origins = Origins.every(frame, steps, self.rows_before, check_int("step_size", step_size))
        return self.series.checked(frame), origins

    def steps_ahead(
        self,
        frame: LongFrame,
        future: Any = None,
        horizon: int | None = None,
        panel: Panel | None = None,
    ) -> StepsAhead:
        """Return the steps after the last row of each series, with their known features.

        Args:
            frame: The series to forecast, categories numbered as at fit.
            future: The user's frame of future steps, or `None`.
            horizon: Number of steps; `None` is the trained one, with irregular stamps all that the
                frame has.
            panel: The series that those with few rows borrow from; `None` takes the remembered
                ones.

        Raises:
            DataError: The frame is missing, not needed or wrong, or does not cover the horizon; or
                a context is too short.
        """
        series = self.series
        columns = frame.schema.columns
        last = frame.last_stamps
        known = series.builder.future
        frequency = series.frequency
        names = series.builder.future.names
        check_future_given(future, columns, names, needed=bool(names) or frequency is None)

        ids = frame.source.ids
        gaps = series.fill
        known_rows = frame_of(future, ids)
        read = functools.partial(
            read_future, known_rows, columns, names, ids, like=frame.stamps, gaps=gaps
        )

        if frequency is None:
            rows = read()
            stamps, values, exist = rows.after(last, horizon)
            values = known.align(values, rows.kinds, "future", ids.__getitem__)
        else:
            steps = self.forecasting.horizon if horizon is None else horizon
            stamps = frequency.following(last, steps)
            exist = np.ones((len(frame.source), steps), dtype=bool)
            values = np.zeros((*exist.shape, 0))
            if names:
                rows = read()
                closed = ClosedSteps.of(frame, frequency) if gaps else None
                values = known.align(rows.at(stamps, closed), rows.kinds, "future", ids.__getitem__)
                warn_of_unknown(values, names, ids)

        features = series.builder.future_features(values, stamps, last)
        cold = ColdStart.of(self.panel if panel is None else panel, frame)
        origins = Origins.at_ends(frame if cold is None else cold.frame, exist.shape[1], features)
        reader = self._reader(frame, origins, cold)

        if reader.future:
            # Gaps are filled forward, from the past where needed.
            before = reader.last_future(origins.series, origins.stops)[:, None]
            origins = replace(
                origins, future=forward_fill(np.concatenate([before, features], axis=1))[:, 1:]
            )
        return StepsAhead(stamps, reader, origins, exist, cold)

    def _reader(self, frame: LongFrame, origins: Origins, cold: ColdStart | None) -> WindowReader:
        """Return the window reader of series, of which some may have borrowed rows."""
        if cold is None:
            return self.series.reader(frame, origins)
        return cold.rescaled(self.series.reader(cold.frame, origins), self.series.scale)

    # Forecasts

    def request(self, level: Sequence[float] | float | None = None) -> ForecastRequest:
        """Return a forecast request, and reject levels without intervals.

        Args:
            level: Levels of the intervals; `None` takes those of the fit.

        Raises:
            SpecError: There are no intervals of a level.
        """
        with_intervals = (
            self.is_probabilistic
            or self.calibrations
            or any(each.intervals for each in self.candidates)
        )
        fitted = self.forecasting.level if with_intervals else ()
        if level is None:
            return ForecastRequest(self.forecasting.point, fitted)
        levels = check_levels(level)
        if self.calibrations:
            check_trained(levels, fitted, hint=Phrase("Fit with such a ", Option("level"), "."))
        for candidate in self.candidates:
            candidate.check_levels(levels, fitted)
        return ForecastRequest(self.forecasting.point, levels)

    def forecast(self, frame: LongFrame, request: ForecastRequest, **ahead: Any) -> Any:
        """Forecast the steps after the last rows of a frame.

        Args:
            frame: The rows, see `rows_to_forecast`.
            request: Point and intervals.
            **ahead: Other arguments of `steps_ahead`.

        Returns:
            A frame of the kind that came in.
        """
        steps = self.steps_ahead(frame, **ahead)
        forecast = self.blend_of(steps).forecast(steps.reader, steps.origins, request)
        values = request.by_column(forecast, self.forecasting.alias)
        times = {frame.schema.columns.ds: steps.stamps}
        return frame.schema.to_long(frame.source.ids, times, values, steps.of_targets)

    def for_owners(
        self,
        df: Any,
        owners: Array,
        *,
        remembered: bool = False,
        horizon: int | None = None,
        level: Sequence[float] | float | None = None,
        future: Any = None,
        future_owners: Array | None = None,
    ) -> tuple[Any, Array]:
        """Forecast series for several owners, who may own the same series with different rows.

        Each owner gets the forecasts of `forecast` for its rows alone, but for rounding in single
        precision. An error does not name the owner: call again for each alone.

        Args:
            df: A pandas frame with a column of ids, as for `Forecaster.predict`.
            owners: Number of the owner of each row, `[rows]`.
            remembered: Whether to forecast from remembered rows; `df` then only names series, by
                their ids.
            horizon: As for `Forecaster.predict`.
            level: As for `Forecaster.predict`.
            future: As for `Forecaster.predict`.
            future_owners: Number of the owner of each of its rows.

        Returns:
            A pandas frame, sorted by owner and id, and the owner of each of its rows.

        Raises:
            DataError: Something in a frame is wrong.
            SpecError: There are no intervals of a level.

        Example:
            >>> import pandas as pd
            >>> from seqcast import Forecaster
            >>> days = pd.date_range("2024-01-01", periods=29)
            >>> frame = pd.DataFrame({"unique_id": "a", "ds": days[:28], "y": np.arange(28) % 7.0})
            >>> fitted = Forecaster(2, preset="pretrained", verbose=0).fit(frame).fitted_
            >>> rows = {"unique_id": ["a", "a"], "ds": days[28:].repeat(2), "y": [2.0, 60.0]}
            >>> rows = pd.DataFrame(rows)
            >>> forecast, owners = fitted.for_owners(rows, np.array([0, 1]))
            >>> owners.tolist(), forecast["unique_id"].tolist()
            ([0, 0, 1, 1], ['a', 'a', 'a', 'a'])
        """
        request = self.request(level)
        owned = OwnedSeries.of(df, owners, self.series.schema.columns.unique_id)
        series, known = owned.copies(self.series)
        each = replace(self, series=series)
        if remembered:
            frame = series.frame.of_series(np.arange(len(series.ids)) < known)
        else:
            frame = series.with_history(each.read(owned.renamed(df)), empty=self.panel.lends)
        if future is not None and future_owners is not None:
            future = owned.renamed_future(future, future_owners)
        frame = replace(frame, schema=replace(frame.schema, id_dtype=owned.dtype))
        return owned.restored(
            each.forecast(frame, request, horizon=horizon, future=future, panel=self.panel)
        )

    def paths(self, frame: LongFrame, samples: int, **ahead: Any) -> Any:
        """Draw sample paths of the steps after the last rows of a frame.

        Args:
            frame: The rows, see `rows_to_forecast`.
            samples: Number of paths.
            **ahead: Other arguments of `steps_ahead`.
        """
        steps = self.steps_ahead(frame, **ahead)
        drawn = np.stack(list(self.drawn(frame, steps, samples)))
        return frame.schema.paths_to_long(
            frame.source.ids, steps.stamps, self.forecasting.alias, drawn, steps.of_targets
        )

    def drawn(
        self, frame: LongFrame, steps: StepsAhead, samples: int, argument: str = "samples"
    ) -> Iterator[Array]:
        """Yield the sample paths of each series, `[samples, H, D]`.

        Args:
            frame: The rows, see `rows_to_forecast`.
            steps: The steps after them.
            samples: Number of paths.
            argument: The argument that needs them.

        Raises:
            SpecError: Only a point is forecast.
        """
        if not self.can_draw:
            raise SpecError(
                argument,
                expected="a forecaster with intervals, from which paths are drawn",
                received="one that forecasts a point",
                hint=Phrase(
                    "Fit with a level, with ", Option("calibrate", True), ", or with another head."
                ),
            )
        blend = replace(self.blend_of(steps), copula=self.copula)
        return blend.paths(steps.reader, steps.origins, frame.cutoffs, samples)

    def states(self, df: Any = None) -> Any:
        """Return the encoder's state after each series' last row, as `Forecaster.encode` does.

        Args:
            df: As for `Forecaster.encode`.
        """
        frame = self.rows_to_forecast(df)
        cold = ColdStart.of(self.panel, frame)
        origins = Origins.at_ends(frame if cold is None else cold.frame, 1)
        states = self.blend.states(self._reader(frame, origins, cold), origins)
        values = {f"state_{place + 1}": column for place, column in enumerate(states.T)}
        return frame.schema.build(
            as_ids(frame.source.ids), {frame.schema.columns.ds: frame.last_stamps}, values
        )

    def export(
        self, path: str | os.PathLike[str], *, horizon: int | str | None, scaling: str
    ) -> None:
        """Write a file in ONNX; see `Forecaster.export`.

        Args:
            path: Path of the file, which appears whole or not at all.
            horizon: As for `Forecaster.export`.
            scaling: As for `Forecaster.export`.

        Raises:
            MissingPackageError: The package `ndonnx` is not installed.
            SpecError: An option is impossible, or a candidate has no operators in ONNX.
        """
        from seqcast.export import SeriesModel, write_series_model

        series = self.series
        if self.forecasting.point == "mean" and series.scaler.unit is not None:
            raise SpecError(
                "export",
                expected="point='median' with a scale of logarithms",
                received="point='mean'",
                hint="Set point, or fit with another scale.",
            )
        names, calendar = self._exported_features()
        model = SeriesModel(
            [each.export() for each in self.candidates],
            [self.choice.shares[each.name] for each in self.candidates],
            self.request(),
            scale=series.scale,
            context_length=series.context_length,
            horizon=self.forecasting.horizon,
            observed=series.observed,
            names=names,
            calendar=calendar,
            calibrations=self.calibrations,
            support=series.support,
            alias=self.forecasting.alias,
            facts={
                "frequency": self.frequency,
                "season_length": self.season_length,
                "missing": self.reading.missing,
            },
        )
        write_series_model(path, model, horizon=horizon, scaling=scaling)

    def _exported_features(self) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
        """Return the features that a file reads, and the cycles that it computes from stamps."""
        from seqcast.export import is_cyclic

        builder = self.series.builder
        targets = self.series.schema.columns.targets
        names = builder.input_names(targets)
        if not self.trainings:
            return {"past": targets, "y": targets}, ()
        calendar = builder.calendar.names
        if builder.median_gap is not None or not is_cyclic(calendar):
            return names, ()  # the file reads holidays, and the time since the step before
        for name in ("past", "future"):
            if name in names:
                names[name] = names[name][: len(names[name]) - builder.calendar.width]
        return names, calendar

    # Changed copies

    def of_series(self, ids: Sequence[Any]) -> Self:
        """Return a copy with the remembered rows of some series alone.

        Args:
            ids: Their names.
        """
        names = tuple(sorted(ids))
        return replace(self, series=self.series.copies(self.series.places(names), names))

    def updated(self, df: Any) -> Self:
        """Return a copy with rows appended, see `Forecaster.update`.

        Args:
            df: As for `Forecaster.update`.
        """
        return replace(self, series=self.series.updated(self.read(df)))
