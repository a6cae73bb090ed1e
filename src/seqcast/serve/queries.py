"""What a request asks for, read from its body and its address, and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from seqcast.errors import DataError, SpecError, suggest_name
from seqcast.intervals.levels import check_levels
from seqcast.serve.bodies import Body, whole
from seqcast.serve.models import ModelShelf, ServedModel
from seqcast.serve.problems import RequestError
from seqcast.serve.settings import PRETRAINED, ServerSettings
from seqcast.serve.tables import Needed, Table
from seqcast.specs.checks import check_int

__all__ = ["BACKTEST_OPTIONS", "FORECAST_OPTIONS", "Query", "read_query"]

FORECAST_OPTIONS = ("model", "horizon", "level", "series", "freq", "season_length")
BACKTEST_OPTIONS = ("model", "horizon", "level", "freq", "season_length", "n_windows", "step_size")

# What only the pretrained network is told, and the columns that it reads.
_ZERO_SHOT = ("freq", "season_length")
_ZERO_SHOT_NEEDED = Needed("unique_id", "ds", ("y",), only="series")
_MOST_SEASON = 100_000
_MOST_WINDOWS = 1000


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
    further: tuple[tuple[str, Any], ...] = ()
    is_backtest: bool = False

    @property
    def name(self) -> str:
        """Name of the model."""
        return PRETRAINED if self.model is None else self.model.name

    @property
    def size(self) -> int:
        """Number of rows."""
        return 0 if self.rows is None else self.rows.rows

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
    body: Body, address: Sequence[tuple[str, str]], known: Sequence[str], shelf: ModelShelf, settings: ServerSettings
) -> Query:
    """Read what a request asks for.

    Args:
        body: Its body.
        address: Names and values after the `?`, as text.
        known: Names of the options that there are.
        shelf: The models.
        settings: Limits.

    Raises:
        RequestError: There is no such model, or too much is asked for.
        SpecError: An option is wrong.
        DataError: A table is wrong.
    """
    options = _options(body.options, address, known)
    name = options.get("model")
    if name is not None and not isinstance(name, str):
        raise SpecError("model", expected="a name", received=_told(name), hint="GET /v1/models lists them.")
    model = shelf.find(name)
    level = options.get("level")
    if level is not None:
        level = check_levels(level)
        if len(level) > 20:
            raise SpecError("level", expected="at most 20 levels", received=str(len(level)), hint="Ask for fewer.")
    horizon = _within(options, "horizon", settings.max_horizon)
    further = _further(options, model)
    if model is None and horizon is None:
        raise SpecError(
            "horizon", expected="a number of steps", received="none", hint="The pretrained network has none."
        )
    rows = _table(body, "rows", _ZERO_SHOT_NEEDED if model is None else model.needed, model)
    if "future" in body.tables and (model is None or not (model.forecaster.future_covariates or not model.is_regular)):
        raise DataError(
            option="future",
            expected="none: there are no future covariates",
            received="a table",
            hint="Leave it out.",
        )
    future = None if model is None else _table(body, "future", model.ahead, model)
    series = _series(options, rows, model)
    query = Query(model, rows, future, series, horizon, level, further, is_backtest="n_windows" in known)
    _check_answer(query, settings)
    return query


def _options(given: Mapping[str, Any], address: Sequence[tuple[str, str]], known: Sequence[str]) -> dict[str, Any]:
    """Return the options of body and address, each given once."""
    options = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in known:
            _refuse_name(name, (*known, "rows", "future"))
    for name, text in address:
        if name not in known:
            _refuse_name(name, known)
        if name in given or (name in options and name != "series"):
            raise SpecError(name, expected="one value", received="several", hint="Give it once.")
        if name == "series":
            options.setdefault("series", []).append(text)
        elif name == "level":
            options[name] = [_number(part, name, float) for part in text.split(",")]
        elif name in ("horizon", "season_length", "n_windows", "step_size"):
            options[name] = _number(text, name, int)
        else:
            options[name] = text
    return options


def _refuse_name(name: str, known: Sequence[str]) -> NoReturn:
    listed = ", ".join(map(repr, known))
    raise SpecError(
        name[:80], expected=f"one of the options {listed}", received="another", hint=suggest_name(name[:80], known)
    )


def _number(text: str, name: str, kind: type[int] | type[float]) -> Any:
    try:
        if len(text) > 40 or not text.isascii():
            raise ValueError
        return kind(text)
    except ValueError:
        raise SpecError(name, expected="a number", received=repr(text[:40]), hint="For example 7.") from None


def _within(options: Mapping[str, Any], name: str, most: int) -> int | None:
    if options.get(name) is None:
        return None
    number = check_int(name, _small(options[name]))
    if number > most:
        raise SpecError(name, expected=f"at most {most:,}", received=f"{number:,}", hint="Ask for fewer.")
    return number


def _small(value: Any) -> Any:
    """Return a value whose `repr` is short, so that a message cannot become as long as a body."""
    return (
        value if isinstance(value, float | bool) or (isinstance(value, int) and abs(value) < 10**15) else _told(value)
    )


def _told(value: Any) -> str:
    return repr(value)[:80] if not isinstance(value, int) else "a huge number"


def _further(options: Mapping[str, Any], model: ServedModel | None) -> tuple[tuple[str, Any], ...]:
    """Return the options that only the pretrained network or a backtest has."""
    for name in _ZERO_SHOT if model is not None else ():
        if name in options:
            hint = f"Leave it out, or ask for {PRETRAINED!r}."
            raise SpecError(name, expected="none: a model has its own", received=_told(options[name]), hint=hint)
    further: dict[str, Any] = {"season_length": _within(options, "season_length", _MOST_SEASON)}
    further |= {name: _within(options, name, _MOST_WINDOWS) for name in ("n_windows", "step_size")}
    freq = options.get("freq")
    if freq is not None:
        if not isinstance(freq, str | int) or isinstance(freq, bool) or len(str(_small(freq))) > 20:
            raise SpecError("freq", expected="a step such as 'D' or 'h'", received=_told(freq), hint="See pandas.")
        further["freq"] = int(freq) if isinstance(freq, str) and freq.isascii() and freq.isdigit() else freq
    return tuple(sorted((name, value) for name, value in further.items() if value is not None))


def _table(body: Body, name: str, needed: Needed, model: ServedModel | None) -> Table | None:
    columns = body.tables.get(name)
    if columns is None:
        return None
    if body.is_text:
        wanted = {needed.unique_id: model is not None and model.has_whole_ids, needed.ds: not needed.text_times}
        columns = {key: whole(cells) if wanted.get(key) else cells for key, cells in columns.items()}
    return Table.of(columns, needed, name)


def _series(options: Mapping[str, Any], rows: Table | None, model: ServedModel | None) -> tuple[Any, ...] | None:
    """Return the remembered series that are asked for."""
    if model is None and rows is None:
        raise DataError(option="rows", expected="rows to forecast from", received="none", hint="Send some.")
    asked = options.get("series")
    if asked is None or model is None:
        if asked is not None:
            raise SpecError("series", expected="none without a model", received=_told(asked), hint="Send rows.")
        return None
    if rows is not None:
        hint = "Rows say which series are forecast."
        raise SpecError("series", expected="none beside rows", received=_told(asked), hint=hint)
    asked = whole(asked) if model.has_whole_ids and isinstance(asked, list) else asked
    if not isinstance(asked, list) or not asked or any(isinstance(each, list | dict | float | bool) for each in asked):
        raise SpecError("series", expected="a list of names", received=_told(asked), hint='For example ["a", "b"].')
    names = tuple(dict.fromkeys(asked))
    unknown = [
        name for name, place in zip(names, model.forecaster.series_state_.places(names), strict=True) if place < 0
    ]
    if unknown:
        raise DataError(
            option="series",
            expected="series that the model remembers",
            received=_told(unknown[0]) if not isinstance(unknown[0], int) else str(_small(unknown[0])),
            hint="Send rows of a new series.",
        )
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
    horizon = query.horizon or (1 if query.model is None else int(query.model.forecaster.horizon))
    rows = series * horizon * targets
    if rows > settings.max_rows:
        raise RequestError(
            413,
            "rows",
            expected=f"an answer of at most {settings.max_rows:,} rows",
            received=f"{series:,} series with {horizon:,} steps each",
            hint="Ask for some of the series with series=, or send several requests.",
        )
