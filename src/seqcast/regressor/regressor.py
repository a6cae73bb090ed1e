"""The regressor for arrays: a scikit-learn estimator on windows."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags

from seqcast.data.arrays import Preparation, check_targets
from seqcast.engine import Engine, FittedAttribute, LearningEstimator, ModelInputs
from seqcast.errors import TrainingError
from seqcast.network import States, child_seeds
from seqcast.regressor.arguments import (
    Callback,
    GivenWindows,
    Options,
    UserWindows,
    draw_seed,
    resolve_options,
)
from seqcast.regressor.fitted_regressor import FittedRegressor
from seqcast.regressor.persistence import (
    checkpoints_of,
    read_regressor,
    warn_if_unwritable,
    write_regressor,
)
from seqcast.regressor.training_windows import (
    TrainingWindows,
    UserValidation,
    Validation,
    prepare_windows,
    reject_unresumable,
)
from seqcast.runtime import Array, Tensor, keras
from seqcast.specs import CheckpointSpec
from seqcast.training import CheckpointFolder, History, check_callbacks, check_time_limit


@dataclass(eq=False, repr=False)
class Seq2SeqRegressor(RegressorMixin, LearningEstimator[FittedRegressor]):
    """A recurrent encoder-decoder as a scikit-learn regressor.

    It reads windows and forecasts any horizon. `None` takes the value of `preset`; no value is
    written `"none"`.

    Other threads may predict while one fits: each forecast is wholly of the old fit or wholly of
    the new one.

    Args:
        preset: Named network and training recipe that the other options change.
        encoder_units: Width of each encoder layer.
        decoder_units: Width of each decoder layer; `None` is as `encoder_units` when those are
            given.
        cell: `gru`, `lstm` or `simple_rnn`.
        bidirectional: Whether the encoder also reads the past backwards.
        normalise: Per-window normalisation: `none`, `last`, `level`, `instance`, `recent` or
            `scale`.
        segment: Steps that form one token; 1 reads and writes step by step.
        static_input: Where static covariates enter: `state` or `steps`.
        decoder_input: `zeros`, `position`, `teacher`, `scheduled` or `autoregressive`.
        decoding: `recurrent`, or `parallel` (all tokens side by side, with
            `decoder_input="position"`).
        residual: Values that the forecast is added to: `none`, `seasonal` (the last season's) or
            `gated` (the same through a gate).
        sampling_schedule: For `scheduled`: `linear`, `exponential` or `inverse_sigmoid`.
        sampling_steps: For `scheduled`: training steps until the decoder reads only its own values;
            half of all by default.
        attention: `none`, `additive`, `dot` or `multi_head`.
        attention_heads: Heads of `multi_head`.
        dropout: Fraction of units dropped between layers and before the head.
        regularizer: A Keras regulariser for the weights, or a dict with any of `kernel`,
            `recurrent`, `bias`.
        head: Kind of forecast: `point`, `quantile`, `normal`, `student_t`, `negative_binomial`
            (counts) or `log_normal` (positive data); the last two need `scale="none"`. `predict`
            returns the median, `predict_quantiles` any quantile.
        quantiles: The quantiles that `quantile` is trained for, 0.5 among them.
        scale: `standard` (X, y and covariates to zero mean and unit deviation, by training
            statistics in the model) or `none`.
        target_features: For each column of y, the column of X that is its own past; by default all
            in order when X has as many features as y has targets, else `"none"`.
        support: Possible values of forecasts: `real`, `non-negative`, `counts` (whole numbers), or
            `auto`: `non-negative` for targets that are never negative in the y of `fit`, else
            `real`. It is `real` for batches and `partial_fit` too, which do not show all of y at
            once.
        season_length: Steps of a season, for `residual` `seasonal` or `gated`.
        loss: Keras loss of a point, taken in scaled units; the squared error by default. Other
            heads have their own.
        horizon_decay: Decay of a step's weight in the loss with its distance, `h^-horizon_decay`; 0
            is none.
        optimizer: Keras optimiser; an object keeps its own learning rate and clipping.
        learning_rate: Largest learning rate.
        learning_rate_schedule: `cosine`, `constant`, or a Keras schedule.
        warmup: Fraction of all steps in which the rate rises, for `cosine`.
        clip_norm: Largest norm of the whole gradient, or `"none"`.
        batch_size: Largest number of windows a training step.
        epochs: Passes over the windows.
        steps_per_epoch: Training steps an epoch; one pass over the windows by default. The next
            epoch continues where the last one has ended. Needed for generators, and for a
            `PyDataset` whose `num_batches` is `None`.
        validation_fraction: Fraction of the windows, the last ones, that are validated on; 0 is
            none.
        early_stopping: Epochs without a better validation loss after which training ends, or
            `"none"`.
        metrics: Further Keras metrics to record.
        micro_batches: Number of micro-batches of equal size that each batch is divided into for the
            cores; chosen by default.
        random_state: Seed of everything random: an int, a `numpy.random.RandomState`, or `None` for
            a fresh one.
        verbose: 0 is silent, 1 shows progress.

    Attributes:
        fitted_: The fitted value, which forecasts by itself: a
            `seqcast.regressor.fitted_regressor.FittedRegressor`.
        engine_: The trained engine; `engine_.model` is the Keras model.
        history_: The training history.
        preparation_: Sizes and scaling learned from the training windows.
        seed_: Seed of the fit; with it as `random_state` the same fit gives the same model.
        n_features_in_: Columns of a 2-D X, or features of a 3-D one.
        feature_names_in_: Names of the columns of a 2-D X, where it was a frame.

    Example:
        >>> import numpy as np
        >>> from seqcast.data.signals import random_sines
        >>> past, future = random_sines(64, past=15, future=5, seed=1)
        >>> options = {"encoder_units": (8,), "epochs": 1, "random_state": 0, "verbose": 0}
        >>> model = Seq2SeqRegressor(**options).fit(past, future)
        >>> model.predict(past, horizon=20).shape
        (64, 20, 1)
        >>> states = model.encode(past)
        >>> bool(np.allclose(model.decode(states, horizon=20), model.predict(past, horizon=20)))
        True

    Source: Luke Tonin's Keras encoder-decoder for time series prediction.
    """

    preset: str = "classic"
    _: KW_ONLY
    encoder_units: Sequence[int] | int | None = None
    decoder_units: Sequence[int] | int | None = None
    cell: str | None = None
    bidirectional: bool | None = None
    normalise: str | None = None
    segment: int | None = None
    static_input: str | None = None
    decoder_input: str | None = None
    decoding: str | None = None
    residual: str | None = None
    sampling_schedule: str | None = None
    sampling_steps: int | str | None = None
    attention: str | None = None
    attention_heads: int | None = None
    dropout: float | None = None
    regularizer: keras.Regularizer | Mapping[str, keras.Regularizer] | str | None = None
    head: str | None = None
    quantiles: Sequence[float] | None = None
    scale: str = "standard"
    target_features: Sequence[int] | int | str | None = None
    support: str = "auto"
    season_length: int | None = None
    loss: str | Callable[[Tensor, Tensor], Tensor] | None = None
    horizon_decay: float | None = None
    optimizer: str | keras.Optimizer | None = None
    learning_rate: float | None = None
    learning_rate_schedule: str | keras.optimizers.schedules.LearningRateSchedule | None = None
    warmup: float | None = None
    clip_norm: float | str | None = None
    batch_size: int | None = None
    epochs: int | None = None
    steps_per_epoch: int | str | None = None
    validation_fraction: float | None = None
    early_stopping: int | str | None = None
    metrics: Sequence[str | keras.Metric] | str | None = None
    micro_batches: int | None = None
    random_state: int | np.random.RandomState | None = None
    verbose: int = 1

    engine_ = FittedAttribute[Engine](lambda fitted: fitted.engine)
    """The trained engine."""

    history_ = FittedAttribute[History](lambda fitted: fitted.history)
    """The training history."""

    preparation_ = FittedAttribute[Preparation](lambda fitted: fitted.preparation)
    """Sizes and scaling learned from the training windows."""

    seed_ = FittedAttribute[int](lambda fitted: fitted.seed)
    """Seed of everything that was random in the fit."""

    n_features_in_ = FittedAttribute[int](lambda fitted: fitted.preparation.n_features_in)
    """Columns of a 2-D X, or features of a 3-D one."""

    feature_names_in_ = FittedAttribute[Array](lambda fitted: fitted.feature_names)
    """Names of the columns of X, where it was a frame."""

    def fit(
        self,
        X: UserWindows,
        y: ArrayLike | None = None,
        *,
        static_covariates: ArrayLike | None = None,
        future_covariates: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        validation: UserValidation = None,
        callbacks: Sequence[Callback] | None = None,
        checkpoint: str | os.PathLike[str] | CheckpointSpec | None = None,
        resume: bool = False,
        time_limit: float | str | None = None,
    ) -> Self:
        """Train a new network.

        Args:
            X: The past: `[N, T, F]`, or `[N, T]` for univariate windows of a fixed length; or a
                `keras.utils.PyDataset` or generator of batches `(past, y)`, `(inputs, y)` or with a
                weight, in which `inputs` is a dict of `past`, `static`, `future`. A fit begins at
                the first batch of a `PyDataset`.
            y: The future: `[N, H, D]`, `[N, H]` or `[N]`; `None` for batches.
            static_covariates: `[N, S]`.
            future_covariates: Known for the future: `[N, H, F']`.
            sample_weight: `[N]`.
            validation: Windows on which the best epoch is chosen: a number of last ones; `(X, y)`,
                or `(X, y, covariates)` with a dict of the two covariates; a `PyDataset` of batches
                that has an end; or `None` for `validation_fraction`.
            callbacks: Keras callbacks of this fit alone. Only observers
                (`seqcast.training.observers.Observer`) go with `checkpoint`.
            checkpoint: A folder for this fit, in which the state of the training is written every
                two minutes and at the end of epochs; a `CheckpointSpec` sets how often. Not with
                batches.
            resume: Whether to continue the training of `checkpoint`, if there is one, after the
                process has died. With the same data and options the fit ends with the same weights
                as one that was never interrupted.
            time_limit: Approximate time of the fit, compilation included: seconds, or a text such
                as `10 min`. The learning rate follows the time in place of the epochs, and the best
                weights are restored. Not with `checkpoint`.

        Returns:
            The fitted estimator.

        Raises:
            DataError: Something in the data is wrong; the estimator is as it was before.
            SpecError: An option is wrong; the estimator is as it was before.
            TrainingError: Training diverged; the estimator is as it was before, see the error's
                `best`.
            KeyboardInterrupt: Training was interrupted; the estimator has the best weights so far.
        """
        callbacks = check_callbacks(callbacks)
        deadline = check_time_limit(time_limit, checkpoint)
        options = resolve_options(self.get_params(deep=False))
        validated_on = Validation.of(validation, options.training.validation_fraction)
        reject_unresumable(checkpoint, X, validated_on, callbacks)
        given = GivenWindows(X, y, static_covariates, future_covariates, sample_weight)

        with CheckpointFolder.opened(checkpoint, resume=resume) as folder:
            seed = draw_seed(self.random_state)
            if folder is not None and self.random_state is None:
                seed = folder.seed(seed)

            windows = prepare_windows(given, options, validated_on, seed=_order_seed(seed))
            checkpoints = checkpoints_of(folder, windows, options, seed)
            fitted = self._untrained(options, windows, seed)

            try:
                history = fitted.engine.fit(
                    windows.train,
                    window=windows.preparation.window,
                    validation=windows.validation,
                    callbacks=callbacks,
                    verbose=self.verbose,
                    checkpoints=checkpoints,
                    deadline=deadline,
                )
            except TrainingError as error:
                error.best = self.with_fitted(replace(fitted, history=error.history))
                raise
            except KeyboardInterrupt as interruption:
                # Without a history training had not begun, so the estimator stays as it was.
                recorded = getattr(interruption, "history", None)
                if recorded is not None:
                    self._fitted = replace(fitted, history=recorded)
                raise

        self._fitted = replace(fitted, history=history)
        return self

    def partial_fit(
        self,
        X: UserWindows,
        y: ArrayLike | None = None,
        *,
        static_covariates: ArrayLike | None = None,
        future_covariates: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        callbacks: Sequence[Callback] | None = None,
    ) -> Self:
        """Train for one pass over these windows, from the present weights.

        The learning rate is the constant `learning_rate`. The pass shows no progress and does not
        validate. The first call creates the network and learns the scaling; later ones keep both,
        and the seed. After `load`, and after a call that failed or was interrupted, the optimiser
        starts without its moments. Of copies that share a fit, the first to continue has them.

        Args:
            X: As for `fit`.
            y: As for `fit`.
            static_covariates: `[N, S]`.
            future_covariates: `[N, H, F']`.
            sample_weight: `[N]`.
            callbacks: Keras callbacks of this pass alone.

        Returns:
            The estimator. Where an error is raised, it is as it was before.
        """
        callbacks = check_callbacks(callbacks)
        options = resolve_options(self.get_params(deep=False))
        if options.support == "auto":
            options = replace(options, support="real")
        given = GivenWindows(X, y, static_covariates, future_covariates, sample_weight)

        fitted = self._fitted
        if fitted is None:
            seed = draw_seed(self.random_state)
            windows = prepare_windows(given, options, Validation(), seed=_order_seed(seed))
            fitted = self._untrained(options, windows, seed)
        else:
            # Each pass has an order of its own.
            seed = _order_seed(fitted.seed) + len(fitted.history)
            windows = prepare_windows(
                given, options, Validation(), seed=seed, fitted=fitted.preparation
            )

        trainer = fitted.engine.trainer()
        try:
            recorded = trainer.continue_fit(
                windows.train, window=fitted.preparation.window, callbacks=callbacks
            )
        except TrainingError as error:
            history = fitted.history if len(fitted.history) else error.history
            error.best = self.with_fitted(replace(fitted, engine=trainer.copy(), history=history))
            raise

        self._fitted = replace(
            fitted, engine=trainer.snapshot(), history=fitted.history.continued(recorded)
        )
        return self

    def _untrained(self, options: Options, windows: TrainingWindows, seed: int) -> FittedRegressor:
        """Return what a training begins with: a new engine, sizes and scaling of the windows."""
        warn_if_unwritable(options.network, options.training, self.random_state)
        engine = Engine(options.network, options.training, seed=child_seeds(seed, 2)[0])
        return FittedRegressor(engine, History(), windows.preparation, seed, windows.support)

    # Forecasts

    def predict(
        self,
        X: ArrayLike,
        horizon: int | None = None,
        *,
        static_covariates: ArrayLike | None = None,
        future_covariates: ArrayLike | None = None,
    ) -> Array:
        """Forecast.

        Args:
            X: The past, with the features of fit; a 3-D X may have any length.
            horizon: Number of steps, shorter or longer than trained; `None` is the trained one.
            static_covariates: `[N, S]`, when fitted with them.
            future_covariates: `[N, H, F']`, when fitted with them.

        Returns:
            The forecast, with the axes that y had at fit: `[N, H, D]`, `[N, H]`, or `[N]` (one
            step); the median, where a distribution is forecast.

        Raises:
            NotFittedError: The estimator is not fitted.
            DataError: Something in the data is wrong.
        """
        return self.fitted_.predict(X, horizon, static=static_covariates, future=future_covariates)

    def predict_quantiles(
        self,
        X: ArrayLike,
        probabilities: Sequence[float],
        horizon: int | None = None,
        *,
        static_covariates: ArrayLike | None = None,
        future_covariates: ArrayLike | None = None,
    ) -> Array:
        """Forecast quantiles, which never cross.

        Args:
            X: As for `predict`.
            probabilities: Any probabilities between 0 and 1, `[Qs]`; quantiles beyond the trained
                ones of `head="quantile"` lie on exponential tails.
            horizon: As for `predict`.
            static_covariates: As for `predict`.
            future_covariates: As for `predict`.

        Returns:
            The quantiles, with the axes that y had at fit and one for the probabilities: `[N, H, D,
            Qs]`, `[N, H, Qs]` or `[N, Qs]`.

        Raises:
            NotFittedError: The estimator is not fitted.
            SpecError: The head is a point, or a probability is not between 0 and 1.
            DataError: Something in the data is wrong.

        Example:
            >>> from seqcast.data.signals import random_sines
            >>> past, future = random_sines(64, past=15, future=5, seed=1)
            >>> options = {"encoder_units": (8,), "epochs": 1, "random_state": 0, "verbose": 0}
            >>> model = Seq2SeqRegressor(head="normal", **options).fit(past, future)
            >>> model.predict_quantiles(past, (0.1, 0.5, 0.9)).shape
            (64, 5, 1, 3)
        """
        return self.fitted_.quantiles(
            X, probabilities, horizon, static=static_covariates, future=future_covariates
        )

    def encode(self, X: ArrayLike, *, static_covariates: ArrayLike | None = None) -> States:
        """Encode the past into states, from which `decode` forecasts.

        Args:
            X: The past.
            static_covariates: `[N, S]`, when fitted with them.

        Returns:
            The states, in scaled units, with the mark of the network's weights. Copies of the
            estimator and its file read them too. After another fit or a `partial_fit` they are
            rejected, because other weights would read other things from the same numbers.
        """
        return self.fitted_.states(X, static=static_covariates)

    def update(self, states: States, X_new: ArrayLike) -> States:
        """Encode new steps from states, so that a long past need not be read again.

        The same as `encode` of old and new steps together, except for per-window normalisation,
        which stays that of the first window.

        Args:
            states: Result of `encode` or `update`.
            X_new: The steps that follow, `[N, n, F]`, or `[N, n]` where X had two axes at fit;
                whole segments.

        Returns:
            The states after them, in scaled units.

        Raises:
            NotFittedError: The estimator is not fitted.
            SpecError: The encoder also reads backwards, so that it cannot continue.
            DataError: The new steps are no whole segments, or something in them is wrong, or the
                states are those of other weights.
        """
        return self.fitted_.update(states, X_new)

    def decode(
        self,
        states: States,
        horizon: int | None = None,
        *,
        future_covariates: ArrayLike | None = None,
    ) -> Array:
        """Forecast from states.

        Args:
            states: Result of `encode` or `update` since the last fit.
            horizon: Number of steps; `None` is the trained one.
            future_covariates: `[N, H, F']`, when fitted with them.

        Returns:
            The same as `predict` on the same past.

        Raises:
            NotFittedError: The estimator is not fitted.
            DataError: The states are those of other weights, or have no mark, or the covariates are
                wrong.
        """
        return self.fitted_.decode(states, horizon, future=future_covariates)

    def attention_weights(
        self,
        X: ArrayLike,
        horizon: int | None = None,
        *,
        static_covariates: ArrayLike | None = None,
        future_covariates: ArrayLike | None = None,
    ) -> Array:
        """Return the attention weights of each forecast step over the steps of the past.

        With segments they are weights over tokens.

        Args:
            X: As for `predict`.
            horizon: As for `predict`.
            static_covariates: As for `predict`.
            future_covariates: As for `predict`.

        Returns:
            The weights, `[N, H, T]`; each step's sum to 1. Where a longer horizon is written block
            by block, they include the forecasts that later blocks read.

        Raises:
            SpecError: The network has no attention.
        """
        return self.fitted_.attention(
            X, horizon, static=static_covariates, future=future_covariates
        )

    def model_inputs(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        horizon: int | None = None,
        *,
        static_covariates: ArrayLike | None = None,
        future_covariates: ArrayLike | None = None,
    ) -> ModelInputs:
        """Return the inputs of the network, to look inside it with `seqcast.inspect`.

        Args:
            X: As for `predict`.
            y: The true future, where it is known, `[N, H, D]`, `[N, H]` or `[N]`.
            horizon: Number of steps; `None` is that of y, or the trained one.
            static_covariates: As for `predict`.
            future_covariates: As for `predict`.

        Returns:
            The windows, in the network's units, labelled by their numbers.

        Raises:
            NotFittedError: The estimator is not fitted.
            DataError: Something in the data is wrong.
        """
        return self.fitted_.model_inputs(
            X, y, horizon, static=static_covariates, future=future_covariates
        )

    def score(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        static_covariates: ArrayLike | None = None,
        future_covariates: ArrayLike | None = None,
    ) -> float:
        """Return the coefficient of determination, R², over all steps and targets.

        Args:
            X: The past.
            y: The future.
            sample_weight: `[N]`.
            static_covariates: As for `predict`.
            future_covariates: As for `predict`.

        Returns:
            R², the mean over steps and targets; 1 is perfect.
        """
        fitted = self.fitted_
        truth, _ = check_targets(y, len(X))
        rows, horizon = truth.shape[:2]
        forecast = fitted.predict(X, horizon, static=static_covariates, future=future_covariates)
        flat_truth = truth.reshape(rows, -1)
        flat_forecast = forecast.reshape(rows, -1)
        return float(r2_score(flat_truth, flat_forecast, sample_weight=sample_weight))

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        horizon: int | str | None = None,
        probabilities: Sequence[float] | None = None,
    ) -> None:
        """Write the regressor to one ONNX file, which forecasts from raw windows.

        The file reads `past` with the axes of X, `[batch, time, F]` of any length or `[batch, T]`.
        It also reads `static`, `[batch, S]`, and `future`, `[batch, horizon, F']`, if the network
        was trained with them. It returns `point`, the result of `predict`, with the axes of y
        (`[batch, 1]` where y had one), and `quantiles`, with one axis more.

        Args:
            path: Path of the file, which appears whole or not at all.
            horizon: Steps to forecast: a number, `any` for an input named `horizon`, or `None` for
                the trained one.
            probabilities: Those of the quantiles; `None` takes those of `head="quantile"`, and none
                otherwise.

        Raises:
            NotFittedError: The estimator is not fitted.
            SpecError: An option is impossible, or the network has a component that ONNX has no
                operators for.
            MissingPackageError: The package `onnx` is not installed.
            SaveError: The file could not be written.
        """
        from seqcast.export import write_array_model

        fitted = self.fitted_
        write_array_model(
            path,
            fitted.engine.built.model,
            fitted.preparation,
            fitted.support,
            horizon=horizon,
            probabilities=probabilities,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one file; see `seqcast.runtime.model_files`.

        Args:
            path: Path of the file.

        Raises:
            NotFittedError: The estimator is not fitted.
            SpecError: An option is an object that cannot be written to a file.
            SaveError: The file could not be written; an older one is unchanged.
        """
        write_regressor(path, type(self).__name__, self.get_params(deep=False), self.fitted_)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, max_size: int | str | None = None) -> Self:
        """Read a fitted estimator from a file.

        Args:
            path: A file that `save` wrote.
            max_size: Largest size of the file: bytes, or a text such as `8 GB`; `None` is 4 GB.

        Returns:
            The estimator, which predicts the identical numbers.

        Raises:
            MissingFileError: There is no such file.
            FileFormatError: The file is damaged, foreign, newer or too large.
            SpecError: `max_size` is no size.
        """
        params, fitted = read_regressor(
            path, cls.__name__, cls._get_param_names(), max_size=max_size
        )
        return cls(**params).with_fitted(fitted)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        tags.input_tags.three_d_array = True
        return tags


def _order_seed(seed: int) -> int:
    """Return the seed of the order of windows."""
    return child_seeds(seed, 2)[1]
