"""Plots of curves: the loss by epoch, the error by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seqcast.data.arrays import as_array
from seqcast.errors import DataError, SpecError
from seqcast.plots import style
from seqcast.specs import check_int


@matplotlib.rc_context(style.STYLE)
def learning_curve(
    history: Mapping[str, Sequence[float]],
    *,
    best_epoch: int | None = None,
    ylabel: str = "mean squared error",
    title: str | None = "Loss by epoch",
) -> Figure:
    """Draw the loss over the epochs, on a logarithmic axis when it spans more than a decade.

    Args:
        history: `loss` and, if there was validation, `val_loss`: one number an epoch. Others are not drawn.
        best_epoch: The epoch, from 1, whose weights were kept; marked.
        ylabel: What the loss is.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        DataError: There is no loss.
        SpecError: `best_epoch` is not one of the epochs.

    Example:
        >>> figure = learning_curve({"loss": [1.0, 0.5], "val_loss": [1.5, 2.0]}, best_epoch=1)
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['training', 'validation', 'best epoch: 1']
    """
    curves = {name: as_array(name, history[name], (1,)) for name in ("loss", "val_loss") if name in history}
    if not len(curves.get("loss", ())):
        raise DataError(
            "history", expected="'loss', one number an epoch", received=f"{list(history)}", hint="Train first."
        )
    if best_epoch is not None and check_int("best_epoch", best_epoch) > len(curves["loss"]):
        raise SpecError(
            "best_epoch", expected=f"at most {len(curves['loss'])}", received=str(best_epoch), hint="Count from 1."
        )
    figure = style.new_figure(6.4, 4.0)
    ax = figure.subplots()
    styles = {
        "loss": ("training", (style.PAST, "o", "-")),
        "val_loss": ("validation", (style.MODELS[0], style.MARKERS[0], "--")),
    }
    for name, values in curves.items():
        style.line(ax, np.arange(1, len(values) + 1), values, *styles[name])
    if best_epoch is not None:
        style.guide(ax, best_epoch, f"best epoch: {best_epoch}")
    every = np.concatenate(list(curves.values()))
    every = every[np.isfinite(every)]
    if len(every) and every.min() > 0 and every.max() > 10 * every.min():
        ax.set_yscale("log")
    _label(ax, "epoch", ylabel)
    style.finish(figure, title)
    return figure


@matplotlib.rc_context(style.STYLE)
def error_by_step(
    errors: Mapping[str, Any],
    *,
    trained_horizon: int | None = None,
    ylabel: str = "mean absolute error",
    title: str | None = "Error by step of the forecast",
) -> Figure:
    """Draw how the error grows with the step of the forecast.

    Args:
        errors: For each model its error at each step from 1, `[H]`.
        trained_horizon: Steps that the networks were trained to forecast; marked.
        ylabel: What the error is, with its unit.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        DataError: There is no model, or an error is no sequence of numbers.

    Example:
        >>> figure = error_by_step({"seqcast": [0.1, 0.2, 0.4], "last value": [0.3, 0.5, 0.6]})
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['seqcast', 'last value']
    """
    if not errors:
        raise DataError("errors", expected="at least one model", received="none", hint="Give a dict of arrays.")
    figure = style.new_figure(6.4, 4.0)
    ax = figure.subplots()
    for number, (name, values) in enumerate(errors.items()):
        array = as_array(f"errors[{name!r}]", values, (1,))
        style.line(ax, np.arange(1, len(array) + 1), array, name, style.model_style(number))
    if trained_horizon is not None:
        style.guide(ax, check_int("trained_horizon", trained_horizon), "trained horizon")
    if all(np.nanmin(drawn.get_ydata()) >= 0 for drawn in ax.lines):
        ax.set_ylim(bottom=0)
    _label(ax, "step of the forecast", ylabel)
    style.finish(figure, title)
    return figure


def _label(ax: Axes, xlabel: str, ylabel: str) -> None:
    ax.set_xlabel(style.axis_label(xlabel))
    ax.set_ylabel(style.axis_label(ylabel))
    ax.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
