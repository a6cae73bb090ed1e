"""Names of modules, links and pictures of README and of the pages are there, and pictures are small."""

import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
PAGES = [*ROOT.glob("*.md"), ROOT / "examples" / "README.md", *(ROOT / "docs").rglob("*.md")]


def anchors(path):
    """Return the names that headings of a page have in links."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_modules_and_links_are_there(page):
    for name in set(re.findall(r"`(seqcast(?:\.[A-Za-z_]\w*)+)", page.read_text())):
        pkgutil.resolve_name(name)
    for target, anchor in re.findall(r"\]\((?!\w+:)([^)\s#]*)(?:#([^)]+))?\)", page.read_text()):
        linked = (page.parent / target) if target else page
        assert linked.exists(), target
        if (
            anchor and linked.suffix == ".md" and "reference" not in linked.parts
        ):  # whose places come from docstrings
            assert anchor in anchors(linked), f"{target}#{anchor}"


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs" / "how-to").glob("*.md")), ids=lambda page: page.stem
)
def test_keras_is_imported_after_seqcast(page):
    """Before it, it would look for TensorFlow where nobody has set `KERAS_BACKEND`."""
    lines = page.read_text().splitlines()
    for place, line in enumerate(lines):
        if re.match(r"(import|from) keras", line):
            assert any(
                re.match(r"from seqcast import .*(Forecaster|Seq2Seq)", before)
                for before in lines[:place]
            )


@pytest.mark.parametrize(
    ("page", "folder", "least"), [("gallery", "gallery/", 10), ("start", "start_", 2)]
)
def test_pictures_are_those_of_the_page_and_small(page, folder, least):
    shown = re.findall(rf"\(images/({folder}\S+)\)", (ROOT / "docs" / f"{page}.md").read_text())
    there = {
        path.relative_to(IMAGES).as_posix(): path.stat().st_size
        for path in IMAGES.glob(f"{folder}*")
    }
    assert len(shown) >= least
    assert sorted(shown) == sorted(there)
    assert {name: size for name, size in there.items() if size > 60 * 1024} == {}
