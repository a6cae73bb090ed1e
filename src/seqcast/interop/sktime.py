"""`Forecaster` with sktime's interface, on series, panels and hierarchies.

One network forecasts all series of a panel or hierarchy, as in `Forecaster`; several columns of `y`
are several targets of it. To import this module takes sktime (`pip install '.[sktime]'`).
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from seqcast.data.frames import Frequency
from seqcast.errors import DataError, SpecError
from seqcast.forecaster import Forecaster, interval_levels
from seqcast.interop.sktime_frames import (
    ALIAS,
    HorizonSteps,
    Translation,
    last_stamps,
)
from seqcast.intervals import LEAST_LEVEL, ForecastRequest
from seqcast.network import Quantiles
from seqcast.runtime import Array, require
from seqcast.specs import Columns, NetworkSpec, TrainingSpec

if TYPE_CHECKING:
    from sktime.forecasting.base import BaseForecaster, ForecastingHorizon
else:
    require("sktime", extra="sktime")
    BaseForecaster = require("sktime.forecasting.base", extra="sktime").BaseForecaster

__all__ = ["SeqcastForecaster"]


FRAMES = ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"]
# The horizon to train on when `fit` gets no `fh`.
USUAL_HORIZON = 12
# Options that are not passed to the forecaster unchanged, as all others are.
OWN_OPTIONS = ("horizon", "freq", "static_covariates", "past_covariates")


class SeqcastForecaster(BaseForecaster):
    """A recurrent encoder-decoder for sktime: one network for all series of a panel.

    The columns of `X` are known for the future, unless they are named as past or static covariates.
    `predict` needs the future ones at each step of `fh`; at earlier steps without a row in `X`, the
    last known value is taken.

    `update` remembers the new rows; with `update_params=True`, where there are enough rows, it goes
    on training the network with them, at a tenth of the learning rate (`Forecaster.finetune`).
    After rows that end before those of the fit, forecasts start from these older ones, until newer
    ones come.

    Args:
        horizon: Steps to forecast in training; `None` takes the last step of the `fh` that `fit` is
            given, and without one 12 steps, at most a quarter of the longest series. `predict`
            takes any number.
        context_length: As for `Forecaster`, like all other options that are not explained here.
        level: Levels of the intervals that a named network is trained for, in per cent. Other
            coverages and quantiles are interpolated between these, as the network's own are
            (`seqcast.network.distributions.Quantiles`); a distribution has them all. With `()`
            there are none.
        preset: Name of a network, or a `NetworkSpec`.
        effort: How much `preset="auto"` tries.
        training: How it is trained: a `TrainingSpec`, or a dict of the fields that differ from the
            default.
        freq: Step between dates: a pandas alias; `None` reads it from the index. Periods have their
            own, and whole numbers are counted by one.
        season_length: Steps of a season.
        static_covariates: Columns of `X` that are constant within a series; `predict` does not need
            them.
        past_covariates: Columns of `X` that are not known for the future; `predict` does not need
            them.
        calendar: Calendar features.
        missing: `fill` takes missing steps and values, `raise` rejects them.
        scale: How each series is scaled.
        support: Which values are possible.
        weighting: Whether `windows` or `series` weigh the same in training.
        calibrate: Whether intervals are calibrated on validation rows.
        point: `median` or `mean`.
        members: Number of networks, trained side by side.
        combine: How their forecasts become one.
        random_state: Seed of everything random.
        verbose: 0 is silent, 1 shows inferred options and progress.

    Attributes:
        forecaster_: The fitted `Forecaster`.

    Example:
        >>> from seqcast import NetworkSpec
        >>> from seqcast.data.datasets import load
        >>> from seqcast.interop.sktime import SeqcastForecaster
        >>> y = load("elnino").set_index("ds")["y"].to_period("M")
        >>> tiny = NetworkSpec(encoder_units=(4,), decoder_units=(4,), normalise="last")
        >>> forecaster = SeqcastForecaster(preset=tiny, training={"epochs": 1}, random_state=0)
        >>> list(map(str, forecaster.fit(y, fh=[1, 2, 3]).predict().index))
        ['2011-01', '2011-02', '2011-03']
    """

    _tags: ClassVar[dict[str, object]] = {
        "authors": "The seqcast developers",
        "maintainers": "The seqcast developers",
        "python_dependencies": ["seqcast"],
        "y_inner_mtype": FRAMES,
        "X_inner_mtype": FRAMES,
        "capability:multivariate": True,
        "capability:exogenous": True,
        "capability:non_contiguous_X": True,
        "capability:categorical_in_X": True,
        "capability:missing_values": True,
        "capability:unequal_length": True,
        "capability:insample": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:update": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
        "requires-fh-in-fit": False,
    }
    # The forecaster remembers its rows itself.
    _config: ClassVar[dict[str, object]] = {"remember_data": False}

    def __init__(
        self,
        *,
        horizon: int | None = None,
        context_length: int | Sequence[int] | None = None,
        level: Sequence[float] | float = (80, 90, 95),
        preset: str | NetworkSpec = "auto",
        effort: str = "auto",
        training: TrainingSpec | Mapping[str, Any] | None = None,
        freq: str | int | None = None,
        season_length: int | None = None,
        static_covariates: Sequence[str] = (),
        past_covariates: Sequence[str] = (),
        calendar: str | Sequence[str] = "auto",
        missing: str = "fill",
        scale: str = "auto",
        support: str = "auto",
        weighting: str = "windows",
        calibrate: bool = False,
        point: str = "median",
        members: int = 1,
        combine: str = "median",
        random_state: int | None = None,
        verbose: int = 0,
    ) -> None:
        options = locals().items()
        self.__dict__.update(
            {name: value for name, value in options if name not in ("self", "__class__")}
        )
        # The base reads them, but does not set them when data are not remembered.
        self._y = None
        self._X = None
        super().__init__()

    def __dynamic_tags__(self) -> None:
        """Set the capabilities that the options leave."""
        spec = self.preset
        able = self.level is not None and np.size(self.level) > 0
        if isinstance(spec, NetworkSpec) and spec.head != "quantile":
            able = spec.head != "point" or self.calibrate

        lacking = [] if able else ["capability:pred_int"]
        if self.missing == "raise":
            lacking += ["capability:missing_values", "capability:non_contiguous_X"]
        self.set_tags(**dict.fromkeys(lacking, False))

    def _fit(self, y: pd.DataFrame, X: pd.DataFrame | None, fh: ForecastingHorizon) -> Self:
        self._frames = Translation.of(y, X, self.static_covariates, self.past_covariates)
        rows = self._frames.rows(y, X)
        roles = self._frames.covariates
        options = self.get_params(deep=False)
        for name in OWN_OPTIONS:
            del options[name]

        self.forecaster_ = Forecaster(
            self._horizon(fh, rows),
            columns=Columns(y=self._frames.targets),
            freq=self._frames.step(y.index) if self.freq is None else self.freq,
            static_covariates=roles.static,
            past_covariates=roles.past,
            future_covariates=roles.future,
            alias=ALIAS,
            **options,
        ).fit(rows)
        self._frames.move_ends(rows)
        self._earlier: pd.DataFrame | None = None
        return self

    def _horizon(self, fh: ForecastingHorizon, rows: pd.DataFrame) -> int:
        """Return the number of steps to train on."""
        horizon: int | None = self.horizon
        if horizon is not None:
            return horizon
        if fh is None:
            return max(1, min(USUAL_HORIZON, int(rows["unique_id"].value_counts().max()) // 4))
        steps = fh if _is_counted(fh) else fh.to_absolute(self.cutoff).to_relative(self.cutoff)
        return int(steps.to_numpy().max())

    def _update(
        self, y: pd.DataFrame, X: pd.DataFrame | None = None, update_params: bool = True
    ) -> Self:
        rows = self._frames.rows(y, X)
        ends = rows["unique_id"].map(self._frames.ends)
        # New series have no end yet.
        later = rows[ends.isna() | (rows["ds"] > ends)]
        if len(later):
            self._append(later, update_params)
            self._frames.move_ends(later)
        behind = any(stamp < self._frames.ends[name] for name, stamp in last_stamps(rows).items())
        self._earlier = rows if behind else None
        return self

    def _append(self, rows: pd.DataFrame, train: bool) -> None:
        """Append rows, and train on them if there are enough."""
        if train:
            try:
                self.forecaster_.finetune(rows)
                return
            except DataError:
                # There are too few rows to train on; `update` raises any other error again.
                pass
        self.forecaster_.update(rows)

    def _update_predict_single(
        self,
        y: pd.DataFrame,
        fh: ForecastingHorizon,
        X: pd.DataFrame | None = None,
        update_params: bool = True,
    ) -> pd.DataFrame:
        self._update(y, X, update_params)
        return self._predict(fh, X)

    def _predict(self, fh: ForecastingHorizon, X: pd.DataFrame | None) -> pd.DataFrame:
        ids, steps, table = self._forecast(self.forecaster_, fh, X)
        values = self._picked(steps, table, ALIAS)
        return self._frames.indexed(values, self._get_columns(), steps, ids)

    def _predict_quantiles(
        self, fh: ForecastingHorizon, X: pd.DataFrame | None, alpha: list[float]
    ) -> pd.DataFrame:
        request = ForecastRequest(level=self._levels(alpha))
        forecaster = copy.copy(self.forecaster_).set_params(point="median")
        ids, steps, table = self._forecast(forecaster, fh, X, request.level)

        column_of = dict(zip((0.5, *request.probabilities), request.columns(ALIAS), strict=True))
        trained = tuple(sorted(column_of))
        values = [self._picked(steps, table, column_of[each]) for each in trained]
        quantiles = Quantiles(trained).quantile(np.stack(values, axis=-1), alpha)

        columns = self._get_columns("predict_quantiles", alpha=alpha)
        return self._frames.indexed(quantiles.reshape(len(quantiles), -1), columns, steps, ids)

    def _levels(self, alpha: Sequence[float]) -> tuple[float, ...]:
        """Return the levels of the intervals from which quantiles are interpolated."""
        forecaster = self.forecaster_
        if forecaster.calibrations_ or forecaster.engine_.network.head in ("point", "quantile"):
            return interval_levels(self.level)
        levels = {80.0, *(round(abs(200 * each - 100), 9) for each in alpha)}
        return tuple(sorted(level for level in levels if level > LEAST_LEVEL))

    def _forecast(
        self,
        forecaster: Forecaster,
        fh: ForecastingHorizon,
        X: pd.DataFrame | None,
        level: Sequence[float] | None = None,
    ) -> tuple[list[Hashable], HorizonSteps, pd.DataFrame]:
        """Return the ids, the steps that `fh` names, and a forecast up to the last of them."""
        if forecaster.freq_ is None:
            raise SpecError(
                "freq", expected="a step", received="irregular stamps", hint="Give the series' own."
            )

        ends = self._frames.ends if self._earlier is None else last_stamps(self._earlier)
        ids = sorted(ends)
        frequency = Frequency(forecaster.freq_)
        last = pd.Index([ends[name] for name in ids])
        if _is_counted(fh):
            steps = HorizonSteps.counted(frequency, last, fh.to_numpy())
        else:
            stamps = self._frames.stamps(fh.to_absolute_index(self.cutoff))
            steps = HorizonSteps.at(frequency, last, stamps)

        future = self._frames.future(X, steps, ids)
        return ids, steps, forecaster.predict(steps.horizon, self._earlier, future, level)

    def _picked(self, steps: HorizonSteps, table: pd.DataFrame, column: str) -> Array:
        return steps.pick(table[column], len(self._frames.targets))

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, object]]:
        """Return options with which sktime's checks take seconds.

        Args:
            parameter_set: There is only one set.

        Returns:
            Arguments of the class, one dict for each forecaster that is to be checked.
        """
        normal = NetworkSpec(
            cell="simple_rnn",
            encoder_units=(2,),
            decoder_units=(2,),
            normalise="last",
            head="normal",
        )
        shared: dict[str, object] = {
            "context_length": 4,
            "training": {"epochs": 1, "steps_per_epoch": 1, "validation_fraction": 0.0},
            "calendar": "none",
            "random_state": 0,
        }
        quantiles = replace(normal, head="quantile")
        return [
            {**shared, "preset": normal},
            {**shared, "preset": quantiles, "level": (80,), "missing": "raise"},
        ]


def _is_counted(fh: ForecastingHorizon) -> bool:
    """Return whether a forecasting horizon is numbers of steps, not stamps or spans of time."""
    return bool(fh.is_relative) and fh.to_pandas().dtype.kind in "iu"
