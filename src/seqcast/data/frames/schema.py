"""The schema of a long frame, from which frames of forecasts are built.

It has only names of types, so that a model that is loaded from a file returns the same frames as
before.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from seqcast.data.frames.forms import LONG, UserFrame, in_form
from seqcast.data.frames.frame_columns import IdColumn, StampColumn
from seqcast.data.frames.stamps import Stamps, format_stamps, from_utc
from seqcast.runtime import Array, require
from seqcast.specs import Columns

# A column of Polars, which may not be installed.
PolarsSeries = Any


@dataclass(frozen=True)
class FrameSchema:
    """Kind, columns and types of a frame, from which others like it are built: plain data.

    Args:
        kind: `pandas` or `polars`.
        columns: Names of its columns.
        id_dtype: Type of the ids, as the frame's kind writes it.
        ds_dtype: Type of the time stamps, as the frame's kind writes it.
        zone: Time zone of the stamps.
        id_categories: The names that a Polars `Enum` of ids may hold.
        form: Its form, see `seqcast.data.frames.forms.form_of`.
        missing_values: What stood for missing values in the file of the frame, see `Dialect`; later
            files are read so.

    Example:
        >>> schema = FrameSchema("pandas", Columns(), id_dtype="str", ds_dtype="int64")
        >>> stamps = schema.stamps(np.array([8, 9]))
        >>> print(schema.to_long(["a"], {"ds": stamps}, {"model": np.array([[[0.5], [1.5]]])}))
          unique_id  ds  model
        0         a   8    0.5
        1         a   9    1.5
    """

    kind: str
    columns: Columns
    id_dtype: str
    ds_dtype: str
    zone: str | None = None
    id_categories: tuple[str, ...] = ()
    form: str = LONG
    missing_values: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, kind: str, columns: Columns, ids: IdColumn, stamps: StampColumn, form: str = LONG
    ) -> Self:
        """Return the schema of a frame whose ids and stamps have been read.

        Args:
            kind: `pandas` or `polars`.
            columns: Names of its columns.
            ids: Its ids.
            stamps: Its time stamps.
            form: Its form.
        """
        zone = getattr(stamps.stamps, "tz", None)
        return cls(
            kind,
            columns,
            ids.dtype,
            stamps.dtype,
            zone=None if zone is None else str(zone),
            id_categories=ids.categories,
            form=form,
        )

    def stamps(self, values: Array) -> Stamps:
        """Return an index of whole numbers, or of UTC times moved into the schema's time zone.

        Args:
            values: Whole numbers, or times in UTC.
        """
        if values.dtype.kind in "iu":
            return pd.Index(values)
        return from_utc(pd.DatetimeIndex(values), self.zone)

    def to_long(
        self,
        ids: Sequence[Hashable] | Array,
        times: dict[str, Stamps],
        values: dict[str, Array],
        mask: Array | None = None,
    ) -> UserFrame:
        """Return a long frame of arrays, whose first axis is the series, and the last the targets.

        Args:
            ids: Name of each series.
            times: Columns of time stamps by name, `[series, ...]` in one row.
            values: Columns of numbers by name, `[series, ..., D]`.
            mask: Which of them become rows; `None` takes all.

        Returns:
            A frame of the schema's kind: the ids, the target's name where there are several, the
            stamps, the numbers; sorted by series, target, and the axes between them.
        """
        cubes = {name: np.moveaxis(cube, -1, 1) for name, cube in values.items()}
        shape = next(iter(cubes.values())).shape
        is_row = np.ones(shape, dtype=bool) if mask is None else np.moveaxis(mask, -1, 1)
        series, targets, *inner = np.nonzero(is_row)
        places = np.ravel_multi_index((series, *inner), (shape[0], *shape[2:]))
        stamps = {name: index[places] for name, index in times.items()}
        numbers = {name: cube[is_row] for name, cube in cubes.items()}
        return self.build(as_ids(ids)[series], stamps, numbers, targets)

    def paths_to_long(
        self,
        ids: Sequence[Hashable] | Array,
        stamps: Stamps,
        name: str,
        paths: Array,
        mask: Array,
    ) -> UserFrame:
        """Return a long frame of sample paths.

        Args:
            ids: Name of each series.
            stamps: Stamps of the steps, series after series.
            name: Column of the values.
            paths: The paths, `[series, paths, H, D]`.
            mask: Which steps become rows, `[series, H, D]`.

        Returns:
            A frame of the schema's kind, sorted by series, target, path and step: as `to_long`
            gives it, and the number of the path, `sample`, from 1.
        """
        count, samples, horizon, _ = paths.shape
        steps = np.arange(count * horizon).reshape(count, 1, horizon)
        places = np.broadcast_to(steps, (count, samples, horizon))
        numbers = np.broadcast_to(np.arange(1, samples + 1).reshape(1, -1, 1, 1), paths.shape)
        values = {"sample": numbers, name: paths}
        times = {self.columns.ds: stamps[places.ravel()]}
        return self.to_long(ids, times, values, np.broadcast_to(mask[:, None], paths.shape))

    def build(
        self,
        ids: Array,
        times: dict[str, Stamps],
        values: dict[str, Array],
        targets: Array | None = None,
    ) -> UserFrame:
        """Return a frame of this schema.

        Args:
            ids: Name of each row's series.
            times: Columns of time stamps, by name.
            values: Columns of numbers, by name.
            targets: Number of each row's target, whose name is in a column `target` where there are
                several.

        Returns:
            A frame of the schema's kind: the ids, the targets, the stamps, the numbers.
        """
        names = np.asarray(self.columns.targets, dtype=object)
        labels = {}
        if targets is not None and len(names) > 1:
            labels["target"] = names[targets].tolist()

        if self.kind == "polars":
            library = require("polars", extra="polars")
            id_column = self._polars_ids(ids)
            stamps = {name: self._polars_stamps(index) for name, index in times.items()}
        else:
            library = pd
            id_column = _as_type(pd.Series(ids.tolist()), self.id_dtype)
            stamps = {name: self._pandas_stamps(index) for name, index in times.items()}
        columns = {self.columns.unique_id: id_column, **labels, **stamps, **values}
        return in_form(library.DataFrame(columns), self.columns, self.form)

    def _pandas_stamps(self, index: Stamps) -> pd.Series:
        if self.ds_dtype == "object" and self.columns.ds_format is None:  # datetime.date
            return pd.Series(index.date, dtype=object)

        series = pd.Series(self._written(index))
        if series.dtype.kind not in "iu":
            return _as_type(series, self.ds_dtype)
        # Steps ahead may leave a narrow type, such as int8 after 127.
        try:
            narrow = _as_type(series, self.ds_dtype)
        except (ArithmeticError, ValueError):
            return series
        return narrow if (narrow.astype("int64") == series).all() else series

    def _written(self, index: Stamps) -> Stamps | Array:
        """Return stamps in the frame's format: times, whole numbers or text."""
        if self.columns.ds_format in (None, "integer"):
            return index
        return format_stamps(index, self.columns.ds_format)

    def _polars_ids(self, ids: Array) -> PolarsSeries:
        polars = require("polars", extra="polars")
        series = polars.Series(ids.tolist())
        if self.id_dtype == "Enum":
            # New series may have names that the Enum lacks.
            has_all = set(ids) <= set(self.id_categories)
            return series.cast(polars.Enum(self.id_categories) if has_all else polars.String)
        return series.cast(getattr(polars, self.id_dtype.split("(")[0]))

    def _polars_stamps(self, index: Stamps) -> PolarsSeries:
        polars = require("polars", extra="polars")
        if self.columns.ds_format is not None or index.dtype.kind in "iu":
            series = polars.Series(np.asarray(self._written(index)).tolist())
            narrow = series.cast(getattr(polars, self.ds_dtype), strict=False)
            return series if narrow.null_count() else narrow

        unit = next((unit for unit in ("ns", "us", "ms") if f"'{unit}'" in self.ds_dtype), "ms")
        utc = index if index.tz is None else index.tz_convert(None)
        series = polars.Series(utc.to_numpy().astype(f"datetime64[{unit}]"))

        if self.ds_dtype == "Date":
            return series.cast(polars.Date)
        if self.zone is None:
            return series
        return series.dt.replace_time_zone("UTC").dt.convert_time_zone(self.zone)


def _as_type(series: pd.Series, dtype: str) -> pd.Series:
    converted: pd.Series = series.astype(dtype)  # type: ignore[call-overload]
    return converted


def as_ids(ids: Sequence[Hashable] | Array) -> Array:
    """Return ids as an array; text of any length stays Python's.

    Args:
        ids: Names of series.
    """
    array = np.asarray(ids)
    return array if array.dtype.kind in "iu" else np.asarray(ids, dtype=object)
