"""The file of weights that comes with the package."""

from __future__ import annotations

import hashlib
from importlib import resources

WEIGHTS = resources.files("seqcast.pretrained") / "weights.seqcast"

SHA256 = "7e2bfffba1874142ee0776fe83a2b64377a0a9861f561c022eb24f64bed010c8"
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
