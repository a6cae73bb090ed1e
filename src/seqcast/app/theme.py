"""What the panels of the page share: headings, charts that can be read aloud, problems in plain words, tables."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from nicegui import ui

from seqcast.data.frames import stamp_text
from seqcast.errors import SeqcastError
from seqcast.plots import GUIDE, TRUTH

Named = TypeVar("Named", bound=ui.element)

# Dark enough for white text on it, and light enough on a dark page.
PRIMARY, NEGATIVE, POSITIVE = "#00609c", "#b3261e", "#0f6e4f"
# Lines that a dark page would swallow.
ON_DARK = {GUIDE: "#b4b4b4", TRUTH: "#56B4E9"}
DARK_TEXT, LIGHT_TEXT = "#222222", "#e6e6e6"
# Units of frequencies, by pandas' names of them.
STEPS = {
    "s": "second",
    "min": "minute",
    "h": "hour",
    "D": "day",
    "B": "working day",
    "W": "week",
    "MS": "month",
    "ME": "month",
    "QS": "quarter",
    "QE": "quarter",
    "YS": "year",
    "YE": "year",
}
STYLE = """
.seqcast-page { max-width: 1200px; margin: 0 auto; width: 100%; }
.seqcast-chart { width: 100%; height: 24rem; }
.body--dark .seqcast-muted { color: #c8c8c8; }
.body--light .seqcast-muted { color: #4a4a4a; }
.body--dark .q-field__label, .body--dark .q-field__messages { color: #d0d0d0; }
.body--light .q-field__label, .body--light .q-field__messages { color: #444444; }
.body--dark .q-radio, .body--dark .q-checkbox, .body--dark .q-linear-progress { --q-primary: #8cc8f2; }
.body--dark .q-btn--outline { --q-primary: #8cc8f2; --q-negative: #ffb4ab; }
.seqcast-wrong { outline: 3px solid #b3261e; font-weight: bold; }
:focus-visible { outline: 3px solid #e69f00 !important; outline-offset: 2px; }
.seqcast-table { border-collapse: collapse; width: 100%; }
.seqcast-table th, .seqcast-table td { border: 1px solid #8a8a8a; padding: 2px 8px; }
.seqcast-table th, .seqcast-table td { text-align: left; white-space: nowrap; }
.seqcast-code { white-space: pre; overflow-x: auto; font-family: monospace; padding: 8px; border: 1px solid #8a8a8a; }
.seqcast-scroll { overflow-x: auto; max-width: 100%; }
"""


def page_colours() -> None:
    """Set the colours and styles of the page."""
    ui.colors(primary=PRIMARY, negative=NEGATIVE, positive=POSITIVE)
    ui.add_css(STYLE)


def heading(text: str, level: int = 2) -> None:
    """Write a heading that screen readers know as one.

    Args:
        text: The heading.
        level: 1 for the page's, 2 for a panel's, 3 within one.
    """
    with ui.element(f"h{level}").classes("font-medium m-0") as written:
        ui.label(text)
    written.classes("text-lg" if level == 3 else "text-xl")


def note(text: str) -> ui.label:
    """Write a line of explanation.

    Args:
        text: The line.
    """
    return ui.label(text).classes("seqcast-muted")


def named(element: Named, said: str) -> Named:
    """Give an element a name for screen readers, and return it.

    The name is assigned. In a text of props, the name of a column could begin another prop, which `:` runs as a script.

    Args:
        element: The element.
        said: Its name.
    """
    element.props["aria-label"] = said
    return element


@contextlib.contextmanager
def panel_card() -> Iterator[None]:
    """Lay out a part of a panel."""
    with ui.card().props("flat bordered").classes("w-full gap-3"):
        yield


def choose_series(names: list[str], chosen: str | None, choose: Callable[[str], Any]) -> None:
    """Let one of several series be chosen.

    Args:
        names: Their names.
        chosen: The one that is shown.
        choose: Called with the name of another.
    """
    if len(names) > 1:
        ui.select(
            names,
            value=chosen,
            with_input=True,
            label=f"Series, of {len(names):,}; type to search",
            on_change=lambda event: None if event.value is None else choose(event.value),
        ).props("outlined dense").classes("w-full")


def show_chart(options: dict[str, Any], said: str, *, dark: bool, height: str = "24rem") -> ui.echart:
    """Draw a chart, with its text for those who do not see it.

    Args:
        options: Options of ECharts.
        said: What the chart shows, in a sentence.
        dark: Whether the page is dark.
        height: Its height.
    """
    chart = ui.echart(_inked(options, dark)).classes("seqcast-chart").props("role=img")
    chart.style["height"] = height
    return named(chart, said)


def redraw(chart: ui.echart, options: dict[str, Any], *, dark: bool) -> None:
    """Draw a chart anew.

    Args:
        chart: The chart.
        options: Options of ECharts.
        dark: Whether the page is dark.
    """
    chart.options.clear()
    chart.options.update(_inked(options, dark))
    chart.update()


def _inked(options: dict[str, Any], dark: bool) -> dict[str, Any]:
    """Return the options with text and lines that can be seen on the page."""
    ink, faint = (LIGHT_TEXT, "#555555") if dark else (DARK_TEXT, "#dddddd")
    if dark:
        text = json.dumps(options)
        for colour, lighter in ON_DARK.items():
            text = text.replace(colour, lighter)
        options = json.loads(text)
    inked = {**options, "textStyle": {"color": ink}, "backgroundColor": "transparent"}
    inked["legend"] = {**options.get("legend", {}), "textStyle": {"color": ink}, "pageTextStyle": {"color": ink}}
    for axis in ("xAxis", "yAxis"):
        inked[axis] = {
            **options.get(axis, {}),
            "axisLabel": {**options.get(axis, {}).get("axisLabel", {}), "color": ink, "hideOverlap": True},
            "axisLine": {"lineStyle": {"color": ink}, "onZero": False},
            "splitLine": {"lineStyle": {"color": faint}},
        }
    if "visualMap" in options:
        inked["visualMap"] = {**options["visualMap"], "textStyle": {"color": ink}}
    return inked


@contextlib.contextmanager
def html_table(names: Iterable[str], said: str) -> Iterator[None]:
    """Lay out a table of HTML, whose rows follow; it is moved sideways where it is wider than the page.

    Args:
        names: Names of the columns.
        said: What the table holds.
    """
    scroll = ui.element("div").classes("seqcast-scroll").props("tabindex=0 role=region")
    with named(scroll, said), ui.element("table").classes("seqcast-table"):
        with ui.element("thead"), ui.element("tr"):
            for name in names:
                with ui.element("th").props("scope=col"):
                    ui.label(name)
        with ui.element("tbody"):
            yield


def show_table(
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    said: str,
    wrong: tuple[int, int] | None = None,
) -> None:
    """Write a table as HTML, which screen readers can walk through.

    Args:
        names: Names of the columns.
        rows: The cells.
        said: What the table holds.
        wrong: Row and column of the cell that something is wrong with.
    """
    with html_table(names, said):
        for place, row in enumerate(rows):
            with ui.element("tr"):
                for column, value in enumerate(row):
                    cell = ui.element("td")
                    if wrong == (place, column):
                        cell.classes("seqcast-wrong")
                    with cell:
                        ui.label(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:,.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
    return stamp_text(value)


def spoken_step(frequency: str | int | None) -> str:
    """Return how far the rows of a series are apart, as people say it.

    Args:
        frequency: A pandas alias, a whole number of steps, or `None`.

    Example:
        >>> spoken_step("W-SAT"), spoken_step("15min"), spoken_step(1), spoken_step(None)
        ('a value a week', 'a value each 15 minutes', 'counted steps', 'no regular step')
    """
    if frequency is None:
        return "no regular step"
    if isinstance(frequency, int):
        return "counted steps" if frequency == 1 else f"counted steps of {frequency}"
    count, unit = re.fullmatch(r"(\d*)([A-Za-z]+)(?:-.*)?", frequency).groups()  # type: ignore[union-attr]
    name = STEPS.get(unit, unit)
    return f"a value a{'n' * (name == 'hour')} {name}" if count in ("", "1") else f"a value each {count} {name}s"


def explain_problem(error: BaseException) -> str:
    """Return what went wrong in words for somebody who does not program.

    Args:
        error: The error.

    Example:
        >>> explain_problem(ValueError("no such thing"))
        'Something went wrong that should not: ValueError: no such thing'
    """
    if isinstance(error, SeqcastError):
        parts = [f"{error.where}: " if error.where else ""]
        parts += [f"expected {error.expected}, received {error.received}." if error.expected else ""]
        told = "".join(parts).strip() if error.expected else str(error)
        path = getattr(error, "path", None)
        told = told if path is None else told.replace(path, Path(path).name)  # where it is kept is no news
        return told[:1].upper() + told[1:]
    if isinstance(error, MemoryError):
        return "There is not enough memory for this."
    return f"Something went wrong that should not: {type(error).__name__}: {error}"


def problem_card(error: BaseException, more: Callable[[], Any] | None = None) -> None:
    """Show a problem.

    Args:
        error: The error.
        more: Writes what belongs to it below.
    """
    with (
        ui.card().props("flat bordered role=alert").classes("w-full border-2").style("border-color: var(--q-negative)")
    ):
        with ui.row().classes("items-center no-wrap"):
            ui.icon("error", color="negative", size="md").props("aria-hidden=true")
            ui.label(explain_problem(error)).classes("font-medium")
        if more is not None:
            more()
