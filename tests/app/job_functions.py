"""What the jobs of the tests do; a module of its own, which a worker process can import."""

import os
import signal
import threading
import time

from seqcast.errors import SpecError


def double(tell, number):
    tell(number)
    return 2 * number


def fail(tell, kind):
    if kind == "spec":
        raise SpecError("level", expected="less", received="more", hint="Take less.")
    if kind == "unpicklable":
        raise RuntimeError(lambda: 1)
    return lambda: 1  # no result that can be sent


def wait(tell, keep):
    """Wait to be interrupted, and say so when something is kept."""
    try:
        tell("running")
        while True:
            time.sleep(0.01)
    except KeyboardInterrupt:
        if keep:
            return "kept"
        raise


def die(tell):
    os.kill(os.getpid(), signal.SIGKILL)


def process(tell):
    return os.getpid()


def wait_for_others(tell):
    """Wait for a lock, as for the results of other processes, and say so when interrupted."""
    try:
        tell("running")
        threading.Event().wait()
    except KeyboardInterrupt:
        return "kept"


class TwoArgumentsError(Exception):
    """An error that pickle cannot make anew."""

    def __init__(self, what, why):
        super().__init__(what)
        self.why = why


class Kept(KeyboardInterrupt):
    """An interruption that pickle cannot make anew, such as those that hold what a training has kept."""

    def __init__(self, kept):
        super().__init__()
        self.kept = kept


def fail_unreadably(tell, stopped):
    raise Kept(1) if stopped else TwoArgumentsError("a", "b")
