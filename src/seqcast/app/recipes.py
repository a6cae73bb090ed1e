"""Recipes: the Python script and the command line that repeat what was done on the page."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from seqcast.app.session import Asked
from seqcast.app.table import Table, VisitorFrame
from seqcast.data.frames import Dialect
from seqcast.specs import Columns

ROWS, FUTURE = "rows.csv", "future.csv"


def needs_rows(table: Table) -> bool:
    """Return whether the recipes read the rows that were forecast from, `rows.csv`, and not the visitor's own file.

    They do where some of the file was left out: rows that only say what is known in advance, or series of a wide table.

    Args:
        table: The visitor's table.
    """
    roles = table.roles
    return bool(roles.names("future")) or (roles.wide and len(roles.names("value")) < len(roles.of) - 1)


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
        asked: What the forecast was asked with.

    Returns:
        The script; it reads the table from the folder that it is run in.
    """
    roles, columns, plain = table.roles, table.roles.columns, needs_rows(table)
    dialect = {} if plain else _changed(table.dialect, Dialect())
    reading = [f"Path({file_name(table)!r})", "columns"]
    reading += [f"dialect=Dialect({_arguments(dialect)})"] if dialect else []
    reading += ["wide=True"] if roles.wide and not plain else ["sort=True"]
    lines = ["from pathlib import Path", "", "from seqcast import Columns, Forecaster"]
    lines += ["from seqcast.data.frames.dialect import Dialect"] if dialect else []
    lines += ["from seqcast.data.frames.io import read_table", ""]
    lines += [f"columns = Columns({_arguments(_changed(columns, Columns()))})"]
    lines += [f"df = read_table({', '.join(reading)})"]
    future = roles.names("future")
    if future:
        lines += [f"future = read_table(Path({FUTURE!r}), columns, value=False)"]
    options: dict[str, object] = {**asked.options(), **frame.options(), "columns": _Name("columns")}
    defaults = {"season_length": None, "static_covariates": (), "past_covariates": (), "future_covariates": ()}
    options = {name: value for name, value in options.items() if defaults.get(name, ...) != value}
    horizon = options.pop("horizon")
    lines += ["", f"forecaster = Forecaster({horizon}, {_arguments(options)})"]
    fit = "df" + ("" if asked.time_limit is None else f", time_limit={asked.time_limit!r}")
    lines += [f"forecaster.fit({fit})", f"forecast = forecaster.predict({'future=future' if future else ''})"]
    lines += ['forecast.to_csv("forecast.csv", index=False)', 'forecaster.save("model.seqcast")']
    return "\n".join(lines) + "\n"


def command_of(table: Table, frame: VisitorFrame, asked: Asked) -> str:
    """Return the command line that makes the same forecast.

    Args:
        table: The visitor's table.
        frame: Its series.
        asked: What the forecast was asked with.
    """
    roles, columns, plain = table.roles, table.roles.columns, needs_rows(table)
    words = ["seqcast", "forecast", file_name(table), "-H", str(asked.horizon)]
    for flag, value, usual in (
        ("--id", columns.unique_id, "unique_id"),
        ("--time", columns.ds, "ds"),
        ("--value", columns.value, "y"),
    ):
        words += [flag, value] if value != usual else []
    words += ["--wide"] if roles.wide and not plain else ["--sort"]
    for role in ("static", "past", "future"):
        words += [f"--{role}", ",".join(roles.names(role))] if roles.names(role) else []
    words += ["--future-file", FUTURE] if roles.names("future") else []
    words += ["--on-bad-series", "skip"] if frame.facts.problems else []
    words += ["--level", ",".join(f"{level:g}" for level in asked.level), "--effort", asked.effort]
    words += ["--season-length", str(asked.season_length)] if asked.season_length else []
    words += ["--time-limit", asked.time_limit] if asked.time_limit else []
    for name, value in ({} if plain else _changed(table.dialect, Dialect())).items():
        if name == "day_first":
            words += ["--day-first" if value else "--month-first"]
        else:
            words += [f"--{name.replace('_', '-')}", str(value)]
    words += ["--seed", str(asked.seed), "-o", "forecast.csv"]
    return shlex.join(words)


class _Name(str):
    """A name in a script, which is written without quotation marks."""

    def __repr__(self) -> str:
        return str(self)


def _changed(spec: Any, usual: Any) -> dict[str, Any]:
    """Return the fields of a frozen value that differ from those of the usual one."""
    names = [each.name for each in fields(spec)]
    return {name: getattr(spec, name) for name in names if getattr(spec, name) != getattr(usual, name)}


def _arguments(options: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in options.items())
