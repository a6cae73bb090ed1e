"""Hostile files end in a clean error or the right result, in a process that is watched: its time and its memory.

`make fuzz-files` tries ten thousand models and checkpoints, and a thousand tables: Parquet, Feather, workbooks.
`SEQCAST_FUZZ_FIRST` begins at another number, for other files.
"""

import collections
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

MODELS = int(os.environ.get("SEQCAST_FUZZ_FILES", 150))
TABLES = int(os.environ.get("SEQCAST_FUZZ_TABLES", 50))
FIRST = int(os.environ.get("SEQCAST_FUZZ_FIRST", 0))
SECONDS, BYTES = 10, 1 << 30
ATTEMPTS = Path(__file__).with_name("attempts.py")

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc"),
    pytest.mark.skipif(os.environ["KERAS_BACKEND"] != "jax", reason="files are the same on every backend"),
]


class Reader:
    """A process that tries files; one that hangs or dies is replaced."""

    def __init__(self, folder):
        self.folder, self.process = folder, None

    def start(self, what="read"):
        command = [sys.executable, str(ATTEMPTS), str(self.folder), what]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().strip() == "ready"

    def end(self):
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def attempt(self, kind, number):
        """Return what came of a file; the process has some seconds more than the file."""
        if self.process is None:
            self.start()
        process = self.process
        watch = threading.Timer(3 * SECONDS, process.kill)
        watch.start()
        process.stdin.write(f"{kind} {number}\n")
        process.stdin.flush()
        line = process.stdout.readline()
        watch.cancel()
        if line:
            return json.loads(line)
        code = process.wait()
        self.end()
        text = f"the process ended with {code}"
        return {"kind": kind, "number": number, "how": "?", "outcome": "bug", "text": text, "seconds": 0, "peak": 0}


def try_all(folder, cases, count):
    """Return what came of all cases, of which each reader tries its share; the first one writes the valid files."""
    readers = [Reader(folder) for _ in range(count)]
    readers[0].start("write")

    def attempts(place):
        try:
            return [readers[place].attempt(*case) for case in cases[place::count]]
        finally:
            readers[place].end()

    with ThreadPoolExecutor(count) as pool:
        return [answer for share in pool.map(attempts, range(count)) for answer in share]


def told(answers):
    """Return in words what came of all files, and which took the most time and memory."""
    counts = collections.Counter(f"{answer['kind']}, {answer['outcome']}" for answer in answers)
    most = {name: max(answers, key=lambda answer, name=name: answer[name]) for name in ("seconds", "peak")}
    return "\n".join(f"{name}: {found}" for name, found in [*sorted(counts.items()), *most.items()])


def test_hostile_files_end_in_a_clean_error_or_the_right_result(tmp_path):
    kinds = ("forecaster", "regressor", "checkpoint")
    cases = [(kinds[number % 3], number // 3) for number in range(FIRST, FIRST + MODELS)]
    tables = ("parquet", "feather", "workbook", "ods", "xlsb")
    cases += [(tables[number % 5], number // 5) for number in range(FIRST, FIRST + TABLES)]
    answers = try_all(tmp_path, cases, 1 if len(cases) < 1000 else 2)
    print(told(answers))
    bugs = [answer for answer in answers if answer["outcome"] == "bug"]
    assert not bugs, "\n".join(json.dumps(bug) for bug in bugs[:20])
    for answer in answers:
        assert answer["seconds"] < SECONDS, answer
        assert answer["peak"] < BYTES, answer
    # Most are refused; of the others some are as they were, which says that files can be read at all.
    outcomes = collections.Counter(answer["outcome"] for answer in answers)
    assert outcomes["refused"] > len(cases) / 2
    assert outcomes["same"] > len(cases) / 50
