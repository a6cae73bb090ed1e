"""The decoder: writes the future out of the states."""

from __future__ import annotations

from typing import Any

from seqcast._backend import keras
from seqcast.config import NetworkSpec, WindowSpec
from seqcast.errors import DataError, SpecError
from seqcast.network.attention import ATTENTIONS
from seqcast.network.bridge import Bridge
from seqcast.network.cells import child_seeds
from seqcast.network.heads import PointHead
from seqcast.network.recurrent import RecurrentStack
from seqcast.network.rows import draw_rows, dropped_rows
from seqcast.network.sampling import teaching_probability
from seqcast.network.scan import scan

__all__ = ["Decoder"]

Tensor = Any
ops = keras.ops


@keras.saving.register_keras_serializable(package="seqcast")
class Decoder(keras.layers.Layer):
    """Bridge, recurrent stack, attention and head.

    `unroll` writes a whole forecast; calling the layer writes one step, for loops of one's own.

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
        stack_seed, bridge_seed, attention_seed, head_seed, mask_seed, choice_seed = child_seeds(seed, 6)
        feedback = window.targets if network.feeds_back else 0
        common: dict[str, Any] = {"regularizer": network.regularizer}
        self.stack = RecurrentStack(
            network.decoder_units,
            feedback + window.future,
            cell=network.cell,
            dropout=network.dropout,
            seed=stack_seed,
            name="decoder_stack",
            **common,
        )
        static = 0 if network.static_input == "steps" else window.static
        self.bridge = Bridge(
            encoder_widths, self.stack.state_widths, static=static, seed=bridge_seed, name="bridge", **common
        )
        width = self.stack.output_width
        self.attention = None
        if network.attention != "none":
            memory_width = encoder_widths[-1][0]
            self.attention = ATTENTIONS[network.attention](
                width,
                memory_width,
                heads=network.attention_heads,
                seed=attention_seed,
                name="attention",
                **common,
            )
        self.head = PointHead(width, window.targets, seed=head_seed, name="head", **common)
        self.mask_seed = keras.random.SeedGenerator(mask_seed) if network.dropout else None
        self._add_sampling(choice_seed)
        self.built = True

    def _add_sampling(self, seed: int) -> None:
        self.steps_taught: Any = None
        if self.network.decoder_input != "scheduled":
            return
        if self.network.sampling_steps is None:
            raise SpecError(
                "sampling_steps",
                expected="a whole number of training steps for decoder_input='scheduled'",
                received="None",
                mend="Give about half of all training steps.",
            )
        self.choice_seed = keras.random.SeedGenerator(seed)
        self.steps_taught = self.add_weight(
            shape=(), initializer="zeros", dtype="float32", trainable=False, name="steps_taught"
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        specs = {"window": self.window.to_dict(), "network": self.network.to_dict()}
        widths = [list(layer) for layer in self.encoder_widths]
        return {**super().get_config(), **specs, "encoder_widths": widths, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Decoder:
        """Build the layer from `get_config`."""
        window, network = (
            WindowSpec.from_dict(config.pop("window")),
            NetworkSpec.from_dict(config.pop("network")),
        )
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
        parts["layers"] = self.bridge(states["layers"], parts.pop("static", None))
        return parts

    def call(self, carry: dict[str, Any], future: Tensor | None = None) -> tuple[Tensor, dict[str, Any]]:
        """Write one step.

        Args:
            carry: What `start`, or the step before, returned.
            future: Known-future inputs of the step, `[B, F']`.

        Returns:
            The forecast of the step, `[B, D]`, in the data's units, and what the next step needs.
        """
        x = self._step_input(carry.get("last"), future)
        output, layers = self.stack.step(x, carry["layers"])
        forecast, _ = self._write(ops.expand_dims(output, 1), carry, self._prepared(carry))
        forecast = forecast[:, 0]
        after = {**carry, "layers": layers}
        if self.network.feeds_back:
            after["last"] = forecast
        return self._in_units(forecast, carry), after

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
            target: True values, `[B, H, D]`; read in training only, and only by decoders that are taught.
            training: Whether dropout and teaching are at work.

        Returns:
            The forecast, `[B, H, D]`, and the attention's weights, `[B, H, T]`, or `None`.
        """
        self._check_future(future, horizon)
        carry = self.start(states)
        taught = bool(training) and self.network.is_taught
        truth = self._shifted(target, carry, horizon) if taught else None
        if not self.network.feeds_back or (taught and self.network.decoder_input == "teacher"):
            forecast, weights = self._at_once(carry, horizon, future, truth, training)
        else:
            forecast, weights = self._step_by_step(carry, horizon, future, truth, training)
        return self._in_units(forecast, carry), weights

    def _at_once(
        self,
        carry: dict[str, Any],
        horizon: int,
        future: Tensor | None,
        truth: Tensor | None,
        training: bool | None,
    ) -> tuple[Tensor, Tensor | None]:
        """Write all steps when no input depends on an output."""
        x = truth if future is None else future if truth is None else ops.concatenate([truth, future], axis=-1)
        outputs, _ = self.stack.sequence(x, initial_state=carry["layers"], length=horizon, training=training)
        return self._write(outputs, carry, self._prepared(carry), self._output_mask(carry, training))

    def _step_by_step(
        self,
        carry: dict[str, Any],
        horizon: int,
        future: Tensor | None,
        truth: Tensor | None,
        training: bool | None,
    ) -> tuple[Tensor, Tensor | None]:
        """Write step after step, each reading the one before; masks and draws are made outside the loop."""
        batch = ops.shape(carry["last"])[0]
        stepper = self.stack.stepper(self.stack.dropout_masks(batch, training))
        output_mask = self._output_mask(carry, training)
        prepared = self._prepared(carry)
        scanned: dict[str, Tensor] = {}
        if future is not None:
            scanned["future"] = ops.swapaxes(future, 0, 1)
        if truth is not None:
            scanned["truth"] = ops.swapaxes(truth, 0, 1)
            scanned["shown"] = self._shown(horizon, batch)

        def advance(state: Any, at: Any) -> Any:
            last, layers = state
            if truth is not None:
                last = ops.where(at["shown"], at["truth"], last)
            x = self._step_input(last, None if future is None else at["future"])
            output, after = stepper.step(x, layers)
            forecast, weights = self._write(ops.expand_dims(output, 1), carry, prepared, output_mask)
            written = {"forecast": forecast[:, 0]}
            if weights is not None:
                written["weights"] = weights[:, 0]
            return (written["forecast"], after), written

        length = horizon if not scanned else None
        start = (carry["last"], stepper.turn(carry["layers"]))
        _, written = scan(advance, start, scanned or None, length=length)
        weights = ops.swapaxes(written["weights"], 0, 1) if "weights" in written else None
        return ops.swapaxes(written["forecast"], 0, 1), weights

    def _shown(self, horizon: int, batch: Any) -> Tensor:
        """Draw which steps of which examples are shown the truth, `[H, B, 1]`, and count the training step."""
        probability = teaching_probability(
            self.network.sampling_schedule, self.steps_taught, self.network.sampling_steps or 1
        )
        self.steps_taught.assign(self.steps_taught + 1.0)
        draws = draw_rows(lambda rows: keras.random.uniform((horizon, rows, 1), seed=self.choice_seed), batch, axis=1)
        return draws < probability

    def _step_input(self, last: Tensor | None, future: Tensor | None) -> Tensor | None:
        parts = [part for part in (last if self.network.feeds_back else None, future) if part is not None]
        if not parts:
            return None
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)

    def _prepared(self, carry: dict[str, Any]) -> tuple[Tensor, Tensor] | None:
        return None if self.attention is None else self.attention.prepare(carry["memory"])

    def _write(
        self,
        outputs: Tensor,
        carry: dict[str, Any],
        prepared: tuple[Tensor, Tensor] | None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend and apply the head: `[B, H, n]` to `[B, H, D]`."""
        weights = None
        if self.attention is not None:
            outputs, weights = self.attention(outputs, prepared, carry.get("memory_valid"))
        if mask is not None:
            outputs = outputs * mask
        return self.head(outputs), weights

    def _output_mask(self, carry: dict[str, Any], training: bool | None) -> Tensor | None:
        if not training or self.mask_seed is None:
            return None
        batch = ops.shape(carry["layers"][0][0])[0]
        shape = (1, self.stack.output_width)
        return dropped_rows(batch, shape, self.network.dropout, self.mask_seed, self.compute_dtype)

    def _shifted(self, target: Tensor | None, carry: dict[str, Any], horizon: int) -> Tensor:
        """Return the value before each step, normalised, `[B, H, D]`: the last one seen, then the true ones."""
        if target is None:
            raise DataError(
                "inputs['target']",
                expected=f"the true future, [B, {horizon}, {self.window.targets}], in training",
                received="nothing",
                mend=f"decoder_input={self.network.decoder_input!r} reads it; give y in the inputs too.",
            )
        if "centre" in carry:
            target = (target - ops.expand_dims(carry["centre"], 1)) / ops.expand_dims(carry["spread"], 1)
        return ops.concatenate([ops.expand_dims(carry["last"], 1), target[:, : horizon - 1]], axis=1)

    def _in_units(self, forecast: Tensor, carry: dict[str, Any]) -> Tensor:
        """Give back what the normaliser took; the forecast is `[B, D]` or `[B, H, D]`."""
        if "centre" not in carry:
            return forecast
        centre, spread = carry["centre"], carry["spread"]
        if len(forecast.shape) == 3:
            centre, spread = ops.expand_dims(centre, 1), ops.expand_dims(spread, 1)
        return forecast * spread + centre

    def _check_future(self, future: Tensor | None, horizon: int) -> None:
        wanted = self.window.future
        if not wanted and future is None:
            return
        shape = None if future is None else tuple(future.shape[1:])
        if shape != (horizon, wanted):
            raise DataError(
                "future_covariates",
                expected=f"[B, {horizon}, {wanted}]" if wanted else "nothing, as at fit",
                received="nothing" if shape is None else f"[B, {', '.join(map(str, shape))}]",
                mend="Known-future inputs have to cover every step of the horizon.",
            )
