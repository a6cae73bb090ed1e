"""Files as people have them: each is read to the same values, or rejected with what to do; `docs/files.md` lists these.

`SEQCAST_WRITE_DOCS=1` writes the list again.
"""

import os
import sys
from pathlib import Path

import make
import numpy as np
import pandas as pd
import pytest

from seqcast.data.frames.frame_reader import read_frame
from seqcast.errors import SeqcastError
from seqcast.specs.columns import Columns
from seqcast.tables.dialect import Dialect
from seqcast.tables.open_table import read_table

DOCS = Path(__file__).parents[2] / "docs" / "files.md"
CASES = list(make.cases())


def read(case, path):
    """Return the table of a case, and its checked series."""
    columns = Columns(**case.columns)
    options = dict(case.options)
    irregular = options.pop("irregular", False)
    table = read_table(path, columns, dialect=Dialect(**case.dialect), **options)
    return table, read_frame(table.with_ids(), columns, missing="fill", irregular=irregular)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_is_read_to_the_same_values_or_rejected(case, tmp_path):
    path = tmp_path / case.name
    case.write(path)
    if case.rejected:
        with pytest.raises(SeqcastError) as caught:
            read(case, path)
        assert case.rejected in str(caught.value)
        return
    table, series = read(case, path)
    days = make.DAYS if case.days is None else case.days
    if isinstance(days, pd.DatetimeIndex):
        assert (series.stamps == days).all()
    else:
        assert series.stamps.tolist() == list(days)
    np.testing.assert_array_equal(
        series.targets[:, 0], make.VALUES if case.values is None else case.values
    )
    assert series.source.ids == (path.stem if case.id is None else case.id,)
    assert all(table.sentences)


def test_the_documentation_lists_what_is_rejected():
    begin = "<!-- messy: made by tests/tables/test_messy.py -->\n"
    end = "\n<!-- end -->"
    text = DOCS.read_text(encoding="utf-8")
    before, rest = text.split(begin)
    _, after = rest.split(end)
    rejected = "\n".join(f"- {case.peculiarity}" for case in CASES if case.rejected)
    made = before + begin + rejected + end + after
    if os.environ.get("SEQCAST_WRITE_DOCS"):
        DOCS.write_text(made, encoding="utf-8")
    assert text == made or os.environ.get("SEQCAST_WRITE_DOCS")


SAID = [
    ("bar.csv", "bars between columns"),
    ("thousands_comma.csv", "',' between thousands"),
    ("thousands_point.csv", "semicolons between columns, decimal comma, '.' between thousands"),
    ("thousands_narrow.csv", "semicolons between columns, decimal comma, ' ' between thousands"),
    ("utf16_be.csv", "encoding utf-16-be"),
    ("title.csv", "the header after 2 lines, tabs between columns"),
    ("month_slashes.csv", "dates with the month first"),
]


@pytest.mark.parametrize(("name", "said"), SAID)
def test_how_each_was_understood_is_said(name, said, tmp_path):
    case = next(case for case in CASES if case.name == name)
    case.write(tmp_path / name)
    assert read(case, tmp_path / name)[0].understood == said


def test_what_is_not_usual_is_said(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(
        "\n".join(make.lines(";", number=make.comma, day="%d/%m/%Y", name="Köln")).encode("cp1252")
    )
    said = read_table(path, Columns()).understood
    assert (
        said
        == "semicolons between columns, decimal comma, encoding cp1252, dates with the day first"
    )


@pytest.mark.parametrize("sep", [";", "\t", "|"])
def test_separators_need_no_other_package(sep, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["Sales, all of them", "", *make.lines(sep, number=make.comma)]))
    assert read_table(path, Columns()).frame["y"].tolist() == make.VALUES.tolist()
