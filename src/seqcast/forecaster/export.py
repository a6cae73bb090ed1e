"""The file in ONNX of a fitted forecaster."""

from __future__ import annotations

import os

from seqcast.forecaster.fitted import FittedForecaster
from seqcast.runtime import require


def write_onnx(
    path: str | os.PathLike[str], fitted: FittedForecaster, *, horizon: int | str | None, scaling: str
) -> None:
    """Write a forecaster to a file in ONNX; see `Forecaster.export`.

    Args:
        path: Where to; the file appears whole or not at all.
        fitted: The fitted forecaster.
        horizon: As for `Forecaster.export`.
        scaling: As for `Forecaster.export`.

    Raises:
        MissingPackageError: The package `ndonnx` is not installed.
        SpecError: An option is impossible, or the forecaster has a part that ONNX has no operators for.
    """
    require("ndonnx", extra="onnx")
    from seqcast.export import SeriesModel, write_series_model

    series, shares = fitted.series, fitted.choice.shares
    names, calendar = _features(fitted)
    model = SeriesModel(
        [each.export() for each in fitted.candidates],
        [shares[each.name] for each in fitted.candidates],
        fitted.request(),
        scale=series.scale,
        context_length=series.context_length,
        horizon=fitted.output.horizon,
        observed=series.observed,
        names=names,
        calendar=calendar,
        calibrations=fitted.calibrations,
        support=series.support,
        alias=fitted.output.alias,
        facts={
            "frequency": fitted.frequency,
            "season_length": fitted.season_length,
            "missing": fitted.rows.missing,
        },
    )
    write_series_model(path, model, horizon=horizon, scaling=scaling)


def _features(fitted: FittedForecaster) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the names of the features that a file is given, and the cycles that it computes from stamps."""
    from seqcast.export import is_cyclic

    builder, targets = fitted.series.builder, fitted.series.schema.columns.targets
    names = builder.input_names(targets)
    if not any(each.reads_features for each in fitted.candidates):
        return {"past": targets, "y": targets}, ()
    calendar = builder.calendar.names
    if builder.median_gap is not None or not is_cyclic(calendar):
        return names, ()  # holidays, and the time since the step before, are given
    for name in ("past", "future"):
        if name in names:
            names[name] = names[name][: len(names[name]) - builder.calendar.width]
    return names, calendar
