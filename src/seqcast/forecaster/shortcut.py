"""`seqcast.forecast`: from a table, a file or an array to a forecast in one step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoDataFrameT

from seqcast.data.frames import Dialect, usual_season
from seqcast.errors import DataError, SpecError
from seqcast.forecaster.estimator import Forecaster
from seqcast.forecaster.reading import check_future_given
from seqcast.runtime import say, showing
from seqcast.specs import Columns

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
    time_limit: float | str | None = None,
    dialect: Dialect | None = None,
    verbose: int = 1,
    **options: Any,
) -> Any:
    """Forecast series in one step: read them, choose the best candidates, and print which and why.

    Args:
        data: A frame as for `Forecaster.fit`; a file of any kind that `seqcast.data.frames.io.read_table` reads; or
            values without times: one series, `[T]`, or several, `[N, T]`, with NaN for missing ones.
        horizon: Number of steps to forecast.
        future: The future steps with the future covariates, as for `Forecaster.predict`.
        time_limit: As for `Forecaster.fit`.
        dialect: How a file is written, as for `read_table`; what is `None` in it is inferred.
        verbose: 0 is silent, 1 prints the choice to standard error.
        **options: Arguments of `Forecaster`, such as `season_length`, which values without times do not show, `level`
            and `effort`.

    Returns:
        A frame as from `Forecaster.predict`. Values without times have the numbers of their steps as `ds`, and those of
        their rows as `unique_id` where there are several.

    Raises:
        DataError: Something in the data is wrong.
        SpecError: An option is wrong.

    Example:
        >>> import seqcast
        >>> ahead = seqcast.forecast([3.0, 7.0, 5.0] * 8, 3, season_length=3, verbose=0)
        >>> ahead["ds"].tolist(), ahead["seqcast"].round().tolist()
        ([24, 25, 26], [3.0, 7.0, 5.0])
    """
    columns = options.get("columns") or Columns()
    frame = _frame(data, columns, dialect)
    forecaster = Forecaster(horizon, verbose=0, **options)
    with showing(verbose > 0):
        ahead = fit_and_forecast(forecaster, frame, future, time_limit=time_limit)
    if verbose:
        say(f"seqcast: {what_was_chosen(forecaster)}")
    return ahead


def fit_and_forecast(forecaster: Forecaster, df: Any, future: Any, *, time_limit: float | str | None = None) -> Any:
    """Fit a forecaster and forecast; a missing future is refused before anything is trained.

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
    state, length = forecaster.series_state_, forecaster.season_length_
    series, is_given = len(state.ids), forecaster.season_length is not None or length == usual_season(state.frequency)
    step = "irregular steps" if forecaster.freq_ is None else f"a step of {forecaster.freq_!r}"
    season = f"a season of {length}{'' if is_given else ' (detected)'}" if length > 1 else "no season"
    return f"{series} series with {step} and {season}, forecast with {forecaster.choice_}"


def _frame(data: Any, columns: Columns, dialect: Dialect | None) -> Any:
    """Return the data as a frame."""
    if isinstance(data, str | os.PathLike):
        from seqcast.data.frames import read_table

        return read_table(Path(data), columns, dialect=dialect)
    if dialect is not None:
        raise SpecError(
            "dialect", expected="None for data that is no file", received=repr(dialect), hint="Leave it out."
        )
    if not isinstance(data, np.ndarray | list | tuple):
        return data
    import pandas as pd

    try:
        values = np.asarray(data, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError("data", expected="numbers", received=str(error), hint="Give NaN for missing values.") from None
    if values.ndim not in (1, 2) or not values.size:
        expected, hint = "one series, [T], or several, [N, T]", "Give several targets as columns of a frame."
        raise DataError("data", expected=expected, received=f"an array of shape {values.shape}", hint=hint)
    rows = np.atleast_2d(values)
    long = {columns.ds: np.tile(np.arange(rows.shape[1]), len(rows)), columns.value: rows.ravel()}
    if values.ndim == 2:
        long = {columns.unique_id: np.repeat(np.arange(len(rows)), rows.shape[1]), **long}
    return pd.DataFrame(long)
