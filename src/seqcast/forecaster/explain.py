"""The methods of a fitted forecaster that explain it: in-sample forecasts, inputs, states, attention, unusual rows."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.frames.schema import as_ids
from seqcast.data.frames.stamps import Stamps
from seqcast.data.windows.origins import Origins
from seqcast.engine.inputs import ModelInputs, SeriesLabels
from seqcast.errors import NotFittedError, SpecError
from seqcast.forecaster.anomalies import judge_rows
from seqcast.forecaster.fallback import refuse_without_network
from seqcast.forecaster.future import future_steps
from seqcast.forecaster.importance import check_trained, mean_importance, window_step
from seqcast.forecaster.pretrained import PretrainedPredictor, pretrained_inputs
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.state import FittedState
from seqcast.intervals.levels import check_levels
from seqcast.intervals.request import ForecastRequest
from seqcast.specs.checks import check_int

__all__ = ["ExplainMixin"]

Array = npt.NDArray[Any]


class FittedForecaster(Protocol):
    """The methods and options of `Forecaster` that these methods need."""

    horizon: int
    combine: str
    alias: str

    def _fitted(self) -> FittedState: ...

    def _read(self, df: Any, before: SeriesState | None = None) -> LongFrame: ...

    def _rows_before(self, state: FittedState, df: Any) -> LongFrame: ...

    def _rows_of_fit(self, state: FittedState, df: Any) -> LongFrame: ...

    def _request(self, state: FittedState) -> ForecastRequest: ...

    def model_inputs(self, df: Any = None, *, step_size: int | None = None, member: int = 1) -> ModelInputs:
        """Return the inputs of a network."""


class ExplainMixin:
    """The methods of `Forecaster` that explain a fit; they change nothing."""

    def _rows_of_fit(self: FittedForecaster, state: FittedState, df: Any) -> LongFrame:
        """Return the rows of `df`, or those of `fit` where it is `None`."""
        if df is not None:
            return self._read(df, state.series)
        if state.rows is None:
            raise NotFittedError(
                "df",
                expected="the rows of fit",
                received="a forecaster that was loaded, or fitted to files",
                hint="Files hold no rows; give them.",
            )
        return state.rows

    def predict_insample(self: FittedForecaster, df: Any = None, *, step_size: int = 1) -> Any:
        """Forecast the trained horizon from the rows that the networks were trained on, and lay the truth beside it.

        They show how well the networks fit, not how well they forecast; use `backtest` for that.

        Args:
            df: Rows of known or new series; `None` takes those of `fit`, which a loaded forecaster does not have.
            step_size: Steps from one cutoff to the next, counted from each series' end.

        Returns:
            A frame as that of `backtest`, without naive forecasts; a row for each step whose truth is known.

        Raises:
            NotFittedError: `fit` was not called, or the forecaster was loaded.
            DataError: Something in the frame is wrong, or no series is long enough.
        """
        state, step = self._fitted(), check_int("step_size", step_size)
        frame = self._rows_of_fit(state, df)
        origins = Origins.every(frame, int(self.horizon), state.rows_before, step)
        checked, request = state.series.checked(frame), self._request(state)
        reader = state.series.reader(checked, origins)
        forecast = state.predictor(self.combine).forecast(reader, origins, request)
        return origins.table(frame, request.parts(forecast, self.alias))

    def model_inputs(
        self: FittedForecaster,
        df: Any = None,
        *,
        step_size: int | None = None,
        horizon: int | None = None,
        future: Any = None,
        member: int = 1,
    ) -> ModelInputs:
        """Return the inputs of a network, to look inside it with `seqcast.inspect`.

        Args:
            df: Rows of known or new series; `None` takes those that are remembered, or with `step_size` those of
                `fit`.
            step_size: Steps from one window to the next, counted back from the last that has the horizon behind it
                in the rows, so that the truth is known; `None` is one window a series, that of `predict`.
            horizon: Number of steps; `None` is the trained one.
            future: The future steps, as for `predict`; without `step_size` only.
            member: Which network of an ensemble, from 1.

        Returns:
            The windows, in the network's units, called by their series and cutoff.

        Raises:
            NotFittedError: `fit` was not called, or a loaded forecaster needs the rows of `fit`.
            DataError: Something in a frame is wrong, or no series is long enough.
            SpecError: There is no such member, or both `step_size` and `future` are given.
        """
        state = self._fitted()
        if not state.networks:
            refuse_without_network("model_inputs")
        steps = int(self.horizon) if horizon is None else check_int("horizon", horizon)
        if check_int("member", member) > len(state.networks):
            raise SpecError("member", expected=f"1 to {len(state.networks)}", received=repr(member))
        engine, truth = state.networks[member - 1], None
        if step_size is None:
            frame = self._rows_before(state, df)
            forecast_steps = future_steps(state.series, frame, future, steps, default=steps)
            reader, origins = forecast_steps.reader, forecast_steps.origins
        elif future is not None:
            raise SpecError(
                "future", expected="None with step_size", received="a frame", hint="The rows themselves hold it."
            )
        else:
            frame = self._rows_of_fit(state, df)
            origins = Origins.every(frame, steps, state.rows_before, check_int("step_size", step_size))
            reader = state.series.reader(state.series.checked(frame), origins)
            truth = reader.truth(origins.series, origins.stops, steps)
        columns, source = frame.schema.columns, frame.source
        cutoffs = frame.stamps[source.starts[origins.series] + origins.stops - 1]
        labels = SeriesLabels(frame.schema, as_ids(source.ids)[origins.series], cutoffs)
        if state.pretrained is not None and engine is state.pretrained.engine:
            alone = PretrainedPredictor(state.pretrained, state.season_length)
            return pretrained_inputs(alone, reader, origins, labels, truth)
        assert engine.window is not None
        member_reader, builder = reader.with_context(engine.window.context_length), state.series.builder
        inputs = member_reader.inputs(origins.series, origins.stops, origins.horizon, future=origins.future)
        return ModelInputs(
            *(engine, inputs, steps, labels),
            features=(*columns.targets, *builder.past.features, *builder.future_names),
            targets=columns.targets,
            known_future=builder.future_names,
            truth=truth,
            static=builder.static.features,
        )

    def covariate_importance(
        self: FittedForecaster, df: Any = None, *, metric: str = "mae", repeats: int = 10, seed: int = 0
    ) -> Any:
        """Return how much worse forecasts are when a covariate belongs to another window, on rows not trained on.

        Args:
            df: Rows to judge by, with those before them that a context reads; windows count whose targets come after
                the rows that were trained on. `None` takes the rows of `fit`, of which those are the validation rows.
            metric: `mae`, `mse` or `rmse`, in scaled units.
            repeats: Number of permutations.
            seed: Seed of the permutations.

        Returns:
            A pandas frame as from `seqcast.inspect.covariate_importance`; the mean of an ensemble's networks. Features
            of the calendar count as covariates.

        Raises:
            NotFittedError: `fit` was not called, or a loaded forecaster needs rows.
            DataError: Something in the frame is wrong, there are no covariates, or too few untrained windows.
        """
        state = self._fitted()
        check_trained(state)
        step = window_step(state.series, state.series.checked(self._rows_of_fit(state, df)))
        members = [self.model_inputs(df, step_size=step, member=member + 1) for member in range(len(state.engines))]
        return mean_importance(state.series, members, metric=metric, repeats=repeats, seed=seed)

    def anomalies(self: FittedForecaster, df: Any = None, level: float = 99) -> Any:
        """Judge rows by forecasts from the rows before them: those outside the interval of a level are anomalies.

        Forecasts of the trained horizon begin a horizon apart, counted from each series' end, so that each row is
        judged once; the first rows of a series are not: as many as a trained network reads, or two seasons where none
        is trained. Intervals are calibrated on the errors of these forecasts (see
        `seqcast.intervals.unusual`): about `100 - level` per cent of usual rows lie outside. Anomalies are replaced by
        their forecasts where later ones read them.

        Args:
            df: Rows to judge, with those before them that a context reads; `None` takes those of `fit`.
            level: Level of the intervals, in per cent.

        Returns:
            A frame of the kind that came in, a row for each known value that was judged: `unique_id`, `ds`, `cutoff`,
            `y`, the forecast and the bounds of its interval, `score` (how unusual the value is: its distance from the
            forecast, where the bound of the interval is at 1), `anomaly` (whether it lies outside) and `trained_on`
            (whether it is among the rows that the networks were trained on, whose errors are smaller).

        Raises:
            NotFittedError: `fit` was not called, or the forecaster was loaded and `df` is missing.
            DataError: Something in the frame is wrong, or there are too few rows.
            SpecError: There is no such level.

        Example:
            >>> from seqcast.data.datasets import load
            >>> from seqcast.forecaster.estimator import Forecaster
            >>> from seqcast.specs.network import NetworkSpec
            >>> tiny = NetworkSpec(encoder_units=(4,), decoder_units=(4,), normalise="last")
            >>> forecaster = Forecaster(12, preset=tiny, training={"epochs": 1}, verbose=0, random_state=0)
            >>> judged = forecaster.fit(load("elnino")).anomalies()
            >>> list(judged.columns[3:])
            ['y', 'seqcast', 'seqcast-lo-99', 'seqcast-hi-99', 'score', 'anomaly', 'trained_on']
        """
        state = self._fitted()
        levels = check_levels(level)
        if len(levels) != 1:
            raise SpecError("level", expected="one level", received=repr(level), hint="Choose one.")
        frame = state.series.checked(self._rows_of_fit(state, df))
        judged = judge_rows(
            frame,
            state.series,
            state.predictor(self.combine),
            self._request(state),
            horizon=int(self.horizon),
            rows_before=state.rows_before,
            level=levels[0],
            trained=state.trained_rows(frame),
        )
        return judged.table(self.alias)

    def encode(self: FittedForecaster, df: Any = None) -> Any:
        """Return the encoder's state after the last row of each series.

        Args:
            df: Rows to read, as for `predict`; `None` takes those that are remembered.

        Returns:
            A frame of the kind that came in, a row a series: `unique_id`, `ds` (the last stamp that was read) and the
            numbers `state_1`, `state_2`, …, layer after layer, member after member.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: Something in the frame is wrong.
        """
        state = self._fitted()
        frame = self._rows_before(state, df)
        origins = Origins.at_ends(frame, 1)
        states = state.predictor(self.combine).states(state.series.reader(frame, origins), origins)
        values = {f"state_{place + 1}": column for place, column in enumerate(states.T)}
        return frame.schema.build(as_ids(frame.source.ids), {frame.schema.columns.ds: frame.last_stamps}, values)

    def attention(self: FittedForecaster, df: Any = None, future: Any = None, horizon: int | None = None) -> Any:
        """Return the attention weights of each forecast step over the steps of the past.

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
        state = self._fitted()
        frame = self._rows_before(state, df)
        steps = future_steps(state.series, frame, future, horizon, default=int(self.horizon))
        weights = state.predictor(self.combine).attention(steps.reader, steps.origins)
        places = np.flatnonzero((weights != 0).any(axis=(0, 1)))
        return _attention_table(frame, steps.stamps, weights.shape[2] - 1 - places, weights[:, :, places])


def _attention_table(frame: LongFrame, stamps: Stamps, back: Array, weights: Array) -> Any:
    """Return attention weights as a frame of the kind that came in.

    Args:
        frame: The rows that were forecast from.
        stamps: Stamps of the forecast steps, `H` a series.
        back: Steps of the past, counted back from each series' last one, `[A]`.
        weights: Weights, `[N, H, A]`.

    Returns:
        A frame with `unique_id`, `ds`, `past_ds` and `weight`; steps before a series' first row are left out.
    """
    count, horizon, _ = weights.shape
    places = np.broadcast_to((frame.source.ends[:, None] - 1 - back)[:, None, :], weights.shape)
    inside = places >= frame.source.starts[:, None, None]
    steps = np.broadcast_to(np.arange(count * horizon).reshape(count, horizon, 1), weights.shape)
    ids = as_ids(frame.source.ids)
    series = np.broadcast_to(np.arange(count)[:, None, None], weights.shape)
    times = {frame.schema.columns.ds: stamps[steps[inside]], "past_ds": frame.stamps[places[inside]]}
    return frame.schema.build(ids[series[inside]], times, {"weight": weights[inside]})
