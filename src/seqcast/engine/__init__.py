"""The engine: one network that trains on batches of windows, predicts, encodes and decodes.

In reading order: `engine` (training, forecasts, copies, files), `built` (a network as one value:
points, distributions, paths), `compiled`, `shared` (programs that networks share),
`labelled_inputs`, `training_jobs` (several trainings), `base_estimator`.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["Engine"]
