"""Exchange of weights with the post's model of plain `GRU`, `LSTM` or `SimpleRNN` layers of Keras.

Its encoder returns its states, its decoder begins with them and reads zeros, and a dense layer
writes each step.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from seqcast.errors import SpecError
from seqcast.network.cells import Cell
from seqcast.network.seq2seq import Seq2Seq
from seqcast.runtime import Tensor, keras, to_numpy
from seqcast.specs import NetworkSpec, WindowSpec, check_choice

# Keras's layers of each cell.
LAYERS = {"gru": "GRU", "lstm": "LSTM", "simple_rnn": "SimpleRNN"}
# Options of Keras's cells, with the only values that the cells here have.
CELL_OPTIONS: dict[str, dict[str, object]] = {
    "gru": {
        "activation": "tanh",
        "recurrent_activation": "sigmoid",
        "use_bias": True,
        "reset_after": True,
    },
    "lstm": {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True},
    "simple_rnn": {"activation": "tanh", "use_bias": True},
}
# The weights of a cell, which both kinds of cells call alike.
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

# A recurrent layer of Keras, or several, perhaps nested.
Layers: TypeAlias = keras.layers.Layer | Sequence["Layers"]
# Cells of Keras's recurrent layers, first to last.
Cells = list[keras.layers.Layer]


def from_keras(
    encoder: Layers, decoder: Layers, head: keras.layers.Layer, *, horizon: int
) -> Seq2Seq:
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
    encoder_cells = _cells("encoder", encoder)
    decoder_cells = _cells("decoder", decoder)
    spec = _spec_of(encoder_cells, decoder_cells)
    dense = _output_layer(head)

    features = int(encoder_cells[0].kernel.shape[0])
    window = WindowSpec(horizon=horizon, features=features, targets=dense.units)
    network = Seq2Seq(window, spec, seed=0)

    _copy_cells("encoder", encoder_cells, network.encoder.stack.layers_forward)
    _copy_cells("decoder", decoder_cells, network.decoder.stack.layers_forward)
    _copy("head", dense.kernel, network.decoder.head.dense.kernel)
    _copy("head", dense.bias, network.decoder.head.dense.bias)
    return network


def _spec_of(encoder_cells: Cells, decoder_cells: Cells) -> NetworkSpec:
    """Return the options of a network with cells of the same kind and widths."""
    kinds = {_kind("encoder", cell) for cell in encoder_cells}
    kinds |= {_kind("decoder", cell) for cell in decoder_cells}
    encoder_units = tuple(cell.units for cell in encoder_cells)
    decoder_units = tuple(cell.units for cell in decoder_cells)
    if len(kinds) > 1 or encoder_units != decoder_units:
        raise SpecError(
            "decoder",
            expected=f"layers of one kind as wide as the encoder's, {encoder_units}",
            received=f"{' and '.join(sorted(kinds))} layers of widths {decoder_units}",
            hint="Each layer of the decoder begins with the state of a layer of the encoder.",
        )
    return NetworkSpec(cell=kinds.pop(), encoder_units=encoder_units, decoder_units=decoder_units)


def _output_layer(head: keras.layers.Layer) -> keras.layers.Dense:
    """Return the dense layer that writes the forecast; reject others."""
    dense = getattr(head, "layer", head)
    is_dense = isinstance(dense, keras.layers.Dense)
    if not is_dense or _name(dense.activation) != "linear" or not dense.use_bias:
        raise SpecError(
            "head",
            expected="a Dense layer with a bias and without activation",
            received=repr(head),
            hint="Give the layer that writes the forecast.",
        )
    return dense


def _copy_cells(where: str, plain_cells: Cells, cells: list[Cell]) -> None:
    """Copy the weights of Keras's cells, without kernels that a network does not have."""
    for plain, cell in zip(plain_cells, cells, strict=True):
        for name in WEIGHTS:
            weight = getattr(cell, name)
            if weight is not None:
                _copy(where, getattr(plain, name), weight)


