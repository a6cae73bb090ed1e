"""The methods that take new rows into a fitted forecaster: update, refit, finetune."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, Self, TypeVar

import numpy.typing as npt

from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.frames.sharded import AnyFrame
from seqcast.forecaster.defaults import PRETRAINED
from seqcast.forecaster.fallback import refuse_without_network
from seqcast.forecaster.fitting import untrained_state
from seqcast.forecaster.further import plan_further
from seqcast.forecaster.option_checks import check_options
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.planning import FitPlan, make_plan
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.state import FittedState
from seqcast.forecaster.views import FittedViews
from seqcast.specs.finetune import check_parts
from seqcast.specs.training import TrainingSpec

__all__ = ["AdaptMixin"]


class AdaptedForecaster(Protocol):
    """The methods and options of `Forecaster` that these methods need."""

    preset: Any
    _state: FittedState | None

    def _fitted(self) -> FittedState: ...

    def _read(self, df: Any, before: LongFrame | SeriesState | None = None, **how: Any) -> LongFrame: ...

    def _with_validation(self, frame: AnyFrame, validation: Any) -> tuple[Any, npt.NDArray[Any] | None]: ...

    def _seed(self, before: FittedState | None = None) -> int: ...

    def _resolved(self, seed: int, members: int | None = None, **changes: Any) -> FitOptions: ...

    def _publish(self, plan: FitPlan, *, training: Sequence[TrainingSpec] | None = None) -> Self: ...

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the options by name."""


Fitted = TypeVar("Fitted", bound=AdaptedForecaster)


class AdaptMixin(FittedViews):
    """The methods of `Forecaster` that go on from what it has learnt, with new rows."""

    def update(self: Fitted, df: Any) -> Fitted:
        """Append rows to the remembered series; nothing is trained, and known series keep their scaling.

        Args:
            df: Rows that follow those of known series, or rows of new series, which are scaled by these.

        Returns:
            This forecaster; `predict` goes on from the new rows.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: Something in the frame is wrong, or rows do not follow.
        """
        state = self._fitted()
        self._state = replace(state, series=state.series.updated(self._read(df, state.series)))
        return self

    def refit(self: Fitted, df: Any, validation: Any = None) -> Fitted:
        """Train anew on other rows, with the choices that `fit` made from its own: the sizes stay as they are.

        Context length, frequency, season, calendar and network are those of the fit; scaling, categories and weights
        are learnt from these rows alone.

        Args:
            df: All rows to train on.
            validation: As for `fit`.

        Returns:
            The fitted forecaster.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: Something in the frame is wrong; nothing was trained.
            TrainingError: Training diverged; this forecaster is as it was before, see the error's `kept`.
            KeyboardInterrupt: The user interrupted.
        """
        state = self._fitted()
        check_options(self.get_params(deep=False))
        frame, starts = self._with_validation(self._read(df, state.series, static_optional=False), validation)
        options = self._resolved(
            self._seed(state),
            max(1, len(state.engines)),
            context_lengths=state.context_lengths,
            rows_read=state.series.context_length,
            season_length=state.season_length,
            calendar=state.series.builder.calendar.names or "none",
            choice=state.choice,
        )
        return self._publish(make_plan(frame, options, state.specs_of, starts))

    def finetune(
        self: Fitted,
        df: Any,
        *,
        freeze: Sequence[str] = (),
        training: TrainingSpec | Mapping[str, Any] | None = None,
        validation: Any = None,
    ) -> Fitted:
        """Train the networks further, from their present weights, on some series.

        Known series keep their scaling, new ones are scaled by their own training rows. Remembered rows of known series
        stand before the new ones. What is calibrated is calibrated anew. The pretrained network stays as it was where
        the fine-tuned one is worse on the validation rows; `preset="pretrained"` needs no `fit` before, and learns to
        read covariates.

        Args:
            df: Rows of known series, newer than those that `fit` saw or some of these once more up to the last, or
                rows of new series.
            freeze: Parts of the network that stay as they are: some of `encoder`, `decoder`, `head`.
            training: A spec, or the fields that differ from the training of the fit; `None` takes a tenth of its
                learning rate, or for the pretrained network `seqcast.forecaster.finetuning.finetune_training`.
            validation: As for `fit`.

        Returns:
            This forecaster.

        Raises:
            NotFittedError: `fit` was not called, and the preset is not `pretrained`.
            DataError: Something in the frame is wrong; nothing was trained.
            SpecError: An option is wrong; nothing was trained.
            TrainingError: Training diverged; this forecaster is as it was before, see the error's `kept`.
            KeyboardInterrupt: The user interrupted.
        """
        check_parts(freeze)
        if self._state is None and self.preset == PRETRAINED:
            check_options(self.get_params(deep=False))
            state = untrained_state(*self._with_validation(self._read(df), validation), self._resolved(self._seed(), 1))
        else:
            state = self._fitted()
        if not state.networks:
            refuse_without_network("finetune")
        frame, starts = self._with_validation(self._read(df, state.series), validation)
        options = self._resolved(
            self._seed(state), max(1, len(state.engines)), season_length=state.season_length, choice=state.choice
        )
        plan = plan_further(frame, starts, state, options, training, tuple(freeze))
        return self._publish(plan, training=state.training)
