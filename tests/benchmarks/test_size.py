"""What counts as a line of code, and which parameters are described."""

import ast

from faults import FAULTS
from size import code_lines, import_lines, parameters

SOURCE = '''"""A module."""
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


def test_figures_are_those_of_a_small_module():
    assert code_lines(SOURCE) == 7
    assert import_lines(ast.parse(SOURCE)) == 3
    assert list(parameters(ast.parse(SOURCE).body)) == [True, True, False]
    assert len(FAULTS) == 30
