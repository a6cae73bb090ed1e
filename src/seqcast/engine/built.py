"""A network that is built, as one value: what an engine publishes by one assignment, and its JSON and arrays."""

from __future__ import annotations

import gc
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.engine.sampling import Forecasts
from seqcast.errors import SpecError
from seqcast.network import LARGEST_WEIGHT, Seq2Seq, child_seeds, weight_shapes
from seqcast.runtime import check_json, copies, keras, weights_of
from seqcast.specs import NetworkSpec, WindowSpec

Array = npt.NDArray[Any]

# Networks that are built from one search for dropped ones to the next, which takes a tenth of a second.
BETWEEN_SEARCHES = 16
_built = itertools.count(1)


def _free_dropped() -> None:
    """Free the networks that nobody holds any more, once in so many that are built.

    Keras's layers hold themselves, in the closures that it puts around their `build`. So a network that is dropped
    stays, with its compiled programs, until Python looks for such circles, which it does the more seldom the more
    objects a process has.
    """
    if next(_built) % BETWEEN_SEARCHES == 0:
        gc.collect()


@dataclass(frozen=True)
class BuiltNetwork:
    """A network with the sizes of its windows, and what it forecasts.

    Args:
        model: The network.
        forecasts: What it forecasts.
        seed: The seed it was built with.
        parts: How many parts each batch of its training was divided into; `None` before a training.

    Example:
        >>> network = NetworkSpec(encoder_units=(4,), decoder_units=(4,))
        >>> built = BuiltNetwork.build(WindowSpec(horizon=3, features=1, targets=1), network, seed=0)
        >>> rebuilt = BuiltNetwork.from_parts(*built.to_parts(), seed=0)
        >>> len(rebuilt.model.weights) == len(built.model.weights)
        True
    """

    model: Seq2Seq
    forecasts: Forecasts
    seed: int
    parts: int | None = None

    @classmethod
    def build(
        cls, window: WindowSpec, network: NetworkSpec, *, seed: int, parts: int | None = None, like: Self | None = None
    ) -> Self:
        """Create a network.

        Args:
            window: Sizes of a window.
            network: The network's boxes.
            seed: Seed of everything random.
            parts: As for the class.
            like: A network of the same sizes and boxes, whose compiled programs serve this one too.
        """
        _free_dropped()
        model_seed, paths_seed = child_seeds(seed, 2)
        model = Seq2Seq(window, network, seed=model_seed)
        forecasts = Forecasts(model, seed=paths_seed, like=None if like is None else like.forecasts)
        return cls(model, forecasts, seed, parts)

    @property
    def window(self) -> WindowSpec:
        """Sizes of a window."""
        return self.model.window

    def copy(self) -> BuiltNetwork:
        """Return a network of its own with the same weights and random generators, which shares compiled programs."""
        network = BuiltNetwork.build(self.window, self.model.network, seed=self.seed, parts=self.parts, like=self)
        for variable, values in zip(network.model.variables, copies(self.model.variables), strict=True):
            variable.assign(values)
        return network

    def to_parts(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return JSON types and arrays that hold the network."""
        header = {
            "window": self.window.to_dict(),
            "built_network": self.model.network.to_dict(),
            "parts": self.parts,
        }
        return header, {f"weight/{i}": values for i, values in enumerate(weights_of(self.model))}

    @classmethod
    def from_parts(cls, header: Mapping[str, Any], arrays: Mapping[str, Any], *, seed: int) -> Self:
        """Build the network from the result of `to_parts`.

        Args:
            header: The JSON types.
            arrays: The arrays, in memory or in an open file; other names than `weight/…` are not looked at.
            seed: The seed.

        Raises:
            ValueError: The weights are not those of the network. It is said before anything is built or read.
        """
        check_json(header["parts"], int | None, "parts")
        window, network = WindowSpec.from_dict(header["window"]), NetworkSpec.from_dict(header["built_network"])
        weights = [values for name, values in arrays.items() if name.startswith("weight/")]
        check_weights(weights, window, network)
        read = [np.asarray(values) for values in weights]
        if not all(float(np.abs(values).max(initial=0.0)) < LARGEST_WEIGHT for values in read):
            raise ValueError(f"weights of {LARGEST_WEIGHT:g} and more, which no training leaves")
        built = cls.build(window, network, seed=seed, parts=header["parts"])
        built.model.set_weights(read)
        return built


def check_precision() -> None:
    """Refuse weights of half precision."""
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
        >>> import numpy as np
        >>> window, tiny = WindowSpec(horizon=3, features=2, targets=1), NetworkSpec(encoder_units=(4,))
        >>> check_weights([np.zeros((5, 12))] * 20, window, tiny)
        Traceback (most recent call last):
        ValueError: weight 0 of shape (5, 12) and type float64, where the network has (2, 12)
    """
    # Each layer has weights, and each column a number in them. More would take time and memory even without values.
    layers = len(network.encoder_units) + len(network.decoder_units)
    columns = window.features + window.targets + window.static + window.future
    numbers = sum(math.prod(values.shape) for values in weights)
    if layers > len(weights) or columns > numbers:
        raise ValueError(
            f"{layers} layers and {columns} columns, where there are {len(weights)} weights of {numbers} numbers"
        )
    expected = weight_shapes(window, network)
    for place, (values, shape) in enumerate(itertools.zip_longest(weights, expected)):
        if values is None or shape is None or values.shape != shape or values.dtype.kind != "f":
            told = "none" if values is None else f"shape {values.shape} and type {values.dtype}"
            raise ValueError(f"weight {place} of {told}, where the network has {'none' if shape is None else shape}")
