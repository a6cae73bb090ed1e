"""Memory, compiled programs and functions compiled for prediction."""

import ctypes
import os
import sys

import keras
import numpy as np
import pytest

from seqcast import _backend


class Libc:
    """A C library that writes down what it is asked."""

    def __init__(self):
        self.asked = {}

    def mallopt(self, name, value):
        self.asked[name] = value


@pytest.fixture
def libc(monkeypatch):
    libc = Libc()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: libc)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("SEQCAST_KEEP_MEMORY", raising=False)
    return libc


def test_freed_memory_stays_mapped(libc):
    _backend._keep_scratch_memory()
    assert libc.asked == {-3: 1 << 30, -1: (1 << 31) - 1, -2: 64 << 20}  # numbers of malloc.h


def test_the_environment_switches_it_off(libc, monkeypatch):
    monkeypatch.setenv("SEQCAST_KEEP_MEMORY", "0")
    _backend._keep_scratch_memory()
    assert libc.asked == {}


def test_elsewhere_it_does_nothing(libc, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    _backend._keep_scratch_memory()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())  # musl
    _backend._keep_scratch_memory()
    assert libc.asked == {}


SHOW = "import seqcast._backend, jax; print(jax.config.jax_compilation_cache_dir)"


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="programs of JAX")
def test_programs_are_kept_where_the_environment_says(run_python, tmp_path):
    folder = tmp_path / "new" / "folder"
    assert run_python(SHOW, SEQCAST_CACHE_DIR=str(folder)) == str(folder / "programs")
    assert run_python(SHOW, SEQCAST_CACHE_DIR="") == "None"
    (tmp_path / "file").write_text("")
    assert run_python(SHOW, SEQCAST_CACHE_DIR=str(tmp_path / "file")) == "None"


def test_a_compiled_call_sees_later_weights():
    layer = keras.layers.Dense(1, use_bias=False)
    layer.build((None, 2))
    call = _backend.compile_call(layer, lambda inputs, *, factor: {"y": layer(inputs["x"]) * factor})
    x = np.ones((3, 2), "float32")
    for value in (1.0, 2.0):
        layer.kernel.assign(np.full((2, 1), value))
        forecast = _backend.to_numpy(call({"x": x}, factor=3)["y"])
        np.testing.assert_allclose(forecast, np.full((3, 1), 6.0 * value))
    assert isinstance(forecast, np.ndarray)


def test_threads_are_at_least_one(monkeypatch):
    monkeypatch.setenv("SEQCAST_THREADS", "-4")
    assert _backend.threads() == 1
    monkeypatch.delenv("SEQCAST_THREADS")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert 1 <= _backend.threads() <= (os.cpu_count() or 1)
