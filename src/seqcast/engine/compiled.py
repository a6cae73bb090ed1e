"""The compiled programs of a network, which run on blocks of rows."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.engine.shared import MOST_SHARED, kind_of, network_of
from seqcast.network import Seq2Seq, decode_paths, trace_decoder, trace_encoder
from seqcast.runtime import (
    Programs,
    compile_call,
    derivatives,
    in_threads,
    jax_stateless,
    keras,
    platform,
    to_numpy,
)

Inputs = dict[str, Any]

# Sizes to which batches are padded, so that a new number of rows rarely compiles another program.
# Blocks of 32 divide few rows among cores; the largest, which is a few per cent faster, is worth
# its compilation from MANY_ROWS on.
BUCKETS = (1, 8, 32, 128)
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

    Args:
        model: A built network. On JAX, whose programs take the weights as an argument, networks of
            equal sizes and options share them.

    Example:
        >>> from seqcast.specs.network import NetworkSpec
        >>> from seqcast.specs.network import WindowSpec
        >>> network = NetworkSpec(encoder_units=(4,), decoder_units=(4,))
        >>> compiled = CompiledNetwork(Seq2Seq(WindowSpec(horizon=3, features=1, targets=1), network, seed=0))
        >>> compiled("predict", {"past": np.zeros((6, 5, 1), np.float32)}, horizon=8).shape
        (6, 8, 1)
    """

    def __init__(self, model: Seq2Seq) -> None:
        self.model = model
        self._variables = _variables(model)
        kind = kind_of(model.window, model.network)
        self._programs = _programs(model) if kind is None else programs_of(kind)

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
            name: A name in `FUNCTIONS`.
            inputs: A nested structure of arrays with the same number of rows.
            largest: Most rows of a block.
            ready: Prepares each block before the call.
            static: Static arguments, for which a program is compiled.

        Returns:
            The results for all rows, as NumPy arrays.
        """
        map_structure = keras.tree.map_structure
        leaves = keras.tree.flatten(inputs)
        rows = len(leaves[0])
        most = largest if rows >= MANY_ROWS else min(largest, BUCKETS[-2])
        buckets = [bucket for bucket in BUCKETS if bucket <= most] or BUCKETS[:1]
        size = next((bucket for bucket in buckets if bucket >= rows), buckets[-1])
        values = [variable.value for variable in self._variables]
        program = self._programs.find(
            name, size, tuple(static.items()), tuple(leaf.shape[1:] for leaf in leaves)
        )

        def run(start: int) -> Any:
            block = (
                inputs
                if rows == size
                else map_structure(lambda array: array[start : start + size], inputs)
            )
            if rows - start < size:
                # Repeat the last row, or add zeros if there is none.
                block = map_structure(lambda array: _filled(array, size), block)
            return program(values, ready(block))

        starts = range(0, max(1, rows), size)
        blocks = []
        if not program.called:
            blocks = [run(starts[0])]
            starts = starts[1:]
        # Other devices run one program after another, also if several threads start them.
        blocks += in_threads(run, starts) if platform() == "cpu" else map(run, starts)
        if len(blocks) == 1:
            return map_structure(lambda array: array[:rows], to_numpy(blocks[0]))
        return map_structure(lambda *leaves: np.concatenate(leaves)[:rows], *map(to_numpy, blocks))


@functools.lru_cache(MOST_SHARED)
def programs_of(kind: str) -> Programs:
    """Return the programs that all networks of a kind share.

    Args:
        kind: The result of `kind_of`.
    """
    return _programs(network_of(kind))


def _programs(model: Seq2Seq) -> Programs:
    """Return the programs of a network: functions of the values of its variables and of inputs."""

    def make(
        name: str, _size: int, static: tuple[tuple[str, Any], ...], _shapes: Any
    ) -> Callable[..., Any]:
        function = functools.partial(FUNCTIONS[name], model, **dict(static))
        if keras.backend.backend() == "jax":
            return jax_stateless(_variables(model), function)
        call = compile_call(model, function)
        return lambda values, inputs: call(inputs)  # noqa: ARG005

    return Programs(make)


def _variables(model: Seq2Seq) -> list[Any]:
    """Return all variables that a forecast may read, without those of metrics and optimiser."""
    return [*model.encoder.variables, *model.decoder.variables]


def _encode(model: Seq2Seq, inputs: Inputs) -> Any:
    """Return the arrays of `States`."""
    return model.encoder(inputs, training=False)


def _block(model: Seq2Seq, inputs: Inputs, *, horizon: int) -> Any:
    """Return the forecast and, with attention, its weights, `[B, H, tokens]`, by name.

    From `noise`, `[B, H, D, k]`, the forecast is a draw of each step, without weights.
    """
    forecast, weights = _unrolled(model, inputs, horizon)
    if "noise" in inputs:
        return {"forecast": model.decoder.head.draw(forecast, inputs["noise"])}
    return {"forecast": forecast, **({} if weights is None else {"weights": weights})}


def _paths(model: Seq2Seq, inputs: Inputs, *, horizon: int, paths: int) -> Any:
    """Return sample paths, `[B, paths, H, D]`, from `noise`, `[tokens · s, paths, D, k]`."""
    decode_inputs = model.decoder.decode_inputs(
        _states(model, inputs), horizon, inputs.get("future")
    )
    return decode_paths(model.decoder, decode_inputs, paths=paths, noise=inputs["noise"])[
        :, :, :horizon
    ]


def _trace_decoder(model: Seq2Seq, inputs: Inputs, *, horizon: int) -> Any:
    """Return states and gates of all layers while the forecast is written."""
    return trace_decoder(
        model, _states(model, inputs), horizon=horizon, future=inputs.get("future")
    )


def _sensitivity(model: Seq2Seq, inputs: Inputs, *, horizon: int) -> Any:
    """Return the derivatives of the point with respect to `past` and `future`, `[B, H · D, steps, features]` each."""
    varied: Inputs = {name: inputs[name] for name in ("past", "future") if name in inputs}
    size = horizon * model.window.targets

    def point(changed: Inputs) -> Any:
        whole = {**inputs, **changed}
        forecast, _ = model.unroll(
            _encode(model, whole), horizon=horizon, future=whole.get("future")
        )
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
    return inputs["states"] if "states" in inputs else _encode(model, inputs)


# Functions to compile, of a network and nested arrays: `inputs` has `past` with `observed` and
# `static`, or the arrays of `States` as `states`; and `future` if it is known.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "encode": _encode,
    # The arrays of `States` after the `new` steps, or after `values` of the targets, `[B, n, D]`.
    "update": lambda model, inputs: model.encoder.update(inputs["states"], inputs["new"]),
    "append": lambda model, inputs: model.append(inputs["states"], inputs["values"]),
    # The forecast, `[B, H, D]`, or its parameters, `[B, H, D, P]`.
    "predict": lambda model, inputs, *, horizon: _unrolled(model, inputs, horizon)[0],
    "block": _block,
    "paths": _paths,
    "trace_encoder": trace_encoder,
    "trace_decoder": _trace_decoder,
    "sensitivity": _sensitivity,
}


def written_steps(horizon: int, trained: int) -> int:
    """Return the number of steps that a program writes for a horizon, of which the first ones are the forecast.

    It is the trained horizon, halved or doubled several times: less than twice the horizon from
    `LEAST_STEPS` on. So a network has at most eight programs for all horizons up to 1,000.

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


def lengthened(values: npt.NDArray[Any], steps: int) -> npt.NDArray[Any]:
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
    return np.concatenate(
        [values, np.repeat(values[:, -1:], steps - values.shape[1], axis=1)], axis=1
    )


def row_count(inputs: Any) -> int:
    """Return the number of rows of nested arrays.

    Args:
        inputs: The arrays.
    """
    return len(keras.tree.flatten(inputs)[0])


def _filled(values: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Return values padded to a number of rows by copies of the last one, or by zeros."""
    last = values[-1:] if len(values) else np.zeros((1, *values.shape[1:]), np.float32)
    return np.concatenate([values, np.repeat(last, size - len(values), axis=0)])
