"""Scratch memory that stays mapped, and compiled programs that are kept."""

import ctypes
import os
import sys
import time

import keras
import pytest

from seqcast.runtime.memory import keep_scratch_memory


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
    keep_scratch_memory()
    assert libc.asked == {-3: 1 << 30, -1: (1 << 31) - 1, -2: 64 << 20}  # numbers of malloc.h


def test_the_environment_switches_it_off(libc, monkeypatch):
    monkeypatch.setenv("SEQCAST_KEEP_MEMORY", "0")
    keep_scratch_memory()
    assert libc.asked == {}


def test_elsewhere_it_does_nothing(libc, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    keep_scratch_memory()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())  # musl
    keep_scratch_memory()
    assert libc.asked == {}


SHOW = """
import os
import jax
from seqcast.runtime.jit import jax_jit
from seqcast.runtime.memory import cache_compilations
for folder in {folders}:
    os.environ["SEQCAST_CACHE_DIR"] = folder
    cache_compilations.cache_clear()
    jax_jit(abs)
    print(jax.config.jax_compilation_cache_dir)
"""


COMPILE = """
import jax
from seqcast.runtime.jit import jax_jit
jax_jit(abs)
print(jax.config.jax_compilation_cache_max_size)
jax.config.update("jax_compilation_cache_max_size", 60_000)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
for size in range(1, 20):
    jax_jit(lambda x: x + size)(jax.numpy.ones(size))
"""


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="programs of JAX")
def test_the_folder_of_programs_has_a_bound(run_python, tmp_path):
    assert run_python(COMPILE, SEQCAST_CACHE_DIR=str(tmp_path)) == str(512 << 20)
    sizes = [path.stat().st_size for path in (tmp_path / "programs").iterdir()]
    assert 30_000 < sum(sizes) <= 60_000 + 100 * len(sizes)  # times of last use are not counted


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="programs of JAX")
def test_programs_are_kept_where_the_environment_says(run_python, tmp_path):
    file, folder = tmp_path / "file", tmp_path / "new" / "folder"
    file.write_text("")
    programs = folder / "programs"
    programs.mkdir(parents=True)
    for name in ("half-cache", "young-cache", "whole-cache", "whole-atime"):
        (programs / name).write_text("")
    for name in ("half-cache", "whole-cache"):
        os.utime(programs / name, (0, 0))
    # However long the other process takes to start.
    os.utime(programs / "young-cache", (time.time() + 600,) * 2)
    shown = run_python(SHOW.format(folders=["", str(file), str(folder)])).splitlines()
    assert shown == ["None", "None", str(programs)]
    # What a process that was ended left behind is gone: JAX would warn of it at every new program.
    assert {path.name for path in programs.iterdir()} >= {"young-cache", "whole-cache", "whole-atime"}
    assert not (programs / "half-cache").exists()


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="programs of JAX")
def test_folders_of_programs_are_their_owners(run_python, tmp_path):
    """Programs are machine code: who can write there can have code run."""
    shown = run_python(SHOW.format(folders=[str(tmp_path / "new")]))
    assert shown == str(tmp_path / "new" / "programs")
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    shown = run_python(SHOW.format(folders=[str(tmp_path / "open")]), PYTHONWARNINGS="ignore")
    assert shown == "None"
    assert not list((tmp_path / "open").iterdir())
