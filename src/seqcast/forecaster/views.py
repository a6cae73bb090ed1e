"""The fitted state of a forecaster as read-only attributes, as scikit-learn's users know them."""

from __future__ import annotations

from typing import Any

from seqcast.engine.engine import Engine
from seqcast.errors import DataError, NotFittedError
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.state import FittedState
from seqcast.intervals.calibration import Calibration
from seqcast.specs.training import TrainingSpec
from seqcast.training.history import History

__all__ = ["FittedViews"]


class FittedViews:
    """The part of `Forecaster` that shows what it has learnt."""

    _state: FittedState | None = None

    def __sklearn_is_fitted__(self) -> bool:
        return self._state is not None

    def _fitted(self) -> FittedState:
        """Return the fitted state; callers read this one value, whatever other threads publish meanwhile."""
        state = self._state
        if state is None:
            raise NotFittedError("Forecaster", expected="a fitted one", received="none", hint="Call fit first.")
        return state

    @property
    def engines_(self) -> tuple[Engine, ...]:
        """The engine of each network, the pretrained one last; none where forecasts repeat the last season."""
        return self._fitted().networks

    @property
    def engine_(self) -> Engine:
        """The first of them."""
        engines = self._fitted().networks
        if not engines:
            raise AttributeError("this forecaster repeats the last season: it has no network, and engines_ is ()")
        return engines[0]

    @property
    def choice_(self) -> Choice:
        """What forecasts are made with, in which shares, and why."""
        return self._fitted().choice

    @property
    def histories_(self) -> tuple[History, ...]:
        """The training history of each network."""
        return self._fitted().histories

    @property
    def history_(self) -> History:
        """The first of them."""
        return self._fitted().histories[0]

    @property
    def training_(self) -> tuple[TrainingSpec, ...]:
        """The training of each network at the fit."""
        return self._fitted().training

    @property
    def series_state_(self) -> SeriesState:
        """Scaling and last rows of each series."""
        return self._fitted().series

    @property
    def freq_(self) -> str | int | None:
        """The frequency; `None` for irregular stamps."""
        return self._fitted().frequency

    @property
    def season_length_(self) -> int:
        """Steps of a season."""
        return self._fitted().season_length

    @property
    def context_length_(self) -> int:
        """Steps of past that a forecast reads."""
        return self._fitted().series.context_length

    @property
    def calibrations_(self) -> tuple[Calibration, ...]:
        """The calibration of each target's intervals, when `calibrate` is true."""
        return self._fitted().calibrations

    @property
    def short_series_(self) -> tuple[Any, ...]:
        """Names of the series with fewer rows than a whole window, whose contexts were padded."""
        return self._fitted().short_series

    @property
    def skipped_series_(self) -> dict[Any, DataError]:
        """What is wrong with each series that was left out, by its name."""
        return dict(self._fitted().skipped)

    @property
    def seed_(self) -> int:
        """Seed of everything random: `random_state`, or the one that was drawn."""
        return self._fitted().seed
