"""Forecasts as answers: JSON or CSV, of a part of the table that several requests share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from seqcast.serve.bodies import CSV, JSON
from seqcast.serve.models import ServedModel
from seqcast.serve.problems import RequestError
from seqcast.serve.settings import PRETRAINED

_OFFERED = (JSON, CSV)


@dataclass(frozen=True, eq=False)
class Answers:
    """The table of a call, which may answer several requests.

    Args:
        table: A pandas frame.
        model: The model; `None` is the pretrained network.
        frequency: Step between the stamps, where there is no model.
        season_length: Steps of a season, where there is no model.
    """

    table: Any
    model: ServedModel | None
    frequency: str | int | None = None
    season_length: int | None = None

    @cached_property
    def columns(self) -> dict[str, list[Any]]:
        """All columns as lists of JSON types."""
        return {str(name): _as_json(self.table[name]) for name in self.table.columns}


def _as_json(column: Any) -> list[Any]:
    """Return a column as JSON types: times as ISO 8601 writes them, what is no number as `None`."""
    kind = column.dtype.kind
    if kind == "M":
        if getattr(column.dtype, "tz", None) is not None:
            return [value.isoformat() for value in column]
        stamps: Any = column.to_numpy()
        whole = bool((stamps == stamps.astype("datetime64[s]")).all())
        return list(np.datetime_as_string(stamps, unit="s" if whole else "us").tolist())
    values: list[Any] = column.tolist()
    if kind == "f" and not np.isfinite(column.to_numpy()).all():
        return [value if np.isfinite(value) else None for value in values]
    return [value.isoformat() if hasattr(value, "isoformat") else value for value in values] if kind == "O" else values


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer of one request: some rows of a table.

    Args:
        answers: The table.
        start: Its first row.
        stop: The row after its last one.
    """

    answers: Answers
    start: int
    stop: int

    def written(self, media_type: str) -> bytes:
        """Return the answer as bytes.

        Args:
            media_type: One of those that `choose_media_type` returns.
        """
        if media_type == JSON:
            return self._json()
        table = self.answers.table.iloc[self.start : self.stop]
        return bytes(table.to_csv(index=False).encode("utf-8", "replace"))

    def _json(self) -> bytes:
        model, columns = self.answers.model, self.answers.columns
        names = list(columns)
        cells = zip(*(column[self.start : self.stop] for column in columns.values()), strict=True)
        document: dict[str, Any] = {"model": PRETRAINED if model is None else model.name}
        if model is not None:
            document["version"] = model.digest[:16]
        else:
            document |= {"frequency": self.answers.frequency, "season_length": self.answers.season_length}
        document["rows"] = [dict(zip(names, row, strict=True)) for row in cells]
        return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()


def choose_media_type(accept: str | None) -> str:
    """Return the format of an answer.

    Args:
        accept: The header `Accept`; `None` and `*/*` are JSON.

    Raises:
        RequestError: None of those that there are.

    Example:
        >>> choose_media_type(None), choose_media_type("text/csv;q=0.5, application/json;q=0.1")
        ('application/json', 'text/csv')
    """
    wishes: list[tuple[float, str]] = []
    for part in (accept or "*/*").split(","):
        kind, *parameters = [piece.strip().lower() for piece in part.split(";")]
        weights = [piece[2:] for piece in parameters if piece.startswith("q=")]
        wishes.append((_weight(weights), kind))
    for weight, kind in sorted(wishes, key=lambda wish: -wish[0]):
        for offered in _OFFERED if weight > 0 else ():
            if kind in (offered, "*/*", f"{offered.partition('/')[0]}/*"):
                return offered
    raise RequestError(
        406, "Accept", expected=" or ".join(_OFFERED), received=repr((accept or "")[:80]), hint="Leave it out for JSON."
    )


def _weight(weights: Sequence[str]) -> float:
    try:
        return float(weights[0]) if weights else 1.0
    except ValueError:
        return 1.0
