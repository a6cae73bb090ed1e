"""Values that a mask names are missing afterwards, and no others."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.data.frames.frame_reader import read_frame
from seqcast.data.frames.row_lookup import masked
from seqcast.errors import DataError
from seqcast.specs.columns import Columns


def table(**columns):
    days = pd.date_range("2024-01-01", periods=6)
    keys = {"unique_id": [*"bbbbbbaaaaaa"], "ds": [*days, *days]}
    return pd.DataFrame({**keys, "y": [*np.arange(10.0, 16), *np.arange(6.0)]}).assign(**columns)


def missing(frame):
    owner = np.repeat(frame.source.ids, frame.source.lengths)
    places = np.argwhere(np.isnan(frame.targets))
    return [(owner[row], str(frame.stamps[row])[:10], int(target)) for row, target in places]


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
def test_rows_are_found_by_series_and_stamp(convert):
    df = table()
    frame = read_frame(convert(df))
    rows = df.iloc[[8, 1, 1]]  # in any order, and twice
    left = masked(frame, convert(rows[["unique_id", "ds"]]))
    assert missing(left) == [("a", "2024-01-03", 0), ("b", "2024-01-02", 0)]
    assert missing(frame) == []
    kept = ~np.isnan(left.targets)
    np.testing.assert_array_equal(left.targets[kept], frame.targets[kept])


@pytest.mark.parametrize(
    "marks", [[True, False], [1, 0], ["True", "False"], ["true", "false"], ["TRUE", "False"]]
)
def test_of_anomalies_those_that_are(marks):
    df = table()
    rows = df.iloc[[0, 2]].assign(anomaly=marks)
    assert missing(masked(read_frame(df), rows)) == [("b", "2024-01-01", 0)]


def test_of_several_targets_the_one_that_is_named():
    df = table(price=1.0)
    frame = read_frame(df, Columns(y=("y", "price")))
    named = df.iloc[[3]].assign(target="price")
    assert missing(masked(frame, named)) == [("b", "2024-01-04", 1)]
    assert missing(masked(frame, df.iloc[[3]])) == [("b", "2024-01-04", 0), ("b", "2024-01-04", 1)]
    with pytest.raises(
        DataError, match=r"mask, target, row 0.*expected one of 'y', 'price', received 'cost'"
    ):
        masked(frame, named.assign(target="cost"))


def test_others_are_ignored_unless_there_are_only_such():
    df = table()
    frame = read_frame(df)
    elsewhere = pd.DataFrame(
        {"unique_id": ["c", "a"], "ds": pd.to_datetime(["2024-01-01", "2025-01-01"])}
    )
    assert missing(masked(frame, pd.concat([elsewhere, df.iloc[[5]]]))) == [("b", "2024-01-06", 0)]
    both = pd.concat([df.iloc[[5]].assign(anomaly=False), elsewhere.assign(anomaly=True)])
    for mask in (elsewhere, both):
        with pytest.raises(
            DataError,
            match="mask: expected rows of df, received 2 rows, none of which is in df, such",
        ):
            masked(frame, mask)
    assert missing(masked(frame, elsewhere.assign(anomaly=False))) == []


NO_MASKS = [
    (np.zeros(12, dtype=bool), "mask: expected a pandas or Polars data frame"),
    (table(anomaly="perhaps"), "mask, anomaly: expected true or false"),
    (table(ds=range(12)), "mask, ds: expected stamps such as 2024-01-01"),
    (table(unique_id=7), "mask, unique_id: expected text, as in df"),
]


@pytest.mark.parametrize(("mask", "message"), NO_MASKS)
def test_what_is_no_mask_is_rejected(mask, message):
    with pytest.raises(DataError, match=message):
        masked(read_frame(table()), mask)
