"""The file in ONNX of a fitted forecaster."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

from seqcast.forecaster.blend import BlendPredictor
from seqcast.forecaster.fallback import SeasonalNaivePredictor
from seqcast.forecaster.predictor import EnsemblePredictor, Predictor
from seqcast.forecaster.pretrained import PretrainedPredictor
from seqcast.forecaster.state import FittedState
from seqcast.intervals.request import ForecastRequest
from seqcast.network.seq2seq import Seq2Seq

__all__ = ["ExportMixin", "write_onnx"]


class FittedForecaster(Protocol):
    """The methods of `Forecaster` that an export needs."""

    def _fitted(self) -> FittedState: ...

    def _request(self, state: FittedState) -> ForecastRequest: ...

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the options by name."""


class ExportMixin:
    """The method of `Forecaster` that takes it out of Python."""

    def export(
        self: FittedForecaster,
        path: str | os.PathLike[str],
        *,
        horizon: int | str | None = None,
        scaling: str = "past",
    ) -> None:
        """Write the forecaster to one ONNX file, which forecasts any series from its raw past wherever ONNX runs.

        The file fills gaps, scales, forecasts, calibrates and returns to the data's units. It reads `past`, the values
        of each window, `[batch, time]` of any length (`[batch, time, D]` with several targets), NaN where one is
        missing; where the forecaster has a calendar also `stamps` and `future_stamps`, seconds since 1970, and where it
        has covariates their encoded features, named in the file's metadata. It returns `point`, `[batch, horizon]`, and
        `quantiles`, `[batch, horizon, Q]`, in rising order.

        Args:
            path: Where to; the file appears whole or not at all.
            horizon: Steps to forecast: a number, `any` for an input `horizon` that says it, or `None` for the trained
                one.
            scaling: `past` scales each window by all values that the file is given, as `predict(df=…)` does a new
                series. `given` reads `loc` and `scale` (and `unit` of logarithms), `[batch, D]` each, such as those of
                a known series in `series_state_.scaler`.

        Raises:
            NotFittedError: `fit` was not called.
            SpecError: An option is impossible, or the forecaster has a part that ONNX has no operators for.
            MissingPackageError: The package `onnx` is not installed.
            SaveError: The file could not be written.
        """
        state = self._fitted()
        options, request = self.get_params(deep=False), self._request(state)
        write_onnx(path, state, options=options, request=request, horizon=horizon, scaling=scaling)


def write_onnx(
    path: str | os.PathLike[str],
    state: FittedState,
    *,
    options: Mapping[str, Any],
    request: ForecastRequest,
    horizon: int | str | None,
    scaling: str,
) -> None:
    """Write the forecaster to a file in ONNX.

    Args:
        path: Where to; the file appears whole or not at all.
        state: The fitted state.
        options: Options of the forecaster, by name.
        request: Point and intervals of its forecasts.
        horizon: As for `Forecaster.export`.
        scaling: As for `Forecaster.export`.

    Raises:
        SpecError: An option is impossible, or the forecaster has a part that ONNX has no operators for.
    """
    from seqcast.export import NaiveCandidate, NetworkCandidate, PretrainedCandidate, SeriesModel, write_series_model

    predictor, series = state.predictor(options["combine"]), state.series
    blend = predictor if isinstance(predictor, BlendPredictor) else BlendPredictor([predictor], [1.0])

    def candidate(part: Predictor) -> Any:
        if isinstance(part, SeasonalNaivePredictor):
            # Alone, its intervals are those of the whole.
            return NaiveCandidate(part.season_length, () if part is predictor else part.calibrations)
        if isinstance(part, EnsemblePredictor):
            return NetworkCandidate([_model(engine) for engine in part.engines], part.combine)
        assert isinstance(part, PretrainedPredictor)
        return PretrainedCandidate(part.network, part.season_length)

    names, calendar = _features(state)
    model = SeriesModel(
        [candidate(part) for part in blend.parts],
        list(blend.shares),
        request,
        series.scale,
        series.context_length,
        int(options["horizon"]),
        series.observed,
        names,
        calendar,
        predictor.calibrations,
        series.support,
        options["alias"],
        {"frequency": state.frequency, "season_length": state.season_length, "missing": options["missing"]},
    )
    write_series_model(path, model, horizon=horizon, scaling=scaling)


def _features(state: FittedState) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the names of the features that a file is given, and the cycles that it computes from stamps."""
    from seqcast.export import is_cyclic

    builder, targets = state.series.builder, state.series.schema.columns.targets
    names = builder.input_names(targets)
    if "trained" not in state.choice.shares:
        return {"past": targets, "y": targets}, ()  # nothing else is read
    calendar = builder.calendar.names
    if builder.median_gap is not None or not is_cyclic(calendar):
        return names, ()  # holidays, and the time since the step before, are given
    for name in ("past", "future"):
        if name in names:
            names[name] = names[name][: len(names[name]) - builder.calendar.width]
    return names, calendar


def _model(engine: Any) -> Seq2Seq:
    assert engine.model is not None  # of a fitted engine
    model: Seq2Seq = engine.model
    return model
