"""Results are measured once, and again when anything changes that they depend on."""

import json

import pytest

from seqcast.errors import MissingFileError
from seqcast.studies import NAMES, cache
from seqcast.studies.cache import cached, cached_path, code_key, library_versions, source_files


def test_results_are_measured_once(tmp_path):
    calls, lines = [], []

    def measure():
        calls.append(1)
        return {"value": 7}

    first = cached(tmp_path, "Some thing", 1, {"width": 3}, measure, lines.append)
    assert first == {"setting": "Some thing", "seed": 1, "width": 3, "value": 7}
    assert cached(tmp_path, "Some thing", 1, {"width": 3}, measure, lines.append) == first
    assert lines == ["Some thing, seed 1"]
    cached(tmp_path, "Some thing", 1, {"width": 4}, measure)
    cached(tmp_path, "Some thing", 2, {"width": 3}, measure)
    assert len(calls) == 3
    assert json.loads(cached_path(tmp_path, "Some thing", 1, {"width": 3}).read_text()) == first


def test_another_version_of_a_library_is_another_key(monkeypatch):
    before = library_versions()
    assert {"keras", "jax", "numpy", "scikit-learn"} <= set(before)
    monkeypatch.setattr(cache.metadata, "version", lambda name: "0.0" if name == "jax" else before[name])
    assert library_versions() == {**before, "jax": "0.0"}


FILES = {
    "__init__.py": "",
    "study.py": """
        from typing import TYPE_CHECKING

        from pkg.base import Base

        if TYPE_CHECKING:
            from pkg.types import Thing

        class Study(Base):
            def run(self):
                from pkg import late
                return late.answer()

            def figures(self):
                from pkg.pictures import draw
                return draw()
    """,
    "base.py": "import pkg.deep.inner as inner\nclass Base: size = inner.SIZE",
    "late.py": "from .deep import helper\nfrom pkg.door import opened\nanswer = helper.answer",
    "deep/__init__.py": "from pkg.deep.exported import NAME",
    "deep/inner.py": "import json\nSIZE = 3",
    "deep/helper.py": "def answer():\n    '''Words.'''\n    return 42",
    "deep/exported.py": "NAME = 'x'",
    "deep/aside.py": "OTHER = 1",
    "door/__init__.py": "__getattr__ = print",
    "door/__init__.pyi": "from .behind import opened as opened\nfrom .shut import other as other",
    "door/behind.py": "opened = 1",
    "door/shut.py": "other = 1",
    "pictures.py": "draw = print",
    "types.py": "class Thing: ...",
}
EXECUTED = ["base.py", "deep/__init__.py", "deep/exported.py", "deep/helper.py", "deep/inner.py", "late.py", "study.py"]
EXECUTED += ["door/__init__.py", "door/behind.py"]


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "pkg"
    for name, source in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = source.splitlines()
        path.write_text("\n".join(line.removeprefix(" " * 8) for line in lines) + "\n")
    return folder


def test_imports_are_followed(package):
    files = source_files("pkg.study", package)
    assert sorted(str(path.relative_to(package)) for path in files.values()) == sorted(["__init__.py", *EXECUTED])


@pytest.mark.parametrize("name", EXECUTED)
def test_code_that_is_executed_changes_the_key(package, name):
    before = code_key("pkg.study", package)
    with (package / name).open("a") as file:
        file.write("\nADDED = 1\n")
    assert code_key("pkg.study", package) != before


@pytest.mark.parametrize("name", sorted({*FILES} - {*EXECUTED, "__init__.py"}))
def test_code_that_is_not_executed_does_not(package, name):
    before = code_key("pkg.study", package)
    with (package / name).open("a") as file:
        file.write("\nADDED = 1\n")
    assert code_key("pkg.study", package) == before


@pytest.mark.parametrize(
    ("name", "old", "new", "same"),
    [
        ("deep/helper.py", "Words.", "Other words.", True),
        ("deep/helper.py", "return 42", "return 42  # a comment", True),
        ("deep/helper.py", "return 42", "return (42)", True),
        ("study.py", "return draw()", "return draw", True),
        ("study.py", "late.answer()", "late.answer", False),
        ("deep/helper.py", "42", "43", False),
    ],
)
def test_words_and_pictures_do_not_count(package, name, old, new, same):
    before = code_key("pkg.study", package)
    path = package / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert (code_key("pkg.study", package) == before) is same


def test_a_module_that_moves_is_followed(package):
    before = code_key("pkg.study", package)
    (package / "deep" / "inner.py").rename(package / "inner.py")
    (package / "base.py").write_text("import pkg.inner as inner\nclass Base: size = inner.SIZE")
    after = code_key("pkg.study", package)
    assert after != before
    (package / "inner.py").write_text("SIZE = 4")
    assert code_key("pkg.study", package) not in (before, after)


@pytest.mark.parametrize("name", ["deep/inner.py", "deep/exported.py", "base.py", "study.py"])
def test_a_missing_module_is_refused(package, name):
    (package / name).unlink()
    module = f"pkg.{name.removesuffix('.py').replace('/', '.')}"
    with pytest.raises(MissingFileError, match=rf"{module}, imported by .*expected a module in"):
        code_key("pkg.study", package)


@pytest.mark.parametrize("name", NAMES)
def test_each_study_depends_on_itself_and_the_network(name):
    files = source_files(f"seqcast.studies.{name}")
    others = {f"seqcast.studies.{other}" for other in NAMES if other != name}
    assert {f"seqcast.studies.{name}", "seqcast.network.decoder", "seqcast.regressor.estimator"} <= set(files)
    assert not others & set(files)
    assert not any(module.startswith(("seqcast.plots", "seqcast.cli", "seqcast.report")) for module in files)


def test_studies_differ():
    assert len({code_key(f"seqcast.studies.{name}") for name in ("states", "horizon", "noise")}) == 3
