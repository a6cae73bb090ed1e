import numpy as np
import pandas as pd
import pytest
from packaging.version import Version

from seqcast.data.frames.frequency import Frequency, infer, resolve
from seqcast.errors import DataError, SpecError
from tests.rejections import rejected

DAY = pd.DatetimeIndex(["2020-01-15"])


def test_days_keep_the_clock_and_hours_pass_through_its_change():
    before = pd.DatetimeIndex(["2023-03-25 02:30"]).tz_localize("Europe/Berlin")
    assert (
        str(Frequency("D").after(before, 1)[0]) == "2023-03-26 03:00:00+02:00"
    )  # 02:30 does not exist
    assert str(Frequency("D").after(before, 2)[0]) == "2023-03-27 02:30:00+02:00"
    assert str(Frequency("24h").after(before, 1)[0]) == "2023-03-26 03:30:00+02:00"


SEASONS = [("h", 24), ("6h", 4), ("5h", 1), ("min", 60), ("15min", 96), ("D", 7), ("7D", 52), ("B", 5), ("W-SAT", 52),
           ("MS", 12), ("3ME", 4), ("QS", 4), ("YS", 1), ("s", 60), (1, 1)]  # fmt: skip


@pytest.mark.parametrize(("freq", "season"), SEASONS)
def test_season_length(freq, season):
    assert Frequency(freq).season_length == season


ALIASES = [("1h", "2020-01-31", "h"), ("15m", "2020-01-31", "15min"), ("1d", "2020-01-31", "D"),
           ("1w", "2020-01-31", "7D"), ("1mo", "2020-01-31", "ME"), ("1mo", "2020-02-01", "MS"),
           ("1q", "2020-02-01", "3MS"), ("1y", "2020-12-31", "12ME"),
           (pd.offsets.MonthBegin(), "2020-02-01", "MS")]  # fmt: skip


@pytest.mark.parametrize(("freq", "stamp", "name"), ALIASES)
def test_polars_durations_and_offsets(freq, stamp, name):
    assert resolve(freq, pd.DatetimeIndex([stamp])).name == name


since_pandas_3 = pytest.mark.skipif(
    Version(pd.__version__) < Version("3"), reason="pandas 2 takes it and warns"
)
WRONG = [
    pytest.param("M", DAY, "freq: expected a pandas offset alias.*ME", marks=since_pandas_3),
    ("nonsense", DAY, "received 'nonsense'"),
    ("-1D", DAY, "does not go forward"),
    (1, DAY, "expected a pandas offset alias"),
    ("1mo", DAY, "first or on the last day"),
    ("999999999999h", DAY, "'999999999999h', which is longer than 292 years"),
    ("D", pd.Index([1, 2]), "expected a whole number"),
    (0, pd.Index([1, 2]), "whole number >= 1"),
    (
        10**20,
        pd.Index([1, 2]),
        "freq: expected a whole number from 1 to 9223372036854775807, received 1000",
    ),
]


@pytest.mark.parametrize(("freq", "stamps", "message"), WRONG)
def test_wrong_frequencies(freq, stamps, message):
    rejected(SpecError, message, resolve, freq, stamps)


def test_integers_take_the_most_frequent_step_and_gaps_do_not_hide_it():
    assert infer(pd.Index([0, 5, 10, 20]), "ds").name == 5
    days = pd.date_range("2020-01-01", periods=60, freq="D")
    assert infer(days.delete([40]), "ds").name == "D"


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
@pytest.mark.parametrize("name", ["h", "30min", "5s", "250ms", "D", "2D", "W-SUN", "MS", "B"])
def test_following_steps_are_those_one_after_another(name, zone, unit):
    # Clocks of Berlin are put forward on the last day of March, and back on the last Sunday of
    # October.
    days = pd.DatetimeIndex(
        ["2024-03-30 23:00", "2024-10-26 12:30", "2024-02-28"], tz=zone
    ).as_unit(unit)
    frequency = Frequency(name)
    together = frequency.following(days, 30)
    singly = [frequency.after(days, step + 1) for step in range(30)]
    assert together.tolist() == [each[place] for place in range(3) for each in singly]
    assert together.dtype == singly[-1].dtype


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
@pytest.mark.parametrize("freq", ["h", "D", "B", "W-SUN", "MS", "QE-DEC", "YS-JAN", "15min"])
@pytest.mark.parametrize(("unit", "end"), [("ns", "2262-04-11"), ("us", "9999-12-31")])
def test_steps_beyond_the_calendar_are_rejected(unit, end, freq, zone):
    """Also weeks, with which pandas begins anew in the year 1677."""
    days = [np.datetime64("2024-01-01"), np.datetime64(end) - 40]
    offset = pd.tseries.frequencies.to_offset(freq)
    # Not a list of times: pandas 2 would count them in nanoseconds.
    rolled = np.array(
        [offset.rollback(pd.Timestamp(each.astype(f"M8[{unit}]"))).to_datetime64() for each in days]
    )
    last = pd.DatetimeIndex(rolled.astype(f"M8[{unit}]")).tz_localize(zone)
    steps = {"h": 9000, "15min": 36_000}.get(freq, 400)
    words = rf"horizon: expected steps up to {end}.*, received {steps} steps of '{freq}' after {last[-1].year}-"
    for move in (Frequency(freq).after, Frequency(freq).following):
        rejected(DataError, words, move, last, steps)
    assert (Frequency(freq).after(last[:1], 1) > last[:1]).all()


@pytest.mark.parametrize("freq", ["999999999999W", "999999999999D", 2**62])
def test_one_step_may_be_beyond_the_calendar(freq):
    last = pd.Index([2**62 + 5]) if isinstance(freq, int) else pd.DatetimeIndex(["2024-01-07"])
    rejected(
        DataError,
        r"horizon: expected steps .*, received 1 steps of",
        Frequency(freq).after,
        last,
        1,
    )
