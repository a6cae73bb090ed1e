"""What was written is read back, whatever else is read is refused, and a failure leaves the old file as it was."""

import errno
import io
import json
import os
import time
import zipfile
import zlib

import numpy as np
import pytest

import seqcast
from seqcast.errors import FileFormatError, MissingFileError, SaveError, SpecError
from seqcast.runtime import archive, files
from seqcast.runtime.archive import FORMAT_VERSION, open_archive, write_archive

HEADER = {"name": "Zürich 🙂", "sizes": [1, 2, None], "nested": {"dropout": 0.1, "on": True}, "empty": {}}
ARRAYS = {
    "float32": np.linspace(-1, 1, 7, dtype=np.float32),
    "float64": np.array([[np.pi, -0.0], [np.nan, -1e30]]),
    "int64": np.arange(-4, 4).reshape(2, 2, 2),
    "bool": np.array([True, False]),
    "unicode": np.array(["a", "Zürich", "🙂", ""]),
    "stamps": np.array(["2024-02-29T12:00", "NaT"], dtype="datetime64[ns]"),
    "days": np.array(["2024-02-29"], dtype="datetime64[D]"),
    "spans": np.array([3, -4], dtype="timedelta64[h]"),
    "empty": np.zeros((0, 3), dtype=np.float32),
    "empty text": np.zeros(0, dtype="<U5"),
    "no axes": np.array(2.5),
    "other byte order": np.arange(3, dtype=">i4"),
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


def contents(path):
    with zipfile.ZipFile(path) as archive:
        return {item.filename: archive.read(item) for item in archive.infolist()}


def put(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def change_index(path, **changes):
    members = contents(path)
    index = {**json.loads(members["seqcast.json"]), **changes}
    put(path, {**members, "seqcast.json": json.dumps({k: v for k, v in index.items() if v is not ...})})


def read_archive(path, kind):
    """Return the header and all arrays."""
    with open_archive(path, kind, gaps=("float64", "stamps")) as opened:
        return opened.header, {name: np.asarray(values) for name, values in opened.arrays.items()}


def npy(values, **options):
    buffer = io.BytesIO()
    np.save(buffer, values, **options)
    return buffer.getvalue()


# ---------------------------------------------------------------- round trip


@pytest.mark.parametrize("year", [1970, 1980, 2026, 2110])
def test_a_file_is_the_same_at_any_time(tmp_path, file, monkeypatch, year):
    monkeypatch.setattr("time.localtime", lambda *_: time.struct_time((year, 1, 1, 0, 0, 0, 3, 1, 0)))
    later = tmp_path / "later"
    write_archive(later, "Model", HEADER, {name: ARRAYS[name] for name in ("float64", "unicode")})
    assert later.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("name", ARRAYS)
def test_round_trip_of_each_kind_of_array(tmp_path, name):
    path = tmp_path / "model"
    write_archive(path, "Model", {}, {name: ARRAYS[name]})
    header, arrays = read_archive(path, "Model")
    assert header == {}
    same(arrays, {name: ARRAYS[name]})


def test_round_trip_of_everything_in_order(tmp_path):
    path = tmp_path / "Modell für Zürich.seqcast"
    write_archive(str(path), "Model", HEADER, ARRAYS)
    header, arrays = read_archive(str(path), "Model")
    assert header == HEADER
    same(arrays, ARRAYS)
    assert os.listdir(tmp_path) == [path.name]


def test_no_arrays(tmp_path):
    write_archive(tmp_path / "model", "Model", HEADER, {})
    assert read_archive(tmp_path / "model", "Model") == (HEADER, {})


def test_what_is_in_the_file(file):
    members = contents(file)
    assert list(members) == ["seqcast.json", "arrays/0.npy", "arrays/1.npy"]
    index = json.loads(members["seqcast.json"])
    assert index == {
        "format": "seqcast",
        "format_version": FORMAT_VERSION,
        "kind": "Model",
        "seqcast_version": seqcast.__version__,
        "arrays": ["float64", "unicode"],
        "header": HEADER,
    }


# ---------------------------------------------------------------- files that are not ours


def refused(path, *, received, kind="Model"):
    with pytest.raises(FileFormatError) as caught:
        read_archive(path, kind)
    error = caught.value
    assert error.where == str(path)
    assert received in error.received
    assert error.expected
    assert error.hint
    return error


def test_truncated_file_is_refused(file):
    whole = file.read_bytes()
    for length in {*range(0, len(whole), 9), *range(len(whole) - 80, len(whole))}:
        file.write_bytes(whole[:length])
        with pytest.raises(FileFormatError, match="expected a model saved by seqcast, received a file that is damaged"):
            read_archive(file, "Model")


def test_no_flipped_byte_changes_what_is_read(file):
    whole = file.read_bytes()
    header, arrays = read_archive(file, "Model")
    refusals = 0
    masks = np.random.default_rng(0).integers(1, 256, size=len(whole)).tolist()
    for place, mask in enumerate(masks):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
        try:
            read = read_archive(file, "Model")
        except FileFormatError:
            refusals += 1
        else:  # a time stamp or the like of the zip format
            assert read[0] == header
            same(read[1], arrays)
    assert refusals > len(whole) // 2


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (b"", "damaged or not one"),
        (b"unique_id,ds,y\na,2024-01-01,3\n", "damaged or not one"),
        (b"PK\x03\x04" + bytes(200), "damaged or not one"),
        (bytes(range(256)) * 8, "damaged or not one"),
    ],
)
def test_foreign_file(tmp_path, content, received):
    (tmp_path / "model").write_bytes(content)
    refused(tmp_path / "model", received=received)


