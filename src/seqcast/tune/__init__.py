"""Search for the settings of networks, by Optuna, and make the forecaster that they give.

In reading order: `space` (what is searched), `objective` (how a setting is judged), `storage` (where trials are kept),
`watch` (what stops a trial early), `trials` (what a worker does), `recovery` (trials of processes that have died),
`clock` (how a time limit is shared), `study` (the search), `script` (Python that makes the forecaster), `result`,
`figures`.
"""

from seqcast.tune.result import TuningResult
from seqcast.tune.space import Choice, Range, default_space
from seqcast.tune.study import tune

__all__ = ["Choice", "Range", "TuningResult", "default_space", "tune"]
