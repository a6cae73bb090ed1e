"""Explanations of a fitted forecaster: in-sample forecasts, the inputs of its networks, attention, importance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seqcast.data.frames import as_ids, in_zone_of
from seqcast.data.windows import Origins
from seqcast.engine import ModelInputs, SeriesLabels
from seqcast.errors import DataError, SpecError
from seqcast.forecaster.candidates import FittedCandidate, refuse_without_network
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.series_state import SeriesState
from seqcast.intervals import ForecastRequest
from seqcast.runtime import Array
from seqcast.specs import check_int

if TYPE_CHECKING:
    import pandas as pd


# Most windows that covariates are judged by, spread evenly over all: more would take longer and hardly say more.
MOST_WINDOWS = 1000
# Smaller effects of covariates in scaled units are rounding.
LEAST_EFFECT = 1e-6


def in_sample(fitted: FittedForecaster, df: Any, step_size: int) -> Any:
    """Forecast the rows that networks were trained on; see `Forecaster.predict_insample`.

    Args:
        fitted: The fitted forecaster.
        df: As for `Forecaster.predict_insample`.
        step_size: As for `Forecaster.predict_insample`.
    """
    step = check_int("step_size", step_size)
    frame = fitted.rows_of_fit(df)
    origins = Origins.every(frame, fitted.output.horizon, fitted.rows_before, step)
    checked, request = fitted.series.checked(frame), fitted.request()
    forecast = fitted.blend.forecast(fitted.series.reader(checked, origins), origins, request)
    return origins.table(frame, request.by_column(forecast, fitted.output.alias))


def model_inputs(
    fitted: FittedForecaster,
    df: Any = None,
    *,
    step_size: int | None = None,
    horizon: int | None = None,
    future: Any = None,
    member: int = 1,
) -> ModelInputs:
    """Return the inputs of one of the networks; see `Forecaster.model_inputs`.

    Args:
        fitted: The fitted forecaster.
        df: As for `Forecaster.model_inputs`.
        step_size: As for `Forecaster.model_inputs`.
        horizon: As for `Forecaster.model_inputs`.
        future: As for `Forecaster.model_inputs`.
        member: As for `Forecaster.model_inputs`.
    """
    candidate, place = _network(fitted, member)
    steps = fitted.output.horizon if horizon is None else check_int("horizon", horizon)
    truth = None
    if step_size is None:
        frame = fitted.rows_to_forecast(df)
        ahead = fitted.steps_ahead(frame, future, steps)
        reader, origins = ahead.reader, ahead.origins
    elif future is not None:
        raise SpecError("future", expected="None with step_size", received="a frame", hint="The rows contain it.")
    else:
        frame = fitted.rows_of_fit(df)
        origins = Origins.every(frame, steps, fitted.rows_before, check_int("step_size", step_size))
        reader = fitted.series.reader(fitted.series.checked(frame), origins)
        truth = origins.truth(reader)
    source = frame.source
    cutoffs = frame.stamps[source.starts[origins.series] + origins.stops - 1]
    labels = SeriesLabels(frame.schema, as_ids(source.ids)[origins.series], cutoffs)
    return candidate.model_inputs(place, reader, origins, labels, truth=truth)


def _network(fitted: FittedForecaster, member: int) -> tuple[FittedCandidate, int]:
    """Return the candidate that a network belongs to, and its place there.

    Args:
        fitted: The fitted forecaster.
        member: Number of the network, from 1.
    """
    owners = [(each, place) for each in fitted.by_learning for place in range(len(each.networks))]
    if not owners:
        refuse_without_network("model_inputs")
    if check_int("member", member) > len(owners):
        raise SpecError("member", expected=f"1 to {len(owners)}", received=repr(member))
    return owners[member - 1]


def attention(fitted: FittedForecaster, df: Any, future: Any, horizon: int | None) -> Any:
    """Return attention weights as a frame; see `Forecaster.attention`.

    Args:
        fitted: The fitted forecaster.
        df: As for `Forecaster.attention`.
        future: As for `Forecaster.attention`.
        horizon: As for `Forecaster.attention`.
    """
    frame = fitted.rows_to_forecast(df)
    steps = fitted.steps_ahead(frame, future, horizon)
    weights = fitted.blend.attention(steps.reader, steps.origins)
    read = np.flatnonzero((weights != 0).any(axis=(0, 1)))
    weights, back = weights[:, :, read], weights.shape[2] - 1 - read
    # Steps before a series' first row are left out.
    count, horizon, _ = weights.shape
    places = np.broadcast_to((frame.source.ends[:, None] - 1 - back)[:, None, :], weights.shape)
    inside = places >= frame.source.starts[:, None, None]
    ahead = np.broadcast_to(np.arange(count * horizon).reshape(count, horizon, 1), weights.shape)
    series = np.broadcast_to(np.arange(count)[:, None, None], weights.shape)
    times = {frame.schema.columns.ds: steps.stamps[ahead[inside]], "past_ds": frame.stamps[places[inside]]}
    return frame.schema.build(as_ids(frame.source.ids)[series[inside]], times, {"weight": weights[inside]})


def contributions(fitted: FittedForecaster, df: Any, future: Any, horizon: int | None) -> Any:
    """Return what covariates add to a forecast, as a frame; see `Forecaster.explain`.

    Args:
        fitted: The fitted forecaster.
        df: As for `Forecaster.explain`.
        future: As for `Forecaster.explain`.
        horizon: As for `Forecaster.explain`.
    """
    frame = fitted.rows_to_forecast(df)
    steps = fitted.steps_ahead(frame, future, horizon)
    alias, scaler, encoder = fitted.output.alias, steps.origins.scalers(steps.reader), fitted.series.builder.future
    pairs = zip(fitted.blend.shares, fitted.candidates, strict=True)
    effects = np.asarray(sum(share * each.contributions(steps.reader, steps.origins) for share, each in pairs))
    point = fitted.blend.forecast(steps.reader, steps.origins, ForecastRequest(fitted.output.point))[..., 0]
    rest = scaler.inverse(scaler.transform(point) - effects.sum(axis=-1))
    total = np.where(np.abs(effects.sum(axis=-1)) < LEAST_EFFECT, LEAST_EFFECT, effects.sum(axis=-1))
    # The mean slope of the scaling on the way from the rest to the forecast.
    slope = (point - scaler.inverse(scaler.transform(point) - total)) / total
    values = {alias: point, f"{alias}-rest": rest}
    features = np.broadcast_to(effects, (*point.shape, max(1, encoder.width)))
    for name, stop, width in zip(encoder.names, np.cumsum(encoder.widths), encoder.widths, strict=True):
        values[name] = slope * features[..., stop - width : stop].sum(axis=-1)
    times = {frame.schema.columns.ds: steps.stamps}
    return frame.schema.to_long(frame.source.ids, times, values, steps.of_targets)


def covariate_importance(fitted: FittedForecaster, df: Any, *, metric: str, repeats: int, seed: int) -> pd.DataFrame:
    """Return the importance of covariates; see `Forecaster.covariate_importance`.

    Args:
        fitted: The fitted forecaster.
        df: As for `Forecaster.covariate_importance`.
        metric: As for `Forecaster.covariate_importance`.
        repeats: As for `Forecaster.covariate_importance`.
        seed: As for `Forecaster.covariate_importance`.
    """
    import pandas as pd

    from seqcast.inspect import covariate_importance

    members = len(fitted.trained_networks)
    if not fitted.networks:
        refuse_without_network("covariate_importance")
    if not members:
        expected = "a network that was trained on this data alone"
        hint = "Name a preset, such as preset='segment', to have its network in any case."
        raise SpecError("covariate_importance", expected=expected, received="the pretrained network", hint=hint)
    frame = fitted.series.checked(fitted.rows_of_fit(df))
    # With this step about twice the windows that are judged come after the training rows.
    step = max(1, int(np.count_nonzero(~fitted.series.trained_rows(frame))) // (2 * MOST_WINDOWS))
    tables = []
    for member in range(1, members + 1):
        windows = model_inputs(fitted, df, step_size=step, member=member)
        untrained = _after_training(fitted.series, windows)
        if len(untrained) < 2:
            expected = "two windows or more that were not trained on"
            hint = "Give newer rows, or fit with a larger validation_fraction."
            raise DataError(option="df", expected=expected, received=str(len(untrained)), hint=hint)
        chosen = untrained[np.unique(np.linspace(0, len(untrained) - 1, MOST_WINDOWS).astype(int))]
        tables.append(covariate_importance(windows[chosen], metric=metric, repeats=repeats, seed=seed))
    mean: pd.DataFrame = pd.concat(tables).groupby("covariate", as_index=False, sort=False).mean()
    return mean.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def _after_training(series: SeriesState, windows: ModelInputs) -> Array:
    """Return the numbers of the windows whose targets come after the rows that were trained on."""
    labels = windows.labels
    assert isinstance(labels, SeriesLabels)
    until = in_zone_of(series.trained_until_of(tuple(labels.ids.tolist())), labels.cutoffs)
    return np.flatnonzero(~np.asarray(labels.cutoffs < until))
