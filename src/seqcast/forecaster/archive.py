"""Reading and writing a forecaster's file."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from seqcast.data.windows.seasonal_covariates import CovariateSizes
from seqcast.engine.engine import Engine
from seqcast.errors import DataError, SpecError
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.option_checks import check_options
from seqcast.forecaster.series_archive import series_from_parts, series_to_parts
from seqcast.forecaster.state import FittedState
from seqcast.intervals.calibration import Calibration
from seqcast.pretrained import PretrainedNetwork
from seqcast.runtime.archive import StoredArray, open_archive, write_archive
from seqcast.runtime.json_types import check_json
from seqcast.specs.base import check_writable
from seqcast.specs.checks import check_int
from seqcast.specs.columns import Columns
from seqcast.specs.ensemble import EnsembleSpec
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec
from seqcast.training.history import History

__all__ = ["read_forecaster", "write_forecaster"]

Array = npt.NDArray[Any]

KIND = "Forecaster"
# Arrays in which something may be missing: values, and when a series was trained on.
GAPS = ("series/values", "series/static", "series/trained_until")
# A file's own horizon and context: steps of all its series, if that is more than so many times its rows.
MOST_STEPS, MOST_GROWTH = 10_000_000, 100
_SPECS: dict[str, Any] = {"columns": Columns, "preset": NetworkSpec}


class _Header(TypedDict):
    options: dict[str, Any]
    series: dict[str, Any]
    season_length: int
    seed: int
    training: list[dict[str, Any]]
    choice: dict[str, Any]
    pretrained: dict[str, Any] | None
    engines: list[dict[str, Any]]
    histories: list[dict[str, Any]]
    calibrations: list[dict[str, Any]]
    naive_intervals: list[dict[str, Any]]
    short_series: list[str | int]
    skipped: list[list[str | int]]


class _Choice(TypedDict):
    shares: dict[str, float]
    losses: dict[str, float]
    windows: int


def write_forecaster(path: str | os.PathLike[str], options: dict[str, Any], state: FittedState) -> None:
    """Write a file.

    Args:
        path: Where it goes; it appears whole or not at all.
        options: Arguments of the forecaster, by name.
        state: Its fitted state; the rows of the fit are not written.

    Raises:
        SpecError: The training holds a function that a file cannot, or the horizon would fill a memory.
        SaveError: The file could not be written.
    """
    _check_steps(state, options)
    specs = [*state.training, *(spec for engine in state.engines for spec in (engine.training, engine.network))]
    if options["training"] is not None:  # of which nothing is among these where the last season alone is used
        specs.append(_whole(options["training"]))
    check_writable(specs, where="training or preset", expected="options that can be written to a file")
    series, arrays = series_to_parts(state.series)
    parts = {f"series/{name}": value for name, value in arrays.items()}
    engines, pretrained = [], None
    if state.pretrained is not None:
        pretrained, weights = state.pretrained.to_parts()
        parts.update({f"pretrained/{name}": value for name, value in weights.items()})
    for place, engine in enumerate(state.engines):
        described, weights = engine.to_parts()
        engines.append(described)
        parts.update({f"engine {place}/{name}": value for name, value in weights.items()})
    intervals: dict[str, list[dict[str, Any]]] = {"calibration": [], "naive": []}
    for kind, calibrations in (("calibration", state.calibrations), ("naive", state.naive_intervals)):
        for place, calibration in enumerate(calibrations):
            described, widths = calibration.to_parts()
            intervals[kind].append(described)
            parts.update({f"{kind} {place}/{name}": value for name, value in widths.items()})
    header = {
        "options": {
            **{name: _to_json(value) for name, value in options.items()},
            "training": _training_to_json(options["training"]),
        },
        "series": series,
        "season_length": state.season_length,
        "seed": state.seed,
        "training": [spec.to_dict() for spec in state.training],
        "choice": state.choice.to_dict(),
        "pretrained": pretrained,
        "engines": engines,
        "histories": [history.to_dict() for history in state.histories],
        "calibrations": intervals["calibration"],
        "naive_intervals": intervals["naive"],
        "short_series": list(state.short_series),
        "skipped": [[name, *_texts(error)] for name, error in state.skipped.items()],
    }
    write_archive(path, KIND, header, parts)


def read_forecaster(
    path: str | os.PathLike[str], names: Collection[str], *, max_size: Any = None
) -> tuple[dict[str, Any], FittedState]:
    """Read a file.

    Args:
        path: A file of `write_forecaster`.
        names: Names of a forecaster's options, which the file has to hold.
        max_size: As for `Forecaster.load`.

    Returns:
        Options and state, as they were given to `write_forecaster`.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: It is no forecaster's file.
        SpecError: An option in it is impossible, or `max_size` is no size.
    """
    with open_archive(path, KIND, max_size=max_size, gaps=GAPS) as archive:
        header: Any = check_json(archive.header, _Header, "header")
        if set(header["options"]) != set(names):
            raise ValueError(f"options {', '.join(sorted(set(header['options']) ^ set(names)))}")
        options = _options(header["options"])
        return options, _state(header, archive.arrays, options)


def _options(values: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a forecaster from JSON types."""
    options = dict(values)
    for name, kind in _SPECS.items():
        if isinstance(options[name], dict):
            kind = EnsembleSpec if "members" in options[name] else kind
            options[name] = kind.from_dict(options[name])
    training = options["training"]
    if isinstance(training, dict) and "spec" in training:
        options["training"] = TrainingSpec.from_dict(training["spec"])
    elif training is not None:
        spec = TrainingSpec.from_dict(training)
        options["training"] = {name: getattr(spec, name) for name in training}
    for name in ("static_covariates", "past_covariates", "future_covariates", "calendar", "level", "context_length"):
        if isinstance(options[name], list):
            options[name] = tuple(options[name])
    check_options(options)
    return options


