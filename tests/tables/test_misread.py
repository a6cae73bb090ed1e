"""Tables that might be read wrongly in silence: each is read as meant, or is a question."""

import calendar
from datetime import date, datetime, timedelta

import pandas as pd
import pytest

from seqcast.data.frames.frame_reader import read_frame
from seqcast.errors import AmbiguityError, DataError
from seqcast.tables.dialect import Dialect
from seqcast.tables.layouts import Steps
from seqcast.tables.open_table import OpenTable

DAYS = [date(2024, 1, 1) + timedelta(place) for place in range(60)]
WEEKS = [date(2023, 10, 2) + timedelta(weeks=place) for place in range(30)]


def table(header, cells, times=DAYS):
    """Return the text of a file with a row for each time."""
    return "\n".join([header, *(cells(place, time) for place, time in enumerate(times))]) + "\n"


def hours(place, day):
    """Return the hours of a day of a power exchange; the one that clocks show twice has a value once a year."""
    names = [f"{hour}" for hour in range(1, 25)]
    names.insert(3, "3B")
    return f"{day}," + ",".join(
        "" if name == "3B" and place != 20 else f"{place + 1}.5" for name in names
    )


HOURS = "Date," + ",".join(
    ["Hour 1", "Hour 2", "Hour 3A", "Hour 3B", *(f"Hour {hour}" for hour in range(4, 25))]
)
MIESIACE = [
    "styczeń",
    "luty",
    "marzec",
    "kwiecień",
    "maj",
    "czerwiec",
    "lipiec",
    "sierpień",
    "wrzesień",
]
MIESIACE += ["październik", "listopad", "grudzień"]
DNY = ("Po", "Út", "St", "Čt", "Pá", "So", "Ne")
EVERY_HOUR = [datetime(2024, 1, 1) + timedelta(hours=place) for place in range(72)]
EVENTS = ("open", "promo", "open", "closed")

