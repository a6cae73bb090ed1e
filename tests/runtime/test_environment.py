"""What seqcast runs on is found, and so is what is missing."""

import json
import sys
from importlib import metadata

import pytest

from seqcast.runtime.environment import current_environment

NEEDED = [
    "numpy>=2.0",
    "nothing-of-this-name>=1",
    "pandas>=99",
    "scipy>=1; python_version < '3'",
    "polars>=1.20; extra == 'polars'",
    "nor-of-this>=2; extra == 'far'",
    "pytest>=999; extra == 'dev'",
]


@pytest.fixture
def needed(monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda name: NEEDED)


def test_this_environment_has_all_that_is_needed():
    found = current_environment()
    assert found["problems"] == []
    assert found["packages"]["keras"] == metadata.version("keras")
    assert "dev" not in found["extras"]
    assert set(found["extras"]["files"]) == {"duckdb", "fastexcel", "pyarrow"}
    assert found["devices"]
    assert 1 <= found["threads"] <= found["cores"]


def test_what_is_missing_or_does_not_fit_is_a_problem(needed):
    found = current_environment()
    assert list(found["packages"]) == ["numpy", "nothing-of-this-name", "pandas"]
    assert found["extras"] == {
        "polars": {"polars": metadata.version("polars")},
        "far": {"nor-of-this": None},
    }
    missing, unfit = found["problems"]
    assert missing.endswith("pip install nothing-of-this-name")
    assert unfit.startswith("pandas ")
    assert unfit.endswith("pip install 'pandas>=99'")
    assert json.loads(json.dumps(found)) == found


def test_a_backend_that_is_not_there_is_a_problem(monkeypatch):
    monkeypatch.setitem(sys.modules, "seqcast.runtime.backend", None)
    found = current_environment()
    assert (found["backend"], found["devices"], found["cache"]) == ("", [], None)
    assert found["problems"][-1].startswith("the backend of Keras cannot be imported")


def test_a_backend_may_tell_no_devices(monkeypatch):
    def untold():
        raise AttributeError("list_devices")

    monkeypatch.setattr("keras.distribution.list_devices", untold)
    found = current_environment()
    assert found["devices"] == []
    assert found["problems"] == []


def test_a_source_tree_that_was_not_installed_needs_nothing(monkeypatch):
    def unknown(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", unknown)
    assert current_environment()["packages"] == {}


def test_variables_and_programs_are_told(monkeypatch, tmp_path):
    monkeypatch.setenv("SEQCAST_THREADS", "1")
    monkeypatch.setenv("SEQCAST_SECRET", "x")
    found = current_environment()
    assert found["variables"]["SEQCAST_THREADS"] == "1"
    assert "SEQCAST_SECRET" not in found["variables"]
    assert found["threads"] == 1
    for name, size in (("a-cache", 10), ("a-atime", 1), ("b-cache", 5)):
        (tmp_path / name).write_bytes(b"x" * size)
    monkeypatch.setattr("seqcast.runtime.program_cache.cache_compilations", lambda: tmp_path)
    found = current_environment()
    assert (found["cache"], found["programs"], found["program_bytes"]) == (str(tmp_path), 2, 15)
    monkeypatch.setattr("seqcast.runtime.program_cache.cache_compilations", lambda: None)
    assert current_environment()["cache"] is None
