"""Normalisers of windows: the network works without each window's own loc and scale.

They are removed before the network and restored after it. Only target columns change, so a
normaliser needs the index of the targets' own past.
"""

from collections.abc import Callable
from functools import cached_property
from types import ModuleType
from typing import ClassVar, NamedTuple, final

import numpy as np

from seqcast.runtime import Tensor, ops

# The mean absolute value of a window of zeros is at most this.
LEAST_MEAN = 1e-30
# Under the root of a variance, so that the gradient of a constant window is finite.
LEAST_VARIANCE = 1e-12


class Statistics(NamedTuple):
    """What a normaliser removes from windows.

    Args:
        loc: Subtracted from each target, `[B, D]`; `None` is 0.
        scale: Divisor of each target, `[B, D]`; `None` is 1.
    """

    loc: Tensor | None = None
    scale: Tensor | None = None


class TargetWindows:
    """The targets' own past in windows, and its statistics along the steps, `[B, D]` each.

    Normalisers compute with the functions of `xp` alone, which have the same names and arguments in
    Keras and in the array API standard. So a subclass for another library, such as one that records
    operators, only names that library.

    Args:
        past: The past, `[B, T, F]`.
        observed: 1 where a value was observed, else 0, `[B, T, F]`; `None` if all were.
        targets: Returns the target columns of either, `[B, T, D]`.
        segment: Steps of a token.

    Attributes:
        xp: The functions of the arrays' library.
    """

    xp: ClassVar[ModuleType] = ops

    def __init__(
        self,
        past: Tensor,
        observed: Tensor | None,
        targets: Callable[[Tensor], Tensor],
        segment: int,
    ) -> None:
        self.past = past
        self.observed = observed
        self.targets = targets
        self.segment = segment

    @cached_property
    def values(self) -> Tensor:
        """The values of the targets, `[B, T, D]`."""
        return self.targets(self.past)

    @cached_property
    def weight(self) -> Tensor:
        """1 for observed values, else 0, `[B, T, D]`."""
        if self.observed is None:
            return self.xp.ones_like(self.values)
        return self.targets(self.observed)

    def mean_of(self, values: Tensor) -> Tensor:
        """Return the mean over the observed steps; 0 where there are none.

        Args:
            values: A number for each value, `[B, T, D]`.
        """
        count = self.xp.maximum(self.xp.sum(self.weight, axis=1), 1.0)
        return self.xp.sum(self.weight * values, axis=1) / count

    @cached_property
    def mean(self) -> Tensor:
        """The mean of the observed values."""
        return self.mean_of(self.values)

    @property
    def last(self) -> Tensor:
        """The last value; gaps are filled with the value before them."""
        return self.values[:, -1, ...]

    @property
    def level(self) -> Tensor:
        """The mean of the observed values in the last token, or else the last value."""
        observed = None if self.observed is None else self.observed[:, -self.segment :, ...]
        past = self.past[:, -self.segment :, ...]
        token = type(self)(past, observed, self.targets, self.segment)
        return self.xp.where(self.xp.any(token.weight > 0, axis=1), token.mean, token.last)

    @property
    def deviation(self) -> Tensor:
        """The standard deviation of the observed values."""
        centred = self.values - self.xp.expand_dims(self.mean, axis=1)
        return self.xp.sqrt(self.mean_of(self.xp.square(centred)) + LEAST_VARIANCE)


