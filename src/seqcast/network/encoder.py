"""The encoder, which reads the past, and its states, from which the decoder writes the forecast."""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from seqcast.errors import DataError, SpecError
from seqcast.network.cells import Tensors
from seqcast.network.dense import SegmentEmbedding
from seqcast.network.normalise import NORMALISERS
from seqcast.network.randomness import child_seeds
from seqcast.network.recurrent import RecurrentStack
from seqcast.network.segment import fold, whole_on_left
from seqcast.runtime import Array, Tensor, keras, ops
from seqcast.specs import NetworkSpec, WindowSpec

# The arrays of `States` by name, without those that are `None`.
StateArrays = dict[str, Any]


@dataclass(frozen=True)
class States:
    """The frozen states of an encoder after the past, from which `decode` writes the forecast.

    Args:
        layers: The encoder's states, layer by layer, `[B, n]` each; an LSTM's layer has two.
        memory: The encoder's outputs for attention, one a token, `[B, T, n]`; `None` without
            attention.
        memory_valid: Whether an output counts, `[B, T]`; `None` if all do.
        loc: The loc that the normaliser has subtracted from each target, `[B, D]`; `None` without
            one.
        scale: The scale that the normaliser has divided by, `[B, D]`.
        static: The static vector, `[B, S]`; `None` without one.
        last_targets: The targets' values in the last token, normalised, `[B, s · D]`; `None` if the
            decoder reads no targets.
        season: The targets' values in the last season, normalised, `[B, m, D]`; `None` if the
            forecast is not added to them.
        last_features: The last value of each feature, target columns normalised, `[B, F]`; it fills
            gaps in new steps. `None` if the encoder does not need it.
        observed_any: 1 for features with an observed value, else 0, `[B, F]`; `None` without
            `observed` in the window.
        mark: The mark of the weights that encoded them. An estimator and an `Engine` set it, and
            decode or update only states with the mark of their own weights. `None` from a plain
            `Seq2Seq`, which does not compare it.

    Example:
        >>> states = States(layers=((np.ones((2, 3)),), (np.zeros((2, 4)),)))
        >>> len(states), states.vector().shape, len(states[:1])
        (2, (2, 7), 1)
    """

    layers: tuple[Tensors, ...]
    memory: Tensor | None = None
    memory_valid: Tensor | None = None
    loc: Tensor | None = None
    scale: Tensor | None = None
    static: Tensor | None = None
    last_targets: Tensor | None = None
    season: Tensor | None = None
    last_features: Tensor | None = None
    observed_any: Tensor | None = None
    mark: str | None = None

    def __len__(self) -> int:
        return int(self.layers[0][0].shape[0])

    def __getitem__(self, rows: int | slice | Array) -> Self:
        """Return the states of some examples; `rows` is a slice, an index array or a mask."""
        if isinstance(rows, int | np.integer):
            rows = slice(rows, rows + 1) if rows != -1 else slice(-1, None)
        chosen = keras.tree.map_structure(lambda value: value[rows], self.arrays())
        return type(self).from_dict({**chosen, "mark": self.mark})

    def vector(self) -> Tensor:
        """Return all layer states joined, `[B, sum of widths]`, first layer first."""
        return np.concatenate(
            [np.asarray(state) for layer in self.layers for state in layer], axis=-1
        )

    def arrays(self) -> StateArrays:
        """Return the arrays that are not `None`, by name."""
        return {name: value for name, value in self.to_dict().items() if name != "mark"}

    def to_dict(self) -> StateArrays:
        """Return the arrays and the mark, those that are not `None`, by name."""
        pairs = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in pairs.items() if value is not None}

    @classmethod
    def from_dict(cls, values: StateArrays) -> Self:
        """Build the states from the result of `to_dict`, or without a mark from that of `arrays`.

        Args:
            values: The result of `to_dict` or `arrays`.
        """
        layers = tuple(tuple(layer) for layer in values["layers"])
        return cls(**{**values, "layers": layers})


