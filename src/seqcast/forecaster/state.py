"""The fitted state of a forecaster: one frozen value, published by one assignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.long_frame import LongFrame
from seqcast.engine.engine import Engine
from seqcast.errors import DataError
from seqcast.forecaster.blend import BlendPredictor
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.defaults import Sizes
from seqcast.forecaster.fallback import SeasonalNaivePredictor
from seqcast.forecaster.predictor import EnsemblePredictor, Predictor
from seqcast.forecaster.pretrained import PretrainedPredictor
from seqcast.forecaster.series_state import SeriesState
from seqcast.intervals.calibration import Calibration
from seqcast.intervals.levels import check_levels, check_trained, check_within
from seqcast.intervals.request import ForecastRequest
from seqcast.pretrained import PretrainedNetwork
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec
from seqcast.training.history import History

__all__ = ["FittedState"]

Array = npt.NDArray[Any]

# Fewer rows say little even where there is no season.
LEAST_ROWS_BEFORE = 8


@dataclass(frozen=True, eq=False)
class FittedState:
    """Everything that a forecaster has learnt by `fit`.

    It never changes: `fit`, `update`, `refit` and `finetune` make another one. Threads that predict therefore see
    the old state or the new one, never a mixture.

    Args:
        series: Scaling and last rows of each series, and how rows become features.
        season_length: Steps of a season.
        seed: Seed of everything random, drawn where `random_state` is `None`.
        training: The training of each network of the fit, from which later trainings are derived.
        choice: What forecasts are made with, and in which shares.
        engines: The engine of each network that was trained on the data.
        histories: The training history of each of `networks`.
        calibrations: The calibration of each target's intervals; empty for none.
        naive_intervals: The intervals of the seasonal naive forecast, where it has a share; empty for none.
        short_series: Names of the series whose contexts were padded in training.
        skipped: What is wrong with each series that was left out, by its name.
        pretrained: The pretrained network, fine-tuned or not, where it has a share.
        rows: The rows of the fit; `None` in a loaded forecaster, and where they were read from files.
    """

    series: SeriesState
    season_length: int
    seed: int
    training: tuple[TrainingSpec, ...]
    choice: Choice
    engines: tuple[Engine, ...]
    histories: tuple[History, ...]
    calibrations: tuple[Calibration, ...] = ()
    naive_intervals: tuple[Calibration, ...] = ()
    short_series: tuple[Any, ...] = ()
    skipped: Mapping[Any, DataError] = field(default_factory=dict)
    pretrained: PretrainedNetwork | None = None
    rows: LongFrame | None = None

    @property
    def networks(self) -> tuple[Engine, ...]:
        """The engine of each network: those trained on the data, then the pretrained one."""
        return self.engines if self.pretrained is None else (*self.engines, self.pretrained.engine)

    @property
    def frequency(self) -> str | int | None:
        """Name of the step between stamps; `None` for irregular ones."""
        return None if self.series.frequency is None else self.series.frequency.name

    def trained_rows(self, frame: LongFrame) -> Array:
        """Return which rows of a frame the networks were trained on, a mask `[rows]`."""
        trained = {"trained", "finetuned"} & set(self.choice.shares)
        return self.series.trained_rows(frame) if trained else np.zeros(len(frame.stamps), dtype=bool)

    @property
    def is_probabilistic(self) -> bool:
        """Whether the networks forecast a distribution, not only a point."""
        return bool(self.networks) and self.networks[0].network.is_probabilistic

    @property
    def context_lengths(self) -> tuple[int, ...]:
        """Context length of each network; that of the series where there is no network."""
        lengths = [engine.window.context_length for engine in self.engines if engine.window is not None]
        return tuple(length for length in lengths if length is not None) or (self.series.context_length,)

    @property
    def rows_before(self) -> int:
        """Rows that a series has before the first forecast of its past.

        They are those that a trained network reads. Without one they are two seasons, and eight at least: the
        pretrained network reads more where there are more, and needs no more. Where no window may be padded, they are
        a whole context.
        """
        if not self.series.fill:
            return self.series.context_length
        if "trained" in self.choice.shares:
            return max(self.context_lengths)
        return min(self.series.context_length, max(2 * self.season_length, LEAST_ROWS_BEFORE))

    def specs_of(self, sizes: Sizes) -> tuple[NetworkSpec, TrainingSpec]:
        """Return the network and the training of the fit with the place, or else the context length, of `sizes`."""
        pairs = list(zip(self.engines, self.training, strict=False))
        for engine, training in [*pairs[sizes.member : sizes.member + 1], *pairs]:
            if engine.window is not None and engine.window.context_length == sizes.context_length:
                return engine.network, training
        return NetworkSpec(), TrainingSpec()

    def predictor(self, combine: str) -> Predictor:
        """Return the predictor of what was chosen.

        Args:
            combine: How forecasts of several networks become one: `median` or `mean`.
        """
        support, names = self.series.support, list(self.choice.shares)
        if not self.choice.is_blend:
            return self._part(names[0], combine, self.calibrations or self.naive_intervals, support)
        parts = [
            self._part(name, combine, self.naive_intervals if name == "seasonal_naive" else (), ()) for name in names
        ]
        networks = [place for place, name in enumerate(names) if name != "seasonal_naive"]
        return BlendPredictor(parts, list(self.choice.shares.values()), networks, self.calibrations, support)

    def _part(self, name: str, combine: str, calibrations: Sequence[Calibration], support: Sequence[str]) -> Predictor:
        """Return the predictor of one candidate."""
        if name == "seasonal_naive":
            return SeasonalNaivePredictor(self.season_length, calibrations, support)
        if name == "trained":
            return EnsemblePredictor(self.engines, combine, calibrations, support)
        assert self.pretrained is not None
        return PretrainedPredictor(self.pretrained, self.season_length, calibrations, support)

    def request(
        self, point: str, trained: Sequence[float], level: Sequence[float] | float | None = None
    ) -> ForecastRequest:
        """Return a forecast request, and refuse levels that there are no intervals for.

        Args:
            point: Whether the point forecast is the `median` or the `mean`.
            trained: Levels that the forecaster was fitted for.
            level: Levels of this forecast; `None` takes all of `trained`.

        Raises:
            SpecError: There are no intervals of a level.
        """
        point_only = not self.is_probabilistic and not self.calibrations and not self.naive_intervals
        available = () if point_only else tuple(trained)
        if level is None:
            return ForecastRequest(point, available)
        levels = check_levels(level)
        if not self._has_any_level:
            hint = "Fit with such a level."
            if point_only:
                hint = "Fit with a named preset, with calibrate=True, or with a NetworkSpec that has another head."
            check_trained(levels, available, hint=hint)
        elif self.pretrained is not None and {"pretrained", "finetuned"} & set(self.choice.shares):
            check_within(levels, self.pretrained.engine.network.quantiles or ())
        return ForecastRequest(point, levels)

    @property
    def _has_any_level(self) -> bool:
        """Whether there are intervals of any level, not only of those that were asked for at the fit."""
        if self.calibrations or "seasonal_naive" in self.choice.shares:
            return False
        return all(engine.network.head not in ("point", "quantile") for engine in self.engines)
