"""Endless synthetic series of many families, with their season.

`patterns` has what all families draw from; `stochastic` and `shapes` have the families;
`augmentations` change their series; `generator` has the table of families and the batches.
"""

from synthetic.generator import (
    FAMILIES,
    Family,
    SyntheticBatch,
    SyntheticSeries,
    synthetic_series,
)

__all__ = ["FAMILIES", "Family", "SyntheticBatch", "SyntheticSeries", "synthetic_series"]
