"""`Forecaster`: from long data frames to forecasts as frames.

In reading order: `estimator`, `options`, `defaults`; `reading`, `series_state`, `rows`, `planning` (from rows to a
plan); `candidates` (what may forecast); `choice` (in which shares); `fitting` (from a plan to what is fitted); `fitted`
(which forecasts); `adapt`, `backtest`, `explain`, `anomalies`, `report`, `output` (what is done with it); `archive`
(its file); and `shortcut`, all of it in one step.

Stability: stable.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["FallbackWarning", "Forecaster", "forecast"]
