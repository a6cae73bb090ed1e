r"""Recurrent layers over time for JAX on a CPU, with gradients written by hand.

The weights and the maths are those of Keras's `GRU` (`reset_after=True`), `LSTM` and `SimpleRNN`,
in another order of computation. Four choices make it fast, each shown by measurement
(`benchmarks/speed.py`, docs/benchmarks.md):

- **Features-major**: states are `[n, B]`, sequences `[T, n, B]`. A product `U h` then reads both
  operands in their order in memory, and every gate is a contiguous block. A stack is transposed
  once before and once after its layers.
- **The contribution of the input is computed inside the loop.** It costs the same products there,
  and no array of gates goes through memory.
- **The gradient is written by hand.** The forward loop stores only the values that the backward
  loop needs; automatic differentiation of a loop stores every intermediate.
- **Weight gradients are summed in the backward loop**, one product for all gates a step. As batched
  products after the loop they are equally fast for narrow layers and several times slower for wide
  ones. The gates' gradients of all steps would have to stay in memory for them.

In a training the saved values are rounded to the 16 bits of bfloat16: they go through memory, which
is slower than the arithmetic. Gradients then differ by a few thousandths of the largest.

With `d` for gradients, a layer's backward step takes the gradient of its new states and returns the
gradients of the gates before their activation: `D` for the input (`dW += D x^T`, `dx = W^T D`), and
`E` for the state (`dU += E h^T`, `dh += U^T E`). They differ only for a GRU, whose reset gate
scales `h U_g`.

Sources: Cho et al. 2014, arXiv:1406.1078; Hochreiter and Schmidhuber 1997; Werbos 1990,
Backpropagation through time, section II, for the gradients.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seqcast.network.cells import Cell, GRUCell, LSTMCell, SimpleRNNCell

Array = Any
Arrays = tuple[Array, ...]


class Recurrence(NamedTuple):
    """One step of a kind of layer, and its gradient.

    Args:
        forward: Takes the contributions of the input and of the state to each gate, `[n, B]` each,
            and the states before. Returns the states after, and the saved values for the backward
            step.
        backward: Takes the gradients of the states after, the states before and the saved values.
            Returns the gradients of the states before, without those through the gates, and those
            of the gates, `D` and `E`.
    """

    forward: Callable[[Sequence[Array], Sequence[Array], Arrays], tuple[Arrays, Arrays]]
    backward: Callable[[Arrays, Arrays, Arrays], tuple[Arrays, Arrays, Arrays]]


def _sigmoid(x: Array) -> Array:
    # XLA computes a tanh faster than an exponential and a division.
    return 0.5 * jnp.tanh(0.5 * x) + 0.5


def _gru(x: Sequence[Array], u: Sequence[Array], states: Arrays) -> tuple[Arrays, Arrays]:
    (h,) = states
    z = _sigmoid(x[0] + u[0])
    r = _sigmoid(x[1] + u[1])
    g = jnp.tanh(x[2] + r * u[2])
    return (g + z * (h - g),), (z, r, g, u[2])


def _gru_gradient(
    gradients: Arrays, before: Arrays, saved: Arrays
) -> tuple[Arrays, Arrays, Arrays]:
    (dh,) = gradients
    (h,) = before
    (z, r, g, q) = saved
    d_z = dh * (h - g) * z * (1 - z)
    d_g = dh * (1 - z) * (1 - g * g)
    d_r = d_g * q * r * (1 - r)
    return (dh * z,), (d_z, d_r, d_g), (d_z, d_r, d_g * r)


def _lstm(x: Sequence[Array], u: Sequence[Array], states: Arrays) -> tuple[Arrays, Arrays]:
    a_i, a_f, a_g, a_o = (x_k + u_k for x_k, u_k in zip(x, u, strict=True))
    i = _sigmoid(a_i)
    f = _sigmoid(a_f)
    g = jnp.tanh(a_g)
    o = _sigmoid(a_o)
    cell = f * states[1] + i * g
    t = jnp.tanh(cell)
    return (o * t, cell), (i, f, g, o, t)


def _lstm_gradient(
    gradients: Arrays, before: Arrays, saved: Arrays
) -> tuple[Arrays, Arrays, Arrays]:
    (dh, dc) = gradients
    (h, c) = before
    (i, f, g, o, t) = saved
    dc = dc + dh * o * (1 - t * t)
    d_i = dc * g * i * (1 - i)
    d_f = dc * c * f * (1 - f)
    d_g = dc * i * (1 - g * g)
    d_o = dh * t * o * (1 - o)
    d = (d_i, d_f, d_g, d_o)
    return (jnp.zeros_like(h), dc * f), d, d


def _simple_rnn(x: Sequence[Array], u: Sequence[Array], _states: Arrays) -> tuple[Arrays, Arrays]:
    h = jnp.tanh(x[0] + u[0])
    return (h,), (h,)


def _simple_rnn_gradient(
    gradients: Arrays, before: Arrays, saved: Arrays
) -> tuple[Arrays, Arrays, Arrays]:
    (dh,) = gradients
    (h,) = saved
    d = (dh * (1 - h * h),)
    return (jnp.zeros_like(before[0]),), d, d


RECURRENCES: dict[type[Cell], Recurrence] = {
    GRUCell: Recurrence(_gru, _gru_gradient),
    LSTMCell: Recurrence(_lstm, _lstm_gradient),
    SimpleRNNCell: Recurrence(_simple_rnn, _simple_rnn_gradient),
}


@dataclass(frozen=True)
class _Loop:
    """Options of a layer's loop; hashable, so that it can be a static argument.

    Args:
        recurrence: The kind of layer.
        length: Number of steps, for a layer without input.
        reverse: Whether to run from the last step to the first.
        rounded: Whether saved values have 16 bits.
    """

    recurrence: Recurrence
    length: int | None
    reverse: bool
    rounded: bool

    def packed(self, saved: Array) -> Array:
        """Return saved values, in any tuples, as they are stored.

        Numbers of 16 bits are stored as whole numbers, since XLA computes the type bfloat16 slowly.
        """
        return jax.tree.map(_to_16_bits, saved) if self.rounded else saved


def _to_16_bits(values: Array) -> Array:
    """Return numbers of single precision as the bits of the nearest bfloat16; others unchanged."""
    if values.dtype != jnp.float32:
        return values

    bits = jax.lax.bitcast_convert_type(values, jnp.uint32)
    return ((bits + jnp.uint32(1 << 15)) >> 16).astype(jnp.uint16)


def _unpacked(saved: Array) -> Array:
    """Return stored values as numbers."""
    return jax.tree.map(_from_16_bits, saved)


def _from_16_bits(stored: Array) -> Array:
    """Undo `_to_16_bits`."""
    if stored.dtype != jnp.uint16:
        return stored
    return jax.lax.bitcast_convert_type(stored.astype(jnp.uint32) << 16, jnp.float32)


class _Weights(NamedTuple):
    """A layer's weights, features-major.

    Args:
        kernel: `[gates * n, f]`; `None` for a layer without input.
        recurrent: `[gates * n, n]`.
        bias: `[gates * n, 1]`.
        second_bias: The bias of the state, or `None`.
    """

    kernel: Array | None
    recurrent: Array
    bias: Array
    second_bias: Array | None

    @property
    def gates(self) -> int:
        """Number of gates."""
        return int(self.recurrent.shape[0] // self.recurrent.shape[1])


def _step(
    recurrence: Recurrence, weights: _Weights, x: Array | None, before: Arrays
) -> tuple[Arrays, Arrays]:
    """Return the states after a step and the saved values for the backward step."""
    from_input = weights.bias if x is None else weights.kernel @ x + weights.bias
    from_state = weights.recurrent @ before[0]
    if weights.second_bias is not None:
        from_state = from_state + weights.second_bias
    gates = weights.gates
    return recurrence.forward(jnp.split(from_input, gates), jnp.split(from_state, gates), before)


class _Sums(NamedTuple):
    """Sums from which the gradients of a layer's weights are made.

    Args:
        kernel: Those of the kernel, or `None`.
        recurrent: Those of the recurrent kernel, and in the last column of the bias of the state,
            `[gates * n, n + 1]`.
        own: Those of the bias of the input, `[n, 1]` a gate; `None` where it has the gradient of
            the state's.
    """

    kernel: Array | None
    recurrent: Array
    own: tuple[Array | None, ...]


class _Backward:
    """The backward step: gradients of the states before, of the input, and of the weights."""

    def __init__(self, recurrence: Recurrence, weights: _Weights) -> None:
        self.recurrence = recurrence
        self.gates = weights.gates
        # XLA computes a block of gates as one array, and one block of four gates much more slowly
        # than two of two.
        self.blocks = 2 if self.gates == 4 else 1
        self.kernel_t = None
        if weights.kernel is not None:
            self.kernel_t = jnp.split(weights.kernel.T, self.blocks, axis=1)
        self.recurrent_t = jnp.split(weights.recurrent.T, self.blocks, axis=1)
        self.has_second_bias = weights.second_bias is not None
        # Sums over thousands of products need at least single precision.
        self.exact = jnp.promote_types(weights.recurrent.dtype, jnp.float32)

    def step(
        self,
        d_states: Arrays,
        x: Array | None,
        valid: Array | None,
        with_ones: Array,
        others: Arrays,
        saved: Arrays,
    ) -> tuple[Arrays, Array | None, _Sums]:
        """Return the gradients of the states before and of `x`, and the sums.

        They follow from `d_states`, the gradients of the states after. The first state before comes
        with a row of ones, so that one product sums the rows of gates as well: XLA adds the numbers
        of a row one after another.
        """
        before = (with_ones[:-1], *others)
        through = d_states
        if valid is not None:
            through = tuple(jnp.where(valid, d, 0) for d in d_states)
        direct, d_gates, e_gates = self.recurrence.backward(through, before, saved)
        d = self._in_blocks(d_gates)
        e = d if e_gates is d_gates else self._in_blocks(e_gates)
        if valid is not None:
            pairs = zip(direct, d_states, strict=True)
            direct = tuple(jnp.where(valid, new, old) for new, old in pairs)

        d_x = None if self.kernel_t is None else _products(self.kernel_t, d)
        if x is None:
            sums = self._sums_without_input(d_gates, e_gates, e, with_ones)
        else:
            sums = self._sums_with_input(d, e, x, with_ones)
        return (direct[0] + _products(self.recurrent_t, e), *direct[1:]), d_x, sums

    def _sums_with_input(self, d: list[Array], e: list[Array], x: Array, with_ones: Array) -> _Sums:
        """Return the sums of a layer with input."""
        if e is d:
            # Gates have one gradient: one product for both kernels.
            both = self._outer(d, jnp.concatenate([x, with_ones]))
            return _Sums(both[:, : len(x)], both[:, len(x) :], (None,) * self.gates)
        of_input = self._outer(d, _with_ones(x))
        own = tuple(jnp.split(of_input[:, -1:], self.gates))
        return _Sums(of_input[:, :-1], self._outer(e, with_ones), own)

    def _sums_without_input(
        self, d_gates: Arrays, e_gates: Arrays, e: list[Array], with_ones: Array
    ) -> _Sums:
        """Return the sums of a layer without input."""
        own = tuple(
            None if of_input is of_state else of_input.sum(1, keepdims=True, dtype=self.exact)
            for of_input, of_state in zip(d_gates, e_gates, strict=True)
        )
        return _Sums(None, self._outer(e, with_ones), own)

    def weights(self, sums: _Sums) -> _Weights:
        """Return the gradients of the weights."""
        of_state = jnp.split(sums.recurrent[:, -1:], self.gates)
        of_input = [
            other if bias is None else bias for bias, other in zip(sums.own, of_state, strict=True)
        ]
        second = sums.recurrent[:, -1:] if self.has_second_bias else None
        return _Weights(sums.kernel, sums.recurrent[:, :-1], jnp.concatenate(of_input), second)

    def _in_blocks(self, gates: Arrays) -> list[Array]:
        size = len(gates) // self.blocks
        blocks = [gates[first : first + size] for first in range(0, len(gates), size)]
        return [jnp.concatenate(block) if size > 1 else block[0] for block in blocks]

    def _outer(self, blocks: Sequence[Array], h: Array) -> Array:
        along = (((1,), (1,)), ((), ()))
        products = [
            jax.lax.dot_general(d, h, along, preferred_element_type=self.exact) for d in blocks
        ]
        return jnp.concatenate(products)


def _with_ones(states: Array) -> Array:
    """Return states, `[n, B]`, with a row of ones."""
    return jnp.concatenate([states, jnp.ones_like(states[:1])])


def _products(weights: Sequence[Array], blocks: Sequence[Array]) -> Array:
    return sum(w @ d for w, d in zip(weights, blocks, strict=True))


def _as(weights: _Weights, sums: _Weights) -> _Weights:
    """Return gradients in the types of the weights."""
    return _Weights(*jax.tree.map(lambda w, s: s.astype(w.dtype), weights, sums))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _single(recurrence: Recurrence, weights: _Weights, x: Array | None, before: Arrays) -> Arrays:
    """A single step with a gradient by hand, for other loops."""
    return _step(recurrence, weights, x, before)[0]


def _single_forward(
    recurrence: Recurrence, weights: _Weights, x: Array | None, before: Arrays
) -> tuple[Arrays, Array]:
    after, saved = _step(recurrence, weights, x, before)
    return after, (weights, x, before, saved)


def _single_backward(
    recurrence: Recurrence, residuals: Array, d_states: Arrays
) -> tuple[_Weights, Array | None, Arrays]:
    weights, x, before, saved = residuals
    backward = _Backward(recurrence, weights)
    with_ones = _with_ones(before[0])
    d_before, d_x, sums = backward.step(
        d_states, x, None, with_ones=with_ones, others=before[1:], saved=saved
    )
    return _as(weights, backward.weights(sums)), d_x, d_before


_single.defvjp(_single_forward, _single_backward)


def _forward(
    loop: _Loop, x: Array | None, states: Arrays, weights: _Weights, valid: Array | None, keep: bool
) -> tuple[tuple[Array, Arrays], Array]:
    """Run the loop; with `keep` also return the saved values of each step for the backward loop."""

    def step(before: Arrays, at: Array) -> tuple[Arrays, Array]:
        x_t, valid_t = at
        after, saved = _step(loop.recurrence, weights, x_t, before)
        if valid_t is not None:
            pairs = zip(after, before, strict=True)
            after = tuple(jnp.where(valid_t, new, old) for new, old in pairs)
        # The first state before a step is the output of the step before, which is stored already.
        return after, (after[0], loop.packed((before[1:], saved)) if keep else None)

    last, (outputs, saved) = jax.lax.scan(
        step, states, (x, valid), length=loop.length, reverse=loop.reverse
    )
    return (outputs, last), saved


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _layer(
    loop: _Loop, x: Array | None, states: Arrays, weights: _Weights, valid: Array | None
) -> tuple[Array, Arrays]:
    return _forward(loop, x, states, weights, valid, keep=False)[0]


def _layer_forward(
    loop: _Loop, x: Array | None, states: Arrays, weights: _Weights, valid: Array | None
) -> tuple[tuple[Array, Arrays], Array]:
    results, saved = _forward(loop, x, states, weights, valid, keep=True)
    return results, (x, states[0], weights, valid, results[0], saved)


def _layer_backward(loop: _Loop, residuals: Array, gradients: Array) -> Arrays:
    x, first, weights, valid, outputs, saved = residuals
    d_outputs, d_last = gradients
    backward = _Backward(loop.recurrence, weights)
    length = len(outputs)
    start, earlier = (length - 1, 1) if loop.reverse else (0, -1)

    def gradients_at(d_states: Arrays, at: Array) -> tuple[Arrays, Array | None, _Sums]:
        x_t, valid_t, t, stored = at
        # Read where it is needed: a shifted copy of all outputs, with ones, would go through
        # memory.
        output = jax.lax.dynamic_index_in_dim(
            outputs, jnp.clip(t + earlier, 0, length - 1), keepdims=False
        )
        with_ones = _with_ones(jnp.where(t == start, first, output))
        others, saved_t = _unpacked(stored)
        return backward.step(
            d_states, x_t, valid_t, with_ones=with_ones, others=others, saved=saved_t
        )

    def step(carry: Array, at: Array) -> tuple[Array, Array | None]:
        d_states, sums = carry
        d_output, *of_step = at
        d_before, d_x, more = gradients_at((d_states[0] + d_output, *d_states[1:]), of_step)
        return (d_before, jax.tree.map(jnp.add, sums, more)), d_x

    steps = (d_outputs, x, valid, jnp.arange(length), saved)
    shapes = jax.eval_shape(gradients_at, d_last, jax.tree.map(lambda each: each[0], steps[1:]))[2]
    zeros = jax.tree.map(lambda each: jnp.zeros(each.shape, each.dtype), shapes)
    (d_states, sums), d_x = jax.lax.scan(
        step, (d_last, zeros), steps, length=loop.length, reverse=not loop.reverse
    )
    return d_x, d_states, _as(weights, backward.weights(sums)), None


_layer.defvjp(_layer_forward, _layer_backward)


class FeaturesMajor:
    """The loop backend of `RecurrentStack` on JAX: sequences `[T, n, B]`, states `[n, B]`.

    Args:
        rounded: Whether the values that a gradient needs have 16 bits, as suffices in a training.

    Example:
        >>> from seqcast.network.cells import GRUCell
        >>> cell = GRUCell(2, 1)
        >>> cell.build()
        >>> loops = FeaturesMajor()
        >>> x = loops.enter(jnp.ones((5, 3, 1)))
        >>> outputs, states = loops.run(cell, x, (jnp.zeros((2, 5)),))
        >>> outputs.shape, loops.leave(outputs).shape, states[0].shape
        ((3, 2, 5), (5, 3, 2), (2, 5))
    """

    def __init__(self, *, rounded: bool = False) -> None:
        self.rounded = rounded

    def enter(self, x: Array) -> Array:
        """Turn a sequence, `[B, T, f]`, into the order of the loop.

        Args:
            x: The sequence.
        """
        return jnp.transpose(x, (1, 2, 0))

    def leave(self, outputs: Array) -> Array:
        """Turn a sequence back, `[B, T, n]`.

        Args:
            outputs: The turned sequence.
        """
        return jnp.transpose(outputs, (2, 0, 1))

    def turn(self, state: Array) -> Array:
        """Turn a state or a mask, `[B, n]`, into the order of the loop, or back.

        Args:
            state: The state.
        """
        return state.T

    def split(self, state: Array) -> list[Array]:
        """Split the state of two directions.

        Args:
            state: The state, turned.
        """
        return jnp.split(state, 2, axis=-2)

    def join(self, pair: Sequence[Array]) -> Array:
        """Join the outputs, or the states, of two directions.

        Args:
            pair: The outputs or states of both directions, turned.
        """
        return jnp.concatenate(pair, axis=-2)

    def weights(self, cell: Cell) -> _Weights:
        """Return the weights of a cell, features-major.

        Args:
            cell: The cell.
        """
        biases = [bias[:, None] for bias in cell.biases()]
        return _Weights(
            kernel=None if cell.kernel is None else cell.computed(cell.kernel).T,
            recurrent=cell.computed(cell.recurrent_kernel).T,
            bias=biases[0],
            second_bias=biases[1] if len(biases) == 2 else None,
        )

    def step(self, cell: Cell, weights: _Weights, x: Array | None, states: Arrays) -> Arrays:
        """Advance one layer by one step, and return its states after it.

        Args:
            cell: The cell.
            weights: The result of `weights`.
            x: Input, `[f, B]`, or `None`.
            states: States before, `[n, B]`.
        """
        return _single(RECURRENCES[type(cell)], weights, x, states)

    def run(
        self,
        cell: Cell,
        x: Array | None,
        states: Arrays,
        *,
        valid: Array | None = None,
        length: int | None = None,
        reverse: bool = False,
    ) -> tuple[Array, Arrays]:
        """Run one layer.

        Args:
            cell: The cell.
            x: Input, `[T, f, B]`, or `None`.
            states: States before the first step, `[n, B]`.
            valid: Whether a step counts, `[T, 1, B]`.
            length: Number of steps without input.
            reverse: Whether to run from the last step to the first; the order of outputs stays.

        Returns:
            Outputs, `[T, n, B]`, and the states after the last run step.
        """
        loop = _Loop(RECURRENCES[type(cell)], length if x is None else None, reverse, self.rounded)
        outputs, last = _layer(loop, x, states, self.weights(cell), valid)
        return outputs, last
