"""Covariates of windows as a network reads them beside what it reads of every series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.windows import WindowReader, forward_fill

Array = npt.NDArray[Any]

# What covariates are multiplied by, so that their weights, which begin at zero, learn faster than the others.
GAIN = 8.0


@dataclass(frozen=True)
class CovariateSizes:
    """How many covariates a network reads.

    Args:
        past: Features of a past step; those of the known future are its last ones.
        future: Features of a future step.
        static: Features of a series.

    Example:
        >>> bool(CovariateSizes()), bool(CovariateSizes(past=2, future=1))
        (False, True)
    """

    past: int = 0
    future: int = 0
    static: int = 0

    @classmethod
    def of(cls, reader: WindowReader) -> Self:
        """Return how many a window reader has."""
        return cls(
            0 if reader.features is None else reader.features.width,
            reader.future,
            0 if reader.static is None else reader.static.shape[1],
        )

    def __bool__(self) -> bool:
        return self.past + self.future + self.static > 0


@dataclass(frozen=True)
class SeasonalCovariates:
    """The covariates of some windows, scaled and multiplied by `GAIN`; 0 stands for what is not known.

    Args:
        past: `[B, T, f]`; the last `f'` are those of the known future.
        future: `[B, H, f']`.
        static: `[B, s]`.
    """

    past: Array
    future: Array
    static: Array

    @classmethod
    def of(cls, inputs: Mapping[str, Array], targets: int) -> Self:
        """Return those of a window reader's inputs, whose first columns of the past are the targets.

        Example:
            >>> inputs = {"past": np.array([[[5.0, np.nan], [6.0, 2.0]]]), "static": np.array([[1.0]])}
            >>> found = SeasonalCovariates.of(inputs, targets=1)
            >>> found.past.ravel().tolist(), found.future.shape, found.static.tolist()
            ([0.0, 16.0], (1, 0, 0), [[8.0]])
        """
        rows = len(inputs["past"])
        future, static = inputs.get("future", np.zeros((rows, 0, 0))), inputs.get("static", np.zeros((rows, 0)))
        return cls(GAIN * forward_fill(inputs["past"][:, :, targets:]), GAIN * np.nan_to_num(future), GAIN * static)

    def take(self, rows: Array) -> Self:
        """Return those of some windows."""
        return replace(self, past=self.past[rows], future=self.future[rows], static=self.static[rows])

    def after(self, steps: int) -> Self:
        """Return those of windows that know so many steps more; what is not known of these stays as it was."""
        if not steps:
            return self
        newer = np.repeat(self.past[:, -1:], steps, axis=1)
        known = self.future.shape[2]
        if known:
            newer[:, :, newer.shape[2] - known :] = self.future[:, :steps]
        past = np.concatenate([self.past, newer], axis=1)
        return replace(self, past=past, future=self.future[:, steps:])

    def beside(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return inputs of a network with these behind its own, as many steps of each as it reads."""
        own = {"past": self._last(inputs["past"].shape[1]), "future": self._first(inputs["future"].shape[1])}
        own["static"] = self.static
        return {
            name: np.concatenate([values, own[name]], axis=-1).astype(np.float32) if name in own else values
            for name, values in inputs.items()
        }

    def _last(self, steps: int) -> Array:
        rows, known, width = self.past.shape
        return np.concatenate([np.zeros((rows, max(0, steps - known), width)), self.past[:, -steps:]], axis=1)

    def _first(self, steps: int) -> Array:
        rows, known, width = self.future.shape
        if known >= steps or not width:
            return self.future[:, :steps] if width else np.zeros((rows, steps, 0))
        return np.concatenate([self.future, np.repeat(self.future[:, -1:], steps - known, axis=1)], axis=1)


def seasonal_reader(reader: WindowReader, *, covariates: bool) -> WindowReader:
    """Return a reader in which gaps stay gaps, with the features beside the targets or without them."""
    return replace(reader, observed=True) if covariates else without_features(reader)


def without_features(reader: WindowReader) -> WindowReader:
    """Return a reader of the targets alone, in which gaps stay gaps, also before the first row of a short series."""
    return replace(reader, observed=True, features=None, future=0, static=None, names={})
