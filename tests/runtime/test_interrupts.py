"""The second Ctrl-C ends the process at once, whatever it does, and leaves nothing half-written."""

import contextlib
import enum
import functools
import gc
import os
import signal
import subprocess
import sys
import time

import pytest

from seqcast.runtime import write_atomically
from seqcast.runtime.interrupts import hear_interrupts, was_interrupted, writing_results

# Under nohup or in a shell's background this process ignores some signals, and so would those that
# it starts.
NOT_IGNORED = """
import signal
for name in ("SIGHUP", "SIGTERM", "SIGUSR1"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
"""

PROGRAM = """
import sys, time
from pathlib import Path
from seqcast.runtime.atomic_files import write_atomically
from seqcast.runtime.interrupts import hear_interrupts, was_interrupted

def busy(file):
    file.write(b"half")
    file.flush()
    while True:  # nothing that is raised gets out
        try:
            print("ready", flush=True)
            while True:
                time.sleep(0.01)
        except KeyboardInterrupt:
            print("first", was_interrupted(), flush=True)

with hear_interrupts():
    write_atomically(Path(sys.argv[1]), busy)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")
def test_the_second_ends_the_process_and_removes_what_is_half_written(tmp_path):
    command = [sys.executable, "-c", NOT_IGNORED + PROGRAM, str(tmp_path / "out")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process, contextlib.ExitStack() as stack:
        stack.callback(process.kill)  # it would go on for ever when a check fails
        assert process.stdout.readline() == "ready\n"
        assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "first True\n"
        assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert time.monotonic() - began < 3
        assert "nothing half-written" in process.stderr.read().lower()
    assert not list(tmp_path.iterdir())


ENDED = """
import sys, time
from seqcast.runtime.atomic_files import temporary_folder, write_atomically
from seqcast.runtime.interrupts import ending_silently, hear_interrupts

def busy(file):
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    while True:
        time.sleep(0.01)

with hear_interrupts(), temporary_folder(sys.argv[1]):
    write_atomically(sys.argv[1] + "/out", busy)
"""


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1"])
def test_a_signal_of_the_system_ends_the_process_without_a_trace(name, tmp_path):
    """The last one stands for Windows's Ctrl-Break, which no other system has."""
    assert ending_of(name, ENDED, tmp_path) == f"\nEnded by {name}. Nothing half-written is left.\n"


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")
def test_a_signal_ends_a_process_silently_where_standard_error_has_a_format(tmp_path):
    code = ENDED.replace("with hear_interrupts()", "with hear_interrupts(), ending_silently()")
    assert ending_of("SIGTERM", code, tmp_path) == ""


def ending_of(name, code, folder):
    """Return what code that writes into a folder prints when a signal ends it."""
    number = getattr(signal, name)
    first = f"import signal\nsignal.SIGBREAK = {int(number)}\n"
    command = [sys.executable, "-c", NOT_IGNORED + first + code, str(folder)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process, contextlib.ExitStack() as stack:
        stack.callback(process.kill)
        assert process.stdout.readline() == "ready\n"
        assert len(list(folder.iterdir())) == 2
        process.send_signal(number)
        assert process.wait(timeout=30) == 128 + number
        printed = process.stderr.read()
    assert not list(folder.iterdir())
    return printed


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")
def test_a_signal_ends_the_process_where_an_event_loop_reads_the_signals():
    """Uvloop takes the descriptor of signals while it runs."""
    pytest.importorskip("uvloop")
    code = """
import uvloop
from seqcast.runtime import hear_interrupts

async def wait():
    import asyncio
    print("ready", flush=True)
    await asyncio.sleep(600)

with hear_interrupts():
    uvloop.run(wait())
"""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", NOT_IGNORED + code]
    with subprocess.Popen(command, **pipes) as process, contextlib.ExitStack() as stack:
        stack.callback(process.kill)
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=30) == 128 + signal.SIGHUP


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")
def test_signals_that_somebody_handles_or_ignores_stay_theirs():
    def handle(*_):
        """Take the signal."""

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGTERM, handle)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        with hear_interrupts():
            assert signal.getsignal(signal.SIGTERM) is handle
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGHUP)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with hear_interrupts():
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
            signal.signal(signal.SIGTERM, handle)  # as a server does
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is handle
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class HasDestructor:
    """Calls a function as it goes."""

    def __init__(self, function):
        self.function = function

    def __del__(self):
        self.function()


def in_callback_of_the_garbage_collector(function):
    def call(phase, _):
        if phase == "start":
            function()

    gc.callbacks.append(call)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(call)


def directly(function):
    function()


# The file of the function in which the signal comes, and what calls it.
LOSING_EXCEPTIONS = {
    "import system": ("<frozen importlib._bootstrap>", directly),
    "enumeration": (enum.__file__, directly),
    "garbage collector": (__file__, in_callback_of_the_garbage_collector),
    "destructor": (__file__, HasDestructor),
}


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")
@pytest.mark.parametrize(("file", "call"), LOSING_EXCEPTIONS.values(), ids=LOSING_EXCEPTIONS)
def test_where_an_exception_would_be_lost_the_first_one_comes_a_moment_later(file, call):
    finished = []
    interrupt = functools.partial(os.kill, os.getpid(), signal.SIGINT)
    names = {"interrupt": interrupt, "finished": finished}
    work = "def work():\n    interrupt()\n    finished.append(sum([*range(1000)]))"
    exec(compile(work, file, "exec"), names)

    def work_and_wait():
        call(names["work"])
        end = time.monotonic() + 30
        while time.monotonic() < end:
            pass

    with hear_interrupts():
        with pytest.raises(KeyboardInterrupt):
            work_and_wait()
        assert was_interrupted()
    assert finished == [499_500]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")
def test_results_are_there_or_ctrl_c_ends_the_work(tmp_path):
    def press():
        os.kill(os.getpid(), signal.SIGINT)

    def write(then):
        with writing_results():
            write_atomically(tmp_path / "file", lambda file: file.write(b"whole"))
            then()

    with hear_interrupts(), pytest.raises(KeyboardInterrupt):
        write(press)
    assert not list(tmp_path.iterdir())
    handler = signal.getsignal(signal.SIGINT)
    try:
        with hear_interrupts():
            write(lambda: None)
            press()
        press()  # the end of the process takes a moment, too
    finally:
        signal.signal(signal.SIGINT, handler)
    assert (tmp_path / "file").read_bytes() == b"whole"


def test_what_was_there_before_is_put_back():
    before = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(before)
    with hear_interrupts():
        assert not was_interrupted()
        assert signal.set_wakeup_fd(-1) != before
    assert signal.set_wakeup_fd(before) == before
