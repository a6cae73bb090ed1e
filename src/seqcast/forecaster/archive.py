"""What a forecaster's file holds."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.engine.engine import Engine
from seqcast.errors import FileFormatError, SeqcastError, SpecError
from seqcast.forecaster.planning import Plan
from seqcast.forecaster.series_state import SeriesState
from seqcast.intervals.calibration import Calibration
from seqcast.runtime.archive import read_archive, write_archive
from seqcast.specs.columns import Columns
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec
from seqcast.training.history import History

__all__ = ["read_forecaster", "write_forecaster"]

Array = npt.NDArray[Any]
Parts = tuple[dict[str, Any], dict[str, Array]]

KIND = "Forecaster"
_SPECS: dict[str, Any] = {"columns": Columns, "preset": NetworkSpec}


def write_forecaster(
    path: str | os.PathLike[str],
    options: dict[str, Any],
    plan: Plan,
    trained: Sequence[tuple[Engine, History]],
    calibrations: Sequence[Calibration] = (),
) -> None:
    """Write a file.

    Args:
        path: Where it goes; it appears whole or not at all.
        options: Arguments of the forecaster.
        plan: What it remembers.
        trained: The engine of each member, and what its training recorded.
        calibrations: The calibration of each target, if there is any.

    Raises:
        SpecError: The training holds a function that a file cannot.
        SaveError: The file could not be written.
    """
    _check_comes_back(trained[0][0])
    remembered, arrays = plan.memory.to_parts()
    parts = {f"memory/{name}": value for name, value in arrays.items()}
    members = []
    for place, (engine, history) in enumerate(trained):
        described, weights = engine.to_parts()
        members.append({"engine": described, "history": history.to_dict()})
        parts.update({f"member {place}/{name}": value for name, value in weights.items()})
    widened = []
    for place, calibration in enumerate(calibrations):
        described, widths = calibration.to_parts()
        widened.append(described)
        parts.update({f"calibration {place}/{name}": value for name, value in widths.items()})
    header = {
        "options": {name: _plain(value) for name, value in options.items()},
        "memory": remembered,
        "season_length": plan.season_length,
        "short": list(plan.short),
        "members": members,
        "calibrations": widened,
    }
    write_archive(path, KIND, header, parts)


def read_forecaster(
    path: str | os.PathLike[str],
) -> tuple[dict[str, Any], Plan, list[tuple[Engine, History]], list[Calibration]]:
    """Read a file.

    Returns:
        Options, plan, members and calibrations, as they were given to `write_forecaster`.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: It is no forecaster's file.
    """
    header, arrays = read_archive(path, KIND)
    try:
        return _built(header, arrays)
    except SeqcastError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise FileFormatError(
            str(path),
            expected="a Forecaster saved by seqcast",
            received=f"a file whose parts do not fit together ({type(error).__name__}: {error})",
            hint="Save the model again.",
        ) from error


def _built(
    header: dict[str, Any], arrays: dict[str, Array]
) -> tuple[dict[str, Any], Plan, list[tuple[Engine, History]], list[Calibration]]:
    options = dict(header["options"])
    for name, kind in _SPECS.items():
        if isinstance(options[name], dict):
            options[name] = kind.from_dict(options[name])
    if "spec" in (options["training"] or {}):
        options["training"] = TrainingSpec.from_dict(options["training"]["spec"])
    for name in ("static_covariates", "past_covariates", "future_covariates", "calendar", "level", "context_length"):
        if isinstance(options[name], list):
            options[name] = tuple(options[name])
    parts: dict[str, dict[str, Array]] = {}
    for name, value in arrays.items():
        owner, _, rest = name.partition("/")
        parts.setdefault(owner, {})[rest] = value
    members = [
        (Engine.from_parts(member["engine"], parts[f"member {place}"]), History(**member["history"]))
        for place, member in enumerate(header["members"])
    ]
    _check_sizes(parts["memory"])
    memory = SeriesState.from_parts(header["memory"], parts["memory"])
    calibrations = [
        Calibration.from_parts(described, parts[f"calibration {place}"])
        for place, described in enumerate(header["calibrations"])
    ]
    return options, Plan(memory, header["season_length"], short=tuple(header["short"])), members, calibrations


def _check_sizes(remembered: dict[str, Array]) -> None:
    """Refuse arrays of series and of rows that are not as many as they should be."""
    ends = remembered["ends"]
    sizes = {name: len(remembered[name]) for name in ("ids", "static", "loc", "scale", "values", "stamps")}
    rows = (sizes.pop("values"), sizes.pop("stamps"))
    if {*sizes.values()} != {len(ends)} or {*rows} != {int(ends[-1])} or (np.diff(ends, prepend=0) < 1).any():
        raise ValueError(f"{len(ends)} series, {sizes}, {rows} rows")


def _check_comes_back(engine: Engine) -> None:
    """Refuse specs with functions that could not be read again, before anything is written."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of lambdas; the error says more
            TrainingSpec.from_dict(engine.training.to_dict())
            NetworkSpec.from_dict(engine.network.to_dict())
    except Exception as error:  # whatever Keras raises for them
        raise SpecError(
            "training or preset",
            expected="options that can be written to a file",
            received=str(error),
            hint="Give names, Keras objects, or functions registered with keras.saving.",
        ) from error


def _plain(value: Any) -> Any:
    """Turn an option into JSON types; a training is told from changes to one by its key."""
    if isinstance(value, TrainingSpec):
        return {"spec": value.to_dict()}
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return int(value) if isinstance(value, np.integer) else value
