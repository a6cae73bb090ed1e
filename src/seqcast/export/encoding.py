"""The encoder as operators: normalisation of windows, segments of steps, and states."""

from dataclasses import dataclass, replace
from types import ModuleType
from typing import ClassVar

import numpy as np

from seqcast.export import operators as op
from seqcast.network import Encoder, Normaliser, Statistics, TargetWindows
from seqcast.runtime import Tensor


class WindowOperators(TargetWindows):
    """The targets of windows, whose statistics are recorded as operators."""

    xp: ClassVar[ModuleType] = op.ndx

    def mean_of(self, values: Tensor) -> Tensor:
        """Return the mean by one operator, where all steps were observed."""
        if self.observed is None:
            return op.reduced(op.op.reduce_mean, values, keepdims=False)
        return super().mean_of(values)


class Normalisation:
    """A normaliser as operators: it scales the target columns of a window, and forecasts back.

    Args:
        normaliser: The normaliser.
    """

    def __init__(self, normaliser: Normaliser) -> None:
        self.normaliser = normaliser
        self.features = len(normaliser.untouched)

    def targets(self, past: op.Array) -> op.Array:
        """Return the target columns, `[B, T, D]`.

        Args:
            past: All columns, `[B, T, F]`.
        """
        columns = self.normaliser.target_features
        if columns == list(range(self.features)):
            return past
        return op.ndx.take(past, op.ndx.asarray(columns), axis=2)

    def statistics(self, past: op.Array, observed: op.Array | None) -> Statistics:
        """Return each window's loc and scale.

        Args:
            past: The past, `[B, T, F]`.
            observed: 1 where a value was observed, `[B, T, F]`; `None` where all were.
        """
        windows = WindowOperators(past, observed, self.targets, self.normaliser.segment)
        return self.normaliser.window_statistics(windows)

    def apply(self, past: op.Array, statistics: Statistics) -> op.Array:
        """Normalise the target columns.

        Args:
            past: The past, `[B, T, F]`.
            statistics: Loc and scale.
        """
        if statistics.loc is not None:
            past = past - self.placed(statistics.loc)[:, None, ...]

        if statistics.scale is None:
            return past
        divisor = self.placed(statistics.scale)[:, None, ...]
        if self.features > len(self.normaliser.target_features):
            divisor = divisor + op.ndx.asarray(self.normaliser.untouched)
        return past / divisor

    def restored(self, forecast: op.Array, statistics: Statistics) -> op.Array:
        """Undo the normalisation.

        Args:
            forecast: Normalised values of the targets, `[B, H, D, columns]`.
            statistics: Loc and scale.
        """
        if statistics.scale is not None:
            forecast = forecast * statistics.scale[:, None, :, None]
        if statistics.loc is not None:
            forecast = forecast + statistics.loc[:, None, :, None]
        return forecast

    def placed(self, targets: op.Array) -> op.Array:
        """Return values of the targets in their columns, and zeros in the others, `[..., F]`.

        Args:
            targets: The values, `[..., D]`.
        """
        if np.array_equal(self.normaliser.place, np.eye(self.features)):
            return targets
        return op.apply(op.op.matmul, targets, op.ndx.asarray(self.normaliser.place))


