"""Scratch memory that stays mapped."""

import ctypes
import sys

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
