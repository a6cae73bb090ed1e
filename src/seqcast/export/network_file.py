"""One network as operators: from scaled windows to the columns of a forecast."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from seqcast.errors import SpecError
from seqcast.export.decoding import HEADS, DecoderGraph, ForecastColumns
from seqcast.export.encoding import EncoderGraph
from seqcast.export.operators import Array, ndx
from seqcast.network import NORMALISERS, Seq2Seq, later_blocks
from seqcast.specs import NetworkSpec, WindowSpec

# Components with operators; a user's own component is rejected by name.
WRITTEN: Mapping[str, Collection[str]] = {
    "cell": ("gru", "lstm", "simple_rnn"),
    "normalise": NORMALISERS,
    "attention": ("none", "additive", "dot", "multi_head"),
    "head": HEADS,
}


@dataclass(frozen=True)
class NetworkInputs:
    """The inputs of a network.

    Args:
        past: Scaled and without gaps, `[B, T, F]`.
        observed: 1 where a value was observed, `[B, T, F]`.
        static: The static vector, `[B, S]`.
        future: Known-future inputs, `[B, H, F']`.
    """

    past: Array
    observed: Array | None = None
    static: Array | None = None
    future: Array | None = None


def check_network(network: NetworkSpec, window: WindowSpec, horizon: int | None) -> None:
    """Reject networks whose forecast cannot be written as operators.

    Args:
        network: The network.
        window: Sizes of a window.
        horizon: Number of steps; `None` is any.

    Raises:
        SpecError: It is such a network.
    """
    for name, known in WRITTEN.items():
        value = getattr(network, name)
        if value not in known:
            expected = f"one of {', '.join(map(repr, known))} for a file in ONNX"
            hint = "There are no operators for it: `seqcast.export` has to learn it first."
            if name == "head":
                hint = (
                    "There are no operators for it. "
                    "Quantiles of counts and of heavy tails come from head='quantile'."
                )
            raise SpecError(name, expected=expected, received=repr(value), hint=hint)

    if network.feeds_back and network.is_probabilistic:
        raise SpecError(
            "decoder_input",
            expected=f"'zeros' or 'position' with head={network.head!r}, for a file in ONNX",
            received=repr(network.decoder_input),
            hint=(
                "Such a network forecasts by sample paths; train with head='point' or another "
                "decoder_input."
            ),
        )

    if not network.in_blocks:
        return

    if horizon is None:
        raise SpecError(
            "horizon",
            expected=f"a number with decoder_input={network.decoder_input!r}",
            received="'any'",
            hint="Positions are those of a known number of tokens: write a file for each horizon.",
        )
    if horizon > window.horizon and (network.is_probabilistic or network.bidirectional):
        raise SpecError(
            "horizon",
            expected=f"at most the trained one, {window.horizon}",
            received=repr(horizon),
            hint=(
                "Beyond it such a network forecasts by sample paths, or not at all. "
                "Train a longer horizon."
            ),
        )


def add_network(
    model: Seq2Seq, inputs: NetworkInputs, horizon: int | Array, columns: ForecastColumns
) -> Array:
    """Return a network's forecast.

    Args:
        model: The network.
        inputs: Its inputs.
        horizon: Number of steps, `H`; a number, or an array without axes.
        columns: The columns of the forecast.

    Returns:
        The columns of the forecast, scaled, `[B, H, D, columns]`.
    """
    encoder = EncoderGraph(model.encoder)
    decoder = DecoderGraph(model.decoder, encoder.normalisation, columns)
    read = encoder.read(inputs.past, inputs.observed, inputs.static)

    future = inputs.future
    trained = model.window.horizon
    if not isinstance(horizon, int) or not model.network.in_blocks or horizon <= trained:
        return decoder.write(read, horizon, future)

    def written(start: int, stop: int) -> Array:
        known = None if future is None else future[:, start:stop, ...]
        return decoder.write(read, stop - start, known)

    # As `seqcast.network.segment.write_in_blocks` does.
    blocks = [written(0, trained)]
    for before, start, stop, end in later_blocks(horizon, trained, model.network.segment):
        read = encoder.read_on(read, ndx.concat(blocks, axis=1)[:, before:start, :, 0, ...])
        blocks.append(written(start, stop)[:, end - start :, ...])
    return ndx.concat(blocks, axis=1)
