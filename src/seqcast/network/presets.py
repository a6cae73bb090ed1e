"""Named networks: one name, one network spec and one training spec."""

from __future__ import annotations

from dataclasses import dataclass

from seqcast.config import NetworkSpec, TrainingSpec, check_choice

__all__ = ["PRESETS", "Preset", "preset"]


@dataclass(frozen=True)
class Preset:
    """A network and how it is trained.

    Args:
        network: The network's boxes.
        training: How it is trained.
    """

    network: NetworkSpec
    training: TrainingSpec


PRESETS: dict[str, Preset] = {
    # The post's network; the recipe is what `benchmarks/seed_job.py --explore` found best for its job, at a rate that
    # noisy data bear too.
    "classic": Preset(NetworkSpec(), TrainingSpec(optimizer="muon", learning_rate=0.005)),
}


def preset(name: str) -> Preset:
    """Return a preset by name.

    Args:
        name: `classic`: GRU, two layers of 35 in encoder and decoder, the decoder fed with zeros.

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
