"""The loops over a decoder's tokens: all in one step, in sequence, one by one with feedback, or path by path.

The decoder owns layers and units; here are the loops over tokens. Masks and random numbers are made outside of them:
inside a compiled loop a random generator cannot advance.
"""

from __future__ import annotations

from typing import Any, Protocol

from seqcast.network.decode_inputs import DecodeInputs, joined, row_count
from seqcast.network.recurrent import RecurrentStack
from seqcast.network.scan import scan
from seqcast.runtime import keras
from seqcast.specs import NetworkSpec, WindowSpec

Tensor = Any
Written = tuple[Tensor, Tensor | None]
ops = keras.ops


class TokenDecoder(Protocol):
    """What the loops ask of a decoder, which owns layers and units."""

    network: NetworkSpec
    window: WindowSpec
    stack: RecurrentStack
    head: Any
    compute_dtype: str

    def prepared(self, carry: dict[str, Any]) -> tuple[Tensor, Tensor] | None:
        """Return the attention's keys and values, or `None`."""

    def write(
        self,
        outputs: Tensor,
        carry: dict[str, Any],
        prepared: tuple[Tensor, Tensor] | None,
        mask: Tensor | None = None,
        season: Tensor | None = None,
    ) -> Written:
        """Attend, apply the head and add the season."""

    def output_mask(self, carry: dict[str, Any], training: bool | None) -> Tensor | None:
        """Draw what the stack's outputs are multiplied with, or return `None`."""

    def fed_back(self, forecast: Tensor) -> Tensor:
        """Return what the next token reads of a forecast."""

    def in_units(self, forecast: Tensor, carry: dict[str, Any]) -> Tensor:
        """Give back what the normaliser took."""

    def normalised(self, values: Tensor, carry: dict[str, Any]) -> Tensor:
        """Take from values what the normaliser takes."""


def decode_parallel(decoder: TokenDecoder, decode_inputs: DecodeInputs) -> Written:
    """Write each token by a single step from the same states.

    Args:
        decoder: The decoder.
        decode_inputs: What it writes from; `positions` are there.

    Returns:
        The forecast, `[B, tokens, s · D]`, or its parameters, normalised, and the attention's weights,
        `[B, tokens, T]`, or `None`.

    Source: SegRNN, Lin et al. 2023, arXiv:2308.11200, section 3.3.
    """
    layers, stack = decode_inputs.carry["layers"], decoder.stack
    parts = [part for part in (decode_inputs.positions, decode_inputs.future) if part is not None]
    outputs = stack.step_broadcast(
        parts, layers, stack.dropout_masks(row_count(decode_inputs.carry), decode_inputs.training)
    )
    return _written(decoder, decode_inputs, outputs)


def decode_sequence(decoder: TokenDecoder, decode_inputs: DecodeInputs) -> Written:
    """Write all tokens when no input depends on an output; arguments and result as for `decode_parallel`."""
    x, layers = joined([decode_inputs.truth, decode_inputs.known]), decode_inputs.carry["layers"]
    outputs, _ = decoder.stack.sequence(
        x, initial_state=layers, length=decode_inputs.tokens, training=decode_inputs.training
    )
    return _written(decoder, decode_inputs, outputs)


def _written(decoder: TokenDecoder, decode_inputs: DecodeInputs, outputs: Tensor) -> Written:
    """Write all tokens out of the stack's outputs, `[B, tokens, n]`."""
    carry = decode_inputs.carry
    mask = decoder.output_mask(carry, decode_inputs.training)
    return decoder.write(outputs, carry, decoder.prepared(carry), mask, decode_inputs.season)


