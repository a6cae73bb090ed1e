"""Commands that write, on machines where something is wrong: a result is whole or missing, and an error one line.

A few pairs of command and condition are tried here; `make conditions` tries all.
"""

import os
import shutil
import sys

import pytest

from tests.cli.commands import COMMANDS, command_line, finish, write_inputs

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux"),
]

ALL = "SEQCAST_CONDITIONS" in os.environ
NOWHERE = "/proc/none"
# No file may become larger than this; the signal that would end the process is ignored, so that
# writing fails.
FULL_DISK = """
import resource, signal, sys
sys.dont_write_bytecode = True  # Python would leave the first bytes of a file, and fail to import it afterwards
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
"""
LITTLE_MEMORY = """
import resource
resource.setrlimit(resource.RLIMIT_AS, ({size} << 20, {size} << 20))
"""
# OpenBLAS ends the process with exit code 1 where it has no memory.
ENDS_BY_ITSELF = b"OpenBLAS error: Memory allocation still failed"
HOMELESS = dict.fromkeys(
    ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "SEQCAST_CACHE_DIR", "MPLCONFIGDIR")
)
# Conditions under which each command does its work all the same: environment variables and streams.
HARMLESS = {
    "no home": ({**HOMELESS, "HOME": NOWHERE}, {}),
    "read-only cache": ({"SEQCAST_CACHE_DIR": NOWHERE, "MPLCONFIGDIR": NOWHERE}, {}),
    "one thread": ({"SEQCAST_THREADS": "1", "OMP_NUM_THREADS": "1"}, {}),
    "ASCII": ({"PYTHONIOENCODING": "ascii"}, {}),
    "code page 1252": ({"PYTHONIOENCODING": "cp1252"}, {}),
    "full standard error": ({}, {"stderr": "/dev/full"}),
}
# What a usual run tries.
FEW_FULL = ("update", "partition", "plot")
FEW_MEMORY = ("describe",)
FEW_OUT = ("plot", "describe")
FEW_HARMLESS = (("plot", "no home"), ("describe", "ASCII"), ("predict", "full standard error"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The inputs of commands."""
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


@pytest.fixture
def out(tmp_path):
    """A folder for results, next to one for temporary files."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def temporary_files(out):
    return {"TMPDIR": str(out.with_name("temporary"))}


def remains(out):
    """Return what is left in the folders for temporary files and for results, but for folders and locks."""
    paths = [*out.rglob("*"), *out.with_name("temporary").rglob("*")]
    return [path for path in paths if path.is_file() and path.name != ".lock"]


def check_error(done):
    errors = done.stderr.decode()
    assert done.returncode == 1, errors
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors
    assert errors.strip().splitlines()[-1].startswith("Error: "), errors


@pytest.mark.parametrize("name", COMMANDS if ALL else FEW_FULL)
def test_a_full_disk(name, folder, out):
    done = finish(
        command_line(COMMANDS[name], folder, out, FULL_DISK), changes=temporary_files(out)
    )
    check_error(done)
    assert not remains(out)


@pytest.mark.parametrize("name", COMMANDS if ALL else FEW_OUT)
def test_a_full_standard_output(name, folder, out):
    """The result is written before the line that says so, which has no room."""
    with open("/dev/full", "wb") as full:
        line = command_line(COMMANDS[name], folder, out)
        done = finish(line, changes=temporary_files(out), stdout=full)
    if name != "explain":  # its note goes to standard error, before the table
        check_error(done)
    assert b"Traceback" not in done.stderr
    assert ".part" not in {path.suffix for path in remains(out)}


@pytest.mark.parametrize("size", [600, 1000, 2000, 3000] if ALL else [1000])
@pytest.mark.parametrize("name", COMMANDS if ALL else FEW_MEMORY)
def test_little_memory(name, size, folder, out):
    """A library that ends the process itself leaves what SIGKILL does, but never half a result."""
    first = LITTLE_MEMORY.format(size=size)
    done = finish(command_line(COMMANDS[name], folder, out, first), changes=temporary_files(out))
    if done.returncode in (0, 1):
        assert b"Traceback" not in done.stderr, done.stderr.decode()
    if done.returncode == 1 and not done.stderr.startswith(ENDS_BY_ITSELF):
        check_error(done)


@pytest.mark.parametrize(
    ("name", "condition"),
    [(name, each) for name in COMMANDS for each in HARMLESS] if ALL else FEW_HARMLESS,
)
def test_harmless_conditions(name, condition, folder, out):
    changes, streams = HARMLESS[condition]
    with open(streams.get("stderr", os.devnull), "wb") as errors:
        line = command_line(COMMANDS[name], folder, out)
        given = {"stderr": errors} if streams else {}
        done = finish(line, changes={**temporary_files(out), **changes}, **given)
    assert done.returncode == 0, (done.stderr or b"").decode()
    assert b"Traceback" not in (done.stderr or b"")
    assert remains(out)
    assert not [path for path in remains(out) if path.suffix == ".part"]


@pytest.mark.skipif(shutil.which("taskset") is None, reason="taskset is missing")
@pytest.mark.parametrize("name", COMMANDS if ALL else ["update"])
def test_one_core(name, folder, out):
    core = str(min(os.sched_getaffinity(0)))
    line = ["taskset", "-c", core, *command_line(COMMANDS[name], folder, out)]
    done = finish(line, changes=temporary_files(out))
    assert done.returncode == 0, done.stderr.decode()
    assert remains(out)
