"""Layers of networks as operators of ONNX: dense layers, recurrent stacks, attention.

Arrays are those of ndonnx, which records what NumPy would compute. Operators that the array API does not have come from
spox, such as ONNX's own `GRU`, `LSTM` and `RNN`. These keep weights as `[directions, gates · n, f]`, gates in an order
of their own, and read sequences with the steps first. `GRU` with `linear_before_reset=1` is Keras's with
`reset_after=True`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from seqcast.network import (
    NO_SCORE,
    AdditiveAttention,
    Attention,
    Cell,
    DotAttention,
    MultiHeadAttention,
    RecurrentStack,
)
from seqcast.runtime import require, to_numpy

if TYPE_CHECKING:
    import ndonnx
    from ndonnx import Array as Array
else:
    ndonnx = require("ndonnx", extra="onnx")
    Array = ndonnx.Array

ndx = ndonnx

Weights = npt.NDArray[Any]
LayerStates = list[tuple[Array, ...]]
# Of any type: the module does not list operators that have not changed since an older version.
op: Any = require("spox.opset.ai.onnx.v21", extra="onnx")

# Each operator and, of its gates in order, the place among Keras's: GRU is z, r, h in both, LSTM i, o, f, c.
OPERATORS: dict[str, tuple[Callable[..., Any], tuple[int, ...], dict[str, Any]]] = {
    "GRUCell": (op.gru, (0, 1, 2), {"linear_before_reset": 1}),
    "LSTMCell": (op.lstm, (0, 3, 1, 2), {}),
    "SimpleRNNCell": (op.rnn, (0,), {}),
}


def apply(operator: Callable[..., Any], *inputs: Array | None, **attributes: Any) -> Array:
    """Apply an operator of spox with one output to arrays.

    Args:
        operator: The operator.
        *inputs: What it reads; `None` leaves an input out.
        **attributes: Its attributes.
    """
    return ndx.asarray(operator(*(None if x is None else x.unwrap_spox() for x in inputs), **attributes))


def shape_of(*sizes: int | Array) -> Array:
    """Return a shape of lengths, each a number or an array without axes, `[axes]`.

    Args:
        *sizes: The lengths.
    """
    return ndx.concat([ndx.reshape(ndx.asarray(size, dtype=ndx.int64), (1,)) for size in sizes])


def dense(x: Array, layer: Any) -> Array:
    """Return `x W + b`, with weights in single precision, whatever they were trained in.

    Args:
        x: What the layer reads, `[..., f]`.
        layer: A dense layer of Keras; its activation is left out.
    """
    return linear(x, to_numpy(layer.kernel.value), to_numpy(layer.bias.value) if layer.use_bias else None)


def linear(x: Array, kernel: Weights, bias: Weights | None = None) -> Array:
    """Return `x W + b` in single precision.

    Args:
        x: What is multiplied, `[..., f]`.
        kernel: `W`, `[f, n]`.
        bias: `b`, `[n]`.
    """
    # ndonnx's own product has a branch for each number of axes, with the weights in both.
    product = apply(op.matmul, x, ndx.asarray(kernel.astype(np.float32)))
    return product if bias is None else product + ndx.asarray(bias.astype(np.float32))


def no_input(states: LayerStates, steps: int | Array) -> Array:
    """Return what layers without input read, `[B, T, 1]`: zeros, since the operators want an input.

    Args:
        states: States before the first step.
        steps: Number of steps, `T`.
    """
    zero = ndx.zeros((1, 1, 1), dtype=ndx.float32)
    return ndx.broadcast_to(zero, shape_of(states[0][0].dynamic_shape[0], steps, 1))


class Stack:
    """The layers of a `RecurrentStack`.

    Args:
        stack: The layers.
    """

    def __init__(self, stack: RecurrentStack) -> None:
        self.bidirectional = stack.bidirectional
        self.layers = [[cell] for cell in stack.layers_forward]
        for layer, backward in zip(self.layers, stack.layers_backward, strict=False):
            layer.append(backward)
        self.operator, order, self.attributes = OPERATORS[type(self.layers[0][0]).__name__]
        self.weights = [
            [np.concatenate(each) for each in zip(*(_weights(cell, order) for cell in layer), strict=True)]
            for layer in self.layers
        ]

    def sequence(
        self,
        x: Array,
        initial_state: LayerStates | None = None,
        *,
        lengths: Array | None = None,
    ) -> tuple[Array, LayerStates]:
        """Run all layers over time.

        Args:
            x: Inputs, `[B, T, f]`; those of `no_input` for layers without input.
            initial_state: States before the first step, `[B, n]` each; zeros if absent.
            lengths: How many steps of each row count, the first ones, `[B]`; `None` is all.

        Returns:
            The last layer's outputs, `[B, T, n]`, and each layer's states after the last step.
        """
        x, after = ndx.permute_dims(x, (1, 0, 2)), LayerStates()
        for depth in range(len(self.layers)):
            x, last = self._layer(depth, x, None if initial_state is None else initial_state[depth], lengths)
            after.append(last)
        return ndx.permute_dims(x, (1, 0, 2)), after

    def step(self, x: Array, states: LayerStates) -> tuple[Array, LayerStates]:
        """Advance all layers by one step.

        Args:
            x: Input, `[B, f]`.
            states: States before it.

        Returns:
            The last layer's output, `[B, n]`, and the states after it.
        """
        _, after = self.sequence(x[:, None, ...], states)
        return after[-1][0], after

    def _layer(
        self, depth: int, x: Array, states: tuple[Array, ...] | None, lengths: Array | None
    ) -> tuple[Array, tuple[Array, ...]]:
        """Run one layer over inputs `[T, B, f]`, to outputs `[T, B, n]` and states `[B, n]`."""
        cell, directions = self.layers[depth][0], len(self.layers[depth])
        inputs = [x, *map(ndx.asarray, self.weights[depth]), lengths, *map(self._by_direction, states or ())]
        outputs, *last = map(
            ndx.asarray,
            self.operator(
                *(None if each is None else each.unwrap_spox() for each in inputs),
                hidden_size=cell.units,
                direction="bidirectional" if self.bidirectional else "forward",
                **self.attributes,
            )[: 1 + cell.state_count],
        )
        if not self.bidirectional:
            return outputs[:, 0, ...], tuple(state[0, ...] for state in last)
        width = directions * cell.units
        sizes = outputs.dynamic_shape
        joined = ndx.reshape(ndx.permute_dims(outputs, (0, 2, 1, 3)), shape_of(sizes[0], sizes[2], width))
        return joined, tuple(ndx.reshape(ndx.permute_dims(state, (1, 0, 2)), (-1, width)) for state in last)

    def _by_direction(self, state: Array) -> Array:
        """Return a state, `[B, directions · n]`, as the operators read it, `[directions, B, n]`."""
        if not self.bidirectional:
            return state[None, ...]
        units = self.layers[0][0].units
        return ndx.permute_dims(ndx.reshape(state, (-1, 2, units)), (1, 0, 2))


def _weights(cell: Cell, order: Sequence[int]) -> tuple[Weights, Weights, Weights]:
    """Return the weights of one direction as ONNX keeps them: `[1, g n, f]`, `[1, g n, n]` and `[1, 2 g n]`."""
    recurrent, bias = (to_numpy(weight.value) for weight in (cell.recurrent_kernel, cell.bias))
    # The operators want an input; of a cell without one it is a zero.
    kernel = np.zeros((1, recurrent.shape[1]), np.float32) if cell.kernel is None else to_numpy(cell.kernel.value)
    biases = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])

    def ordered(weight: Weights) -> Weights:
        gates = np.split(weight, cell.gates, axis=1)
        return np.concatenate([gates[place] for place in order], axis=1)

    kernel, recurrent, biases = (ordered(each).astype(np.float32) for each in (kernel, recurrent, biases))
    return kernel.T[None], recurrent.T[None], biases.reshape(1, -1)


class AttentionLayer:
    """Attention to the encoder's outputs.

    Args:
        attention: The attention.
    """

    def __init__(self, attention: Attention) -> None:
        self.attention = attention

    def prepare(self, memory: Array) -> tuple[Array, Array]:
        """Return keys and values of the memory, `[B, T, ·]`, computed once a forecast.

        Args:
            memory: The encoder's outputs, `[B, T, n]`.
        """
        attention = self.attention
        if isinstance(attention, MultiHeadAttention):
            return self._heads(dense(memory, attention.key_map)), self._heads(dense(memory, attention.value_map))
        if isinstance(attention, AdditiveAttention | DotAttention) and attention.key_map is not None:
            return dense(memory, attention.key_map), memory
        return memory, memory

    def __call__(self, query: Array, prepared: tuple[Array, Array], valid: Array | None) -> Array:
        """Return the decoder's outputs with their context, `[B, H, n]`.

        Args:
            query: Decoder outputs, `[B, H, n]`.
            prepared: Keys and values, as `prepare` returned them.
            valid: Which steps of the memory count, `[B, T]`.
        """
        keys, values = prepared
        scores = self._scores(query, keys)
        multi_head = isinstance(self.attention, MultiHeadAttention)
        if valid is not None:
            valid = valid[:, None, None, ...] if multi_head else valid[:, None, ...]
            scores = ndx.where(valid, scores, NO_SCORE)
        context = apply(op.matmul, apply(op.softmax, scores, axis=-1), values)
        if multi_head:
            sizes = query.dynamic_shape
            context = ndx.reshape(ndx.permute_dims(context, (0, 2, 1, 3)), shape_of(sizes[0], sizes[1], -1))
        return ndx.tanh(dense(ndx.concat([context, query], axis=2), self.attention.join))

    def _scores(self, query: Array, keys: Array) -> Array:
        attention = self.attention
        if isinstance(attention, AdditiveAttention):
            mapped = dense(query, attention.query_map)[:, :, None, ...] + keys[:, None, ...]
            return dense(ndx.tanh(mapped), attention.score_map)[..., 0]
        if isinstance(attention, MultiHeadAttention):
            scale = float(attention.query_width // attention.heads) ** -0.5
            query = self._heads(dense(query, attention.query_map)) * scale
        return apply(op.matmul, query, ndx.matrix_transpose(keys))

    def _heads(self, x: Array) -> Array:
        heads, sizes = self.attention.heads, x.dynamic_shape
        split = ndx.reshape(x, shape_of(sizes[0], sizes[1], heads, self.attention.query_width // heads))
        return ndx.permute_dims(split, (0, 2, 1, 3))
