"""Long frames, checked once, here, and turned into series.

pandas and Polars come in by way of Narwhals and their own kind goes out; other eager frames that Narwhals
knows, such as PyArrow tables, come out as pandas. All that can be wrong with a frame is found before anything
is trained, and the message names column, row and series. Rows are counted from 0, in the frame's own order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.config import Columns, Covariates, check_choice
from seqcast.data.columns import (
    Kind,
    check_columns,
    first,
    open_frame,
    read_covariate,
    read_ids,
    read_numbers,
    read_stamps,
)
from seqcast.data.completion import SortedRows, starts_of
from seqcast.data.form import FrameForm, as_ids
from seqcast.data.frequency import Frequency, Stamps, resolve
from seqcast.data.source import SeriesSource
from seqcast.errors import DataError

__all__ = ["MISSING", "LongFrame", "complete", "read_frame"]

Array = npt.NDArray[Any]

MISSING = ("fill", "raise")


@dataclass(frozen=True)
class LongFrame:
    """A checked frame: series at one frequency, sorted by id, with a row for every step; NaN is missing.

    Args:
        source: Targets, past covariates and future covariates, in double precision, `[rows, columns]`.
        stamps: Time stamp of each row: a pandas Index.
        frequency: The step between them; `None` for irregular ones.
        form: How the frame looked, to make others like it.
        covariates: Names of the covariates.
        kinds: What stands in each past and future covariate.
        static: Static covariates, `[series, S]`.
        static_kinds: What stands in each of them.
        rows: Where each row was in the frame; -1 for those of missing steps.
        static_given: Whether the static covariates were in the frame.
    """

    source: SeriesSource
    stamps: Stamps
    frequency: Frequency | None
    form: FrameForm
    covariates: Covariates
    kinds: tuple[Kind, ...]
    static: Array
    static_kinds: tuple[Kind, ...]
    rows: Array
    static_given: bool = True

    @property
    def first_stamps(self) -> Stamps:
        """First time stamp of each series."""
        return self.stamps[self.source.starts]

    @property
    def last_stamps(self) -> Stamps:
        """Last time stamp of each series."""
        return self.stamps[self.source.ends - 1]

    @property
    def targets(self) -> Array:
        """Values of the targets, `[rows, D]`."""
        return self.source.values[:, : len(self.form.columns.targets)]

    def seen(self, stops: Array) -> Array:
        """Count the observed values among the first `stops` rows of each series, target by target.

        Args:
            stops: Number of rows, `[..., series]`.

        Returns:
            The counts, `[..., series, D]`.
        """
        counts = np.zeros((len(self.stamps) + 1, self.targets.shape[1]), dtype=np.int64)
        np.cumsum(~np.isnan(self.targets), axis=0, out=counts[1:])
        starts = self.source.starts
        seen: Array = counts[starts + np.clip(stops, 0, self.source.lengths)] - counts[starts]
        return seen

    def where(self, column: str, place: int) -> str:
        """Say where a row was."""
        return self._sorted().where(column, place)

    def _sorted(self) -> SortedRows:
        return SortedRows(self.source.ids, self.source.ends, self.stamps, self.rows, self.form.columns)

    def until(self, stops: Array) -> Self:
        """Return the frame with each series cut off after `stops` rows; those without values are left out."""
        kept = (np.minimum(stops, self.source.lengths) > 0) & (self.seen(stops) > 0).all(axis=-1)
        return self.between(np.zeros_like(stops), np.where(kept, stops, 0))

    def between(self, starts: Array, stops: Array) -> Self:
        """Return the frame with the rows of each series from `starts` up to `stops`; empty series are left out."""
        places = np.arange(len(self.stamps)) - np.repeat(self.source.starts, self.source.lengths)
        kept = (places >= np.repeat(starts, self.source.lengths)) & (places < np.repeat(stops, self.source.lengths))
        counts = np.minimum(stops, self.source.lengths) - starts
        series = np.flatnonzero(counts > 0)
        source = SeriesSource(
            tuple(self.source.ids[place] for place in series), self.source.values[kept], np.cumsum(counts[series])
        )
        return replace(self, source=source, stamps=self.stamps[kept], rows=self.rows[kept], static=self.static[series])

    def tail(self, steps: int) -> Self:
        """Return the frame with the last `steps` rows of each series."""
        lengths = self.source.lengths
        return self.between(np.maximum(lengths - steps, 0), lengths)

    def table(self) -> Any:
        """Return ids, stamps and values as a frame of the kind that came in, without missing values.

        Several targets stand below each other, in a column of values and one of their names, `target`.
        """
        columns = self.form.columns
        series = np.repeat(np.arange(len(self.source)), self.source.lengths)
        rows, targets = np.nonzero(~np.isnan(self.targets))
        order = np.lexsort((rows, targets, series[rows]))
        rows, targets = rows[order], targets[order]
        ids = as_ids(self.source.ids)
        named = np.asarray(columns.targets, dtype=object)[targets] if len(columns.targets) > 1 else None
        values = {columns.value: self.targets[rows, targets]}
        return self.form.build(ids[series[rows]], {columns.ds: self.stamps[rows]}, values, named)

    def attended(self, stamps: Stamps, back: Array, weights: Array) -> Any:
        """Return weights of the last steps of each series as a frame of the kind that came in.

        Args:
            stamps: Stamps of the steps ahead, `H` a series.
            back: Steps of the past, counted back from each series' last one, `[A]`.
            weights: Weights, `[N, H, A]`.

        Returns:
            A frame with `unique_id`, `ds`, `past_ds` and `weight`; steps before a series' first row are left out.
        """
        count, horizon, _ = weights.shape
        places = np.broadcast_to((self.source.ends[:, None] - 1 - back)[:, None, :], weights.shape)
        kept = places >= self.source.starts[:, None, None]
        ahead = np.broadcast_to(np.arange(count * horizon).reshape(count, horizon, 1), weights.shape)
        ids = as_ids(self.source.ids)
        series = np.broadcast_to(np.arange(count)[:, None, None], weights.shape)
        times = {self.form.columns.ds: stamps[ahead[kept]], "past_ds": self.stamps[places[kept]]}
        return self.form.build(ids[series[kept]], times, {"weight": weights[kept]})

    def check_seen(self) -> None:
        """Refuse series of which nothing is known.

        Raises:
            DataError: All values of a target are missing in a series.
        """
        unseen = np.argwhere(self.seen(self.source.lengths) == 0)
        if len(unseen):
            series, target = unseen[0].tolist()
            raise DataError(
                f"{self.form.columns.targets[target]} (series {self.source.ids[series]!r})",
                expected="at least one number",
                received=f"none in {self.source.lengths[series]} rows",
                mend="Drop the series, or fill it in.",
            )


def read_frame(
    df: Any,
    columns: Columns | None = None,
    *,
    freq: Any = None,
    covariates: Covariates | None = None,
    missing: str = "raise",
    irregular: bool = False,
    static_optional: bool = False,
    zone: str | None = None,
    argument: str = "df",
) -> LongFrame:
    """Check a long frame and take its series out of it.

    Series may come in any order and their rows may be interleaved; within a series the stamps must increase
    by whole steps of the frequency from row to row. The result is sorted by id. Other columns are not looked at.

    Args:
        df: A pandas or Polars frame, or another eager one that Narwhals knows; one row a series and time.
        columns: Names of its columns.
        freq: A pandas alias, one of Polars' durations, or a whole number for integer stamps; `None` infers it
            from the longest series. Every row is checked against it.
        covariates: Names of further columns.
        missing: `raise` refuses missing values and steps; `fill` takes them, and the result has a row for every step.
        irregular: Whether stamps need not keep to a step.
        static_optional: Whether static covariates may be left out; they are NaN then.
        zone: Time zone on whose clock zoned stamps are counted, if not their own; frames made like it have their own.
        argument: What the user calls the frame.

    Returns:
        The series.

    Raises:
        DataError: Something in the frame is wrong.
        SpecError: `freq` is no frequency or does not fit the stamps.

    Example:
        >>> import pandas as pd
        >>> days = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-04"])
        >>> frame = read_frame(pd.DataFrame({"unique_id": "a", "ds": days, "y": range(3)}), freq="D", missing="fill")
        >>> frame.source.ids, frame.frequency.name, frame.source.values[:, 0]
        (('a',), 'D', array([ 0.,  1., nan,  2.]))
    """
    import pandas as pd

    check_choice("missing", missing, MISSING)
    columns, covariates = columns or Columns(), covariates or Covariates()
    table = open_frame(df, argument)
    optional = static_optional and not set(covariates.static) <= set(table.columns)
    static = () if optional else covariates.static
    named = [(f"{role}_covariates", name) for role in ("past", "future") for name in getattr(covariates, role)]
    check_columns(table, [*columns.named(), *(("static_covariates", name) for name in static), *named], argument)
    ids, id_dtype = read_ids(table[columns.unique_id], columns.unique_id)
    stamps, ds_dtype = read_stamps(table[columns.ds], columns.ds)
    own_zone = getattr(stamps, "tz", None)
    if zone is not None and own_zone is not None:
        stamps = stamps.tz_convert(zone)

    def where(column: str, row: int) -> str:
        return f"{column}, row {row} (series {ids[row : row + 1].tolist()[0]!r})"

    gaps = missing == "fill"
    parts = [read_numbers(table[name], name, where, gaps=gaps) for name in columns.targets]
    read = [read_covariate(table[name], name, where, gaps=gaps) for name in covariates.varying]
    parts += [values for values, _ in read]
    fixed = [read_covariate(table[name], name, where, gaps=gaps) for name in static]

    codes, names = pd.factorize(ids, sort=True)
    order = np.arange(len(codes)) if bool((codes[1:] >= codes[:-1]).all()) else np.argsort(codes, kind="stable")
    rows = SortedRows(tuple(names.tolist()), np.cumsum(np.bincount(codes)), stamps[order], order, columns)
    rows.check_increasing()
    frequency = None
    if not irregular:
        frequency = rows.infer(gaps=gaps) if freq is None else resolve(freq, rows.stamps)

    constants = [_constant(values[order], kind, rows, name) for (values, kind), name in zip(fixed, static, strict=True)]
    kind = "polars" if table.implementation.is_polars() else "pandas"
    frame = LongFrame(
        SeriesSource(rows.ids, np.column_stack(parts)[order], rows.ends),
        rows.stamps,
        frequency,
        FrameForm(kind, columns, id_dtype, ds_dtype, None if own_zone is None else str(own_zone)),
        covariates,
        tuple(kind for _, kind in read),
        np.column_stack(constants) if constants else np.full((len(names), len(covariates.static)), np.nan),
        tuple(kind for _, kind in fixed) if static else (Kind("number"),) * len(covariates.static),
        order,
        not optional,
    )
    return complete(frame, fill=gaps)


def complete(frame: LongFrame, *, fill: bool) -> LongFrame:
    """Check that stamps keep to the frequency, and add rows for steps that are missing.

    Args:
        frame: Series whose stamps increase.
        fill: Whether steps may be missing.

    Returns:
        The frame with a row for every step, as it is when irregular.

    Raises:
        DataError: A stamp is not on the grid, or a step is missing and may not be.
    """
    if frame.frequency is None:
        return frame
    found = frame._sorted().completed(frame.frequency, fill=fill)
    if found is None:
        return frame
    values = np.full((len(found.stamps), frame.source.values.shape[1]), np.nan)
    values[found.places] = frame.source.values
    rows = np.full(len(found.stamps), -1)
    rows[found.places] = frame.rows
    source = SeriesSource(frame.source.ids, values, found.ends)
    return replace(frame, source=source, stamps=found.stamps, rows=rows)


def _constant(values: Array, kind: Kind, rows: SortedRows, name: str) -> Array:
    """Return the value of a static covariate in each series, NaN where it is missing in all of its rows."""
    starts, last = starts_of(rows.ends), len(values) - 1
    given = ~np.isnan(values)
    seen = np.minimum.reduceat(np.where(given, np.arange(len(values)), last + 1), starts)
    found = seen < rows.ends
    constant = np.where(found, values[np.minimum(seen, last)], np.nan)
    differs = given & (values != constant[rows.series])
    if differs.any():
        place = first(differs)
        known = int(seen[rows.series[place]])
        raise DataError(
            rows.where(name, place),
            expected=f"{_told(values[known], kind)}, as in row {rows.order[known]}: a static covariate is constant "
            "within a series",
            received=_told(values[place], kind),
            mend="Name the column among past_covariates or future_covariates, or correct the row.",
        )
    return constant


def _told(value: float, kind: Kind) -> str:
    labels: Sequence[Any] = kind.labels if kind.name == "category" else (False, True)
    return f"{value:g}" if kind.name == "number" else repr(labels[int(value)])
