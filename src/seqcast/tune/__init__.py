"""Search for the settings of networks, by Optuna, and make the forecaster that they give.

In reading order: `space` (what is searched), `objective` (how a setting is judged, and what a study depends on),
`storage` (where trials are kept), `clock` (how a time limit is shared), `watch` (what stops a trial early, and which
processes have died), `trials` (which setting is next, and what a worker does), `study` (the search), `choosing` (from
trials to the forecaster, and to the script that makes it), `result` (with its figures).

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["Choice", "Range", "TuningResult", "default_space", "tune"]
