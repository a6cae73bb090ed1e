"""Forecasts for several askers in one call, each as if it had asked alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.forecaster.estimator import Forecaster
from seqcast.forecaster.future import future_steps
from seqcast.forecaster.reading import read_rows

__all__ = ["predict_apart"]

Array = npt.NDArray[Any]


def predict_apart(
    forecaster: Forecaster,
    df: Any,
    owners: Array,
    *,
    remembered: bool = False,
    horizon: int | None = None,
    level: Sequence[float] | float | None = None,
    future: Any = None,
    future_owners: Array | None = None,
) -> tuple[Any, Array]:
    """Forecast series for several askers, who may ask for the same series with rows of their own.

    Each row has an owner. The forecasts of an owner are those of `Forecaster.predict` for its rows alone, but for
    rounding in single precision, as a program for more rows may add in another order. An error is not that of one
    owner: ask again for each alone.

    Args:
        forecaster: The fitted forecaster, whose stamps keep to a step.
        df: A pandas frame with a column of ids, as for `Forecaster.predict`.
        owners: Number of the owner of each row, `[rows]`.
        remembered: Whether `df` only names series, by their ids: their remembered rows are forecast from.
        horizon: As for `Forecaster.predict`.
        level: As for `Forecaster.predict`.
        future: As for `Forecaster.predict`.
        future_owners: Number of the owner of each of its rows.

    Returns:
        A pandas frame, sorted by owner and id, and the owner of each of its rows.

    Raises:
        DataError: Something in a frame is wrong.
        SpecError: There are no intervals of a level.

    Example:
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-01", periods=29)
        >>> frame = pd.DataFrame({"unique_id": "a", "ds": days[:28], "y": np.arange(28) % 7.0})
        >>> forecaster = Forecaster(2, preset="pretrained", verbose=0).fit(frame)
        >>> rows = pd.DataFrame({"unique_id": ["a", "a"], "ds": days[28:].repeat(2), "y": [2.0, 60.0]})
        >>> forecast, owners = predict_apart(forecaster, rows, np.array([0, 1]))
        >>> owners.tolist(), forecast["unique_id"].tolist()
        ([0, 0, 1, 1], ['a', 'a', 'a', 'a'])
    """
    import pandas as pd

    state = forecaster._fitted()
    request, series = forecaster._request(state, level), state.series
    column = series.schema.columns.unique_id
    codes, names = pd.factorize(df[column], sort=True)
    pairs, numbers = np.unique(owners * len(names) + codes, return_inverse=True)
    pair_names = names[pairs % len(names)].tolist()
    whole = pd.api.types.is_integer_dtype(names.dtype)
    labels = np.arange(len(pairs) + 1) if whole else np.array([f"{n:012d}" for n in range(len(pairs) + 1)], object)
    places = series.places(pair_names)
    known = np.flatnonzero(places >= 0)
    # One series stands behind all others, so that there is one where all are new.
    copied = [
        *labels[known].tolist(),
        labels.tolist()[-1] if whole == isinstance(series.ids[0], int) else series.ids[0],
    ]
    series = series.copies(np.append(places[known], 0), tuple(copied))
    if remembered:
        frame = series.frame.of_series(np.arange(len(copied)) < len(known))
    else:
        renamed = df.assign(**{column: labels[numbers]})
        frame = series.with_history(read_rows(forecaster.get_params(deep=False), renamed, series))
    if future is not None and future_owners is not None:
        future = _renamed(future, column, future_owners, names, pairs, labels)
    steps = future_steps(series, frame, future, horizon, default=int(forecaster.horizon))
    forecast = state.predictor(forecaster.combine).forecast(steps.reader, steps.origins, request)
    # Ids become those of the owners again, so they are not built in the type that a fit saw.
    schema = replace(frame.schema, id_dtype="int64" if whole else "object")
    times = {schema.columns.ds: steps.stamps}
    table = schema.to_long(frame.source.ids, times, request.parts(forecast, forecaster.alias), steps.of_targets)
    rows = table[column].to_numpy().astype(np.int64)
    table[column] = pd.Series(pair_names, dtype="int64" if whole else "object").to_numpy()[rows]
    return table, pairs[rows] // len(names)


def _renamed(future: Any, column: str, owners: Array, names: Any, pairs: Array, labels: Array) -> Any:
    """Return the rows of the future whose series are forecast, under their names in the call."""
    codes = names.get_indexer(future[column])
    wanted = owners * len(names) + codes
    places = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
    found = (codes >= 0) & (pairs[places] == wanted)
    return future[found].assign(**{column: labels[places[found]]})
