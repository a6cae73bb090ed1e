"""Hostile model files and checkpoints, each made from a valid one by a seed."""

import io
import json
import math
import struct
import zipfile

import numpy as np

INDEX = "seqcast.json"
MIB = 1 << 20
# What stands in the place of something else in a header.
VALUES = (
    None,
    True,
    -1,
    0,
    1,
    3,
    2.5,
    1e308,
    math.nan,
    -math.inf,
    10**6,
    10**9,
    10**30,
    -(10**30),
    2**63,
    "",
    "a",
    "standard",
    "\ud800",
    "x" * 10_000,
    [],
    [None],
    [1, 2],
    [[1]],
    ["a", "a"],
    {},
    {"a": 1},
    {"class_name": "function", "module": "os", "config": "system", "registered_name": None},
    {"class_name": "StringLookup", "module": "keras.layers", "config": {"vocabulary": "/etc/passwd"}},
    {"class_name": "__lambda__", "config": {"value": "4wEAAAA="}},
)
NAMES = ("../outside", "/tmp/outside", "arrays/../seqcast.json", "arrays\\0.npy", "", "C:evil", "\0", "arrays/0.npy/")


def mutate(whole, rng):
    """Return the bytes of a hostile file made from a valid one, and how it was made."""
    kind = str(rng.choice(list(KINDS)))
    return KINDS[kind](whole, rng), kind


