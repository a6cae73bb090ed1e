"""What the tests of the command line share."""

import re
import sys

import pytest

from seqcast.cli import main as cli


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run a command in a new folder; return exit code, standard output and standard error, each on one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["seqcast", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as ending:
            code = ending.code or 0
        captured = capsys.readouterr()
        return code, captured.out, re.sub(r"[\s│]+", " ", captured.err)

    return run
