"""Named networks: one name, one network spec and one training spec."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from seqcast.specs.checks import check_choice, check_int
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec

# Fewer tokens than these are hardly a sequence.
LEAST_TOKENS = 4
# Layers of encoder and decoder from so many training windows on. Two layers are as accurate as one that is twice as
# wide, in half the time (`docs/accuracy.md`).
LARGER = {100_000: (128, 128), 10_000: (64, 64)}


@dataclass(frozen=True)
class Preset:
    """A network and how it is trained.

    Args:
        network: The network.
        training: How it is trained.
    """

    network: NetworkSpec
    training: TrainingSpec

    def fitted_to(self, *, season_length: int, context_length: int, horizon: int, windows: int = 1) -> Self:
        """Return the preset with segments, layers and residual that suit the data, if it has segments.

        Segments follow `segment_rule`; a network that learns from ten thousand windows has two layers, and from a
        hundred thousand two that are twice as wide; and where a context holds a season, the forecast is added to the
        last one, through a gate.

        Args:
            season_length: Steps of a season; 1 is none.
            context_length: Steps of past, `T`.
            horizon: Steps of future, `H`.
            windows: Number of training windows.

        Returns:
            The preset; others, such as `classic`, as they are.

        Example:
            >>> fitted = preset("segment").fitted_to(season_length=24, context_length=168, horizon=48, windows=90_000)
            >>> fitted.network.segment, fitted.network.encoder_units, fitted.network.residual
            (24, (64, 64), 'gated')
        """
        network = self.network
        if network.segment == 1:
            return self
        larger = (units for least, units in LARGER.items() if windows >= least)
        units = next(larger, network.encoder_units)
        fitted = replace(
            network,
            segment=segment_rule(season_length, context_length, horizon),
            encoder_units=units,
            decoder_units=units,
            residual="gated" if 1 < season_length <= context_length else "none",
        )
        return replace(self, network=fitted)


def segment_rule(season_length: int, context_length: int, horizon: int) -> int:
    """Choose how many steps to fold into one token.

    It is a season, so that every token holds the same times of the day, the week or the year in the same places; or,
    where that is longer than the horizon or leaves the encoder fewer than four tokens, the largest part of a season
    of which neither is true. Without a season it is 1.

    Args:
        season_length: Steps of a season; 1 is none.
        context_length: Steps of past, `T`.
        horizon: Steps of future, `H`.

    Returns:
        A divisor of the season length.

    Example:
        >>> segment_rule(24, 168, 48), segment_rule(24, 48, 24), segment_rule(12, 24, 8), segment_rule(7, 28, 5)
        (24, 12, 6, 1)
    """
    season = check_int("season_length", season_length)
    longest = min(check_int("horizon", horizon), check_int("context_length", context_length) // LEAST_TOKENS)
    return max((part for part in range(1, season + 1) if season % part == 0 and part <= longest), default=1)


PRESETS: dict[str, Preset] = {
    # The post's network; the recipe is what `benchmarks/seed_job.py --explore` found best for its job, at a rate that
    # noisy data bear too.
    "classic": Preset(NetworkSpec(), TrainingSpec(optimizer="muon", learning_rate=0.005)),
    # SegRNN: Lin et al. 2023, arXiv:2308.11200.
    "segment": Preset(
        NetworkSpec(
            encoder_units=(64,),
            decoder_units=(64,),
            normalise="instance",
            segment=4,
            decoder_input="position",
            decoding="parallel",
            dropout=0.1,
        ),
        TrainingSpec(optimizer="adamw", learning_rate=0.002, batch_size=256, epochs=20, early_stopping=5),
    ),
}


def preset(name: str) -> Preset:
    """Return a preset by name.

    Args:
        name: `classic`: GRU, two layers of 35 in encoder and decoder, the decoder fed with zeros. `segment`: one layer
            of 64 that reads segments of 4 steps in the window's own units, and writes all segments side by side; it
            needs the targets' own past and a horizon of a segment at least. `Preset.fitted_to` takes segments of a
            season, and layers for the number of windows.

    Returns:
        The preset.

    Raises:
        SpecError: There is no such preset.

    Example:
        >>> preset("classic").network.encoder_units
        (35, 35)
    """
    check_choice("preset", name, tuple(PRESETS))
    return PRESETS[name]
