"""Endless synthetic series of many families, with their season length, for networks that forecast any series."""

from seqcast.data.synthetic.generator import (
    FAMILIES,
    Family,
    SyntheticBatch,
    SyntheticSeries,
    synthetic_series,
)
from seqcast.data.synthetic.patterns import Season

__all__ = ["FAMILIES", "Family", "Season", "SyntheticBatch", "SyntheticSeries", "synthetic_series"]
