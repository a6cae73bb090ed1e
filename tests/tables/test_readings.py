"""Evidence for readings: its weights, and which reading is the best."""

import inspect
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from seqcast.tables import readings
from seqcast.tables.profiles import TableProfile
from seqcast.tables.readings import (
    CLEARLY,
    WEIGHTS,
    Reading,
    best_of,
    series_readings,
    time_readings,
    value_readings,
)

DAYS = pd.date_range("2024-01-01", periods=30).strftime("%Y-%m-%d")
WAVE = np.round(10 + np.sin(np.arange(30)), 2)
KINDS = [
    "dates",
    "a clock",
    "text with years",
    "a year and its part",
    "numbers named as times",
    "counted steps",
]


def test_each_weight_has_a_reason_and_is_the_evidence_of_some_reading():
    source = inspect.getsource(readings).split("# ----------------", 1)[1]
    for name, weight in WEIGHTS.items():
        assert len(weight.reason.split()) > 3
        assert f'"{name}"' in source, name


def test_a_name_never_outweighs_what_the_values_are():
    points = [WEIGHTS[kind].points for kind in KINDS]
    steps = [before - after for before, after in pairwise(points)]
    assert min(steps) >= WEIGHTS["the name of a time"].points


def test_of_equal_readings_the_first_column_is_taken():
    assert best_of(
        [Reading(("b",), {"dates": 1}, 1), Reading(("a",), {"dates": 1}, 0)]
    ).columns == ("a",)


@pytest.mark.parametrize(
    ("columns", "time"),
    [
        ({"when": DAYS, "n": range(30)}, ("when",)),
        ({"n": range(30), "v": WAVE}, ("n",)),
        (
            {
                "year": [2000 + n // 12 for n in range(30)],
                "m": [n % 12 + 1 for n in range(30)],
                "v": WAVE,
            },
            ("year", "m"),
        ),
        ({"day": np.repeat(DAYS[:2], 15), "hour": [*range(15)] * 2, "v": WAVE}, ("day", "hour")),
        ({"v": WAVE}, ()),
    ],
)
def test_times(columns, time):
    assert best_of(time_readings(TableProfile(pd.DataFrame(columns)))).columns == time


@pytest.mark.parametrize(
    ("keys", "series"),
    [
        ({"shop": ["a", "b"] * 15}, ("shop",)),
        ({"code": [1, 2] * 15, "shop": ["a", "b"] * 15}, ("shop",)),
        (
            {"shop": ["a", "a", "b", "b"] * 7 + ["a", "a"], "item": ["x", "y"] * 15},
            ("item", "shop"),
        ),
        ({"reported": DAYS}, ()),
    ],
)
def test_series(keys, series):
    rows = 4 if len(series) == 2 else 2
    table = pd.DataFrame({"day": DAYS[np.arange(30) // rows], **keys, "v": WAVE})
    assert best_of(series_readings(TableProfile(table), ["day"], list(keys))).columns == series


@pytest.mark.parametrize(
    ("columns", "likely"),
    [
        ({"sales": WAVE, "rain": WAVE}, ["sales"]),
        ({"load": WAVE, "temperature": WAVE}, ["load"]),
        (
            {"load": WAVE, "temperature": WAVE, "humidity": WAVE},
            ["load", "temperature", "humidity"],
        ),
        ({"in": WAVE, "out": WAVE}, ["in", "out"]),
        ({"orders": WAVE, "revenue": WAVE}, ["orders", "revenue"]),
        ({"total_cases": np.cumsum(WAVE), "beds": WAVE}, ["total_cases", "beds"]),
        ({"row": range(1, 31), "beds": WAVE}, ["beds"]),
        ({"closed": [0, 1] * 15, "beds": WAVE}, ["beds"]),
        ({"price": WAVE, "promo": [0, 1] * 15}, ["price"]),
    ],
)
def test_values(columns, likely):
    table = TableProfile(pd.DataFrame({"day": DAYS, **columns}))
    found = value_readings(table, ["day"], [], list(columns))
    best = best_of(found)
    assert [each.columns[0] for each in found if best.score - each.score < CLEARLY] == likely
