"""Tasks that take long: what a terminal shows, what a listener hears, and that nothing else changes."""

import io
import re
import sys
import threading
import time
import types

import pytest

from seqcast.runtime import (
    TaskEvent,
    bar_is_shown,
    listen,
    long_tasks,
    showing,
    shows_tasks,
    task,
    tracked,
)

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Standard error is a terminal, and bars show at once."""
    monkeypatch.setattr(long_tasks, "SECONDS_BEFORE_BAR", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    stderr = Terminal()
    monkeypatch.setattr(long_tasks, "sys", types.SimpleNamespace(stderr=stderr, stdout=sys.stdout))
    return stderr


def worked(count, title="squaring", seconds=0.0):
    for number in tracked(range(count), title, count):
        time.sleep(seconds)
        yield number


def shown(terminal):
    return CONTROL.sub("", terminal.getvalue())


def test_items_pass_unchanged_in_a_terminal_with_steps_and_the_time_that_is_left(terminal):
    with showing(True):
        assert list(worked(40, seconds=0.02)) == list(range(40))
    text = shown(terminal)
    assert re.search(r"squaring .*\d+/40 .*left", text)
    assert terminal.getvalue().count("\x1b[?25l") == terminal.getvalue().count("\x1b[?25h") == 1


@pytest.mark.parametrize("quiet", ["hidden", "a file", "short", "one step"])
def test_nothing_is_written_otherwise(terminal, monkeypatch, quiet):
    if quiet == "a file":
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    if quiet == "short":
        monkeypatch.setattr(long_tasks, "SECONDS_BEFORE_BAR", 60.0)
    with showing(quiet != "hidden"):
        assert list(worked(1 if quiet == "one step" else 3, seconds=0.02)) in ([0], [0, 1, 2])
    assert shown(terminal) == ""


def test_only_the_outermost_task_shows(terminal):
    with showing(True):
        for _ in worked(3, "outer", seconds=0.05):
            assert not bar_is_shown()
            list(worked(3, "inner", seconds=0.02))
        assert bar_is_shown()
    assert "outer" in shown(terminal)
    assert "inner" not in shown(terminal)


def test_a_task_that_fails_leaves_the_terminal_as_it_was(terminal):
    def fail():
        with showing(True), task("failing", 5):
            time.sleep(0.05)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert not terminal.getvalue().count("\x1b[?25l") - terminal.getvalue().count("\x1b[?25h")
    with showing(True):
        assert bar_is_shown()


def test_what_one_thread_shows_and_hears_another_does_not(terminal):
    heard = []
    elsewhere = []

    def work():
        elsewhere.append(bar_is_shown())
        list(worked(3))

    with listen(heard.append), showing(True):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert bar_is_shown()
    assert (heard, elsewhere) == ([], [False])


def test_a_listener_hears_growing_shares_and_a_rate():
    heard = []
    with listen(heard.append):
        list(worked(4))
    list(worked(4))
    assert [event.share for event in heard] == [0.25, 0.5, 0.75, 1.0]
    assert TaskEvent("x", 0.25, 2.0).seconds_left == pytest.approx(6.0)
    assert TaskEvent("x", 0.0, 2.0).seconds_left is None


@pytest.mark.parametrize(("verbose", "around"), [(0, False), (1, False), (0, True)])
def test_a_method_shows_its_tasks_where_its_object_or_the_caller_says_so(terminal, verbose, around):
    class Model:
        def __init__(self):
            self.verbose = verbose

        @shows_tasks
        def work(self, factor):
            return factor, bar_is_shown()

    with showing(around):
        assert Model().work(factor=3) == (3, bool(verbose) or around)
