"""The network that has learnt from synthetic series alone, and forecasts others without training."""

from __future__ import annotations

import functools
from importlib import resources

from seqcast.pretrained.network import PretrainedNetwork

__all__ = ["PretrainedNetwork", "load_pretrained"]


@functools.cache
def load_pretrained() -> PretrainedNetwork:
    """Return the network that comes with the package.

    It is read once a process and trained by nobody, so any number of forecasters and threads share it.

    Example:
        >>> network = load_pretrained()
        >>> network.horizon, network.context_lengths
        (64, (64, 128, 256, 512))
    """
    with resources.as_file(resources.files(__name__) / "weights.seqcast") as path:
        return PretrainedNetwork.load(path)
