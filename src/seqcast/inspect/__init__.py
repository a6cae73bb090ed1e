"""Inspection of a fitted network: states and gates, the influence of inputs, the role of units.

All functions take a `ModelInputs`, which `Seq2SeqRegressor.model_inputs` and
`Forecaster.model_inputs` return, and return NumPy arrays or data frames; plots of them are in
`seqcast.plots`.

    model_inputs = forecaster.model_inputs(df, step_size=48)
    nearest(model_inputs, k=3)                      # which windows have similar states?
    sensitivity(model_inputs).by_step()             # which past steps influence the forecast?
    trajectories(model_inputs).frame("encoder", 1)  # the states while it reads

In reading order: `state_space` (states and gates, components, neighbours), `probes`, `influence`
(sensitivities, attention, removed units), `importance` (permuted covariates).

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
