"""Tables become folders in which each series lies whole and sorted; what cannot is rejected before or as a whole."""

import datetime
import gzip
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.errors import DataError, MissingFileError, SaveError, SpecError
from seqcast.specs.columns import Columns
from seqcast.tables import Partition, partition
from tests.rejections import rejected

DAY = datetime.date(2024, 1, 1)
# Ids and times by the number of a series and of a step.
IDS = {
    "text": lambda number: ["001", "1", "NA", "it's", '"', "ä,b", "a\nb", " ", "=1"][number],
    "whole": lambda number: number - 3,
    "decimal": lambda number: number / 4,
    "date": lambda number: DAY + datetime.timedelta(number),
    "flag": lambda number: number % 2 == 0,
    "bytes": lambda number: bytes([number, 0]),
}
TIMES = {
    "whole": lambda step: step,
    "date": lambda step: DAY + datetime.timedelta(step),
    "stamp": lambda step: datetime.datetime(2024, 3, 30) + datetime.timedelta(hours=step),
    "zone": lambda step: (
        datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(hours=step)
    ),
    "text": lambda step: (DAY + datetime.timedelta(step)).isoformat(),
    "text with a zone": lambda step: f"2024-01-01T{step // 60:02}:{step % 60:02}:00+02:00",
}


def rows_of(folder):
    """Return the tables of a folder, after a look at what holds for each of them."""
    tables = [pq.read_table(file) for file in sorted(folder.iterdir())]
    assert [file.name for file in sorted(folder.iterdir())] == [
        f"part-{n:05}.parquet" for n in range(len(tables))
    ]
    seen = set()
    for table in tables:
        keys = list(zip(table["unique_id"].to_pylist(), table["ds"].to_pylist(), strict=True))
        assert keys == sorted(keys)
        ids = {series for series, _ in keys}
        assert ids - seen == ids != set()
        seen |= ids
    return pa.concat_tables(tables)


def counted(table):
    return Counter(
        map(tuple, zip(*(table[name].to_pylist() for name in table.column_names), strict=True))
    )


@st.composite
def interleaved(draw, ids, times):
    """Draw rows of several series in any order, and where files of them end."""
    step = st.tuples(st.integers(0, 1 if ids == "flag" else 8), st.integers(0, 30))
    places = draw(st.lists(step, min_size=1, max_size=60, unique=True))
    values = [draw(st.none() | st.floats(allow_nan=False, allow_infinity=False)) for _ in places]
    names = [IDS[ids](number) for number, _ in places]
    stamps = [TIMES[times](step) for _, step in places]
    table = pa.table({"unique_id": names, "y": pa.array(values, pa.float64()), "ds": stamps})
    cuts = draw(st.lists(st.integers(0, len(places)), max_size=3))
    return table, [0, *sorted(cuts), len(places)], draw(st.integers(1, 9))


IN_PARQUET = [(ids, times, ".parquet") for ids in IDS for times in TIMES]
IN_CSV = [
    (ids, times, ".csv")
    for ids in ("text", "whole")
    for times in ("whole", "stamp", "text with a zone")
]


@pytest.mark.parametrize(("ids", "times", "suffix"), [*IN_PARQUET, *IN_CSV])
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_rows_stay_and_series_lie_together(ids, times, suffix, data):
    """Columns of CSV become typed, and ids stay text."""
    table, cuts, files = data.draw(interleaved(ids, times))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "rows"
        target = Path(folder) / "series"
        source.mkdir()
        for start, stop in itertools.pairwise(cuts):
            name = source / f"it's [{start}]*{suffix}"
            if start < stop and suffix == ".parquet":
                pq.write_table(table.slice(start, stop - start), name)
            elif start < stop:
                part = table.slice(start, stop - start).to_pandas()
                part.to_csv(f"{name}{'.gz' * (start % 2)}", index=False, float_format="%.17g")
        written = partition(source, target, files=files)
        found = rows_of(target)
        series = len(set(table["unique_id"].to_pylist()))
        assert written == Partition(
            target, len(list(target.iterdir())), series, len(table), ("unique_id", "y", "ds")
        )
        assert written.files <= min(files, series)
        assert {path.name for path in Path(folder).iterdir()} == {"rows", "series"}
    if times.startswith("text"):
        table = table.set_column(2, "ds", pa.array(pd.to_datetime(table["ds"].to_pandas())))
    if suffix == ".csv":
        table = table.set_column(0, "unique_id", table["unique_id"].cast(pa.string()))
        assert not pa.types.is_string(found.schema.field("ds").type)
    else:
        assert found.schema.field("y") == table.schema.field("y")
    assert counted(found) == counted(
        table.set_column(2, "ds", table["ds"].cast(found.schema.field("ds").type))
    )
    if times == "zone":
        assert found.schema.field("ds") == table.schema.field("ds")


