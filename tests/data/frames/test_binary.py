"""Parquet and Feather files and workbooks are read as pandas reads them, and refused where they hold too much."""

import gzip
import io
import json
import struct

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest

from seqcast.data.frames.io import read_raw
from seqcast.data.frames.reader_process import column_names, read_binary
from seqcast.errors import DataError, SpecError
from seqcast.runtime.files import FileLimits

MIB = 1 << 20
LIMITS = FileLimits()
FRAME = pd.DataFrame(
    {
        "unique_id": ["a", "ü", None] * 40,
        "ds": pd.date_range("2024-01-01", periods=120, tz="UTC"),
        "y": np.arange(120.0) / 7,
        "count": np.arange(120) % 5,
        "open": np.arange(120) % 2 == 0,
        "kind": pd.Categorical(["x", "y", "x"] * 40),
        "empty": [None] * 120,
    }
)
# Text is written out.
PLAIN = FRAME.astype({"kind": "str"})
WRITERS = {"Parquet": pq.write_table, "Feather": pf.write_feather}


@pytest.fixture(params=WRITERS)
def kind(request):
    return request.param


def refused(kind, path, text, limits=LIMITS):
    with pytest.raises(DataError) as caught:
        read_binary(kind, path, limits)
    assert text in str(caught.value)
    assert caught.value.path == str(path)


@pytest.mark.parametrize("codec", ["snappy", "gzip", "zstd", "lz4", "brotli", None])
def test_parquet_is_read_as_pandas_reads_it(tmp_path, codec):
    path, other = tmp_path / "a.parquet", codec in ("gzip", "lz4", None)
    settings = {"data_page_version": "2.0" if other else "1.0", "use_dictionary": other, "write_page_checksum": True}
    FRAME.to_parquet(path, compression=codec, row_group_size=50, data_page_size=256, **settings)
    pd.testing.assert_frame_equal(read_binary("Parquet", path, LIMITS), PLAIN)
    assert column_names(path) == list(FRAME.columns)


@pytest.mark.parametrize("codec", ["zstd", "lz4", "uncompressed"])
def test_feather_is_read_as_pandas_reads_it(tmp_path, codec):
    path = tmp_path / "a.feather"
    FRAME.to_feather(path, compression=codec, chunksize=50)
    pd.testing.assert_frame_equal(read_binary("Feather", path, LIMITS), PLAIN)


def test_a_long_table_comes_in_pieces_and_stays_in_order(tmp_path, kind):
    rows = 200_000
    table = pa.table({"y": np.arange(rows), "text": np.arange(rows).astype(str)})
    WRITERS[kind](table, tmp_path / "a")
    pd.testing.assert_frame_equal(read_binary(kind, tmp_path / "a", LIMITS), table.to_pandas())


@pytest.mark.parametrize("sheet", [None, "Sales"])
def test_a_sheet_of_a_workbook_is_read(tmp_path, sheet):
    path = tmp_path / "a.xlsx"
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=50), "y": np.arange(50.0), "id": "ü"})
    with pd.ExcelWriter(path) as book:
        frame.to_excel(book, sheet_name="Sales", index=False)
        frame.head(3).to_excel(book, sheet_name="Other", index=False)
    pd.testing.assert_frame_equal(read_binary("Excel", path, LIMITS, sheet), frame, check_dtype=False)
    with pytest.raises(SpecError, match=r"sheet: expected one of 'Sales', 'Other', received 'Sale'\. Did you mean"):
        read_binary("Excel", path, LIMITS, "Sale")


# ---------------------------------------------------------------- what is too large


def test_numbers_that_unpack_to_too_much(tmp_path, kind, memory_at_most):
    path = tmp_path / "a"
    WRITERS[kind](pa.table({"y": np.zeros(10_000_000)}), path, compression="zstd")
    before = pa.total_allocated_bytes()
    with memory_at_most(80 * MIB):
        refused(kind, path, "expected at most 67.11 MB, received")
    assert pa.total_allocated_bytes() - before < 2 * MIB
    assert len(read_binary(kind, path, FileLimits.of("100 MB"))) == 10_000_000


@pytest.mark.parametrize("stored", [True, False])
def test_text_that_stands_once_and_is_used_often(tmp_path, kind, stored):
    ids = pa.DictionaryArray.from_arrays(np.zeros(100_000, dtype=np.int32), pa.array(["x" * 10_000]))
    settings = {"store_schema": stored} if kind == "Parquet" else {"compression": "zstd" if stored else "lz4"}
    WRITERS[kind](pa.table({"unique_id": ids}), tmp_path / "a", **settings)
    refused(kind, tmp_path / "a", "at most 67.11 MB, received more")


