"""Whether the names that a table of docs/coming-from gives are there: classes, functions, methods, arguments.

    python benchmarks/peers/table_names.py neuralforecast neuralforecast.models < names.json

stdin is a JSON list of expressions, such as `GRU(h=14, loss=MQLoss(level=[80]))`; the modules are where their first
names are looked for, in turn. The last line of stdout is a JSON list of what is wrong. It needs the standard
library only, so that it runs in each peer's environment.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterable
from typing import Any


def wrong(expression: str, modules: Iterable[str]) -> str | None:
    """Return what is wrong with an expression, or None; a text, which names a column, is not looked at.

    Example:
        >>> wrong("Counter.most_common(n=3)", ["collections"])
        >>> wrong("Counter.most_common(k=3)", ["collections"])
        'Counter.most_common(k=3): most_common has no argument k'
    """
    try:
        check(ast.parse(expression, mode="eval").body, tuple(modules))
    except (SyntaxError, ImportError, AttributeError, TypeError) as error:
        return f"{expression}: {error}"
    return None


def check(node: ast.expr, modules: tuple[str, ...]) -> None:
    """Raise an error unless the names in an expression are there."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return
    if not isinstance(node, ast.Call):
        found(node, modules)
        return
    function = found(node.func, modules)
    known = arguments(function)
    for keyword in node.keywords:
        if keyword.arg not in known and not documented(function, str(keyword.arg)):
            raise TypeError(f"{function.__name__} has no argument {keyword.arg}")
    if len(node.args) > len(known):
        raise TypeError(f"{function.__name__} takes fewer arguments")
    for value in (*node.args, *(keyword.value for keyword in node.keywords)):
        for inner in ast.walk(value):
            if isinstance(inner, ast.Call):
                check(inner, modules)


def found(node: ast.expr, modules: tuple[str, ...]) -> Any:
    """Return what a name, or one with dots, stands for."""
    if isinstance(node, ast.Name):
        for name in modules:
            module = importlib.import_module(name)
            if hasattr(module, node.id):
                return getattr(module, node.id)
        return importlib.import_module(node.id)
    if not isinstance(node, ast.Attribute):
        raise TypeError("neither a name nor a call")
    owner = found(node.value, modules)
    if inspect.ismodule(owner) and not hasattr(owner, node.attr):
        return importlib.import_module(f"{owner.__name__}.{node.attr}")
    return getattr(owner, node.attr)


def arguments(function: Any) -> set[str]:
    """Return the names of a function's arguments, with those that a class hands on to its bases."""
    parameters = inspect.signature(function).parameters.values()
    names = {one.name for one in parameters}
    if inspect.isclass(function) and any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters):
        names |= {name for base in function.__mro__[1:-1] for name in inspect.signature(base.__init__).parameters}
    return names - {"self", "args", "kwargs"}


def documented(function: Any, name: str) -> bool:
    """Return whether a function that takes any keyword has a paragraph of its docstring about this one."""
    parameters = inspect.signature(function).parameters.values()
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters)
    text = f"{function.__doc__}\n{function.__init__.__doc__ if inspect.isclass(function) else ''}"
    return takes_any and re.search(rf"^\s*{name}\b\s*(:.*)?$", text, flags=re.MULTILINE) is not None


if __name__ == "__main__":
    errors = [error for text in json.load(sys.stdin) if (error := wrong(text, sys.argv[1:])) is not None]
    print(json.dumps(errors))
