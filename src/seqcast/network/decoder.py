"""The decoder: writes the future out of the states."""

from __future__ import annotations

from typing import Any

from seqcast.network.attention import ATTENTIONS
from seqcast.network.bridge import Bridge
from seqcast.network.decode_inputs import (
    DecodeInputs,
    check_endless,
    check_future,
    check_sampling_steps,
    joined,
    previous_tokens,
    row_count,
    season_tokens,
    teacher_probability,
    token_statistics,
)
from seqcast.network.decode_loops import decode_parallel, decode_paths, decode_sequence, decode_stepwise
from seqcast.network.heads import HEADS
from seqcast.network.init import StandardNormal, child_seeds
from seqcast.network.recurrent import RecurrentStack
from seqcast.network.residual import season_gate
from seqcast.network.row_random import draw_rows, dropped_rows
from seqcast.network.scan import scan
from seqcast.network.segment import fold, token_count, unfold, whole_on_right
from seqcast.runtime import keras
from seqcast.specs import NetworkSpec, WindowSpec

Tensor = Any
ops = keras.ops


@keras.saving.register_keras_serializable(package="seqcast")
class Decoder(keras.layers.Layer):
    """Bridge, recurrent stack, attention and head.

    `unroll` writes a whole forecast; calling the layer writes one token, for loops of one's own.

    Args:
        window: Sizes of a window.
        network: The network's boxes.
        encoder_widths: Width of each state of each encoder layer.
        seed: Seed of initial weights, masks and sampling.
    """

    def __init__(
        self,
        window: WindowSpec,
        network: NetworkSpec,
        *,
        encoder_widths: list[tuple[int, ...]],
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.window = window
        self.network = network
        self.encoder_widths = encoder_widths
        self.seed = seed
        stack_seed, bridge_seed, attention_seed, head_seed, mask_seed, choice_seed, position_seed = child_seeds(seed, 7)
        written = network.segment * window.targets
        self.position: Any = None
        if network.decoder_input == "position":
            self.position = self.add_weight(
                shape=(token_count(window.horizon, network.segment), network.decoder_units[0]),
                initializer=StandardNormal(position_seed),
                name="position",
            )
        read = network.segment * window.future + (written if network.feeds_back else 0)
        regularizer = network.regularizer
        self.stack = RecurrentStack(
            network.decoder_units,
            read + (0 if self.position is None else self.position.shape[1]),
            cell=network.cell,
            dropout=network.dropout,
            regularizer=regularizer,
            seed=stack_seed,
            name="decoder_stack",
        )
        static = 0 if network.static_input == "steps" else window.static
        own = self.stack.state_widths
        self.bridge = Bridge(
            encoder_widths, own, static=static, regularizer=regularizer, seed=bridge_seed, name="bridge"
        )
        width = self.stack.output_width
        self.attention = None
        if network.attention != "none":
            memory_width = encoder_widths[-1][0]
            self.attention = ATTENTIONS[network.attention](
                width,
                memory_width,
                heads=network.attention_heads,
                regularizer=regularizer,
                seed=attention_seed,
                name="attention",
            )
        levels = {} if network.quantiles is None else {"quantiles": network.quantiles}
        self.head = HEADS[network.head](width, written, regularizer=regularizer, seed=head_seed, name="head", **levels)
        self.gate: Any = None
        if network.residual == "gated":
            self.gate = season_gate(width, written, network.regularizer)
        self.mask_seed = keras.random.SeedGenerator(mask_seed) if network.dropout else None
        self._add_sampling(choice_seed)
        self.built = True

    def _add_sampling(self, seed: int) -> None:
        self.teacher_steps: Any = None
        if self.network.decoder_input != "scheduled":
            return
        check_sampling_steps(self.network.sampling_steps)
        self.choice_seed = keras.random.SeedGenerator(seed)
        self.teacher_steps = self.add_weight(
            shape=(), initializer="zeros", dtype="float32", trainable=False, name="teacher_steps"
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        specs = {"window": self.window.to_dict(), "network": self.network.to_dict()}
        widths = [list(layer) for layer in self.encoder_widths]
        return {**super().get_config(), **specs, "encoder_widths": widths, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Decoder:
        """Build the layer from `get_config`."""
        window, network = WindowSpec.from_dict(config.pop("window")), NetworkSpec.from_dict(config.pop("network"))
        widths = [tuple(layer) for layer in config.pop("encoder_widths")]
        return cls(window, network, encoder_widths=widths, **config)

    def start(self, states: dict[str, Any]) -> dict[str, Any]:
        """Return what a step needs: the encoder's states, carried over the bridge.

        Args:
            states: The parts of `States`.

        Returns:
            The same parts, with the decoder's own initial states in `layers`.
        """
        parts = dict(states)
        static = parts.pop("static", None)
        parts["layers"] = self.bridge(states["layers"], static if self.network.static_input == "state" else None)
        return parts

    def call(self, carry: dict[str, Any], future: Tensor | None = None) -> tuple[Tensor, dict[str, Any]]:
        """Write one token.

        Args:
            carry: What `start`, or the call before, returned.
            future: Known-future inputs of the token, `[B, F']`, or `[B, s, F']` with segments of `s > 1` steps.

        Returns:
            The forecast of the token, `[B, D]` or `[B, s, D]`, or its parameters, with a last axis `P`, in the data's
            units, and what the next one needs.

        Raises:
            SpecError: The decoder reads positions, so that its tokens have an end.
        """
        check_endless(self.network)
        segment = self.network.segment
        future = future if future is None or segment == 1 else fold(future, segment)[:, 0]
        output, layers = self.stack.step(joined([carry.get("last_targets"), future]), carry["layers"])
        prepared, season = self.prepared(carry), season_tokens(carry, 1, segment)
        forecast, _ = self.write(ops.expand_dims(output, 1), carry, prepared, season=season)
        after = {**carry, "layers": layers}
        if self.network.feeds_back:
            after["last_targets"] = self.fed_back(forecast[:, 0])
        if "season" in carry:
            after["season"] = ops.roll(carry["season"], -segment, axis=1)
        return self.in_units(forecast[:, 0] if segment == 1 else unfold(forecast, segment), carry), after

    def unroll(
        self,
        states: dict[str, Any],
        *,
        horizon: int,
        future: Tensor | None = None,
        target: Tensor | None = None,
        training: bool | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Write a whole forecast.

        Args:
            states: The parts of `States`.
            horizon: Number of steps, `H`.
            future: Known-future inputs, `[B, H, F']`.
            target: True values, `[B, H, D]`; read in training only, under teacher forcing.
            training: Whether dropout and teacher forcing are at work.

        Returns:
            The forecast, `[B, H, D]`, or its parameters, `[B, H, D, P]`, and the attention's weights over the tokens of
            the past, `[B, H, tokens]`, or `None`. A decoder that reads its own outputs reads the head's point here;
            `paths` lets it read draws.
        """
        decode_inputs = self.decode_inputs(states, horizon, future, target, training)
        if self.network.decoding == "parallel":
            forecast, weights = decode_parallel(self, decode_inputs)
        elif not self.network.feeds_back or (decode_inputs.truth is not None and decode_inputs.teacher_mask is None):
            forecast, weights = decode_sequence(self, decode_inputs)
        else:
            forecast, weights = decode_stepwise(self, decode_inputs)
        segment = self.network.segment
        forecast = unfold(forecast, segment)[:, :horizon]
        if weights is not None:
            weights = ops.repeat(weights, segment, axis=1)[:, :horizon]
        return self.in_units(forecast, decode_inputs.carry), weights

    def paths(
        self, states: dict[str, Any], *, horizon: int, paths: int, noise: Tensor, future: Tensor | None = None
    ) -> Tensor:
        """Draw sample paths.

        A decoder that reads its own outputs reads each path's own draws, token by token; the steps of a token, and all
        steps of a decoder that reads none, are drawn one by one: they have the right distribution each, and say
        nothing of how they go together.

        Args:
            states: The parts of `States`.
            horizon: Number of steps, `H`.
            paths: Number of paths.
            noise: What the head's `noise` made of uniform numbers, for whole tokens,
                `[tokens · s, B or 1, paths, D, k]`.
            future: Known-future inputs, `[B, H, F']`.

        Returns:
            The paths, `[B, paths, H, D]`, in the data's units.
        """
        if self.network.feeds_back:
            drawn = decode_paths(self, self.decode_inputs(states, horizon, future), paths=paths, noise=noise)
            return drawn[:, :, :horizon]
        parameters, _ = self.unroll(states, horizon=horizon, future=future, training=False)
        at_steps = {"noise": noise[:horizon], "parameters": ops.expand_dims(ops.swapaxes(parameters, 0, 1), 2)}
        # Step by step as well, so that no proposals of all steps are held at once.
        _, drawn = scan(lambda none, at: (none, self.head.draw(at["parameters"], at["noise"])), ops.zeros(()), at_steps)
        return ops.transpose(drawn, (1, 2, 0, 3))

    def decode_inputs(
        self,
        states: dict[str, Any],
        horizon: int,
        future: Tensor | None,
        target: Tensor | None = None,
        training: bool | None = None,
    ) -> DecodeInputs:
        """Return what so many steps are written from; arguments as for `unroll`."""
        check_future(future, horizon, self.window.future)
        segment, carry = self.network.segment, self.start(states)
        tokens = token_count(horizon, segment)
        teacher_forcing = bool(training) and self.network.uses_teacher_forcing
        return DecodeInputs(
            carry,
            tokens,
            positions=self._positions(tokens),
            future=None if future is None else fold(whole_on_right(future, segment), segment),
            season=season_tokens(carry, tokens, segment),
            truth=previous_tokens(target, carry, horizon=horizon, segment=segment, normalise=self.normalised)
            if teacher_forcing
            else None,
            teacher_mask=self._teacher_mask(carry, tokens)
            if teacher_forcing and self.network.decoder_input == "scheduled"
            else None,
            training=training,
        )

    def _positions(self, tokens: int) -> Tensor | None:
        """Return the learned vectors of the first tokens, `[1, tokens, p]`, or `None`."""
        if self.position is None:
            return None
        return ops.expand_dims(ops.convert_to_tensor(self.position, dtype=self.compute_dtype)[:tokens], 0)

    def _teacher_mask(self, carry: dict[str, Any], tokens: int) -> Tensor:
        """Draw which tokens of which examples read the truth, `[tokens, B, 1]`, and count the training step."""
        probability = teacher_probability(
            self.network.sampling_schedule, self.teacher_steps, self.network.sampling_steps or 1
        )
        self.teacher_steps.assign(self.teacher_steps + 1.0)
        uniform, rows = keras.random.uniform, row_count(carry)
        return draw_rows(lambda count: uniform((tokens, count, 1), seed=self.choice_seed), rows, axis=1) < probability

    def prepared(self, carry: dict[str, Any]) -> tuple[Tensor, Tensor] | None:
        """Return the attention's keys and values, computed once a forecast, or `None`."""
        return None if self.attention is None else self.attention.prepare(carry["memory"])

    def write(
        self,
        outputs: Tensor,
        carry: dict[str, Any],
        prepared: tuple[Tensor, Tensor] | None,
        mask: Tensor | None = None,
        season: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend, apply the head and add the season.

        Args:
            outputs: The stack's outputs, `[B, tokens, n]`.
            carry: What holds the attention's mask.
            prepared: What `prepared` returned.
            mask: What `output_mask` returned.
            season: What the forecast is added to, `[B, tokens, s · D]`.

        Returns:
            The forecast, `[B, tokens, s · D]`, or its parameters, normalised, and the attention's weights or `None`.
        """
        weights = None
        if self.attention is not None:
            outputs, weights = self.attention(outputs, prepared, carry.get("memory_valid"))
        if mask is not None:
            outputs = outputs * mask
        forecast = self.head(outputs)
        if season is not None and self.gate is not None:
            season = season * self.gate(outputs)
        return (forecast if season is None else self.head.shifted(forecast, season)), weights

    def output_mask(self, carry: dict[str, Any], training: bool | None) -> Tensor | None:
        """Draw what the stack's outputs are multiplied with, `[B, 1, n]`; `None` where nothing is dropped."""
        if not training or self.mask_seed is None:
            return None
        shape = (1, self.stack.output_width)
        return dropped_rows(row_count(carry), shape, self.network.dropout, self.mask_seed, self.compute_dtype)

    def in_units(self, forecast: Tensor, carry: dict[str, Any]) -> Tensor:
        """Give back what the normaliser took.

        Args:
            forecast: A point, `[B, D]` or `[B, n, D]`, or parameters, with an axis more; `D` may be that of a token.
            carry: What holds the normaliser's statistics.
        """
        if "loc" not in carry:
            return forecast
        axis = len(forecast.shape) - self.head.axes - 1
        return self.head.in_units(
            forecast, *token_statistics(carry, forecast.shape[axis], self.window.targets, steps=axis == 2)
        )

    def normalised(self, values: Tensor, carry: dict[str, Any]) -> Tensor:
        """Take from values of the targets, `[B, n, D]`, what the normaliser takes; `D` may be that of a token."""
        if "loc" not in carry:
            return values
        loc, scale = token_statistics(carry, values.shape[2], self.window.targets, steps=True)
        return (values - loc) / scale

    def fed_back(self, forecast: Tensor) -> Tensor:
        """Return what the next step reads of a normalised forecast."""
        return ops.cast(self.head.point(forecast), self.compute_dtype)
