"""Baselines that a forecast has to beat: last value, seasonal naive, the many-to-one network.

They are scikit-learn estimators on windows, as `Seq2SeqRegressor` is.

Stability: stable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from seqcast.data.arrays import as_array, check_targets
from seqcast.data.windows import ArrayWindows, repeat_newest_season
from seqcast.engine import FittedAttribute, LearningEstimator
from seqcast.errors import DataError, NotFittedError
from seqcast.network import CELLS, PointHead, RecurrentStack, WeighedModel, child_seeds, scan
from seqcast.regressor import draw_seed
from seqcast.runtime import Array, Tensor, compile_call, keras, to_numpy, weights_of
from seqcast.specs import TrainingSpec, check_choice, check_int
from seqcast.training import History, learning_rate, optimizer, progress, train

__all__ = ["LastValue", "ManyToOneRegressor", "SeasonalNaive"]


class SeasonalNaive(LearningEstimator[int]):
    """The seasonal naive forecast: `ŷ_{T+h} = x_{T+h-m⌈h/m⌉}`.

    Args:
        season_length: Steps a season, `m`.
        target_features: Columns of X that are the targets' own past; by default all.

    Attributes:
        horizon_: Number of steps that y had in fit.

    Example:
        >>> model = SeasonalNaive(season_length=2).fit(np.zeros((1, 4)), np.zeros((1, 3)))
        >>> model.predict(np.array([[1.0, 2.0, 3.0, 4.0]]))
        array([[3., 4., 3.]])

    Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, section 5.2.
    """

    horizon_ = FittedAttribute[int](lambda fitted: fitted)
    """Number of steps that y had in fit."""

    def __init__(self, season_length: int, *, target_features: Sequence[int] | None = None) -> None:
        self.season_length = season_length
        self.target_features = target_features

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Remember the horizon; there is nothing to learn.

        Args:
            X: The past, `[N, T, F]` or `[N, T]`.
            y: The future, `[N, H, D]`, `[N, H]` or `[N]`.

        Returns:
            The fitted baseline.
        """
        self._fitted = check_targets(y, len(self._past(X)))[0].shape[1]
        return self

    def predict(self, X: ArrayLike, horizon: int | None = None) -> Array:
        """Forecast.

        Args:
            X: The past, `[N, T, F]` or `[N, T]`, at least a season long.
            horizon: Number of steps; `None` is the one of fit.

        Returns:
            `[N, H, D]`, or `[N, H]` for a 2-D X.

        Raises:
            NotFittedError: There is neither a horizon nor a fit.
            DataError: The past is shorter than a season.
        """
        steps = self._fitted if horizon is None else check_int("horizon", horizon)
        if steps is None:
            raise NotFittedError(
                "horizon", expected="a number", received="None before fit", hint="Give it, or fit."
            )
        forecast = repeat_newest_season(
            self._past(X), season_length=self.season_length, horizon=steps
        )
        return forecast[:, :, 0] if np.ndim(X) == 2 else forecast

    def _past(self, X: ArrayLike) -> Array:
        season = check_int("season_length", self.season_length)
        array = as_array("X", X, ranks=(2, 3), finite=True)
        steps = array.shape[1]
        if steps < season:
            raise DataError(
                "X",
                expected=f"at least {season} steps, a season",
                received=str(steps),
                hint="Give a longer past.",
            )
        array = array.reshape((*array.shape, 1)[:3])
        return array if self.target_features is None else array[:, :, list(self.target_features)]


class LastValue(SeasonalNaive):
    """The naive forecast: `ŷ_{T+h} = x_T`.

    Args:
        target_features: Columns of X that are the targets' own past; by default all.

    Example:
        >>> baseline = LastValue().fit(np.zeros((1, 4)), np.zeros((1, 3)))
        >>> baseline.predict(np.array([[1.0, 2.0, 3.0, 4.0]]))
        array([[4., 4., 4.]])
    """

    def __init__(self, *, target_features: Sequence[int] | None = None) -> None:
        super().__init__(1, target_features=target_features)


