"""Translation of sktime's frames of targets and covariates to one long frame, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from seqcast.errors import DataError, SpecError
from seqcast.forecaster import RESERVED
from seqcast.interop.sktime.index import HorizonSteps, IndexSchema, column_names, last_stamps
from seqcast.specs import Covariates

ALIAS = "seqcast"
RESERVED_NAMES = frozenset({"unique_id", "ds", "y", ALIAS, *RESERVED})


@dataclass
class Translation:
    """How frames with an index become long frames, as the frames of the first fit decide.

    Args:
        schema: Schema of the index of `y`.
        targets: Names of the columns of `y` in long frames.
        names: For each column of `X` its name in long frames.
        covariates: These names, by role.
        keys: For each id the key of the series in the index, in their first order.
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

    schema: IndexSchema
    targets: tuple[str, ...]
    names: dict[Any, str]
    covariates: Covariates
    keys: dict[Any, Any] = field(default_factory=dict)
    ends: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, y: Any, X: Any, static: Sequence[Any] = (), past: Sequence[Any] = ()) -> Self:
        """Return the translation of the frames of a fit.

        Args:
            y: The targets.
            X: The covariates, or `None`.
            static: Columns of `X` that are constant within a series.
            past: Columns of `X` that are not known for the future.

        Raises:
            SpecError: `X` has no such column.
        """
        columns = [] if X is None else list(X.columns)
        for option, role_columns in (("static_covariates", static), ("past_covariates", past)):
            for column in role_columns:
                if column not in columns:
                    raise SpecError(
                        option,
                        expected=f"columns of X: {', '.join(map(repr, columns)) or 'there is none'}",
                        received=repr(column),
                        hint="Name columns of the X that fit is given.",
                    )
        targets = column_names(y.columns, "y", RESERVED_NAMES if len(y.columns) > 1 else RESERVED_NAMES - {"y"})
        names = dict(zip(columns, column_names(columns, "x", RESERVED_NAMES | {*targets}), strict=True))
        roles = Covariates(
            tuple(names[column] for column in static),
            tuple(names[column] for column in past),
            tuple(names[column] for column in columns if column not in {*static, *past}),
        )
        return cls(IndexSchema.of(y.index), targets, names, roles)

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
        covariates = self._checked(X, self.names)
        if covariates is not None:
            lacking = np.flatnonzero(~y.index.isin(covariates.index))
            if len(lacking):
                row = int(lacking[0])
                raise DataError(
                    f"X (series {ids[row : row + 1].tolist()[0]!r})",
                    expected="a row for each of y",
                    received=f"none for {y.index.get_level_values(-1)[row]}",
                    hint="Add it.",
                )
            covariates = covariates.reindex(y.index)
            values |= {name: covariates[column].array for column, name in self.names.items()}
        return pd.DataFrame({"unique_id": ids, "ds": self.schema.stamps(y.index), **values})

    def later(self, rows: Any) -> Any:
        """Return the rows that are later than the end of their series, and those of new series."""
        ends = rows["unique_id"].map(self.ends)
        return rows[ends.isna() | (rows["ds"] > ends)]

    def future(self, X: Any, steps: HorizonSteps, ids: Sequence[Any]) -> Any:
        """Return the long frame of the known future, with empty rows for steps that the horizon leaves out.

        Args:
            X: A frame with the columns of the known future.
            steps: The steps of the forecast.
            ids: The series, as in `steps`.

        Returns:
            The frame; `None` when no column has a known future.

        Raises:
            DataError: Columns are missing, or `X` is given and was not at fit.
        """
        import pandas as pd

        columns = {column: name for column, name in self.names.items() if name in self.covariates.future}
        X = self._checked(X, columns)
        if X is None:
            return None
        row_ids, _ = self.schema.series(X.index)
        values = {name: X[column].array for column, name in columns.items()}
        rows = pd.DataFrame({"unique_id": row_ids, "ds": self.schema.stamps(X.index), **values})
        owners = np.repeat(np.asarray(ids), steps.horizon)
        between = pd.DataFrame({"unique_id": owners, "ds": steps.stamps})[steps.skipped]
        there = pd.MultiIndex.from_frame(rows[["unique_id", "ds"]])
        absent = between[~pd.MultiIndex.from_frame(between).isin(there)]
        return pd.concat([rows, absent], ignore_index=True) if len(absent) else rows

    def _checked(self, X: Any, needed: dict[Any, str]) -> Any:
        """Return `X` if it has the needed columns, and `None` if none are needed."""
        if X is not None and not self.names:
            raise DataError("X", expected="None: fit was given none", received="a frame", hint="Fit with X too.")
        if not needed:
            return None
        lacking = list(needed) if X is None else [column for column in needed if column not in X.columns]
        if lacking:
            raise DataError(
                "X",
                expected=f"the columns {', '.join(map(repr, needed))}, as at fit",
                received="None" if X is None else f"a frame without {lacking[0]!r}",
                hint="Give them; columns whose future is not known may be named in past_covariates.",
            )
        return X

    def indexed(self, values: Any, columns: Any, steps: HorizonSteps, ids: Sequence[Any]) -> Any:
        """Return a frame of forecasts with an index, series in their first order.

        Args:
            values: The numbers, `[series · K, columns]`.
            columns: Names of the columns.
            steps: The steps of the forecast.
            ids: The series, as in `steps`.
        """
        import pandas as pd

        index = self.schema.index([self.keys[name] for name in ids], steps.horizon_stamps)
        places = {name: place for place, name in enumerate(self.keys)}
        order = np.argsort([places[name] for name in ids])
        rows = np.arange(len(index)).reshape(len(ids), -1)[order].ravel()
        return pd.DataFrame(values, index, columns).iloc[rows]

    def move_ends(self, rows: Any) -> None:
        """Move the ends of series to those of some rows."""
        self.ends = {**self.ends, **last_stamps(rows)}
