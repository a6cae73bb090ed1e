"""*Start* runs as it is written, but for the one training, which is small; `make newcomer` walks through it in full."""

import importlib
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path.append(str(Path(__file__).parent))
page_programs = importlib.import_module("page_programs")

SMALLER = {
    'future=ahead[["ds", "promotion"]], random_state=0': (
        'future=ahead[["ds", "promotion"]], random_state=0, preset="classic", '
        "training={'epochs': 1, 'steps_per_epoch': 2}"
    )
}
# What installs is run by the newcomer's walk alone.
INSTALLS = ("python3 -m venv .venv", ". .venv/bin/activate", "pip install ./seqcast")


@pytest.mark.documents
def test_start_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    page = (DOCS / "start.md").read_text()
    programs = page_programs.changed(page_programs.programs_of(page), SMALLER)
    names = page_programs.run(
        programs, "start.md", shell=lambda program: page_programs.run_in_process(program, INSTALLS)
    )
    assert len(names["forecast"]) == 12
    assert len(names["informed"]) == 14
    for picture in ("forecast.png", "years.png"):
        assert f"images/start_{picture}" in page
        assert (tmp_path / picture).exists()


def test_pictures_are_small():
    pictures = list((DOCS / "images").glob("start_*"))
    assert len(pictures) == 2
    assert max(picture.stat().st_size for picture in pictures) < 60_000


def run_page(text, tmp_path, monkeypatch, changes=()):
    monkeypatch.chdir(tmp_path)
    return page_programs.run(page_programs.changed(page_programs.programs_of(text), dict(changes)))


@pytest.mark.parametrize(
    ("shown", "right"),
    [
        ("a  1.5\nb  2\n", True),
        ("a  2.25\nb  -3\n", True),  # numbers are the machine's
        ("b  2\na  1.5\n", True),  # and so is which of them is the largest
        ("a  1.5\n", False),
        ("a\n1.5 b\n2\n", True),  # a long line may be broken
        ("b\n2 a\n1.5\n", False),
        ("a  1.5\n…\n", True),
        ("c  1.5\n…\n", False),
        ("a  1.5  7\nb  2\n", False),
        ("a  1.5\na  1.5\n", False),
    ],
)
def test_output_that_a_page_shows_is_compared(shown, right, tmp_path, monkeypatch):
    page = f"```python\nprint('a  1.5')\nprint('b  2')\n```\n\nprints\n\n```text\n{shown}```\n"
    if right:
        run_page(page, tmp_path, monkeypatch)
    else:
        with pytest.raises(AssertionError, match="page, line 2 shows"):
            run_page(page, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("code", "shown", "wrong"),
    [
        ("int('x')", "ValueError: invalid literal for int() with base 10: 'x'", None),
        ("int('x')", "ValueError: invalid literal for int()\nwith base 10: 'x'", None),
        ("int('y')", "ValueError: invalid literal for int() with base 10: 'x'", "page, line 2 shows"),
        ("int('1')", "ValueError: invalid literal for int() with base 10: 'x'", "without the error"),
    ],
)
def test_errors_that_a_page_quotes_are_provoked(code, shown, wrong, tmp_path, monkeypatch):
    page = f"```python\n{code}\n```\n\n```text\n{shown}\n```\n"
    if wrong is None:
        run_page(page, tmp_path, monkeypatch)
    else:
        with pytest.raises(AssertionError, match=wrong):
            run_page(page, tmp_path, monkeypatch)


def test_a_replacement_that_no_longer_matches_fails(tmp_path, monkeypatch):
    assert run_page("```python\na = 1\n```\n", tmp_path, monkeypatch, {"a = 1": "a = 2"})["a"] == 2
    with pytest.raises(AssertionError, match="no longer holds 'b = 1'"):
        run_page("```python\na = 1\n```\n", tmp_path, monkeypatch, {"b = 1": "b = 2"})


def test_commands_that_nobody_runs_fail(tmp_path, monkeypatch):
    with pytest.raises(AssertionError, match="nobody runs"):
        run_page("```shell\ncurl example.org\n```\n", tmp_path, monkeypatch)
    with pytest.raises(AssertionError, match="line 2 ends with"):
        run_page("```shell\nseqcast forecast nothing.csv -H 3\n```\n", tmp_path, monkeypatch)
