"""Windows over daily prices, normalised one by one and split in time: Chevalier's fourth exercise."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.errors import DataError, SpecError, unknown_name
from seqcast.specs import check_choice, check_int, check_number

__all__ = ["PriceWindows", "price_windows"]

Array = npt.NDArray[Any]

NORMALISATIONS = ("instance", "last", "none")


@dataclass(frozen=True, eq=False)
class PriceWindows:
    """Normalised windows over prices, with their loc and scale.

    Args:
        past: `(price - loc) / scale` of the past, `[N, T, F]`, single precision.
        future: The same of the future, `[N, H, F]`.
        loc: Subtracted from the prices, `[N, 1, F]`, in the price's unit; known from the past alone.
        scale: Divisor, `[N, 1, F]`, in the price's unit.
        start: Row of each window's first value, counted from 0 in time order, `[N]`.
    """

    past: Array
    future: Array
    loc: Array
    scale: Array
    start: Array

    def __len__(self) -> int:
        return len(self.start)

    def prices(self, values: npt.ArrayLike) -> Array:
        """Return forecasts, or the windows themselves, in the price's unit: `values · scale + loc`.

        Args:
            values: Normalised values, `[N, steps, F]`, any number of steps.

        Returns:
            Prices, `[N, steps, F]`.

        Example:
            >>> train, _ = price_windows(np.arange(1.0, 21.0), past=4, future=2)
            >>> train.prices(train.future)[0, :, 0].round(6)
            array([5., 6.])
        """
        return np.asarray(values) * self.scale + self.loc


def price_windows(
    prices: Any,
    *,
    past: int = 40,
    future: int = 40,
    columns: str | Sequence[str] | None = None,
    date: str = "Date",
    normalise: str = "instance",
    test_fraction: float = 0.2,
) -> tuple[PriceWindows, PriceWindows]:
    """Cut prices into all windows, normalise each by its own past, and keep the last ones for testing.

    With `p` the prices of one window: `instance` is `(p - mean(past)) / (2.5 sd(past))`, the exercise's,
    which puts most values between -1 and 1; `last` is the return since the last past value, `p / p_T - 1`;
    `none` is `p`.

    No training window reaches into the targets of a test window: the windows in between are left out. (The
    exercise splits the list of windows, so that the last training futures lie among the first test futures.)

    Args:
        prices: A CSV file's path, a pandas or Polars frame, or an array `[R]` or `[R, F]` with the oldest
            row first.
        past: Steps of the past, `T`.
        future: Steps of the future, `H`.
        columns: The price columns of a file or frame, in any number; `None` is `Close`.
        date: The column of a file or frame by which its rows are put in order.
        normalise: `instance`, `last` or `none`.
        test_fraction: Share of the windows, the last ones, to test on; from 0 to 0.9.

    Returns:
        Training windows and test windows, both in time order.

    Raises:
        SpecError: An option has an impossible value, or names a column that is not there.
        DataError: A column holds something else than finite numbers or dates, two rows have the same date, or
            the rows are too few.
        FileNotFoundError: There is no such file.

    Example:
        >>> train, test = price_windows(np.arange(1.0, 101.0), past=10, future=5, normalise="last")
        >>> len(train), len(test), train.past.shape[1:], train.future.shape[1:]
        (65, 17, (10, 1), (5, 1))
        >>> bool(train.start.max() + 10 + 5 <= test.start.min() + 10)
        True

    Source: G. Chevalier, seq2seq-signal-prediction (2017), exercise 4.
    """
    past, future = check_int("past", past), check_int("future", future)
    check_choice("normalise", normalise, NORMALISATIONS)
    fraction = check_number("test_fraction", test_fraction, low=0.0, high=0.9)
    rows = _rows_in_order(prices, columns, date)
    _check_rows(rows, normalise)
    windows = _cut(rows, past, future)
    trained, tested = _split(len(windows), future, fraction)
    if trained < 1:
        enough = next(count for count in itertools.count(1) if _split(count, future, fraction)[0] == 1)
        raise DataError(
            "prices",
            expected=f"at least {enough + past + future - 1} rows"
            f" with past={past}, future={future} and test_fraction={fraction:g}",
            received=f"{len(rows)}",
            hint="Give more rows, shorter windows or a smaller test_fraction.",
        )
    start = np.arange(len(windows))
    parts = (start[:trained], start[len(windows) - tested :])
    train, test = (_normalised(windows[part], part, past, normalise) for part in parts)
    return train, test


def _split(count: int, future: int, fraction: float) -> tuple[int, int]:
    """Return how many of the windows train and how many test; the first may come out below 1."""
    tested = max(1, round(count * fraction)) if fraction else 0
    # The first test target is `past` rows into its window; a training window has to end before it.
    return count - tested - (future - 1 if tested else 0), tested


def _cut(rows: Array, past: int, future: int) -> Array:
    length = past + future
    if len(rows) < length:
        return np.empty((0, length, rows.shape[1]))
    return np.lib.stride_tricks.sliding_window_view(rows, length, axis=0).transpose(0, 2, 1)


def _normalised(windows: Array, start: Array, past: int, normalise: str) -> PriceWindows:
    past_prices = windows[:, :past]
    if normalise == "instance":
        loc, scale = past_prices.mean(axis=1, keepdims=True), 2.5 * past_prices.std(axis=1, keepdims=True)
        # A past without movement has nothing to be scaled by; up to rounding, lest noise be blown up.
        scale = np.where(scale <= 1e-12 * np.abs(loc), 1.0, scale)
    elif normalise == "last":
        loc = scale = past_prices[:, -1:]
    else:
        loc, scale = np.zeros_like(past_prices[:, :1]), np.ones_like(past_prices[:, :1])
    scaled = ((windows - loc) / scale).astype(np.float32)
    return PriceWindows(scaled[:, :past], scaled[:, past:], loc, scale, start)


def _rows_in_order(prices: Any, columns: str | Sequence[str] | None, date: str) -> Array:
    """Return the prices `[R, F]`, oldest first."""
    if isinstance(prices, (str, os.PathLike)):
        import pandas

        prices = pandas.read_csv(prices)
    if hasattr(prices, "columns"):
        import narwhals

        return _from_frame(narwhals.from_native(prices, eager_only=True), columns, date)
    if columns is not None:
        raise SpecError(
            "columns",
            expected="None with an array, whose columns have no names",
            received=repr(columns),
            hint="Choose the columns yourself: prices[:, [0, 3]].",
        )
    rows = _numbers("prices", prices)
    if rows.ndim not in (1, 2):
        raise DataError(
            "prices",
            expected="an array [R] or [R, F]",
            received=f"the shape {rows.shape}",
            hint="Reshape it.",
        )
    return rows.reshape(len(rows), -1)


def _from_frame(frame: Any, columns: str | Sequence[str] | None, date: str) -> Array:
    names = ("Close",) if columns is None else (columns,) if isinstance(columns, str) else tuple(columns)
    if not names:
        raise SpecError("columns", expected="at least one column's name", received=repr(columns), hint="Name one.")
    for where, name in (("date", date), *(("columns", name) for name in names)):
        if name not in frame.columns:
            raise unknown_name(where, name, frame.columns)
    rows = np.stack([_numbers(f"prices, column {name!r}", frame[name].to_list()) for name in names], axis=1)
    return rows[_order(f"prices, column {date!r}", frame[date].to_list())]


def _order(where: str, dates: list[Any]) -> Array:
    import pandas

    hint = f"Read the file yourself, convert {where.split()[-1]} and give the frame."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # pandas guesses aloud before it gives up
            stamps = pandas.to_datetime(pandas.Series(dates))
    except (ValueError, TypeError) as error:
        raise DataError(where, expected="dates in one format", received=str(error).split("\n")[0], hint=hint) from error
    if stamps.isna().any():
        raise DataError(where, expected="a date in each row", received="empty ones", hint="Drop those rows.")
    if stamps.duplicated().any():
        twice = stamps[stamps.duplicated()].iloc[0]
        raise DataError(where, expected="each date once", received=f"{twice} twice", hint="Drop the copies.")
    return stamps.argsort(kind="stable").to_numpy()


def _numbers(where: str, values: Any) -> Array:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            where, expected="numbers", received=str(error), hint="Choose another column, or clean this one."
        ) from error


def _check_rows(rows: Array, normalise: str) -> None:
    low, name = (0.0, "positive numbers") if normalise == "last" else (-np.inf, "finite numbers")
    invalid = ~(np.isfinite(rows) & (rows > low))
    if invalid.any():
        row, column = np.argwhere(invalid)[0]
        raise DataError(
            f"prices, row {row} in time order, column {column}",
            expected=name,
            received=f"{rows[row, column]:g}",
            hint="Fill or drop the row.",
        )
