"""The look of the page: colours, headings, tables, charts, and problems in plain words."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from nicegui import ui

from seqcast.data.frames import stamp_text
from seqcast.errors import DataError, Option, Phrase, SeqcastError, compose_message
from seqcast.plots import GUIDE, TRUTH
from seqcast.runtime import number_text

Named = TypeVar("Named", bound=ui.element)

# Dark enough for white text on it, and light enough on a dark page.
PRIMARY, NEGATIVE, POSITIVE = "#00609c", "#b3261e", "#0f6e4f"
# Lines that are hard to see on a dark page.
ON_DARK = {GUIDE: "#b4b4b4", TRUTH: "#56B4E9"}
DARK_TEXT, LIGHT_TEXT = "#222222", "#e6e6e6"
# The page's labels of options that errors mention.
LABELS: dict[Any, str] = {
    "columns.unique_id": "“name of the series”",
    "columns.ds": "“time”",
    "columns.y": "“value to forecast”",
    ("layout", "wide"): "“The table has: a series in each column”",
    ("layout", "rows"): "“The table has: a series in each row”",
    "dialect.sep": "“Between columns”",
    "dialect.decimal": "“Decimal mark”",
    "dialect.missing_values": "“Read as missing”",
    ("dialect.day_first", True): "“Dates: day first”",
    ("dialect.day_first", False): "“Dates: month first”",
}
STYLE = """
.seqcast-page { max-width: 1200px; margin: 0 auto; width: 100%; }
.seqcast-chart { width: 100%; height: 24rem; }
.body--dark .seqcast-muted { color: #c8c8c8; }
.body--light .seqcast-muted { color: #4a4a4a; }
.body--dark .q-field__label, .body--dark .q-field__messages { color: #d0d0d0; }
.body--light .q-field__label, .body--light .q-field__messages { color: #444444; }
.body--dark .q-radio, .body--dark .q-checkbox { --q-primary: #8cc8f2; }
.body--dark .q-linear-progress { --q-primary: #8cc8f2; }
.body--dark .q-btn--outline { --q-primary: #8cc8f2; --q-negative: #ffb4ab; }
.seqcast-wrong { outline: 3px solid #b3261e; outline-offset: -3px; font-weight: bold; }
:focus-visible { outline: 3px solid #e69f00 !important; outline-offset: 2px; }
.seqcast-table { max-width: 100%; width: fit-content; }
.seqcast-table th { font-size: 0.9rem; font-weight: bold; }
.seqcast-table td { font-size: 0.9rem; }
.seqcast-table td:first-child { white-space: normal; overflow-wrap: anywhere; }
.seqcast-table td:first-child { min-width: 6.5rem; max-width: 20rem; }
.q-chip__content, .q-item__label { overflow-wrap: anywhere; white-space: normal; }
.q-chip { height: auto; max-width: 100%; }
h3, .seqcast-muted { overflow-wrap: anywhere; }
.seqcast-code { white-space: pre; overflow-x: auto; font-family: monospace; padding: 8px; }
.seqcast-code { border: 1px solid #8a8a8a; }
"""


def set_style() -> None:
    """Set the colours and styles of the page, its buttons and its fields."""
    ui.colors(primary=PRIMARY, negative=NEGATIVE, positive=POSITIVE)
    ui.add_css(STYLE)
    ui.button.default_props("no-caps")
    ui.select.default_props("outlined dense")
    ui.number.default_props("outlined dense")


def heading(text: str, level: int = 2) -> ui.label:
    """Write a heading that screen readers recognise, and return its text.

    Args:
        text: The heading.
        level: 1 for the page, 2 for a panel, 3 within a panel.
    """
    with ui.element(f"h{level}").classes("font-medium m-0") as element:
        label = ui.label(text)
    element.classes("text-lg" if level == 3 else "text-xl")
    return label


def note(text: str) -> ui.label:
    """Write a line of explanation.

    Args:
        text: The line.
    """
    return ui.label(text).classes("seqcast-muted")


def named(element: Named, alt: str) -> Named:
    """Give an element a name for screen readers, and return it.

    The name is assigned: in the text of `props`, a column's name could begin another prop, which
    `:` runs as a script.

    Args:
        element: The element.
        alt: The name.
    """
    element.props["aria-label"] = alt
    return element


def panel_card(title: str = "", text: str = "") -> ui.card:
    """Return a card for a section of a panel.

    Args:
        title: Its heading, if it has one.
        text: A line of explanation below the heading.
    """
    with ui.card().props("flat bordered").classes("w-full gap-3") as card:
        if title:
            heading(title, 3)
        if text:
            note(text)
    return card


def show_chart(
    options: dict[str, Any], alt: str, *, dark: bool, height: str = "24rem"
) -> ui.echart:
    """Draw a chart, with a text for screen readers.

    Args:
        options: Options of ECharts.
        alt: What the chart shows, in a sentence.
        dark: Whether the page is dark.
        height: Its height.
    """
    chart = ui.echart(_inked(options, dark)).classes("seqcast-chart").props("role=img")
    chart.style["height"] = height
    return named(chart, alt)


def redraw(chart: ui.echart, options: dict[str, Any], *, dark: bool) -> None:
    """Draw a chart again.

    Args:
        chart: The chart.
        options: Options of ECharts.
        dark: Whether the page is dark.
    """
    chart.options.clear()
    chart.options.update(_inked(options, dark))
    chart.update()


def _inked(options: dict[str, Any], dark: bool) -> dict[str, Any]:
    """Return the options with text and lines in colours that are visible on the page."""
    ink, faint = (LIGHT_TEXT, "#555555") if dark else (DARK_TEXT, "#dddddd")
    if dark:
        text = json.dumps(options)
        for colour, lighter in ON_DARK.items():
            text = text.replace(colour, lighter)
        options = json.loads(text)
    inked = {**options, "textStyle": {"color": ink}, "backgroundColor": "transparent"}
    names = {**options["legend"].get("textStyle", {}), "color": ink}
    inked["legend"] = {**options["legend"], "textStyle": names, "pageTextStyle": {"color": ink}}
    lines = {
        "axisLine": {"lineStyle": {"color": ink}, "onZero": False},
        "splitLine": {"lineStyle": {"color": faint}},
    }
    for axis in ("xAxis", "yAxis"):
        inked[axis] = {**options[axis], "axisLabel": {"color": ink, "hideOverlap": True}, **lines}
    if "visualMap" in options:
        inked["visualMap"] = {**options["visualMap"], "textStyle": {"color": ink}}
    return inked


def show_table(
    names: Sequence[str], rows: Sequence[Sequence[Any]], alt: str, wrong: Any = None
) -> None:
    """Write a table; one wider than the page scrolls sideways, also by the keyboard.

    Args:
        names: Names of the columns.
        rows: The cells: values, or functions that write them.
        alt: What the table shows.
        wrong: Row and column of a wrong cell.
    """
    columns = [
        {"name": str(place), "label": name, "field": "", "align": "left"}
        for place, name in enumerate(names)
    ]
    table = ui.table(columns=columns, rows=[]).classes("seqcast-table")
    table.props("flat bordered dense separator=cell hide-bottom tabindex=0 role=region")
    with named(table, alt), table.add_slot("top-row"):
        for place, row in enumerate(rows):
            with ui.table.row():
                for column, value in enumerate(row):
                    with ui.table.cell() as cell:
                        if callable(value):
                            value()
                        else:
                            ui.label(_text(value))
                    if wrong == (place, column):
                        cell.classes("seqcast-wrong")


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else number_text(value)
    return stamp_text(value)


def explain_problem(error: BaseException) -> str:
    """Return an error in words for people who do not program.

    Args:
        error: The error.

    Example:
        >>> explain_problem(ValueError("no such thing"))
        'Something went wrong that should not: ValueError: no such thing'
    """
    if isinstance(error, MemoryError):
        return "There is not enough memory for this."
    if not isinstance(error, SeqcastError):
        return f"Something went wrong that should not: {type(error).__name__}: {error}"
    facts = {"expected": error.expected, "received": error.received}
    text = compose_message(error.where, **facts) if error.expected else str(error)
    path = getattr(error, "path", None)
    text = (
        text if path is None else text.replace(path, Path(path).name)
    )  # a visitor does not know the folder
    return text[:1].upper() + text[1:]


def warn(problem: str | DataError) -> None:
    """Write a warning.

    Args:
        problem: A text, or an error, which is put into words with its hint.
    """
    if isinstance(problem, DataError):
        rows = f" ({len(problem.rows):,} rows)" if len(problem.rows) > 1 else ""
        problem = (
            f"{explain_problem(problem).removesuffix('.')}{rows}. {in_page_words(problem.hint)}"
        )
    with ui.row().classes("items-center no-wrap"):
        ui.icon("warning", color="negative").props("aria-hidden=true")
        ui.label(problem)


def in_page_words(text: str) -> str:
    """Return a hint with the labels of the page.

    It is empty if the hint mentions an option that the page has no field for.

    Args:
        text: The hint.

    Example:
        >>> names = ("dialect.day_first", "irregular")
        >>> hints = [Phrase("Give ", Option(name, True), ".") for name in names]
        >>> [in_page_words(hint) for hint in hints]
        ['Give “Dates: day first”.', '']
    """
    fragments = text.fragments if isinstance(text, Phrase) else (text,)
    words = [
        LABELS.get((each.name, each.value), LABELS.get(each.name, ""))
        if isinstance(each, Option)
        else str(each)
        for each in fragments
    ]
    return "".join(words) if all(words) else ""


def problem_card(error: BaseException, more: Callable[[], Any] | None = None) -> None:
    """Show a problem.

    Args:
        error: The error.
        more: Writes more below it and its hint.
    """
    with (
        panel_card()
        .props("role=alert")
        .classes("border-2")
        .style("border-color: var(--q-negative)")
    ):
        with ui.row().classes("items-center no-wrap"):
            ui.icon("error", color="negative", size="md").props("aria-hidden=true")
            ui.label(explain_problem(error)).classes("font-medium")
        if hint := in_page_words(getattr(error, "hint", "")):
            note(hint)
        if more is not None:
            more()
