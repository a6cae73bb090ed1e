"""A few small real series that come with the package, for examples, tests and first steps.

Where each comes from, and what was done to it, is in `samples/SOURCES.md`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from seqcast.runtime.optional import require
from seqcast.specs.checks import check_choice

__all__ = ["Dataset", "describe", "load", "names"]

BACKENDS = ("pandas", "polars")


@dataclass(frozen=True)
class Dataset:
    """The description of a series.

    Args:
        name: Its name here, which is also its `unique_id`.
        title: What was measured, where, and when.
        source: Who published it.
        licence: On what terms.
        units: Unit of `y`.
        frequency: Distance of the time stamps, as a pandas alias.
        season_length: Steps of one season; 1 for none of fixed length.
        length: Number of values.
        start: First time stamp, ISO 8601.
        end: Last time stamp, ISO 8601.
        notes: What was changed, and what to know before use.
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


_ALL = (
    Dataset(
        name="co2",
        title="Carbon dioxide in the air at Mauna Loa, Hawaii, weekly, 1958 to 2001",
        source="C. D. Keeling and T. P. Whorf (2004), Atmospheric CO2 concentrations derived from flask air"
        " samples at sites in the SIO network, CDIAC, Oak Ridge; by way of statsmodels.datasets.co2",
        licence="public domain",
        units="parts per million by volume",
        frequency="W-SAT",
        season_length=52,
        length=2284,
        start="1958-03-29",
        end="2001-12-29",
        notes="59 missing weeks, at most 18 in a row, are interpolated linearly and rounded to one decimal as"
        " the measurements are.",
    ),
    Dataset(
        name="elnino",
        title="Sea surface temperature off Peru (region Niño 1+2), monthly means, 1950 to 2010",
        source="NOAA National Weather Service, ERSST.V3B; by way of statsmodels.datasets.elnino",
        licence="public domain",
        units="degrees Celsius",
        frequency="MS",
        season_length=12,
        length=732,
        start="1950-01-01",
        end="2010-12-01",
        notes="One row a year made into one row a month.",
    ),
    Dataset(
        name="lynx",
        title="Lynx trapped in the Mackenzie River district of Canada, yearly, 1821 to 1934",
        source="C. Elton and M. Nicholson (1942), The ten-year cycle in numbers of the lynx in Canada,"
        " Journal of Animal Ecology 11, 215-244, table 4",
        licence="none stated: published counts; the same are in R's `datasets` and in pmdarima (MIT)",
        units="animals trapped in a year",
        frequency="YS-JAN",
        season_length=1,
        length=114,
        start="1821-01-01",
        end="1934-01-01",
        notes="Cycles of about ten years, of unequal length. A trapping year runs from June on. 1867 is 4245"
        " as in the paper, whose sum over the regions confirms it; R and what was copied from it have 4254.",
    ),
    Dataset(
        name="sunspots",
        title="Sunspot number, yearly means, 1700 to 2008",
        source="NOAA National Geophysical Data Center; by way of statsmodels.datasets.sunspots",
        licence="public domain",
        units="sunspot number",
        frequency="YS-JAN",
        season_length=1,
        length=309,
        start="1700-01-01",
        end="2008-01-01",
        notes="Cycles of about eleven years, of unequal length.",
    ),
)
_CATALOGUE = {dataset.name: dataset for dataset in _ALL}


def names() -> tuple[str, ...]:
    """Return the names of the series that come with the package.

    Example:
        >>> names()
        ('co2', 'elnino', 'lynx', 'sunspots')
    """
    return tuple(_CATALOGUE)


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
    return _CATALOGUE[name]


def load(name: str, *, backend: str = "pandas") -> Any:
    """Read a series as a long frame.

    Args:
        name: One of `names()`.
        backend: `pandas` or `polars`: the kind of frame.

    Returns:
        A frame with the columns `unique_id` (the name), `ds` (time stamp) and `y` (value, in the series'
        units), the oldest row first, without gaps.

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
    text = (resources.files("seqcast.data") / "samples" / f"{dataset.name}.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))[1:]
    # Nanoseconds for both: what pandas and the packages around it have long expected.
    stamps = np.array([row[0] for row in rows], dtype="datetime64[ns]")
    columns = {
        "unique_id": [dataset.name] * len(rows),
        "ds": stamps,
        "y": np.array([row[1] for row in rows], dtype=np.float64),
    }
    if backend == "polars":
        return require("polars", extra="polars").DataFrame(columns)
    import pandas

    return pandas.DataFrame(columns)
