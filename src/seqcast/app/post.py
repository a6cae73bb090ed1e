"""The post's experiment, live: a small network learns on random sines and continues one that it never saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from seqcast.app.worker import Tell
from seqcast.errors import SpecError

# What the decoder reads, as the page names it, by its name in `NetworkSpec`.
DECODERS = {
    "zeros": "zeros, as in the post",
    "teacher": "the truth while it learns (teacher forcing)",
    "autoregressive": "its own last value (feeding back)",
}
WINDOWS, EPOCHS = 12_800, 10
HORIZON = 15
# The signal goes on for so many horizons.
BEYOND = 4
TEST_SEED = 50_000


@dataclass(frozen=True)
class PostRequest:
    """What is learnt.

    Args:
        sines: Sines in a signal.
        slowest: Least turns in 30 steps.
        fastest: Most turns in 30 steps.
        noise: Standard deviation of the noise on the past; sines have an amplitude up to 1.
        context: Steps of past.
        decoders: What the decoder reads, a network each.
        seed: Seed of everything random.

    Raises:
        SpecError: The frequencies are no range.

    Example:
        >>> PostRequest(sines=3).decoders
        ('zeros',)
    """

    sines: int = 2
    slowest: float = 0.1
    fastest: float = 10.0
    noise: float = 0.0
    context: int = 15
    decoders: tuple[str, ...] = ("zeros",)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.slowest < self.fastest:
            received = f"{self.slowest:g} to {self.fastest:g}"
            raise SpecError("frequencies", expected="a slow one above 0 and a faster one", received=received)


@dataclass(frozen=True)
class Snapshot:
    """What a network makes of the signal after an epoch.

    Args:
        decoder: What its decoder reads.
        epoch: Epochs that are over.
        epochs: Epochs in all.
        loss: The loss of the epoch.
        forecast: Its forecast of the trained horizon, `[H]`.
    """

    decoder: str
    epoch: int
    epochs: int
    loss: float
    forecast: list[float]


@dataclass(frozen=True)
class PostOutcome:
    """What the networks made of a signal that none of them saw.

    Args:
        past: The signal's past, `[T]`.
        truth: How it goes on, `[4 H]`.
        forecasts: Each network's forecast of that, by what its decoder reads.
        errors: The mean squared error of the trained horizon over many signals, over their variance.
        tokens: For the first network, the first two principal components of its last layer's states, step by step,
            `[steps, 2]`: while it reads, then while it writes.
        reading: How many of these steps it reads.
    """

    past: list[float]
    truth: list[float]
    forecasts: dict[str, list[float]]
    errors: dict[str, float]
    tokens: list[list[float]] = field(default_factory=list)
    reading: int = 0


def run_post(tell: Tell, request: PostRequest) -> PostOutcome:
    """Train a network for each kind of decoder, and let all continue one signal.

    A training that is stopped keeps the best so far; networks that were not begun are left out.

    Args:
        tell: Hears a `Snapshot` after each epoch.
        request: What is learnt.

    Raises:
        KeyboardInterrupt: It was stopped before there was a network.
    """
    from seqcast.inspect import principal_components, trajectories
    from seqcast.studies import network, sine_windows

    draw = partial(
        sine_windows,
        past=request.context,
        num_signals=request.sines,
        noise=request.noise,
        frequency=(request.slowest, request.fastest),
        offset=(0.0, 0.0),
    )
    past, future, _ = draw(WINDOWS, future=HORIZON, seed=request.seed)
    unseen, beyond, _ = draw(500, future=BEYOND * HORIZON, seed=TEST_SEED + request.seed)
    variance = float(np.square(beyond[:, :HORIZON]).mean())
    forecasts: dict[str, list[float]] = {}
    errors: dict[str, float] = {}
    tokens: list[list[float]] = []
    for decoder in request.decoders:
        model = network(request.seed, epochs=EPOCHS, decoder_input=decoder, scale="none")
        stopped = False
        try:
            model.fit(past, future, callbacks=[_snapshots(tell, decoder, unseen[:1])])
        except KeyboardInterrupt:
            stopped = True
            if not hasattr(model, "engine_"):
                if forecasts:
                    break
                raise
        forecasts[decoder] = model.predict(unseen[:1], horizon=BEYOND * HORIZON)[0, :, 0].tolist()
        errors[decoder] = float(np.square(model.predict(unseen) - beyond[:, :HORIZON]).mean()) / variance
        if not tokens:
            traced = trajectories(model.model_inputs(unseen[:1]), horizon=BEYOND * HORIZON)
            states = np.concatenate([traced.states(part, 2)[0] for part in ("encoder", "decoder")])
            tokens = principal_components(states, 2).points.tolist()
        if stopped:
            break
    return PostOutcome(
        past=unseen[0, :, 0].tolist(),
        truth=beyond[0, :, 0].tolist(),
        forecasts=forecasts,
        errors=errors,
        tokens=tokens,
        reading=request.context,
    )


def _snapshots(tell: Tell, decoder: str, past: Any) -> Any:
    """Return a callback that tells what the network makes of a signal, epoch by epoch."""
    from seqcast.runtime import keras, to_numpy

    class Snapshots(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if hasattr(self.model, "jax_state_sync"):
                self.model.jax_state_sync()
            forecast = to_numpy(self.model({"past": past}, training=False))[0, :, 0].tolist()
            tell(Snapshot(decoder, epoch + 1, EPOCHS, float((logs or {}).get("loss", np.nan)), forecast))

    return Snapshots()
