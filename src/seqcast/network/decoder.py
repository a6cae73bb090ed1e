"""The decoder, which writes the forecast from the states: its layers and its loops over tokens.

There are four loops: all tokens in one step, in sequence, one by one with feedback, and along
sample paths. Masks and random numbers are drawn outside of the loops: a random generator cannot
advance inside a compiled loop.
"""

from collections.abc import Sequence

from typing_extensions import override

from seqcast.errors import SpecError
from seqcast.network.attention import ATTENTIONS, Attention
from seqcast.network.decode_inputs import (
    DecodeInputs,
    check_endless,
    check_future,
    joined,
    previous_tokens,
    row_count,
    season_tokens,
    teacher_probability,
    token_statistics,
)
from seqcast.network.dense import Bridge, dense
from seqcast.network.encoder import SpecLayer, StateArrays
from seqcast.network.heads import HEADS
from seqcast.network.randomness import StandardNormal, child_seeds, draw_rows, dropout_mask
from seqcast.network.recurrent import RecurrentStack, scan
from seqcast.network.segment import fold, token_count, unfold, whole_on_right
from seqcast.runtime import Tensor, keras, ops
from seqcast.specs import NetworkSpec, WindowSpec

# A forecast, or its parameters, and the attention's weights; `None` without attention.
Written = tuple[Tensor, Tensor | None]


