"""Environment of all tests, set before seqcast, Keras or matplotlib is imported, and what several tests share."""

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("SEQCAST_CACHE_DIR", str(Path(__file__).resolve().parents[1] / ".cache"))
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ["MPLBACKEND"] = "Agg"

import pytest


@pytest.fixture(scope="session")
def run_python():
    """Run code in a new interpreter, with warnings as errors; return what it printed, or fail with its traceback.

    `changes` are environment variables; `None` removes one.
    """

    def run(code, **changes):
        environment = {**os.environ, "PYTHONWARNINGS": "error", **changes}
        environment = {name: value for name, value in environment.items() if value is not None}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture(scope="module", autouse=True)
def _forget_programs():
    """Drop compiled programs after each module: thousands of small networks would fill the memory of a laptop."""
    yield
    if "jax" in sys.modules and os.environ["KERAS_BACKEND"] == "jax":
        import jax

        jax.clear_caches()
