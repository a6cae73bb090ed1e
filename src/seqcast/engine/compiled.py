"""The compiled programs of a network, which run on blocks of rows."""

import functools
from collections.abc import Callable
from typing import Any, Concatenate

import numpy as np

from seqcast.engine.shared import MOST_SHARED, NetworkKind
from seqcast.network import Seq2Seq, decode_paths, trace_decoder, trace_encoder
from seqcast.runtime import (
    Array,
    Programs,
    compile_call,
    derivatives,
    in_threads,
    jax_stateless,
    keras,
    platform,
    to_numpy,
)

# Nested arrays by name: `past` with `observed` and `static`, or the arrays of `States` as `states`;
# and `future` if it is known.
Inputs = dict[str, Any]

# A function that is compiled: of a network, nested arrays, and static arguments by name.
Function = Callable[Concatenate[Seq2Seq, Inputs, ...], Any]

# Sizes to which batches are padded, so that a new number of rows rarely compiles another program.
# Blocks of 32 divide few rows among cores.
BUCKETS = (1, 8, 32, 128)
# Rows from which on the largest block, which is a few per cent faster, is worth its compilation.
MANY_ROWS = 512

# Horizons of fewer steps share one program, because a compilation takes longer than thousands of
# such forecasts.
LEAST_STEPS = 16


class CompiledNetwork:
    """A network whose functions are compiled at their first call and run on all cores of a CPU.

    Any number of threads may call it at once, also for the first time: one of them compiles a
    program, while the others wait for it. The last `MOST_PROGRAMS` programs stay: each function,
    number of rows, context, number of paths and number of written steps (`written_steps`) takes
    one.

    All methods return NumPy arrays for all rows of their inputs, which have the same number of
    rows.

    Args:
        model: A built network. On JAX, whose programs take the weights as an argument, networks of
            equal sizes and options share them.

    Example:
        >>> from seqcast.specs import NetworkSpec, WindowSpec
        >>> window = WindowSpec(horizon=3, features=1, targets=1)
        >>> network = NetworkSpec(encoder_units=(4,), decoder_units=(4,))
        >>> compiled = CompiledNetwork(Seq2Seq(window, network, seed=0))
        >>> compiled.predict({"past": np.zeros((6, 5, 1), np.float32)}, horizon=8).shape
        (6, 8, 1)
    """

    def __init__(self, model: Seq2Seq) -> None:
        self.model = model
        self._variables = _variables(model)
        kind = NetworkKind.of(model.window, model.network)
        self._programs = _programs(model) if kind is None else programs_of(kind)

    def encode(self, inputs: Inputs) -> Inputs:
        """Return the arrays of `States` after the past.

        Args:
            inputs: The past.
        """
        return self._run(encode, inputs)  # type: ignore[no-any-return]

    def update(self, states: Inputs, new: Inputs) -> Inputs:
        """Return the arrays of `States` after new steps.

        Args:
            states: The arrays of the states before.
            new: The new steps, as a past.
        """
        return self._run(update, {"states": states, "new": new})  # type: ignore[no-any-return]

    def append(self, states: Inputs, values: Array) -> Inputs:
        """Return the arrays of `States` after values of the targets.

        Args:
            states: The arrays of the states before.
            values: The values, `[N, n, D]`.
        """
        appended: Inputs = self._run(append, {"states": states, "values": values})
        return appended

    def predict(self, inputs: Inputs, *, horizon: int) -> Array:
        """Return the forecast, `[N, H, D]`, or its parameters, `[N, H, D, P]`.

        Args:
            inputs: The inputs.
            horizon: Number of steps.
        """
        return self._run(predict, inputs, horizon=horizon)  # type: ignore[no-any-return]

    def block(self, inputs: Inputs, *, horizon: int) -> dict[str, Array]:
        """Return the `forecast` and, with attention, its `weights`, `[N, H, tokens]`.

        Args:
            inputs: The inputs. From `noise`, `[N, H, D, k]`, the forecast is a draw of each step,
                without weights.
            horizon: Number of steps.
        """
        return self._run(block, inputs, horizon=horizon)  # type: ignore[no-any-return]

    def paths(
        self, inputs: Inputs, noise: Array, *, horizon: int, paths: int, largest: int
    ) -> Array:
        """Return sample paths, `[N, paths, H, D]`.

        Args:
            inputs: The inputs.
            noise: The noise of the draws, which all rows share, `[tokens · s, paths, D, k]`.
            horizon: Number of steps.
            paths: Number of paths.
            largest: Most rows of a block.
        """

        def with_noise(block: Inputs) -> Inputs:
            return {**block, "noise": noise}

        return self._run(  # type: ignore[no-any-return]
            sample_paths, inputs, largest=largest, ready=with_noise, horizon=horizon, paths=paths
        )

    def trace_encoder(self, inputs: Inputs) -> dict[str, Any]:
        """Return states and gates of all layers while the past is read.

        Args:
            inputs: The past.
        """
        return self._run(trace_encoder, inputs)  # type: ignore[no-any-return]

    def trace_decoder(self, inputs: Inputs, *, horizon: int) -> list[dict[str, Any]]:
        """Return states and gates of all layers while the forecast is written.

        Args:
            inputs: The inputs.
            horizon: Number of steps.
        """
        return self._run(trace_forecast, inputs, horizon=horizon)  # type: ignore[no-any-return]

    def sensitivity(
        self, inputs: Inputs, *, horizon: int, largest: int = BUCKETS[-1]
    ) -> dict[str, Array]:
        """Return the derivatives of the point with respect to `past` and `future`.

        Args:
            inputs: The inputs.
            horizon: Number of steps.
            largest: Most rows of a block.

        Returns:
            The derivatives by the name of the input, `[N, H · D, steps, features]` each.
        """
        derivatives: dict[str, Array] = self._run(
            sensitivity, inputs, largest=largest, horizon=horizon
        )
        return derivatives

    def _run(
        self,
        function: Function,
        inputs: Inputs,
        *,
        largest: int = BUCKETS[-1],
        ready: Callable[[Inputs], Inputs] | None = None,
        **static: int,
    ) -> Any:
        """Call a function on blocks of rows, padded to the sizes in `BUCKETS`.

        Args:
            function: The function.
            inputs: Nested arrays with the same number of rows.
            largest: Most rows of a block.
            ready: Prepares each block before the call.
            static: Static arguments, for which a program is compiled.
        """
        map_structure = keras.tree.map_structure
        leaves = keras.tree.flatten(inputs)
        rows = len(leaves[0])
        size = _block_size(rows, largest)
        values = [variable.value for variable in self._variables]
        shapes = tuple(leaf.shape[1:] for leaf in leaves)
        program = self._programs.find(function, size, tuple(static.items()), shapes)

        def run(start: int) -> Any:
            block = inputs
            if rows != size:
                block = map_structure(lambda array: array[start : start + size], inputs)
            if rows - start < size:
                block = map_structure(lambda array: _filled(array, size), block)
            return program(values, block if ready is None else ready(block))

        starts = range(0, max(1, rows), size)
        blocks = []
        if not program.called:
            # The first call compiles.
            blocks = [run(starts[0])]
            starts = starts[1:]
        # Other devices run one program after another, also if several threads start them.
        blocks += in_threads(run, starts) if platform() == "cpu" else map(run, starts)

        if len(blocks) == 1:
            return map_structure(lambda array: array[:rows], to_numpy(blocks[0]))
        return map_structure(lambda *leaves: np.concatenate(leaves)[:rows], *map(to_numpy, blocks))


