"""Python that makes a tuned forecaster, with every setting written out."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from seqcast.specs import FinetuneSpec, Spec

_TEMPLATE = '''"""Fit the forecaster that a search has found: python THIS_FILE DATA MODEL."""

import sys
from pathlib import Path

{imports}


def make_forecaster():
    """Return the forecaster, not fitted."""
    return {forecaster}


def fit(frame):
    """Return the forecaster, fitted to a frame with the columns that it was tuned on."""
    return make_forecaster().{fit}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python THIS_FILE DATA MODEL")
    columns = make_forecaster().columns or Columns()
    fit(read_table(Path(sys.argv[1]), columns)).save(sys.argv[2])
'''
_MODULES = {
    "Columns": "seqcast",
    "Forecaster": "seqcast",
    "NetworkSpec": "seqcast",
    "TrainingSpec": "seqcast",
    "read_table": "seqcast.data.frames.io",
    "EnsembleSpec": "seqcast.specs.ensemble",
    "MemberSpec": "seqcast.specs.ensemble",
}


def script_of(
    options: Mapping[str, Any], time_limit: float | None = None, finetuning: FinetuneSpec | None = None
) -> str:
    """Return the script of a forecaster.

    Args:
        options: Its arguments, by name.
        time_limit: Seconds of its fit, if the clock ends it.
        finetuning: How it is fine-tuned in place of a fit.

    Example:
        >>> print(script_of({"horizon": 3, "preset": "classic"}).splitlines()[9])
        def make_forecaster():
    """
    forecaster = _call("Forecaster", options, indent=1)
    names = {"Columns", "Forecaster", "read_table", *_specs(options)}
    if finetuning is not None:
        names |= _specs(finetuning.training)
    modules: dict[str, list[str]] = {}
    for name in sorted(names):
        modules.setdefault(_MODULES[name], []).append(name)
    imports = "\n".join(f"from {module} import {', '.join(modules[module])}" for module in sorted(modules))
    return _TEMPLATE.format(imports=imports, forecaster=forecaster, fit=_fit(time_limit, finetuning))


def _fit(time_limit: float | None, finetuning: FinetuneSpec | None) -> str:
    """Return the call that fits the forecaster."""
    if finetuning is not None:
        return _call("finetune", finetuning.arguments, indent=1, first="frame")
    return "fit(frame)" if time_limit is None else f"fit(frame, time_limit={time_limit:.0f})"


def _specs(value: Any) -> set[str]:
    """Return the names of the specs in a value."""
    if isinstance(value, Mapping):
        return set().union(*map(_specs, value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(_specs, value))
    if is_dataclass(value):
        return {type(value).__name__}.union(*(_specs(getattr(value, item.name)) for item in fields(value)))
    return set()


def _call(name: str, arguments: Mapping[str, Any], indent: int, first: str = "") -> str:
    """Return a call with an argument a line, after the first, which has no name, if there is one."""
    space = "    " * (indent + 1)
    lines = [f"{space}{first},"] if first else []
    lines += [f"{space}{key}={_literal(value, indent + 1)}," for key, value in arguments.items()]
    return "\n".join([f"{name}(", *lines, f"{'    ' * indent})"])


def _literal(value: Any, indent: int) -> str:
    """Return Python that makes a value."""
    if isinstance(value, Spec) and is_dataclass(value):
        if _is_plain(value):
            return _call(type(value).__name__, {item.name: getattr(value, item.name) for item in fields(value)}, indent)
        return f"{type(value).__name__}.from_dict({value.to_dict()!r})"
    if isinstance(value, tuple) and any(isinstance(item, Spec) for item in value):
        space = "    " * (indent + 1)
        items = [f"{space}{_literal(item, indent + 1)}," for item in value]
        return "\n".join(["(", *items, f"{'    ' * indent})"])
    return repr(value.item() if hasattr(value, "item") else value)


def _is_plain(value: Any) -> bool:
    """Return whether what is in a spec can be written as Python literals; Keras's objects cannot."""
    for item in fields(value):
        inner = getattr(value, item.name)
        specs = inner if isinstance(inner, tuple) else (inner,)
        if any(isinstance(each, Spec) for each in specs):
            continue
        try:
            ast.literal_eval(repr(inner))
        except (ValueError, SyntaxError):
            return False
    return True
