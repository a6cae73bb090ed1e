"""Reading and writing a forecaster's file."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any, TypedDict

import numpy as np

from seqcast.errors import DataError, SpecError
from seqcast.forecaster.candidates.table import CANDIDATES
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.option_checks import check_options
from seqcast.forecaster.options import ForecastOptions, RowOptions
from seqcast.forecaster.series_archive import series_from_parts, series_to_parts
from seqcast.intervals import calibrations_from_parts, calibrations_to_parts
from seqcast.runtime import StoredArray, check_json, open_archive, write_archive
from seqcast.specs import Columns, EnsembleSpec, NetworkSpec, TrainingSpec, check_int, check_writable
from seqcast.training import History

KIND = "Forecaster"
# Arrays in which something may be missing: values, and when a series was trained on.
GAPS = ("series/values", "series/static", "series/trained_until")
# A file's own horizon and context: steps of all its series, if that is more than so many times its rows.
MOST_STEPS, MOST_GROWTH = 10_000_000, 100
_SPECS: dict[str, Any] = {"columns": Columns, "preset": NetworkSpec}


class _Candidate(TypedDict):
    key: str
    payload: dict[str, Any]


class _Header(TypedDict):
    options: dict[str, Any]
    series: dict[str, Any]
    season_length: int
    seed: int
    choice: dict[str, Any]
    candidates: list[_Candidate]
    calibrations: list[dict[str, Any]]
    short_series: list[str | int]
    skipped: list[list[str | int]]
    tried: dict[str, Any]


class _Choice(TypedDict):
    shares: dict[str, float]
    losses: dict[str, float]
    windows: int


def write_forecaster(path: str | os.PathLike[str], options: dict[str, Any], fitted: FittedForecaster) -> None:
    """Write a file.

    Args:
        path: Where it goes; it appears whole or not at all.
        options: Arguments of the forecaster, by name.
        fitted: The fitted forecaster; the rows of the fit are not written.

    Raises:
        SpecError: The training holds a function that a file cannot, or the horizon would fill a memory.
        SaveError: The file could not be written.
    """
    _check_steps(fitted)
    specs = [*fitted.trainings, *(spec for engine in fitted.networks for spec in (engine.training, engine.network))]
    if options["training"] is not None:  # of which nothing is among these where the last season alone is used
        specs.append(_whole(options["training"]))
    check_writable(specs, where="training or preset", expected="options that can be written to a file")
    series, arrays = series_to_parts(fitted.series)
    parts = {f"series/{name}": value for name, value in arrays.items()}
    candidates = []
    for place, candidate in enumerate(fitted.candidates):
        payload, arrays = candidate.payload()
        candidates.append({"key": candidate.key, "payload": payload})
        parts |= {f"candidate {place}/{name}": value for name, value in arrays.items()}
    calibrations, arrays = calibrations_to_parts(fitted.calibrations)
    parts |= {f"calibrations/{name}": value for name, value in arrays.items()}
    header = {
        "options": {
            **{name: _to_json(value) for name, value in options.items()},
            "training": _training_to_json(options["training"]),
        },
        "series": series,
        "season_length": fitted.season_length,
        "seed": fitted.seed,
        "choice": fitted.choice.to_dict(),
        "candidates": candidates,
        "calibrations": calibrations,
        "short_series": list(fitted.short_series),
        "skipped": [[name, *_texts(error)] for name, error in fitted.skipped.items()],
        "tried": fitted.tried.to_dict(),
    }
    write_archive(path, KIND, header, parts)


def read_forecaster(
    path: str | os.PathLike[str], names: Collection[str], *, max_size: Any = None
) -> tuple[dict[str, Any], FittedForecaster]:
    """Read a file.

    Args:
        path: A file of `write_forecaster`.
        names: Names of a forecaster's options, which the file has to hold.
        max_size: As for `Forecaster.load`.

    Returns:
        Options and fitted forecaster, as they were given to `write_forecaster`.

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
        return options, _fitted(header, archive.arrays, options)


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


def _fitted(header: _Header, arrays: dict[str, StoredArray], options: dict[str, Any]) -> FittedForecaster:
    """Build the fitted forecaster, and refuse parts that do not fit together."""
    parts: dict[str, dict[str, StoredArray]] = {}
    for name, value in arrays.items():
        owner, _, key = name.partition("/")
        parts.setdefault(owner, {})[key] = value
    season = check_int("season_length", header["season_length"])
    candidates = []
    for place, each in enumerate(header["candidates"]):
        if each["key"] not in CANDIDATES:
            raise ValueError(f"the candidate {each['key']!r}, which there is not")
        own = parts.get(f"candidate {place}", {})
        candidates.append(CANDIDATES[each["key"]].fitted_type.from_payload(each["payload"], own, season))
    choice: Any = check_json(header["choice"], _Choice, "choice")
    fitted = FittedForecaster(
        series=series_from_parts(header["series"], parts["series"]),
        season_length=season,
        seed=check_int("seed", header["seed"], at_least=0),
        choice=Choice.from_dict(choice),
        candidates=tuple(candidates),
        rows=RowOptions.of(options),
        output=ForecastOptions.of(options),
        calibrations=calibrations_from_parts(header["calibrations"], parts.get("calibrations", {})),
        short_series=tuple(header["short_series"]),
        skipped={
            name: DataError(str(where), expected=str(expected), received=str(received), hint=str(hint))
            for name, where, expected, received, hint in header["skipped"]
        },
        tried=History.from_dict(header["tried"]),
    )
    _check_parts(fitted)
    return fitted


def _check_steps(fitted: FittedForecaster) -> None:
    """Refuse a horizon or context that would fill the memory: a small file may name any."""
    source, steps = fitted.series.frame.source, max(fitted.output.horizon, fitted.series.context_length)
    most = max(MOST_STEPS, MOST_GROWTH * len(source.values))
    if steps * len(source) > most:
        what = f"{len(source):,} series with {len(source.values):,} rows"
        raise SpecError(
            "horizon, context_length",
            expected=f"at most {most // len(source):,} steps, for {what}",
            received=f"{steps:,}",
            hint="Fit a shorter one; predict(horizon=...) forecasts more steps.",
        )


def _check_parts(fitted: FittedForecaster) -> None:
    """Refuse candidates and calibrations of other series or steps than there are."""
    _check_steps(fitted)
    names = [candidate.name for candidate in fitted.candidates]
    if sorted(names) != sorted(fitted.choice.shares):
        raise ValueError(f"shares of {', '.join(fitted.choice.shares)}, where there are {', '.join(names)}")
    for candidate in fitted.candidates:
        candidate.check_series(fitted.series)
    targets = len(fitted.series.schema.columns.targets)
    if len(fitted.calibrations) not in (0, targets) or fitted.series.fill != (fitted.rows.missing == "fill"):
        raise ValueError(f"{len(fitted.calibrations)} calibrations of {targets} targets")
    intervals = [each for candidate in fitted.candidates for each in candidate.intervals]
    for calibration in (*fitted.calibrations, *intervals):
        if len(calibration.windows) != fitted.output.horizon:
            raise ValueError(f"a calibration of {len(calibration.windows)} steps")


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
