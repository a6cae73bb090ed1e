"""Layers of networks as operators of ONNX: dense layers, recurrent stacks, attention.

Arrays are those of ndonnx, which records what NumPy would compute. Operators that the array API
does not have come from spox, such as ONNX's own `GRU`, `LSTM` and `RNN`. These keep weights as
`[directions, gates · n, f]`, gates in an order of their own, and read sequences with the steps
first. `GRU` with `linear_before_reset=1` is Keras's with `reset_after=True`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seqcast.network import NO_SCORE, AdditiveAttention, Cell, MultiHeadAttention, RecurrentStack
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


class CellOperator(NamedTuple):
    """The operator of a cell.

    Args:
        run: The operator of ONNX.
        gates: The place of each of its gates among Keras's.
        attributes: Its attributes.
    """

    run: Callable[..., Any]
    gates: tuple[int, ...]
    attributes: Mapping[str, int]


# By the class of the cell. The gates of GRU are z, r, h in both, those of LSTM i, o, f, c in ONNX.
OPERATORS = {
    "GRUCell": CellOperator(op.gru, (0, 1, 2), {"linear_before_reset": 1}),
    "LSTMCell": CellOperator(op.lstm, (0, 3, 1, 2), {}),
    "SimpleRNNCell": CellOperator(op.rnn, (0,), {}),
}


def apply(operator: Callable[..., Any], *inputs: Array | None, **attributes: Any) -> Array:
    """Apply an operator of spox with one output to arrays.

    Args:
        operator: The operator.
        *inputs: Its inputs; `None` leaves one out.
        **attributes: Its attributes.
    """
    return ndx.asarray(
        operator(*(None if x is None else x.unwrap_spox() for x in inputs), **attributes)
    )


# The functions that follow are in the array API too. They need one operator in place of several of
# ndonnx, and write sizes that are known as constants.


def numbers(*values: int) -> Array:
    """Return whole numbers as a constant, `[n]`.

    Args:
        *values: The numbers.
    """
    return ndx.asarray(np.array(values, np.int64))


def length(x: Array, axis: int) -> int | Array:
    """Return the length of an axis: a number if it is known, otherwise an array, `[1]`.

    Args:
        x: The array.
        axis: The axis.
    """
    known = x.shape[axis]
    return apply(op.shape, x, start=axis, end=axis + 1) if known is None else known


def shape_of(*sizes: int | Array) -> Array:
    """Return a shape of lengths, `[axes]`.

    Args:
        *sizes: The lengths, each a number, or an array without axes or `[1]`.
    """
    if all(isinstance(size, int) for size in sizes):
        return ndx.asarray(np.array(sizes, np.int64))

    lengths = []
    for size in sizes:
        if isinstance(size, int):
            lengths.append(numbers(size))
        else:
            lengths.append(size if size.ndim else size[None])
    return ndx.concat(lengths)


def reshape(x: Array, *sizes: int | Array) -> Array:
    """Return an array in another shape.

    Args:
        x: The array.
        *sizes: Lengths of its axes; 0 is the length of the same axis of `x`, -1 is the rest.
    """
    return apply(op.reshape, x, shape_of(*sizes))


def expand(x: Array, *sizes: int | Array) -> Array:
    """Return an array repeated along axes of length 1.

    Args:
        x: The array.
        *sizes: Lengths of the axes; 1 is the length of the same axis of `x`.
    """
    return apply(op.expand, x, shape_of(*sizes))


def pad(
    x: Array,
    before: int | Array,
    after: int | Array = 0,
    *,
    edge: bool = False,
    value: Array | None = None,
) -> Array:
    """Lengthen the steps, `[B, T, f]`; by none they stay as they are.

    Args:
        x: The steps.
        before: Number of steps to put before them.
        after: Number of steps to put after them.
        edge: Whether the first and the last one are repeated.
        value: The value that is put there otherwise; `None` is 0.
    """
    if isinstance(before, int) and isinstance(after, int) and not (before or after):
        return x
    # Of batch, steps and features: those before, then those after.
    widths = (0, before, 0, 0, after, 0)
    return apply(op.pad, x, shape_of(*widths), value, mode="edge" if edge else "constant")


def entry(x: Array, place: int, axis: int) -> Array:
    """Return one entry of an axis, without the axis.

    Args:
        x: The array.
        place: The place of the entry.
        axis: The axis.
    """
    if x.shape[axis] == 1:
        return apply(op.squeeze, x, numbers(axis))
    return apply(op.gather, x, ndx.asarray(np.int64(place)), axis=axis)


def reduced(
    operator: Callable[..., Any], x: Array, axis: int = 1, *, keepdims: bool = True
) -> Array:
    """Return an array reduced along an axis.

    Args:
        operator: The operator.
        x: The array.
        axis: The axis.
        keepdims: Whether it stays, with the length 1.
    """
    return apply(operator, x, numbers(axis), keepdims=keepdims)


def over(x: Array, divisor: int) -> Array:
    """Return the whole quotient of whole numbers that are not below zero.

    Args:
        x: The numbers.
        divisor: The divisor.
    """
    return apply(op.div, x, ndx.asarray(np.int64(divisor)))


def steps_to(count: int | Array) -> Array:
    """Return the numbers of steps, `[count]`, from 0.

    Args:
        count: Their number; a number, or an array without axes.
    """
    return numbers(*range(count)) if isinstance(count, int) else ndx.arange(count, dtype=ndx.int64)


def dense(x: Array, layer: Any) -> Array:
    """Return `x W + b`, with weights in single precision.

    Args:
        x: Inputs of the layer, `[..., f]`.
        layer: A dense layer of Keras; its activation is left out.
    """
    return linear(
        x, to_numpy(layer.kernel.value), to_numpy(layer.bias.value) if layer.use_bias else None
    )


def linear(x: Array, kernel: Weights, bias: Weights | None = None) -> Array:
    """Return `x W + b` in single precision.

    Args:
        x: Inputs, `[..., f]`.
        kernel: `W`, `[f, n]`.
        bias: `b`, `[n]`.
    """
    # ndonnx's own product has a branch for each number of axes, with the weights in both.
    product = apply(op.matmul, x, ndx.asarray(kernel.astype(np.float32)))
    return product if bias is None else product + ndx.asarray(bias.astype(np.float32))


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

        self.operator = OPERATORS[type(self.layers[0][0]).__name__]
        self.weights = [
            [
                ndx.asarray(np.concatenate(each))
                for each in zip(
                    *(_weights(cell, self.operator.gates) for cell in layer), strict=True
                )
            ]
            for layer in self.layers
        ]

    def sequence(
        self, x: Array, initial_state: LayerStates | None = None, *, lengths: Array | None = None
    ) -> tuple[Array, LayerStates]:
        """Run all layers over time.

        Args:
            x: Inputs, `[B, T, f]`.
            initial_state: States before the first step, `[B, n]` each; zeros if absent.
            lengths: How many steps of each row count, the first ones, `[B]`; `None` is all.

        Returns:
            The last layer's outputs, `[B, T, n]`, and each layer's states after the last step.
        """
        lengths = None if lengths is None else ndx.astype(lengths, ndx.int32)
        outputs, after = self._run(ndx.permute_dims(x, (1, 0, 2)), initial_state, lengths)
        return ndx.permute_dims(outputs, (1, 0, 2)), after

    def without_input(self, steps: int | Array, states: LayerStates) -> Array:
        """Run layers without input, and return the last one's outputs, `[B, T, n]`.

        Args:
            steps: Number of steps, `T`.
            states: States before the first step.
        """
        # The operators want an input.
        zeros = expand(
            ndx.asarray(np.zeros((1, 1, 1), np.float32)), steps, length(states[0][0], 0), 1
        )
        return ndx.permute_dims(self._run(zeros, states)[0], (1, 0, 2))

    def step(self, x: Array, states: LayerStates) -> tuple[Array, LayerStates]:
        """Advance all layers by one step.

        Args:
            x: Input, `[B, f]`.
            states: States before it.

        Returns:
            The last layer's output, `[B, n]`, and the states after it.
        """
        _, after = self._run(x[None, ...], states)
        return after[-1][0], after

    def _run(
        self, x: Array, states: LayerStates | None, lengths: Array | None = None
    ) -> tuple[Array, LayerStates]:
        """Run all layers over inputs `[T, B, f]`, to outputs `[T, B, n]`."""
        after = LayerStates()
        for depth in range(len(self.layers)):
            x, last = self._layer(depth, x, None if states is None else states[depth], lengths)
            after.append(last)
        return x, after

    def _layer(
        self, depth: int, x: Array, states: tuple[Array, ...] | None, lengths: Array | None
    ) -> tuple[Array, tuple[Array, ...]]:
        """Run one layer over inputs `[T, B, f]`, to outputs `[T, B, n]` and states `[B, n]`."""
        cell = self.layers[depth][0]
        directions = len(self.layers[depth])
        inputs = [x, *self.weights[depth], lengths, *map(self._by_direction, states or ())]
        written = self.operator.run(
            *(None if each is None else each.unwrap_spox() for each in inputs),
            hidden_size=cell.units,
            direction="bidirectional" if self.bidirectional else "forward",
            **self.operator.attributes,
        )
        outputs, *last = map(ndx.asarray, written[: 1 + cell.state_count])

        if not self.bidirectional:
            return entry(outputs, 0, 1), tuple(entry(state, 0, 0) for state in last)

        width = directions * cell.units
        joined = reshape(ndx.permute_dims(outputs, (0, 2, 1, 3)), 0, 0, width)
        return joined, tuple(
            reshape(ndx.permute_dims(state, (1, 0, 2)), 0, width) for state in last
        )

    def _by_direction(self, state: Array) -> Array:
        """Return a state, `[B, directions · n]`, as the operators read it, `[directions, B, n]`."""
        if not self.bidirectional:
            return state[None, ...]
        return ndx.permute_dims(reshape(state, 0, 2, self.layers[0][0].units), (1, 0, 2))


def _weights(cell: Cell, order: Sequence[int]) -> tuple[Weights, Weights, Weights]:
    """Return a direction's weights for ONNX: `[1, g n, f]`, `[1, g n, n]` and `[1, 2 g n]`."""
    recurrent, bias = (to_numpy(weight.value) for weight in (cell.recurrent_kernel, cell.bias))
    # The operators want an input; of a cell without one it is a zero.
    kernel = (
        np.zeros((1, recurrent.shape[1]), np.float32)
        if cell.kernel is None
        else to_numpy(cell.kernel.value)
    )
    biases = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])

    def ordered(weight: Weights) -> Weights:
        gates = np.split(weight, cell.gates, axis=1)
        return np.concatenate([gates[place] for place in order], axis=1)

    kernel, recurrent, biases = (
        ordered(each).astype(np.float32) for each in (kernel, recurrent, biases)
    )
    return kernel.T[None], recurrent.T[None], biases.reshape(1, -1)


