"""Importance of covariates: the growth of the error when a covariate comes from another window."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from seqcast.engine import ModelInputs
from seqcast.errors import DataError
from seqcast.runtime import Array, tracked
from seqcast.specs import check_choice, check_int

if TYPE_CHECKING:
    import pandas as pd

IMPORTANCE_METRICS = ("mae", "mse", "rmse")


def covariate_importance(
    model_inputs: ModelInputs,
    truth: Array | None = None,
    *,
    metric: str = "mae",
    repeats: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Return the growth of the error when a covariate is permuted.

    .. math:: I_c = \frac{1}{K} \sum_k E(x^{(k)}) - E(x)

    `x^{(k)}` are the windows with covariate `c` permuted among them. Each window gets all values of
    another one, past and known future together, so they remain a time series. All features of a
    column, such as the categories of a text, move together. Take windows that the network was not
    trained on: memorised windows exaggerate importance.

    Args:
        model_inputs: The windows, two or more.
        truth: True values, `[N, H, D]`, in the network's units; `None` is those of the inputs.
        metric: `mae`, `mse` or `rmse`, over all windows, steps and targets.
        repeats: Number of permutations, `K`.
        seed: Seed of the permutations.

    Returns:
        A pandas frame with a row for each covariate, the most important one first: `covariate`, the
        `importance`, its `spread` (standard deviation over the permutations), the `error` without
        permutation, and the importance as a `share` of this error.

    Raises:
        DataError: The truth is not known, there are no covariates, or there is only one window.
        SpecError: The metric is unknown.

    Example:
        >>> covariate_importance(model_inputs)
        Traceback (most recent call last):
        seqcast.errors.DataError: model_inputs: expected covariates, received the targets' own ...

    Source: Breiman 2001, Random forests, section 10; Fisher, Rudin and Dominici 2019, All models
        are wrong, but many are useful, section 3.
    """
    import pandas as pd

    check_choice("metric", metric, IMPORTANCE_METRICS)
    check_int("repeats", repeats)

    places = _places(model_inputs)
    truth = _checked(model_inputs, model_inputs.truth if truth is None else truth, places)

    engine = model_inputs.engine
    horizon = model_inputs.horizon
    count = len(model_inputs)

    error = _error(engine.predict(model_inputs.inputs, horizon), truth, metric)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(count) for _ in range(repeats)]

    rows = []
    for name, by_input in tracked(places.items(), "measuring importance", len(places)):
        grown = []
        for order in orders:
            changed = dict(model_inputs.inputs)
            for source, columns in by_input.items():
                changed[source] = changed[source].copy()
                changed[source][..., columns] = changed[source][order][..., columns]
            grown.append(_error(engine.predict(changed, horizon), truth, metric) - error)
        mean = float(np.mean(grown))
        rows.append((name, mean, float(np.std(grown)), error, mean / error if error else 0.0))

    table = pd.DataFrame(rows, columns=["covariate", "importance", "spread", "error", "share"])
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def _places(model_inputs: ModelInputs) -> dict[str, dict[str, list[int]]]:
    """Return the feature indices of each covariate in each input."""
    own = len(model_inputs.targets)
    inputs = {
        "past": model_inputs.features,
        "future": model_inputs.known_future,
        "static": model_inputs.static,
    }
    places: dict[str, dict[str, list[int]]] = {}
    for source, features in inputs.items():
        for number, feature in enumerate(features):
            if source != "past" or number >= own:
                name = re.sub(r"=.*$| \((sin|cos)\)$", "", feature, flags=re.DOTALL)
                places.setdefault(name, {}).setdefault(source, []).append(number)
    return places


def _checked(
    model_inputs: ModelInputs, truth: Array | None, places: dict[str, dict[str, list[int]]]
) -> Array:
    """Return the truth, and reject inputs whose importance cannot be measured."""
    if not places:
        expected = "covariates"
        received = "the targets' own past alone"
        hint = "Fit with static_covariates, past_covariates or future_covariates."
    elif truth is None:
        expected = "windows whose truth is known"
        received = "none"
        hint = "Give step_size to Forecaster.model_inputs, or y to that of the regressor."
    elif len(model_inputs) < 2:
        expected = "two windows or more"
        received = "1"
        hint = "Give more rows."
    else:
        return truth

    raise DataError(option="model_inputs", expected=expected, received=received, hint=hint)


def _error(forecast: Array, truth: Array, metric: str) -> float:
    """Return the error of forecasts over all windows, steps and targets without missing truth."""
    difference = forecast - truth
    if metric == "mae":
        return float(np.nanmean(np.abs(difference)))
    square = float(np.nanmean(np.square(difference)))
    return float(np.sqrt(square)) if metric == "rmse" else square
