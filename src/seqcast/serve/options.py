"""Options of requests, declared once: what they may be, the words that refuse others, and their description."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

from seqcast.errors import SpecError, suggest_name
from seqcast.runtime import require
from seqcast.serve.problems import shown
from seqcast.serve.settings import PRETRAINED

if TYPE_CHECKING:
    import pydantic
    from pydantic import Field
else:
    pydantic = require("pydantic", extra="serve")
    Field = pydantic.Field

# Fields that hold a table, which only a body can.
TABLES = ("rows", "future")

# JSON Schema of a cell.
CELL = {"type": ["number", "string", "boolean", "null"]}

_ROWS = {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": CELL}}
_COLUMN = {"type": "array", "minItems": 1, "items": CELL}
_COLUMNS = {"type": "object", "minProperties": 1, "additionalProperties": _COLUMN}
_ABOUT_TABLES = "A list of objects, one a row, or an object of lists, one a column; null is missing."

_Table = Annotated[Any, pydantic.WithJsonSchema({"description": _ABOUT_TABLES, "oneOf": [_ROWS, _COLUMNS]})]
_Level = Annotated[float, Field(gt=1, lt=100)]
_Levels = Annotated[list[_Level], Field(min_length=1, max_length=20, fail_fast=True)]
_Count = Annotated[int | None, Field(ge=1, le=1000, title="a whole number from 1 to 1,000")]


def _in_digits(freq: Any) -> Any:
    return int(freq) if isinstance(freq, str) and len(freq) <= 20 and freq.isascii() and freq.isdigit() else freq


class Options(pydantic.BaseModel):
    """What both routes take: errors say an option's title and description; `null` stands for one that is left out."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str | None, Field(max_length=64, title="a name")] = Field(
        None, description=f"One that GET /v1/models lists, or {PRETRAINED!r}; the only model if absent."
    )
    horizon: Annotated[int | None, Field(ge=1, title="a whole number >= 1")] = Field(
        None, description="Steps to forecast; the model's if absent."
    )
    level: Annotated[_Level | _Levels | None, Field(title="at most 20 levels above 1 and below 100 per cent")] = Field(
        None, description="Levels are per cent: 80, not 0.8. They ascend; the model's if absent."
    )
    freq: Annotated[
        Annotated[str, Field(min_length=1, max_length=20)] | Annotated[int, Field(ge=1, lt=2**63)] | None,
        pydantic.BeforeValidator(_in_digits),
        Field(title="a step such as 'D' or 'h', or a whole number"),
    ] = Field(None, description="Step between stamps, for the pretrained network; inferred if absent.")
    season_length: Annotated[int | None, Field(ge=1, le=100_000, title="a whole number from 1 to 100,000")] = Field(
        None, description="Steps of a season, for the pretrained network; by the step if absent."
    )
    rows: _Table = None

    @classmethod
    def read(cls, document: Mapping[str, Any], address: Sequence[tuple[str, str]]) -> Self:
        """Read the options of a request.

        Args:
            document: Its body: names and values.
            address: Names and values after the `?`, as text.

        Raises:
            SpecError: An option is unknown, is given twice, or has an impossible value.

        Example:
            >>> ForecastOptions.read({"horizon": 7}, [("level", "80,95")]).level
            [80.0, 95.0]
        """
        given: dict[str, list[str]] = {}
        for name, text in address:
            if name in document or (name in given and name != "series"):
                raise SpecError(name[:80], expected="one value", received="several", hint="Give it once.")
            given.setdefault(name, []).extend(text.split(",") if name == "level" else [text])
        texts = {name: values if name in ("series", "level") else values[0] for name, values in given.items()}
        options = cls._checked(document, cls.model_fields, strict=True)
        if not texts:
            return options
        said = cls._checked(texts, [name for name in cls.model_fields if name not in TABLES], strict=False)
        return options.model_copy(update={name: getattr(said, name) for name in texts})

    @classmethod
    def _checked(cls, given: Mapping[str, Any], known: Collection[str], *, strict: bool) -> Self:
        unknown = next((name[:80] for name in given if name not in known), None)
        if unknown is not None:
            listed, hint = ", ".join(map(repr, known)), suggest_name(unknown, known)
            raise SpecError(unknown, expected=f"one of the options {listed}", received="another", hint=hint)
        try:
            return cls.model_validate(given, strict=strict)
        except pydantic.ValidationError as error:
            name = str(error.errors()[0]["loc"][0])
        option = cls.model_fields[name]
        raise SpecError(
            name, expected=str(option.title), received=shown(given[name]), hint=str(option.description or "")
        )


class ForecastOptions(Options):
    """What a forecast takes."""

    series: Annotated[list[str | int] | None, Field(min_length=1, fail_fast=True, title="a list of names")] = Field(
        None, description="Remembered series to forecast, where no rows are sent; all if absent."
    )
    future: _Table = None


class BacktestOptions(Options):
    """What a backtest takes."""

    model_config = pydantic.ConfigDict(json_schema_extra={"required": ["rows"]})

    n_windows: _Count = Field(None, description="Number of cutoffs.")
    step_size: _Count = Field(None, description="Steps from one cutoff to the next; the horizon if absent.")
