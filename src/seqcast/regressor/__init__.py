"""The regressor for arrays.

Modules, in reading order: `estimator` (`Seq2SeqRegressor`), `options` (keyword arguments to specs), `inputs` (checks
of arrays), `windows` (arrays or batches to batches that are trained on), `fitted` (what a fit learns, which forecasts),
`checkpoints`, `archive` (files).

Stability: stable.
"""

from seqcast.regressor.estimator import Seq2SeqRegressor

__all__ = ["Seq2SeqRegressor"]
