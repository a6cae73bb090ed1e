"""The file of weights that comes with the package."""

from __future__ import annotations

import hashlib
from importlib import resources

WEIGHTS = resources.files("seqcast.pretrained") / "weights.seqcast"

SHA256 = "60ed2e460fb7f6af96ee6ed7080aad966afc666021734bc0303c085dd866eb76"
"""Digest of the file of weights that comes with this version of the package."""


def weights_are_intact() -> bool:
    """Tell whether the file of weights is the one that this version of the package was made with.

    Example:
        >>> weights_are_intact()
        True
    """
    try:
        return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() == SHA256
    except OSError:
        return False
