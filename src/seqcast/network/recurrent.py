"""A stack of recurrent layers, and the loop over time that works on every backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from seqcast.network.cells import CELLS, Cell, Regularizers, Tensors
from seqcast.network.randomness import child_seeds, dropout_mask
from seqcast.runtime import Tensor, keras, ops, platform

if TYPE_CHECKING:
    from seqcast.network.jax_loops import FeaturesMajor

# The states of each layer, first to last.
LayerStates = list[Tensors]
# Loops over time: `Scanned`, or `jax_loops.FeaturesMajor`, which has the same methods.
LoopBackend: TypeAlias = "Scanned | FeaturesMajor"
# A dropout mask of each layer's input, `[B, n]`; `None` for a layer without.
Masks = Sequence[Tensor | None]


def scan(
    f: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    init: Tensor,
    xs: Tensor,
    *,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """Call `f(carry, x) → (carry, y)` for each step, as `keras.ops.scan` does, on every backend.

    On TensorFlow `keras.ops.scan` (3.15) needs every `y` to have the structure of the carry. There
    the loop is `tf.scan`, with `y` in its carry.

    Args:
        f: The step.
        init: The carry before the first step: tensors in tuples, lists or dicts.
        xs: Inputs of the steps, first axis the steps; `None` for none.
        length: Number of steps without `xs`.
        reverse: Whether to run from the last step to the first; the order of `y` stays.

    Returns:
        The carry after the last run step, and all `y`, stacked.

    Example:
        >>> def add(total, x):
        ...     return total + x, total + x
        >>> last, sums = scan(add, keras.ops.zeros(()), keras.ops.arange(1.0, 4.0))
        >>> float(last), [float(s) for s in sums]
        (6.0, [1.0, 3.0, 6.0])
    """
    if keras.backend.backend() != "tensorflow":
        last, ys = ops.scan(f, init, xs=xs, length=length, reverse=reverse)
        return last, ys

    import tensorflow

    tree = keras.tree
    first, final = (-1, 0) if reverse else (0, -1)
    x = None if xs is None else tree.map_structure(lambda values: values[first], xs)
    _, y = f(init, x)  # only for the structure of y
    start = (init, tree.map_structure(tensorflow.zeros_like, y))

    def step(before: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        return f(before[0], None if xs is None else x)

    steps = tensorflow.range(length) if xs is None else xs
    carries, ys = tensorflow.scan(step, steps, initializer=start, reverse=reverse)
    return tree.map_structure(lambda carry: carry[final], carries), ys


class RecurrentStack(keras.layers.Layer):
    """Recurrent layers; each reads the outputs of the one before.

    Args:
        units: Width of each layer, first to last.
        features: Width of the input, `f`; 0 is a stack without input, whose first layer has no
            input kernel.
        cell: Name of the cell.
        bidirectional: Whether each layer also reads backwards; its outputs and states are then the
            two directions joined, forward first.
        dropout: Fraction of each layer's outputs to drop before the next layer reads them, one mask
            a sequence (Gal and Ghahramani 2016, arXiv:1512.05287).
        regularizer: Keras regularisers for `kernel`, `recurrent` and `bias`.
        seed: Seed of initial weights and masks.
        options: Options of Keras's layers.

    Example:
        >>> stack = RecurrentStack((4, 3), features=2, cell="gru", seed=1)
        >>> outputs, states = stack.sequence(keras.ops.ones((5, 7, 2)))
        >>> tuple(outputs.shape), [tuple(layer[0].shape) for layer in states]
        ((5, 7, 3), [(5, 4), (5, 3)])
    """

    def __init__(
        self,
        units: Sequence[int],
        features: int,
        *,
        cell: str = "gru",
        bidirectional: bool = False,
        dropout: float = 0.0,
        regularizer: Regularizers | None = None,
        seed: int = 0,
        **options: object,
    ) -> None:
        super().__init__(**options)
        self.units = tuple(units)
        self.bidirectional = bidirectional
        self.rate = dropout
        directions = 2 if bidirectional else 1
        *seeds, mask_seed = child_seeds(seed, directions * len(self.units) + 1)
        self.mask_seed = keras.random.SeedGenerator(mask_seed) if dropout else None

        self.layers_forward: list[Cell] = []
        self.layers_backward: list[Cell] = []
        width = features
        for depth, n in enumerate(self.units):
            forward = CELLS[cell](
                n, width, regularizer=regularizer, seed=seeds[depth], name=f"{cell}_{depth}"
            )
            self.layers_forward.append(forward)
            if bidirectional:
                backward = CELLS[cell](
                    n,
                    width,
                    regularizer=regularizer,
                    seed=seeds[len(self.units) + depth],
                    name=f"{cell}_{depth}_backward",
                )
                self.layers_backward.append(backward)
            width = n * directions

        self.output_width = width
        self.loop_backend = _fastest_loops(CELLS[cell], training=False)
        self.training_backend = _fastest_loops(CELLS[cell], training=True)
        self.build()

    def build(self, input_shape: object = None) -> None:
        """Create the weights of all cells.

        Args:
            input_shape: Not read; all sizes are known.
        """
        for cell in [*self.layers_forward, *self.layers_backward]:
            cell.build()
        self.built = True

    @property
    def state_widths(self) -> list[tuple[int, ...]]:
        """Width of each state of each layer, both directions together."""
        factor = 2 if self.bidirectional else 1
        return [(cell.units * factor,) * cell.state_count for cell in self.layers_forward]

    def initial_state(self, batch: Tensor) -> LayerStates:
        """Return states of zeros.

        Args:
            batch: Number of sequences.
        """
        return [
            tuple(ops.zeros((batch, width), dtype=self.compute_dtype) for width in widths)
            for widths in self.state_widths
        ]

    def dropout_masks(self, batch: Tensor, training: bool | None) -> Masks:
        """Draw the dropout mask of each layer's input, `[B, n]`; `None` without dropout.

        Masks are drawn outside of any loop: a random generator cannot advance inside a compiled
        loop.

        Args:
            batch: Number of sequences, `B`.
            training: Whether dropout is on.
        """
        if not training or self.mask_seed is None:
            return [None] * len(self.units)

        masks: list[Tensor | None] = [None]
        for widths in self.state_widths[:-1]:
            masks.append(
                dropout_mask(batch, (widths[0],), self.rate, self.mask_seed, self.compute_dtype)
            )
        return masks

    def step(
        self, x: Tensor | None, states: LayerStates, masks: Masks | None = None
    ) -> tuple[Tensor, LayerStates]:
        """Advance all layers by one step.

        Args:
            x: Input, `[B, f]`, or `None` for a stack without input.
            states: States of all layers, as `initial_state` returns them.
            masks: The result of `dropout_masks`.

        Returns:
            The last layer's output, `[B, n]`, and the new states.
        """
        stepper = self.stepper(masks)
        output, after = stepper.step(x, stepper.turn(states))
        return output, stepper.turn(after)

    def step_broadcast(
        self,
        inputs: Sequence[Tensor],
        states: LayerStates,
        masks: Masks | None = None,
    ) -> Tensor:
        """Advance all layers by one step from the same states, once for each of several inputs.

        It equals `step` with states that are repeated for each input. But the product with each
        state is computed once, and so is that of an input that all sequences share: only products
        between layers have the full size.

        Args:
            inputs: Inputs, `[B, m, f_k]`, or `[1, m, f_k]` if they are the same for all sequences;
                their features are joined.
            states: States of all layers, as `initial_state` returns them.
            masks: The result of `dropout_masks`.

        Returns:
            The last layer's outputs, `[B, m, n]`.
        """
        masks = masks or [None] * len(states)
        read = inputs
        for cell, mask, before in zip(self.layers_forward, masks, states, strict=True):
            if mask is not None:
                read = [values * ops.expand_dims(mask, 1) for values in read]
            projected = cell.project(*read)
            shared = [ops.expand_dims(state, 1) for state in before]
            read = cell.step(projected, shared, cell.recurrent())[:1]
        return read[0]

    def stepper(self, masks: Masks | None = None) -> Stepper:
        """Return a stepper that advances all layers inside a loop.

        Args:
            masks: The result of `dropout_masks`.
        """
        return Stepper(self.loop_backend, self.layers_forward, masks)

    def sequence(
        self,
        x: Tensor | None,
        *,
        initial_state: LayerStates | None = None,
        valid: Tensor | None = None,
        length: int | None = None,
        training: bool | None = None,
        loop_backend: LoopBackend | None = None,
    ) -> tuple[Tensor, LayerStates]:
        """Run all layers over time; equal to a call of `step` for each time step.

        Args:
            x: Input, `[B, T, f]`, or `None` for a stack without input.
            initial_state: States before the first step; zeros if absent, which needs `x`.
            valid: Whether a step counts, `[B, T]`; other steps do not change the states. For left
                padding.
            length: Number of steps, for a stack without input.
            training: Whether dropout is on.
            loop_backend: The loops over time; `None` takes the fastest.

        Returns:
            The last layer's outputs, `[B, T, n]`, and each layer's states after the last step.
        """
        states = self.initial_state(ops.shape(x)[0]) if initial_state is None else initial_state
        masks = self.dropout_masks(ops.shape(states[0][0])[0], training)
        loops = loop_backend or (self.training_backend if training else self.loop_backend)
        if x is not None:
            x = loops.enter(x)
        if valid is not None:
            # As a sequence of one feature, the mask gets the axis over which it broadcasts.
            valid = loops.enter(ops.expand_dims(valid, -1))

        after: LayerStates = []
        for depth, (cell, mask) in enumerate(zip(self.layers_forward, masks, strict=True)):
            if mask is not None and x is not None:
                x = x * loops.turn(mask)
            before = tuple(loops.turn(state) for state in states[depth])
            if self.bidirectional:
                x, last = _both_ways(loops, (cell, self.layers_backward[depth]), x, before, valid)
            else:
                x, last = loops.run(cell, x, before, valid=valid, length=length)
            after.append(tuple(loops.turn(state) for state in last))
        return loops.leave(x), after


def _both_ways(
    loops: LoopBackend, cells: tuple[Cell, Cell], x: Tensor, states: Tensors, valid: Tensor | None
) -> tuple[Tensor, Tensors]:
    """Run a layer forwards and backwards, and join outputs and states."""
    ahead, back = zip(*(loops.split(state) for state in states), strict=True)
    forward, last = loops.run(cells[0], x, ahead, valid=valid)
    backward, first = loops.run(cells[1], x, back, valid=valid, reverse=True)

    outputs = loops.join((forward, backward))
    return outputs, tuple(loops.join(pair) for pair in zip(last, first, strict=True))


class Stepper:
    """Advances the layers of a stack by single steps; values that steps share are prepared once.

    Args:
        loop_backend: The stack's loops over time.
        cells: Its layers.
        masks: Dropout masks, `[B, n]` or `None` a layer; `None` for none.
    """

    def __init__(
        self, loop_backend: LoopBackend, cells: Sequence[Cell], masks: Masks | None
    ) -> None:
        self.loop_backend = loop_backend
        self.cells = cells
        self.weights: list[Tensor] = [loop_backend.weights(cell) for cell in cells]
        self.masks = [
            None if mask is None else loop_backend.turn(mask)
            for mask in masks or [None] * len(cells)
        ]

    def turn(self, states: LayerStates) -> LayerStates:
        """Turn the states of all layers, `[B, n]`, into the order of the loop backend, or back.

        Args:
            states: The states, layer by layer.
        """
        return [tuple(self.loop_backend.turn(state) for state in layer) for layer in states]

    def step(self, x: Tensor | None, states: LayerStates) -> tuple[Tensor, LayerStates]:
        """Advance all layers.

        Args:
            x: Input, `[B, f]`, or `None`.
            states: States as `turn` returns them.

        Returns:
            The last layer's output, `[B, n]`, and the states after, turned.
        """
        value = None if x is None else self.loop_backend.turn(x)
        after: LayerStates = []
        for cell, weights, mask, before in zip(
            self.cells, self.weights, self.masks, states, strict=True
        ):
            if mask is not None and value is not None:
                value = value * mask
            after.append(self.loop_backend.step(cell, weights, value, before))
            value = after[-1][0]
        return self.loop_backend.turn(value), after


class Scanned:
    """The loop backend of every Keras backend: sequences `[T, B, n]`, states `[B, n]`.

    Gradients are left to the backend.

    `jax_loops.FeaturesMajor` has the same methods and is faster on JAX on a CPU, for cells with a
    gradient by hand. Here one product before the loop computes the inputs of all steps, which suits
    a GPU: it waits for the start of each small operation inside.
    """

    def enter(self, x: Tensor) -> Tensor:
        """Turn a sequence, `[B, T, f]`, into the order of the loop.

        Args:
            x: The sequence.
        """
        return ops.swapaxes(x, 0, 1)

    def leave(self, outputs: Tensor) -> Tensor:
        """Turn a sequence back, `[B, T, n]`.

        Args:
            outputs: The turned sequence.
        """
        return ops.swapaxes(outputs, 0, 1)

    def turn(self, state: Tensor) -> Tensor:
        """Return a state or a mask, which has the same order in the loop.

        Args:
            state: The state.
        """
        return state

    def split(self, state: Tensor) -> list[Tensor]:
        """Split the state of two directions.

        Args:
            state: The state, turned.
        """
        return list(ops.split(state, 2, axis=-1))

    def join(self, pair: Sequence[Tensor]) -> Tensor:
        """Join the outputs, or the states, of two directions.

        Args:
            pair: The outputs or states of both directions, turned.
        """
        return ops.concatenate(pair, axis=-1)

    def weights(self, cell: Cell) -> Tensors:
        """Return the weights of a cell as `step` takes them.

        Args:
            cell: The cell.
        """
        return cell.recurrent()

    def step(self, cell: Cell, weights: Tensors, x: Tensor | None, states: Tensors) -> Tensors:
        """Advance one layer by one step, and return its states after it.

        Args:
            cell: The cell.
            weights: The result of `weights`.
            x: Input, `[B, f]`, or `None`.
            states: States before, `[B, n]`.
        """
        return cell.step(cell.project(x), states, weights)

    def run(
        self,
        cell: Cell,
        x: Tensor | None,
        states: Tensors,
        *,
        valid: Tensor | None = None,
        length: int | None = None,
        reverse: bool = False,
    ) -> tuple[Tensor, Tensors]:
        """Run one layer.

        Args:
            cell: The cell.
            x: Input, `[T, B, f]`, or `None`.
            states: States before the first step, `[B, n]`.
            valid: Whether a step counts, `[T, B, 1]`.
            length: Number of steps without input.
            reverse: Whether to run from the last step to the first; the order of outputs stays.

        Returns:
            Outputs, `[T, B, n]`, and the states after the last run step.
        """
        recurrent = self.weights(cell)
        constant = cell.project() if x is None else None
        scanned: dict[str, Tensor] = {}
        if x is not None:
            scanned["gates"] = cell.project(x)
        if valid is not None:
            scanned["valid"] = valid

        def advance(before: Tensors, at: dict[str, Tensor]) -> tuple[Tensors, Tensor]:
            projected = at["gates"] if constant is None else constant
            gates = cell.gate_values(projected, before, recurrent)
            after = cell.mixed(gates, before)
            if valid is not None:
                pairs = zip(after, before, strict=True)
                after = tuple(ops.where(at["valid"], new, old) for new, old in pairs)
            return after, self.record(after, gates)

        steps = length if x is None else None
        last, recorded = scan(
            advance, tuple(states), scanned or None, length=steps, reverse=reverse
        )
        return recorded, tuple(last)

    def record(self, states: Tensors, gates: Tensors) -> Tensor:
        """Return the output of a step, which `run` records.

        Args:
            states: The states after the step, `[B, n]` each.
            gates: The values of its gates.
        """
        return states[0]


def _fastest_loops(cell: type[Cell], *, training: bool) -> LoopBackend:
    """Return the fastest loops for a cell on this device, for a training or not."""
    if keras.backend.backend() == "jax" and platform() == "cpu":
        from seqcast.network.jax_loops import RECURRENCES, FeaturesMajor

        if cell in RECURRENCES:
            return FeaturesMajor(rounded=training)
    return Scanned()