def token_count(steps: int | op.Array, segment: int) -> int | op.Array:
    """Return the number of tokens that steps fill.

    Args:
        steps: Number of steps; a number, or an array.
        segment: Steps of a token.
    """
    if segment == 1:
        return steps
    if isinstance(steps, int):
        return -(-steps // segment)
    return op.over(steps + (segment - 1), segment)


def fold(x: op.Array, segment: int, width: int) -> op.Array:
    """Fold whole segments of steps into tokens, `[B, tokens, s · f]`.

    Args:
        x: The steps, `[B, tokens · s, f]`.
        segment: Steps of a token, `s`.
        width: Numbers of a step, `f`.
    """
    return x if segment == 1 else op.reshape(x, 0, -1, segment * width)


def whole_on_left(x: op.Array, segment: int, *, repeat: bool) -> op.Array:
    """Lengthen a past to whole segments on the left.

    Args:
        x: Steps, `[B, T, f]`.
        segment: Steps of a segment.
        repeat: Whether the first step is repeated; otherwise zeros are put before it.
    """
    return x if segment == 1 else op.pad(x, -op.length(x, 1) % segment, edge=repeat)


def whole_on_right(x: op.Array, segment: int, steps: int | op.Array) -> op.Array:
    """Lengthen a future to whole segments by repeating its last step.

    Args:
        x: Steps, `[B, H, f]`.
        segment: Steps of a segment.
        steps: Their number, `H`.
    """
    return x if segment == 1 else op.pad(x, 0, -steps % segment, edge=True)


@dataclass(frozen=True)
class Read:
    """The encoder's states: the fields of `seqcast.network.encoder.States`.

    Args:
        layers: The states of each layer.
        statistics: Statistics of the normaliser.
        static: The static vector, `[B, S]`.
        memory: The encoder's outputs for attention, `[B, tokens, n]`.
        memory_valid: Which of them count, `[B, tokens]`; `None` when all do.
        last_targets: The targets' values in the last token, `[B, s · D]`.
        season: Their values in the last season, `[B, m, D]`.
        last_features: The last value of each feature, `[B, 1, F]`.
    """

    layers: op.LayerStates
    statistics: Statistics
    static: op.Array | None = None
    memory: op.Array | None = None
    memory_valid: op.Array | None = None
    last_targets: op.Array | None = None
    season: op.Array | None = None
    last_features: op.Array | None = None


class EncoderGraph:
    """The encoder as operators.

    Args:
        encoder: The encoder.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.window = encoder.window
        self.network = encoder.network
        self.normalisation = Normalisation(encoder.normaliser)
        self.stack = op.Stack(encoder.stack)

    def read(self, past: op.Array, observed: op.Array | None, static: op.Array | None) -> Read:
        """Read a past.

        Args:
            past: Scaled and without gaps, `[B, T, F]`.
            observed: 1 where a value was observed, `[B, T, F]`, where the network knows gaps.
            static: The static vector, `[B, S]`.
        """
        statistics = self.normalisation.statistics(past, observed)
        past = self.normalisation.apply(past, statistics)
        return self._read(past, observed, Read([], statistics, static))

    def read_on(self, before: Read, forecast: op.Array) -> Read:
        """Read a forecast of whole segments as if it had been observed.

        Args:
            before: The states before it.
            forecast: The forecast, `[B, n, D]`, as the network writes it.
        """
        normaliser = self.normalisation
        ours = normaliser.normaliser.place.sum(axis=0).astype(np.float32)
        past = normaliser.apply(normaliser.placed(forecast), before.statistics)
        if before.last_features is not None and not ours.all():
            # Other features keep their last value; their columns of the past are still empty.
            past = op.ndx.where(op.ndx.asarray(ours > 0), past, before.last_features)

        observed = None
        if self.window.observed:
            observed = op.expand(
                op.ndx.asarray(ours[None, None]), op.length(past, 0), op.length(past, 1), 1
            )

        return self._read(past, observed, before, on=True)

    def _read(
        self, past: op.Array, observed: op.Array | None, before: Read, *, on: bool = False
    ) -> Read:
        """Read a normalised past, from the start or on from earlier states."""
        network = self.network
        segment = network.segment
        # A forecast has no padding.
        valid = None if observed is None or on else _is_no_padding(observed)
        read = replace(before, last_features=past[:, -1:, ...] if network.in_blocks else None)

        if network.reads_season and self.window.season_length is not None:
            values = self._seasonal(past, None if on else observed, before.season)
            read = replace(read, season=values[:, -self.window.season_length :, ...])

        if segment > 1 and valid is not None:
            past = op.ndx.where(valid, past, 0.0)
        whole = whole_on_left(past, segment, repeat=observed is None)

        if network.feeds_back:
            targets = self.normalisation.targets(whole[:, -segment:, ...])
            last = fold(targets, segment, self.window.targets)
            read = replace(read, last_targets=op.entry(last, 0, 1))

        if observed is not None:
            whole = op.ndx.concat([whole, whole_on_left(observed, segment, repeat=False)], axis=2)

        tokens = fold(whole, segment, self.window.features * (1 if observed is None else 2))
        lengths: op.Array | None = None
        if valid is not None:
            # A token counts if one of its steps does.
            steps = op.ndx.sum(op.ndx.astype(valid, op.ndx.int64), axis=(1, 2))
            lengths = op.ndx.asarray(token_count(steps, segment))
            tokens = _shifted(tokens, lengths)

        outputs, layers = self.stack.sequence(
            self._embedded(tokens, read.static), before.layers if on else None, lengths=lengths
        )
        read = replace(read, layers=layers)

        if network.attention == "none":
            return read
        return self._with_memory(read, before, outputs, lengths)

    def _embedded(self, tokens: op.Array, static: op.Array | None) -> op.Array:
        """Return the inputs of the stack, `[B, tokens, f]`."""
        if static is not None and self.encoder.static_at_steps:
            tokens = op.ndx.concat(
                [tokens, op.expand(static[:, None, ...], 1, op.length(tokens, 1), 1)], axis=2
            )
        embedding = self.encoder.embedding
        if embedding is None:
            return tokens
        return op.apply(op.op.relu, op.dense(tokens, embedding.dense))

    def _seasonal(
        self, past: op.Array, observed: op.Array | None, before: op.Array | None
    ) -> op.Array:
        """Return the targets, earlier ones first, `[B, T, D]`; 0 before the first observed one."""
        values = self.normalisation.targets(past)
        if observed is not None:
            so_far = op.ndx.cumulative_sum(self.normalisation.targets(observed), axis=1)
            values = op.ndx.where(so_far > 0.5, values, 0.0)
        return values if before is None else op.ndx.concat([before, values], axis=1)

    def _with_memory(
        self, read: Read, before: Read, outputs: op.Array, lengths: op.Array | None
    ) -> Read:
        """Add the outputs to the memory; only the first `lengths` of them count."""
        valid = None if lengths is None else _steps_of(outputs) < lengths[:, None, ...]
        if before.memory is None:
            return replace(read, memory=outputs, memory_valid=valid)

        if before.memory_valid is not None:
            new = op.expand(
                op.ndx.asarray(np.ones((1, 1), bool)), op.length(outputs, 0), op.length(outputs, 1)
            )
            valid = op.ndx.concat([before.memory_valid, new], axis=1)

        return replace(
            read, memory=op.ndx.concat([before.memory, outputs], axis=1), memory_valid=valid
        )


def _is_no_padding(observed: op.Array) -> op.Array:
    """Return which steps are no padding, `[B, T, 1]`: all from the first observed one on."""
    any_feature = observed if observed.shape[2] == 1 else op.reduced(op.op.reduce_max, observed, 2)
    return op.ndx.cumulative_sum(any_feature, axis=1) > 0.5


def _steps_of(tokens: op.Array) -> op.Array:
    """Return the numbers of tokens, `[T]`."""
    count = op.length(tokens, 1)
    return op.steps_to(count if isinstance(count, int) else op.entry(count, 0, 0))


def _shifted(tokens: op.Array, lengths: op.Array) -> op.Array:
    """Rotate each row until its tokens that count come first: operators skip only the last ones."""
    places = (_steps_of(tokens)[:, None] - lengths[:, None, None]) % op.length(tokens, 1)
    return op.apply(op.op.gather_nd, tokens, places, batch_dims=1)
