"""From trials to the forecaster, which settings and in which share of the forecast, and to the script that makes it."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from seqcast.errors import SpecError
from seqcast.forecaster import Cluster, Forecaster, is_compared
from seqcast.pretrained import limits
from seqcast.specs import EnsembleSpec, FinetuneSpec, MemberSpec, Spec
from seqcast.tune.space import Setting
from seqcast.tune.trials import Task, seconds_of

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
    "EnsembleSpec": "seqcast.specs",
    "MemberSpec": "seqcast.specs",
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


# Networks whose loss is at most so much above the best one's are good enough for an ensemble: it gains about as much.
GOOD_ENOUGH = 0.02


@dataclass(frozen=True)
class Recipe:
    """How the forecaster of a search is made.

    Args:
        options: Its arguments, by name.
        settings: What was chosen: its networks, or the fine-tuning of the pretrained one.
        limit: The seconds of its fit where the clock has to end it.
    """

    options: Mapping[str, Any]
    settings: tuple[Setting, ...]
    limit: float | None = None

    @classmethod
    def of(
        cls,
        arguments: Mapping[str, Any],
        settings: Sequence[Setting],
        untuned: Setting,
        seed: int,
        limit: float | None = None,
    ) -> Recipe:
        """Return the recipe of some settings.

        Args:
            arguments: The arguments of the forecaster that the user gave, by name.
            settings: What was chosen.
            untuned: The setting as it is without tuning; as a network it judges the share that others have.
            seed: Seed of everything random.
            limit: As for the class; a fine-tuning, which is short, is not ended by the clock.
        """
        given = {name: value for name, value in arguments.items() if name != "verbose"}
        own: dict[str, Any] = {"training": None, "random_state": seed}
        members = tuple(each for each in settings if isinstance(each, MemberSpec))
        if isinstance(untuned, MemberSpec):
            compared = is_compared(arguments["preset"])
            judge = untuned if compared and any(member != untuned for member in members) else None
            finetuning = limits(arguments["training"]) or None
            network = EnsembleSpec(members, alone=not compared, finetuning=finetuning, judge=judge)
            own |= {"preset": network, "context_length": None}
        else:
            limit = None
        options = {
            name: value.item() if isinstance(value, np.generic) else value for name, value in {**given, **own}.items()
        }
        return cls(options, tuple(settings), limit)

    @property
    def finetuning(self) -> FinetuneSpec | None:
        """The fine-tuning that makes the forecaster; `None` where its networks are trained."""
        return next((each for each in self.settings if isinstance(each, FinetuneSpec)), None)

    @property
    def script(self) -> str:
        """Python that makes the forecaster."""
        return script_of(self.options, self.limit, self.finetuning)

    def fitted(self, df: Any, *, verbose: int, on: Cluster | None = None) -> Forecaster:
        """Return the forecaster, fitted.

        Args:
            df: As for `Forecaster.fit`.
            verbose: As for `Forecaster`.
            on: Workers that train its networks, where the clock does not have to end it; a fine-tuning runs here.
        """
        forecaster = Forecaster(**self.options, verbose=verbose)
        if self.finetuning is not None:
            return forecaster.finetune(df, **self.finetuning.arguments)
        return forecaster.fit(df, time_limit=self.limit, on=on if self.limit is None else None)


def chosen_settings(trials: Sequence[Any], task: Task, most: int) -> tuple[tuple[Setting, ...], float | None]:
    """Return the settings of the forecaster, and the seconds of its fit where the clock has to end it.

    Args:
        trials: The trials of the study.
        task: What they had in common.
        most: Most networks.
    """
    untuned, clock = task.objective.untuned, task.clock
    complete = sorted(
        (trial for trial in trials if trial.state.name == "COMPLETE"), key=lambda trial: (trial.value, trial.number)
    )
    limit = None if clock.deadline is None else max(clock.deadline.left() - clock.in_hand, 1.0)
    if not complete:
        if limit is None:
            raise SpecError("trials", expected="a trial that can be trained", received="none", hint="Widen the space.")
        return (untuned,), limit
    good = [trial for trial in complete if trial.value <= (1 + GOOD_ENOUGH) * complete[0].value][:most]
    count = clock.affordable(float(np.median(seconds_of(good))))
    settings = []
    for trial in (good[place % len(good)] for place in range(max(1, count))):
        parts = [parameter.fields_of(name, trial.params[name]) for name, parameter in task.space.items()]
        settings.append(untuned.changed({name: value for part in parts for name, value in part.items()}))
    return tuple(settings), None if count else limit