def to_keras(network: Seq2Seq) -> keras.Model:
    """Return the post's model with the weights of a network, made of plain Keras layers.

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
    _check_plain(network)
    new_layer = getattr(keras.layers, LAYERS[network.network.cell])
    layers = {}  # of Keras, by the network's cells

    past = keras.Input((network.window.context_length, network.window.features), name="past")
    x = past
    states = []
    for depth, cell in enumerate(network.encoder.stack.layers_forward):
        layer = new_layer(
            cell.units, return_sequences=True, return_state=True, name=f"encoder_{depth}"
        )
        x, *last = layer(x)
        states.append(last)
        layers[cell] = layer

    zeros = keras.Input((None, 1), name="zeros")
    x = zeros
    for depth, cell in enumerate(network.decoder.stack.layers_forward):
        layer = new_layer(cell.units, return_sequences=True, name=f"decoder_{depth}")
        x = layer(x, initial_state=states[depth])
        layers[cell] = layer

    head = keras.layers.TimeDistributed(keras.layers.Dense(network.window.targets), name="head")
    model = keras.Model([past, zeros], head(x), name="post")

    for cell, layer in layers.items():
        _copy_cell(cell, layer.cell)
    _copy("network", network.decoder.head.dense.kernel, head.layer.kernel)
    _copy("network", network.decoder.head.dense.bias, head.layer.bias)
    return model


def _check_plain(network: Seq2Seq) -> None:
    """Reject a network with an option that the post's model lacks."""
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
        raise SpecError(
            ", ".join(others),
            expected="the defaults of NetworkSpec, for plain Keras layers",
            received="other values",
            hint="Save such a network with network.save('….keras').",
        )


def _copy_cell(cell: Cell, plain: keras.layers.Layer) -> None:
    """Copy the weights of a cell into one of Keras; a kernel that it does not have is zero."""
    for name in WEIGHTS:
        weight = getattr(cell, name)
        target = getattr(plain, name)
        if weight is None:
            target.assign(keras.ops.zeros_like(target.value))
        else:
            _copy("network", weight, target)


def _copy(where: str, source: keras.Variable, target: keras.Variable) -> None:
    """Copy the values of a weight; reject another shape."""
    shape = tuple(source.shape)
    needed = tuple(target.shape)
    if shape != needed:
        raise SpecError(
            where,
            expected=(
                f"layers in their order, first to last, whose weight {source.path} is {needed}"
            ),
            received=str(shape),
            hint=(
                "Give the layers of the encoder or of the decoder in the order in which they read "
                "each other."
            ),
        )

    # A shared buffer would vanish when one of the models donates it to a program.
    target.assign(np.array(to_numpy(source.value)))


def _cells(where: str, layers: Layers) -> Cells:
    """Return the cells of recurrent layers, first to last."""
    cells = list(_each_cell(layers))
    if not cells:
        raise SpecError(
            where, expected="a recurrent layer", received="none", hint="Give its layers."
        )
    return cells


def _each_cell(layers: Layers) -> Iterator[keras.layers.Layer]:
    if isinstance(layers, Sequence):
        for layer in layers:
            yield from _each_cell(layer)
    elif isinstance(layers, keras.layers.StackedRNNCells):
        yield from layers.cells
    elif isinstance(layers, keras.layers.RNN):
        yield from _each_cell(layers.cell)
    else:
        yield layers


def _kind(where: str, cell: keras.layers.Layer) -> str:
    """Return the name of a cell's kind; reject cells with other arithmetic."""
    kinds = {f"{layer}Cell": kind for kind, layer in LAYERS.items()}
    kind = kinds.get(type(cell).__name__)
    if kind is None or not cell.built:
        raise SpecError(
            where,
            expected="built GRU, LSTM or SimpleRNN layers",
            received=repr(cell),
            hint="Call the model once before, and give its recurrent layers.",
        )

    for name, value in CELL_OPTIONS[kind].items():
        option = getattr(cell, name)
        if callable(option):
            option = _name(option)
        if option != value:
            raise SpecError(
                where,
                expected=f"cells with {name}={value!r}",
                received=repr(option),
                hint="The network's cells have no other value.",
            )
    return kind


def _name(function: Callable[..., Tensor]) -> str:
    return str(getattr(function, "__name__", function))
