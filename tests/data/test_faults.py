"""Faults that a fit accepts: what was planted is found, and nothing else."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.data.faults import beyond_quartiles, odd_series, sentinels_of, without_sentinels
from seqcast.data.frames.frame_reader import read_frame
from seqcast.specs import Columns

DAYS = pd.date_range("2024-01-01", periods=40)


def panel(**series):
    return pd.concat(
        [pd.DataFrame({"unique_id": name, "ds": DAYS, "y": y}) for name, y in series.items()]
    )


def wave(level, seed=0):
    return level + np.random.default_rng(seed).normal(size=40).round(2)


def planted(y, value, places=(3, 7, 30)):
    y = y.copy()
    y[list(places)] = value
    return y


@pytest.mark.parametrize("value", [-9999, -99, 999, 99999.0, -999.9, 1e20, -32768, 2**31 - 1])
def test_numbers_for_missing_values_are_found_with_their_rows(value):
    frame = read_frame(panel(a=wave(5), b=planted(wave(7, 1), value)))
    found, (fault,) = without_sentinels(frame)
    assert fault.rows == [43, 47, 70]
    assert (fault.column, fault.row, fault.series, float(fault.received)) == ("y", 43, "b", value)
    assert np.flatnonzero(np.isnan(found.source.values[:, 0])).tolist() == fault.rows
    assert not np.isnan(frame.source.values).any()


@pytest.mark.parametrize("scale", [999.0, 1e4])
def test_values_among_others_of_their_size_stay(scale):
    frame = read_frame(panel(a=planted(wave(0) * scale, 999.0), b=planted(wave(5), 17.0)))
    found, faults = without_sentinels(frame)
    assert faults == []
    assert np.array_equal(found.source.values, frame.source.values)


MANY = (3, 7, 8, 9, 11, 13, 21, 25, 28, 30)


@pytest.mark.parametrize(
    ("y", "value", "is_found"),
    [
        (wave(5), -200, True),
        (wave(100) ** 2, -200, True),  # near the quartiles, but nothing else is below zero
        (wave(5), 0, False),  # a shop is closed
        (wave(5), -200.5, False),
        (wave(100) ** 2, 10_100, False),  # among the others
        (np.append(wave(5)[:20], np.full(20, 5.0)), -200, False),  # another value is as usual
        (planted(wave(5), -300, (0,)), -200, False),  # a value is less
    ],
)
def test_other_whole_numbers_in_many_rows_are_found_where_they_stand_alone(y, value, is_found):
    frame = read_frame(panel(a=planted(y, value, MANY), b=wave(7, 1)))
    rows = [fault.rows for fault in without_sentinels(frame)[1]]
    assert rows == ([list(MANY)] if is_found else [])
    assert without_sentinels(read_frame(panel(a=planted(y, value, MANY[:3]))))[1] == []


def test_each_series_is_judged_by_its_own_values():
    """Of one the value is far from the others, of another nothing else is below zero."""
    near = wave(100) ** 2
    far = wave(-1)
    assert (
        len(
            without_sentinels(
                read_frame(panel(a=planted(near, -200, MANY), b=planted(far, -200, MANY)))
            )[1]
        )
        == 1
    )
    assert without_sentinels(read_frame(panel(a=planted(near - 1e4, -200, MANY))))[1] == []


def test_numbers_for_missing_values_that_are_readings_stay():
    y = planted(planted(wave(150) * 2, 999.0, (4, 17)), 1479.0, (18,))
    assert without_sentinels(read_frame(panel(a=planted(y, -200.0, MANY))))[1][0].received == "-200"
    assert without_sentinels(read_frame(panel(a=y)))[1] == []


def test_a_frame_is_read_only_where_a_value_may_stand_for_missing_ones():
    assert sentinels_of({"y": pd.Series(wave(5))}, Columns()) == []
    (fault,) = sentinels_of(panel(a=planted(wave(5), -200, MANY)), Columns())
    assert (fault.column, fault.rows) == ("y", list(MANY))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_line_of_code_makes_them_missing(library):
    df = panel(a=planted(wave(5), -9999)).reset_index(drop=True)
    df = df if library == "pandas" else pl.from_pandas(df)
    _, (fault,) = without_sentinels(read_frame(df))
    scope = {"df": df, "pl": pl}
    exec(fault.hint.partition(": ")[2].removesuffix("."), scope)
    again = read_frame(scope["df"], missing="fill")
    assert np.isnan(again.source.values[:, 0]).sum() == 3
    assert without_sentinels(again)[1] == []


def test_constant_and_equal_series_are_named_once():
    y = planted(wave(5), np.nan)
    frame = read_frame(
        panel(a=y, b=wave(5, 1), c=y, d=np.full(40, 3.0), e=np.full(40, 3.0), f=y), missing="fill"
    )
    constant, equal = odd_series(frame)
    assert (constant.series, equal.series) == ("d", "c")
    assert constant.received == "one value in all rows; so in 1 other series, such as 'e'"
    assert equal.received == "those of 'a' at the same times; so in 1 other series, such as 'f'"
    apart = panel(a=wave(5), b=wave(5))
    apart.loc[apart["unique_id"] == "b", "ds"] += pd.Timedelta("1D")
    assert list(odd_series(read_frame(apart))) == []


def test_far_from_others_does_not_depend_on_their_order_and_unit():
    rng = np.random.default_rng(2)
    values = rng.standard_cauchy(50) * 9
    others = rng.normal(size=60)
    far = beyond_quartiles(values, others)
    assert 0 < far.sum() < 50
    assert np.array_equal(
        far, beyond_quartiles(values * 1e6 + 5, rng.permutation(others) * 1e6 + 5)
    )
