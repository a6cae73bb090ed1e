"""What a network does token by token: the states and gates of every layer, while it reads and while it writes.

`RecurrentStack.sequence` is made to be fast and keeps the last layer's outputs alone. Here the same layers run once
more over the same tokens, step by step, and keep everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqcast.network.cells import Cell
from seqcast.network.decode_inputs import joined
from seqcast.network.decode_loops import decode_stepwise
from seqcast.network.recurrent import LayerStates, RecurrentStack
from seqcast.network.scan import scan
from seqcast.network.seq2seq import Seq2Seq
from seqcast.runtime import keras

Tensor = Any
Traced = list[dict[str, Any]]
ops = keras.ops


def trace_encoder(model: Seq2Seq, inputs: dict[str, Tensor]) -> dict[str, Any]:
    """Return what the encoder does while it reads.

    Args:
        model: The network.
        inputs: As for the encoder.

    Returns:
        `layers`: for each the `states` after each token, `[B, tokens, n]` each, and the values of its `gates`; and
        `valid`, `[B, tokens]`, where not all tokens count.
    """
    tokens, valid = model.encoder.tokens(inputs)
    traced: dict[str, Any] = {"layers": trace_stack(model.encoder.stack, tokens, valid=valid)}
    return traced if valid is None else {**traced, "valid": valid}


def trace_decoder(model: Seq2Seq, states: dict[str, Any], *, horizon: int, future: Tensor | None = None) -> Traced:
    """Return what the decoder does while it writes: of each layer `states` and `gates`, as for the encoder.

    A decoder that reads its own outputs reads points.

    Args:
        model: The network.
        states: The parts of `States`.
        horizon: Number of steps, no more than can be written in one go.
        future: Known-future inputs, `[B, H, F']`.
    """
    decoder = model.decoder
    decode_inputs = decoder.decode_inputs(states, horizon, future)
    layers = decode_inputs.carry["layers"]
    if model.network.decoding == "parallel":
        # Each token is a single step from the same states: as many sequences of one step.
        rows = [tuple(ops.repeat(state, decode_inputs.tokens, axis=0) for state in layer) for layer in layers]
        assert decode_inputs.known is not None  # positions tell the tokens apart
        tokens = ops.reshape(decode_inputs.known, (-1, 1, decode_inputs.known.shape[2]))
        traced = trace_stack(decoder.stack, tokens, initial_state=rows)
        return keras.tree.map_structure(  # type: ignore[no-any-return]
            lambda values: ops.reshape(values, (-1, decode_inputs.tokens, values.shape[2])), traced
        )
    own = None
    if model.network.feeds_back:
        forecast, _ = decode_stepwise(decoder, decode_inputs)
        first = ops.expand_dims(decode_inputs.carry["last_targets"], 1)
        own = ops.concatenate([first, decoder.fed_back(forecast)[:, :-1]], axis=1)
    return trace_stack(
        decoder.stack, joined([own, decode_inputs.known]), initial_state=layers, length=decode_inputs.tokens
    )


def trace_stack(
    stack: RecurrentStack,
    x: Tensor | None,
    *,
    initial_state: LayerStates | None = None,
    valid: Tensor | None = None,
    length: int | None = None,
) -> Traced:
    """Run all layers over time and keep all states and gates; arguments as for `RecurrentStack.sequence`.

    Returns:
        For each layer its `states` after each step, `[B, T, n]` each, and the values of its `gates` by name. Of two
        directions the forward one comes first. At steps that do not count the gates are those of a step that would.

    Example:
        >>> stack = RecurrentStack((4, 3), features=2, cell="gru", seed=1)
        >>> traced = trace_stack(stack, keras.ops.ones((5, 7, 2)))
        >>> [tuple(layer["states"][0].shape) for layer in traced], sorted(traced[0]["gates"])
        ([(5, 7, 4), (5, 7, 3)], ['candidate', 'reset', 'update'])
    """
    states = stack.initial_state(ops.shape(x)[0]) if initial_state is None else initial_state
    traced: Traced = []
    for depth, before in enumerate(states):
        forward = stack.layers_forward[depth]
        if not stack.bidirectional:
            layer = _trace_cell(forward, x, before, valid, length)
        else:
            halves = [ops.split(state, 2, axis=-1) for state in before]
            onward = _trace_cell(forward, x, [half[0] for half in halves], valid, length)
            backward = stack.layers_backward[depth]
            back = _trace_cell(backward, x, [half[1] for half in halves], valid, length, reverse=True)
            layer = keras.tree.map_structure(lambda *pair: ops.concatenate(pair, axis=-1), onward, back)
        traced.append(layer)
        x = layer["states"][0]
    return traced


def _trace_cell(
    cell: Cell,
    x: Tensor | None,
    states: Sequence[Tensor],
    valid: Tensor | None,
    length: int | None,
    *,
    reverse: bool = False,
) -> dict[str, Any]:
    recurrent = cell.recurrent()
    constant = cell.project(None) if x is None else None
    steps: dict[str, Any] = {}
    if x is not None:
        steps["projected"] = tuple(ops.swapaxes(part, 0, 1) for part in cell.project(x))
    if valid is not None:
        steps["valid"] = ops.expand_dims(ops.swapaxes(valid, 0, 1), -1)

    def advance(before: tuple[Tensor, ...], at: Any) -> tuple[tuple[Tensor, ...], Any]:
        gates = cell.gate_values(at["projected"] if constant is None else constant, before, recurrent)
        after = cell.mixed(gates, before)
        if valid is not None:
            after = tuple(ops.where(at["valid"], new, old) for new, old in zip(after, before, strict=True))
        return after, (after, gates)

    _, by_step = scan(advance, tuple(states), steps or None, length=length if x is None else None, reverse=reverse)
    after, gates = keras.tree.map_structure(lambda values: ops.swapaxes(values, 0, 1), by_step)
    return {"states": tuple(after), "gates": dict(zip(cell.gate_names, gates, strict=True))}
