"""What stands beside the package: workflows, and how to cite it."""

import ast
import pkgutil
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import seqcast
from seqcast.runtime.file_checks import portable_name

ROOT = Path(__file__).parent.parent
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text())
    for path in (ROOT / ".github" / "workflows").glob("*.yml")
}
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def matrix_values(job, name):
    """All values that a job's matrix gives a name."""
    matrix = job.get("strategy", {}).get("matrix", {})
    return [
        *matrix.get(name, []),
        *(each[name] for each in matrix.get("include", []) if name in each),
    ]


def made(workflow):
    """The targets of `make` that a workflow names."""
    targets = []
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            words = re.findall(r"\bmake +(\S+)", step.get("run", ""))
            targets += [word for word in words if word != '"$TARGET"']
            if '"$TARGET"' in words:
                targets += matrix_values(job, re.search(r"matrix\.(\w+)", step["env"]["TARGET"])[1])
    return targets


@pytest.mark.parametrize("name", WORKFLOWS)
def test_each_target_of_make_that_a_workflow_names_is_there(name):
    targets = made(WORKFLOWS[name])
    assert targets
    assert set(targets) <= TARGETS
    # It can do no more than it needs.
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    for job in WORKFLOWS[name]["jobs"].values():
        assert job.get("permissions", {}) in ({}, {"id-token": "write", "attestations": "write"})
        assert job["steps"]
    # A tag may be moved, a digest may not.
    used = re.findall(r"uses: (.*)", (ROOT / ".github" / "workflows" / f"{name}.yml").read_text())
    assert used
    assert [
        each for each in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)
    ] == []


def test_what_has_to_pass_on_a_clean_clone_is_in_the_workflows():
    assert set(WORKFLOWS) == {"docs", "release", "systems", "test"}
    needed = re.findall(r"^make (\S+)", (ROOT / ".ci" / "run").read_text(), flags=re.MULTILINE)
    assert set(needed) <= {target for workflow in WORKFLOWS.values() for target in made(workflow)}


def test_only_one_digest_is_used_of_each_action():
    used = re.findall(
        r"uses: ([\w/-]+)@(\w+)", "".join(map(Path.read_text, (ROOT / ".github").rglob("*.yml")))
    )
    assert len(set(used)) == len({name for name, _ in used}) > 5


def test_other_files_name_the_addresses_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    source = project["urls"]["Source"]
    assert {"Source", "Documentation", "Changelog", "Issues", "Security"} <= set(project["urls"])
    assert all(url.startswith(source) for url in project["urls"].values())
    links = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml").read_text())[
        "contact_links"
    ]
    assert [link["url"] for link in links] == [f"{source}/security/advisories/new"]
    # PEP 639: the licence is an expression, and no classifier says it again.
    assert project["license"] == "MIT"
    assert not [each for each in project["classifiers"] if each.startswith("License")]


def test_the_page_of_lower_bounds_says_what_the_package_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = {
        Requirement(each).name: Requirement(each).specifier for each in project["dependencies"]
    }
    bounds["Python"] = SpecifierSet(project["requires-python"])
    page = (ROOT / "CONTRIBUTING.md").read_text().partition("## Which versions are supported")[2]
    rows = re.findall(r"^\| (\S+) \| ([\d.]+) \| \w+ \d{4} \|", page, flags=re.MULTILINE)
    assert {"Python", "numpy", "pandas", "scikit-learn", "jax"} <= {name for name, _ in rows}
    for name, version in rows:
        assert f">={version}" in str(bounds[name])


def test_the_citation_has_what_its_schema_needs():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert all("name" in author or "family-names" in author for author in citation["authors"])
    assert citation["version"] == Version(seqcast.__version__).base_version
    assert citation["license"] == "MIT"
    version = Version(seqcast.__version__)
    assert (len(version.release), version.epoch, version.local, version.post) == (3, 0, None, None)
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= set(reference)


# ---------------------------------------------------------------- versions and stability


PACKAGES = sorted(
    module.name
    for module in pkgutil.iter_modules(seqcast.__path__)
    if not module.name.startswith("_")
)


