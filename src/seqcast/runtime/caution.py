"""Warnings of ours, which point at the user's own code."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from seqcast.errors import SeqcastWarning

_PACKAGE = str(Path(__file__).parents[1])


def warn_user(message: str, category: type[SeqcastWarning] = SeqcastWarning) -> None:
    """Warn of something, pointing at the user's own code rather than at ours.

    Args:
        message: What to say.
        category: Kind of warning.
    """
    depth, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(message, category, stacklevel=depth)
