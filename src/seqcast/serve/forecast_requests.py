"""Queries: the options and tables of a request, read from its body and its address, and checked."""

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SkipValidation, ValidationError

from seqcast.errors import suggest_name
from seqcast.intervals import check_levels
from seqcast.serve.configuration import PRETRAINED, PRETRAINED_LEVELS, ServerSettings
from seqcast.serve.models import ModelShelf, ServedModel
from seqcast.serve.problems import RequestError, shown
from seqcast.serve.request_bodies import Needed, Table, whole
from seqcast.specs import Columns

# Most bytes of a cell of an answer as JSON, with its column:
# "seqcast-hi-99.9":-1.2345678901234567e-308.
_CELL_BYTES = 48
# Columns of an answer beside those of intervals: series, time, target, step and point.
_OTHER_CELLS = 5
# Columns that the pretrained network reads.
_ZERO_SHOT = Needed("unique_id", "ds", ("y",), only="series")

# Options of the pretrained network alone.
_OF_PRETRAINED = {"freq", "season_length", "start"}

# A cell, and a table: a list of objects, one a row, or an object of lists, one a column.
Cell = float | str | bool | None
_Table = SkipValidation[list[dict[str, Cell]] | dict[str, list[Cell]] | None]


_AS_LIST = BeforeValidator(
    lambda given: given if isinstance(given, list) else [given], float | list[float]
)
_Levels = Annotated[list[float], _AS_LIST]


class Options(BaseModel):
    """Options of a request; one that is `null` is absent."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    model: str | None = Field(None, max_length=64)
    """A name that GET /v1/models lists, or 'pretrained'; the only model if absent."""
    horizon: int | None = Field(None, ge=1)
    """Steps to forecast; the model's if absent."""
    level: _Levels | None = Field(None, max_length=20)
    """Levels of the intervals, ascending, in per cent: 80, not 0.8; the model's if absent."""
    freq: int | str | None = Field(None, union_mode="left_to_right")
    """Step between stamps, such as 'D' or 1, for the pretrained network; inferred if absent."""
    start: str | None = Field(None, max_length=64)
    """First time of rows without times, for the pretrained network; 1, 2, ... if absent."""
    season_length: int | None = Field(None, ge=1, le=100_000)
    """Steps of a season, for the pretrained network; by the step if absent."""
    series: list[str | int] | None = Field(None, min_length=1)
    """Names of remembered series to forecast, where no rows are sent; all if absent."""


class ForecastOptions(Options):
    """Options and tables of a request."""

    rows: _Table = None
    """Newer rows of known series, or rows of new ones: one object a row, or one list a column."""
    future: _Table = None
    """The steps ahead, with their known values."""


def read_options(fields: dict[str, Any], address: Iterable[tuple[str, str]]) -> ForecastOptions:
    """Read the options of a request.

    Args:
        fields: The fields of its body.
        address: Names and values after the `?`, as text.

    Raises:
        RequestError: An option is unknown, is given twice, or has an impossible value.

    Example:
        >>> read_options({"horizon": 7}, [("level", "80,95")]).level
        [80.0, 95.0]
    """
    given = dict(fields)
    for name, text in address:
        is_list = name in ("level", "series")
        if name in fields or (name in given and not is_list):
            raise RequestError(422, name[:80], "one value", "several", "Give it once.")
        values = text.split(",") if name == "level" else [text]
        given[name] = [*given.get(name, ()), *values] if is_list else text
    try:
        return ForecastOptions.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    known = ForecastOptions.model_fields
    if name not in known:
        listed = ", ".join(map(repr, known))
        hint = suggest_name(name, known)
        raise RequestError(422, name[:80], f"one of the options {listed}", "another", hint)
    expected = re.sub(r"^\w+ should (?:be|have) ", "", first["msg"])
    expected = f"a number {expected}" if " than " in expected else expected
    raise RequestError(422, name, expected, shown(given[name]), known[name].description or "")


