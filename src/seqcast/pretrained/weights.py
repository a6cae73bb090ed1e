"""The file of weights that comes with the package."""

from __future__ import annotations

import hashlib
from importlib import resources

WEIGHTS = resources.files("seqcast.pretrained") / "weights.seqcast"

SHA256 = "944958940ea807ae31ee85c5582b4f85fea978e6f89ab5cb887370424c9d956c"
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
