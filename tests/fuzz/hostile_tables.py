"""Hostile Parquet files, each made from a valid one by a seed."""

import io
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

MIB = 1 << 20


def mutate(whole, rng):
    """Return the bytes of a hostile file made from a valid one, and how it was made."""
    kind = str(rng.choice(list(KINDS)))
    return KINDS[kind](whole, rng), kind


def footer_start(whole):
    return len(whole) - 8 - struct.unpack("<I", whole[-8:-4])[0]


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
    start = footer_start(whole)
    place, size = int(rng.integers(start, len(whole) - 8)), int(rng.integers(1, 12))
    return whole[:place] + rng.bytes(size) + whole[min(place + size, len(whole) - 8) :]


def change_length(whole, rng):
    """Claim another length of the footer."""
    length = int(rng.choice([0, 1, 2**31, 2**32 - 1, len(whole), len(whole) + 1, int(rng.integers(len(whole)))]))
    return whole[:-8] + struct.pack("<I", length) + whole[-4:]


def truncate(whole, rng):
    kept = whole[: int(rng.integers(0, len(whole)))]
    return kept + (whole[-8:] if rng.random() < 0.3 else b"")


def written(table, **settings):
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", **settings)
    return buffer.getvalue()


def bomb(whole, rng):
    """Let a small file hold tens of millions of rows, long text many times, or many columns."""
    choice, small = int(rng.integers(4)), rng.random() < 0.7
    if choice == 0:
        rows = int(rng.choice([5_000_000, 30_000_000]))
        numbers = pa.array(np.zeros(rows))
        return written(pa.table({"ds": numbers, "y": numbers}))
    if choice == 1:
        text = "x" * int(rng.choice([1000, 100_000, 5_000_000]))
        rows = 10_000 if small else 1_000_000
        ids = pa.DictionaryArray.from_arrays(np.zeros(rows, dtype=np.int32), pa.array([text]))
        return written(pa.table({"unique_id": ids, "ds": np.arange(rows), "y": np.zeros(rows)}), store_schema=small)
    if choice == 2:
        columns = int(rng.choice([3_000, 15_000, 30_000], p=[0.8, 0.1, 0.1]))
        return written(pa.table({f"c{place}": [1.0] for place in range(columns)}))
    names = {"ds": np.arange(4), "y": np.zeros(4)}
    nested = pa.array([1.0] * 4)
    for _ in range(int(rng.choice([1, 20, 300]))):
        nested = pa.StructArray.from_arrays([nested], ["a"])
    return written(pa.table({**names, "deep": nested}))


KINDS = {
    "flip": flip,
    "flip footer": flip_footer,
    "flip pages": flip_pages,
    "splice footer": splice_footer,
    "change length": change_length,
    "truncate": truncate,
    "bomb": bomb,
}