@keras.saving.register_keras_serializable(package="seqcast")
class Decoder(SpecLayer):
    """Bridge, recurrent stack, attention and head.

    `unroll` writes a whole forecast; a call of the layer writes one token.

    Args:
        window: Sizes of a window.
        network: Options of the network.
        encoder_widths: Width of each state of each encoder layer.
        seed: Seed of initial weights, masks and sampling.
        options: Options of Keras's layers.
    """

    def __init__(
        self,
        window: WindowSpec,
        network: NetworkSpec,
        *,
        encoder_widths: Sequence[Sequence[int]],
        seed: int = 0,
        **options: object,
    ) -> None:
        super().__init__(window, network, seed, **options)
        self.encoder_widths = [tuple(widths) for widths in encoder_widths]
        (
            stack_seed,
            bridge_seed,
            attention_seed,
            head_seed,
            mask_seed,
            choice_seed,
            position_seed,
        ) = child_seeds(seed, 7)
        regularizer = network.regularizer
        written = network.segment * window.targets

        self.position = self._new_position(position_seed)
        read = network.segment * window.future
        if network.feeds_back:
            read += written
        if self.position is not None:
            read += self.position.shape[1]
        self.stack = RecurrentStack(
            network.decoder_units,
            read,
            seed=stack_seed,
            name="decoder_stack",
            **network.stack_options,
        )
        width = self.stack.output_width

        self.bridge = Bridge(
            self.encoder_widths,
            self.stack.state_widths,
            static=0 if network.static_input == "steps" else window.static,
            regularizer=regularizer,
            seed=bridge_seed,
            name="bridge",
        )

        self.attention: Attention | None = None
        if network.attention != "none":
            self.attention = ATTENTIONS[network.attention](
                width,
                self.encoder_widths[-1][0],
                heads=network.attention_heads,
                regularizer=regularizer,
                seed=attention_seed,
                name="attention",
            )

        levels = {} if network.quantiles is None else {"quantiles": network.quantiles}
        self.head = HEADS[network.head](
            width, written, regularizer=regularizer, seed=head_seed, name="head", **levels
        )
        self.gate = self._new_gate(written) if network.residual == "gated" else None
        self.mask_seed = keras.random.SeedGenerator(mask_seed) if network.dropout else None
        self._add_sampling(choice_seed)
        self.built = True

    def _new_position(self, seed: int) -> Tensor | None:
        """Return the vector of each token of the trained horizon, `[tokens, p]`, or `None`."""
        if self.network.decoder_input != "position":
            return None
        tokens = token_count(self.window.horizon, self.network.segment)
        shape = (tokens, self.network.decoder_units[0])
        return self.add_weight(shape=shape, initializer=StandardNormal(seed), name="position")

    def _new_gate(self, written: int) -> keras.layers.Dense:
        """Return the gate of the season, between 0 and 1 for each value of a token.

        It is open at first, since most seasons go on.
        """
        return dense(
            self.stack.output_width,
            written,
            "gate",
            seed=0,
            regularizer=self.network.regularizer,
            kernel_initializer="zeros",
            bias_initializer="ones",
            activation="sigmoid",
        )

    def _add_sampling(self, seed: int) -> None:
        """Add the random generator and the count of training steps of scheduled sampling."""
        self.teacher_steps: Tensor = None
        if self.network.decoder_input != "scheduled":
            return
        if self.network.sampling_steps is None:
            raise SpecError(
                "sampling_steps",
                expected="a whole number of training steps for decoder_input='scheduled'",
                received="None",
                hint="Give about half of all training steps.",
            )

        self.choice_seed = keras.random.SeedGenerator(seed)
        self.teacher_steps = self.add_weight(
            shape=(), initializer="zeros", dtype="float32", trainable=False, name="teacher_steps"
        )

    @override
    def get_config(self) -> dict[str, object]:
        return {
            **super().get_config(),
            "encoder_widths": [list(widths) for widths in self.encoder_widths],
        }

    def start(self, states: StateArrays) -> StateArrays:
        """Return the decoder's initial carry: the encoder's states after the bridge.

        Args:
            states: The arrays of `States`.

        Returns:
            The same arrays, with the decoder's own initial states in `layers`.
        """
        arrays = dict(states)
        static = arrays.pop("static", None)
        if self.network.static_input != "state":
            static = None
        arrays["layers"] = self.bridge(states["layers"], static)
        return arrays

    def call(self, carry: StateArrays, future: Tensor | None = None) -> tuple[Tensor, StateArrays]:
        """Write one token.

        Args:
            carry: The result of `start` or of the call before.
            future: Known-future inputs of the token, `[B, F']`, or `[B, s, F']` with segments of `s
                > 1` steps.

        Returns:
            The forecast of the token, `[B, D]` or `[B, s, D]`, or its parameters, with a last axis
            `P`, in the data's units; and the carry of the next token.

        Raises:
            SpecError: The decoder reads positions, which limit its tokens.
        """
        check_endless(self.network)
        segment = self.network.segment
        if future is not None and segment > 1:
            future = fold(future, segment)[:, 0]
        x = joined([carry.get("last_targets"), future])
        output, layers = self.stack.step(x, carry["layers"])

        prepared = self.prepared(carry)
        season = season_tokens(carry, 1, segment)
        forecast, _ = self.write(ops.expand_dims(output, 1), carry, prepared, season=season)

        after = {**carry, "layers": layers}
        if self.network.feeds_back:
            after["last_targets"] = self.fed_back(forecast[:, 0])
        if "season" in carry:
            after["season"] = ops.roll(carry["season"], -segment, axis=1)
        steps = forecast[:, 0] if segment == 1 else unfold(forecast, segment)
        return self.in_units(steps, carry), after

    def unroll(
        self,
        states: StateArrays,
        *,
        horizon: int,
        future: Tensor | None = None,
        target: Tensor | None = None,
        training: bool | None = None,
    ) -> Written:
        """Write a whole forecast.

        Args:
            states: The arrays of `States`.
            horizon: Number of steps, `H`.
            future: Known-future inputs, `[B, H, F']`.
            target: True values, `[B, H, D]`; read in training only, under teacher forcing.
            training: Whether dropout and teacher forcing are on.

        Returns:
            The forecast, `[B, H, D]`, or its parameters, `[B, H, D, P]`, and the attention's
            weights over the tokens of the past, `[B, H, tokens]`, or `None`. A decoder that reads
            its own outputs reads the head's point here, and draws in `decode_paths`.
        """
        decode_inputs = self.decode_inputs(states, horizon, future, target, training)
        reads_truth = decode_inputs.truth is not None and decode_inputs.teacher_mask is None
        if self.network.decoding == "parallel":
            forecast, weights = decode_parallel(self, decode_inputs)
        elif not self.network.feeds_back or reads_truth:
            forecast, weights = decode_sequence(self, decode_inputs)
        else:
            forecast, weights = decode_stepwise(self, decode_inputs)

        segment = self.network.segment
        forecast = unfold(forecast, segment)[:, :horizon]
        if weights is not None:
            weights = ops.repeat(weights, segment, axis=1)[:, :horizon]
        return self.in_units(forecast, decode_inputs.carry), weights

    def decode_inputs(
        self,
        states: StateArrays,
        horizon: int,
        future: Tensor | None,
        target: Tensor | None = None,
        training: bool | None = None,
    ) -> DecodeInputs:
        """Return the inputs from which a horizon is written.

        Args:
            states: The arrays of `States`.
            horizon: Number of steps, `H`.
            future: Known-future inputs, `[B, H, F']`.
            target: True values, `[B, H, D]`, for teacher forcing.
            training: Whether dropout and teacher forcing are on.
        """
        check_future(future, horizon, self.window.future)
        segment = self.network.segment
        carry = self.start(states)
        tokens = token_count(horizon, segment)
        positions = self._positions(tokens)
        if future is not None:
            future = fold(whole_on_right(future, segment), segment)
        season = season_tokens(carry, tokens, segment)

        truth = None
        teacher_mask = None
        if training and self.network.uses_teacher_forcing:
            truth = previous_tokens(
                target, carry, horizon=horizon, segment=segment, normalise=self.normalised
            )
            if self.network.decoder_input == "scheduled":
                teacher_mask = self._teacher_mask(carry, tokens)

        return DecodeInputs(
            carry,
            tokens,
            positions=positions,
            future=future,
            season=season,
            truth=truth,
            teacher_mask=teacher_mask,
            training=training,
        )

    def _positions(self, tokens: int) -> Tensor | None:
        """Return the learned vectors of the first tokens, `[1, tokens, p]`, or `None`."""
        if self.position is None:
            return None
        positions = ops.convert_to_tensor(self.position, dtype=self.compute_dtype)
        return ops.expand_dims(positions[:tokens], 0)

    def _teacher_mask(self, carry: StateArrays, tokens: int) -> Tensor:
        """Draw the tokens that read the truth, `[tokens, B, 1]`, and count the training step."""
        probability = teacher_probability(
            self.network.sampling_schedule, self.teacher_steps, self.network.sampling_steps or 1
        )
        self.teacher_steps.assign(self.teacher_steps + 1.0)

        def draw(rows: Tensor) -> Tensor:
            return keras.random.uniform((tokens, rows, 1), seed=self.choice_seed)

        return draw_rows(draw, row_count(carry), axis=1) < probability

    def prepared(self, carry: StateArrays) -> tuple[Tensor, Tensor] | None:
        """Return the attention's keys and values, computed once a forecast, or `None`.

        Args:
            carry: The arrays of `States`.
        """
        return None if self.attention is None else self.attention.prepare(carry["memory"])

    def write(
        self,
        outputs: Tensor,
        carry: StateArrays,
        prepared: tuple[Tensor, Tensor] | None,
        mask: Tensor | None = None,
        season: Tensor | None = None,
    ) -> Written:
        """Attend, apply the head and add the season.

        Args:
            outputs: The stack's outputs, `[B, tokens, n]`.
            carry: The arrays of `States`, with the attention's mask.
            prepared: The result of `prepared`.
            mask: The result of `output_mask`.
            season: The season that the forecast is added to, `[B, tokens, s · D]`.

        Returns:
            The forecast, `[B, tokens, s · D]`, or its parameters, normalised, and the attention's
            weights or `None`.
        """
        weights = None
        if self.attention is not None:
            outputs, weights = self.attention(outputs, prepared, carry.get("memory_valid"))
        if mask is not None:
            outputs = outputs * mask

        forecast = self.head(outputs)
        if season is not None:
            if self.gate is not None:
                season = season * self.gate(outputs)
            forecast = self.head.shifted(forecast, season)
        return forecast, weights

    def output_mask(self, carry: StateArrays, training: bool | None) -> Tensor | None:
        """Draw the dropout mask of the stack's outputs, `[B, 1, n]`; `None` without dropout.

        Args:
            carry: The arrays of `States`.
            training: Whether dropout is on.
        """
        if not training or self.mask_seed is None:
            return None
        return dropout_mask(
            row_count(carry),
            (1, self.stack.output_width),
            self.network.dropout,
            self.mask_seed,
            self.compute_dtype,
        )

    def in_units(self, forecast: Tensor, carry: StateArrays) -> Tensor:
        """Return a forecast in the data's units.

        Args:
            forecast: A point, `[B, D]` or `[B, n, D]`, or parameters, with one more axis; `D` may
                be `s · D`.
            carry: The arrays of `States`, with the normaliser's statistics.
        """
        if "loc" not in carry:
            return forecast
        axis = len(forecast.shape) - self.head.axes - 1
        loc, scale = token_statistics(
            carry, forecast.shape[axis], self.window.targets, steps=axis == 2
        )
        return self.head.in_units(forecast, loc, scale)

    def normalised(self, values: Tensor, carry: StateArrays) -> Tensor:
        """Return values of the targets in normalised units.

        Args:
            values: The values, `[B, n, D]`; `D` may be `s · D`.
            carry: The arrays of `States`, with the normaliser's statistics.
        """
        if "loc" not in carry:
            return values
        loc, scale = token_statistics(carry, values.shape[2], self.window.targets, steps=True)
        return (values - loc) / scale

    def fed_back(self, forecast: Tensor) -> Tensor:
        """Return the point of a normalised forecast, which the next step reads.

        Args:
            forecast: The forecast, a point or parameters.
        """
        return ops.cast(self.head.point(forecast), self.compute_dtype)


