"""Curves of training and of errors show what was given."""

import numpy as np
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.plots import error_by_step, learning_curve

HISTORY = {"loss": [1.0, 0.5, 0.4], "val_loss": [1.2, 0.7, 0.9]}


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_learning_curve():
    figure = learning_curve({**HISTORY, "mae": [1, 2, 3]}, best_epoch=2)
    (ax,) = figure.axes
    drawn = lines(ax)
    np.testing.assert_array_equal(drawn["training"].get_ydata(), HISTORY["loss"])
    np.testing.assert_array_equal(drawn["validation"].get_ydata(), HISTORY["val_loss"])
    np.testing.assert_array_equal(drawn["validation"].get_xdata(), [1, 2, 3])
    assert list(drawn["best epoch: 2"].get_xdata()) == [2, 2]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "mean squared error")
    assert ax.get_yscale() == "linear"


@pytest.mark.parametrize(
    ("loss", "scale"), [([1, 0.05], "log"), ([1, 0.2], "linear"), ([1, -20], "linear"), ([np.nan, 1], "linear")]
)
def test_learning_curve_scale(loss, scale):
    figure = learning_curve({"loss": loss})
    figure.canvas.draw()
    assert figure.axes[0].get_yscale() == scale


def test_error_by_step():
    errors = {"seqcast": [0.1, 0.2], "_mine": np.array([0.3, 0.4, 0.5])}
    figure = error_by_step(errors, trained_horizon=2, ylabel="error [°C]")
    (ax,) = figure.axes
    np.testing.assert_array_equal(lines(ax)["seqcast"].get_ydata(), [0.1, 0.2])
    np.testing.assert_array_equal(lines(ax)[" _mine"].get_xdata(), [1, 2, 3])
    assert legend(figure) == ["seqcast", " _mine", "trained horizon"]
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylabel() == "error [°C]"


WRONG = {
    "no loss": (lambda: learning_curve({"mae": [1.0]}), DataError, "history: expected 'loss'"),
    "best": (lambda: learning_curve(HISTORY, best_epoch=4), SpecError, "best_epoch: expected at most 3"),
    "no errors": (lambda: error_by_step({}), DataError, "errors: expected at least one model"),
    "error axes": (lambda: error_by_step({"a": np.zeros((3, 15))}), DataError, "errors\\['a'\\]: expected 1 axes"),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_inputs(call, error, message):
    with pytest.raises(error, match=message):
        call()
