"""Exchange of weights with plain Keras layers: the post's model of `GRU`, `LSTM` or `SimpleRNN` layers.

Its encoder returns its states, its decoder begins with them and reads zeros, and a dense layer
writes each step.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from seqcast.errors import SpecError
from seqcast.network.cells import Cell
from seqcast.network.seq2seq import Seq2Seq
from seqcast.runtime import keras, to_numpy
from seqcast.specs import NetworkSpec, WindowSpec, check_choice

LAYERS = {"gru": "GRU", "lstm": "LSTM", "simple_rnn": "SimpleRNN"}
# Options of Keras's cells, with the only values that the cells here have.
CELL_OPTIONS: dict[str, dict[str, Any]] = {
    "gru": {
        "activation": "tanh",
        "recurrent_activation": "sigmoid",
        "use_bias": True,
        "reset_after": True,
    },
    "lstm": {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True},
    "simple_rnn": {"activation": "tanh", "use_bias": True},
}
WEIGHTS = ("kernel", "recurrent_kernel", "bias")
# Options without effect if the others are at their defaults.
UNUSED_OPTIONS = {
    "dropout",
    "regularizer",
    "sampling_schedule",
    "sampling_steps",
    "attention_heads",
    "static_input",
}


def from_keras(encoder: Any, decoder: Any, head: Any, *, horizon: int) -> Seq2Seq:
    """Return a network with the weights of plain Keras layers.

    Args:
        encoder: The encoder's layers, first to last: `GRU`, `LSTM` or `SimpleRNN` layers, or an
            `RNN` of their cells.
        decoder: The decoder's layers, of the same widths; each begins with the state of an encoder
            layer. They read zeros, so the weights of their input do not matter.
        head: A `Dense` layer without activation, perhaps in a `TimeDistributed`.
        horizon: Number of steps of the network's forecast.

    Returns:
        The network, with the forecasts of the model of these layers.

    Raises:
        SpecError: A layer has another kind, or options that the network's cells do not have.

    Example:
        >>> encoder, decoder, head = keras.layers.GRU(4), keras.layers.GRU(4), keras.layers.Dense(1)
        >>> for layer, width in ((encoder, 1), (decoder, 1), (head, 4)):
        ...     layer.build((None, 4) if layer is head else (None, None, width))
        >>> from_keras(encoder, decoder, head, horizon=5).network.encoder_units
        (4,)
    """
    ours = _cells("encoder", encoder)
    theirs = _cells("decoder", decoder)
    kinds = {_kind("encoder", cell) for cell in ours} | {_kind("decoder", cell) for cell in theirs}
    widths = [tuple(cell.units for cell in cells) for cells in (ours, theirs)]
    if len(kinds) > 1 or widths[0] != widths[1]:
        expected = f"layers of one kind as wide as the encoder's, {widths[0]}"
        received = f"{' and '.join(sorted(kinds))} layers of widths {widths[1]}"
        hint = "Each layer of the decoder begins with the state of a layer of the encoder."
        raise SpecError("decoder", expected=expected, received=received, hint=hint)
    dense = getattr(head, "layer", head)
    if (
        not isinstance(dense, keras.layers.Dense)
        or _name(dense.activation) != "linear"
        or not dense.use_bias
    ):
        expected = "a Dense layer with a bias and without activation"
        raise SpecError(
            "head",
            expected=expected,
            received=repr(head),
            hint="Give the layer that writes the forecast.",
        )
    spec = NetworkSpec(cell=kinds.pop(), encoder_units=widths[0], decoder_units=widths[1])
    window = WindowSpec(horizon=horizon, features=int(ours[0].kernel.shape[0]), targets=dense.units)
    network = Seq2Seq(window, spec, seed=0)
    for where, half, cells in (
        ("encoder", network.encoder, ours),
        ("decoder", network.decoder, theirs),
    ):
        for cell, plain in zip(half.stack.layers_forward, cells, strict=True):
            for name in WEIGHTS:
                if getattr(cell, name) is not None:
                    _copy(where, getattr(plain, name), getattr(cell, name))
    _copy("head", dense.kernel, network.decoder.head.dense.kernel)
    _copy("head", dense.bias, network.decoder.head.dense.bias)
    return network


def to_keras(network: Seq2Seq) -> Any:
    """Return the post's model with the weights of a network, as a `keras.Model` of plain Keras layers.

    Args:
        network: A network with a point head, whose decoder reads zeros; all other options are
            defaults.

    Returns:
        A model from the past, `[B, T, F]`, and zeros, `[B, H, 1]`, to the forecast, `[B, H, D]`.

    Raises:
        SpecError: The network has an option that the post's model lacks, or a cell that Keras has
            no layer for.

    Example:
        >>> network = Seq2Seq(WindowSpec(horizon=3, features=1, targets=1), NetworkSpec(), seed=0)
        >>> model = to_keras(network)
        >>> model([keras.ops.ones((2, 5, 1)), keras.ops.zeros((2, 3, 1))]).shape == (2, 3, 1)
        True
    """
    spec = network.network
    check_choice("cell", spec.cell, tuple(LAYERS))
    plain = NetworkSpec(
        cell=spec.cell, encoder_units=spec.encoder_units, decoder_units=spec.encoder_units
    ).to_dict()
    others = [
        name
        for name, value in spec.to_dict().items()
        if plain[name] != value and name not in UNUSED_OPTIONS
    ]
    others += [name for name in ("static", "future", "observed") if getattr(network.window, name)]
    if others:
        expected = "the defaults of NetworkSpec, for plain Keras layers"
        hint = "Save such a network with network.save('….keras')."
        raise SpecError(", ".join(others), expected=expected, received="other values", hint=hint)
    make = getattr(keras.layers, LAYERS[spec.cell])
    past = keras.Input((network.window.context_length, network.window.features), name="past")
    zeros = keras.Input((None, 1), name="zeros")
    x = past
    pairs = []
    states = []
    for depth, cell in enumerate(network.encoder.stack.layers_forward):
        layer = make(cell.units, return_sequences=True, return_state=True, name=f"encoder_{depth}")
        x, *last = layer(x)
        states.append(last)
        pairs.append((layer, cell))
    x = zeros
    for depth, cell in enumerate(network.decoder.stack.layers_forward):
        layer = make(cell.units, return_sequences=True, name=f"decoder_{depth}")
        x = layer(x, initial_state=states[depth])
        pairs.append((layer, cell))
    head = keras.layers.TimeDistributed(keras.layers.Dense(network.window.targets), name="head")
    model = keras.Model([past, zeros], head(x), name="post")
    for layer, cell in pairs:
        _copy_cell(cell, layer.cell)
    _copy("network", network.decoder.head.dense.kernel, head.layer.kernel)
    _copy("network", network.decoder.head.dense.bias, head.layer.bias)
    return model


def _copy_cell(cell: Cell, plain: Any) -> None:
    for name in WEIGHTS:
        weight = getattr(cell, name)
        target = getattr(plain, name)
        if weight is None:
            target.assign(keras.ops.zeros_like(target.value))
        else:
            _copy("network", weight, target)


def _copy(where: str, source: Any, target: Any) -> None:
    """Copy the values of a weight: a shared buffer would vanish when one of the models donates it to a program."""
    if tuple(source.shape) != tuple(target.shape):
        expected = f"layers in their order, first to last, whose weight {source.path} is {tuple(target.shape)}"
        hint = "Give the layers of the encoder or of the decoder in the order in which they read each other."
        raise SpecError(where, expected=expected, received=str(tuple(source.shape)), hint=hint)
    target.assign(np.array(to_numpy(source.value)))


def _cells(where: str, layers: Any) -> list[Any]:
    """Return the cells of recurrent layers, first to last."""

    def each(layer: Any) -> Iterator[Any]:
        if isinstance(layer, Sequence):
            for item in layer:
                yield from each(item)
        elif isinstance(layer, keras.layers.StackedRNNCells):
            yield from layer.cells
        elif isinstance(layer, keras.layers.RNN):
            yield from each(layer.cell)
        else:
            yield layer

    cells = list(each(layers))
    if not cells:
        raise SpecError(
            where, expected="a recurrent layer", received="none", hint="Give its layers."
        )
    return cells


def _kind(where: str, cell: Any) -> str:
    """Return the name of a cell's kind; reject cells with other arithmetic."""
    kind = {f"{layer}Cell": kind for kind, layer in LAYERS.items()}.get(type(cell).__name__)
    if kind is None or not cell.built:
        hint = "Call the model once before, and give its recurrent layers."
        raise SpecError(
            where, expected="built GRU, LSTM or SimpleRNN layers", received=repr(cell), hint=hint
        )
    for name, value in CELL_OPTIONS[kind].items():
        option = getattr(cell, name)
        if (_name(option) if callable(option) else option) != value:
            received = repr(_name(option) if callable(option) else option)
            hint = "The network's cells have no other value."
            raise SpecError(
                where, expected=f"cells with {name}={value!r}", received=received, hint=hint
            )
    return kind


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", function))