class Normaliser:
    """No normalisation, and the base of the other normalisers.

    Args:
        features: Number of input features, `F`.
        target_features: Index of each target's own past among them.
        segment: Steps of a token.
    """

    def __init__(
        self, features: int, target_features: tuple[int, ...], *, segment: int = 1
    ) -> None:
        self.segment = segment
        self.target_features = list(target_features)
        # Which feature is the past of which target, [D, F], and which is that of none, [F].
        places = np.equal.outer(self.target_features, np.arange(features))
        self.place = places.astype("float32")
        self.untouched = 1.0 - self.place.sum(axis=0)

    def window_statistics(self, windows: TargetWindows) -> Statistics:
        """Return each window's loc and scale.

        Args:
            windows: The windows, of any library.
        """
        return Statistics()

    @final
    def statistics(self, past: Tensor, observed: Tensor | None) -> tuple[Tensor, Tensor] | None:
        """Return each window's loc and scale, `[B, D]` each, or `None` for no normalisation.

        Args:
            past: The past, `[B, T, F]`.
            observed: 1 where a value was observed, else 0, `[B, T, F]`; `None` if all were.
        """
        windows = TargetWindows(past, observed, self.targets, self.segment)
        loc, scale = self.window_statistics(windows)
        if loc is None and scale is None:
            return None
        return (
            ops.zeros_like(scale) if loc is None else loc,
            ops.ones_like(loc) if scale is None else scale,
        )

    def apply(self, past: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Normalise the target columns of the past, `[B, T, F]`.

        Args:
            past: The past.
            loc: The loc to subtract from each target, `[B, D]`.
            scale: The scale to divide each target by, `[B, D]`.
        """
        place = ops.convert_to_tensor(self.place, dtype=past.dtype)
        locs = ops.matmul(loc, place)
        scales = ops.matmul(scale, place) + ops.convert_to_tensor(self.untouched, dtype=past.dtype)
        return (past - ops.expand_dims(locs, 1)) / ops.expand_dims(scales, 1)

    def targets(self, past: Tensor) -> Tensor:
        """Return the target columns, `[B, T, D]`.

        Args:
            past: The past, `[B, T, F]`.
        """
        return ops.take(past, ops.convert_to_tensor(self.target_features, dtype="int32"), axis=-1)


class LastNormaliser(Normaliser):
    """Subtract the window's last value: `x' = x - x_T`.

    Source: NLinear, Zeng et al. 2023, arXiv:2205.13504.
    """

    def window_statistics(self, windows: TargetWindows) -> Statistics:
        """Return the last value as loc."""
        return Statistics(loc=windows.last)


class LevelNormaliser(Normaliser):
    """Subtract the mean of the window's last token: `x' = x - mean(x_{T-s+1}, …, x_T)`.

    For a token of one season it is the present level of the series, independent of the phase of the
    last value.
    """

    def window_statistics(self, windows: TargetWindows) -> Statistics:
        """Return the level of the last token as loc."""
        return Statistics(loc=windows.level)


class InstanceNormaliser(Normaliser):
    """Subtract the window's mean, divide by its deviation: `x' = (x - μ) / (σ + ε)`.

    Source: reversible instance normalisation, Kim et al. 2022, without its learned affine map.
    """

    epsilon = 1e-3

    def window_statistics(self, windows: TargetWindows) -> Statistics:
        """Return the mean and the deviation."""
        return Statistics(windows.mean, windows.deviation + self.epsilon)


class RecentNormaliser(InstanceNormaliser):
    """Subtract the mean of the window's last token, divide by the window's deviation."""

    def window_statistics(self, windows: TargetWindows) -> Statistics:
        """Return the level of the last token and the deviation."""
        return Statistics(windows.level, windows.deviation + self.epsilon)


class ScaleNormaliser(Normaliser):
    """Divide by the mean absolute observed value: `x' = x / mean |x|`.

    It is for data that must stay positive. A window of zeros does not change.

    Source: Salinas et al. 2020, DeepAR, arXiv:1704.04110, section 3.3, without its 1 in `1 + mean`,
    so that units do not matter.
    """

    def window_statistics(self, windows: TargetWindows) -> Statistics:
        """Return the mean absolute value as scale."""
        mean = windows.mean_of(windows.xp.abs(windows.values))
        return Statistics(scale=windows.xp.where(mean > LEAST_MEAN, mean, 1.0))


NORMALISERS: dict[str, type[Normaliser]] = {
    "none": Normaliser,
    "last": LastNormaliser,
    "level": LevelNormaliser,
    "instance": InstanceNormaliser,
    "recent": RecentNormaliser,
    "scale": ScaleNormaliser,
}
