"""Search for the settings of networks, by Optuna, and make the forecaster that they give.

In reading order: `space` (what is searched), `defaults` (unless the user says), `objective` (how a setting is judged),
`storage` (where trials are kept), `fingerprint` (what a study is of), `clock` (how a time limit is shared), `watch`
(what stops a trial early), `sampler` (which setting is next), `trials` (what a worker does), `recovery` (trials of
processes that have died), `study` (the search), `choosing` (from trials to the forecaster), `script` (Python that makes
it), `result`, `figures`.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["Choice", "Range", "TuningResult", "default_space", "tune"]
