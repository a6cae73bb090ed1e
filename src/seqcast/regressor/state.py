"""The fitted state of the regressor: one frozen value, published by one assignment."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from seqcast.data.arrays.checks import check_covariates, check_targets
from seqcast.data.arrays.preparation import Preparation
from seqcast.engine.engine import Engine
from seqcast.engine.inputs import ArrayLabels, ModelInputs
from seqcast.errors import NotFittedError, TrainingError
from seqcast.intervals.support import bounded
from seqcast.regressor.inputs import check_past
from seqcast.specs.checks import check_int
from seqcast.training.history import History

__all__ = ["FittedState", "StatefulEstimator", "TrainedEstimator", "continued_history"]

Array = npt.NDArray[Any]


State = TypeVar("State")


class StatefulEstimator(Generic[State]):
    """A base of estimators that keep everything learnt by a fit in one value.

    A fit makes the value completely and publishes it by a single assignment, `self._state = state`; a method reads it
    once, from `self._fitted`. So a thread that predicts while another one fits sees the whole old state or the whole
    new one, and a fit that fails leaves the old one.
    """

    _state: State | None = None

    @property
    def _fitted(self) -> State:
        state = self._state
        if state is None:
            raise NotFittedError(
                f"this {type(self).__name__} instance is not fitted yet", hint="Call fit before using this estimator."
            )
        return state

    def __sklearn_is_fitted__(self) -> bool:
        return self._state is not None


@dataclass(frozen=True)
class FittedState:
    """Everything that a fit of the regressor learns.

    Args:
        engine: The trained engine. Nothing trains it any further.
        history: The training history.
        preparation: Sizes and scaling of the windows.
        seed: Seed of everything that was random.
        support: The support of each target.
    """

    engine: Engine
    history: History
    preparation: Preparation
    seed: int
    support: tuple[str, ...]

    @property
    def n_features_in(self) -> int:
        """Columns of a two-dimensional X, or features of a three-dimensional one."""
        return self.preparation.n_features_in

    @property
    def feature_names_in(self) -> Array | None:
        """Names of the columns of X, where it was a frame."""
        names = self.preparation.feature_names
        return None if names is None else np.array(names, dtype=object)

    def horizon(self, horizon: int | None) -> int:
        """Return the checked horizon; by default the trained one."""
        return self.preparation.window.horizon if horizon is None else check_int("horizon", horizon)

    def in_units(self, parts: Array, probabilities: Sequence[float] = (0.5,)) -> Array:
        """Return parts of a forecast in the units and with the axes of y, within the support of the targets.

        Args:
            parts: The parts, scaled, `[N, H, D, P]`.
            probabilities: Probability of each; 0.5 for a point.

        Returns:
            The parts, `[..., P]`.
        """
        by_part = [self.preparation.in_units(parts[..., place]) for place in range(parts.shape[-1])]
        values = np.stack(by_part, axis=-1)
        if self.preparation.y_axes == 3:
            return np.asarray(bounded(values, self.support, probabilities))
        return np.asarray(bounded(values[..., None, :], self.support, probabilities)[..., 0, :])

    def inputs(self, X: Any, static: Any, future: Any, horizon: int, owner: str) -> dict[str, Array]:
        """Check new windows and return them in the network's units.

        Args:
            X: The past, as at fit.
            static: Static covariates, `[N, S]`, where the network was trained with them.
            future: Known-future covariates, `[N, H, F']`, where the network was trained with them.
            horizon: Number of steps, `H`.
            owner: Name of the estimator's class, for messages.

        Returns:
            The inputs of the engine.

        Raises:
            DataError: Something in the data is wrong.
        """
        past = check_past(X, owner, self.preparation).values
        covariates = self.preparation.covariates(len(past), static, future, horizon)
        return self.preparation.scaled({"past": past, **covariates})

    def past(self, X: Any, static: Any, owner: str) -> dict[str, Array]:
        """Check the encoder's inputs and return them in the network's units; arguments as for `inputs`."""
        past = check_past(X, owner, self.preparation).values
        features = self.preparation.window.static
        covariates = check_covariates("static_covariates", static, len(past), features=features)
        return self.preparation.scaled({"past": past} if covariates is None else {"past": past, "static": covariates})

    def future(self, future: Any, rows: int, horizon: int) -> Array | None:
        """Check known-future covariates of `rows` windows and return them in the network's units."""
        features = self.preparation.window.future
        covariates = check_covariates("future_covariates", future, rows, features=features, horizon=horizon)
        return None if covariates is None else self.preparation.scalers["future"].transform(covariates)

    def model_inputs(self, X: Any, y: Any, static: Any, future: Any, horizon: int | None, owner: str) -> ModelInputs:
        """Check new windows and return them in the network's units, with their labels.

        Args:
            X: The past, as at fit.
            y: The true future, where it is known.
            static: Static covariates, `[N, S]`, where the network was trained with them.
            future: Known-future covariates, `[N, H, F']`, where the network was trained with them.
            horizon: Number of steps; `None` is that of y, or the trained one.
            owner: Name of the estimator's class, for messages.

        Returns:
            The windows, called by their numbers.

        Raises:
            DataError: Something in the data is wrong.
        """
        steps, preparation, truth = self.horizon(horizon), self.preparation, None
        past = check_past(X, owner, preparation).values
        if y is not None:
            values, _ = check_targets(y, len(past))
            steps = values.shape[1] if horizon is None else steps
            preparation.check_truth(values, steps)
            truth = preparation.scalers["y"].transform(values)
        covariates = preparation.covariates(len(past), static, future, steps)
        window = preparation.window
        return ModelInputs(
            self.engine,
            preparation.scaled({"past": past, **covariates}),
            steps,
            ArrayLabels(np.arange(len(past))),
            features=tuple(f"x{place}" for place in range(window.features)),
            targets=tuple(f"y{place}" for place in range(window.targets)),
            known_future=tuple(f"future{place}" for place in range(window.future)),
            truth=truth,
        )