def frame_of(**changes):
    table = pd.DataFrame({"unique_id": ["b", "a", "a"], "ds": [1, 2, 1], "y": [1.0, 2.0, 3.0]})
    return table.assign(**changes)


def saved(path, content):
    """Write a frame, or bytes."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content.to_parquet(path, index=False) if path.suffix == ".parquet" else content.to_csv(
            path, index=False
        )
    return path


# ---------------------------------------------------------------- columns


def test_files_may_have_columns_in_another_order_and_lack_some(tmp_path):
    saved(tmp_path / "1.parquet", frame_of(x=[1, 2, 3]))
    saved(tmp_path / "2.parquet", frame_of(unique_id="c")[["y", "ds", "unique_id"]].iloc[:2])
    partition(str(tmp_path / "*.parquet"), tmp_path / "series", files=1)
    found = rows_of(tmp_path / "series").to_pandas()
    assert found["unique_id"].tolist() == ["a", "a", "b", "c", "c"]
    assert found["x"].isna().tolist() == [False] * 3 + [True] * 2


def test_zones_and_narrow_types_stay(tmp_path):
    stamps = pd.date_range("2024-03-30", periods=3, tz="Europe/Berlin").as_unit("ms")
    frame = frame_of(ds=stamps, y=np.array([1, 2, 3], "int8"), z=pd.Categorical(["u", "v", "u"]))
    partition(saved(tmp_path / "a.parquet", frame), tmp_path / "series")
    found = rows_of(tmp_path / "series")
    assert str(found.schema.field("ds").type.tz) == "Europe/Berlin"
    assert found.schema.field("y").type == pa.int8()
    assert found["z"].to_pylist() == ["v", "u", "u"]
    assert found["ds"].to_pylist() == [stamps[1], stamps[2], stamps[0]]


def test_numbers_of_text_files(tmp_path):
    text = "unique_id;day;whole;part;word;nothing\n007;31.01.2024;1;1e3;1.5;\n007;30.01.2024;NA;;x y;\n"
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    columns = Columns(ds="day", ds_format="%d.%m.%Y")
    partition(tmp_path / "a.csv", tmp_path / "series", columns=columns)
    found = pd.read_parquet(tmp_path / "series")
    assert found["unique_id"].tolist() == ["007"] * 2
    assert found["day"].tolist() == [pd.Timestamp("2024-01-30"), pd.Timestamp("2024-01-31")]
    assert found.dtypes[["whole", "part", "nothing"]].map(str).tolist() == ["float64"] * 3
    assert (
        pq.read_schema(tmp_path / "series" / "part-00000.parquet").field("whole").type == pa.int64()
    )
    assert found["word"].tolist() == ["x y", "1.5"]
    np.testing.assert_equal(found["part"].to_numpy(), [np.nan, 1000])


def test_files_are_of_about_one_size_and_end_with_a_series(tmp_path):
    lengths = [1, 500, 1, 1, 30, 30, 30, 7]
    ids = np.repeat(np.arange(8), lengths)
    rows = pd.DataFrame({"unique_id": ids, "ds": np.arange(len(ids)), "y": 0.0}).sample(
        frac=1, random_state=0
    )
    partition(saved(tmp_path / "a.parquet", rows), tmp_path / "series", files=20)
    sizes = [pq.read_metadata(file).num_rows for file in sorted((tmp_path / "series").iterdir())]
    assert sizes == [501, 32, 30, 30, 7]


# ---------------------------------------------------------------- what is rejected


WRONG_COLUMNS = [
    ({"unique_id": [None, "a", "a"]}, {}, "'unique_id': expected a name of a series in every row, received 1 row"),
    ({"ds": [1.0, None, None]}, {}, "column 'ds': expected a time in every row, received 2 rows without one. Fill"),
    ({"ds": [1, 2, 2]}, {}, "once, received 1 row with the time of another, the first at 2 of series 'a'. Keep"),
    ({}, {"unique_id": "shop"}, "expected a column 'shop', received the columns 'unique_id', 'ds', 'y'. Name"),
    ({}, {"unique_id": "unique_ID"}, r"expected a column 'unique_ID'.* Did you mean 'unique_id'\? Name yours"),
    ({"Y": 1}, {}, "expected names that differ by more than capital letters, received 'y' and 'Y'. Rename one"),
    ({"ds": ["2024-01-01", "31.01.2024", "x"]}, {}, "expected times such as .* received '31.01.2024' and 1 more."),
    ({"ds": ["2024-01-01", "2024-01-02 00:00Z", "2024-01-03"]}, {}, "received '2024-01-02 00:00Z'. Name how all"),
    ({"ds": ["2024-01-01 12:00 Europe/Berlin"] * 3}, {}, "expected times such as .* received '.*Berlin' and 2"),
    ({"ds": ["2024-01-01 12:00:00 AM"] * 3}, {}, "expected times such as .* received '.* AM' and 2 more."),
    ({"ds": ["2024-01-01 (BC)"] * 3}, {}, "expected times such as .* received '.* \\(BC\\)' and 2 more."),
    ({"ds": ["01/02/2024", "31/02/2024", "03/02/2024"]}, {"ds_format": "%d/%m/%Y"}, "as %d/%m/%Y, received '31/"),
    ({"ds": [True, False, True]}, {}, "column 'ds': expected times"),
]  # fmt: skip


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize(("changes", "columns", "message"), WRONG_COLUMNS)
def test_what_is_wrong_is_told_and_nothing_is_written(tmp_path, suffix, changes, columns, message):
    source = saved(tmp_path / f"a.{suffix}", frame_of(**changes))
    with pytest.raises(DataError, match=message) as caught:
        partition(source, tmp_path / "series", columns=Columns(**columns))
    assert str(source) in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


NO_IDS = frame_of(unique_id=[None, "a", None])
NO_TIMES = frame_of().drop(columns="ds").assign(file=1, filename=2)
LISTS = pd.DataFrame({"unique_id": [["a"], ["b"]], "ds": [1, 2], "y": [1, 2]})
OFTEN = pd.DataFrame(
    {
        "unique_id": np.arange(27_000) // 3,
        "ds": np.tile([1, 2, 3, 2, 2, 3, 1, 2, 2], 3000),
        "y": 0.0,
    }
)
TEXT = frame_of(y="text")
STAMPS = LISTS.assign(unique_id=[[pd.Timestamp(0)], [pd.Timestamp(1)]])
TABLE = b"unique_id,ds,y\n"
REJECTED = [
    (
        {"0.csv": frame_of(), "1.csv": NO_IDS, "2.csv": NO_IDS},
        "1.csv.* 2 rows without one, and 2 in 1 other",
    ),
    (
        {"1.parquet": frame_of(), "[2].parquet": NO_TIMES},
        r"\[2\]\.parquet, column 'ds': .* received 3 rows wi",
    ),
    (
        {"a.parquet": OFTEN},
        "received 6,000 rows with the time of another, the first at 2 of series",
    ),
    (
        {"a.parquet": frame_of(), "b.csv": frame_of()},
        "b.csv: expected Parquet, as .*a.parquet is, received CSV",
    ),
    (
        {"b.csv": frame_of(), "c.csv": NO_TIMES},
        "c.csv: expected the columns .*, as in .*b.csv, received 'uni",
    ),
    (
        {"a.parquet": frame_of(), "d.parquet": TEXT},
        "'y': expected numbers, as in .*a.parquet, received text",
    ),
    (
        {"a.parquet": LISTS},
        r"'unique_id': expected text, numbers or times, .*, received varchar\[\]",
    ),
    (
        {"a.parquet": STAMPS},
        r"'unique_id': expected text, numbers or times, .*, received timestamp.*\[\]",
    ),
    ({"a.csv": b""}, "expected a table, received no text"),
    ({"a.csv": TABLE}, "expected at least one row"),
    (
        {"a.csv": TABLE + b"a,1,2\na,2\n"},
        r"expected a table in CSV, received something else \(.*Line: 3",
    ),
    ({"a.csv": TABLE + b"a,1,2\na,2,3,4\n"}, "expected a table in CSV, received something else"),
    (
        {"a.csv": b"unique_id;ds;y\na;1;2,5\na;2;3\n"},
        "expected numbers with a decimal point, received '2,5'",
    ),
    ({"a.csv": TABLE + "Größe,1,2\n".encode("cp1252")}, "expected text in UTF-8, received cp1252"),
    ({"a.csv": b"unique_id,ds,y,y\na,1,2,3\n"}, "received 'y' twice"),
    ({"a.parquet": b"PAR1 nothing else"}, "expected a table in Parquet, received something else"),
    ({"a.csv.gz": b"no gzip"}, "expected text, received something else"),
    (
        {"a.csv.gz": gzip.compress(TABLE + b"a,1,2\n" * 300_000, mtime=0)[:-2000]},
        "a.csv.gz: expected",
    ),
]


@pytest.mark.parametrize(("files", "message"), REJECTED)
def test_files_that_are_no_tables_or_do_not_go_together(tmp_path, files, message):
    sources = [saved(tmp_path / name, content) for name, content in files.items()]
    rejected(DataError, message, partition, sources, tmp_path / "series", files=3)
    assert {path.name for path in tmp_path.iterdir()} == {*files}


def test_values_may_be_lists(tmp_path):
    saved(tmp_path / "a.parquet", LISTS.rename(columns={"unique_id": "y", "y": "unique_id"}))
    written = partition(tmp_path / "a.parquet", tmp_path / "series")
    assert pq.read_table(written.folder)["y"].to_pylist() == [["a"], ["b"]]


NO_FILES = [
    ("a.parquet", "no such file"),
    ("", "expected Parquet or CSV files, received a folder without any"),
    ("*.csv", "expected Parquet or CSV files, received none that match"),
    (None, "source: expected files with a table, received none"),
    ("a.xlsx", r"a\.xlsx, suffix: expected one of 'parquet', 'csv'"),
]


@pytest.mark.parametrize(("name", "message"), NO_FILES)
def test_where_there_are_no_files(tmp_path, name, message):
    (tmp_path / "a.xlsx").touch()
    with pytest.raises((MissingFileError, SpecError), match=message):
        partition([] if name is None else tmp_path / name, tmp_path / "series")


def test_marks_of_other_programs_are_passed_over(tmp_path):
    inner = tmp_path / "rows" / "2024"
    inner.mkdir(parents=True)
    saved(inner / "a.parquet", frame_of())
    for name in ("_temporary", ".hidden"):
        (inner / name).mkdir()
        saved(inner / name / "b.parquet", frame_of())
    (tmp_path / "rows" / "_SUCCESS").touch()
    assert partition(tmp_path / "rows", tmp_path / "series").rows == 3


IMPOSSIBLE = [
    ({"files": 0}, "files: expected a whole number >= 1, received 0"),
    ({"memory_limit": "much"}, "memory_limit: expected a size, such as '8 GB', received 'much'"),
    (
        {"memory_limit": "1 kB"},
        "memory_limit: expected enough memory, .* Give more, as in memory_limit='4 GB'",
    ),
    (
        {"columns": Columns(ds_format="%d %é")},
        "columns.ds_format: expected a format, received '%d %é'",
    ),
]


@pytest.mark.parametrize(("options", "message"), IMPOSSIBLE)
def test_options_that_are_impossible(tmp_path, options, message):
    with pytest.raises(SpecError, match=message):
        partition(
            saved(tmp_path / "a.parquet", frame_of(ds=["1", "2", "3"])),
            tmp_path / "series",
            **options,
        )


# ---------------------------------------------------------------- where it goes


def test_only_a_folder_of_its_own_kind_is_replaced_and_only_if_told(tmp_path):
    source = saved(tmp_path / "a.parquet", frame_of())
    target = tmp_path / "series"
    target.mkdir()
    partition(source, target)
    with pytest.raises(
        SaveError,
        match=r"an empty one, received one that holds files\. Choose another; force=True r",
    ):
        partition(source, target)
    larger = saved(
        tmp_path / "b.parquet", pd.concat([frame_of(), frame_of(unique_id="c", ds=[1, 2, 3])])
    )
    assert partition(larger, target, files=2, force=True).rows == 6
    assert partition(target, target, files=1, force=True).rows == len(rows_of(target)) == 6
    (target / "notes.txt").touch()
    with pytest.raises(
        SaveError,
        match=r"to replace that holds nothing but .parquet files, received one with 'notes",
    ):
        partition(source, target, force=True)
    assert len(list(target.iterdir())) == 2
    rejected(SaveError, "expected a new folder, received a file", partition, source, larger)
    rejected(SaveError, "received no folder", partition, source, tmp_path / "none" / "series")


# ---------------------------------------------------------------- larger than memory

WIDE_ROWS = 1_000_000
ROW_BYTES = 512
LIMIT = 150 << 20
MAKE = """
import sys, duckdb
with duckdb.connect(config={{"memory_limit": "300MB", "threads": 1}}) as connection:
    connection.execute(\"\"\"COPY (
        SELECT (i * 7919) % 1000 AS unique_id, i // 1000 AS ds, repeat(md5(i::VARCHAR), 16) AS y FROM range({rows}) t(i)
    ) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 8192, COMPRESSION zstd)\"\"\")
