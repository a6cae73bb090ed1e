"""Options of charts: what is drawn is what was given, and peaks survive thinning."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seqcast.app.charts import fan_chart, line_chart, map_chart, thinned
from seqcast.data import is_outlier

STAMPS = np.datetime64("2024-01-01") + np.arange(12)


@given(hnp.arrays(float, st.integers(1, 300), elements=st.floats(-1e6, 1e6)), st.integers(4, 40))
def test_thinning_keeps_the_extremes_in_order(values, most):
    places = thinned(values, most)
    assert len(places) <= max(most, 1)
    assert (np.diff(places) > 0).all()
    assert values[places].max() == values.max()
    assert values[places].min() == values.min()


@given(hnp.arrays(float, 50, elements=st.one_of(st.just(math.nan), st.floats(-9, 9), st.just(1e6))))
def test_missing_values_are_gaps_outliers_are_marked_and_all_is_json(values):
    stamps = np.datetime64("2024-01-01") + np.arange(50)
    chart = fan_chart("a", (stamps, values), None, {}, unit="kg")
    line, *marked = chart["series"]
    assert [pair[1] is None for pair in line["data"]] == np.isnan(values).tolist()
    assert not line.get("connectNulls")
    assert sum(len(each["data"]) for each in marked) == is_outlier(values).sum()
    json.dumps(chart, allow_nan=False)


def test_a_value_far_from_the_rest_has_a_mark():
    values = np.arange(12.0)
    values[4] = 500.0
    marks = fan_chart("a", (STAMPS, values), None, {}, unit="kg")["series"][1]
    assert (marks["symbol"], marks["data"]) == ("diamond", [["2024-01-05T00:00:00", 500.0]])


def test_a_fan_joins_its_past_and_stacks_its_bounds():
    past = (STAMPS[:8], np.arange(8.0))
    ahead = (STAMPS[8:], np.arange(8.0, 12.0))
    low = ahead[1] - 2
    high = ahead[1] + 3
    chart = fan_chart("a", past, ahead, {"80 % interval": (low, high)}, unit="kg")
    lines = {each["name"]: each for each in chart["series"]}
    assert lines["forecast"]["data"][0] == ["2024-01-08T00:00:00", 7.0]
    assert len(lines["forecast"]["data"]) == 5
    heights = [pair[1] for pair in lines["80 % interval"]["data"]]
    floors = [pair[1] for pair in lines["80 % interval from"]["data"]]
    assert np.add(floors, heights).tolist() == high.tolist()
    assert "80 % interval from" not in chart["legend"]["data"]
    # One that is drawn over what came is not joined.
    chart = fan_chart("a", (STAMPS, np.arange(12.0)), (STAMPS[8:], np.arange(4.0)), {}, unit="kg")
    assert len(chart["series"][-1]["data"]) == 4


def drawn(chart, label):
    """Return the upper edge of an interval as ECharts draws it, which by itself adds values of one sign only."""
    (floor,), (height,) = (
        [each for each in chart["series"] if each["name"] == name]
        for name in (f"{label} from", label)
    )
    pairs = [(low, high) for (_, low), (_, high) in zip(floor["data"], height["data"], strict=True)]
    adds = height.get("stackStrategy", "samesign") == "all"
    return [low + high if adds or low * high >= 0 else high for low, high in pairs]


@given(hnp.arrays(float, (2, 4), elements=st.floats(-1e6, 1e6)))
def test_intervals_of_negative_values_are_drawn_where_they_are(bounds):
    low, high = np.sort(bounds, axis=0)
    past = (STAMPS[:8], np.arange(8.0))
    ahead = (STAMPS[8:], low)
    chart = fan_chart("a", past, ahead, {"80 % interval": (low, high)}, unit="kg")
    assert drawn(chart, "80 % interval") == pytest.approx(high, abs=1e-6)


@pytest.mark.parametrize(("rows", "first"), [(70, None), (500, 500 - 80)])
def test_of_a_long_past_the_end_is_shown_and_the_slider_shows_all_of_it(rows, first):
    past = (np.arange(rows), np.arange(rows) % 7.0)
    ahead = (rows + np.arange(10), np.arange(10.0))
    chart = fan_chart("a", past, ahead, {"80 % interval": (ahead[1], ahead[1])}, unit="kg")
    assert {zoom.get("startValue") for zoom in chart["dataZoom"]} == {first}
    assert len(chart["series"][0]["data"]) == rows  # the slider draws the first line


def test_counted_steps_have_a_counted_axis():
    chart = fan_chart("a", (np.arange(5), np.arange(5.0)), None, {}, unit="kg")
    assert chart["xAxis"]["type"] == "value"
    assert chart["series"][0]["data"][-1] == [4, 4.0]


CHARTS = [
    line_chart({"a": [1.0, math.nan]}, x=[1, 2], x_name="x", y_name="y"),
    map_chart([(0.0, 1.0, 0.5, "now")], low="early", high="late", lines=True),
]


@pytest.mark.parametrize("chart", CHARTS, ids=["line", "map"])
def test_axes_have_names_and_all_is_json(chart):
    json.dumps(chart, allow_nan=False)
    assert chart["xAxis"]["name"]
