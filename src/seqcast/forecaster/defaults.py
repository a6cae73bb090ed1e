"""Defaults of a forecaster: network, training, scaling and context length.

The rules rest on `docs/accuracy.md` and `docs/benchmarks.md`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqcast.data.frames import AnyFrame
from seqcast.data.series import SeriesStore, swings_grow_with_level
from seqcast.intervals import level_quantiles
from seqcast.pretrained import MODELS
from seqcast.runtime import Array
from seqcast.specs import (
    MULTIPLICATIVE_HEADS,
    PRESETS,
    EnsembleSpec,
    NetworkSpec,
    Preset,
    TrainingSpec,
    check_choice,
    segment_rule,
)
from seqcast.specs import preset as find_preset

# How much `preset="auto"` tries before it chooses.
EFFORTS = ("auto", "quick", "balanced", "best")

# With this number of rows that have a horizon after them, a network learns what the pretrained one
# cannot know.
ROWS_TO_TRAIN = 2_000

# With few windows the default training has smaller batches (50 an epoch, down to this size). It
# passes over very few windows more than once an epoch, since a few steps would train little. With
# very many it ends an epoch early, since neighbouring windows are much alike.
SMALLEST_BATCH = 64
LEAST_STEPS = 25
FEW_STEPS = 50
MANY_STEPS = 200

# Named networks and those of segments, whose steps are quick, take more of them: with fewer the
# gate of a residual stays half open, and an epoch says little. So they can stop after fewer epochs
# without a gain (docs/history.md).
LEAST_QUICK_STEPS = 60
EARLY_STOPPING = 5
# With this number of steps an epoch, networks of segments learn little after eight epochs of
# falling learning rate (docs/history.md). A user who changes one of these fields gets all epochs.
LONG_EPOCH_STEPS = 200
SHORTER_EPOCHS = 8
SHORTER_EARLY_STOPPING = 3
# Where covariates are known ahead, they learn from more and longer epochs of very many windows.
MORE_WINDOWS = 200_000
MORE_STEPS = 300
MORE_EPOCHS = 12
OF_LENGTH = ("epochs", "early_stopping", "steps_per_epoch", "batch_size")
OF_RATE = ("learning_rate", "learning_rate_schedule", "optimizer")

# A network of segments is chosen where segments have at least this number of steps: there it was
# better, and mostly several times faster, in 17 of 20 cases (docs/history.md), however few the
# windows.
SEGMENT_STEPS = 4


@dataclass(frozen=True)
class Sizes:
    """Sizes on which the choice of a network and its training depends.

    Args:
        windows: Number of training windows.
        context_length: Steps of past, `T`.
        horizon: Steps of future, `H`.
        season_length: Steps of a season; 1 is none.
        member: Place of the network among those that are trained.
        future: Number of covariates that are known ahead.
    """

    windows: int = 1
    context_length: int = 1
    horizon: int = 1
    season_length: int = 1
    member: int = 0
    future: int = 0


def auto_preset(sizes: Sizes) -> str:
    """Choose a preset: `segment` where series have a season that can be cut into segments.

    That is, when a segment (see `segment_rule`) has at least 4 steps; otherwise it is `classic`.

    Args:
        sizes: Sizes of the data.

    Example:
        >>> several = (Sizes(900, 168, 24, 24), Sizes(900, 168, 3, 24), Sizes(900, 168, 24, 1))
        >>> [auto_preset(sizes) for sizes in several]
        ['segment', 'classic', 'classic']
    """
    steps = segment_rule(sizes.season_length, sizes.context_length, sizes.horizon)
    return "segment" if steps >= SEGMENT_STEPS else "classic"


def named_network(name: str, level: Sequence[float], sizes: Sizes) -> NetworkSpec:
    """Return the network of a named preset for a forecaster.

    Its segments are fitted to the data, its windows are normalised, and it forecasts the quantiles
    of `level`.

    Args:
        name: `auto`, or one of the presets.
        level: Levels of the intervals; without any the network forecasts a point.
        sizes: Sizes of the data, to which its segments are fitted.
    """
    return _fitted_preset(name, level, sizes).network


def _fitted_preset(name: str, level: Sequence[float], sizes: Sizes) -> Preset:
    check_choice("preset", name, ("auto", *PRESETS, *MODELS))
    of_data = {
        field: size for field, size in vars(sizes).items() if field not in ("member", "future")
    }
    fitted = find_preset(name if name in PRESETS else auto_preset(sizes)).fitted_to(**of_data)
    network = fitted.network
    if network.normalise == "none":
        network = replace(network, normalise="last")
    if level:
        network = replace(network, head="quantile", quantiles=level_quantiles(level))
    return replace(fitted, network=network)


def specs(
    preset: str | NetworkSpec | EnsembleSpec,
    training: TrainingSpec | Mapping[str, Any] | None,
    level: Sequence[float],
    sizes: Sizes,
) -> tuple[NetworkSpec, TrainingSpec]:
    """Return the network and its training.

    The default training is that of the preset for networks of segments, else a `TrainingSpec()`
    with `early_stopping=5`. Its batches shrink to 64 when windows are few. An epoch has 60 to 200
    steps: 25 to 200 for a `NetworkSpec`. Networks of segments whose epochs have 200 steps train 8
    epochs at most, or 12 of 300 steps where 200,000 windows have covariates that are known ahead,
    and stop after 3 without a gain.

    Args:
        preset: Name of a network, see `named_network`, or a spec, which is taken as it is.
        training: A spec, which is taken as it is, or some fields of one, or `None`.
        level: Levels of the intervals.
        sizes: Sizes of the data, on which the choice depends.
    """
    if isinstance(preset, EnsembleSpec):
        member = preset.member(sizes.member)
        return member.network, member.training

    usual = TrainingSpec()
    network = preset
    if not isinstance(network, NetworkSpec):
        fitted = _fitted_preset(network, level, sizes)
        network = fitted.network
        # The classic network's own recipe is for data without noise.
        usual = replace(usual, early_stopping=EARLY_STOPPING)
        if network.segment > 1:
            usual = fitted.training

    if isinstance(training, TrainingSpec):
        return network, training
    is_named = network is not preset
    return network, _training_for(network, usual, training or {}, sizes, is_named=is_named)


def _training_for(
    network: NetworkSpec,
    usual: TrainingSpec,
    changes: Mapping[str, Any],
    sizes: Sizes,
    *,
    is_named: bool,
) -> TrainingSpec:
    """Return the training of a network, with the changed fields and sizes that suit the data."""
    chosen = TrainingSpec.from_dict({**usual.to_dict(), **changes})
    batch_size = chosen.batch_size
    if "batch_size" not in changes:
        batch_size = min(batch_size, max(SMALLEST_BATCH, sizes.windows // FEW_STEPS))

    has_segments = network.segment > 1
    least = LEAST_QUICK_STEPS if has_segments or is_named else LEAST_STEPS
    most = MANY_STEPS
    epochs = SHORTER_EPOCHS
    if has_segments and sizes.future > 0 and sizes.windows >= MORE_WINDOWS:
        most = MORE_STEPS
        epochs = MORE_EPOCHS
    steps = chosen.steps_per_epoch or max(least, min(most, -(-sizes.windows // batch_size)))

    is_ours = is_named and not {*OF_LENGTH, *OF_RATE} & set(changes)
    if is_ours and has_segments and steps >= LONG_EPOCH_STEPS:
        chosen = replace(chosen, epochs=epochs, early_stopping=SHORTER_EARLY_STOPPING)
    return replace(chosen, batch_size=batch_size, steps_per_epoch=steps)


def auto_scale(head: str, point: str, frame: AnyFrame, starts: Array, season: int) -> str:
    """Choose how series are scaled: as the head needs it, else by `scale_rule`.

    Args:
        head: The head of the network.
        point: Whether the point forecast is the `median` or the `mean`.
        frame: The series.
        starts: Number of training rows of each.
        season: Steps of a season.
    """
    if head in MULTIPLICATIVE_HEADS:
        return "none" if head == "negative_binomial" else "mean"
    # Without a distribution, logarithms have no mean.
    if (point == "mean" and head == "point") or any(
        (shard.targets < 0).any() for _, shard in frame.in_shards()
    ):
        return "standard"
    return scale_rule(frame.target_store, starts, season)


def scale_rule(store: SeriesStore, stops: Array, season_length: int) -> str:
    """Choose between `standard` and `log`: logarithms where series swing more at higher levels.

    Args:
        store: Targets >= 0 of each series, NaN where one is missing.
        stops: Number of rows of each series to look at, `[N]`.
        season_length: Steps of a season.

    Returns:
        `log` where swings grow with the level at a slope of a half or more, see
        `swings_grow_with_level`; otherwise, where no series has three seasons, and where more than
        a tenth of the values are zero, `standard`.

    Example:
        >>> from seqcast.data.series.store import InMemoryStore
        >>> wave = 2.0 + np.sin(np.arange(48.0))[:, None]
        >>> growths = (1.0, np.linspace(1.0, 5.0, 48)[:, None])
        >>> stores = [InMemoryStore.of({"a": wave * growth}) for growth in growths]
        >>> [scale_rule(store, np.array([48]), 12) for store in stores]
        ['standard', 'log']
    """
    return "log" if swings_grow_with_level(store, stops, season_length) else "standard"


# Most steps of two weeks that are read by default; docs/accuracy.md shows their worth.
MOST_STEPS_READ = 700


def context_rule(rows: int, horizon: int, season_length: int, *, weeks: bool = False) -> int:
    """Choose the context length: two seasons, two horizons or 24 steps, whichever is most.

    Where a season is a day and the network reads a long past quickly, it is two weeks, of at most
    700 steps, since weekdays differ. It is at most half of the rows of a series without one
    horizon, so that the series gives several windows.

    Args:
        rows: Rows of the shortest series; where shorter ones are padded, of the series that the
            middle row is in.
        horizon: Steps to forecast.
        season_length: Steps of a season.
        weeks: Whether to read two weeks of days.

    Returns:
        The context length, at least 1.

    Example:
        >>> context_rule(rows=1000, horizon=12, season_length=12), context_rule(30, 6, 12)
        (24, 12)
        >>> context_rule(1000, 12, 24, weeks=True), context_rule(9000, 12, 96, weeks=True)
        (336, 700)
    """
    steps = max(2 * season_length, 2 * horizon, 24)
    if weeks:
        steps = max(steps, min(14 * season_length, MOST_STEPS_READ))
    return max(1, min(steps, (rows - horizon) // 2))


def middle_length(lengths: Array) -> int:
    """Return the length of the series that the middle row is in, where series are sorted by length.

    Args:
        lengths: Rows of each series.

    Example:
        >>> middle_length(np.array([2, 2, 2, 50]))
        50
    """
    ranked = np.sort(lengths)
    return int(ranked[np.searchsorted(np.cumsum(ranked), lengths.sum() / 2)])
