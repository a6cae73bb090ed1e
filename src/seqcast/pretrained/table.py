"""The zero-shot models by their keys, which are also names of presets."""

from __future__ import annotations

from typing import Any, TypeGuard

from seqcast.pretrained.model import ZeroShotModel
from seqcast.pretrained.network import PretrainedNetwork

DEFAULT_MODEL = PretrainedNetwork.key
"""The model that `preset="auto"` compares with others."""

MODELS: dict[str, type[ZeroShotModel]] = {PretrainedNetwork.key: PretrainedNetwork}
"""The class of each zero-shot model; CONTRIBUTING has the recipe."""


def is_zero_shot(preset: Any) -> TypeGuard[str]:
    """Return whether a preset names a model that is not trained on the data.

    Example:
        >>> is_zero_shot("pretrained"), is_zero_shot("classic")
        (True, False)
    """
    return isinstance(preset, str) and preset in MODELS
