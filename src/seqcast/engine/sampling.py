"""Points, distributions and sample paths of any horizon, out of a past or out of states.

A decoder that reads none of its own outputs says by parameters what each step is like. One that reads them draws
sample paths, each reading its own draws; so does one that goes beyond the trained horizon from states that have read
what it wrote.
"""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.engine.compiled import CompiledNetwork, row_count
from seqcast.errors import SpecError
from seqcast.network import Parametric, Sampled, Seq2Seq, distribution_of, token_count, uniforms, write_in_blocks
from seqcast.runtime import keras, to_numpy

Array = npt.NDArray[Any]
Inputs = dict[str, Any]

# Paths that are drawn when nothing else is said, and most of them at once, over all rows of a block.
PATHS = 100
MOST_PATHS = 8192


class Forecasts:
    """What a network forecasts.

    Each method takes `inputs`: `past` `[N, T, F]` and what comes with it, without gaps, or the parts of `States` as
    `states`; and `future` `[N, H, F']` where the network knows it.

    Args:
        model: A built network.
        seed: Seed of sample paths where a call brings none.
        like: Forecasts of a network of the same sizes and boxes, whose compiled programs serve this one too.

    Example:
        >>> from seqcast.specs.network import NetworkSpec
        >>> from seqcast.specs.window import WindowSpec
        >>> network = NetworkSpec(encoder_units=(4,), decoder_units=(4,), head="normal")
        >>> forecasts = Forecasts(Seq2Seq(WindowSpec(horizon=3, features=1, targets=1), network, seed=0), seed=0)
        >>> past = np.zeros((6, 5, 1), np.float32)
        >>> forecasts.point({"past": past}, 8).shape, forecasts.paths({"past": past}, 8, 20, None).shape
        ((6, 8, 1), (6, 20, 8, 1))
    """

    def __init__(self, model: Seq2Seq, *, seed: int, like: Forecasts | None = None) -> None:
        self.model = model
        self.seed = seed
        self.compiled: CompiledNetwork = CompiledNetwork(model, like=None if like is None else like.compiled)
        self._last_noise: tuple[tuple[int, ...], Array] | None = None

    def states(self, inputs: Inputs) -> dict[str, Any]:
        """Return the parts of the states among the inputs, or of those after the past."""
        if "states" in inputs:
            return inputs["states"]  # type: ignore[no-any-return]
        past = {name: values for name, values in inputs.items() if name != "future"}
        return self.compiled("encode", past)  # type: ignore[no-any-return]

    def point(self, inputs: Inputs, horizon: int) -> Array:
        """Return the forecast of a point head, or the median of a distribution, `[N, H, D]`."""
        if self.model.network.is_probabilistic:
            return self.distribution(inputs, horizon, PATHS, None).median().astype(np.float32)
        return self._parameters(inputs, horizon)

    def distribution(self, inputs: Inputs, horizon: int, paths: int, seed: Any) -> Parametric | Sampled:
        """Return a distribution, of so many paths if it takes paths; arguments as for `paths`."""
        self._check_probabilistic()
        distribution = distribution_of(self.model.network)
        if self.model.network.feeds_back or self._is_long(inputs, horizon):
            return Sampled(self.paths(inputs, horizon, paths, seed), whole=distribution.whole)
        return Parametric(distribution, self._parameters(inputs, horizon))

    def attention(self, inputs: Inputs, horizon: int) -> Array:
        """Return the attention's weights, `[N, H, tokens]`, of the forecast whose decoder reads points."""
        if self._is_long(inputs, horizon):
            return np.asarray(self._block_by_block(inputs, horizon)[1])
        return self.compiled("attention", inputs, horizon=horizon)  # type: ignore[no-any-return]

    def paths(self, inputs: Inputs, horizon: int, paths: int, seed: Any) -> Array:
        """Draw sample paths, `[N, paths, H, D]`.

        Args:
            inputs: What is known.
            horizon: Number of steps.
            paths: Number of paths.
            seed: One seed for all rows, one a row, or `None`.

        Raises:
            SpecError: The head is a point, or a seed is none.
        """
        self._check_probabilistic()
        rows = row_count(inputs)
        one = seed is None or isinstance(seed, numbers.Integral)
        seeds = _seeds(self.seed if seed is None else seed, 1 if one else rows)
        long = self._is_long(inputs, horizon)
        if not rows:
            return np.zeros((0, paths, horizon, self.model.window.targets), np.float32)
        if long:
            return self._paths_in_blocks(inputs, horizon, paths, seeds)
        steps = token_count(horizon, self.model.network.segment) * self.model.network.segment
        same = self._same_noise(int(seeds[0]), steps, paths) if one else None

        def ready(block: Inputs) -> Inputs:
            noise = self._noise(block["seeds"], steps, paths) if same is None else same
            return {**{name: values for name, values in block.items() if name != "seeds"}, "noise": noise}

        return self.compiled(  # type: ignore[no-any-return]
            "paths",
            inputs if one else {**inputs, "seeds": seeds},
            largest=MOST_PATHS // paths,
            ready=ready,
            horizon=horizon,
            paths=paths,
        )

    def _parameters(self, inputs: Inputs, horizon: int) -> Array:
        if self._is_long(inputs, horizon):
            return self._block_by_block(inputs, horizon)[0]
        return self.compiled("predict", inputs, horizon=horizon)  # type: ignore[no-any-return]

    def _is_long(self, inputs: Inputs, horizon: int) -> bool:
        return self.model.writes_in_blocks(horizon, inputs.get("future"))

    def _block_by_block(self, inputs: Inputs, horizon: int) -> tuple[Array, Any]:
        """Return the forecast, whose later blocks have read the points of earlier ones, and the attention's weights."""

        def decode(states: Any, start: int, steps: int) -> tuple[Any, Any]:
            block, length = self._block(states, inputs.get("future"), start, steps)
            written = self.compiled("block", block, horizon=length)
            weights = written.get("weights")
            return written["forecast"][:, :steps], None if weights is None else weights[:, :steps]

        def append(states: Any, forecast: Any) -> Any:
            values = to_numpy(self.model.decoder.head.point(forecast))
            return self.compiled("append", {"states": states, "values": values})

        return self._written(decode, append, self.states(inputs), horizon)

    def _paths_in_blocks(self, inputs: Inputs, horizon: int, paths: int, seeds: Array) -> Array:
        """Draw paths of which each goes on from a state of its own, a few rows at a time."""
        states, future, rows = self.states(inputs), inputs.get("future"), row_count(inputs)
        at_once = max(1, MOST_PATHS // paths)
        steps = horizon + self.model.window.horizon
        same = self._same_noise(int(seeds[0]), steps, paths) if len(seeds) == 1 else None
        parts = []
        for first in range(0, rows, at_once):
            part = slice(first, first + at_once)

            def each_path(values: Array, part: slice = part) -> Array:
                return np.repeat(values[part], paths, axis=0)

            noise = self._noise(seeds[part], steps, paths) if same is None else same
            known = None if future is None else each_path(future)
            part_states = keras.tree.map_structure(each_path, states)
            parts.append(self._continued(part_states, known, horizon, noise))
        drawn = np.concatenate(parts)
        return drawn.reshape(rows, paths, horizon, self.model.window.targets)

    def _continued(self, states: Any, future: Any, horizon: int, noise: Array) -> Array:
        """Draw one path a row of states, `[B, H, D]`, with noise `[steps, R, paths, D, k]`, `R` 1 or `B / paths`."""
        rows = row_count(states) // noise.shape[2]

        def of_rows(noise: Array) -> Array:
            spread = np.broadcast_to(noise, (len(noise), rows, *noise.shape[2:]))
            return np.moveaxis(spread.reshape(len(noise), -1, *noise.shape[3:]), 0, 1)

        def decode(states: Any, start: int, steps: int) -> tuple[Any, Any]:
            block, length = self._block(states, future, start, steps)
            block["noise"] = of_rows(noise[start : start + length])
            return self.compiled("draws", block, horizon=length)[:, :steps], None

        def append(states: Any, values: Any) -> Any:
            return self.compiled("append", {"states": states, "values": values})

        return self._written(decode, append, states, horizon)[0]

    def _block(self, states: Any, future: Any, start: int, steps: int) -> tuple[Inputs, int]:
        """Return what a block is written from, and its length.

        Without a known future the last block is written as long as the others, so that any horizon takes the same
        programs.
        """
        if future is None:
            return {"states": states}, self.model.window.horizon
        return {"states": states, "future": future[:, start : start + steps]}, steps

    def _written(self, decode: Any, append: Any, states: Any, horizon: int) -> tuple[Array, Any]:
        sizes = {"horizon": horizon, "trained": self.model.window.horizon, "segment": self.model.network.segment}
        return write_in_blocks(decode, append, states, **sizes)

    def _noise(self, seeds: Array, steps: int, paths: int) -> Array:
        """Return the numbers that draws of so many steps are made of, `[steps, len(seeds), paths, D, k]`."""
        head = self.model.decoder.head
        # A row that fills a block up, and another window of the same series, have the numbers of an earlier row.
        each, places = np.unique(seeds, return_inverse=True)
        drawn = uniforms(each, horizon=steps, paths=paths, targets=self.model.window.targets, count=head.uniforms)
        return np.asarray(head.noise(drawn), dtype=np.float32)[:, places]

    def _same_noise(self, seed: int, steps: int, paths: int) -> Array:
        """Return the noise of all rows; the last is cached, since one forecast after another asks for the same."""
        key, last = (seed, steps, paths), self._last_noise
        if last is None or last[0] != key:
            self._last_noise = last = (key, self._noise(np.array([seed]), steps, paths))
        return last[1]

    def _check_probabilistic(self) -> None:
        if not self.model.network.is_probabilistic:
            raise SpecError(
                "head",
                expected="one that forecasts a distribution",
                received=repr(self.model.network.head),
                hint="Fit with head='quantile', 'normal', 'student_t', 'negative_binomial' or 'log_normal'.",
            )


def _seeds(seeds: Any, rows: int) -> Array:
    """Return seeds as an array, `[rows]`, or refuse them."""
    array = np.atleast_1d(np.asarray(seeds))
    if array.shape != (rows,) or (rows and (array.dtype.kind not in "iu" or array.min() < 0)):
        raise SpecError(
            "seed",
            expected=f"a whole number >= 0, or one for each of the {rows} rows",
            received=repr(seeds),
            hint="Give one seed for all rows.",
        )
    return array
