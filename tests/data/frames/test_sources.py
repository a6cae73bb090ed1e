"""Sources are read piece by piece: whole series, each row once, wherever they come from."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.data.frames.sources import is_source, open_source, pieces
from seqcast.errors import DataError, MissingFileError, SpecError
from tests.rejections import rejected

pa = pytest.importorskip("pyarrow")
dataset = pytest.importorskip("pyarrow.dataset")


def table(lengths, first=0):
    """Return a frame of series whose rows lie together."""
    ids = np.repeat([f"s{first + place:03}" for place in range(len(lengths))], lengths)
    return pd.DataFrame(
        {"unique_id": ids, "ds": np.arange(len(ids)), "y": np.arange(float(len(ids)))}
    )


def folder_of(path, frames):
    path.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        frame.to_parquet(path / f"{number}.parquet", index=False)
    return path


def read(source, rows=4, most_rows=10**6, columns=("unique_id", "ds", "y")):
    return list(pieces(source, columns, ("unique_id", "ds"), rows, most_rows))


few = settings(max_examples=40, deadline=None)


@few
@given(
    st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=4), min_size=1, max_size=4),
    st.integers(1, 12),
)
def test_whole_series_and_each_row_once(tmp_path_factory, lengths, rows):
    starts = np.cumsum([0, *map(len, lengths)])
    frames = [table(own, first) for own, first in zip(lengths, starts, strict=False)]
    path = folder_of(tmp_path_factory.mktemp("source"), frames)
    found = read(open_source(path), rows)
    together = pd.concat([piece.table.to_pandas() for piece in found], ignore_index=True)
    pd.testing.assert_frame_equal(together, pd.concat(frames, ignore_index=True), check_dtype=False)
    owners = [set(piece.table["unique_id"].to_pylist()) for piece in found]
    assert len(set().union(*owners)) == sum(map(len, owners))
    # Spans say where each row is from.
    for piece in found:
        of_file = [
            frames[int(Path(span.path).stem)]["y"][span.first : span.first + span.rows]
            for span in piece.spans
        ]
        assert np.concatenate(of_file).tolist() == piece.table["y"].to_pylist()


IDS = {
    "view": lambda ids: ids.cast(pa.string_view()),
    "dictionary": lambda ids: ids.dictionary_encode(),
    "runs": lambda ids: pytest.importorskip("pyarrow.compute").run_end_encode(ids),
}


@pytest.mark.parametrize("kind", IDS)
def test_ids_of_any_encoding_of_text_are_text(kind):
    frame = table([3, 4, 2])
    rows = pa.table(
        {"unique_id": IDS[kind](pa.array(frame["unique_id"])), "ds": frame["ds"], "y": frame["y"]}
    )
    source = open_source(dataset.dataset(rows))
    found = pd.concat([source.frame(piece.table) for piece in read(source)])
    assert found["unique_id"].tolist() == frame["unique_id"].tolist()


def test_narrow_numbers_are_read_and_wide_ones_rejected():
    polars = pytest.importorskip("polars")
    half = pa.table(
        {"unique_id": pa.array(np.ones(2, dtype=np.float16)), "ds": [1, 2], "y": [1.0, 2.0]}
    )
    assert [
        piece.table["unique_id"].to_pylist() for piece in read(open_source(dataset.dataset(half)))
    ] == [[1.0, 1.0]]
    wide = polars.LazyFrame(
        {"unique_id": polars.Series([10**30] * 2, dtype=polars.Int128), "ds": [1, 2], "y": [1, 2]}
    )
    rejected(
        DataError,
        "df, unique_id: expected at most 64 bits, received Int128",
        read,
        open_source(wide),
    )


def test_columns_of_lists_are_rejected_and_empty_ones_are_missing():
    rows = {"ds": pa.array([1, 2]), "y": pa.array([1.0, 2.0])}
    lists = open_source(dataset.dataset(pa.table({"unique_id": pa.array([[1], [2]]), **rows})))
    rejected(
        DataError,
        "df, unique_id: expected numbers, text, times or flags, received list",
        read,
        lists,
    )
    empty = open_source(dataset.dataset(pa.table({"unique_id": pa.nulls(2), **rows})))
    assert [piece.table["unique_id"].to_pylist() for piece in read(empty, rows=9)] == [[None, None]]


def test_all_kinds_of_sources_give_the_same_rows(tmp_path):
    polars = pytest.importorskip("polars")
    duckdb = pytest.importorskip("duckdb")
    frame = table([3, 4, 2])
    path = folder_of(tmp_path / "in", [frame.iloc[:5], frame.iloc[5:]])
    relation = duckdb.sql(f"select * from '{path}/*.parquet' order by ds")
    sources = [
        str(path),
        path / "*.parquet",
        [path / "0.parquet", path / "1.parquet"],
        dataset.dataset(path),
        polars.from_pandas(frame).lazy(),
        relation,
    ]
    for each in sources:
        assert is_source(each)
        source = open_source(each)
        assert source.columns == ("unique_id", "ds", "y")
        found = pa.concat_tables([piece.table for piece in read(source)]).to_pandas()
        np.testing.assert_array_equal(found["y"], frame["y"])
        assert found["unique_id"].tolist() == frame["unique_id"].tolist()
        library = "polars" if isinstance(each, polars.LazyFrame) else "pandas"
        assert type(source.frame(pa.table({"y": [1.0]}))).__module__.startswith(library)


def test_names_of_folders_are_text(tmp_path):
    for name in ("007", "7"):
        folder_of(tmp_path / f"unique_id={name}", [pd.DataFrame({"ds": [1, 2], "y": [1.0, 2.0]})])
    found = pa.concat_tables([piece.table for piece in read(open_source(tmp_path))])
    assert found["unique_id"].to_pylist() == ["007", "007", "7", "7"]


def test_rows_that_lie_apart_are_rejected(tmp_path):
    frame = table([2, 2, 2])
    path = folder_of(tmp_path / "my sales", [frame, frame.iloc[2:3]])
    for rows in (1, 100):
        with pytest.raises(DataError) as caught:
            read(open_source(path), rows)
        error = caught.value
        assert (error.path, error.column, error.row, error.series) == (
            f"{path}/1.parquet",
            "unique_id",
            0,
            "s001",
        )
        assert f"seqcast partition '{path}' -o FOLDER --id unique_id --time ds" in str(error)
        assert "1.parquet, column 'unique_id', row 1 (series 's001')" in str(error)


def test_a_series_longer_than_memory_is_rejected(tmp_path):
    path = folder_of(tmp_path, [table([40])])
    with pytest.raises(
        SpecError,
        match="memory_limit: expected room for the longest series; it has room for 20 rows",
    ):
        read(open_source(path), rows=10, most_rows=20)


def test_nothing_to_read(tmp_path):
    for name, message in (
        ("", "a folder without any"),
        ("*.parquet", "none that match"),
        ("a.parquet", "nothing"),
    ):
        rejected(MissingFileError, message, open_source, str(tmp_path / name))
    folder_of(tmp_path, [table([1]).iloc[:0]])
    rejected(
        DataError, "df: expected at least one row, received none in", read, open_source(tmp_path)
    )


def test_files_whose_columns_differ_are_rejected(tmp_path):
    folder_of(tmp_path, [table([2]), table([2], first=2).assign(y="text")])
    with pytest.raises(
        DataError, match=r"1\.parquet: expected a table with the columns of the others"
    ):
        read(open_source(tmp_path), rows=100)


def test_a_source_without_ids_is_one_series(tmp_path):
    path = folder_of(tmp_path, [table([5]).drop(columns="unique_id")])
    (piece,) = read(open_source(path), rows=2, columns=("ds", "y"))
    assert piece.table.num_rows == 5


@few
@given(
    st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4), min_size=1, max_size=4)
)
def test_a_series_that_comes_again_is_found_in_whatever_order(tmp_path_factory, names):
    runs = [name for name, _ in itertools.groupby(name for own in names for name in own)]
    ids = np.repeat(runs, 2)
    frame = pd.DataFrame({"unique_id": ids, "ds": np.arange(len(ids)), "y": 1.0})
    path = folder_of(tmp_path_factory.mktemp("order"), [frame])
    if len(set(runs)) == len(runs):
        found = pa.concat_tables([piece.table for piece in read(open_source(path), 2)])
        assert found["unique_id"].to_pylist() == ids.tolist()
        return
    again = next(number for number, name in enumerate(runs) if name in runs[:number])
    with pytest.raises(DataError) as caught:
        read(open_source(path), 2)
    assert (caught.value.series, caught.value.row) == (runs[again], 2 * again)
