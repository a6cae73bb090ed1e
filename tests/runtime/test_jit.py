"""Compiled calls of a model, and scratch memory that stays mapped."""

import ctypes
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcast.runtime.backend import to_numpy
from seqcast.runtime.jit import compile_call
from seqcast.runtime.programs import (
    MOST_PROGRAMS,
    CompilationNeededError,
    Program,
    Programs,
    compiling_nothing,
)
from seqcast.runtime.scratch_memory import free_gaps, keep_scratch_memory
from seqcast.runtime.threads import in_threads
from tests.conftest import memory_in_use

if keras.backend.backend() == "jax":
    import jax


@given(keys=st.lists(st.integers(0, 6), max_size=40), most=st.integers(1, 4))
def test_programs_that_were_used_last_are_kept_and_others_let_go(keys, most):
    made = []
    alive = weakref.WeakSet()

    def make(key):
        def function(value):
            return key, value

        made.append(key)
        alive.add(function)
        return function

    programs = Programs(make, most)
    for place, key in enumerate(keys):
        before = len(made)
        assert programs.find(key)("x") == (key, "x")
        others_since = (
            set(keys[:place][::-1][: keys[:place][::-1].index(key)])
            if key in keys[:place]
            else None
        )
        assert (len(made) == before) == (others_since is not None and len(others_since) < most)
        assert len(programs) == len(alive) == min(most, len(set(keys[: place + 1])))


def test_a_program_is_compiled_by_one_thread_while_others_wait():
    uncompiled = []

    def function(thread):
        uncompiled.append(not program.called)
        return thread

    lock = threading.RLock()
    program = Program(function, lock)
    with ThreadPoolExecutor(4) as pool:
        with lock:
            futures = [pool.submit(program, thread) for thread in range(4)]
            assert not any(future.done() for future in futures)
            assert uncompiled == []
        assert [future.result(timeout=30) for future in futures] == [0, 1, 2, 3]
    assert sorted(uncompiled) == [False, False, False, True]


def test_nothing_is_compiled_where_others_would_wait():
    programs = Programs(lambda factor: lambda value: factor * value, most=2)
    assert [programs.find(factor)(5) for factor in (2, 3)] == [10, 15]
    begun = programs.find(4)  # in place of the first
    with compiling_nothing():
        assert in_threads(lambda value: programs.find(3)(value), [1, 2, 3], 2) == [3, 6, 9]
        for factor in (2, 4, 5):
            with pytest.raises(CompilationNeededError):
                in_threads(lambda _, factor=factor: programs.find(factor), [1, 2], 2)
    assert len(programs) == 2
    assert programs.find(4) is begun
    assert programs.find(5)(1) == 5


def test_calls_of_a_model_see_later_weights_and_share_few_programs():
    layer = keras.layers.Dense(1, use_bias=False)
    layer.build((None, 1))
    call = compile_call(layer, lambda inputs, *, factor: {"y": layer(inputs["x"]) * factor})
    counts = []
    for rows in range(1, MOST_PROGRAMS + 20):
        for kernel in (1.0, 2.0):
            layer.kernel.assign(np.full((1, 1), kernel))
            forecast = to_numpy(call({"x": np.ones((rows, 1), "float32")}, factor=rows)["y"])
            assert isinstance(forecast, np.ndarray)
            np.testing.assert_allclose(forecast, np.full((rows, 1), rows * kernel), rtol=1e-5)
        if keras.backend.backend() == "jax":
            counts.append(len(jax.devices()[0].client.live_executables()))
    assert not counts or max(counts) <= counts[0] + MOST_PROGRAMS


SETTINGS = [
    (None, "linux", True),
    ("0", "linux", True),
    (None, "darwin", True),
    (None, "linux", False),
]


@pytest.mark.parametrize(("setting", "system", "has_mallopt"), SETTINGS)
def test_freed_memory_stays_mapped_under_glibc_unless_it_is_switched_off(
    monkeypatch, setting, system, has_mallopt
):
    asked = {}
    libc = SimpleNamespace(mallopt=asked.__setitem__) if has_mallopt else object()  # musl has none
    monkeypatch.setattr(ctypes, "CDLL", lambda _: libc)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.delenv("SEQCAST_KEEP_MEMORY", raising=False)
    if setting is not None:
        monkeypatch.setenv("SEQCAST_KEEP_MEMORY", setting)
    keep_scratch_memory()
    is_kept = setting is None and system == "linux" and has_mallopt
    assert asked == (
        {-3: 1 << 30, -1: (1 << 31) - 1, -2: 64 << 20} if is_kept else {}
    )  # numbers of malloc.h


def test_memory_between_what_stays_goes_back_to_the_system():
    if not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("the C library has no malloc_trim")
    keep_scratch_memory()
    blocks = [
        b"%d" % number * 20_000 for number in range(100, 999)
    ]  # each too small to be mapped by itself
    blocks = blocks[::20]
    before = memory_in_use()
    free_gaps()
    assert before - memory_in_use() > 40e6
    assert blocks[1] == b"120" * 20_000


def test_without_glibc_no_memory_is_given_back(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    free_gaps()
