"""Models that forecast series which they have never seen, and the one that comes with the package.

In reading order: `model` (the form of such a model), `network` (the one that comes along), `inputs` (what that reads),
`seasonal_base`, `simple_forecasts`, `smoothing`, `autoregression` (the forecast that the network corrects),
`covariates`, `finetuning` (its training on data) and `table`.
`benchmarks/pretrain.py` trains it on synthetic series.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = [
    "SHA256",
    "CovariateSizes",
    "FinetuneOptions",
    "PretrainedNetwork",
    "ZeroShotModel",
    "ZeroShotWindows",
    "load_pretrained",
    "training_log",
    "weights_are_intact",
]