def _block_size(rows: int, largest: int) -> int:
    """Return the size of the blocks into which rows are divided, one of `BUCKETS`."""
    most = largest if rows >= MANY_ROWS else min(largest, BUCKETS[-2])
    sizes = [bucket for bucket in BUCKETS if bucket <= most] or BUCKETS[:1]
    return next((size for size in sizes if size >= rows), sizes[-1])


@functools.lru_cache(MOST_SHARED)
def programs_of(kind: NetworkKind) -> Programs:
    """Return the programs that all networks of a kind share.

    Args:
        kind: The kind.
    """
    return _programs(kind.build())


def _programs(model: Seq2Seq) -> Programs:
    """Return the programs of a network: functions of the values of its variables and of inputs."""

    def make(
        function: Function, _size: int, static: tuple[tuple[str, int], ...], _shapes: Any
    ) -> Callable[..., Any]:
        of_network = functools.partial(function, model, **dict(static))
        if keras.backend.backend() == "jax":
            return jax_stateless(_variables(model), of_network)

        call = compile_call(model, of_network)
        return lambda values, inputs: call(inputs)  # noqa: ARG005

    return Programs(make)


def _variables(model: Seq2Seq) -> list[Any]:
    """Return all variables that a forecast may read, without those of metrics and optimiser."""
    return [*model.encoder.variables, *model.decoder.variables]


# The functions that are compiled, of a network and nested arrays.


def encode(model: Seq2Seq, inputs: Inputs) -> Any:
    """Return the states after the past."""
    return model.encoder(inputs, training=False)


def update(model: Seq2Seq, inputs: Inputs) -> Any:
    """Return the states after `new` steps."""
    return model.encoder.update(inputs["states"], inputs["new"])


