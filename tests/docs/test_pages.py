"""The pages of the site: each is in the navigation, each public name on one of the reference, links lead somewhere."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
import yaml

import seqcast

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
REFERENCE = {
    path: re.findall(r"^#*\s*::: (\S+)$", path.read_text(), flags=re.MULTILINE)
    for path in sorted((DOCS / "reference").glob("*.md"))
}
# Packages and modules all of whose names are for users; of errors those that can be raised, and
# types of their fields.
PUBLIC = [
    "seqcast",
    *(f"seqcast.data{module}" for module in ("", ".datasets", ".signals")),
    "seqcast.tables.partitioning",
    *(
        f"seqcast.{room}"
        for room in (
            "distributed",
            "evaluation",
            "inspect",
            "network",
            "plots",
            "pretrained",
            "report",
        )
    ),
    *(
        f"seqcast.interop.{module}"
        for module in ("card", "mlflow", "sktime", "tensorboard", "wandb")
    ),
    *("seqcast.intervals.conformal", "seqcast.training.logs", "seqcast.tune"),
]


class _Settings(yaml.SafeLoader):
    """mkdocs.yml: `!ENV [NAME, default]` is the default."""


_Settings.add_constructor("!ENV", lambda loader, node: loader.construct_sequence(node)[-1])


def navigation():
    """Return the paths that the navigation names, in its order."""

    def paths(entry):
        if isinstance(entry, str):
            return [entry]
        entries = entry if isinstance(entry, list) else list(entry.values())
        return [path for each in entries for path in paths(each)]

    return paths(yaml.load((ROOT / "mkdocs.yml").read_text(), _Settings)["nav"])


def documented():
    """Return what the reference documents: each object's names there."""
    found = {}
    for name in (name for names in REFERENCE.values() for name in names):
        # A module goes before a name that its package has from it, as in what reads the docstrings.
        found.setdefault(id(pkgutil.resolve_name(name)), []).append(name)
    return found


# ---------------------------------------------------------------- the navigation


def test_each_page_is_in_the_navigation_once(site_modules):
    pages = site_modules("pages")
    expected = {path.relative_to(DOCS).as_posix() for path in pages.pages_of()} | set(
        pages.DOCUMENTS.values()
    )
    assert sorted(navigation()) == sorted(expected)


def test_the_reference_lists_its_pages():
    listed = re.findall(
        r"^\| \[.+?\]\((\S+\.md)\)",
        (DOCS / "reference" / "index.md").read_text(),
        flags=re.MULTILINE,
    )
    in_navigation = [
        path
        for path in navigation()
        if path.startswith("reference/") and not path.endswith("index.md")
    ]
    assert sorted(f"reference/{path}" for path in listed) == sorted(in_navigation)


# ---------------------------------------------------------------- the reference


@pytest.mark.parametrize("module", PUBLIC)
def test_each_public_name_is_on_one_page(module):
    found = documented()
    parent = importlib.import_module(module)
    places = {name: found.get(id(getattr(parent, name)), []) for name in parent.__all__}
    assert {name: names for name, names in places.items() if len(names) != 1} == {}


def test_each_error_is_on_one_page():
    from seqcast import errors

    classes = {name: cls for name, cls in vars(errors).items() if inspect.isclass(cls)}
    classes["NotFittedError"] = errors.NotFittedError
    raised = [
        name
        for name, cls in classes.items()
        if cls.__module__ == "seqcast.errors" and issubclass(cls, Exception)
    ]
    of_fields = ["Fix", "Option"]
    on_page = [
        name for name in REFERENCE[DOCS / "reference" / "errors.md"] if name != "seqcast.errors"
    ]
    assert sorted(on_page) == sorted(f"seqcast.errors.{name}" for name in (*raised, *of_fields))
    assert raised != []


@pytest.mark.parametrize(
    ("page", "cls"), [("forecaster", "Forecaster"), ("regressor", "Seq2SeqRegressor")]
)
def test_all_methods_of_the_estimators_are_shown(page, cls):
    shown = re.findall(
        r"^ +- (\w+)$", (DOCS / "reference" / f"{page}.md").read_text(), flags=re.MULTILINE
    )
    ours = [base for base in getattr(seqcast, cls).__mro__ if base.__module__.startswith("seqcast")]
    members = {name: value for base in ours for name, value in vars(base).items()}
    methods = {
        name
        for name, value in members.items()
        if inspect.isroutine(value) or isinstance(value, classmethod)
    }
    assert sorted(shown) == sorted(
        name for name in methods if not re.match(r"_|set_\w+_request$", name)
    )


