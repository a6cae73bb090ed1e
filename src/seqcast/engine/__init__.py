"""One network, trained on batches of windows, that predicts, encodes and decodes.

In reading order: `engine` (training, copies, files), `checks`, `built` (a network as one value),
`forecast_methods` (what an engine does with it), `sampling` (points, distributions, paths), `compiled`, `inputs`,
`estimator` (the base of estimators).

Stability: experimental.
"""

from seqcast.engine.engine import Engine

__all__ = ["Engine"]
