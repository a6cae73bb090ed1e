"""Hostile model files and checkpoints, each made from a valid one by a seed.

What is changed in the header or in an array gets the right digest, as whoever is hostile would
compute it.
"""

import json
import math

import numpy as np
from safetensors.numpy import load, save

from seqcast.runtime import model_files

MIB = 1 << 20
# What stands in the place of something else in a header.
NUMBERS = (-1, 0, 1, 3, 2.5, 1e308, math.nan, -math.inf, 10**6, 10**9, 10**30, -(10**30), 2**63)
TEXTS = ("", "a", "standard", "\ud800", "x" * 10_000)
NESTED = ([], [None], [1, 2], [[1]], ["a", "a"], {}, {"a": 1})
CODE = (
    {"class_name": "function", "module": "os", "config": "system", "registered_name": None},
    {
        "class_name": "StringLookup",
        "module": "keras.layers",
        "config": {"vocabulary": "/etc/passwd"},
    },
    {"class_name": "__lambda__", "config": {"value": "4wEAAAA="}},
)
VALUES = (None, True, *NUMBERS, *TEXTS, *NESTED, *CODE)
NAMES = (
    "../outside",
    "/tmp/out",
    "__metadata__",
    "a\\0.npy",
    "",
    "C:evil",
    "\0",
    "series/values/",
    "/",
    "weight/1e9",
)
TYPES = ("F64", "F32", "BF16", "I8", "U8", "BOOL", "C64", "F8_E4M3", "F4", "O", "")
NUMPY_TYPES = ("<U9", "<M8[ns]", "<M8[Y]", "<m8[s]", "<U999999999", "|O", "<f8,O", "<i8")


def one_of(choices, rng):
    return choices[int(rng.integers(len(choices)))]


def parse(whole):
    """Return the header of safetensors, the content, and the bytes of all arrays."""
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    return header, json.loads(header["__metadata__"]["seqcast"])["content"], whole[8 + length :]


