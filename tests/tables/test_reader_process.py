"""Hostile files end the process that reads them, not the one that asks: an error, in time and in few bytes."""

import gzip
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import hostile_tables
import hostile_workbooks
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import zstandard

import seqcast
from seqcast.app.visitor_table import Table
from seqcast.errors import DataError
from seqcast.specs.columns import Columns
from seqcast.tables import reader_process
from seqcast.tables.open_table import read_raw, read_table
from tests.rejections import rejected

# Windows has no such module.
resource = pytest.importorskip("resource")

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="other systems have no limit on memory"
    ),
]
GIB = 1 << 30
SECONDS = 10
ZEROS = np.zeros(30_000_000)
OFTEN = hostile_tables.often("x" * 5_000_000)


def other_lengths():
    """Return a Feather file whose messages claim buffers of exabytes."""
    whole = hostile_tables.feather(pa.table({"y": np.arange(1000.0)}), "uncompressed")
    length = (8000).to_bytes(8, "little")
    assert length in whole
    return whole.replace(length, (1 << 61).to_bytes(8, "little"))


def many_in_zip():
    return hostile_workbooks.packed({f"{number}.csv": b"" for number in range(30_000)})


MAKERS = {
    "numbers.parquet": lambda: hostile_tables.parquet(pa.table({"ds": ZEROS, "y": ZEROS})),
    "text.parquet": lambda: hostile_tables.parquet(pa.table({"ds": OFTEN}), store_schema=False),
    "categories.parquet": lambda: hostile_tables.parquet(pa.table({"ds": OFTEN})),
    "numbers.feather": lambda: hostile_tables.feather(pa.table({"y": ZEROS})),
    "categories.feather": lambda: hostile_tables.feather(pa.table({"y": OFTEN})),
    "views.feather": lambda: hostile_tables.feather(
        pa.table({"y": hostile_tables.views(100_000, b"x" * 100_000)}), "uncompressed"
    ),
    "lengths.arrow": other_lengths,
    "zeros.csv.gz": lambda: gzip.compress(bytes(GIB // 4), 1),
    "zeros.csv.zst": lambda: zstandard.ZstdCompressor(level=1).compress(bytes(GIB)),
    "window.csv.zst": lambda: b"\x28\xb5\x2f\xfd\x00\xa8" + b"\x00" * 8,
    "zeros.csv.zip": lambda: hostile_workbooks.packed({"a.csv": bytes(GIB // 4)}),
    "many.csv.zip": many_in_zip,
}
BOOKS = hostile_workbooks.corners()
# What their errors say; that of the others is that there is too much.
SAID = {
    **dict.fromkeys(("plain.ods", "bracket.ods", "decoy.ods"), "Cell limit exceeded"),
    "lengths.arrow": "received something else (",
    "window.csv.zst": "received something else (ZSTD decompress failed",
    "many.csv.zip": "expected one file in it, received 30000",
}


@pytest.fixture
def hostile(tmp_path):
    """Return a function that writes a hostile file and returns its path."""

    def write(name):
        (tmp_path / name).write_bytes(BOOKS[name] if name in BOOKS else MAKERS[name]())
        return tmp_path / name

    return write


def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize("name", [*BOOKS, *MAKERS])
def test_a_hostile_file_is_an_error_in_time_without_memory_or_noise(hostile, capfd, name):
    path = hostile(name)
    capfd.readouterr()
    before = peak()
    began = time.perf_counter()
    with pytest.raises(DataError) as caught:
        read_table(path, Columns())
    assert caught.value.path == str(path)
    assert SAID.get(name, "expected at most") in str(caught.value)
    assert time.perf_counter() - began < SECONDS
    assert peak() - before < GIB
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------- every entry


ENTRIES = {
    "read_table": lambda path: read_table(path, Columns()),
    "read_raw": read_raw,
    "forecast": lambda path: seqcast.forecast(path, horizon=2),
    "page": Table.read,
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("name", ["bracket.xlsx", "categories.parquet"])
def test_every_entry_rejects_it(hostile, entry, name):
    rejected(DataError, r"at most 67.11 MB, received more", ENTRIES[entry], hostile(name))


def test_the_command_line_rejects_it(hostile):
    command = [sys.executable, "-m", "seqcast.cli.start", "describe", str(hostile("decoy.xlsx"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode not in (0, -6)
    assert "at most 67.11 MB" in done.stderr.replace("\n", " ")
    assert "--max-size" in done.stderr
    assert "memory allocation" not in done.stdout + done.stderr


def test_no_script_runs_twice(tmp_path):
    """A script without `if __name__ == "__main__"`, as people write them; multiprocessing would run it again."""
    pd.DataFrame({"ds": range(5), "y": range(5)}).to_excel(tmp_path / "a.xlsx", index=False)
    (tmp_path / "random.py").write_text(
        "raise SystemExit('the folder of the script is searched first')"
    )
    script = tmp_path / "script.py"
    imports = "import sys; sys.path.append(sys.path.pop(0))\nfrom pathlib import Path\n"
    read = "from seqcast.tables.open_table import read_raw\n"
    read += f"print(len(read_raw(Path({str(tmp_path / 'a.xlsx')!r})).frame))\n"
    script.write_text(f"{imports}print('once', flush=True)\n{read}")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120
    )
    assert (done.stdout, done.stderr) == ("once\n5\n", "")


# ---------------------------------------------------------------- readers that misbehave


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """Return a function that puts another package in the place of fastexcel, and reads a workbook with it."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    book = tmp_path / "a.xlsx"
    book.write_bytes(hostile_workbooks.xlsx(hostile_workbooks.FIRST))

    def read(body, **settings):
        (folder / "fastexcel.py").write_text(
            f"import os, sys, time\n\ndef read_excel(path):\n    {body}\n"
        )
        return read_raw(book, **settings)

    return read


READERS = [
    ("os.abort()", "at most 1 MB, received more"),
    ("bytearray(1 << 40)", "at most 1 MB, received more"),
    ("return [bytearray(1 << 20) for _ in range(300)]", "at most 1 MB, received more"),
    (
        "os.kill(os.getpid(), 11)",
        "received something else (the process that read it ended with SIGSEGV)",
    ),
    ("os._exit(3)", "received something else (the process that read it ended with exit code 3)"),
    ("os._exit(0)", "received something else ("),
    ("sys.exit('no')", "received something else (no)"),
    ("raise BaseException('panic\\nat line 3')", "received something else (panic)"),
    (
        "print('noise'); print('noise', file=sys.stderr); os.write(1, b'noise'); raise OSError('x')",
        "(x). Check",
    ),
    ("while True: pass", "expected a file that is read in 3 s, received one that takes longer"),
    ("time.sleep(100)", "expected a file that is read in 3 s, received one that takes longer"),
]


@pytest.mark.parametrize(("body", "text"), READERS)
def test_a_reader_that_misbehaves_is_an_error(reader, capfd, body, text):
    with pytest.raises(DataError) as caught:
        reader(body, max_size="1 MB")
    assert text in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(shutil.which("ps") is None, reason="POSIX's ps is missing")
def test_a_large_process_is_killed_where_no_limit_holds(reader, monkeypatch):
    monkeypatch.setattr(reader_process, "_HAS_LIMIT", False)  # as on macOS
    with pytest.raises(DataError, match="at most 1 MB, received more"):
        reader(
            "large = [bytes(1 << 20).replace(b'\\0', b'a') for _ in range(300)]; time.sleep(100)",
            max_size="1 MB",
        )


def test_the_reader_alone_is_imported(tmp_path, monkeypatch):
    for name in (
        "seqcast",
        "pandas",
        "keras",
        "jax",
        "multiprocessing",
        "sitecustomize",
        "usercustomize",
    ):
        (tmp_path / f"{name}.py").write_text("import os; os._exit(7)")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "a.xlsx").write_bytes(hostile_workbooks.xlsx(hostile_workbooks.TWO_ROWS))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"ds,y\n1,2\n"))
    frame = pd.DataFrame({"y": [1.0, 2.0]})
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_feather(tmp_path / "a.feather")
    for name in ("a.xlsx", "a.csv.gz", "a.parquet", "a.feather"):
        assert len(read_raw(tmp_path / name).frame) > 0


NO_INTERPRETER = r"expected an interpreter of Python to read it with \(sys.executable\)"
PROGRAMS = [
    (None, NO_INTERPRETER),
    ("", NO_INTERPRETER),
    ("frozen", NO_INTERPRETER),
    (shutil.which("false"), "the process that read it ended with exit code 1"),
]


@pytest.mark.parametrize(("executable", "message"), PROGRAMS)
def test_a_program_that_embeds_python_is_not_started_again(
    tmp_path, monkeypatch, executable, message
):
    pd.DataFrame({"y": [1.0]}).to_parquet(tmp_path / "a.parquet")
    monkeypatch.setattr(sys, "frozen", executable == "frozen", raising=False)
    monkeypatch.setattr(sys, "executable", executable)
    rejected(DataError, message, read_table, tmp_path / "a.parquet", Columns())


def test_no_process_and_no_thread_stays(hostile):
    with pytest.raises(DataError):
        read_raw(hostile("plain.xlsx"))
    assert not [thread for thread in threading.enumerate() if "seqcast-reader" in thread.name]
    children = [path.read_text().split() for path in Path("/proc/self/task").glob("*/children")]
    commands = [
        Path("/proc", child, "cmdline").read_text() for of_thread in children for child in of_thread
    ]
    assert not [command for command in commands if "reader_script" in command]
