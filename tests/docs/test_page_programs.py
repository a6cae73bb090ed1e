"""The runner of a page's programs: what it compares, and what it rejects."""

import contextlib
import importlib
import sys
from pathlib import Path

import pytest

from tests.rejections import rejected

sys.path.append(str(Path(__file__).parent))
page_programs = importlib.import_module("page_programs")
TWO_LINES = "print('a  1.5')\nprint('b  2')"
ERROR = "ValueError: invalid literal for int()"


@pytest.fixture
def run_page(tmp_path, monkeypatch):
    """Return a function that runs a page that is given as text, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda text, **changes: page_programs.run(
        page_programs.changed(page_programs.programs_of(text), changes)
    )


SHOWN = [
    (TWO_LINES, "a  1.5\nb  2\n", None),
    (TWO_LINES, "a  2.25\nb  -3\n", None),  # numbers are the machine's
    (TWO_LINES, "b  2\na  1.5\n", None),  # and so is which of them is the largest
    (TWO_LINES, "a  1.5\n", "page, line 2 shows"),
    (TWO_LINES, "a\n1.5 b\n2\n", None),  # a long line may be broken
    (TWO_LINES, "b\n2 a\n1.5\n", "page, line 2 shows"),
    (TWO_LINES, "a  1.5\n…\n", None),
    (TWO_LINES, "c  1.5\n…\n", "page, line 2 shows"),
    (TWO_LINES, "a  1.5  7\nb  2\n", "page, line 2 shows"),
    (TWO_LINES, "a  1.5\na  1.5\n", "page, line 2 shows"),
    ("int('x')", f"{ERROR}\nwith base 10: 'x'\n", None),
    ("int('y')", f"{ERROR} with base 10: 'x'\n", "page, line 2 shows"),
    ("int('1')", f"{ERROR} with base 10: 'x'\n", "without the error"),
]


@pytest.mark.parametrize(("code", "shown", "wrong"), SHOWN)
def test_outputs_and_errors_that_a_page_shows_are_compared(code, shown, wrong, run_page):
    with contextlib.nullcontext() if wrong is None else pytest.raises(AssertionError, match=wrong):
        run_page(f"```python\n{code}\n```\n\nprints\n\n```text\n{shown}```\n")


def test_a_replacement_that_no_longer_matches_and_commands_that_nobody_runs_fail(run_page):
    assert run_page("```python\na = 1\n```\n", a="b")["b"] == 1
    rejected(AssertionError, "no longer holds 'c'", run_page, "```python\na = 1\n```\n", c="b")
    rejected(AssertionError, "nobody runs", run_page, "```shell\ncurl example.org\n```\n")
    rejected(
        AssertionError,
        "line 2 ends with",
        run_page,
        "```shell\nseqcast forecast nothing.csv -H 3\n```\n",
    )
