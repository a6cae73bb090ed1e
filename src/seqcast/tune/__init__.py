"""Search for the settings of networks, by Optuna, and make the forecaster that they give.

In reading order: `space` (what is searched), `objective` (how a setting is judged, and what a study depends on),
`trials` (where they are stored, and what a worker does), `script` (Python that makes a forecaster), `result` (with its
figures), `search` (the search, and the fit of the forecaster).

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["Choice", "Range", "TuningResult", "default_space", "tune"]
