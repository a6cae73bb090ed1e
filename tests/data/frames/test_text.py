"""Text that a small file makes a large frame of is refused by counting its rows and columns."""

import json
import os

import pytest

from seqcast.data.frames.io import read_table
from seqcast.errors import DataError, MissingFileError
from seqcast.specs.columns import Columns


def refused(path, text, **options):
    with pytest.raises(DataError) as caught:
        read_table(path, Columns(), **options)
    assert text in str(caught.value)


def test_rows_of_empty_cells(tmp_path, memory_at_most):
    path = tmp_path / "a.csv"
    path.write_text(",".join(["ds", "y", *(f"c{place}" for place in range(15_000))]) + "\n" + "1\n" * 2000)
    with memory_at_most(20 << 20):
        refused(path, "expected at most 67.11 MB, received 2,002 rows of 15,002 columns")


def test_columns(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",".join(["ds", "y", *(f"c{place}" for place in range(30_000))]) + "\n1,2\n")
    refused(path, "expected at most 20,000 columns, received 30,002. If you trust the file, allow more: max_size='8GB'")
    assert len(read_table(path, Columns(), max_size="8GB").columns) == 30_003


def test_names_that_differ_from_line_to_line(tmp_path, memory_at_most):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({f"c{place}": 1}) + "\n" for place in range(15_000)))
    with memory_at_most(20 << 20):
        refused(path, "expected at most 67.11 MB, received")


@pytest.mark.parametrize(
    ("line", "received"),
    [
        ("[1, 2]", "received list"),
        ("3", "received int"),
        ("{", "received Expecting property name"),
        ('{"ds": ' + "[" * 100_000 + "]" * 100_000 + "}", "recursion"),
        ("NaN", "received float"),
    ],
)
def test_lines_that_are_no_objects(tmp_path, line, received):
    path = tmp_path / "a.jsonl"
    path.write_text('{"ds": 1, "y": 2}\n\n' + line + "\n")
    with pytest.raises(DataError) as caught:
        read_table(path, Columns())
    assert f"{path}, line 3: expected a JSON object" in str(caught.value)
    assert received in str(caught.value)


def test_a_field_that_never_ends(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('ds,y\n1,2\n"' + "x" * 300_000)
    refused(path, "a.csv")
    path.write_text('"' + "x" * 300_000)
    refused(path, "a.csv")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.xlsx"])
def test_a_pipe_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(MissingFileError, match="expected a file with a table, received a pipe, which - reads"):
        read_table(tmp_path / name, Columns())


def test_a_value_of_millions_of_letters_is_not_taken_for_a_time_nor_shown(tmp_path):
    path = tmp_path / "a.csv"
    for text in ('ds,y\n"' + "'" * 2_000_000 + '",1\n', 'ds,y\n1,"' + "x" * 2_000_000 + '"\n'):
        path.write_text(text)
        with pytest.raises(DataError) as caught:
            read_table(path, Columns())
        assert len(str(caught.value)) < 400