class SpecLayer(keras.layers.Layer):
    """A layer that is built from specs and a seed: encoder or decoder.

    Args:
        window: Sizes of a window.
        network: Options of the network.
        seed: Seed of weights and masks.
        options: Options of Keras's layers.
    """

    def __init__(
        self, window: WindowSpec, network: NetworkSpec, seed: int, **options: object
    ) -> None:
        super().__init__(**options)
        self.window = window
        self.network = network
        self.seed = seed

    def get_config(self) -> dict[str, object]:
        """Return the arguments."""
        specs = {"window": self.window.to_dict(), "network": self.network.to_dict()}
        return {**super().get_config(), **specs, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Build the layer from `get_config`.

        Args:
            config: The result of `get_config`.
        """
        window = WindowSpec.from_dict(config.pop("window"))
        network = NetworkSpec.from_dict(config.pop("network"))
        return cls(window, network, **config)


@keras.saving.register_keras_serializable(package="seqcast")
class Encoder(SpecLayer):
    """The encoder: it normalises the past, joins the other inputs, and reads tokens of steps.

    A call of the layer reads a whole past; `update` goes on from states.

    Args:
        window: Sizes of a window.
        network: Options of the network.
        seed: Seed of initial weights and masks.
        options: Options of Keras's layers.
    """

    def __init__(
        self, window: WindowSpec, network: NetworkSpec, *, seed: int = 0, **options: object
    ) -> None:
        super().__init__(window, network, seed, **options)
        self.normaliser = NORMALISERS[network.normalise](
            window.features, window.target_features or (), segment=network.segment
        )

        width = network.segment * window.features
        if window.observed:
            width *= 2
        self.static_at_steps = network.static_input == "steps" and window.static > 0
        if self.static_at_steps:
            width += window.static

        self.embedding = None
        if network.segment > 1:
            # The stack draws its seeds from the words before this one.
            *_, embedding_seed = child_seeds(seed, 2 * len(network.encoder_units) + 2)
            self.embedding = SegmentEmbedding(
                network.encoder_units[0],
                width,
                regularizer=network.regularizer,
                seed=embedding_seed,
                name="segments",
            )
            width = network.encoder_units[0]

        self.stack = RecurrentStack(
            network.encoder_units,
            width,
            bidirectional=network.bidirectional,
            seed=seed,
            name="encoder_stack",
            **network.stack_options,
        )
        self.built = True

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> StateArrays:
        """Read the past.

        Args:
            inputs: `past`, `[B, T, F]`; if the window has them, `observed`, `[B, T, F]`, and
                `static`, `[B, S]`.
            training: Whether dropout is on.

        Returns:
            The arrays of `States`, by name.
        """
        past, arrays = self._normalised_past(inputs)
        return self._read(past, inputs.get("observed"), arrays, {}, training=training)

    def tokens(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """Return the tokens of a past, which the stack reads.

        Args:
            inputs: As for `call`.

        Returns:
            The tokens, `[B, tokens, f]`, and whether each counts, `[B, tokens]`; `None` if all do.
        """
        past, arrays = self._normalised_past(inputs)
        observed = inputs.get("observed")
        valid = None if observed is None else ops.any(_so_far(observed, None), axis=-1)
        past, observed, valid = self._in_segments(past, observed, valid)
        return self._tokens(past, observed, arrays.get("static")), valid

    def _normalised_past(self, inputs: dict[str, Tensor]) -> tuple[Tensor, StateArrays]:
        """Return the normalised past, and the arrays of `States` that do not need the stack."""
        self._check(inputs, static=self.window.static > 0)
        past = inputs["past"]
        self._check_season(past)

        arrays: StateArrays = {}
        if inputs.get("static") is not None:
            arrays["static"] = inputs["static"]
        statistics = self.normaliser.statistics(past, inputs.get("observed"))
        if statistics is not None:
            arrays["loc"], arrays["scale"] = statistics
            past = self.normaliser.apply(past, *statistics)
        return past, arrays

    def update(self, states: StateArrays, inputs: dict[str, Tensor]) -> StateArrays:
        """Read new steps after states.

        The result is that of reading all steps at once, with the old statistics of the normaliser.

        Args:
            states: The arrays of `States` before.
            inputs: New steps in whole segments: `past` and, if the window has it, `observed`.

        Returns:
            The arrays of `States` after, as from `call`.

        Raises:
            SpecError: The encoder also reads backwards.
            DataError: The new steps are no whole segments.
        """
        self._check(inputs, static=False)
        self._check_update(inputs["past"])

        past = ops.cast(inputs["past"], self.compute_dtype)
        observed = inputs.get("observed")
        fixed = ("static", "loc", "scale")
        unchanged: StateArrays = {name: states[name] for name in fixed if name in states}
        if "loc" in unchanged:
            past = self.normaliser.apply(past, unchanged["loc"], unchanged["scale"])
        if observed is not None:
            observed = ops.cast(observed, self.compute_dtype)
            gap = ops.cumsum(observed, axis=1) < 0.5
            past = ops.where(gap, ops.expand_dims(states["last_features"], 1), past)
        return self._read(past, observed, unchanged, states, training=False)

    def as_past(self, states: StateArrays, forecast: Tensor) -> dict[str, Tensor]:
        """Return a forecast as new past, for `update`.

        Targets count as observed. Other features repeat their last value; they count as not
        observed if the window has `observed`.

        Args:
            states: The arrays of `States` from which the forecast was written.
            forecast: The forecast, `[B, n, D]`, in the data's units.
        """
        place = self.normaliser.place  # [D, F]
        past = ops.matmul(forecast, ops.convert_to_tensor(place, dtype=forecast.dtype))
        ours = ops.convert_to_tensor(place.sum(axis=0), dtype=forecast.dtype)
        if self.window.features > self.window.targets:
            past = past + ops.expand_dims(states["last_features"], 1) * (1.0 - ours)

        inputs = {"past": past}
        if self.window.observed:
            inputs["observed"] = ops.ones_like(past) * ours
        return inputs

    def _read(
        self,
        past: Tensor,
        observed: Tensor | None,
        unchanged: StateArrays,
        old: StateArrays,
        *,
        training: bool | None,
    ) -> StateArrays:
        """Read a normalised past, from the start or on from old states."""
        arrays = dict(unchanged)
        seen = None
        valid = None
        if observed is not None:
            seen = _so_far(observed, old.get("observed_any"))
            valid = ops.any(seen, axis=-1)
            arrays["observed_any"] = ops.cast(seen[:, -1], self.compute_dtype)

        # What later steps read of this past besides the states of the stack.
        if self.network.reads_season:
            arrays["season"] = self._season(past, seen, old)
        if observed is not None or self.network.in_blocks:
            arrays["last_features"] = past[:, -1]
        past, observed, valid = self._in_segments(past, observed, valid)
        if self.network.feeds_back:
            segment = self.network.segment
            last = self.normaliser.targets(past)[:, -segment:]
            arrays["last_targets"] = fold(last, segment)[:, 0]

        tokens = self._tokens(past, observed, unchanged.get("static"))
        outputs, arrays["layers"] = self.stack.sequence(
            tokens, initial_state=old.get("layers"), valid=valid, training=training
        )
        if self.network.attention != "none":
            arrays["memory"] = _behind(old.get("memory"), outputs)
            if valid is not None:
                arrays["memory_valid"] = _behind(old.get("memory_valid"), valid)
        return arrays

    def _season(self, past: Tensor, seen: Tensor | None, old: StateArrays) -> Tensor:
        """Return the targets in the last season, `[B, m, D]`; zeros before the first observed."""
        values = self.normaliser.targets(past)
        if seen is not None:
            values = ops.where(self.normaliser.targets(seen), values, ops.zeros_like(values))
        season: Tensor = self.window.season_length
        return _behind(old.get("season"), values)[:, -season:]

    def _in_segments(
        self, past: Tensor, observed: Tensor | None, valid: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return the past in whole segments, and whether each token counts, `[B, tokens]`."""
        segment = self.network.segment
        if segment == 1:
            return past, observed, valid
        if observed is None or valid is None:
            return whole_on_left(past, segment, repeat=True), None, None

        steps = ops.expand_dims(valid, -1)
        past = whole_on_left(ops.where(steps, past, ops.zeros_like(past)), segment)
        observed = whole_on_left(observed, segment)
        # A token counts if any of its steps does; its last step shows it, since steps count from
        # the first one on.
        valid = whole_on_left(steps, segment)[:, segment - 1 :: segment, 0]
        return past, observed, valid

    def _tokens(self, past: Tensor, observed: Tensor | None, static: Tensor | None) -> Tensor:
        """Return the input of the stack, `[B, tokens, f]`."""
        steps = past if observed is None else ops.concatenate([past, observed], axis=-1)
        tokens = fold(steps, self.network.segment)
        if static is not None and self.static_at_steps:
            each = ops.expand_dims(ops.ones_like(tokens[:, :, 0]), -1)
            tokens = ops.concatenate([tokens, ops.expand_dims(static, 1) * each], axis=-1)
        return tokens if self.embedding is None else self.embedding(tokens)

    def _check(self, inputs: dict[str, Tensor], *, static: bool) -> None:
        wanted = {"past": True, "observed": self.window.observed, "static": static}
        for name, needed in wanted.items():
            if needed and inputs.get(name) is None:
                raise DataError(
                    f"inputs[{name!r}]",
                    expected="an array",
                    received="nothing",
                    hint="The network was built for it.",
                )

    def _check_season(self, past: Tensor) -> None:
        steps = past.shape[1]
        if self.network.reads_season and steps is not None and steps < self.window.season_length:
            raise DataError(
                "past",
                expected=f"at least a season, {self.window.season_length} steps",
                received=f"{steps} steps",
                hint="The forecast is added to the last season's values; give a longer past.",
            )

    def _check_update(self, past: Tensor) -> None:
        if self.network.bidirectional:
            raise SpecError(
                "update",
                expected="an encoder that reads forwards only",
                received="bidirectional=True",
                hint=(
                    "A backward layer starts at the last step, so a new one changes all it read: "
                    "encode the whole past."
                ),
            )
        steps = past.shape[1]
        segment = self.network.segment
        if steps is not None and (steps < 1 or steps % segment):
            raise DataError(
                "update, past",
                expected=f"new steps in whole segments of {segment}",
                received=f"{steps} steps",
                hint=(
                    "Keep the steps of an incomplete segment until it is complete, "
                    "or encode the whole past."
                ),
            )


def _so_far(observed: Tensor, before: Tensor | None) -> Tensor:
    """Return whether each feature has a value up to each step, `[B, T, F]`; others are padding."""
    count = ops.cumsum(ops.cast(observed, "float32"), axis=1)
    if before is not None:
        count = count + ops.expand_dims(ops.cast(before, "float32"), 1)
    return count > 0.5


def _behind(old: Tensor | None, new: Tensor) -> Tensor:
    """Return old steps, if any, and new ones after them."""
    return new if old is None else ops.concatenate([old, new], axis=1)
