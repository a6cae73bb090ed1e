"""Frames with an index become long frames and come back; no sktime is needed for that."""

import numpy as np
import pandas as pd
import pytest

from seqcast.data.frames.frequency import Frequency
from seqcast.errors import DataError, SpecError
from seqcast.interop.sktime_frames import HorizonSteps, Translation, column_names

DAYS = pd.date_range("2024-01-01", periods=4, name="day")


def hierarchy():
    levels = [("b", 2), ("b", 1), ("a", 7)]
    return pd.MultiIndex.from_tuples([(*key, day) for key in levels for day in DAYS], names=["region", "shop", "day"])


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (["a", "b"], ("a", "b")),
        ([0, 1], ("y0", "y1")),
        (["a", None, ""], ("a", "y1", "y2")),
        (["ds", "a"], ("y0", "a")),
        (["y1", "ds"], ("y_0", "y_1")),  # a made-up name would be another column's own
        ([("a", 1)], ("y0",)),
    ],
)
def test_column_names(columns, names):
    assert column_names(columns, "y", {"ds"}) == names


def of_index(index):
    """Return the translation of a frame with an index, and its long frame."""
    y = pd.DataFrame(1.0, index, ["sold"])
    translation = Translation.of(y, None)
    return translation, translation.rows(y, None)


def test_series_come_back_as_they_were():
    translation, rows = of_index(hierarchy())
    assert list(translation.keys.items()) == [("b/2", ("b", 2)), ("b/1", ("b", 1)), ("a/7", ("a", 7))]
    assert list(rows["unique_id"]) == ["b/2"] * 4 + ["b/1"] * 4 + ["a/7"] * 4
    pd.testing.assert_index_equal(
        translation.index(translation.keys.values(), pd.DatetimeIndex(rows["ds"])), hierarchy()
    )


@pytest.mark.parametrize("labels", [["x", "y"], [3, 1]])
def test_labels_of_a_panel_are_its_ids(labels):
    translation, rows = of_index(pd.MultiIndex.from_product([labels, DAYS]))
    assert list(translation.keys) == labels
    assert rows["unique_id"].tolist() == list(np.repeat(labels, 4))


def test_series_that_read_alike_are_refused():
    with pytest.raises(DataError, match="y, index: expected series whose names differ as text, received two that are"):
        of_index(pd.MultiIndex.from_tuples([("a/b", "c", 0), ("a", "b/c", 0)]))


# ---------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("freq", "step"),
    [("M", "MS"), ("Q-DEC", "QS-OCT"), ("W-SUN", "W-MON"), ("D", "D"), ("Y-DEC", "YS-JAN"), ("h", "h"), ("min", "min")],
)
def test_periods_go_on(freq, step):
    index = pd.period_range("2020-01-01", periods=5, freq=freq, name="when")
    translation, _ = of_index(index)
    assert translation.step(index) == step
    stamps = Frequency(step).after(translation.stamps(index), 1)
    pd.testing.assert_index_equal(translation.index([()], stamps), index.shift(1))


@pytest.mark.parametrize(
    ("index", "step"),
    [
        (pd.RangeIndex(3, 9), 1),
        (pd.Index([1, 3, 5]), 1),
        (DAYS, "D"),
        (pd.DatetimeIndex(["2024-01-01", "2024-01-05"]), None),
        (pd.MultiIndex.from_product([["a"], DAYS]), None),
    ],
)
def test_step(index, step):
    assert of_index(index)[0].step(index) == step


# ---------------------------------------------------------------- steps

ENDS = pd.DatetimeIndex(["2024-01-31", "2024-01-29"])


def test_steps_are_counted_from_each_end():
    steps = HorizonSteps.counted(Frequency("D"), ENDS, [2, 3])
    assert steps.horizon == 3
    assert [str(stamp.date()) for stamp in steps.named_stamps] == [
        *("2024-02-02", "2024-02-03"),
        *("2024-01-31", "2024-02-01"),
    ]
    assert steps.named.tolist() == [[False, True, True]] * 2


def test_stamps_are_the_same_for_all():
    asked = pd.DatetimeIndex(["2024-02-01", "2024-02-03"])
    steps = HorizonSteps.at(Frequency("D"), ENDS, asked)
    assert [np.flatnonzero(row).tolist() for row in steps.named] == [[0, 2], [2, 4]]
    assert list(steps.named_stamps) == [*asked, *asked]


@pytest.mark.parametrize("stamp", ["2024-01-31", "2024-02-01 12:00"])
def test_stamps_that_are_no_steps_are_refused(stamp):
    with pytest.raises(
        DataError, match=r"fh: expected steps of D after 2024-01-.*, the end of a series, received 2024"
    ):
        HorizonSteps.at(Frequency("D"), ENDS, pd.DatetimeIndex([stamp, "2024-02-05"]))


def test_values_are_picked_by_series_and_step():
    cube = np.arange(2 * 3 * 5).reshape(2, 3, 5)  # [series, D, H]
    asked = np.array([[0, 2], [1, 4]])
    named = np.array([[True, False, True, False, False], [False, True, False, False, True]])
    picked = HorizonSteps(pd.RangeIndex(10), named).pick(cube.ravel(), 3)
    slow = [[cube[n, d, asked[n, k]] for d in range(3)] for n in range(2) for k in range(2)]
    np.testing.assert_array_equal(picked, slow)


# ---------------------------------------------------------------- both frames


def frames(columns=("sold",), covariates=("price", "region")):
    y = pd.DataFrame(1.0, hierarchy(), list(columns))
    return y, pd.DataFrame({name: np.arange(12.0) for name in covariates}, hierarchy())


def test_rows_are_put_together():
    y, X = frames()
    translation = Translation.of(y, X, ["region"])
    rows = translation.rows(y, X.iloc[::-1])
    assert list(rows.columns) == ["unique_id", "ds", "sold", "price", "region"]
    assert translation.covariates.to_dict() == {"static": ["region"], "past": [], "future": ["price"]}
    assert rows["price"].tolist() == list(range(12))


def test_later_rows():
    y, X = frames()
    translation = Translation.of(y, X)
    rows = translation.rows(y, X)
    translation.move_ends(rows[rows["unique_id"] == "b/2"])
    translation.move_ends(rows[(rows["unique_id"] == "b/1") & (rows["ds"] < DAYS[2])])
    assert translation.later(rows)["unique_id"].value_counts().to_dict() == {"a/7": 4, "b/1": 2}


def test_unasked_steps_are_left_empty():
    y, X = frames()
    translation = Translation.of(y, X)
    translation.rows(y, X)
    ids = ["a/7", "b/1", "b/2"]
    steps = HorizonSteps.counted(Frequency("D"), pd.DatetimeIndex([DAYS[1]] * 3), [2])
    future = translation.future(X[X.index.get_level_values("day") > DAYS[2]], steps, ids)
    assert future.groupby("unique_id")["ds"].agg(list).to_dict() == {name: [DAYS[3], DAYS[2]] for name in ids}
    assert future["price"].isna().sum() == 3


Y, X = frames()


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
