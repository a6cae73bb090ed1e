"""`Forecaster`: from long data frames to forecasts as frames.

In reading order: `estimator`, `options`, `defaults`; `reading`, `series_state`, `training_rows`,
`planning` (from rows to a plan); `candidates` and `choice` (their shares); `fitting` (runs a plan);
`fitted` (the fitted value); `adapt`, `backtest`, `explain`, `anomalies`, `report`, `output`
(functions of it); `archive` (its file); `shortcut` (one step).

Stability: stable.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["FallbackWarning", "Forecaster", "forecast"]
