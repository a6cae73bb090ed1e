"""Lines go to whatever handlers there are, and are printed where there are none."""

import logging

import pytest

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
