"""Recurrent layers by ONNX's own operators: `GRU`, `LSTM` and `RNN`.

ONNX keeps weights as `[directions, gates · n, f]`, gates in an order of its own, and reads sequences with the steps
first. Its `GRU` with `linear_before_reset=1` is Keras's with `reset_after=True`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.export.graph import Graph
from seqcast.network import Cell, RecurrentStack
from seqcast.runtime import to_numpy

Array = npt.NDArray[Any]
LayerStates = list[tuple[str, ...]]

# Each operator and, of its gates in order, the place among Keras's: GRU is z, r, h in both, LSTM i, o, f, c.
OPERATORS: dict[str, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    "GRUCell": ("GRU", (0, 1, 2), {"linear_before_reset": 1}),
    "LSTMCell": ("LSTM", (0, 3, 1, 2), {}),
    "SimpleRNNCell": ("RNN", (0,), {}),
}


class Stack:
    """The layers of a `RecurrentStack`.

    Args:
        graph: The graph.
        stack: The layers.
        name: What their nodes are called.
    """

    def __init__(self, graph: Graph, stack: RecurrentStack, name: str) -> None:
        self.graph = graph
        self.name = name
        self.bidirectional = stack.bidirectional
        self.layers = [[cell] for cell in stack.layers_forward]
        for layer, backward in zip(self.layers, stack.layers_backward, strict=False):
            layer.append(backward)
        self.operator, order, self.attributes = OPERATORS[type(self.layers[0][0]).__name__]
        self.weights = [
            tuple(np.concatenate(each) for each in zip(*(_weights(cell, order) for cell in layer), strict=True))
            for layer in self.layers
        ]

    def within(self, graph: Graph) -> Stack:
        """Return the same layers in another graph, the body of a loop."""
        stack = copy.copy(self)
        stack.graph = graph
        return stack

    def sequence(
        self,
        x: str | None,
        *,
        initial_state: LayerStates | None = None,
        lengths: str | None = None,
        steps: int | str | None = None,
    ) -> tuple[str, LayerStates]:
        """Run all layers over time.

        Args:
            x: Inputs, `[B, T, f]`, or `None` for layers without input.
            initial_state: States before the first step, `[B, n]` each; zeros if absent.
            lengths: How many steps of each row count, the first ones, `[B]`; `None` is all.
            steps: Number of steps, for layers without input.

        Returns:
            The last layer's outputs, `[B, T, n]`, and each layer's states after the last step.
        """
        g, after = self.graph, LayerStates()
        with g.scope(self.name):
            if x is None:
                assert initial_state is not None
                assert steps is not None
                batch = g.size(initial_state[0][0], 0)
                x = g.expand(np.zeros((1, 1, 1), np.float32), g.dims(steps, batch, 1))
            else:
                x = g.transpose(x, 1, 0, 2)
            for depth in range(len(self.layers)):
                x, last = self._layer(depth, x, None if initial_state is None else initial_state[depth], lengths)
                after.append(last)
            return g.transpose(x, 1, 0, 2), after

    def step(self, x: str | None, states: LayerStates) -> tuple[str, LayerStates]:
        """Advance all layers by one step.

        Args:
            x: Input, `[B, f]`, or `None` for layers without input.
            states: States before it.

        Returns:
            The last layer's output, `[B, n]`, and the states after it.
        """
        sequence = None if x is None else self.graph.unsqueeze(x, 1)
        _, after = self.sequence(sequence, initial_state=states, steps=1)
        return after[-1][0], after

    def _layer(
        self, depth: int, x: str, states: tuple[str, ...] | None, lengths: str | None
    ) -> tuple[str, tuple[str, ...]]:
        """Run one layer over inputs `[T, B, f]`, to outputs `[T, B, n]` and states `[B, n]`."""
        g, cell, directions = self.graph, self.layers[depth][0], len(self.layers[depth])
        before = ["" if states is None else self._by_direction(state) for state in states or ("",) * cell.state_count]
        outputs, *last = g.several(
            self.operator,
            1 + cell.state_count,
            x,
            *self.weights[depth],
            lengths or "",
            *before,
            hidden_size=cell.units,
            direction="bidirectional" if self.bidirectional else "forward",
            **self.attributes,
        )
        if not self.bidirectional:
            return g.squeeze(outputs, 1), tuple(g.squeeze(state, 0) for state in last)
        width = directions * cell.units
        joined = g.reshape(g.transpose(outputs, 0, 2, 1, 3), (0, 0, width))
        return joined, tuple(g.reshape(g.transpose(state, 1, 0, 2), (0, width)) for state in last)

    def _by_direction(self, state: str) -> str:
        """Return a state, `[B, directions · n]`, as the operators read it, `[directions, B, n]`."""
        g = self.graph
        if not self.bidirectional:
            return g.unsqueeze(state, 0)
        return g.transpose(g.reshape(state, (0, 2, -1)), 1, 0, 2)


def _weights(cell: Cell, order: Sequence[int]) -> tuple[Array, Array, Array]:
    """Return the weights of one direction as ONNX keeps them: `[1, g n, f]`, `[1, g n, n]` and `[1, 2 g n]`."""
    recurrent, bias = (to_numpy(weight.value) for weight in (cell.recurrent_kernel, cell.bias))
    # The operators want an input; of a cell without one it is a zero.
    kernel = np.zeros((1, recurrent.shape[1]), np.float32) if cell.kernel is None else to_numpy(cell.kernel.value)
    biases = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])

    def ordered(weight: Array) -> Array:
        gates = np.split(weight, cell.gates, axis=1)
        return np.concatenate([gates[place] for place in order], axis=1)

    kernel, recurrent, biases = (ordered(each).astype(np.float32) for each in (kernel, recurrent, biases))
    return kernel.T[None], recurrent.T[None], biases.reshape(1, -1)
