"""Series of several owners in one frame: each owner's rows have names of their own while they are forecast."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.frames import FrameSchema
from seqcast.forecaster.series_state import SeriesState

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class OwnedSeries:
    """The series of several owners, who may own series of the same name.

    Args:
        column: Name of the column of ids.
        names: The different ids of all rows, an index of pandas.
        pairs: Numbers of the different pairs of owner and id, sorted: the owner times the number of ids, plus the id.
        rows: The pair of each row, `[rows]`.
    """

    column: str
    names: Any
    pairs: Array
    rows: Array

    @classmethod
    def of(cls, df: Any, owners: Array, column: str) -> Self:
        """Return the series of a pandas frame.

        Args:
            df: The frame.
            owners: Number of the owner of each row, `[rows]`.
            column: Name of the column of ids.
        """
        import pandas as pd

        codes, names = pd.factorize(df[column], sort=True)
        pairs, rows = np.unique(owners * len(names) + codes, return_inverse=True)
        return cls(column, names, pairs, rows)

    @cached_property
    def pair_names(self) -> list[Any]:
        """The id of each pair."""
        return list(self.names[self.pairs % len(self.names)].tolist())

    @property
    def is_whole(self) -> bool:
        """Whether ids are whole numbers."""
        import pandas as pd

        return bool(pd.api.types.is_integer_dtype(self.names.dtype))

    @cached_property
    def labels(self) -> Array:
        """The names of the pairs while they are forecast, in their order, and one more behind them."""
        count = len(self.pairs) + 1
        return np.arange(count) if self.is_whole else np.array([f"{n:012d}" for n in range(count)], object)

    def copies(self, series: SeriesState) -> tuple[SeriesState, int]:
        """Return the state of the fitted series with a copy for each owner, and how many are known.

        Args:
            series: The state of the fitted series.
        """
        places = series.places(tuple(self.pair_names))
        known, labels = np.flatnonzero(places >= 0), self.labels
        # One series stands behind all others, so that there is one where all are new.
        last = labels.tolist()[-1] if self.is_whole == isinstance(series.ids[0], int) else series.ids[0]
        return series.copies(np.append(places[known], 0), (*labels[known].tolist(), last)), len(known)

    def renamed(self, df: Any) -> Any:
        """Return the rows of the frame under the names of their pairs."""
        return df.assign(**{self.column: self.labels[self.rows]})

    def renamed_future(self, future: Any, owners: Array) -> Any:
        """Return the rows of the future whose series are forecast, under the names of their pairs."""
        codes = self.names.get_indexer(future[self.column])
        wanted = owners * len(self.names) + codes
        places = np.minimum(np.searchsorted(self.pairs, wanted), len(self.pairs) - 1)
        found = (codes >= 0) & (self.pairs[places] == wanted)
        return future[found].assign(**{self.column: self.labels[places[found]]})

    def schema(self, schema: FrameSchema) -> FrameSchema:
        """Return the schema of forecasts, whose ids become those of the owners again."""
        return replace(schema, id_dtype="int64" if self.is_whole else "object")

    def restored(self, table: Any) -> tuple[Any, Array]:
        """Return forecasts under the ids of their owners, and the owner of each row.

        Args:
            table: A pandas frame under the names of the pairs.
        """
        import pandas as pd

        rows = table[self.column].to_numpy().astype(np.int64)
        ids = pd.Series(self.pair_names, dtype="int64" if self.is_whole else "object").to_numpy()
        table[self.column] = ids[rows]
        return table, self.pairs[rows] // len(self.names)
