"""Results are measured once, and again when anything changes that they depend on."""

import json

import pytest

from seqcast.studies import NAMES, cache
from seqcast.studies.cache import cached, cached_path, code_key, library_versions


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
    "engine/deep/inner.py": "def answer():\n    '''Words.'''\n    return 42\n",
    "plots/pictures.py": "draw = print\n",
    "studies/horizon.py": "class Study:\n    def run(self): return 1\n    def figures(self): return draw()\n",
    "studies/noise.py": "STUDY = 1\n",
    "studies/tasks.py": "SIZE = 3\n",
}
EXECUTED = ["__init__.py", "engine/deep/inner.py", "studies/horizon.py", "studies/tasks.py"]


@pytest.fixture
def package(tmp_path):
    for name, source in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_code_that_a_run_can_execute_changes_the_key(package, name):
    before = code_key("horizon", package)
    with (package / name).open("a") as file:
        file.write("\nADDED = 1\n")
    assert (code_key("horizon", package) != before) is (name in EXECUTED)


@pytest.mark.parametrize(
    ("name", "old", "new", "same"),
    [
        ("engine/deep/inner.py", "Words.", "Other words.", True),
        ("engine/deep/inner.py", "return 42", "return 42  # a comment", True),
        ("engine/deep/inner.py", "return 42", "return (42)", True),
        ("engine/deep/inner.py", "42", "43", False),
        ("studies/horizon.py", "draw()", "draw", True),
        ("studies/horizon.py", "return 1", "return 2", False),
    ],
)
def test_words_and_pictures_do_not_count(package, name, old, new, same):
    before = code_key("horizon", package)
    path = package / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert (code_key("horizon", package) == before) is same


def test_modules_that_come_go_or_move_change_the_key(package):
    keys = {code_key("horizon", package)}
    (package / "engine" / "deep" / "inner.py").rename(package / "engine" / "inner.py")
    keys.add(code_key("horizon", package))
    (package / "engine" / "new.py").write_text("")
    keys.add(code_key("horizon", package))
    (package / "studies" / "tasks.py").unlink()
    assert len({*keys, code_key("horizon", package)}) == 4


def test_each_study_has_a_key_of_its_own_and_rooms_that_are_left_out_are_there():
    assert len({code_key(name) for name in NAMES[:2]}) == 2
    assert all((cache._PACKAGE / room).is_dir() for room in cache._SHOWING)
