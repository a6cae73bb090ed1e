"""The built network, with its forecasts: one value, which an engine publishes by one assignment.

A decoder that reads none of its own outputs forecasts the parameters of each step. Another one
draws sample paths, each of which reads its own draws. So does a decoder beyond its trained horizon
if the states read its forecast.
"""

from __future__ import annotations

import functools
import gc
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqcast import network as networks
from seqcast.engine.compiled import CompiledNetwork, lengthened, row_count, written_steps
from seqcast.errors import DataError, SpecError
from seqcast.runtime import (
    Array,
    check_json,
    copies,
    digest,
    free_gaps,
    keras,
    to_numpy,
    weights_of,
)
from seqcast.specs import NetworkSpec, WindowSpec

Inputs = dict[str, Any]

# Default number of paths, and most paths at once, over all rows of a block.
PATHS = 100
MOST_PATHS = 8192
# Number of built networks between two searches for dropped ones, each of which takes a tenth of a
# second.
BETWEEN_SEARCHES = 16
# The arrays of states that grow with each block.
MEMORY = ("memory", "memory_valid")
_built = itertools.count(1)


def _free_dropped() -> None:
    """Free dropped networks and their memory, once in `BETWEEN_SEARCHES` built networks.

    Keras's layers refer to themselves, in the closures around their `build`. So a dropped network
    and its compiled programs stay in memory until the garbage collector looks for cycles: the more
    objects a process has, the less often.
    """
    if next(_built) % BETWEEN_SEARCHES == 0:
        gc.collect()
        free_gaps()


