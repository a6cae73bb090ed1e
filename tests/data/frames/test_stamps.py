"""Stamps become numbers of any written format and come back without a loss."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcast.data.frames.stamps import format_stamps, likely_format, parse_stamps

DIGITS = {"%Y%m%d": "D", "%Y%m": "MS", "%Y%m%d%H": "h", "%Y%m%d%H%M": "min", "%Y%m%d%H%M%S": "s"}
UNIX = {"unix_s": "s", "unix_ms": "ms", "unix_us": "us", "unix_ns": "ns"}


@pytest.mark.parametrize(("ds_format", "freq"), DIGITS.items())
@given(
    start=st.datetimes(
        pd.Timestamp("1900-01-01").to_pydatetime(), pd.Timestamp("2190-01-01").to_pydatetime()
    ),
    count=st.integers(1, 300),
    step=st.integers(1, 40),
)
def test_dates_in_digits_are_recognised_and_come_back(ds_format, freq, start, count, step):
    stamps = pd.date_range(
        pd.Timestamp(start).normalize(), periods=count, freq=f"{step}{freq}", unit="s"
    )
    stamps = stamps[stamps.year <= 2200]
    numbers = format_stamps(stamps, ds_format)
    assert numbers.tolist() == [int(stamp.strftime(ds_format)) for stamp in stamps]
    found, wrong = likely_format(np.unique(numbers))
    assert found == ds_format
    assert not wrong.any()
    assert (
        parse_stamps(numbers, ds_format)
        == pd.to_datetime(stamps.strftime(ds_format), format=ds_format)
    ).all()


@pytest.mark.parametrize(("ds_format", "unit"), UNIX.items())
@given(
    start=st.integers(631_152_000, 4_000_000_000),
    count=st.integers(2, 50),
    minutes=st.integers(1, 20_000),
)
def test_counts_since_1970_are_recognised_and_come_back(ds_format, unit, start, count, minutes):
    seconds = start + 60 * minutes * np.arange(count)
    numbers = seconds[seconds < 4_102_444_800] * 10 ** (3 * ["s", "ms", "us", "ns"].index(unit))
    if len(numbers) < 2:
        return
    found, wrong = likely_format(numbers)
    # Seconds of a few years can be read as year, month, day and hour too, but hardly several of
    # them.
    assert found == ds_format or (found == "%Y%m%d%H" and not wrong.all())
    stamps = parse_stamps(numbers, ds_format)
    assert (stamps == pd.to_datetime(numbers, unit=unit)).all()
    assert (format_stamps(stamps, ds_format) == numbers).all()


@given(start=st.integers(-(10**6), 10**5), count=st.integers(1, 500), step=st.integers(1, 30))
def test_counting_numbers_are_no_dates(start, count, step):
    assert likely_format(start + step * np.arange(count))[0] is None
    assert likely_format(np.array([], dtype=np.int64)) == (None, None)


@given(
    st.integers(1, 9999),
    st.integers(0, 99),
    st.integers(0, 99),
    st.integers(0, 99),
    st.integers(0, 99),
)
def test_digits_are_a_time_exactly_where_strptime_reads_them(year, month, day, hour, minute):
    text = f"{year:04}{month:02}{day:02}{hour:02}{minute:02}"
    try:
        expected = pd.Timestamp(pd.to_datetime(text, format="%Y%m%d%H%M"))
    except ValueError:
        expected = None
    (found,) = parse_stamps(np.array([int(text)]), "%Y%m%d%H%M")
    assert (found is pd.NaT) == (expected is None)
    assert expected is None or found == expected
