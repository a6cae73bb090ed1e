"""A self-contained HTML page: its sections as values, and a template that renders them.

Pictures are embedded. The template is `page.html.j2`; it escapes every text.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from matplotlib.figure import Figure

from seqcast.runtime import number_text

# Resolution of pictures, sharp on paper and on dense screens.
_DOTS_PER_INCH = 130
# Pixels of the page for an inch of a picture.
_PIXELS_PER_INCH = 92


@dataclass(frozen=True)
class Picture:
    """A picture with its caption.

    Args:
        source: The picture as a `data:` address.
        alt: Text that describes the picture, for screen readers.
        caption: The caption.
        width: Width in pixels of the page.
    """

    source: str
    alt: str
    caption: str
    width: int

    @classmethod
    def of(cls, figure: Figure, alt: str, caption: str) -> Self:
        """Return a figure as a picture.

        Args:
            figure: The figure.
            alt: Text that describes the picture, for screen readers.
            caption: The caption.
        """
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=_DOTS_PER_INCH)
        source = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
        return cls(source, alt, caption, round(figure.get_figwidth() * _PIXELS_PER_INCH))


@dataclass(frozen=True)
class Table:
    """A table with its caption.

    Args:
        header: Names of the columns; the first column names the rows.
        rows: Cells, as text.
        caption: The caption.
        words: Columns of words, aligned left; numbers are aligned right.
        best: Cells to emphasise, as pairs of row and column.

    Example:
        >>> Table(["model", "MAE"], [["a", "1"], ["b", "2"]], "Scores", best={(0, 1)}).style(0, 1)
        'best'
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    words: Sequence[str] = ()
    best: set[tuple[int, int]] | frozenset[tuple[int, int]] = frozenset()

    def style(self, row: int, column: int) -> str:
        """Return the HTML classes of a cell.

        Args:
            row: The cell's row, from 0.
            column: The cell's column, from 0.
        """
        classes = []
        if self.header[column] in self.words:
            classes.append("text")
        if (row, column) in self.best:
            classes.append("best")

        return " ".join(classes)


@dataclass(frozen=True)
class Facts:
    """Names and values, one a line.

    Args:
        values: The values by name.

    Example:
        >>> Facts({"units": (35, 35), "scale": None}).pairs()
        [('units', '35, 35'), ('scale', '–')]
    """

    values: Mapping[str, object]

    def pairs(self) -> list[tuple[str, str]]:
        """Return names and values as texts."""
        return [(str(name), _text(value)) for name, value in self.values.items()]


@dataclass(frozen=True)
class Note:
    """A sentence in place of missing content.

    Args:
        text: The sentence.
    """

    text: str


Block = Picture | Table | Facts | Note


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Args:
        heading: The heading.
        blocks: The content.
        name: Name in the list of contents; the heading if absent.
    """

    heading: str
    blocks: Sequence[Block]
    name: str = ""


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """Return the page as HTML.

    Args:
        title: The title.
        lead: A sentence below the title.
        sections: The sections.

    Returns:
        HTML without scripts and external files.

    Example:
        >>> "<h1>1 &lt; 2</h1>" in page("1 < 2", "A sum.", [Section("One", [Note("Nothing.")])])
        True
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader("seqcast.report", ""),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return pages.get_template("page.html.j2").render(title=title, lead=lead, sections=sections)


def _text(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(inner)}" for name, inner in value.items()) or "–"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(_text, value)) or "–"
    return str(value)
