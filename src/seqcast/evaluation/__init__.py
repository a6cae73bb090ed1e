"""Evaluation of backtests: scores, a leaderboard, significance tests, joins of other forecasts.

All functions take long frames of forecasts and truth, pandas or Polars, and return frames of the
same kind. In reading order: `backtest_frames` (the checked frame), `metrics` (losses by name),
`scores`, `significance`; `forecast_frames` reads columns and keys of such frames.

Stability: stable.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = [
    "METRICS",
    "count_steps",
    "diebold_mariano",
    "dm_test",
    "evaluate",
    "join_forecasts",
    "leaderboard",
]
