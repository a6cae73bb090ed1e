"""What the pages of a Parquet file and the messages of an Arrow file say that they unpack to.

The footer of a Parquet file tells this too, but nothing compares it with the pages before they are unpacked. A page's
header is binding: no codec writes more than it says. Headers are read without what they stand before.

Sources: the Parquet format (`PageHeader` in parquet.thrift, Thrift's compact protocol), and the Arrow columnar format
(Message.fbs, flatbuffers).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, Any

__all__ = ["block_offsets", "message_sizes", "page_sizes"]

# A page's header is a few dozen bytes, or more with the least and the greatest text of the page.
_HEADER_BYTES = 1 << 16
# Structures within structures; a page's header has three.
_DEPTH = 8

# Numbers of Thrift's types in its compact protocol.
_TRUE, _FALSE, _BYTE, _INTEGERS, _DOUBLE, _BINARY, _LISTS, _STRUCT = 1, 2, 3, (4, 5, 6), 7, 8, (9, 10), 12
_UNCOMPRESSED, _COMPRESSED = 2, 3

# The end of an Arrow file, after the length of its footer; and a block there: its offset and the lengths of its parts.
_ARROW_END, _BLOCK = b"ARROW1", struct.Struct("<qi4xq")
_RECORD_BATCH, _DICTIONARY_BATCH = 3, 2


def page_sizes(file: IO[bytes], start: int, size: int) -> Iterator[int]:
    """Yield to how many bytes each page of a column chunk unpacks.

    Args:
        file: The open Parquet file.
        start: Where the chunk begins.
        size: Its size in the file.

    Raises:
        ValueError: A page has no header, or leads outside of the chunk.
    """
    place, end = start, start + size
    while place < end:
        file.seek(place)
        header = _Thrift(file.read(min(_HEADER_BYTES, end - place)))
        fields = header.structure()
        packed, unpacked = fields.get(_COMPRESSED, -1), fields.get(_UNCOMPRESSED, -1)
        if packed < 0 or unpacked < 0:
            raise ValueError("a page without a size")
        yield unpacked
        place += header.place + packed


class _Thrift:
    """Whole numbers of a structure in Thrift's compact protocol; the rest is passed over."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def structure(self, depth: int = 0) -> dict[int, int]:
        """Read a structure; return its whole numbers by the number of their field."""
        if depth > _DEPTH:
            raise ValueError("structures that are nested too deep")
        fields, number = {}, 0
        while start := self._byte():
            kind, step = start & 0x0F, start >> 4
            number = number + step if step else self._integer()
            value = self._value(kind, depth)
            if value is not None:
                fields[number] = value
        return fields

    def _value(self, kind: int, depth: int) -> int | None:
        if kind in _INTEGERS:
            return self._integer()
        if kind == _STRUCT:
            self.structure(depth + 1)
        elif kind in (_BYTE, _DOUBLE):
            self._skip(1 if kind == _BYTE else 8)
        elif kind == _BINARY:
            self._skip(self._unsigned())
        elif kind in _LISTS:
            start = self._byte()
            count = self._unsigned() if start >> 4 == 0xF else start >> 4
            for _ in range(count):
                self._value(start & 0x0F, depth + 1)
        elif kind not in (_TRUE, _FALSE):
            raise ValueError(f"a field of kind {kind}")
        return None

    def _byte(self) -> int:
        self._skip(1)
        return self.data[self.place - 1]

    def _skip(self, count: int) -> None:
        if self.place + count > len(self.data):
            raise ValueError("a header that ends too early")
        self.place += count

    def _unsigned(self) -> int:
        number = shift = 0
        while shift < 64:
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
        raise ValueError("a number without an end")

    def _integer(self) -> int:
        number = self._unsigned()
        return (number >> 1) ^ -(number & 1)


def block_offsets(file: Any, size: int) -> list[int]:
    """Return where the blocks of an Arrow file begin, dictionaries first, as its footer tells.

    Args:
        file: The open file.
        size: Its size.

    Raises:
        ValueError: The footer is damaged.
    """
    end = size - len(_ARROW_END) - 4
    file.seek(max(0, end))
    tail = file.read(len(_ARROW_END) + 4)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != _ARROW_END or not 0 < length <= end:
        raise ValueError("an Arrow file without an end")
    file.seek(end - length)
    data = memoryview(file.read(length))
    try:
        root = struct.unpack_from("<I", data, 0)[0]
        return [offset for number in (2, 3) for offset in _blocks(data, _field(data, root, number))]
    except (struct.error, IndexError) as error:
        raise ValueError(f"an Arrow file with a damaged end ({error})") from error


def _blocks(data: memoryview, place: int | None) -> list[int]:
    if place is None:
        return []
    start = place + struct.unpack_from("<I", data, place)[0]
    count = struct.unpack_from("<I", data, start)[0]
    blocks = data[start + 4 : start + 4 + _BLOCK.size * count]
    if len(blocks) < _BLOCK.size * count:
        raise ValueError("an Arrow file with a damaged end")
    return [offset for offset, _, _ in _BLOCK.iter_unpack(blocks)]


def message_sizes(message: Any) -> tuple[int, int]:
    """Return how many rows a message of an Arrow file has, and to how many bytes its buffers unpack.

    Args:
        message: A `pyarrow.ipc.Message`. Schemas have neither.

    Raises:
        ValueError: The message is damaged.
    """
    try:
        rows, size = _message_sizes(message)
    except (struct.error, IndexError) as error:
        raise ValueError(f"a damaged message ({error})") from error
    if rows < 0 or size < 0:
        raise ValueError("a message of less than nothing")
    return rows, size


def _message_sizes(message: Any) -> tuple[int, int]:
    data = memoryview(message.metadata)
    root = struct.unpack_from("<I", data, 0)[0]
    kind = _field(data, root, 1)
    if kind is None or data[kind] not in (_RECORD_BATCH, _DICTIONARY_BATCH):
        return 0, 0
    batch = _table(data, root, 2)
    if data[kind] == _DICTIONARY_BATCH:
        batch = _table(data, batch, 1)
    length, buffers, compression = _field(data, batch, 0), _field(data, batch, 2), _field(data, batch, 3)
    rows = struct.unpack_from("<q", data, length)[0] if length is not None else 0
    if buffers is None:
        return rows, 0
    start = buffers + struct.unpack_from("<I", data, buffers)[0]
    count = struct.unpack_from("<I", data, start)[0]
    pairs = struct.iter_unpack("<qq", data[start + 4 : start + 4 + 16 * count])
    if compression is None:
        return rows, sum(size for _, size in pairs)
    # A compressed buffer begins with the size that it unpacks to, or -1 where it is stored as it is.
    body = memoryview(message.body)
    claimed = [(struct.unpack_from("<q", body, place)[0], size) for place, size in pairs if size]
    return rows, sum(size if unpacked < 0 else unpacked for unpacked, size in claimed)


def _field(data: memoryview, table: int, number: int) -> int | None:
    """Return the place of a field of a flatbuffers table; `None` where it has its default."""
    directory = table - struct.unpack_from("<i", data, table)[0]
    if 4 + 2 * number >= struct.unpack_from("<H", data, directory)[0]:
        return None
    offset = struct.unpack_from("<H", data, directory + 4 + 2 * number)[0]
    return table + offset if offset else None


def _table(data: memoryview, table: int, number: int) -> int:
    """Return the place of a table within a table."""
    place = _field(data, table, number)
    if place is None:
        raise struct.error("a message without content")
    return int(place + struct.unpack_from("<I", data, place)[0])
