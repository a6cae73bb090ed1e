"""Static covariates: columns that are constant within a series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.columns import ColumnType
from seqcast.data.frames.regular import SortedRows
from seqcast.data.series import starts_of
from seqcast.errors import DataError, Option, Phrase, Row

Array = npt.NDArray[Any]


def static_values(values: Array, kind: ColumnType, rows: SortedRows, name: str) -> Array:
    """Return the value of a static covariate in each series, `[N]`, NaN where it is missing in all of its rows.

    Args:
        values: The column, in the order of the rows.
        kind: Its type.
        rows: The rows.
        name: Name of the column.

    Raises:
        DataError: It changes within a series.
    """
    starts, last = starts_of(rows.ends), len(values) - 1
    observed = ~np.isnan(values)
    first_observed = np.minimum.reduceat(np.where(observed, np.arange(len(values)), last + 1), starts)
    constant = np.where(first_observed < rows.ends, values[np.minimum(first_observed, last)], np.nan)
    differs = observed & (values != constant[rows.series])
    if differs.any():
        names = (Option("past_covariates"), " or ", Option("future_covariates"))
        hint = Phrase("Name the column among ", *names, ", or correct the row.")

        def at(place: int) -> DataError:
            before = int(first_observed[rows.series[place]])
            stands = Row(int(rows.order[before]))
            return rows.error(
                name,
                place,
                expected=Phrase(
                    f"{_value_text(values[before], kind)}, as in ",
                    stands,
                    ": a static covariate is constant within a series",
                ),
                received=_value_text(values[place], kind),
                hint=hint,
            )

        raise rows.first_error(np.flatnonzero(differs).tolist(), at)
    return constant


def _value_text(value: float, kind: ColumnType) -> str:
    """Return a value as text, as it stands in the user's frame."""
    labels: Sequence[Any] = kind.labels if kind.name == "category" else (False, True)
    return f"{value:g}" if kind.name == "number" else repr(labels[int(value)])
