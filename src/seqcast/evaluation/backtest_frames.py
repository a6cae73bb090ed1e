"""Backtests: checked frames of forecasts and truth, their steps, and joins of other forecasts."""

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.typing import IntoDataFrame, IntoDataFrameT

from seqcast.data.frames import first, resolve, steps_between
from seqcast.errors import DataError, Phrase, Row, SpecError
from seqcast.evaluation.forecast_frames import CUTOFF, STEP, TARGET, FrameRows, chosen_levels
from seqcast.runtime import Array
from seqcast.specs import Columns, check_choice

MISSING = ("raise", "drop")


class Backtest:
    """Forecasts and truth: the rows of a backtest frame whose truth is known.

    Args:
        df: `unique_id`, `ds`, `y`, perhaps `cutoff`, `step` and `target`, and one column a model.
        columns: Names of the columns.
        models: Columns of forecasts; `None` takes all that are no interval bounds.

    Attributes:
        rows: The rows whose truth is known.
        models: Columns of the forecasts.
        truth: True values, `[rows]`.
        forecasts: Each model's forecast, `[rows, models]`.

    Raises:
        DataError: A column is missing or of the wrong type, or a row is repeated; a truth is
            infinite, none is known, or a forecast is missing where one is.
        SpecError: There is no such model.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 3], "y": [1.0, None, 3.0]})
        >>> backtest = Backtest(df.assign(model=[1.5, 2.5, 3.5]))
        >>> backtest.truth, backtest.rows.steps  # the missing step is counted
        (array([1., 3.]), array([1, 3]))
    """

    def __init__(
        self,
        df: IntoDataFrame,
        columns: Columns | None = None,
        *,
        models: Sequence[str] | None = None,
    ) -> None:
        rows = FrameRows("df", df, columns)
        rows.need(rows.columns.value)
        self.models = rows.models(models)
        _check_once(rows)

        truth = rows.numbers(rows.columns.value)
        if np.isinf(truth).any():
            raise rows.column(rows.columns.value).error(
                row=first(np.isinf(truth)),
                expected="a finite number, or none",
                received="inf",
                hint="Drop or fill it.",
            )

        observed = np.flatnonzero(~np.isnan(truth))
        if not len(observed):
            raise DataError(
                "df",
                expected="rows whose truth is known",
                received="none",
                hint="Join the truth to it, or wait for it.",
            )

        self._places = observed
        self.rows = rows.take(observed)
        self.truth = truth[observed]
        self.forecasts = np.stack([self.forecast(name) for name in self.models], axis=1)

    def forecast(self, name: str) -> Array:
        """Return a column of forecasts or bounds, `[rows]`, none of them missing.

        Args:
            name: The column.
        """
        values = self.rows.numbers(name)
        missing = np.isnan(values)
        if missing.any():
            raise self.rows.column(name).error(
                row=int(self._places[first(missing)]),
                expected="a forecast wherever the truth is known",
                received=f"none ({missing.sum()} such rows)",
                hint="Leave the model out with models=[...], or drop such rows for all models.",
            )

        return values

    def levels(self, level: Sequence[float] | float | None = None) -> tuple[float, ...]:
        """Return the interval levels, in per cent.

        Args:
            level: The levels; `None` takes those of any model.

        Raises:
            SpecError: No model has intervals of a level.
        """
        known = {each for name in self.models for each in self.rows.bounds(name)}
        return chosen_levels(level, known, self.models[0])

    def interval(self, model: str, level: float) -> tuple[Array, Array] | None:
        """Return a model's lower and upper bounds of a level, `[rows]` each, or `None`.

        Args:
            model: The model.
            level: The level in per cent.
        """
        names = self.rows.bounds(model).get(level)
        return None if names is None else (self.forecast(names[0]), self.forecast(names[1]))


def count_steps(df: IntoDataFrameT, freq: Any, *, columns: Columns | None = None) -> IntoDataFrameT:
    """Return a backtest with a column `step`: the steps of `freq` from cutoff to stamp.

    It is needed where the stamps do not show their frequency, or where a library numbers its steps
    otherwise: without the column, steps are counted by the frequency that is inferred from the
    stamps.

    Args:
        df: `unique_id`, `ds`, `cutoff` and other columns.
        freq: The step: a pandas alias, one of Polars' durations, or a whole number for integer
            stamps.
        columns: Names of the columns.

    Returns:
        The frame with the column `step`, counted from 1.

    Raises:
        DataError: A column is missing, or a stamp is none of the steps after its cutoff.
        SpecError: `freq` is no frequency or does not fit the stamps.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": "a", "ds": [3, 5], "cutoff": 2, "y": 0.0, "model": 0.0})
        >>> count_steps(df, 1)["step"].tolist()
        [1, 3]
    """
    rows = FrameRows("df", df, columns)
    rows.need(CUTOFF)
    times = rows.index(rows.columns.ds)
    cutoffs = rows.index(CUTOFF)

    frequency = resolve(freq, cutoffs)
    steps = steps_between(frequency, cutoffs, times)
    if (steps < 1).any():
        place = first(steps < 1)
        raise rows.column(rows.columns.ds).error(
            row=place,
            expected=f"a stamp some steps of {frequency.name!r} after the cutoff {cutoffs[place]}",
            received=str(times[place]),
            hint="Give the frequency of the series.",
        )

    column = nw.new_series(STEP, steps, backend=rows.frame.implementation)
    result: IntoDataFrameT = rows.frame.with_columns(column).to_native()
    return result


