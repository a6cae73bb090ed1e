"""Lines go to whatever handlers there are, and are printed where there are none."""

import errno
import io
import logging
import sys

import pytest

from seqcast.errors import SaveError
from seqcast.runtime.log import LOGGER, say


def test_where_nothing_is_configured_lines_are_printed_once(capsys):
    for _ in range(2):
        say("a line")
        say("a result", is_result=True)
    shown = capsys.readouterr()
    assert (shown.err, shown.out) == ("a line\n" * 2, "a result\n" * 2)


@pytest.mark.parametrize("logger", [LOGGER, logging.getLogger()])
def test_a_handler_gets_them_and_nothing_is_printed(capsys, logger):
    found, handler = [], logging.Handler()
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
    with pytest.raises(SaveError, match="standard output: expected room for the result, received No space left"):
        say("a result", is_result=True)
