"""The figures of the rules for code, of small sources."""

import pytest

import structure

STATE = """class State:
    _fields: int = 0

    def __init__(self):
        self._state = _made()
"""


def count(measure, text):
    """Return what a measure counts in a module."""
    return structure.count(measure(structure.Package("seqcast", {"one.py": text})))


STEPS = "".join(f"    x{number} = {number}\n" for number in range(structure.LONG_FUNCTION))
LONG = f'def f():\n    """Do."""\n{STEPS}'
BLANK = LONG.replace("    x3", "\n    x3")
MANY = " and ".join("ab" * structure.MOST_BRANCHES)
FORM = [
    (structure.tokens, '"""A module."""\nx = f("a")  # why\n', 6),
    (structure.packed_assignments, "a, b = 1, 2\n", 1),
    (structure.packed_assignments, "a, b = b, a\nrows, columns = x.shape\n", 0),
    (structure.long_functions, LONG, 1),
    (structure.unbroken_functions, LONG, 1),
    (structure.unbroken_functions, BLANK, 0),
    (structure.unbroken_functions, LONG.replace("    x3 = 3\n", ""), 0),
    (structure.branched_functions, f"def f(a, b):\n    return {MANY}\n", 1),
    (structure.branched_functions, "def f(a, b):\n    return a and b\n", 0),
    (structure.wide_lines, f"x = 1  # {'w' * structure.MOST_COLUMNS}\n", 1),
    (structure.text_times_condition, '"s" * (n > 1)\n"s" * many\nf"{a}" * (not n)\n', 3),
    (structure.text_times_condition, '" " * 4\n" " * len(x)\n', 0),
    (structure.any_annotations, "def f(a: Any, *b: dict[str, Any]) -> Any:\n    c: Any = 0\n", 4),
    (structure.any_annotations, "x = Any\n", 0),
]


@pytest.mark.parametrize(("measure", "text", "expected"), FORM)
def test_form_is_counted(measure, text, expected):
    assert count(measure, text) == expected


def test_the_program_says_what_is_over_its_limit(tmp_path, capsys):
    (tmp_path / "seqcast" / "engine").mkdir(parents=True)
    source = tmp_path / "seqcast"
    (source / "engine" / "__init__.py").write_text("")
    (source / "engine" / "engine.py").write_text(STATE)
    assert structure.main(["--source", str(source)]) == 0
    assert "OVER" not in capsys.readouterr().out

    (source / "serve.py").write_text("from seqcast.engine.engine import State\n\nx._state\n")
    assert structure.main(["--source", str(source), "--list"]) == 1
    out = capsys.readouterr().out
    uses = "1 of at most       0  uses of private names of another package  OVER"
    assert f"{uses}\n        seqcast.serve:3 x._state" in out
    assert "1 of at most       0  imports of names that are not public  OVER" in out


def test_other_packages_stand_side_by_side(tmp_path, capsys):
    for name, text in (("one", "a, b = 1, 2\n"), ("two", "not Python\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text)
    assert structure.main([str(tmp_path / "one"), str(tmp_path / "two")]) == 0
    assert "| packed assignments | 1 | 0 |" in capsys.readouterr().out
