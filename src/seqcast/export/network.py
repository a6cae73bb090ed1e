"""One network: from scaled windows to the parts of a forecast."""

from __future__ import annotations

from dataclasses import dataclass

from seqcast.errors import SpecError
from seqcast.export.decoder import DecoderGraph
from seqcast.export.encoder import EncoderGraph
from seqcast.export.graph import Graph
from seqcast.export.heads import HEADS, Parts
from seqcast.network import Seq2Seq, later_blocks
from seqcast.specs import NetworkSpec, WindowSpec

# What there are operators for; a part of one's own is refused by name.
WRITTEN = {
    "cell": ("gru", "lstm", "simple_rnn"),
    "normalise": ("none", "last", "level", "instance", "recent", "scale"),
    "attention": ("none", "additive", "dot", "multi_head"),
    "head": HEADS,
}


@dataclass(frozen=True)
class NetworkInputs:
    """What a network reads, as values of a graph.

    Args:
        past: Scaled and without gaps, `[B, T, F]`.
        observed: 1 where a value was observed, `[B, T, F]`.
        static: The static vector, `[B, S]`.
        future: Known-future inputs, `[B, H, F']`.
        steps: Number of steps of the past, where it is known.
        tokens: How many tokens of each row are read, its last ones, `[B]`; `None` is all.
    """

    past: str
    observed: str | None = None
    static: str | None = None
    future: str | None = None
    steps: int | None = None
    tokens: str | None = None


def check_network(network: NetworkSpec, window: WindowSpec, horizon: int | None) -> None:
    """Refuse networks whose forecast cannot be written as operators.

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
            raise SpecError(
                name,
                expected=f"one of {', '.join(map(repr, known))} for a file in ONNX",
                received=repr(value),
                hint="There are no operators for it. Quantiles of counts and of heavy tails come from head='quantile'."
                if name == "head"
                else "There are no operators for it: `seqcast.export` has to learn it first.",
            )
    if network.feeds_back and network.is_probabilistic:
        raise SpecError(
            "decoder_input",
            expected=f"'zeros' or 'position' with head={network.head!r}, for a file in ONNX",
            received=repr(network.decoder_input),
            hint="Such a network forecasts by sample paths; train with head='point' or another decoder_input.",
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
            hint="Beyond it such a network forecasts by sample paths, or not at all. Train a longer horizon.",
        )


def add_network(graph: Graph, model: Seq2Seq, inputs: NetworkInputs, horizon: int | str, parts: Parts) -> str:
    """Add a network.

    Args:
        graph: The graph.
        model: The network.
        inputs: What it reads.
        horizon: Number of steps, `H`; a number, or a value `[1]`.
        parts: What is asked of the forecast.

    Returns:
        The parts of the forecast, scaled, `[B, H, D, parts]`.
    """
    encoder = EncoderGraph(graph, model.encoder)
    decoder = DecoderGraph(graph, model.decoder, encoder.normalisation, parts)
    read = encoder.read(inputs.past, inputs.observed, inputs.static, inputs.steps, inputs.tokens)
    trained, segment = model.window.horizon, model.network.segment
    if not model.network.in_blocks or (isinstance(horizon, int) and horizon <= trained):
        return decoder.write(read, horizon, inputs.future)
    assert isinstance(horizon, int)

    def known(start: int, steps: int) -> str | None:
        return None if inputs.future is None else graph.cut(inputs.future, 1, start, start + steps)

    # As `seqcast.network.segment.write_in_blocks` does.
    blocks = [decoder.write(read, trained, known(0, trained))]
    for before, start, stop, end in later_blocks(horizon, trained, segment):
        forecast = graph.squeeze(graph.cut(graph.concat(blocks, 1), 1, before, start), 3)
        read = encoder.read_on(read, forecast, start - before)
        block = decoder.write(read, stop - start, known(start, stop - start))
        blocks.append(graph.cut(block, 1, end - start))
    return graph.concat(blocks, 1)
