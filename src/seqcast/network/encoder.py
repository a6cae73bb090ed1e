"""The encoder: reads the past into states."""

from __future__ import annotations

from typing import Any

from seqcast._backend import keras
from seqcast.config import NetworkSpec, WindowSpec
from seqcast.errors import DataError
from seqcast.network.normalise import NORMALISERS
from seqcast.network.recurrent import RecurrentStack

__all__ = ["Encoder"]

Tensor = Any
ops = keras.ops


@keras.saving.register_keras_serializable(package="seqcast")
class Encoder(keras.layers.Layer):
    """Normalise the past, join what comes with it, read it step by step.

    Args:
        window: Sizes of a window.
        network: The network's boxes.
        seed: Seed of initial weights and masks.
    """

    def __init__(self, window: WindowSpec, network: NetworkSpec, *, seed: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.window = window
        self.network = network
        self.seed = seed
        targets = window.target_features or ()
        self.normaliser = NORMALISERS[network.normalise](window.features, targets)
        self.static_at_steps = network.static_input == "steps" and window.static > 0
        width = window.features * (2 if window.observed else 1)
        self.stack = RecurrentStack(
            network.encoder_units,
            width + (window.static if self.static_at_steps else 0),
            cell=network.cell,
            bidirectional=network.bidirectional,
            dropout=network.dropout,
            regularizer=network.regularizer,
            seed=seed,
            name="encoder_stack",
        )
        self.built = True

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        specs = {"window": self.window.to_dict(), "network": self.network.to_dict()}
        return {**super().get_config(), **specs, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Encoder:
        """Build the layer from `get_config`."""
        window, network = (
            WindowSpec.from_dict(config.pop("window")),
            NetworkSpec.from_dict(config.pop("network")),
        )
        return cls(window, network, **config)

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Any]:
        """Read the past.

        Args:
            inputs: `past` `[B, T, F]`; `observed` `[B, T, F]` when the window has it; `static` `[B, S]` likewise.
            training: Whether dropout is at work.

        Returns:
            The parts of `States`, by name.
        """
        self._check(inputs)
        past, observed, static = inputs["past"], inputs.get("observed"), inputs.get("static")
        parts: dict[str, Any] = {}
        statistics = self.normaliser.statistics(past, observed)
        if statistics is not None:
            parts["centre"], parts["spread"] = statistics
            past = self.normaliser.apply(past, *statistics)
        if self.network.feeds_back:
            parts["last"] = self.normaliser.targets(past)[:, -1]
        valid = None if observed is None else _since_first_seen(observed)
        outputs, layers = self.stack.sequence(self._joined(past, observed, static), valid=valid, training=training)
        parts["layers"] = layers
        if self.network.attention != "none":
            parts["memory"] = outputs
            if valid is not None:
                parts["memory_valid"] = valid
        if static is not None and not self.static_at_steps:
            parts["static"] = static
        return parts

    def _joined(self, past: Tensor, observed: Tensor | None, static: Tensor | None) -> Tensor:
        parts = [past] if observed is None else [past, observed]
        if static is not None and self.static_at_steps:
            steps = ops.expand_dims(ops.ones_like(past[:, :, 0]), -1)
            parts.append(ops.expand_dims(static, 1) * steps)
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)

    def _check(self, inputs: dict[str, Tensor]) -> None:
        wanted = {"past": True, "observed": self.window.observed, "static": self.window.static > 0}
        for name, needed in wanted.items():
            if needed and inputs.get(name) is None:
                raise DataError(
                    f"inputs[{name!r}]",
                    expected="an array",
                    received="nothing",
                    mend="The network was built for it.",
                )


def _since_first_seen(observed: Tensor) -> Tensor:
    """Tell which steps come at or after the first value that was seen, `[B, T]`; those before are padding."""
    seen = ops.cast(ops.max(observed, axis=-1), "float32")
    return ops.cumsum(seen, axis=1) > 0.5
