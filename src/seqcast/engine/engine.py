"""The engine: one network, trained on batches of windows, that predicts, encodes and decodes.

It knows neither scikit-learn nor data frames; the two doors, `Seq2SeqRegressor` and `Forecaster`, lead here.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.windows.gaps import fill_gaps
from seqcast.engine.sampling import PATHS, Forecasts
from seqcast.errors import DataError, NotFittedError, SpecError
from seqcast.network.init import child_seeds
from seqcast.network.predictive import Parametric, Sampled
from seqcast.network.seq2seq import PARTS, Seq2Seq
from seqcast.network.states import States
from seqcast.network.weight_shapes import weight_shapes
from seqcast.runtime.backend import keras, weights_of
from seqcast.runtime.memory import keep_scratch_memory
from seqcast.specs.checks import check_choice, check_int, check_probabilities
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec, check_loss
from seqcast.specs.window import WindowSpec
from seqcast.training.callbacks import CtrlC
from seqcast.training.history import History
from seqcast.training.loop import train
from seqcast.training.optimizers import clone_config, learning_rate, optimizer
from seqcast.training.progress import progress

__all__ = ["Engine"]

Array = npt.NDArray[Any]

# Derivatives that are computed at a time, so that memory does not grow with the number of windows.
MOST_NUMBERS = 2**24


class Engine:
    """Train a network on windows and use it.

    Args:
        network: The network's boxes.
        training: How it is trained.
        seed: Seed of everything random.

    Raises:
        SpecError: A loss is given for a head that has its own.

    Example:
        >>> from seqcast.data.windows.arrays import ArrayWindows
        >>> engine = Engine(NetworkSpec(encoder_units=(4,), decoder_units=(4,)), TrainingSpec(epochs=1), seed=0)
        >>> windows = ArrayWindows({"past": np.zeros((6, 5, 1))}, np.zeros((6, 3, 1)), batch_size=4)
        >>> _ = engine.fit(windows, window=WindowSpec(horizon=3, features=1, targets=1), verbose=0)
        >>> engine.predict({"past": np.zeros((6, 5, 1))}, horizon=8).shape
        (6, 8, 1)
    """

    def __init__(self, network: NetworkSpec, training: TrainingSpec, *, seed: int) -> None:
        check_loss(network.head, training.loss)
        self.network = network
        self.training = training
        self.seed = seed
        self.window: WindowSpec | None = None
        self.model: Seq2Seq | None = None
        self._forecast: Forecasts | None = None

    def fit(
        self,
        windows: Any,
        *,
        window: WindowSpec,
        validation: Any = None,
        callbacks: Sequence[Any] = (),
        verbose: int = 1,
        weights: Sequence[Array] | None = None,
        freeze: Sequence[str] = (),
    ) -> History:
        """Build the network anew and train it.

        Args:
            windows: Batches of windows.
            window: Their sizes.
            validation: Batches to validate on.
            callbacks: Keras callbacks.
            verbose: 0 is silent, 1 shows progress.
            weights: The first weights, those of a network of the same sizes; `None` draws them.
            freeze: Parts whose weights stay as they are: `encoder`, `decoder` (all but its head), `head`.

        Returns:
            What training recorded.

        Raises:
            SpecError: There is no such part, or nothing is left to train.
            TrainingError: The loss is not finite.
            KeyboardInterrupt: The user interrupted; the engine holds the best weights so far.
        """
        check_parts(freeze)
        steps = self.training.epochs * self._steps_per_epoch(windows)
        with CtrlC() as ctrl_c:
            self.build(window, steps=steps)
            assert self.model is not None
            if weights is not None:
                self.model.set_weights(list(weights))
            self.model.freeze(freeze)
            self._compile(learning_rate(self.training, steps))
            shown = [*callbacks, *progress(verbose), ctrl_c]
            try:
                return train(self.model, windows, self.training, validation=validation, callbacks=shown)
            finally:
                self.model.freeze(())

    def continue_fit(self, windows: Any, *, window: WindowSpec, callbacks: Sequence[Any] = ()) -> History:
        """Train for one pass at the constant learning rate, going on from where the network is.

        Args:
            windows: Batches of windows.
            window: Their sizes, for the first call.
            callbacks: Keras callbacks.

        Returns:
            What training recorded.
        """
        if self.model is None:
            self.build(window, steps=self._steps_per_epoch(windows))
        assert self.model is not None
        constant = dataclasses.replace(self.training, learning_rate_schedule="constant")
        if getattr(self.model, "optimizer", None) is None or not self.model.continued:
            self._compile(learning_rate(constant, 1))
            self.model.continued = True
        return train(self.model, windows, constant, epochs=1, callbacks=callbacks)

    @property
    def weights(self) -> list[Array]:
        """All weights of the network, copies, in the order of Keras's `set_weights`."""
        return [] if self.model is None else weights_of(self.model)

    @property
    def weight_count(self) -> int:
        """Number of numbers that the network has learnt; 0 before it is built."""
        return 0 if self.model is None else sum(math.prod(w.shape) for w in self.model.trainable_weights)

    @property
    def state_widths(self) -> list[tuple[int, ...]]:
        """Width of each state of each encoder layer; none before the network is built."""
        return [] if self.model is None else list(self.model.encoder.stack.state_widths)

    def build(self, window: WindowSpec, *, steps: int) -> None:
        """Create the network for windows of these sizes, to be trained for so many steps."""
        _check_precision()
        keep_scratch_memory()
        network = self.network
        if network.decoder_input == "scheduled" and network.sampling_steps is None:
            network = dataclasses.replace(network, sampling_steps=max(1, steps // 2))
        self.window = window
        self._use(Seq2Seq(window, network, seed=child_seeds(self.seed, 1)[0]))

    def _use(self, model: Seq2Seq) -> None:
        self.model = model
        model.continued = False
        self._forecast = Forecasts(model, seed=child_seeds(self.seed, 2)[1])

    def _compile(self, rate: Any) -> None:
        assert self.model is not None
        self.model.compile(
            optimizer=optimizer(self.training, rate),
            loss=self.model.decoder.head.loss(
                clone_config(self.training.loss), horizon_decay=self.training.horizon_decay
            ),
            weighted_metrics=[clone_config(metric) for metric in self.training.metrics] or None,
        )

    def _steps_per_epoch(self, windows: Any) -> int:
        if hasattr(windows, "__len__"):
            return len(windows)
        assert self.training.steps_per_epoch is not None  # the doors ask for it when batches have no length
        return self.training.steps_per_epoch

    def predict(self, inputs: dict[str, Any], horizon: int) -> Array:
        """Forecast.

        Args:
            inputs: `past` `[N, T, F]`, NaN where the network takes gaps; `static`, `future` where it was trained with
                them. In place of `past` and `static` may come `states`, which `encode` or `update` returned.
            horizon: Number of steps, any.

        Returns:
            The forecast, `[N, H, D]`; with a probabilistic head the median of its distribution.

        Raises:
            NotFittedError: Neither `fit` nor `build` was called.
            SpecError: The network cannot write so long a horizon.
            DataError: Known-future inputs do not cover the horizon.
        """
        return self._forecasts.point(self._prepared(inputs), horizon)

    def distribution(
        self, inputs: dict[str, Any], horizon: int, *, paths: int = PATHS, seed: Any = None
    ) -> Parametric | Sampled:
        """Forecast a distribution, which knows its mean, median, quantiles and probabilities.

        A network that reads none of its own outputs forecasts the parameters of each step; of one that does, sample
        paths are drawn, each reading its own draws, and the distribution is theirs.

        Args:
            inputs: As for `predict`.
            horizon: Number of steps.
            paths: How many paths are drawn where paths are needed, 100 or more.
            seed: As for `paths`.

        Returns:
            The forecast.

        Raises:
            SpecError: The head is a point.
        """
        check_int("paths", paths, at_least=PATHS)
        return self._forecasts.distribution(self._prepared(inputs), horizon, paths, seed)

    def quantiles(
        self,
        inputs: dict[str, Any],
        horizon: int,
        probabilities: Sequence[float],
        *,
        paths: int = PATHS,
        seed: Any = None,
    ) -> Array:
        """Forecast quantiles, `[N, H, D, Qs]`, which never cross; arguments as for `distribution`.

        Quantiles beyond those that a quantile head was trained with lie on exponential tails.

        Raises:
            SpecError: The head is a point, or a probability is not between 0 and 1.
        """
        asked = check_probabilities("probabilities", probabilities)
        return self.distribution(inputs, horizon, paths=paths, seed=seed).quantile(asked)

    def mean(self, inputs: dict[str, Any], horizon: int, *, paths: int = PATHS, seed: Any = None) -> Array:
        """Forecast the mean, `[N, H, D]`, or the point of a point head; arguments as for `distribution`."""
        if not self.network.is_probabilistic:
            return self.predict(inputs, horizon)
        return self.distribution(inputs, horizon, paths=paths, seed=seed).mean()

    def paths(self, inputs: dict[str, Any], horizon: int, *, paths: int = PATHS, seed: Any = None) -> Array:
        """Draw sample paths of the future.

        A decoder that feeds back reads each path's own draws. Steps that read no draw are drawn one by one and say
        nothing of how they go together: all steps with `decoder_input` `zeros`, those of a segment, and with
        `position` those up to the trained horizon and of each block after it.

        Args:
            inputs: As for `predict`.
            horizon: Number of steps.
            paths: Number of paths.
            seed: One seed: all rows get the same random numbers, so that a row's paths do not depend on its company.
                One seed a row, `[N]`: rows with different seeds are independent, as sums over rows need it. `None` is
                the engine's own, one for all.

        Returns:
            The paths, `[N, paths, H, D]`.

        Raises:
            SpecError: The head is a point, or a seed is none.
        """
        return self._forecasts.paths(self._prepared(inputs), horizon, check_int("paths", paths), seed)

    def encode(self, inputs: dict[str, Array]) -> States:
        """Read the past into states; inputs as for `predict`, without `future`."""
        return States.from_dict(self._forecasts.states(self._prepared(inputs)))

    def update(self, states: States, inputs: dict[str, Array]) -> States:
        """Read on from states: the same as encoding old and new steps at once, under the old normaliser statistics.

        Args:
            states: What `encode` returned.
            inputs: New steps, `past` `[N, n, F]`: whole segments, NaN where the network takes gaps.

        Returns:
            The states after the new steps.

        Raises:
            SpecError: The encoder also reads backwards, so that it cannot go on.
            DataError: The new steps are no whole segments, or not one row for each of the states.
        """
        if len(inputs["past"]) != len(states):
            raise DataError(
                "past",
                expected=f"new steps for each of the {len(states)} rows of the states",
                received=f"{len(inputs['past'])} rows",
                hint="Choose rows of states by indexing, states[rows].",
            )
        given = {"states": states.to_dict(), "new": self._prepared(inputs)}
        return States.from_dict(self._forecasts.programs("update", given))

    def decode(self, states: States, horizon: int, future: Array | None = None) -> Array:
        """Write a forecast, `[N, H, D]`, out of states: the same as `predict` of the past that they come from."""
        return self.predict({"states": states, **({} if future is None else {"future": future})}, horizon)

    def attention(self, inputs: dict[str, Any], horizon: int) -> Array:
        """Return the attention's weights over the tokens of the past, `[N, H, T]`, of a forecast.

        Where it is written block by block they go on over its own tokens, which later blocks read.

        Raises:
            SpecError: The network has no attention.
        """
        if self.network.attention == "none":
            raise SpecError(
                "attention",
                expected="a network with attention",
                received="'none'",
                hint="Fit with attention='additive', 'dot' or 'multi_head'; a Forecaster takes "
                "preset=NetworkSpec(attention='dot').",
            )
        return self._forecasts.attention(self._prepared(inputs), horizon)

    def trace(self, inputs: dict[str, Any], horizon: int) -> dict[str, Any]:
        """Return what every layer does while the encoder reads and while the decoder writes.

        Args:
            inputs: As for `predict`, with `past`.
            horizon: Number of steps; at most the trained one of a decoder that writes block by block.

        Returns:
            `encoder` and `decoder`: for each layer a dict of `states`, after each token `[N, tokens, n]` each, and
            of `gates` by name; and `valid`, `[N, tokens]`, where not all tokens of the past count.

        Raises:
            SpecError: The horizon is written block by block.
        """
        prepared = self._prepared(inputs)
        forecasts = self._forecasts
        if forecasts.model.writes_in_blocks(horizon, prepared.get("future")):
            raise SpecError(
                "horizon",
                expected=f"at most the trained one, {forecasts.model.window.horizon}",
                received=repr(horizon),
                hint="A longer forecast is written block by block, each from states of its own: look at one block.",
            )
        past = {name: values for name, values in prepared.items() if name != "future"}
        read = forecasts.programs("trace_encoder", past)
        written = forecasts.programs("trace_decoder", prepared, horizon=horizon)
        traced = {"encoder": read["layers"], "decoder": written}
        return {**traced, "valid": read["valid"]} if "valid" in read else traced

    def sensitivity(self, inputs: dict[str, Any], horizon: int) -> dict[str, Array]:
        """Return how much the forecast moves with what it is made from: derivatives, in scaled units.

        Of a distribution the point is looked at; a decoder that reads its own outputs reads points.

        Args:
            inputs: As for `predict`, with `past`.
            horizon: Number of steps.

        Returns:
            `past`, the derivatives of the forecast by the past, `[N, H, D, T, F]`, and where the network knows
            something ahead `future`, `[N, H, D, H, F']`.
        """
        prepared = self._prepared(inputs)
        forecasts = self._forecasts
        targets = forecasts.model.window.targets
        steps, features = prepared["past"].shape[1:]
        largest = max(1, MOST_NUMBERS // (horizon * targets * steps * features))
        found = forecasts.programs("sensitivity", prepared, largest=largest, horizon=horizon)
        return {
            name: values.reshape(len(values), horizon, targets, *values.shape[2:]) for name, values in found.items()
        }

    def _prepared(self, inputs: dict[str, Any]) -> dict[str, Any]:
        prepared: dict[str, Any] = {
            name: values.to_dict() if isinstance(values, States) else np.asarray(values, dtype=np.float32)
            for name, values in inputs.items()
        }
        if self.window is not None and self.window.observed and "past" in prepared:
            prepared["past"], prepared["observed"] = fill_gaps(prepared["past"])
        return prepared

    @property
    def _forecasts(self) -> Forecasts:
        if self._forecast is None:
            raise NotFittedError("the network", expected="a fitted one", received="none", hint="Call fit first.")
        return self._forecast

    def to_parts(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return JSON types and arrays that hold all of the engine but the optimiser's moments."""
        header: dict[str, Any] = {
            "network": self.network.to_dict(),
            "training": self.training.to_dict(),
            "seed": self.seed,
        }
        if self.model is None or self.window is None:
            return header, {}
        header["window"] = self.window.to_dict()
        header["built_network"] = self.model.network.to_dict()
        weights = {f"weight/{i}": value for i, value in enumerate(weights_of(self.model))}
        return header, weights

    @classmethod
    def from_parts(cls, header: dict[str, Any], arrays: Mapping[str, Any]) -> Self:
        """Build the engine from the result of `to_parts`.

        Args:
            header: The JSON types.
            arrays: The arrays, in memory or in an open file; other names than `weight/…` are not looked at.

        Raises:
            ValueError: The weights are not those of the network. It is said before anything is built or read.
        """
        engine = cls(
            NetworkSpec.from_dict(header["network"]),
            TrainingSpec.from_dict(header["training"]),
            seed=header["seed"],
        )
        if "window" in header:
            engine.window = WindowSpec.from_dict(header["window"])
            network = NetworkSpec.from_dict(header["built_network"])
            weights = [values for name, values in arrays.items() if name.startswith("weight/")]
            check_weights(weights, engine.window, network)
            engine._use(Seq2Seq(engine.window, network, seed=child_seeds(engine.seed, 1)[0]))
            assert engine.model is not None
            engine.model.set_weights([np.asarray(values) for values in weights])
        return engine

    def __getstate__(self) -> dict[str, Any]:
        # Specs keep the user's own objects (to_parts would need them to be JSON); weights travel as arrays.
        built = None if self.model is None else (self.window, self.model.network, weights_of(self.model))
        return {"network": self.network, "training": self.training, "seed": self.seed, "built": built}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Engine.__init__(self, state["network"], state["training"], seed=state["seed"])
        if state["built"] is not None:
            self.window, network, weights = state["built"]
            assert self.window is not None
            self._use(Seq2Seq(self.window, network, seed=child_seeds(self.seed, 1)[0]))
            assert self.model is not None
            self.model.set_weights(weights)


def _check_precision() -> None:
    policy = keras.config.dtype_policy()
    if policy.variable_dtype in ("float16", "bfloat16"):
        raise SpecError(
            "keras.config.dtype_policy()",
            expected="weights of float32 or float64",
            received=repr(policy.name),
            hint="Half precision rounds small updates away; 'mixed_bfloat16' keeps the weights in float32.",
        )


def check_weights(weights: Sequence[Any], window: WindowSpec, network: NetworkSpec) -> None:
    """Refuse arrays, of which only shape and type are looked at, that are not the weights of a network.

    Example:
        >>> window, tiny = WindowSpec(horizon=3, features=2, targets=1), NetworkSpec(encoder_units=(4,))
        >>> check_weights([np.zeros((5, 12))], window, tiny)
        Traceback (most recent call last):
        ValueError: weight 0 of shape (5, 12) and type float64, where the network has (2, 12)
    """
    network.check_window(window)
    expected = weight_shapes(window, network)
    for place, (values, shape) in enumerate(itertools.zip_longest(weights, expected)):
        if values is None or shape is None or values.shape != shape or values.dtype.kind != "f":
            told = "none" if values is None else f"shape {values.shape} and type {values.dtype}"
            raise ValueError(f"weight {place} of {told}, where the network has {'none' if shape is None else shape}")


def check_parts(freeze: Sequence[str]) -> None:
    """Refuse parts of a network that cannot be frozen.

    Example:
        >>> check_parts(("encoder",))
    """
    if isinstance(freeze, str):
        raise SpecError("freeze", expected="a tuple of parts", received=repr(freeze), hint=f"Give ({freeze!r},).")
    for part in freeze:
        check_choice("freeze", part, PARTS)
    if set(freeze) == set(PARTS):
        raise SpecError("freeze", expected="a part that is left to train", received=repr(freeze), hint="Leave one out.")
