"""Parquet and Feather files are read as pandas reads them, and refused by what they claim before it is unpacked."""

import contextlib
import io
import struct

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest

from seqcast.data.frames.arrow import read_arrow_stream, read_feather, read_parquet
from seqcast.data.frames.declared_sizes import page_sizes
from seqcast.errors import DataError
from seqcast.runtime.limits import FileLimits

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


def refused(read, path, text, limits=LIMITS):
    with pytest.raises(DataError) as caught:
        read(path, limits)
    assert text in str(caught.value)


@pytest.mark.parametrize("codec", ["snappy", "gzip", "zstd", "lz4", "brotli", None])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_parquet_is_read_as_pandas_reads_it(tmp_path, codec, version, dictionary):
    path = tmp_path / "a.parquet"
    settings = {"data_page_version": version, "use_dictionary": dictionary, "write_page_checksum": True}
    FRAME.to_parquet(path, compression=codec, row_group_size=50, data_page_size=256, **settings)
    pd.testing.assert_frame_equal(read_parquet(path, LIMITS), pd.read_parquet(path))


@pytest.mark.parametrize("codec", ["zstd", "lz4", "uncompressed"])
def test_feather_is_read_as_pandas_reads_it(tmp_path, codec):
    path = tmp_path / "a.feather"
    FRAME.to_feather(path, compression=codec, chunksize=50)
    pd.testing.assert_frame_equal(read_feather(path, LIMITS), pd.read_feather(path))


@pytest.mark.parametrize("codec", ["zstd", "lz4", "uncompressed"])
def test_files_of_polars_are_read(tmp_path, codec):
    frame = pl.from_pandas(FRAME.drop(columns="kind"))
    frame.write_ipc(tmp_path / "a.feather", compression=codec)
    frame.write_parquet(tmp_path / "a.parquet", compression=codec, row_group_size=50)
    for read, name in ((read_feather, "a.feather"), (read_parquet, "a.parquet")):
        values = read(tmp_path / name, LIMITS)
        np.testing.assert_array_equal(values["y"], FRAME["y"])
        assert values["unique_id"].fillna("").tolist() == FRAME["unique_id"].fillna("").tolist()


def test_the_pages_add_up_to_what_was_written(tmp_path):
    path = tmp_path / "a.parquet"
    FRAME.to_parquet(path, compression="zstd", row_group_size=50, data_page_size=256)
    facts = pq.ParquetFile(path).metadata
    with path.open("rb") as file:
        for number in range(facts.num_row_groups):
            for place in range(facts.num_columns):
                chunk = facts.row_group(number).column(place)
                start = chunk.dictionary_page_offset or chunk.data_page_offset
                sizes = list(page_sizes(file, start, chunk.total_compressed_size))
                assert sizes
                # The footer counts the pages' headers too.
                assert 0 <= chunk.total_uncompressed_size - sum(sizes) < 200 * len(sizes)


# ---------------------------------------------------------------- what is too large


@pytest.mark.parametrize(("read", "write"), [(read_parquet, pq.write_table), (read_feather, pf.write_feather)])
def test_numbers_that_unpack_to_too_much(tmp_path, read, write, memory_at_most):
    path = tmp_path / "a"
    write(pa.table({"y": np.zeros(10_000_000)}), path, compression="zstd")
    before = pa.total_allocated_bytes()
    with memory_at_most(MIB):
        refused(read, path, "expected at most 67.11 MB, received")
    assert pa.total_allocated_bytes() - before < 2 * MIB
    assert len(read(path, FileLimits.of("100 MB"))) == 10_000_000


@pytest.mark.parametrize("stored", [True, False])
def test_text_that_stands_once_and_is_used_often(tmp_path, stored):
    ids = pa.DictionaryArray.from_arrays(np.zeros(100_000, dtype=np.int32), pa.array(["x" * 10_000]))
    pq.write_table(pa.table({"unique_id": ids}), tmp_path / "a", store_schema=stored)
    refused(read_parquet, tmp_path / "a", "text of ")


def test_views_of_one_text(tmp_path):
    text = ("x" * 10_000).encode()
    places = struct.pack("<i4sii", len(text), text[:4], 0, 0) * 100_000
    view = pa.Array.from_buffers(pa.string_view(), 100_000, [None, pa.py_buffer(places), pa.py_buffer(text)])
    pf.write_feather(pa.table({"unique_id": view}), tmp_path / "a", compression="uncompressed")
    refused(read_feather, tmp_path / "a", "received")


@pytest.mark.parametrize(("read", "write"), [(read_parquet, pq.write_table), (read_feather, pf.write_feather)])
def test_too_many_columns(tmp_path, read, write):
    write(pa.table({f"c{place}": [1.0] for place in range(300)}), tmp_path / "a")
    refused(read, tmp_path / "a", "expected at most 100 columns, received 300", FileLimits.of("5 MB"))


