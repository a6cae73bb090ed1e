"""Encoders of covariate columns: scaled numbers, flags, and a slot for each category."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Self

import numpy as np

from seqcast.data.frames import ColumnType
from seqcast.data.series import Moments, Scaler
from seqcast.errors import DataError
from seqcast.runtime import Array, warn_user

# Returns the name of a series.
SeriesAt = Callable[[int], Hashable]
# Each category takes an input of its own, and needs examples to be learned from.
MOST_CATEGORIES = 100
# Scaled numbers are clipped to this magnitude.
LARGEST = 1e6


@dataclass(frozen=True)
class ColumnStatistics:
    """Statistics of covariate columns of training rows, which can be merged.

    Args:
        names: Names of the columns.
        kinds: Type of each, with the categories that occur.
        moments: Moments of the numbers in each.
        rows: Number of rows.

    Example:
        >>> north, south = (ColumnType("category", (name,)) for name in ("north", "south"))
        >>> row = np.zeros((1, 1))
        >>> a, b = (ColumnStatistics.of(("region",), (each,), row) for each in (south, north))
        >>> a.merge(b).kinds[0].labels
        ('north', 'south')
    """

    names: tuple[str, ...]
    kinds: tuple[ColumnType, ...]
    moments: Moments
    rows: int

    @classmethod
    def of(cls, names: tuple[str, ...], kinds: tuple[ColumnType, ...], values: Array) -> Self:
        """Return the statistics of rows.

        Args:
            names: Names of the columns.
            kinds: Type of each.
            values: Training rows, `[rows, columns]`; NaN is missing.
        """
        observed_kinds = tuple(
            _with_observed_labels(kind, values[:, place]) for place, kind in enumerate(kinds)
        )
        return cls(names, observed_kinds, Moments.of(values), len(values))

    def merge(self, other: Self) -> Self:
        """Return the statistics of both together.

        Args:
            other: The statistics of other rows.

        Raises:
            DataError: A column holds numbers in one and categories in the other.
        """
        kinds = tuple(self._merged(place, other) for place in range(len(self.kinds)))
        return type(self)(
            self.names, kinds, self.moments.merge(other.moments), self.rows + other.rows
        )

    def _merged(self, place: int, other: Self) -> ColumnType:
        mine = self.kinds[place]
        theirs = other.kinds[place]
        if mine.name == theirs.name:
            return ColumnType(mine.name, tuple(sorted({*mine.labels, *theirs.labels})))
        # A column without values has no type.
        if not self.moments.count[place]:
            return theirs
        if not other.moments.count[place]:
            return mine

        raise DataError(
            self.names[place],
            expected=f"{_PLURALS[mine.name]}, as in other series",
            received=_PLURALS[theirs.name],
            hint="Convert the column.",
        )


def _with_observed_labels(kind: ColumnType, column: Array) -> ColumnType:
    """Return the type of a column with only the categories that occur in it."""
    if not kind.is_category:
        return kind
    codes = np.unique(column[~np.isnan(column)]).astype(np.int64)
    return ColumnType(
        "category", tuple(kind.labels[code] for code in codes if code < len(kind.labels))
    )


@dataclass(frozen=True)
class ColumnEncoder:
    """Encoding of columns as features: type, categories and scaling of each.

    A number is scaled to zero mean and unit deviation over all series; a flag is 0 or 1; a category
    becomes a slot for each category of the training rows, and one for all others; its own is 1, the
    rest 0.

    Args:
        names: Names of the columns.
        kinds: Type of each, with the learned categories.
        loc: Subtracted from each number.
        scale: Divisor of each number.

    Example:
        >>> kinds = (ColumnType("number"), ColumnType("category", ("north", "south")))
        >>> rows = np.array([[1.0, 0.0], [3.0, 0.0]])
        >>> encoder = ColumnEncoder.of(ColumnStatistics.of(("price", "region"), kinds, rows))
        >>> encoder.width, encoder.features
        (3, ('price', 'region=north', 'region=other'))
        >>> encoder.encode(encoder.align(np.array([[3.0, 1.0]]), kinds))
        array([[1., 0., 1.]], dtype=float32)
    """

    names: tuple[str, ...]
    kinds: tuple[ColumnType, ...]
    loc: tuple[float, ...]
    scale: tuple[float, ...]

    def __post_init__(self) -> None:
        lengths = {len(field) for field in (self.names, self.kinds, self.loc, self.scale)}
        is_finite = np.isfinite([*self.loc, *self.scale]).all()
        is_scale = is_finite and min(self.scale, default=1.0) > 0
        is_known = all(kind.name in _PLURALS for kind in self.kinds)
        if len(lengths) > 1 or not (is_scale and is_known):
            raise ValueError(
                f"an encoder of {', '.join(self.names[:5])} whose fields do not fit together"
            )

    @classmethod
    def of(cls, statistics: ColumnStatistics) -> Self:
        """Return the encoder of columns with these statistics.

        Args:
            statistics: The statistics.

        Raises:
            DataError: A column has too many categories.
        """
        scaler = Scaler.of(statistics.moments)
        numbers = np.array([kind.name == "number" for kind in statistics.kinds], dtype=bool)
        for name, kind in zip(statistics.names, statistics.kinds, strict=True):
            _check_count(name, len(kind.labels), statistics.rows)

        loc = np.where(numbers, scaler.loc, 0.0)
        scale = np.where(numbers, scaler.scale, 1.0)
        return cls(statistics.names, statistics.kinds, tuple(loc.tolist()), tuple(scale.tolist()))

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of features of each column."""
        return tuple(len(kind.labels) + 1 if kind.is_category else 1 for kind in self.kinds)

    @property
    def width(self) -> int:
        """Number of features."""
        return sum(self.widths)

    @property
    def features(self) -> tuple[str, ...]:
        """Name of each feature."""
        features: list[str] = []
        for name, kind in zip(self.names, self.kinds, strict=True):
            slots = (*kind.labels, "other") if kind.is_category else ()
            features += [f"{name}={slot}" for slot in slots] or [name]
        return tuple(features)

    def align(
        self,
        values: Array,
        kinds: tuple[ColumnType, ...],
        frame: str = "",
        series: SeriesAt | None = None,
    ) -> Array:
        """Number the categories of another frame as at fit; new ones share one number.

        Args:
            values: `[..., columns]`; NaN is missing.
            kinds: Type of each column there.
            frame: Name of that frame in errors; empty for the usual one.
            series: Returns the name of the series at a place of the first axis, for a warning of
                new categories; `None` does not warn.

        Raises:
            DataError: A column has another type than at fit.
        """
        aligned = values.copy()
        for place, (name, ours, theirs) in enumerate(
            zip(self.names, self.kinds, kinds, strict=True)
        ):
            column = values[..., place]
            if np.isnan(column).all():
                continue
            if ours.is_category != theirs.is_category:
                raise DataError(
                    option=frame or None,
                    column=name,
                    expected=f"{_PLURALS[ours.name]}, as at fit",
                    received=_PLURALS[theirs.name],
                    hint="Convert the column.",
                )
            if not ours.is_category:
                continue

            aligned[..., place] = _renumbered(column, ours, theirs)
            new = np.argwhere(aligned[..., place] == len(ours.labels))
            if series is not None and len(new):
                label = theirs.labels[int(column[tuple(new[0])])]
                owner = series(int(new[0][0]))
                warn_user(
                    f"{name}: fit saw no {label!r} (series {owner!r}); "
                    "new categories are read as one, 'other'"
                )
        return aligned

    def encode(self, values: Array) -> Array:
        """Return the features, `[..., width]`, of aligned values, `[..., columns]`; NaN stays NaN.

        Args:
            values: Aligned values, `[..., columns]`.
        """
        blocks = [np.zeros((*values.shape[:-1], 0), dtype=np.float32)]
        for place, width in enumerate(self.widths):
            column = values[..., place, None]
            if self.kinds[place].is_category:
                block = np.where(np.isnan(column), np.nan, column == np.arange(width))
            else:
                with np.errstate(over="ignore"):
                    scaled = (column - self.loc[place]) / self.scale[place]
                    block = np.clip(scaled, -LARGEST, LARGEST)
            blocks.append(block.astype(np.float32))
        return np.concatenate(blocks, axis=-1)

    def filled(self, values: Array) -> Array:
        """Return values with missing numbers filled by the mean, missing categories by `other`.

        Args:
            values: Aligned values, `[..., columns]`.
        """
        defaults = [
            len(kind.labels) if kind.is_category else mean
            for kind, mean in zip(self.kinds, self.loc, strict=True)
        ]
        return np.where(np.isnan(values), np.asarray(defaults, dtype=np.float64), values)


def _renumbered(column: Array, ours: ColumnType, theirs: ColumnType) -> Array:
    """Return categories that are numbered as `theirs`, numbered as `ours`; new ones come last."""
    other = len(ours.labels)
    slots = {label: slot for slot, label in enumerate(ours.labels)}
    table = np.array([*(slots.get(label, other) for label in theirs.labels), other], dtype=float)
    missing = np.isnan(column)
    numbers = table[np.where(missing, 0, column).astype(np.int64)]
    return np.where(missing, np.nan, numbers)


# What columns of each type hold, in words.
_PLURALS = {"number": "numbers", "flag": "booleans", "category": "text or categories"}


def _check_count(name: str, count: int, rows: int) -> None:
    if count <= MOST_CATEGORIES:
        return

    expected = f"at most {MOST_CATEGORIES} categories"
    received = str(count)
    if count == rows:
        received += ", a category for every series or row: such names say nothing about new ones"
    raise DataError(
        column=name,
        expected=expected,
        received=received,
        hint="Leave the column out, or put rare categories together.",
    )
