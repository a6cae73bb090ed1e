"""Sizes of a window."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seqcast.errors import SpecError
from seqcast.specs.base import Spec, set_fields
from seqcast.specs.checks import check_flag, check_int

# A file's horizon is what `predict` forecasts by default: a billion steps would fill the memory.
MOST_STEPS = 100_000


@dataclass(frozen=True)
class WindowSpec(Spec):
    """Sizes of a window, read from the data at `fit`.

    Args:
        horizon: Steps to forecast in training, `H`.
        features: Input features, `F`.
        targets: Target dimensions, `D`.
        static: Static features, `S`; 0 is none.
        future: Known-future features; 0 is none.
        target_features: For each target, the index of the input feature that is its own past. `None` when the
            inputs do not hold it.
        context_length: Input steps, `T`, when they are fixed; `None` leaves them free.
        observed: Whether the inputs come with an observed-indicator channel, for data with gaps.
        season_length: Steps of a season, for networks that read the last season; `None` when there is none.

    Example:
        >>> WindowSpec(horizon=15, features=1, targets=1).target_features
    """

    horizon: int
    features: int
    targets: int
    static: int = 0
    future: int = 0
    target_features: tuple[int, ...] | None = None
    context_length: int | None = None
    observed: bool = False
    season_length: int | None = None

    def __post_init__(self) -> None:
        for name in ("horizon", "features", "targets"):
            set_fields(self, **{name: check_int(name, getattr(self, name))})
        for name in ("static", "future"):
            set_fields(self, **{name: check_int(name, getattr(self, name), at_least=0)})
        for name in ("context_length", "season_length"):
            if getattr(self, name) is not None:
                set_fields(self, **{name: check_int(name, getattr(self, name))})
        if self.horizon > MOST_STEPS:
            raise SpecError(
                "horizon",
                expected=f"at most {MOST_STEPS:,} steps",
                received=str(self.horizon),
                hint="Train on a shorter one; predict(horizon=...) forecasts more steps.",
            )
        if self.target_features is not None:
            set_fields(self, target_features=self._checked_target_features())
        check_flag("observed", self.observed)

    def _checked_target_features(self) -> tuple[int, ...]:
        features: Any = self.target_features
        features = (features,) if isinstance(features, numbers.Integral) else features
        if not isinstance(features, Sequence):
            features = ()
        indices = tuple(check_int("target_features", i, at_least=0) for i in features)
        if len(indices) != self.targets or len(set(indices)) < len(indices) or max(indices) >= self.features:
            raise SpecError(
                "target_features",
                expected=f"{self.targets} different column(s) of X below {self.features}, one for each target",
                received=repr(list(indices)),
                hint="Name for each column of y the column of X that holds its past, or 'none'.",
            )
        return indices
