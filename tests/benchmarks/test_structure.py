"""The figures of the house rules and of sizes: what each one counts on small sources, and what it lets pass."""

import ast

import pytest

import structure
from size import code_lines, import_lines, parameters
from structure import House


def house_of(sources):
    return House({f"{path.replace('.', '/')}.py".replace("?.py", ".pyi"): text for path, text in sources.items()})


def counted(measure, sources):
    """Return the modules and lines that a measure counts in sources by their dotted paths; a stub's ends with `?`."""
    return [(module.name.removeprefix("seqcast."), node.lineno) for module, node in measure(house_of(sources))]


def test_candidates_are_named_in_their_package_and_in_prose_alone():
    sources = {
        "forecaster.candidates.table": 'NAME = "trained"',
        "export.file": '"""trained"""\n\nx = "finetuned"',
        "app": "x = 'trained well'\ny = trained\nz = f(a='seasonal_naive')",
    }
    assert counted(structure.candidate_literals, sources) == [("export.file", 3), ("app", 3)]


STATE = "class State:\n    _fields: int = 0\n\n    def __init__(self):\n        self._state = _made()\n"


@pytest.mark.parametrize(
    ("other", "lines"),
    [
        ("x._state = None", [1]),
        ("from seqcast.engine.state import _made", [1]),
        ("x._replace(a=1)", []),  # a name of no room: NamedTuple's own
        ("class A:\n    def f(self):\n        return self._state, super()._state", []),
        ("_state = 1\nx._state", []),  # the own room has such a name
    ],
)
def test_private_names_of_other_rooms(other, lines):
    sources = {"engine.state": STATE, "engine.made": "def _made():\n    return 1", "serve.app": other}
    assert counted(structure.private_uses, sources) == [("serve.app", line) for line in lines]
    assert counted(structure.private_uses, {"engine.state": STATE, "engine.engine": "x._state"}) == []


HOUSE = dict.fromkeys(
    ["__init__", "engine.__init__", "engine.engine", "data.__init__", "data.frames.__init__", "data.frames.table"], ""
)


@pytest.mark.parametrize(
    ("statement", "between", "past"),
    [
        ("from seqcast.engine import Engine", 1, 0),
        ("from seqcast.engine.engine import Engine", 1, 1),
        ("from seqcast.engine import Engine, engine", 1, 1),
        ("import seqcast.engine.engine", 1, 1),
        ("from seqcast.data.frames.table import read_frame", 1, 1),
        ("if TYPE_CHECKING:\n    from seqcast.engine.engine import Engine", 1, 1),
        ("from seqcast import Forecaster", 0, 0),
    ],
)
def test_doors(statement, between, past):
    sources = {**HOUSE, "app.page": statement}
    assert len(counted(structure.past_doors, sources)) == past
    assert len(list(structure.imports_between(house_of(sources)))) == between


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

def _g(d): ...
'''


def test_sizes_are_those_of_a_small_module():
    assert (code_lines(MODULE), import_lines(ast.parse(MODULE))) == (7, 3)
    assert list(parameters(ast.parse(MODULE).body)) == [True, True, False]
