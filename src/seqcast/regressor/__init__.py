"""The door for arrays: `Seq2SeqRegressor`."""

from seqcast.regressor.estimator import Seq2SeqRegressor

__all__ = ["Seq2SeqRegressor"]
