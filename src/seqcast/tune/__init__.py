"""Search for the settings of networks with Optuna, and fit a forecaster with the best ones.

In reading order: `space` (fields and values), `objective` (the loss of a setting), `study` (its
storage), `clock` (the time limit), `trials` (and workers), `script` (in Python), `final_fit` (with
the best settings), `result` (with figures), `search` (all steps).

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["Choice", "Range", "TuningResult", "default_space", "tune"]
