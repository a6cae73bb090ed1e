"""Covariates of windows as a network reads them beside what it reads of every series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.windows import WindowReader, forward_fill
from seqcast.pretrained.inputs import last_steps

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
        static = 0 if reader.static is None else reader.static.shape[1]
        return cls(reader.width - reader.targets.width, reader.future, static)

    def __bool__(self) -> bool:
        return self.past + self.future + self.static > 0


def add_covariates(inputs: Mapping[str, Array], covariates: Mapping[str, Array]) -> dict[str, Array]:
    """Return inputs of a network with covariates behind its own, multiplied by `GAIN`; 0 stands for what is not known.

    Args:
        inputs: The inputs; as many steps of covariates are taken, the last ones of the future again and again.
        covariates: What a window reader gives beside the targets, see `ZeroShotWindows`.

    Example:
        >>> inputs = {"past": np.zeros((1, 2, 1)), "future": np.zeros((1, 1, 1)), "static": np.zeros((1, 1))}
        >>> covariates = {"past": np.array([[[np.nan], [2.0]]]), "static": np.array([[1.0]])}
        >>> {name: values.tolist() for name, values in add_covariates(inputs, covariates).items()}
        {'past': [[[0.0, 0.0], [0.0, 16.0]]], 'future': [[[0.0]]], 'static': [[0.0, 8.0]]}
    """
    past = forward_fill(covariates["past"])
    future = np.nan_to_num(covariates.get("future", np.zeros((len(past), 1, 0))))
    steps = np.minimum(np.arange(inputs["future"].shape[1]), future.shape[1] - 1)
    own = {
        "past": last_steps(past, inputs["past"].shape[1], 0.0),
        "future": future[:, steps],
        "static": covariates.get("static", np.zeros((len(past), 0))),
    }
    return {name: np.concatenate([inputs[name], GAIN * own[name]], axis=-1).astype(np.float32) for name in own}


def seasonal_reader(reader: WindowReader, *, covariates: bool) -> WindowReader:
    """Return a reader in which gaps stay gaps, also before the first row of a short series.

    Args:
        reader: The reader.
        covariates: Whether features are read beside the targets.
    """
    reader = replace(reader, observed=True)
    return reader if covariates else replace(reader, features=None, future=0, static=None, names={})
