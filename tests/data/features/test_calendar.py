import datetime
import sys
import types

import numpy as np
import pandas as pd
import pytest

from seqcast.data.features.calendar import CALENDAR_FEATURES, Calendar, check_calendar
from seqcast.errors import DataError, MissingPackageError, SpecError
from tests.rejections import rejected

CYCLES = [
    ("min", 20_000, 0, "minute_of_hour hour_of_day"),
    ("30min", 20_000, 0, "minute_of_hour hour_of_day day_of_week"),
    ("h", 27_000, 0, "hour_of_day day_of_week day_of_year"),
    ("h", 20_000, 0, "hour_of_day day_of_week"),
    ("h", 100, 0, "hour_of_day"),
    ("D", 1_200, 0, "day_of_week day_of_year"),
    ("D", 800, 0, "day_of_week"),
    ("D", 1, 0, ""),
    ("W-SAT", 300, 0, "day_of_year"),
    ("MS", 60, 0, "month_of_year"),
    ("YS-JAN", 60, 0, ""),
    # What each context shows is left out.
    ("h", 27_000, 23, "hour_of_day day_of_week day_of_year"),
    ("h", 27_000, 24, "day_of_week day_of_year"),
    ("D", 1_200, 28, "day_of_year"),
    ("W-SAT", 1_200, 52, ""),
    ("MS", 1_200, 11, "month_of_year"),
    ("MS", 1_200, 12, ""),
]


@pytest.mark.parametrize(("freq", "rows", "context_length", "names"), CYCLES)
def test_auto_takes_the_cycles_that_the_frequency_has(freq, rows, context_length, names):
    stamps = pd.date_range("2000-01-01", periods=rows, freq=freq)
    assert " ".join(Calendar.choose("auto", stamps, context_length=context_length).names) == names


def test_whole_numbers_have_no_calendar():
    assert Calendar.choose("auto", pd.Index(range(99))).names == ()
    with pytest.raises(DataError, match="ds: expected dates or times, for calendar='day_of_week'"):
        Calendar.choose("day_of_week", pd.Index(range(99)), "ds")


@pytest.mark.parametrize("name", CALENDAR_FEATURES)
def test_features_lie_on_a_circle(name):
    stamps = pd.date_range("2023-12-25 07:11", periods=500, freq="37h", tz="Europe/Berlin")
    features = Calendar((name,)).features(stamps)
    assert features.shape == (500, 2)
    np.testing.assert_allclose((features**2).sum(axis=1), 1, atol=1e-6)
    mixed = np.random.default_rng(0).permutation(500)
    np.testing.assert_array_equal(Calendar((name,)).features(stamps[mixed]), features[mixed])
    # Zoned stamps are looked at on their own clock.
    np.testing.assert_array_equal(Calendar((name,)).features(stamps.tz_localize(None)), features)


def test_against_hand():
    calendar = Calendar(("hour_of_day", "month_of_year"))
    made = calendar.features(pd.DatetimeIndex(["2024-04-01 04:30", "2024-07-09 12:00"]))
    turn = 2 * np.pi * 4.5 / 24
    np.testing.assert_allclose(
        made, [[np.sin(turn), np.cos(turn), 1, 0], [0, -1, 0, -1]], atol=1e-6
    )


WRONG = [
    ("day_of_weeks", "Did you mean"),
    (3, "calendar: expected 'auto', 'none'"),
    (("auto", "auto"), "each feature once"),
]


@pytest.mark.parametrize(("calendar", "message"), WRONG)
def test_wrong_names(calendar, message):
    rejected(SpecError, message, check_calendar, calendar)


@pytest.fixture
def fake_holidays(monkeypatch):
    def country_holidays(country, subdiv=None, years=()):
        if country != "DE":
            raise NotImplementedError(f"Entity {country} not available")
        days = {datetime.date(year, 12, 25): "Christmas" for year in years}
        return days | (
            {datetime.date(year, 1, 6): "Epiphany" for year in years} if subdiv == "BY" else {}
        )

    module = types.ModuleType("holidays")
    module.country_holidays = country_holidays
    monkeypatch.setitem(sys.modules, "holidays", module)


def test_holidays(fake_holidays):
    days = pd.date_range("2024-12-24", periods=21)
    auto = Calendar.choose(("auto", "holidays:DE"), days)
    assert auto.names == ("day_of_week", "holidays:DE")
    assert auto.width == 3
    assert np.flatnonzero(auto.features(days)[:, 2]).tolist() == [1]
    assert Calendar(("holidays:DE-BY",)).features(days).ravel().sum() == 2
    hours = pd.date_range("2024-12-24 22:00", periods=4, freq="h", tz="Europe/Berlin")
    assert Calendar(("holidays:DE",)).features(hours).ravel().tolist() == [0, 0, 1, 1]
    with pytest.raises(
        SpecError, match=r"calendar: expected 'holidays:' and a country's code.*holidays:XX"
    ):
        check_calendar("holidays:XX")
    with pytest.raises(DataError, match="steps of a day or shorter"):
        Calendar.choose("holidays:DE", pd.date_range("2024", periods=9, freq="W"))


def test_the_package_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "holidays", None)
    rejected(MissingPackageError, r"pip install '\.\[holidays\]'", check_calendar, "holidays:DE")
