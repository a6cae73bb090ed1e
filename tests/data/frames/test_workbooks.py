"""Workbooks are read as they were written, and refused by the places of their cells before room is made for them."""

import io
import zipfile
import zlib

import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcast.data.frames import workbooks
from seqcast.data.frames.workbooks import read_workbook
from seqcast.errors import DataError, SpecError
from seqcast.runtime.limits import FileLimits

LIMITS = FileLimits()
SHEET = '<sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="{row}">{cell}</row></sheetData>'


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "a.xlsx"
    pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=50), "y": range(50)}).to_excel(path, index=False)
    return path


def rewrite(path, members):
    """Write a zip anew with other members."""
    with zipfile.ZipFile(path) as old:
        whole = {name: old.read(name) for name in old.namelist()} | members
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in whole.items():
            new.writestr(name, content)


def refused(path, text, limits=LIMITS):
    with pytest.raises(DataError) as caught:
        read_workbook(path, limits)
    assert text in str(caught.value)


def test_a_workbook_is_read(book):
    frame = read_workbook(book, LIMITS)
    assert frame["y"].tolist() == list(range(50))
    with pytest.raises(SpecError, match="sheet: expected one of 'Sheet1', received 'Sheet2'"):
        read_workbook(book, LIMITS, "Sheet2")


def test_two_cells_in_opposite_corners_are_refused(tmp_path):
    book = openpyxl.Workbook()
    book.active["A1"] = "ds"
    book.active.cell(1_048_576, 16_384).value = 1
    book.save(tmp_path / "a.xlsx")
    refused(tmp_path / "a.xlsx", "received 1,048,576 rows of 16,384 columns")


def test_cells_that_are_only_formatted_are_none(tmp_path, book):
    written = openpyxl.load_workbook(book)
    written.active.cell(1_048_576, 16_384).fill = openpyxl.styles.PatternFill("solid", start_color="FF0000")
    written.save(book)
    assert read_workbook(book, LIMITS)["y"].tolist() == list(range(50))


def test_parts_that_unpack_to_much_or_are_many(book, memory_at_most):
    rewrite(book, {"xl/media/big.png": bytes(128 << 20)})
    with memory_at_most(16 << 20):
        refused(book, "expected at most 67.11 MB, received 134,")
    rewrite(book, {"xl/media/big.png": b"", **{f"xl/{number}.xml": b"" for number in range(200)}})
    refused(book, "expected at most 100 parts, received 2", FileLimits.of("10 MB"))


def test_a_part_that_unpacks_to_more_than_it_claims(book, memory_at_most):
    """Its sum is that of what it claims, so that only unpacking beyond that would tell."""
    with zipfile.ZipFile(book) as old:
        name = next(name for name in old.namelist() if "sheet1" in name)
        whole = {each: old.read(each) for each in old.namelist()}
    content = whole[name]
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as new:
        for each, text in whole.items():
            new.writestr(each, text + b" " * (200 << 20) if each == name else text)
        entry = new.getinfo(name)
        entry.file_size, entry.CRC = len(content), zlib.crc32(content)
    with memory_at_most(30 << 20):
        assert read_workbook(book, LIMITS)["y"].tolist() == list(range(50))


def test_what_is_no_workbook_is_no_crash(tmp_path):
    for content in (b"", b"PK\x03\x04" + bytes(100), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)):
        path = tmp_path / "a.xls"
        path.write_bytes(content)
        with pytest.raises(Exception, match=r".") as caught:
            read_workbook(path, LIMITS)
        assert isinstance(caught.value, Exception)


# ---------------------------------------------------------------- the extent of sheets


@pytest.mark.parametrize(
    ("cell", "extent"),
    [
        ('<c r="C9"><v>1</v></c>', (9, 3)),
        ("<c t='n' r='XFD9' s=\"1\"><v>1</v></c>", (9, 16384)),
        ('<c r="C9" s="1"/>', (1, 1)),
        ("<c><v>1</v></c><c><v>1</v></c>", (9, 2)),
        ('<x:c r="B9"><x:v>1</x:v></x:c>', (9, 2)),
        ('<cols r="ZZ99"/><color r="ZZ99"></color>', (1, 1)),
    ],
)
def test_the_extent_of_xlsx(cell, extent):
    text = SHEET.format(row=9, cell=cell).encode()
    assert workbooks._extent_of_xml(io.BytesIO(text), len(text)) == extent


@given(st.integers(1, 60), st.integers(1, 40), st.integers(1, 300))
def test_tags_that_are_cut_in_two_are_found(rows, columns, chunk):
    cells = "".join(f'<row r="{row}"><c r="A{row}"><v>x</v></c></row>' for row in range(1, rows))
    text = f'{cells}<row r="{rows}"><c r="{chr(64 + columns % 26 + 1)}{rows}"><v>1</v></c></row>'.encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workbooks, "_CHUNK_BYTES", chunk)
        assert workbooks._extent_of_xml(io.BytesIO(text), len(text)) == (rows, columns % 26 + 1)


def test_the_extent_of_ods():
    text = (
        b'<table:table-row><table:table-cell office:value-type="float" office:value="1"/>'
        b'<table:table-cell table:number-columns-repeated="1023"/></table:table-row>'
        b'<table:table-row table:number-rows-repeated="7"><table:table-cell table:number-columns-repeated="3"'
        b' office:value-type="float" office:value="1"/></table:table-row>'
        b'<table:table-row table:number-rows-repeated="1048568"><table:table-cell'
        b' table:number-columns-repeated="16384"/></table:table-row>'
    )
    assert workbooks._extent_of_ods(io.BytesIO(text), len(text)) == (8, 3)


def record(kind, content):
    assert kind < 0x80 > len(content)
    return bytes([kind, len(content)]) + content


def test_the_extent_of_xlsb():
    cells = [record(2, (column).to_bytes(4, "little") + bytes(8)) for column in (0, 16_383)]
    text = (
        record(0, (41).to_bytes(4, "little") + bytes(12)) + b"".join(cells) + record(1, (99_999).to_bytes(8, "little"))
    )
    assert workbooks._extent_of_binary(io.BytesIO(text), len(text)) == (42, 16_384)
    with pytest.raises(ValueError, match="ends too early"):
        workbooks._extent_of_binary(io.BytesIO(text), len(text) + 1)


def test_a_sheet_in_another_encoding_is_refused():
    text = SHEET.format(row=9, cell="").encode("utf-16")
    with pytest.raises(ValueError, match="not in UTF-8"):
        workbooks._extent_of_xml(io.BytesIO(text), len(text))
