"""Shapes of a network's weights, from its specs alone.

The specs in a model's file may ask for a network that no memory holds, so shapes are compared with those in the file
before the network is built. A new kind of layer adds its shapes here; a test compares them with built networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seqcast.network.cells import CELLS
from seqcast.network.heads import HEADS
from seqcast.network.segment import token_count
from seqcast.specs import NetworkSpec, WindowSpec

Shape = tuple[int, ...]


def weight_shapes(window: WindowSpec, network: NetworkSpec) -> Iterator[Shape]:
    """Return the shape of each weight, in the order of `Seq2Seq(window, network).weights`.

    Args:
        window: Sizes of a window.
        network: The network's boxes.

    Yields:
        The shapes. Nothing is built.

    Example:
        >>> window = WindowSpec(horizon=3, features=2, targets=1)
        >>> list(weight_shapes(window, NetworkSpec(cell="lstm", encoder_units=(4,), decoder_units=(4,))))
        [(2, 16), (4, 16), (16,), (4, 16), (16,), (4, 1), (1,)]
    """
    yield from _encoder(window, network)
    yield from _decoder(window, network)


def _encoder(window: WindowSpec, network: NetworkSpec) -> Iterator[Shape]:
    width = network.segment * window.features * (2 if window.observed else 1)
    width += window.static if network.static_input == "steps" else 0
    if network.segment > 1:
        yield from _dense(width, network.encoder_units[0])
        width = network.encoder_units[0]
    yield from _stack(network.cell, network.encoder_units, width, bidirectional=network.bidirectional)


def _decoder(window: WindowSpec, network: NetworkSpec) -> Iterator[Shape]:
    written = network.segment * window.targets
    read = network.segment * window.future + (written if network.feeds_back else 0)
    if network.in_blocks:
        yield token_count(window.horizon, network.segment), network.decoder_units[0]
        read += network.decoder_units[0]
    if network.decoder_input == "scheduled":
        yield ()  # the training steps that have been counted
    yield from _stack(network.cell, network.decoder_units, read)
    yield from _bridge(window, network)
    width = network.decoder_units[-1]
    if network.attention != "none":
        yield from _attention(network.attention, width, _encoder_units(network)[-1])
    head = HEADS[network.head]
    parameters = len(network.quantiles or ()) or getattr(head, "parameter_count", 1)
    yield from _dense(width, written * parameters)
    if network.residual == "gated":
        yield from _dense(width, written)


def _dense(inputs: int, outputs: int, *, bias: bool = True) -> Iterator[Shape]:
    yield inputs, outputs
    if bias:
        yield (outputs,)


def _stack(cell: str, units: Sequence[int], width: int, *, bidirectional: bool = False) -> Iterator[Shape]:
    directions = 2 if bidirectional else 1
    for n in units:
        layer = CELLS[cell](n, width)  # not built: it holds no weights
        for _ in range(directions):
            if width:
                yield width, layer.gates * n
            if layer.reads_state:
                yield n, layer.gates * n
            yield layer.bias_shape
        width = directions * n


def _encoder_units(network: NetworkSpec) -> list[int]:
    return [(2 if network.bidirectional else 1) * n for n in network.encoder_units]


def _bridge(window: WindowSpec, network: NetworkSpec) -> Iterator[Shape]:
    static = window.static if network.static_input == "state" else 0
    states = CELLS[network.cell].state_count
    if tuple(_encoder_units(network)) == network.decoder_units and not static:
        return
    for n in network.decoder_units:
        for _ in range(states):
            yield from _dense(states * sum(_encoder_units(network)) + static, n)


def _attention(kind: str, query: int, memory: int) -> Iterator[Shape]:
    if kind == "additive":
        yield from _dense(query, query, bias=False)
        yield from _dense(memory, query)
        yield from _dense(query, 1, bias=False)
    elif kind == "multi_head":
        yield from _dense(query, query)
        yield from _dense(memory, query)
        yield from _dense(memory, query)
    elif query != memory:
        yield from _dense(memory, query, bias=False)
    yield from _dense((query if kind == "multi_head" else memory) + query, query)
