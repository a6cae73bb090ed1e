"""Scripts that make a forecaster: calls with an argument a line, and the imports of their names."""

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

from seqcast.specs import FinetuneSpec, Spec

_SEARCHED = '''"""Fit the forecaster that a search has found: python THIS_FILE DATA MODEL."""

import sys
from pathlib import Path

{imports}


def make_forecaster():
    """Return the forecaster, not fitted."""
    return {forecaster}


def fit(rows):
    """Return the forecaster, fitted to rows with the columns that it was tuned on."""
    return make_forecaster().{fit}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python THIS_FILE DATA MODEL")
    columns = make_forecaster().columns or Columns()
    fit(read_table(Path(sys.argv[1]), columns)).save(sys.argv[2])
'''
# The module of each name in a script, which is public there.
_MODULES = {
    **dict.fromkeys(("Columns", "Forecaster", "NetworkSpec", "TrainingSpec"), "seqcast"),
    **dict.fromkeys(("Dialect", "Steps", "read_table"), "seqcast.tables"),
    **dict.fromkeys(("EnsembleSpec", "MemberSpec"), "seqcast.specs"),
}
LONGEST_LINE = 100


class Code(str):
    """Python that stands in a script as it is, without quotation marks.

    Example:
        >>> python_call("fit", {"": Code("df"), "time_limit": "2 min"})
        "fit(df, time_limit='2 min')"
    """

    def __repr__(self) -> str:
        return str(self)


def python_call(name: str, arguments: Mapping[str, object], indent: int = 0) -> str:
    """Return a call: on one line where it is short, else with an argument a line.

    Args:
        name: The callable.
        arguments: Its arguments by name; a first one without a keyword has an empty name.
        indent: Levels of indentation of the line that the call begins on.

    Example:
        >>> python_call("Forecaster", {"horizon": 3, "level": (80,)})
        'Forecaster(horizon=3, level=(80,))'
    """
    items = [
        f"{key}={_literal(value, indent + 1)}".removeprefix("=") for key, value in arguments.items()
    ]
    line = f"{name}({', '.join(items)})"
    if len(line) + 4 * indent <= LONGEST_LINE and "\n" not in line:
        return line
    return _bracketed(name, items, indent)


def _bracketed(name: str, items: Sequence[str], indent: int) -> str:
    """Return items in brackets, a line each."""
    space = "".ljust(4 * indent)
    return "\n".join([f"{name}(", *(f"{space}    {item}," for item in items), f"{space})"])


def python_imports(code: str) -> str:
    """Return the imports of the names of seqcast that some code uses.

    Args:
        code: The code.

    Example:
        >>> print(python_imports("Forecaster(3).fit(read_table(path, Columns()))"))
        from seqcast import Columns, Forecaster
        from seqcast.tables import read_table
    """
    used = _MODULES.keys() & re.findall(r"\w+", code)
    by_module: dict[str, list[str]] = {}
    for name in sorted(used):
        by_module.setdefault(_MODULES[name], []).append(name)
    return "\n".join(
        f"from {module} import {', '.join(names)}" for module, names in sorted(by_module.items())
    )


def searched_script(
    options: Mapping[str, object],
    time_limit: float | None = None,
    finetuning: FinetuneSpec | None = None,
) -> str:
    """Return the script of the forecaster of a search.

    Args:
        options: Its arguments, by name.
        time_limit: Seconds of its fit, if the clock ends it.
        finetuning: The fine-tuning in place of a fit.

    Example:
        >>> print(searched_script({"horizon": 3, "preset": "classic"}).splitlines()[9])
        def make_forecaster():
    """
    arguments: dict[str, object] = {"": Code("rows")}
    if finetuning is not None:
        fit = python_call("finetune", arguments | finetuning.arguments, indent=1)
    else:
        if time_limit is not None:
            arguments["time_limit"] = round(time_limit)
        fit = python_call("fit", arguments)
    forecaster = python_call("Forecaster", options, indent=1)
    return _SEARCHED.format(
        imports=python_imports(_SEARCHED + forecaster + fit), forecaster=forecaster, fit=fit
    )


def _literal(value: Any, indent: int) -> str:
    """Return Python that makes a value."""
    if isinstance(value, Spec):
        if all(map(_can_be_written, vars(value).values())):
            return python_call(type(value).__name__, vars(value), indent)
        return f"{type(value).__name__}.from_dict({value.to_dict()!r})"
    if isinstance(value, tuple) and any(isinstance(item, Spec) for item in value):
        return _bracketed("", [_literal(item, indent + 1) for item in value], indent)
    return repr(value.item() if hasattr(value, "item") else value)


def _can_be_written(value: object) -> bool:
    """Return whether a field of a spec is a literal or other specs; Keras's objects are neither."""
    first = value[0] if isinstance(value, tuple) and value else value
    if isinstance(first, Spec):
        return True
    try:
        ast.literal_eval(repr(value))
    except (ValueError, SyntaxError):
        return False
    return True