def raw(header, data):
    """Return a file of any header, which is JSON or text."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def sealed(content, arrays):
    """Return a file with the right digest, where there is one."""
    try:
        digest = model_files._digest_of(content, arrays)
    except Exception:  # content that names no arrays
        digest = "0" * 64
    return save(arrays, {"seqcast": json.dumps({"sha256": digest, "content": content})})


def with_content(whole, change):
    content = parse(whole)[1]
    arrays = load(whole)
    change(content)
    return sealed(content, arrays)


# ---------------------------------------------------------------- bytes


def flip(whole, rng):
    data = bytearray(whole)
    high = len(data) if rng.random() < 0.5 else 8 + int.from_bytes(whole[:8], "little")
    for _ in range(int(rng.integers(1, 17))):
        data[int(rng.integers(0, high))] ^= 1 << int(rng.integers(8))
    return bytes(data)


def truncate(whole, rng):
    end = int(rng.integers(0, len(whole)))
    return whole[:end] + rng.bytes(int(rng.integers(0, 200)))


# ---------------------------------------------------------------- what safetensors reads


def claim(whole, rng):
    """Give an array another shape, type, place or name than it has."""
    header, _, data = parse(whole)
    names = [name for name in header if name != "__metadata__"]
    name = one_of(names, rng)
    entry = int(rng.integers(5))
    other = header[one_of(names, rng)]
    if entry == 0:
        shapes = [
            [10 ** int(rng.integers(6, 19))],
            [2**32] * 3,
            [-1],
            [],
            [0] * 5000,
            [None],
            "all",
            [10**12, 0],
        ]
        header[name]["shape"] = one_of(shapes, rng)
    elif entry == 1:
        header[name]["dtype"] = one_of(TYPES, rng)
    elif entry == 2:
        places = [
            other["data_offsets"],
            [0, 0],
            [-8, 8],
            [0, 2**63],
            [8, 0],
            [0, len(data)],
            [0],
            None,
        ]
        header[name]["data_offsets"] = one_of(places, rng)
    elif entry == 3:
        header[one_of([*NAMES, *names], rng)] = header.pop(name)
    else:
        text = json.dumps(header)[:-1] + f", {json.dumps(name)}: {json.dumps(other)}}}"
        return raw(text.encode(), data)
    return raw(header, data)


def long_header(whole, rng):
    """Let the header claim to be long, be long, name very many arrays, or be nested."""
    header, _, data = parse(whole)
    choice = int(rng.integers(4))
    if choice == 0:
        return int(rng.choice([0, 2**31, 2**40, 2**63])).to_bytes(8, "little") + whole[8:]
    if choice == 1:
        return raw(
            json.dumps(header).encode() + b" " * (int(rng.choice([1, 20, 40, 110])) * MIB), data
        )
    if choice == 2:
        empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
        return raw(
            {**{f"weight/{n}": empty for n in range(int(rng.choice([10, 100_000])))}, **header},
            data,
        )
    return raw(b"[" * 100_000 + b"]" * 100_000, data)


def break_json(whole, rng):
    header, _, data = parse(whole)
    text = bytearray(json.dumps(header).encode())
    for _ in range(int(rng.integers(1, 4))):
        text[int(rng.integers(len(text)))] = int(rng.integers(256))
    return raw(bytes(text), data)


# ---------------------------------------------------------------- the content


def places_in(node, path=()):
    yield path
    children = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
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
            path = one_of(paths, rng)
            value = one_of(VALUES, rng)
            choice = rng.random()
            owner = at(index, path[:-1])
            key = path[-1]
            if choice < 0.6:
                owner[key] = value
            elif choice < 0.7:
                del owner[key]
            elif choice < 0.8 and isinstance(owner, dict):
                owner[f"{key} "] = owner.pop(key)
            elif choice < 0.9 and isinstance(owner, dict):
                owner["another"] = value
            else:
                owner[key] = json.loads(json.dumps(at(index, one_of(paths, rng))))

    return with_content(whole, change)


def nest_header(whole, rng):
    depth = int(rng.choice([10, 100, 900, 5_000, 100_000]))
    opened, closed = one_of((("[", "]"), ('{"a":', "}")), rng)
    header, content, data = parse(whole)
    path = one_of([path for path in places_in(content) if path], rng)
    at(content, path[:-1])[path[-1]] = "deep"
    entry = json.dumps({"sha256": "0" * 64, "content": content})
    header["__metadata__"]["seqcast"] = entry.replace(
        '"deep"', opened * depth + "1" + closed * depth, 1
    )
    return raw(header, data)


# ---------------------------------------------------------------- arrays


def change_arrays(whole, rng):
    """Exchange, drop or add arrays, or give one another shape, another type or other values."""
    content = parse(whole)[1]
    arrays = load(whole)
    name, other = (one_of(list(arrays), rng) for _ in range(2))
    values = arrays[name]
    choice = int(rng.integers(8))
    if choice == 0:
        shapes = [
            (),
            (0,),
            (1, 1),
            (*values.shape, 1),
            (values.size,),
            (2, *values.shape),
            (0, 10**9),
        ]
        values = np.resize(values, one_of(shapes, rng))
    elif choice == 1:
        values = np.zeros(
            values.shape, dtype=str(rng.choice(["f8", "f4", "f2", "i8", "i1", "u8", "?"]))
        )
    elif choice == 2:
        values = values[::-1] if values.ndim else values
    elif choice == 3 and values.dtype.kind in "fiu":
        filler = rng.choice([np.nan, np.inf, -1.0, 1e300]) if values.dtype.kind == "f" else -(2**63)
        with np.errstate(all="ignore"):
            values = np.full(values.shape, filler).astype(values.dtype)
    elif choice == 4:
        values = (
            np.frombuffer(rng.bytes(values.nbytes), dtype=np.uint8)
            .view(values.dtype)
            .reshape(values.shape)
        )
    elif choice == 5:
        values, arrays[other] = arrays[other], values
        content["arrays"][name], content["arrays"][other] = (
            content["arrays"][other],
            content["arrays"][name],
        )
    elif choice == 6:
        content["arrays"][name] = one_of(NUMPY_TYPES, rng)
    else:
        del arrays[name], content["arrays"][name]
        return sealed(content, arrays)
    arrays[name] = np.ascontiguousarray(values)
    if choice in (1, 2):
        content["arrays"][name] = model_files._type(arrays[name])
    return sealed(content, arrays)


KINDS = [
    flip,
    truncate,
    claim,
    claim,
    long_header,
    break_json,
    nest_header,
    *[change_header] * 3,
    *[change_arrays] * 2,
]
