"""The regressor for arrays.

Modules, in reading order: `regressor` (`Seq2SeqRegressor`), `arguments` (keyword arguments and arrays, checked),
`training_windows` (arrays or batches to batches that are trained on), `fitted_regressor` (what a fit learns, which
forecasts), `persistence` (files and checkpoints).

Stability: stable.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["Seq2SeqRegressor"]
