"""Models that forecast series which they have never seen, and the one that comes with the package.

In reading order: `zero_shot` (the form of such a model); `pretrained_network` (the one that ships,
its file, and the table of such models); `seasonal_inputs`; `seasonal_base`, `simple_models`,
`smoothing`, `autoregression` (the forecast that the network corrects); `covariate_effects`;
`finetuning`. The folder `pretraining` of the repository trains the network on synthetic series.

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
