"""The hold-out windows of a fit, on which candidates are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seqcast.data import naive_errors
from seqcast.data.windows import Origins, WindowReader
from seqcast.forecaster.blend import Blend
from seqcast.forecaster.candidates import FittedCandidate
from seqcast.forecaster.choice import Choice, choose, pinball
from seqcast.intervals import ForecastRequest
from seqcast.runtime import Array

# The loss of networks that were picked as the best of many may seem smaller than it is, by up to
# this factor.
OPTIMISM = 1.2


@dataclass(frozen=True)
class HoldOut:
    """The hold-out windows, on which candidates are compared.

    Args:
        reader: The window reader of the rows.
        origins: Where forecasts begin.
        request: Point and intervals that are compared.
        season_length: Steps of a season.
    """

    reader: WindowReader
    origins: Origins
    request: ForecastRequest
    season_length: int = 1

    def __len__(self) -> int:
        return int((~np.isnan(self.truth)).any(axis=(1, 2)).sum()) if len(self.origins) else 0

    @cached_property
    def units(self) -> Array:
        """The naive error of each window's series, `[B, 1, D]`.

        It is NaN for a series that does not change, and 1 if none does.

        Where rows have weights, it is divided by them, `[B, H, D]`: so losses in these units are
        weighted.
        """
        errors = naive_errors(self.reader.targets, self.reader.lengths, self.season_length)
        errors = np.where(np.isnan(errors).all(), 1.0, errors)[self.origins.series][:, None]
        weights = self.reader.weights(self.origins.series, self.origins.stops, self.origins.horizon)
        return errors if weights is None else errors * np.nanmean(weights) / weights

    @cached_property
    def truth(self) -> Array:
        """The truth in units of the naive error, `[B, H, D]`; NaN is missing."""
        return (
            self.origins.scalers(self.reader).inverse(self.origins.truth(self.reader)) / self.units
        )

    def forecast(self, candidate: FittedCandidate) -> Array:
        """Return the forecasts of a candidate in units of the naive error, `[B, H, D, 1 + 2 L]`.

        Args:
            candidate: The candidate.
        """
        return (
            Blend([candidate], [1.0]).forecast(self.reader, self.origins, self.request)
            / self.units[..., None]
        )

    def loss(self, forecast: Array) -> float:
        """Return the mean quantile loss of forecasts.

        Args:
            forecast: The forecasts in units of the naive error, `[B, H, D, 1 + 2 L]`.
        """
        known = ~np.isnan(self.truth)
        return float(
            pinball(
                self.truth[known], forecast[known], self.request.probabilities_with_point
            ).mean()
        )

    def best(self, versions: Sequence[FittedCandidate]) -> tuple[FittedCandidate, Array]:
        """Return the best version of a candidate, the last of equal ones, and its forecasts.

        Args:
            versions: The versions.
        """
        forecasts = [self.forecast(version) for version in versions]
        losses = [
            self.loss(forecast) * each.caution
            for each, forecast in zip(versions, forecasts, strict=True)
        ]
        place = max(range(len(versions)), key=lambda each: (-losses[each], each))
        return versions[place], forecasts[place]

    def choice(self, forecasts: Mapping[str, Array]) -> Choice:
        """Return the shares of candidates.

        Args:
            forecasts: The forecasts of each, by its name.
        """
        cutoffs = count_cutoffs(self.origins, self.reader.lengths)
        return choose(self.truth, forecasts, self.request.probabilities_with_point, cutoffs=cutoffs)

    def choice_of_picked(
        self, own: Choice, forecasts: Mapping[str, Array], name: str, proxy: FittedCandidate
    ) -> Choice:
        """Return the choice for networks that were picked as the best of many on these windows.

        Args:
            own: The choice with their forecasts.
            forecasts: The forecasts of all candidates, by name.
            name: Name of the candidate whose networks were picked.
            proxy: The network whose hold-out loss stands for its loss.
        """
        theirs = self.choice({**forecasts, name: self.forecast(proxy)})
        return own if OPTIMISM * own.losses[name] < theirs.losses[name] else theirs


def count_cutoffs(origins: Origins, lengths: Array) -> int:
    """Return the number of cutoffs that are at least a horizon apart, counted from the ends.

    Args:
        origins: The origins of the windows.
        lengths: Rows of each series.
    """
    return len(np.unique((lengths[origins.series] - origins.stops) // origins.horizon))
