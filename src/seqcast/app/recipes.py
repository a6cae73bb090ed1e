"""Recipes: the Python script and the command line that repeat the forecast of the page."""

import shlex
from dataclasses import fields
from typing import Any

from seqcast.app.visitor_table import Table, VisitorFrame
from seqcast.app.visitors import SEED, Asked
from seqcast.tune import Code, python_call, python_imports

ROWS = "rows.csv"
FUTURE = "future.csv"
DATES = {True: ["--day-first"], False: ["--month-first"]}
COLUMN_OPTIONS = {"unique_id": "--id", "ds": "--time", "y": "--value"}


def needs_rows(table: Table) -> bool:
    """Return whether the recipes read `rows.csv` instead of the visitor's own file.

    `rows.csv` holds the rows that were forecast from. Recipes read it if the forecast leaves out
    some of the file: rows of the known future, or series of a wide table.

    Args:
        table: The visitor's table.
    """
    roles = table.roles
    return bool(roles.names("future")) or (roles.layout == "wide" and "ignore" in roles.of.values())


def file_name(table: Table) -> str:
    """Return the name of the file that the recipes read.

    Args:
        table: The visitor's table.
    """
    return ROWS if needs_rows(table) else table.path.name


def script_of(table: Table, frame: VisitorFrame, asked: Asked) -> str:
    """Return a Python script that makes the same forecast.

    Args:
        table: The visitor's table.
        frame: Its series.
        asked: The options of the forecast.

    Returns:
        The script, which reads the table from the current folder.
    """
    reading: dict[str, Any] = {"": Code(f"Path({file_name(table)!r})"), "columns": Code("columns")}
    if _dialect(table):
        reading["dialect"] = Code(python_call("Dialect", _dialect(table)))
    reading |= _layout(table)
    if not table.roles.names("time") and not needs_rows(table):
        reading["steps"] = Code(python_call("Steps", _changed(table.steps)))
    known = {"future": Code("future")} if "future" in frame.covariates else {}
    limit = {} if asked.time_limit is None else {"time_limit": asked.time_limit}
    lines = [
        f"columns = {python_call('Columns', _changed(frame.columns))}",
        f"rows = {python_call('read_table', reading)}",
        *(f"future = read_table(Path({FUTURE!r}), columns, value=False)" for _ in known),
        "",
        "forecaster = "
        f"{python_call('Forecaster', {**asked.options(frame), 'columns': Code('columns')})}",
        python_call("forecaster.fit", {"": Code("rows"), **limit}),
        f"forecast = {python_call('forecaster.predict', known)}",
        'forecast.to_csv("forecast.csv", index=False)',
        'forecaster.save("model.seqcast")',
    ]
    code = "\n".join(lines)
    return f"from pathlib import Path\n\n{python_imports(code)}\n\n{code}\n"


def command_of(table: Table, frame: VisitorFrame, asked: Asked) -> str:
    """Return the command line that makes the same forecast.

    Args:
        table: The visitor's table.
        frame: Its series.
        asked: The options of the forecast.
    """
    words = ["seqcast", "forecast", file_name(table), "-H", str(asked.horizon)]
    for name, value in _changed(frame.columns).items():
        words += [COLUMN_OPTIONS[name], value]
    for name, value in (_layout(table) | _steps(table)).items():
        words += [f"--{name}", str(value)]
    for role, names in asked.covariates(frame).items():
        words += [f"--{role}", ",".join(names)]
    words += ["--future-file", FUTURE] if "future" in frame.covariates else []
    words += ["--on-bad-series", "skip"] if frame.problems else []
    words += ["--level", ",".join(f"{level:g}" for level in asked.level), "--effort", asked.effort]
    words += ["--time-limit", asked.time_limit] if asked.time_limit else []
    for name, value in _dialect(table).items():
        typed = ",".join(value) if isinstance(value, tuple) else str(value)
        words += DATES[value] if name == "day_first" else [f"--{name.replace('_', '-')}", typed]
    return shlex.join([*words, "--seed", str(SEED), "-o", "forecast.csv"])


def _changed(spec: Any) -> dict[str, Any]:
    """Return the fields of a frozen value that differ from their defaults."""
    usual = type(spec)()
    given = {each.name: getattr(spec, each.name) for each in fields(spec)}
    return {name: value for name, value in given.items() if value != getattr(usual, name)}


def _steps(table: Table) -> dict[str, Any]:
    """Return the options of the times of the file of the recipes, where it has none."""
    return {} if table.roles.names("time") or needs_rows(table) else _changed(table.steps)


def _layout(table: Table) -> dict[str, str]:
    """Return the option of the layout of the file of the recipes, if it is not the usual one."""
    return (
        {} if table.roles.layout == "long" or needs_rows(table) else {"layout": table.roles.layout}
    )


def _dialect(table: Table) -> dict[str, Any]:
    """Return the options of the dialect that the visitor gave for the file of the recipes."""
    return {} if needs_rows(table) else _changed(table.dialect)
