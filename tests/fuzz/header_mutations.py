"""Every mutation of every field of a model file's header, in a random order, each with a digest that fits.

A random change of a header mostly hits what the first check rejects. Here each field is changed by
itself.
"""

import copy
import itertools
import math

import numpy as np
from hostile_models import CODE, at, parse, places_in, sealed
from safetensors.numpy import load

# What stands in the place of a field.
VALUES = (
    *(None, True, False),
    *(-1, 0, 1, 2, 7, 10**9, 2.5, 1e308, math.nan, math.inf, -math.inf, 2**63, 10**30, 10**400),
    *("", "a", "\ud800", "x" * 10_000),
    *([], [None], [[1]], [1, 2], ["a", "a"], {}, {"a": 1}, {"a": {"a": []}}),
    *CODE,
)


def replaced(value):
    """Return a mutation that gives a field another value."""

    def mutate(owner, key):
        owner[key] = copy.deepcopy(value)

    return mutate


def deleted(owner, key):
    """Delete a field or an item."""
    del owner[key]


def duplicated(owner, key):
    """Repeat an item of a list; give an object a copy of a field by another name."""
    if isinstance(owner, list):
        owner.insert(key, copy.deepcopy(owner[key]))
    else:
        owner[f"{key} "] = copy.deepcopy(owner[key])


def nested(owner, key):
    """Put a field into a list."""
    owner[key] = [owner[key]]


def negated(owner, key):
    """Change the sign of a number; reverse a list or a text."""
    value = owner[key]
    if isinstance(value, list | str):
        owner[key] = value[::-1]
    elif isinstance(value, dict):
        owner[key] = dict(reversed(value.items()))
    elif value is not None:
        owner[key] = not value if isinstance(value, bool) else -value


def extended(owner, key):
    """Give a list or an object one more item."""
    value = owner[key]
    if isinstance(value, list):
        value.append(value[-1] if value else 0)
    elif isinstance(value, dict):
        value["another"] = None
    elif isinstance(value, str):
        owner[key] = value + "a"
    elif isinstance(value, int | float):
        owner[key] = value + 1


MUTATIONS = (*map(replaced, VALUES), deleted, duplicated, nested, negated, extended)


class HeaderMutations:
    """The mutations of one file.

    Args:
        whole: The bytes of the valid file.
    """

    def __init__(self, whole):
        self.content = parse(whole)[1]
        self.arrays = load(whole)
        paths = [("header", *path) for path in places_in(self.content["header"]) if path]
        cases = list(itertools.product(paths, range(len(MUTATIONS))))
        # So that a few are from all over the header.
        self.cases = [cases[place] for place in np.random.default_rng(0).permutation(len(cases))]

    def __len__(self):
        return len(self.cases)

    def file(self, number):
        """Return the place of a mutation, and the bytes of the mutated file.

        Numbers beyond the last mutation begin again.
        """
        path, mutation = self.cases[number % len(self.cases)]
        content = copy.deepcopy(self.content)
        MUTATIONS[mutation](at(content, path[:-1]), path[-1])
        where = ".".join(map(str, path))
        value = repr(VALUES[mutation]) if mutation < len(VALUES) else MUTATIONS[mutation].__name__
        return f"{where}: {value[:60]}", sealed(content, self.arrays)
