"""The description of the routes (OpenAPI 3.1), with examples that tests send."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from seqcast._version import __version__
from seqcast.serve.bodies import CSV, JSON
from seqcast.serve.options import CELL, TABLES, BacktestOptions, ForecastOptions, Options
from seqcast.serve.problems import MEDIA_TYPE
from seqcast.serve.settings import PRETRAINED

_DAYS = [f"2024-01-{day:02d}" for day in range(1, 29)]
_WEEK = [5.0, 6.0, 7.0, 6.0, 5.0, 2.0, 1.0]
_ROWS = [{"unique_id": "a", "ds": day, "y": _WEEK[place % 7]} for place, day in enumerate(_DAYS)]

# Bodies that are shown, by path.
EXAMPLES: dict[str, dict[str, Any]] = {
    "/v1/forecast": {
        "rows": {
            "summary": "A week ahead by the pretrained network, a row an object",
            "value": {"model": PRETRAINED, "horizon": 7, "level": [80], "rows": _ROWS},
        },
        "columns": {
            "summary": "The same, a column a list",
            "value": {
                "model": PRETRAINED,
                "horizon": 7,
                "level": [80],
                "rows": {"unique_id": ["a"] * 28, "ds": _DAYS, "y": _WEEK * 4},
            },
        },
    },
    "/v1/backtest": {
        "weeks": {
            "summary": "The last two weeks, each forecast from the rows before",
            "value": {"model": PRETRAINED, "horizon": 7, "n_windows": 2, "rows": _ROWS},
        }
    },
}

_CSV_EXAMPLE = "unique_id,ds,y\n" + "".join(f"{row['unique_id']},{row['ds']},{row['y']}\n" for row in _ROWS)

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "error", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "error": {"type": "string", "description": "Kind of error."},
        "detail": {"type": "string", "description": "All of it as a sentence."},
        "option": {"type": "string", "description": "The field or option that is at fault."},
        "column": {"type": "string"},
        "row": {"type": "integer", "description": "Number of the row in the body, from 0."},
        "series": {"type": ["string", "integer"]},
        "expected": {"type": "string"},
        "received": {"type": "string"},
        "hint": {"type": "string", "description": "How to mend it."},
        "request_id": {"type": "string"},
    },
}
_FORECAST = {
    "type": "object",
    "required": ["model", "rows"],
    "properties": {
        "model": {"type": "string"},
        "version": {"type": "string"},
        "frequency": {"type": ["string", "integer", "null"]},
        "season_length": {"type": ["integer", "null"]},
        "rows": {"type": "array", "items": {"type": "object", "additionalProperties": CELL}},
    },
}
_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_PROBLEMS = {
    str(status): {"description": HTTPStatus(status).phrase, "content": _CONTENT}
    for status in (400, 401, 403, 404, 406, 408, 413, 415, 422, 429, 431, 503, 504)
}


def describe(*, has_keys: bool) -> dict[str, Any]:
    """Return the description.

    Args:
        has_keys: Whether requests need a key.
    """
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "seqcast", "version": __version__, "description": "Forecasts of time series."},
        "paths": {
            "/v1/forecast": {"post": _table("forecast", "Forecast the steps after the last rows", ForecastOptions)},
            "/v1/backtest": {
                "post": _table("backtest", "Forecast the rows' own past, beside the truth", BacktestOptions)
            },
            "/v1/models": {"get": _plain("models", "The models, their columns and the limits")},
            "/healthz": {"get": _plain("health", "Whether the process is alive")},
            "/readyz": {"get": _plain("ready", "Whether the models are ready")},
            "/metrics": {"get": _plain("metrics", "Metrics for Prometheus", "text/plain")},
        },
        "components": {
            "schemas": {"Problem": _PROBLEM, "Forecast": _FORECAST},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }
    if has_keys:
        for path, methods in document["paths"].items():
            if path.startswith("/v1/") or path == "/metrics":
                for operation in methods.values():
                    operation["security"] = [{"bearer": []}, {"header": []}]
    return document


def _table(name: str, summary: str, options: type[Options]) -> dict[str, Any]:
    """Return the description of a route that takes a table."""
    schema = options.model_json_schema()
    parameters = [_parameter(name, each) for name, each in schema["properties"].items() if name not in TABLES]
    answers = {JSON: {"schema": {"$ref": "#/components/schemas/Forecast"}}, CSV: {"schema": {"type": "string"}}}
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": schema, "examples": EXAMPLES[f"/v1/{name}"]},
                CSV: {"schema": {"type": "string"}, "example": _CSV_EXAMPLE},
            },
        },
        "responses": {
            "200": {"description": "The forecast", "content": answers},
            **_PROBLEMS,
        },
    }


def _parameter(name: str, option: dict[str, Any]) -> dict[str, Any]:
    """Return the description of an option in the address, which lists values where it may."""
    kinds = [kind for kind in option["anyOf"] if kind["type"] != "null"]
    listed = next((kind for kind in kinds if kind["type"] == "array"), None)
    return {
        "name": name,
        "in": "query",
        "schema": listed or {"anyOf": kinds},
        "description": f"{option['description']} Beside CSV; in JSON it is in the body.",
        **({"style": "form", "explode": name == "series"} if listed else {}),
    }


def _plain(name: str, summary: str, media_type: str = JSON) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "object" if media_type == JSON else "string"}}}
    responses = {"200": {"description": "Here it is", "content": content}, **_PROBLEMS}
    return {"operationId": name, "summary": summary, "responses": responses}
