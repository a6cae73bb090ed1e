"""What was written is read back, whatever else is read is rejected, and a failure leaves the old file as it was."""

import errno
import json
import os
import sys
import textwrap

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import seqcast
from seqcast.errors import FileFormatError, MissingFileError, SaveError, SpecError
from seqcast.runtime import atomic_files, model_files
from seqcast.runtime.model_files import FORMAT_VERSION, open_archive, write_archive

HEADER = {
    "name": "Zürich 🙂",
    "sizes": [1, 2, None],
    "nested": {"dropout": 0.1, "on": True},
    "empty": {},
}
ARRAYS = {
    "float32": np.linspace(-1, 1, 7, dtype=np.float32),
    "float64": np.array([[np.pi, -0.0], [np.nan, -1e30]]),
    "half": np.array([0.1, 6e-8], dtype=np.float16),
    "int64": np.arange(-4, 4).reshape(2, 2, 2),
    "bool": np.array([True, False]),
    "unicode": np.array(["a", "Zürich", "🙂", ""]),
    "stamps": np.array(["2024-02-29T12:00", "NaT"], dtype="datetime64[ns]"),
    "days": np.array(["2024-02-29"], dtype="datetime64[D]"),
    "spans": np.array([3, -4], dtype="timedelta64[h]"),
    "empty": np.zeros((0, 3), dtype=np.float32),
    "empty text": np.zeros(0, dtype="<U1"),
    "no axes": np.array(2.5),
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "every other": np.arange(9)[::2],
    "a name/with: odd ../ signs 🙂": np.arange(2),
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.seqcast"
    write_archive(path, "Model", HEADER, {name: ARRAYS[name] for name in ("float64", "unicode")})
    return path


def same(read, written):
    assert list(read) == list(written)
    for name, values in written.items():
        assert read[name].dtype == values.dtype
        assert read[name].shape == values.shape
        np.testing.assert_array_equal(read[name], values)


def read_archive(path, kind="Model"):
    with open_archive(path, kind, gaps=("float64", "stamps")) as opened:
        return opened


def content_of(path):
    with safe_open(path, framework="np") as opened:
        return json.loads(opened.metadata()["seqcast"])


# ---------------------------------------------------------------- round trip


def test_everything_comes_back_in_order_and_equal_models_are_equal_files(tmp_path):
    path = tmp_path / "Modell für Zürich.seqcast"
    write_archive(str(path), "Model", HEADER, ARRAYS)
    header, arrays = read_archive(str(path))
    assert header == HEADER
    same(arrays, ARRAYS)
    assert os.listdir(tmp_path) == [path.name]
    arrays["float64"][0, 0] = 7.0  # they are the reader's own
    write_archive(tmp_path / "again", "Model", HEADER, ARRAYS)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_big_endian_numbers_come_back_as_this_machine_has_them(file):
    write_archive(
        file, "Model", {}, {"a": np.arange(3, dtype=">i4"), "b": np.array(["ä"], dtype=">U1")}
    )
    same(read_archive(file)[1], {"a": np.arange(3, dtype="<i4"), "b": np.array(["ä"])})
    write_archive(file, "Model", HEADER, {})
    assert read_archive(file) == (HEADER, {})


def test_what_is_in_the_file(file):
    entry = content_of(file)
    assert len(entry["sha256"]) == 64
    assert entry["content"] == {
        "format_version": FORMAT_VERSION,
        "kind": "Model",
        "seqcast_version": seqcast.__version__,
        "arrays": {"float64": "<f8", "unicode": "<U6"},
        "header": HEADER,
    }


# ---------------------------------------------------------------- files that are not ours


def rejected(path, *, received, kind="Model"):
    with pytest.raises(FileFormatError) as caught:
        read_archive(path, kind)
    error = caught.value
    assert error.where == str(path)
    assert received in error.received
    assert error.expected
    assert error.hint
    return error


def test_a_truncated_file_is_rejected(file):
    whole = file.read_bytes()
    for length in {*range(0, len(whole), 9), *range(len(whole) - 80, len(whole))}:
        file.write_bytes(whole[:length])
        rejected(file, received="a file that is damaged")
    file.write_bytes(whole + b"\0")
    rejected(file, received="a file that is damaged")


def test_no_flipped_byte_changes_what_is_read(file):
    whole = file.read_bytes()
    rejections = 0
    header, arrays = read_archive(file)
    masks = np.random.default_rng(0).integers(1, 256, size=len(whole)).tolist()
    for place, mask in enumerate(masks):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
        try:
            read = read_archive(file)
        except FileFormatError:
            rejections += 1
        else:  # white space and the like of JSON
            assert read[0] == header
            same(read[1], arrays)
    assert rejections > 0.9 * len(whole)


SOMETHING_ELSE = "a safetensors file of something else"
# What takes the file's place: its bytes, or the metadata of a safetensors file.
FOREIGN = [
    (b"", "damaged or not one"),
    (b"unique_id,ds,y\na,2024-01-01,3\n", "damaged or not one"),
    (b"PK\x03\x04" + bytes(200), "damaged or not one"),
    (bytes(range(256)) * 8, "damaged or not one"),
    (None, SOMETHING_ELSE),
    ({"format": "pt"}, SOMETHING_ELSE),
    ({"seqcast": "null"}, SOMETHING_ELSE),
    ({"seqcast": "[1]"}, SOMETHING_ELSE),
    ({"seqcast": "no JSON"}, "damaged"),
    ({"seqcast": "[" * 200_000}, "damaged"),
    ({"seqcast": "{}"}, "damaged"),
]


@pytest.mark.parametrize(("content", "received"), FOREIGN, ids=range(len(FOREIGN)))
def test_foreign_files_are_rejected(tmp_path, content, received):
    path = tmp_path / "model"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        save_file({"a": np.zeros(2)}, path, content)
    rejected(path, received=received)


# An entry of the content, another value (none at all for ...), and what is said. Digests are those
# of the new content.
CHANGED = [
    *[("format_version", value, "damaged") for value in (None, "new", ...)],
    *[("arrays", value, "damaged") for value in (None, ..., {"float64": "<f8"})],
    *[
        ("header", [1], "without a header"),
        ("header", "text", "without a header"),
        ("header", ..., "damaged"),
    ],
    ("kind", ..., "damaged"),
    # Arrays of another type than is named.
    *[("arrays", {"float64": "<f8", "unicode": kind}, "damaged") for kind in ("<f8", "<M8[ns]")],
    *[("arrays", {"float64": kind, "unicode": "<U6"}, "damaged") for kind in ("<i8", "<U6", 8)],
]


@pytest.mark.parametrize(("name", "value", "received"), CHANGED)
def test_content_that_does_not_fit_is_rejected(
    file, rewrite_archive, monkeypatch, name, value, received
):
    def change(content):
        content.update({name: value})
        if value is ...:
            del content[name]

    if name == "arrays" and (not isinstance(value, dict) or len(value) < 2):
        # Whoever writes such content may name arrays that are not there.
        monkeypatch.setattr(
            model_files, "_digest_of", lambda content, stored: "of what is not there"
        )
    rewrite_archive(file, change_index=change)
    rejected(file, received=received)


def test_newer_formats_and_other_kinds_are_named(file, rewrite_archive):
    error = rejected(file, kind="Other", received="a Model")
    assert error.expected == "a Other"
    assert error.hint == "Use Model.load."
    changes = {"format_version": FORMAT_VERSION + 1, "seqcast_version": "9.9"}
    rewrite_archive(file, change_index=lambda content: content.update(changes))
    error = rejected(file, received=f"format {FORMAT_VERSION + 1}, written by seqcast 9.9")
    assert error.expected == f"format {FORMAT_VERSION}"
    assert error.hint == "Upgrade seqcast: pip install --upgrade seqcast"


NOT_FINITE = [
    *[
        ("weights", np.array([1.0, bad], f"f{size}"))
        for size in (2, 4, 8)
        for bad in (np.nan, np.inf, -np.inf)
    ],
    # In this one NaN stands for a missing value.
    *[("float64", np.array([np.nan, bad])) for bad in (np.inf, 1.1e150, -1e200)],
    ("times", ARRAYS["stamps"]),
]


@pytest.mark.parametrize(("name", "values"), NOT_FINITE)
def test_numbers_that_are_not_finite_are_rejected(file, name, values):
    write_archive(file, "Model", {}, {name: values})
    rejected(file, received=f"{name} holds numbers that are not finite, or beyond 1e+150")


def test_objects_are_neither_written_nor_read(file):
    before = file.read_bytes()
    with pytest.raises(TypeError):
        write_archive(file, "Model", {}, {"objects": np.array([{}], dtype=object)})
    assert file.read_bytes() == before
    file.write_bytes(before.replace(b'"dtype":"F64"', b'"dtype":"OBJ"'))
    rejected(file, received="damaged")


BLAMED = [KeyError("weight"), ValueError("sizes"), TypeError("None"), IndexError("4")]
ERRORS = [*BLAMED, SpecError("loss"), KeyboardInterrupt(), MemoryError(), RuntimeError("of Keras")]


@pytest.mark.parametrize("error", ERRORS)
def test_a_block_that_fails_blames_the_file_and_other_errors_pass(file, error):
    blamed = error in BLAMED
    with (
        pytest.raises(FileFormatError if blamed else type(error)) as caught,
        open_archive(file, "Model", gaps=("float64",)),
    ):
        raise error
    if not blamed:
        assert caught.value is error
        return
    assert caught.value.where == str(file)
    assert (
        caught.value.received
        == f"a file whose fields do not fit together ({type(error).__name__}: {error})"
    )


# ---------------------------------------------------------------- files that would take too much


@pytest.mark.parametrize(
    "shape", ["[4]", "[4000000000000000]", "[4294967296,4294967296,4294967296]", "[-4]"]
)
def test_an_array_that_claims_more_than_the_file_has_is_rejected(file, memory_at_most, shape):
    whole = file.read_bytes().replace(b'"shape":[2,2]', f'"shape":{shape}'.encode())
    length = int.from_bytes(file.read_bytes()[:8], "little") + len(shape) - len("[2,2]")
    file.write_bytes(length.to_bytes(8, "little") + whole[8:])
    with memory_at_most(1 << 20):
        rejected(file, received="damaged")


def test_a_header_that_is_too_long_is_neither_read_nor_written(file, memory_at_most, monkeypatch):
    before = file.read_bytes()
    with pytest.raises(
        SaveError, match="expected a header of at most 32 MiB, without the arrays, received 40 MiB"
    ):
        write_archive(file, "Model", {"categories": ["x" * (1 << 20)] * 40}, {})
    assert file.read_bytes() == before
    with monkeypatch.context() as patch:
        patch.setattr(model_files, "_HEADER_BYTES", 1 << 30)
        write_archive(file, "Model", {"categories": ["x" * (1 << 20)] * 40}, {})
    with memory_at_most(1 << 20):
        rejected(file, received="a header of more than 32 MiB")


def test_a_file_that_is_too_long_is_rejected_before_it_is_read(file, memory_at_most):
    with open(file, "ab") as opened:
        opened.truncate(5 * 10**9)  # of which the disk holds nothing
    with memory_at_most(1 << 20):
        error = rejected(file, received="5,000,000,000 bytes")
    assert error.expected == "at most 4 GB"
    assert (
        str(error.hint)
        == "If you trust the file, allow more: max_size='8GB', or as much as it takes."
    )


MISSING = [
    (lambda path: None, "no such file"),
    (lambda path: path.mkdir(), "expected a file, received a folder"),
    (
        lambda path: os.mkfifo(path),
        "expected a file, received a pipe, which - reads as standard input",
    ),
    (lambda path: path.symlink_to("/dev/zero"), "expected a file, received a device"),
    (lambda path: path.symlink_to("nowhere"), "no such file"),
]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes or devices in folders")
@pytest.mark.parametrize(("make", "words"), MISSING)
def test_missing_file(tmp_path, make, words):
    path = tmp_path / "model"
    make(path)
    with pytest.raises(MissingFileError) as caught:
        read_archive(path)
    assert isinstance(caught.value, FileNotFoundError)
    assert str(caught.value) == f"{path}: {words}. Check the path."


# ---------------------------------------------------------------- writing that fails


FAILURES = [
    ("model", "fsync", errno.ENOSPC),
    ("model", "open", errno.EACCES),
    ("model", "replace", errno.EACCES),
    ("missing/model", None, errno.ENOENT),
    ("file/model", None, errno.ENOTDIR),
    ("folder", None, errno.EISDIR),
    ("n" * 300, None, errno.ENAMETOOLONG),
]


@pytest.mark.parametrize(("place", "fails", "code"), FAILURES)
@pytest.mark.parametrize("older", [True, False])
def test_failed_writing_leaves_no_trace(tmp_path, monkeypatch, place, fails, code, older):
    path = tmp_path / place
    (tmp_path / "file").write_text("older")
    (tmp_path / "folder").mkdir()
    if older:
        write_archive(tmp_path / "model", "Model", {"version": "older"}, {})
    before = {entry: entry.is_file() and entry.read_bytes() for entry in tmp_path.rglob("*")}

    def fail(*arguments, **options):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        if fails:
            patch.setattr(type(path) if fails == "open" else atomic_files.os, fails, fail)
        with pytest.raises(SaveError) as caught:
            write_archive(path, "Model", {"version": "newer"}, ARRAYS)
    assert {
        entry: entry.is_file() and entry.read_bytes() for entry in tmp_path.rglob("*")
    } == before
    assert isinstance(caught.value, OSError)
    assert str(caught.value) == (
        f"{path}: expected a folder to write to, with room, received {os.strerror(code)}. An older one is unchanged."
    )


LIMITED = """
    import resource, sys
    import numpy as np
    from seqcast.errors import SaveError
    from seqcast.runtime.model_files import write_archive

    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        write_archive({path!r}, "Model", {{}}, {{"noise": np.zeros(100_000)}})
    except SaveError as error:
        print(error.received)
"""


def test_limit_of_the_system_on_file_sizes(file, run_python):
    pytest.importorskip("resource")
    before = file.read_bytes()
    assert run_python(textwrap.dedent(LIMITED).format(path=str(file))) == os.strerror(errno.EFBIG)
    assert os.listdir(file.parent) == [file.name]
    assert file.read_bytes() == before