class AttentionLayer:
    """Attention to the encoder's outputs.

    Args:
        attention: The attention, one of those in `seqcast.export.network_file.WRITTEN`.
    """

    def __init__(self, attention: Any) -> None:
        self.attention = attention

    def prepare(self, memory: Array) -> tuple[Array, Array]:
        """Return keys and values of the memory, `[B, T, ·]`, computed once a forecast.

        Args:
            memory: The encoder's outputs, `[B, T, n]`.
        """
        attention = self.attention
        keys = memory if attention.key_map is None else dense(memory, attention.key_map)
        if isinstance(attention, MultiHeadAttention):
            return self._heads(keys), self._heads(dense(memory, attention.value_map))
        return keys, memory

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
            context = reshape(
                ndx.permute_dims(context, (0, 2, 1, 3)), 0, 0, self.attention.query_width
            )
        return ndx.tanh(dense(ndx.concat([context, query], axis=2), self.attention.join))

    def _scores(self, query: Array, keys: Array) -> Array:
        attention = self.attention
        if isinstance(attention, AdditiveAttention):
            mapped = dense(query, attention.query_map)[:, :, None, ...] + keys[:, None, ...]
            return entry(dense(ndx.tanh(mapped), attention.score_map), 0, 3)
        if isinstance(attention, MultiHeadAttention):
            scale = float(attention.query_width // attention.heads) ** -0.5
            query = self._heads(dense(query, attention.query_map)) * scale
        return apply(op.matmul, query, ndx.matrix_transpose(keys))

    def _heads(self, x: Array) -> Array:
        heads = self.attention.heads
        return ndx.permute_dims(
            reshape(x, 0, 0, heads, self.attention.query_width // heads), (0, 2, 1, 3)
        )
