"""What `seqcast.forecast` reads: files and frames whose columns nobody named, and values without times."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.forecaster import shortcut
from seqcast.specs.columns import Columns
from tests.fixtures.messy import eleven
from tests.rejections import rejected

DAYS = eleven.DAYS
WAVE = eleven.WAVE
SALES = pd.DataFrame({"Date": DAYS, "Sales": WAVE})


@pytest.fixture
def read(monkeypatch):
    """Return the frame that would be forecast, its columns, and what was said of it."""
    said = []
    monkeypatch.setattr(
        shortcut, "fit_and_forecast", lambda forecaster, df, future, **_: (df, forecaster.columns)
    )
    monkeypatch.setattr(shortcut, "what_was_chosen", lambda _: "")
    monkeypatch.setattr(shortcut, "say", said.append)
    return lambda data, **options: (*shortcut.forecast(data, 3, **options), said[0])


@pytest.mark.parametrize("convert", [lambda frame: frame, pl.from_pandas], ids=["pandas", "polars"])
def test_columns_are_guessed_and_rows_sorted(read, convert):
    frame, columns, said = read(convert(SALES[::-1]))
    assert type(frame) is type(convert(SALES))
    assert columns == Columns(ds="Date", y="Sales")
    assert list(frame["Sales"]) == WAVE.tolist()
    assert said == "seqcast: rows sorted by time; time: Date, value: Sales"


def test_a_file_is_read_as_a_table_and_a_table_stays(read, tmp_path):
    SALES.to_csv(tmp_path / "sales.csv", index=False)
    table, columns, said = read(tmp_path / "sales.csv")
    assert (table.series, columns, said) == (
        "sales",
        Columns(ds="Date", y="Sales"),
        "seqcast: time: Date, value: Sales",
    )
    assert read(table) == (table, columns, said)
    for option in ({"layout": "wide"}, {"start": "2024-01-01", "freq": "D"}):
        rejected(
            SpecError,
            "expected None for a table that has been read",
            shortcut.forecast,
            table,
            3,
            **option,
        )


def test_frames_with_the_usual_names_stay(read):
    frame = SALES.set_axis(["ds", "y"], axis=1)
    assert read(frame)[0] is frame
    assert read(SALES, columns=Columns(ds="Date", y="Sales"))[0] is SALES


SET = {
    "the value": ({"y": "Sales"}, {}),
    "several values": ({"y": ("Sales", "Visits")}, {}),
    "the series": ({"unique_id": "shop", "y": "Sales"}, {}),
    "the format of times": (
        {"ds_format": "%d%m%y", "y": "Sales"},
        {"Date": DAYS.strftime("%d%m%y").tolist() * 2},
    ),
    "the format of times alone": (
        {"ds_format": "%d%m%y"},
        {"Date": DAYS.strftime("%d%m%y").tolist() * 2},
    ),
}


@pytest.mark.parametrize("name", SET)
@pytest.mark.parametrize("in_file", [True, False])
def test_fields_of_columns_that_are_not_set_are_guessed(read, tmp_path, name, in_file):
    fields, changes = SET[name]
    table = SHOPS.assign(Visits=np.arange(140) % 11, **changes)
    table.to_csv(tmp_path / "sales.csv", index=False)
    data = tmp_path / "sales.csv" if in_file else table
    _, columns, said = read(data, columns=Columns(**fields))
    assert columns == Columns(**{"unique_id": "shop", "ds": "Date", "y": "Sales"} | fields)
    assert "time: Date, " in said
    assert "series: shop" in said


def test_a_wide_table_has_the_usual_columns_besides_those_that_are_set(read, tmp_path):
    pd.DataFrame({"Date": DAYS, "north": WAVE, "south": WAVE + 1}).to_csv(
        tmp_path / "wide.csv", index=False
    )
    _, columns, said = read(tmp_path / "wide.csv", columns=Columns(ds="Date"), layout="wide")
    assert (columns, said) == (Columns(ds="Date"), "seqcast: time: Date, a series in each column")


def test_several_values_of_one_series_name_no_column_of_ids(read, tmp_path):
    SALES.assign(Visits=WAVE[::-1]).to_csv(tmp_path / "sales.csv", index=False)
    said = read(tmp_path / "sales.csv", columns=Columns(y=("Sales", "Visits")))[2]
    assert said == "seqcast: time: Date, value: Sales, Visits"


def test_a_column_that_is_set_and_missing_is_an_error(tmp_path):
    SALES.to_csv(tmp_path / "sales.csv", index=False)
    message = r"sales.csv: expected a column 'Sold', received the columns 'Date', 'Sales'"
    rejected(
        DataError, message, shortcut.forecast, tmp_path / "sales.csv", 3, columns=Columns(y="Sold")
    )


def test_errors_after_reading_name_the_file_and_its_row(tmp_path):
    path = tmp_path / "sales.csv"
    twice = pd.concat([SALES[::-1], SALES[10:11]])
    twice.to_csv(path, index=False)
    message = rf"^{path}, column 'Date', row 72: expected a stamp after 2023-01-12 00:00:00 .row 61., received the dup"
    rejected(DataError, message, shortcut.forecast, path, 3, verbose=0)
    future = pd.DataFrame({"Date": DAYS[:3], "price": ["a", "b", "c"]})
    SALES.assign(price=1.5).to_csv(path, index=False)
    message = "^future .series 'sales'.: expected a row for each"
    rejected(
        DataError,
        message,
        shortcut.forecast,
        path,
        3,
        verbose=0,
        future=future,
        future_covariates=["price"],
        effort="quick",
    )


def test_layouts(read):
    wide = pd.DataFrame({"north": WAVE, "south": WAVE + 1}, index=DAYS)
    frame, columns, said = read(wide)
    assert (columns, said) == (Columns(), "seqcast: time: ds, a series in each column")
    assert frame.groupby("unique_id")["y"].sum().tolist() == pytest.approx(
        [WAVE.sum(), (WAVE + 1).sum()]
    )
    rows = pd.DataFrame([["a", *WAVE], ["b", *WAVE]]).rename(columns={0: "name"})
    assert read(rows)[0]["ds"].tolist() == [*range(1, 71)] * 2
    years = pd.DataFrame(
        [["a", 1.0, 2, 3], ["b", np.nan, 5, 6]], columns=["Country", "1990", "1991", "1992"]
    )
    frame, columns, _ = read(years)
    assert columns.unique_id == "Country"
    assert frame["ds"].tolist() == [1990, 1991, 1992, 1991, 1992]


SHOPS = pd.concat(
    [SALES.assign(shop="a"), SALES.assign(shop="b", Sales=WAVE + 1)], ignore_index=True
)
INDEXED = {
    "series and times": (SHOPS.set_index(["shop", "Date"]), 140),
    "their sums": (SHOPS.groupby(["shop", "Date"])["Sales"].sum(), 140),
    "text": (SALES.assign(Date=SALES["Date"].astype(str)).set_index("Date")["Sales"], 70),
    "a column too": (SALES.set_index("Date", drop=False), 70),
    "numbers of rows": (SALES.rename_axis(index="row"), 70),
    "dates": (SALES.assign(Date=SALES["Date"].dt.date), 70),
}


@pytest.mark.parametrize("name", INDEXED)
def test_an_index_with_names_is_read_as_columns(read, name):
    data, rows = INDEXED[name]
    frame, columns, said = read(data)
    assert (len(frame), columns.ds, columns.y) == (rows, "Date", "Sales")
    assert ("series: shop" in said) == (rows == 140)
    assert frame["Date"].tolist() == [*DAYS] * (rows // 70)


@pytest.mark.parametrize("convert", [np.asarray, list, pd.Series, pl.Series])
def test_values_without_times(read, convert):
    assert read(convert(WAVE))[0]["ds"].tolist() == [*range(1, 71)]
    frame, *_ = read(convert(WAVE), start="2023-01-02", freq="D")
    assert frame["ds"].tolist() == list(DAYS)


def test_questions_and_steps_that_make_no_sense(read):
    with pytest.raises(DataError, match="expected one column of values, received 'one', 'other'"):
        read(pd.DataFrame({"Date": DAYS, "one": WAVE, "other": WAVE * 100}))
    with pytest.raises(SpecError, match="start: expected a time"):
        read(WAVE, start="soon", freq="D")
    with pytest.raises(SpecError, match=r"start: expected a time, .* Write it in ISO 8601"):
        read(WAVE, start="01/02/2024", freq="D")
    with pytest.raises(SpecError, match="freq: expected a pandas offset alias"):
        read(WAVE, start="2023-01-02")
    with pytest.raises(SpecError, match="layout: expected one of 'long', 'wide', 'rows'"):
        read(SALES, layout="tall")