# The text of a file; its first two times and last one, its first values and number of series.
READ = {
    "days, months and years without marks": (
        table("date,y", lambda place, day: f"{day:%d%m%Y},{place % 7 + 1}"),
        ("2024-01-01", "2024-01-02", "2024-02-29"),
        ([1, 2, 3], 1),
    ),
    "years and days of the year": (
        table("date,y", lambda place, day: f"{day:%Y%j},{place % 7 + 1}"),
        ("2024-01-01", "2024-01-02", "2024-02-29"),
        ([1, 2, 3], 1),
    ),
    "years and weeks, over the end of a year": (
        table("week,y", lambda place, day: f"{day:%G%V},{place % 7 + 1}", WEEKS),
        ("2023-10-02", "2023-10-09", "2024-04-22"),
        ([1, 2, 3], 1),
    ),
    "years and weeks that may be months": (
        table("week,y", lambda place, _: f"2024{place + 1:02},{place % 5 + 1}", range(12)),
        ("2024-01-01", "2024-01-08", "2024-03-18"),
        ([1, 2, 3], 1),
    ),
    "weeks whose numbers may be months": (
        table("week,y", lambda place, _: f"2024-{place + 1:02},{place % 5 + 1}", range(12)),
        ("2024-01-01", "2024-01-08", "2024-03-18"),
        ([1, 2, 3], 1),
    ),
    "weeks with a day": (
        table("week,y", lambda place, day: f"{day:%G-W%V-%u},{place % 7 + 1}", WEEKS),
        ("2023-10-02", "2023-10-09", "2024-04-22"),
        ([1, 2, 3], 1),
    ),
    "weeks in words": (
        table("period,y", lambda place, day: f'"week {day:%V, %G}",{place % 7 + 1}', WEEKS),
        ("2023-10-02", "2023-10-09", "2024-04-22"),
        ([1, 2, 3], 1),
    ),
    "days in Czech, with the day of the week": (
        table(
            "Den;Počet",
            lambda place, d: f"{DNY[d.weekday()]} {d.day}. {d.month}. {d.year};{place}",
        ),
        ("2024-01-01", "2024-01-02", "2024-02-29"),
        ([0, 1, 2], 1),
    ),
    "months of short years after an apostrophe": (
        "month,y\n"
        + "".join(
            f"{calendar.month_abbr[m]}'{y},{m + 5}\n" for y in (22, 23) for m in range(1, 13)
        ),
        ("2022-01-01", "2022-02-01", "2023-12-01"),
        ([6, 7, 8], 1),
    ),
    "years without a name beside months in words": (
        ";;Index\n;;2020=100\n"
        + "".join(
            f"{y};{m};{y - 2000},5\n"
            for y in (2019, 2020, 2021)
            for m in ("Januar", "Februar", "März", "Juni")
        ),
        ("2019-01-01", "2019-02-01", "2021-06-01"),
        ([19.5, 19.5, 19.5], 1),
    ),
    "a zero at the end of thousands, beside whole numbers": (
        table(
            "day,sessions",
            lambda place, day: (
                f"{day},{940 + place if place % 2 else chr(34) + f'1,{10 * place + 100}' + chr(34)}"
            ),
        ),
        ("2024-01-01", "2024-01-02", "2024-02-29"),
        ([1100, 941, 1120], 1),
    ),
    "an exponent": (
        table("day,y", lambda place, day: f"{day},{place + 1}.000e+02"),
        ("2024-01-01", "2024-01-02", "2024-02-29"),
        ([100, 200, 300], 1),
    ),
    "facts above the header, and a note below the table": (
        "Station:;Berlin\nVon:;01.01.2024\n"
        + table("Tag;Regen", lambda place, day: f"{day:%d.%m.%Y};{place % 7},5")
        + "Quelle: Wetterdienst\n",
        ("2024-01-01", "2024-01-02", "2024-02-29"),
        ([0.5, 1.5, 2.5], 1),
    ),
    "a running number called id": (
        table("id,day,members", lambda place, day: f"{place + 40117},{day},{place * 7 % 11}"),
        ("2024-01-01", "2024-01-02", "2024-02-29"),
        ([0, 7, 3], 1),
    ),
    "a year in each row, its months in Roman numerals": (
        "Rok;I;II;III;IV;V;VI;VII;VIII;IX;X;XI;XII;Razem\n"
        + "".join(
            f"{y};" + ";".join(str(y - 2000 + m) for m in range(12)) + f";{12 * (y - 2000) + 66}\n"
            for y in range(2014, 2020)
        ),
        ("2014-01-01", "2014-02-01", "2019-12-01"),
        ([14, 15, 16], 1),
    ),
    "a day in each row, its hours as spans": (
        table(
            "Datum;Tag;" + ";".join(f"{h:02}-{h + 1:02}" for h in range(24)),
            lambda place, day: f"{day:%d.%m.%Y};Mo;" + ";".join(str(place + h) for h in range(24)),
        ),
        ("2024-01-01", "2024-01-01 01:00", "2024-02-29 23:00"),
        ([0, 1, 2], 1),
    ),
    "years in the header, the newest first": (
        "Item,2024,2023,2022,2021\nRevenue,60,50,40,30\nCost,6,5,4,3\n",
        (2021, 2022, 2024),
        ([3, 4, 5], 2),
    ),
    "quarters in the header, codes of an office": (
        "freq,geo\\TIME_PERIOD\t2023-Q1\t2023-Q2\t2023-Q3\t2023-Q4\nQ,AT\t5\t6\t7\t8\nQ,DE\t3\t4\t5\t6\n",
        ("2023-01-01", "2023-04-01", "2023-10-01"),
        ([5, 6, 7], 2),
    ),
    "fiscal years in the header": (
        "State,2008-09,2009-10,2010-11,2011-12\nGoa,10,20,30,40\nBihar,20,30,40,50\n",
        (2008, 2009, 2011),
        ([10, 20, 30], 2),
    ),
    "numbered rows, months in the header": (
        "Store,Jan 2024,Feb 2024,Mar 2024,Apr 2024\n1,10,20,30,40\n2,20,30,40,50\n3,30,40,50,60\n",
        ("2024-01-01", "2024-02-01", "2024-04-01"),
        ([10, 20, 30], 3),
    ),
    "a dash for no cents": (
        table(
            "Datum;Umsatz",
            lambda place, day: f"{day:%d.%m.%Y};1.{place + 100},{'50' if place == 3 else '-'}",
        ),
        ("2024-01-01", "2024-01-02", "2024-02-29"),
        ([1100, 1101, 1102], 1),
    ),
    "year, month, day and hour": (
        table(
            "Year,Month,Day,Hour,Load",
            lambda place, day: f"{day:%Y,%m,%d},{place % 24},{place}",
            EVERY_HOUR,
        ),
        ("2024-01-01", "2024-01-01 01:00", "2024-01-03 23:00"),
        ([0, 1, 2], 1),
    ),
    "the last step of a day ends at 00:00 of the same date": (
        table(
            "Datum;Zeit;kWh",
            lambda place, end: f"{end - timedelta(minutes=1):%d.%m.%Y};{end:%H:%M};{place}",
            [end + timedelta(hours=1) for end in EVERY_HOUR],
        ),
        ("2024-01-01 01:00", "2024-01-01 02:00", "2024-01-04"),
        ([0, 1, 2], 1),
    ),
    "the newest hours first": (
        table(
            "Datum;Zeit;kWh",
            lambda place, time: f"{time:%d.%m.%Y};{time:%H:%M};{place}",
            EVERY_HOUR[::-1],
        ),
        ("2024-01-01", "2024-01-01 01:00", "2024-01-03 23:00"),
        ([71, 70, 69], 1),
    ),
    "a day in each row, the ends of its hours in the columns": (
        table(
            "Datum;" + ";".join(f"{h % 24:02}:00" for h in range(1, 25)),
            lambda place, day: f"{day:%d.%m.%Y};" + ";".join(str(place + h) for h in range(24)),
        ),
        ("2024-01-01", "2024-01-01 01:00", "2024-02-29 23:00"),
        ([0, 1, 2], 1),
    ),
    "years of the last century": (
        "Date,y\n"
        + "".join(f"01.{m:02}.{y},{m + y}\n" for y in range(62, 76) for m in range(1, 13)),
        ("1962-01-01", "1962-02-01", "1975-12-01"),
        ([63, 64, 65], 1),
    ),
    "quarters before the year": (
        "Quarter,GDP\n"
        + "".join(f"{q}/{y},{q + 20}\n" for y in (2021, 2022, 2023) for q in range(1, 5)),
        ("2021-01-01", "2021-04-01", "2023-10-01"),
        ([21, 22, 23], 1),
    ),
    "the line of Excel that names the separator": (
        table("sep=;\nDate;Sales", lambda place, day: f"{day};{place + 50}"),
        ("2024-01-01", "2024-01-02", "2024-02-29"),
        ([50, 51, 52], 1),
    ),
    "what happened, and what was meant to": (
        table("Date,Target,Actual", lambda place, day: f"{day},{place % 3 + 105},{place + 100}"),
        ("2024-01-01", "2024-01-02", "2024-02-29"),
        ([100, 101, 102], 1),
    ),
    "a total in the header without times": (
        "Product,Jan,Feb,Mar,Apr,May,Jun,Total\nA,10,20,30,40,50,60,210\nB,20,30,40,50,60,70,270\n",
        (1, 2, 6),
        ([10, 20, 30], 2),
    ),
    "months in Polish, of which one is another month in Croatian": (
        "Miesiąc,Kwota\n"
        + "".join(f"{month} 2023,{place + 10}\n" for place, month in enumerate(MIESIACE)),
        ("2023-01-01", "2023-02-01", "2023-12-01"),
        ([10, 11, 12], 1),
    ),
    "months in words beside years": (
        "Month,Year,Sales\n"
        + "".join(
            f"{calendar.month_name[m]},{y},{m}\n" for y in (2022, 2023) for m in range(1, 13)
        ),
        ("2022-01-01", "2022-02-01", "2023-12-01"),
        ([1, 2, 3], 1),
    ),
    "weeks in French": (
        table("Semaine,Ventes", lambda place, day: f"{day:%G-S%V},{place % 7 + 1}", WEEKS),
        ("2023-10-02", "2023-10-09", "2024-04-22"),
        ([1, 2, 3], 1),
    ),
    "days and hours without marks": (
        table("MESS_DATUM,V", lambda place, day: f"{day:%Y%m%d}{place % 24:02},{place % 7 + 1}"),
        ("2024-01-01 00:00", "2024-01-02 01:00", "2024-02-29 11:00"),
        ([1, 2, 3], 1),
    ),
    "minus 999 where a value is missing": (
        table(
            "date;V", lambda place, day: f"{day};{-999 if place in (3, 4, 9) else 12 + place % 7}"
        ),
        ("2024-01-01", "2024-01-02", "2024-02-29"),
        ([12, 13, 14], 1),
    ),
    "facts of the file below the header": (
        '"Libellé";"Indice des prix";"Codes"\n"idBank";"001763999";""\n"Mise à jour";"15/03/2024";""\n"Période";"";""\n'
        + table("2023-12-31;99.5;A", lambda place, day: f"{day};{117 + place % 5}.21;A"),
        ("2023-12-31", "2024-01-01", "2024-02-29"),
        ([99.5, 117.21, 118.21], 1),
    ),
    "events beside one series": (
        table("date,state,sales", lambda place, day: f"{day},{EVENTS[place % 4]},{10 + place % 5}"),
        ("2024-01-01", "2024-01-02", "2024-02-29"),
        ([10, 11, 12], 1),
    ),
    "an hour that clocks show twice": (
        table(HOURS, hours),
        ("2024-01-01 00:00", "2024-01-01 01:00", "2024-02-29 23:00"),
        ([1.5, 1.5, 1.5], 1),
    ),
    "rows that are numbered from 1 to 24": (
        "date,shop,number,sold\n"
        + "".join(
            f"{day},{'xy'[place // 12]},{place + 1},{place % 5}\n"
            for place, day in enumerate([*DAYS[:12]] * 2)
        ),
        ("2024-01-01", "2024-01-02", "2024-01-12"),
        ([0, 1, 2], 2),
    ),
    "spans without spaces": (
        table(
            "date,y",
            lambda place, _: f"2024-01-01 {place:02}:00-{place:02}:59,{place % 7 + 1}",
            range(24),
        ),
        ("2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 23:00"),
        ([1, 2, 3], 1),
    ),
    "quarters in numbers": (
        table(
            "quarter,y",
            lambda place, _: f"{2015 + place // 4}-{place % 4 + 1},{place % 7 + 1}",
            range(12),
        ),
        ("2015-01-01", "2015-04-01", "2017-10-01"),
        ([1, 2, 3], 1),
    ),
    "years and months with a point": (
        table(
            "Monat;Umsatz",
            lambda place, _: f"{2020 + place // 12}.{place % 12 + 1:02};{place + 3}",
            range(30),
        ),
        ("2020-01-01", "2020-02-01", "2022-06-01"),
        ([3, 4, 5], 1),
    ),
    "months and years with a point, without zeros": (
        table(
            "Monat;Umsatz",
            lambda place, _: f"{place % 12 + 1}.{2020 + place // 12};{place + 3}",
            range(30),
        ),
        ("2020-01-01", "2020-02-01", "2022-06-01"),
        ([3, 4, 5], 1),
    ),
    "years and months beside a series in each column": (
        "Year,Month,north,south\n"
        + "".join(f"{y},{m},{m},{m + 5}\n" for y in (2021, 2022, 2023) for m in range(1, 13)),
        ("2021-01-01", "2021-02-01", "2023-12-01"),
        ([1, 2, 3], 2),
    ),
    "year, month and day beside a clock": (
        table(
            "Year,Month,Day,Time,Load",
            lambda place, time: f"{time:%Y,%m,%d,%H:%M},{place}",
            EVERY_HOUR,
        ),
        ("2024-01-01", "2024-01-01 01:00", "2024-01-03 23:00"),
        ([0, 1, 2], 1),
    ),
    "a number of sixty digits": (
        table("date,y", lambda place, day: f"{day},{'1' * 60 if place == 5 else place}"),
        ("2024-01-01", "2024-01-02", "2024-02-29"),
        ([0, 1, 2], 1),
    ),
}


