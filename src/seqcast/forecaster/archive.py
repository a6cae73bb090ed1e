"""Reading and writing a forecaster's file."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqcast.errors import DataError, SpecError
from seqcast.forecaster.candidates import CANDIDATES, FittedCandidate
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.options import ForecastOptions, RowOptions, check_options
from seqcast.forecaster.series_archive import StoredSeries
from seqcast.intervals import Calibration
from seqcast.pretrained import MODELS, ZeroShotModel
from seqcast.runtime import from_parts, open_archive, to_parts, write_archive
from seqcast.specs import Columns, EnsembleSpec, NetworkSpec, TrainingSpec, check_int, check_writable
from seqcast.training import History

KIND = "Forecaster"
# Arrays in which something may be missing: values, and when a series was trained on.
GAPS = ("series/values", "series/static", "series/trained_until")
# A file's own horizon and context: steps of all its series, if that is more than so many times its rows.
MOST_STEPS, MOST_GROWTH = 10_000_000, 100
_SPECS: dict[str, Any] = {"columns": Columns, "preset": NetworkSpec}


@dataclass(frozen=True)
class _File:
    """What a file holds, see `FittedForecaster`; `options` are the arguments of the forecaster, by name."""

    options: dict[str, Any]
    series: StoredSeries
    season_length: int
    seed: int
    choice: Choice
    candidates: tuple[FittedCandidate, ...]
    calibrations: tuple[Calibration, ...]
    short_series: tuple[str | int, ...]
    skipped: list[list[str | int]]
    tried: History


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
    file = _File(
        options={
            **{name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in options.items()},
            "training": _training_to_json(options["training"]),
        },
        series=StoredSeries(fitted.series),
        season_length=fitted.season_length,
        seed=fitted.seed,
        choice=fitted.choice,
        candidates=fitted.candidates,
        calibrations=fitted.calibrations,
        short_series=fitted.short_series,
        skipped=[[name, *_texts(error)] for name, error in fitted.skipped.items()],
        tried=fitted.tried,
    )
    write_archive(path, KIND, *to_parts(file))


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
        fitted = {key: kind.fitted_type for key, kind in CANDIDATES.items()}
        tables: Any = {FittedCandidate: fitted, ZeroShotModel: MODELS}
        file: _File = from_parts(_File, archive.header, archive.arrays, tables=tables)
        if set(file.options) != set(names):
            raise ValueError(f"options {', '.join(sorted(set(file.options) ^ set(names)))}")
        options = _options(file.options)
        return options, _fitted(file, options)


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


def _fitted(file: _File, options: dict[str, Any]) -> FittedForecaster:
    """Build the fitted forecaster, and refuse parts that do not fit together."""
    skipped = {
        name: DataError(str(where), expected=str(expected), received=str(received), hint=str(hint))
        for name, where, expected, received, hint in file.skipped
    }
    fitted = FittedForecaster(
        series=file.series.state,
        season_length=check_int("season_length", file.season_length),
        seed=check_int("seed", file.seed, at_least=0),
        choice=file.choice,
        candidates=file.candidates,
        rows=RowOptions.of(options),
        output=ForecastOptions.of(options),
        calibrations=file.calibrations,
        short_series=file.short_series,
        skipped=skipped,
        tried=file.tried,
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
    fitted.choice.check()
    for candidate in fitted.candidates:
        candidate.check_file(fitted.series, fitted.season_length)
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


def _training_to_json(given: TrainingSpec | Mapping[str, Any] | None) -> Any:
    """Return the option `training` as JSON types: whole under the key `spec`, or the fields that were given."""
    if given is None:
        return None
    whole = _whole(given).to_dict()
    return {"spec": whole} if isinstance(given, TrainingSpec) else {name: whole[name] for name in given}


def _whole(given: TrainingSpec | Mapping[str, Any]) -> TrainingSpec:
    return given if isinstance(given, TrainingSpec) else TrainingSpec(**given)
