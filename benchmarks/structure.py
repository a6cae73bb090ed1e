"""What the house rules of the source come to in figures: doors, private names, bundles of arguments, long calls.

    python benchmarks/structure.py                  # each figure and its limit; ends with 1 where one is broken
    python benchmarks/structure.py --list           # and each place
    python benchmarks/structure.py --source FOLDER  # of another checkout's src/seqcast

Nothing is imported: the figures are counted in the syntax trees of the files. A room is a package or a module in the
root of `seqcast`. Its door is its `__init__`; the inner packages of `data` and that of candidates are doors too.
"""

import ast
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness import ROOT, options

SOURCE = ROOT / "src" / "seqcast"
PACKAGE = "seqcast"
CANDIDATE_NAMES = ("seasonal_naive", "finetuned", "trained")
CANDIDATES = "seqcast.forecaster.candidates"
MOST_POSITIONAL = 5
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A module and its syntax tree.

    Args:
        name: Its dotted name; a package has that of its folder.
        source: Its text.
        package: Whether it is the `__init__` of a package.
    """

    name: str
    source: str
    package: bool

    @cached_property
    def nodes(self):
        """All nodes of its syntax tree."""
        return list(ast.walk(ast.parse(self.source)))


class House:
    """All modules of the package, by their dotted names.

    Args:
        sources: The texts of the files, by their paths below the package's root; stubs too, which say what packages
            offer that import it when it is used.
    """

    def __init__(self, sources):
        self.modules, self.offered, self.private = {}, {}, {}
        for path, text in sources.items():
            parts = Path(path).with_suffix("").parts
            package = parts[-1] == "__init__"
            module = Module(".".join((PACKAGE, *parts[: -1 if package else None])), text, package)
            imports = (node for node in module.nodes if isinstance(node, ast.ImportFrom) and package)
            names = self.offered.setdefault(module.name, set())
            names.update(alias.name for node in imports for alias in node.names)
            if not path.endswith(".pyi"):
                self.modules[module.name] = module
                private = self.private.setdefault(room_of(module.name), set())
                private.update(name for name in defined_names(module.nodes) if is_private(name))

    def places(self, kind):
        """Yield the nodes of a kind with their modules."""
        return ((module, node) for module in self.modules.values() for node in module.nodes if isinstance(node, kind))

    def is_door(self, name):
        """Whether other rooms may import from a module."""
        depth = name.count(".")
        inner = depth == 2 and name.startswith(f"{PACKAGE}.data.") and self.modules[name].package
        return depth < 2 or inner or name == CANDIDATES

    def imported(self, node):
        """Yield the modules of the package that a statement imports, or imports names from."""
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in self.modules)
        elif node.module in self.modules:
            offered = self.offered[node.module]
            inner = (node.module if alias.name in offered else f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in self.modules else node.module for name in inner)


def room_of(module):
    """Return the room of a module: the first name below the root, or the root itself."""
    return ".".join(module.split(".")[:2])


def is_private(name):
    """Whether a name is private: one underscore in front."""
    return name.startswith("_") and not name.startswith("__") and name != "_"


def defined_names(nodes):
    """Yield the names that a module defines: functions, classes, variables, fields, and attributes of `self`."""
    for node in nodes:
        if isinstance(node, FUNCTIONS | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node.value):
            yield node.attr


def is_own(node):
    """Whether an expression is the object whose method it stands in, or its class."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "super"
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def candidate_literals(house):
    """Yield the names of candidates that are written outside their package, docstrings left out."""
    for module, node in house.places(ast.Constant):
        elsewhere = node.value in CANDIDATE_NAMES and not f"{module.name}.".startswith(f"{CANDIDATES}.")
        if elsewhere and not any(isinstance(each, ast.Expr) and each.value is node for each in module.nodes):
            yield module, node


def private_uses(house):
    """Yield uses of private names of another room.

    A private name that the own room defines too is taken for the own one: no types are known here.
    """
    for module, node in house.places(ast.Attribute | ast.ImportFrom):
        if isinstance(node, ast.Attribute):
            used = [] if is_own(node.value) else [node.attr]
        else:
            used = [alias.name for alias in node.names if room_of(node.module or "") != room_of(module.name)]
        others = (names for room, names in house.private.items() if room != room_of(module.name))
        used = set(used) - house.private[room_of(module.name)]
        if any(used & names for names in others):
            yield module, node


def imports_between(house):
    """Yield each import of one room from another, those for type checkers too, and whether it goes past a door."""
    for module, node in house.places(ast.Import | ast.ImportFrom):
        own = (room_of(module.name), PACKAGE)
        targets = [target for target in house.imported(node) if room_of(target) not in own]
        if targets:
            yield module, node, not all(map(house.is_door, targets))


def past_doors(house):
    """Yield the imports of one room from another that go past a door."""
    return ((module, node) for module, node, past in imports_between(house) if past)


def argument_bundles(house):
    """Yield local dictionaries of anything that are unpacked into a call."""
    for module, function in house.places(FUNCTIONS):
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
        unpacked = {ast.unparse(each.value) for call in calls for each in call.keywords if each.arg is None}
        for node in inside(function):
            is_loose = isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) in ("Any", "dict[str, Any]")
            if is_loose and node.value and ast.unparse(node.target) in unpacked:
                yield module, node


def inside(function):
    """Yield the nodes of a function without those of functions in it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, FUNCTIONS):
            yield child
            yield from inside(child)


def long_calls(house):
    """Yield calls with more than five positional arguments; a tuple unpacked on the spot counts its elements."""
    for module, call in house.places(ast.Call):
        starred = (node.value if isinstance(node, ast.Starred) else None for node in call.args)
        count = sum(len(node.elts) if isinstance(node, ast.Tuple | ast.List) else 1 for node in starred)
        if count > MOST_POSITIONAL:
            yield module, call


def none_assertions(house):
    """Yield assertions that something is not `None`, which a type could say."""
    for module, node in house.places(ast.Assert):
        compared = (part for part in ast.walk(node.test) if isinstance(part, ast.Compare))
        if any(isinstance(operator, ast.IsNot) for part in compared for operator in part.ops):
            yield module, node


# What is counted, what yields the places, and the limit; below 1 it is a share of the imports between rooms.
MEASURES = (
    ("names of candidates written outside their package", candidate_literals, 3),
    ("uses of another room's private names", private_uses, 0),
    ("imports past a door", past_doors, 0.05),
    ("dictionaries of anything unpacked into a call", argument_bundles, 10),
    ("calls with more than five positional arguments", long_calls, 5),
    ("assertions that something is not None", none_assertions, 20),
)


def main(argv=None):
    """Print the figures; return 1 where one is over its limit, else 0."""
    parser = options(__doc__)
    parser.add_argument("--list", action="store_true", help="print each place")
    parser.add_argument("--source", type=Path, default=SOURCE, help="the package's root; this checkout's if not given")
    given, broken = parser.parse_args(argv), 0
    paths = sorted([*given.source.rglob("*.py"), *given.source.rglob("*.pyi")])
    house = House({str(path.relative_to(given.source)): path.read_text("utf-8") for path in paths})
    for words, measure, most in MEASURES:
        places = list(measure(house))
        limit = int(most * sum(1 for _ in imports_between(house))) if 0 < most < 1 else most
        broken += len(places) > limit
        print(f"{len(places):5} of at most {limit:3}  {words}{'  OVER' if len(places) > limit else ''}")
        for module, node in places if given.list else ():
            print(f"        {module.name}:{node.lineno} {' '.join(ast.unparse(node).split())[:100]}")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