"""
MEASURE = """
import json, pathlib
from seqcast.tables import partition
import duckdb, pyarrow.parquet
def peak():  # not ru_maxrss, which a process takes over from the one that started it
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])
before = peak()
written = partition({path!r}, {target!r}, memory_limit={limit}, files=8)
print(json.dumps([before, peak(), written.rows]))
"""


@pytest.mark.processes
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_a_table_larger_than_the_memory_takes_no_more_of_it(run_python, tmp_path):
    path = tmp_path / "rows.parquet"
    target = tmp_path / "series"
    run_python(MAKE.format(rows=WIDE_ROWS, path=path))
    before, peak, rows = json.loads(
        run_python(MEASURE.format(path=str(path), target=str(target), limit=LIMIT))
    )
    assert rows == WIDE_ROWS
    # DuckDB's memory, and what is read and written at a time.
    assert peak - before < LIMIT + (200 << 20) < WIDE_ROWS * ROW_BYTES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.parquet", "series"]


@pytest.mark.processes
def test_ctrl_c_leaves_nothing(run_python, tmp_path):
    path = tmp_path / "rows.parquet"
    run_python(MAKE.format(rows=WIDE_ROWS, path=path))
    command = [
        sys.executable,
        "-m",
        "seqcast.cli.start",
        "partition",
        str(path),
        "-o",
        str(tmp_path / "series"),
    ]
    command += ["--memory-limit", str(LIMIT)]
    process = subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while (
        not list(tmp_path.glob(".*.part/.spill"))
        and time.monotonic() < deadline
        and process.poll() is None
    ):
        time.sleep(0.01)
    process.send_signal(2)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert [each.name for each in tmp_path.iterdir()] == ["rows.parquet"]
