"""Commands as typer sees them: options come from signatures, help from docstrings.

A parameter becomes an option of the same name, with its entry under `Args:` as help. A parameter
whose type is a dataclass becomes an option for each field that is no parameter of the command. In
the help, the options of a dataclass have a panel, whose title begins its docstring, up to "as
typed"; the usual ones come before all panels.
"""

import contextlib
import functools
import inspect
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

# A command, or a dataclass of options.
Source = Callable[..., None] | type

# Parameters that are typed without a name, with their names in the help.
_ARGUMENTS = {name: name.upper() for name in ("data", "forecast", "model", "name")}
_ARGUMENTS |= {"models": "[NAME=]MODEL", "sources": "DATA...", "table": "FILE"}
# Short names of options, and the opposites of flags.
_SHORT = {"horizon": ("-H",), "output": ("-o",), "quiet": ("-q",)}
_OPPOSITE = {"browser": "/--no-browser", "day_first": "/--month-first", "header": "/--no-header"}
# Options that are needed most days: they come first, with those that only one command has.
_USUAL = (
    "horizon",
    "output",
    "id_column",
    "time_column",
    "value_column",
    "effort",
    "level",
    "time_limit",
    "as_json",
)
# Fields that do nothing for a command, or that it rejects.
_UNUSED = {
    "describe": ("calibrate", "learning_rate", "quiet", "seed"),
    "tune": ("effort", "members"),
}
# The least value of whole numbers that may be smaller than one.
_LEAST = {"n_windows": 0, "port": 0, "seed": 0}


def declared(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command as typer should see it.

    Args:
        command: A function whose docstring describes its parameters under `Args:`, after the help
            of the command.
    """
    own = inspect.signature(command, eval_str=True).parameters
    groups: dict[str, type] = {
        name: each.annotation
        for name, each in own.items()
        if isinstance(each.annotation, type) and is_dataclass(each.annotation)
    }
    parameters = list(_options(command))
    places = {}
    for group, kind in reversed(groups.items()):  # the last ones are those of the series
        for parameter in _options(kind):
            if parameter.name not in (*own, *_UNUSED.get(command.__name__, ())):
                parameters.append(parameter)
                places[parameter.name] = group
    parameters.sort(key=lambda each: (*_USUAL, each.name).index(each.name))

    @functools.wraps(command)
    def run(**values: object) -> None:
        fields: dict[str, dict[str, object]] = {group: {} for group in groups}
        for name, group in places.items():
            fields[group][name] = values.pop(name)
        command(**values, **{group: kind(**fields[group]) for group, kind in groups.items()})

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__doc__ = inspect.cleandoc(command.__doc__ or "").partition("\nArgs:\n")[0]
    return run


def flags_of(source: Source) -> frozenset[str]:
    """Return the options of a function or a dataclass as they are typed.

    Args:
        source: A function or a dataclass.
    """
    names = [name for name in inspect.signature(source).parameters if name not in _ARGUMENTS]
    return frozenset(flag for name in names for flags in _flags(name) for flag in flags.split("/"))


def _flags(name: str) -> tuple[str, ...]:
    typed = re.sub("^as_|_column$", "", name).replace("_", "-")
    return f"--{typed}{_OPPOSITE.get(name, '')}", *_SHORT.get(name, ())


def _options(source: Source) -> Iterator[inspect.Parameter]:
    """Yield the parameters of a function or a dataclass as typer's."""
    described, titles = _docstrings(source)
    for name, parameter in inspect.signature(source, eval_str=True).parameters.items():
        kind = parameter.annotation
        if is_dataclass(kind):
            continue

        text = " ".join(described[name].split())
        if name in _ARGUMENTS:
            info = typer.Argument(metavar=_ARGUMENTS[name], help=text)
        else:
            parser: Callable[[str], int | float] | None = None
            metavar = "PATH" if kind in (Path, Path | None) else "TEXT"
            if kind in (int, int | None):
                least = _LEAST.get(name, 1)
                parser = partial(_parse, int, least, f"a whole number, at least {least}")
                metavar = "N"
            elif kind in (float, float | None):
                parser = partial(_parse, float, -math.inf, "a number")
                metavar = "NUMBER"
            info = typer.Option(
                *_flags(name),
                help=text,
                parser=parser,
                metavar=metavar,
                rich_help_panel=titles.get(name),
            )

        typed = list[str] if kind == tuple[str, ...] else kind
        yield parameter.replace(
            kind=inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[typed, info]
        )


def _docstrings(source: Source) -> tuple[dict[str, str], dict[str, str]]:
    """Return the description of each parameter, and the title of its panel in the help.

    The title is that of the dataclass that declares the field.
    """
    described = dict[str, str]()
    titles = dict[str, str]()
    sources = source.__mro__[:-1] if isinstance(source, type) else (source,)
    for each in sources:
        summary, _, section = inspect.cleandoc(each.__doc__ or "").partition("Args:\n")
        entries = re.findall(r"^    (\w+): (.+(?:\n {5,}.+)*)", section, flags=re.MULTILINE)
        described |= entries
        if isinstance(source, type):
            title = summary.partition("\n")[0].partition(", as typed")[0].rstrip(".")
            titles |= {name: title for name, _ in entries if name not in _USUAL}
    return described, titles


def _parse(kind: type[int | float], least: float, words: str, text: str) -> int | float:
    with contextlib.suppress(ValueError):
        if (number := kind(text)) >= least:
            return number
    raise typer.BadParameter(f"expected {words}, received {text!r}.")
