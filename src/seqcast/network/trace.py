"""The trace of a network: states and gates of every layer, token by token, reading or writing.

`RecurrentStack.sequence` is fast and returns only the outputs of the last layer. Here the same
layers run again over the same tokens, in a loop that records all states and gates.
"""

from typing import Any

from seqcast.network.cells import Cell, Tensors
from seqcast.network.decode_inputs import joined
from seqcast.network.decoder import decode_stepwise
from seqcast.network.encoder import StateArrays
from seqcast.network.recurrent import LayerStates, RecurrentStack, Scanned
from seqcast.network.seq2seq import Seq2Seq
from seqcast.runtime import Tensor, keras, ops

# For each layer its `states` after each token and the values of its `gates` by name.
Traced = list[dict[str, Tensor]]


def trace_encoder(model: Seq2Seq, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the states and gates of the encoder while it reads.

    Args:
        model: The network.
        inputs: As for the encoder.

    Returns:
        `layers`, for each layer the `states` after each token, `[B, tokens, n]` each, and the
        values of its `gates`; and `valid`, `[B, tokens]`, if not all tokens count.
    """
    tokens, valid = model.encoder.tokens(inputs)
    traced: dict[str, Tensor] = {"layers": trace_stack(model.encoder.stack, tokens, valid=valid)}
    if valid is not None:
        traced["valid"] = valid
    return traced


def trace_decoder(
    model: Seq2Seq, states: StateArrays, *, horizon: int, future: Tensor | None = None
) -> Traced:
    """Return `states` and `gates` of each layer of the decoder while it writes, as for the encoder.

    A decoder that reads its own outputs reads the point forecast.

    Args:
        model: The network.
        states: The arrays of `States`.
        horizon: Number of steps, at most a block.
        future: Known-future inputs, `[B, H, F']`.
    """
    decoder = model.decoder
    decode_inputs = decoder.decode_inputs(states, horizon, future)
    layers = decode_inputs.carry["layers"]
    count = decode_inputs.tokens
    known: Tensor = decode_inputs.known

    if model.network.decoding == "parallel":
        # Each token is a single step from the same states: a sequence of one step.
        rows = [tuple(ops.repeat(state, count, axis=0) for state in layer) for layer in layers]
        tokens = ops.reshape(known, (-1, 1, known.shape[2]))  # positions distinguish the tokens
        traced = trace_stack(decoder.stack, tokens, initial_state=rows)
        return keras.tree.map_structure(  # type: ignore[no-any-return]
            lambda values: ops.reshape(values, (-1, count, values.shape[2])), traced
        )

    own = None
    if model.network.feeds_back:
        forecast, _ = decode_stepwise(decoder, decode_inputs)
        first = ops.expand_dims(decode_inputs.carry["last_targets"], 1)
        own = ops.concatenate([first, decoder.fed_back(forecast)[:, :-1]], axis=1)
    return trace_stack(decoder.stack, joined([own, known]), initial_state=layers, length=count)


def trace_stack(
    stack: RecurrentStack,
    x: Tensor | None,
    *,
    initial_state: LayerStates | None = None,
    valid: Tensor | None = None,
    length: int | None = None,
) -> Traced:
    """Run all layers over time and record all states and gates.

    Args:
        stack: The layers.
        x: Input, `[B, T, f]`, or `None` for a stack without input.
        initial_state: States before the first step; zeros if absent, which needs `x`.
        valid: Whether a step counts, `[B, T]`; other steps do not change the states.
        length: Number of steps, for a stack without input.

    Returns:
        For each layer its `states` after each step, `[B, T, n]` each, and the values of its `gates`
        by name. Of two directions the forward one comes first. Steps that do not count have gates
        as if they did.

    Example:
        >>> stack = RecurrentStack((4, 3), features=2, cell="gru", seed=1)
        >>> traced = trace_stack(stack, keras.ops.ones((5, 7, 2)))
        >>> [tuple(layer["states"][0].shape) for layer in traced], sorted(traced[0]["gates"])
        ([(5, 7, 4), (5, 7, 3)], ['candidate', 'reset', 'update'])
    """
    recorder = _Recorder()
    stack.sequence(
        x, initial_state=initial_state, valid=valid, length=length, loop_backend=recorder
    )
    if not stack.bidirectional:
        return recorder.layers
    directions = zip(recorder.layers[::2], recorder.layers[1::2], strict=True)
    return [
        keras.tree.map_structure(lambda *pair: ops.concatenate(pair, axis=-1), onward, back)
        for onward, back in directions
    ]


class _Recorder(Scanned):
    """Loops over time that record the states and gates of each layer, in the order of the runs."""

    def __init__(self) -> None:
        self.layers: Traced = []

    def record(self, states: Tensors, gates: Tensors) -> Tensor:
        return states, gates

    def run(
        self, cell: Cell, x: Tensor | None, states: Tensors, **options: Any
    ) -> tuple[Tensor, Tensors]:
        recorded, last = super().run(cell, x, states, **options)
        states_after, gates = keras.tree.map_structure(self.leave, recorded)
        self.layers.append(
            {"states": tuple(states_after), "gates": dict(zip(cell.gate_names, gates, strict=True))}
        )
        return recorded[0][0], last
