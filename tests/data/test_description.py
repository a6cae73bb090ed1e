"""Facts about a table are those that a person would count."""

import json

import numpy as np
import pandas as pd
import pytest

from seqcast.data import datasets, describe
from seqcast.data.datasets import load, names
from seqcast.data.description import is_outlier


def table():
    days = pd.date_range("2024-01-01", periods=70)
    rng = np.random.default_rng(0)
    y = 20 + 5 * np.sin(2 * np.pi * np.arange(70) / 7) + rng.normal(size=70)
    y[30], y[10:14], y[50] = 90.0, 3.25, np.nan
    a = pd.DataFrame({"unique_id": "a", "ds": days, "y": y}).drop(index=[20, 21])
    b = pd.DataFrame({"unique_id": "b", "ds": days, "y": np.arange(70.0) * (np.arange(70) > 9)})
    c = pd.DataFrame({"unique_id": "c", "ds": days[[0, 0, 1]], "y": 1.0})
    return pd.concat([a, b, c], ignore_index=True)


def test_what_was_planted_is_found():
    found = describe(table())
    a, b = found.series
    assert (found.frequency, found.inferred, found.season_length) == ("D", True, 7)
    assert (a.name, a.rows, a.missing_steps, a.missing_values, a.outliers, a.constant) == ("a", 68, 2, 1, 1, 4)
    assert (a.start, a.end, a.most, a.least, a.zeros) == ("2024-01-01", "2024-03-10", 90.0, 3.25, 0.0)
    assert (b.rows, b.missing_steps, b.outliers, b.constant, b.zeros) == (70, 0, 0, 10, 10 / 70)
    assert b.trend > 0.95 > 0.5 > b.season
    assert is_outlier(found.frame.source.series(0)[:, 0]).nonzero()[0].tolist() == [30]
    assert list(found.problems) == ["c"]
    assert "the duplicate 2024-01-01" in found.problems["c"]


def test_it_reads_as_a_text_a_table_and_json():
    found = describe(table())
    text = str(found).splitlines()
    assert text[0] == "2 series, 68 to 70 rows each, 138 in all"
    assert "gaps      2 missing steps, 1 missing value" in text
    assert "outliers  1 value far from the rest in 1 of 2 series" in text
    assert any(line.startswith("wrong     1 series could not be read:") for line in text)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["series"][1]["rows"] == 70
    assert found.to_frame()["rows"].tolist() == [68, 70]


@pytest.mark.parametrize("name", names())
def test_the_series_that_ship_have_their_step_and_season(name):
    true, found = datasets.describe(name), describe(load(name))
    # Cycles of sunspots are of unequal length, and stand out all the same.
    assert (found.frequency, found.season_length) == (true.frequency, {"sunspots": 11}.get(name, true.season_length))
    assert found.series[0].rows == true.length


def test_whole_number_stamps_are_compared_as_numbers():
    stamps = {"unique_id": ["a"] * 20 + ["b"] * 21, "ds": [*range(100, 120), *range(99, 120)]}
    found = describe(pd.DataFrame({**stamps, "y": 1.0}))
    assert found.span == ("99", "119")
    assert "time      99 to 119" in str(found)
