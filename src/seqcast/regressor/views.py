"""The fitted state of the regressor as read-only attributes, as scikit-learn's users know them."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from seqcast.data.arrays.preparation import Preparation
from seqcast.engine.engine import Engine
from seqcast.regressor.state import TrainedEstimator
from seqcast.training.history import History

__all__ = ["FittedViews"]

Array = npt.NDArray[Any]


class FittedViews(TrainedEstimator):
    """The part of `Seq2SeqRegressor` that shows what it has learnt."""

    @property
    def engine_(self) -> Engine:
        """The trained engine."""
        return self._fitted.engine

    @property
    def history_(self) -> History:
        """The training history."""
        return self._fitted.history

    @property
    def preparation_(self) -> Preparation:
        """Sizes and scaling learnt from the training windows."""
        return self._fitted.preparation

    @property
    def seed_(self) -> int:
        """Seed of everything that was random in the fit."""
        return self._fitted.seed

    @property
    def n_features_in_(self) -> int:
        """Columns of a 2-D X, or features of a 3-D one."""
        return self._fitted.n_features_in

    @property
    def feature_names_in_(self) -> Array:
        """Names of the columns of X, where it was a frame."""
        names = self._fitted.feature_names_in
        if names is None:
            raise AttributeError(f"this {type(self).__name__} was fitted on an X without names of columns")
        return names
