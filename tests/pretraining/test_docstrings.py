"""The examples in the docstrings run."""

import doctest
import importlib
from pathlib import Path

import pytest

import synthetic_windows

FOLDER = Path(synthetic_windows.__file__).parent
PATHS = [path.relative_to(FOLDER).with_suffix("") for path in sorted(FOLDER.rglob("*.py"))]
MODULES = [".".join(path.parts).removesuffix(".__init__") for path in PATHS]


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_docstrings_run(module):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.testmod(importlib.import_module(module), optionflags=flags).failed == 0
