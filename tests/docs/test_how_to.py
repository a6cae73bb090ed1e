"""Every program of every how-to page runs, in order, with small trainings; outputs and errors are as shown."""

import importlib.util
import re
import threading
import time
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = sorted(FOLDER.glob("*.md"))
spec = importlib.util.spec_from_file_location("pages", Path(__file__).with_name("pages.py"))
pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pages)

TINY = "training={'epochs': 1, 'steps_per_epoch': 2}"
# Pages that leave the choice of a network to the forecaster, and pages that name one.
CHOSEN = {"random_state=0": f"random_state=0, preset='classic', {TINY}"}
NAMED = {"random_state=0": f"random_state=0, {TINY}"}
COMMAND = {"--seed 0": "--seed 0 --preset classic --units 4 --epochs 1 --quiet"}
SMALLER = {
    "covariates": CHOSEN | COMMAND,
    "custom-parts": {"epochs=5": "epochs=1", "2_000": "64", "TrainingSpec(": "TrainingSpec(epochs=1, steps_per_epoch=2, "},
    "gaps": CHOSEN,
    "gpu": {},
    "intermittent-demand": CHOSEN,
    "intervals": {"random_state": f"training': {{'epochs': 1, 'steps_per_epoch': 2}}, 'random_state"} | NAMED,
    "keras-callbacks": NAMED,
    "large-data": CHOSEN | COMMAND,
    "long-horizons": CHOSEN,
    "looking-inside": NAMED | {"step_size=13": "step_size=60"},
    "many-series": CHOSEN,
    "new-series": CHOSEN,
    "reproducibility": {},
    "small-data": {},
    "tuning": CHOSEN,
}


def programs(name, changes):
    return pages.changed(pages.programs_of((FOLDER / f"{name}.md").read_text()), changes)


@pytest.mark.documents
@pytest.mark.parametrize("name", SMALLER)
def test_programs_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    pages.run(programs(name, SMALLER[name]), f"{name}.md")