def stability(module):
    """The word that the source of a module says of itself; read, not imported."""
    folder = ROOT / "src" / "seqcast"
    path = next(
        each
        for each in (folder / module / "__init__.py", folder / f"{module}.py")
        if each.is_file()
    )
    text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    found = re.findall(r"^Stability: (\w+)\.", text, flags=re.MULTILINE)
    assert len(found) == 1, f"{path}: one line such as 'Stability: experimental.'"
    return found[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_says_how_stable_it_is_as_the_page_does(package):
    page = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(
        r"^\| (stable|experimental|internal) \| .* \| (.*) \|$", page, flags=re.MULTILINE
    )
    told = {name: word for word, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert set(told) == set(PACKAGES)
    assert stability(package) == told[package]


def test_the_root_says_which_of_its_names_are_experimental():
    """Each public name is as stable as the package that it is from."""
    stub = ast.parse((ROOT / "src" / "seqcast" / "__init__.pyi").read_text("utf-8")).body
    places = {line.names[0].name: line.module for line in stub if line.module != "_version"}
    experimental = {name for name, package in places.items() if stability(package) != "stable"}
    told = re.search(r"^Stability: stable\.(.*)$", seqcast.__doc__, flags=re.MULTILINE)[1]
    assert set(re.findall(r"`(\w+)`", told)) == experimental


# Top-level folders with programs.
FOLDERS = ("benchmarks", "pretraining", "studies")


def test_no_program_is_named_like_a_library():
    """The folder of a program is the first place where Python looks for what a library imports, `coverage` say."""
    programs = {path.stem for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    others = {*sys.stdlib_module_names, *packages_distributions(), "coverage", "distributed"}
    assert len(programs) > 30
    assert not programs & others


def test_the_tests_that_hold_the_promises_of_the_page_on_security_are_there():
    page = (
        (ROOT / "docs" / "security.md")
        .read_text()
        .partition("## Which test holds which promise")[2]
    )
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", page)
    assert len(named) > 40
    for path, function in named:
        text = (ROOT / "tests" / path).read_text()
        assert re.search(rf"^(?:async )?def {function}\(", text, flags=re.MULTILINE), function


# What unpickles, each with the reason why its bytes are this program's own.
UNPICKLED = {
    "app/job_queue.py": 1,  # an error of the same process, which was pickled a moment before
    "distributed/ray_cluster.py": 2,  # items and errors between the processes of one Ray cluster
}
UNPICKLERS = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
READERS = {"load", "loads", "Unpickler", "open", "read_pickle", "DbfilenameShelf"}


def unpickles(tree):
    """Return the lines of a module that may unpickle something, whatever name the function has there."""
    modules = {}
    functions = set()
    lines = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {
                each.asname or each.name.split(".")[0]: each.name.split(".")[0]
                for each in node.names
            }
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in UNPICKLERS:
            functions |= {each.asname or each.name for each in node.names if each.name in READERS}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = modules.get(node.value.id) if isinstance(node.value, ast.Name) else None
            if node.attr == "read_pickle" or (owner in UNPICKLERS and node.attr in READERS):
                lines.add(node.lineno)
        elif isinstance(node, ast.Name) and node.id in functions:
            lines.add(node.lineno)
        elif (
            isinstance(node, ast.keyword)
            and node.arg == "allow_pickle"
            and ast.unparse(node.value) != "False"
        ):
            lines.add(node.value.lineno)
    return lines


@pytest.mark.parametrize(
    "code",
    [
        "import pickle\npickle.loads(b'')",
        "import pickle as p\nread = p.load",
        "from pickle import loads as read\nread(b'')",
        "from joblib import load\nload('a')",
        "import numpy as np\nnp.load('a', allow_pickle=True)",
        "import numpy as np\nnp.load('a', allow_pickle=some)",
        "import pandas\npandas.read_pickle('a')",
    ],
)
def test_what_unpickles_is_found(code):
    assert unpickles(ast.parse(code)) == {2}


def test_nothing_of_the_package_unpickles_but_what_is_its_own():
    package = Path(seqcast.__file__).parent
    found = {
        path.relative_to(package).as_posix(): len(lines)
        for path in package.rglob("*.py")
        if (lines := unpickles(ast.parse(path.read_text("utf-8"))))
    }
    assert found == UNPICKLED


def test_each_file_can_be_checked_out_on_every_system():
    """Windows forbids some names, and it and macOS take letters of both cases for the same."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no clone")
    paths = [Path(line) for line in listed.stdout.splitlines()]
    assert [path for path in paths if any(portable_name(part) != part for part in path.parts)] == []
    assert len({str(path).casefold() for path in paths}) == len(paths)
    assert "* text=auto eol=lf" in (ROOT / ".gitattributes").read_text("utf-8").splitlines()
