"""Files and folders appear whole or not at all, with the permissions of any new file."""

import functools
import os
import sys
import textwrap
import threading

import pytest

from seqcast.errors import SaveError
from seqcast.runtime import atomic_files
from seqcast.runtime.atomic_files import (
    atomic_folder,
    remove_unfinished,
    write_atomically,
    written_together,
)
from tests.rejections import rejected


def writes_file(place, end):
    """Write a file, and call a function of its folder before it takes its place."""

    def write(stream):
        stream.write(b"new")
        stream.flush()
        end(place.parent)
        stream.write(b"er")

    write_atomically(place, write)


def writes_folder(place, end):
    """Write a folder, and call a function of it before it takes its place."""
    with atomic_folder(place) as folder:
        (folder / "newer").touch()
        assert folder.parent == place.parent
        end(folder)


def content(place):
    return place.read_bytes() if place.is_file() else os.listdir(place)


each_kind = pytest.mark.parametrize(
    ("write", "older", "newer"),
    [
        (writes_file, b"older", b"newer"),
        (writes_folder, ["older"], ["newer"]),
    ],
)


@pytest.fixture
def place(tmp_path, write):
    """Where a file or a folder of the same kind stands already."""
    place = tmp_path / "place"
    if write is writes_file:
        place.write_bytes(b"older")
    else:
        place.mkdir()
        (place / "older").touch()
    return place


ERRORS = [ValueError("mine"), KeyboardInterrupt("mine"), MemoryError("mine"), SaveError("mine")]


@each_kind
@pytest.mark.parametrize("error", ERRORS)
def test_other_failures_pass_and_leave_no_trace(place, write, older, newer, error):
    def fail(_):
        raise error

    rejected(type(error), "mine", write, place, fail)
    assert content(place) == older
    assert os.listdir(place.parent) == [place.name]


@each_kind
def test_older_file_is_whole_until_the_newer_one_is(place, write, older, newer):
    seen = []
    write(place, lambda _: seen.append(content(place)))
    assert (seen, content(place)) == ([older], newer)
    assert os.listdir(place.parent) == [place.name]


def write_together(*writes):
    """Call functions, and let what they write appear together."""
    with written_together():
        for write in writes:
            write()


def test_several_appear_together_or_not_at_all(tmp_path):
    first = tmp_path / "first"
    second = tmp_path / "second"
    first.write_bytes(b"older")

    def write_both():
        write_atomically(first, lambda file: file.write(b"newer"))
        with atomic_folder(second) as folder:
            (folder / "newer").touch()
        assert first.read_bytes() == b"older"
        assert not second.exists()

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_together(write_both, interrupt)
    assert os.listdir(tmp_path) == ["first"]
    assert first.read_bytes() == b"older"

    write_together(write_both)
    assert sorted(os.listdir(tmp_path)) == ["first", "second"]
    assert first.read_bytes() == b"newer"
    assert os.listdir(second) == ["newer"]


def test_of_several_the_one_that_cannot_be_written_is_named(tmp_path):
    def fail(*_):
        raise OSError(28, "No space left on device")

    write_first = functools.partial(
        write_atomically, tmp_path / "first", lambda file: file.write(b"new")
    )
    write_second = functools.partial(
        write_atomically, tmp_path / "second", lambda file: file.write(b"new")
    )
    fail_second = functools.partial(write_atomically, tmp_path / "second", fail)
    rejected(SaveError, "second.*No space left", write_together, fail_second, write_first)
    assert not list(tmp_path.iterdir())
    (tmp_path / "second").mkdir()
    rejected(SaveError, "second", write_together, write_second)
    assert os.listdir(tmp_path) == ["second"]
    rejected(
        OSError, "^.Errno 28. No space left", write_together, fail
    )  # not of a file that is written


@pytest.mark.parametrize("order", [1, -1])
def test_an_error_at_one_costs_no_other_that_is_whole(tmp_path, order):
    def fail():
        raise ValueError("drawn badly")

    (tmp_path / "folder").mkdir()
    names = ["folder", "first"]
    writes = [
        functools.partial(write_atomically, tmp_path / name, lambda file: file.write(b"new"))
        for name in names
    ]
    # One cannot be renamed, and then the work fails; or the work alone does.
    rejected(SaveError, "folder", write_together, *writes[::order])
    assert (tmp_path / "first").read_bytes() == b"new"
    (tmp_path / "first").unlink()
    with pytest.raises(ValueError, match="drawn badly") as raised:
        write_together(writes[1], fail)
    assert raised.value.__notes__ == [f"Already written: {tmp_path / 'first'}"]
    assert (tmp_path / "first").read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path)) == ["first", "folder"]


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path):
    path = tmp_path / ("n" * 255)
    write_atomically(path, lambda stream: stream.write(b"whole"))
    assert path.read_bytes() == b"whole"
    assert os.listdir(tmp_path) == [path.name]


