"""What a network does when it forecasts, as compiled programs that are called on blocks of rows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.network.seq2seq import Seq2Seq
from seqcast.network.trace import trace_decoder, trace_encoder
from seqcast.runtime.backend import keras, to_numpy
from seqcast.runtime.jit import compile_call, derivatives
from seqcast.runtime.threads import in_threads, threads

__all__ = ["BUCKETS", "Programs", "row_count"]

Array = npt.NDArray[Any]

# Sizes that batches are padded to, so that a new number of rows seldom compiles anew.
BUCKETS = (1, 8, 64, 128)


class Programs:
    """Compile each function of a network at its first call, and call it on all cores.

    Args:
        model: A built network.

    Example:
        >>> from seqcast.specs.network import NetworkSpec
        >>> from seqcast.specs.window import WindowSpec
        >>> network = NetworkSpec(encoder_units=(4,), decoder_units=(4,))
        >>> programs = Programs(Seq2Seq(WindowSpec(horizon=3, features=1, targets=1), network, seed=0))
        >>> programs("predict", {"past": np.zeros((6, 5, 1), np.float32)}, horizon=8).shape
        (6, 8, 1)
    """

    def __init__(self, model: Seq2Seq) -> None:
        self.model = model
        self._compiled: dict[str, Callable[..., Any]] = {}
        self._called: set[tuple[Any, ...]] = set()
        self._lock = threading.Lock()

    def __call__(
        self,
        name: str,
        inputs: Any,
        *,
        largest: int = BUCKETS[-1],
        ready: Callable[[Any], Any] = lambda block: block,
        **static: Any,
    ) -> Any:
        """Call a function on blocks of rows, padded to the sizes in `BUCKETS`.

        Args:
            name: The name of a method of `Functions`.
            inputs: A nested structure of arrays with the same number of rows.
            largest: Most rows of a block.
            ready: What each block goes through before the call.
            static: What a program is compiled for.

        Returns:
            What the function returns for all rows, as NumPy arrays.
        """
        function = self._function(name)
        map_structure = keras.tree.map_structure
        leaves = keras.tree.flatten(inputs)
        rows = len(leaves[0])
        buckets = [bucket for bucket in BUCKETS if bucket <= largest] or BUCKETS[:1]
        size = next((bucket for bucket in buckets if bucket >= rows), buckets[-1])

        def run(start: int) -> Any:
            block = inputs if rows == size else map_structure(lambda values: values[start : start + size], inputs)
            if rows - start < size:
                # A row is repeated, or made up where there is none.
                block = map_structure(lambda values: _filled(values, size), block)
            return function(ready(block), **static)

        starts = range(0, max(1, rows), size)
        call = (name, size, *static.values(), *(values.shape[1:] for values in leaves))
        blocks = []
        if len(starts) > 1 and call not in self._called:
            blocks = [run(starts[0])]  # alone, so that only one thread compiles
            self._called.add(call)
            starts = starts[1:]
        cores = min(len(starts), threads())
        blocks += in_threads(run, starts, cores) if cores > 1 else map(run, starts)
        if len(blocks) == 1:
            return map_structure(lambda values: values[:rows], to_numpy(blocks[0]))
        return map_structure(lambda *parts: np.concatenate(parts)[:rows], *map(to_numpy, blocks))

    def _function(self, name: str) -> Callable[..., Any]:
        with self._lock:
            if name not in self._compiled:
                self._compiled[name] = compile_call(self.model, getattr(Functions(self.model), name))
            return self._compiled[name]


class Functions:
    """What is compiled, as functions of nested arrays.

    `inputs` holds `past` and what comes with it, or the parts of `States` as `states`; and `future` where it is known.

    Args:
        model: A built network.
    """

    def __init__(self, model: Seq2Seq) -> None:
        self.model = model

    def encode(self, inputs: dict[str, Any]) -> Any:
        """Return the parts of `States`."""
        return self.model.encoder(inputs, training=False)

    def update(self, inputs: dict[str, Any]) -> Any:
        """Return the parts of `States` after the `new` steps."""
        return self.model.encoder.update(inputs["states"], inputs["new"])

    def append(self, inputs: dict[str, Any]) -> Any:
        """Return the parts of `States` after `values` of the targets, `[B, n, D]`."""
        return self.model.append(inputs["states"], inputs["values"])

    def predict(self, inputs: dict[str, Any], *, horizon: int) -> Any:
        """Return the forecast, `[B, H, D]`, or its parameters, `[B, H, D, P]`."""
        return self._unrolled(inputs, horizon)[0]

    def attention(self, inputs: dict[str, Any], *, horizon: int) -> Any:
        """Return the attention's weights, `[B, H, tokens]`."""
        return self._unrolled(inputs, horizon)[1]

    def block(self, inputs: dict[str, Any], *, horizon: int) -> Any:
        """Return both, what there is of them, by name."""
        forecast, weights = self._unrolled(inputs, horizon)
        return {"forecast": forecast, **({} if weights is None else {"weights": weights})}

    def drawn(self, inputs: dict[str, Any], *, horizon: int) -> Any:
        """Return a draw of each step, `[B, H, D]`, by `noise`, `[B, H, D, k]`."""
        return self.model.decoder.head.draw(self._unrolled(inputs, horizon)[0], inputs["noise"])

    def paths(self, inputs: dict[str, Any], *, horizon: int, paths: int) -> Any:
        """Return sample paths, `[B, paths, H, D]`, by `noise`, `[tokens · s, B or 1, paths, D, k]`."""
        given = {"horizon": horizon, "paths": paths, "noise": inputs["noise"], "future": inputs.get("future")}
        return self.model.decoder.paths(self._states(inputs), **given)

    def trace_encoder(self, inputs: dict[str, Any]) -> Any:
        """Return states and gates of all layers while the past is read."""
        return trace_encoder(self.model, inputs)

    def trace_decoder(self, inputs: dict[str, Any], *, horizon: int) -> Any:
        """Return states and gates of all layers while the forecast is written."""
        return trace_decoder(self.model, self._states(inputs), horizon=horizon, future=inputs.get("future"))

    def sensitivity(self, inputs: dict[str, Any], *, horizon: int) -> Any:
        """Return the derivatives of the point by `past` and `future`, `[B, H · D, steps, features]` each."""
        varied: dict[str, Any] = {name: inputs[name] for name in ("past", "future") if name in inputs}
        size = horizon * self.model.window.targets

        def point(given: dict[str, Any]) -> Any:
            whole = {**inputs, **given}
            forecast, _ = self.model.unroll(self.encode(whole), horizon=horizon, future=whole.get("future"))
            return keras.ops.reshape(self.model.decoder.head.point(forecast), (-1, size))

        by_output = derivatives(point, varied, size)
        return {name: keras.ops.swapaxes(values, 0, 1) for name, values in by_output.items()}

    def _unrolled(self, inputs: dict[str, Any], horizon: int) -> tuple[Any, Any]:
        future = inputs.get("future")
        return self.model.decoder.unroll(self._states(inputs), horizon=horizon, future=future, training=False)

    def _states(self, inputs: dict[str, Any]) -> Any:
        return inputs["states"] if "states" in inputs else self.encode(inputs)


def row_count(inputs: Any) -> int:
    """Return the number of rows of nested arrays."""
    return len(keras.tree.flatten(inputs)[0])


def _filled(values: Array, size: int) -> Array:
    """Return so many rows: those given, and copies of the last one or zeros."""
    missing = size - len(values)
    more = (
        np.repeat(values[-1:], missing, axis=0) if len(values) else np.zeros((missing, *values.shape[1:]), np.float32)
    )
    return np.concatenate([values, more])
