"""Commands never write over what they read, nor over a file of another kind, unless they are told to."""

import contextlib
import json
import os
import zipfile

import numpy as np
import pandas as pd
import pytest

from seqcast.cli.output_files import as_records, check_output
from seqcast.errors import SaveError, SpecError
from seqcast.runtime.file_checks import file_kind
from seqcast.runtime.model_files import write_archive
from seqcast.tables.writing import write_table

TABLES = ("csv", "parquet")
CONTENTS = {
    "csv": b"ds,y\n1,2\n",
    "parquet": b"PAR1\x00\x00",
    "png": b"\x89PNG\r\n\x1a\n",
    "pdf": b"%PDF-1.7\n",
    "svg": b'<?xml version="1.0"?><svg/>',
    "html": b"<!DOCTYPE html><title>x</title>",
    "other": b"\x00\x01\x02",
    "empty": b"",
}


def written(path, kind):
    if kind == "archive":
        write_archive(path, "Forecaster", {}, {})
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("xl/workbook.xml", "<x/>")
    else:
        path.write_bytes(CONTENTS[kind])
    return path


SUFFIXES = [("a.csv", TABLES, "csv"), ("a.parquet", TABLES, "parquet"), ("a.png", ("png",), "png"),
            ("a.htm", ("html", "htm"), "html"), ("a.seqcast", (), "archive"), ("notes", (), "archive")]  # fmt: skip


@pytest.mark.parametrize("kind", [*CONTENTS, "archive", "zip"])
@pytest.mark.parametrize(("name", "suffixes", "own"), SUFFIXES)
def test_only_files_of_the_same_kind_are_replaced(tmp_path, kind, name, suffixes, own):
    path = written(tmp_path / name, kind)
    assert file_kind(path) == kind
    rejected = pytest.raises(SaveError, match="expected no file yet")
    with contextlib.nullcontext() if kind in (own, "empty") else rejected:
        check_output(path, suffixes)
    check_output(path, suffixes, force=True)


@pytest.mark.parametrize("link", ["same", "symbolic", "hard", "relative"])
def test_what_is_read_is_not_written(tmp_path, monkeypatch, link):
    monkeypatch.chdir(tmp_path)
    source = written(tmp_path / "a.csv", "csv")
    target = tmp_path / "b.csv"
    if link == "symbolic":
        target.symlink_to(source)
    elif link == "hard":
        os.link(source, target)
    else:
        target = source if link == "same" else type(source)("a.csv")
    with pytest.raises(SaveError, match="another file than those that are read"):
        check_output(target, TABLES, read=[None, tmp_path / "missing.csv", source])
    check_output(target, TABLES, read=[source], force=True)
    check_output(tmp_path / "new.csv", TABLES, read=[source])
    with pytest.raises(SaveError, match="-o -: expected a file"):
        check_output(type(tmp_path)("-"))
    with pytest.raises(SpecError, match="suffix"):
        check_output(tmp_path / "a.txt", TABLES)


@pytest.mark.parametrize("suffix", TABLES)
def test_only_forecasts_are_replaced_by_forecasts(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    write_table(pd.DataFrame({"ds": [1], "y": [2.0]}), path)
    check_output(path, TABLES)
    with pytest.raises(
        SaveError, match="no file yet, or forecasts, with a column 'seqcast', received another t"
    ):
        check_output(path, TABLES, column="seqcast")
    check_output(path, TABLES, column="seqcast", force=True)
    write_table(pd.DataFrame({"ds": [1], "seqcast": [2.0]}), path)
    check_output(path, TABLES, column="seqcast")


def test_records_hold_what_the_table_holds():
    seen = [pd.Timestamp("2024-01-01 00:00:00.000001"), pd.NaT]
    columns = {
        "unique_id": ["a:car:b", "c"],
        "y": [1.23456789e-10, np.nan],
        "wide": [np.inf, 2.0],
        "count": [3, 4],
    }
    stamps = {"ds": pd.date_range("2024-03-01", periods=2, tz="Europe/Berlin"), "seen": seen}
    table = pd.DataFrame({**columns, "anomaly": [True, False], **stamps})
    first, second = json.loads(json.dumps(as_records(table), allow_nan=False))
    assert (first["unique_id"], first["ds"]) == ("a:car:b", "2024-03-01T00:00:00+01:00")
    assert (first["y"], first["wide"], first["count"], first["anomaly"]) == (
        1.23456789e-10,
        None,
        3,
        True,
    )
    assert (first["seen"], second["seen"], second["y"]) == (
        "2024-01-01T00:00:00.000001",
        None,
        None,
    )