def test_too_many_row_groups(tmp_path):
    pq.write_table(pa.table({"y": np.arange(300.0)}), tmp_path / "a", row_group_size=1)
    refused(read_parquet, tmp_path / "a", "expected at most 100 row groups, received 300", FileLimits.of("5 MB"))


@pytest.mark.parametrize(("read", "write"), [(read_parquet, pq.write_table), (read_feather, pf.write_feather)])
@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.struct({"a": pa.int64()}), pa.map_(pa.int64(), pa.int64())])
def test_columns_of_lists_and_the_like(tmp_path, read, write, kind):
    write(pa.table({"y": [1.0], "more": pa.array([None], kind)}), tmp_path / "a")
    refused(read, tmp_path / "a", "expected numbers, text, times or flags, received")


# ---------------------------------------------------------------- files that lie


def test_a_footer_that_claims_less_than_its_pages_hold(tmp_path):
    """The footer and its pages are from two files of the same layout; only the pages unpack to much."""
    path, rows = tmp_path / "a", 12_000_000
    buffer = io.BytesIO()
    settings = {"compression": "zstd", "use_dictionary": False, "write_statistics": False}
    pq.write_table(pa.table({"y": np.zeros(rows)}), buffer, row_group_size=rows, **settings)
    whole = buffer.getvalue()
    length = struct.unpack("<I", whole[-8:-4])[0]
    footer = whole[-8 - length :]
    # Thrift writes numbers in seven bits a byte: one row less in the same number of bytes, wherever rows are counted.
    lied = footer.replace(_varint(rows), _varint(rows // 2))
    assert lied.count(_varint(rows // 2)) >= 2
    path.write_bytes(whole[: -8 - length] + lied)
    limits = FileLimits.of(rows // 2 * 8 + 1000)
    refused(read_parquet, path, "received pages of", limits)


def _varint(number):
    number, parts = 2 * number, []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


@pytest.mark.parametrize("seed", range(40))
def test_damaged_feather_is_refused_or_read(tmp_path, seed):
    rng, path = np.random.default_rng(seed), tmp_path / "a"
    FRAME.to_feather(path, compression="zstd" if seed % 2 else "lz4", chunksize=50)
    data = bytearray(path.read_bytes())
    if seed % 4 == 0:
        del data[int(rng.integers(len(data))) :]
    else:
        for _ in range(int(rng.integers(1, 6))):
            data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    path.write_bytes(data)
    from seqcast.data.frames.io import read_table
    from seqcast.specs.columns import Columns

    feather = path.rename(tmp_path / "a.feather")
    try:
        read_table(feather, Columns())
    except DataError as error:
        assert str(error)  # noqa: PT017


@pytest.mark.parametrize("data", [b"", b"\x15", b"\x15\x80", b"\xff" * 20, b"\x1c" * 40, b"\x19\xff\xff\xff\x7f"])
def test_pages_without_a_header(data):
    with pytest.raises(ValueError, match=r"page|header|structures|number|field"):
        list(page_sizes(io.BytesIO(data + b"\0" * (not data)), 0, len(data) or 1))


# ---------------------------------------------------------------- streams


def stream_of(table, **options):
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as stream:
        stream.write_table(table)
    return buffer.getvalue()


LITTLE = FileLimits(size=MIB, ratio=None)


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_a_stream_comes_back(compression):
    columns = {"id": pa.array(["a", "b"] * 50).dictionary_encode(), "y": range(100), "when": [None] * 100}
    columns["view"] = pa.array(["text"] * 100, pa.string_view())
    read = read_arrow_stream(stream_of(pa.table(columns), compression=compression), LITTLE, 100)
    assert read.column("id").to_pylist() == ["a", "b"] * 50
    assert read.column("y").to_pylist() == list(range(100))
    assert str(read.schema.field("view").type) == "string"


LONG_TEXT = pa.array(["x" * 10_000] * 2000).dictionary_encode()
LARGE = [
    (pa.table({"y": np.zeros(400_000)}), "at most 1.049 MB"),
    (pa.table({"y": np.zeros(1001)}), "at most 1,000 rows"),
    (pa.table({"text": LONG_TEXT.slice(0, 900)}), "text of 9,000,000 bytes and more"),
    (pa.table({"y": [[1.0]]}), "expected numbers, text, times or flags, received list"),
    (pa.table({str(n): [1] for n in range(101)}), "at most 100 columns"),
]


@pytest.mark.parametrize(("table", "message"), LARGE)
def test_streams_that_claim_too_much_are_refused(table, message):
    with pytest.raises(DataError, match=message):
        read_arrow_stream(stream_of(table, compression="zstd"), LITTLE, 1000)


def test_damaged_streams_are_refused():
    data = stream_of(pa.table({"id": ["a", "b"], "y": [1.0, 2.0]}))
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(data[: rng.integers(1, len(data) + 1)])
        damaged[rng.integers(len(damaged))] = rng.integers(256)
        with contextlib.suppress(DataError):  # and no other error
            read_arrow_stream(bytes(damaged), LITTLE, 1000)
