"""Charts of the page as options of ECharts: plain values, which are tested without a browser.

Colours are those of `seqcast.plots`, by Okabe and Ito; lines, dashes and symbols differ too. Lines
of more than a few thousand points are thinned where they are drawn (largest triangle three
buckets), which keeps their peaks.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqcast.data import is_outlier
from seqcast.plots import GUIDE, MODELS, TRUTH
from seqcast.runtime import Array, json_number

RED, GREEN, PURPLE, ORANGE, *_ = MODELS
COLOURS = (TRUTH, ORANGE, GREEN, PURPLE, RED, GUIDE)
SYMBOLS = ("circle", "rect", "triangle", "diamond")
DASHES = ("solid", "dashed", "dotted")
# Past that is shown before a forecast: a number of horizons, and a least number of steps.
HORIZONS_BEFORE = 8
LEAST_BEFORE = 60
# Most points of a series that are sent to the browser: a screen has fewer columns.
MOST_POINTS = 20_000

Options = dict[str, Any]


def fan_chart(
    name: str,
    past: tuple[Array, Array],
    ahead: tuple[Array, Array] | None,
    bounds: Mapping[str, tuple[Array, Array]],
    *,
    before: tuple[Array, Array] | None = None,
    unit: str,
) -> Options:
    """Return a chart of a series with its outliers, its forecast and the intervals around it.

    Args:
        name: Name of the series.
        past: Its stamps and values.
        ahead: Stamps and values of the forecast; `None` before there is one.
        bounds: The lower and the upper bound of each interval by its name, the widest first.
        before: Another forecast, to compare with.
        unit: Name of the vertical axis.
    """
    chart = _time_chart(unit, past[0])
    # First, since the slider below the chart shows the first line.
    chart["series"].append(_line(name, _pairs(*past), GUIDE, sampling="lttb"))
    if len(places := np.flatnonzero(is_outlier(past[1]))):
        points = _line("far from the rest", _pairs(past[0][places], past[1][places]), RED)
        chart["series"].append({**points, "type": "scatter", "symbol": "diamond", "symbolSize": 10})
    if ahead is None:
        return chart
    for place, (label, (low, high)) in enumerate(bounds.items()):
        # An interval is an area on top of an invisible line, also where that is below zero: by
        # itself, ECharts stacks only values of one sign.
        area = {"color": TRUTH, "opacity": 0.18 + 0.12 * place}
        legend = {"color": TRUTH, "opacity": 0.25 + 0.25 * place}
        hidden: Options = {"width": 0, "stack": label, "stackStrategy": "all", "silent": True}
        hidden["tooltip"] = {"show": False}
        shade: Options = {**hidden, "areaStyle": area, "itemStyle": legend}
        chart["series"].append(_line(f"{label} from", _pairs(ahead[0], low), TRUTH, **hidden))
        chart["series"].append(_line(label, _pairs(ahead[0], high - low), TRUTH, **shade))
    if before is not None:
        chart["series"].append(
            _line("forecast before the change", _pairs(*before), ORANGE, dash="dashed")
        )
    # The forecast is joined to the past, unless the actual values are drawn as well.
    joins = len(past[0]) > 0 and past[0][-1] < ahead[0][0] and not math.isnan(past[1][-1])
    joined = _pairs(*(each[-1:] for each in past)) if joins else []
    chart["series"].append(_line("forecast", joined + _pairs(*ahead), TRUTH, width=3))
    hidden_names = {f"{label} from" for label in bounds}
    chart["legend"]["data"] = [
        each["name"] for each in chart["series"] if each["name"] not in hidden_names
    ]
    # Of a long past the end is shown, and the rest by the slider.
    shown = max(LEAST_BEFORE, HORIZONS_BEFORE * len(ahead[0]))
    if len(past[0]) > shown:
        chart["dataZoom"] = [
            {**each, "startValue": _stamp(past[0][-shown])} for each in chart["dataZoom"]
        ]
    return chart


def line_chart(
    lines: Mapping[str, Sequence[float]], *, x: Sequence[object], x_name: str, y_name: str
) -> Options:
    """Return lines over steps, which the wheel enlarges.

    Args:
        lines: The values of each, by name.
        x: Labels of the steps.
        x_name: Name of the horizontal axis.
        y_name: Name of the vertical axis.
    """
    axis = {**_axis("category", x_name), "data": [str(each) for each in x], "boundaryGap": False}
    chart = _chart(axis, y_name)
    chart["dataZoom"] = [{"type": "inside"}]
    for place, (name, values) in enumerate(lines.items()):
        symbol: Options = {"symbol": SYMBOLS[place % 4], "symbolSize": 5 if len(values) < 60 else 0}
        numbers = [_number(value) for value in values]
        chart["series"].append(
            _line(name, numbers, COLOURS[place % len(COLOURS)], dash=DASHES[place % 3], **symbol)
        )
    return chart


def map_chart(
    points: Sequence[tuple[float, float, float, str]], *, low: str, high: str, lines: bool = False
) -> Options:
    """Return points in two directions, coloured from early to late.

    Args:
        points: Horizontal and vertical place of each, its colour between 0 and 1, and its name.
        low: Label of colour 0.
        high: Label of colour 1.
        lines: Whether each point is joined to the next.
    """
    chart = _chart({**_axis("value", "first direction"), "scale": True}, "second direction")
    chart["legend"] = {"show": False}
    chart["grid"]["right"] = 90
    chart["tooltip"] = {"trigger": "item", "formatter": "{b}"}
    # From dark to light, so that they differ without colours too.
    shades = {"color": ["#0b2545", "#0072B2", "#56B4E9", "#E69F00"]}
    scale = {
        "min": 0,
        "max": 1,
        "dimension": 2,
        "text": [high, low],
        "calculable": False,
        "inRange": shades,
    }
    chart["visualMap"] = {**scale, "right": 0, "top": "middle"}
    if lines:
        path = [[_number(x), _number(y)] for x, y, _, _ in points]
        chart["series"].append(_line("", path, GUIDE, width=1, silent=True))
    data = [
        {"name": name, "value": [_number(x), _number(y), _number(shade)]}
        for x, y, shade, name in points
    ]
    chart["series"].append({"type": "scatter", "symbolSize": 9, "data": data})
    return chart


def _chart(x_axis: Options, y_name: str) -> Options:
    return {
        "animation": False,
        "color": list(COLOURS),
        "grid": {"left": 16, "right": 24, "top": 64, "bottom": 48, "containLabel": True},
        "legend": {"type": "scroll", "top": 4, "textStyle": {"width": 260, "overflow": "truncate"}},
        "tooltip": {"trigger": "axis"},
        "xAxis": x_axis,
        # On one line, or it would cover the legend.
        "yAxis": {
            "type": "value",
            "name": " ".join(y_name.split()),
            "scale": True,
            "nameTextStyle": {"align": "left"},
        },
        "series": [],
    }


def _time_chart(unit: str, stamps: Array) -> Options:
    counted = len(stamps) > 0 and isinstance(stamps[0], int | np.integer)
    chart = _chart({"type": "value", "scale": True} if counted else {"type": "time"}, unit)
    chart["tooltip"]["order"] = "valueDesc"
    chart["dataZoom"] = [{"type": "inside"}, {"type": "slider", "height": 22, "bottom": 8}]
    chart["grid"]["bottom"] = 64
    return chart


def _axis(kind: str, name: str) -> Options:
    return {"type": kind, "name": name, "nameLocation": "middle", "nameGap": 28}


def _line(
    name: str,
    data: Sequence[object],
    colour: str,
    *,
    width: int = 2,
    dash: str = "solid",
    **more: object,
) -> Options:
    style = {
        "lineStyle": {"color": colour, "width": width, "type": dash},
        "itemStyle": {"color": colour},
    }
    return {"name": name, "type": "line", "symbol": "none", **style, "data": data, **more}


def _pairs(stamps: Array, values: Array) -> list[list[object]]:
    """Return stamps with their values, thinned if there are very many."""
    return [[_stamp(stamps[k]), _number(values[k])] for k in thinned(values, MOST_POINTS)]


def thinned(values: Array, most: int) -> Array:
    """Return places of values that keep the peaks: the smallest and largest of each stretch.

    Args:
        values: The values, `[T]`; NaN is missing.
        most: Most places.

    Example:
        >>> thinned(np.array([1.0, 9.0, 2.0, 3.0, -4.0, 2.0]), 4).tolist()
        [0, 1, 3, 4]
    """
    if len(values) <= most:
        return np.arange(len(values))
    low, high = (np.where(np.isnan(values), bound, values) for bound in (np.inf, -np.inf))
    stretches = np.array_split(np.arange(len(values)), most // 2)
    return np.unique([[each[low[each].argmin()], each[high[each].argmax()]] for each in stretches])


def _stamp(stamp: np.datetime64 | np.integer | int) -> str | int:
    """Return a stamp as ECharts reads it: text of a time, or a whole number as it is."""
    if isinstance(stamp, int | np.integer):
        return int(stamp)
    return str(np.datetime_as_string(np.datetime64(stamp), unit="s"))


def _number(value: float) -> float | None:
    return json_number(float(value))
