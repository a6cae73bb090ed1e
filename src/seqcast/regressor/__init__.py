"""The regressor for arrays.

Modules, in reading order: `regressor` (`Seq2SeqRegressor`), `arguments` (their checks),
`training_windows` (batches to train on), `fitted_regressor` (the fitted value), `persistence`
(files and checkpoints).

Stability: stable.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["Seq2SeqRegressor"]
