"""Guesses of columns: what people's tables look like, and tables that are drawn."""

import calendar

import make
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcast.errors import AmbiguityError, DataError
from seqcast.tables.dialect import Dialect
from seqcast.tables.guess import ColumnGuess, guess_columns
from seqcast.tables.open_table import OpenTable, read_leniently

READABLE = [case for case in make.cases() if not case.rejected]


@pytest.mark.parametrize("case", READABLE, ids=[case.name for case in READABLE])
def test_columns_of_messy_files(tmp_path, case):
    path = tmp_path / case.name
    case.write(path)
    guess = guess_columns(OpenTable.of(path, Dialect(**case.dialect)).raw.frame)
    assert guess.time == case.columns.get("ds", "ds")
    if case.options.get("layout") != "wide":
        assert guess.value == case.columns.get("y", "y")


DAYS = pd.date_range("2024-01-01", periods=4).astype(str)
KEYS = {"Date": [*DAYS, *DAYS], "Store": ["a"] * 4 + ["b"] * 4}
UP = [1.0, 2.0, 3.0, 4.0]
SOLD = [1.0, 2.0, 3.0, np.nan] * 2

TABLES = {
    "static, known ahead, past": (
        {
            **KEYS,
            "Sold": SOLD,
            "region": ["n"] * 4 + ["s"] * 4,
            "price": np.arange(8.0),
            "seen": [1.0, 2, 3, None] * 2,
        },
        ColumnGuess("Date", "Store", "Sold", static=("region",), future=("price",), past=("seen",)),
    ),
    "ids that are numbers": (
        {**KEYS, "Store": [1] * 4 + [2] * 4, "qty": SOLD},
        ColumnGuess("Date", "Store", "qty"),
    ),
    "years": (
        {"year": [2000, 2001, 2002], "level": [1.5, 2.5, 3.5]},
        ColumnGuess("year", None, "level"),
    ),
    "counted steps": (
        {"n": [7, 8, 9, 10], "v1": [0.1, 0.2, 0.1, 0.2]},
        ColumnGuess("n", None, "v1"),
    ),
    "wide": ({"month": DAYS, "north": UP, "south": UP[::-1]}, ColumnGuess("month", layout="wide")),
    "one value": (
        {"ds": DAYS, "sales": UP, "rain": UP[::-1]},
        ColumnGuess("ds", None, "sales", past=("rain",)),
    ),
    "text where numbers belong": ({"ds": DAYS, "y": ["5 EUR"] * 4}, ColumnGuess("ds", None, "y")),
    "no time": (
        {"colour": ["red", "blue"], "y": [1.5, 2.5]},
        ColumnGuess(None, None, "y", past=("colour",)),
    ),
    "an empty column": (
        {"ds": DAYS, "y": [1.0, 2, 3, 4], "note": [None] * 4},
        ColumnGuess("ds", None, "y", left_out=("note",)),
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(name):
    table, guess = TABLES[name]
    assert guess_columns(pd.DataFrame(table)) == guess


@given(st.permutations(["when", "label", "number", "weight"]), st.integers(1, 4), st.integers(3, 9))
def test_the_order_of_columns_and_rows_does_not_matter(order, series, rows):
    number, day = np.divmod(np.arange(series * rows), rows)
    columns = {
        "when": pd.date_range("2024-03-01", periods=rows)[day],
        "label": [f"s{each}" for each in number],
    }
    table = pd.DataFrame(
        {**columns, "number": np.arange(series * rows) / 3, "weight": (day + 1) / 7}
    )
    mixed = table[order].sample(frac=1.0, random_state=rows)
    guess = guess_columns(mixed)
    assert guess.time == "when"
    assert (guess.layout == "wide") == (series == 1) or guess.unique_id == "label"
    if series > 1:
        # Both numbers could be the value: the first one is taken.
        assert guess.value == next(name for name in order if name in ("number", "weight"))


def lines(header, rows, sep=","):
    return "\n".join([header, *(sep.join(map(str, row)) for row in rows)]) + "\n"


WAVE = np.round(10 + np.sin(np.arange(36)), 2)
MONTHS = [f"{2020 + month // 12}M{month % 12 + 1:02}" for month in range(36)]
MONTHS_3 = pd.date_range("2024-01-01", periods=12, freq="MS").strftime("%b")
MESES = [
    "Enero",
    "Febrero",
    "Marzo",
    "Abril",
    "Mayo",
    "Junio",
    "Julio",
    "Agosto",
    "Septiembre",
    "Octubre",
]
YEAR = "year jan feb mar apr may jun jul aug sep oct nov dec ann"
SUMMED = [
    (name, name * 2, *(n * n % 7 + n * place**2 for n in range(9)))
    for place, name in enumerate("abcd")
]
SUMMED += [("all", "", *(sum(column) for column in [*zip(*SUMMED, strict=True)][2:]))]
SPANS = [f"13.05.2024 {hour:02}:00 - 13.05.2024 {hour + 1:02}:00" for hour in range(23)]

# Tables as offices and instruments write them: text, the sentence of the guess, series and rows,
# and the first time.
WRITTEN = {
    "months, latest first": (
        lines(
            "Region;Sex;Periodo;Total",
            [(r, s, m, 7) for r in "ab" for s in "mf" for m in MONTHS[::-1]],
            ";",
        ),
        ("time: Periodo, value: Total, series: Region,Sex", 4, 144, "2020-01-01"),
    ),
    "constant columns": (
        lines(
            "freq,item,geo,TIME_PERIOD,OBS_VALUE",
            [("Q", "B1G", g, f"2020-Q{q}", 1) for g in "xyz" for q in (1, 2)],
        ),
        ("time: TIME_PERIOD, value: OBS_VALUE, series: geo", 3, 6, "2020-01-01"),
    ),
    "spans": (
        lines(
            "MTU,Price,Currency",
            [(span, value, "EUR") for span, value in zip(SPANS, WAVE, strict=False)],
        ),
        ("time: MTU, value: Price", 1, 23, "2024-05-13"),
    ),
    "a total and a source": (
        lines(
            "Datum;Summa kr",
            [*zip(pd.date_range("2024-01-01", periods=9).date, UP * 3, strict=False)],
            ";",
        )
        + "Summa;22\n;\nSource: the office of numbers of the town, 2024;\n",
        ("without 1 row at the end, 'Summa'; time: Datum, value: Summa kr", 1, 9, "2024-01-01"),
    ),
    "aligned, a month in each column": (
        "Station, mean\nof 2024\n"
        + lines(
            YEAR,
            [(f" {1990 + row} ", *(f"  {value:4}" for value in WAVE[:12]), 1) for row in range(3)],
            " ",
        ),
        (
            "time: year, a year or day in each row, its months or hours in the columns",
            1,
            36,
            "1990-01-01",
        ),
    ),
    "minutes": (
        lines(
            "Tempo (min)\tR1\tR2",
            [(20 * row, value, value) for row, value in enumerate(WAVE)],
            "\t",
        ),
        ("time: Tempo (min), a series in each column", 2, 72, 0),
    ),
    "numbered rows, events": (
        lines(
            "#,Date Time,T1,T2,Stopped",
            [(n + 1, f"03/14/23 {n:02}:00", n % 3, n % 4 + 1, "") for n in range(12)],
        )
        + "13,03/14/23 12:12,,,Logged\n",
        ("time: Date Time, a series in each column", 2, 24, "2023-03-14"),
    ),
    "units below the header": (
        "Time,AirT,RH\nTS,Deg C,%\n"
        + lines(
            ",Avg,Smp",
            [(f"2024-01-{day + 1:02}", value, value) for day, value in enumerate(WAVE[:30])],
        ),
        (
            "without 2 rows below the header, 'TS'; time: Time, a series in each column",
            2,
            60,
            "2024-01-01",
        ),
    ),
    "months in words, money": (
        lines(
            "Monat;Umsatz",
            [(f"{month} 2024", '"€1.234,50"') for month in ("März", "April", "Mai", "Juni")],
            ";",
        ),
        ("time: Monat, value: Umsatz", 1, 4, "2024-03-01"),
    ),
    "hours of a day in columns": (
        lines(
            "Date," + ",".join(f"H{hour}" for hour in range(1, 25)),
            [("2024-01-31", *WAVE[:24])] * 2,
        ),
        (
            "time: Date, a year or day in each row, its months or hours in the columns",
            1,
            48,
            "2024-01-31",
        ),
    ),
    "quarters of an hour in columns, two streams": (
        lines(
            "Meter,Stream,Date,"
            + ",".join(f"{n // 4}:{n % 4 * 15:02}" for n in range(96))
            + ",Total",
            [
                (7, s, day, *range(k, 96 + k), 4560)
                for k, s in enumerate("EB")
                for day in ("13.01.2024", "14.01.2024")
            ],
        ),
        (
            "without the columns 'Meter', 'Total'; time: Date, "
            "a year or day in each row, its months or hours in the columns, series: Stream",
            2,
            384,
            "2024-01-13",
        ),
    ),
    "a row of sums": (
        lines("Code;Name;" + ";".join(MONTHS[:9]), SUMMED, ";"),
        (
            "without 1 row at the end, 'all'; without the column 'Name'; "
            "time: the header, a series in each row, series: Code",
            4,
            36,
            "2020-01-01",
        ),
    ),
    "a row with a word for a total": (
        lines(
            "Code;" + ";".join(MONTHS[:4]),
            [("a", 1, 2, 3, 4), ("b", 2, 3, 4, 5), ("TOTAL", 9, 9, 9, 9)],
            ";",
        ),
        (
            "without 1 row at the end, 'TOTAL'; time: the header, a series in each row, series: Code",
            2,
            8,
            "2020-01-01",
        ),
    ),
    "days with points and spaces": (
        lines(
            "일자,요일,방문자수",
            [(f"2024. {n // 28 + 1}. {n % 28 + 1}{'.' * (n > 9)}", "월", n % 7) for n in range(56)],
        ),
        ("time: 일자, value: 방문자수", 1, 56, "2024-01-01"),
    ),
    "thousands with a point, none above a million": (
        lines(
            "Tag;Proben",
            [(f"{n + 1:02}.05.2024", f"1.{n:03}" if n % 3 else 900 + n) for n in range(30)],
            ";",
        ),
        (
            "semicolons between columns, decimal comma, '.' between thousands, dates with the day first; "
            "time: Tag, value: Proben",
            1,
            30,
            "2024-05-01",
        ),
    ),
    "a title with commas, CJK": (
        "宿泊者数,,\n"
        + lines(
            "年月,北海道,東京",
            [
                (f"{2010 + n // 12}年{n % 12 + 1}月", f'"1,{n + 200},997"', f'"2,{n + 300},500"')
                for n in range(24)
            ],
        ),
        ("time: 年月, a series in each column", 2, 48, "2010-01-01"),
    ),
    "lakhs, numbered rows": (
        lines(
            "Sr. No.,Date,Milk (Ltr)",
            [(n + 1, f"{n + 1:02}-Apr-23", f'"1,{n:02},159.80"') for n in range(20)],
        ),
        ("time: Date, value: Milk (Ltr)", 1, 20, "2023-04-01"),
    ),
    "weeks in Norwegian": (
        lines(
            "År;Uke;Område;Fylling;Kapasitet",
            [(2023, w, o, w + k, 9 + k) for w in range(1, 53) for k, o in enumerate("ab")],
            ";",
        ),
        ("time: År,Uke, value: Fylling, series: Område", 2, 104, "2023-01-02"),
    ),
    "time since the beginning": (
        lines(
            "Time,A1,A2",
            [(f"{n // 6}:{n % 6}0:00", f"0.{n + 1}", f"0.{n + 2}") for n in range(150)],
        ),
        ("time: Time, a series in each column", 2, 300, 0),
    ),
    "a town and year in each row": (
        lines(
            "Municipio;Año;Ene;Feb;Mar;Abr;May;Jun;Jul;Ago;Sep;Oct;Nov;Dic;Total",
            [(town, year, *range(12), 66) for town in "ab" for year in (2020, 2021)],
            ";",
        ),
        (
            "time: Año, a year or day in each row, its months or hours in the columns, series: Municipio",
            2,
            48,
            "2020-01-01",
        ),
    ),
    "a month in each column, a total": (
        lines(
            "Unit,Data,Jan-22,Feb-22,Mar-22,Apr-22,Total",
            [(u, d, 1, 2, 3, 4, 10) for u in "ab" for d in "xy"],
        ),
        ("time: the header, a series in each row, series: Unit,Data", 4, 16, "2022-01-01"),
    ),
    "quarters in Roman, codes of series": (
        lines(
            "Yıl;Çeyrek;Kod;İlçe;Sayı",
            [
                (y, f"{q}. Çeyrek", c, "ab"[c - 7], c * y + len(q))
                for y in range(2016, 2022)
                for q in ("I", "IV")
                for c in (7, 8)
            ],
            ";",
        ),
        ("time: Yıl,Çeyrek, value: Sayı, series: İlçe", 2, 24, "2016-01-01"),
    ),
    "a column and rows of totals": (
        lines(
            "Month;n;Pune;Indore;Total",
            [
                row
                for n, month in enumerate(
                    pd.date_range("2020-01-01", periods=36, freq="MS").strftime("%b-%y")
                )
                for row in [(month, n % 12 + 1, n * n % 31, n % 7, n * n % 31 + n % 7)]
                + [(f"FY {n} Total", "", 9, 9, 18)] * (n % 12 == 11)
            ],
            ";",
        ),
        (
            "without 3 rows of totals, 'FY 11 Total'; "
            "without the columns 'n', 'Total'; time: Month, a series in each column",
            2,
            72,
            "2020-01-01",
        ),
    ),
    "merged cells, fiscal years": (
        lines(
            "Area;Branch;FY;Apr;May;Jun;Jul;Aug;Sep;Oct;Nov;Dec;Jan;Feb;Mar;Total",
            [
                (
                    "" if n or branch in "BD" else "XY"[branch > "B"],
                    "" if n else branch,
                    f"{y}-{(y + 1) % 100:02}",
                    *range(12),
                    66,
                )
                for branch in "ABCD"
                for n, y in enumerate((1998, 1999, 2000))
            ],
            ";",
        ),
        (
            "years that begin with 'Apr', fiscal years by the year in which they begin; "
            "without the columns 'Area', 'Total'; time: FY, "
            "a year or day in each row, its months or hours in the columns, series: Branch",
            4,
            144,
            "1998-04-01",
        ),
    ),
    "comments, and a total above": (
        "# Traffic\n# 2024\n\n"
        + lines(
            "Date,Channel,Clicks",
            [
                ("", "", 99, "Grand total"),
                *((f"202401{n:02}", c, n % 5) for n in range(1, 20) for c in "ab"),
            ],
        ),
        (
            "after 3 lines, without 1 row of totals, 'Grand total'; time: Date, value: Clicks, series: Channel",
            2,
            38,
            20240101,
        ),
    ),
    "numbers of parts, weeks, a total": (
        lines(
            "No;Depot;"
            + ";".join(f"2023-W{n:02}" for n in range(1, 53))
            + ";"
            + ";".join(f"2024-W{n:02}" for n in range(1, 53))
            + ";Toplam",
            [(f"1{n}.5499.26", d, *[n + 1] * 104, 9) for n in range(4) for d in "xy"],
            ";",
        ),
        (
            "without the column 'Toplam'; time: the header, a series in each row, series: No,Depot",
            8,
            832,
            "2023-01-02",
        ),
    ),
    "flags of an office": (
        lines(
            "geo\\TIME\t2023-Q1 \t2023-Q2 \t2023-Q3 \t2023-Q4 ",
            [
                (
                    g,
                    f"{n}.1 ",
                    f"{n}.2 b" if n else "1.5 bu",
                    ": " if n < 2 else f"{n}.4 u" if n < 4 else f"{n}.4 ",
                    ": c" if n > 7 else f"{n}.5p" if n > 6 else f"{n}.5",
                )
                for n, g in enumerate("abcdefghi")
            ],
            "\t",
        ),
        (
            "without 'b', 'bu', 'p', 'u' at numbers, quarters by their first day; "
            "time: the header, a series in each row, series: geo\\TIME",
            9,
            33,
            "2023-01-01",
        ),
    ),
    "offsets that change": (
        lines(
            "when;passed",
            [(f"2024-03-31T{n:02}:00:00+0{1 + (n > 2)}:00", n) for n in (*range(2), *range(3, 9))],
            ";",
        ),
        (
            "semicolons between columns, times in UTC, as their offsets change; time: when, value: passed",
            1,
            8,
            "2024-03-30 23:00Z",
        ),
    ),
    "days in two ways": (
        lines(
            "day;clock;used",
            [(f"0{d}-06-2024", f"{h:02}:00", h) for d in range(1, 9) for h in range(24)],
            ";",
        ),
        (
            "semicolons between columns, dates with the day first; time: day,clock, value: used",
            1,
            192,
            "2024-06-01",
        ),
    ),
    "periods, a minus behind": (
        lines(
            "Firma;Periode;Umsatz",
            [
                (f, f"0{n:02}.2024", f"1.0{n:02},50{'-' * (n == 5)}")
                for f in "ab"
                for n in range(1, 13)
            ],
            ";",
        )
        + "*;;12\n",
        ("time: Periode, value: Umsatz, series: Firma", 2, 24, "2024-01-01"),
    ),
    "a forecast of theirs": (
        lines(
            "DATE,実績(万kW),予測値(万kW)",
            [(f"2024-01-{n:02}", 9 + n % 5, 10 + n % 4) for n in range(1, 20)],
        ),
        ("time: DATE, value: 実績(万kW)", 1, 19, "2024-01-01"),
    ),
    "notes in a few rows": (
        lines(
            "day,sold,note",
            [
                (day.date(), n % 7, {0: "new", 9: "rain"}.get(n, ""))
                for n, day in enumerate(pd.date_range("2024-01-01", periods=19))
            ],
        ),
        ("time: day, value: sold", 1, 19, "2024-01-01"),
    ),
    "a series that is called Total": (
        lines(
            "day,place,sold",
            [
                (day, place, 3)
                for day in pd.date_range("2024-01-01", periods=9).date
                for place in ("Total", "x")
            ],
        ),
        ("time: day, value: sold, series: place", 2, 18, "2024-01-01"),
    ),
    "months of a language with strokes": (
        lines("Cliente;jan/22;fev/22;mar/22;abr/22", [("a", 5, 7, 6, 9), ("b", 4, 4, 8, 2)], ";"),
        ("time: the header, a series in each row, series: Cliente", 2, 8, "2022-01-01"),
    ),
    "months of a fiscal year in signs": (
        lines(
            "年度,館,"
            + ",".join(f"{month}月" for month in (4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2, 3)),
            [(f"{year}年度", place, *range(12)) for year in (2009, 2010, 2011) for place in "ab"],
        ),
        ("its months or hours in the columns, series: 館", 2, 72, "2009-04-01"),
    ),
    "days of a canteen": (
        lines(
            "Date,Jour,Semaine,Inscrits,Servis,Places",
            [
                (day.date(), day.day_name(), day.week, 200 + n % 7, 190 + n % 5, 250)
                for n, day in enumerate(pd.bdate_range("2024-01-08", periods=40))
            ],
        ),
        (
            "without the columns 'Jour', 'Semaine', 'Places'; time: Date, a series in each column",
            2,
            80,
            "2024-01-08",
        ),
    ),
    "months of an office, a number of each row": (
        lines(
            '"ID";"Branche";"Perioden";"Omzet"',
            [
                (n, "xy"[n // 30], f"{2013 + n % 30 // 12}MM{n % 30 % 12 + 1:02}", n % 7)
                for n in range(60)
            ],
            ";",
        ),
        ("time: Perioden, value: Omzet, series: Branche", 2, 60, "2013-01-01"),
    ),
    "quarters of an office": (
        lines(
            "Perioden;Omzet", [(f"{2013 + n // 4}KW0{n % 4 + 1}", n % 7) for n in range(12)], ";"
        ),
        ("time: Perioden, value: Omzet", 1, 12, "2013-01-01"),
    ),
    "calendar weeks": (
        lines("Woche;Menge", [(f"2024-KW{n:02}", n % 7) for n in range(1, 13)], ";"),
        ("time: Woche, value: Menge", 1, 12, "2024-01-01"),
    ),
    "months in words after days, and clocks": (
        lines(
            "Timestamp\tTag\tValue\tQuality",
            [
                (f"15-Jan-24 {n:02}:00:00", tag, n * 1.5, "Good")
                for n in range(24)
                for tag in ("TI", "PI")
            ],
            "\t",
        ),
        ("time: Timestamp, value: Value, series: Tag", 2, 48, "2024-01-15"),
    ),
    "hours under any name": (
        lines(
            "대여일자,구간,대여소,건수",
            [(f"2024-03-0{d}", h, s, h % 5) for s in "ab" for d in range(1, 4) for h in range(24)],
        ),
        ("time: 대여일자,구간, value: 건수, series: 대여소", 2, 144, "2024-03-01"),
    ),
    "years, and months in words": (
        lines(
            "Año;Mes;Plaza;Ocupados",
            [
                (y, m, p, n * n % 31)
                for y in (2015, 2016)
                for n, m in enumerate(MESES)
                for p in "ab"
            ],
            ";",
        ),
        ("time: Año,Mes, value: Ocupados, series: Plaza", 2, 40, "2015-01-01"),
    ),
    "spans of clocks, and how long calls took": (
        lines(
            "Date,Interval,Calls,Handle Time",
            [
                (
                    f"5/{d}/2024",
                    f"{h}:00 {half} - {h}:30 {half}",
                    h % 5,
                    f"0:05:{(h * 7 + d) % 60:02}",
                )
                for d in range(13, 15)
                for half in ("AM", "PM")
                for h in (12, *range(1, 12))
            ],
        ),
        ("time: Date,Interval, value: Calls", 1, 48, "2024-05-13"),
    ),
    "months with strokes, a branch": (
        lines(
            "Period,Branch Code,Branch,Currency,Loans",
            [
                (f"{m}-{y}", f"BR{b}", b, "KES", n % 7)
                for b in "ab"
                for y in (2023, 2024)
                for n, m in enumerate(MONTHS_3)
            ],
        ),
        ("time: Period, value: Loans, series: Branch", 2, 48, "2023-01-01"),
    ),
    "weeks under any name": (
        lines(
            "Yıl;Hafta No;İl Kodu;Hastane Adı;Başvuru",
            [(y, w, 16, h, w * 7 % 11) for h in "ab" for y in (2022, 2023) for w in range(1, 53)],
            ";",
        ),
        ("time: Yıl,Hafta No, value: Başvuru, series: Hastane Adı", 2, 208, "2022-01-03"),
    ),
    "amounts that hardly repeat, shops and goods": (
        lines(
            "Data sprzedaży,Nr sklepu,Sklep,Kod,Nazwa towaru,Ilość",
            [
                (day.date(), k, "xy"[k], 500 + g, "abc"[g], 40 + (n * 37 + 11 * k + 29 * g) % 97)
                for n, day in enumerate(pd.date_range("2024-09-01", periods=60))
                for k in (0, 1)
                for g in (0, 1, 2)
            ],
        ),
        ("time: Data sprzedaży, value: Ilość, series: Sklep,Nazwa towaru", 6, 360, "2024-09-01"),
    ),
    "a logger that numbers its rows, money": (
        lines(
            "Pořadí;Datum;Čas;Teplota;Vlhkost",
            [
                (
                    n + 1,
                    "03.02.2025",
                    f"{n // 4:02}:{n % 4 * 15:02}:00",
                    f"{20 + n % 7},5",
                    f"R$ {30 + n % 5},25",
                )
                for n in range(96)
            ],
            ";",
        ),
        (
            "without the column 'Pořadí'; time: Datum,Čas, a series in each column",
            2,
            192,
            "2025-02-03",
        ),
    ),
    "days with a point behind, hours that a place is open": (
        lines(
            "Dátum;Nap;Óra;Belépések",
            [(f"2025.02.0{d}.", "hétfő", h, h * d % 7) for d in range(3, 8) for h in range(6, 22)],
            ";",
        ),
        ("time: Dátum,Óra, value: Belépések", 1, 80, "2025-02-03 06:00"),
    ),
    "a word for series in the name of a value": (
        lines(
            "Date,Sessions,Key events",
            [(f"2024-01-{n:02}", 50 + n % 7, n % 5) for n in range(1, 20)],
        ),
        ("time: Date, value: Sessions", 1, 19, "2024-01-01"),
    ),
    "a meter, hours from 1 to 24": (
        lines(
            "CUPS;Fecha;Hora;Consumo_kWh;Metodo",
            [
                ("ES21", f"{d}/03/2024", h, f"0,{200 + h * d}", "R")
                for d in range(13, 16)
                for h in range(1, 25)
            ],
            ";",
        ),
        (
            "dates with the day first; time: Fecha,Hora, value: Consumo_kWh",
            1,
            72,
            "2024-03-13 01:00",
        ),
    ),
    "months between commas": (
        lines(
            "Monat,Umsatz",
            [(f"{n % 12 + 1:02}.{2018 + n // 12}", 100 + n * 7 % 11) for n in range(24)],
        ),
        ("time: Monat, value: Umsatz", 1, 24, "2018-01-01"),
    ),
    "months with strokes": (
        lines(
            "Monat,Umsatz",
            [(f"{n % 12 + 1}/{2018 + n // 12}", 100 + n * 7 % 11) for n in range(24)],
        ),
        ("time: Monat, value: Umsatz", 1, 24, "2018-01-01"),
    ),
    "a rate that looks like months": (
        lines("Day,Rate", [(f"2024-03-{n:02}", f"1.19{n:02}") for n in range(1, 25)]),
        ("time: Day, value: Rate", 1, 24, "2024-03-01"),
    ),
    "the end of a day": (
        lines(
            "Zeit;MW",
            [(f"{d}.03.2024 {h:02}:00", 7 * h % 5) for d in range(13, 16) for h in range(1, 25)],
            ";",
        ),
        ("dates with the day first; time: Zeit, value: MW", 1, 72, "2024-03-13 01:00"),
    ),
    "codes": (
        lines(
            "Date,USD,JPY,",
            [(day, 1.1, 160.0, "") for day in pd.date_range("2024-01-01", periods=9).date],
        ),
        ("time: Date, a series in each column", 2, 18, "2024-01-01"),
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_tables_as_they_are_written(tmp_path, name):
    text, (sentence, series, rows, first) = WRITTEN[name]
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    table = OpenTable.of(tmp_path / "a.csv", None).guessed()
    frame = table.with_ids()
    columns = table.columns
    read, _, _ = table.understood.partition("; not used: ")
    assert read.endswith(sentence)
    assert (frame[columns.unique_id].nunique(), int(frame[columns.y].notna().sum())) == (
        series,
        rows,
    )
    assert frame[columns.ds].min() == (first if isinstance(first, int) else pd.Timestamp(first))


def test_the_end_of_a_day_is_the_next_midnight(tmp_path):
    for name in ("a meter, hours from 1 to 24", "the end of a day"):
        (tmp_path / "a.csv").write_text(WRITTEN[name][0])
        table = OpenTable.of(tmp_path / "a.csv", None).guessed()
        frame = table.with_ids()
        columns = table.columns
        assert frame[columns.ds].tolist() == list(
            pd.date_range("2024-03-13 01:00", periods=72, freq="h")
        )


@pytest.mark.parametrize("units", [(" kg", " g"), ("", "k"), (" pcs", " pk")])
def test_units_are_no_flags(tmp_path, units):
    sold = [
        (f"2024-01-{n}", p, f"{n}.5{u}")
        for n in range(10, 20)
        for p, u in zip("ab", units, strict=True)
    ]
    (tmp_path / "a.csv").write_text(lines("day;place;sold", sold, ";"))
    with pytest.raises(DataError, match=r"column 'sold', row [23]: expected numbers, received"):
        OpenTable.of(tmp_path / "a.csv", None).guessed()


@pytest.mark.parametrize(
    ("numbers", "read"),
    [("950 1.20_K", None), ("0.05 5%", None), ("0 5%", [0, 5]), ("4 $5", [4, 5])],
)
def test_a_unit_counts_for_all_numbers_of_a_column_or_none(tmp_path, numbers, read):
    sold = [
        (f"2024-01-{n}", number.replace("_", " ")) for n, number in enumerate(numbers.split(), 10)
    ]
    (tmp_path / "a.csv").write_text(lines("day;sold", sold, ";"))
    table = OpenTable.of(tmp_path / "a.csv", None)
    if read is None:
        with pytest.raises(DataError, match="column 'sold', row 3: expected numbers, received"):
            table.guessed()
    else:
        assert table.guessed().frame["sold"].tolist() == read


MARKS = {
    "a decimal comma that is given": (
        "day;a;b\n01.02.2024;1.234;1\n02.02.2024;2.500;2\n",
        ",",
        [1234, 2500],
        [1, 2],
    ),
    "marks in text and in numbers": (
        "day,a,b\n2024-01-01,1.234.567,1.234\n2024-01-02,987.654,2.345\n",
        None,
        [1234567, 987654],
        [1234, 2345],
    ),
    "quotes at some": (
        'day,a,b\n2024-01-01,"1,5",1.234\n2024-01-02,"2,5",2.345\n',
        None,
        [1.5, 2.5],
        [1234, 2345],
    ),
}


@pytest.mark.parametrize("name", MARKS)
def test_marks_count_for_all_columns(tmp_path, name):
    text, decimal, *expected = MARKS[name]
    (tmp_path / "a.csv").write_text(text)
    frame = OpenTable.of(tmp_path / "a.csv", Dialect(decimal=decimal)).guessed({"y": "a,b"}).frame
    assert [frame["a"].tolist(), frame["b"].tolist()] == expected


def test_a_minus_may_stand_behind(tmp_path):
    (tmp_path / "a.csv").write_text(WRITTEN["periods, a minus behind"][0])
    frame = OpenTable.of(tmp_path / "a.csv", None).guessed().frame
    assert frame["Umsatz"].min() == -1005.5


QUESTIONS = {
    "two words for values": ("day,Menge,Umsatz EUR", ["Menge", "Umsatz EUR"]),
    "several instruments": ("day,T 1 temp,T 2 temp,power", ["power", "T 1 temp", "T 2 temp"]),
    "words within names": (
        "day,passenger_trips_here,vehicle_revenue_hours",
        ["passenger_trips_here", "vehicle_revenue_hours"],
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_columns_about_as_likely_are_a_question(name):
    header, rivals = QUESTIONS[name]
    days = pd.date_range("2024-01-01", periods=30).astype(str)
    columns = {each: WAVE[:30] * 100**place for place, each in enumerate(header.split(",")[1:])}
    assert set(guess_columns(pd.DataFrame({"day": days, **columns})).rivals) == set(rivals)


@pytest.mark.parametrize("sold", [("1.234", "5.678"), ("1.234", "99"), ("1.234", "1234")])
def test_a_point_that_may_be_decimal_stays_a_question(tmp_path, sold):
    rows = [(f"{day}.05.2024", sold[day % 2]) for day in range(10, 30)]
    (tmp_path / "a.csv").write_text(lines("day;sold", rows, ";"))
    with pytest.raises(DataError, match="can be read in one way only"):
        OpenTable.of(tmp_path / "a.csv", None).guessed()


def test_a_series_is_no_total_beside_others_of_that_word(tmp_path):
    rows = [(place, kind, 1, 2, 3, 4) for place in "ab" for kind in ("in", "out", "Total")]
    (tmp_path / "a.csv").write_text(lines("place;kind;" + ";".join(MONTHS[:4]), rows, ";"))
    table = OpenTable.of(tmp_path / "a.csv", None).guessed()
    frame = table.with_ids()
    columns = table.columns
    assert frame[columns.unique_id].nunique() == 6


def test_ids_are_those_of_their_column_where_others_before_it_are_left_out(tmp_path):
    (tmp_path / "a.csv").write_text(WRITTEN["quarters of an hour in columns, two streams"][0])
    table = OpenTable.of(tmp_path / "a.csv", None).guessed()
    frame = table.with_ids()
    columns = table.columns
    assert list(frame[columns.unique_id].unique()) == ["E", "B"]
    assert frame[columns.ds].iloc[97] == pd.Timestamp("2024-01-14 00:15")


def test_days_that_are_as_even_in_two_ways_stay_a_question(tmp_path):
    (tmp_path / "a.csv").write_text(
        lines("day;used", [(f"0{d}-06-2024", d) for d in range(1, 9)], ";")
    )
    with pytest.raises(DataError, match="can be read in one way only"):
        OpenTable.of(tmp_path / "a.csv", None).guessed()


def test_years_that_begin_in_april_end_in_march(tmp_path):
    (tmp_path / "a.csv").write_text(WRITTEN["merged cells, fiscal years"][0])
    frame = OpenTable.of(tmp_path / "a.csv", None).guessed().frame
    series = frame[frame["Branch"] == "B"].set_index("ds" if "ds" in frame else "FY")["y"]
    assert series[pd.Timestamp("1998-12-01")] == 8
    assert series[pd.Timestamp("1999-01-01")] == 9
    assert series.index[-1] == pd.Timestamp("2001-03-01")


def test_the_header_of_a_sheet_is_below_its_titles(tmp_path):
    cells = [["Sales of 2024"], ["Source: controlling", "page 1"], [], ["Month", "north", "south"]]
    cells += [[month, 1.0, 2.0] for month in pd.date_range("2024-01-01", periods=4, freq="MS")]
    pd.DataFrame([*cells, ["soon", 3.0, 4.0], ["2024-06-01", 3.0, 4.0]]).to_excel(
        tmp_path / "a.xlsx", header=False, index=False
    )
    opened = OpenTable.of(tmp_path / "a.xlsx", None)
    assert list(opened.raw.frame.columns) == ["Month", "north", "south"]
    with pytest.raises(DataError, match="row 9: expected a date or time"):
        opened.guessed()


def test_a_header_in_two_rows_gives_each_column_both_words(tmp_path):
    rows = [["", "north", "", "south", ""], ["day", "in", "out", "in", "out"]]
    rows += [[day, *WAVE[place : place + 4]] for place, day in enumerate(DAYS)]
    pd.DataFrame([["shops"], *rows]).to_excel(tmp_path / "a.xlsx", header=False, index=False)
    table = OpenTable.of(tmp_path / "a.xlsx", None).guessed()
    frame = table.with_ids()
    columns = table.columns
    assert list(frame[columns.unique_id].unique()) == [
        "north in",
        "north out",
        "south in",
        "south out",
    ]
    assert frame["y"].iloc[-1] == WAVE[6]


def book(path, sheets):
    with pd.ExcelWriter(path) as writer:
        for name, sheet in sheets.items():
            sheet.to_excel(writer, sheet_name=name, index=False)


def weeks(year, rows=9):
    monday = pd.date_range(f"{year}-01-01", periods=rows, freq="W-MON")
    return pd.DataFrame({"week": monday, "north": WAVE[:rows], "south": WAVE[9 : 9 + rows]})


def test_sheets_that_go_on_are_read_one_after_the_other(tmp_path):
    book(
        tmp_path / "a.xlsx",
        {
            "2023": weeks(2023),
            "notes": pd.DataFrame({"a": ["x"]}),
            "2024": weeks(2024).assign(east=WAVE[:9] * 3),
        },
    )
    table = OpenTable.of(tmp_path / "a.xlsx", None).guessed()
    frame = table.with_ids()
    columns = table.columns
    assert table.understood.startswith(
        "2 sheets, '2023' to '2024', one after the other, without the sheet 'notes', which holds no table; time: week"
    )
    assert frame[columns.unique_id].value_counts().to_dict() == {
        "north": 18,
        "south": 18,
        "east": 9,
    }
    frame = OpenTable.of(tmp_path / "a.xlsx", Dialect(sheet="2024")).guessed().frame
    assert len(frame) == 27


def test_sheets_of_the_same_times_are_a_question(tmp_path):
    book(tmp_path / "a.xlsx", {"sold": weeks(2023), "planned": weeks(2023)})
    with pytest.raises(
        AmbiguityError, match="expected one sheet, received 'sold', 'planned'"
    ) as caught:
        OpenTable.of(tmp_path / "a.xlsx", None)
    for answer in caught.value.answers:
        read = OpenTable.of(tmp_path / "a.xlsx", Dialect(sheet=answer.value)).guessed()
        assert (len(read.frame), read.sheet) == (18, answer.value)


def test_sheets_without_a_table_are_passed_over(tmp_path):
    cover = pd.DataFrame({"Sales report": ["made for", "the board"], "": ["", "in 2024"]})
    book(
        tmp_path / "a.xlsx",
        {"Cover": cover, "data": weeks(2023), "notes": pd.DataFrame({"a": ["x"]})},
    )
    read = OpenTable.of(tmp_path / "a.xlsx", None).guessed()
    assert read.understood.startswith(
        "without the sheets 'Cover', 'notes', which hold no table; time: week"
    )
    assert (len(read.frame), read.sheet) == (18, "data")


def test_text_with_years_is_no_step(tmp_path):
    (tmp_path / "a.csv").write_text(
        lines("when,sold", [(f"{2000 + row}~a", row) for row in range(9)])
    )
    with pytest.raises(DataError, match=r"column 'when', row 2: expected a date or time"):
        OpenTable.of(tmp_path / "a.csv", None).guessed()
    faults = []
    with pytest.raises(DataError, match="expected a date or time"):
        read_leniently(
            faults,
            lambda _, out: OpenTable.of(tmp_path / "a.csv", None, None, (), out).guessed(),
            Dialect(),
        )
    assert len(faults) == 1


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp932", ["日付", "来客数", "ひらがな"]),
        ("cp949", ["대여일자", "이용건수", "똠방각하"]),
        ("gb18030", ["日期", "销售数量"]),
        ("cp1251", ["Дата", "Продажи"]),
        ("cp1250", ["Pořadí", "Čas", "Měření"]),
        ("cp1250", ["Wartość", "Żółw", "Zażółć"]),
        ("cp1250", ["Ilość", "Dzień"]),
        ("cp1250", ["Město", "Dní"]),
        ("cp1252", ["Größe", "Été à Évêché", "ÄÖÜß", "m³/h", "Sjø"]),
        ("cp1252", ["ƒ", "a³b"]),
    ],
)
def test_text_is_of_the_script_that_most_of_its_letters_have(tmp_path, encoding, names):
    rows = [(f"2024/1/{day}", *range(1, len(names))) for day in (3, 9, 4, 5)]
    (tmp_path / "a.csv").write_bytes(lines(",".join(names), rows).encode(encoding))
    opened = OpenTable.of(tmp_path / "a.csv", None)
    assert (list(opened.raw.frame.columns), opened.raw.dialect.encoding) == (names, encoding)


def test_a_missing_time_since_the_beginning_is_named(tmp_path):
    times = [f"0:{minute:02}:00" for minute in range(12)]
    (tmp_path / "a.csv").write_text(
        lines("Time,A1", [*zip(times[:6], WAVE, strict=False), ("", 1.5), (times[6], 2.5)])
    )
    with pytest.raises(DataError, match="column 'Time', row 2: expected a date or time"):
        OpenTable.of(tmp_path / "a.csv", None).guessed({"ds": "Time", "y": "A1"})


@pytest.mark.parametrize("columns", [5, 12, 40])
def test_a_sum_is_found_among_few_and_many_columns(columns):
    drawn = np.random.default_rng(columns).integers(1, 90, (60, columns))
    shops = pd.DataFrame(
        drawn, columns=[f"{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(columns)]
    )
    table = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=60).astype(str)}).join(shops)
    assert guess_columns(table).left_out == ()
    assert guess_columns(table.assign(whole=shops.sum(axis=1))).left_out == ("whole",)


def test_a_question_names_several_columns_only_where_commas_can_stand_between_them():
    columns = {"milk, l": WAVE[:30] * 9, "feed, kg": WAVE[:30] * 700, "cows": WAVE[:30] * 40}
    table = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=30).astype(str), **columns})
    said = str(guess_columns(table).question())
    assert "'milk, l'" in said
    assert "several" not in said


def test_notes_and_missing_values_in_cells_of_a_workbook_are_none_of_its_numbers(tmp_path):
    rows = [(f"{year}{'a)' if year == 2023 else ''}", *range(1, 13)) for year in range(2015, 2024)]
    rows[-1] = (*rows[-1][:-2], "NA", "n.d.")
    rows[0] = (rows[0][0], "49,68,429", *rows[0][2:])
    book(tmp_path / "a.xlsx", {"a": pd.DataFrame(rows, columns=["Year", *calendar.month_abbr[1:]])})
    table = OpenTable.of(tmp_path / "a.xlsx", None).guessed()
    assert table.understood.startswith(
        "',' between thousands, without 'a)' at numbers; time: Year, a year or day in each row"
    )
    assert table.frame["y"].tolist()[:2] == [4968429, 2]
    assert len(table.frame) == 9 * 12 - 2


def test_an_error_names_words_among_numbers_alone(tmp_path):
    sold = [f"{n}*" if n % 3 == 0 else "closed" if n == 10 else n for n in range(1, 29)]
    (tmp_path / "a.csv").write_text(
        lines("day;sold", [(f"2024-02-{n:02}", value) for n, value in enumerate(sold, 1)], ";")
    )
    with pytest.raises(DataError, match=r"row 11: expected numbers, received 'closed' in 1 row\. "):
        OpenTable.of(tmp_path / "a.csv", None).guessed()
    table = OpenTable.of(tmp_path / "a.csv", Dialect(missing_values=("closed",))).guessed()
    assert table.understood.endswith("without '*' at numbers; time: day, value: sold")
    assert table.frame["sold"].sum() == sum(range(1, 29)) - 10


def test_words_among_numbers_of_json_are_named(tmp_path):
    rows = [{"t": f"2024-03-{n:02}", "tmpf": "M" if n == 7 else n + 0.5} for n in range(1, 29)]
    pd.DataFrame(rows).to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    with pytest.raises(
        DataError, match=r"column 'tmpf', row 7: expected numbers, received 'M' in 1 row"
    ):
        OpenTable.of(tmp_path / "a.jsonl", None).guessed()


def test_series_of_a_workbook_are_called_as_they_are_written(tmp_path):
    rows = [
        (f"2024-01-{n:02}", version, n) for version in ("1.1", "1.10", "2.0") for n in range(1, 20)
    ]
    book(tmp_path / "a.xlsx", {"a": pd.DataFrame(rows, columns=["day", "version", "sold"])})
    frame = OpenTable.of(tmp_path / "a.xlsx", None).guessed({"unique_id": "version"}).with_ids()
    assert frame["version"].drop_duplicates().tolist() == ["1.1", "1.10", "2.0"]


def test_marks_for_missing_values_are_none_of_the_numbers_of_parquet(tmp_path):
    rows = {
        "day": [f"2024-01-{n:02}" for n in range(1, 20)],
        "sold": ["-", "NA", *map(str, range(17))],
    }
    pd.DataFrame(rows).to_parquet(tmp_path / "a.parquet")
    frame = OpenTable.of(tmp_path / "a.parquet", None).guessed().frame
    assert frame["sold"].isna().sum() == 2
    assert frame["sold"].sum() == sum(range(17))
