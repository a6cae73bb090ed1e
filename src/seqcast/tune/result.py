"""What a search gives: a fitted forecaster, the trials, and the script that makes the forecaster."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from seqcast.forecaster import Forecaster
from seqcast.runtime import write_beside
from seqcast.tune.figures import importance_bars, parallel_coordinates
from seqcast.tune.space import Setting


@dataclass(frozen=True)
class Trial:
    """A trial of a search.

    Args:
        number: Its number.
        state: `complete`, `pruned` or `failed`.
        loss: Its loss; `None` unless it is complete.
        parameters: What was searched, by name.
        seconds: How long it took; `None` unless it is complete.
        epochs: Epochs that it was trained.
        untuned: Whether it is that of the untuned setting.
        reason: Why it is not complete.
    """

    number: int
    state: str
    loss: float | None
    parameters: Mapping[str, Any]
    seconds: float | None = None
    epochs: int | None = None
    untuned: bool = False
    reason: str | None = None


@dataclass(frozen=True)
class TuningResult:
    """The result of `seqcast.tune.tune`.

    Args:
        forecaster: The fitted forecaster.
        settings: Its networks, as they were chosen, or the fine-tuning of the pretrained one.
        trials: All trials of the study.
        script: Python that makes the forecaster.
        importance: The share of each parameter in the variance of losses, the largest first; empty where too few trials
            are complete.
        seconds: How long the search and the fit took.
    """

    forecaster: Forecaster
    settings: tuple[Setting, ...]
    trials: tuple[Trial, ...]
    script: str
    importance: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def complete(self) -> list[Trial]:
        """The trials that are complete, the best first."""
        done = [trial for trial in self.trials if trial.loss is not None]
        return sorted(done, key=lambda trial: (trial.loss, trial.number))

    @property
    def best(self) -> Trial | None:
        """The trial with the least loss; `None` where none is complete."""
        return next(iter(self.complete), None)

    @property
    def untuned_loss(self) -> float | None:
        """The loss of the untuned setting; `None` where its trial is not complete."""
        return next((trial.loss for trial in self.complete if trial.untuned), None)

    def to_frame(self) -> Any:
        """Return a pandas frame with a row a trial: its number, state, loss, seconds, epochs and parameters."""
        from pandas import DataFrame

        shown = ("number", "state", "loss", "seconds", "epochs", "untuned", "reason")
        rows = [{**{name: getattr(trial, name) for name in shown}, **trial.parameters} for trial in self.trials]
        names = dict.fromkeys(name for trial in self.trials for name in trial.parameters)
        return DataFrame(rows, columns=[*shown, *names])

    def to_dict(self) -> dict[str, Any]:
        """Return what was found as JSON types, without the trials."""
        best = self.best
        return {
            "best": None if best is None else {"number": best.number, "loss": best.loss, **dict(best.parameters)},
            "untuned_loss": self.untuned_loss,
            "networks": len(self.settings),
            "choice": self.forecaster.choice_.to_dict(),
            "trials": {state: sum(trial.state == state for trial in self.trials) for state in STATES},
            "importance": dict(self.importance),
            "seconds": self.seconds,
        }

    def save_script(self, path: str | os.PathLike[str]) -> None:
        """Write the script to a file.

        Args:
            path: Where it goes; it appears whole or not at all.

        Raises:
            SaveError: The file could not be written.
        """
        write_beside(Path(path), lambda file: file.write(self.script.encode()))

    def importance_figure(self, title: str | None = None) -> Figure:
        """Draw the importance of each parameter; see `seqcast.tune.figures.importance_bars`."""
        return importance_bars(self.importance, title=title)

    def parallel_figure(self, title: str | None = None) -> Figure:
        """Draw the complete trials; see `seqcast.tune.figures.parallel_coordinates`."""
        return parallel_coordinates([(trial.parameters, trial.loss) for trial in self.complete], title=title)


STATES = ("complete", "pruned", "failed")