def _state(header: dict[str, Any], arrays: dict[str, StoredArray], options: dict[str, Any]) -> FittedState:
    """Build the fitted state, and refuse parts that do not fit together."""
    parts: dict[str, dict[str, StoredArray]] = {}
    for name, value in arrays.items():
        owner, _, key = name.partition("/")
        parts.setdefault(owner, {})[key] = value
    pretrained = header["pretrained"]
    if pretrained is not None:
        pretrained = PretrainedNetwork.from_parts(pretrained, parts["pretrained"])
    engines = [Engine.from_parts(each, parts[f"engine {place}"]) for place, each in enumerate(header["engines"])]
    horizon = options["horizon"]
    state = FittedState(
        series=series_from_parts(header["series"], parts["series"]),
        season_length=check_int("season_length", header["season_length"]),
        seed=check_int("seed", header["seed"], at_least=0),
        training=tuple(TrainingSpec.from_dict(spec) for spec in header["training"]),
        choice=Choice.from_dict(check_json(header["choice"], _Choice, "choice")),
        engines=tuple(engines),
        pretrained=pretrained,
        histories=tuple(map(History.from_dict, header["histories"])),
        calibrations=_calibrations(header["calibrations"], "calibration", parts, horizon),
        naive_intervals=_calibrations(header["naive_intervals"], "naive", parts, horizon),
        short_series=tuple(header["short_series"]),
        skipped={
            name: DataError(where, expected=expected, received=received, hint=hint)
            for name, where, expected, received, hint in header["skipped"]
        },
    )
    _check_parts(state, options)
    return state


