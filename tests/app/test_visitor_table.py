"""A visitor's table: roles, wide tables, rows ahead, problems at their place, and what is rejected."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcast.app.recipes import command_of, script_of
from seqcast.app.theme import explain_problem, in_page_words
from seqcast.app.visitor_table import ROLES, Roles, Table, TableLimits
from seqcast.app.visitors import Asked
from seqcast.errors import DataError, Fix
from seqcast.tables.dialect import Dialect
from seqcast.tables.guess import ColumnGuess
from seqcast.tables.layouts import Steps
from tests.rejections import rejected

DAYS = pd.date_range("2024-01-01", periods=30)


def write(tmp_path, table, name="t.csv", **options):
    path = tmp_path / name
    table.to_csv(path, index=False, **options)
    return path


def shops(ahead=5):
    tables = []
    for seed, shop in enumerate(("a", "b")):
        sold = np.arange(30.0) % 7 + seed
        sold[30 - ahead :] = np.nan
        tables.append(
            pd.DataFrame(
                {"shop": shop, "day": DAYS, "sold": sold, "price": np.arange(30) % 3 + 1.5}
            )
        )
    return pd.concat(tables, ignore_index=True)


names = st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=6, unique=True)


@given(names, st.data())
def test_a_role_of_one_column_moves_and_others_are_kept(columns, data):
    roles = Roles.of_guess(
        ColumnGuess(columns[0], None, columns[1], past=tuple(columns[2:])), columns
    )
    name = data.draw(st.sampled_from(columns))
    role = data.draw(st.sampled_from(list(ROLES)))
    changed = roles.changed(name, role)
    assert changed.of[name] == role
    assert list(changed.of) == list(roles.of)
    for single in ("time", "unique_id", "value"):
        assert len(changed.names(single)) <= 1
    for other in columns:
        if other != name and roles.of[other] != role:
            assert changed.of[other] == roles.of[other]


@pytest.mark.parametrize("layout", ["long", "wide"])
def test_an_error_about_words_proposes_them_as_missing_whatever_its_hint_says(tmp_path, layout):
    table = pd.DataFrame({"day": DAYS, "sold": np.arange(30) % 7}).astype({"sold": object})
    table.loc[5, "sold"] = "closed"
    table.loc[7, "sold"] = "4 kg"
    read = Table.read(
        write(tmp_path, table.assign(bought=3.5) if layout == "wide" else table)
    ).with_layout(layout)
    with pytest.raises(DataError, match="received 'closed' in 1 row") as caught:
        read.frame()
    assert caught.value.fix is Fix.CORRECT
    assert caught.value.missing_values == ("closed",)
    assert caught.value.changed(hint="").missing_values == ("closed",)


def test_a_fault_that_may_stand_for_missing_values_names_its_number(tmp_path):
    table = pd.DataFrame({"day": DAYS, "sold": np.arange(30) % 7 + 0.5})
    table.loc[[5, 6, 7], "sold"] = 99999.0
    faults = Table.read(write(tmp_path, table)).frame().facts.faults
    assert [fault.missing_values for fault in faults] == [("99999",)]


def test_rows_ahead_are_those_behind_each_last_value(tmp_path):
    frame = Table.read(write(tmp_path, shops())).frame()
    assert frame.roles.names("future") == ("price",)
    assert frame.df.groupby("shop").size().to_dict() == {"a": 25, "b": 25}
    assert frame.ahead.groupby("shop").size().to_dict() == {"a": 5, "b": 5}
    assert list(frame.ahead.columns) == ["shop", "day", "price"]
    assert frame.df["sold"].notna().all()


def test_gaps_between_values_are_no_rows_ahead(tmp_path):
    table = shops(ahead=2)
    table.loc[10, "sold"] = np.nan
    frame = Table.read(write(tmp_path, table)).frame()
    assert len(frame.ahead) == 4
    assert np.isnan(frame.series("a")[1]).sum() == 1


def test_the_order_of_rows_in_the_file_does_not_matter(tmp_path):
    ordered = Table.read(write(tmp_path, shops(), "ordered.csv")).frame()
    mixed = Table.read(
        write(tmp_path, shops().sample(frac=1.0, random_state=3), "mixed.csv")
    ).frame()
    pd.testing.assert_frame_equal(
        ordered.df.reset_index(drop=True), mixed.df.reset_index(drop=True)
    )
    pd.testing.assert_frame_equal(
        ordered.ahead.reset_index(drop=True), mixed.ahead.reset_index(drop=True)
    )


def test_a_wide_table_is_read_by_columns_and_some_are_left_out(tmp_path):
    wide = pd.DataFrame(
        {
            "day": DAYS,
            "north": np.arange(30.0) * 2,
            "south": np.arange(30.0) * 4 % 9,
            "west": np.arange(30.0) % 5,
        }
    )
    table = Table.read(write(tmp_path, wide, sep=";", decimal=","))
    assert table.roles.layout == "wide"
    assert table.frame().ids == ["north", "south", "west"]
    fewer = Table(table.path, table.raw, table.roles.changed("south", "ignore"), table.dialect)
    assert fewer.frame().ids == ["north", "west"]
    assert fewer.frame().series("north")[1].tolist() == list(range(0, 60, 2))


def test_a_table_without_times_counts_steps_or_from_a_first_time(tmp_path):
    table = Table.read(write(tmp_path, pd.DataFrame({"demand": np.arange(30.0) % 7})))
    assert table.frame().df["ds"].tolist() == [*range(1, 31)]
    timed = replace(table, steps=Steps("2024-01-01", "D"))
    assert timed.frame().df["ds"].tolist() == list(DAYS)
    asked = Asked(horizon=7, level=(80.0,), effort="quick", time_limit=None)
    assert "--start 2024-01-01 --freq D" in command_of(timed, timed.frame(), asked)
    assert "steps=Steps(start='2024-01-01', freq='D')" in script_of(timed, timed.frame(), asked)
    # A time that is chosen later stands in the file.
    dated = Table.read(write(tmp_path, pd.DataFrame({"day": DAYS, "demand": np.arange(30.0) % 7})))
    later = replace(dated, steps=Steps("2024-01-01", "D"))
    assert "--start" not in command_of(later, dated.frame(), asked)


def test_a_dialect_that_was_said_is_kept(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("ds,y\n" + "".join(f"{day:02d}/03/2024,{day}\n" for day in range(1, 13)))
    rejected(DataError, "day", Table.read(path).frame)
    frame = Table.read(path, dialect=Dialect(day_first=True)).frame()
    assert frame.df["ds"].iloc[-1] == pd.Timestamp("2024-03-12")


def test_a_series_with_a_problem_is_left_out_with_its_row_as_the_file_counts(tmp_path):
    table = shops(ahead=0)
    table.loc[40, "day"] = table.loc[39, "day"]  # a stamp twice, in series b
    mixed = table.sample(frac=1.0, random_state=1)
    frame = Table.read(write(tmp_path, mixed)).frame()
    assert frame.ids == ["a"]
    (problem,) = frame.problems
    assert problem.startswith("b, ")
    row = int(problem.partition("row ")[2].partition(":")[0])
    assert row - 2 in (list(mixed.index).index(40), list(mixed.index).index(39))
    assert Asked().options(frame)["on_bad_series"] == "skip"


def test_an_error_counts_all_rows_as_the_file_does(tmp_path):
    days = pd.date_range("2024-01-01", periods=9).strftime("%Y-%m-%d").tolist()
    path = write(tmp_path, pd.DataFrame({"ds": [*days[4:], days[6], *days[:4]], "y": range(10)}))
    with pytest.raises(DataError) as caught:
        Table.read(path).frame()
    assert caught.value.row == 5  # of the rows as they were read
    said = explain_problem(caught.value)
    assert re.findall(r"row \d+", said) == ["row 7", "row 4"]
    assert said.startswith(
        f"{path.name[0].upper()}{path.name[1:]}, column 'ds', row 7: expected a stamp after 2024-01-07"
    )
    assert in_page_words(caught.value.hint) == ""  # the page has no field for duplicates


def test_hints_name_the_fields_of_the_page(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("ds,y\n" + "".join(f"{day:02d}/03/2024,{day}\n" for day in range(1, 13)))
    with pytest.raises(DataError) as caught:
        Table.read(path).frame()
    assert in_page_words(caught.value.hint) == "Give “Dates: day first” or “Dates: month first”."


def test_a_table_without_values_is_rejected(tmp_path):
    path = write(tmp_path, pd.DataFrame({"day": DAYS[:2], "colour": ["red", "blue"]}))
    rejected(DataError, "expected one for value to forecast, received none", Table.read(path).frame)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"rows": 10}, "at most 10 rows, received 60"),
        ({"columns": 2}, "at most 2 columns, received"),
        ({"text_columns": 1}, "at most 1 columns of text, received 2"),
        ({"cells": 100}, "at most 100 cells, received"),
    ],
)
def test_a_table_that_is_too_large_is_rejected_before_its_columns_are_guessed(
    tmp_path, monkeypatch, limits, message
):
    monkeypatch.setattr("seqcast.tables.guess_columns", None)
    rejected(DataError, message, Table.read, write(tmp_path, shops()), None, TableLimits(**limits))


def test_a_wide_table_has_a_row_for_each_cell(tmp_path):
    wide = pd.DataFrame(
        {"day": DAYS, **{f"shop {number}": np.arange(30.0) + number for number in range(4)}}
    )
    table = Table.read(write(tmp_path, wide), None, TableLimits(rows=100))
    rejected(DataError, "at most 100 rows, received 120", table.frame)


def test_another_layout_gives_other_roles(tmp_path):
    table = Table.read(
        write(
            tmp_path, pd.DataFrame({"day": DAYS, "north": np.arange(30.0), "sold": np.arange(30.0)})
        )
    )
    assert table.with_layout("wide").roles.of == {"day": "time", "north": "value", "sold": "value"}


@pytest.mark.parametrize(
    ("frequency", "last", "steps", "end"),
    [
        ("D", "2024-01-31", "14 days", ", to 14 February 2024"),
        ("W-SUN", "2024-01-28", "14 weeks", ", to 5 May 2024"),
        ("15min", "2024-01-31", "14 steps of 15 minutes", ", to 31 January 2024, 03:30"),
        ("h", "2024-01-31", "14 hours", ", to 31 January 2024, 14:00"),
        ("MS", "2024-01-01", "14 months", ", to March 2025"),
        ("QE", "2023-12-31", "14 quarters", ", to June 2027"),
        ("YS", "2024-01-01", "14 years", ", to January 2038"),
    ],
)
def test_a_horizon_has_its_unit_and_its_end(tmp_path, frequency, last, steps, end):
    stamps = pd.date_range(end=last, periods=30, freq=frequency)
    frame = Table.read(
        write(tmp_path, pd.DataFrame({"day": stamps, "sold": np.arange(30.0)}))
    ).frame()
    assert (frame.spoken_steps(14), frame.spoken_end(14)) == (steps, end)
    assert frame.spoken_steps(1).split()[0] == "1"


def test_counted_steps_end_at_a_number(tmp_path):
    frame = Table.read(
        write(tmp_path, pd.DataFrame({"step": np.arange(30), "y": np.arange(30) % 7.0}))
    ).frame()
    assert (frame.spoken_steps(1), frame.spoken_steps(3), frame.spoken_end(14)) == (
        "1 step",
        "3 steps",
        ", to step 43",
    )
