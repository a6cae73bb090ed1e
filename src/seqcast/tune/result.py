"""What a search gives: a fitted forecaster, the trials, and the script that makes the forecaster."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from seqcast.errors import DataError
from seqcast.forecaster import Forecaster
from seqcast.plots import COLOURS, GUIDE, MODELS, STYLE, finish, new_figure, plain, short, spoken
from seqcast.runtime import write_beside
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
        """Draw the importance of each parameter; see `seqcast.tune.result.importance_bars`."""
        return importance_bars(self.importance, title=title)

    def parallel_figure(self, title: str | None = None) -> Figure:
        """Draw the complete trials; see `seqcast.tune.result.parallel_coordinates`."""
        return parallel_coordinates([(trial.parameters, trial.loss) for trial in self.complete], title=title)


STATES = ("complete", "pruned", "failed")


# A number that spans more than this factor is drawn by its order of magnitude.
WIDE_SPAN = 8.0


def _refuse_few(trials: int) -> None:
    if trials < 2:
        raise DataError(
            option="trials", expected="at least two complete trials", received=str(trials), hint="Let more trials run."
        )


@matplotlib.rc_context(STYLE)
def importance_bars(importance: Mapping[str, float], *, title: str | None = None) -> Figure:
    """Draw the share of each parameter in the variance of losses, the largest on top.

    Args:
        importance: The share of each, by name.
        title: Title of the figure.

    Raises:
        DataError: There are none, since too few trials are complete.

    Example:
        >>> figure = importance_bars({"learning_rate": 0.7, "units": 0.3})
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['units', 'learning rate']
    """
    if not importance:
        _refuse_few(0)
    ranked = sorted(importance.items(), key=lambda item: item[1])
    figure = new_figure(6.5, 0.36 * len(ranked) + 1.4)
    ax = figure.subplots()
    places, values = np.arange(len(ranked)), [value for _, value in ranked]
    ax.barh(places, values, height=0.6, color=MODELS[4])
    for place, value in zip(places, values, strict=True):
        ax.text(value, float(place), f" {value:.0%}", va="center", fontsize=9)
    ax.set_yticks(places, [plain(spoken(name)) for name, _ in ranked])
    ax.set_xlim(0.0, 1.12 * max(values))
    ax.set_xlabel("share in the variance of the loss")
    finish(figure, title or "Importance of what was searched")
    return figure


@matplotlib.rc_context(STYLE)
def parallel_coordinates(trials: Sequence[tuple[Mapping[str, Any], Any]], *, title: str | None = None) -> Figure:
    """Draw a line a trial over what it took, coloured by its loss, the best one bold.

    Args:
        trials: Parameters and loss of each, the best first.
        title: Title of the figure.

    Raises:
        DataError: There are fewer than two.

    Example:
        >>> figure = parallel_coordinates([({"dropout": 0.1}, 0.5), ({"dropout": 0.3}, 0.7)])
        >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
        ['dropout', 'loss']
    """
    _refuse_few(len(trials))
    losses = np.array([float(loss) for _, loss in trials])
    names = [*dict.fromkeys(name for parameters, _ in trials for name in parameters)]
    axes = [_Axis.of([parameters.get(name) for parameters, _ in trials]) for name in names]
    axes.append(_Axis.of(losses.tolist()))
    heights = np.stack([axis.heights for axis in axes], axis=1)
    figure = new_figure(max(6.0, 1.35 * len(axes) + 1.0), 4.2)
    ax = figure.subplots()
    scale = Normalize(float(losses.min()), float(losses.max()))
    colours = matplotlib.colormaps[COLOURS](scale(losses))
    for place in reversed(range(len(trials))):
        best = place == 0
        ax.plot(
            heights[place],
            color=MODELS[0] if best else colours[place],
            linewidth=2.4 if best else 1.0,
            alpha=1.0 if best else 0.8,
            marker="o" if best else None,
            markersize=4,
            label=f"best, loss {losses[0]:.3g}" if best else None,
            zorder=3 if best else 2,
        )
    for column, axis in enumerate(axes):
        ax.axvline(column, color=GUIDE, linewidth=0.8, zorder=1)
        for height, text in axis.ticks:
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8}
            ax.text(column + 0.04, height, plain(short(text, 14)), fontsize=8, va="center", bbox=box, zorder=4)
    ax.set_xticks(range(len(axes)), [plain(spoken(name)) for name in [*names, "loss"]])
    ax.set_yticks([])
    ax.set_xlim(-0.1, len(axes) - 0.4)
    ax.grid(visible=False)
    ax.spines["left"].set_visible(False)
    figure.colorbar(ScalarMappable(scale, COLOURS), ax=ax, label="loss", pad=0.01)
    finish(figure, title or f"{len(trials)} complete trials, a line each")
    return figure


class _Axis:
    """One axis: where each trial is on it, between 0 and 1, and what stands beside it."""

    def __init__(self, heights: Any, ticks: list[tuple[float, str]]) -> None:
        self.heights, self.ticks = heights, ticks

    @classmethod
    def of(cls, values: Sequence[Any]) -> _Axis:
        """Return the axis of some values: numbers by their size, all else in steps."""
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        if not numbers:
            labels = sorted({str(value) for value in values}, key=_by_number)
            steps = {label: place / max(1, len(labels) - 1) for place, label in enumerate(labels)}
            return cls(np.array([steps[str(value)] for value in values]), [(steps[label], label) for label in labels])
        found = np.array(values, dtype=float)
        low, high = found.min(), found.max()
        if high == low:
            return cls(np.full(len(found), 0.5), [(0.5, f"{low:.3g}")])
        wide = low > 0 and high / low > WIDE_SPAN
        change = np.log if wide else np.asarray
        heights = (change(found) - change(low)) / (change(high) - change(low))
        middle = np.sqrt(low * high) if wide else (low + high) / 2
        return cls(heights, [(0.0, f"{low:.3g}"), (0.5, f"{middle:.3g}"), (1.0, f"{high:.3g}")])


def _by_number(text: str) -> tuple[float, str]:
    """Return a key that sorts labels that begin with a number by it."""
    digits = text.split("-")[0]
    return (float(digits), text) if digits.replace(".", "", 1).isdigit() else (float("inf"), text)
