"""Ctrl-C for a program of ours: the first asks, the second ends the process.

Python hears a signal between two of its instructions only. A compilation is one instruction that takes seconds, and an
import swallows exceptions now and then. So the second Ctrl-C does not wait for the main thread: the system writes each
signal to a descriptor at once, and a thread that reads it ends the process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator

from seqcast.runtime.files import remove_unfinished

__all__ = ["EXIT_CODE", "hear_interrupts", "was_interrupted"]

EXIT_CODE = 130

_heard = 0


def was_interrupted() -> bool:
    """Return whether Ctrl-C was pressed since `hear_interrupts` began, also where its exception was swallowed."""
    return _heard > 0


@contextlib.contextmanager
def hear_interrupts() -> Iterator[None]:
    """End the process at the second Ctrl-C, with exit code 130 and without half-written files.

    The first one is left to the work that is going on: a training ends at its next step, anything else at once. It is
    for the main thread of a program that is all ours.
    """
    global _heard
    _heard = 0
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=_listen, args=(reader,), name="seqcast-interrupts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        writer.close()  # which the thread takes as the end
        thread.join()
        reader.close()


def _listen(reader: socket.socket) -> None:
    global _heard
    while received := reader.recv(64):
        _heard += received.count(signal.SIGINT)
        if _heard > 1:
            _end()


def _end() -> None:
    """End the process and its workers at once."""
    executors = sys.modules.get("seqcast.runtime.executors")
    if executors is not None:
        executors.kill_workers()
    remove_unfinished()
    with contextlib.suppress(OSError, ValueError):
        os.write(2, b"\nInterrupted twice: ended at once. Nothing half-written is left.\n")
    os._exit(EXIT_CODE)
