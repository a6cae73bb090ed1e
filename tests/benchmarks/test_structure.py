"""The figures of the house rules and of sizes, of small sources."""

import ast

import structure
from size import code_lines, import_lines, parameters

STATE = "class State:\n    _fields: int = 0\n\n    def __init__(self):\n        self._state = _made()\n"


def test_the_program_says_what_is_over_its_limit(tmp_path, capsys):
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").write_text("")
    (tmp_path / "engine" / "engine.py").write_text(STATE)
    assert structure.main(["--source", str(tmp_path)]) == 0
    assert "OVER" not in capsys.readouterr().out
    (tmp_path / "serve.py").write_text("from seqcast.engine.engine import State\n\nx._state\n")
    assert structure.main(["--source", str(tmp_path), "--list"]) == 1
    out = capsys.readouterr().out
    assert "1 of at most   0  uses of another room's private names  OVER\n        seqcast.serve:3 x._state" in out
    assert "1 of at most   0  imports past a door  OVER" in out


MODULE = '''"""A module."""
from x import (
    y,
)  # why

def f(a, b=1, *, c):
    """Do.

    Args:
        a, b: Numbers.
    """
    return """two
    lines"""

NAMES = [
    "one"
    "two",
]


def _g(d): ...
'''


def test_sizes_are_those_of_a_small_module():
    assert (code_lines(MODULE), import_lines(ast.parse(MODULE))) == (11, 3)
    assert list(parameters(ast.parse(MODULE).body)) == [True, True, False]
