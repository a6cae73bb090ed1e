"""The file in ONNX of a fitted regressor."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from seqcast.regressor.state import FittedState

__all__ = ["ExportMixin"]


class FittedRegressor(Protocol):
    """What an export needs of a regressor."""

    @property
    def _fitted(self) -> FittedState: ...


class ExportMixin:
    """The method of `Seq2SeqRegressor` that takes it out of Python."""

    def export(
        self: FittedRegressor,
        path: str | os.PathLike[str],
        *,
        horizon: int | str | None = None,
        probabilities: Sequence[float] | None = None,
    ) -> None:
        """Write the regressor to one ONNX file, which forecasts from raw windows wherever ONNX runs.

        The file reads `past` with the axes of X, `[batch, time, F]` of any length or `[batch, T]`, and `static`,
        `[batch, S]`, and `future`, `[batch, horizon, F']`, where the network was trained with them. It returns `point`,
        what `predict` does, with the axes of y (`[batch, 1]` where y had one), and `quantiles`, with one axis more.

        Args:
            path: Where to; the file appears whole or not at all.
            horizon: Steps to forecast: a number, `any` for an input `horizon` that says it, or `None` for the trained
                one.
            probabilities: Of the quantiles; `None` takes those of `head="quantile"`, and none otherwise.

        Raises:
            NotFittedError: The estimator is not fitted.
            SpecError: An option is impossible, or the network has a part that ONNX has no operators for.
            MissingPackageError: The package `onnx` is not installed.
            SaveError: The file could not be written.
        """
        from seqcast.export import ArrayModel, write_array_model

        state = self._fitted
        assert state.engine.model is not None  # of a fitted engine
        model = ArrayModel(state.engine.model, state.preparation, state.support)
        write_array_model(path, model, horizon=horizon, probabilities=probabilities)
