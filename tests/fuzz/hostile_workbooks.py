"""Hostile workbooks: small ones, written part by part, that claim what no program writes; and others made by a seed."""

import io
import re
import struct
import zipfile

from hostile_tables import flip

TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
MIB = 1 << 20
OASIS = "urn:oasis:names:tc:opendocument:xmlns"


def packed(parts):
    """Return a zip of parts by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def relations(*targets):
    """Return the part that says where other parts are: pairs of a kind and a target."""
    links = "".join(
        f'<Relationship Id="rId{number}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{links}</Relationships>'


def xlsx(rows, *, sheet="worksheets/sheet1.xml"):
    """Return an `.xlsx` whose one sheet has these rows, as XML.

    Args:
        rows: The tags of rows and cells.
        sheet: Where the part with the sheet is, below `xl/`.
    """
    types = f'<Override PartName="/xl/workbook.xml" ContentType="{TYPES}.sheet.main+xml"/>'
    types += f'<Override PartName="/xl/{sheet}" ContentType="{TYPES}.worksheet+xml"/>'
    names = '<sheets><sheet name="Sales" sheetId="1" r:id="rId1"/></sheets>'
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">{types}</Types>',
        "_rels/.rels": relations(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">{names}</workbook>',
        "xl/_rels/workbook.xml.rels": relations(("worksheet", sheet)),
        f"xl/{sheet}": f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>',
    }
    return packed(parts)


def ods(rows):
    """Return an `.ods` whose one table has these rows, as XML."""
    spaces = " ".join(f'xmlns:{name}="{OASIS}:{name}:1.0"' for name in ("office", "table", "text"))
    table = f'<table:table table:name="Sales">{rows}</table:table>'
    body = f"<office:body><office:spreadsheet>{table}</office:spreadsheet></office:body>"
    parts = {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "META-INF/manifest.xml": f'<m:manifest xmlns:m="{OASIS}:manifest:1.0"/>',
        "content.xml": f"<office:document-content {spaces}>{body}</office:document-content>",
    }
    return packed(parts)


def record(kind, content=b""):
    """Return a record of an `.xlsb`: its kind and its length in seven bits a byte, and what is in it."""
    return b"".join(map(seven_bits, (kind, len(content)))) + content


def seven_bits(number):
    parts = []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _text(letters):
    return struct.pack("<I", len(letters)) + letters.encode("utf-16-le")


def _cell(column, value):
    kind, content = (6, _text(value)) if isinstance(value, str) else (5, struct.pack("<d", value))
    return record(kind, struct.pack("<II", column, 0) + content)


def xlsb(cells, *, sheet="worksheets/sheet1.bin"):
    """Return an `.xlsb` with cells, each a row, a column and a number or a text; both are counted from 0."""
    one = struct.pack("<II", 0, 1) + _text("rId1") + _text("Sales")
    rows = b"".join(
        record(0, struct.pack("<I", row) + bytes(13)) + _cell(at, value) for row, at, value in cells
    )
    numbers, columns, _ = zip(*cells, strict=True)
    extent = record(148, struct.pack("<4I", min(numbers), max(numbers), min(columns), max(columns)))
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": relations(("officeDocument", "xl/workbook.bin")),
        "xl/workbook.bin": record(131) + record(143) + record(156, one) + record(144) + record(132),
        "xl/_rels/workbook.bin.rels": relations(("worksheet", sheet)),
        f"xl/{sheet}": record(129) + extent + record(145) + rows + record(146) + record(130),
    }
    return packed(parts)


# ---------------------------------------------------------------- those that ask for hundreds of
# gigabytes

FIRST = '<row r="1"><c r="A1"><v>1</v></c></row>'
TWO_ROWS = FIRST + '<row r="2"><c r="A2"><v>2</v></c></row>'
NUMBER = 'office:value-type="float" office:value="1"><text:p>1</text:p></table:table-cell></table:table-row>'


def corner(row="", cell="", before=""):
    """Return two cells in opposite corners of a sheet of `.xlsx`, with more attributes and blanks."""
    return f'{FIRST}{before}<row {row} r="1048576"><c {cell} r="XFD1048576"><v>2</v></c></row>'


def repeated(row="", cell=""):
    """Return a cell of `.ods` that fills a sheet, with more attributes."""
    rows = f'<table:table-row {row} table:number-rows-repeated="1000000">'
    return f'{rows}<table:table-cell {cell} table:number-columns-repeated="16000" {NUMBER}'


def one_text_often():
    """Return an `.xlsx` in which two hundred thousand cells share a text of a megabyte."""
    cells = "".join(
        f'<row r="{row}"><c r="A{row}" t="s"><v>0</v></c></row>' for row in range(1, 200_001)
    )
    parts = parts_of(xlsx(cells))
    targets = {"worksheet": "worksheets/sheet1.xml", "sharedStrings": "sharedStrings.xml"}
    parts["xl/_rels/workbook.xml.rels"] = relations(*targets.items())
    parts["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}"><si><t>{"x" * MIB}</t></si></sst>'
    return packed(parts)


def corners():
    """Return workbooks with cells in opposite corners, by a name with the suffix; each hides them in another way."""
    decoy = """x=" r='A2'" """
    far = [(0, 0, 1.0), (1_048_575, 16_383, 2.0)]
    long = {"cell": f'x="{"y" * 70_000}"', "before": " " * (MIB - 69_000)}
    return {
        "plain.xlsx": xlsx(corner()),
        "bracket.xlsx": xlsx(corner('x=">"', 'x=">"')),
        "decoy.xlsx": xlsx(corner("""x=" r='2'" """, decoy)),
        "long tag.xlsx": xlsx(corner(**long)),
        "elsewhere.xlsx": xlsx(corner(), sheet="sheets/one.xml"),
        "one text often.xlsx": one_text_often(),
        "plain.ods": ods(repeated()),
        "bracket.ods": ods(repeated('x=">"', 'x=">"')),
        "decoy.ods": ods(repeated(cell="""x=" table:number-columns-repeated='1'" """)),
        "plain.xlsb": xlsb(far),
        "macros.xlsm": xlsx(corner()),
    }


# ---------------------------------------------------------------- those made from a valid one


def parts_of(whole):
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def flip_part(whole, rng):
    """Flip bits of a part, which is packed again, so that no sum tells."""
    parts = parts_of(whole)
    name = str(rng.choice([name for name, content in parts.items() if content]))
    return packed({**parts, name: flip(parts[name], rng)})


def truncate(whole, rng):
    return whole[: int(rng.integers(len(whole)))]


def drop_part(whole, rng):
    parts = parts_of(whole)
    del parts[str(rng.choice(list(parts)))]
    return packed(parts)


def change_numbers(whole, rng):
    """Put other numbers in the place of some of a part's: counts, places, repetitions, indices."""
    parts = parts_of(whole)
    name = str(
        rng.choice([name for name, content in parts.items() if re.search(rb"[0-9]", content)])
    )
    others = [
        b"0",
        b"-1",
        b"1048576",
        b"16384",
        b"2147483648",
        b"18446744073709551616",
        b"1e308",
        b"A",
        b"",
    ]

    def other(found):
        return others[int(rng.integers(len(others)))] if rng.random() < 0.05 else found[0]

    return packed({**parts, name: re.sub(rb"[0-9]+", other, parts[name])})


