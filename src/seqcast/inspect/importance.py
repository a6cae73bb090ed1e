"""Importance: how much worse forecasts are when a covariate belongs to another window, or without a unit."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.engine import ModelInputs
from seqcast.errors import DataError
from seqcast.network import States
from seqcast.specs import check_choice, check_int

Array = npt.NDArray[Any]

IMPORTANCE_METRICS = ("mae", "mse", "rmse")


def covariate_importance(
    model_inputs: ModelInputs, truth: Array | None = None, *, metric: str = "mae", repeats: int = 10, seed: int = 0
) -> Any:
    r"""Return how much the error grows when a covariate is permuted.

    .. math:: I_c = \frac{1}{K} \sum_k E(x^{(k)}) - E(x)

    `x^{(k)}` are the windows with covariate `c` permuted among them. Each window gets the whole course of another one,
    past and known future together, so that it stays a stretch of time; all features of a column, such as the categories
    of a text, move together. Take windows that the network was not trained on, else what it has learnt by heart counts.

    Args:
        model_inputs: The windows, two or more.
        truth: What came then, `[N, H, D]`, in the network's units; `None` is that of the inputs.
        metric: `mae`, `mse` or `rmse`, over all windows, steps and targets.
        repeats: Number of permutations, `K`.
        seed: Seed of the permutations.

    Returns:
        A pandas frame, a row a covariate, the most important one first: `covariate`, the `importance`, its `spread`
        (standard deviation over the permutations), the `error` with all as they are, and the importance as a `share` of
        it.

    Raises:
        DataError: The truth is not known, there are no covariates, or there is one window only.
        SpecError: The metric is unknown.

    Example:
        >>> covariate_importance(model_inputs)
        Traceback (most recent call last):
        seqcast.errors.DataError: model_inputs: expected covariates, received the targets' own past alone. ...

    Source: Breiman 2001, Random forests, section 10; Fisher, Rudin and Dominici 2019, All models are wrong, but many
    are useful, section 3.
    """
    import pandas as pd

    check_choice("metric", metric, IMPORTANCE_METRICS)
    check_int("repeats", repeats)
    places = _places(model_inputs)
    truth = _checked(model_inputs, model_inputs.truth if truth is None else truth, places)
    engine, horizon, count = model_inputs.engine, model_inputs.horizon, len(model_inputs)
    error = _error(engine.predict(model_inputs.inputs, horizon), truth, metric)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(count) for _ in range(repeats)]
    rows = []
    for name, by_input in places.items():
        grown = []
        for order in orders:
            changed = dict(model_inputs.inputs)
            for part, columns in by_input.items():
                changed[part] = changed[part].copy()
                changed[part][..., columns] = changed[part][order][..., columns]
            grown.append(_error(engine.predict(changed, horizon), truth, metric) - error)
        mean = float(np.mean(grown))
        rows.append((name, mean, float(np.std(grown)), error, mean / error if error else 0.0))
    table = pd.DataFrame(rows, columns=["covariate", "importance", "spread", "error", "share"])
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def _places(model_inputs: ModelInputs) -> dict[str, dict[str, list[int]]]:
    """Return the features of each covariate, by the input that they are in."""
    names = {
        "past": model_inputs.features[len(model_inputs.targets) :],
        "future": model_inputs.known_future,
        "static": model_inputs.static,
    }
    first = {"past": len(model_inputs.targets)}
    places: dict[str, dict[str, list[int]]] = {}
    for part, features in names.items():
        for number, feature in enumerate(features, first.get(part, 0)):
            name = re.sub(r"=.*$| \((sin|cos)\)$", "", feature, flags=re.DOTALL)
            places.setdefault(name, {}).setdefault(part, []).append(number)
    return places


def _checked(model_inputs: ModelInputs, truth: Array | None, places: dict[str, dict[str, list[int]]]) -> Array:
    """Return the truth, and refuse inputs whose importance cannot be measured."""
    if not places:
        expected, received = "covariates", "the targets' own past alone"
        hint = "Fit with static_covariates, past_covariates or future_covariates."
    elif truth is None:
        expected, received = "windows whose truth is known", "none"
        hint = "Give step_size to Forecaster.model_inputs, or y to that of the regressor."
    elif len(model_inputs) < 2:
        expected, received, hint = "two windows or more", "1", "Give more rows."
    else:
        return truth
    raise DataError(option="model_inputs", expected=expected, received=received, hint=hint)


def _error(forecast: Array, truth: Array, metric: str) -> float:
    """Return the error of forecasts over all windows, steps and targets; missing truth is left out."""
    difference = forecast - truth
    if metric == "mae":
        return float(np.nanmean(np.abs(difference)))
    square = float(np.nanmean(np.square(difference)))
    return float(np.sqrt(square)) if metric == "rmse" else square


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
