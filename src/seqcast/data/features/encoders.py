"""From covariate columns to numbers that a network can read: scaled numbers, flags, and a slot for each category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.columns import ColumnType
from seqcast.data.series.scalers import Scaler
from seqcast.errors import DataError

__all__ = ["MOST_CATEGORIES", "ColumnEncoder"]

Array = npt.NDArray[Any]

# Each category takes an input of its own, and needs examples to be learnt from.
MOST_CATEGORIES = 100
# Scaled numbers beyond this say no more than that they are far off.
LARGEST = 1e6


@dataclass(frozen=True)
class ColumnEncoder:
    """How columns become features: what stands in each, its categories and its scaling.

    A number is scaled to zero mean and unit deviation over all series; a flag is 0 or 1; a category becomes a slot
    for each category that training rows had, and one for all others, in which a single 1 stands.

    Args:
        names: Names of the columns.
        kinds: What stands in each; categories are those that were learnt.
        loc: What is subtracted from each number.
        scale: What each number is divided by.

    Example:
        >>> kinds = (ColumnType("number"), ColumnType("category", ("north", "south")))
        >>> learnt = ColumnEncoder.learn(("price", "region"), kinds, np.array([[1.0, 0.0], [3.0, 0.0]]))
        >>> learnt.width, learnt.features
        (3, ('price', 'region=north', 'region=other'))
        >>> learnt.encode(learnt.align(np.array([[3.0, 1.0]]), kinds))
        array([[1., 0., 1.]], dtype=float32)
    """

    names: tuple[str, ...]
    kinds: tuple[ColumnType, ...]
    loc: Array
    scale: Array

    @classmethod
    def learn(cls, names: tuple[str, ...], kinds: tuple[ColumnType, ...], values: Array) -> Self:
        """Learn categories and scaling.

        Args:
            names: Names of the columns.
            kinds: What stands in each.
            values: Training rows, `[rows, columns]`; NaN is missing.

        Raises:
            DataError: A column has too many categories.
        """
        scaler = Scaler.fit(values) if len(names) else Scaler(np.zeros(0), np.ones(0))
        loc, scale = scaler.loc.copy(), scaler.scale.copy()
        learnt = []
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
            if kind.name != "number":
                loc[place], scale[place] = 0.0, 1.0
            if kind.name == "category":
                column = values[:, place]
                codes = np.unique(column[~np.isnan(column)]).astype(np.int64)
                kind = ColumnType("category", tuple(kind.labels[code] for code in codes if code < len(kind.labels)))
                _check_count(name, len(codes), len(values))
            learnt.append(kind)
        return cls(names, tuple(learnt), loc, scale)

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of features of each column."""
        return tuple(len(kind.labels) + 1 if kind.name == "category" else 1 for kind in self.kinds)

    @property
    def width(self) -> int:
        """Number of features."""
        return sum(self.widths)

    @property
    def features(self) -> tuple[str, ...]:
        """Name of each feature."""
        named: list[str] = []
        for name, kind in zip(self.names, self.kinds, strict=True):
            slots = (*kind.labels, "other") if kind.name == "category" else ()
            named += [f"{name}={slot}" for slot in slots] or [name]
        return tuple(named)

    def align(self, values: Array, kinds: tuple[ColumnType, ...], frame: str = "") -> Array:
        """Number the categories of another frame as they were at fit; those that are new share one number.

        Args:
            values: `[..., columns]`; NaN is missing.
            kinds: What stands in each column there.
            frame: What the user calls that frame, if it is not the usual one.

        Raises:
            DataError: A column holds something else than at fit.
        """
        aligned = values.copy()
        for place, (name, ours, theirs) in enumerate(zip(self.names, self.kinds, kinds, strict=True)):
            column = values[..., place]
            missing = np.isnan(column)
            if missing.all():
                continue
            if (ours.name == "category") != (theirs.name == "category"):
                raise DataError(
                    option=frame or None,
                    column=name,
                    expected=f"{_PLURALS[ours.name]}, as at fit",
                    received=_PLURALS[theirs.name],
                    hint="Convert the column.",
                )
            if ours.name == "category":
                slots = {label: slot for slot, label in enumerate(ours.labels)}
                # What was another category to them is one to us.
                table = np.array([*(slots.get(label, len(slots)) for label in theirs.labels), len(slots)], dtype=float)
                aligned[..., place] = np.where(missing, np.nan, table[np.where(missing, 0, column).astype(np.int64)])
        return aligned

    def encode(self, values: Array) -> Array:
        """Return the features, `[..., width]`, of aligned values, `[..., columns]`; NaN stays NaN."""
        features = np.empty((*values.shape[:-1], self.width), dtype=np.float32)
        start = 0
        for place, width in enumerate(self.widths):
            column = values[..., place]
            if self.kinds[place].name == "category":
                slots = (column[..., None] == np.arange(width)).astype(np.float32)
                features[..., start : start + width] = np.where(np.isnan(column)[..., None], np.nan, slots)
            else:
                with np.errstate(over="ignore"):
                    scaled = (column - self.loc[place]) / self.scale[place]
                features[..., start] = np.clip(scaled, -LARGEST, LARGEST)
            start += width
        return features

    def filled(self, values: Array) -> Array:
        """Put the mean for missing numbers, and the slot of others for missing categories."""
        others = [len(kind.labels) if kind.name == "category" else None for kind in self.kinds]
        defaults = [level if slot is None else slot for level, slot in zip(self.loc, others, strict=True)]
        return np.where(np.isnan(values), np.asarray(defaults, dtype=np.float64), values)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        kinds = [[kind.name, list(kind.labels)] for kind in self.kinds]
        scaling = {"loc": self.loc.tolist(), "scale": self.scale.tolist()}
        return {"names": list(self.names), "kinds": kinds, **scaling}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build the encoding from the result of `to_dict`."""
        kinds = tuple(ColumnType(name, tuple(labels)) for name, labels in values["kinds"])
        loc, scale = (np.asarray(values[name], dtype=np.float64) for name in ("loc", "scale"))
        return cls(tuple(values["names"]), kinds, loc, scale)


_PLURALS = {"number": "numbers", "flag": "booleans", "category": "text or categories"}


def _check_count(name: str, count: int, rows: int) -> None:
    if count <= MOST_CATEGORIES:
        return
    each = ", a category for every series or row: such names tell nothing about new ones" if count == rows else ""
    raise DataError(
        column=name,
        expected=f"at most {MOST_CATEGORIES} categories",
        received=f"{count}{each}",
        hint="Leave the column out, or put rare categories together.",
    )
