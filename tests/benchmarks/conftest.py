"""The programs of the accuracy benchmarks are scripts beside each other, not a package."""

import sys
from pathlib import Path

benchmarks = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path[:0] = [str(benchmarks / "accuracy"), str(benchmarks)]
