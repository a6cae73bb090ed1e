"""A page of HTML that needs nothing but itself: text is escaped by construction, pictures are inside.

Strings are text and come out as they are; only `Markup` is HTML, and only the functions here make it.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

__all__ = ["Markup", "element", "facts", "page", "picture", "section", "table"]

_PIXELS = 130  # an inch; sharp on paper and on dense screens

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --tint: #f3f6f9; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171b; --ink: #e6e9ec; --soft: #a3abb4; --line: #363c44; --tint: #1e2329; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
p { max-width: 46rem; margin: .5rem 0; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1rem 0; padding: 0; list-style: none; }
a { color: inherit; }
figure { margin: 1.25rem 0; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: 6px; padding: .5rem; }
figcaption, caption, .note { color: var(--soft); font-size: .9rem; }
figcaption { max-width: 46rem; margin-top: .4rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .4rem; max-width: 46rem; }
th, td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th:first-child, td:first-child, td.text { text-align: left; overflow-wrap: anywhere; }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 500; }
td.best { font-weight: 700; }
dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .25rem 1.5rem; margin: .75rem 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.note { background: var(--tint); border-left: 3px solid var(--line); padding: .5rem .75rem; }
@media print { body { max-width: none; } h2 { break-after: avoid; } figure, table { break-inside: avoid; } }
"""


class Markup(str):
    """HTML, not to be escaped again."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str) -> Markup:
    """Build an element.

    Args:
        tag: Its name.
        children: Text, which is escaped, or `Markup`.
        attributes: Its attributes; `class_` is `class`.

    Example:
        >>> element("p", "1 < 2 ", element("b", "&"), class_="note")
        '<p class="note">1 &lt; 2 <b>&amp;</b></p>'
    """
    named = "".join(f' {name.rstrip("_")}="{html.escape(value)}"' for name, value in attributes.items())
    inner = "".join(child if isinstance(child, Markup) else html.escape(child, quote=False) for child in children)
    return Markup(f"<{tag}{named}>{inner}</{tag}>")


def section(heading: str, *children: str) -> Markup:
    """Build a section with its heading."""
    return element("section", element("h2", heading), *children)


def picture(figure: Figure, alt: str, caption: str) -> Markup:
    """Put a figure into the page.

    Args:
        figure: The figure.
        alt: What it shows, for those who cannot see it.
        caption: What to look for in it.
    """
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_PIXELS)
    source = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
    width = f"{figure.get_figwidth() * 92:.0f}"
    image = Markup(element("img", src=source, alt=alt, width=width).removesuffix("</img>"))
    return element("figure", image, element("figcaption", caption))


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], caption: str, *, text: Sequence[str] = (), best: Any = ()
) -> Markup:
    """Build a table.

    Args:
        header: Names of the columns; the first one names the rows.
        rows: Cells, as text.
        caption: What the table holds.
        text: Columns that are words, not numbers.
        best: Cells to stand out, as pairs of row and column.
    """
    body = []
    for place, (name, *cells) in enumerate(rows):
        made = [element("th", name, scope="row")]
        for column, cell in enumerate(cells, start=1):
            kinds = ["text"] * (header[column] in text) + ["best"] * ((place, column) in best)
            made.append(element("td", cell, **({"class_": " ".join(kinds)} if kinds else {})))
        body.append(element("tr", *made))
    head = element("tr", *(element("th", name, scope="col") for name in header))
    parts = (element("caption", caption), element("thead", head), element("tbody", *body))
    return element("div", element("table", *parts), class_="wide")


def facts(values: Mapping[str, Any]) -> Markup:
    """Build a list of names and values.

    Example:
        >>> facts({"units": (35, 35), "scale": None})
        '<dl><dt>units</dt><dd>35, 35</dd><dt>scale</dt><dd>–</dd></dl>'
    """
    pairs = [(element("dt", str(name)), element("dd", _plain(value))) for name, value in values.items()]
    return element("dl", *(part for pair in pairs for part in pair))


def _plain(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_plain(inner)}" for name, inner in value.items()) or "–"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(_plain, value)) or "–"
    return str(value)


def page(title: str, lead: str, sections: Mapping[str, Markup]) -> str:
    """Build the page.

    Args:
        title: Its title.
        lead: A sentence below it.
        sections: The sections by a short name, for the list of contents.

    Returns:
        HTML that loads nothing and runs nothing.
    """
    links = [element("li", element("a", name, href=f"#part-{i}")) for i, name in enumerate(sections, 1)]
    parts = [element("div", part, id=f"part-{i}") for i, part in enumerate(sections.values(), 1)]
    # Nothing is fetched and nothing is run, even if a browser thought otherwise.
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{element('title', title)}<style>{_STYLE}</style>"
    )
    header = element("header", element("h1", title), element("p", lead), element("nav", element("ul", *links)))
    body = element("body", header, element("main", *parts))
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n{body}</html>\n'
