"""Ablation: how the forecast changes when a unit of the state is removed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.engine import ModelInputs
from seqcast.network import States

Array = npt.NDArray[Any]


def remove_units(model_inputs: ModelInputs, horizon: int | None = None, *, by_step: bool = False) -> Any:
    """Return how the forecast changes without each unit of the encoder's last state.

    A removed unit has the same value in each window: its mean over all windows. An LSTM's output and cell are
    removed together. The outputs that attention reads stay.

    Args:
        model_inputs: The windows.
        horizon: Steps to forecast; `None` is that of the inputs.
        by_step: Whether to give each step of the forecast a row of its own.

    Returns:
        A pandas frame, a row a layer and unit, with `by_step` a row a `step` too: the `change` of the forecast, root
        mean square in the network's units; and where the truth is known the mean squared error with all units, `mse`,
        and without this one, `mse_without`.

    Example:
        >>> table = remove_units(model_inputs)
        >>> list(table.columns), len(table)
        (['layer', 'unit', 'change', 'mse', 'mse_without'], 14)
    """
    import pandas as pd

    engine, steps = model_inputs.engine, model_inputs.horizon if horizon is None else horizon
    states, future = engine.encode(model_inputs.past), model_inputs.inputs.get("future")
    full = engine.decode(states, steps, future)
    truth = None if model_inputs.truth is None or model_inputs.truth.shape[1] != steps else model_inputs.truth
    axes = (0, 2) if by_step else (0, 1, 2)
    rows: list[dict[str, Any]] = []
    for layer, parts in enumerate(states.layers):
        for unit in range(parts[0].shape[1]):
            without = engine.decode(_without(states, layer, unit), steps, future)
            columns = {"change": np.sqrt(np.square(without - full).mean(axis=axes))}
            if truth is not None:
                columns["mse"] = np.nanmean(np.square(full - truth), axis=axes)
                columns["mse_without"] = np.nanmean(np.square(without - truth), axis=axes)
            for place in range(steps if by_step else 1):
                step = {"step": place + 1} if by_step else {}
                numbers = {name: float(np.atleast_1d(column)[place]) for name, column in columns.items()}
                rows.append({"layer": layer + 1, "unit": unit + 1, **step, **numbers})
    return pd.DataFrame(rows)


def _without(states: States, layer: int, unit: int) -> States:
    changed = []
    for part in states.layers[layer]:
        values = np.array(part)
        values[:, unit] = values[:, unit].mean()
        changed.append(values)
    layers = list(states.layers)
    layers[layer] = tuple(changed)
    return replace(states, layers=tuple(layers))