def _check_steps(state: FittedState, options: dict[str, Any]) -> None:
    """Refuse a horizon or context that would fill the memory: a small file may name any."""
    source, steps = state.series.frame.source, max(options["horizon"], state.series.context_length)
    most = max(MOST_STEPS, MOST_GROWTH * len(source.values))
    if steps * len(source) > most:
        what = f"{len(source):,} series with {len(source.values):,} rows"
        raise SpecError(
            "horizon, context_length",
            expected=f"at most {most // len(source):,} steps, for {what}",
            received=f"{steps:,}",
            hint="Fit a shorter one; predict(horizon=...) forecasts more steps.",
        )


def _check_parts(state: FittedState, options: dict[str, Any]) -> None:
    """Refuse networks of other windows than the series have."""
    _check_steps(state, options)
    series, networks, shares = state.series, len(state.networks), set(state.choice.shares)
    for engine in state.engines:
        window = engine.window
        if window is None or window.context_length is None or window.context_length > series.context_length:
            raise ValueError("a network without windows of the series")
        expected = series.builder.window(
            horizon=window.horizon, context_length=window.context_length, observed=series.observed
        )
        if replace(window, season_length=None) != expected or engine.network.head != state.engines[0].network.head:
            raise ValueError(f"a network of {window}, where the series have {expected}")
    if state.pretrained is not None and state.pretrained.covariates:
        builder, read = series.builder, state.pretrained.covariates
        if read != CovariateSizes(builder.features - builder.targets, builder.future_size, builder.static.width):
            raise ValueError(f"a network that reads {read}, which the series have not")
    targets = len(series.schema.columns.targets)
    if networks not in (0, len(state.histories)) or len(state.training) != len(state.engines):
        raise ValueError(f"{networks} networks, {len(state.histories)} histories and {len(state.training)} trainings")
    there = {"trained": bool(state.engines), "pretrained": state.pretrained is not None}
    if there["trained"] != ("trained" in shares) or there["pretrained"] != bool({"pretrained", "finetuned"} & shares):
        raise ValueError(f"shares of {', '.join(sorted(shares))}, where there are other networks")
    if len(state.naive_intervals) not in (0, targets):
        raise ValueError(f"{len(state.naive_intervals)} intervals of {targets} targets")
    if len(state.calibrations) not in (0, targets) or series.fill != (options["missing"] == "fill"):
        raise ValueError(f"{len(state.calibrations)} calibrations of {targets} targets")


def _calibrations(
    described: list[dict[str, Any]], kind: str, parts: dict[str, dict[str, StoredArray]], horizon: int
) -> tuple[Calibration, ...]:
    """Build the calibration of each target."""
    return tuple(
        Calibration.from_parts(header, _widths(header, parts[f"{kind} {place}"], horizon))
        for place, header in enumerate(described)
    )


def _widths(header: dict[str, Any], stored: dict[str, StoredArray], horizon: int) -> dict[str, Array]:
    """Read the arrays of a calibration, and refuse shapes of other steps or levels."""
    shapes = {"widths": (horizon, len(header["level"])), "windows": (horizon,)}
    for name, values in stored.items():
        if values.shape != shapes[name]:
            raise ValueError(f"{name!r} of a calibration of shape {values.shape}, where it has {shapes[name]}")
    return {name: np.asarray(values) for name, values in stored.items()}


def _texts(error: DataError) -> list[str]:
    """Return the parts of an error's message as plain text."""
    return [str(part) for part in (error.where, error.expected, error.received, error.hint)]


def _to_json(value: Any) -> Any:
    """Return an option as JSON types."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return int(value) if isinstance(value, np.integer) else value


def _training_to_json(given: TrainingSpec | Mapping[str, Any] | None) -> Any:
    """Return the option `training` as JSON types: whole under the key `spec`, or the fields that were given."""
    if given is None:
        return None
    whole = _whole(given).to_dict()
    return {"spec": whole} if isinstance(given, TrainingSpec) else {name: whole[name] for name in given}


def _whole(given: TrainingSpec | Mapping[str, Any]) -> TrainingSpec:
    return given if isinstance(given, TrainingSpec) else TrainingSpec(**given)
