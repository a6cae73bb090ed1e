"""Estimates of how long a fit takes on two cores.

The work of a training is counted in tokens that pass through its network. What a token costs was
fitted to ten kinds of data, whose estimates `benchmarks/estimates.py` compares with the fits.
"""

import numpy as np

from seqcast.data.windows import validation_starts
from seqcast.forecaster.candidates.zero_shot import MANY_WINDOWS
from seqcast.forecaster.defaults import Sizes, context_rule, middle_length, specs
from seqcast.pretrained import finetune_training, load_pretrained
from seqcast.runtime import Array
from seqcast.specs import NetworkSpec, TrainingSpec

# Seconds until the pretrained network is ready, and series that it forecasts in a second.
SECONDS_QUICK = 3.0
SERIES_A_SECOND = 400.0

# Seconds to compile, and to forecast and compare the most hold-out windows, 2,000.
SECONDS_COMPILING = 11.0
SECONDS_COMPARING = 13.0
MOST_COMPARED = 2_000

# Seconds of a million tokens in two layers of 64 units, and in the pretrained network.
SECONDS_TRAINED = 2.7
SECONDS_FINETUNED = 15.0

# Fine-tuning with covariates trains a larger network, and validates more.
FACTOR_OF_COVARIATES = 1.5

# Three networks and more, measured on NN5 and tourism.
FACTOR_OF_BEST = 5.0

# Steps of a season from which it is a day.
STEPS_OF_A_DAY = 24


def estimate_seconds(
    lengths: Array, horizon: int, effort: str, *, season_length: int = 1, future: int = 0
) -> float:
    """Estimate the seconds of a default fit on two cores.

    Args:
        lengths: Rows of each series.
        horizon: Steps to forecast.
        effort: `quick`, `balanced` or `best`.
        season_length: Steps of a season; 1 is none.
        future: Number of covariates that are known ahead.

    Example:
        >>> lengths = np.full(8, 10_000)
        >>> estimate_seconds(lengths, 12, "quick")
        3.02
        >>> estimate_seconds(lengths, 12, "balanced") < estimate_seconds(lengths, 12, "best")
        True
    """
    if effort == "quick":
        return SECONDS_QUICK + len(lengths) / SERIES_A_SECOND

    is_day = season_length >= STEPS_OF_A_DAY
    context = context_rule(middle_length(lengths), horizon, season_length, weeks=is_day)
    fraction = TrainingSpec().validation_fraction
    starts = validation_starts(lengths, context_length=context, horizon=horizon, fraction=fraction)
    windows = int(np.maximum(starts - context - horizon + 1, 0).sum())
    compared = min(int(np.maximum(lengths - starts - horizon + 1, 0).sum()), MOST_COMPARED)

    seconds = SECONDS_COMPILING + SECONDS_COMPARING * compared / MOST_COMPARED
    seconds += _seconds_trained(Sizes(windows, context, horizon, season_length, future=future))
    if not future or windows < MANY_WINDOWS:
        longest = int(lengths.max())
        seconds += _seconds_finetuned(longest, windows, horizon, has_covariates=future > 0)
    return seconds * FACTOR_OF_BEST if effort == "best" else seconds


def _seconds_trained(sizes: Sizes) -> float:
    """Return the seconds of the network that is trained on the data, if it trains all epochs."""
    network, training = specs("auto", None, (80.0,), sizes)
    steps = training.epochs * (training.steps_per_epoch or 0)
    rows = sizes.context_length + sizes.horizon
    tokens = steps * training.batch_size * rows / network.segment
    return SECONDS_TRAINED * tokens * _size(network) / 1e6


def _size(network: NetworkSpec) -> float:
    """Return the products of a step of a network, relative to two layers of 64 units."""
    return sum(units**2 for units in network.encoder_units) / (2 * 64**2)


def _seconds_finetuned(longest: int, windows: int, horizon: int, *, has_covariates: bool) -> float:
    """Return the seconds of the fine-tuning of the pretrained network, if it trains all epochs."""
    model = load_pretrained()
    training = finetune_training(windows, covariates=has_covariates, shares_data=True)
    steps = training.epochs * (training.steps_per_epoch or 0)

    rows = min(longest, model.context_lengths[-1])
    tokens = steps * training.batch_size * (rows + horizon) / model.engine.network.segment
    factor = FACTOR_OF_COVARIATES if has_covariates else 1.0
    return factor * SECONDS_FINETUNED * tokens / 1e6


def in_words(seconds: float) -> str:
    """Return a duration in everyday words.

    Args:
        seconds: The duration.

    Example:
        >>> in_words(4.2), in_words(48), in_words(400)
        ('about 5 seconds', 'about 50 seconds', 'about 7 minutes')
    """
    if seconds < 10:
        return "about 5 seconds" if seconds < 7.5 else "about 10 seconds"
    if seconds < 90:
        return f"about {round(seconds / 10) * 10} seconds"
    return f"about {round(seconds / 60)} minutes"
