"""The file of weights that comes with the package."""

from __future__ import annotations

import hashlib
from importlib import resources

WEIGHTS = resources.files("seqcast.pretrained") / "weights.seqcast"

SHA256 = "8fbd5f133eacdd7a8ac8b4c9f2a795e82b91b2ea062a0c85cbada24d2e7148f1"
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
