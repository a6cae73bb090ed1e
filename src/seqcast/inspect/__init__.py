"""Inspection of a fitted network: its states and gates, the influence of its inputs, and the role of its units.

All functions take a `ModelInputs`, which `Seq2SeqRegressor.model_inputs` and `Forecaster.model_inputs` return, and
return NumPy arrays or data frames; plots of them are in `seqcast.plots`.

    model_inputs = forecaster.model_inputs(df, step_size=48)
    nearest(model_inputs, k=3)                      # which windows does the network think are alike?
    sensitivity(model_inputs).by_step()             # what does each step of the forecast depend on?
    trajectories(model_inputs).frame("encoder", 1)  # the states while it reads

In reading order: `trajectories` (states and gates), `geometry` (components, neighbours), `probes`, `influence`
(sensitivities and attention), `importance` (covariates permuted, units removed).

Stability: experimental.
"""

from seqcast.inspect.geometry import Components as Components
from seqcast.inspect.geometry import nearest as nearest
from seqcast.inspect.geometry import principal_components as principal_components
from seqcast.inspect.importance import covariate_importance as covariate_importance
from seqcast.inspect.importance import remove_units as remove_units
from seqcast.inspect.influence import Sensitivity as Sensitivity
from seqcast.inspect.influence import attention as attention
from seqcast.inspect.influence import sensitivity as sensitivity
from seqcast.inspect.probes import circular as circular
from seqcast.inspect.probes import probe as probe
from seqcast.inspect.probes import unit_r2 as unit_r2
from seqcast.inspect.trajectories import Trajectories as Trajectories
from seqcast.inspect.trajectories import gate_statistics as gate_statistics
from seqcast.inspect.trajectories import states as states
from seqcast.inspect.trajectories import trajectories as trajectories

__all__ = [
    "Components",
    "Sensitivity",
    "Trajectories",
    "attention",
    "circular",
    "covariate_importance",
    "gate_statistics",
    "nearest",
    "principal_components",
    "probe",
    "remove_units",
    "sensitivity",
    "states",
    "trajectories",
    "unit_r2",
]