@dataclass(frozen=True, eq=False)
class Query:
    """The query of a request.

    Args:
        model: The model; `None` is the pretrained network.
        rows: Rows to forecast from.
        future: The known future.
        series: Ids of remembered series to forecast, where there are no rows; `None` is all.
        horizon: Steps; `None` is the model's.
        level: Levels of the intervals; `None` is the model's.
        network: Options of the pretrained network.
        read: How its rows were read, where their columns were guessed.
    """

    model: ServedModel | None
    rows: Table | None = None
    future: Table | None = None
    series: Table | None = None
    horizon: int | None = None
    level: tuple[float, ...] | None = None
    network: dict[str, Any] = field(default_factory=dict)
    read: str = ""

    @property
    def name(self) -> str:
        """Name of the model."""
        return PRETRAINED if self.model is None else self.model.name

    @property
    def size(self) -> int:
        """Number of rows."""
        return 0 if self.rows is None else self.rows.rows

    @cached_property
    def ids(self) -> Collection[Any]:
        """Names of the series to forecast."""
        table = self.rows or self.series
        if table is None:
            return () if self.model is None else self.model.forecaster.series_state_.ids
        columns = _ZERO_SHOT if self.model is None else self.model.needed
        return set(table.columns[columns.unique_id].tolist())

    @property
    def asked(self) -> int:
        """Number of series to forecast."""
        return len(self.ids)

    @property
    def load(self) -> int:
        """Number of its rows, or of its answer's, whichever is more."""
        return max(self.size, self.asked * self._rows_per_series)

    @cached_property
    def answer_bytes(self) -> int:
        """Most bytes of its answer as JSON, whose rows repeat the names of series and columns."""
        columns = Columns() if self.model is None else self.model.columns
        levels = PRETRAINED_LEVELS if self.model is None else self.model.levels
        asked_levels = self.network.get("level", levels) if self.level is None else self.level
        cells = _OTHER_CELLS + 2 * len(asked_levels)
        row = cells * _CELL_BYTES + len(
            json.dumps([columns.unique_id, columns.ds, *columns.targets])
        )
        names = len(json.dumps([str(name) for name in self.ids]))
        return self._rows_per_series * (self.asked * row + names)

    @property
    def _rows_per_series(self) -> int:
        targets = 1 if self.model is None else len(self.model.columns.targets)
        return self.steps * targets

    @property
    def steps(self) -> int:
        """Steps to forecast."""
        return self.horizon or (1 if self.model is None else int(self.model.forecaster.horizon))

    @cached_property
    def shape(self) -> Any:
        """The key of queries that share a call; `None` for a query that is forecast alone."""
        model = self.model
        tables = (self.rows, self.series, self.future)
        if model is None or not model.is_regular or (self.rows is None and self.series is None):
            return None
        unique_id = model.needed.unique_id, "i" if model.needed.whole_ids else "s"
        if not all(
            table is None or (unique_id in table.kinds and "o" not in dict(table.kinds).values())
            for table in tables
        ):
            return None
        return model, self.steps, self.level, *(table and table.kinds for table in tables)


def find_model(
    options: ForecastOptions, shelf: ModelShelf, settings: ServerSettings
) -> ServedModel | None:
    """Check the options of a request and return its model; `None` is the pretrained network.

    Args:
        options: The options.
        shelf: The models.
        settings: Limits.

    Raises:
        RequestError: There is no such model, or it cannot take one of the options.
        SpecError: A level is impossible.
    """
    model = shelf.find(options.model)
    if options.horizon is not None and options.horizon > settings.max_horizon:
        expected = f"at most {settings.max_horizon:,}"
        raise RequestError(422, "horizon", expected, shown(options.horizon), "Ask for fewer.")
    if options.level is not None:
        check_levels(options.level)
    if model is None:
        _check_zero_shot(options)
    else:
        for name, value in options.model_dump(include=_OF_PRETRAINED, exclude_none=True).items():
            hint = f"Leave it out, or ask for {PRETRAINED!r}."
            raise RequestError(422, name, "none: a model has its own", shown(value), hint)
    return model


