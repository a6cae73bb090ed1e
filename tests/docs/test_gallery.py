"""The lines of the home page and of the gallery run, with less training, and draw what the pages show."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
SMALLER = {
    "random_state=0)": "random_state=0, verbose=0, training={'epochs': 1, 'steps_per_epoch': 2})",
    "n_windows=10, step_size=12": "n_windows=2, step_size=12",
    "step_size=1)": "step_size=24)",
    "windows[::6]": "windows[:6]",
    'preset="pretrained")': 'preset="pretrained", verbose=0)',
}


@pytest.mark.documents
def test_the_gallery_draws_what_it_shows(site_modules, tmp_path):
    gallery = site_modules("gallery")
    code = gallery.code_of()
    for text in sorted(SMALLER, key=len, reverse=True):
        assert text in code
        code = code.replace(text, SMALLER[text])
    gallery.draw(tmp_path, code)
    drawn = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    assert drawn == set(re.findall(r"\((images/gallery/\S+)\)", (DOCS / "gallery.md").read_text()))


def test_pictures_are_those_of_the_page_and_small():
    shown = re.findall(r"\((images/gallery/\S+)\)", (DOCS / "gallery.md").read_text())
    there = {path.relative_to(DOCS).as_posix(): path.stat().st_size for path in (DOCS / "images" / "gallery").iterdir()}
    assert len(shown) >= 10
    assert sorted(shown) == sorted(there)
    assert {name: size for name, size in there.items() if size > 60 * 1024} == {}


@pytest.mark.documents
def test_the_home_page_runs(site_modules):
    code = site_modules("gallery").code_of(DOCS / "index.md")
    assert 'load("elnino"), 12)' in code
    names = {}
    exec(compile(code.replace('"elnino"), 12)', '"elnino").tail(60), 12, verbose=0)'), "docs/index.md", "exec"), names)
    assert len(names["forecast"]) == 12
