"""From queries to forecasts: several of one shape in one call, or one alone, each with the same result."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqcast.errors import DataError, SpecError
from seqcast.forecaster import Forecaster
from seqcast.serve.answers import Answer, Answers
from seqcast.serve.models import ServedModel
from seqcast.serve.queries import Query
from seqcast.serve.tables import Table

Outcome = Answer | BaseException


def answer_all(queries: Sequence[Query]) -> list[Outcome]:
    """Forecast queries of one shape; what is wrong with one is its own error, and the others are answered.

    Args:
        queries: The queries; one whose shape is `None` stands alone.

    Returns:
        The answer or the error of each.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the rows of strangers
        model = queries[0].model
        if len(queries) == 1 or model is None:
            return [_outcome(query) for query in queries]
        try:
            return list(_together(queries, model))
        except Exception:
            # Halves find the one at fault in a few calls.
            middle = len(queries) // 2
            return [*answer_all(queries[:middle]), *answer_all(queries[middle:])]


def _outcome(query: Query) -> Outcome:
    try:
        return _alone(query)
    except Exception as error:
        return error


def _together(queries: Sequence[Query], model: ServedModel) -> list[Answer]:
    """Forecast in one call."""
    first = queries[0]
    future, future_owners = None, None
    if first.rows is None:
        frame, owners = _remembered(queries, model)
    else:
        frame, owners = Table.joined([query.rows for query in queries if query.rows is not None])
    if first.future is not None:
        future, future_owners = Table.joined([query.future for query in queries if query.future is not None])
    table, owners = model.fitted.for_owners(
        frame,
        owners,
        remembered=first.rows is None,
        horizon=first.horizon,
        level=first.level,
        future=future,
        future_owners=future_owners,
    )
    answers = Answers(table, model)
    bounds = np.searchsorted(owners, np.arange(len(queries) + 1))
    return [Answer(answers, int(start), int(stop)) for start, stop in itertools.pairwise(bounds)]


def _remembered(queries: Sequence[Query], model: ServedModel) -> tuple[Any, Any]:
    """Return a frame that names the series of each query, and the number of the query of each row."""
    import pandas as pd

    names = [name for query in queries for name in query.series or ()]
    owners = np.repeat(np.arange(len(queries)), [len(query.series or ()) for query in queries])
    kind = "int64" if model.has_whole_ids else "object"
    return pd.DataFrame({model.columns.unique_id: pd.Series(names, dtype=kind)}), owners


def _alone(query: Query) -> Answer:
    if query.is_backtest:
        return _backtest(query)
    if query.model is None:
        return _zero_shot(query)
    frame = None if query.rows is None else query.rows.frame()
    future = None if query.future is None else query.future.frame()
    fitted = query.model.fitted
    if query.series is not None:
        fitted = fitted.of_series(query.series)
    table = fitted.predict(frame, horizon=query.horizon, future=future, level=query.level)
    return Answer(Answers(table, query.model), 0, len(table))


def _rows(query: Query) -> Table:
    """Return the rows of a query that cannot do without."""
    if query.rows is None:
        raise DataError(option="rows", expected="rows with their truth", received="none", hint="Send some.")
    return query.rows


def _pretrained(query: Query) -> Forecaster:
    options = {name: value for name, value in query.further.items() if name in ("freq", "season_length")}
    if query.level is not None:
        options["level"] = query.level
    return Forecaster(query.steps, preset="pretrained", random_state=0, verbose=0, **options)


def _zero_shot(query: Query) -> Answer:
    forecaster = _pretrained(query).fit(_rows(query).frame())
    table = forecaster.predict()
    return Answer(Answers(table, None, forecaster.freq_, forecaster.season_length_), 0, len(table))


def _backtest(query: Query) -> Answer:
    """Forecast the past of a query's rows, beside the truth; nothing is trained.

    Cutoffs of a model are behind the rows that it was trained on.
    """
    rows = _rows(query)
    how: dict[str, Any] = {name: value for name, value in query.further.items() if name in ("n_windows", "step_size")}
    if query.model is None:
        forecaster = _pretrained(query)
    else:
        forecaster, how["refit"] = query.model.forecaster, "never"
        own = int(forecaster.horizon)
        if query.horizon not in (None, own):
            hint = "Leave it out."
            raise SpecError("horizon", expected=f"{own}, the model's", received=str(query.horizon), hint=hint)
        if query.level is not None:
            raise SpecError("level", expected="none: a backtest has the model's", received="some", hint="Leave it out.")
    table = forecaster.backtest(rows.frame(), **how)
    return Answer(Answers(table, query.model), 0, len(table))