PERMISSIONS = """
    import os, threading
    from pathlib import Path
    from seqcast.runtime.atomic_files import write_atomically

    set_umask = os.umask

    def touched(mask):
        raise AssertionError("the umask is that of all threads")

    def save(thread):
        for number in range(10):
            write_atomically(f"saved-{thread}-{number}", lambda stream: stream.write(b"."))
            Path(f"plain-{thread}-{number}").touch()

    for mask in (0o022, 0o027, 0o077, 0o002, 0):
        set_umask(mask)
        os.umask = touched
        workers = [threading.Thread(target=save, args=(thread,)) for thread in range(8)]
        [worker.start() for worker in workers]
        [worker.join() for worker in workers]
        modes = {name: Path(name).stat().st_mode & 0o777 for name in os.listdir()}
        print(len(modes), *{oct(mode) for mode in modes.values()}, oct(0o666 & ~mask), oct(set_umask(0o022)))
        [os.unlink(name) for name in modes]
"""


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_permissions_are_those_of_any_new_file(run_python, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for line, mask in zip(
        run_python(textwrap.dedent(PERMISSIONS)).splitlines(),
        (0o022, 0o027, 0o077, 2, 0),
        strict=True,
    ):
        plain = oct(0o666 & ~mask)
        assert line.split() == ["160", plain, plain, oct(mask)]


@pytest.mark.parametrize(("write", "older"), [(writes_folder, ["older"])])
def test_a_folder_that_cannot_be_renamed_or_is_removed_leaves_the_one_that_was_there(
    place, write, older, monkeypatch
):
    replace = os.replace

    def reject(source, target):
        if os.listdir(source) == ["newer"]:
            raise OSError(28, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", reject)
        with pytest.raises(
            SaveError,
            match=r"folder to write to, with room, received No space left on device\. An older one is",
        ):
            write(place, lambda _: None)
    # A process that is about to end removes folders too.
    rejected(SaveError, "received No such file", write, place, lambda _: remove_unfinished())
    assert content(place) == older
    assert os.listdir(place.parent) == [place.name]


KILLED = """
    import os
    from pathlib import Path
    from seqcast.runtime.atomic_files import atomic_folder, write_atomically

    if {folder}:
        with atomic_folder(Path("place")) as part:
            (part / "half").touch()
            os._exit(0)
    write_atomically("place", lambda stream: os._exit(0))
"""


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
@pytest.mark.parametrize("folder", [False, True])
def test_what_a_killed_process_leaves_is_removed_by_the_next(
    run_python, tmp_path, monkeypatch, folder
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(atomic_files, "_SECONDS_TO_LOCK", -1.0)
    run_python(textwrap.dedent(KILLED).format(folder=folder))
    assert [name.endswith(".part") for name in os.listdir(tmp_path)] == [True]
    others = [".download.part", f".{'0' * 24}.part", "table.part", "place"]
    for name in others:
        (tmp_path / name).touch()
    write_atomically(tmp_path / "file", lambda stream: stream.write(b"whole"))
    assert sorted(os.listdir(tmp_path)) == sorted(["file", *others])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_a_pipe_in_the_folder_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic_files, "_SECONDS_TO_LOCK", -1.0)
    os.mkfifo(tmp_path / f".{atomic_files._MACHINE}0.part")
    writing = threading.Thread(
        target=write_atomically,
        args=(tmp_path / "file", lambda file: file.write(b"whole")),
        daemon=True,
    )
    writing.start()
    writing.join(60)
    assert (tmp_path / "file").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
def test_what_is_being_written_is_not_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic_files, "_SECONDS_TO_LOCK", -1.0)
    with atomic_folder(tmp_path / "folder") as place:
        (place / "half").touch()

        def write(stream):
            atomic_files._tidied.clear()
            write_atomically(tmp_path / "other", lambda other: other.write(b"other"))
            stream.write(b"whole")

        write_atomically(tmp_path / "file", write)
        (place / "whole").touch()
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "other"]
    assert sorted(os.listdir(tmp_path / "folder")) == ["half", "whole"]
