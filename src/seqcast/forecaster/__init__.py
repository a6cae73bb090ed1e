"""`Forecaster`: from long data frames to forecasts as frames.

In reading order: `estimator`, `views`, `from_sources`, `adapt`, `options`, `defaults`, `option_checks`, `support`,
`planning`, `learning`, `further`, `jobs`, `finetuning`, `training_run`, `fitting`, `evidence`, `choice`,
`validation`, `state`, `series_state`, `future`, `predictor`, `pretrained`, `fallback`, `blend`, `backtest`,
`explain`, `reporting`, `exporting`, `summary`, `archive`; and `at_once`, all of it in one step.

Stability: stable.
"""

from seqcast.forecaster.at_once import forecast
from seqcast.forecaster.estimator import Forecaster

__all__ = ["Forecaster", "forecast"]
