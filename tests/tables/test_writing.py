"""Tables that are written can be opened in a spreadsheet without running what somebody wrote into an id."""

import csv
import io
import os
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcast.errors import SaveError
from seqcast.tables.writing import _FORMULAS, table_bytes, write_table

DAYS = pd.date_range("2024-01-01", periods=2)
FORMULA = '=HYPERLINK("http://example.org","here")'


def frame(ids, **columns):
    return pd.DataFrame(
        {"unique_id": ids, "ds": DAYS[: len(ids)], "seqcast": [-1.5, 2.0][: len(ids)], **columns}
    )


@pytest.mark.parametrize(
    ("kind", "text"), [("str", FORMULA), ("object", "-5"), ("category", "＝1+1")]
)
def test_text_is_defused(tmp_path, kind, text):
    table = frame([text, "plain"]).astype({"unique_id": kind})
    write_table(table, tmp_path / "a.csv", safe_formulas=True)
    read = pd.read_csv(tmp_path / "a.csv")
    assert read["unique_id"].tolist() == ["'" + text, "plain"]
    assert read["seqcast"].tolist() == [-1.5, 2.0]
    assert read["ds"].tolist() == ["2024-01-01", "2024-01-02"]


def test_names_of_columns_are_defused_and_nothing_else_changes(capsys):
    table = frame([1, 2], **{FORMULA: [1, 2], "y": [np.nan, -3]})
    write_table(table, None, safe_formulas=True)
    safe = capsys.readouterr().out
    write_table(table, None)
    plain = capsys.readouterr().out
    assert safe.count("'") == 1
    assert safe.replace("'", "").replace('"', "") == plain.replace('"', "")


@given(st.lists(st.text(max_size=5), min_size=2, max_size=2))
def test_no_cell_begins_with_a_formula(texts):
    with pytest.MonkeyPatch.context() as patch:
        out = io.StringIO()
        patch.setattr("sys.stdout", out)
        write_table(frame(texts), None, safe_formulas=True)
    for row in list(csv.reader(io.StringIO(out.getvalue(), newline="")))[1:]:
        if row:
            assert not row[0].startswith(_FORMULAS)


def test_parquet_has_no_formulas(tmp_path):
    write_table(frame([FORMULA, "b"]), tmp_path / "a.parquet", safe_formulas=True)
    assert pd.read_parquet(tmp_path / "a.parquet")["unique_id"].tolist() == [FORMULA, "b"]


@pytest.mark.parametrize("safe", [False, True])
def test_lines_end_alike_on_every_system(monkeypatch, safe):
    monkeypatch.setattr(os, "linesep", "\r\n")
    assert b"\r" not in table_bytes(frame(["a", "b"]), "csv", safe_formulas=safe)


def test_no_character_of_data_is_replaced(monkeypatch):
    output = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", output)
    write_table(frame(["Zürich", "b"]), None)
    assert "Zürich" in output.buffer.getvalue().decode("cp1252")
    with pytest.raises(
        SaveError,
        match="standard output: expected an encoding that has '東京', such as UTF-8, receiv",
    ):
        write_table(frame(["東京", "b"]), None)
