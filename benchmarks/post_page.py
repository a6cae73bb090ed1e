"""Run examples/post.ipynb and write docs/post.md from it, with its pictures in docs/images/post/.

    make post                              # about five minutes; commit what it writes
    python benchmarks/post_page.py

The notebook itself is kept without outputs. A picture is called like its cell, and its alternative
text stands in the cell's metadata, as `alt`.
"""

import ast
import copy

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from traitlets.config import Config

from harness import DOCS, small_picture

NOTEBOOK = DOCS.parent / "examples" / "post.ipynb"
PAGE = DOCS / "post.md"
PICTURES = DOCS / "images" / "post"
LARGEST_PICTURE = 60_000  # bytes
# Pictures are sharp on screens with many pixels; sockets are files, and nothing of the session is
# kept.
KERNEL_ARGUMENTS = ["--InlineBackend.rc=figure.dpi=120", "--HistoryManager.enabled=False"]
KERNEL = Config({"KernelManager": {"transport": "ipc"}})
TEMPLATE = """{% extends 'markdown/index.md.j2' %}
{% block stream %}
```text
{{ output.text.rstrip() }}
```
{% endblock stream %}
{% block data_text scoped %}
```text
{{ output.data['text/plain'] }}
```
{% endblock data_text %}
{% block data_png %}
![{{ cell.metadata.alt }}]({{ output.metadata.filenames['image/png'] | path2url }})
{% endblock data_png %}"""
NOTE = """<!-- Written by `make post` from examples/post.ipynb: change that, and run it again. -->

"""


def main():
    notebook = executed(nbformat.read(NOTEBOOK, as_version=4))
    text, pictures = page(notebook)
    PICTURES.mkdir(exist_ok=True)
    for old in PICTURES.glob("*.png"):
        old.unlink()
    for path, content in pictures.items():
        (DOCS / path).write_bytes(content)
    PAGE.write_text(text)
    print(f"{PAGE}, {len(pictures)} pictures, {sum(map(len, pictures.values())) // 1000} KB")


def executed(notebook, **parameters):
    """Return the notebook with the outputs of a run.

    Args:
        notebook: The notebook; it stays as it is.
        parameters: Values that replace those of the cell with the tag `parameters`.

    Raises:
        CellExecutionError: A cell raised an error.
    """
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if parameters and "parameters" in cell.metadata.get("tags", ()):
            cell.source = with_values(cell.source, parameters)
    client = NotebookClient(notebook, kernel_name="python3", timeout=None, config=KERNEL)
    client.extra_arguments = KERNEL_ARGUMENTS
    client.execute()
    return notebook


def with_values(source, values):
    """Return code that assigns names, with other values for some of them; comments are lost."""
    tree = ast.parse(source)
    left = dict(values)
    for statement in tree.body:
        if (
            isinstance(statement, ast.Assign)
            and isinstance(name := statement.targets[0], ast.Name)
            and name.id in left
        ):
            statement.value = ast.Constant(left.pop(name.id))
    if left:
        raise KeyError(f"no parameters: {', '.join(left)}")
    return ast.unparse(tree)


def page(notebook):
    """Return the page of a notebook that has been run, and its pictures by their path in docs/."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.get("name") == "stderr":
                raise SystemExit(f"cell {cell.id} wrote an error or a warning:\n{output.text}")
            if "image/png" in output.get("data", ()):
                output.metadata["filename"] = f"{cell.id}.png"
    settings = Config(
        {"NbConvertBase": {"display_data_priority": ["image/png", "text/markdown", "text/plain"]}}
    )
    exporter = MarkdownExporter(config=settings, raw_template=TEMPLATE)
    folder = PICTURES.relative_to(DOCS).as_posix()
    text, resources = exporter.from_notebook_node(notebook, resources={"output_files_dir": folder})
    pictures = {
        path: packed(content, path) for path, content in sorted(resources["outputs"].items())
    }
    # Links of the notebook start in examples/.
    text = text.replace("](../docs/", "](")
    return NOTE + text.strip() + "\n", pictures


def packed(content, name):
    """Return a picture in few colours; reject one that is too large all the same."""
    content = small_picture(content)
    if len(content) > LARGEST_PICTURE:
        raise SystemExit(
            f"{name} has {len(content):,} bytes, more than {LARGEST_PICTURE:,}: draw less"
        )
    return content


if __name__ == "__main__":
    main()
