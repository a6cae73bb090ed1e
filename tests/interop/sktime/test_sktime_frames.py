"""Frames with an index become long frames and come back; no sktime is needed for that."""

import numpy as np
import pandas as pd
import pytest

from seqcast.data.frames.frequency import Frequency
from seqcast.errors import DataError, SpecError
from seqcast.interop.sktime_frames import HorizonSteps, Translation

DAYS = pd.date_range("2024-01-01", periods=4, name="day")


def hierarchy():
    levels = [("b", 2), ("b", 1), ("a", 7)]
    return pd.MultiIndex.from_tuples([(*key, day) for key in levels for day in DAYS], names=["region", "shop", "day"])


ENDS = pd.DatetimeIndex(["2024-01-31", "2024-01-29"])


@pytest.mark.parametrize("stamp", ["2024-01-31", "2024-02-01 12:00"])
def test_stamps_that_are_no_steps_are_refused(stamp):
    with pytest.raises(
        DataError, match=r"fh: expected steps of D after 2024-01-.*, the end of a series, received 2024"
    ):
        HorizonSteps.at(Frequency("D"), ENDS, pd.DatetimeIndex([stamp, "2024-02-05"]))


Y = pd.DataFrame(1.0, hierarchy(), ["sold"])
X = pd.DataFrame({name: np.arange(12.0) for name in ("price", "region")}, hierarchy())


def test_rows_are_put_together_and_series_come_back_as_they_were():
    translation = Translation.of(Y, X, ["region"])
    rows = translation.rows(Y, X.iloc[::-1])
    assert list(rows.columns) == ["unique_id", "ds", "sold", "price", "region"]
    assert list(rows["unique_id"]) == ["b/2"] * 4 + ["b/1"] * 4 + ["a/7"] * 4
    assert rows["price"].tolist() == list(range(12))
    assert translation.covariates.to_dict() == {"static": ["region"], "past": [], "future": ["price"]}
    assert list(translation.keys.items()) == [("b/2", ("b", 2)), ("b/1", ("b", 1)), ("a/7", ("a", 7))]
    index = translation.index(translation.keys.values(), pd.DatetimeIndex(rows["ds"]))
    pd.testing.assert_index_equal(index, hierarchy())
    y = pd.DataFrame(1.0, pd.MultiIndex.from_tuples([("a/b", "c", 0), ("a", "b/c", 0)]), ["sold"])
    with pytest.raises(DataError, match="y, index: expected series whose names differ as text, received two that are"):
        Translation.of(y, None).rows(y, None)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda made: Translation.of(Y, X, ["prise"]),
            SpecError,
            "static_covariates: expected columns of X: 'price', 'region', received 'prise'. "
            "Name columns of the X that fit is given.",
        ),
        (
            lambda made: Translation.of(Y, None, past=["price"]),
            SpecError,
            "past_covariates: expected columns of X: there is none, received 'price'. "
            "Name columns of the X that fit is given.",
        ),
        (
            lambda made: made.rows(Y, None),
            DataError,
            "X: expected the columns 'price', 'region', as at fit, received None. "
            "Give them; columns whose future is not known may be named in past_covariates.",
        ),
        (
            lambda made: made.rows(Y, X[["price"]]),
            DataError,
            "X: expected the columns 'price', 'region', as at fit, received a frame without 'region'. "
            "Give them; columns whose future is not known may be named in past_covariates.",
        ),
        (
            lambda made: made.rows(Y, X.iloc[:11]),
            DataError,
            "X (series 'a/7'): expected a row for each of y, received none for 2024-01-04 00:00:00. Add it.",
        ),
        (
            lambda made: made.rows(Y.assign(more=1.0), X),
            DataError,
            "y: expected 1 columns, as at fit, received 2: ['sold', 'more']. Give the same ones.",
        ),
        (
            lambda made: Translation.of(Y, None).rows(Y, X),
            DataError,
            "X: expected None: fit was given none, received a frame. Fit with X too.",
        ),
    ],
)
def test_wrong_frames(call, error, message):
    with pytest.raises(error) as caught:
        call(Translation.of(Y, X))
    assert str(caught.value) == message
