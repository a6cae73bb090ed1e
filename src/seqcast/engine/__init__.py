"""One network, trained on batches of windows, that predicts, encodes and decodes.

In reading order: `engine` (training, copies, files), `built` (a network as one value),
`forecast_methods` (what an engine does with it), `sampling` (points, distributions, paths), `compiled`, `inputs`,
`estimator` (the base of estimators).

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["Engine"]
