"""Frames with an index become long frames and come back; no sktime is needed for that."""

import numpy as np
import pandas as pd
import pytest

from seqcast.data.frames.frequency import Frequency
from seqcast.errors import DataError, SpecError
from seqcast.interop.sktime_frames import HorizonSteps, Translation
from tests.rejections import rejected

DAYS = pd.date_range("2024-01-01", periods=4, name="day")


def hierarchy():
    levels = [("b", 2), ("b", 1), ("a", 7)]
    return pd.MultiIndex.from_tuples(
        [(*key, day) for key in levels for day in DAYS], names=["region", "shop", "day"]
    )


DAILY = Frequency("D")
ENDS = pd.DatetimeIndex(["2024-01-31", "2024-01-29"])
NOON = pd.DatetimeIndex(["2024-02-01 12:00", "2024-02-05"])
Y = pd.DataFrame(1.0, hierarchy(), ["sold"])
X = pd.DataFrame({name: np.arange(12.0) for name in ("price", "region")}, hierarchy())


def test_rows_are_put_together_and_series_come_back_as_they_were():
    translation = Translation.of(Y, X, ["region"])
    rows = translation.rows(Y, X.iloc[::-1])
    assert list(rows.columns) == ["unique_id", "ds", "sold", "price", "region"]
    assert list(rows["unique_id"]) == ["b/2"] * 4 + ["b/1"] * 4 + ["a/7"] * 4
    assert rows["price"].tolist() == list(range(12))
    assert translation.covariates.to_dict() == {
        "static": ["region"],
        "past": [],
        "future": ["price"],
    }
    assert list(translation.keys.items()) == [
        ("b/2", ("b", 2)),
        ("b/1", ("b", 1)),
        ("a/7", ("a", 7)),
    ]
    index = translation.index(translation.keys.values(), pd.DatetimeIndex(rows["ds"]))
    pd.testing.assert_index_equal(index, hierarchy())
    y = pd.DataFrame(1.0, pd.MultiIndex.from_tuples([("a/b", "c", 0), ("a", "b/c", 0)]), ["sold"])
    with pytest.raises(
        DataError,
        match="y, index: expected series whose names differ as text, received two that are",
    ):
        Translation.of(y, None).rows(y, None)


WRONG = [
    (
        lambda _: Translation.of(Y, X, ["prise"]),
        SpecError,
        "static.*: 'price', 'region', received 'prise'. Name",
    ),
    (
        lambda _: Translation.of(Y, None, past=["price"]),
        SpecError,
        "past.*: there is none, received 'price'. Na",
    ),
    (
        lambda it: it.rows(Y, None),
        DataError,
        "X: .*'price', 'region', as at fit, received None. Give them; col",
    ),
    (
        lambda it: it.rows(Y, X[["price"]]),
        DataError,
        "X: .*as at fit, received a frame without 'region'. Give",
    ),
    (
        lambda it: it.rows(Y, X.iloc[:11]),
        DataError,
        "X .series 'a/7'.: .* none for 2024-01-04 00:00:00. Add it",
    ),
    (
        lambda it: it.rows(Y.assign(more=1.0), X),
        DataError,
        "y: expected 1 col.* received 2: .'sold', 'more'.",
    ),
    (
        lambda _: Translation.of(Y, None).rows(Y, X),
        DataError,
        "X: expected None: .*received a frame. Fit with X",
    ),
    (
        lambda _: HorizonSteps.at(DAILY, ENDS, DAYS[:1]),
        DataError,
        "fh: expected steps of D after .* received 2024",
    ),
    (
        lambda _: HorizonSteps.at(DAILY, ENDS, NOON),
        DataError,
        "fh: expected steps of D after .* end of a series",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_frames(call, error, message):
    rejected(error, message, call, Translation.of(Y, X))
