"""The fitted value of the regressor, frozen, which forecasts by itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from seqcast.data.arrays import Preparation, check_targets
from seqcast.engine import ArrayLabels, Engine, ModelInputs
from seqcast.intervals import SUPPORTS, bounded
from seqcast.network import States
from seqcast.regressor.arguments import check_new_steps, check_past
from seqcast.runtime import Array
from seqcast.specs import MOST_SEED, check_choice, check_int
from seqcast.training import History


@dataclass(frozen=True)
class FittedRegressor:
    """Everything that a fit of the regressor learns.

    Args:
        engine: The trained engine, which is never trained again.
        history: The training history.
        preparation: Sizes and scaling of the windows.
        seed: Seed of everything that was random.
        support: The support of each target.

    Example:
        >>> from seqcast import Seq2SeqRegressor
        >>> from seqcast.data.signals import random_sines
        >>> past, future = random_sines(64, past=15, future=5, seed=1)
        >>> options = {"encoder_units": (8,), "epochs": 1, "random_state": 0, "verbose": 0}
        >>> model = Seq2SeqRegressor(**options).fit(past, future)
        >>> model.fitted_.predict(past, horizon=20).shape
        (64, 20, 1)
    """

    engine: Engine
    history: History
    preparation: Preparation
    seed: int
    support: tuple[str, ...]

    @property
    def feature_names(self) -> Array:
        """Names of the columns of X.

        Raises:
            AttributeError: X was no frame.
        """
        names = self.preparation.feature_names
        if names is None:
            raise AttributeError(
                "this Seq2SeqRegressor was fitted on an X without names of columns"
            )
        return np.array(names, dtype=object)

    def predict(
        self,
        X: ArrayLike,
        horizon: int | None = None,
        *,
        static: ArrayLike | None = None,
        future: ArrayLike | None = None,
    ) -> Array:
        """Forecast; see `Seq2SeqRegressor.predict`.

        Args:
            X: The past.
            horizon: Number of steps; `None` is the trained one.
            static: Static covariates, `[N, S]`.
            future: Known-future covariates, `[N, H, F']`.
        """
        return self._point(self.engine.predict(*self._inputs(X, horizon, static, future)))

    def quantiles(
        self,
        X: ArrayLike,
        probabilities: Sequence[float],
        horizon: int | None,
        *,
        static: ArrayLike | None,
        future: ArrayLike | None,
    ) -> Array:
        """Forecast quantiles; see `Seq2SeqRegressor.predict_quantiles`.

        Args:
            X: The past.
            probabilities: Their probabilities, `[Qs]`.
            horizon: Number of steps; `None` is the trained one.
            static: Static covariates, `[N, S]`.
            future: Known-future covariates, `[N, H, F']`.
        """
        return self._in_units(
            self.engine.quantiles(*self._inputs(X, horizon, static, future), probabilities)
        )

    def states(self, X: ArrayLike, *, static: ArrayLike | None = None) -> States:
        """Encode the past into states; see `Seq2SeqRegressor.encode`.

        Args:
            X: The past.
            static: Static covariates, `[N, S]`.
        """
        past = check_past(X, self.preparation)[0]
        inputs = {"past": past, **self.preparation.static(static, len(past))}
        return self.engine.encode(self.preparation.scaled(inputs))

    def update(self, states: States, X_new: ArrayLike) -> States:
        """Encode new steps from states; see `Seq2SeqRegressor.update`.

        Args:
            states: Result of `states` or `update`.
            X_new: The steps that follow, `[N, n, F]`.
        """
        return self.engine.update(
            states, self.preparation.scaled({"past": check_new_steps(X_new, self.preparation)})
        )

    def decode(
        self, states: States, horizon: int | None = None, *, future: ArrayLike | None = None
    ) -> Array:
        """Forecast from states; see `Seq2SeqRegressor.decode`.

        Args:
            states: Result of `states` or `update`.
            horizon: Number of steps; `None` is the trained one.
            future: Known-future covariates, `[N, H, F']`.
        """
        steps = self._steps(horizon)
        self.engine.built.check_states(states)
        known = self.preparation.scaled(self.preparation.future(future, len(states), steps))
        return self._point(self.engine.decode(states, steps, known.get("future")))

    def attention(
        self,
        X: ArrayLike,
        horizon: int | None = None,
        *,
        static: ArrayLike | None = None,
        future: ArrayLike | None = None,
    ) -> Array:
        """Return attention weights; see `Seq2SeqRegressor.attention_weights`.

        Args:
            X: The past.
            horizon: Number of steps; `None` is the trained one.
            static: Static covariates, `[N, S]`.
            future: Known-future covariates, `[N, H, F']`.
        """
        return self.engine.attention(*self._inputs(X, horizon, static, future))

    def model_inputs(
        self,
        X: ArrayLike,
        y: ArrayLike | None,
        horizon: int | None,
        *,
        static: ArrayLike | None,
        future: ArrayLike | None,
    ) -> ModelInputs:
        """Return the inputs of the network; see `Seq2SeqRegressor.model_inputs`.

        Args:
            X: The past.
            y: The true future, where it is known.
            horizon: Number of steps; `None` is that of y, or the trained one.
            static: Static covariates, `[N, S]`.
            future: Known-future covariates, `[N, H, F']`.
        """
        window = self.preparation.window
        steps = self._steps(horizon)
        past = check_past(X, self.preparation)[0]

        truth = None
        if y is not None:
            values, _ = check_targets(y, len(past))
            if horizon is None:
                steps = values.shape[1]
            self.preparation.check_y(values, steps)
            truth = self.preparation.scalers["y"].transform(values)

        return ModelInputs(
            self.engine,
            self._scaled(past, steps, static, future),
            steps,
            ArrayLabels(np.arange(len(past))),
            features=_numbered("x", window.features),
            targets=_numbered("y", window.targets),
            known_future=_numbered("future", window.future),
            static=_numbered("static", window.static),
            truth=truth,
        )

    def check(self) -> None:
        """Reject fields from a file that do not fit together.

        Raises:
            ValueError: Fields do not.
            SpecError: The seed or a support is impossible.
        """
        window = self.preparation.window
        if self.engine.window != window or len(self.support) != window.targets:
            raise ValueError(f"a network of {self.engine.window}, where the windows are {window}")
        self.preparation.check()
        for support in self.support:
            check_choice("support", support, SUPPORTS)
        check_int("seed", self.seed, at_least=0, at_most=MOST_SEED)

    def _steps(self, horizon: int | None) -> int:
        """Return the checked horizon; by default the trained one."""
        return self.preparation.window.horizon if horizon is None else check_int("horizon", horizon)

    def _inputs(
        self, X: ArrayLike, horizon: int | None, static: ArrayLike | None, future: ArrayLike | None
    ) -> tuple[dict[str, Array], int]:
        """Return new windows, checked and in the network's units, and the steps to forecast."""
        steps = self._steps(horizon)
        return self._scaled(check_past(X, self.preparation)[0], steps, static, future), steps

    def _scaled(
        self, past: Array, horizon: int, static: ArrayLike | None, future: ArrayLike | None
    ) -> dict[str, Array]:
        """Check covariates of a checked past and return both in the network's units."""
        preparation = self.preparation
        rows = len(past)
        covariates = {
            **preparation.static(static, rows),
            **preparation.future(future, rows, horizon),
        }
        return preparation.scaled({"past": past, **covariates})

    def _point(self, scaled: Array) -> Array:
        """Return a point forecast, `[N, H, D]`, in the units and with the axes of y."""
        return np.asarray(self._in_units(scaled[..., None])[..., 0])

    def _in_units(self, columns: Array) -> Array:
        """Return columns of a forecast, `[N, H, D, P]`, with axes, units and support of y."""
        preparation = self.preparation
        by_column = [preparation.in_units(column) for column in np.moveaxis(columns, -1, 0)]
        values = np.stack(by_column, axis=-1)
        if preparation.y_axes == 3:
            return np.asarray(bounded(values, self.support))
        return np.asarray(bounded(values[..., None, :], self.support)[..., 0, :])


def _numbered(letter: str, count: int) -> tuple[str, ...]:
    """Return names of columns that have none."""
    return tuple(f"{letter}{place}" for place in range(count))
