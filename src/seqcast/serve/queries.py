"""What a request asks for, read from its body and its address, and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from seqcast.errors import DataError, SpecError
from seqcast.intervals import check_levels
from seqcast.serve.bodies import Body, typed, whole
from seqcast.serve.models import ModelShelf, ServedModel
from seqcast.serve.options import BacktestOptions, ForecastOptions, Options
from seqcast.serve.problems import RequestError, shown
from seqcast.serve.settings import PRETRAINED, ServerSettings
from seqcast.serve.tables import Needed, Table

# Options that only the pretrained network has, or a backtest, and the columns that the network reads.
_ZERO_SHOT, _WINDOWS = {"freq", "season_length"}, {"n_windows", "step_size"}
_ZERO_SHOT_NEEDED = Needed("unique_id", "ds", ("y",), only="series")


@dataclass(frozen=True, eq=False)
class Query:
    """What a request asks for.

    Args:
        model: The model; `None` is the pretrained network.
        rows: Rows to forecast from.
        future: What is known of the steps ahead.
        series: Remembered series to forecast, where there are no rows; `None` is all.
        horizon: Steps; `None` is the model's.
        level: Levels of the intervals; `None` is the model's.
        further: Further options.
        is_backtest: Whether it asks for forecasts of the rows' own past.
    """

    model: ServedModel | None
    rows: Table | None = None
    future: Table | None = None
    series: tuple[Any, ...] | None = None
    horizon: int | None = None
    level: tuple[float, ...] | None = None
    further: Mapping[str, Any] = field(default_factory=dict)
    is_backtest: bool = False

    @property
    def name(self) -> str:
        """Name of the model."""
        return PRETRAINED if self.model is None else self.model.name

    @property
    def size(self) -> int:
        """Number of rows."""
        return 0 if self.rows is None else self.rows.rows

    @property
    def steps(self) -> int:
        """Steps to forecast."""
        return self.horizon or (1 if self.model is None else int(self.model.forecaster.horizon))

    @cached_property
    def shape(self) -> Any:
        """What requests have in common that are forecast in one call; `None` for one that is forecast alone."""
        model = self.model
        if model is None or not model.is_regular or self.is_backtest or (self.rows is None and self.series is None):
            return None
        tables = [table for table in (self.rows, self.future) if table is not None]
        whole_ids = "i" if model.has_whole_ids else "s"
        unique_id = model.columns.unique_id
        if not all(table.is_plain and dict(table.kinds)[unique_id] == whole_ids for table in tables):
            return None
        kinds = tuple(None if table is None else table.kinds for table in (self.rows, self.future))
        return model, self.horizon, self.level, kinds


def read_query(
    body: Body, address: Sequence[tuple[str, str]], kind: type[Options], shelf: ModelShelf, settings: ServerSettings
) -> Query:
    """Read what a request asks for.

    Args:
        body: Its body.
        address: Names and values after the `?`, as text.
        kind: Which options there are.
        shelf: The models.
        settings: Limits.

    Raises:
        RequestError: There is no such model, or too much is asked for.
        SpecError: An option is wrong.
        DataError: A table is wrong.
    """
    options = kind.read(body.fields, address)
    model = shelf.find(options.model)
    _check_horizon(options.horizon, model, settings)
    further = options.model_dump(include=_ZERO_SHOT | _WINDOWS, exclude_none=True)
    for name in sorted(_ZERO_SHOT & further.keys()) if model is not None else ():
        hint = f"Leave it out, or ask for {PRETRAINED!r}."
        raise SpecError(name, expected="none: a model has its own", received=shown(further[name]), hint=hint)
    needed = _ZERO_SHOT_NEEDED if model is None else model.needed
    rows = _table(body, "rows", needed, model)
    if model is None and rows is None:
        raise DataError(option="rows", expected="rows to forecast from", received="none", hint="Send some.")
    future, series = None, None
    if isinstance(options, ForecastOptions):
        future = _future(body, model)
        series = _series(options.series, rows, model)
    level = None if options.level is None else check_levels(options.level)
    is_backtest = isinstance(options, BacktestOptions)
    query = Query(model, rows, future, series, options.horizon, level=level, further=further, is_backtest=is_backtest)
    _check_answer(query, settings)
    return query


def _check_horizon(horizon: int | None, model: ServedModel | None, settings: ServerSettings) -> None:
    if horizon is not None and horizon > settings.max_horizon:
        most = f"at most {settings.max_horizon:,}"
        raise SpecError("horizon", expected=most, received=shown(horizon), hint="Ask for fewer.")
    if model is None and horizon is None:
        hint = "The pretrained network has none."
        raise SpecError("horizon", expected="a number of steps", received="none", hint=hint)


def _table(body: Body, name: str, needed: Needed, model: ServedModel | None) -> Table | None:
    columns = body.columns(name)
    if columns is None:
        return None
    if body.is_text:
        texts = {needed.unique_id, needed.ds} if model is None else model.texts
        are_whole = {needed.unique_id: model is not None and model.has_whole_ids, needed.ds: not needed.text_times}
        read: dict[str, Sequence[Any]] = {}
        for column in needed.read & columns.keys():
            cells = [cell or None for cell in columns[column]]
            read[column] = typed(cells) if column not in texts else whole(cells) if are_whole.get(column) else cells
        columns = {**columns, **read}
    return Table.of(columns, needed, name)


def _future(body: Body, model: ServedModel | None) -> Table | None:
    """Return what is known of the steps ahead."""
    if model is not None and (model.forecaster.future_covariates or not model.is_regular):
        return _table(body, "future", model.ahead, model)
    if body.fields.get("future") is not None:
        expected = "none: there are no future covariates"
        raise DataError(option="future", expected=expected, received="a table", hint="Leave it out.")
    return None


def _series(asked: list[str | int] | None, rows: Table | None, model: ServedModel | None) -> tuple[Any, ...] | None:
    """Return the remembered series that are asked for."""
    if asked is None:
        return None
    if model is None:
        raise SpecError("series", expected="none without a model", received=shown(asked), hint="Send rows.")
    if rows is not None:
        hint = "Rows say which series are forecast."
        raise SpecError("series", expected="none beside rows", received=shown(asked), hint=hint)
    names = tuple(dict.fromkeys(whole(asked) if model.has_whole_ids else asked))
    places = model.forecaster.series_state_.places(names)
    unknown = next((name for name, place in zip(names, places, strict=True) if place < 0), None)
    if unknown is not None:
        expected, hint = "series that the model remembers", "Send rows of a new series."
        raise DataError(option="series", expected=expected, received=shown(unknown), hint=hint)
    return names


def _check_answer(query: Query, settings: ServerSettings) -> None:
    """Refuse what would have too long an answer."""
    targets = 1 if query.model is None else len(query.model.columns.targets)
    if query.rows is not None:
        column = query.rows.columns["unique_id" if query.model is None else query.model.columns.unique_id]
        series = len(set(column.tolist()))
    else:
        assert query.model is not None
        series = len(query.series) if query.series else len(query.model.forecaster.series_state_.ids)
    rows = series * query.steps * targets
    if rows > settings.max_rows:
        raise RequestError(
            413,
            "rows",
            expected=f"an answer of at most {settings.max_rows:,} rows",
            received=f"{series:,} series with {query.steps:,} steps each",
            hint="Ask for some of the series with series=, or send several requests.",
        )
