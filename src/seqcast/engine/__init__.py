"""One network, trained on batches of windows, that predicts, encodes and decodes.

In reading order: `engine`, `compiled`, `sampling`, `inputs`.
"""

from seqcast.engine.engine import Engine

__all__ = ["Engine"]
