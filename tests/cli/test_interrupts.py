"""Ctrl-C at any moment of a command ends it as documented.

Six moments of each way of ending are tried here; `make interrupts` tries two hundred.
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

MOMENTS = int(os.environ.get("SEQCAST_INTERRUPTS", "1"))
# A shell's background processes ignore Ctrl-C, and so would those that they start.
LISTENING = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)"
START = f"{LISTENING}\nfrom seqcast.cli.start import main\nmain()"
FIT = ("--units", "4", "--context-length", "6", "--epochs", "40", "--seed", "0", "--calendar", "none", "--quiet")
COMMANDS = {
    "fit": ("fit", "{folder}/sales.csv", "-H", "3", "-o", "{out}/m.seqcast", *FIT),
    "members": ("fit", "{folder}/sales.csv", "-H", "3", "-o", "{out}/m.seqcast", "--members", "2", *FIT),
    "backtest": ("backtest", "{folder}/sales.csv", "-H", "3", "-o", "{out}/b.csv", *FIT),
    "predict": ("predict", "{folder}/sales.seqcast", "-o", "{out}/f.csv"),
    "report": ("report", "{folder}/sales.seqcast", "{folder}/sales.csv", "-o", "{out}/r.html", "--n-windows", "1"),
}

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A file, and a model of it that was hardly trained."""
    folder = tmp_path_factory.mktemp("fitted")
    df = pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=60, freq="MS"), "y": 10 + np.sin(np.arange(60))})
    df.to_csv(folder / "sales.csv", index=False)
    options = {"context_length": 6, "calendar": "none", "preset": "classic", "random_state": 0, "verbose": 0}
    Forecaster(3, training={"epochs": 1}, **options).fit(df.assign(unique_id="sales")).save(folder / "sales.seqcast")
    return folder


def run(name, folder, out, delays):
    """Run a command and press Ctrl-C after each of some seconds; return its code, its errors and the seconds since."""
    command = [part.format(folder=folder, out=out) for part in COMMANDS[name]]
    # Others read the cache of compiled programs: leave no half of an entry in it.
    environment = {**os.environ, "SEQCAST_CACHE_DIR": ""}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", START, *command], env=environment, **pipes) as process:
        pressed = None
        for delay in delays:
            try:
                process.wait(delay)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
                pressed = time.monotonic()
        errors = process.stderr.read()
        code = process.wait()
    return code, errors, 0.0 if pressed is None else time.monotonic() - pressed


def check_ending(name, code, errors, out):
    """Check that a command ended whole or left nothing."""
    assert code in (0, 130), (code, errors)
    assert "Traceback" not in errors
    left = [path.name for path in out.iterdir()]
    if code == 130:
        assert left == []
        assert "nterrupted" in errors
    else:
        assert len(left) == 1
        if name in ("fit", "members"):
            assert np.isfinite(Forecaster.load(out / left[0]).predict(1)["seqcast"]).all()
        else:
            assert (out / left[0]).stat().st_size > 50


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("name", COMMANDS)
def test_the_first_ends_the_work_whole_or_without_a_trace(name, moment, folder, tmp_path):
    delay = float(np.random.default_rng([moment, *name.encode()]).uniform(0.3, 12))
    code, errors, _ = run(name, folder, tmp_path, [delay])
    check_ending(name, code, errors, tmp_path)


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_the_second_ends_the_process_within_three_seconds(moment, folder, tmp_path):
    rng = np.random.default_rng([moment, 1])
    name = str(rng.choice(["fit", "members", "backtest", "report"]))
    code, errors, seconds = run(name, folder, tmp_path, [float(rng.uniform(1, 10)), float(rng.exponential(0.3))])
    check_ending(name, code, errors, tmp_path)
    assert code == 0 or seconds < 3
