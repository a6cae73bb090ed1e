"""Lines go to whatever handlers there are, and are printed where there are none."""

import errno
import io
import logging
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from seqcast.errors import SaveError
from seqcast.runtime.log import LOGGER, filtering_warnings, say


def test_where_nothing_is_configured_lines_are_printed_once(capsys):
    for _ in range(2):
        say("a line")
        say("a result", is_result=True)
    shown = capsys.readouterr()
    assert (shown.err, shown.out) == ("a line\n" * 2, "a result\n" * 2)


@pytest.mark.parametrize("logger", [LOGGER, logging.getLogger()])
def test_a_handler_gets_them_and_nothing_is_printed(capsys, logger):
    found = []
    handler = logging.Handler()
    handler.emit = found.append
    say("before")
    logger.addHandler(handler)
    try:
        say("a line")
    finally:
        logger.removeHandler(handler)
    say("after")
    assert [(record.levelname, record.getMessage()) for record in found] == [("INFO", "a line")]
    assert capsys.readouterr() == ("", "before\nafter\n")


class FullStream(io.StringIO):
    """A stream on a full disk."""

    def write(self, _):
        """Fail."""
        raise OSError(errno.ENOSPC, "No space left on device")


def test_on_a_full_disk_progress_is_dropped_and_a_result_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", FullStream())
    say("epoch 1")
    monkeypatch.setattr(sys, "stdout", FullStream())
    with pytest.raises(
        SaveError, match="standard output: expected room for the result, received No space left"
    ):
        say("a result", is_result=True)


# ---------------------------------------------------------------- warnings of one thread


def warns(category=UserWarning, text="a warning"):
    """Tell whether a warning becomes an error, as all do in these tests."""
    try:
        warnings.warn(text, category, stacklevel=2)
    except category:
        return True
    return False


def test_warnings_are_ignored_in_the_block_alone():
    assert warns()
    with filtering_warnings("ignore", UserWarning, "a warn"):
        assert not warns()
        assert warns(text="another one")
        assert warns(DeprecationWarning)
        with filtering_warnings("ignore"):
            assert not warns(DeprecationWarning)
        assert warns(DeprecationWarning)
    assert warns()


def test_warnings_are_raised_in_the_block_alone():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            filtering_warnings("error", UserWarning),
            filtering_warnings("ignore", UserWarning, "but not"),
        ):
            assert warns()
            assert not warns(text="but not this one")
        assert not warns()


def test_threads_whose_blocks_overlap_leave_warnings_as_they_were():
    entered = threading.Barrier(2, timeout=60)
    left = threading.Event()

    def first():
        with filtering_warnings("ignore", UserWarning):
            entered.wait()
        left.set()

    def second():
        with filtering_warnings("ignore", UserWarning):
            entered.wait()
            assert left.wait(
                60
            )  # so this block began before the other one ended, and ends after it
            return warns()

    with ThreadPoolExecutor(2) as pool:
        begun = [pool.submit(second), pool.submit(first)]
        assert [each.result() for each in begun] == [False, None]
    assert warns()
