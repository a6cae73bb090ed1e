"""What the site is built with, imported from docs/site, which is no package."""

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def site_modules():
    """Return a function that imports a module of docs/site by its name."""
    sys.path.insert(0, str(ROOT / "docs" / "site"))
    yield importlib.import_module
    sys.path.remove(str(ROOT / "docs" / "site"))
