"""Stamps numbered on a grid are the stamps that pandas counts, with gaps and without."""

import numpy as np
import pandas as pd
import pytest

from seqcast.data.frames.frame_reader import read_frame
from seqcast.data.frames.frequency import infer
from seqcast.errors import DataError
from tests.rejections import rejected

FREQS = [
    "min",
    "15min",
    "h",
    "6h",
    "D",
    "2D",
    "7D",
    "B",
    "W-SAT",
    "MS",
    "ME",
    "2MS",
    "QS-OCT",
    "YS-JAN",
    "SME",
]


@pytest.mark.parametrize("freq", FREQS)
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_missing_rows_come_back(freq, zone, unit):
    """Also where the clock of Berlin is put forward, on the last day of March."""
    stamps = pd.date_range("2024-03-30 06:00", periods=200, freq=freq, tz=zone).as_unit(unit)
    df = pd.DataFrame({"unique_id": "a", "ds": stamps, "y": np.arange(200.0)})
    holes = [3, 4, 17, 138]
    frame = read_frame(df.drop(index=holes), freq=freq, missing="fill")
    assert (frame.stamps == stamps).all()
    assert np.flatnonzero(np.isnan(frame.targets[:, 0])).tolist() == holes
    assert np.flatnonzero(frame.rows < 0).tolist() == holes


def test_series_may_have_phases_of_their_own():
    days = pd.date_range("2024-01-01", periods=9, freq="2D")
    phases = {"a": "0D", "b": "1D", "c": "30h"}
    tables = [
        pd.DataFrame({"unique_id": name, "ds": days + pd.Timedelta(by), "y": 1.0})
        for name, by in phases.items()
    ]
    frame = read_frame(pd.concat(tables).drop(index=[4]), freq="2D", missing="fill")
    assert frame.source.lengths.tolist() == [9, 9, 9]
    for late in ("1D", "1h"):
        moved = pd.concat(tables)
        moved.iloc[5, 1] += pd.Timedelta(late)
        with pytest.raises(
            DataError, match=r"ds, row 5 \(series 'a'\): expected 2024-01-11.*or whole steps later"
        ):
            read_frame(moved, freq="2D", missing="fill")


def test_absurd_growth_is_rejected():
    df = pd.DataFrame({"unique_id": "a", "ds": [0, 1, 10**9], "y": 1.0})
    with pytest.raises(
        DataError, match=r"ds \(series 'a'\): expected at most 10000 steps from its first"
    ):
        read_frame(df, missing="fill")
    long = pd.DataFrame({"unique_id": "b", "ds": range(10**5), "y": 1.0})
    with pytest.raises(
        DataError, match=r"ds \(series 'a'\).*received 3 rows over 1000000001 steps at freq 1"
    ):
        read_frame(pd.concat([df, long]), missing="fill")


SHORT = [
    ("B", [0, 1, 3, 4, 5, 6, 8, 9, 10, 11, 13]),
    ("ME", [0, 2, 3, 4, 6]),
    *((freq, [0, 1, 3, 4, 5]) for freq in ("D", "h", "30min", "MS", "7D")),
]


@pytest.mark.parametrize(("freq", "kept"), SHORT)
def test_frequency_of_short_series_with_gaps(freq, kept):
    stamps = pd.date_range("2024-01-03", periods=20, freq=freq)[kept]
    assert infer(stamps, "ds", gaps=True).name == freq
    rejected(DataError, "Name it", infer, stamps, "ds")


@pytest.mark.parametrize("days", [[1, 2, 4, 8], [1, 6]])
def test_no_frequency_is_made_up(days):
    stamps = pd.DatetimeIndex([f"2024-01-{day:02}" for day in days])
    rejected(DataError, "Name it", infer, stamps, "ds", gaps=True)