def decode_stepwise(decoder: TokenDecoder, decode_inputs: DecodeInputs) -> Written:
    """Write token after token, each reading the one before; arguments and result as for `decode_parallel`."""
    carry = decode_inputs.carry
    stepper = decoder.stack.stepper(decoder.stack.dropout_masks(row_count(carry), decode_inputs.training))
    mask, prepared = decoder.output_mask(carry, decode_inputs.training), decoder.prepared(carry)
    scanned = decode_inputs.by_token()

    def advance(state: Any, at: Any) -> Any:
        last, layers = state
        if "teacher_mask" in scanned:
            last = ops.where(at["teacher_mask"], at["truth"], last)
        x = joined([last, at["known"] if "known" in scanned else None])
        output, after = stepper.step(x, layers)
        season = ops.expand_dims(at["season"], 1) if "season" in scanned else None
        forecast, weights = decoder.write(ops.expand_dims(output, 1), carry, prepared, mask, season)
        written = {"forecast": forecast[:, 0]}
        if weights is not None:
            written["weights"] = weights[:, 0]
        return (decoder.fed_back(written["forecast"]), after), written

    length = decode_inputs.tokens if not scanned else None
    start = (carry["last_targets"], stepper.turn(carry["layers"]))
    _, written = scan(advance, start, scanned or None, length=length)
    weights = ops.swapaxes(written["weights"], 0, 1) if "weights" in written else None
    return ops.swapaxes(written["forecast"], 0, 1), weights


def decode_paths(decoder: TokenDecoder, decode_inputs: DecodeInputs, *, paths: int, noise: Tensor) -> Tensor:
    """Write token after token, each path reading its own draws of the one before.

    Args:
        decoder: A decoder with a probabilistic head that feeds back.
        decode_inputs: What it writes from.
        paths: Number of paths.
        noise: Numbers that draws are made of, `[tokens · s, B or 1, paths, D, k]`.

    Returns:
        The draws, in the data's units, `[B, paths, tokens · s, D]`.
    """
    carry, width = decode_inputs.carry, decoder.stack.output_width
    segment, targets = decoder.network.segment, decoder.window.targets
    stepper, prepared = decoder.stack.stepper(), decoder.prepared(carry)
    scanned = {**decode_inputs.by_token(), "noise": _noise_of_tokens(noise, segment)}

    def each_path(values: Tensor) -> Tensor:
        return ops.repeat(values, paths, axis=0)

    def advance(state: Any, at: Any) -> Any:
        last, layers = state
        x = joined([last, each_path(at["known"]) if "known" in scanned else None])
        output, after = stepper.step(x, layers)
        # The paths stand where attention and head have tokens, so that none of them needs a memory of its own.
        outputs = ops.reshape(output, (-1, paths, width))
        season = ops.expand_dims(at["season"], 1) if "season" in scanned else None
        forecast, _ = decoder.write(outputs, carry, prepared, season=season)
        drawn = decoder.head.draw(decoder.in_units(forecast, carry), at["noise"])
        last = ops.cast(decoder.normalised(drawn, carry), decoder.compute_dtype)
        return (ops.reshape(last, (-1, segment * targets)), after), drawn

    layers = [tuple(each_path(state) for state in layer) for layer in carry["layers"]]
    _, drawn = scan(advance, (each_path(carry["last_targets"]), stepper.turn(layers)), scanned)
    drawn = ops.transpose(ops.reshape(drawn, (decode_inputs.tokens, -1, paths, segment, targets)), (1, 2, 0, 3, 4))
    return ops.reshape(drawn, (-1, paths, decode_inputs.tokens * segment, targets))


def _noise_of_tokens(noise: Tensor, segment: int) -> Tensor:
    """Fold noise of steps, `[tokens · s, R, paths, D, k]`, into that of tokens, `[tokens, R, paths, s · D, k]`."""
    if segment == 1:
        return noise
    steps, rows, paths, targets, numbers = noise.shape
    folded = ops.reshape(noise, (steps // segment, segment, rows, paths, targets, numbers))
    folded = ops.transpose(folded, (0, 2, 3, 1, 4, 5))
    return ops.reshape(folded, (steps // segment, rows, paths, segment * targets, numbers))
