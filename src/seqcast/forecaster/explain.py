"""Explanations of a fitted forecaster: in-sample forecasts, inputs, attention, importance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seqcast.data.frames import LongFrame, as_ids
from seqcast.data.windows import Origins
from seqcast.engine import ModelInputs, SeriesLabels
from seqcast.errors import DataError, Option, Phrase, SpecError
from seqcast.forecaster.candidates import FittedCandidate, reject_without_network
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.intervals import ForecastRequest
from seqcast.specs import check_int

if TYPE_CHECKING:
    import pandas as pd


# Most windows on which covariates are evaluated, spread evenly over all: more would take longer and
# hardly say more.
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
    frame, origins = fitted.past_windows(df, step_size)
    request = fitted.request()
    forecast = fitted.blend.forecast(fitted.series.reader(frame, origins), origins, request)
    return origins.table(frame, request.by_column(forecast, fitted.forecasting.alias))


def model_inputs(
    fitted: FittedForecaster,
    df: Any,
    step_size: int | None,
    horizon: int | None,
    *,
    future: Any,
    member: int,
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
    owners = _networks(fitted, "model_inputs")
    if check_int("member", member) > len(owners):
        raise SpecError("member", expected=f"1 to {len(owners)}", received=repr(member))
    candidate, place = owners[member - 1]

    steps = fitted.forecasting.horizon if horizon is None else check_int("horizon", horizon)
    if step_size is None:
        frame = fitted.rows_to_forecast(df)
        ahead = fitted.steps_ahead(frame, future, steps)
        labels = _labels(frame if ahead.cold is None else ahead.cold.frame, ahead.origins)
        return candidate.model_inputs(place, ahead.reader, ahead.origins, labels, truth=None)

    if future is not None:
        raise SpecError(
            "future",
            expected="None with step_size",
            received="a frame",
            hint="The rows contain it.",
        )

    frame, origins = fitted.past_windows(df, step_size, steps)
    reader = fitted.series.reader(frame, origins)
    return candidate.model_inputs(
        place, reader, origins, _labels(frame, origins), truth=origins.truth(reader)
    )


def _networks(fitted: FittedForecaster, method: str) -> list[tuple[FittedCandidate, int]]:
    """Return the candidate of each network, and the network's place there; reject none."""
    owners = [(each, place) for each in fitted.by_learning for place in range(len(each.networks))]
    return owners or reject_without_network(method)


def _labels(frame: LongFrame, origins: Origins) -> SeriesLabels:
    """Return the series and the cutoff of each origin."""
    cutoffs = frame.stamps[origins.rows(frame)[:, 0] - 1]
    return SeriesLabels(frame.schema, as_ids(frame.source.ids)[origins.series], cutoffs)


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
    # Steps that no forecast reads and those before a series' first row are left out.
    read = (weights != 0).any(axis=(0, 1))
    back = np.arange(weights.shape[2])[::-1]
    inside = np.broadcast_to(read & (back < frame.source.lengths[:, None, None]), weights.shape)
    series, step, place = np.nonzero(inside)
    ahead = series * weights.shape[1] + step
    past = frame.source.ends[series] - 1 - back[place]
    times = {frame.schema.columns.ds: steps.stamps[ahead], "past_ds": frame.stamps[past]}
    return frame.schema.build(as_ids(frame.source.ids)[series], times, {"weight": weights[inside]})


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
    alias = fitted.forecasting.alias
    scaler = steps.origins.scalers(steps.reader)
    encoder = fitted.series.builder.future
    pairs = zip(fitted.blend.shares, fitted.candidates, strict=True)
    effects = np.asarray(
        sum(share * each.contributions(steps.reader, steps.origins) for share, each in pairs)
    )
    point = fitted.blend_of(steps).forecast(
        steps.reader, steps.origins, ForecastRequest(fitted.forecasting.point)
    )[..., 0]
    rest = scaler.inverse(scaler.transform(point) - effects.sum(axis=-1))
    total = np.where(
        np.abs(effects.sum(axis=-1)) < LEAST_EFFECT, LEAST_EFFECT, effects.sum(axis=-1)
    )

    # The mean slope of the scaling on the way from the rest to the forecast.
    slope = (point - scaler.inverse(scaler.transform(point) - total)) / total

    values = {alias: point, f"{alias}-rest": rest}
    features = np.broadcast_to(effects, (*point.shape, max(1, encoder.width)))
    for name, stop, width in zip(
        encoder.names, np.cumsum(encoder.widths), encoder.widths, strict=True
    ):
        values[name] = slope * features[..., stop - width : stop].sum(axis=-1)

    return frame.schema.to_long(
        frame.source.ids, {frame.schema.columns.ds: steps.stamps}, values, steps.of_targets
    )


def covariate_importance(
    fitted: FittedForecaster, df: Any, *, metric: str, repeats: int, seed: int
) -> pd.DataFrame:
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

    owners = [each for each in _networks(fitted, "covariate_importance") if each[0].trainings]
    if not owners:
        network = Option("preset", "segment")
        more = Phrase(
            "Fit with ",
            network,
            " to have its network in any case; Forecaster.explain shows effects.",
        )
        raise SpecError(
            "covariate_importance",
            expected="a network that was trained on this data alone",
            received="the pretrained network",
            hint=more,
        )
    frame = fitted.series.checked(fitted.rows_of_fit(df))
    # With this step about twice the windows that are evaluated come after the training rows.
    is_new = ~fitted.series.trained_rows(frame)
    step = max(1, int(np.count_nonzero(is_new)) // (2 * MOST_WINDOWS))
    origins = Origins.every(frame, fitted.forecasting.horizon, fitted.rows_before, step)
    untrained = np.flatnonzero(is_new[origins.rows(frame)[:, 0]])
    if len(untrained) < 2:
        raise DataError(
            option="df",
            expected="two windows or more that were not trained on",
            received=str(len(untrained)),
            hint="Give newer rows, or fit with a larger validation_fraction.",
        )
    origins = origins.take(
        untrained[np.unique(np.linspace(0, len(untrained) - 1, MOST_WINDOWS).astype(int))]
    )
    reader = fitted.series.reader(frame, origins)
    labels = _labels(frame, origins)
    truth = origins.truth(reader)
    windows = (
        candidate.model_inputs(place, reader, origins, labels, truth=truth)
        for candidate, place in owners
    )
    tables = [
        covariate_importance(each, metric=metric, repeats=repeats, seed=seed) for each in windows
    ]
    mean: pd.DataFrame = pd.concat(tables).groupby("covariate", as_index=False, sort=False).mean()
    return mean.sort_values("importance", ascending=False, kind="stable", ignore_index=True)
