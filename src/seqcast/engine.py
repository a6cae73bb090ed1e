"""The engine: one network, trained on batches of windows, that predicts, encodes and decodes.

It knows neither scikit-learn nor data frames; the two doors, `Seq2SeqRegressor` and `Forecaster`, lead here.
"""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast._backend import compile_call, in_threads, keras, threads, to_numpy, weights_of
from seqcast.config import NetworkSpec, TrainingSpec, WindowSpec
from seqcast.data.windows import fill_gaps
from seqcast.errors import NotFittedError, SpecError
from seqcast.network.cells import child_seeds
from seqcast.network.seq2seq import Seq2Seq
from seqcast.network.states import States
from seqcast.progress import progress
from seqcast.training import CtrlC, History, fresh, learning_rate, optimizer, train

__all__ = ["Engine"]

Array = npt.NDArray[Any]

# Sizes that batches are padded to when predicting, so that a new number of rows seldom compiles anew.
BUCKETS = (1, 8, 64, 128)


class Engine:
    """Train a network on windows and use it.

    Args:
        network: The network's boxes.
        training: How it is trained.
        seed: Seed of everything random.

    Example:
        >>> from seqcast.data.windows import ArrayWindows
        >>> engine = Engine(NetworkSpec(encoder_units=(4,), decoder_units=(4,)), TrainingSpec(epochs=1), seed=0)
        >>> windows = ArrayWindows({"past": np.zeros((6, 5, 1))}, np.zeros((6, 3, 1)), batch_size=4)
        >>> _ = engine.fit(windows, window=WindowSpec(horizon=3, features=1, targets=1), verbose=0)
        >>> engine.predict({"past": np.zeros((6, 5, 1))}, horizon=8).shape
        (6, 8, 1)
    """

    def __init__(self, network: NetworkSpec, training: TrainingSpec, *, seed: int) -> None:
        self.network = network
        self.training = training
        self.seed = seed
        self.window: WindowSpec | None = None
        self.model: Seq2Seq | None = None
        self._compiled: dict[str, Callable[..., Any]] = {}
        self._called: set[tuple[Any, ...]] = set()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def fit(
        self,
        windows: Any,
        *,
        window: WindowSpec,
        validation: Any = None,
        callbacks: Sequence[Any] = (),
        verbose: int = 1,
    ) -> History:
        """Build the network anew and train it.

        Args:
            windows: Batches of windows.
            window: Their sizes.
            validation: Batches to validate on.
            callbacks: Keras callbacks.
            verbose: 0 is silent, 1 shows progress.

        Returns:
            What training recorded.

        Raises:
            TrainingError: The loss is not finite.
            KeyboardInterrupt: The user interrupted; the engine holds the best weights so far.
        """
        steps = self.training.epochs * self._steps_per_epoch(windows)
        with CtrlC() as ctrl_c:
            self.build(window, steps=steps)
            self._compile(learning_rate(self.training, steps))
            shown = [*callbacks, *progress(verbose), ctrl_c]
            return train(self.model, windows, self.training, validation=validation, callbacks=shown)

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
        network = self.network
        if network.decoder_input == "scheduled" and network.sampling_steps is None:
            network = dataclasses.replace(network, sampling_steps=max(1, steps // 2))
        self.window = window
        self._use(Seq2Seq(window, network, seed=child_seeds(self.seed, 1)[0]))

    def _use(self, model: Seq2Seq) -> None:
        self.model = model
        model.continued = False
        self._compiled = {}
        self._called = set()

    def _compile(self, rate: Any) -> None:
        assert self.model is not None
        self.model.compile(
            optimizer=optimizer(self.training, rate),
            loss=self.model.decoder.head.loss(fresh(self.training.loss)),
            weighted_metrics=[fresh(metric) for metric in self.training.metrics] or None,
        )

    def _steps_per_epoch(self, windows: Any) -> int:
        if hasattr(windows, "__len__"):
            return len(windows)
        assert self.training.steps_per_epoch is not None  # the doors ask for it when batches have no length
        return self.training.steps_per_epoch

    def predict(self, inputs: dict[str, Array], horizon: int) -> Array:
        """Forecast.

        Args:
            inputs: `past` `[N, T, F]`, NaN where the network takes gaps; `static`, `future` where it was trained with
                them.
            horizon: Number of steps, any.

        Returns:
            The forecast, `[N, H, D]`.
        """
        return self._in_blocks("predict", self._prepared(inputs), horizon=horizon)  # type: ignore[no-any-return]

    def encode(self, inputs: dict[str, Array]) -> States:
        """Read the past into states; inputs as for `predict`, without `future`."""
        parts = self._in_blocks("encode", self._prepared(inputs))
        return States.from_dict(parts)

    def decode(self, states: States, horizon: int, future: Array | None = None) -> Array:
        """Write a forecast, `[N, H, D]`, out of states."""
        inputs = {"states": states.to_dict(), **({} if future is None else {"future": _single(future)})}
        return self._in_blocks("decode", inputs, horizon=horizon)  # type: ignore[no-any-return]

    def attention(self, inputs: dict[str, Array], horizon: int) -> Array:
        """Return the attention's weights, `[N, H, T]`, of a forecast."""
        return self._in_blocks("attention", self._prepared(inputs), horizon=horizon)  # type: ignore[no-any-return]

    def _prepared(self, inputs: dict[str, Array]) -> dict[str, Array]:
        prepared = {name: _single(values) for name, values in inputs.items()}
        if self.window is not None and self.window.observed:
            prepared["past"], prepared["observed"] = fill_gaps(prepared["past"])
        return prepared

    def _in_blocks(self, name: str, inputs: Any, **static: Any) -> Any:
        """Call a compiled function on blocks of rows, padded to the sizes in `BUCKETS`."""
        function = self._function(name)
        map_structure = keras.tree.map_structure
        leaves = keras.tree.flatten(inputs)
        rows = len(leaves[0])
        size = next((bucket for bucket in BUCKETS if bucket >= rows), BUCKETS[-1])

        def run(start: int) -> Any:
            block = inputs if rows == size else map_structure(lambda values: values[start : start + size], inputs)
            if rows - start < size:
                # A row is repeated, or made up where there is none.
                block = map_structure(lambda values: _filled(values, size), block)
            return function(block, **static)

        starts = range(0, max(1, rows), size)
        call = (name, *static.values(), *(values.shape[1:] for values in leaves))
        blocks = []
        if len(starts) > 1 and call not in self._called:
            blocks = [run(starts[0])]  # alone, so that only one thread compiles
            self._called.add(call)
            starts = starts[1:]
        cores = min(len(starts), threads())
        blocks += in_threads(run, starts, self._threads(), cores) if cores > 1 else map(run, starts)
        if len(blocks) == 1:
            return map_structure(lambda values: values[:rows], to_numpy(blocks[0]))
        return map_structure(lambda *parts: np.concatenate(parts)[:rows], *map(to_numpy, blocks))

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(thread_name_prefix="seqcast")
            return self._pool

    def _function(self, name: str) -> Callable[..., Any]:
        if self.model is None:
            raise NotFittedError("the network", expected="a fitted one", received="none", mend="Call fit first.")
        with self._lock:
            if name not in self._compiled:
                self._compiled[name] = compile_call(self.model, getattr(_Functions(self.model), name))
            return self._compiled[name]

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
    def from_parts(cls, header: dict[str, Any], arrays: dict[str, Array]) -> Self:
        """Build the engine from the result of `to_parts`."""
        engine = cls(
            NetworkSpec.from_dict(header["network"]),
            TrainingSpec.from_dict(header["training"]),
            seed=header["seed"],
        )
        if "window" in header:
            engine.window = WindowSpec.from_dict(header["window"])
            network = NetworkSpec.from_dict(header["built_network"])
            engine._use(Seq2Seq(engine.window, network, seed=child_seeds(engine.seed, 1)[0]))
            assert engine.model is not None
            count = len(engine.model.weights)
            engine.model.set_weights([arrays[f"weight/{i}"] for i in range(count)])
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


class _Functions:
    """What is compiled, as functions of nested arrays."""

    def __init__(self, model: Seq2Seq) -> None:
        self.model = model

    def predict(self, inputs: dict[str, Any], *, horizon: int) -> Any:
        states = self.model.encoder(inputs, training=False)
        return self.model.decoder.unroll(states, horizon=horizon, future=inputs.get("future"), training=False)[0]

    def attention(self, inputs: dict[str, Any], *, horizon: int) -> Any:
        states = self.model.encoder(inputs, training=False)
        return self.model.decoder.unroll(states, horizon=horizon, future=inputs.get("future"), training=False)[1]

    def encode(self, inputs: dict[str, Any]) -> Any:
        return self.model.encoder(inputs, training=False)

    def decode(self, inputs: dict[str, Any], *, horizon: int) -> Any:
        future = inputs.get("future")
        return self.model.decoder.unroll(inputs["states"], horizon=horizon, future=future, training=False)[0]


def _check_precision() -> None:
    policy = keras.config.dtype_policy()
    if policy.variable_dtype in ("float16", "bfloat16"):
        raise SpecError(
            "keras.config.dtype_policy()",
            expected="weights of float32 or float64",
            received=repr(policy.name),
            mend="Half precision rounds small updates away; 'mixed_bfloat16' keeps the weights in float32.",
        )


def _filled(values: Array, size: int) -> Array:
    """Return so many rows: those given, and copies of the last one or zeros."""
    missing = size - len(values)
    more = (
        np.repeat(values[-1:], missing, axis=0) if len(values) else np.zeros((missing, *values.shape[1:]), np.float32)
    )
    return np.concatenate([values, more])


def _single(values: Array) -> Array:
    return np.asarray(values, dtype=np.float32)
