"""Hostile files end in a clean error or the right result, in a process that is watched: its time and its memory.

`make fuzz-files` tries ten thousand models and checkpoints, ten thousand more with one field of the
header changed, and a thousand tables: Parquet, Feather, workbooks. `SEQCAST_FUZZ_FIRST` begins at
another number, for other files.
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
HEADERS = int(os.environ.get("SEQCAST_FUZZ_HEADERS", 105))
TABLES = int(os.environ.get("SEQCAST_FUZZ_TABLES", 50))
FIRST = int(os.environ.get("SEQCAST_FUZZ_FIRST", 0))
SECONDS = 10
BYTES = 1 << 30
ATTEMPTS = Path(__file__).with_name("attempts.py")

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc"),
    pytest.mark.skipif(
        os.environ["KERAS_BACKEND"] != "jax", reason="files are the same on every backend"
    ),
]


def start(folder, what="read"):
    """Return a process that tries files, when it is ready."""
    command = [sys.executable, str(ATTEMPTS), str(folder), what]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "ready"
    return process


def end(process):
    process.kill()
    process.communicate()


def try_share(process, cases, folder):
    """Return what came of cases; a process that hangs, or dies, is replaced. It has some seconds more than a file."""
    answers = []
    for kind, number in cases:
        watch = threading.Timer(3 * SECONDS, process.kill)
        watch.start()
        process.stdin.write(f"{kind} {number}\n")
        process.stdin.flush()
        line = process.stdout.readline()
        watch.cancel()
        if line:
            answers.append(json.loads(line))
            continue
        what = {
            "outcome": "bug",
            "text": f"the process ended with {process.wait()}",
            "seconds": 0,
            "peak": 0,
        }
        answers.append({"kind": kind, "number": number, "how": "?", **what})
        end(process)
        process = start(folder)
    end(process)
    return answers


def try_all(folder, cases, count):
    """Return what came of all cases, which some processes share; the first one writes the valid files."""
    processes = [start(folder, "write"), *(start(folder) for _ in range(count - 1))]
    shares = [cases[place::count] for place in range(count)]
    with ThreadPoolExecutor(count) as pool:
        found = pool.map(try_share, processes, shares, [folder] * count)
        return [answer for share in found for answer in share]


def summary(answers):
    """Return in words what came of all files, and which took the most time and memory."""
    counts = collections.Counter(f"{answer['kind']}, {answer['outcome']}" for answer in answers)
    most = {
        name: max(answers, key=lambda answer, name=name: answer[name])
        for name in ("seconds", "peak")
    }
    return "\n".join(f"{name}: {found}" for name, found in [*sorted(counts.items()), *most.items()])


def test_hostile_files_end_in_a_clean_error_or_the_right_result(tmp_path):
    kinds = ("forecaster", "regressor", "checkpoint")
    cases = [(kinds[number % 3], number // 3) for number in range(FIRST, FIRST + MODELS)]
    headers = (
        "forecaster",
        "season",
        "pretrained",
        "ensemble",
        "regressor",
        "checkpoint",
        "interrupted",
    )
    cases += [
        (f"{headers[number % 7]}/header", number // 7) for number in range(FIRST, FIRST + HEADERS)
    ]
    tables = ("parquet", "feather", "workbook", "ods", "xlsb")
    cases += [(tables[number % 5], number // 5) for number in range(FIRST, FIRST + TABLES)]
    answers = try_all(tmp_path, cases, 1 if len(cases) < 1000 else 2)
    print(summary(answers))
    bugs = [answer for answer in answers if answer["outcome"] == "bug"]
    assert not bugs, "\n".join(json.dumps(bug) for bug in bugs[:20])
    for answer in answers:
        assert answer["seconds"] < SECONDS, answer
        assert answer["peak"] < BYTES, answer
    # Most are rejected; of the others some are as they were, which says that files can be read at
    # all.
    outcomes = collections.Counter(answer["outcome"] for answer in answers)
    assert outcomes["rejected"] > len(cases) / 2
    assert outcomes["same"] > len(cases) / 50
