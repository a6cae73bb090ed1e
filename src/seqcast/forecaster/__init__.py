"""`Forecaster`: from long data frames to forecasts as frames.

In reading order: `estimator`, `views`, `options`, `defaults`, `support`, `planning`, `jobs`, `fitting`, `validation`,
`state`, `series_state`, `future`, `predictor`, `fallback`, `backtest`, `explain`, `summary`, `archive`.
"""

from seqcast.forecaster.estimator import Forecaster

__all__ = ["Forecaster"]
