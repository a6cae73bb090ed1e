"""The engine: one network that trains on batches of windows, predicts, encodes and decodes.

It knows neither scikit-learn nor data frames. `Seq2SeqRegressor` and `Forecaster` use it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from seqcast import specs
from seqcast.data.windows import NumberedBatches, fill_gaps
from seqcast.engine.built import PATHS, BuiltNetwork, check_precision
from seqcast.engine.shared import compile_network, step_programs
from seqcast.errors import DataError, NotFittedError, SpecError, TrainingError
from seqcast.network import Parametric, Sampled, Seq2Seq, States
from seqcast.runtime import Array, Processes, keep_scratch_memory, platform, weights_of
from seqcast.training import (
    Checkpoints,
    CtrlC,
    Deadline,
    History,
    TrainState,
    learning_rate,
    listeners,
    progress,
    scheduled_rate,
    train,
)

# Most derivatives at once, so that memory does not grow with the number of windows.
MOST_NUMBERS = 2**24


class Engine:
    """One network: train it on windows, forecast, encode, decode, and inspect it.

    Any number of threads may forecast at once. Each call reads the network once, so it forecasts
    with the old or the new one while another is published.

    Args:
        network: Options of the network.
        training: Options of the training.
        seed: Seed of weights, masks and sampling.

    Raises:
        SpecError: A loss is given for a head that has its own.

    Example:
        >>> import numpy as np
        >>> from seqcast.data.windows.batches import ArrayWindows
        >>> from seqcast.specs import NetworkSpec, TrainingSpec, WindowSpec
        >>> network = NetworkSpec(encoder_units=(4,), decoder_units=(4,))
        >>> engine = Engine(network, TrainingSpec(epochs=1), seed=0)
        >>> windows = ArrayWindows({"past": np.zeros((6, 5, 1))}, np.zeros((6, 3, 1)), batch_size=4)
        >>> _ = engine.fit(windows, window=WindowSpec(horizon=3, features=1, targets=1), verbose=0)
        >>> engine.predict({"past": np.zeros((6, 5, 1))}, horizon=8).shape
        (6, 8, 1)
    """

    def __init__(
        self, network: specs.NetworkSpec, training: specs.TrainingSpec, *, seed: int
    ) -> None:
        specs.check_loss(network.head, training.loss)
        self.network = network
        self.training = training
        self.seed = seed
        # Set by one assignment, so other threads see the network before a training or the one after
        # it.
        self._built: BuiltNetwork | None = None
        # The network that `continue_fit` has compiled, whose optimiser goes on.
        self._continued: Seq2Seq | None = None
        # The engine that this one is a snapshot of, see `trainer`.
        self._trainer: Engine | None = None

    def __repr__(self) -> str:
        micro_batches = (
            "" if self.micro_batches is None else f", micro_batches={self.micro_batches}"
        )
        return f"Engine({self.network!r}, {self.training!r}, seed={self.seed}{micro_batches})"

    def fit(
        self,
        windows: Any,
        *,
        window: specs.WindowSpec,
        validation: Any = None,
        callbacks: Sequence[Any] = (),
        verbose: int = 1,
        weights: Sequence[Array] | None = None,
        freeze: Sequence[str] = (),
        state: TrainState | None = None,
        checkpoints: Checkpoints | None = None,
        deadline: Deadline | None = None,
        processes: Processes | None = None,
    ) -> History:
        """Build a new network and train it; meanwhile the engine forecasts with the old one.

        Args:
            windows: Batches of windows.
            window: Sizes of a window.
            validation: Batches to validate on.
            callbacks: Keras callbacks.
            verbose: 0 is silent, 1 shows progress.
            weights: Initial weights, from a network of the same sizes; `None` draws them.
            freeze: Submodules that are not trained: `encoder`, `decoder` (all but its head),
                `head`.
            state: The state of an interrupted training with the same arguments, which is resumed.
            checkpoints: The checkpoints to write, and, without `state`, to resume from.
            deadline: The end of the training. The learning rate follows the time in place of the
                epochs, and training goes on until the end.
            processes: The processes that share each batch, whose rows of this process are the
                windows; `None` is this process alone.

        Returns:
            The history of the training.

        Raises:
            SpecError: A submodule does not exist, all are frozen, or the state is that of another
                training.
            FileFormatError: No checkpoint can be read.
            TrainingError: The loss is not finite; the engine has the best weights so far.
            KeyboardInterrupt: The user interrupted; the engine has the best weights so far.
        """
        specs.check_submodules(freeze)
        self._check_deadline(deadline)
        if checkpoints is not None and state is None:
            state = checkpoints.newest()
        before = None if state is None else state.history
        steps = self.training.epochs * self._steps_per_epoch(windows)
        with CtrlC() as ctrl_c:
            built = self._new(window, steps, weights)
            model = built.model
            model.processes = processes or Processes()
            model.freeze(freeze)
            compile_network(model, self.training, self._rate(steps, by_clock=deadline is not None))
            model.step_programs = step_programs(model, self.training, freeze)
            try:
                history = train(
                    model,
                    windows,
                    self.training,
                    callbacks=[
                        *callbacks,
                        *progress(verbose, deadline=deadline, before=before),
                        *listeners(deadline),
                        ctrl_c,
                    ],
                    validation=validation,
                    state=state,
                    checkpoints=checkpoints,
                    deadline=deadline,
                )
            except (KeyboardInterrupt, TrainingError):
                self._built = replace(built, micro_batches=model.used_micro_batches)
                raise
            finally:
                model.freeze(())
                # These functions and the model refer to each other, so their programs would stay in
                # memory until the garbage collector looks for cycles.
                model.train_function = model.test_function = model.step_programs = None
        self._built = replace(built, micro_batches=history.micro_batches)
        return history

    def _check_deadline(self, deadline: Deadline | None) -> None:
        """Reject scheduled sampling with a deadline and without `sampling_steps`."""
        if (
            deadline is not None
            and self.network.decoder_input == "scheduled"
            and self.network.sampling_steps is None
        ):
            raise SpecError(
                "time_limit",
                expected=(
                    "sampling_steps with decoder_input='scheduled': the number of training steps "
                    "is not known"
                ),
                received="None",
                hint=(
                    "Give the steps after which the decoder reads only its own outputs, or leave "
                    "out time_limit."
                ),
            )

    def continue_fit(
        self, windows: Any, *, window: specs.WindowSpec, callbacks: Sequence[Any] = ()
    ) -> History:
        """Train the present network for one pass over the windows, at the constant learning rate.

        The network cannot be used meanwhile: publish a `snapshot`.

        Args:
            windows: Batches of windows.
            window: Sizes of a window, for the first call.
            callbacks: Keras callbacks.

        Returns:
            The history of the training.
        """
        if self._built is None:
            self.build(window, steps=self._steps_per_epoch(windows))
        model = self.built.model
        constant = replace(self.training, learning_rate_schedule="constant", epochs=1)
        if self._continued is not model:
            compile_network(model, constant, learning_rate(constant, 1))
            self._continued = model
        try:
            return train(model, windows, constant, callbacks=callbacks)
        finally:
            # Another value, whose mark is that of the new weights.
            self._built = replace(self.built, micro_batches=model.used_micro_batches)

    def copy(self) -> Engine:
        """Return an independent engine with the same weights, without the optimiser's moments."""
        engine = Engine(self.network, self.training, seed=self.seed)
        engine._built = None if self._built is None else self._built.copy()
        return engine

    def snapshot(self) -> Engine:
        """Return a copy that does not change; its `trainer` is this engine."""
        copied = self.copy()
        copied._trainer = self
        return copied

    def trainer(self) -> Engine:
        """Return an engine that continues the training, while this one does not change.

        The first call returns the engine that this one is a `snapshot` of, with its optimiser.
        Later calls return a copy, since the weights of that engine have changed.
        """
        trainer = vars(self).pop("_trainer", None)  # two threads get two engines
        return self.copy() if trainer is None else trainer

    @property
    def built(self) -> BuiltNetwork:
        """The network and the sizes of its windows.

        Raises:
            NotFittedError: Neither `fit` nor `build` was called.
        """
        if self._built is None:
            raise NotFittedError(
                "the network", expected="a fitted one", received="none", hint="Call fit first."
            )
        return self._built

    @property
    def model(self) -> Seq2Seq | None:
        """The network; `None` before it is built, see `built`."""
        return None if self._built is None else self._built.model

    @property
    def window(self) -> specs.WindowSpec | None:
        """Sizes of the windows that the network reads; `None` before it is built."""
        return None if self._built is None else self._built.window

    @property
    def micro_batches(self) -> int | None:
        """Number of micro-batches of each batch of the last training; `None` before a training."""
        return None if self._built is None else self._built.micro_batches

    @property
    def weights(self) -> list[Array]:
        """Copies of all weights of the network, in the order of Keras's `set_weights`."""
        return [] if self._built is None else weights_of(self._built.model)

    @property
    def weight_count(self) -> int:
        """Number of trainable weights, number by number; 0 before the network is built."""
        return (
            0
            if self._built is None
            else sum(math.prod(w.shape) for w in self._built.model.trainable_weights)
        )

    def build(self, window: specs.WindowSpec, *, steps: int) -> None:
        """Create the network.

        Args:
            window: Sizes of a window.
            steps: Number of training steps.
        """
        self._built = self._new(window, steps)

    def _new(
        self, window: specs.WindowSpec, steps: int, weights: Sequence[Array] | None = None
    ) -> BuiltNetwork:
        check_precision()
        if platform() == "cpu":
            keep_scratch_memory()
        network = self.network
        if network.decoder_input == "scheduled" and network.sampling_steps is None:
            network = replace(network, sampling_steps=max(1, steps // 2))
        built = BuiltNetwork.build(window, network, seed=self.seed)
        if weights is not None:
            built.model.set_weights(list(weights))
        return built

    def _rate(self, steps: int, *, by_clock: bool) -> Any:
        """Return the learning rate to compile with; with a deadline a callback sets it."""
        ours = scheduled_rate(self.training)[0]
        return ours if by_clock and ours is not None else learning_rate(self.training, steps)

    def _steps_per_epoch(self, windows: Any) -> int:
        """Return the training steps of an epoch: of numbered batches, of the spec, or one pass."""
        if isinstance(windows, NumberedBatches):
            return len(windows)
        steps = self.training.steps_per_epoch
        if steps is None:
            steps = getattr(windows, "num_batches", None)
        return specs.check_int("steps_per_epoch", steps)

    def predict(self, inputs: dict[str, Any], horizon: int) -> Array:
        """Forecast.

        Args:
            inputs: `past` `[N, T, F]`, with NaN if the network takes gaps; `static`, `future` if it
                was trained with them. `states` from `encode` or `update` of this network may
                replace `past` and `static`.
            horizon: Number of steps, any.

        Returns:
            The forecast, `[N, H, D]`; with a probabilistic head the median of its distribution.

        Raises:
            NotFittedError: Neither `fit` nor `build` was called.
            SpecError: The network cannot write a horizon of this length.
            DataError: Known-future inputs do not cover the horizon, or the states are those of
                other weights.
        """
        built, prepared = self._ready(inputs)
        return built.point(prepared, horizon)

    def distribution(
        self, inputs: dict[str, Any], horizon: int, *, paths: int = PATHS
    ) -> Parametric | Sampled:
        """Forecast a distribution, with its mean, median, quantiles and probabilities.

        A network that reads none of its own outputs forecasts the parameters of each step. For
        another network the distribution is that of sample paths, each of which reads its own draws.
        All rows have the same random numbers, from the seed of the engine, so a row's paths do not
        depend on other rows.

        Args:
            inputs: As for `predict`.
            horizon: Number of steps.
            paths: Number of paths, if paths are drawn; 100 or more.

        Returns:
            The forecast.

        Raises:
            SpecError: The head is a point head.
        """
        specs.check_int("paths", paths, at_least=PATHS)
        built, prepared = self._ready(inputs)
        return built.distribution(prepared, horizon, paths)

    def quantiles(
        self, inputs: dict[str, Any], horizon: int, probabilities: Sequence[float]
    ) -> Array:
        """Forecast quantiles, `[N, H, D, Qs]`, which do not cross.

        Quantiles beyond those that a quantile head was trained with lie on exponential tails.

        Args:
            inputs: As for `predict`.
            horizon: Number of steps.
            probabilities: Strictly between 0 and 1, `[Qs]`.

        Raises:
            SpecError: The head is a point head, or a probability is not between 0 and 1.
        """
        probabilities = specs.check_probabilities("probabilities", probabilities)
        return self.distribution(inputs, horizon).quantile(probabilities)

    def mean(self, inputs: dict[str, Any], horizon: int) -> Array:
        """Forecast the mean, `[N, H, D]`, or the point of a point head.

        Args:
            inputs: As for `predict`.
            horizon: Number of steps.
        """
        if not self.network.is_probabilistic:
            return self.predict(inputs, horizon)
        return self.distribution(inputs, horizon).mean()

    def encode(self, inputs: dict[str, Array]) -> States:
        """Read the past into states.

        Args:
            inputs: As for `predict`, without `future`.

        Returns:
            The states, with the mark of the network's weights: other weights do not decode them.
        """
        built, prepared = self._ready(inputs)
        return States.from_dict({**built.states(prepared), "mark": built.mark})

    def update(self, states: States, inputs: dict[str, Array]) -> States:
        """Read new steps after states.

        The result is that of encoding all steps at once with the old normaliser statistics.

        Args:
            states: The result of `encode` or `update`.
            inputs: New steps in whole segments, `past` `[N, n, F]`, with NaN if the network takes
                gaps.

        Returns:
            The states after the new steps.

        Raises:
            SpecError: The encoder also reads backwards, so it cannot go on.
            DataError: The new steps are no whole segments, or not one row for each of the states,
                or the states are those of other weights.
        """
        built, prepared = self._ready({**inputs, "states": states})
        before = prepared.pop("states")
        if len(inputs["past"]) != len(states):
            raise DataError(
                "past",
                expected=f"new steps for each of the {len(states)} rows of the states",
                received=f"{len(inputs['past'])} rows",
                hint="Choose rows of states by indexing, states[rows].",
            )
        after = built.compiled.update(before, prepared)
        return States.from_dict({**after, "mark": built.mark})

    def decode(self, states: States, horizon: int, future: Array | None = None) -> Array:
        """Write a forecast, `[N, H, D]`, from states: the same as `predict` of their past.

        Args:
            states: The result of `encode` or `update`.
            horizon: Number of steps.
            future: Known-future inputs, `[N, H, F']`.

        Raises:
            DataError: The states are those of other weights.
        """
        return self.predict(
            {"states": states, **({} if future is None else {"future": future})}, horizon
        )

    def attention(self, inputs: dict[str, Any], horizon: int) -> Array:
        """Return the attention's weights over the tokens of the past, `[N, H, T]`.

        If the forecast is written block by block, its own tokens follow, which later blocks read.

        Args:
            inputs: As for `predict`.
            horizon: Number of steps.

        Raises:
            SpecError: The network has no attention.
        """
        if self.network.attention == "none":
            kinds = "attention='additive', 'dot' or 'multi_head'"
            raise SpecError(
                "attention",
                expected="a network with attention",
                received="'none'",
                hint=f"Fit with {kinds}; a Forecaster takes preset=NetworkSpec(attention='dot').",
            )
        built, prepared = self._ready(inputs)
        return built.attention(prepared, horizon)

    def trace(self, inputs: dict[str, Any], horizon: int) -> dict[str, Any]:
        """Return states and gates of every layer while the encoder reads and the decoder writes.

        Args:
            inputs: As for `predict`, with `past`.
            horizon: Number of steps; at most the trained one of a decoder that writes block by
                block.

        Returns:
            `encoder` and `decoder`: for each layer a dict of `states`, after each token `[N,
            tokens, n]` each, and of `gates` by name; and `valid`, `[N, tokens]`, if not all tokens
            of the past count.

        Raises:
            SpecError: The horizon is written block by block.
        """
        built, prepared = self._ready(inputs)
        if built.model.writes_in_blocks(horizon, prepared.get("future")):
            raise SpecError(
                "horizon",
                expected=f"at most the trained one, {built.window.horizon}",
                received=repr(horizon),
                hint=(
                    "A longer forecast is written block by block, each from its own states: trace "
                    "one block."
                ),
            )
        past = {name: values for name, values in prepared.items() if name != "future"}
        read = built.compiled.trace_encoder(past)
        written = built.compiled.trace_decoder(prepared, horizon=horizon)
        traced = {"encoder": read["layers"], "decoder": written}
        return {**traced, "valid": read["valid"]} if "valid" in read else traced

    def sensitivity(
        self, inputs: dict[str, Any], horizon: int, *, most_numbers: int = MOST_NUMBERS
    ) -> dict[str, Array]:
        """Return the derivatives of the forecast with respect to its inputs, in scaled units.

        For a distribution the derivatives are those of its point; a decoder that reads its own
        outputs reads points.

        Args:
            inputs: As for `predict`, with `past`.
            horizon: Number of steps.
            most_numbers: Numbers in the derivatives of a block of windows, at most.

        Returns:
            `past`, the derivatives with respect to the past, `[N, H, D, T, F]`, and, if the network
            reads known-future inputs, `future`, `[N, H, D, H, F']`.
        """
        built, prepared = self._ready(inputs)
        targets = built.window.targets
        steps, features = prepared["past"].shape[1:]
        largest = max(1, most_numbers // (horizon * targets * steps * features))
        derivatives = built.compiled.sensitivity(prepared, horizon=horizon, largest=largest)
        return {
            name: values.reshape(len(values), horizon, targets, *values.shape[2:])
            for name, values in derivatives.items()
        }

    def _ready(self, inputs: dict[str, Any]) -> tuple[BuiltNetwork, dict[str, Any]]:
        """Return the network, and its inputs as arrays without gaps."""
        built = self.built
        prepared: dict[str, Any] = {
            name: built.check_states(values).arrays()
            if name == "states"
            else np.asarray(values, dtype=np.float32)
            for name, values in inputs.items()
        }
        if built.window.observed and "past" in prepared:
            prepared["past"], prepared["observed"] = fill_gaps(prepared["past"])
        return built, prepared

    def to_payload(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return the engine as JSON types and arrays, without the optimiser's moments."""
        header = {
            "network": self.network.to_dict(),
            "training": self.training.to_dict(),
            "seed": self.seed,
        }
        if self._built is None:
            return header, {}
        built, weights = self._built.to_payload()
        return {**header, **built}, weights

    @classmethod
    def from_payload(cls, header: dict[str, Any], arrays: Mapping[str, Any]) -> Self:
        """Build the engine from the result of `to_payload`.

        Args:
            header: The JSON types.
            arrays: The arrays, in memory or in an open file.

        Raises:
            ValueError: The weights do not fit the network.
        """
        network = specs.NetworkSpec.from_dict(header["network"])
        training = specs.TrainingSpec.from_dict(header["training"])
        engine = cls(
            network,
            training,
            seed=specs.check_int("seed", header["seed"], at_least=0, at_most=specs.MOST_SEED),
        )
        if "window" in header:
            engine._built = BuiltNetwork.from_payload(header, arrays, seed=engine.seed)
        return engine

    def __getstate__(self) -> dict[str, Any]:
        # Specs keep the user's own objects (to_payload would need them to be JSON); weights travel
        # as arrays.
        built = None if self._built is None else self._built.to_payload()
        return {
            "network": self.network,
            "training": self.training,
            "seed": self.seed,
            "built": built,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        Engine.__init__(self, state["network"], state["training"], seed=state["seed"])
        if state["built"] is not None:
            self._built = BuiltNetwork.from_payload(*state["built"], seed=self.seed)
