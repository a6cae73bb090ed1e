"""Members of an ensemble in one program, or one after another? The gradient of a GRU layer over a batch, both ways.

    python benchmarks/stacked_members.py

The stacked program is the same kernel under `jax.vmap`, which makes one batched product of the members' products. One
core, medians of --repeats calls taken in turn, for some widths; more than 1 in the last column speaks for stacking.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ["SEQCAST_THREADS"] = "1"

import numpy as np

from seqcast.network.cells import GRUCell
from seqcast.network.jax_loops import FeaturesMajor
from seqcast.runtime.backend import keras
from seqcast.runtime.jit import jax_jit

import jax  # isort: skip  (after the backend was chosen)


def gradient(width: int, features: int) -> Callable[..., Any]:
    """Return the gradient, by a layer's weights, of the sum of its squared outputs."""
    cell = GRUCell(width, features)
    cell.build()

    def loss(weights: list[Any], x: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(cell.weights, weights, strict=True))):
            outputs, _ = FeaturesMajor().run(cell, x, (jax.numpy.zeros((width, x.shape[2])),))
        return (outputs**2).sum()

    return jax.grad(loss)


def milliseconds(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Return the median time of each call, taken in turn after one that compiles."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            jax.block_until_ready(call())
            if number:
                taken[name].append((time.perf_counter() - start) * 1000)
    return {name: statistics.median(values) for name, values in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=50)
    arguments = parser.parse_args()
    print("| width | one after another, ms | stacked, ms | one after another / stacked |\n|---|---|---|---|")
    for width in (8, 16, 35, 64, 128):
        function = gradient(width, width)
        single, stacked = jax_jit(function), jax_jit(jax.vmap(function))
        generator = np.random.default_rng(0)

        def drawn(*shape: int, generator: np.random.Generator = generator) -> Any:
            return jax.numpy.asarray(generator.normal(size=(arguments.members, *shape)).astype("float32"))

        weights = [drawn(width, 3 * width), drawn(width, 3 * width), drawn(2, 3 * width)]
        x = drawn(arguments.steps, width, arguments.batch)
        members = [([weight[k] for weight in weights], x[k]) for k in range(arguments.members)]
        calls = {
            "apart": lambda members=members, single=single: [single(*member) for member in members],
            "stacked": lambda weights=weights, x=x, stacked=stacked: stacked(weights, x),
        }
        taken = milliseconds(calls, arguments.repeats)
        ratio = taken["apart"] / taken["stacked"]
        print(f"| {width} | {taken['apart']:.2f} | {taken['stacked']:.2f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
