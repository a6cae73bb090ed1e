"""The result of a search: a fitted forecaster, the trials with their figures, and the script of the forecaster."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from seqcast.errors import DataError
from seqcast.forecaster import Forecaster
from seqcast.plots import COLOURS, GUIDE, MODELS, STYLE, finish, new_figure, plain, short, spoken
from seqcast.runtime import write_atomically
from seqcast.tune.space import Setting
from seqcast.tune.trials import SECONDS, is_untuned


@dataclass(frozen=True)
class Trial:
    """A trial of a search.

    Args:
        number: Its number.
        state: `complete`, `pruned` or `failed`.
        loss: Its loss; `None` unless it is complete.
        parameters: The searched values, by name.
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

    @classmethod
    def of(cls, trial: Any) -> Self:
        """Return a trial that has ended.

        Args:
            trial: Optuna's trial.
        """
        state = {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed")
        loss = trial.value if state == "complete" else None
        seconds = trial.user_attrs[SECONDS] if state == "complete" else None
        rest = {
            "epochs": trial.last_step,
            "untuned": is_untuned(trial),
            "reason": trial.user_attrs.get("reason"),
        }
        return cls(trial.number, state, loss, dict(trial.params), seconds, **rest)


@dataclass(frozen=True)
class TuningResult:
    """The result of `seqcast.tune.tune`.

    Args:
        forecaster: The fitted forecaster.
        settings: Its networks, as they were chosen, or the fine-tuning of the pretrained one.
        trials: All trials of the study.
        script: Python that makes the forecaster.
        importance: The share of each parameter in the variance of losses, the largest first; empty
            where too few trials are complete.
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
    def best(self) -> Trial:
        """The trial with the least loss."""
        return self.complete[0]

    @property
    def untuned_loss(self) -> float | None:
        """The loss of the untuned setting; `None` where its trial is not complete."""
        return next((trial.loss for trial in self.complete if trial.untuned), None)

    def to_frame(self) -> Any:
        """Return a pandas frame with a row a trial: its number, state, loss, seconds, epochs and parameters."""
        from pandas import DataFrame

        shown = ("number", "state", "loss", "seconds", "epochs", "untuned", "reason")
        rows = [
            {name: getattr(trial, name) for name in shown} | dict(trial.parameters)
            for trial in self.trials
        ]
        return DataFrame(
            rows, columns=list(dict.fromkeys([*shown, *(name for row in rows for name in row)]))
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON types, without the trials."""
        best = self.best
        return {
            "best": {"number": best.number, "loss": best.loss, **dict(best.parameters)},
            "untuned_loss": self.untuned_loss,
            "networks": len(self.settings),
            "choice": self.forecaster.choice_.to_dict(),
            "trials": {
                state: sum(trial.state == state for trial in self.trials) for state in STATES
            },
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
        write_atomically(Path(path), lambda file: file.write(self.script.encode()))

    @matplotlib.rc_context(STYLE)
    def importance_figure(self, title: str | None = None) -> Figure:
        """Draw the share of each parameter in the variance of losses, the largest on top.

        Args:
            title: Title of the figure.

        Raises:
            DataError: There are none, since too few trials are complete.
        """
        importance = self.importance
        if not importance:
            _reject_few(0)
        names = sorted(importance, key=lambda name: importance[name])
        figure = new_figure(6.5, 0.36 * len(names) + 1.4)
        ax = figure.subplots()
        bars = ax.barh(
            range(len(names)), [importance[name] for name in names], height=0.6, color=MODELS[4]
        )
        ax.bar_label(bars, fmt=" {:.0%}", fontsize=9)
        ax.set_yticks(range(len(names)), [plain(spoken(name)) for name in names])
        ax.set_xlim(0.0, 1.12 * importance[names[-1]])
        ax.set_xlabel("share in the variance of the loss")
        return finish(figure, title or "Importance of the searched parameters")

    @matplotlib.rc_context(STYLE)
    def parallel_figure(self, title: str | None = None) -> Figure:
        """Draw a line through the parameters of each complete trial, coloured by its loss, the best one bold.

        Args:
            title: Title of the figure.

        Raises:
            DataError: Fewer than two are complete.
        """
        trials = self.complete
        _reject_few(len(trials))
        losses = np.array([trial.loss for trial in trials], dtype=float)
        names = [*dict.fromkeys(name for trial in trials for name in trial.parameters)]
        columns = [[trial.parameters.get(name) for trial in trials] for name in names]
        heights, ticks = zip(*map(_on_axis, [*columns, losses.tolist()]), strict=True)
        lines = np.stack(heights, axis=1)
        figure = new_figure(max(6.0, 1.35 * len(ticks) + 1.0), 4.2)
        ax = figure.subplots()
        scale = Normalize(float(losses.min()), float(losses.max()))
        colours = matplotlib.colormaps[COLOURS](scale(losses))
        for line, colour in zip(lines[:0:-1], colours[:0:-1], strict=True):
            ax.plot(line, color=colour, linewidth=1.0, alpha=0.8)
        best: Any = {
            "label": f"best, loss {losses[0]:.3g}",
            "marker": "o",
            "markersize": 4,
            "zorder": 3,
        }
        ax.plot(lines[0], color=MODELS[0], linewidth=2.4, **best)
        for column, marks in enumerate(ticks):
            ax.axvline(column, color=GUIDE, linewidth=0.8, zorder=1)
            for height, text in marks:
                box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8}
                ax.text(
                    column + 0.04,
                    height,
                    plain(short(text, 14)),
                    fontsize=8,
                    va="center",
                    bbox=box,
                    zorder=4,
                )
        ax.set_xticks(range(len(ticks)), [plain(spoken(name)) for name in [*names, "loss"]])
        ax.set_yticks([])
        ax.set_xlim(-0.1, len(ticks) - 0.4)
        ax.grid(visible=False)
        ax.spines["left"].set_visible(False)
        figure.colorbar(ScalarMappable(scale, COLOURS), ax=ax, label="loss", pad=0.01)
        return finish(figure, title or f"{len(trials)} complete trials, a line each")


STATES = ("complete", "pruned", "failed")
# A number that spans more than this factor is drawn by its order of magnitude.
WIDE_SPAN = 8.0


def _reject_few(trials: int) -> None:
    if trials < 2:
        expected = "at least two complete trials"
        hint = "Let more trials run."
        raise DataError(option="trials", expected=expected, received=str(trials), hint=hint)


def _on_axis(values: Sequence[Any]) -> tuple[Any, list[tuple[float, str]]]:
    """Return the heights of values on an axis from 0 to 1, numbers by their size and others in steps; and its ticks."""
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        labels = sorted({str(value) for value in values}, key=_by_number)
        steps = {label: place / max(1, len(labels) - 1) for place, label in enumerate(labels)}
        return np.array([steps[str(value)] for value in values]), [
            (steps[label], label) for label in labels
        ]
    numbers = np.array(values, dtype=float)
    low = numbers.min()
    high = numbers.max()
    if high == low:
        return np.full(len(numbers), 0.5), [(0.5, f"{low:.3g}")]
    wide = low > 0 and high / low > WIDE_SPAN
    change = np.log if wide else np.asarray
    middle = np.sqrt(low * high) if wide else (low + high) / 2
    heights = (change(numbers) - change(low)) / (change(high) - change(low))
    return heights, [(0.0, f"{low:.3g}"), (0.5, f"{middle:.3g}"), (1.0, f"{high:.3g}")]


def _by_number(text: str) -> tuple[float, str]:
    """Return a key that sorts labels by a number at their beginning."""
    digits = text.split("-")[0]
    return (float(digits), text) if digits.replace(".", "", 1).isdigit() else (float("inf"), text)