@pytest.mark.parametrize("name", READ)
def test_tables_are_read_as_they_are_meant(tmp_path, name):
    text, times, (values, series) = READ[name]
    (tmp_path / "a.csv").write_text(text)
    table = OpenTable.of(tmp_path / "a.csv", None).guessed()
    frame = table.with_ids()
    columns = table.columns
    assert frame[columns.ds].iloc[[0, 1, -1]].tolist() == [
        each if isinstance(each, int) else pd.Timestamp(each) for each in times
    ]
    assert frame[columns.value].head(3).tolist() == values
    assert frame[columns.unique_id].nunique() == series


# The text of a file, what its error says, and the answers that settle it.
ASKED = {
    "a column that only grows, beside a rate": (
        table(
            "date,subscribers,churn_rate",
            lambda place, day: f"{day},{1000 + 7 * place},{place % 11 / 100}",
        ),
        "received 'subscribers', 'churn_rate'",
        ["columns=Columns(y='subscribers')", "columns=Columns(y='churn_rate')", "layout='wide'"],
    ),
    "documents that only grow, beside wages": (
        table(
            "Pay Date,Docket,Wages ($)", lambda place, day: f"{day},{100 + place**2},{place % 5}"
        ),
        r"received 'Docket', 'Wages \(\$\)'",
        ["columns=Columns(y='Docket')", "columns=Columns(y='Wages ($)')", "layout='wide'"],
    ),
    "tabs, three decimals or thousands": (
        table("date\ty", lambda place, day: f"{day}\t{('100', '101.125', '99.875')[place % 3]}"),
        r"received '101\.125', and no number shows",
        ["dialect=Dialect(decimal='.')", "dialect=Dialect(thousands='.')"],
    ),
    "semicolons, points in dates, three decimals or thousands": (
        table("Datum;Wert", lambda place, day: f"{day:%d.%m.%Y};{1 + place % 3},{234 + place}"),
        "received '1,234', and no number shows",
        ["dialect=Dialect(decimal=',')", "dialect=Dialect(thousands=',')"],
    ),
    "thousands with a point, none above a million": (
        table(
            "Tag;Proben",
            lambda place, day: (
                f"{day:%d.%m.%Y};{f'1.{10 * place + 1:03}' if place % 3 else 900 + place}"
            ),
        ),
        r"received '1\.011', and no number shows",
        ["dialect=Dialect(decimal='.')", "dialect=Dialect(thousands='.')"],
    ),
    "thousands in one column, decimals in another": (
        table(
            "date;a;b", lambda place, day: f"{day};{('1.142', '712', '980')[place % 3]};{place}.5"
        ),
        r"received '1\.142', which may be in thousands",
        ["dialect=Dialect(decimal='.')"],
    ),
    "thousands in one column, decimals in another, between commas": (
        table(
            "date,a,b", lambda place, day: f"{day},{('1.142', '712', '980')[place % 3]},{place}.5"
        ),
        r"received '1\.142', which may be in thousands",
        ["dialect=Dialect(decimal='.')"],
    ),
    "dollars": (
        table(
            "month,revenue",
            lambda place, _: f'2023-{place + 1:02},"${51 + place},{389 + place}"',
            range(12),
        ),
        "received '51,389', and no number shows",
        ["dialect=Dialect(decimal=',')", "dialect=Dialect(thousands=',')"],
    ),
    "a rate beside counts": (
        table(
            "day,offered,handled,answered %",
            lambda place, day: f"{day},{place % 7 + 40},{place % 5 + 30},{place % 9 + 80}",
        ),
        "expected one column of values, received 'offered', 'handled', 'answered %'",
        [
            "columns=Columns(y='offered')",
            "columns=Columns(y='handled')",
            "columns=Columns(y='answered %')",
            "layout='wide'",
        ],
    ),
    "a running total beside its steps": (
        table(
            "月份,当月值,累计值",
            lambda place, day: f"{day},{place % 7 + 40},{place % 12 * 20 + 40}",
        ),
        "expected one column of values, received '当月值', '累计值'",
        ["columns=Columns(y='当月值')", "columns=Columns(y='累计值')", "layout='wide'"],
    ),
    "thousands in one column, months as numbers in another": (
        table(
            "Monat;Umsatz",
            lambda place, day: f"{day:%Y.%m};1.{250 + place}",
            [date(2022 + m // 12, m % 12 + 1, 1) for m in range(24)],
        ),
        r"received '1\.250', which may be in thousands",
        ["dialect=Dialect(decimal='.')"],
    ),
    "a decimal comma in the likelier values, a point beside them": (
        table("date;price;amount", lambda place, day: f"{day};{place}.5;{place},5"),
        "one decimal mark in all numbers",
        ["dialect=Dialect(decimal=',')"],
    ),
    "a header in two rows": (
        table(
            "Date,North,North,South,South\n,Sales,Qty,Sales,Qty",
            lambda place, day: f"{day},{place},{place + 1},{place + 2},{place + 3}",
        ),
        "received 'North Sales', 'North Qty', 'South Sales', 'South Qty'",
        [
            *(
                f"columns=Columns(y='{name}')"
                for name in ("North Sales", "North Qty", "South Sales", "South Qty")
            ),
            "layout='wide'",
        ],
    ),
    "a decimal point in one column, a decimal comma in another": (
        table("date;y;other", lambda place, day: f"{day};{place}.5;{place},5"),
        "one decimal mark in all numbers",
        ["dialect=Dialect(decimal='.')"],
    ),
    "series in columns or in rows": (
        table(
            ",".join("abcdefghijklmnop"),
            lambda row, _: ",".join(f"{(7 * row + 3 * each) % 11}.5" for each in range(16)),
            DAYS[:9],
        ),
        "a table of numbers that may be either",
        ["layout='wide'", "layout='rows'"],
    ),
    "days or months first": (
        table("date,y", lambda place, day: f"{day:%d/%m/%Y},{place % 7 + 1}", DAYS[:12]),
        "no row distinguishes the day from the month",
        ["dialect=Dialect(day_first=True)", "dialect=Dialect(day_first=False)"],
    ),
    "six digits with the day first": (
        table("date,y", lambda place, day: f"{day:%d%m%y},{place % 7 + 1}"),
        "which may be written as %y%m%d or %d%m%y",
        ["columns=Columns(ds_format='%d%m%y')", "columns=Columns(ds_format='%y%m%d')"],
    ),
    "days in a header": (
        "store,01/02/2024,02/02/2024,03/02/2024,04/02/2024\na,1,2,3,4\nb,2,3,4,5\n",
        "a.csv, the header: expected dates that can be read in one way only, received '01/02/2024'",
        ["dialect=Dialect(day_first=True)", "dialect=Dialect(day_first=False)"],
    ),
    "years of two digits": (
        table("date,y", lambda place, day: f"{day:%y/%m/%d},{place % 7 + 1}"),
        "expected dates that can be read in one way only, received '24/01/01'",
        ["dialect=Dialect(day_first=True)", "columns=Columns(ds_format='%y/%m/%d')"],
    ),
    "weeks that may be days": (
        table("t,y", lambda place, _: f"2012{place + 13},{place % 7 + 1}", range(40)),
        "which may be written as %G%V or %d%m%y",
        ["columns=Columns(ds_format='%G%V')", "columns=Columns(ds_format='%d%m%y')"],
    ),
}


def answered(path, answer):
    """Return the times and first values of a file that is read as an answer says."""
    owner, _, field = answer.name.rpartition(".")
    dialect = Dialect(**{field: answer.value}) if owner == "dialect" else None
    given = {field: answer.value} if owner == "columns" else None
    layout = answer.value if answer.name == "layout" else None
    read = OpenTable.of(path, dialect).guessed(given, layout)
    frame = read_frame(read.with_ids(), read.columns, irregular=True)
    return frame.source.ids, tuple(frame.stamps[:3]), tuple(frame.source.values[:3, 0])


@pytest.mark.parametrize("name", ASKED)
def test_tables_that_can_be_read_in_two_ways_are_questions_which_each_answer_settles(
    tmp_path, name
):
    text, message, answers = ASKED[name]
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(AmbiguityError, match=message) as caught:
        OpenTable.of(tmp_path / "a.csv", None).guessed()
    assert [str(answer) for answer in caught.value.answers] == answers
    read = {answered(tmp_path / "a.csv", answer) for answer in caught.value.answers}
    assert len(read) == len(answers)


# The text of a file of which nothing makes a table, and what its error says.
REJECTED = {
    "a day that is none": (
        "date,y\n31012024,1\n01022024,2\n31042024,3\n02022024,4\n",
        "row 4: expected a date as %d%m%Y, received 31042024",
    ),
    "periods of thirteen": (
        "Jahr;Periode;Umsatz\n"
        + "".join(
            f"{year};P{period:02};{period + 90}\n"
            for year in (2021, 2022, 2023)
            for period in range(1, 14)
        ),
        "column 'Periode', row 2: expected a date or time",
    ),
    "words that are no times": (
        "Region,Product,Sold\n"
        + "".join(f"{'NS'[place % 2]},{place % 3}x,{place * 7 % 11}\n" for place in range(30)),
        "expected a column of times, received none, and 'Region' cannot be read as times",
    ),
    "months of no year": (
        "month,sales\n" + "".join(f"{calendar.month_name[m]},{m}\n" for m in range(1, 13)),
        "expected a column of times, received none, and 'month' cannot be read as times",
    ),
    "decimal commas between commas": (
        table("date,temp", lambda place, day: f"{day},{10 + place % 5},{place % 10}"),
        "2 names in the header, received 3 values in the rows",
    ),
    "rows that are longer than the header": (
        "a list of sales\n\n|day|sold|\n-----\n|2024-01-01|3|\n|2024-01-02|4|\n",
        "expected at most 1 cell in a row, as in line 1, received 4 cells in line 3",
    ),
    "quarters of each year in a row": (
        "Year,Q1,Q2,Q3,Q4\n"
        + "".join(f"{y},{y - 2000},{y - 1999},{y - 1998},{y - 1997}\n" for y in range(2015, 2024)),
        "received 'Year' in the rows, and 'Q1', 'Q2', 'Q3' … in the columns",
    ),
    "years of each month in a row": (
        "Month,2022,2023,2024\n"
        + "".join(f"{calendar.month_abbr[m]},{m},{m + 2},{m + 4}\n" for m in range(1, 13)),
        "received 'Month' in the rows, and '2022', '2023', '2024' … in the columns",
    ),
    "quarters among months in the header": (
        "Product,Jan 2024,Feb 2024,Mar 2024,Q1 2024,Apr 2024,May 2024\nA,10,20,30,60,40,50\nB,20,30,40,90,50,60\n",
        "received 'Jan 2024', 'Feb 2024' … and 'Q1 2024'",
    ),
    "halves of years": (
        "TIME_PERIOD,OBS_VALUE\n"
        + "".join(f"{y}-S{half},{y - 2000}\n" for y in range(2015, 2024) for half in (1, 2)),
        "expected a date or time, such as .* received '2015-S1'",
    ),
    "days as spreadsheets number them": (
        "Date,Sales\n" + "".join(f"{45292 + place},{place % 7}\n" for place in range(30)),
        "expected dates, received 45292, which may be a day as spreadsheets number them",
    ),
    "a thirteenth month": (
        "Year,Month,Sales\n"
        + "".join(f"{y},{m},{m}\n" for y in (2021, 2022) for m in range(1, 14)),
        "row 14: expected a date or time, such as .* received '2021-13'",
    ),
    "days without a year that look like months": (
        "Date,y\n" + "".join(f"{day:%b-%d},{day.day}\n" for day in DAYS),
        "row 2: expected a date or time",
    ),
    "periods of a fiscal year": (
        "period,amount\n" + "".join(f"{y}{p:03},{p}\n" for y in (2022, 2023) for p in range(1, 13)),
        "expected a date as .* received",
    ),
    "years among months": (
        "date,y\n"
        + "".join(f"{y},{y - 1990}\n" for y in range(2000, 2005))
        + "".join(f"2005-{m:02},{m}\n" for m in range(1, 13)),
        "row 2: expected times as precise as most others, received '2000'",
    ),
    "a date without marks that is missing": (
        "month,y\n202301,1\n202302,2\n,3\n202304,4\n202305,5\n",
        "column 'month', row 4: expected a time stamp, received none",
    ),
    "amounts in two currencies": (
        table(
            "date,amount,currency",
            lambda place, day: f"{day},{place % 7},{'EUR' if place < 20 else 'USD'}",
        ),
        "expected values of a series in one unit, received 'EUR', 'USD' in the column 'currency'",
    ),
    "quarters and years": (
        "t,y\n2010 Q1,5\n2010 Q2,6\n2010 Q3,7\n2010 Q4,8\n2011,9\n",
        "row 2: expected a date or time",
    ),
}


@pytest.mark.parametrize("name", REJECTED)
def test_tables_that_can_be_read_in_no_way_are_rejected(tmp_path, name):
    text, message = REJECTED[name]
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        OpenTable.of(tmp_path / "a.csv", None).guessed()
    assert not isinstance(caught.value, AmbiguityError)


def test_numbers_that_cycle_are_no_steps(tmp_path):
    (tmp_path / "a.csv").write_text(
        table("price,sold", lambda place, _: f"{place % 3 + 1},{place * 7 % 11}")
    )
    read = OpenTable.of(tmp_path / "a.csv", None).guessed()
    assert (read.guess.time, read.guess.value) == (None, "sold")


def test_steps_from_a_start_on_are_those_of_each_series(tmp_path):
    (tmp_path / "a.csv").write_text("store,sold\na,1\na,2\nb,3\nb,4\n")
    read = OpenTable.of(tmp_path / "a.csv", None).guessed(
        {"unique_id": "store", "y": "sold"}, steps=Steps("2024-01-31", "ME")
    )
    assert read.frame["ds"].dt.month.tolist() == [1, 2, 1, 2]


def test_a_second_column_of_times_names_no_series(tmp_path):
    """Each day is reported again and again: rows stay rows of one series, and are an error as duplicates."""
    text = table(
        "day,reported,count",
        lambda place, _: f"{DAYS[place // 2]},{DAYS[place // 2 + 5 * (place % 2)]},{place}",
    )
    (tmp_path / "a.csv").write_text(text)
    read = OpenTable.of(tmp_path / "a.csv", None).guessed()
    assert (read.columns.ds, read.guess.unique_id, read.columns.value) == ("day", None, "count")


@pytest.mark.parametrize("cell", ["-", '"–"', "n/a"])
def test_dashes_are_said_to_be_missing_because_offices_write_them_for_zero(tmp_path, cell):
    text = table(
        "date,sold,price", lambda place, day: f"{day},{cell if place == 3 else place % 7},{cell}"
    )
    (tmp_path / "a.csv").write_text(text)
    read = OpenTable.of(tmp_path / "a.csv", None).guessed()
    assert int(read.frame["sold"].isna().sum()) == 1
    assert (f"'{cell.strip(chr(34))}' as missing, not 0" in read.understood) == (cell != "n/a")


def test_a_series_for_each_currency_answers_that_amounts_are_in_two(tmp_path):
    text = table(
        "date,amount,currency",
        lambda place, day: f"{day},{place % 7},{'EUR' if place < 20 else 'USD'}",
    )
    (tmp_path / "a.csv").write_text(text)
    read = OpenTable.of(tmp_path / "a.csv", None).guessed({"unique_id": "currency"})
    assert read.frame["currency"].unique().tolist() == ["EUR", "USD"]
