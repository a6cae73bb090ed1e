"""Parquet, Feather and packed text are read as other libraries read them, and rejected where they hold too much."""

import gzip
import io
import json
import os
import struct
import sys
import zipfile
from types import SimpleNamespace

import hostile_workbooks
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest
import zstandard

from seqcast.errors import DataError
from seqcast.runtime.file_checks import FileLimits
from seqcast.tables.open_table import read_raw
from seqcast.tables.reader_process import STANDARD_INPUT, column_names, read_binary, read_bytes

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
TEXT = "".join(f"{place},{place * 7 % 13}\n" for place in range(5000)).encode()


def zipped(content, compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("table.csv", content)
    return buffer.getvalue()


PACKERS = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress, ".zip": zipped}
each_kind = pytest.mark.parametrize("kind", WRITERS)
each_packer = pytest.mark.parametrize("suffix", PACKERS)


def rejected(kind, path, text, limits=LIMITS):
    """Expect an error that names the file; `kind` is `None` for text."""
    with pytest.raises(DataError) as caught:
        read_bytes(path, limits) if kind is None else read_binary(kind, path, limits)
    assert text in str(caught.value)
    assert caught.value.path == str(path)


CODECS = [("Parquet", codec) for codec in ("snappy", "gzip", "zstd", "lz4", "brotli", None)]
CODECS += [("Feather", codec) for codec in ("zstd", "lz4", "uncompressed")]


@pytest.mark.parametrize(("kind", "codec"), CODECS)
def test_tables_are_read_as_pandas_reads_them(tmp_path, kind, codec):
    path = tmp_path / f"a.{kind.lower()}"
    other = codec in ("gzip", "lz4", None)
    settings = {
        "data_page_version": "2.0" if other else "1.0",
        "use_dictionary": other,
        "write_page_checksum": True,
    }
    if kind == "Parquet":
        FRAME.to_parquet(path, compression=codec, row_group_size=50, data_page_size=256, **settings)
        assert column_names(path) == list(FRAME.columns)
    else:
        FRAME.to_feather(path, compression=codec, chunksize=50)
    pd.testing.assert_frame_equal(read_binary(kind, path, LIMITS).frame, PLAIN)


@each_kind
def test_a_long_table_comes_in_pieces_and_stays_in_order(tmp_path, kind):
    table = pa.table({"y": np.arange(200_000), "text": np.arange(200_000).astype(str)})
    WRITERS[kind](table, tmp_path / "a")
    pd.testing.assert_frame_equal(
        read_binary(kind, tmp_path / "a", LIMITS).frame, table.to_pandas()
    )


@each_kind
def test_numbers_that_unpack_to_too_much(tmp_path, kind, memory_at_most):
    path = tmp_path / "a"
    WRITERS[kind](pa.table({"y": np.zeros(10_000_000)}), path, compression="zstd")
    before = pa.total_allocated_bytes()
    with memory_at_most(80 * MIB):
        rejected(kind, path, "expected at most 67.11 MB, received")
    assert pa.total_allocated_bytes() - before < 2 * MIB
    assert len(read_binary(kind, path, FileLimits.of("100 MB")).frame) == 10_000_000


COLUMNS = pa.table({f"c{place}": [1.0] for place in range(300)})
TABLES = {
    "rows of nothing": (
        pa.table({"y": pa.nulls(20_000_000)}),
        LIMITS,
        "20,000,000 rows of 1 columns, 160,",
    ),
    "columns": (COLUMNS, FileLimits.of("5 MB"), "expected at most 100 columns, received 300"),
    "lists": (
        pa.table({"more": pa.array([None], pa.list_(pa.int64()))}),
        LIMITS,
        "column 'more': expected numbers, ",
    ),
    "structs": (
        pa.table({"more": pa.array([None], pa.struct({"a": pa.int64()}))}),
        LIMITS,
        "text, times or flags, re",
    ),
}


@each_kind
@pytest.mark.parametrize("name", TABLES)
def test_tables_that_are_rejected(tmp_path, kind, name):
    table, limits, text = TABLES[name]
    WRITERS[kind](table, tmp_path / "a", **({"chunksize": len(table)} if kind == "Feather" else {}))
    rejected(kind, tmp_path / "a", text, limits)


def write_ipc(table, path):
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)


@pytest.mark.parametrize(("kind", "write"), [("Parquet", pq.write_table), ("Feather", write_ipc)])
def test_a_column_that_stands_twice(tmp_path, kind, write):
    write(pa.Table.from_arrays([pa.array([1.0])] * 2, names=["y", "y"]), tmp_path / "a")
    rejected(kind, tmp_path / "a", "expected each column once, received 'y' twice")


# ---------------------------------------------------------------- files that lie


def test_a_footer_that_claims_less_than_its_pages_hold(tmp_path):
    """Only the pages unpack to much: they are of another file of the same layout, with more rows."""
    path = tmp_path / "a"
    rows = 12_000_000
    few = 3_000_000
    settings = {
        "compression": "zstd",
        "use_dictionary": False,
        "write_statistics": False,
        "data_page_size": 1 << 40,
    }
    pq.write_table(pa.table({"y": np.zeros(rows)}), path, row_group_size=rows, **settings)
    whole = path.read_bytes()
    start = len(whole) - 8 - struct.unpack("<I", whole[-8:-4])[0]
    # Thrift writes twice a number, in seven bits a byte: both take the same number of bytes.
    claimed = hostile_workbooks.seven_bits(2 * few)
    footer = whole[start:].replace(hostile_workbooks.seven_bits(2 * rows), claimed)
    assert footer.count(claimed) >= 2
    path.write_bytes(whole[:start] + footer)
    try:
        assert len(read_binary("Parquet", path, LIMITS).frame) <= few
    except DataError as error:
        assert "something else (" in str(error) or "received more" in str(error)  # noqa: PT017


