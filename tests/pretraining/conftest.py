"""The pretraining is modules side by side, not a package; they use the frame of the benchmarks."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("pretraining", "benchmarks/accuracy", "benchmarks")
sys.path[:0] = [str(ROOT / folder) for folder in FOLDERS]
