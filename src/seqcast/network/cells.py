"""Recurrent cells (GRU, LSTM, simple RNN) with weights and arithmetic of Keras's own layers.

A cell computes one step; `RecurrentStack` loops over time. Weights have the names, shapes and order
of gates of `keras.layers.GRU` (`reset_after=True`), `LSTM` and `SimpleRNN`, so that they can be
exchanged. Each gate has its own product, with matrices that are cut once outside the loop: slicing
the result of one large product inside it is several times slower on a CPU.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from seqcast.network.randomness import GlorotUniform, Orthogonal, child_seeds
from seqcast.runtime import Tensor, keras, ops

Tensors = tuple[Tensor, ...]
# Keras regularisers by the kind of weight: `kernel`, `recurrent`, `bias`.
Regularizers = Mapping[str, keras.Regularizer]


class Cell(keras.layers.Layer):
    """A recurrent cell; subclasses define its gates, its states and its step.

    Args:
        units: Width of the cell, `n`.
        features: Width of its input, `f`; 0 is a cell without input and without input kernel.
        regularizer: Keras regularisers for `kernel`, `recurrent` and `bias`.
        seed: Seed of the initial weights.
        options: Options of Keras's layers.
    """

    # In the order of Keras's weights.
    gate_names: ClassVar[tuple[str, ...]]
    # The gate that keeps the state.
    keeping_gate: ClassVar[str | None] = None
    state_count: ClassVar[int] = 1
    # Otherwise gates depend on the input alone, without a recurrent kernel.
    reads_state: ClassVar[bool] = True

    def __init__(
        self,
        units: int,
        features: int,
        *,
        regularizer: Regularizers | None = None,
        seed: int = 0,
        **options: object,
    ) -> None:
        super().__init__(**options)
        self.units = units
        self.features = features
        self.regularizer = {
            kind: keras.regularizers.get(each) for kind, each in (regularizer or {}).items()
        }
        self.seed = seed

    def build(self, input_shape: object = None) -> None:
        """Create the weights.

        Args:
            input_shape: Not read; all sizes are known.
        """
        kernel_seed, recurrent_seed = child_seeds(self.seed, 2)
        width = self.gates * self.units

        self.kernel = None
        if self.features:
            self.kernel = self.add_weight(
                shape=(self.features, width),
                initializer=GlorotUniform(seed=kernel_seed),
                regularizer=self.regularizer.get("kernel"),
                name="kernel",
            )

        self.recurrent_kernel: Tensor = None
        if self.reads_state:
            self.recurrent_kernel = self.add_weight(
                shape=(self.units, width),
                initializer=Orthogonal(seed=recurrent_seed),
                regularizer=self.regularizer.get("recurrent"),
                name="recurrent_kernel",
            )

        self.bias = self.add_weight(
            shape=self.bias_shape,
            initializer=self.initial_bias,
            regularizer=self.regularizer.get("bias"),
            name="bias",
        )
        self.built = True

    @property
    def gates(self) -> int:
        """Number of gates, the candidate among them."""
        return len(self.gate_names)

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """Shape of the bias."""
        return (self.gates * self.units,)

    def initial_bias(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        """Return the bias before training.

        Args:
            shape: Its shape.
            dtype: Its type; `None` is Keras's default.
        """
        return ops.convert_to_tensor(np.zeros(shape), dtype=dtype)

    def biases(self) -> Tensors:
        """Return the bias of the input and that of the state, if any, `[gates * n]` each."""
        return (self.computed(self.bias),)

    def computed(self, weight: Tensor) -> Tensor:
        """Return a weight in the type of the computation; under a mixed policy variables differ.

        Args:
            weight: The variable.
        """
        return ops.convert_to_tensor(weight, dtype=self.compute_dtype)

    def project(self, *inputs: Tensor | None) -> Tensors:
        """Return the contribution of the input to each gate, `x W + b`.

        Args:
            inputs: Inputs, `[..., f_k]`, as if their features were joined; their other axes may
                broadcast. `None` is no input.

        Returns:
            `[..., n]` for each gate; only the bias, `[n]`, without input.
        """
        gates = ops.split(self.biases()[0], self.gates, axis=-1)
        first = 0
        for x in inputs:
            if x is None:
                continue
            rows = self.computed(self.kernel)[first : first + x.shape[-1]]
            kernels = ops.split(rows, self.gates, axis=-1)
            gates = [
                ops.matmul(x, kernel) + gate for kernel, gate in zip(kernels, gates, strict=True)
            ]
            first += x.shape[-1]
        return tuple(gates)

    def recurrent(self) -> Tensors:
        """Return the recurrent weights of a step, one matrix a gate; `()` without any."""
        if self.recurrent_kernel is None:
            return ()
        return tuple(ops.split(self.computed(self.recurrent_kernel), self.gates, axis=-1))

    def step(self, projected: Tensors, states: Sequence[Tensor], recurrent: Tensors) -> Tensors:
        """Advance one step.

        Args:
            projected: The result of `project` for this step, `[B, n]` for each gate.
            states: The states before, `[B, n]` each; the first is the output.
            recurrent: The result of `recurrent`.

        Returns:
            The states after.
        """
        return self.mixed(self.gate_values(projected, states, recurrent), states)

    def gate_values(
        self, projected: Tensors, states: Sequence[Tensor], recurrent: Tensors
    ) -> Tensors:
        """Return the values of the gates at a step, `[B, n]` each, in the order of `gate_names`.

        Args:
            projected: The result of `project` for this step, `[B, n]` for each gate.
            states: The states before, `[B, n]` each; the first is the output.
            recurrent: The result of `recurrent`.
        """
        raise NotImplementedError

    def mixed(self, gates: Tensors, states: Sequence[Tensor]) -> Tensors:
        """Return the states after a step whose gates are known.

        Args:
            gates: The result of `gate_values`.
            states: The states before, `[B, n]` each.
        """
        raise NotImplementedError


class GRUCell(Cell):
    r"""Gated recurrent unit with the reset gate after the product.

    .. math::
        z = σ(x W_z + b_z + h U_z + c_z), \quad r = σ(x W_r + b_r + h U_r + c_r)

        g = \tanh(x W_g + b_g + r ⊙ (h U_g + c_g)), \quad h' = z ⊙ h + (1 - z) ⊙ g

    Source: Cho et al. 2014, arXiv:1406.1078, section 2.3, with the reset gate where cuDNN has it.
    """

    gate_names = ("update", "reset", "candidate")
    keeping_gate = "update"

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """Shape of the bias: one row for the input, one for the state."""
        return (2, 3 * self.units)

    def biases(self) -> Tensors:
        """Return the two rows of the bias."""
        bias = self.computed(self.bias)
        return bias[0], bias[1]

    def recurrent(self) -> Tensors:
        """Return the three recurrent matrices `[n, n]` and the three recurrent biases `[n]`."""
        return (*super().recurrent(), *ops.split(self.biases()[1], 3, axis=-1))

    def gate_values(
        self, projected: Tensors, states: Sequence[Tensor], recurrent: Tensors
    ) -> Tensors:
        """Return `z`, `r` and `g`."""
        x_z, x_r, x_g = projected
        u_z, u_r, u_g, c_z, c_r, c_g = recurrent
        h = states[0]
        z = ops.sigmoid(x_z + ops.matmul(h, u_z) + c_z)
        r = ops.sigmoid(x_r + ops.matmul(h, u_r) + c_r)
        g = ops.tanh(x_g + r * (ops.matmul(h, u_g) + c_g))
        return z, r, g

    def mixed(self, gates: Tensors, states: Sequence[Tensor]) -> Tensors:
        """Return `h'`."""
        z, _, g = gates
        return (g + z * (states[0] - g),)


class LSTMCell(Cell):
    r"""Long short-term memory.

    .. math::
        i, f, o = σ(x W + h U + b), \quad c' = f ⊙ c + i ⊙ \tanh(x W_c + h U_c + b_c), \quad
        h' = o ⊙ \tanh(c')

    The forget gate's bias starts at 1. Source: Hochreiter and Schmidhuber 1997, with the forget
    gate of Gers et al. 2000; Jozefowicz et al. 2015 for its bias.
    """

    gate_names = ("input", "forget", "candidate", "output")
    keeping_gate = "forget"
    state_count = 2

    def initial_bias(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        """Return zeros, and ones for the forget gate."""
        bias = np.zeros(shape)
        bias[self.units : 2 * self.units] = 1.0
        return ops.convert_to_tensor(bias, dtype=dtype)

    def gate_values(
        self, projected: Tensors, states: Sequence[Tensor], recurrent: Tensors
    ) -> Tensors:
        """Return `i`, `f`, `tanh(x W_c + h U_c + b_c)` and `o`."""
        i, f, g, o = (
            x + ops.matmul(states[0], u) for x, u in zip(projected, recurrent, strict=True)
        )
        return ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o)

    def mixed(self, gates: Tensors, states: Sequence[Tensor]) -> Tensors:
        """Return `h'` and `c'`."""
        i, f, g, o = gates
        c = f * states[1] + i * g
        return o * ops.tanh(c), c


class SimpleRNNCell(Cell):
    r"""Elman's recurrent unit: `h' = tanh(x W + b + h U)`.

    Source: Elman 1990, Finding structure in time.
    """

    gate_names = ("candidate",)

    def gate_values(
        self, projected: Tensors, states: Sequence[Tensor], recurrent: Tensors
    ) -> Tensors:
        """Return `h'`, the only value."""
        return (ops.tanh(projected[0] + ops.matmul(states[0], recurrent[0])),)

    def mixed(self, gates: Tensors, states: Sequence[Tensor]) -> Tensors:
        """Return `h'`."""
        return gates


CELLS: dict[str, type[Cell]] = {"gru": GRUCell, "lstm": LSTMCell, "simple_rnn": SimpleRNNCell}
