"""The encoder-decoder as one Keras model."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from typing import TYPE_CHECKING, Any

from seqcast.errors import SpecError
from seqcast.network.decode_inputs import check_endless, check_future
from seqcast.network.decoder import Decoder, Written
from seqcast.network.encoder import Encoder, StateArrays, States
from seqcast.network.loss_tracker import WeighedModel
from seqcast.network.randomness import child_seeds, fresh_seed
from seqcast.network.rates import Rates
from seqcast.network.segment import write_in_blocks
from seqcast.runtime import Processes, Tensor, keras, ops
from seqcast.specs import NetworkSpec, WindowSpec

if TYPE_CHECKING:
    from seqcast.network.jax_training import StepFunction, StepPrograms, TrainFunction

# Arrays by name, or the past alone.
Inputs = dict[str, Tensor] | Tensor


@keras.saving.register_keras_serializable(package="seqcast")
class Seq2Seq(WeighedModel):
    """A recurrent encoder-decoder; trains with plain `compile` and `fit`.

    Inputs are a dict (see `seqcast.data.windows.order`) or, when there is only the past, its array
    `[B, T, F]`; the output is the forecast `[B, H, D]`, or with a probabilistic head its parameters
    `[B, H, D, P]`, for which `decoder.head.loss()` is the loss to compile with.

    Args:
        window: Sizes of a window, as a spec or a dict of its fields.
        network: Options of the network, as a spec or a dict of its fields.
        seed: Seed of initial weights, dropout and sampling; `None` draws one.
        options: Options of Keras's models.

    Raises:
        SpecError: An option needs an input that the window does not have, such as the targets' own
            past.

    Example:
        >>> import numpy as np
        >>> network = Seq2Seq(WindowSpec(horizon=3, features=2, targets=1), NetworkSpec(), seed=0)
        >>> network.compile("adam", "mse")
        >>> history = network.fit(np.ones((8, 5, 2)), np.ones((8, 3, 1)), verbose=0)
        >>> network(np.ones((8, 5, 2))).shape == (8, 3, 1)
        True

    Source: Luke Tonin's Keras encoder-decoder; Cho et al. 2014, arXiv:1406.1078; Sutskever et al.
    2014, arXiv:1409.3215.
    """

    def __init__(
        self,
        window: WindowSpec | dict[str, Any],
        network: NetworkSpec | dict[str, Any] | None = None,
        *,
        seed: int | None = None,
        **options: object,
    ) -> None:
        super().__init__(**options)
        self.train_function: TrainFunction | None
        self.test_function: StepFunction | None
        # Number of micro-batches of a batch: by option, or as in the resumed training.
        self.micro_batches: int | None = None
        self.resumed_micro_batches: int | None = None
        self.skipped_steps = 0
        # The processes that share each batch, and the rank of this one.
        self.processes = Processes()
        # Programs of its steps on JAX, from a network of equal options that was compiled alike;
        # `None` makes new ones.
        self.step_programs: StepPrograms | None = None
        # The numbers of the learning rate, which these programs take.
        self.rates: Rates = ()

        self.window = window if isinstance(window, WindowSpec) else WindowSpec.from_dict(window)
        self.network = (
            network if isinstance(network, NetworkSpec) else NetworkSpec.from_dict(network or {})
        )
        self.seed = fresh_seed() if seed is None else seed
        self.network.check_window(self.window)

        encoder_seed, decoder_seed = child_seeds(self.seed, 2)
        self.encoder = Encoder(self.window, self.network, seed=encoder_seed, name="encoder")
        self.decoder = Decoder(
            self.window,
            self.network,
            encoder_widths=self.encoder.stack.state_widths,
            seed=decoder_seed,
            name="decoder",
        )
        self.built = True

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute; the state of Keras's trainer is not searched for layers."""
        if name == "_jax_state":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def get_config(self) -> dict[str, object]:
        """Return the arguments."""
        specs = {"window": self.window.to_dict(), "network": self.network.to_dict()}
        return {**specs, "seed": self.seed, "name": self.name}

    def build(self, input_shape: object = None) -> None:
        """Do nothing: all sizes are known, and weights exist from the start.

        Args:
            input_shape: Not read.
        """

    def freeze(self, submodules: Sequence[str]) -> None:
        """Exclude the weights of some submodules from training.

        Args:
            submodules: Any of `encoder`, `decoder` (bridge, layers and attention) and `head`.
        """
        self.encoder.trainable = "encoder" not in submodules
        self.decoder.trainable = "decoder" not in submodules
        self.decoder.head.trainable = "head" not in submodules

    def call(self, inputs: Inputs, training: bool | None = None) -> Tensor:
        """Forecast the horizon of the known future, or the trained horizon.

        Args:
            inputs: A dict of arrays, or the past alone.
            training: Whether dropout and teacher forcing are on.

        Returns:
            The forecast, `[B, H, D]`, or its parameters, `[B, H, D, P]`.
        """
        inputs = _by_name(inputs)
        future = inputs.get("future")
        steps = None if future is None else future.shape[1]
        forecast, _ = self.decoder.unroll(
            self.encoder(inputs, training=training),
            horizon=steps or self.window.horizon,
            future=future,
            target=inputs.get("target"),
            training=training,
        )
        return forecast

    def measure(
        self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Update the metrics of the point forecast, also of a distribution.

        Each target has the weight of its window, or 0 if it is missing; `compile` takes metrics
        that read weights as `weighted_metrics`.

        Args:
            x: Inputs.
            y: Targets, `[B, H, D]`; NaN is missing.
            y_pred: The output of the network.
            sample_weight: Weights of the windows, `[B]`.
        """
        point = self.decoder.head.point(y_pred)
        y = ops.reshape(ops.cast(y, point.dtype), ops.shape(point))
        missing = ops.isnan(y)

        weight: Tensor = 1.0
        if sample_weight is not None:
            weight = ops.reshape(ops.cast(sample_weight, point.dtype), (-1, 1, 1))
        weight = ops.where(missing, 0.0, weight * ops.ones_like(point))

        y = ops.where(missing, point, y)
        return super().measure(x, ops.expand_dims(y, -1), ops.expand_dims(point, -1), weight)

    def _symbolic_build(self, iterator: object = None, data_batch: Tensor | None = None) -> None:
        """Keras's hook before a fit, which traces the network."""
        # Without metrics nothing needs the shapes of a batch.
        if self._compile_metrics is None and self.optimizer is not None and self.compiles_for_jax:
            if not self.optimizer.built:
                self.optimizer.build(self.trainable_variables)
        else:
            super()._symbolic_build(iterator=iterator, data_batch=data_batch)

    def make_train_function(self, force: bool = False) -> None:
        """Keras's hook: on JAX the step is compiled for wide vectors and divided among the cores.

        Args:
            force: Whether to compile it again.
        """
        if not self.compiles_for_jax:
            if self.micro_batches is not None and self.micro_batches > 1:
                backend = repr(keras.backend.backend())
                raise SpecError(
                    "micro_batches",
                    expected=(
                        f"None or 1 on {backend}, or in steps that are not compiled one by one"
                    ),
                    received=repr(self.micro_batches),
                    hint=(
                        "Only single steps that are compiled for JAX have micro-batches: "
                        "KERAS_BACKEND=jax."
                    ),
                )
            super().make_train_function(force)
        elif self.train_function is None or force:
            from seqcast.network.jax_training import StepPrograms, TrainFunction

            self.train_function = TrainFunction(self, self.step_programs or StepPrograms(self))

    def make_test_function(self, force: bool = False) -> None:
        """Keras's hook: on JAX the validation step is compiled likewise, for one core.

        Args:
            force: Whether to compile it again.
        """
        if not self.compiles_for_jax:
            super().make_test_function(force)
        elif self.test_function is None or force:
            from seqcast.network.jax_training import StepPrograms, make_test_function

            self.test_function = make_test_function(self, self.step_programs or StepPrograms(self))

    @property
    def used_micro_batches(self) -> int:
        """Number of micro-batches of a batch since `compile`; 1 is a whole batch."""
        return getattr(self.train_function, "micro_batches", 1)

    @property
    def compiles_for_jax(self) -> bool:
        """Whether steps are compiled one by one on a single JAX device; otherwise Keras does it.

        Such a step does not change the weights if its loss or weights are not finite or exploded.
        """
        plain = self.jit_compile and not self.run_eagerly and self.steps_per_execution == 1
        return (
            keras.backend.backend() == "jax" and plain and keras.distribution.distribution() is None
        )

    def unroll(self, states: StateArrays, *, horizon: int, future: Tensor | None = None) -> Written:
        """Write a forecast of any horizon, block by block where the decoder reads positions.

        Args:
            states: The arrays of `States`.
            horizon: Number of steps, `H`.
            future: Known-future inputs, `[B, H, F']`.

        Returns:
            The forecast, `[B, H, D]`, or its parameters, `[B, H, D, P]`, and the attention's
            weights, or `None`. Later blocks read the point forecast of a probabilistic head.
        """
        if not self.writes_in_blocks(horizon, future):
            return self.decoder.unroll(states, horizon=horizon, future=future, training=False)

        def decode(states: StateArrays, start: int, steps: int) -> Written:
            known = None if future is None else future[:, start : start + steps]
            return self.decoder.unroll(states, horizon=steps, future=known, training=False)

        def append(states: StateArrays, forecast: Tensor) -> StateArrays:
            return self.append(states, self.decoder.head.point(forecast))

        return write_in_blocks(
            decode,
            append,
            states,
            horizon=horizon,
            trained=self.window.horizon,
            segment=self.network.segment,
        )

    def writes_in_blocks(self, horizon: int, future: Tensor | None = None) -> bool:
        """Return whether a horizon is written block by block; reject one that cannot be written.

        Args:
            horizon: Number of steps.
            future: Known-future inputs, whose length is checked.

        Raises:
            SpecError: The encoder also reads backwards, so it cannot go on from its states.
            DataError: Known-future inputs do not cover the horizon.
        """
        if not self.network.in_blocks or horizon <= self.window.horizon:
            return False
        if self.network.bidirectional:
            raise SpecError(
                "horizon",
                expected=(
                    f"at most the trained one, {self.window.horizon}, of a bidirectional encoder"
                ),
                received=repr(horizon),
                hint=(
                    f"With decoder_input={self.network.decoder_input!r} the encoder reads the "
                    "forecast to go on, but a backward layer starts at the last step. Train a "
                    "longer horizon."
                ),
            )
        check_future(future, horizon, self.window.future)
        return True

    def append(self, states: StateArrays, forecast: Tensor) -> StateArrays:
        """Read a forecast of whole segments as if it had been observed.

        Args:
            states: The arrays of `States` before it.
            forecast: Points or draws, `[B, n, D]`, in the data's units.

        Returns:
            The arrays of `States` after it.
        """
        return self.encoder.update(states, self.encoder.as_past(states, forecast))

    def encode(self, inputs: Inputs) -> States:
        """Read the past into states.

        Args:
            inputs: A dict of arrays, or the past alone.

        Returns:
            The states that `decode` reads.
        """
        return States.from_dict(self.encoder(self._converted(inputs), training=False))

    def update(self, states: States, inputs: Inputs) -> States:
        """Read new steps after states.

        The result is that of encoding all steps at once, with the old statistics of the normaliser.

        Args:
            states: The result of `encode`.
            inputs: New steps in whole segments, as a dict of arrays or the past alone.

        Returns:
            The states after the new steps.

        Raises:
            SpecError: The encoder also reads backwards.
            DataError: The new steps are no whole segments.
        """
        return States.from_dict(self.encoder.update(self._tensors(states), self._converted(inputs)))

    def _converted(self, inputs: Inputs) -> dict[str, Tensor]:
        return {
            name: ops.convert_to_tensor(value, dtype=self.compute_dtype)
            for name, value in _by_name(inputs).items()
        }

    def _tensors(self, states: States) -> StateArrays:
        arrays: StateArrays = keras.tree.map_structure(ops.convert_to_tensor, states.arrays())
        return arrays

    def decode(
        self,
        states: States,
        horizon: int,
        future: Tensor | None = None,
        *,
        return_attention: bool = False,
    ) -> Tensor | Written:
        """Write a forecast of any horizon from states.

        Args:
            states: The result of `encode`.
            horizon: Number of steps, `H`.
            future: Known-future inputs, `[B, H, F']`.
            return_attention: Whether to return the attention's weights too.

        Returns:
            The forecast, `[B, H, D]`, or its parameters, `[B, H, D, P]`; with `return_attention`
            also the weights over tokens of the past, `[B, H, T]`.
        """
        if future is not None:
            future = ops.convert_to_tensor(future, dtype=self.compute_dtype)
        forecast, weights = self.unroll(self._tensors(states), horizon=horizon, future=future)
        return (forecast, weights) if return_attention else forecast

    @property
    def encoder_model(self) -> keras.Model:
        """The post's first prediction model: from the past to the decoder's initial states.

        It shares the trained weights. Its output is the dict that `decoder_model` takes.

        Raises:
            SpecError: The forecast is added to the last season and the context's length is free.
        """
        window = self.window
        if self.network.reads_season and window.context_length is None:
            raise SpecError(
                "encoder_model",
                expected=f"a window of fixed context_length for residual={self.network.residual!r}",
                received="context_length=None",
                hint="A season can only be cut from a past of known length; `encode` takes any.",
            )

        shape = (window.context_length, window.features)
        inputs = {"past": keras.Input(shape, name="past")}
        if window.observed:
            inputs["observed"] = keras.Input(shape, name="observed")
        if window.static:
            inputs["static"] = keras.Input((window.static,), name="static")
        states = _Start(self.decoder)(self.encoder(inputs))
        return keras.Model(inputs, states, name="encoder_model")

    @property
    def decoder_model(self) -> keras.Model:
        """The post's second prediction model: from states to the forecast of one token.

        It shares the trained weights. It takes a dict of `states` and, if the network reads
        known-future inputs, `future` `[B, F']`, and returns a dict of `forecast` `[B, D]` and
        `states`. Segments of `s` steps have the shapes `[B, s, F']` and `[B, s, D]`.

        Raises:
            SpecError: The decoder reads positions, which limit its tokens; `decode` goes on block
                by block.
        """
        check_endless(self.network)
        written = self.encoder_model.output
        states = keras.tree.map_structure(
            lambda value: keras.Input(tuple(value.shape[1:]), dtype=value.dtype), written
        )
        for name in {"memory", "memory_valid"} & set(written):
            # Keras guesses free lengths, and may compute the same number of tokens from two
            # guesses.
            states[name] = keras.Input((None, *written[name].shape[2:]), dtype=written[name].dtype)

        inputs: dict[str, Tensor] = {"states": states}
        if self.window.future:
            steps = (self.network.segment,) if self.network.segment > 1 else ()
            inputs["future"] = keras.Input((*steps, self.window.future), name="future")

        forecast, after = self.decoder(states, inputs.get("future"))
        return keras.Model(inputs, {"forecast": forecast, "states": after}, name="decoder_model")


def _by_name(inputs: Inputs) -> dict[str, Tensor]:
    """Return inputs as a dict; an array alone is the past."""
    return inputs if isinstance(inputs, dict) else {"past": inputs}


def load_network(path: str | PathLike[str]) -> Seq2Seq:
    """Load a network that was saved with `network.save("….keras")`.

    Plain `keras.saving.load_model` does the same after `import seqcast.network`, which registers
    the classes.

    Args:
        path: The `.keras` file.

    Returns:
        The network, compiled if it was compiled when saved.
    """
    return keras.saving.load_model(path)  # type: ignore[no-any-return]


@keras.saving.register_keras_serializable(package="seqcast")
class _Start(keras.layers.Layer):
    """`Decoder.start` as a layer, for the functional prediction models."""

    def __init__(self, decoder: Decoder, **options: object) -> None:
        super().__init__(**options)
        self.decoder = decoder
        self.built = True

    def get_config(self) -> dict[str, object]:
        return {
            **super().get_config(),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> _Start:
        return cls(keras.saving.deserialize_keras_object(config.pop("decoder")), **config)

    def call(self, states: StateArrays) -> StateArrays:
        return self.decoder.start(states)


def weight_shapes(window: WindowSpec, network: NetworkSpec) -> list[tuple[int, ...]]:
    """Return the shape of each weight of a network, in the order of its `weights`.

    The weights take no memory: in a stateless scope Keras makes variables without values. It would
    initialise them later in the same thread, so the network is built in another one.

    Args:
        window: Sizes of a window.
        network: Options of the network.

    Example:
        >>> tiny = NetworkSpec(cell="lstm", encoder_units=(4,), decoder_units=(4,))
        >>> weight_shapes(WindowSpec(horizon=3, features=2, targets=1), tiny)
        [(2, 16), (4, 16), (16,), (4, 16), (16,), (4, 1), (1,)]
    """

    def build() -> list[tuple[int, ...]]:
        with keras.StatelessScope(initialize_variables=False):
            return [tuple(weight.shape) for weight in Seq2Seq(window, network, seed=0).weights]

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(build).result()
