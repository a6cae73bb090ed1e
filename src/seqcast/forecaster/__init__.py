"""The door for frames: `Forecaster`.

In reading order: `estimator`, `options`, `defaults`, `planning`, `validation`, `jobs`, `series_state`, `contexts`,
`future`, `predictor`, `fallback`, `archive`.
"""

from seqcast.forecaster.estimator import Forecaster

__all__ = ["Forecaster"]
