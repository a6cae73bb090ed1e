"""Frames of forecasts are opened and read as frames of data are; errors keep their place as fields."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.errors import DataError
from seqcast.evaluation.backtest import Backtest
from seqcast.evaluation.frame_view import FrameRows
from seqcast.specs.columns import Columns

NAIVE = [datetime.datetime(2024, 3, 30, 23), datetime.datetime(2024, 3, 31, 12)]
UTC = np.array(["2024-03-30T22:00", "2024-03-31T10:00"], dtype="datetime64[us]")
LOCAL = np.array(["2024-03-30T23:00", "2024-03-31T12:00"], dtype="datetime64[us]")
DAYS = LOCAL.astype("datetime64[D]").astype("datetime64[us]")
ZONED = pd.DatetimeIndex(NAIVE).tz_localize("Europe/Berlin")
STAMPS = {
    "pandas": (pd.Series(NAIVE), LOCAL, LOCAL),
    "pandas zoned": (pd.Series(ZONED), UTC, LOCAL),
    "pandas nanoseconds": (pd.Series(ZONED.as_unit("ns")), UTC, LOCAL),
    "underscore": (pd.Series(ZONED.tz_convert("America/New_York")), UTC, UTC - np.timedelta64(4, "h")),
    "polars": (pl.Series(NAIVE), LOCAL, LOCAL),
    "polars zoned": (pl.Series(ZONED), UTC, LOCAL),
    "polars dates": (pl.Series([each.date() for each in NAIVE]), DAYS, DAYS),
    "dates": (pd.Series([each.date() for each in NAIVE], dtype=object), DAYS, DAYS),
    "objects": (pd.Series(NAIVE, dtype=object), LOCAL, LOCAL),
    "numbers": (pd.Series([3, 4], dtype="int32"), np.array([3, 4]), np.array([3, 4])),
    "polars numbers": (pl.Series([3, 4]), np.array([3, 4]), np.array([3, 4])),
}


def frame(stamps, **columns):
    library = pl if isinstance(stamps, pl.Series) else pd
    return library.DataFrame({"unique_id": ["a", "a"], "ds": stamps, "y": [1.0, 2.0], "model": [1.0, 2.0], **columns})


@pytest.mark.parametrize("name", STAMPS)
def test_stamps_are_read_in_utc_and_on_their_own_clock(name):
    stamps, utc, local = STAMPS[name]
    rows = FrameRows("df", frame(stamps))
    for times, expected in ((rows.times("ds"), utc), (rows.times("ds", local=True), local)):
        assert times.dtype == expected.dtype
        np.testing.assert_array_equal(times, expected)


PLAIN = frame(pd.Series([1, 2]))
TWICE = pd.concat([PLAIN, PLAIN[["y"]]], axis=1)
FIELDS = {
    "no column": (lambda: FrameRows("df", PLAIN).need("cutoff"), ("df", None, None), "Add it"),
    "no value": (lambda: Backtest(PLAIN, Columns(y="sold")), ("df", None, None), r"with columns=Columns\(y=\.\.\.\)"),
    "null stamp": (lambda: Backtest(frame(pd.Series([pd.NaT, NAIVE[0]]))), ("df", "ds", 0), "expected a time stamp"),
    "float stamps": (lambda: Backtest(frame(pd.Series([0.5, 1.5]))), ("df", "ds", None), "whole numbers"),
    "text": (lambda: Backtest(frame(pd.Series([1, 2]), y=["1", "2"])), ("df", "y", None), r"astype\(float\)"),
    "null id": (lambda: Backtest(PLAIN.assign(unique_id=["a", None])), ("df", "unique_id", 1), "expected a name"),
    "infinite": (lambda: Backtest(PLAIN.assign(y=[0.0, np.inf])), ("df", "y", 1), "finite"),
    "no forecast": (lambda: Backtest(PLAIN.assign(model=[0.0, np.nan])), ("df", "model", 1), "expected a forecast"),
    "twice": (lambda: Backtest(PLAIN.assign(ds=1)), ("df", None, 1), "the same as in row 0"),
    "step": (lambda: FrameRows("df", PLAIN.assign(step=[1, 0])).steps, ("df", "step", 1), "from 1"),
    "columns twice": (lambda: FrameRows("other", TWICE), ("other", None, None), "column names that differ"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_errors_have_their_place_as_fields(name):
    call, (option, column, row), message = FIELDS[name]
    with pytest.raises(DataError, match=message) as caught:
        call()
    assert (caught.value.option, caught.value.column, caught.value.row) == (option, column, row)
    assert caught.value.where.startswith(option)
