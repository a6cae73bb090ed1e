"""Ctrl-C and SIGKILL at any moment of a command that writes leave a whole result or none.

Few moments of each are tried here; `make interrupts` tries hundreds.
"""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster
from tests.cli.commands import COMMANDS, LONG, command_line, write_inputs

MOMENTS = int(os.environ.get("SEQCAST_INTERRUPTS", "1"))
# Trainings that last long enough to be interrupted, and work that has other files or processes.
INTERRUPTED = {
    "fit": ("fit", "{folder}/sales.csv", "-H", "3", "-o", "{out}/m.seqcast", *LONG),
    "members": (
        "fit",
        "{folder}/sales.csv",
        "-H",
        "3",
        "-o",
        "{out}/m.seqcast",
        "--members",
        "2",
        *LONG,
    ),
    "backtest": ("backtest", "{folder}/sales.csv", "-H", "3", "-o", "{out}/b.csv", *LONG),
    **{
        name: COMMANDS[name]
        for name in COMMANDS
        if name not in ("fit", "backtest", "demo", "predict folder")
    },
}
# Each takes its turn at one moment; all at `make interrupts`.
USUAL = ("fit", "members", "backtest", "predict", "report", "tune", "partition")
TRIED = INTERRUPTED if "SEQCAST_INTERRUPTS" in os.environ else USUAL
KILLED = INTERRUPTED if "SEQCAST_INTERRUPTS" in os.environ else ("tune", "partition", "report")

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform == "win32", reason="signals are sent"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The inputs of commands."""
    folder = tmp_path_factory.mktemp("fitted")
    write_inputs(folder)
    return folder


@pytest.fixture
def out(tmp_path):
    """A folder for results, next to one for temporary files."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def run(name, folder, out, delays, number=signal.SIGINT):
    """Run a command and send a signal after each of some seconds; return its code, its errors and the seconds since."""
    command = command_line(INTERRUPTED[name], folder, out)
    # Others read the cache of compiled programs: leave no half of an entry in it.
    environment = {**os.environ, "SEQCAST_CACHE_DIR": "", "TMPDIR": str(out.with_name("temporary"))}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        pressed = None
        for delay in delays:
            try:
                process.wait(delay)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(number)
                pressed = time.monotonic()
        errors = process.stderr.read()
        code = process.wait()
    return code, errors, 0.0 if pressed is None else time.monotonic() - pressed


def check_result(name, path):
    """Check that a result is whole."""
    if path.suffix == ".seqcast":
        assert np.isfinite(Forecaster.load(path).predict(1)["seqcast"]).all()
    elif path.is_dir():
        assert len(pd.read_parquet(path)) == 60
    else:
        assert path.stat().st_size > 50


def check_ending(name, code, errors, out, ended=130):
    """Check that a command ended whole or left nothing."""
    assert code in (0, ended), (code, errors)
    assert "Traceback" not in errors
    left = list(out.iterdir())
    assert [path.name for path in out.with_name("temporary").glob("seqcast-*")] == []
    if code == ended:
        assert left == []
        assert "Nothing half-written" in errors or "nothing half-written" in errors
    else:
        assert len(left) == 1
        check_result(name, left[0])


def moment_of(name, moment, most=12.0):
    """Return a moment of a command, in seconds."""
    return float(np.random.default_rng([moment, *name.encode()]).uniform(0.3, most))


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("name", TRIED)
def test_the_first_ends_the_work_whole_or_without_a_trace(name, moment, folder, out):
    code, errors, _ = run(name, folder, out, [moment_of(name, moment)])
    check_ending(name, code, errors, out)


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_the_second_ends_the_process_within_three_seconds(moment, folder, out):
    rng = np.random.default_rng([moment, 1])
    name = str(rng.choice(["fit", "members", "backtest", "report", "tune", "partition"]))
    code, errors, seconds = run(
        name, folder, out, [float(rng.uniform(1, 10)), float(rng.exponential(0.3))]
    )
    check_ending(name, code, errors, out)
    assert code == 0 or seconds < 3


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("name", KILLED)
def test_a_killed_command_leaves_a_whole_result_or_none_and_the_next_one_tidies_up(
    name, moment, folder, out
):
    run(name, folder, out, [moment_of(name, moment)], signal.SIGKILL)
    for path in out.iterdir():
        if path.suffix != ".part":
            check_result(name, path)
    time.sleep(1.1)  # younger remains may be those of a process that has just begun
    options = ("--force",) if name == "partition" else ()
    done = subprocess.run(
        [*command_line(INTERRUPTED[name], folder, out), *options], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (left,) = out.iterdir()
    check_result(name, left)


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("name", TRIED if "SEQCAST_INTERRUPTS" in os.environ else ("members",))
def test_sigterm_ends_the_work_whole_or_without_a_trace(name, moment, folder, out):
    # Python needs a moment to hear signals.
    delay = 1.5 + moment_of(name, moment)
    code, errors, _ = run(name, folder, out, [delay], signal.SIGTERM)
    # It may come between the rename and the end, or when Python has given the signals back to the
    # system.
    if code in (128 + signal.SIGTERM, -signal.SIGTERM) and any(out.iterdir()):
        (left,) = out.iterdir()
        check_result(name, left)
        return
    check_ending(name, code, errors, out, 128 + signal.SIGTERM)
