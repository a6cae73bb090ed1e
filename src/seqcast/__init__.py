"""Sequence-to-sequence forecasting of time series with recurrent encoder-decoders on Keras 3.

Two estimators use one engine: `Seq2SeqRegressor` takes arrays of windows, `Forecaster` takes long
data frames; `forecast` is the second one in one step. Importing this module imports none of Keras,
JAX, scikit-learn, pandas and matplotlib; the first use of a name does.

Stability: stable. Names from an experimental package (`Engine`, `RayCluster`) are as stable as
    that.
"""

import lazy_loader

from seqcast._version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
