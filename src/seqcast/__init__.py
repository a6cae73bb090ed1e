"""Sequence-to-sequence forecasting of time series with recurrent encoder-decoders on Keras 3.

Two doors lead to one engine: `Seq2SeqRegressor` takes arrays of windows, `Forecaster` takes long data frames;
`forecast` is the second one in one step.
Importing this module imports none of Keras, JAX, scikit-learn, pandas and matplotlib; the first use of a name does.

Stability: stable. What comes from an experimental package (`Engine`, `RayCluster`) is as stable as that.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from seqcast._version import __version__

if TYPE_CHECKING:
    from seqcast.baselines import LastValue as LastValue
    from seqcast.baselines import ManyToOneRegressor as ManyToOneRegressor
    from seqcast.baselines import SeasonalNaive as SeasonalNaive
    from seqcast.distributed.cluster import RayCluster as RayCluster
    from seqcast.engine import Engine as Engine
    from seqcast.forecaster import Forecaster as Forecaster
    from seqcast.forecaster import forecast as forecast
    from seqcast.network import Seq2Seq as Seq2Seq
    from seqcast.network import States as States
    from seqcast.network import load_network as load_network
    from seqcast.regressor import Seq2SeqRegressor as Seq2SeqRegressor
    from seqcast.specs.columns import Columns as Columns
    from seqcast.specs.network import NetworkSpec as NetworkSpec
    from seqcast.specs.network import WindowSpec as WindowSpec
    from seqcast.specs.training import TrainingSpec as TrainingSpec

_PLACES = {
    "Columns": "seqcast.specs.columns",
    "Engine": "seqcast.engine",
    "Forecaster": "seqcast.forecaster",
    "LastValue": "seqcast.baselines",
    "ManyToOneRegressor": "seqcast.baselines",
    "NetworkSpec": "seqcast.specs.network",
    "RayCluster": "seqcast.distributed.cluster",
    "SeasonalNaive": "seqcast.baselines",
    "Seq2Seq": "seqcast.network",
    "Seq2SeqRegressor": "seqcast.regressor",
    "States": "seqcast.network",
    "TrainingSpec": "seqcast.specs.training",
    "WindowSpec": "seqcast.specs.network",
    "forecast": "seqcast.forecaster",
    "load_network": "seqcast.network",
}

__all__ = ["__version__", *_PLACES]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        value = getattr(importlib.import_module(_PLACES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
