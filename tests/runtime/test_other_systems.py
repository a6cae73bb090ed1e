"""What macOS or Windows lack is taken away here, one thing at a time: each has a branch that goes on without it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from seqcast.errors import SaveError
from seqcast.runtime import (
    atomic_files,
    executors,
    file_checks,
    interrupts,
    program_cache,
    worker_starts,
)
from seqcast.runtime.threads import cores
from seqcast.tables import reader_process, reader_script


def test_without_affinity_all_processors_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert cores() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


@pytest.mark.parametrize("has_threads_signals", [True, False])
def test_the_main_thread_is_interrupted_and_the_process_not_ended(monkeypatch, has_threads_signals):
    """On Windows `os.kill` with the number of Ctrl-C would end the process."""
    monkeypatch.delattr(os, "kill")
    if not has_threads_signals:
        monkeypatch.delattr(signal, "pthread_kill", raising=False)

    def wait():
        threading.Timer(0.05, interrupts.interrupt_main_thread).start()
        end = time.monotonic() + 30
        while time.monotonic() < end:
            pass

    with interrupts.hear_interrupts():
        with pytest.raises(KeyboardInterrupt):
            wait()
        assert interrupts.was_interrupted()
    assert not interrupts.was_interrupted()  # later trainings of this process would stop


def test_without_masks_of_signals_workers_start_all_the_same(monkeypatch):
    monkeypatch.delattr(signal, "pthread_sigmask", raising=False)
    with worker_starts.ctrl_c_blocked():
        worked = True
    assert worked


def test_without_sigkill_and_lists_of_children_the_known_workers_are_ended(monkeypatch, tmp_path):
    sent = []
    monkeypatch.delattr(signal, "SIGKILL", raising=False)
    monkeypatch.setattr(os, "kill", lambda process, number: sent.append((process, number)))
    monkeypatch.setattr(
        executors, "Path", lambda name: tmp_path / name.strip("/")
    )  # no /proc, no /dev/shm
    pool = executors._WorkerPool()
    pool._executor = SimpleNamespace(_processes={4_194_305: None})
    pool.kill()
    assert sent == [(4_194_305, signal.SIGTERM)]


def test_without_locks_files_are_written_and_nothing_is_taken_for_abandoned(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setattr(atomic_files, "_SECONDS_TO_LOCK", -1.0)
    other = tmp_path / f".{atomic_files._MACHINE}0.part"
    other.touch()
    atomic_files.write_atomically(tmp_path / "file", lambda stream: stream.write(b"whole"))
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert other.exists()


WINDOWS = SimpleNamespace(platform="win32")


@pytest.mark.parametrize("rejections", [0, 3, 99])
@pytest.mark.parametrize("system", ["win32", "linux"])
def test_windows_waits_for_readers_of_a_file_that_is_replaced(
    monkeypatch, tmp_path, system, rejections
):
    """Windows renames nothing onto a file that another process has open."""
    place = tmp_path / "model"
    place.write_bytes(b"older")
    replace = os.replace
    attempts = []
    pauses = []

    def busy(source, target):
        attempts.append(target)
        if len(attempts) <= rejections:
            raise PermissionError(13, "Access is denied")
        replace(source, target)

    monkeypatch.setattr(atomic_files, "sys", SimpleNamespace(platform=system))
    monkeypatch.setattr(os, "replace", busy)
    monkeypatch.setattr(time, "sleep", pauses.append)
    if rejections == 0 or (system == "win32" and rejections < 99):
        atomic_files.write_atomically(place, lambda stream: stream.write(b"newer"))
        assert place.read_bytes() == b"newer"
    else:
        with pytest.raises(
            SaveError, match=r"received Access is denied\. An older one is unchanged"
        ):
            atomic_files.write_atomically(place, lambda stream: stream.write(b"newer"))
        assert place.read_bytes() == b"older"
    assert 0 <= sum(pauses) < 2
    assert bool(pauses) == (system == "win32" and rejections > 0)
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.parametrize(
    "name", ["CON", "nul.csv", "Com1.tar.gz", "10:30.csv", "a?.csv", "a|b.csv", "end. ", "con .csv"]
)
def test_names_that_windows_forbids_are_rejected_there_before_any_work(monkeypatch, tmp_path, name):
    file_checks.check_target(tmp_path / name)
    file_checks.check_new_folder(tmp_path / name, suffix=".parquet")
    monkeypatch.setattr(file_checks, "sys", WINDOWS)
    with pytest.raises(
        SaveError, match=r"expected a name that Windows allows, received .* Name it "
    ):
        file_checks.check_target(tmp_path / name)
    with pytest.raises(SaveError, match="received a name that Windows forbids"):
        file_checks.check_new_folder(tmp_path / name, suffix=".parquet")
    allowed = file_checks.portable_name(name)
    file_checks.check_target(tmp_path / allowed)
    assert file_checks.portable_name(allowed) == allowed
    assert Path(allowed).suffix == Path(name).suffix.rstrip(". ")


def test_without_owners_the_users_cache_is_used(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "getuid", raising=False)
    monkeypatch.delenv(program_cache.VARIABLE, raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    assert program_cache._writable_programs() == tmp_path / "seqcast" / "programs"


def test_without_limits_of_the_system_the_reader_goes_on(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert reader_script._limit(1, 1) is None


@pytest.mark.parametrize(
    "failure", [FileNotFoundError("ps"), subprocess.CalledProcessError(1, "ps"), None]
)
def test_without_ps_the_memory_of_a_process_is_unknown(monkeypatch, failure):
    def run(*_, **__):
        if failure is not None:
            raise failure
        return SimpleNamespace(stdout=" 2048\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert reader_process._resident_bytes(1) == (2048 * 1024 if failure is None else 0)


WITHOUT = """
import os, signal, sys, warnings
from pathlib import Path

# Text is UTF-8, whatever the encoding of the system.
warnings.filterwarnings("error", category=EncodingWarning, module="seqcast")

for name in ("fork", "register_at_fork", "sched_getaffinity", "getuid", "O_NONBLOCK", "O_NOFOLLOW", "mkfifo"):
    delattr(os, name)
for name in ("pthread_kill", "pthread_sigmask", "SIGKILL", "SIGXCPU"):
    delattr(signal, name)
sys.modules |= {"fcntl": None, "resource": None}

from seqcast import Forecaster
from seqcast.data.datasets import load
from seqcast.runtime import hear_interrupts

with hear_interrupts():
    Forecaster(12, preset="pretrained", verbose=0).fit(load("elnino")).save("model.seqcast")
    print(len(Forecaster.load("model.seqcast").predict()), [path.name for path in Path().iterdir()])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="names of POSIX are taken away")
def test_without_all_of_these_names_a_model_is_fitted_written_and_read(
    run_python, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    # filelock, which JAX imports, warns that its locks are soft.
    printed = run_python(WITHOUT, PYTHONWARNINGS="default", PYTHONWARNDEFAULTENCODING="1")
    assert printed == "12 ['model.seqcast']"
