"""Environment of all tests, set before seqcast, Keras or matplotlib is imported, and what several tests share."""

import concurrent.futures
import contextlib
import functools
import gc
import http.server
import importlib.metadata
import os
import shutil
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

os.environ.setdefault("SEQCAST_CACHE_DIR", str(Path(__file__).resolve().parents[1] / ".cache"))
os.environ.setdefault("KERAS_BACKEND", "jax")
# A program of a test runs a few times: compiling it well, or dividing it among threads to be
# compiled, takes longer (the last of these flags alone halves the time of a cold run), and so do
# the lines of source that are noted for each operation and the partitioning for several devices. An
# own XLA_FLAGS, even an empty one, leaves programs as they are shipped (`make test-optimised`).
if os.environ["KERAS_BACKEND"] == "jax" and "XLA_FLAGS" not in os.environ:
    quickly = ["backend_optimization_level=0", "llvm_disable_expensive_passes=true"]
    # XLA ends the process at a flag that it does not know, and jaxlib 0.12 no longer knows the last
    # one.
    if [int(part) for part in importlib.metadata.version("jaxlib").split(".")[:2]] < [0, 11]:
        quickly += ["cpu_parallel_codegen_split_count=1", "cpu_use_fusion_emitters=false"]
    os.environ["XLA_FLAGS"] = " ".join(f"--xla_{flag}" for flag in quickly)
    os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")
    os.environ.setdefault("JAX_USE_SHARDY_PARTITIONER", "false")
    # To shorten tracebacks, JAX wraps each call, whether it fails or not.
    os.environ.setdefault("JAX_TRACEBACK_FILTERING", "off")
os.environ["MPLBACKEND"] = "Agg"
# Two processes of tests share two cores: threads of both would wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import pytest

# How long an example takes says how busy the machine is, nothing of the code.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


ROOT = Path(__file__).resolve().parents[1]
# What is built on the networks and the two estimators, or draws and writes them.
TOOLS = {
    "app",
    "cli",
    "distributed",
    "export",
    "inspect",
    "interop",
    "plots",
    "report",
    "serve",
    "studies",
    "tune",
}


def is_of_tools(path):
    """Tell tests and sources of tools by their folder."""
    return bool(TOOLS & {*path.relative_to(ROOT).parts[1:3]})


def pytest_ignore_collect(collection_path, config):
    """Leave tools out where none is asked for: what they import takes as long as all the rest."""
    return True if "not tools" in config.option.markexpr and is_of_tools(collection_path) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark tests of tools by their folder, doctests included, and tests that start an interpreter by `run_python`."""
    for item in items:
        if is_of_tools(item.path):
            item.add_marker("tools")
        if "run_python" in getattr(item, "fixturenames", ()):
            item.add_marker("processes")


@pytest.fixture(scope="session")
def run_python():
    """Run code in a new interpreter, with warnings as errors; return what it printed, or fail with its traceback.

    `changes` are environment variables; `None` removes one.
    """

    def run(code, **changes):
        environment = {**os.environ, "PYTHONWARNINGS": "error", **changes}
        environment = {name: value for name, value in environment.items() if value is not None}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture(scope="module")
def chromium():
    """A browser: Debian's Chromium, driven by Playwright, which a process may start once at a time."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("there is no Chromium: make test-app and make test-site install Debian's")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Print nothing."""


class _QuietServer(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """Print nothing: a browser that leaves a page hangs up."""


@pytest.fixture(scope="module")
def serve_folder():
    """Return a function that serves a folder on this machine, and returns its address, which ends with a slash."""
    with contextlib.ExitStack() as running:

        def serve(folder):
            handler = functools.partial(_QuietHandler, directory=str(folder))
            server = running.enter_context(_QuietServer(("127.0.0.1", 0), handler))
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            running.callback(thread.join)
            running.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}/"

        yield serve


@pytest.fixture
def double_precision():
    """Compute in double precision; after the test JAX and Keras are as they were."""
    import jax
    import keras

    before = keras.config.floatx(), keras.config.dtype_policy()
    jax.config.update("jax_enable_x64", True)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    jax.config.update("jax_enable_x64", False)
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


def runs_on_jax():
    """Tell whether JAX computes, and has been imported."""
    return "jax" in sys.modules and os.environ["KERAS_BACKEND"] == "jax"


@pytest.fixture(scope="session", autouse=True)
def _keep_small_programs():
    """Keep each program of this process that takes longer to compile than to read back, in a folder of their own.

    A user's cache keeps what takes a fifth of a second; compiled quickly, most programs of tests
    take less. It also looks at every file before it writes one, to see whether it has to remove
    some: with thousands of them that would take longer than compiling. So nothing is removed here
    (`make clean` does it).
    """
    if runs_on_jax():
        import jax

        from seqcast.runtime.program_cache import cache_compilations

        programs = cache_compilations()
        if programs is not None:
            jax.config.update("jax_compilation_cache_dir", str(programs.with_name("tests")))
            jax.config.update("jax_compilation_cache_max_size", -1)
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.02)


