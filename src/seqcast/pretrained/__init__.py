"""The network that has learnt from synthetic series alone, and forecasts others without training."""

from seqcast.pretrained.network import PretrainedNetwork

__all__ = ["PretrainedNetwork"]