def members_of(whole):
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def packed(members, *, method=zipfile.ZIP_DEFLATED):
    """Return a zip of pairs of name and content; names may come twice."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method, compresslevel=1) as archive:
        for name, content in members:
            # Not by `writestr(name)`, which warns of names that come twice.
            entry = zipfile.ZipInfo(name)
            entry.compress_type = method
            with archive._lock:
                archive.NameToInfo.pop(entry.filename, None)
            archive.writestr(entry, content)
    return buffer.getvalue()


def with_index(whole, change):
    members = members_of(whole)
    index = json.loads(members[INDEX])
    text = change(index)
    members[INDEX] = text if isinstance(text, str | bytes) else json.dumps(index)
    return packed(members.items())


# ---------------------------------------------------------------- bytes


def flip(whole, rng, low=0):
    data = bytearray(whole)
    for _ in range(int(rng.integers(1, 17))):
        data[int(rng.integers(low, len(data)))] ^= 1 << int(rng.integers(8))
    return bytes(data)


def flip_directory(whole, rng):
    """Flip bits of the directory at the end of a zip, where sizes and names stand."""
    return flip(whole, rng, low=whole.rindex(b"PK\x01\x02") if rng.random() < 0.5 else whole.index(b"PK\x01\x02"))


def truncate(whole, rng):
    end = int(rng.integers(0, len(whole)))
    return whole[:end] + rng.bytes(int(rng.integers(0, 200)))


def splice(whole, rng):
    """Put a piece of the file over another place of it."""
    size = int(rng.integers(1, 400))
    source, target = (int(rng.integers(0, len(whole) - size)) for _ in range(2))
    return whole[:target] + whole[source : source + size] + whole[target + size :]


def wrap(whole, rng):
    """Put bytes before and after, which zipfile accepts up to a length, or the file into itself."""
    choice = rng.integers(3)
    if choice == 0:
        return rng.bytes(int(rng.integers(1, 5000))) + whole
    if choice == 1:
        return whole + rng.bytes(int(rng.integers(1, 5000)))
    return packed([("model.seqcast", whole)])


# ---------------------------------------------------------------- members


def swap_members(whole, rng):
    members = members_of(whole)
    names = list(members)
    first, second = rng.choice(len(names), 2, replace=False)
    members[names[first]], members[names[second]] = members[names[second]], members[names[first]]
    return packed(members.items())


def rename_member(whole, rng):
    pairs = list(members_of(whole).items())
    place = int(rng.integers(len(pairs)))
    name = str(rng.choice([*NAMES, *(each for each, _ in pairs)]))
    changed = (name, pairs[place][1])
    return packed([*pairs, changed] if rng.random() < 0.5 else [*pairs[:place], changed, *pairs[place + 1 :]])


def drop_member(whole, rng):
    pairs = list(members_of(whole).items())
    del pairs[int(rng.integers(len(pairs)))]
    return packed(pairs)


def change_flags(whole, rng):
    """Change a field of an entry: encrypted, another compression, another sum, another size, a symbolic link."""
    buffer = io.BytesIO()
    pairs = list(members_of(whole).items())
    place, field = int(rng.integers(len(pairs))), int(rng.integers(6))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in pairs:
            archive.writestr(name, content)
        entry = archive.infolist()[place]
        if field == 0:
            entry.flag_bits |= 1
        elif field == 1:
            entry.compress_type = int(rng.choice([0, 1, 9, 12, 14, 93, 99]))
        elif field == 2:
            entry.CRC ^= 1 << int(rng.integers(32))
        elif field == 3:
            entry.file_size = int(rng.choice([0, 1, 2**31, 2**32 - 2, 2**40, entry.file_size + 1]))
        elif field == 4:
            entry.external_attr = 0o120777 << 16
        else:
            entry.header_offset = int(rng.choice([0, 1, archive.infolist()[0].header_offset, 2**31]))
    return buffer.getvalue()


# ---------------------------------------------------------------- headers


def places_in(node, path=()):
    yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from places_in(child, (*path, key))


def at(node, path):
    for key in path:
        node = node[key]
    return node


def change_header(whole, rng):
    """Give parts of the header values of another type, drop, rename, add or exchange them."""

    def change(index):
        for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
            paths = [path for path in places_in(index) if path]
            path = paths[int(rng.integers(len(paths)))]
            owner, key, choice = at(index, path[:-1]), path[-1], rng.random()
            value = VALUES[int(rng.integers(len(VALUES)))]
            if choice < 0.6:
                owner[key] = value
            elif choice < 0.7:
                del owner[key]
            elif choice < 0.8 and isinstance(owner, dict):
                owner[f"{key} "] = owner.pop(key)
            elif choice < 0.9 and isinstance(owner, dict):
                owner["another"] = value
            else:
                other = paths[int(rng.integers(len(paths)))]
                owner[key] = json.loads(json.dumps(at(index, other)))

    return with_index(whole, change)


def nest_header(whole, rng):
    depth = int(rng.choice([10, 100, 900, 5_000, 100_000]))
    opened, closed = (("[", "]"), ('{"a":', "}"))[int(rng.integers(2))]
    deep = opened * depth + "1" + closed * depth

    def change(index):
        paths = [path for path in places_in(index) if path]
        path = paths[int(rng.integers(len(paths)))]
        at(index, path[:-1])[path[-1]] = "deep"
        return json.dumps(index).replace('"deep"', deep, 1)

    return with_index(whole, change)


def break_json(whole, rng):
    text = bytearray(members_of(whole)[INDEX])
    for _ in range(int(rng.integers(1, 4))):
        text[int(rng.integers(len(text)))] = int(rng.integers(256))
    return packed({**members_of(whole), INDEX: bytes(text)}.items())


# ---------------------------------------------------------------- arrays


def change_array(whole, rng):
    """Give an array another shape, another type or other values."""
    members = members_of(whole)
    names = [name for name in members if name != INDEX]
    name = names[int(rng.integers(len(names)))]
    values = np.load(io.BytesIO(members[name]), allow_pickle=False)
    choice = int(rng.integers(6))
    if choice == 0:
        shapes = [(), (0,), (1, 1), (*values.shape, 1), (values.size,), (2, *values.shape)]
        values = np.resize(values, shapes[int(rng.integers(len(shapes)))])
    elif choice == 1:
        kind = str(rng.choice(["f8", "f4", "f2", "i8", "i1", "u8", "?", "U3", "M8[ns]", "M8[Y]", "m8[s]", "c16", "S2"]))
        values = np.zeros(values.shape, dtype=kind)
    elif choice == 2:
        values = values[::-1] if values.ndim else values
    elif choice == 3 and values.dtype.kind in "fiuMm":
        filler = rng.choice([np.nan, np.inf, -1.0, 1e300]) if values.dtype.kind == "f" else np.iinfo("i8").min
        with np.errstate(all="ignore"):
            values = np.full(values.shape, filler).astype(values.dtype)
    elif choice == 4:
        raw = np.frombuffer(rng.bytes(values.nbytes), dtype=np.uint8)
        values = raw.view(values.dtype).reshape(values.shape) if values.dtype.kind != "U" else values[:0]
    else:
        values = values.astype(values.dtype.newbyteorder(">"))
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return packed({**members, name: buffer.getvalue()}.items())


def change_array_header(whole, rng):
    """Give an array a header that claims more than there is, is long, is deep, or is no header."""
    members = members_of(whole)
    names = [name for name in members if name != INDEX]
    name = names[int(rng.integers(len(names)))]
    headers = [
        f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10 ** int(rng.integers(6, 18))},), }}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<f8', 'fortran_order': 1, 'shape': (-3, -1), }",
        "{'descr': '<U999999999', 'fortran_order': False, 'shape': (0,), }",
        "{'descr': [('a', '<f8'), ('b', 'O')], 'fortran_order': False, 'shape': (1,), }",
        "(" * 5000 + ")" * 5000,
        "-" * 9000 + "1",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1," * 4000 + "), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (True, None), }",
        "__import__('os').system('true')",
    ]
    text = headers[int(rng.integers(len(headers)))].encode()
    start = b"\x93NUMPY" + bytes([int(rng.choice([1, 1, 1, 2, 3, 9])), 0]) + struct.pack("<H", len(text)) + text
    return packed({**members, name: start + members[name][int(rng.integers(0, 200)) :]}.items())


# ---------------------------------------------------------------- bombs


def npy_zeros(shape, kind):
    start = io.BytesIO()
    np.lib.format.write_array_header_1_0(start, {"descr": kind, "fortran_order": False, "shape": shape})
    return start.getvalue()


def bomb(whole, rng):
    """Let a small file unpack to tens or hundreds of MiB: in an array, the index, the sizes that are claimed."""
    members = members_of(whole)
    names = list(members)
    name, size = names[int(rng.integers(len(names)))], int(rng.choice([20, 60, 70, 150])) * MIB
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for other in names:
            if other != name:
                archive.writestr(other, members[other])
        with archive.open(name, "w") as entry:
            filling = b" " if name == INDEX else b"\0"
            entry.write(members[INDEX][:-1] if name == INDEX else npy_zeros((size // 8,), "<f8"))
            for _ in range(size // MIB):
                entry.write(filling * MIB)
            if name == INDEX:
                entry.write(b"}")
        if rng.random() < 0.3:
            archive.getinfo(name).file_size = len(members[name])
    return buffer.getvalue()


def many_members(whole, rng):
    count = int(rng.choice([2_000, 70_000] if rng.random() < 0.1 else [2_000]))
    extra = [(f"arrays/{number + 1000}.npy", b"") for number in range(count)]
    return packed([*members_of(whole).items(), *extra], method=zipfile.ZIP_STORED)


def many_arrays(whole, rng):
    """Let the index name one array a hundred thousand times, or more than there are."""
    count = int(rng.choice([10, 100_000]))

    def change(index):
        index["arrays"] = index["arrays"] + [f"weight/{number}" for number in range(count)]

    return with_index(whole, change)


KINDS = {
    "flip": flip,
    "flip directory": flip_directory,
    "truncate": truncate,
    "splice": splice,
    "wrap": wrap,
    "swap members": swap_members,
    "rename member": rename_member,
    "drop member": drop_member,
    "change flags": change_flags,
    "change header": change_header,
    "change header again": change_header,
    "change header a third time": change_header,
    "nest header": nest_header,
    "break JSON": break_json,
    "change array": change_array,
    "change array header": change_array_header,
    "bomb": bomb,
    "many members": many_members,
    "many arrays": many_arrays,
}
