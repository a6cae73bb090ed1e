"""Charts of the page, as options of ECharts: plain values, so that they can be tested without a browser.

Colours are those of `seqcast.plots`, by Okabe and Ito; lines, dashes and symbols differ too. Lines of more than a few
thousand points are thinned where they are drawn (largest triangle three buckets), which keeps their peaks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqcast.plots import GUIDE, MODELS, TRUTH

RED, GREEN, PURPLE, ORANGE, *_ = MODELS
COLOURS = (TRUTH, ORANGE, GREEN, PURPLE, RED, GUIDE)
# Points of a series that are sent to the browser at most: a screen has fewer columns.
MOST_POINTS = 20_000

Options = dict[str, Any]


def series_chart(
    lines: Mapping[str, tuple[Any, Any]], *, marks: Mapping[str, Any] | None = None, unit: str = ""
) -> Options:
    """Return a chart of series over time.

    Args:
        lines: Stamps and values of each series, by name.
        marks: Which values of a series are outliers, as a mask, by name.
        unit: Name of the vertical axis.
    """
    chart = _time_chart(unit, next(iter(lines.values()))[0] if lines else ())
    for place, (name, (stamps, values)) in enumerate(lines.items()):
        colour = COLOURS[place % len(COLOURS)]
        chart["series"].append(_line(name, stamps, values, colour, dash=place // len(COLOURS) > 0))
        chosen = None if marks is None else marks.get(name)
        if chosen is not None and np.any(chosen):
            points = [[_stamp(stamps[k]), _number(values[k])] for k in np.flatnonzero(chosen)]
            chart["series"].append(
                {
                    "name": f"{name}: far from the rest",
                    "type": "scatter",
                    "symbol": "diamond",
                    "symbolSize": 10,
                    "itemStyle": {"color": RED},
                    "data": points,
                }
            )
    return chart


def fan_chart(
    name: str,
    past: tuple[Any, Any],
    ahead: tuple[Any, Any],
    bounds: Mapping[str, tuple[Any, Any]],
    *,
    before: tuple[Any, Any] | None = None,
    unit: str = "",
) -> Options:
    """Return a chart of a series with its forecast and the intervals around it.

    Args:
        name: Name of the series.
        past: Its stamps and values.
        ahead: Stamps and values of the forecast.
        bounds: The lower and the upper bound of each interval, by what it is called, the widest first.
        before: Another forecast, to compare with.
        unit: Name of the vertical axis.
    """
    chart = _time_chart(unit, past[0])
    stamps, values = past
    # The forecast is joined to the past, unless what came is drawn as well.
    joins = len(stamps) > 0 and stamps[-1] < ahead[0][0] and not math.isnan(float(values[-1]))
    for place, (label, (low, high)) in enumerate(bounds.items()):
        base = {"type": "line", "stack": label, "symbol": "none", "lineStyle": {"opacity": 0}, "silent": True}
        chart["series"] += [
            {**base, "name": f"{label} from", "data": _pairs(ahead[0], low), "tooltip": {"show": False}},
            {
                **base,
                "name": label,
                "data": _pairs(ahead[0], np.asarray(high, float) - np.asarray(low, float)),
                "areaStyle": {"color": TRUTH, "opacity": 0.18 + 0.12 * place},
                "itemStyle": {"color": TRUTH, "opacity": 0.25 + 0.25 * place},
                "tooltip": {"show": False},
            },
        ]
    chart["series"].append(_line(name, stamps, values, GUIDE))
    joined = [np.concatenate([each[len(each) - joins :], part]) for each, part in zip(past, ahead, strict=True)]
    if before is not None:
        chart["series"].append(_line("forecast before the change", *before, ORANGE, dash=True))
    chart["series"].append(
        {**_line("forecast", joined[0], joined[1], TRUTH), "lineStyle": {"color": TRUTH, "width": 3}}
    )
    hidden = {f"{label} from" for label in bounds}
    chart["legend"]["data"] = [each["name"] for each in chart["series"] if each["name"] not in hidden]
    return chart


def loss_chart(losses: Sequence[float], validation: Sequence[float]) -> Options:
    """Return the curves of a training.

    Args:
        losses: The loss of each epoch.
        validation: The validation loss of each epoch.
    """
    return line_chart(
        {"on rows that it learns from": losses, "on rows held back": validation},
        x=range(1, max(len(losses), len(validation)) + 1),
        x_name="epoch",
        y_name="loss",
    )


def line_chart(
    lines: Mapping[str, Sequence[float]], *, x: Sequence[Any], x_name: str, y_name: str, zoom: bool = False
) -> Options:
    """Return lines over steps.

    Args:
        lines: The values of each, by name.
        x: What stands under them.
        x_name: What the horizontal axis counts.
        y_name: What the vertical axis measures.
        zoom: Whether a part can be looked at closely.
    """
    chart = _chart(y_name)
    chart["xAxis"] = {
        "type": "category",
        "name": x_name,
        "nameLocation": "middle",
        "nameGap": 28,
        "data": [str(each) for each in x],
        "boundaryGap": False,
    }
    chart["tooltip"] = {"trigger": "axis"}
    if zoom:
        chart["dataZoom"] = [{"type": "inside"}]
    for place, (name, values) in enumerate(lines.items()):
        colour = COLOURS[place % len(COLOURS)]
        chart["series"].append(
            {
                "name": name,
                "type": "line",
                "symbol": ("circle", "rect", "triangle", "diamond")[place % 4],
                "symbolSize": 5 if len(values) < 60 else 0,
                "lineStyle": {"color": colour, "type": ("solid", "dashed", "dotted")[place % 3]},
                "itemStyle": {"color": colour},
                "data": [_number(value) for value in values],
            }
        )
    return chart


def bar_chart(bars: Mapping[str, float], *, y_name: str) -> Options:
    """Return horizontal bars, the longest first.

    Args:
        bars: The length of each, by name.
        y_name: What they measure.
    """
    ordered = sorted(bars.items(), key=lambda bar: bar[1])
    chart = _chart("")
    chart["legend"] = {"show": False}
    chart["grid"]["left"] = 16
    chart["yAxis"] = {"type": "category", "data": [name for name, _ in ordered]}
    chart["xAxis"] = {"type": "value", "name": y_name, "nameLocation": "middle", "nameGap": 28}
    chart["tooltip"] = {"trigger": "item"}
    chart["series"] = [{"type": "bar", "itemStyle": {"color": TRUTH}, "data": [_number(value) for _, value in ordered]}]
    return chart


def map_chart(
    points: Sequence[tuple[float, float, float, str]],
    *,
    names: tuple[str, str],
    low: str,
    high: str,
    lines: bool = False,
) -> Options:
    """Return points on a plane, coloured from early to late.

    Args:
        points: Of each: where it lies across and upwards, its colour between 0 and 1, and what it is called.
        names: What the axes are.
        low: What colour 0 means.
        high: What colour 1 means.
        lines: Whether each is joined with the next.
    """
    chart = _chart(names[1])
    chart["legend"] = {"show": False}
    chart["grid"]["right"] = 90
    chart["xAxis"] = {"type": "value", "name": names[0], "nameLocation": "middle", "nameGap": 28, "scale": True}
    chart["yAxis"]["scale"] = True
    chart["tooltip"] = {"trigger": "item", "formatter": "{b}"}
    chart["visualMap"] = {
        "min": 0,
        "max": 1,
        "dimension": 2,
        "text": [high, low],
        "calculable": False,
        "right": 0,
        "top": "middle",
        # From dark to light, so that they differ without colours too.
        "inRange": {"color": ["#0b2545", "#0072B2", "#56B4E9", "#E69F00"]},
    }
    data = [{"name": name, "value": [_number(x), _number(y), _number(shade)]} for x, y, shade, name in points]
    if lines:
        path = [[_number(x), _number(y)] for x, y, _, _ in points]
        chart["series"].append(
            {"type": "line", "data": path, "symbol": "none", "lineStyle": {"color": GUIDE, "width": 1}, "silent": True}
        )
    chart["series"].append({"type": "scatter", "symbolSize": 9, "data": data})
    return chart


def _chart(y_name: str) -> Options:
    return {
        "animation": False,
        "color": list(COLOURS),
        "grid": {"left": 56, "right": 24, "top": 48, "bottom": 48, "containLabel": True},
        "legend": {"type": "scroll", "top": 4},
        # On one line, or it would cover the legend.
        "yAxis": {"type": "value", "name": " ".join(y_name.split()), "scale": True, "nameTextStyle": {"align": "left"}},
        "series": [],
    }


def _time_chart(unit: str, stamps: Any) -> Options:
    chart = _chart(unit)
    counted = len(stamps) > 0 and isinstance(stamps[0], int | np.integer)
    chart["xAxis"] = {"type": "value", "scale": True} if counted else {"type": "time"}
    chart["tooltip"] = {"trigger": "axis", "order": "valueDesc"}
    chart["dataZoom"] = [{"type": "inside"}, {"type": "slider", "height": 22, "bottom": 8}]
    chart["grid"]["bottom"] = 64
    return chart


def _line(name: str, stamps: Any, values: Any, colour: str, *, dash: bool = False) -> Options:
    return {
        "name": name,
        "type": "line",
        "symbol": "none",
        "sampling": "lttb",
        "connectNulls": False,
        "lineStyle": {"color": colour, "width": 2, "type": "dashed" if dash else "solid"},
        "itemStyle": {"color": colour},
        "data": _pairs(stamps, values),
    }


def _pairs(stamps: Any, values: Any) -> list[list[Any]]:
    """Return stamps with their values; of very many, in each stretch the smallest and the largest."""
    numbers = np.asarray(values, dtype=float)
    places = thinned(numbers, MOST_POINTS)
    return [[_stamp(stamps[k]), _number(numbers[k])] for k in places]


def thinned(values: Any, most: int) -> Any:
    """Return the places of at most so many values that keep the peaks: of each stretch the smallest and the largest.

    Args:
        values: The values, `[T]`; NaN is missing.
        most: How many.

    Example:
        >>> thinned(np.array([1.0, 9.0, 2.0, 3.0, -4.0, 2.0]), 4).tolist()
        [0, 1, 3, 4]
    """
    if len(values) <= most:
        return np.arange(len(values))
    places: list[int] = []
    for stretch in np.array_split(np.arange(len(values)), most // 2):
        part = values[stretch]
        if np.isnan(part).all():
            places.append(int(stretch[0]))
            continue
        places += sorted({int(stretch[np.nanargmin(part)]), int(stretch[np.nanargmax(part)])})
    return np.array(places)


def _stamp(stamp: Any) -> Any:
    """Return a stamp as ECharts reads it: text of a time, or a whole number as it is."""
    if isinstance(stamp, int | np.integer):
        return int(stamp)
    return str(np.datetime_as_string(np.datetime64(stamp), unit="s"))


def _number(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
