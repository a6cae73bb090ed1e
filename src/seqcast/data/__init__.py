"""From arrays, files and frames to windows; `from_wide` and `to_wide` change the form of a table."""

from seqcast.data.frames.forms import from_wide, to_wide

__all__ = ["from_wide", "to_wide"]
