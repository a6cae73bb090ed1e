"""A stack of recurrent layers: the seam between the network and the speed of its loops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqcast.network.cells import CELLS, Cell
from seqcast.network.init import child_seeds
from seqcast.network.row_random import dropped_rows
from seqcast.network.scan import scan
from seqcast.runtime import keras, platform

Tensor = Any
LayerStates = list[tuple[Tensor, ...]]
ops = keras.ops


class RecurrentStack(keras.layers.Layer):
    """Recurrent layers, each reading the outputs of the one before.

    Args:
        units: Width of each layer, first to last.
        features: Width of the input, `f`; 0 is a stack without input, whose first layer owns no input kernel.
        cell: Name of the cell.
        bidirectional: Whether each layer also reads backwards; its outputs and states are then the two directions
            joined, forward first.
        dropout: Fraction of each layer's outputs that is dropped before the next layer reads them, one mask a
            sequence (Gal and Ghahramani 2016, arXiv:1512.05287).
        regularizer: Keras regularisers for `kernel`, `recurrent` and `bias`.
        seed: Seed of initial weights and masks.

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
        regularizer: Mapping[str, Any] | None = None,
        seed: int = 0,
        **options: Any,
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
            make: dict[str, Any] = {"units": n, "features": width, "regularizer": regularizer}
            self.layers_forward.append(CELLS[cell](**make, seed=seeds[depth], name=f"{cell}_{depth}"))
            if bidirectional:
                backward = CELLS[cell](**make, seed=seeds[len(self.units) + depth], name=f"{cell}_{depth}_backward")
                self.layers_backward.append(backward)
            width = n * directions
        self.output_width = width
        self.loop_backend = _fastest_loops(CELLS[cell])
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Create the weights of all cells."""
        for cell in [*self.layers_forward, *self.layers_backward]:
            cell.build()
        self.built = True

    @property
    def state_widths(self) -> list[tuple[int, ...]]:
        """Width of each state of each layer, both directions together."""
        factor = 2 if self.bidirectional else 1
        return [(cell.units * factor,) * cell.state_count for cell in self.layers_forward]

    def initial_state(self, batch: Any) -> LayerStates:
        """Return states of zeros for so many sequences."""
        return [
            tuple(ops.zeros((batch, width), dtype=self.compute_dtype) for width in widths)
            for widths in self.state_widths
        ]

    def dropout_masks(self, batch: Any, training: bool | None) -> list[Tensor | None]:
        """Draw what each layer's input is multiplied with, `[B, n]`; `None` where nothing is dropped.

        Masks are drawn here, outside of any loop: inside a compiled loop a random generator cannot advance.
        """
        if not training or self.mask_seed is None:
            return [None] * len(self.units)
        masks: list[Tensor | None] = [None]
        for widths in self.state_widths[:-1]:
            masks.append(dropped_rows(batch, (widths[0],), self.rate, self.mask_seed, self.compute_dtype))
        return masks

    def step(
        self, x: Tensor | None, states: LayerStates, masks: Sequence[Tensor | None] | None = None
    ) -> tuple[Tensor, LayerStates]:
        """Advance all layers by one step.

        Args:
            x: Input, `[B, f]`, or `None` for a stack without input.
            states: States of all layers, as `initial_state` returns them.
            masks: What `dropout_masks` returned.

        Returns:
            The last layer's output, `[B, n]`, and the new states.
        """
        stepper = self.stepper(masks)
        output, after = stepper.step(x, stepper.turn(states))
        return output, stepper.turn(after)

    def step_broadcast(
        self, parts: Sequence[Tensor], states: LayerStates, masks: Sequence[Tensor | None] | None = None
    ) -> Tensor:
        """Advance all layers by one step, once for each of several inputs and always from the same states.

        It equals `step` of states that are repeated for each input. But what each state has to say is computed once,
        and what is said to all sequences alike as well: of the products only those between the layers are as large.

        Args:
            parts: Inputs, `[B, m, f_k]`, or `[1, m, f_k]` where they are the same for all sequences, whose features are
                joined.
            states: States of all layers, as `initial_state` returns them.
            masks: What `dropout_masks` returned.

        Returns:
            The last layer's outputs, `[B, m, n]`.
        """
        outputs: Tensor | None = None
        for cell, mask, before in zip(self.layers_forward, masks or [None] * len(states), states, strict=True):
            if mask is not None and outputs is not None:
                outputs = outputs * ops.expand_dims(mask, 1)
            gates = cell.project_parts(parts if outputs is None else [outputs])
            outputs = cell.step(gates, [ops.expand_dims(state, 1) for state in before], cell.recurrent())[0]
        return outputs

    def stepper(self, masks: Sequence[Tensor | None] | None = None) -> Stepper:
        """Return what advances all layers step by step inside a loop.

        Args:
            masks: What `dropout_masks` returned.
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
    ) -> tuple[Tensor, LayerStates]:
        """Run all layers over time; equal to as many calls of `step`.

        Args:
            x: Input, `[B, T, f]`, or `None` for a stack without input.
            initial_state: States before the first step; zeros if absent, which needs `x`.
            valid: Which steps count, `[B, T]`; at others the states stay as they are. For left padding.
            length: Number of steps, for a stack without input.
            training: Whether dropout is at work.

        Returns:
            The last layer's outputs, `[B, T, n]`, and each layer's states after the last step.
        """
        states = self.initial_state(ops.shape(x)[0]) if initial_state is None else initial_state
        masks = self.dropout_masks(ops.shape(states[0][0])[0], training)
        loop_backend = self.loop_backend
        x = None if x is None else loop_backend.enter(x)
        # Turned as a sequence of one feature, a mask over steps gets the axis that it is spread over.
        valid = None if valid is None else loop_backend.enter(ops.expand_dims(valid, -1))
        after: LayerStates = []
        for depth, cell in enumerate(self.layers_forward):
            mask = masks[depth]
            if mask is not None and x is not None:
                x = x * loop_backend.turn(mask)
            before = tuple(loop_backend.turn(state) for state in states[depth])
            if not self.bidirectional:
                x, last = loop_backend.run(cell, x, before, valid=valid, length=length)
            else:
                x, last = self._both_ways(depth, x, before, valid)
            after.append(tuple(loop_backend.turn(state) for state in last))
        return loop_backend.leave(x), after

    def _both_ways(
        self, depth: int, x: Tensor, states: tuple[Tensor, ...], valid: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        halves = [self.loop_backend.split(state) for state in states]
        forward, last = self.loop_backend.run(self.layers_forward[depth], x, tuple(h[0] for h in halves), valid=valid)
        backward, first = self.loop_backend.run(
            self.layers_backward[depth], x, tuple(h[1] for h in halves), valid=valid, reverse=True
        )
        joined = tuple(self.loop_backend.join(pair) for pair in zip(last, first, strict=True))
        return self.loop_backend.join((forward, backward)), joined


class Stepper:
    """Advances the layers of a stack by single steps; all that does not change from step to step is prepared once.

    Args:
        loop_backend: The stack's loops over time.
        cells: Its layers.
        masks: Dropout masks, `[B, n]` or `None` a layer; `None` for none.
    """

    def __init__(self, loop_backend: Any, cells: Sequence[Cell], masks: Sequence[Tensor | None] | None) -> None:
        self.loop_backend = loop_backend
        self.cells = cells
        self.weights = [loop_backend.weights(cell) for cell in cells]
        self.masks = [None if mask is None else loop_backend.turn(mask) for mask in masks or [None] * len(cells)]

    def turn(self, states: LayerStates) -> LayerStates:
        """Turn the states of all layers, `[B, n]`, as the loop backend has them, or back."""
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
        for cell, weights, mask, before in zip(self.cells, self.weights, self.masks, states, strict=True):
            if mask is not None and value is not None:
                value = value * mask
            after.append(self.loop_backend.step(cell, weights, value, before))
            value = after[-1][0]
        return self.loop_backend.turn(value), after


class Scanned:
    """The loop backend of every Keras backend: sequences `[T, B, n]`, states `[B, n]`, gradients left to the backend.

    `jax_loops.FeaturesMajor` is the faster one on JAX on a CPU, with the same methods, for cells that have a gradient
    by hand. Here the inputs of all steps meet their weights in one product before the loop, which is what a GPU wants:
    it waits for the start of each small operation inside.
    """

    def enter(self, x: Tensor) -> Tensor:
        """Turn a sequence, `[B, T, f]`, on its way in."""
        return ops.swapaxes(x, 0, 1)

    def leave(self, outputs: Tensor) -> Tensor:
        """Turn a sequence back, `[B, T, n]`."""
        return ops.swapaxes(outputs, 0, 1)

    def turn(self, state: Tensor) -> Tensor:
        """Turn a state or a mask on its way in or out: here it stays as it is."""
        return state

    def split(self, state: Tensor) -> list[Tensor]:
        """Cut the state of two directions."""
        return list(ops.split(state, 2, axis=-1))

    def join(self, pair: Sequence[Tensor]) -> Tensor:
        """Join the outputs, or the states, of two directions."""
        return ops.concatenate(pair, axis=-1)

    def weights(self, cell: Cell) -> Any:
        """Return the weights of a cell as `step` takes them."""
        return cell.recurrent()

    def step(self, cell: Cell, weights: Any, x: Tensor | None, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Advance one layer by one step and return its states after it; `x` `[B, f]`, states `[B, n]`."""
        return cell.step(cell.project(x), states, weights)

    def run(
        self,
        cell: Cell,
        x: Tensor | None,
        states: tuple[Tensor, ...],
        *,
        valid: Tensor | None = None,
        length: int | None = None,
        reverse: bool = False,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run one layer.

        Args:
            cell: The cell.
            x: Input, `[T, B, f]`, or `None`.
            states: States before the first step, `[B, n]`.
            valid: Which steps count, `[T, B, 1]`.
            length: Number of steps when there is no input.
            reverse: Whether to run from the last step to the first; outputs keep their places.

        Returns:
            Outputs, `[T, B, n]`, and the states after the step that was run last.
        """
        recurrent = self.weights(cell)
        constant = cell.project(None) if x is None else None
        scanned: dict[str, Any] = {}
        if x is not None:
            scanned["gates"] = cell.project(x)
        if valid is not None:
            scanned["valid"] = valid

        def advance(before: tuple[Tensor, ...], at: Any) -> tuple[tuple[Tensor, ...], Tensor]:
            gates = constant if constant is not None else at["gates"]
            after = cell.step(gates, before, recurrent)
            if valid is not None:
                after = tuple(ops.where(at["valid"], new, old) for new, old in zip(after, before, strict=True))
            return after, after[0]

        steps = length if x is None else None
        last, outputs = scan(advance, tuple(states), scanned or None, length=steps, reverse=reverse)
        return outputs, tuple(last)


def _fastest_loops(cell: type[Cell]) -> Any:
    """Return the fastest way through time that this backend has for a cell on this device."""
    if keras.backend.backend() == "jax" and platform() == "cpu":
        from seqcast.network.jax_loops import FeaturesMajor
        from seqcast.network.jax_recurrences import RECURRENCES

        if cell in RECURRENCES:
            return FeaturesMajor()
    return Scanned()
