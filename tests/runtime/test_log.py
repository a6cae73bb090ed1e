"""Lines go to whatever handlers there are, and are printed where there are none."""

import logging

import pytest

from seqcast.runtime.log import LOGGER, say


@pytest.fixture
def records():
    """Return the records that a handler of the logger's own gets."""
    found = []
    handler = logging.Handler()
    handler.emit = found.append
    LOGGER.addHandler(handler)
    yield found
    LOGGER.removeHandler(handler)


def test_where_nothing_is_configured_lines_are_printed_once(capsys):
    for _ in range(2):
        say("a line")
        say("a result", is_result=True)
    shown = capsys.readouterr()
    assert (shown.err, shown.out) == ("a line\n" * 2, "a result\n" * 2)


def test_a_handler_gets_them_and_nothing_is_printed(capsys, records):
    say("a line")
    assert [(record.levelname, record.getMessage()) for record in records] == [("INFO", "a line")]
    assert capsys.readouterr() == ("", "")


def test_a_handler_of_the_root_logger_gets_them_too(capsys):
    say("before")
    found, root, handler = [], logging.getLogger(), logging.Handler()
    handler.emit = lambda record: found.append(record.getMessage())
    root.addHandler(handler)
    try:
        say("a line")
    finally:
        root.removeHandler(handler)
    say("after")
    assert found == ["a line"]
    assert capsys.readouterr().err == "before\nafter\n"
