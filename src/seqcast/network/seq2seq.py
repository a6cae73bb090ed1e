"""The encoder-decoder as one Keras model."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqcast._backend import keras
from seqcast.config import NetworkSpec, WindowSpec
from seqcast.errors import SpecError
from seqcast.network.cells import child_seeds
from seqcast.network.decoder import Decoder
from seqcast.network.encoder import Encoder
from seqcast.network.states import States

__all__ = ["Seq2Seq", "load_network"]

Tensor = Any
ops = keras.ops


@keras.saving.register_keras_serializable(package="seqcast")
class Seq2Seq(keras.Model):
    """A recurrent encoder-decoder; trains with plain `compile` and `fit`.

    Inputs are a dict (see `seqcast.data.windows`) or, when there is only the past, its array `[B, T, F]`; the output
    is the forecast `[B, H, D]`.

    Args:
        window: Sizes of a window, as a spec or a dict of its fields.
        network: The network's boxes, as a spec or a dict of its fields.
        seed: Seed of initial weights, dropout and sampling; `None` draws one.

    Raises:
        SpecError: The decoder or the normaliser needs the targets' own past and the window does not say where it is.

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
        self.window = window if isinstance(window, WindowSpec) else WindowSpec.from_dict(window)
        self.network = network if isinstance(network, NetworkSpec) else NetworkSpec.from_dict(network or {})
        self.seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        if self.network.needs_target_past and self.window.target_features is None:
            raise SpecError(
                "target_features",
                expected="the index of each target's own past among the input features",
                received="none",
                mend=f"It is needed by normalise={self.network.normalise!r} with "
                f"decoder_input={self.network.decoder_input!r}.",
            )
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

    def call(self, inputs: Any, training: bool | None = None) -> Tensor:
        """Forecast the trained horizon.

        Args:
            inputs: A dict of arrays, or the past alone.
            training: Whether dropout and teaching are at work.

        Returns:
            The forecast, `[B, H, D]`.
        """
        inputs = inputs if isinstance(inputs, dict) else {"past": inputs}
        forecast, _ = self.decoder.unroll(
            self.encoder(inputs, training=training),
            horizon=self.window.horizon,
            future=inputs.get("future"),
            target=inputs.get("target"),
            training=training,
        )
        return forecast

    def make_train_function(self, force: bool = False) -> None:
        """Keras's hook: on JAX the step is compiled for wide vectors and divided among the cores."""
        if not self._compiles_for_jax:
            super().make_train_function(force)
        elif self.train_function is None or force:
            from seqcast.network.steps_jax import make_train_function

            self.train_function = make_train_function(self)

    def make_test_function(self, force: bool = False) -> None:
        """Keras's hook: the same for validation, on one core."""
        if not self._compiles_for_jax:
            super().make_test_function(force)
        elif self.test_function is None or force:
            from seqcast.network.steps_jax import make_test_function

            self.test_function = make_test_function(self)

    @property
    def _compiles_for_jax(self) -> bool:
        """Whether steps are compiled one by one on a single JAX device; other ways are left to Keras."""
        plain = self.jit_compile and not self.run_eagerly and self.steps_per_execution == 1
        return keras.backend.backend() == "jax" and plain and keras.distribution.distribution() is None

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
            The forecast, `[B, H, D]`; with `return_attention` also the weights, `[B, H, T]`.
        """
        if future is not None:
            future = ops.convert_to_tensor(future, dtype=self.compute_dtype)
        forecast, weights = self.decoder.unroll(states.to_dict(), horizon=horizon, future=future, training=False)
        return (forecast, weights) if return_attention else forecast

    @property
    def encoder_model(self) -> Any:
        """The post's first prediction model: from the past to the decoder's initial states, as a `keras.Model`.

        It shares the trained weights. Its output is the dict that `decoder_model` takes.
        """
        inputs = {"past": keras.Input((self.window.context_length, self.window.features), name="past")}
        if self.window.observed:
            inputs["observed"] = keras.Input((None, self.window.features), name="observed")
        if self.window.static:
            inputs["static"] = keras.Input((self.window.static,), name="static")
        return keras.Model(inputs, _Start(self.decoder)(self.encoder(inputs)), name="encoder_model")

    @property
    def decoder_model(self) -> Any:
        """The post's second prediction model: one step from states to a forecast and the next states.

        It shares the trained weights. It takes a dict of `states` and, when the network reads known-future inputs,
        `future` `[B, F']`, and returns a dict of `forecast` `[B, D]` and `states`.
        """
        states = keras.tree.map_structure(
            lambda output: keras.Input(tuple(output.shape[1:]), dtype=output.dtype), self.encoder_model.output
        )
        inputs: dict[str, Any] = {"states": states}
        if self.window.future:
            inputs["future"] = keras.Input((self.window.future,), name="future")
        forecast, after = self.decoder(states, inputs.get("future"))
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


def load_network(path: Any) -> Seq2Seq:
    """Load a network that was saved with `network.save("….keras")`.

    Plain `keras.saving.load_model` does the same after `import seqcast.network`, which registers the classes.

    Args:
        path: The `.keras` file.

    Returns:
        The network, compiled if it was compiled when saved.
    """
    return keras.saving.load_model(path)  # type: ignore[no-any-return]
