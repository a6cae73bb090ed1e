"""How a long frame looks, and making others like it.

Only names of types are kept, so that a model that was loaded from a file gives the same frames as before.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast._optional import require
from seqcast.config import Columns
from seqcast.data.frequency import Frequency, Stamps

__all__ = ["FrameForm"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FrameForm:
    """How a frame looks, so that one like it can be made: plain data, to and from JSON.

    Args:
        kind: `pandas` or `polars`.
        columns: Names of its columns.
        id_dtype: Type of the ids, as the frame's kind writes it.
        ds_dtype: Type of the time stamps, as the frame's kind writes it.
        zone: Time zone of the stamps.

    Example:
        >>> form = FrameForm("pandas", Columns(), id_dtype="str", ds_dtype="int64")
        >>> last = form.stamps(np.array([7]))
        >>> print(form.forecast(Frequency(1), ["a"], last, {"model": np.array([[0.5, 1.5]])}))
          unique_id  ds  model
        0         a   8    0.5
        1         a   9    1.5
    """

    kind: str
    columns: Columns
    id_dtype: str
    ds_dtype: str
    zone: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build the form from the result of `to_dict`."""
        return cls(**{**values, "columns": Columns.from_dict(values["columns"])})

    def stamps(self, values: Array) -> Stamps:
        """Make an index of whole numbers, or of UTC times moved into the form's time zone."""
        import pandas as pd

        if values.dtype.kind in "iu":
            return pd.Index(values)
        index = pd.DatetimeIndex(values)
        return index if self.zone is None else index.tz_localize("UTC").tz_convert(self.zone)

    def forecast(self, frequency: Frequency, ids: Any, last_stamps: Stamps, forecasts: dict[str, Array]) -> Any:
        """Lay forecasts out as a frame, series after series.

        Args:
            frequency: The step between stamps.
            ids: Name of each series.
            last_stamps: The last stamp before the forecast, for each series.
            forecasts: Forecasts by column name, `[series, H]` each.

        Returns:
            A frame with one row a series and step: ids, stamps, and the forecasts.
        """
        count, horizon = next(iter(forecasts.values())).shape
        steps = [frequency.after(last_stamps, step + 1) for step in range(horizon)]
        series_first = np.arange(count * horizon).reshape(horizon, count).T.ravel()
        stamps = steps[0].append(steps[1:])[series_first]
        names = np.repeat(np.asarray(ids), horizon)
        return self.build(names, {self.columns.ds: stamps}, {name: y.ravel() for name, y in forecasts.items()})

    def build(self, ids: Array, times: dict[str, Stamps], values: dict[str, Array]) -> Any:
        """Make a frame of this form.

        Args:
            ids: Name of each row's series.
            times: Columns of time stamps, by name.
            values: Columns of numbers, by name.

        Returns:
            A frame of the form's kind: the ids, the stamps, the numbers.
        """
        names = [self.columns.unique_id, *times, *values]
        library: Any
        if self.kind == "polars":
            library = require("polars", extra="polars")
            columns = [self._polars_ids(ids), *map(self._polars_stamps, times.values()), *values.values()]
        else:
            import pandas as library

            columns = [library.Series(ids.tolist()).astype(self.id_dtype)]
            columns += [*map(self._pandas_stamps, times.values()), *values.values()]
        return library.DataFrame(dict(zip(names, columns, strict=True)))

    def _pandas_stamps(self, index: Stamps) -> Any:
        import pandas as pd

        if self.ds_dtype == "object":  # datetime.date
            return pd.Series(index.date, dtype=object)
        dtype: Any = self.ds_dtype
        return pd.Series(index).astype(dtype)

    def _polars_ids(self, ids: Array) -> Any:
        polars = require("polars", extra="polars")
        # An Enum's categories are not kept; its values come out as text.
        name = "String" if self.id_dtype.startswith("Enum") else self.id_dtype.split("(")[0]
        return polars.Series(ids.tolist()).cast(getattr(polars, name))

    def _polars_stamps(self, index: Stamps) -> Any:
        polars = require("polars", extra="polars")
        if index.dtype.kind in "iu":
            return polars.Series(index.to_numpy()).cast(getattr(polars, self.ds_dtype))
        unit = next((unit for unit in ("ns", "us", "ms") if f"'{unit}'" in self.ds_dtype), "ms")
        utc = index if index.tz is None else index.tz_convert(None)
        series = polars.Series(utc.to_numpy().astype(f"datetime64[{unit}]"))
        if self.ds_dtype == "Date":
            return series.cast(polars.Date)
        if self.zone is None:
            return series
        return series.dt.replace_time_zone("UTC").dt.convert_time_zone(self.zone)
