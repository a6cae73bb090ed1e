"""The decoder as operators: from the encoder's states to the columns of a forecast.

The columns of a forecast are a point and quantiles. A quantile head sums its numbers; a normal head
has `μ + σ z`. The weights of both are known when the file is written. So a head is a dense layer, a
softplus and a product. Units and season are added to all columns alike.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from seqcast.export import operators as op
from seqcast.export.encoding import Normalisation, Read, fold, token_count, whole_on_right
from seqcast.network import (
    LARGEST_LOGARITHM,
    SMALLEST_SCALE,
    Decoder,
    Head,
    Quantiles,
    quantile_weights,
)
from seqcast.runtime import to_numpy
from seqcast.specs import NetworkSpec

# Makes the columns of a forecast of the stack's outputs and the season.
Written = Callable[[op.Array, op.Array | None], op.Array]
# Heads whose quantiles are sums of their numbers.
HEADS = ("point", "quantile", "normal", "log_normal")


@dataclass(frozen=True)
class ForecastColumns:
    """The columns of a forecast: a point, then quantiles.

    Args:
        point: `median` or `mean`.
        probabilities: Probabilities of the quantiles.
    """

    point: str = "median"
    probabilities: tuple[float, ...] = ()


def head_columns(
    head: Head, network: NetworkSpec, outputs: op.Array, columns: ForecastColumns
) -> op.Array:
    """Return the columns of a forecast.

    Args:
        head: The head.
        network: The network.
        outputs: Outputs of the decoder, `[B, tokens, n]`.
        columns: The columns.

    Returns:
        The columns in normalised units, `[B, tokens, s · D, columns]`; of a point head there is
        one.
    """
    if network.head == "point":
        return op.dense(outputs, head.dense)[..., None]

    kernel, bias = (to_numpy(weight.value) for weight in (head.dense.kernel, head.dense.bias))
    # The head writes a number of all targets after another; here the numbers of a target stand
    # together.
    order = np.arange(len(bias)).reshape(head.size, -1).T.ravel()
    numbers = op.reshape(
        op.linear(outputs, kernel[:, order], bias[order]), 0, 0, len(bias) // head.size, head.size
    )

    if network.head == "quantile":
        return _of_quantiles(numbers, head.quantiles, columns)
    return _of_normal(numbers, columns, logarithm=network.head == "log_normal")


def _of_quantiles(
    numbers: op.Array, quantiles: Sequence[float], columns: ForecastColumns
) -> op.Array:
    """Return columns that are sums of the median and of distances between neighbours."""
    middle = quantiles.index(0.5)
    count = len(quantiles)

    # The weight of each number in each quantile, [numbers, quantiles]: those above the median add
    # up, those below too.
    number, quantile = np.indices((count, count))
    above = (number > middle) & (quantile >= number)
    below = (number < middle) & (quantile <= number)
    sums = np.where(number == middle, 1.0, above - 1.0 * below)

    of_point = quantile_weights(quantiles, np.array([0.5]))
    if columns.point == "mean":
        # The mean is a sum of quantiles, so that the means of unit vectors are its weights.
        of_point = Quantiles(tuple(quantiles)).mean(np.eye(count))[None]
    of_quantiles = quantile_weights(quantiles, np.array(columns.probabilities))
    weights = np.concatenate([of_point, of_quantiles])

    is_median = op.ndx.asarray(np.arange(count) == middle)
    terms = op.ndx.where(is_median, numbers, op.apply(op.op.softplus, numbers))
    return op.linear(terms, sums @ weights.T)


def _of_normal(numbers: op.Array, columns: ForecastColumns, *, logarithm: bool) -> op.Array:
    """Return `μ + σ z` for the `z` of each column, or its exponential."""
    location = numbers[..., :1]
    scale = op.apply(op.op.softplus, numbers[..., 1:]) + SMALLEST_SCALE
    z = special.ndtri(np.array([0.5, *columns.probabilities])).astype(np.float32)
    moved = location + scale * op.ndx.asarray(z)
    if not logarithm:
        return moved
    if columns.point == "mean":
        moved = op.ndx.concat([location + 0.5 * scale * scale, moved[..., 1:]], axis=3)
    return op.ndx.exp(op.ndx.minimum(moved, LARGEST_LOGARITHM))


class DecoderGraph:
    """The decoder as operators.

    Args:
        decoder: The decoder.
        normalisation: The encoder's normalisation, which is undone.
        columns: The columns of the forecast.
    """

    def __init__(
        self, decoder: Decoder, normalisation: Normalisation, columns: ForecastColumns
    ) -> None:
        self.decoder = decoder
        self.normalisation = normalisation
        self.columns = columns
        self.window = decoder.window
        self.network = decoder.network
        self.stack = op.Stack(decoder.stack)
        self.attention = None if decoder.attention is None else op.AttentionLayer(decoder.attention)

    def write(self, read: Read, horizon: int | op.Array, future: op.Array | None) -> op.Array:
        """Write a forecast.

        Args:
            read: The encoder's states.
            horizon: Number of steps, `H`; a number, or an array without axes.
            future: Known-future inputs, `[B, H, F']`.

        Returns:
            The columns of the forecast in the network's units, `[B, H, D, columns]`.
        """
        segment = self.network.segment
        layers = self._bridge(read)
        tokens = token_count(horizon, segment)
        known = self._known(layers, tokens, horizon, future)
        season = self._season(read, tokens)

        prepared = None
        if self.attention is not None and read.memory is not None:
            prepared = self.attention.prepare(read.memory)

        written = functools.partial(self._written, read, prepared)
        if self.network.feeds_back and read.last_targets is not None:
            before = [(read.last_targets,), *layers]
            forecast = self._stepwise(before, tokens, known, season, written)
        else:
            forecast = written(self._outputs(layers, tokens, known), season)

        if segment > 1:
            forecast = op.reshape(forecast, 0, -1, self.window.targets, 0)
            if not (isinstance(horizon, int) and horizon % segment == 0):
                forecast = forecast[:, :horizon, ...]

        return self.normalisation.restored(forecast, read.statistics)

    def _bridge(self, read: Read) -> op.LayerStates:
        """Return the decoder's initial states."""
        bridge = self.decoder.bridge
        if bridge.identity:
            return read.layers
        sources = [state for layer in read.layers for state in layer]
        if read.static is not None and self.network.static_input == "state":
            sources.append(read.static)
        joined = op.ndx.concat(sources, axis=1)
        mapped = []
        for layer in bridge.dense:
            state = op.dense(joined, layer)
            mapped.append(op.ndx.tanh(state) if layer.activation.__name__ == "tanh" else state)

        states = iter(mapped)
        return [tuple(next(states) for _ in widths) for widths in bridge.decoder_widths]

    def _known(
        self,
        layers: op.LayerStates,
        tokens: int | op.Array,
        horizon: int | op.Array,
        future: op.Array | None,
    ) -> op.Array | None:
        """Return the inputs of tokens that do not depend on outputs, `[B, tokens, p + f]`."""
        inputs = []
        segment = self.network.segment
        if self.decoder.position is not None:
            # Positions are those of a known number of tokens, see `check_network`.
            positions = to_numpy(self.decoder.position.value)[None, :tokens].astype(np.float32)
            inputs.append(op.expand(op.ndx.asarray(positions), op.length(layers[0][0], 0), 1, 1))
        if future is not None:
            inputs.append(
                fold(whole_on_right(future, segment, horizon), segment, self.window.future)
            )

        return op.ndx.concat(inputs, axis=2) if inputs else None

    def _season(self, read: Read, tokens: int | op.Array) -> op.Array | None:
        """Return the last season, repeated over the tokens, `[B, tokens, s · D]`."""
        segment = self.network.segment
        season = self.window.season_length
        if read.season is None or season is None:
            return None
        places = op.steps_to(tokens * segment) % season
        return fold(op.ndx.take(read.season, places, axis=1), segment, self.window.targets)

    def _outputs(
        self, layers: op.LayerStates, tokens: int | op.Array, known: op.Array | None
    ) -> op.Array:
        """Return the stack's outputs when no input depends on an output, `[B, tokens, n]`."""
        if known is None:
            return self.stack.without_input(tokens, layers)
        if self.network.decoding != "parallel":
            return self.stack.sequence(known, layers)[0]

        # Each token is a single step from the same states.
        repeated = [
            tuple(
                op.reshape(op.expand(state[:, None, ...], 1, tokens, 1), -1, n)
                for state, n in zip(states, widths, strict=True)
            )
            for states, widths in zip(layers, self.decoder.stack.state_widths, strict=True)
        ]
        output, _ = self.stack.step(op.reshape(known, -1, op.length(known, 2)), repeated)
        return op.reshape(output, -1, tokens, self.decoder.stack.output_width)

    def _stepwise(
        self,
        before: op.LayerStates,
        tokens: int | op.Array,
        known: op.Array | None,
        season: op.Array | None,
        written: Written,
    ) -> op.Array:
        """Write token after token, each reading the previous one, `[B, tokens, s · D, 1]`.

        A step reads the last targets, and then the states of each layer; `written` makes forecasts
        of its outputs.
        """
        widths = [(self.network.segment * self.window.targets,), *self.decoder.stack.state_widths]

        def carried(states: op.LayerStates) -> list[Any]:
            # The states of a loop need the same axes before and after a step, so both are reshaped.
            pairs = zip(itertools.chain(*states), itertools.chain(*widths), strict=True)
            return [op.reshape(state, -1, n).unwrap_spox() for state, n in pairs]

        def token(number: Any, condition: Any, *flat: Any) -> list[Any]:
            place = op.ndx.reshape(op.ndx.asarray(number), (1,))
            values = map(op.ndx.asarray, flat)
            (last,), *own = [tuple(itertools.islice(values, len(layer))) for layer in widths]
            inputs = [last]
            if known is not None:
                inputs.append(op.entry(op.ndx.take(known, place, axis=1), 0, 1))
            output, after = self.stack.step(op.ndx.concat(inputs, axis=1), own)
            own_season = None if season is None else op.ndx.take(season, place, axis=1)
            forecast = op.entry(op.entry(written(output[:, None, ...], own_season), 0, 3), 0, 1)
            return [condition, *carried([(forecast,), *after]), forecast.unwrap_spox()]

        count = op.ndx.asarray(tokens, dtype=op.ndx.int64).unwrap_spox()
        forecasts = op.op.loop(count, None, carried(before), body=token)[-1]
        return op.ndx.permute_dims(op.ndx.asarray(forecasts), (1, 0, 2))[..., None]

    def _written(
        self,
        read: Read,
        prepared: tuple[op.Array, op.Array] | None,
        outputs: op.Array,
        season: op.Array | None,
    ) -> op.Array:
        """Attend, apply the head and add the season, `[B, tokens, s · D, columns]`."""
        if self.attention is not None and prepared is not None:
            outputs = self.attention(outputs, prepared, read.memory_valid)
        forecast = head_columns(self.decoder.head, self.network, outputs, self.columns)
        if season is None:
            return forecast
        if self.decoder.gate is not None:
            season = season * op.apply(op.op.sigmoid, op.dense(outputs, self.decoder.gate))
        return forecast + season[..., None]