def decode_parallel(decoder: Decoder, decode_inputs: DecodeInputs) -> Written:
    """Write each token by a single step from the same states.

    Args:
        decoder: The decoder.
        decode_inputs: Its inputs, with `positions`.

    Returns:
        The forecast, `[B, tokens, s · D]`, or its parameters, normalised, and the attention's
        weights, `[B, tokens, T]`, or `None`.

    Source: SegRNN, Lin et al. 2023, arXiv:2308.11200, section 3.3.
    """
    stack = decoder.stack
    carry = decode_inputs.carry
    inputs = (decode_inputs.positions, decode_inputs.future)
    known = [values for values in inputs if values is not None]
    masks = stack.dropout_masks(row_count(carry), decode_inputs.training)
    outputs = stack.step_broadcast(known, carry["layers"], masks)
    return _written(decoder, decode_inputs, outputs)


def decode_sequence(decoder: Decoder, decode_inputs: DecodeInputs) -> Written:
    """Write all tokens when no input depends on an output; result as for `decode_parallel`.

    Args:
        decoder: The decoder.
        decode_inputs: Its inputs.
    """
    outputs, _ = decoder.stack.sequence(
        joined([decode_inputs.truth, decode_inputs.known]),
        initial_state=decode_inputs.carry["layers"],
        length=decode_inputs.tokens,
        training=decode_inputs.training,
    )
    return _written(decoder, decode_inputs, outputs)


