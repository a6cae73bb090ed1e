"""The encoder-decoder as one Keras model."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from seqcast.errors import SpecError
from seqcast.network.blocks import write_in_blocks
from seqcast.network.decode_inputs import check_endless, check_future
from seqcast.network.decoder import Decoder
from seqcast.network.encoder import Encoder, States
from seqcast.network.init import child_seeds, fresh_seed
from seqcast.runtime import Processes, keras
from seqcast.specs import NetworkSpec, WindowSpec

Tensor = Any
ops = keras.ops


@keras.saving.register_keras_serializable(package="seqcast")
class Seq2Seq(keras.Model):
    """A recurrent encoder-decoder; trains with plain `compile` and `fit`.

    Inputs are a dict (see `seqcast.data.windows.order`) or, when there is only the past, its array `[B, T, F]`; the
    output is the forecast `[B, H, D]`, or with a probabilistic head its parameters `[B, H, D, P]`, for which
    `decoder.head.loss()` is the loss to compile with.

    Args:
        window: Sizes of a window, as a spec or a dict of its fields.
        network: The network's boxes, as a spec or a dict of its fields.
        seed: Seed of initial weights, dropout and sampling; `None` draws one.

    Raises:
        SpecError: A box needs something of the window that it does not have, such as the targets' own past.

    Example:
        >>> import numpy as np
        >>> network = Seq2Seq(WindowSpec(horizon=3, features=2, targets=1), NetworkSpec(), seed=0)
        >>> network.compile("adam", "mse")
        >>> history = network.fit(np.ones((8, 5, 2)), np.ones((8, 3, 1)), verbose=0)
        >>> network(np.ones((8, 5, 2))).shape == (8, 3, 1)
        True

    Source: Luke Tonin's Keras encoder-decoder; Cho et al. 2014, arXiv:1406.1078; Sutskever et al. 2014,
    arXiv:1409.3215.
    """

    def __init__(
        self,
        window: WindowSpec | dict[str, Any],
        network: NetworkSpec | dict[str, Any] | None = None,
        *,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.train_function: Any
        self.test_function: Any
        # How many parts a training step divides a batch into: as told, or as in the training that is resumed.
        self.parts: int | None = None
        self.resumed_parts: int | None = None
        self.skipped_steps = 0
        # Which of the processes that share each batch this one is.
        self.processes = Processes()
        self.window = window if isinstance(window, WindowSpec) else WindowSpec.from_dict(window)
        self.network = network if isinstance(network, NetworkSpec) else NetworkSpec.from_dict(network or {})
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

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; what Keras's trainer keeps there from step to step is not searched for layers."""
        if name == "_jax_state":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {
            "window": self.window.to_dict(),
            "network": self.network.to_dict(),
            "seed": self.seed,
            "name": self.name,
        }

    def build(self, input_shape: Any = None) -> None:
        """Do nothing: all sizes are known, and weights exist from the start."""

    def freeze(self, parts: Sequence[str]) -> None:
        """Let training change the weights of all parts but these.

        Args:
            parts: Some of `encoder`, `decoder` (bridge, layers and attention) and `head`.
        """
        self.encoder.trainable = "encoder" not in parts
        self.decoder.trainable = "decoder" not in parts
        self.decoder.head.trainable = "head" not in parts

    def call(self, inputs: Any, training: bool | None = None) -> Tensor:
        """Forecast as far as the future is known, or the trained horizon.

        Args:
            inputs: A dict of arrays, or the past alone.
            training: Whether dropout and teacher forcing are at work.

        Returns:
            The forecast, `[B, H, D]`, or its parameters, `[B, H, D, P]`.
        """
        inputs = inputs if isinstance(inputs, dict) else {"past": inputs}
        future = inputs.get("future")
        forecast, _ = self.decoder.unroll(
            self.encoder(inputs, training=training),
            horizon=(None if future is None else future.shape[1]) or self.window.horizon,
            future=future,
            target=inputs.get("target"),
            training=training,
        )
        return forecast

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Keras's hook: metrics measure a point, also where a distribution is forecast, and leave missing targets out.

        Each target is a value of its own with the weight of its window, or of nothing where it is missing; `compile`
        takes metrics that heed it as `weighted_metrics`.
        """
        point = self.decoder.head.point(y_pred)
        y = ops.reshape(ops.cast(y, point.dtype), ops.shape(point))
        missing = ops.isnan(y)
        weight = 1.0 if sample_weight is None else ops.reshape(ops.cast(sample_weight, point.dtype), (-1, 1, 1))
        weight = ops.where(missing, 0.0, weight * ops.ones_like(point))
        y = ops.where(missing, point, y)
        return super().compute_metrics(x, ops.expand_dims(y, -1), ops.expand_dims(point, -1), weight)

    def make_train_function(self, force: bool = False) -> None:
        """Keras's hook: on JAX the step is compiled for wide vectors and divided among the cores."""
        if not self._compiles_for_jax:
            if self.parts is not None and self.parts > 1:
                raise SpecError(
                    "parts",
                    expected=f"None or 1 on {keras.backend.backend()!r}, or in steps that are not compiled one by one",
                    received=repr(self.parts),
                    hint="Only single steps that are compiled for JAX are divided: KERAS_BACKEND=jax.",
                )
            super().make_train_function(force)
        elif self.train_function is None or force:
            from seqcast.network.jax_steps import TrainFunction

            self.train_function = TrainFunction(self)

    def make_test_function(self, force: bool = False) -> None:
        """Keras's hook: the same for validation, on one core."""
        if not self._compiles_for_jax:
            super().make_test_function(force)
        elif self.test_function is None or force:
            from seqcast.network.jax_steps import make_test_function

            self.test_function = make_test_function(self)

    @property
    def used_parts(self) -> int:
        """How many parts batches were divided into since `compile`; 1 leaves them whole."""
        return getattr(self.train_function, "parts", 1)

    @property
    def guards_steps(self) -> bool:
        """Whether a training step whose numbers go bad leaves the weights as they are."""
        return self._compiles_for_jax

    @property
    def _compiles_for_jax(self) -> bool:
        """Whether steps are compiled one by one on a single JAX device; everything else is left to Keras."""
        plain = self.jit_compile and not self.run_eagerly and self.steps_per_execution == 1
        return keras.backend.backend() == "jax" and plain and keras.distribution.distribution() is None

    def unroll(
        self, states: dict[str, Any], *, horizon: int, future: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Write a forecast of any horizon: on and on, or block by block where the decoder reads positions.

        Args:
            states: The parts of `States`.
            horizon: Number of steps, `H`.
            future: Known-future inputs, `[B, H, F']`.

        Returns:
            The forecast, `[B, H, D]`, or its parameters, `[B, H, D, P]`, and the attention's weights, or `None`. Of a
            probabilistic head later blocks read the point.
        """
        if not self.writes_in_blocks(horizon, future):
            return self.decoder.unroll(states, horizon=horizon, future=future, training=False)

        def decode(states: Any, start: int, steps: int) -> tuple[Tensor, Tensor | None]:
            known = None if future is None else future[:, start : start + steps]
            return self.decoder.unroll(states, horizon=steps, future=known, training=False)

        return write_in_blocks(
            decode,
            lambda states, forecast: self.append(states, self.decoder.head.point(forecast)),
            states,
            horizon=horizon,
            trained=self.window.horizon,
            segment=self.network.segment,
        )

    def writes_in_blocks(self, horizon: int, future: Any = None) -> bool:
        """Tell whether a horizon is written block by block, and refuse it before any work if it cannot be.

        Args:
            horizon: Number of steps.
            future: Known-future inputs, whose length is checked.

        Raises:
            SpecError: The encoder also reads backwards, so that it cannot go on from its states.
            DataError: Known-future inputs do not cover the horizon.
        """
        if not self.network.in_blocks or horizon <= self.window.horizon:
            return False
        if self.network.bidirectional:
            raise SpecError(
                "horizon",
                expected=f"at most the trained one, {self.window.horizon}, of a bidirectional encoder",
                received=repr(horizon),
                hint=f"With decoder_input={self.network.decoder_input!r} the encoder reads the forecast to go on, but "
                "a backward layer starts at the last step. Train a longer horizon.",
            )
        check_future(future, horizon, self.window.future)
        return True

    def append(self, states: dict[str, Any], forecast: Tensor) -> dict[str, Any]:
        """Read a forecast of whole segments as if it had been observed.

        Args:
            states: The parts of `States` before it.
            forecast: Points or draws, `[B, n, D]`, in the data's units.

        Returns:
            The parts of `States` after it.
        """
        return self.encoder.update(states, self.encoder.as_past(states, forecast))

    def encode(self, inputs: Any) -> States:
        """Read the past into states.

        Args:
            inputs: A dict of arrays, or the past alone.

        Returns:
            All that `decode` needs.
        """
        inputs = inputs if isinstance(inputs, dict) else {"past": inputs}
        tensors = {name: ops.convert_to_tensor(value, dtype=self.compute_dtype) for name, value in inputs.items()}
        return States.from_dict(self.encoder(tensors, training=False))

    def update(self, states: States, inputs: Any) -> States:
        """Read on from states: the same as encoding old and new steps at once, under the old normaliser statistics.

        Args:
            states: What `encode` returned.
            inputs: New steps, as a dict of arrays or the past alone: whole segments.

        Returns:
            The states after the new steps.

        Raises:
            SpecError: The encoder also reads backwards.
            DataError: The new steps are no whole segments.
        """
        inputs = inputs if isinstance(inputs, dict) else {"past": inputs}
        tensors = {name: ops.convert_to_tensor(value, dtype=self.compute_dtype) for name, value in inputs.items()}
        return States.from_dict(self.encoder.update(self._tensors(states), tensors))

    def _tensors(self, states: States) -> dict[str, Any]:
        return keras.tree.map_structure(ops.convert_to_tensor, states.to_dict())  # type: ignore[no-any-return]

    def decode(
        self, states: States, horizon: int, future: Any = None, *, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, Tensor | None]:
        """Write a forecast of any horizon out of states.

        Args:
            states: What `encode` returned.
            horizon: Number of steps, `H`.
            future: Known-future inputs, `[B, H, F']`.
            return_attention: Whether to return the attention's weights too.

        Returns:
            The forecast, `[B, H, D]`, or its parameters, `[B, H, D, P]`; with `return_attention` also the weights over
            tokens of the past, `[B, H, T]`.
        """
        if future is not None:
            future = ops.convert_to_tensor(future, dtype=self.compute_dtype)
        forecast, weights = self.unroll(self._tensors(states), horizon=horizon, future=future)
        return (forecast, weights) if return_attention else forecast

    @property
    def encoder_model(self) -> Any:
        """The post's first prediction model, see `prediction_models.encoder_model`."""
        return encoder_model(self)

    @property
    def decoder_model(self) -> Any:
        """The post's second prediction model, see `prediction_models.decoder_model`."""
        return decoder_model(self)


def load_network(path: Any) -> Seq2Seq:
    """Load a network that was saved with `network.save("….keras")`.

    Plain `keras.saving.load_model` does the same after `import seqcast.network`, which registers the classes.

    Args:
        path: The `.keras` file.

    Returns:
        The network, compiled if it was compiled when saved.
    """
    return keras.saving.load_model(path)  # type: ignore[no-any-return]


def encoder_model(model: Any) -> Any:
    """The post's first prediction model: from the past to the decoder's initial states, as a `keras.Model`.

    It shares the trained weights. Its output is the dict that `decoder_model` takes.

    Args:
        model: A `Seq2Seq`.

    Raises:
        SpecError: The forecast is added to the last season and the context's length is free.
    """
    if model.network.reads_season and model.window.context_length is None:
        raise SpecError(
            "encoder_model",
            expected=f"a window of fixed context_length for residual={model.network.residual!r}",
            received="context_length=None",
            hint="A season can only be cut from a past of known length; `encode` takes any.",
        )
    inputs = {"past": keras.Input((model.window.context_length, model.window.features), name="past")}
    if model.window.observed:
        inputs["observed"] = keras.Input((model.window.context_length, model.window.features), name="observed")
    if model.window.static:
        inputs["static"] = keras.Input((model.window.static,), name="static")
    return keras.Model(inputs, _Start(model.decoder)(model.encoder(inputs)), name="encoder_model")


def decoder_model(model: Any) -> Any:
    """The post's second prediction model: one token from states to a forecast and the next states.

    It shares the trained weights. It takes a dict of `states` and, when the network reads known-future inputs,
    `future` `[B, F']`, and returns a dict of `forecast` `[B, D]` and `states`. With segments of `s` steps they
    are `[B, s, F']` and `[B, s, D]`.

    Args:
        model: A `Seq2Seq`.

    Raises:
        SpecError: The decoder reads positions: its tokens have an end, and `decode` goes on block by block.
    """
    check_endless(model.network)
    written = encoder_model(model).output
    states = keras.tree.map_structure(lambda output: keras.Input(tuple(output.shape[1:]), dtype=output.dtype), written)
    for name in {"memory", "memory_valid"} & set(written):
        # Keras guesses lengths that are free, and may find the same number of tokens for two guesses.
        states[name] = keras.Input((None, *written[name].shape[2:]), dtype=written[name].dtype)
    inputs: dict[str, Any] = {"states": states}
    if model.window.future:
        steps = (model.network.segment,) if model.network.segment > 1 else ()
        inputs["future"] = keras.Input((*steps, model.window.future), name="future")
    forecast, after = model.decoder(states, inputs.get("future"))
    return keras.Model(inputs, {"forecast": forecast, "states": after}, name="decoder_model")


@keras.saving.register_keras_serializable(package="seqcast")
class _Start(keras.layers.Layer):
    """`Decoder.start` as a layer, for the functional prediction models."""

    def __init__(self, decoder: Decoder, **options: Any) -> None:
        super().__init__(**options)
        self.decoder = decoder
        self.built = True

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "decoder": keras.saving.serialize_keras_object(self.decoder)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> _Start:
        return cls(keras.saving.deserialize_keras_object(config.pop("decoder")), **config)

    def call(self, states: dict[str, Any]) -> dict[str, Any]:
        return self.decoder.start(states)


def weight_shapes(window: WindowSpec, network: NetworkSpec) -> list[tuple[int, ...]]:
    """Return the shape of each weight of a network, in the order of its `weights`, without the memory they would take.

    In a stateless scope Keras makes variables without values. It would give them values later, in the same thread, so
    the network is built in another one.

    Args:
        window: Sizes of a window.
        network: The network's boxes.

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
