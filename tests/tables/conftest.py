"""Where these tests find what makes files: messy ones and hostile ones."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "fixtures" / "messy"), str(TESTS / "fuzz")]
