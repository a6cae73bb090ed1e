"""MLflow: runs that hold a fit, and models that are saved, registered and served.

It needs `pip install 'seqcast[mlflow]'`.

In reading order: `flavour` (a model as MLflow keeps it), `tracking` (what a run holds of a fit).
"""

import os

from seqcast.interop.mlflow.flavour import load_model as load_model
from seqcast.interop.mlflow.flavour import log_model as log_model
from seqcast.interop.mlflow.flavour import save_model as save_model
from seqcast.interop.mlflow.tracking import MlflowLog as MlflowLog
from seqcast.interop.mlflow.tracking import log_fit as log_fit

__all__ = ["MlflowLog", "load_model", "log_fit", "log_model", "save_model"]

# Usage data goes nowhere unless the user says so; MLflow is imported when something is logged or loaded.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
