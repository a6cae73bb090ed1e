"""Hostile Feather files, each made from a valid one by a seed."""

import io
import struct

import numpy as np
import pyarrow as pa
import pyarrow.feather as pf
from hostile_tables import flip

# The end of a file: the length of its footer and the sign.
END_BYTES = 10


def mutate(whole, rng):
    """Return the bytes of a hostile file made from a valid one, and how it was made."""
    kind = str(rng.choice(list(KINDS)))
    return KINDS[kind](whole, rng), kind


def footer_start(whole):
    return len(whole) - END_BYTES - struct.unpack("<I", whole[-END_BYTES : 4 - END_BYTES])[0]


def flip_footer(whole, rng):
    return flip(whole, rng, low=footer_start(whole))


def change_lengths(whole, rng):
    """Claim other lengths: of buffers, messages, blocks and rows, which are whole numbers of eight bytes."""
    data = bytearray(whole)
    for _ in range(int(rng.integers(1, 5))):
        place = int(rng.integers(len(data) // 8)) * 8
        data[place : place + 8] = struct.pack("<q", int(rng.choice([-1, 0, 2**20, 2**31, 2**40, 2**62, 2**63 - 1])))
    return bytes(data[: len(whole)])


def change_end(whole, rng):
    """Claim another length of the footer."""
    length = int(rng.choice([0, 1, 2**31 - 1, 2**32 - 1, len(whole), int(rng.integers(len(whole)))]))
    return whole[:-END_BYTES] + struct.pack("<I", length) + whole[4 - END_BYTES :]


def truncate(whole, rng):
    kept = whole[: int(rng.integers(0, len(whole)))]
    return kept + (whole[-END_BYTES:] if rng.random() < 0.3 else b"")


def written(table, compression="zstd"):
    buffer = io.BytesIO()
    pf.write_feather(table, buffer, compression=compression, chunksize=max(1, len(table)))
    return buffer.getvalue()


def views(rows, text):
    """Return rows that are all views of one text."""
    places = struct.pack("<i4sii", len(text), text[:4], 0, 0) * rows
    return pa.Array.from_buffers(pa.string_view(), rows, [None, pa.py_buffer(places), pa.py_buffer(text)])


def bomb(whole, rng):
    """Let a small file hold tens of millions of rows, rows of nothing, long text many times, or many columns."""
    choice = int(rng.integers(5))
    if choice == 0:
        return written(pa.table({"ds": np.arange(4), "y": np.zeros(4)} | {"none": [None] * 4}).take([0] * 3_000_000))
    if choice == 1:
        rows = int(rng.choice([1_000_000, 2_000_000_000]))
        return written(pa.table({name: pa.nulls(rows) for name in ("ds", "y")}))
    if choice == 2:
        text = "x" * int(rng.choice([1000, 100_000, 5_000_000]))
        ids = pa.DictionaryArray.from_arrays(np.zeros(100_000, dtype=np.int32), pa.array([text]))
        return written(pa.table({"unique_id": ids, "ds": np.arange(100_000), "y": np.zeros(100_000)}))
    if choice == 3:
        return written(pa.table({"unique_id": views(20_000, b"x" * 100_000)}), "uncompressed")
    return written(pa.table({f"c{place}": [1.0] for place in range(int(rng.choice([3_000, 30_000])))}))


KINDS = {
    "flip": flip,
    "flip footer": flip_footer,
    "change lengths": change_lengths,
    "change lengths again": change_lengths,
    "change end": change_end,
    "truncate": truncate,
    "bomb": bomb,
}
