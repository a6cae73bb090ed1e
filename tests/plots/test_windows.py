"""Panels of windows show what was given."""

import numpy as np
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.plots import forecast_panels

PAST, TRUTH, FORECAST = (np.random.default_rng(i).normal(size=(3, n)) for i, n in enumerate((15, 18, 20)))


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_panels_show_what_was_given():
    figure = forecast_panels(
        PAST, TRUTH, FORECAST, trained_horizon=15, titles=["one", "two", "$x_3"], ylabel="price [$]", suptitle="s"
    )
    assert len(figure.axes) == 3
    for i, ax in enumerate(figure.axes):
        drawn = lines(ax)
        for name, values, first in (("past", PAST, -14), ("truth", TRUTH, 1), ("forecast", FORECAST, 1)):
            np.testing.assert_array_equal(drawn[name].get_ydata(), values[i])
            np.testing.assert_array_equal(drawn[name].get_xdata(), first + np.arange(values.shape[1]))
        assert list(drawn["now"].get_xdata()) == [0, 0]
        assert list(drawn["trained horizon"].get_xdata()) == [15, 15]
    assert [ax.get_title() for ax in figure.axes] == ["one", "two", r"\$x_3"]
    assert legend(figure) == ["past", "truth", "forecast", "now", "trained horizon"]
    assert figure.get_suptitle() == "s"
    figure.canvas.draw()


def test_panels_without_truth_and_of_one_target():
    figure = forecast_panels(PAST[:1, :, None], None, FORECAST[:1, :, None])
    assert legend(figure) == ["past", "forecast", "now"]
    assert len(figure.axes) == 1


def test_panels_stand_in_rows():
    figure = forecast_panels(PAST, TRUTH, FORECAST, columns=2)
    places = [ax.get_position() for ax in figure.axes]
    assert len(places) == 3
    assert places[0].y0 == places[1].y0 > places[2].y0


@pytest.mark.parametrize(
    ("past", "forecast"),
    [
        (np.zeros((1, 3)), np.zeros((1, 1))),
        (np.full((10, 15), 1e300), np.full((10, 20), -1e300)),
        (np.full((2, 15), np.nan), np.ones((2, 20))),
        (np.ones((2, 500)), np.ones((2, 100))),
    ],
    ids=["constant", "huge", "gaps", "long"],
)
def test_panels_of_extreme_values_can_be_drawn(past, forecast):
    forecast_panels(past, None, forecast, titles=["a_very_long/name" * 5] * len(past)).canvas.draw()


WRONG = {
    "rows": (lambda: forecast_panels(PAST, TRUTH[:2], FORECAST), DataError, "truth: expected as many windows as past"),
    "axes": (lambda: forecast_panels(PAST[0], None, FORECAST), DataError, "past: expected 2 axes or 3 axes"),
    "targets": (lambda: forecast_panels(PAST, None, np.ones((3, 5, 2))), DataError, "forecast: .*one target"),
    "titles": (lambda: forecast_panels(PAST, None, FORECAST, titles=["a"]), SpecError, "titles: expected one a panel"),
    "columns": (lambda: forecast_panels(PAST, None, FORECAST, columns=0), SpecError, "columns"),
    "horizon": (lambda: forecast_panels(PAST, None, FORECAST, trained_horizon=0), SpecError, "trained_horizon"),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_inputs(call, error, message):
    with pytest.raises(error, match=message):
        call()
