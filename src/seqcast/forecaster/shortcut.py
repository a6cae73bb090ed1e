"""`seqcast.forecast`: from a table, a file or an array to a forecast in one step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoDataFrameT

from seqcast.data.frames import LONG, form_of, is_source
from seqcast.errors import DataError, SpecError
from seqcast.forecaster.estimator import Forecaster
from seqcast.forecaster.options import ReadOptions
from seqcast.forecaster.reading import check_future_given
from seqcast.runtime import require, say, showing
from seqcast.specs import Columns
from seqcast.tables import Dialect, OpenTable, ReadTable, Steps, in_files

if TYPE_CHECKING:
    import pandas as pd


@overload
def forecast(
    data: str | os.PathLike[str] | npt.NDArray[Any] | Sequence[Any], horizon: int, **options: Any
) -> pd.DataFrame: ...


@overload
def forecast(data: IntoDataFrameT, horizon: int, **options: Any) -> IntoDataFrameT: ...


def forecast(
    data: Any,
    horizon: int,
    *,
    future: Any = None,
    layout: str | None = None,
    start: Any = None,
    time_limit: float | str | None = None,
    dialect: Dialect | None = None,
    verbose: int = 1,
    **options: Any,
) -> Any:
    """Forecast series in one step: read them, choose the best candidates, and print which and why.

    Columns that `columns` does not name are guessed, rows that are out of order are sorted, and a
    line says so.

    Args:
        data: A frame, or a pandas Series with an index of times; levels of an index that have names
            are columns. Or a file of any kind that `seqcast.tables.read_table` reads, or the table
            that it returns. Or values without times: one series, `[T]`, or several, `[N, T]`, with
            NaN for missing ones, or a pandas or Polars Series.
        horizon: Number of steps to forecast.
        future: The future steps with the future covariates, as for `Forecaster.predict`.
        layout: Layout of a table: `long` (a row for each series and time), a series in each column
            (`wide`) or in each of its `rows`, or the months of a year or hours of a day in each row
            (`grid`); `None` guesses it.
        start: First time of values or a table without times in ISO 8601, with `freq`; otherwise
            steps are 1, 2, 3 …
        time_limit: As for `Forecaster.fit`.
        dialect: How a file is written, as for `read_table`; what is `None` in it is inferred.
        verbose: 0 is silent, 1 prints the choice to standard error.
        **options: Arguments of `Forecaster`, such as `season_length`, which values without times do
            not show, `level` and `effort`.

    Returns:
        A frame as from `Forecaster.predict`. Values without times have the numbers of their rows as
        `unique_id` where there are several.

    Raises:
        DataError: Something in the data is wrong, or several readings are about as likely.
        SpecError: An option is wrong.

    Example:
        >>> import seqcast
        >>> ahead = seqcast.forecast([3.0, 7.0, 5.0] * 8, 3, season_length=3, verbose=0)
        >>> ahead["ds"].tolist(), ahead["seqcast"].round().tolist()
        ([25, 26, 27], [3.0, 7.0, 5.0])
    """
    forecaster = Forecaster(horizon, verbose=0, **options)

    steps = Steps(start, forecaster.freq)
    if dialect is not None and not isinstance(data, str | os.PathLike):
        raise SpecError(
            "dialect",
            expected="None for data that is no file",
            received=repr(dialect),
            hint="Leave it out.",
        )

    if _is_values(data):
        frame = _of_values(data, forecaster.columns or Columns(), steps)
        said = ""
    else:
        frame, forecaster.columns, said = _read(data, forecaster, layout, steps, dialect)

    if verbose and said:
        say(f"seqcast: {said}")
    with showing(verbose > 0), in_files(df=frame, future=future):
        ahead = fit_and_forecast(forecaster, frame, future, time_limit=time_limit)
    if verbose:
        say(f"seqcast: {what_was_chosen(forecaster)}")
    return ahead


def fit_and_forecast(
    forecaster: Forecaster, df: Any, future: Any, *, time_limit: float | str | None = None
) -> Any:
    """Fit a forecaster and forecast; a missing future is rejected before anything is trained.

    Args:
        forecaster: The forecaster.
        df: As for `Forecaster.fit`.
        future: As for `Forecaster.predict`.
        time_limit: As for `Forecaster.fit`.
    """
    names = tuple(forecaster.future_covariates)
    needed = bool(names) or bool(forecaster.irregular)
    check_future_given(future, forecaster.columns or Columns(), names, needed=needed)
    return forecaster.fit(df, time_limit=time_limit).predict(future=future)


def what_was_chosen(forecaster: Forecaster) -> str:
    """Return a line about the series that a fitted forecaster read, and its choice.

    Args:
        forecaster: The fitted forecaster.
    """
    state = forecaster.series_state_
    length = forecaster.season_length_
    usual = getattr(state.frequency, "season_length", 1)
    series = len(state.ids)
    is_given = forecaster.season_length is not None or length == usual
    step = "irregular steps" if forecaster.freq_ is None else f"a step of {forecaster.freq_!r}"
    season = (
        f"a season of {length}{'' if is_given else ' (detected)'}" if length > 1 else "no season"
    )
    return f"{series} series with {step} and {season}, forecast with {forecaster.choice_}"


def _is_values(data: Any) -> bool:
    """Return whether data are values without times."""
    is_series = type(data).__name__ == "Series" and hasattr(data, "to_numpy")
    index: Any = getattr(data, "index", None)
    timed = type(index).__name__ in ("DatetimeIndex", "PeriodIndex")
    timed |= (
        any(getattr(index, "names", ())) and index.dtype.kind not in "iu"
    )  # times as text, or series and times
    return isinstance(data, np.ndarray | list | tuple) or (is_series and not timed)


def _of_values(data: Any, columns: Columns, steps: Steps) -> Any:
    """Return values without times as a frame."""
    import pandas as pd

    try:
        values = np.asarray(data, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(
            "data", expected="numbers", received=str(error), hint="Give NaN for missing values."
        ) from None
    if values.ndim not in (1, 2) or not values.size:
        raise DataError(
            "data",
            expected="one series, [T], or several, [N, T]",
            received=f"an array of shape {values.shape}",
            hint="Give several targets as columns of a frame.",
        )
    rows = np.atleast_2d(values)
    times = steps.stamps(np.tile(np.arange(rows.shape[1]), len(rows)))
    long = {columns.ds: times, columns.value: rows.ravel()}
    if values.ndim == 2:
        long = {columns.unique_id: np.repeat(np.arange(len(rows)), rows.shape[1]), **long}
    return pd.DataFrame(long)


def _names_given(columns: Columns) -> dict[str, str]:
    """Return the fields of `Columns` that a user has set, several targets with commas.

    A field that equals its default counts as not set: a column of that name is found in any case.
    """
    usual = Columns()
    named = {**columns.to_dict(), "y": ",".join(columns.targets)}
    return {name: value for name, value in named.items() if value != getattr(usual, name)}


def _needs_no_guess(data: Any, columns: Columns) -> bool:
    """Return whether data with times have the columns, or the user has named them."""
    if {"ds", "y"} <= _names_given(columns).keys():
        return True
    names = set(map(str, getattr(data, "columns", ())))
    timed = columns.ds in names or form_of(data, columns) != LONG
    return timed and (not names or names.issuperset(columns.targets))


def _read(
    data: Any, forecaster: Forecaster, layout: str | None, steps: Steps, dialect: Dialect | None
) -> tuple[Any, Columns | None, str]:
    """Return the long table of a file or frame, its columns, and what was guessed, in words."""
    own = forecaster.columns
    reading = ReadOptions.of(forecaster)
    columns = own or Columns()
    is_path = isinstance(data, str | os.PathLike)
    is_polars = hasattr(data, "lazy")

    if isinstance(data, ReadTable):
        _check_read(layout, steps)
        return data, own or data.columns, data.understood

    if is_path:
        opened = OpenTable.of(Path(data), dialect, keys=columns.names[:2])
    elif (
        (is_source(data) or _needs_no_guess(data, columns))
        and layout is None
        and steps.start is None
    ):
        return data, own, ""
    else:
        opened = OpenTable.of_frame(data.to_pandas() if is_polars else data, "data")

    table = opened.guessed(
        _names_given(columns),
        layout,
        (*reading.covariates.static, *reading.covariates.varying),
        steps,
    )

    if is_path:
        return table, table.columns, table.understood
    frame = require("polars", extra="polars").from_pandas(table.frame) if is_polars else table.frame
    return frame, table.columns, table.understood


def _check_read(layout: str | None, steps: Steps) -> None:
    """Reject options of reading for a table that has been read."""
    for name, value in (("layout", layout), ("start", steps.start)):
        if value is not None:
            raise SpecError(
                name,
                expected="None for a table that has been read",
                received=repr(value),
                hint="Give it to read_table: layout, steps.",
            )