@pytest.mark.parametrize(
    ("members", "received"),
    [
        ({}, "a zip file of something else"),
        ({"xl/workbook.xml": "<workbook/>"}, "a zip file of something else"),
        ({"seqcast.json": '{"format": "another"}'}, "a zip file of something else"),
        ({"seqcast.json": "[1, 2]"}, "a zip file of something else"),
        ({"seqcast.json": "null"}, "a zip file of something else"),
        ({"seqcast.json": "no JSON"}, "damaged"),
        ({"seqcast.json": b"\xff\xfe"}, "damaged"),
        ({"seqcast.json": "[" * 200_000}, "damaged"),
        ({"seqcast.json": '{"format": "seqcast"}'}, "damaged"),
    ],
)
def test_foreign_zip(tmp_path, members, received):
    put(tmp_path / "model", members)
    refused(tmp_path / "model", received=received)


@pytest.mark.parametrize(
    ("changes", "received"),
    [
        ({"format": "another"}, "a zip file of something else"),
        ({"format_version": None}, "damaged"),
        ({"format_version": "new"}, "damaged"),
        ({"format_version": ...}, "damaged"),
        ({"kind": ...}, "damaged"),
        ({"arrays": ...}, "damaged"),
        ({"arrays": None}, "whose arrays have no names"),
        ({"arrays": [1, 2]}, "whose arrays have no names"),
        ({"arrays": ["a", "a"]}, "whose arrays have no names, or the same"),
        ({"arrays": ["a", "b", "c"]}, "damaged"),
        ({"header": ...}, "damaged"),
        ({"header": [1]}, "without a header"),
        ({"header": "text"}, "without a header"),
    ],
)
def test_index_that_does_not_fit(file, changes, received):
    change_index(file, **changes)
    refused(file, received=received)


def test_newer_format(file):
    change_index(file, format_version=FORMAT_VERSION + 1, seqcast_version="9.9")
    error = refused(file, received=f"format {FORMAT_VERSION + 1}, written by seqcast 9.9")
    assert error.expected == f"format {FORMAT_VERSION}"
    assert error.hint == "Upgrade seqcast: pip install --upgrade seqcast"


def test_another_kind(file):
    error = refused(file, kind="Other", received="a Model")
    assert error.expected == "a Other"
    assert error.hint == "Use Model.load."


