"""From two frames with an index, targets and covariates, to one long frame, and back to an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from seqcast.errors import DataError, SpecError
from seqcast.forecaster.options import RESERVED
from seqcast.interop.sktime.index import IndexForm, StepsAhead, column_names, last_stamps
from seqcast.specs.columns import Covariates

__all__ = ["ALIAS", "Translation"]

ALIAS = "seqcast"
TAKEN = frozenset({"unique_id", "ds", "y", ALIAS, *RESERVED})


@dataclass
class Translation:
    """How frames with an index become long frames, settled by the first that came.

    Args:
        schema: How the index of `y` looks.
        targets: Names of the columns of `y` in long frames.
        names: For each column of `X` its name in long frames.
        covariates: These names, by role.
        keys: For each id what names the series in the index, in the order in which they came.
        ends: The last stamp of each series.

    Example:
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-01", periods=2)
        >>> translation = Translation.of(pd.DataFrame({"sold": [1.0, 2.0]}, days), pd.DataFrame({0: [5, 6]}, days))
        >>> print(translation.rows(pd.DataFrame({"sold": [1.0, 2.0]}, days), pd.DataFrame({0: [5, 6]}, days)))
          unique_id         ds  sold  x0
        0    series 2024-01-01   1.0   5
        1    series 2024-01-02   2.0   6
    """

    schema: IndexForm
    targets: tuple[str, ...]
    names: dict[Any, str]
    covariates: Covariates
    keys: dict[Any, Any] = field(default_factory=dict)
    ends: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, y: Any, X: Any, static: Sequence[Any] = (), past: Sequence[Any] = ()) -> Self:
        """Settle how the frames of a fit become long ones.

        Args:
            y: The targets.
            X: The covariates, or `None`.
            static: Columns of `X` that are constant within a series.
            past: Columns of `X` whose future is not known.

        Raises:
            SpecError: `X` has no such column.
        """
        columns = [] if X is None else list(X.columns)
        for option, named in (("static_covariates", static), ("past_covariates", past)):
            for column in named:
                if column not in columns:
                    raise SpecError(
                        option,
                        expected=f"columns of X: {', '.join(map(repr, columns)) or 'there is none'}",
                        received=repr(column),
                        hint="Name columns of the X that fit is given.",
                    )
        targets = column_names(y.columns, "y", TAKEN if len(y.columns) > 1 else TAKEN - {"y"})
        names = dict(zip(columns, column_names(columns, "x", TAKEN | {*targets}), strict=True))
        roles = Covariates(
            tuple(names[column] for column in static),
            tuple(names[column] for column in past),
            tuple(names[column] for column in columns if column not in {*static, *past}),
        )
        return cls(IndexForm.of(y.index), targets, names, roles)

    def rows(self, y: Any, X: Any) -> Any:
        """Return the long frame of some series and their covariates.

        Raises:
            DataError: Columns or rows are missing.
        """
        import pandas as pd

        if len(y.columns) != len(self.targets):
            raise DataError(
                "y",
                expected=f"{len(self.targets)} columns, as at fit",
                received=f"{len(y.columns)}: {list(y.columns)}",
                hint="Give the same ones.",
            )
        ids, keys = self.schema.series(y.index)
        self.keys = {**self.keys, **keys}
        values = {name: y.iloc[:, place].to_numpy() for place, name in enumerate(self.targets)}
        read = self._checked(X, self.names)
        if read is not None:
            lacking = np.flatnonzero(~y.index.isin(read.index))
            if len(lacking):
                row = int(lacking[0])
                raise DataError(
                    f"X (series {ids[row : row + 1].tolist()[0]!r})",
                    expected="a row for each of y",
                    received=f"none for {y.index.get_level_values(-1)[row]}",
                    hint="Add it.",
                )
            read = read.reindex(y.index)
            values |= {name: read[column].array for column, name in self.names.items()}
        return pd.DataFrame({"unique_id": ids, "ds": self.schema.stamps(y.index), **values})

    def later(self, rows: Any) -> Any:
        """Return those of some rows that are later than all that came of their series, and those of new series."""
        ends = rows["unique_id"].map(self.ends)
        return rows[ends.isna() | (rows["ds"] > ends)]

    def future(self, X: Any, steps: StepsAhead, ids: Sequence[Any]) -> Any:
        """Return the long frame of the known future, with empty rows for steps that the horizon leaves out.

        Args:
            X: A frame with the columns of the known future.
            steps: The steps of the forecast.
            ids: The series, as in `steps`.

        Returns:
            The frame; `None` when no column has a known future.

        Raises:
            DataError: Columns are missing, or `X` is not wanted.
        """
        import pandas as pd

        known = {column: name for column, name in self.names.items() if name in self.covariates.future}
        X = self._checked(X, known)
        if X is None:
            return None
        named, _ = self.schema.series(X.index)
        values = {name: X[column].array for column, name in known.items()}
        rows = pd.DataFrame({"unique_id": named, "ds": self.schema.stamps(X.index), **values})
        owners = np.repeat(np.asarray(ids), steps.horizon)
        between = pd.DataFrame({"unique_id": owners, "ds": steps.stamps})[steps.passed_over]
        there = pd.MultiIndex.from_frame(rows[["unique_id", "ds"]])
        absent = between[~pd.MultiIndex.from_frame(between).isin(there)]
        return pd.concat([rows, absent], ignore_index=True) if len(absent) else rows

    def _checked(self, X: Any, wanted: dict[Any, str]) -> Any:
        """Return `X` if it has the columns that are wanted, and `None` if there are none."""
        if X is not None and not self.names:
            raise DataError("X", expected="None: fit was given none", received="a frame", hint="Fit with X too.")
        if not wanted:
            return None
        lacking = list(wanted) if X is None else [column for column in wanted if column not in X.columns]
        if lacking:
            raise DataError(
                "X",
                expected=f"the columns {', '.join(map(repr, wanted))}, as at fit",
                received="None" if X is None else f"a frame without {lacking[0]!r}",
                hint="Give them; columns whose future is not known may be named in past_covariates.",
            )
        return X

    def indexed(self, values: Any, columns: Any, steps: StepsAhead, ids: Sequence[Any]) -> Any:
        """Make a frame with an index of forecasts, series in the order in which they came.

        Args:
            values: The numbers, `[series · K, columns]`.
            columns: Names of the columns.
            steps: The steps of the forecast.
            ids: The series, as in `steps`.
        """
        import pandas as pd

        index = self.schema.index([self.keys[name] for name in ids], steps.stamps_asked)
        places = {name: place for place, name in enumerate(self.keys)}
        order = np.argsort([places[name] for name in ids])
        rows = np.arange(len(index)).reshape(len(ids), -1)[order].ravel()
        return pd.DataFrame(values, index, columns).iloc[rows]

    def take_in(self, rows: Any) -> None:
        """Move the series' ends to those of some rows."""
        self.ends = {**self.ends, **last_stamps(rows)}