@dataclass(eq=False, repr=False)
class ManyToOneRegressor(LearningEstimator["FittedManyToOne"]):
    """The many-to-one network: it forecasts one step, and later steps from its own forecasts.

    Args:
        units: Width of each recurrent layer.
        cell: `gru`, `lstm` or `simple_rnn`.
        training: How it is trained.
        random_state: Seed of everything random: an int, a `numpy.random.RandomState`, or `None` for
            a fresh one.
        verbose: 0 is silent, 1 shows progress.

    Attributes:
        model_: The trained network, a Keras model that forecasts one step.
        history_: The training history.
        horizon_: Number of steps that y had in fit.
        seed_: Seed of the fit; with it as `random_state` the same fit gives the same model.

    Example:
        >>> from seqcast.data.signals import random_sines
        >>> past, future = random_sines(32, past=8, future=4, seed=1)
        >>> brief = TrainingSpec(epochs=1)
        >>> model = ManyToOneRegressor((4,), training=brief, random_state=0, verbose=0)
        >>> model.fit(past, future).predict(past, horizon=6).shape
        (32, 6, 1)

    Source: the introduction of Luke Tonin's post, which replaces it by the encoder-decoder.
    """

    units: Sequence[int] = (35, 35)
    _: KW_ONLY
    cell: str = "gru"
    training: TrainingSpec | None = None
    random_state: int | None = None
    verbose: int = 1

    model_ = FittedAttribute["ManyToOne"](lambda fitted: fitted.model)
    """The trained network."""

    history_ = FittedAttribute[History](lambda fitted: fitted.history)
    """The training history."""

    horizon_ = FittedAttribute[int](lambda fitted: fitted.horizon)
    """Number of steps that y had in fit."""

    seed_ = FittedAttribute[int](lambda fitted: fitted.seed)
    """Seed of everything that was random in the fit."""

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train to forecast one step.

        A fit that fails or is interrupted leaves the baseline as it was.

        Args:
            X: The past, `[N, T, F]`.
            y: The future of all features, `[N, H, F]`; only its first step is learned.

        Returns:
            The fitted baseline.
        """
        check_choice("cell", self.cell, tuple(CELLS))
        past = self._past(X)
        future, _ = check_targets(y, len(past))
        features = past.shape[2]
        if future.shape[2] != features:
            raise DataError(
                "y",
                expected=f"the {features} features of X, since forecasts are read as inputs",
                received=str(future.shape[2]),
            )
        spec = self.training or TrainingSpec()
        seed = draw_seed(self.random_state)
        network_seed, order_seed = (
            int(word) for word in np.random.SeedSequence(seed).generate_state(2)
        )
        model = ManyToOne(tuple(self.units), features=features, cell=self.cell, seed=network_seed)
        windows = ArrayWindows(
            {"past": past},
            future[:, :1],
            batch_size=spec.batch_size,
            seed=order_seed,
            steps=spec.steps_per_epoch,
        )
        rate = learning_rate(spec, spec.epochs * len(windows))
        model.compile(optimizer=optimizer(spec, rate), loss=model.head.loss(spec.loss))
        history = train(model, windows, spec, callbacks=progress(self.verbose))
        self._fitted = FittedManyToOne(model, history, future.shape[1], seed)
        return self

    def predict(self, X: ArrayLike, horizon: int | None = None) -> Array:
        """Forecast step by step, each step from the whole window, moved on by one.

        Args:
            X: The past, `[N, T, F]`.
            horizon: Number of steps; `None` is the one of fit.

        Returns:
            The forecast, `[N, H, F]`.

        Raises:
            NotFittedError: The baseline is not fitted.
        """
        fitted = self.fitted_
        steps = fitted.horizon if horizon is None else check_int("horizon", horizon)
        past = self._past(X).astype(np.float32)
        forecast: Array = to_numpy(fitted.model.rolled(past, horizon=steps))
        return forecast

    @staticmethod
    def _past(X: ArrayLike) -> Array:
        return as_array("X", X, ranks=(3,), finite=True)


@dataclass(frozen=True)
class FittedManyToOne:
    """Everything that a fit of the many-to-one network learns.

    Args:
        model: The trained network.
        history: The training history.
        horizon: Number of steps that y had.
        seed: Seed of everything that was random.
    """

    model: ManyToOne
    history: History
    horizon: int
    seed: int


class ManyToOne(WeighedModel):
    """A recurrent stack whose last output is mapped to the next value.

    Args:
        units: Width of each layer.
        features: Number of features, `F`.
        cell: Name of the cell.
        seed: Seed of the initial weights.
    """

    def __init__(self, units: tuple[int, ...], *, features: int, cell: str, seed: int = 0) -> None:
        super().__init__()
        # An optimiser and a compiled program cannot be pickled: a copy is built again and gets the
        # weights.
        self.rebuilt = partial(ManyToOne, units, features=features, cell=cell)
        stack_seed, head_seed = child_seeds(seed, 2)
        self.stack = RecurrentStack(units, features, cell=cell, seed=stack_seed)
        self.head = PointHead(self.stack.output_width, features, seed=head_seed)
        self.built = True

    def __reduce__(self) -> tuple[Any, ...]:
        return self.rebuilt, (), weights_of(self)

    def __setstate__(self, weights: list[Array]) -> None:
        self.set_weights(weights)

    def build(self, input_shape: Any = None) -> None:
        """Do nothing: all sizes are known, and weights exist from the start.

        Args:
            input_shape: Ignored.
        """

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Return the next value, `[B, 1, F]`.

        Args:
            inputs: The window, `[B, T, F]`, alone or under the name `past`.
            training: Whether dropout is active.
        """
        past = inputs["past"] if isinstance(inputs, dict) else inputs
        outputs, _ = self.stack.sequence(past, training=training)
        return self.head(outputs[:, -1:])

    @cached_property
    def rolled(self) -> Any:
        """`roll`, compiled."""
        return compile_call(self, self.roll)

    def roll(self, past: Tensor, *, horizon: int) -> Tensor:
        """Return a forecast that reads its own values, `[B, H, F]`.

        Args:
            past: The window, `[B, T, F]`.
            horizon: Number of steps.
        """

        def advance(window: Tensor, _: None) -> tuple[Tensor, Tensor]:
            value = self(window)
            return keras.ops.concatenate([window[:, 1:], value], axis=1), value[:, 0]

        _, values = scan(advance, past, None, length=horizon)
        return keras.ops.swapaxes(values, 0, 1)
