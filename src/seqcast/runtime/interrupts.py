"""Ctrl-C for a program of ours: the first asks, the second ends the process.

Python handles a signal between two of its instructions only. A compilation is one instruction that
takes seconds, and an import swallows exceptions now and then. So the second Ctrl-C does not wait
for the main thread: the system writes each signal to a descriptor at once, and a thread that reads
it ends the process.

The signals with which a system, a service manager or a closed terminal ends a process are such a
second Ctrl-C: the process and its workers end at once, without half-written files. Python's default
would leave those behind.

The first one raises `KeyboardInterrupt` in the main thread. In a callback of the garbage collector
(JAX has one) or of the import system Python would print it and go on. Where JAX makes a member of
an enumeration, it would end the process. In these places it is sent once more.
"""

import _thread
import contextlib
import enum
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from seqcast.runtime.atomic_files import remove_unfinished, written_together

EXIT_CODE = 130
# The signals that end a process: SIGTERM; SIGHUP, where a terminal is closed; Windows has SIGBREAK
# for its Ctrl-Break.
_ENDINGS = ("SIGTERM", "SIGHUP", "SIGBREAK")
# A shell reports a process that ended by a signal with this number added to the signal's.
_BY_SIGNAL = 128

# Functions whose exceptions Python prints and drops.
_DROPS_EXCEPTIONS = ("_xla_gc_callback", "__del__")
# Files whose functions are called from C, which drops their exceptions (a lock of the import
# system) or aborts.
_CALLED_FROM_C = ("<frozen importlib._bootstrap>", enum.__file__)
_AGAIN_SECONDS = 0.02

# Number of signals that the thread has read; number of those that were sent once more; and whether
# the main thread has seen one, which may be before the thread reads it.
_heard = 0
_sent_again = 0
_seen = False
# Whether the results have their names. Whoever has the lock gives them these or ends the process,
# never both.
_has_results = False
_ending = threading.Lock()
# Whether the end of the process is said on standard error.
_says_endings = True


def was_interrupted() -> bool:
    """Return whether Ctrl-C was pressed since `hear_interrupts` began, also where its exception was swallowed."""
    return _seen or _heard > 0


def raises_interrupts() -> bool:
    """Return whether Ctrl-C raises `KeyboardInterrupt`, so that a handler may be put in its place for a while."""
    return signal.getsignal(signal.SIGINT) in (signal.default_int_handler, _raise)


def _raise(_: int, frame: FrameType | None) -> None:
    """Raise `KeyboardInterrupt` where it is not dropped."""
    global _seen
    _seen = True
    inner = frame
    dropped = inner is not None and inner.f_code.co_filename in _CALLED_FROM_C
    while inner is not None and not dropped:
        dropped = inner.f_code.co_name in _DROPS_EXCEPTIONS
        inner = inner.f_back
    if not dropped:
        raise KeyboardInterrupt
    threading.Timer(_AGAIN_SECONDS, _send_again).start()


def _send_again() -> None:
    global _sent_again
    _sent_again += 1
    interrupt_main_thread()


def interrupt_main_thread() -> None:
    """Send Ctrl-C to the main thread; while that waits for other processes, only a signal to the thread wakes it."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:  # Windows, where os.kill would end the process
        _thread.interrupt_main()


def _end_at(number: int, _: FrameType | None = None) -> None:
    """End the process at a signal, once results that are being renamed have their names.

    The thread that reads signals calls this too. Where an event loop has taken its descriptor, as
    uvloop does, it reads none, and Python calls this handler in the main thread.
    """
    if _ending.acquire(blocking=False):
        _end(_BY_SIGNAL + number, f"Ended by {signal.Signals(number).name}")
    else:  # perhaps the main thread itself has the lock
        threading.Thread(target=_end_later, args=(number,), daemon=True).start()


def _end_later(number: int) -> None:
    with _ending:
        _end(_BY_SIGNAL + number, f"Ended by {signal.Signals(number).name}")


@contextlib.contextmanager
def ending_silently() -> Iterator[None]:
    """Let a signal in the block end the process without a line, because all lines of standard error have a format."""
    global _says_endings
    before = _says_endings
    _says_endings = False
    try:
        yield
    finally:
        _says_endings = before


def _hear_endings() -> list[int]:
    """Let the thread end the process at each ending signal that nobody handles or ignores; return their numbers."""
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
    """Return a context that renames the files of its block at its end; from then on the process ignores Ctrl-C.

    It is for the last work of a program that hears Ctrl-C by `hear_interrupts`. Ctrl-C in the block
    leaves no file, an error leaves those that are whole.
    """
    return written_together(_uninterrupted)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    global _has_results
    if signal.getsignal(signal.SIGINT) is _raise:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    with _ending:
        _has_results = True
        yield


@contextlib.contextmanager
def hear_interrupts() -> Iterator[None]:
    """End the process at the second Ctrl-C, with exit code 130 and no half-written file, unless results are there.

    The running work handles the first one: a training ends at its next step, other work at once.
    SIGTERM and SIGHUP end the process like the second one, with 128 and their number as the exit
    code, also once the results are there. It is for the main thread of seqcast's own programs.
    """
    global _heard, _sent_again, _seen, _has_results
    _heard = _sent_again = 0
    _seen = _has_results = False
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
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
        signal.set_wakeup_fd(before)
        writer.close()  # which ends the thread
        thread.join()
        reader.close()


def _listen(reader: socket.socket) -> None:
    """Read signals until the descriptor is closed, and end the process where one of them, or their number, says so."""
    global _heard
    while received := reader.recv(64):
        ending = next((number for number in received if signal.getsignal(number) is _end_at), None)
        if ending is not None:
            _end_later(ending)
        _heard += received.count(signal.SIGINT)
        if _heard > 1 + _sent_again:
            with _ending:
                if not _has_results:
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
    if _says_endings:
        with contextlib.suppress(OSError, ValueError):
            os.write(2, f"\n{reason}. Nothing half-written is left.\n".encode())
    os._exit(code)