class TrainedEstimator(StatefulEstimator[FittedState]):
    """A base of the regressor that publishes what trainings learn."""

    # A state of `partial_fit`, and the engine that it goes on training from there.
    _training: tuple[FittedState, Engine] | None = None

    def _engine_to_train(self, state: FittedState) -> Engine:
        """Return the engine that `partial_fit` has trained up to this state, or a copy of the published one."""
        # It is taken away at once: an engine whose training fails has weights that belong to no state.
        training, self._training = self._training, None
        return training[1] if training is not None and training[0] is state else state.engine.copy()

    def _publish(self, state: FittedState, trained: Engine | None = None) -> None:
        self._training = None if trained is None else (state, trained)
        self._state = state

    def __getstate__(self) -> dict[str, Any]:
        # An engine that partial_fit goes on training holds an optimiser, which is not copied either.
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_training"}

    def _keep(self, error: KeyboardInterrupt | TrainingError, state: FittedState) -> None:
        """Keep what a training has learnt that was broken off.

        Args:
            error: What broke it off: the user, which publishes it, or a divergence, which brings it along.
            state: The state with the weights that were kept.
        """
        # What interrupts before training has begun brings no history, and leaves the estimator as it was.
        if not hasattr(error, "history"):
            return
        if isinstance(error, TrainingError):
            error.kept = copy.copy(self)
            error.kept._publish(state if len(state.history) else replace(state, history=error.history))
        else:
            self._publish(replace(state, history=error.history))


def continued_history(history: History, recorded: History) -> History:
    """Return a history with the records of a further training appended.

    Example:
        >>> history = continued_history(History({"loss": [2.0]}, seconds=1.0), History({"loss": [1.0]}, seconds=0.5))
        >>> history.epochs, history.seconds
        ({'loss': [2.0, 1.0]}, 1.5)
    """
    epochs = {name: list(values) for name, values in history.epochs.items()}
    for name, values in recorded.epochs.items():
        epochs.setdefault(name, []).extend(values)
    return replace(history, epochs=epochs, seconds=history.seconds + recorded.seconds)