def bomb(whole, rng):
    """Let a part unpack to tens or hundreds of megabytes of blanks, or of the part itself again and again."""
    parts = parts_of(whole)
    name = str(rng.choice(list(parts)))
    content = parts[name] or b" "
    size = int(rng.choice([20, 70, 200])) * MIB
    filling = b" " * size if rng.random() < 0.5 else content * min(size // len(content), 100_000)
    middle = int(rng.integers(len(content) + 1))
    return packed({**parts, name: content[:middle] + filling + content[middle:]})


def suffix_of(whole):
    parts = parts_of(whole)
    return ".ods" if "content.xml" in parts else ".xlsb" if "xl/workbook.bin" in parts else ".xlsx"


def corner_of(whole, rng):
    """Take a workbook of the same kind with cells in opposite corners, or one of them damaged."""
    books = [book for name, book in corners().items() if name.endswith(suffix_of(whole))]
    book = books[int(rng.integers(len(books)))]
    return book if rng.random() < 0.5 else flip_part(book, rng)


def far_cells(whole, rng):
    """Write cells anywhere: as numbers in an `.xlsb`, as names in an `.xlsx`."""
    if suffix_of(whole) == ".ods":
        return corner_of(whole, rng)
    places = [
        (int(row), int(column)) for row, column in rng.integers(0, 2 ** rng.integers(1, 32, (3, 2)))
    ]
    if suffix_of(whole) == ".xlsb":
        return xlsb([(row, column, 1.0) for row, column in places])
    letters = "".join(
        chr(65 + int(letter)) for letter in rng.integers(0, 26, int(rng.integers(1, 9)))
    )
    return xlsx(
        "".join(f'<row r="{row}"><c r="{letters}{row}"><v>1</v></c></row>' for row, _ in places)
    )


KINDS = [
    flip,
    flip_part,
    flip_part,
    truncate,
    drop_part,
    change_numbers,
    change_numbers,
    bomb,
    corner_of,
    far_cells,
]