@dataclass(frozen=True)
class BuiltNetwork:
    """A network with its compiled programs.

    Forecasts take `inputs`: `past` `[N, T, F]` with `observed` and `static`, without gaps, or the
    arrays of `States` as `states`; and `future` `[N, H, F']` if the network reads it.

    Args:
        model: The network.
        compiled: Its compiled programs.
        seed: Seed of the network.
        micro_batches: Number of micro-batches of each batch of its training; `None` before a
            training.

    Example:
        >>> network = NetworkSpec(encoder_units=(4,), decoder_units=(4,))
        >>> window = WindowSpec(horizon=3, features=1, targets=1)
        >>> built = BuiltNetwork.build(window, network, seed=0)
        >>> rebuilt = BuiltNetwork.from_payload(*built.to_payload(), seed=0)
        >>> len(rebuilt.model.weights) == len(built.model.weights)
        True
        >>> rebuilt.point({"past": np.zeros((6, 5, 1), np.float32)}, 8).shape
        (6, 8, 1)
    """

    model: networks.Seq2Seq
    compiled: CompiledNetwork
    seed: int
    micro_batches: int | None = None

    @classmethod
    def build(
        cls,
        window: WindowSpec,
        network: NetworkSpec,
        *,
        seed: int,
        micro_batches: int | None = None,
    ) -> Self:
        """Create a network.

        Args:
            window: Sizes of a window.
            network: Options of the network.
            seed: Seed of weights, masks and sampling.
            micro_batches: As for the class.
        """
        _free_dropped()
        model = networks.Seq2Seq(window, network, seed=networks.child_seeds(seed, 2)[0])
        return cls(model, CompiledNetwork(model), seed, micro_batches)

    @property
    def window(self) -> WindowSpec:
        """Sizes of a window."""
        return self.model.window

    def copy(self) -> BuiltNetwork:
        """Return an independent copy of the network."""
        options = self.model.network
        network = BuiltNetwork.build(
            self.window, options, seed=self.seed, micro_batches=self.micro_batches
        )
        for variable, values in zip(
            network.model.variables, copies(self.model.variables), strict=True
        ):
            variable.assign(values)
        return network

    def to_payload(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return the payload of the network: JSON types and arrays."""
        specs = {"window": self.window.to_dict(), "built_network": self.model.network.to_dict()}
        return {**specs, "micro_batches": self.micro_batches}, {
            f"weight/{i}": values for i, values in enumerate(weights_of(self.model))
        }

    @classmethod
    def from_payload(
        cls, header: Mapping[str, Any], arrays: Mapping[str, Any], *, seed: int
    ) -> Self:
        """Build the network from the result of `to_payload`.

        Args:
            header: The JSON types.
            arrays: The arrays, in memory or in an open file; only names `weight/…` are read.
            seed: The seed.

        Raises:
            ValueError: The weights do not fit the network; checked before anything is built or
                read.
        """
        check_json(header["micro_batches"], int | None, "micro_batches")
        window = WindowSpec.from_dict(header["window"])
        network = NetworkSpec.from_dict(header["built_network"])
        weights = [values for name, values in arrays.items() if name.startswith("weight/")]
        check_weights(weights, window, network)
        read = [np.asarray(values) for values in weights]
        if not all(
            float(np.abs(values).max(initial=0.0)) < networks.LARGEST_WEIGHT for values in read
        ):
            raise ValueError(
                f"weights of {networks.LARGEST_WEIGHT:g} and more, which no training returns"
            )
        built = cls.build(window, network, seed=seed, micro_batches=header["micro_batches"])
        built.model.set_weights(read)
        return built

    @functools.cached_property
    def mark(self) -> str:
        """The mark of its states: a digest of the weights, the same in files and on any backend."""
        return digest(weights_of(self.model))

    def check_states(self, states: Any) -> networks.States:
        """Return states that this network has encoded, and reject everything else.

        Args:
            states: The user's states.

        Raises:
            DataError: They are no states, or those of other weights.
        """
        hint = "Encode the past with this network; every training changes it."
        if not isinstance(states, networks.States):
            raise DataError(
                "states",
                expected="states from encode",
                received=type(states).__name__,
                hint="Or call predict(X).",
            )
        widths = [tuple(int(state.shape[-1]) for state in layer) for layer in states.layers]
        if widths != list(self.model.encoder.stack.state_widths):
            raise DataError(
                "states",
                expected=f"layer states of widths {self.model.encoder.stack.state_widths}",
                received=str(widths),
                hint=hint,
            )
        if states.mark is None:
            raise DataError(
                "states",
                expected="states from encode",
                received="states without a mark",
                hint=(
                    "States that you change keep their mark in dataclasses.replace(states, "
                    "layers=...)."
                ),
            )
        if states.mark != self.mark:
            raise DataError(
                "states",
                expected="states that this network has encoded",
                received="states of other weights",
                hint=hint,
            )
        return states

    def states(self, inputs: Inputs) -> dict[str, Any]:
        """Return the arrays of the states: those in the inputs, or those after the past.

        Args:
            inputs: The inputs, see the class.
        """
        if "states" in inputs:
            return inputs["states"]  # type: ignore[no-any-return]
        past = {name: values for name, values in inputs.items() if name != "future"}
        return self.compiled.encode(past)

    def point(self, inputs: Inputs, horizon: int) -> Array:
        """Return the forecast of a point head, or the median of a distribution, `[N, H, D]`.

        Args:
            inputs: The inputs, see the class.
            horizon: Number of steps.
        """
        if self.model.network.is_probabilistic:
            return self.distribution(inputs, horizon, PATHS).median().astype(np.float32)
        return self._parameters(inputs, horizon)

    def distribution(
        self, inputs: Inputs, horizon: int, paths: int
    ) -> networks.Parametric | networks.Sampled:
        """Return a distribution.

        Args:
            inputs: The inputs, see the class.
            horizon: Number of steps.
            paths: Number of paths, if paths are drawn.

        Raises:
            SpecError: The head is a point head.
        """
        if not self.model.network.is_probabilistic:
            raise SpecError(
                "head",
                expected="a head that forecasts a distribution",
                received=repr(self.model.network.head),
                hint=(
                    "Fit with head='quantile', 'normal', 'student_t', 'negative_binomial' or "
                    "'log_normal'."
                ),
            )
        distribution = networks.distribution_of(self.model.network)
        if self.model.network.feeds_back or self._is_long(inputs, horizon):
            return networks.Sampled(self._paths(inputs, horizon, paths), whole=distribution.whole)
        return networks.Parametric(distribution, self._parameters(inputs, horizon))

    def attention(self, inputs: Inputs, horizon: int) -> Array:
        """Return the attention weights, `[N, H, tokens]`, of a forecast whose decoder reads points.

        Args:
            inputs: The inputs, see the class.
            horizon: Number of steps.
        """
        if self._is_long(inputs, horizon):
            return np.asarray(self._block_by_block(inputs, horizon)[1])
        longer, steps = self._lengthened(inputs, horizon)
        return self.compiled.block(longer, horizon=steps)["weights"][:, :horizon]

    def _parameters(self, inputs: Inputs, horizon: int) -> Array:
        if self._is_long(inputs, horizon):
            return self._block_by_block(inputs, horizon)[0]
        longer, steps = self._lengthened(inputs, horizon)
        return self.compiled.predict(longer, horizon=steps)[:, :horizon]

    def _lengthened(self, inputs: Inputs, horizon: int) -> tuple[Inputs, int]:
        """Return the inputs of a forecast in one block, and the steps that its program writes.

        The first steps of a longer forecast equal a shorter one, so horizons that differ little
        share a program.
        """
        networks.check_future(inputs.get("future"), horizon, self.window.future)
        steps = written_steps(horizon, self.window.horizon)
        if steps == horizon or "future" not in inputs:
            return inputs, steps
        return {**inputs, "future": lengthened(inputs["future"], steps)}, steps

    def _is_long(self, inputs: Inputs, horizon: int) -> bool:
        return self.model.writes_in_blocks(horizon, inputs.get("future"))

    def _block_by_block(
        self, inputs: Inputs, horizon: int, noise: Array | None = None
    ) -> tuple[Array, Any]:
        """Return the forecast, written block by block, and the attention weights.

        Each block reads the points of the one before. With noise, `[B, steps, D, k]`, the forecast
        is a draw, which later blocks read. All blocks have the length of the trained horizon, and
        steps beyond the forecast are cut, so that all take the same programs.
        """
        length = self.window.horizon
        along = {} if noise is None else {"noise": noise}
        if "future" in inputs:
            along["future"] = lengthened(inputs["future"], horizon + length)

        def decode(states: Any, start: int, steps: int) -> tuple[Any, Any]:
            block = {name: each[:, start : start + length] for name, each in along.items()}
            written = self.compiled.block(
                {"states": _with_free_memory(states), **block}, horizon=length
            )
            weights = written.get("weights")
            if weights is not None:
                weights = weights[:, :steps, : states["memory"].shape[1]]
            return written["forecast"][:, :steps], weights

        def append(states: Any, forecast: Any) -> Any:
            values = (
                to_numpy(self.model.decoder.head.point(forecast)) if noise is None else forecast
            )
            # The encoder goes on without its memory, whose growth would take a program for each
            # number of blocks.
            own = {name: each for name, each in states.items() if name not in MEMORY}
            after = self.compiled.append(own, values)
            memory = {
                name: np.concatenate([states[name], after[name]], axis=1)
                for name in MEMORY
                if name in states
            }
            return {**after, **memory}

        sizes = {"horizon": horizon, "trained": length, "segment": self.model.network.segment}
        return networks.write_in_blocks(decode, append, self.states(inputs), **sizes)

    def _paths(self, inputs: Inputs, horizon: int, paths: int) -> Array:
        """Draw sample paths, `[N, paths, H, D]`, from the same noise in all rows."""
        if self._is_long(inputs, horizon):
            return self._paths_in_blocks(inputs, horizon, paths)
        segment = self.model.network.segment
        longer, steps = self._lengthened(inputs, horizon)
        noise = self._noise(networks.token_count(steps, segment) * segment, paths)
        drawn = self.compiled.paths(
            longer, noise, horizon=steps, paths=paths, largest=MOST_PATHS // paths
        )
        return drawn[:, :, :horizon]

    def _paths_in_blocks(self, inputs: Inputs, horizon: int, paths: int) -> Array:
        """Draw paths, each from its own states, a few rows at a time."""
        own = {name: values for name, values in inputs.items() if name == "future"} | {
            "states": self.states(inputs)
        }
        rows = row_count(own)
        at_once = max(1, MOST_PATHS // paths)
        noise = np.moveaxis(self._noise(horizon + self.window.horizon, paths), 0, 1)
        drawn = [np.zeros((0, horizon, self.window.targets), np.float32)]
        for first in range(0, rows, at_once):
            some = slice(first, first + at_once)
            each_path = keras.tree.map_structure(
                lambda values, some=some: np.repeat(values[some], paths, axis=0), own
            )
            tiled = np.tile(noise, (row_count(each_path) // paths, 1, 1, 1))
            drawn.append(self._block_by_block(each_path, horizon, tiled)[0])
        return np.concatenate(drawn).reshape(rows, paths, horizon, self.window.targets)

    def _noise(self, steps: int, paths: int) -> Array:
        """Return the noise of draws, `[steps, paths, D, k]`."""
        head = self.model.decoder.head
        seed = networks.child_seeds(self.seed, 2)[1]
        numbers = networks.uniforms(
            seed, horizon=steps, paths=paths, targets=self.window.targets, count=head.uniforms
        )
        return np.asarray(head.noise(numbers), dtype=np.float32)


def _with_free_memory(states: Inputs) -> Inputs:
    """Return states whose memory has free places, which do not count, up to the next power of two.

    So the attention of few programs reads memories of any length.
    """
    if "memory" not in states:
        return states
    memory = states["memory"]
    tokens = memory.shape[1]
    valid = states.get("memory_valid", np.ones(memory.shape[:2], dtype=bool))
    free = (1 << (tokens - 1).bit_length()) - tokens
    return {
        **states,
        "memory": np.pad(memory, ((0, 0), (0, free), (0, 0))),
        "memory_valid": np.pad(valid, ((0, 0), (0, free))),
    }


def check_precision() -> None:
    """Reject weights of half precision."""
    policy = keras.config.dtype_policy()
    if policy.variable_dtype in ("float16", "bfloat16"):
        raise SpecError(
            "keras.config.dtype_policy()",
            expected="weights of float32 or float64",
            received=repr(policy.name),
            hint=(
                "Half precision rounds small updates away; 'mixed_bfloat16' keeps the weights in "
                "float32."
            ),
        )


def check_weights(weights: Sequence[Any], window: WindowSpec, network: NetworkSpec) -> None:
    """Reject arrays that are not the weights of a network, by their shapes and types.

    Args:
        weights: The arrays, in memory or in an open file.
        window: Sizes of a window.
        network: Options of the network.

    Example:
        >>> import numpy as np
        >>> window = WindowSpec(horizon=3, features=2, targets=1)
        >>> tiny = NetworkSpec(encoder_units=(4,))
        >>> check_weights([np.zeros((5, 12))] * 20, window, tiny)
        Traceback (most recent call last):
        ValueError: weight 0 of shape (5, 12) and type float64, but the network has (2, 12)
    """
    # Each layer has weights, and each column a number in them. More layers would take time even
    # without values.
    layers = len(network.encoder_units) + len(network.decoder_units)
    columns = window.features + window.targets + window.static + window.future
    numbers = sum(math.prod(values.shape) for values in weights)
    if layers > len(weights) or columns > numbers:
        raise ValueError(
            f"{layers} layers and {columns} columns, but only {len(weights)} weights of {numbers} "
            "numbers"
        )
    expected = networks.weight_shapes(window, network)
    for place, (values, shape) in enumerate(itertools.zip_longest(weights, expected)):
        if values is None or shape is None or values.shape != shape or values.dtype.kind != "f":
            given = "none" if values is None else f"shape {values.shape} and type {values.dtype}"
            raise ValueError(
                f"weight {place} of {given}, but the network has "
                f"{'none' if shape is None else shape}"
            )
