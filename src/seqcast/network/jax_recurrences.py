"""One step of a recurrent layer and its gradient, features-major: what the loops for JAX repeat.

Each class computes a step of a cell from its gates' shares of input and state, and the gradients of a step from what
the step saved. `seqcast.network.jax_loops` says how these become products with the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import jax.numpy as jnp

from seqcast.network.cells import Cell, GRUCell, LSTMCell, SimpleRNNCell

Array = Any
Arrays = tuple[Array, ...]


class Recurrence(Protocol):
    """One kind of recurrent layer.

    `gates` blocks of rows lie in its weights; the gates' gradients come in groups of as many gates as `groups` says.
    XLA computes a group as one array, and one of four gates much more slowly than two of two.
    """

    gates: int
    groups: tuple[int, ...]

    def forward(self, x: Sequence[Array], u: Sequence[Array], states: Arrays) -> tuple[Arrays, Arrays]:
        """Return the states after a step and what the backward step needs.

        Args:
            x: Each gate's share of the input with its bias, `[n, B]`.
            u: Each gate's share of the state, with its bias where there are two, `[n, B]`.
            states: The states before.
        """

    def backward(self, gradients: Arrays, before: Arrays, saved: Arrays) -> tuple[Arrays, Arrays, Arrays]:
        """Return the gradients of the states before, without those through the gates, and the groups of `D` and `E`."""


def _sigmoid(x: Array) -> Array:
    # The same function; XLA computes a tanh faster than an exponential and a division.
    return 0.5 * jnp.tanh(0.5 * x) + 0.5


class _GRU:
    gates = 3
    groups: tuple[int, ...] = (3,)

    def forward(self, x: Sequence[Array], u: Sequence[Array], states: Arrays) -> tuple[Arrays, Arrays]:
        (h,) = states
        z, r = _sigmoid(x[0] + u[0]), _sigmoid(x[1] + u[1])
        g = jnp.tanh(x[2] + r * u[2])
        return (g + z * (h - g),), (z, r, g, u[2])

    def backward(self, gradients: Arrays, before: Arrays, saved: Arrays) -> tuple[Arrays, Arrays, Arrays]:
        (dh,), (h,), (z, r, g, q) = gradients, before, saved
        d_z = dh * (h - g) * z * (1 - z)
        d_g = dh * (1 - z) * (1 - g * g)
        d_r = d_g * q * r * (1 - r)
        return (dh * z,), (jnp.concatenate([d_z, d_r, d_g]),), (jnp.concatenate([d_z, d_r, d_g * r]),)


class _LSTM:
    gates = 4
    groups: tuple[int, ...] = (2, 2)

    def forward(self, x: Sequence[Array], u: Sequence[Array], states: Arrays) -> tuple[Arrays, Arrays]:
        i, f, g, o = (x_k + u_k for x_k, u_k in zip(x, u, strict=True))
        i, f, g, o = _sigmoid(i), _sigmoid(f), jnp.tanh(g), _sigmoid(o)
        cell = f * states[1] + i * g
        t = jnp.tanh(cell)
        return (o * t, cell), (i, f, g, o, t)

    def backward(self, gradients: Arrays, before: Arrays, saved: Arrays) -> tuple[Arrays, Arrays, Arrays]:
        (dh, dc), (h, c), (i, f, g, o, t) = gradients, before, saved
        dc = dc + dh * o * (1 - t * t)
        d_i = dc * g * i * (1 - i)
        d_f = dc * c * f * (1 - f)
        d_g = dc * i * (1 - g * g)
        d_o = dh * t * o * (1 - o)
        d = jnp.concatenate([d_i, d_f]), jnp.concatenate([d_g, d_o])
        return (jnp.zeros_like(h), dc * f), d, d


class _SimpleRNN:
    gates = 1
    groups: tuple[int, ...] = (1,)

    def forward(self, x: Sequence[Array], u: Sequence[Array], states: Arrays) -> tuple[Arrays, Arrays]:
        h = jnp.tanh(x[0] + u[0])
        return (h,), (h,)

    def backward(self, gradients: Arrays, before: Arrays, saved: Arrays) -> tuple[Arrays, Arrays, Arrays]:
        (dh,), (h,) = gradients, saved
        d = dh * (1 - h * h)
        return (jnp.zeros_like(before[0]),), (d,), (d,)


# One object a kind: the loops compare recurrences by identity.
RECURRENCES: dict[type[Cell], Recurrence] = {GRUCell: _GRU(), LSTMCell: _LSTM(), SimpleRNNCell: _SimpleRNN()}
