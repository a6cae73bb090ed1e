"""Packed text is unpacked in pieces, up to a limit; what is no plain packed text is refused."""

import gzip
import io
import os
import sys
import zipfile
from types import SimpleNamespace

import pytest
import zstandard

from seqcast.data.frames.reader_process import STANDARD_INPUT, read_bytes
from seqcast.errors import DataError
from seqcast.runtime.files import FileLimits

MIB = 1 << 20
TEXT = "".join(f"{place},{place * 7 % 13}\n" for place in range(5000)).encode()


def zipped(content, name="table.csv", **settings):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **{"compression": zipfile.ZIP_DEFLATED, **settings}) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


PACKERS = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress, ".zip": zipped}


@pytest.fixture(params=PACKERS)
def suffix(request):
    return request.param


def refused(path, text, limits=None):
    with pytest.raises(DataError) as caught:
        read_bytes(path, limits)
    assert text in str(caught.value)
    assert caught.value.path == str(path)


def test_content_is_what_was_packed(tmp_path, suffix):
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(PACKERS[suffix](TEXT))
    assert read_bytes(path) == TEXT


@pytest.mark.parametrize("packer", [".gz", ".zst"])
def test_parts_that_were_packed_one_by_one_are_all_read(tmp_path, packer):
    path = tmp_path / f"a.csv{packer}"
    path.write_bytes(PACKERS[packer](TEXT) + PACKERS[packer](TEXT))
    assert read_bytes(path) == TEXT + TEXT


def test_a_file_that_ends_too_early_is_refused(tmp_path, suffix):
    path, whole = tmp_path / f"a.csv{suffix}", PACKERS[suffix](os.urandom(5000))
    for length in (len(whole) - 1, len(whole) // 2, 30):
        path.write_bytes(whole[:length])
        refused(path, f"expected a {suffix} file, received something else")


def test_a_bomb_is_not_unpacked(tmp_path, suffix, memory_at_most):
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(PACKERS[suffix](bytes(256 * MIB)))
    with memory_at_most(80 * MIB):
        refused(path, "received more")
    refused(path, "If you trust the file, allow more: max_size='8GB'")
    refused(path, "expected at most 20 MB, received more", FileLimits.of("20 MB"))


def test_what_a_user_allows_is_unpacked(tmp_path, suffix):
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(PACKERS[suffix](bytes(20 * MIB)))
    refused(path, "received more")
    assert len(read_bytes(path, FileLimits.of("30MB"))) == 20 * MIB


def test_an_archive_in_an_archive_is_refused(tmp_path, suffix):
    for kind, name in ((".gz", "gzip"), (".zst", "Zstandard"), (".zip", "zip")):
        path = tmp_path / f"a.csv{suffix}"
        path.write_bytes(PACKERS[suffix](PACKERS[kind](TEXT)))
        refused(path, f"expected text in it, received a {name} archive in it")


def test_sizes_that_a_zip_claims_are_not_believed(tmp_path):
    whole = zipped(bytes(64 * MIB))
    place = whole.rindex(b"PK\x01\x02") + 24
    path = tmp_path / "a.csv.zip"
    path.write_bytes(whole[:place] + (100).to_bytes(4, "little") + whole[place + 4 :])
    refused(path, "expected a .zip file, received something else (Bad CRC-32")


def test_an_entry_that_is_encrypted_is_refused(tmp_path):
    whole = zipped(TEXT)
    place = whole.rindex(b"PK\x01\x02") + 8
    path = tmp_path / "a.csv.zip"
    path.write_bytes(whole[:place] + b"\x01\x00" + whole[place + 2 :])
    refused(path, "received an encrypted one. Unpack it with its password and give what is in it.")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_have_the_same_limits(tmp_path, compression):
    """Python unpacks a whole entry of some of them at once."""
    path = tmp_path / "a.csv.zip"
    path.write_bytes(zipped(TEXT, compression=compression))
    assert read_bytes(path) == TEXT
    path.write_bytes(zipped(bytes(100 * MIB), compression=compression))
    refused(path, "at most")


def test_plain_files_and_standard_input_have_a_limit_too(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_bytes(TEXT)
    refused(path, f"expected at most 0.001 MB, received {len(TEXT):,} bytes", FileLimits.of(1000))
    for limits, text in ((FileLimits.of(1000), None), (None, TEXT)):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(TEXT)))
        if text is None:
            refused(STANDARD_INPUT, "received more", limits)
        else:
            assert read_bytes(STANDARD_INPUT, limits) == text