def join_forecasts(
    df: IntoDataFrameT,
    other: IntoDataFrame,
    *,
    models: Sequence[str] | None = None,
    missing: str = "raise",
    columns: Columns | None = None,
) -> IntoDataFrameT:
    """Return a backtest with the forecasts of other models joined, row by row.

    `other` may come from any library that writes the ecosystem's format, such as statsforecast's
    `cross_validation`. Rows belong together when `unique_id`, `ds`, `cutoff` (and `target`) are the
    same.

    Args:
        df: The backtest.
        other: `unique_id`, `ds`, `cutoff`, perhaps `y`, and one column a model, with its intervals.
            Rows that the backtest does not have are left out.
        models: Models to take; `None` takes all.
        missing: `raise` rejects an `other` that lacks a row of the backtest. `drop` leaves such
            rows out, so that all models are scored on the same ones.
        columns: Names of the columns, of both frames.

    Returns:
        The backtest, its rows in their order, with more columns.

    Raises:
        DataError: A column or row is missing, a row is repeated, or the truths differ.
        SpecError: The backtest has a model already, or `missing` is something else.

    Example:
        >>> import pandas as pd
        >>> truth = pd.DataFrame({"unique_id": "a", "ds": [2, 3], "cutoff": 1, "y": [2.0, 3.0]})
        >>> ours = truth.assign(seqcast=[2.5, 3.0])
        >>> theirs = truth.assign(AutoETS=[2.0, 1.0]).iloc[::-1]
        >>> join_forecasts(ours, theirs)["AutoETS"].tolist()
        [2.0, 1.0]
    """
    import pandas as pd

    check_choice("missing", missing, MISSING)
    rows = FrameRows("df", df, columns)
    other_rows = FrameRows("other", other, columns)
    for each in (rows, other_rows):
        each.need(CUTOFF, *((TARGET,) if rows.has(TARGET) else ()))
        _check_once(each)

    added = other_rows.models(models)
    for model in list(added):
        for pair in other_rows.bounds(model).values():
            added.extend(pair)
    for name in added:
        if rows.has(name):
            raise SpecError(
                "models",
                expected="models that the backtest does not have",
                received=repr(name),
                hint="Rename it in one of the frames, or leave it out.",
            )

    keys = (*rows.window, rows.columns.ds)
    ours, theirs = (
        pd.MultiIndex.from_arrays([each.labels(key) for key in keys]) for each in (rows, other_rows)
    )
    # -1 where there is none.
    places = np.asarray(theirs.get_indexer(ours))
    matched = np.flatnonzero(places >= 0)
    if len(matched) < len(rows):
        if missing == "raise" or not len(matched):
            raise _unmatched(rows, keys, first(places < 0), len(rows) - len(matched))
        rows = rows.take(matched)
        places = places[matched]

    _check_same_truth(rows, other_rows, places)
    backend = rows.frame.implementation
    series = [
        nw.new_series(name, other_rows.numbers(name)[places], backend=backend) for name in added
    ]
    result: IntoDataFrameT = nw.maybe_reset_index(rows.frame).with_columns(*series).to_native()
    return result


def _check_once(rows: FrameRows) -> None:
    groups = rows.groups(*rows.window, rows.columns.ds)
    if len(groups) < len(rows):
        leaders = groups.first[groups.codes]
        place = first(leaders != np.arange(len(rows)))
        raise DataError(
            option=rows.where,
            row=place,
            expected=f"one row a {', '.join((*rows.window, rows.columns.ds))}",
            received=Phrase("the same as in ", Row(int(leaders[place]))),
            hint="Drop one of the two, or add the column in which they differ.",
        )


def _unmatched(rows: FrameRows, keys: Sequence[str], place: int, count: int) -> DataError:
    key = ", ".join(f"{name} {rows.labels(name)[place]!s}" for name in keys)
    return DataError(
        "other",
        expected=f"a row for each row of df, such as row {place} ({key})",
        received=f"none for {count} of {len(rows)} rows",
        hint="Forecast from the same cutoffs (the last known stamp) as far ahead, with ids and "
        "stamps of the same types; or leave such rows out with missing='drop'.",
    )


def _check_same_truth(rows: FrameRows, others: FrameRows, places: Array) -> None:
    name = rows.columns.value
    if name not in rows.frame.columns or name not in others.frame.columns:
        return

    ours = rows.numbers(name)
    theirs = others.numbers(name)[places]
    known = ~(np.isnan(ours) | np.isnan(theirs))

    # Values may have passed through single precision.
    size = float(np.abs(ours[known]).max(initial=0.0))
    differ = known & ~np.isclose(ours, theirs, rtol=1e-5, atol=1e-7 * size)

    if differ.any():
        place = first(differ)
        raise others.column(name).error(
            row=int(places[place]),
            expected=f"the same truth as in df, {ours[place]:g}",
            received=f"{theirs[place]:g} ({differ.sum()} such rows)",
            hint="Forecast the same data, or drop the column from one of the frames.",
        )
