"""`Forecaster`: from long data frames to forecasts as frames.

In reading order: `estimator`, `options`, `defaults`, `option_checks`; `reading`, `sources` (from frames and sources
to rows); `rows`, `planning` (from rows to a plan); `candidates` (what may forecast); `training_run`, `fitting`,
`choice`, `validation` (from a plan to what is fitted); `fitted`, `series_state`, `blend`, `future`, `owners` (what is
fitted, and its forecasts); `backtest`, `output`, `explain`, `anomalies`, `facts`, `report`, `export`, `archive`,
`cluster`; and `shortcut`, all of it in one step.

Stability: stable.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["FallbackWarning", "Forecaster", "forecast"]
