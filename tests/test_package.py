"""What users install: the source archive and the wheel, built, looked into, and installed where nothing else is.

Nothing is fetched: the packages that the wheel asks for are those of this environment.
"""

import hashlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import seqcast

ROOT = Path(__file__).parent.parent
MOST_BYTES = 12 << 20
# Beside Python: types, data sets, weights, templates.
DATA = {
    *("seqcast/py.typed", "seqcast/data/samples/SOURCES.md", "seqcast/data/samples/catalogue.json"),
    *(f"seqcast/data/samples/{name}.csv" for name in ("co2", "elnino", "lynx", "sunspots")),
    *(
        "seqcast/interop/card.md.j2",
        "seqcast/pretrained/WEIGHTS.md",
        "seqcast/pretrained/weights.seqcast",
    ),
    *("seqcast/report/page.html.j2", "seqcast/tables/month_names.csv"),
}
METADATA = ("METADATA", "WHEEL", "RECORD", "entry_points.txt")
FORECAST = """
import sys
import seqcast
from seqcast.data.datasets import load

assert seqcast.__file__.startswith(sys.prefix), seqcast.__file__
forecast = seqcast.forecast(load("elnino"), 12, verbose=0)
assert len(forecast) == 12 and forecast["seqcast"].notna().all()
print(seqcast.__version__)
"""

pytestmark = pytest.mark.processes


def call(*command, folder=ROOT, **changes):
    """Run a command and return what it prints; without the variables that would find this checkout."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")
    }
    environment |= {
        "KERAS_BACKEND": "jax",
        "SEQCAST_CACHE_DIR": "off",
        "COLUMNS": "120",
        "NO_COLOR": "1",
        **changes,
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The source archive, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder)
    (archive,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return archive, wheel


def needed(requirements):
    """Return the distributions that requirements ask for, and those that these ask for, by their names."""
    found = {}
    waiting = [(Requirement(text), ("",)) for text in requirements]
    while waiting:
        requirement, extras = waiting.pop()
        if requirement.marker is not None and not any(
            requirement.marker.evaluate({"extra": each}) for each in extras
        ):
            continue
        name = canonicalize_name(requirement.name)
        own = tuple(sorted(requirement.extras)) or ("",)
        distribution = importlib.metadata.distribution(name)
        assert requirement.specifier.contains(distribution.version, prereleases=True), requirement
        if own not in found.setdefault(name, (distribution, set()))[1]:
            found[name][1].add(own)
            waiting += [(Requirement(text), own) for text in distribution.requires or ()]
    return {name: distribution for name, (distribution, _) in found.items()}


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """An environment that holds the wheel, and nothing but what it asks for."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    packages = Path(
        call(
            commands / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"
        ).strip()
    )
    with zipfile.ZipFile(built[1]) as wheel:
        (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        told = importlib.metadata.PathDistribution(
            zipfile.Path(wheel, metadata.removesuffix("METADATA"))
        )
        for distribution in needed(told.requires).values():
            for top in {path.parts[0] for path in distribution.files} - {"..", "__pycache__"}:
                if not (packages / top).exists():
                    (packages / top).symlink_to(distribution.locate_file(top))
    call(
        commands / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", built[1]
    )
    return commands


# ---------------------------------------------------------------- what is in them


def test_both_are_what_an_index_takes(built):
    assert "PASSED" in call(sys.executable, "-m", "twine", "check", "--strict", *built)
    for path in built:
        assert path.stat().st_size < MOST_BYTES
        assert re.match(rf"seqcast-{re.escape(str(Version(seqcast.__version__)))}[.-]", path.name)


def test_the_wheel_holds_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built[1]) as wheel:
        names = set(wheel.namelist())
    source = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src").rglob("*")
        if path.is_file()
    }
    source = {name for name in source if "__pycache__" not in name}
    assert {name for name in names if ".dist-info/" not in name} == source
    assert {name for name in source if not name.endswith((".py", ".pyi"))} == DATA
    described = {name.partition(".dist-info/")[2] for name in names} - {""}
    assert described == {*METADATA, "licenses/LICENSE", "sboms/seqcast.cdx.json"}


def test_the_bill_of_materials_lists_what_is_bundled_with_its_digest_and_licence(built):
    with zipfile.ZipFile(built[1]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith("/sboms/seqcast.cdx.json"))
        bill = json.loads(wheel.read(name))
        parts = {part["name"]: part for part in bill["components"]}
        assert set(parts) == {name for name in DATA if name.endswith((".csv", ".seqcast"))}
        for name, part in parts.items():
            assert part["hashes"] == [
                {"alg": "SHA-256", "content": hashlib.sha256(wheel.read(name)).hexdigest()}
            ]
            assert part["licenses"]
    assert (bill["bomFormat"], bill["metadata"]["component"]["version"]) == (
        "CycloneDX",
        seqcast.__version__,
    )


def test_the_source_archive_holds_all_that_is_tracked(built):
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    tracked = call("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z").split(
        "\0"
    )
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    # An older hatchling takes a work tree's `.git`, which is a file, for one of ours.
    assert names - {"PKG-INFO", ".git"} == {
        name for name in tracked if name and (ROOT / name).exists()
    }


# ---------------------------------------------------------------- what they do


def test_it_forecasts_and_the_command_answers_where_nothing_else_is(installed, tmp_path):
    assert (
        call(installed / "python", "-c", FORECAST, folder=tmp_path).strip() == seqcast.__version__
    )
    assert "No broken requirements found" in call(
        installed / "python", "-m", "pip", "check", folder=tmp_path
    )
    told = call(installed / "seqcast", "--help", folder=tmp_path).split()
    assert {"fit", "predict", "backtest", "serve"} <= set(told)
    assert "pip install" in call(
        installed / "seqcast", "doctor", folder=tmp_path
    )  # the extras, none of which is there


def test_tests_run_from_the_source_archive(built, tmp_path):
    with tarfile.open(built[0]) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    files = ["tests/test_import.py", "tests/test_project.py", "tests/test_readme.py"]
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "not documents",
        *files,
    )
    assert "passed" in call(*command, folder=source, PYTHONPATH=str(source / "src"))
