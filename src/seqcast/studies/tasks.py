"""Shared by the studies: sums of sines as windows, and the network that is trained on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data import SineParameters, sine_parameters
from seqcast.regressor import Seq2SeqRegressor

Array = npt.NDArray[Any]

# Added to a study's seed, so that no window of training is one of the test.
TRAIN, TEST = 10_000, 50_000
FREQUENCY = (0.1, 10.0)


def sine_windows(
    n: int,
    *,
    past: int = 15,
    future: int = 15,
    seed: int,
    noise: float = 0.0,
    frequency: Any = FREQUENCY,
    **options: Any,
) -> tuple[Array, Array, SineParameters]:
    """Draw windows of sums of sines, and their parameters.

    The offsets are drawn and added, `[-0.5, 0.5]` for each sine, unless an option says otherwise.

    Args:
        n: Number of windows.
        past: Steps of the past.
        future: Steps of the future.
        seed: The seed.
        noise: Standard deviation of noise on the past; the future stays clean.
        frequency: Range in turns per 30 steps.
        options: Others of `sine_parameters`.

    Returns:
        The past, `[N, T, 1]`, the future, `[N, H, 1]`, and the parameters.

    Example:
        >>> past, future, parameters = sine_windows(3, seed=0)
        >>> past.shape, future.shape, parameters.frequency.shape
        ((3, 15, 1), (3, 15, 1), (3, 2))
    """
    parameters = sine_parameters(n, seed=seed, frequency=frequency, **options)
    values = parameters.values(np.arange(past + future))[:, :, None].astype(np.float32)
    before, after = values[:, :past], values[:, past:]
    if noise:
        before = before + np.random.default_rng([seed, 1]).normal(scale=noise, size=before.shape).astype(np.float32)
    return before, after, parameters


def network(seed: int, *, epochs: int, **options: Any) -> Seq2SeqRegressor:
    """Return the post's network, two layers of 35 in encoder and decoder, with the recipe for signals without noise.

    Muon at a rate of 0.02, warm-up and cosine decay, batches of 128 (docs/benchmarks.md, The post's job); no
    validation, since nothing is chosen.

    Args:
        seed: Seed of everything random.
        epochs: Passes over the windows.
        options: Others of `Seq2SeqRegressor`.

    Example:
        >>> network(0, epochs=3, decoder_input="position").learning_rate
        0.02
    """
    model = Seq2SeqRegressor(encoder_units=(35, 35), decoder_units=(35, 35), learning_rate=0.02, batch_size=128)
    model.set_params(epochs=epochs, validation_fraction=0.0, random_state=seed, verbose=0, **options)
    return model


def mse_by_step(forecast: Array, truth: Array) -> list[float]:
    """Return the mean squared error of each step, `[H]`, of arrays `[N, H, D]`.

    Example:
        >>> mse_by_step(np.zeros((2, 2, 1)), np.array([[[1.0], [2.0]], [[1.0], [0.0]]]))
        [1.0, 2.0]
    """
    return [float(value) for value in np.square(forecast - truth).mean(axis=(0, 2))]


def by_bin(values: Array, places: Array, edges: Array) -> list[float | None]:
    """Return the mean of values within bins, `None` of an empty one.

    Args:
        values: Numbers, `[N]`.
        places: Where each stands, `[N]`.
        edges: Ends of the bins, one more than there are bins.

    Example:
        >>> by_bin(np.array([1.0, 3.0, 5.0]), np.array([0.1, 0.2, 1.5]), np.array([0.0, 1.0, 2.0, 3.0]))
        [2.0, 5.0, None]
    """
    bins = np.digitize(places, edges) - 1
    inside = (bins >= 0) & (bins < len(edges) - 1)
    counts = np.bincount(bins[inside], minlength=len(edges) - 1)
    sums = np.bincount(bins[inside], weights=values[inside], minlength=len(edges) - 1)
    return [float(total / count) if count else None for total, count in zip(sums, counts, strict=True)]
