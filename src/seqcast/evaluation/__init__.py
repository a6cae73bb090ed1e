"""Evaluation of backtests: scores, a leaderboard, significance tests, and joining other models' forecasts.

All functions take long frames of forecasts beside the truth, pandas or Polars, and return frames of the same kind.
In reading order: `backtest` (the checked frame), `metrics` (losses by name), `scores`, `leaderboard`, `significance`;
`frame_view` reads columns and keys of such frames.

Stability: stable.
"""

from seqcast.evaluation.backtest import count_steps as count_steps
from seqcast.evaluation.backtest import join_forecasts as join_forecasts
from seqcast.evaluation.leaderboard import BASELINE as BASELINE
from seqcast.evaluation.leaderboard import leaderboard as leaderboard
from seqcast.evaluation.metrics import METRICS as METRICS
from seqcast.evaluation.scores import evaluate as evaluate
from seqcast.evaluation.significance import diebold_mariano as diebold_mariano
from seqcast.evaluation.significance import dm_test as dm_test

__all__ = [
    "BASELINE",
    "METRICS",
    "count_steps",
    "diebold_mariano",
    "dm_test",
    "evaluate",
    "join_forecasts",
    "leaderboard",
]