def needs_guess(options: ForecastOptions, model: ServedModel | None) -> bool:
    """Tell whether the columns of the rows have to be guessed.

    Args:
        options: The options and tables of the request.
        model: Its model; only the pretrained network reads columns of other names than its own.
    """
    table = options.rows
    if model is not None or not table:
        return False
    names = table if isinstance(table, dict) else table[0]
    return isinstance(names, dict) and bool(names) and not {"ds", "y"} <= set(names)


def read_query(
    options: ForecastOptions,
    model: ServedModel | None,
    settings: ServerSettings,
    read: str | None = None,
) -> Query:
    """Read the tables of a request.

    Args:
        options: The options and tables.
        model: The model, from `find_model`.
        settings: Limits.
        read: How the rows were read, where their columns were guessed.

    Raises:
        RequestError: The request asks for too much.
        DataError: A table is wrong.
    """
    most_rows = settings.max_rows
    level = None if options.level is None else check_levels(options.level)
    needed = _ZERO_SHOT if model is None else model.needed
    rows = None if options.rows is None else Table.read(options.rows, needed, "rows", most_rows)

    if model is None:
        if options.start is not None and read is None:
            raise RequestError(
                422, "start", "none for rows with times", shown(options.start), "Leave it out."
            )
        network = options.model_dump(include={"freq", "season_length"}, exclude_none=True)
        if level is not None:
            network["level"] = level
        query = Query(None, rows, horizon=options.horizon, network=network, read=read or "")
    else:
        future = _future(options.future, model, most_rows)
        series = _series(options.series, rows, model)
        query = Query(
            model, rows, future=future, series=series, horizon=options.horizon, level=level
        )

    _check_answer(query, settings)
    return query


def _check_zero_shot(options: ForecastOptions) -> None:
    """Reject a request that the pretrained network cannot answer."""
    if options.rows is None:
        raise RequestError(422, "rows", "rows to forecast from", "none", "Send some.")
    if options.horizon is None:
        raise RequestError(
            422, "horizon", "a number of steps", "none", "The pretrained network has none."
        )
    for name in ("series", "future"):
        if getattr(options, name) is not None:
            raise RequestError(
                422, name, "none without a model", shown(getattr(options, name)), "Leave it out."
            )


def _future(table: Any, model: ServedModel, most_rows: int) -> Table | None:
    """Return the table of the known future."""
    if table is None:
        return None
    if not model.forecaster.future_covariates and model.is_regular:
        raise RequestError(
            422, "future", "none: there are no future covariates", "a table", "Leave it out."
        )
    return Table.read(table, model.ahead, "future", most_rows)


def _series(asked: list[str | int] | None, rows: Table | None, model: ServedModel) -> Table | None:
    """Return the ids of the remembered series that are asked for."""
    if asked is None:
        return None
    if rows is not None:
        raise RequestError(
            422, "series", "none with rows", shown(asked), "Rows say which series are forecast."
        )
    is_whole = model.needed.whole_ids
    names = tuple(dict.fromkeys(whole(asked) if is_whole else asked))
    for name, place in zip(names, model.forecaster.series_state_.places(names), strict=True):
        if place < 0:
            hint = "Send rows of a new series."
            raise RequestError(422, "series", "series that the model remembers", shown(name), hint)
    ids = {model.needed.unique_id: np.array(names, dtype=np.int64 if is_whole else object)}
    return Table(ids, ((model.needed.unique_id, "i" if is_whole else "s"),), len(names))


def _check_answer(query: Query, settings: ServerSettings) -> None:
    """Reject a query with too long an answer."""
    if query.load > settings.max_rows:
        expected = f"an answer of at most {settings.max_rows:,} rows"
    elif query.answer_bytes > settings.max_answer:
        expected = f"an answer of at most {settings.max_answer:,} bytes"
    else:
        return
    received = f"{query.asked:,} series with {query.steps:,} steps each"
    hint = "Ask for some of the series with series=, or send several requests."
    raise RequestError(413, "rows", expected, received, hint)
