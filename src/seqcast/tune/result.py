"""The result of a search: a fitted forecaster, its script, and the trials with their figures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from seqcast.errors import DataError
from seqcast.forecaster import Forecaster
from seqcast.plots import COLOURS, GUIDE, MODELS, STYLE, finish, new_figure, plain, short, spoken
from seqcast.runtime import Array, write_atomically
from seqcast.tune.space import Setting
from seqcast.tune.trials import SECONDS, is_untuned

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from pandas import DataFrame

STATES = ("complete", "pruned", "failed")
# A number that spans more than this factor is drawn by its order of magnitude.
WIDE_SPAN = 8.0
# The background of the label of a tick.
_TICK_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8}


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
    def of(cls, trial: FrozenTrial) -> Self:
        """Return a trial that has ended.

        Args:
            trial: Optuna's trial.
        """
        state = {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed")
        is_complete = state == "complete"
        return cls(
            number=trial.number,
            state=state,
            loss=trial.value if is_complete else None,
            parameters=dict(trial.params),
            seconds=trial.user_attrs[SECONDS] if is_complete else None,
            epochs=trial.last_step,
            untuned=is_untuned(trial),
            reason=trial.user_attrs.get("reason"),
        )


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

    def to_frame(self) -> DataFrame:
        """Return a pandas frame with a row for each trial.

        Its columns are the fields of a `Trial`, and the parameters by their names.
        """
        from pandas import DataFrame

        shown = ("number", "state", "loss", "seconds", "epochs", "untuned", "reason")
        rows = [
            {name: getattr(trial, name) for name in shown} | dict(trial.parameters)
            for trial in self.trials
        ]
        columns = dict.fromkeys([*shown, *_parameter_names(self.trials)])
        return DataFrame(rows, columns=list(columns))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON types, without the trials."""
        best = self.best
        states = [trial.state for trial in self.trials]
        return {
            "best": {"number": best.number, "loss": best.loss, **best.parameters},
            "untuned_loss": self.untuned_loss,
            "networks": len(self.settings),
            "choice": self.forecaster.choice_.to_dict(),
            "trials": {state: states.count(state) for state in STATES},
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
        if not self.importance:
            _reject_few(0)
        shares = sorted((share, name) for name, share in self.importance.items())
        widths = [share for share, _ in shares]
        heights = range(len(shares))

        figure = new_figure(6.5, 0.36 * len(shares) + 1.4)
        ax = figure.subplots()
        bars = ax.barh(heights, widths, height=0.6, color=MODELS[4])
        ax.bar_label(bars, fmt=" {:.0%}", fontsize=9)
        ax.set_yticks(heights, [plain(spoken(name)) for _, name in shares])
        ax.set_xlim(0.0, 1.12 * widths[-1])
        ax.set_xlabel("share in the variance of the loss")
        return finish(figure, title or "Importance of the searched parameters")

    @matplotlib.rc_context(STYLE)
    def parallel_figure(self, title: str | None = None) -> Figure:
        """Draw a line through the parameters of each complete trial, coloured by its loss.

        The best one is bold.

        Args:
            title: Title of the figure.

        Raises:
            DataError: Fewer than two are complete.
        """
        trials = self.complete
        _reject_few(len(trials))
        losses = np.array([trial.loss for trial in trials], dtype=float)
        names = _parameter_names(trials)
        columns = [[trial.parameters.get(name) for trial in trials] for name in names]
        axes = [_Axis.of(values) for values in [*columns, losses.tolist()]]
        lines = np.stack([axis.heights for axis in axes], axis=1)

        figure = new_figure(max(6.0, 1.35 * len(axes) + 1.0), 4.2)
        ax = figure.subplots()
        scale = Normalize(float(losses.min()), float(losses.max()))
        colours = matplotlib.colormaps[COLOURS](scale(losses))
        for line, colour in zip(lines[:0:-1], colours[:0:-1], strict=True):
            ax.plot(line, color=colour, linewidth=1.0, alpha=0.8)
        ax.plot(
            lines[0],
            color=MODELS[0],
            linewidth=2.4,
            label=f"best, loss {losses[0]:.3g}",
            marker="o",
            markersize=4,
            zorder=3,
        )
        for column, axis in enumerate(axes):
            ax.axvline(column, color=GUIDE, linewidth=0.8, zorder=1)
            for height, text in axis.ticks:
                ax.text(
                    column + 0.04,
                    height,
                    plain(short(text, 14)),
                    fontsize=8,
                    va="center",
                    bbox=_TICK_BOX,
                    zorder=4,
                )

        ax.set_xticks(range(len(axes)), [plain(spoken(name)) for name in [*names, "loss"]])
        ax.set_yticks([])
        ax.set_xlim(-0.1, len(axes) - 0.4)
        ax.grid(visible=False)
        ax.spines["left"].set_visible(False)
        figure.colorbar(ScalarMappable(scale, COLOURS), ax=ax, label="loss", pad=0.01)
        return finish(figure, title or f"{len(trials)} complete trials, a line each")


def _parameter_names(trials: Sequence[Trial]) -> list[str]:
    return list(dict.fromkeys(name for trial in trials for name in trial.parameters))


def _reject_few(trials: int) -> None:
    if trials < 2:
        raise DataError(
            option="trials",
            expected="at least two complete trials",
            received=str(trials),
            hint="Let more trials run.",
        )


@dataclass(frozen=True)
class _Axis:
    """A vertical axis from 0 to 1.

    Args:
        heights: The heights of values.
        ticks: Heights and texts of the labels.
    """

    heights: Array
    ticks: Sequence[tuple[float, str]]

    @classmethod
    def of(cls, values: Sequence[Any]) -> Self:
        """Return the axis of numbers by their size, and of other values in equal steps."""
        are_numbers = all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in values
        )
        return cls._of_numbers(values) if are_numbers else cls._of_labels(values)

    @classmethod
    def _of_labels(cls, values: Sequence[object]) -> Self:
        labels = sorted({str(value) for value in values}, key=_by_number)
        steps = {label: place / max(1, len(labels) - 1) for place, label in enumerate(labels)}
        ticks = [(height, label) for label, height in steps.items()]
        return cls(np.array([steps[str(value)] for value in values]), ticks)

    @classmethod
    def _of_numbers(cls, values: Sequence[float]) -> Self:
        numbers = np.array(values, dtype=float)
        low = numbers.min()
        high = numbers.max()
        if high == low:
            return cls(np.full(len(numbers), 0.5), [(0.5, f"{low:.3g}")])

        middle = (low + high) / 2
        if low > 0 and high / low > WIDE_SPAN:
            middle = np.sqrt(low * high)
            numbers = np.log(numbers)
        heights = (numbers - numbers.min()) / (numbers.max() - numbers.min())
        ticks = zip((0.0, 0.5, 1.0), (low, middle, high), strict=True)
        return cls(heights, [(height, f"{value:.3g}") for height, value in ticks])


def _by_number(text: str) -> tuple[float, str]:
    """Return a key that sorts labels by a number at their beginning."""
    digits = text.split("-")[0]
    number = float(digits) if digits.replace(".", "", 1).isdigit() else float("inf")
    return number, text
