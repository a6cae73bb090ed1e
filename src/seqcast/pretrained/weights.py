"""The file of weights that comes with the package."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from seqcast.pretrained.network import PretrainedNetwork, read_log

SHA256 = "7e2bfffba1874142ee0776fe83a2b64377a0a9861f561c022eb24f64bed010c8"
"""Digest of the file of weights that comes with this version of the package."""


@functools.cache
def load_pretrained() -> PretrainedNetwork:
    """Return the network that comes with the package.

    It is read once a process and trained by nobody, so any number of forecasters and threads share it.

    Example:
        >>> network = load_pretrained()
        >>> network.horizon, network.context_lengths
        (64, (16, 32, 64, 128, 256, 512))
    """
    with _weights() as path:
        return PretrainedNetwork.load(path)


def training_log() -> dict[str, Any]:
    """Return the log of the training of the network that comes with the package, JSON types.

    Returns:
        The epochs with their losses, the seconds, the specs of network and training, and the machine.

    Example:
        >>> log = training_log()
        >>> log["training"]["optimizer"], log["network"]["head"]
        ('muon', 'quantile')
    """
    with _weights() as path:
        return read_log(path)


def weights_are_intact() -> bool:
    """Tell whether the file of weights is the one that this version of the package was made with.

    Example:
        >>> weights_are_intact()
        True
    """
    try:
        with _weights() as path:
            return hashlib.sha256(path.read_bytes()).hexdigest() == SHA256
    except OSError:
        return False


@contextmanager
def _weights() -> Iterator[Path]:
    with resources.as_file(resources.files("seqcast.pretrained") / "weights.seqcast") as path:
        yield path
