"""The post as a notebook: it runs, and the page that is kept was made from it."""

import base64
import importlib
import io
import itertools
import re
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from tests.rejections import rejected

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images" / "post"
PAGE = (ROOT / "docs" / "post.md").read_text()
NOTEBOOK = nbformat.read(ROOT / "examples" / "post.ipynb", as_version=4)
CODE = [cell for cell in NOTEBOOK.cells if cell.cell_type == "code"]
PICTURES = re.findall(r"^!\[(.*)\]\((.*)\)$", PAGE, flags=re.MULTILINE)
SMALL = {
    "windows": 512,
    "epochs": 1,
    "test_windows": 60,
    "probed_windows": 60,
    "seeds": 1,
    "echo_units": (16,),
}


@pytest.fixture(scope="module")
def post_page():
    sys.path.append(str(ROOT / "benchmarks"))
    return importlib.import_module("post_page")


def notebook_of(*outputs, source="1"):
    cell = nbformat.v4.new_code_cell(
        source, id="the-cell", outputs=list(outputs), metadata={"alt": "a picture"}
    )
    return nbformat.v4.new_notebook(cells=[cell], metadata={"language_info": {"name": "python"}})


def picture(size):
    """The output of a cell that drew this many pixels of noise on each side."""
    file = io.BytesIO()
    values = np.random.default_rng(0).integers(0, 256, (size, size, 3))
    Image.fromarray(values.astype("uint8")).save(file, format="PNG")
    return nbformat.v4.new_output(
        "display_data", {"image/png": base64.b64encode(file.getvalue()).decode()}
    )


@pytest.mark.documents
def test_it_runs_with_small_settings(post_page):
    notebook = post_page.executed(NOTEBOOK, **SMALL)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    silent = {cell.id for cell in cells if not cell.outputs}
    assert silent == {"setup", "parameters"}
    text, pictures = post_page.page(notebook)
    # Small networks differ in numbers alone: the same cells end in the same pictures.
    assert sorted(pictures) == sorted(path for _, path in PICTURES)
    assert re.findall(r"^#+ .*", text, flags=re.MULTILINE) == re.findall(
        r"^#+ .*", PAGE, flags=re.MULTILINE
    )


def test_the_page_is_of_this_notebook():
    """Run `make post` when this fails."""
    assert re.findall(r"```python\n(.*?)\n```", PAGE, flags=re.DOTALL) == [
        cell.source for cell in CODE
    ]
    rest = PAGE
    for cell in NOTEBOOK.cells:
        if cell.cell_type == "markdown":
            _, found, rest = rest.partition(cell.source.replace("](../docs/", "]("))
            assert found, cell.id


def test_the_pictures_are_those_of_the_page():
    assert {path.name for path in IMAGES.iterdir()} == {Path(path).name for _, path in PICTURES}
    for words, path in PICTURES:
        assert len(words) > 20, f"{path} has no alternative text"
        assert (ROOT / "docs" / path).stat().st_size <= 60_000
        with Image.open(ROOT / "docs" / path) as image:
            assert image.format == "PNG"


def test_it_is_kept_without_outputs_and_its_code_is_public_and_fits_a_page():
    nbformat.validate(NOTEBOOK)
    for cell in CODE:
        assert (cell.outputs, cell.execution_count) == ([], None), cell.id
        assert not re.search(r"\._|\b_[a-z]", cell.source), f"{cell.id} uses a private name"
        assert max(map(len, cell.source.splitlines())) <= 95, (
            f"{cell.id} has a line that a page would cut"
        )
    assert [cell.id for cell in CODE if "parameters" in cell.metadata.get("tags", ())] == [
        "parameters"
    ]
    # Each step is told before it is shown.
    kinds = [cell.cell_type for cell in NOTEBOOK.cells]
    assert ("code", "code") not in itertools.pairwise(kinds)


def test_values_of_parameters_are_replaced(post_page):
    assert post_page.with_values("a = 1  # ones\nb = (2, 3)", {"b": (4,)}) == "a = 1\nb = (4,)"
    rejected(KeyError, "no parameters: c", post_page.with_values, "a = 1", {"c": 2})


def test_links_and_pictures_are_those_of_the_page_s_folder(post_page):
    notebook = notebook_of(
        picture(8), nbformat.v4.new_output("stream", text="  one line\nand another\n")
    )
    notebook.cells.insert(
        0, nbformat.v4.new_markdown_cell("[studies](../docs/studies.md), [readme](../README.md)")
    )
    text, pictures = post_page.page(notebook)
    assert "[studies](studies.md), [readme](../README.md)" in text
    assert "![a picture](images/post/the-cell.png)" in text
    assert "```text\n  one line\nand another\n```" in text
    assert list(pictures) == ["images/post/the-cell.png"]
    for output, message in (
        (
            nbformat.v4.new_output("stream", name="stderr", text="look out"),
            "wrote an error or a warning:\nlook out",
        ),
        (picture(400), r"images/post/the-cell.png has [0-9,]+ bytes, more than 60,000: draw less"),
    ):
        rejected(SystemExit, message, post_page.page, notebook_of(output))
