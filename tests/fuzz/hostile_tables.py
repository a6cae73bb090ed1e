"""Hostile Parquet and Feather files, each made from a valid one by a seed.

Both end in the length of their footer, in four bytes, and a sign: `PAR1` or `ARROW1`.
"""

import io
import struct

import numpy as np
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq


def end_of(whole):
    """Return where the length of the footer stands."""
    return len(whole) - (10 if whole.endswith(b"ARROW1") else 8)


def footer_start(whole):
    end = end_of(whole)
    return end - struct.unpack("<I", whole[end : end + 4])[0]


def flip(whole, rng, low=0, high=None):
    data = bytearray(whole)
    for _ in range(int(rng.integers(1, 9))):
        data[int(rng.integers(low, high or len(data)))] ^= 1 << int(rng.integers(8))
    return bytes(data)


def flip_footer(whole, rng):
    return flip(whole, rng, low=footer_start(whole))


def flip_pages(whole, rng):
    """Flip bits of the pages' headers and contents."""
    return flip(whole, rng, high=footer_start(whole))


def splice_footer(whole, rng):
    """Put random bytes into the footer: counts, sizes, offsets and types."""
    place = int(rng.integers(footer_start(whole), end_of(whole)))
    size = int(rng.integers(1, 12))
    return whole[:place] + rng.bytes(size) + whole[min(place + size, end_of(whole)) :]


def change_length(whole, rng):
    """Claim another length of the footer."""
    end = end_of(whole)
    length = int(
        rng.choice(
            [0, 1, 2**31, 2**32 - 1, len(whole), len(whole) + 1, int(rng.integers(len(whole)))]
        )
    )
    return whole[:end] + struct.pack("<I", length) + whole[end + 4 :]


def change_lengths(whole, rng):
    """Claim other lengths: of buffers, messages, blocks and rows, which Feather writes in eight bytes."""
    data = bytearray(whole)
    for _ in range(int(rng.integers(1, 5))):
        place = int(rng.integers(len(data) // 8)) * 8
        data[place : place + 8] = struct.pack(
            "<q", int(rng.choice([-1, 0, 2**20, 2**31, 2**40, 2**62, 2**63 - 1]))
        )
    return bytes(data[: len(whole)])


def truncate(whole, rng):
    kept = whole[: int(rng.integers(0, len(whole)))]
    return kept + (whole[end_of(whole) :] if rng.random() < 0.3 else b"")


def parquet(table, **settings):
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", **settings)
    return buffer.getvalue()


def feather(table, compression="zstd"):
    buffer = io.BytesIO()
    pf.write_feather(table, buffer, compression=compression, chunksize=max(1, len(table)))
    return buffer.getvalue()


def often(text, rows=100_000):
    """Return rows that all refer to one text of a dictionary."""
    return pa.DictionaryArray.from_arrays(np.zeros(rows, dtype=np.int32), pa.array([text]))


def views(rows, text):
    """Return rows that are all views of one text."""
    places = struct.pack("<i4sii", len(text), text[:4], 0, 0) * rows
    return pa.Array.from_buffers(
        pa.string_view(), rows, [None, pa.py_buffer(places), pa.py_buffer(text)]
    )


def bomb(whole, rng):
    """Let a small file hold tens of millions of rows, rows of nothing, long text many times, or many columns."""
    in_feather = whole.endswith(b"ARROW1")
    choice = int(rng.integers(5))
    write = feather if in_feather else parquet
    if choice == 0:
        numbers = pa.array(np.zeros(int(rng.choice([3_000_000, 30_000_000]))))
        return write(pa.table({"ds": numbers, "y": numbers}))
    if choice == 1:
        rows = int(rng.choice([1_000_000, 2_000_000_000 if in_feather else 20_000_000]))
        return write(pa.table({name: pa.nulls(rows) for name in ("ds", "y")}))
    if choice == 2:
        ids = often("x" * int(rng.choice([1000, 100_000, 5_000_000])))
        table = pa.table({"unique_id": ids, "ds": np.arange(100_000), "y": np.zeros(100_000)})
        return feather(table) if in_feather else parquet(table, store_schema=rng.random() < 0.7)
    if choice == 3 and in_feather:
        return feather(pa.table({"unique_id": views(20_000, b"x" * 100_000)}), "uncompressed")
    if choice == 3:
        nested = pa.array([1.0] * 4)
        for _ in range(int(rng.choice([1, 20, 300]))):
            nested = pa.StructArray.from_arrays([nested], ["a"])
        return parquet(pa.table({"ds": np.arange(4), "y": np.zeros(4), "deep": nested}))
    columns = int(rng.choice([3_000, 15_000, 30_000], p=[0.8, 0.1, 0.1]))
    return write(pa.table({f"c{place}": [1.0] for place in range(columns)}))


PARQUET = [flip, flip_footer, flip_pages, splice_footer, change_length, truncate, bomb]
FEATHER = [flip, flip_footer, change_lengths, change_lengths, change_length, truncate, bomb]
