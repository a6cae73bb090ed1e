"""The door for arrays: a scikit-learn estimator on windows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import validate_data

from seqcast.data.arrays.checks import (
    as_array,
    check_covariates,
    check_finite,
    check_support,
    check_targets,
    check_weight,
    rank,
)
from seqcast.data.arrays.preparation import Preparation
from seqcast.data.arrays.streams import check_in_batches, first_batches, is_stream, scaled_stream
from seqcast.data.series.scalers import SCALES
from seqcast.engine.engine import Engine
from seqcast.engine.inputs import ArrayLabels, ModelInputs
from seqcast.errors import DataError, NotFittedError, SeqcastError, SpecError
from seqcast.network.init import child_seeds
from seqcast.network.states import States
from seqcast.runtime.archive import read_archive, write_archive
from seqcast.runtime.backend import keras
from seqcast.specs.checks import check_choice, check_int
from seqcast.specs.network import MULTIPLICATIVE_HEADS, NetworkSpec
from seqcast.specs.presets import preset as find_preset
from seqcast.specs.training import TrainingSpec, check_loss
from seqcast.training.history import History

__all__ = ["Seq2SeqRegressor"]

Array = npt.NDArray[Any]

NETWORK_OPTIONS = tuple(item.name for item in fields(NetworkSpec))
TRAINING_OPTIONS = tuple(item.name for item in fields(TrainingSpec))
# Options whose absence is a value, written "none" because None means "as the preset says".
_ABSENT = ("regularizer", "clip_norm", "early_stopping", "steps_per_epoch", "sampling_steps")


class Seq2SeqRegressor(RegressorMixin, BaseEstimator):
    """A recurrent encoder-decoder as a scikit-learn regressor: windows in, forecasts of any horizon out.

    `None` means "as `preset` says"; where nothing is a value of its own it is written `"none"`.

    Args:
        preset: Named network and training recipe that the other options change.
        encoder_units: Width of each encoder layer.
        decoder_units: Width of each decoder layer; `None` is as `encoder_units` when those are given.
        cell: `gru`, `lstm` or `simple_rnn`.
        bidirectional: Whether the encoder also reads the past backwards.
        normalise: Per-window normalisation: `none`, `last`, `level`, `instance`, `recent` or `scale`.
        segment: Steps folded into one token; 1 reads and writes step by step.
        static_input: Where static covariates enter: `state` or `steps`.
        decoder_input: `zeros`, `position`, `teacher`, `scheduled` or `autoregressive`.
        decoding: `recurrent`, or `parallel` (all tokens side by side, with `decoder_input="position"`).
        residual: What the forecast is added to: `none`, `seasonal` (the last season's values) or `gated` (the same
            through a gate).
        sampling_schedule: For `scheduled`: `linear`, `exponential` or `inverse_sigmoid`.
        sampling_steps: For `scheduled`: training steps until the decoder reads only its own values; half of all by
            default.
        attention: `none`, `additive`, `dot` or `multi_head`.
        attention_heads: Heads of `multi_head`.
        dropout: Fraction of units dropped between layers and before the head.
        regularizer: A Keras regulariser for the weights, or a dict with any of `kernel`, `recurrent`, `bias`.
        head: What is forecast: `point`, `quantile`, `normal`, `student_t`, `negative_binomial` (counts) or `log_normal`
            (positive data); the last two need `scale="none"`. `predict` returns the median, `predict_quantiles` any
            quantile.
        quantiles: The quantiles that `quantile` is trained for, 0.5 among them.
        scale: `standard` (X, y and covariates to zero mean and unit deviation, by training statistics kept in the
            model) or `none`.
        target_features: For each column of y, the column of X that is its own past; by default all in order when X
            has as many features as y has targets, else `"none"`.
        season_length: Steps of a season, for `residual` `seasonal` or `gated`.
        loss: Keras loss of a point, taken in scaled units; the squared error by default. Other heads have their own.
        horizon_decay: How fast the weight of a step in the loss falls with its distance, `h^-horizon_decay`; 0: not.
        optimizer: Keras optimiser; an object keeps its own learning rate and clipping.
        learning_rate: Largest learning rate.
        learning_rate_schedule: `cosine`, `constant`, or a Keras schedule.
        warmup: Share of all steps in which the rate rises, for `cosine`.
        clip_norm: Largest norm of the whole gradient, or `"none"`.
        batch_size: Largest number of windows a training step.
        epochs: Passes over the windows.
        steps_per_epoch: Training steps an epoch; needed for generators.
        validation_fraction: Share of the windows, the last ones, kept for validation; 0 keeps none.
        early_stopping: Epochs without a better validation loss after which training ends, or `"none"`.
        metrics: Further Keras metrics to record.
        parts: Parts of equal size that each batch is divided into, shared by the cores; chosen by default.
        callbacks: Keras callbacks; they are not saved with the model.
        random_state: Seed of everything random: an int, a `numpy.random.RandomState`, or `None` for a fresh one.
        verbose: 0 is silent, 1 shows progress.

    Attributes:
        engine_: The trained engine; `engine_.model` is the Keras model.
        history_: What training recorded.
        preparation_: Sizes and scaling learnt from the training windows.
        n_features_in_: Columns of a 2-D X, or features of a 3-D one.

    Example:
        >>> from seqcast.data.signals import random_sines
        >>> past, future = random_sines(64, past=15, future=5, seed=1)
        >>> model = Seq2SeqRegressor(encoder_units=(8,), epochs=1, random_state=0, verbose=0).fit(past, future)
        >>> model.predict(past, horizon=20).shape
        (64, 20, 1)
        >>> states = model.encode(past)
        >>> bool(np.allclose(model.decode(states, horizon=20), model.predict(past, horizon=20)))
        True

    Source: Luke Tonin's Keras encoder-decoder for time series prediction.
    """

    n_features_in_: int
    _flat: bool

    def __init__(
        self,
        preset: str = "classic",
        *,
        encoder_units: Sequence[int] | int | None = None,
        decoder_units: Sequence[int] | int | None = None,
        cell: str | None = None,
        bidirectional: bool | None = None,
        normalise: str | None = None,
        segment: int | None = None,
        static_input: str | None = None,
        decoder_input: str | None = None,
        decoding: str | None = None,
        residual: str | None = None,
        sampling_schedule: str | None = None,
        sampling_steps: int | str | None = None,
        attention: str | None = None,
        attention_heads: int | None = None,
        dropout: float | None = None,
        regularizer: Any = None,
        head: str | None = None,
        quantiles: Sequence[float] | None = None,
        scale: str = "standard",
        target_features: Sequence[int] | int | str | None = None,
        season_length: int | None = None,
        loss: Any = None,
        horizon_decay: float | None = None,
        optimizer: Any = None,
        learning_rate: float | None = None,
        learning_rate_schedule: Any = None,
        warmup: float | None = None,
        clip_norm: float | str | None = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | str | None = None,
        validation_fraction: float | None = None,
        early_stopping: int | str | None = None,
        metrics: Sequence[Any] | None = None,
        parts: int | None = None,
        callbacks: Sequence[Any] | None = None,
        random_state: Any = None,
        verbose: int = 1,
    ) -> None:
        self.preset = preset
        self.encoder_units = encoder_units
        self.decoder_units = decoder_units
        self.cell = cell
        self.bidirectional = bidirectional
        self.normalise = normalise
        self.segment = segment
        self.static_input = static_input
        self.decoder_input = decoder_input
        self.decoding = decoding
        self.residual = residual
        self.sampling_schedule = sampling_schedule
        self.sampling_steps = sampling_steps
        self.attention = attention
        self.attention_heads = attention_heads
        self.dropout = dropout
        self.regularizer = regularizer
        self.head = head
        self.quantiles = quantiles
        self.scale = scale
        self.target_features = target_features
        self.season_length = season_length
        self.loss = loss
        self.horizon_decay = horizon_decay
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.warmup = warmup
        self.clip_norm = clip_norm
        self.batch_size = batch_size
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.metrics = metrics
        self.parts = parts
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        static_covariates: Any = None,
        future_covariates: Any = None,
        sample_weight: Any = None,
        validation_data: Any = None,
    ) -> Self:
        """Train a new network.

        Args:
            X: The past: `[N, T, F]`, or `[N, T]` for univariate windows of a fixed length; or a
                `keras.utils.PyDataset` or generator of batches `(past, y)`, `(inputs, y)` or with a weight, in which
                `inputs` is a dict of `past`, `static`, `future`.
            y: The future: `[N, H, D]`, `[N, H]` or `[N]`; `None` for batches.
            static_covariates: `[N, S]`.
            future_covariates: Known ahead: `[N, H, F']`.
            sample_weight: `[N]`.
            validation_data: `(X, y)`, or `(X, y, covariates)` with a dict of the two covariates, to validate on
                instead of the last windows; or a `PyDataset` of batches that has an end.

        Returns:
            The fitted estimator.

        Raises:
            DataError: Something in the data is wrong; nothing was trained.
            SpecError: An option is wrong; nothing was trained.
            TrainingError: Training diverged.
            KeyboardInterrupt: Training was interrupted; the estimator holds the best weights so far.
        """
        network, training = self._specs()
        callbacks = self._callbacks()
        network_seed, order_seed = self._seeds()
        with _as_before_if_refused(self):
            covariates = (static_covariates, future_covariates)
            if y is None and is_stream(X):
                check_in_batches(*covariates, sample_weight)
                windows = self._learn_from_stream(X, network, training)
                validation = self._given_to_validate_on(validation_data, training, network.head)
            else:
                inputs, y, y_axes = self._checked(X, y, *covariates)
                check_support("y", y, network.head)
                weight = check_weight(sample_weight, len(y))
                count = len(y) - (0 if validation_data is not None else int(len(y) * training.validation_fraction))
                train = {name: values[:count] for name, values in inputs.items()}
                self._learn(train, y[:count], network, y_axes)
                validation = self._given_to_validate_on(validation_data, training, network.head)
                if count < len(y):
                    held = {name: values[count:] for name, values in inputs.items()}
                    held_weight = None if weight is None else weight[count:]
                    validation = self.preparation_.windows(held, y[count:], held_weight, training)
                weight = None if weight is None else weight[:count]
                windows = self.preparation_.windows(
                    train, y[:count], weight, training, seed=order_seed, teacher_forcing=network.uses_teacher_forcing
                )
        self._warn_unsaveable(network, training)
        self.engine_ = Engine(network, training, seed=network_seed)
        try:
            self.history_ = self.engine_.fit(
                windows,
                window=self.preparation_.window,
                validation=validation,
                callbacks=callbacks,
                verbose=self.verbose,
            )
        except KeyboardInterrupt as interruption:
            self.history_ = getattr(interruption, "history", History(interrupted=True))
            raise
        return self

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        *,
        static_covariates: Any = None,
        future_covariates: Any = None,
        sample_weight: Any = None,
    ) -> Self:
        """Train for one pass over these windows at the constant `learning_rate`, going on from where the model is.

        It shows no progress and does not validate. The first call creates the network and learns the scaling; later
        ones keep both. After `load` the optimiser starts without the moments that it had.

        Args:
            X: As for `fit`.
            y: As for `fit`.
            static_covariates: `[N, S]`.
            future_covariates: `[N, H, F']`.
            sample_weight: `[N]`.

        Returns:
            The estimator.
        """
        network, training = self._specs()
        callbacks = self._callbacks()
        network_seed, order_seed = self._seeds()
        first = not hasattr(self, "engine_")
        if y is None and is_stream(X):
            check_in_batches(static_covariates, future_covariates, sample_weight)
            windows = self._learn_from_stream(X, network, training, again=not first)
        else:
            inputs, y, y_axes = self._checked(X, y, static_covariates, future_covariates, again=not first)
            check_support("y", y, network.head)
            if first:
                self._learn(inputs, y, network, y_axes)
            self.preparation_.check_y(y)
            seed = order_seed + (0 if first else len(self.history_))
            windows = self.preparation_.windows(
                inputs,
                y,
                check_weight(sample_weight, len(y)),
                training,
                seed=seed,
                teacher_forcing=network.uses_teacher_forcing,
            )
        if first:
            self._warn_unsaveable(network, training)
            self.engine_ = Engine(network, training, seed=network_seed)
            self.history_ = History()
        window = self.preparation_.window
        recorded = self.engine_.continue_fit(windows, window=window, callbacks=callbacks)
        for name, values in recorded.epochs.items():
            self.history_.epochs.setdefault(name, []).extend(values)
        self.history_.seconds += recorded.seconds
        return self

    def _specs(self) -> tuple[NetworkSpec, TrainingSpec]:
        """Return the preset's specs with the options that were given."""
        base = find_preset(self.preset)
        check_choice("scale", self.scale, SCALES)
        given = {name: getattr(self, name) for name in (*NETWORK_OPTIONS, *TRAINING_OPTIONS)}
        given = {name: value for name, value in given.items() if value is not None}
        given = {n: None if n in _ABSENT and isinstance(v, str) and v == "none" else v for n, v in given.items()}
        if "encoder_units" in given:
            given.setdefault("decoder_units", given["encoder_units"])
        if "metrics" in given:
            metrics = given["metrics"]
            given["metrics"] = (metrics,) if isinstance(metrics, str) else tuple(metrics)
        network = replace(base.network, **{name: given[name] for name in NETWORK_OPTIONS if name in given})
        training = replace(base.training, **{name: given[name] for name in TRAINING_OPTIONS if name in given})
        check_loss(network.head, training.loss)
        if network.head in MULTIPLICATIVE_HEADS and self.scale != "none":
            raise SpecError(
                "scale",
                expected=f"'none' with head={network.head!r}",
                received=repr(self.scale),
                hint="Positive data may be multiplied, but not shifted; normalise='scale' does that window by window.",
            )
        return network, training

    def _callbacks(self) -> Sequence[Any]:
        given = () if self.callbacks is None else self.callbacks
        if not isinstance(given, Sequence) or not all(isinstance(one, keras.callbacks.Callback) for one in given):
            raise SpecError(
                "callbacks",
                expected="a list of keras.callbacks.Callback objects",
                received=repr(given),
                hint="Give a list, also for one.",
            )
        return given

    def _seeds(self) -> list[int]:
        """Return seeds of the network and of the order of windows, without touching global generators."""
        state = self.random_state
        if state is None:
            state = int(np.random.SeedSequence().generate_state(1)[0])
        elif hasattr(state, "randint"):
            state = int(state.randint(2**31 - 1))
        return child_seeds(check_int("random_state", state, at_least=0), 2)

    def _warn_unsaveable(self, network: NetworkSpec, training: TrainingSpec) -> None:
        names = self._unsaveable(network, training)
        if names:
            warnings.warn(
                f"{', '.join(names)}: cannot be written to a file, so save() will refuse this model. Give a name, a "
                "Keras object, or a function or class registered with keras.saving.register_keras_serializable.",
                UserWarning,
                stacklevel=3,
            )

    def _unsaveable(self, network: NetworkSpec, training: TrainingSpec) -> list[str]:
        """Return the names of the options that would not come back from a file."""
        values = {**{name: getattr(training, name) for name in TRAINING_OPTIONS}, "regularizer": network.regularizer}
        names = [name for name, value in values.items() if not _comes_back(value)]
        if self.random_state is not None and not isinstance(self.random_state, int | np.integer):
            names.append("random_state")
        return names

    # What comes in

    def _learn(self, inputs: dict[str, Array], y: Array, network: NetworkSpec, y_axes: int) -> None:
        self.preparation_ = Preparation.learn(
            inputs,
            y,
            network=network,
            scale=self.scale,
            y_axes=y_axes,
            target_features=self.target_features,
            context_length=inputs["past"].shape[1] if self._flat else None,
            season_length=self.season_length,
        )

    def _learn_from_stream(
        self, stream: Any, network: NetworkSpec, training: TrainingSpec, *, again: bool = False
    ) -> Any:
        """Learn sizes and scaling from a stream's first batches, and return all of them, scaled."""
        first, stream = first_batches(stream, training.steps_per_epoch)
        if not again:
            inputs = {name: np.concatenate([batch[0][name] for batch in first]) for name in first[0][0]}
            self._past_with_features(inputs["past"], again=False)
            y = np.concatenate([batch[1] for batch in first])
            check_support("y", y, network.head)
            self._learn(inputs, y, network, y_axes=3)
        return scaled_stream(stream, self.preparation_, teacher_forcing=network.uses_teacher_forcing)

    def _checked(
        self, X: Any, y: Any, static: Any, future: Any, *, again: bool = False
    ) -> tuple[dict[str, Array], Array, int]:
        """Check the arrays of a fit, or of one that goes on, and give them all their axes."""
        if y is None:
            check_targets(None, 0)
        past = self._past(X, again=again)
        y, y_axes = check_targets(y, len(past))
        if again:
            return {"past": past, **self.preparation_.covariates(len(past), static, future, y.shape[1])}, y, y_axes
        given = {
            "past": past,
            "static": check_covariates("static_covariates", static, len(past), wanted=None),
            "future": check_covariates("future_covariates", future, len(past), wanted=None, horizon=y.shape[1]),
        }
        return {name: values for name, values in given.items() if values is not None}, y, y_axes

    def _given_to_validate_on(self, given: Any, training: TrainingSpec, head: str) -> Any:
        """Check the user's own validation data against the training data and return them as windows."""
        if given is None:
            return None
        if isinstance(given, keras.utils.PyDataset) and given.num_batches is not None:
            return scaled_stream(given, self.preparation_, teacher_forcing=False)
        if not isinstance(given, tuple | list) or len(given) not in (2, 3):
            raise DataError(
                "validation_data",
                expected="(X, y), (X, y, covariates), or a keras.utils.PyDataset that has an end",
                received=type(given).__name__,
                hint="Give a tuple; a generator cannot be read again after each epoch.",
            )
        covariates = given[2] if len(given) == 3 else {}
        names = ("static_covariates", "future_covariates")
        if not isinstance(covariates, Mapping) or set(covariates) - set(names):
            raise DataError(
                "validation_data, covariates",
                expected=f"a dict with {' and '.join(names)}",
                received=", ".join(map(str, covariates)) if isinstance(covariates, Mapping) else repr(type(covariates)),
                hint="Name them as the arguments of fit.",
            )
        try:
            inputs, y, _ = self._checked(given[0], given[1], *(covariates.get(name) for name in names), again=True)
            self.preparation_.check_y(y)
            check_support("y", y, head)
        except DataError as error:
            raise DataError(f"validation_data: {error}") from error
        return self.preparation_.windows(inputs, y, None, training)

    def _past(self, X: Any, *, again: bool) -> Array:
        """Check X and give it three axes."""
        if rank(X) == 3 and not hasattr(X, "toarray"):
            return self._past_with_features(X, again=again)
        if again and not self._flat:
            raise DataError(
                "X",
                expected=f"[N, T, {self.n_features_in_}], as at fit",
                received=f"{rank(X)} axes",
                hint="Reshape your data.",
            )
        try:
            # scikit-learn's own check keeps the names of columns and its messages.
            validate_data(self, X, reset=not again, ensure_all_finite=False, dtype=None)
        except ValueError as error:
            raise DataError(f"X: {error}") from error
        array = as_array("X", X, ranks=(2,))
        check_finite("X", array)
        self._flat = True
        return array[:, :, None]

    def _past_with_features(self, X: Any, *, again: bool) -> Array:
        array = as_array("X", X, ranks=(3,))
        if 0 in array.shape:
            raise DataError("X", expected="at least one window, step and feature", received=f"shape {array.shape}")
        if again and (self._flat or array.shape[2] != self.n_features_in_):
            wanted = f"[N, {self.n_features_in_}]" if self._flat else f"[N, T, {self.n_features_in_}]"
            raise DataError(
                "X",
                expected=f"{wanted}, as at fit",
                received=f"shape {array.shape}",
                hint="Give the same features in the same order.",
            )
        check_finite("X", array)
        if not again:
            self._flat = False
            self.n_features_in_ = array.shape[2]
            if hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
        return array

    def _new_inputs(self, X: Any, static: Any, future: Any, horizon: int) -> dict[str, Array]:
        past = self._past(X, again=True)
        covariates = self.preparation_.covariates(len(past), static, future, horizon)
        return self.preparation_.scaled({"past": past, **covariates})

    def _check_fitted(self) -> None:
        if not hasattr(self, "engine_"):
            raise NotFittedError(
                f"this {type(self).__name__} instance is not fitted yet", hint="Call fit before using this estimator."
            )

    def _horizon(self, horizon: int | None) -> int:
        self._check_fitted()
        return self.preparation_.window.horizon if horizon is None else check_int("horizon", horizon)

    # What comes out

    def predict(
        self,
        X: Any,
        horizon: int | None = None,
        *,
        static_covariates: Any = None,
        future_covariates: Any = None,
    ) -> Array:
        """Forecast.

        Args:
            X: The past, with the features of fit; a 3-D X may have any length.
            horizon: Number of steps, shorter or longer than trained; `None` is the trained one.
            static_covariates: `[N, S]`, when fitted with them.
            future_covariates: `[N, H, F']`, when fitted with them.

        Returns:
            The forecast, with the axes that y had at fit: `[N, H, D]`, `[N, H]`, or `[N]` (one step); the median, where
            a distribution is forecast.

        Raises:
            NotFittedError: The estimator is not fitted.
            DataError: Something in the data is wrong.
        """
        steps = self._horizon(horizon)
        inputs = self._new_inputs(X, static_covariates, future_covariates, steps)
        return self.preparation_.in_units(self.engine_.predict(inputs, steps))

    def predict_quantiles(
        self,
        X: Any,
        probabilities: Sequence[float],
        horizon: int | None = None,
        *,
        static_covariates: Any = None,
        future_covariates: Any = None,
    ) -> Array:
        """Forecast quantiles, which never cross.

        Args:
            X: As for `predict`.
            probabilities: Between 0 and 1, any, `[Qs]`; those beyond the trained ones of `head="quantile"` lie on
                exponential tails.
            horizon: As for `predict`.
            static_covariates: As for `predict`.
            future_covariates: As for `predict`.

        Returns:
            The quantiles, with the axes that y had at fit and one for the probabilities: `[N, H, D, Qs]`, `[N, H, Qs]`
            or `[N, Qs]`.

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
        steps = self._horizon(horizon)
        inputs = self._new_inputs(X, static_covariates, future_covariates, steps)
        quantiles = self.engine_.quantiles(inputs, steps, probabilities)
        in_units = self.preparation_.in_units
        return np.stack([in_units(quantiles[..., place]) for place in range(quantiles.shape[-1])], axis=-1)

    def encode(self, X: Any, *, static_covariates: Any = None) -> States:
        """Read the past into states, which hold all that `decode` needs.

        Args:
            X: The past.
            static_covariates: `[N, S]`, when fitted with them.

        Returns:
            The states, in scaled units.
        """
        self._check_fitted()
        past = self._past(X, again=True)
        wanted = self.preparation_.window.static
        static = check_covariates("static_covariates", static_covariates, len(past), wanted=wanted)
        inputs = {"past": past} if static is None else {"past": past, "static": static}
        return self.engine_.encode(self.preparation_.scaled(inputs))

    def update(self, states: States, X_new: Any) -> States:
        """Read on from states, so that a long past need not be read again when new steps come in.

        The same as `encode` of old and new steps together, but for per-window normalisation, which stays that of the
        window first read.

        Args:
            states: What `encode` or `update` returned.
            X_new: The steps that follow, `[N, n, F]`, or `[N, n]` where X had two axes at fit; whole segments.

        Returns:
            The states after them, in scaled units.

        Raises:
            NotFittedError: The estimator is not fitted.
            SpecError: The encoder also reads backwards, so that it cannot go on.
            DataError: The new steps are no whole segments, or something in them is wrong.
        """
        self._check_fitted()
        self._check_states(states)
        if self._flat and rank(X_new) == 2:
            past = as_array("X_new", X_new, ranks=(2,))[:, :, None]
            check_finite("X_new", past)
        else:
            past = self._past(X_new, again=True)
        return self.engine_.update(states, self.preparation_.scaled({"past": past}))

    def _check_states(self, states: Any) -> None:
        if not isinstance(states, States):
            raise DataError(
                "states", expected="what encode returned", received=type(states).__name__, hint="Or call predict(X)."
            )
        widths = [tuple(int(state.shape[-1]) for state in layer) for layer in states.layers]
        if widths != self.engine_.state_widths:
            raise DataError(
                "states",
                expected=f"layer states of widths {self.engine_.state_widths}",
                received=str(widths),
                hint="They come from another network; encode with this one.",
            )

    def decode(self, states: States, horizon: int | None = None, *, future_covariates: Any = None) -> Array:
        """Write a forecast out of states.

        Args:
            states: What `encode` returned.
            horizon: Number of steps; `None` is the trained one.
            future_covariates: `[N, H, F']`, when fitted with them.

        Returns:
            The same as `predict` on the same past.
        """
        steps = self._horizon(horizon)
        self._check_states(states)
        future = check_covariates(
            "future_covariates", future_covariates, len(states), wanted=self.preparation_.window.future, horizon=steps
        )
        scaled = None if future is None else self.preparation_.scalers["future"].transform(future)
        return self.preparation_.in_units(self.engine_.decode(states, steps, scaled))

    def attention_weights(
        self,
        X: Any,
        horizon: int | None = None,
        *,
        static_covariates: Any = None,
        future_covariates: Any = None,
    ) -> Array:
        """Return how much each forecast step looked at each step of the past, or with segments at each token.

        Args:
            X: As for `predict`.
            horizon: As for `predict`.
            static_covariates: As for `predict`.
            future_covariates: As for `predict`.

        Returns:
            The weights, `[N, H, T]`; each step's sum to 1. Where a longer horizon is written block by block, they go on
            over the forecasts that later blocks read.

        Raises:
            SpecError: The network has no attention.
        """
        steps = self._horizon(horizon)
        inputs = self._new_inputs(X, static_covariates, future_covariates, steps)
        return self.engine_.attention(inputs, steps)

    def model_inputs(
        self,
        X: Any,
        y: Any = None,
        horizon: int | None = None,
        *,
        static_covariates: Any = None,
        future_covariates: Any = None,
    ) -> ModelInputs:
        """Return what the network reads, to look inside with `seqcast.inspect`.

        Args:
            X: As for `predict`.
            y: The true future, where it is known, `[N, H, D]`, `[N, H]` or `[N]`.
            horizon: Number of steps; `None` is that of y, or the trained one.
            static_covariates: As for `predict`.
            future_covariates: As for `predict`.

        Returns:
            The windows, in the network's units, called by their numbers.

        Raises:
            NotFittedError: The estimator is not fitted.
            DataError: Something in the data is wrong.
        """
        steps, preparation, truth = self._horizon(horizon), self.preparation_, None
        past = self._past(X, again=True)
        if y is not None:
            values, _ = check_targets(y, len(past))
            steps = values.shape[1] if horizon is None else steps
            preparation.check_truth(values, steps)
            truth = preparation.scalers["y"].transform(values)
        covariates = preparation.covariates(len(past), static_covariates, future_covariates, steps)
        window = preparation.window
        return ModelInputs(
            self.engine_,
            preparation.scaled({"past": past, **covariates}),
            steps,
            ArrayLabels(np.arange(len(past))),
            features=tuple(f"x{place}" for place in range(window.features)),
            targets=tuple(f"y{place}" for place in range(window.targets)),
            known_future=tuple(f"future{place}" for place in range(window.future)),
            truth=truth,
        )

    def score(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        static_covariates: Any = None,
        future_covariates: Any = None,
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
        self._check_fitted()
        truth, _ = check_targets(y, len(X))
        forecast = self.predict(
            X, truth.shape[1], static_covariates=static_covariates, future_covariates=future_covariates
        )
        rows = len(truth)
        return float(r2_score(truth.reshape(rows, -1), forecast.reshape(rows, -1), sample_weight=sample_weight))

    def save(self, path: Any) -> None:
        """Write the fitted estimator to one file; see `seqcast.runtime.files`. Callbacks are left out.

        Args:
            path: Where the file goes.

        Raises:
            NotFittedError: The estimator is not fitted.
            SpecError: An option is an object that cannot be written to a file.
            SaveError: The file could not be written; an older one is unchanged.
        """
        self._check_fitted()
        names = self._unsaveable(self.engine_.network, self.engine_.training)
        if names:
            raise SpecError(
                ", ".join(names),
                expected="options that can be written to a file",
                received=", ".join(repr(getattr(self, name)) for name in names),
                hint="Give names, Keras objects or registered functions, and an int as random_state.",
            )
        engine, weights = self.engine_.to_parts()
        preparation, scalers = self.preparation_.to_parts()
        header = {
            "params": self._plain_params(engine),
            "engine": engine,
            "preparation": preparation,
            "history": self.history_.to_dict(),
            "flat": self._flat,
            "n_features_in": int(self.n_features_in_),
            "feature_names_in": [str(name) for name in getattr(self, "feature_names_in_", [])],
        }
        write_archive(path, type(self).__name__, header, {**weights, **scalers})

    def _plain_params(self, engine: dict[str, Any]) -> dict[str, Any]:
        """Return the options as JSON types; those of the specs as the specs hold them."""
        plain = {**engine["network"], **engine["training"]}
        params: dict[str, Any] = {}
        for name, value in self.get_params(deep=False).items():
            named = value is None or isinstance(value, str)
            params[name] = plain[name] if name in plain and not named else value
        if not isinstance(self.target_features, str | None):
            params["target_features"] = [int(index) for index in np.atleast_1d(self.target_features)]
        params["season_length"] = None if self.season_length is None else int(self.season_length)
        params["random_state"] = None if self.random_state is None else int(self.random_state)
        params["verbose"] = int(self.verbose)
        return {**params, "callbacks": None}

    @classmethod
    def load(cls, path: Any) -> Self:
        """Read a fitted estimator from a file.

        Args:
            path: What `save` wrote.

        Returns:
            The estimator, which predicts the identical numbers.

        Raises:
            MissingFileError: There is no such file.
            FileFormatError: The file is damaged, foreign or newer.
        """
        header, arrays = read_archive(path, cls.__name__)
        params: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in header["params"].items()}
        model = cls(**params)
        model.engine_ = Engine.from_parts(header["engine"], arrays)
        model.preparation_ = Preparation.from_parts(header["preparation"], arrays)
        model.history_ = History(**header["history"])
        model._flat = header["flat"]
        model.n_features_in_ = header["n_features_in"]
        if header["feature_names_in"]:
            model.feature_names_in_ = np.array(header["feature_names_in"], dtype=object)
        return model

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        tags.input_tags.three_d_array = True
        return tags


@contextmanager
def _as_before_if_refused(estimator: Any) -> Iterator[None]:
    """Give a fitted estimator its attributes back when new data or options are refused, so that it still predicts."""
    before = dict(vars(estimator))
    try:
        yield
    except SeqcastError:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def _comes_back(value: Any) -> bool:
    """Tell whether an option can be written as JSON and read again."""
    if value is None or isinstance(value, str | int | float):
        return True
    if isinstance(value, dict | list | tuple):
        return all(_comes_back(item) for item in (value.values() if isinstance(value, dict) else value))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of lambdas, and of NumPy 2; the answer says more
            keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(value))
    except (ValueError, TypeError, ImportError, NotImplementedError):
        return False
    return True
