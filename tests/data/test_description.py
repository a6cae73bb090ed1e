"""Facts about a table are those that a person would count."""

import json

import numpy as np
import pandas as pd
import pytest

from seqcast.data import datasets, describe
from seqcast.data.datasets import load, names
from seqcast.data.description import is_outlier
from seqcast.errors import Fix


def table():
    days = pd.date_range("2024-01-01", periods=70)
    rng = np.random.default_rng(0)
    y = 20 + 5 * np.sin(2 * np.pi * np.arange(70) / 7) + rng.normal(size=70)
    y[30] = 90.0
    y[10:14] = 3.25
    y[50] = np.nan
    a = pd.DataFrame({"unique_id": "a", "ds": days, "y": y}).drop(index=[20, 21])
    b = pd.DataFrame({"unique_id": "b", "ds": days, "y": np.arange(70.0) * (np.arange(70) > 9)})
    c = pd.DataFrame({"unique_id": "c", "ds": days[[0, 0, 1]], "y": 1.0})
    return pd.concat([a, b, c], ignore_index=True)


def test_what_was_planted_is_found():
    found = describe(table())
    a, b, c = found.series
    assert (c.name, c.rows, c.end) == ("c", 2, "2024-01-02")
    assert (found.frequency, found.inferred, found.season_length) == ("D", True, 7)
    assert (a.name, a.rows, a.missing_steps, a.missing_values, a.outliers, a.constant) == (
        "a",
        68,
        2,
        1,
        1,
        4,
    )
    assert (a.start, a.end, a.most, a.least, a.zeros) == (
        "2024-01-01",
        "2024-03-10",
        90.0,
        3.25,
        0.0,
    )
    assert (b.rows, b.missing_steps, b.outliers, b.constant, b.zeros) == (70, 0, 0, 10, 10 / 70)
    assert b.trend > 0.95 > 0.5 > b.season
    assert is_outlier(found.frame.source.series(0)[:, 0]).nonzero()[0].tolist() == [30]
    (fault,) = found.faults
    assert fault.rows == [139]
    assert "the duplicate 2024-01-01" in str(fault)


def test_it_reads_as_a_text_a_table_and_json():
    found = describe(table())
    text = str(found).splitlines()
    assert text[0] == "3 series, 2 to 70 rows each, 140 in all"
    assert "gaps      2 missing steps, 1 missing value" in text
    assert "outliers  1 value far from the rest in 1 of 3 series" in text
    assert text[-2] == "Wrong, or perhaps not meant (the lines above are about the rows without):"
    assert text[-1] == f"- {found.faults[0]}"
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["series"][1]["rows"] == 70
    assert found.to_frame()["rows"].tolist() == [68, 70, 2]
    assert found.to_dict()["faults"] == [str(found.faults[0])]


def test_it_does_not_stop_at_a_fault_and_says_what_it_would_without():
    good = table()[:138].reset_index(drop=True).astype({"y": object})
    bad = good.copy()
    bad.loc[5, "y"] = "closed"
    bad.loc[[90, 95], "y"] = "?"
    bad.loc[40, "y"] = -9999
    bad.loc[17, "ds"] = None
    late = pd.DataFrame({"unique_id": "b", "ds": good["ds"][70:72], "y": 1e6})
    found = describe(pd.concat([bad, late]))
    rows = {fault.received: (fault.column, list(fault.rows)) for fault in found.faults}
    assert rows["none"] == ("ds", [17])
    assert rows["'closed' in 1 row, '?' in 2 rows"] == ("y", [5, 90, 95])
    assert rows["-9999"] == ("y", [40])
    assert [fault.fix for fault in found.faults if fault.rows == [138]] == [Fix.SORT]
    assert [fault.rows for fault in found.faults if fault.fix is Fix.DEDUPLICATE] == [[138, 139]]
    assert len(found.faults) == 5
    left = good.drop(index=[5, 17, 40, 90, 95]).astype({"y": float})
    without = describe(left)
    assert [vars(each)["mean"] for each in found.series] == [
        vars(each)["mean"] for each in without.series
    ]
    assert [each.most for each in found.series] == [90.0, 69.0]


def test_series_off_their_step_are_left_out_and_listed_up_to_ten():
    rng = np.random.default_rng(0)
    pieces = [table()[:138]]
    for number in range(12):
        hours = pd.to_datetime("2024-01-01") + pd.to_timedelta(
            rng.integers(1, 9, 20).cumsum(), unit="h"
        )
        pieces.append(pd.DataFrame({"unique_id": f"c{number:02}", "ds": hours, "y": 1.0}))
    found = describe(pd.concat(pieces))
    assert [facts.name for facts in found.series] == ["a", "b"]
    assert [fault.series for fault in found.faults] == [f"c{number:02}" for number in range(12)]
    assert str(found).endswith("\n- 2 more series cannot be read")


@pytest.mark.parametrize("name", names())
def test_the_series_that_ship_have_their_step_and_season(name):
    true = datasets.describe(name)
    found = describe(load(name))
    # Cycles of sunspots are of unequal length, and stand out all the same.
    assert (found.frequency, found.season_length) == (
        true.frequency,
        {"sunspots": 11}.get(name, true.season_length),
    )
    assert found.series[0].rows == true.length


def test_whole_number_stamps_are_compared_as_numbers():
    stamps = {"unique_id": ["a"] * 20 + ["b"] * 21, "ds": [*range(100, 120), *range(99, 120)]}
    found = describe(pd.DataFrame({**stamps, "y": 1.0}))
    assert found.span == ("99", "119")
    assert "time      99 to 119" in str(found)


def test_series_that_are_odd_are_not_said_to_be_left_out():
    days = pd.date_range("2024-01-01", periods=40)
    rows = [pd.DataFrame({"unique_id": name, "ds": days, "y": np.arange(40) % 7}) for name in "ab"]
    found = describe(pd.concat(rows, ignore_index=True))
    assert str(found).splitlines()[-2] == "Wrong, or perhaps not meant:"
    assert "received those of 'a' at the same times" in str(found)


def test_series_that_end_earlier_and_days_without_values_are_named():
    days = pd.date_range("2024-01-01", periods=40)
    rows = [
        pd.DataFrame({"unique_id": name, "ds": days[:count], "y": np.arange(count) % 5 + 1.0})
        for name, count in [("a", 40), ("b", 30), ("c", 35)]
    ]
    df = pd.concat(rows, ignore_index=True)
    df.loc[df["ds"].dt.day_name() == "Sunday", "y"] = np.nan
    text = str(describe(df))
    assert "2024-01-01 to 2024-02-09; 2 of 3 end earlier, from 2024-01-30 on" in text
    assert "no Sundays: forecasts have them" in text


def test_a_number_of_many_digits_is_a_fault():
    frame = table()
    frame["y"] = pd.Series([10**400, *frame["y"][1:]], dtype=object)
    assert "a number of more than 308 digits" in str(describe(frame).faults[0])