@pytest.fixture(scope="session", autouse=True)
def _no_workers_unless_asked_for():
    """Let jobs run in this process unless a test gives an executor: two workers take as long as ten small trainings."""
    with pytest.MonkeyPatch.context() as patch:
        if "seqcast.runtime.executors" in sys.modules:
            patch.setattr("seqcast.runtime.executors.threads", lambda: 1)
        yield


@pytest.hookimpl(trylast=True)
def pytest_collection_finish():
    """Leave what was imported and collected out of garbage collections, and make those rarer: tracing makes much."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="module", autouse=True)
def _forget_programs():
    """Drop compiled programs after a module when they fill the memory; until then, modules share them."""
    yield
    if runs_on_jax() and memory_in_use() > 2 << 30:
        import jax

        jax.clear_caches()


def memory_in_use():
    """Return how many bytes this process holds; infinity where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return float("inf")


@pytest.fixture(scope="session")
def rewrite_archive():
    """Return a function that changes a model's file, as somebody might who computes its digest anew.

    `change_index` changes the content in place; `arrays` are functions of single arrays by name;
    `first` gives another value to the first number of an array.
    """
    import json

    import numpy as np
    from safetensors import safe_open
    from safetensors.numpy import save_file

    from seqcast.runtime import model_files

    def rewrite(path, *, change_index=lambda content: None, arrays=(), first=()):
        with safe_open(path, framework="np") as file:
            content = json.loads(file.metadata()["seqcast"])["content"]
            stored = file.get_tensors()
        for name, change in dict(arrays).items():
            before = stored[name]
            stored[name] = np.ascontiguousarray(change(before))
            if stored[name].dtype != before.dtype:
                content["arrays"][name] = stored[name].dtype.str
        for name, value in dict(first).items():
            stored[name].flat[0] = value
        change_index(content)
        entry = {"sha256": model_files._digest_of(content, stored), "content": content}
        save_file(stored, path, {"seqcast": json.dumps(entry)})

    return rewrite


@pytest.fixture(scope="session")
def memory_at_most():
    """Return a context manager that fails if Python and NumPy ever hold more than so many bytes anew."""

    @contextlib.contextmanager
    def at_most(limit):
        tracemalloc.start()
        try:
            yield
            peak = tracemalloc.get_traced_memory()[1]
            assert peak < limit, f"{peak:,} bytes"
        finally:
            tracemalloc.stop()

    return at_most


@pytest.fixture(scope="session")
def make_backtest():
    """Return a maker of a daily history and a backtest on it, of `good` (with intervals) and `seasonal_naive`.

    Errors of `good` are normal of deviation 1, those of `seasonal_naive` of deviation 2; every
    fifth truth may be missing.
    """
    import numpy as np
    import pandas as pd
    import polars as pl

    def make(
        *,
        series=2,
        cutoffs=3,
        horizon=4,
        level=(80, 95),
        gaps=False,
        kind="pandas",
        seed=0,
        length=60,
    ):
        random = np.random.default_rng(seed)
        days = pd.date_range("2024-01-01", periods=length)
        history = []
        windows = []
        for place in range(series):
            y = (
                10 * (place + 1)
                + np.sin(np.arange(length) * 2 * np.pi / 7)
                + 0.1 * random.normal(size=length)
            )
            history.append(pd.DataFrame({"unique_id": f"s{place:02d}", "ds": days, "y": y}))
            for stop in range(length - cutoffs * horizon, length, horizon):
                rows = history[-1].iloc[stop : stop + horizon].copy()
                rows.insert(2, "cutoff", days[stop - 1])
                rows["good"] = rows["y"] + random.normal(size=horizon)
                for each in level:
                    half = {50: 0.674, 80: 1.282, 95: 1.96}[each]
                    rows[f"good-lo-{each}"], rows[f"good-hi-{each}"] = (
                        rows["good"] - half,
                        rows["good"] + half,
                    )
                windows.append(
                    rows.assign(seasonal_naive=rows["y"] + 2 * random.normal(size=horizon))
                )
        backtest = pd.concat(windows, ignore_index=True)
        if gaps:
            backtest.loc[::5, "y"] = np.nan
        frames = pd.concat(history, ignore_index=True), backtest
        return tuple(map(pl.from_pandas, frames)) if kind == "polars" else frames

    return make


@pytest.fixture(scope="session")
def read_beside():
    """Return a function that reads in eight threads for as long as something is written in this one.

    It takes the writer and readers by name, and returns each reader's answers. An error of a reader
    is raised.
    """

    def run(write, readers, *, threads=8):
        answers = {name: [] for name in readers}
        names = list(readers)
        written = threading.Event()

        def read(name):
            while not written.is_set():
                answers[name].append(readers[name]())
                time.sleep(0.002)  # readers that never pause leave the writer no time

        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            reading = [pool.submit(read, names[place % len(names)]) for place in range(threads)]
            try:
                write()
            finally:
                written.set()
        for each in reading:
            each.result()
        return answers

    return run