def test_the_reference_says_of_each_page_how_stable_it_is():
    index = (DOCS / "reference" / "index.md").read_text()
    told = re.findall(r"^\| \[.+?\]\((\S+)\) \|.*\| (\w+) \|$", index, flags=re.M)
    assert {name for name, _ in told} == {
        page.name for page in REFERENCE if page.name != "index.md"
    }
    for name, word in told:
        objects = [pkgutil.resolve_name(each) for each in REFERENCE[DOCS / "reference" / name]]
        rooms = {
            getattr(each, "__module__", None) or each.__name__ for each in objects if callable(each)
        }
        rooms = {".".join(room.split(".")[:2]) for room in rooms} or {"seqcast.cli"}
        texts = [importlib.import_module(room).__doc__ for room in rooms]
        words = {re.search(r"^Stability: (\w+)\.", text, flags=re.M)[1] for text in texts}
        assert words == {word}, f"{name}: {rooms}"


# ---------------------------------------------------------------- what the site is built from


@pytest.fixture(scope="module")
def gathered(site_modules, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    site_modules("pages").gather(folder)
    return folder


def test_documents_outside_docs_are_pages(gathered):
    assert "](../architecture.md)" in (gathered / "project" / "contributing.md").read_text()
    assert "](project/contributing.md#a-store)" in (gathered / "architecture.md").read_text()
    assert (gathered / "project" / "changelog.md").exists()
    assert "](index.md)" in (gathered / "features.md").read_text()


def test_examples_are_shown_as_code(gathered):
    assert (
        "](project/files/examples/inside_demand.py.md)" in (gathered / "inspection.md").read_text()
    )
    page = (gathered / "project" / "files" / "examples" / "inside_demand.py.md").read_text()
    assert (ROOT / "examples" / "inside_demand.py").read_text().rstrip() in page
    folder = (gathered / "project" / "files" / "examples" / "clients.md").read_text()
    clients = re.findall(r"^## forecast\.(.+)$", folder, flags=re.MULTILINE)
    assert clients == ["R", "mjs", "py", "sh"]


def test_links_and_pictures_of_gathered_pages_are_there(gathered):
    assert list(gathered.rglob("*.py")) == list(gathered.glob("site/*")) == []
    for page in gathered.rglob("*.md"):
        text = re.sub(r"^(```+|~~~~).*?^\1$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\(([^)\s#:]+)(?:#[^)]*)?\)", text):
            assert (page.parent / target).exists(), f"{page.relative_to(gathered)}: {target}"


def test_the_command_line_shows_each_command_with_its_first_paragraph(gathered):
    from seqcast.cli.main import app

    page = (gathered / "reference" / "command-line.md").read_text()
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    assert re.findall(r"^## `seqcast (\S+)`$", page, flags=re.MULTILINE) == names
    listed = re.findall(r"^\* \[`(\S+)`\]\(#seqcast-\1\): (.+)$", page, flags=re.MULTILINE)
    assert [name for name, _ in listed] == names
    assert [sentence for _, sentence in listed if sentence.endswith("...")] == []


def test_programs_find_each_page_of_the_navigation_with_a_sentence(site_modules, gathered):
    text = site_modules("llms").llms_text(gathered)
    assert text.startswith("# seqcast\n\n> Sequence-to-sequence forecasting")
    links = re.findall(r"^- \[(.+?)\]\((\S+)\.html\)(?:: (.+))?$", text, flags=re.MULTILINE)
    assert sorted(f"{path}.md" for _, path, _ in links) == sorted(navigation())
    assert len(re.findall(r"^- ", text, flags=re.MULTILINE)) == len(links)
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == [
        "First",
        "How-to",
        "Coming from",
        "Reference",
        "Why",
    ]
    sentences = [sentence for _, _, sentence in links if sentence]
    assert len(sentences) > 0.8 * len(links)
    assert [each for each in sentences if "](" in each or each[0] in "|*#!"] == []


# ---------------------------------------------------------------- docstrings


def test_what_is_experimental_is_labelled(site_modules):
    griffe = pytest.importorskip("griffe")
    extensions = griffe.load_extensions(site_modules("docstrings").Docstrings)
    package = griffe.load("seqcast", search_paths=[str(ROOT / "src")], extensions=extensions)
    assert "experimental" in package["inspect.state_space.gate_statistics"].labels
    assert "experimental" in package["serve.server.create_app"].labels
    assert "experimental" not in package["forecaster.estimator.Forecaster"].labels


def test_equations_of_docstrings_become_display_equations(site_modules):
    rewritten = site_modules("docstrings").with_equations
    assert rewritten("A.\n\n.. math:: a\n    + b\n\nEnd.") == "A.\n\n$$\na\n+ b\n$$\n\nEnd."
    block = "A.\n\n    .. math::\n        a = b\n\n        c = d\n\n    with `a`."
    assert rewritten(block) == (
        "A.\n\n    $$\n    \\begin{gathered}\n    a = b \\\\\n    c = d\n    \\end{gathered}\n    $$\n\n    with `a`."
    )
    # None of the package is written in a way that the rewriting does not know.
    texts = [path.read_text() for path in (ROOT / "src").rglob("*.py")]
    assert sum(text.count(".. math::") for text in texts) > 30
    assert [text for text in texts if ".. math::" in rewritten(text)] == []
