"""The ways in which a decoder writes its tokens: side by side, at once, one by one, or path by path.

The decoder owns layers and units; here are the loops over tokens. Masks and random numbers are made outside of them:
inside a compiled loop a random generator cannot advance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seqcast._backend import keras
from seqcast.network.scan import scan

if TYPE_CHECKING:
    from seqcast.network.decoder import Decoder

__all__ = ["Task", "at_once", "joined", "one_by_one", "path_by_path", "row_count", "side_by_side"]

Tensor = Any
Written = tuple[Tensor, Tensor | None]
ops = keras.ops


@dataclass(frozen=True)
class Task:
    """What a decoder writes tokens from, beside its own outputs.

    Args:
        carry: The parts of `States`, with the decoder's own initial states.
        tokens: Number of tokens.
        positions: What tells the tokens apart, the same for all rows, `[1, tokens, p]`.
        future: The known future of each token, `[B, tokens, f]`.
        season: What outputs are added to, normalised, `[B, tokens, s · D]`.
        truth: The true token before each, normalised, `[B, tokens, s · D]`, for a decoder that is taught.
        shown: Which tokens of which examples are shown it, `[tokens, B, 1]`, where not all are.
        training: Whether dropout is at work.
    """

    carry: dict[str, Any]
    tokens: int
    positions: Tensor | None = None
    future: Tensor | None = None
    season: Tensor | None = None
    truth: Tensor | None = None
    shown: Tensor | None = None
    training: bool | None = None

    @property
    def known(self) -> Tensor | None:
        """What tokens read that does not depend on outputs, `[B, tokens, p + f]`."""
        positions = self.positions
        if positions is not None:
            positions = ops.broadcast_to(positions, (row_count(self.carry), *positions.shape[1:]))
        return joined([positions, self.future])

    def by_token(self) -> dict[str, Tensor]:
        """Return what there is of known inputs, season and truth, first axis the tokens, for a loop to read."""
        given = (("known", self.known), ("season", self.season), ("truth", self.truth))
        steps = {name: ops.swapaxes(values, 0, 1) for name, values in given if values is not None}
        return steps if self.shown is None else {**steps, "shown": self.shown}


def side_by_side(decoder: Decoder, task: Task) -> Written:
    """Write each token by a single step from the same states.

    Args:
        decoder: The decoder.
        task: What it writes from; `positions` are there.

    Returns:
        The forecast, `[B, tokens, s · D]`, or its parameters, normalised, and the attention's weights,
        `[B, tokens, T]`, or `None`.

    Source: SegRNN, Lin et al. 2023, arXiv:2308.11200, section 3.3.
    """
    layers, stack = task.carry["layers"], decoder.stack
    parts = [part for part in (task.positions, task.future) if part is not None]
    outputs = stack.fan(parts, layers, stack.dropout_masks(row_count(task.carry), task.training))
    return _written(decoder, task, outputs)


def at_once(decoder: Decoder, task: Task) -> Written:
    """Write all tokens when no input depends on an output; arguments and result as for `side_by_side`."""
    x, layers = joined([task.truth, task.known]), task.carry["layers"]
    outputs, _ = decoder.stack.sequence(x, initial_state=layers, length=task.tokens, training=task.training)
    return _written(decoder, task, outputs)


def _written(decoder: Decoder, task: Task, outputs: Tensor) -> Written:
    """Write all tokens out of the stack's outputs, `[B, tokens, n]`."""
    carry = task.carry
    mask = decoder.output_mask(carry, task.training)
    return decoder.write(outputs, carry, decoder.prepared(carry), mask, task.season)


def one_by_one(decoder: Decoder, task: Task) -> Written:
    """Write token after token, each reading the one before; arguments and result as for `side_by_side`."""
    carry = task.carry
    stepper = decoder.stack.stepper(decoder.stack.dropout_masks(row_count(carry), task.training))
    mask, prepared = decoder.output_mask(carry, task.training), decoder.prepared(carry)
    scanned = task.by_token()

    def advance(state: Any, at: Any) -> Any:
        last, layers = state
        if "shown" in scanned:
            last = ops.where(at["shown"], at["truth"], last)
        x = joined([last, at["known"] if "known" in scanned else None])
        output, after = stepper.step(x, layers)
        season = ops.expand_dims(at["season"], 1) if "season" in scanned else None
        forecast, weights = decoder.write(ops.expand_dims(output, 1), carry, prepared, mask, season)
        written = {"forecast": forecast[:, 0]}
        if weights is not None:
            written["weights"] = weights[:, 0]
        return (decoder.fed_back(written["forecast"]), after), written

    length = task.tokens if not scanned else None
    start = (carry["last"], stepper.turn(carry["layers"]))
    _, written = scan(advance, start, scanned or None, length=length)
    weights = ops.swapaxes(written["weights"], 0, 1) if "weights" in written else None
    return ops.swapaxes(written["forecast"], 0, 1), weights


def path_by_path(decoder: Decoder, task: Task, *, paths: int, noise: Tensor) -> Tensor:
    """Write token after token, each path reading its own draws of the one before.

    Args:
        decoder: A decoder with a probabilistic head that feeds back.
        task: What it writes from.
        paths: Number of paths.
        noise: Numbers that draws are made of, `[tokens · s, B or 1, paths, D, k]`.

    Returns:
        The draws, in the data's units, `[B, paths, tokens · s, D]`.
    """
    carry, width = task.carry, decoder.stack.output_width
    segment, targets = decoder.network.segment, decoder.window.targets
    stepper, prepared = decoder.stack.stepper(), decoder.prepared(carry)
    scanned = {**task.by_token(), "noise": _noise_of_tokens(noise, segment)}

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
    _, drawn = scan(advance, (each_path(carry["last"]), stepper.turn(layers)), scanned)
    drawn = ops.transpose(ops.reshape(drawn, (task.tokens, -1, paths, segment, targets)), (1, 2, 0, 3, 4))
    return ops.reshape(drawn, (-1, paths, task.tokens * segment, targets))


def _noise_of_tokens(noise: Tensor, segment: int) -> Tensor:
    """Fold noise of steps, `[tokens · s, R, paths, D, k]`, into that of tokens, `[tokens, R, paths, s · D, k]`."""
    if segment == 1:
        return noise
    steps, rows, paths, targets, numbers = noise.shape
    folded = ops.reshape(noise, (steps // segment, segment, rows, paths, targets, numbers))
    folded = ops.transpose(folded, (0, 2, 3, 1, 4, 5))
    return ops.reshape(folded, (steps // segment, rows, paths, segment * targets, numbers))


def row_count(carry: dict[str, Any]) -> Any:
    """Return the number of examples."""
    return ops.shape(carry["layers"][0][0])[0]


def joined(parts: list[Tensor | None]) -> Tensor | None:
    """Put what is there side by side; `None` if nothing is."""
    found = [part for part in parts if part is not None]
    return ops.concatenate(found, axis=-1) if len(found) > 1 else found[0] if found else None
