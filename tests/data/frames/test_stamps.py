"""Stamps move between zones, wall clocks and numbers without a loss."""

import numpy as np
import pandas as pd
import pytest

from seqcast.data.frames.stamps import (
    by_series,
    from_utc,
    from_wall_clock,
    in_zone_of,
    plain_stamps,
    seconds,
    stamp_kind,
    wall_clock,
)

# Berlin's clock skips 2 o'clock on 2024-03-31 and repeats it on 2024-10-27.
ZONES = [None, "UTC", "Europe/Berlin", "Asia/Kathmandu"]


@pytest.mark.parametrize("zone", ZONES)
def test_the_wall_clock_and_back(zone):
    stamps = pd.date_range("2024-01-01 05:00", "2024-12-31", freq="7h", tz=zone)
    assert wall_clock(stamps).tz is None
    assert from_wall_clock(wall_clock(stamps), zone).equals(stamps)


def test_hours_that_a_clock_skips_or_repeats():
    local = pd.DatetimeIndex(["2024-03-31 02:30", "2024-10-27 02:30"])
    later, first = from_wall_clock(local, "Europe/Berlin")
    assert later == pd.Timestamp("2024-03-31 03:00", tz="Europe/Berlin")
    assert first == pd.Timestamp("2024-10-27 00:30", tz="UTC")


@pytest.mark.parametrize("zone", ZONES)
def test_utc_and_back(zone):
    utc = pd.date_range("2024-03-30", "2024-04-01", freq="h")
    stamps = from_utc(utc, zone)
    assert str(stamps.tz) == str(zone)
    np.testing.assert_array_equal(plain_stamps(stamps), utc.to_numpy())
    np.testing.assert_array_equal(seconds(stamps), 3600.0 * np.arange(len(utc)) + utc[0].timestamp())
    assert in_zone_of(stamps, stamps).equals(stamps)


def test_kinds_are_told_apart():
    naive = pd.date_range("2024-01-01", periods=2)
    kinds = [stamp_kind(stamps) for stamps in (pd.Index([1, 2]), naive, naive.tz_localize("UTC"))]
    assert kinds == ["whole numbers", "time stamps without a zone", "time stamps with a zone"]


@pytest.mark.parametrize(("series", "horizon"), [(1, 4), (3, 1), (3, 4)])
def test_steps_are_laid_out_series_after_series(series, horizon):
    table = np.arange(series * horizon).reshape(series, horizon)
    assert by_series([pd.Index(step) for step in table.T]).tolist() == table.ravel().tolist()