def append(model: Seq2Seq, inputs: Inputs) -> Any:
    """Return the states after `values` of the targets."""
    return model.append(inputs["states"], inputs["values"])


def predict(model: Seq2Seq, inputs: Inputs, *, horizon: int) -> Any:
    """Return the forecast, or its parameters."""
    return _unrolled(model, inputs, horizon)[0]


def block(model: Seq2Seq, inputs: Inputs, *, horizon: int) -> Any:
    """Return the forecast, or draws from it where there is `noise`, and its attention weights."""
    forecast, weights = _unrolled(model, inputs, horizon)
    if "noise" in inputs:
        return {"forecast": model.decoder.head.draw(forecast, inputs["noise"])}
    if weights is None:
        return {"forecast": forecast}
    return {"forecast": forecast, "weights": weights}


def sample_paths(model: Seq2Seq, inputs: Inputs, *, horizon: int, paths: int) -> Any:
    """Return sample paths, drawn with the `noise`."""
    states = _states(model, inputs)
    decode_inputs = model.decoder.decode_inputs(states, horizon, inputs.get("future"))
    drawn = decode_paths(model.decoder, decode_inputs, paths=paths, noise=inputs["noise"])
    return drawn[:, :, :horizon]


def trace_forecast(model: Seq2Seq, inputs: Inputs, *, horizon: int) -> Any:
    """Return states and gates while the forecast is written."""
    return trace_decoder(
        model, _states(model, inputs), horizon=horizon, future=inputs.get("future")
    )


def sensitivity(model: Seq2Seq, inputs: Inputs, *, horizon: int) -> Any:
    """Return the derivatives of the point with respect to `past` and `future`."""
    varied: Inputs = {name: inputs[name] for name in ("past", "future") if name in inputs}
    size = horizon * model.window.targets

    def point(changed: Inputs) -> Any:
        whole = {**inputs, **changed}
        states = model.encoder(whole, training=False)
        forecast, _ = model.unroll(states, horizon=horizon, future=whole.get("future"))
        return keras.ops.reshape(model.decoder.head.point(forecast), (-1, size))

    return {
        name: keras.ops.swapaxes(values, 0, 1)
        for name, values in derivatives(point, varied, size).items()
    }


def _unrolled(model: Seq2Seq, inputs: Inputs, horizon: int) -> tuple[Any, Any]:
    return model.decoder.unroll(
        _states(model, inputs), horizon=horizon, future=inputs.get("future"), training=False
    )


def _states(model: Seq2Seq, inputs: Inputs) -> Any:
    return inputs["states"] if "states" in inputs else model.encoder(inputs, training=False)


def written_steps(horizon: int, trained: int) -> int:
    """Return the number of steps that a program writes for a horizon.

    The first of them are the forecast. The number is the trained horizon, halved or doubled several
    times: less than twice the horizon from `LEAST_STEPS` on. So a network has at most eight
    programs for all horizons up to 1,000.

    Args:
        horizon: Number of steps of the forecast.
        trained: The trained horizon.

    Example:
        >>> [written_steps(horizon, trained=24) for horizon in (1, 24, 25, 48, 1000)]
        [24, 24, 48, 48, 1536]
        >>> sorted({written_steps(horizon, trained=100) for horizon in range(1, 1001)})
        [25, 50, 100, 200, 400, 800, 1600]
    """
    if keras.backend.backend() != "jax":
        return horizon  # nothing is compiled

    least = max(horizon, LEAST_STEPS)
    steps = trained
    if horizon <= trained:
        while (half := -(-steps // 2)) >= least:
            steps = half
        return steps

    while steps < least:
        steps *= 2
    return steps


def lengthened(values: Array, steps: int) -> Array:
    """Return a future, `[B, H, f]`, with its last step repeated up to a number of steps.

    A decoder never reads a later token before an earlier one, so the first steps of the forecast
    stay.

    Args:
        values: The steps.
        steps: Number of steps, `H` at least.

    Example:
        >>> lengthened(np.array([[[1.0], [2.0]]]), 4).ravel().tolist()
        [1.0, 2.0, 2.0, 2.0]
    """
    added = np.repeat(values[:, -1:], steps - values.shape[1], axis=1)
    return np.concatenate([values, added], axis=1)


def row_count(inputs: Inputs) -> int:
    """Return the number of rows of nested arrays.

    Args:
        inputs: The arrays.
    """
    return len(keras.tree.flatten(inputs)[0])


def _filled(values: Array, size: int) -> Array:
    """Return values padded to a number of rows by copies of the last one, or by zeros."""
    last = values[-1:] if len(values) else np.zeros((1, *values.shape[1:]), np.float32)
    return np.concatenate([values, np.repeat(last, size - len(values), axis=0)])
