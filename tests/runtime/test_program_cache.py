"""Compiled programs are kept between processes, unless the user has a say."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import keras
import pytest

from seqcast.errors import SeqcastWarning
from seqcast.runtime import program_cache
from seqcast.runtime.program_cache import SETTINGS, cache_compilations, cache_variables

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="programs of JAX")
needs_permissions = pytest.mark.skipif(
    not hasattr(os, "getuid"), reason="owners and permissions of POSIX"
)

FOLDER = "jax_compilation_cache_dir"
OURS = {name: value for name, (_, value) in SETTINGS.items()}
SIZE, SECONDS, _ = OURS


class Config:
    """JAX's settings, with its defaults, and the order in which they are updated."""

    def __init__(self):
        self.jax_enable_compilation_cache = True
        self.jax_compilation_cache_dir = None
        self.updated = []
        self.jax_logging_level = "NOTSET"
        vars(self).update({name: default for name, (default, _) in SETTINGS.items()})

    def update(self, name, value):
        setattr(self, name, value)
        self.updated.append(name)

    def ours(self):
        return {name: getattr(self, name) for name in SETTINGS}


@pytest.fixture
def config(monkeypatch, tmp_path):
    """The settings of a JAX that nothing has been told yet, in a process whose user has a cache folder, `home`."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("JAX_")] + [program_cache.VARIABLE]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(config=Config()))
    monkeypatch.setattr("jaxlib.version.__version_info__", program_cache.QUIET_JAXLIB)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "home" / name))
    program_cache._choose_folder.cache_clear()
    yield sys.modules["jax"].config
    program_cache._choose_folder.cache_clear()


# ---------------------------------------------------------------- where programs go


@pytest.mark.parametrize(
    ("named", "used"),
    [
        (None, "home/seqcast/programs"),
        ("else/where", "else/where/programs"),
        ("", None),
        ("off", None),
        (" OFF", None),
    ],
)
def test_programs_go_to_the_users_folder_unless_told_where_or_not_to(
    config, monkeypatch, tmp_path, named, used
):
    if named is not None:
        monkeypatch.setenv("SEQCAST_CACHE_DIR", named)
    programs = tmp_path / used if used else None
    assert cache_compilations() == cache_compilations() == programs
    assert [*tmp_path.rglob("programs")] == [programs][: bool(used)]
    assert getattr(config, FOLDER) == (str(programs) if used else None)
    if used:
        assert config.ours() == OURS
        assert config.updated[-1] == FOLDER
        assert len(config.updated) == 4
    else:
        assert not config.updated
        assert not [*tmp_path.iterdir()]


FOLDERS = [
    ({FOLDER: "mine"}, {}),
    ({FOLDER: ""}, {}),
    ({"jax_enable_compilation_cache": False}, {}),
    ({SIZE: 0}, {}),
    ({}, {"JAX_COMPILATION_CACHE_DIR": "mine"}),
]


@pytest.mark.parametrize(("settings", "variables"), FOLDERS)
def test_what_the_user_has_told_jax_of_a_folder_stays(
    config, monkeypatch, tmp_path, settings, variables
):
    vars(config).update(settings)
    for name, value in {"SEQCAST_CACHE_DIR": "ours", **variables}.items():
        monkeypatch.setenv(name, value)
    assert cache_compilations() is None
    assert not config.updated
    assert not [*tmp_path.iterdir()]


BOUNDS = [
    ({SIZE: 7}, {}, {SIZE: 7}),
    ({SECONDS: 7}, {}, {SECONDS: 7}),
    ({}, {"JAX_COMPILATION_CACHE_MAX_SIZE": "-1"}, {SIZE: -1}),
]


@pytest.mark.parametrize(("settings", "variables", "stays"), BOUNDS)
def test_what_the_user_has_told_jax_of_sizes_and_times_stays(
    config, monkeypatch, settings, variables, stays
):
    vars(config).update(settings)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_compilations()
    assert config.ours() == {**OURS, **stays}


def test_threads_that_compile_at_once_set_it_once(config):
    """Nobody goes on before it is set: a program that is compiled meanwhile would begin a cache without a bound."""
    start = threading.Barrier(8)
    slowly = threading.Event()
    update = config.update
    config.update = lambda *setting: (slowly.wait(0.02), update(*setting))

    def compile_first(_):
        start.wait()
        return cache_compilations(), getattr(config, FOLDER)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(compile_first, range(8)))) == 1
    assert len(config.updated) == 4


# ---------------------------------------------------------------- folders that are not used


def test_where_nothing_can_be_written_nothing_is_kept(config, monkeypatch, tmp_path):
    def no_home(_):
        raise RuntimeError("no home")

    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "programs").touch()
    # The superuser writes anywhere.
    monkeypatch.setattr(os, "access", lambda folder, mode: "read_only" not in str(folder))
    for name, users_folder in (
        *((name, None) for name in ("file", "file/folder", "full", "read_only")),
        *(("", folder) for folder in (no_home, lambda _: "~/.cache/seqcast")),
    ):
        monkeypatch.setenv("SEQCAST_CACHE_DIR", name)
        if users_folder:
            monkeypatch.delenv("SEQCAST_CACHE_DIR")
            monkeypatch.setattr("platformdirs.user_cache_dir", users_folder)
        program_cache._choose_folder.cache_clear()
        assert cache_compilations() is None
    assert not config.updated
    assert not (tmp_path / "~").exists()


@needs_permissions
def test_folders_of_programs_are_their_owners(config, monkeypatch, tmp_path):
    """Programs are machine code: who can write there can have code run."""
    monkeypatch.setenv("SEQCAST_CACHE_DIR", "open")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.warns(SeqcastWarning, match="open can be written by anybody"):
        assert cache_compilations() is None
    assert not [*(tmp_path / "open").iterdir()]
    monkeypatch.setenv("SEQCAST_CACHE_DIR", "new")
    program_cache._choose_folder.cache_clear()
    programs = cache_compilations()
    assert [folder.stat().st_mode & 0o077 for folder in (programs, programs.parent)] == [0, 0]


@needs_permissions
@pytest.mark.parametrize("named", [True, False])
def test_the_users_folder_is_used_by_its_owner_only(config, monkeypatch, named):
    """Under sudo the home may still be that of the one who called it; a folder that is named may be shared."""
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    if named:
        monkeypatch.setenv("SEQCAST_CACHE_DIR", "shared")
    assert bool(cache_compilations()) is named


LEVELS = [
    ((0, 10, 1), "NOTSET", "1", True),
    ((0, 10, 1), "NOTSET", "0", False),
    ((0, 10, 1), "WARNING", "1", False),
    ((0, 11, 0), "NOTSET", "1", False),
]


@pytest.mark.parametrize(("version", "level", "variable", "silenced"), LEVELS)
def test_a_jaxlib_that_prints_errors_is_silenced_unless_the_user_chose_a_level(
    config, monkeypatch, version, level, variable, silenced
):
    monkeypatch.setattr("jaxlib.version.__version_info__", version)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", variable)
    config.jax_logging_level = level
    assert cache_compilations()
    assert config.updated.count("jax_logging_level") == (2 if silenced else 0)
    assert config.jax_logging_level == level


def test_programs_without_a_time_of_last_use_are_removed(config, tmp_path, monkeypatch):
    """A process that was ended left them; JAX could write no new program beside them."""
    monkeypatch.setattr(program_cache, "SECONDS_BETWEEN_HALVES", 60.0)
    programs = tmp_path / "home" / "seqcast" / "programs"
    programs.mkdir(parents=True)
    for name in (
        "half-cache",
        "of a clock set back-cache",
        "young-cache",
        "whole-cache",
        "whole-atime",
    ):
        (programs / name).touch()
    for name in ("half-cache", "whole-cache"):
        os.utime(programs / name, (0, 0))
    os.utime(programs / "of a clock set back-cache", (time.time() + 3600,) * 2)
    assert cache_compilations() == programs
    assert {path.name for path in programs.iterdir()} == {
        "young-cache",
        "whole-cache",
        "whole-atime",
    }


# ---------------------------------------------------------------- other processes


def test_other_processes_keep_programs_as_this_one_does(config, monkeypatch, tmp_path):
    monkeypatch.setenv("SEQCAST_CACHE_DIR", "relative")
    variables = cache_variables()
    assert {name: variables.pop(name.upper()) for name in OURS} == {
        name: str(value) for name, value in OURS.items()
    }
    assert variables == {
        "SEQCAST_CACHE_DIR": str(tmp_path / "relative"),
        "JAX_ENABLE_COMPILATION_CACHE": "True",
    }
    config.update(FOLDER, "mine")
    config.update(SIZE, 7)
    variables = cache_variables()
    assert "SEQCAST_CACHE_DIR" not in variables
    assert (variables["JAX_COMPILATION_CACHE_DIR"], variables[SIZE.upper()]) == ("mine", "7")
    config.update(FOLDER, None)
    assert cache_variables()["SEQCAST_CACHE_DIR"] == "off"


# ---------------------------------------------------------------- fits in processes of their own

# Any program is kept.
EVERYTHING = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
FIT = """
import os, shutil
from pathlib import Path
import jax
import numpy as np
import pandas as pd
import seqcast
from jax.experimental.compilation_cache.compilation_cache import reset_cache
from seqcast.runtime import program_cache
from seqcast.runtime.jit import jax_jit

frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024", periods=60), "y": np.sin(np.arange(60.0))})
small = seqcast.NetworkSpec(encoder_units=(4,), decoder_units=(4,))
few = seqcast.TrainingSpec(epochs=1)
forecaster = seqcast.Forecaster(3, context_length=6, preset=small, training=few, random_state=0, verbose=0)

def kept():
    folders = {str(path.parent) for path in Path().rglob("jit_*")}
    print(jax.config.jax_compilation_cache_dir, *folders, *Path().rglob("seqcast"))

kept()
forecaster.fit(frame)
kept()
"""
AFTERWARDS = """
print(any(path.name.startswith("jit_train_step") for path in Path("named/programs").iterdir()))
print(*(getattr(jax.config, name) for name in program_cache.SETTINGS))
# As if the bound were lower: times of last use, of eight bytes, are not counted.
reset_cache()
jax.config.update("jax_compilation_cache_max_size", 60_000)
for size in range(1, 20):
    jax_jit(lambda x: x + size)(jax.numpy.ones(size))
print(30_000 < sum(path.stat().st_size for path in Path("named/programs").glob("*-cache")) <= 60_000)
# What can no longer be written is compiled all the same, although warnings are errors here.
shutil.rmtree("named/programs")
Path("named/programs").touch()
print(len(forecaster.predict(horizon=5)))
"""
THEN = """
program_cache._choose_folder.cache_clear()
os.environ["SEQCAST_CACHE_DIR"] = "named"
jax.config.update("jax_compilation_cache_dir", "mine")
forecaster.predict(horizon=5)
kept()
"""


@pytest.fixture
def fit(run_python, monkeypatch, tmp_path):
    """Run code after a fit in a new process and folder that keeps any program; return the lines that it printed."""
    monkeypatch.chdir(tmp_path)
    homes = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"), str(tmp_path))
    return lambda code, **variables: run_python(
        FIT + code, **EVERYTHING, **homes, **variables
    ).splitlines()


def test_a_fit_in_a_new_process_writes_where_the_environment_says(fit, tmp_path):
    """Nothing is set or written before; the folder has a bound; what the user has said of times stays."""
    lines = fit(AFTERWARDS, SEQCAST_CACHE_DIR="named")
    assert lines == [
        "None",
        f"{tmp_path / 'named' / 'programs'} named/programs",
        "True",
        f"{512 << 20} 0.0 none",
        "True",
        "5",
    ]


def test_a_fit_that_is_told_off_writes_nothing_and_a_folder_of_the_user_stays(fit):
    assert fit(THEN, SEQCAST_CACHE_DIR="off") == ["None", "None", "mine mine"]


READ_BACK = """
import sys
import jax
from seqcast.runtime.jit import jax_jit

hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event.endswith("cache_hits")))
jax.block_until_ready(jax_jit(lambda x: jax.numpy.tanh(x @ x.T).sum())(jax.numpy.ones((8, 8))))
print(sum(hits) > 0)
"""
# Features of a processor that a program was compiled for, and what LLVM adds to them on processors
# with slow gathers.
LACKED = b"-avx512vp2intersect,-avx512vpopcntdq"
PREFERRED = b"+prefer-no-scatter,+prefer-no-gather"


@pytest.mark.processes
def test_programs_that_are_read_back_print_nothing(tmp_path):
    """Elsewhere than on such a processor the program is changed as if it came from one."""
    zstandard = pytest.importorskip("zstandard")
    environment = {**os.environ, "SEQCAST_CACHE_DIR": str(tmp_path), **EVERYTHING}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)

    def run():
        done = subprocess.run(
            [sys.executable, "-c", READ_BACK], env=environment, capture_output=True, text=True
        )
        return done.stdout.strip(), done.stderr, done.returncode

    assert run() == ("False", "", 0)
    for path in tmp_path.rglob("*-cache"):
        program = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
        path.write_bytes(zstandard.ZstdCompressor().compress(program.replace(LACKED, PREFERRED)))
    assert run() == ("True", "", 0)
