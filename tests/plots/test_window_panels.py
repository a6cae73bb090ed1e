"""Panels of windows show what was given."""

import numpy as np
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.plots import forecast_panels, similar_windows
from tests.rejections import rejections

PAST, TRUTH, FORECAST = (
    np.random.default_rng(i).normal(size=(3, n)) for i, n in enumerate((15, 18, 20))
)


def test_panels_of_windows(lines, legend):
    options = {
        "trained_horizon": 15,
        "titles": ["one", "two", "$x_3"],
        "ylabel": "price [$]",
        "suptitle": "s",
    }
    figure = forecast_panels(PAST, TRUTH, FORECAST, **options)
    for i, ax in enumerate(figure.axes):
        drawn = lines(ax)
        for name, values, first in (
            ("past", PAST, -14),
            ("truth", TRUTH, 1),
            ("forecast", FORECAST, 1),
        ):
            np.testing.assert_array_equal(drawn[name].get_ydata(), values[i])
            np.testing.assert_array_equal(
                drawn[name].get_xdata(), first + np.arange(values.shape[1])
            )
        assert (list(drawn["now"].get_xdata()), list(drawn["trained horizon"].get_xdata())) == (
            [0, 0],
            [15, 15],
        )
    assert [ax.get_title() for ax in figure.axes] == ["one", "two", r"\$x_3"]
    assert legend(figure) == ["past", "truth", "forecast", "now", "trained horizon"]
    assert figure.get_suptitle() == "s"
    figure.canvas.draw()
    assert legend(forecast_panels(PAST[:1, :, None], None, FORECAST[:1, :, None])) == [
        "past",
        "forecast",
        "now",
    ]
    places = [ax.get_position() for ax in forecast_panels(PAST, TRUTH, FORECAST, columns=2).axes]
    assert len(places) == 3
    assert places[0].y0 == places[1].y0 > places[2].y0


WINDOWS = [
    (np.zeros((1, 3)), np.zeros((1, 1))),
    (np.full((10, 15), 1e300), np.full((10, 20), -1e300)),
    (np.full((2, 15), np.nan), np.ones((2, 20))),
    (np.ones((2, 500)), np.ones((2, 100))),
]


@pytest.mark.parametrize(("past", "forecast"), WINDOWS, ids=["constant", "huge", "gaps", "long"])
def test_windows_of_extreme_values_can_be_drawn(past, forecast):
    forecast_panels(past, None, forecast, titles=["a_very_long/name" * 5] * len(past)).canvas.draw()


def test_similar_windows_lie_over_each_other():
    windows = np.arange(20.0).reshape(5, 4)
    figure = similar_windows(windows, {0: [3, 1], 4: [2]}, names=["a", "b", "c", "d", "e$"])
    drawn = [
        {line.get_label(): line.get_ydata().tolist() for line in ax.lines} for ax in figure.axes
    ]
    assert drawn[0] == dict(
        zip(("the window", "nearest 1", "nearest 2"), windows[[0, 3, 1]].tolist(), strict=True)
    )
    assert drawn[1] == dict(zip(("the window", "nearest 1"), windows[[4, 2]].tolist(), strict=True))
    assert figure.axes[1].get_title(loc="left") == r"e\$; nearest: c"
    assert figure.axes[0].lines[0].get_xdata().tolist() == [-3, -2, -1, 0]


WRONG = {
    "rows": (
        lambda: forecast_panels(PAST, TRUTH[:2], FORECAST),
        DataError,
        "truth: expected 3 windows, as in past",
    ),
    "axes": (
        lambda: forecast_panels(PAST[0], None, FORECAST),
        DataError,
        "past: expected 2 axes or 3 axes",
    ),
    "targets": (
        lambda: forecast_panels(PAST, None, np.ones((3, 5, 2))),
        DataError,
        "forecast: .*one target",
    ),
    "titles": (
        lambda: forecast_panels(PAST, None, FORECAST, titles=["a"]),
        SpecError,
        "titles: expected 3, one a panel",
    ),
    "columns": (lambda: forecast_panels(PAST, None, FORECAST, columns=0), SpecError, "columns"),
    "horizon": (
        lambda: forecast_panels(PAST, None, FORECAST, trained_horizon=0),
        SpecError,
        "trained_horizon",
    ),
    "nothing similar": (
        lambda: similar_windows(np.zeros((3, 4)), {}),
        DataError,
        "similar: expected numbers",
    ),
    "not similar": (
        lambda: similar_windows(np.zeros((3, 4)), {0: [3]}),
        DataError,
        "similar: expected numbers",
    ),
}
test_wrong_inputs = rejections(WRONG)