@pytest.mark.parametrize("kind", ["f2", "f4", ">f4", "f8"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(file, kind, value):
    write_archive(file, "Model", {}, {"weights": np.array([1.0, value], dtype=kind)})
    not_finite = pytest.raises(FileFormatError, match=r"arrays/0\.npy holds numbers that are not finite")
    with open_archive(file, "Model", gaps=("values",)) as opened, not_finite:
        np.asarray(opened.arrays["weights"])


@pytest.mark.parametrize("value", [np.inf, 1.1e150, -1e200])
def test_what_is_missing_is_no_infinity(file, value):
    write_archive(file, "Model", {}, {"values": np.array([np.nan, value])})
    beyond = pytest.raises(FileFormatError, match=r"holds numbers that are not finite, or beyond 1e\+150")
    with open_archive(file, "Model", gaps=("values",)) as opened, beyond:
        np.asarray(opened.arrays["values"])


def test_times_that_are_missing_are_refused(file):
    write_archive(file, "Model", {}, {"stamps": np.array(["2024-02-29", "NaT"], dtype="datetime64[us]")})
    with open_archive(file, "Model") as opened, pytest.raises(FileFormatError, match="not finite"):
        np.asarray(opened.arrays["stamps"])
    with open_archive(file, "Model", gaps=("stamps",)) as opened:
        assert np.isnat(np.asarray(opened.arrays["stamps"])).tolist() == [False, True]


def test_objects_are_refused(file):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(file.parent / "sprung"),)

    trap = npy(np.array([Trap()], dtype=object), allow_pickle=True)
    put(file, {**contents(file), "arrays/1.npy": trap})
    refused(file, received="Object arrays cannot be loaded")
    assert os.listdir(file.parent) == [file.name]


@pytest.mark.parametrize("claimed", [(4,), (4 * 10**15,), (10**9, 10**9, 10**9)])
def test_array_that_claims_more_than_it_holds(file, claimed):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": claimed})
    buffer.write(np.zeros(3).tobytes())
    put(file, {**contents(file), "arrays/0.npy": buffer.getvalue()})
    refused(file, received="damaged")


def test_names_that_lead_outside_are_ignored(file):
    whole = read_archive(file, "Model")
    put(file, {"../outside": "x", "/tmp/../outside": "x", **contents(file), "arrays/../../outside": "x"})
    header, arrays = read_archive(file, "Model")
    assert header == whole[0]
    same(arrays, whole[1])
    assert os.listdir(file.parent) == [file.name]


@pytest.mark.parametrize(
    ("entry", "received"),
    [
        (npy(np.zeros(2, dtype="f8,i4")), "an array of shape (2,) and type"),
        (npy(np.zeros(2, dtype="V3")), "an array of shape (2,) and type"),
        (npy(np.zeros(2)).replace(b"(2,)", b"(-2,)"), "damaged"),
        (npy(np.zeros(2)) + b"more", "another size than its header says"),
        (npy(np.zeros(2))[:-1], "another size than its header says"),
        (b"\x93NUMPY\x02" + npy(np.zeros(2))[7:], "no array of numbers"),
        (b"", "damaged"),
    ],
)
def test_entry_that_is_no_array_of_numbers(file, entry, received):
    put(file, {**contents(file), "arrays/1.npy": entry})
    refused(file, received=received)


# ---------------------------------------------------------------- opening without reading


def test_shapes_are_known_before_arrays_are_read(tmp_path):
    write_archive(tmp_path / "model", "Model", {}, ARRAYS)
    with open_archive(tmp_path / "model", "Model") as opened:
        assert list(opened.arrays) == list(ARRAYS)
        for name, values in ARRAYS.items():
            stored = opened.arrays[name]
            assert (stored.shape, stored.dtype, stored.nbytes) == (values.shape, values.dtype, values.nbytes)
            if values.ndim:
                assert len(stored) == len(values)


def test_an_array_is_read_when_it_is_asked_for(file):
    noise = np.random.default_rng(0).normal(size=5000)
    write_archive(file, "Model", {}, {"good": noise, "bad": noise})
    members = contents(file)
    with zipfile.ZipFile(file, "w") as changed:
        for name, content in members.items():
            changed.writestr(name, content)
        changed.getinfo("arrays/1.npy").CRC ^= 1
    with open_archive(file, "Model") as opened:
        np.testing.assert_array_equal(np.asarray(opened.arrays["good"]), noise)
        assert opened.arrays["bad"].shape == (5000,)
        with pytest.raises(FileFormatError, match="damaged"):
            np.asarray(opened.arrays["bad"])


def test_arrays_are_converted_and_owned(file):
    with open_archive(file, "Model", gaps=("float64",)) as opened:
        stored = opened.arrays["float64"]
        assert np.asarray(stored, dtype=np.float32).dtype == np.float32
        first, second = np.asarray(stored), np.asarray(stored)
        first[0, 0] = 7.0
        assert second[0, 0] == np.pi
        with pytest.raises(ValueError, match="without a copy"):
            np.asarray(stored, copy=False)


@pytest.mark.parametrize("error", [KeyError("weight"), ValueError("sizes"), TypeError("None"), IndexError("4")])
def test_a_block_that_fails_blames_the_file(file, error):
    with pytest.raises(FileFormatError) as caught, open_archive(file, "Model"):
        raise error
    assert caught.value.where == str(file)
    assert caught.value.received == f"a file whose parts do not fit together ({type(error).__name__}: {error})"


@pytest.mark.parametrize("error", [SpecError("loss"), KeyboardInterrupt(), MemoryError(), RuntimeError("of Keras")])
def test_other_errors_of_the_block_pass(file, error):
    with pytest.raises(type(error)) as caught, open_archive(file, "Model"):
        raise error
    assert caught.value is error


# ---------------------------------------------------------------- files that unpack to too much

MIB = 1 << 20


def put_zeros(path, members, name, start, size, *, claimed=None):
    """Write a zip with an entry that unpacks to `start` and so many zeros, whose size and sum are those `claimed`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for other, content in members.items():
            if other != name:
                file.writestr(other, content)
        with file.open(name, "w") as entry:
            entry.write(start)
            for _ in range(size // MIB):
                entry.write(bytes(MIB))
        if claimed is not None:
            file.getinfo(name).file_size = len(claimed)
            file.getinfo(name).CRC = zlib.crc32(claimed)


def npy_header(shape, kind="<f8"):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": kind, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["<f8", "<U16"])
def test_zeros_that_unpack_to_too_much_are_refused_before_they_are_unpacked(memory_at_most, file, kind):
    size = 128 * MIB
    start = npy_header((size // np.dtype(kind).itemsize,), kind)
    put_zeros(file, contents(file), "arrays/0.npy", start, size)
    with memory_at_most(MIB):
        refused(file, received="bytes that unpack to 134,218,")


def test_an_array_is_not_unpacked_beyond_its_claimed_size(memory_at_most, file):
    start = npy_header((5000,))
    put_zeros(file, contents(file), "arrays/0.npy", start, 64 * MIB, claimed=start + bytes(40_000))
    with memory_at_most(MIB):
        _, arrays = read_archive(file, "Model")
    np.testing.assert_array_equal(arrays["float64"], np.zeros(5000))


def test_an_index_is_not_unpacked_beyond_its_claimed_size(memory_at_most, file):
    put_zeros(file, contents(file), "seqcast.json", b"{}", 64 * MIB, claimed=b"{}" + bytes(8))
    with memory_at_most(MIB):
        refused(file, received="damaged")


def test_an_index_that_is_too_long_is_refused(memory_at_most, file):
    put_zeros(file, contents(file), "seqcast.json", b"{}", 40 * MIB)
    with memory_at_most(MIB):
        refused(file, received="a header of more than 32 MiB")


def test_an_index_that_could_not_be_read_is_not_written(file, monkeypatch):
    before = file.read_bytes()
    monkeypatch.setattr(archive, "_INDEX_BYTES", 2 * MIB)
    with pytest.raises(SaveError, match="expected a header of at most 2 MiB, beside the arrays, received 3 MiB"):
        write_archive(file, "Model", {"categories": ["x" * MIB] * 3}, {})
    assert file.read_bytes() == before


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_unpack_all_at_once_are_refused(file, method):
    members = contents(file)
    with zipfile.ZipFile(file, "w", method) as changed:
        for name, content in members.items():
            changed.writestr(name, content)
    refused(file, received="a zip file of another compression")


def test_what_packs_too_well_is_stored_as_it_is(file):
    zeros = np.zeros(9 * MIB)
    arrays = {"zeros": zeros, "noise": np.random.default_rng(0).normal(size=100)}
    write_archive(file, "Model", {}, arrays)
    same(read_archive(file, "Model")[1], arrays)
    assert file.stat().st_size > zeros.nbytes
    arrays["zeros"] = zeros[: 7 * MIB]
    write_archive(file, "Model", {}, arrays)
    assert file.stat().st_size < zeros.nbytes // 100


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda path: None, "nothing"),
        (lambda path: path.mkdir(), "a folder"),
        (os.mkfifo, "a pipe, which - reads as standard input"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
        (lambda path: path.symlink_to("nowhere"), "nothing"),
    ],
)
def test_missing_file(tmp_path, make, received):
    path = tmp_path / "model"
    make(path)
    with pytest.raises(MissingFileError) as caught:
        read_archive(path, "Model")
    assert isinstance(caught.value, FileNotFoundError)
    assert str(caught.value) == f"{path}: expected a file, received {received}. Check the path."


# ---------------------------------------------------------------- writing that fails


def raiser(error):
    def fail(*arguments, **options):
        raise error

    return fail


def full_disk():
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


FAILURES = {
    "disk is full at the end": lambda patch: patch.setattr(files.os, "fsync", raiser(full_disk())),
    "disk is full on the way": lambda patch: patch.setattr(zipfile.ZipFile, "writestr", raiser(full_disk())),
    "no temporary file": lambda patch: patch.setattr(files.os, "open", raiser(PermissionError(13, "denied"))),
    "no renaming": lambda patch: patch.setattr(files.os, "replace", raiser(PermissionError(13, "denied"))),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("older", [True, False])
def test_failed_writing_leaves_no_trace(tmp_path, monkeypatch, failure, older):
    path = tmp_path / "model"
    if older:
        write_archive(path, "Model", {"version": "older"}, {})
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    with monkeypatch.context() as patch:
        FAILURES[failure](patch)
        with pytest.raises(SaveError) as caught:
            write_archive(path, "Model", {"version": "newer"}, ARRAYS)
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before
    error = caught.value
    assert isinstance(error, OSError)
    assert error.where == str(path)
    assert error.received in (os.strerror(errno.ENOSPC), "denied")
    assert str(error) == (
        f"{path}: expected a folder to write to, with room, received {error.received}. "
        "Nothing was written, and an older file of that name is unchanged."
    )


def test_objects_are_not_written(file):
    before = file.read_bytes()
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_archive(file, "Model", {}, {"objects": np.array([{}], dtype=object)})
    assert os.listdir(file.parent) == [file.name]
    assert file.read_bytes() == before


def test_limit_of_the_system_on_file_sizes(file, run_python):
    pytest.importorskip("resource")
    before = file.read_bytes()
    code = f"""
import resource
import numpy as np
from seqcast.errors import SaveError
from seqcast.runtime.archive import write_archive
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
noise = np.random.default_rng(0).normal(size=100_000)
try:
    write_archive({str(file)!r}, "Model", {{}}, {{"noise": noise}})
except SaveError as error:
    print(error.received)
"""
    assert run_python(code) == os.strerror(errno.EFBIG)
    assert os.listdir(file.parent) == [file.name]
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("missing/model", errno.ENOENT),
        ("file/model", errno.ENOTDIR),
        ("folder", errno.EISDIR),
        ("n" * 300, errno.ENAMETOOLONG),
    ],
)
def test_place_that_cannot_be_written(tmp_path, place, code):
    (tmp_path / "file").write_text("older")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SaveError) as caught:
        write_archive(tmp_path / place, "Model", {}, {})
    assert caught.value.where == str(tmp_path / place)
    assert caught.value.received == os.strerror(code)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "older"
    assert os.listdir(tmp_path / "folder") == []