def test_what_pandas_says_of_columns_is_not_obeyed(tmp_path):
    path = tmp_path / "a.parquet"
    frame = pd.DataFrame({"ds": [1, 3, 4], "y": [1.0, 2.0, 3.0]}).set_index("ds")
    frame.to_parquet(path)
    assert sorted(read_raw(path).frame.columns) == ["ds", "y"]
    frame.reset_index()[::-1].to_parquet(path)
    assert list(read_raw(path).frame.columns) == ["ds", "y"]
    columns = [{"name": "y", "field_name": name, "pandas_type": "float64"} for name in ("y", "z")]
    facts = json.dumps({"index_columns": [], "columns": columns, "column_indexes": []})
    table = pa.table({"ds": [1], "y": [1.0], "z": [2.0]})
    pq.write_table(table.replace_schema_metadata({"pandas": facts}), path)
    assert list(read_raw(path).frame.columns) == ["ds", "y", "z"]


NO_SUCH_FILES = [
    ("Parquet", b"PAR1" * 3),
    ("Parquet", b"a,b"),
    ("Feather", b"ARROW1" * 9),
    ("Feather", b""),
    ("Excel", b"PK\x03\x04" + bytes(100)),
    ("Excel", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
    ("excel", gzip.compress(b"a", mtime=0)),
]


@pytest.mark.parametrize(("kind", "data"), NO_SUCH_FILES)
def test_what_is_no_such_file_is_rejected(tmp_path, kind, data):
    (tmp_path / "a.xls").write_bytes(data)
    rejected(kind, tmp_path / "a.xls", "received something else (")


def test_indices_that_lead_out_of_their_dictionary_are_rejected(tmp_path):
    ids = pa.DictionaryArray.from_arrays(pa.array([77], pa.int32()), pa.array(["a"]), safe=False)
    write_ipc(pa.table({"unique_id": ids}), tmp_path / "a")
    rejected("Feather", tmp_path / "a", "received something else (")


# ---------------------------------------------------------------- packed text


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_parts_that_were_packed_one_by_one_are_all_read(tmp_path, suffix):
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(PACKERS[suffix](TEXT) + PACKERS[suffix](TEXT))
    assert read_bytes(path) == TEXT + TEXT


@each_packer
def test_a_file_that_ends_too_early_is_rejected(tmp_path, suffix):
    path = tmp_path / f"a.csv{suffix}"
    whole = PACKERS[suffix](os.urandom(5000))
    for length in (len(whole) - 1, len(whole) // 2, 30):
        path.write_bytes(whole[:length])
        rejected(None, path, f"expected a {suffix} file, received something else")


@each_packer
def test_a_bomb_is_not_unpacked(tmp_path, suffix, memory_at_most):
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(PACKERS[suffix](bytes(256 * MIB)))
    with memory_at_most(80 * MIB):
        rejected(None, path, "received more")
    rejected(None, path, "If you trust the file, allow more: max_size='8GB'")
    rejected(None, path, "expected at most 20 MB, received more", FileLimits.of("20 MB"))
    path.write_bytes(PACKERS[suffix](bytes(20 * MIB)))
    rejected(None, path, "received more")
    assert len(read_bytes(path, FileLimits.of("30MB"))) == 20 * MIB


@each_packer
@pytest.mark.parametrize(
    ("inner", "name"), [(".gz", "gzip"), (".zst", "Zstandard"), (".zip", "zip")]
)
def test_an_archive_in_an_archive_is_rejected(tmp_path, suffix, inner, name):
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(PACKERS[suffix](PACKERS[inner](TEXT)))
    rejected(None, path, f"expected text in it, received a {name} archive in it")


CLAIMS = [
    (bytes(64 * MIB), 24, (100).to_bytes(4, "little"), "received something else (Bad CRC-32"),
    (
        TEXT,
        8,
        b"\x01\x00",
        "received an encrypted one. Unpack it with its password and give its content.",
    ),
]


@pytest.mark.parametrize(("content", "place", "claim", "text"), CLAIMS, ids=["size", "encrypted"])
def test_sizes_that_a_zip_claims_are_not_believed(tmp_path, content, place, claim, text):
    whole = zipped(content)
    place += whole.rindex(b"PK\x01\x02")
    (tmp_path / "a.csv.zip").write_bytes(whole[:place] + claim + whole[place + len(claim) :])
    rejected(None, tmp_path / "a.csv.zip", text)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_have_the_same_limits(tmp_path, compression):
    """Python unpacks a whole entry of some of them at once."""
    path = tmp_path / "a.csv.zip"
    path.write_bytes(zipped(TEXT, compression))
    assert read_bytes(path) == TEXT
    path.write_bytes(zipped(bytes(100 * MIB), compression))
    rejected(None, path, "at most")


def test_plain_files_and_standard_input_have_a_limit_too(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_bytes(TEXT)
    small = FileLimits.of(1000)
    rejected(
        None, tmp_path / "a.csv", f"expected at most 0.001 MB, received {len(TEXT):,} bytes", small
    )
    for read in (
        lambda: rejected(None, STANDARD_INPUT, "received more", small),
        lambda: read_bytes(STANDARD_INPUT),
    ):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(TEXT)))
        assert read() in (None, TEXT)
