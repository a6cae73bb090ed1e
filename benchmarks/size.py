"""How large the project is, room by room: code lines, modules, and what its rules of form count.

    python benchmarks/size.py           # the checkout
    python benchmarks/size.py COMMIT    # a commit, and the checkout beside it

Code lines are those of files as ruff formats them at 120 columns, without blanks, comments and docstrings. A module is
short below 60 of them (`__init__` does not count). Imports are import statements and `__all__`. A parameter of a public
function, method or dataclass is described if a docstring has it under `Args:`.
"""

import ast
import collections
import io
import re
import subprocess
import tempfile
import tokenize
from pathlib import Path

from commits import full_name
from harness import ROOT, options, table

# Tokens between statements, and those that may stand anywhere.
BETWEEN = (tokenize.ENCODING, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
ANYWHERE = (tokenize.COMMENT, tokenize.NL)
FOLDERS = {"src/seqcast": 1, "tests": 0, "benchmarks": 0}  # and the depth of a room below each
SHORT = 60


def code_lines(text):
    """Return the number of code lines of a file."""
    lines = set()
    before = tokenize.ENCODING
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in ANYWHERE:
            continue
        # A docstring is a statement by itself; text within brackets is code, also at the beginning of a line.
        is_docstring = token.type == tokenize.STRING and before in BETWEEN
        if token.type not in BETWEEN and not is_docstring:
            lines.update(range(token.start[0], token.end[0] + 1))
        before = token.type
    return len(lines)


def import_lines(tree):
    """Return the lines of imports and of `__all__`."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    nodes += [node for node in tree.body if isinstance(node, ast.Assign) and "__all__" in ast.unparse(node.targets[0])]
    return sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes)


def described(*docstrings):
    """Return the names that docstrings describe under `Args:`."""
    names = set()
    for text in docstrings:
        section = re.search(r"^\s*Args:\n(.*?)(?:\n\s*\n\s*[A-Z]\w+:\n|\Z)", text or "", re.DOTALL | re.MULTILINE)
        entries = re.findall(r"^\s+((?:\*{0,2}\w+, )*\*{0,2}\w+)(?: \([^)]*\))?:", section[1], re.M) if section else []
        names.update(name for entry in entries for name in entry.replace("*", "").split(", "))
    return names


def parameters(body, of_class=None):
    """Yield for each parameter of public functions, methods and dataclasses whether it is described."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = " ".join(map(ast.unparse, node.decorator_list))
            if re.search("overload|setter", decorators) or (node.name.startswith("_") and node.name != "__init__"):
                continue
            given = node.args
            every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            known = described(ast.get_docstring(node), of_class if node.name == "__init__" else None)
            yield from (one.arg in known for one in every if one is not None and one.arg not in ("self", "cls"))
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            text = ast.get_docstring(node)
            if any("dataclass" in ast.unparse(each) for each in node.decorator_list):
                fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
                names = [ast.unparse(each.target) for each in fields if "ClassVar" not in ast.unparse(each.annotation)]
                yield from (name in described(text) for name in names if not name.startswith("_"))
            yield from parameters(node.body, text)


def sizes(root):
    """Return all figures of a checkout by their names."""
    found, stems, imports, marks = collections.Counter(), collections.Counter(), 0, []
    for folder, depth in FOLDERS.items():
        for path in sorted((root / folder).rglob("*.py")):
            text = path.read_text("utf-8")
            lines, inside = code_lines(text), path.relative_to(root / folder).parts[:-1]
            room = "/".join((folder, *inside[:depth]))
            found[room] += lines
            if folder != "src/seqcast":
                continue
            found["lines of src"] += lines
            found["modules of src"] += 1
            found[f"modules of src under {SHORT} lines"] += lines < SHORT and path.name != "__init__.py"
            tree = ast.parse(text)
            imports += import_lines(tree)
            stems[path.stem] += path.stem not in ("__init__", "__main__")
            if not path.name.startswith("_") or path.name == "__init__.py":
                marks += parameters(tree.body)
    whole = dict(found)
    whole["imports and __all__ of src, %"] = round(100 * imports / found["lines of src"], 1)
    whole["described parameters of src, %"] = round(100 * sum(marks) / len(marks), 1)
    whole["file names of src that occur twice"] = sum(count > 1 for count in stems.values())
    whole["words of docs"] = sum(len(path.read_text("utf-8").split()) for path in (root / "docs").rglob("*.md"))
    return whole


def main():
    """Print the table."""
    parser = options(__doc__)
    parser.add_argument("commit", nargs="?", help="what to compare the checkout with")
    commit = parser.parse_args().commit
    sides = {"checkout": sizes(ROOT)}
    if commit:
        with tempfile.TemporaryDirectory() as folder:
            archive = subprocess.run(["git", "archive", full_name(commit)], cwd=ROOT, capture_output=True, check=True)
            subprocess.run(["tar", "x", "-C", folder], input=archive.stdout, check=True)
            sides = {commit: sizes(Path(folder)), **sides}
    names = sorted({name for side in sides.values() for name in side}, key=lambda name: ("/" not in name, name))
    print(table(["", *sides], [[name, *(f"{side.get(name, 0):,}" for side in sides.values())] for name in names]))


if __name__ == "__main__":
    main()
