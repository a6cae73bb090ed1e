"""A few small real series that come with the package, for examples, tests and first steps.

`samples/catalogue.json` describes them; `samples/SOURCES.md` says where each comes from, and how it
was changed.
"""

import csv
import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from seqcast.runtime import require
from seqcast.specs import check_choice

__all__ = ["Dataset", "describe", "load", "names"]

# Kinds of frames that `load` returns.
BACKENDS = ("pandas", "polars")


@dataclass(frozen=True)
class Dataset:
    """The description of a series.

    Args:
        name: Its name here, which is also its `unique_id`.
        title: The measured quantity, its place and its time.
        source: Who published it.
        licence: The terms of its use.
        units: Unit of `y`.
        frequency: Step between the time stamps, as a pandas alias.
        season_length: Steps of one season; 1 for none of fixed length.
        length: Number of values.
        start: First time stamp, ISO 8601.
        end: Last time stamp, ISO 8601.
        notes: Changes to the data, and cautions for their use.
    """

    name: str
    title: str
    source: str
    licence: str
    units: str
    frequency: str
    season_length: int
    length: int
    start: str
    end: str
    notes: str


@functools.cache
def _catalogue() -> dict[str, Dataset]:
    return {each["name"]: Dataset(**each) for each in json.loads(_read("catalogue.json"))}


def _read(file: str) -> str:
    return (resources.files("seqcast.data") / "samples" / file).read_text(encoding="utf-8")


def names() -> tuple[str, ...]:
    """Return the names of the series that come with the package.

    Example:
        >>> names()
        ('co2', 'elnino', 'lynx', 'sunspots')
    """
    return tuple(_catalogue())


def describe(name: str) -> Dataset:
    """Return the description of a series: source, licence, units and frequency.

    Args:
        name: One of `names()`.

    Returns:
        Its description.

    Raises:
        SpecError: There is no such series.

    Example:
        >>> describe("elnino").frequency, describe("elnino").season_length
        ('MS', 12)
    """
    check_choice("name", name, names())
    return _catalogue()[name]


def load(name: str, *, backend: str = "pandas") -> Any:
    """Read a series as a long frame.

    Args:
        name: One of `names()`.
        backend: `pandas` or `polars`: the kind of frame.

    Returns:
        A frame with the columns `unique_id` (the name), `ds` (time stamp) and `y` (value, in the
        series' units), the oldest row first, without gaps.

    Raises:
        SpecError: There is no such series, or the backend's name is unknown.
        MissingPackageError: Polars is not installed.

    Example:
        >>> frame = load("lynx")
        >>> list(frame.columns), len(frame), float(frame["y"].max())
        (['unique_id', 'ds', 'y'], 114, 6991.0)
    """
    dataset = describe(name)
    check_choice("backend", backend, BACKENDS)

    rows = list(csv.reader(_read(f"{dataset.name}.csv").splitlines()))[1:]
    # Nanoseconds for both, which pandas and the packages around it expect.
    stamps = np.array([row[0] for row in rows], dtype="datetime64[ns]")
    values = np.array([row[1] for row in rows], dtype=np.float64)
    columns = {"unique_id": [dataset.name] * len(rows), "ds": stamps, "y": values}

    if backend == "polars":
        return require("polars", extra="polars").DataFrame(columns)

    import pandas

    return pandas.DataFrame(columns)
