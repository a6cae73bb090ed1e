"""The bounded process: results and errors come back, and a call that takes too much ends without harm."""

import os
import sys
import time

import pytest

from seqcast.errors import DataError, Option, Phrase, WorkerDiedError
from seqcast.runtime import bounded_process
from seqcast.runtime.bounded_process import BoundedProcess, ProcessLimits

LONG = 600

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def process():
    bounded = BoundedProcess(ProcessLimits(seconds=LONG, memory=256 << 20))
    yield bounded
    bounded.close()


def test_calls_share_another_process(process):
    first = process.run(os.getpid)
    assert first != os.getpid()
    assert process.run(os.getpid) == first
    assert process.run(divmod, 7, 2) == (3, 1)


def test_an_error_comes_back_with_its_fields(process):
    def reject():
        hint = Phrase("Choose ", Option("layout", "wide"), ".")
        raise DataError(column="y", row=3, expected="a number", received="x", hint=hint)

    with pytest.raises(DataError) as caught:
        process.run(reject)
    assert (caught.value.column, caught.value.row) == ("y", 3)
    assert (
        caught.value.hint.worded(lambda option: f"--{option.name} {option.value}")
        == "Choose --layout wide."
    )


def test_a_call_that_takes_too_long_is_killed():
    bounded = BoundedProcess(ProcessLimits(seconds=3, memory=256 << 20))
    first = bounded.run(os.getpid)
    with pytest.raises(TimeoutError):
        bounded.run(time.sleep, LONG)
    assert not _runs(first)
    assert bounded.run(os.getpid) != first
    bounded.close()


def test_an_error_of_a_timeout_is_no_end_of_the_process(process):
    def times_out():
        raise TimeoutError("of its own")

    first = process.run(os.getpid)
    with pytest.raises(TimeoutError, match="of its own"):
        process.run(times_out)
    assert process.run(os.getpid) == first


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone enforces a limit")
def test_a_call_that_takes_too_much_memory_fails(process):
    with pytest.raises(MemoryError):
        process.run(bytearray, 1 << 30)
    assert process.run(bytes, 1000) == bytes(1000)


def test_a_process_that_dies_is_replaced(process):
    with pytest.raises(WorkerDiedError):
        process.run(os._exit, 3)
    assert process.run(abs, -1) == 1


def test_the_start_of_the_process_is_no_part_of_the_time_of_a_call(monkeypatch):
    """An idle process ends; the next call starts another one, which takes longer than this call may."""
    monkeypatch.setattr(bounded_process, "IDLE_SECONDS", 0.1)
    bounded = BoundedProcess(ProcessLimits(seconds=0.5, memory=256 << 20))
    first = bounded.run(os.getpid)
    end = time.monotonic() + 60
    while _runs(first) and time.monotonic() < end:
        time.sleep(0.01)
    assert bounded.run(os.getpid) != first
    bounded.close()


def test_a_closed_process_starts_no_other():
    bounded = BoundedProcess(ProcessLimits(seconds=LONG, memory=256 << 20))
    bounded.close()
    with pytest.raises(WorkerDiedError, match="it was closed"):
        bounded.run(os.getpid)


def test_a_closed_process_has_ended():
    bounded = BoundedProcess(ProcessLimits(seconds=LONG, memory=256 << 20))
    number = bounded.run(os.getpid)
    bounded.close()
    assert not _runs(number)


def _runs(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True
