"""The studies by their names."""

from __future__ import annotations

import importlib

from seqcast.errors import unknown_name
from seqcast.studies.study import Study

NAMES = (
    "states",
    "periods",
    "sines",
    "horizon",
    "teacher",
    "sizes",
    "static",
    "learning",
    "noise",
)


def find_study(name: str) -> Study:
    """Return a study by its name.

    Raises:
        SpecError: There is no such study.

    Example:
        >>> find_study("horizon").title
        'Beyond the horizon'
    """
    if name not in NAMES:
        raise unknown_name("study NAME", name, NAMES)
    study: Study = importlib.import_module(f"seqcast.studies.{name}").STUDY
    return study
