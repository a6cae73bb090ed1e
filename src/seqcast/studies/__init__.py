"""Studies: the open questions of the post, each a command that trains networks and reports a finding.

    seqcast study periods            # one of them
    seqcast study all --quick        # proves the path of each

A study (`study.Study`) is a grid of settings, a `run` of one setting and seed, pictures of all results and a finding.
`runner` computes runs in parallel. Each run is a file (`cache`), keyed by its setting, the code that it can
execute and the versions of the libraries, so that an interrupted study goes on where it stopped and a finished one
draws at once. A run trains its networks through `study.Trainings`, with checkpoints from which it goes on. `tasks` and
`oracle` are shared by studies; `demo` is the post's job and a real series.

Stability: experimental.
"""

from __future__ import annotations

import importlib

from seqcast.errors import unknown_name
from seqcast.studies.study import Study

__all__ = ["NAMES", "find_study"]

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
