"""Ctrl-C for a program of ours: the first asks, the second ends the process.

Python handles a signal between two of its instructions only. A compilation is one instruction that
takes seconds, and an import swallows exceptions now and then. So the second Ctrl-C does not wait
for the main thread: the system writes each signal to a descriptor at once, and a thread that reads
it ends the process.

The signals with which a system, a service manager or a closed terminal ends a process are such a
second Ctrl-C: the process and its workers end at once, without half-written files. Python's default
would leave those behind.

The first one raises `KeyboardInterrupt` in the main thread. Where Python would print the exception
and go on, as in a callback of the garbage collector, or where C code would end the process at it,
the signal is sent once more a moment later.
"""

import _thread
import contextlib
import enum
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from types import FrameType

from seqcast.runtime.atomic_files import remove_unfinished, written_together

EXIT_CODE = 130
# The signals that end a process: SIGTERM; SIGHUP, where a terminal is closed; Windows has SIGBREAK
# for its Ctrl-Break.
_ENDINGS = ("SIGTERM", "SIGHUP", "SIGBREAK")
# A shell reports a process that ended by a signal with this number added to the signal's.
_BY_SIGNAL = 128
# Files of Python whose functions C code calls: the import system, which drops exceptions there, and
# enumerations, whose members extension modules make and abort at an exception.
_CALLED_FROM_C = (ModuleSpec.__init__.__code__.co_filename, enum.__file__)
# Seconds after which a signal is sent once more.
_RETRY_SECONDS = 0.02


@dataclass
class _Heard:
    """The signals that a program has received, and how far its work is.

    Args:
        interrupts: Number of Ctrl-C that the thread has read.
        retries: Number of those that this process has sent once more.
        is_seen: Whether the main thread has seen one, which may be before the thread reads it.
        has_results: Whether the results have their names.
        prints_ending: Whether the end of the process is printed to standard error.
        ending: Held to give the results their names or to end the process, never both.
    """

    interrupts: int = 0
    retries: int = 0
    is_seen: bool = False
    has_results: bool = False
    prints_ending: bool = True
    ending: threading.Lock = field(default_factory=threading.Lock)


_heard = _Heard()


def was_interrupted() -> bool:
    """Return whether Ctrl-C was pressed in `hear_interrupts`, even if its exception was lost."""
    return _heard.is_seen or _heard.interrupts > 0


def raises_interrupts() -> bool:
    """Return whether Ctrl-C raises `KeyboardInterrupt`, so nothing else handles it."""
    return signal.getsignal(signal.SIGINT) in (signal.default_int_handler, _raise)


def _raise(_: int, frame: FrameType | None) -> None:
    """Raise `KeyboardInterrupt`, or send the signal once more where the exception would be lost."""
    _heard.is_seen = True
    if not _loses_exceptions(frame):
        raise KeyboardInterrupt
    threading.Timer(_RETRY_SECONDS, _send_again).start()


def _loses_exceptions(frame: FrameType | None) -> bool:
    """Return whether an exception in a frame is printed and dropped, or ends the process."""
    if frame is not None and frame.f_code.co_filename in _CALLED_FROM_C:
        return True

    callbacks = [getattr(callback, "__code__", None) for callback in gc.callbacks]
    while frame is not None:
        if frame.f_code.co_name == "__del__" or frame.f_code in callbacks:
            return True
        frame = frame.f_back
    return False


def _send_again() -> None:
    _heard.retries += 1
    interrupt_main_thread()


def interrupt_main_thread() -> None:
    """Send Ctrl-C to the main thread: only this wakes it while it waits for processes."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:  # Windows, where os.kill would end the process
        _thread.interrupt_main()


def _end_at(number: int, _: FrameType | None = None) -> None:
    """End the process at a signal, once results that are being renamed have their names.

    Python calls this in the main thread where the other thread reads no signals, because an event
    loop such as uvloop's has taken their descriptor.
    """
    if _heard.ending.acquire(blocking=False):
        _end_by_signal(number)
    else:  # perhaps the main thread itself has the lock
        _thread.start_new_thread(_wait_and_end, (number,))


def _wait_and_end(number: int) -> None:
    with _heard.ending:
        _end_by_signal(number)


def _end_by_signal(number: int) -> None:
    _end(_BY_SIGNAL + number, f"Ended by {signal.Signals(number).name}")


@contextlib.contextmanager
def ending_silently() -> Iterator[None]:
    """Let a signal in the block end the process without a line: standard error has a format."""
    before = _heard.prints_ending
    _heard.prints_ending = False
    try:
        yield
    finally:
        _heard.prints_ending = before


def _hear_endings() -> list[int]:
    """Handle the ending signals that nobody handles or ignores, and return their numbers."""
    numbers = [int(getattr(signal, name)) for name in _ENDINGS if hasattr(signal, name)]
    numbers = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, _end_at)
    return numbers


def _forget_endings(numbers: list[int]) -> None:
    """Give ending signals back to the system, except those that another handler has taken since."""
    for number in numbers:
        if signal.getsignal(number) is _end_at:
            signal.signal(number, signal.SIG_DFL)


def writing_results() -> contextlib.AbstractContextManager[None]:
    """Return a context that renames the files of its block at its end; then Ctrl-C is ignored.

    It is for the last work of a program that hears Ctrl-C by `hear_interrupts`. Ctrl-C in the block
    leaves no file, an error leaves those that are whole.
    """
    return written_together(_uninterrupted)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    if signal.getsignal(signal.SIGINT) is _raise:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    with _heard.ending:
        _heard.has_results = True
        yield


@contextlib.contextmanager
def hear_interrupts() -> Iterator[None]:
    """End the process at the second Ctrl-C, with exit code 130 and no half-written file.

    The running work handles the first one: a training ends at its next step, other work at once.
    Once the results have their names, Ctrl-C is ignored. SIGTERM and SIGHUP end the process like
    the second Ctrl-C, also then, with 128 and their number as the exit code. It is for the main
    thread of seqcast's own programs.
    """
    global _heard
    outer = _heard
    _heard = _Heard()
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    handler = signal.signal(signal.SIGINT, _raise)
    endings = _hear_endings()
    thread = threading.Thread(
        target=_listen, args=(reader,), name="seqcast-interrupts", daemon=True
    )
    thread.start()

    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is _raise:
            signal.signal(signal.SIGINT, handler)
        _forget_endings(endings)
        signal.set_wakeup_fd(descriptor)
        writer.close()  # which ends the thread
        thread.join()
        reader.close()
        _heard = outer


def _listen(reader: socket.socket) -> None:
    """Read signals until the descriptor is closed, and end the process where they demand it."""
    while received := reader.recv(64):
        for number in received:
            if signal.getsignal(number) is _end_at:
                _wait_and_end(number)

        _heard.interrupts += received.count(signal.SIGINT)
        if _heard.interrupts > 1 + _heard.retries:
            with _heard.ending:
                if not _heard.has_results:
                    _end(EXIT_CODE, "Interrupted twice: ended at once")


def _end(code: int, reason: str) -> None:
    """End the process and its workers at once, without anything half-written.

    Args:
        code: The exit code.
        reason: What ended the process, in words.
    """
    executors = sys.modules.get("seqcast.runtime.executors")
    if executors is not None:
        executors.kill_workers()
    remove_unfinished()
    if _heard.prints_ending:
        with contextlib.suppress(OSError, ValueError):
            os.write(2, f"\n{reason}. Nothing half-written is left.\n".encode())
    os._exit(code)
