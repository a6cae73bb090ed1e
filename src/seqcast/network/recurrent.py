"""A stack of recurrent layers: the seam between the network and the speed of its loops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqcast._backend import keras
from seqcast.network.cells import CELLS, Cell, child_seeds
from seqcast.network.scan import scan

__all__ = ["RecurrentStack"]

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
        self.build()

    def build(self, input_shape: Any = None) -> None:  # noqa: ARG002  (Keras's signature; sizes are known)
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
            ones = ops.ones((batch, widths[0]), dtype=self.compute_dtype)
            masks.append(keras.random.dropout(ones, self.rate, seed=self.mask_seed))
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
        after: LayerStates = []
        for depth, cell in enumerate(self.layers_forward):
            mask = None if masks is None else masks[depth]
            if mask is not None and x is not None:
                x = x * mask
            after.append(cell.step(cell.project(x), states[depth], cell.recurrent()))
            x = after[-1][0]
        return x, after

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
        after: LayerStates = []
        for depth, cell in enumerate(self.layers_forward):
            mask = masks[depth]
            if mask is not None and x is not None:
                x = x * ops.expand_dims(mask, 1)
            if not self.bidirectional:
                x, last = scan_cell(cell, x, states[depth], valid=valid, length=length)
            else:
                x, last = self._both_ways(depth, x, states[depth], valid)
            after.append(last)
        return x, after

    def _both_ways(
        self, depth: int, x: Tensor, states: tuple[Tensor, ...], valid: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        halves = [ops.split(state, 2, axis=-1) for state in states]
        forward, last = scan_cell(self.layers_forward[depth], x, tuple(h[0] for h in halves), valid=valid)
        backward, first = scan_cell(
            self.layers_backward[depth], x, tuple(h[1] for h in halves), valid=valid, reverse=True
        )
        joined = tuple(ops.concatenate(pair, axis=-1) for pair in zip(last, first, strict=True))
        return ops.concatenate([forward, backward], axis=-1), joined


def scan_cell(
    cell: Cell,
    x: Tensor | None,
    states: tuple[Tensor, ...],
    *,
    valid: Tensor | None = None,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one cell over time on any backend.

    Args:
        cell: The cell.
        x: Input, `[B, T, f]`, or `None`.
        states: States before the first step.
        valid: Which steps count, `[B, T]`.
        length: Number of steps when there is no input.
        reverse: Whether to run from the last step to the first; outputs keep their places.

    Returns:
        Outputs, `[B, T, n]`, and the states after the step that was run last.
    """
    recurrent = cell.recurrent()
    constant = cell.project(None) if x is None else None
    scanned: dict[str, Any] = {}
    if x is not None:
        scanned["gates"] = cell.project(ops.swapaxes(x, 0, 1))
    if valid is not None:
        scanned["valid"] = ops.expand_dims(ops.swapaxes(valid, 0, 1), -1)

    def advance(before: tuple[Tensor, ...], at: Any) -> tuple[tuple[Tensor, ...], Tensor]:
        gates = constant if constant is not None else at["gates"]
        after = cell.step(gates, before, recurrent)
        if valid is not None:
            after = tuple(ops.where(at["valid"], new, old) for new, old in zip(after, before, strict=True))
        return after, after[0]

    steps = length if x is None else None
    last, outputs = scan(advance, tuple(states), scanned or None, length=steps, reverse=reverse)
    return ops.swapaxes(outputs, 0, 1), tuple(last)
