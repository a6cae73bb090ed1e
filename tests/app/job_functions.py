"""What the jobs of the tests do; a module of its own, which another process can import."""

import os
import signal
import threading
import time

from seqcast.errors import SpecError


def double(number):
    return 2 * number


def wait(tell, how):
    """Wait to be interrupted, at work or for other processes, and say so when something is kept."""
    try:
        tell("running")
        while how != "for others":
            time.sleep(0.01)
        threading.Event().wait()
    except KeyboardInterrupt:
        if how == "for nothing":
            raise
        return "kept"


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class TwoArgumentsError(Exception):
    """An error that pickle cannot make again."""

    def __init__(self, what, why):
        super().__init__(what)


class Kept(KeyboardInterrupt):
    """An interruption that pickle cannot make again, such as those that hold what a training has kept."""

    def __init__(self, kept):
        super().__init__()


def fail(kind):
    if kind == "spec":
        raise SpecError("level", expected="less", received="more", hint="Take less.")
    if kind == "stopped":
        raise Kept(1)
    if kind == "unreadable":
        raise TwoArgumentsError("a", "b")
    return lambda: 1  # no result that can be sent
