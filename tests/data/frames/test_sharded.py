"""What a shard holds comes back as it was, and nothing on the disk is pickled."""

import dataclasses

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.data.frames import Scratch, ShardedFrame, Span, read_frame
from seqcast.data.series import ArrayCache
from seqcast.specs import Columns, Covariates

ROWS = 30
STAMPS = {
    "days": (pd.date_range("2024-01-01", periods=ROWS), None),
    "nanoseconds": (pd.date_range("2024-01-01", periods=ROWS, freq="3ns", unit="ns"), None),
    "seconds": (pd.date_range("1700-01-01", periods=ROWS, freq="MS", unit="s"), None),
    # The clock goes back on November 3, so that an hour comes twice.
    "zone": (
        pd.date_range("2024-11-02 20:00", periods=ROWS, freq="h", tz="America/New_York"),
        None,
    ),
    "offset": (pd.date_range("2024-01-01", periods=ROWS, freq="D", tz="+05:30"), None),
    "whole numbers": (pd.RangeIndex(7, 7 + ROWS), 1),
}
NOT_IN_POLARS = ("seconds", "offset")
IDS = {"text": ["a", "Zürich 🙂"], "numbers": [-3, 2**40]}
COVARIATES = Covariates(static=("region",), past=("price",), future=("promo", "open"))


def rows_of(names, stamps):
    """Return series with covariates of every kind, and missing values."""
    tables = []
    for place, name in enumerate(names):
        y = np.sin(np.arange(ROWS) + place)
        y[3:6] = np.nan
        columns = {
            "unique_id": name,
            "ds": stamps,
            "y": y,
            "region": ["north", "süd"][place],
            "price": np.where(np.arange(ROWS) % 7 == 2, np.nan, y + 1),
            "promo": np.where(np.arange(ROWS) % 3 == 0, "big", "none"),
            "open": np.arange(ROWS) % 2 == 0,
            "weight": 0.5,
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def read(table, freq):
    columns = Columns(weight="weight")
    return read_frame(table, columns, freq=freq, covariates=COVARIATES, missing="fill")


def sharded(folder, frames):
    """Return frames in shards of a folder."""
    pairs = ((frame, (Span(None, 0, len(frame.rows)),)) for frame in frames)
    return ShardedFrame.of(Scratch(folder, ArrayCache(2**20)), pairs)


def assert_same(read, written):
    for field in dataclasses.fields(written):
        ours = getattr(read, field.name)
        theirs = getattr(written, field.name)
        if field.name == "source":
            assert ours.ids == theirs.ids
            assert list(map(type, ours.ids)) == list(map(type, theirs.ids))
            np.testing.assert_array_equal(ours.ends, theirs.ends)
            np.testing.assert_array_equal(ours.values, theirs.values)
        elif field.name == "stamps":
            pd.testing.assert_index_equal(ours, theirs, exact=True)
        elif isinstance(theirs, np.ndarray):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)
        else:
            assert ours == theirs


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("names", IDS)
@pytest.mark.parametrize("stamps", STAMPS)
def test_a_shard_comes_back_as_it_was(tmp_path, library, names, stamps):
    index, freq = STAMPS[stamps]
    if library == "polars" and stamps in NOT_IN_POLARS:
        pytest.skip("Polars has neither stamps in seconds nor zones without a name")
    table = rows_of(IDS[names], index)
    frame = read(pl.from_pandas(table) if library == "polars" else table, freq)
    found = sharded(tmp_path, [frame])
    assert_same(found.shard(0)[1], frame)
    # Those that were changed are written again.
    stops = np.array([9, 20])
    assert_same(found.until(stops).shard(0)[1], frame.until(stops))


def test_files_of_shards_are_arrays_that_take_no_unpickling(tmp_path):
    frames = [read(rows_of(names, STAMPS["zone"][0]), None) for names in IDS.values()]
    sharded(tmp_path, frames).until(np.array([9, 20] * 2))
    files = list(tmp_path.iterdir())
    assert files
    for path in files:
        assert np.load(path, allow_pickle=False).dtype.kind in "fiuM"


def test_what_a_shard_keeps_in_memory_has_no_rows(tmp_path):
    frame = read(rows_of(IDS["text"], STAMPS["days"][0]), None)
    (shard,) = sharded(tmp_path, [frame]).shards
    arrays = [
        shard.empty.source.values,
        shard.empty.stamps.to_numpy(),
        shard.empty.rows,
        shard.empty.static,
    ]
    assert all(array.size == 0 and (array.base is None or array.base.size == 0) for array in arrays)


def test_an_array_of_objects_is_rejected(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle=False"):
        Scratch(tmp_path, ArrayCache(1)).save(np.array([{}], dtype=object))