def test_views_of_one_text(tmp_path):
    text = ("x" * 10_000).encode()
    places = struct.pack("<i4sii", len(text), text[:4], 0, 0) * 100_000
    view = pa.Array.from_buffers(pa.string_view(), 100_000, [None, pa.py_buffer(places), pa.py_buffer(text)])
    pf.write_feather(pa.table({"unique_id": view}), tmp_path / "a", compression="uncompressed")
    refused("Feather", tmp_path / "a", "received more")


def test_rows_of_nothing_are_counted(tmp_path, kind):
    settings = {"chunksize": 20_000_000} if kind == "Feather" else {}
    WRITERS[kind](pa.table({"y": pa.nulls(20_000_000)}), tmp_path / "a", **settings)
    refused(kind, tmp_path / "a", "rows of 1 columns, 67,")


def test_too_many_columns(tmp_path, kind):
    WRITERS[kind](pa.table({f"c{place}": [1.0] for place in range(300)}), tmp_path / "a")
    refused(kind, tmp_path / "a", "expected at most 100 columns, received 300", FileLimits.of("5 MB"))


@pytest.mark.parametrize("nested", [pa.list_(pa.int64()), pa.struct({"a": pa.int64()})])
def test_columns_of_lists_and_the_like(tmp_path, kind, nested):
    WRITERS[kind](pa.table({"y": [1.0], "more": pa.array([None], nested)}), tmp_path / "a")
    refused(kind, tmp_path / "a", "column 'more': expected numbers, text, times or flags, received")


def test_a_column_that_stands_twice(tmp_path, kind):
    table = pa.Table.from_arrays([pa.array([1.0])] * 2, names=["y", "y"])
    writer = pq.write_table if kind == "Parquet" else write_ipc
    writer(table, tmp_path / "a")
    refused(kind, tmp_path / "a", "expected each column once, received 'y' twice")


def write_ipc(table, path):
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)


# ---------------------------------------------------------------- files that lie


def test_a_footer_that_claims_less_than_its_pages_hold(tmp_path):
    """Only the pages unpack to much: they are of another file of the same layout, with more rows."""
    path, rows = tmp_path / "a", 12_000_000
    buffer = io.BytesIO()
    settings = {"compression": "zstd", "use_dictionary": False, "write_statistics": False, "data_page_size": 1 << 40}
    pq.write_table(pa.table({"y": np.zeros(rows)}), buffer, row_group_size=rows, **settings)
    whole = buffer.getvalue()
    length = struct.unpack("<I", whole[-8:-4])[0]
    footer = whole[-8 - length :]
    # Thrift writes numbers in seven bits a byte: less rows in the same number of bytes, wherever they are counted.
    few = 3_000_000
    lied = footer.replace(_varint(rows), _varint(few))
    assert lied.count(_varint(few)) >= 2
    path.write_bytes(whole[: -8 - length] + lied)
    try:
        assert len(read_binary("Parquet", path, LIMITS)) <= few
    except DataError as error:
        assert "something else (" in str(error) or "received more" in str(error)  # noqa: PT017


def _varint(number):
    number, parts = 2 * number, []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def test_what_pandas_says_of_columns_is_not_obeyed(tmp_path):
    path = tmp_path / "a.parquet"
    frame = pd.DataFrame({"ds": [1, 3, 4], "y": [1.0, 2.0, 3.0]}).set_index("ds")
    frame.to_parquet(path)
    assert sorted(read_raw(path).columns) == ["ds", "y"]
    frame.reset_index()[::-1].to_parquet(path)
    assert list(read_raw(path).columns) == ["ds", "y"]
    table = pa.table({"ds": [1], "y": [1.0], "z": [2.0]})
    columns = [{"name": "y", "field_name": name, "pandas_type": "float64"} for name in ("y", "z")]
    facts = {"index_columns": [], "columns": columns, "column_indexes": []}
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(facts)}), path)
    assert list(read_raw(path).columns) == ["ds", "y", "z"]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("Parquet", b"PAR1" * 3),
        ("Parquet", b"a,b"),
        ("Feather", b"ARROW1" * 9),
        ("Feather", b""),
        ("Excel", b"PK\x03\x04" + bytes(100)),
        ("Excel", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
        ("excel", gzip.compress(b"a", mtime=0)),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path, kind, data):
    (tmp_path / "a.xls").write_bytes(data)
    refused(kind, tmp_path / "a.xls", "received something else (")


def test_indices_that_lead_out_of_their_dictionary_are_refused(tmp_path):
    index = np.full(5, 77, dtype=np.int32)
    ids = pa.DictionaryArray.from_arrays(pa.array(index), pa.array(["a"]), safe=False)
    write_ipc(pa.table({"unique_id": ids}), tmp_path / "a")
    refused("Feather", tmp_path / "a", "received something else (")