def _written(decoder: Decoder, decode_inputs: DecodeInputs, outputs: Tensor) -> Written:
    """Write all tokens from the stack's outputs, `[B, tokens, n]`."""
    carry = decode_inputs.carry
    mask = decoder.output_mask(carry, decode_inputs.training)
    return decoder.write(outputs, carry, decoder.prepared(carry), mask, decode_inputs.season)


def decode_stepwise(decoder: Decoder, decode_inputs: DecodeInputs) -> Written:
    """Write token after token; each reads the one before. Result as for `decode_parallel`.

    Args:
        decoder: The decoder.
        decode_inputs: Its inputs.
    """
    carry = decode_inputs.carry
    masks = decoder.stack.dropout_masks(row_count(carry), decode_inputs.training)
    stepper = decoder.stack.stepper(masks)
    mask = decoder.output_mask(carry, decode_inputs.training)
    prepared = decoder.prepared(carry)
    scanned = decode_inputs.by_token()

    def advance(state: Tensor, at: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        last, layers = state
        if "teacher_mask" in scanned:
            last = ops.where(at["teacher_mask"], at["truth"], last)
        known = at["known"] if "known" in scanned else None
        output, after = stepper.step(joined([last, known]), layers)
        season = ops.expand_dims(at["season"], 1) if "season" in scanned else None
        forecast, weights = decoder.write(ops.expand_dims(output, 1), carry, prepared, mask, season)
        written = {"forecast": forecast[:, 0]}
        if weights is not None:
            written["weights"] = weights[:, 0]
        return (decoder.fed_back(written["forecast"]), after), written

    length = decode_inputs.tokens if not scanned else None
    start = (carry["last_targets"], stepper.turn(carry["layers"]))
    _, written = scan(advance, start, scanned or None, length=length)
    weights = ops.swapaxes(written["weights"], 0, 1) if "weights" in written else None
    return ops.swapaxes(written["forecast"], 0, 1), weights


def decode_paths(
    decoder: Decoder, decode_inputs: DecodeInputs, *, paths: int, noise: Tensor
) -> Tensor:
    """Write token after token; each path reads its own draw of the token before.

    The steps of a token are drawn independently: each has the right distribution, but their
    dependence is lost.

    Args:
        decoder: A decoder with a probabilistic head that feeds back.
        decode_inputs: Its inputs.
        paths: Number of paths.
        noise: The result of the head's `noise`, `[tokens · s, paths, D, k]`.

    Returns:
        The draws, in the data's units, `[B, paths, tokens · s, D]`.
    """
    carry = decode_inputs.carry
    width = decoder.stack.output_width
    segment = decoder.network.segment
    targets = decoder.window.targets
    stepper = decoder.stack.stepper()
    prepared = decoder.prepared(carry)
    scanned = {**decode_inputs.by_token(), "noise": _noise_of_tokens(noise, segment)}

    def each_path(values: Tensor) -> Tensor:
        return ops.repeat(values, paths, axis=0)

    def advance(state: Tensor, at: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        last, layers = state
        known = each_path(at["known"]) if "known" in scanned else None
        output, after = stepper.step(joined([last, known]), layers)
        # The paths take the axis of tokens in attention and head, so all paths share one memory.
        outputs = ops.reshape(output, (-1, paths, width))
        season = ops.expand_dims(at["season"], 1) if "season" in scanned else None
        forecast, _ = decoder.write(outputs, carry, prepared, season=season)
        drawn = decoder.head.draw(decoder.in_units(forecast, carry), at["noise"])
        last = ops.cast(decoder.normalised(drawn, carry), decoder.compute_dtype)
        return (ops.reshape(last, (-1, segment * targets)), after), drawn

    layers = [tuple(each_path(state) for state in layer) for layer in carry["layers"]]
    start = (each_path(carry["last_targets"]), stepper.turn(layers))
    _, drawn = scan(advance, start, scanned)

    tokens = decode_inputs.tokens
    drawn = ops.reshape(drawn, (tokens, -1, paths, segment, targets))
    drawn = ops.transpose(drawn, (1, 2, 0, 3, 4))
    return ops.reshape(drawn, (-1, paths, tokens * segment, targets))


def _noise_of_tokens(noise: Tensor, segment: int) -> Tensor:
    """Fold noise of steps, `[tokens · s, paths, D, k]`, into `[tokens, paths, s · D, k]`."""
    steps, paths, targets, numbers = noise.shape
    tokens = steps // segment
    folded = ops.reshape(noise, (tokens, segment, paths, targets, numbers))
    folded = ops.swapaxes(folded, 1, 2)
    return ops.reshape(folded, (tokens, paths, segment * targets, numbers))
