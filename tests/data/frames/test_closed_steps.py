"""Steps of the future without a row are gaps where the past has such gaps, and errors elsewhere."""

import numpy as np
import pandas as pd
import pytest

from seqcast.data.frames.closed_steps import ClosedSteps
from seqcast.data.frames.frame_reader import read_frame
from seqcast.data.frames.frequency import Frequency
from seqcast.data.frames.row_lookup import read_future
from seqcast.errors import DataError
from seqcast.specs import Columns, Covariates

SUNDAYS = {6}
FIRST_OF_MAY = "2024-05-01"


def days(start, count, closed=SUNDAYS, holidays=()):
    stamps = pd.date_range(start, periods=count)
    return stamps[~stamps.dayofweek.isin(closed) & ~stamps.isin(pd.to_datetime(list(holidays)))]


def rows(stamps, name="shop"):
    return pd.DataFrame(
        {"unique_id": name, "ds": stamps, "y": 1.0, "price": np.arange(len(stamps)) + 1.0}
    )


def ahead(past, future, horizon, freq="D"):
    """Return the covariates of the steps ahead, NaN at gaps."""
    frame = read_frame(past, covariates=Covariates(future=("price",)), freq=freq, missing="fill")
    ids = frame.source.ids
    frequency = Frequency(freq)
    table = read_future(
        future.drop(columns="y"), Columns(), ("price",), ids, frame.stamps, gaps=True
    )
    steps = frequency.following(frame.last_stamps, horizon)
    return table.at(steps, ClosedSteps.of(frame, frequency))[:, :, 0]


def rejected(past, future, horizon, *stamps, freq="D"):
    with pytest.raises(
        DataError, match=r"future .series 'shop'.: .*, received none for "
    ) as caught:
        ahead(past, future, horizon, freq)
    assert (
        caught.value.received == f"none for {', '.join(str(pd.Timestamp(each)) for each in stamps)}"
    )


PAST = rows(days("2024-04-01", 28))  # ends on Saturday, 27 April


def test_days_that_are_closed_each_week_are_gaps_also_at_the_end():
    read = ahead(PAST, rows(days("2024-04-28", 7)), 8)
    np.testing.assert_array_equal(read, [[np.nan, 1, 2, 3, 4, 5, 6, np.nan]])


def test_an_open_day_without_a_row_is_an_error_that_names_it():
    rejected(PAST, rows(days("2024-04-28", 7, holidays=[FIRST_OF_MAY])), 7, FIRST_OF_MAY)
    rejected(PAST, rows(days("2024-04-28", 6)), 8, "2024-05-04")  # the last open day
    rejected(rows(days("2024-04-01", 27, closed=())), rows(days("2024-04-28", 7)), 7, "2024-04-28")


def test_holidays_are_gaps_where_the_past_has_some_and_later_rows_follow():
    past = rows(days("2024-04-01", 27, holidays=["2024-04-11"]))
    future = rows(days("2024-04-28", 7, holidays=[FIRST_OF_MAY]))
    np.testing.assert_array_equal(ahead(past, future, 7), [[np.nan, 1, 2, np.nan, 3, 4, 5]])
    two = rows(days("2024-04-28", 7, holidays=[FIRST_OF_MAY, "2024-05-02"]))
    rejected(past, two, 7, FIRST_OF_MAY, "2024-05-02")  # in the past one at a time
    rejected(past, future.iloc[:2], 5, FIRST_OF_MAY, "2024-05-02")


def test_each_series_has_its_own():
    both = pd.concat([PAST, rows(days("2024-04-01", 27, closed=()), "station")])
    always = rows(days("2024-04-28", 3, closed=()), "station")
    np.testing.assert_array_equal(
        ahead(both, pd.concat([rows(days("2024-04-28", 3)), always]), 3),
        [[np.nan, 1, 2], [1, 2, 3]],
    )
    with pytest.raises(DataError, match=r"series 'station'.*none for 2024-04-28"):
        ahead(both, pd.concat([rows(days("2024-04-28", 3)), always.iloc[1:]]), 3)


def test_hours_that_are_closed_each_day_are_gaps():
    hours = pd.date_range("2024-04-01", periods=24 * 4, freq="h")
    hours = hours[(hours.hour >= 8) & (hours.hour < 18)]
    past = rows(hours[:30])
    future = rows(hours[30:40])
    read = ahead(past, future, 24, "h")[0]
    assert (np.isnan(read[:14]).all(), np.isfinite(read[14:]).all()) == (True, True)
    rejected(past, future.drop(index=9), 24, "2024-04-04 17:00", freq="h")


def test_a_series_without_a_row_has_no_closed_steps():
    empty = rows(days("2024-04-28", 21, closed=())).assign(y=np.nan, price=np.nan)
    frame = read_frame(pd.concat([PAST, empty.assign(unique_id="new")]), freq="D", missing="fill")
    closed = ClosedSteps.of(frame, Frequency("D"))
    steps = pd.DatetimeIndex(["2024-05-05"] * 2)
    found = closed.find(steps, np.ones((2, 1), dtype=bool), np.zeros((2, 1), dtype=bool))
    assert found.tolist() == [[False], [True]]
