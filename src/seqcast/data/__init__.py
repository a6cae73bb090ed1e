"""From arrays, files and frames to windows; `describe` looks at a table, `from_wide` and `to_wide` change its form.

Stability: stable.
"""

from typing import Any

from seqcast.data.frames.forms import from_wide, to_wide

__all__ = ["describe", "from_wide", "to_wide"]


def __getattr__(name: str) -> Any:
    # It is above the rooms of data that import this package.
    if name == "describe":
        from seqcast.data.description import describe

        return describe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
