"""Normalisers of windows: the network works without each window's own loc and scale.

They are removed before the network and restored after it. Only target columns change, so a
normaliser needs the index of the targets' own past.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqcast.runtime import Tensor, ops

# The mean absolute value of a window of zeros is at most this.
LEAST_MEAN = 1e-30
# Under the root of a variance, so that the gradient of a constant window is finite.
LEAST_VARIANCE = 1e-12


@dataclass(frozen=True)
class WindowStatistics:
    """The statistics of a window that a normaliser takes, by which other runtimes compute it.

    Args:
        loc: `last` (value), `level` (of the last token) or `mean`; `None` is 0.
        scale: `deviation` or `mean_absolute`; `None` is 1.
    """

    loc: str | None = None
    scale: str | None = None


class Normaliser:
    """No normalisation, and the base of the other normalisers.

    Args:
        features: Number of input features, `F`.
        target_features: Index of each target's own past among them.
        segment: Steps of a token.

    Attributes:
        window_statistics: Its statistics; `None` for a subclass with statistics of its own.
    """

    window_statistics: WindowStatistics | None = WindowStatistics()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # What a subclass does not describe is not what its base described.
        if "window_statistics" not in vars(cls):
            cls.window_statistics = None

    def __init__(
        self, features: int, target_features: tuple[int, ...], *, segment: int = 1
    ) -> None:
        self.segment = segment
        self.target_features = list(target_features)
        # Which feature is the past of which target, [D, F], and which is that of none, [F].
        places = np.equal.outer(self.target_features, np.arange(features))
        self.place = places.astype("float32")
        self.untouched = 1.0 - self.place.sum(axis=0)

    def statistics(self, past: Tensor, observed: Tensor | None) -> tuple[Tensor, Tensor] | None:
        """Return each window's loc and scale, `[B, D]` each, or `None` for no normalisation.

        Args:
            past: The past, `[B, T, F]`.
            observed: 1 where a value was observed, else 0, `[B, T, F]`; `None` if all were.
        """
        return None

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

    def _level(self, past: Tensor, observed: Tensor | None) -> Tensor:
        """Return the mean of the observed values in the last token or the last value, `[B, D]`."""
        token = self.targets(past)[:, -self.segment :]
        if observed is not None:
            observed = observed[:, -self.segment :]
        weight, count = self._observed(token, observed)
        has_values = ops.any(weight > 0, axis=1)
        mean = ops.sum(weight * token, axis=1) / count
        return ops.where(has_values, mean, token[:, -1])

    def _observed(self, values: Tensor, observed: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return 1 for observed targets, `[B, T, D]`, and their number, at least 1, `[B, D]`."""
        weight = ops.ones_like(values) if observed is None else self.targets(observed)
        return weight, ops.maximum(ops.sum(weight, axis=1), 1.0)


class LastNormaliser(Normaliser):
    """Subtract the window's last value: `x' = x - x_T`.

    Source: NLinear, Zeng et al. 2023, arXiv:2205.13504.
    """

    window_statistics = WindowStatistics(loc="last")

    def statistics(self, past: Tensor, observed: Tensor | None) -> tuple[Tensor, Tensor] | None:
        """Return the last value (gaps are filled with the value before them) and a scale of 1."""
        last = self.targets(past)[:, -1]
        return last, ops.ones_like(last)


class LevelNormaliser(Normaliser):
    """Subtract the mean of the window's last token: `x' = x - mean(x_{T-s+1}, …, x_T)`.

    For a token of one season it is the present level of the series, independent of the phase of the
    last value.
    """

    window_statistics = WindowStatistics(loc="level")

    def statistics(self, past: Tensor, observed: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the level of the last token and a scale of 1."""
        level = self._level(past, observed)
        return level, ops.ones_like(level)


class InstanceNormaliser(Normaliser):
    """Subtract the window's mean, divide by its deviation: `x' = (x - μ) / (σ + ε)`.

    Source: reversible instance normalisation, Kim et al. 2022, without its learned affine map.
    """

    window_statistics = WindowStatistics(loc="mean", scale="deviation")
    epsilon = 1e-3

    def statistics(self, past: Tensor, observed: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return mean and deviation over the values that were observed."""
        values = self.targets(past)
        weight, count = self._observed(values, observed)
        mean = ops.sum(weight * values, axis=1) / count
        squares = ops.sum(weight * ops.square(values - ops.expand_dims(mean, 1)), axis=1)
        return mean, ops.sqrt(squares / count + LEAST_VARIANCE) + self.epsilon


class RecentNormaliser(InstanceNormaliser):
    """Subtract the mean of the window's last token, divide by the window's deviation."""

    window_statistics = WindowStatistics(loc="level", scale="deviation")

    def statistics(self, past: Tensor, observed: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the level of the last token, and the deviation of the observed values."""
        _, deviation = super().statistics(past, observed)
        return self._level(past, observed), deviation


class ScaleNormaliser(Normaliser):
    """Divide by the mean absolute observed value: `x' = x / mean |x|`.

    It is for data that must stay positive. A window of zeros does not change.

    Source: Salinas et al. 2020, DeepAR, arXiv:1704.04110, section 3.3, without its 1 in `1 + mean`,
    so that units do not matter.
    """

    window_statistics = WindowStatistics(scale="mean_absolute")

    def statistics(self, past: Tensor, observed: Tensor | None) -> tuple[Tensor, Tensor] | None:
        """Return a loc of 0 and the mean absolute value."""
        values = self.targets(past)
        weight, count = self._observed(values, observed)
        mean = ops.sum(weight * ops.abs(values), axis=1) / count
        return ops.zeros_like(mean), ops.where(mean > LEAST_MEAN, mean, 1.0)


NORMALISERS: dict[str, type[Normaliser]] = {
    "none": Normaliser,
    "last": LastNormaliser,
    "level": LevelNormaliser,
    "instance": InstanceNormaliser,
    "recent": RecentNormaliser,
    "scale": ScaleNormaliser,
}
