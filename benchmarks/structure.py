"""What the house rules of the source come to in figures: doors, private names, bundles of arguments, long calls.

    python benchmarks/structure.py                  # each figure and its limit; ends with 1 where one is broken
    python benchmarks/structure.py --list           # and each place
    python benchmarks/structure.py --source FOLDER  # of another checkout's src/seqcast

Nothing is imported: the figures are counted in the syntax trees of the files. A room is a package or a module in the
root of `seqcast`. Its door is its `__init__`; the inner packages of `data` and that of candidates are doors too.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "seqcast"
ROOT = "seqcast"
CANDIDATE_NAMES = ("seasonal_naive", "finetuned", "trained")
CANDIDATES = "seqcast.forecaster.candidates"
MOST_POSITIONAL = 5
# Libraries that modules of the package hand on.
_HANDED_ON = ("keras", "ops")
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Place:
    """A place that a measure counts.

    Args:
        module: Dotted name of the module.
        line: Its line, from 1.
        text: What stands there.
    """

    module: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {' '.join(self.text.split())[:100]}"


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
    package: bool = False

    @property
    def room(self) -> str:
        """The room that it belongs to."""
        return room_of(self.name)

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.source)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of the tree."""
        return list(ast.walk(self.tree))

    def place(self, node: ast.AST) -> Place:
        """Return the place of a node."""
        return Place(self.name, getattr(node, "lineno", 1), ast.unparse(node))


@dataclass(frozen=True)
class House:
    """All modules of the package.

    Args:
        modules: The modules, by their dotted names.
        stubs: Stubs of packages that import what they offer when it is used.
    """

    modules: dict[str, Module]
    stubs: dict[str, Module]

    @classmethod
    def read(cls, folder: Path) -> House:
        """Read the source files below a folder, the package's root."""
        paths = sorted([*folder.rglob("*.py"), *folder.rglob("*.pyi")])
        return cls.of({str(path.relative_to(folder)): path.read_text("utf-8") for path in paths})

    @classmethod
    def of(cls, sources: dict[str, str]) -> House:
        """Return the modules with these texts, by their paths below the package's root."""
        modules: dict[str, Module] = {}
        stubs: dict[str, Module] = {}
        for path, text in sources.items():
            kind = stubs if path.endswith(".pyi") else modules
            parts = Path(path).with_suffix("").parts
            package = parts[-1] == "__init__"
            name = ".".join((ROOT, *parts[: -1 if package else None]))
            kind[name] = Module(name, text, package)
        return cls(modules, stubs)

    def is_door(self, name: str) -> bool:
        """Whether other rooms may import from a module."""
        depth = name.count(".")
        inner = depth == 2 and name.startswith(f"{ROOT}.data.") and self.modules[name].package
        return depth < 2 or inner or name == CANDIDATES

    @cached_property
    def offered(self) -> dict[str, set[str]]:
        """The names that each package offers, in its `__init__` or the stub beside it."""
        names: dict[str, set[str]] = {}
        for module in (*self.modules.values(), *self.stubs.values()):
            imports = (node for node in module.nodes if isinstance(node, ast.ImportFrom) and module.package)
            names.setdefault(module.name, set()).update(alias.name for node in imports for alias in node.names)
        return names

    @cached_property
    def private_names(self) -> dict[str, set[str]]:
        """The private names that each room defines."""
        names: dict[str, set[str]] = {}
        for module in self.modules.values():
            names.setdefault(module.room, set()).update(filter(is_private, defined_names(module.nodes)))
        return names

    @cached_property
    def methods(self) -> set[str]:
        """Names of the methods of all classes."""
        nodes = (node for module in self.modules.values() for node in module.nodes)
        bodies = (node.body for node in nodes if isinstance(node, ast.ClassDef))
        return {node.name for body in bodies for node in body if isinstance(node, _FUNCTIONS)}


def room_of(module: str) -> str:
    """Return the room of a module: the first name below the root, or the root itself."""
    return ".".join(module.split(".")[:2])


def is_private(name: str) -> bool:
    """Whether a name is private: one underscore in front."""
    return name.startswith("_") and not name.startswith("__") and name != "_"


def defined_names(nodes: list[ast.AST]) -> Iterator[str]:
    """Yield the names that a module defines: functions, classes, variables, fields, and attributes of `self`."""
    for node in nodes:
        if isinstance(node, _FUNCTIONS | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node.value):
            yield node.attr


def is_own(node: ast.expr) -> bool:
    """Whether an expression is the object whose method it stands in, or its class."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "super"
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def candidate_literals(house: House) -> Iterator[Place]:
    """Yield the names of candidates that are written outside their package, docstrings left out."""
    for module in house.modules.values():
        if f"{module.name}.".startswith(f"{CANDIDATES}."):
            continue
        prose = {id(node.value) for node in module.nodes if isinstance(node, ast.Expr)}
        for node in module.nodes:
            if isinstance(node, ast.Constant) and node.value in CANDIDATE_NAMES and id(node) not in prose:
                yield module.place(node)


def private_uses(house: House) -> Iterator[Place]:
    """Yield uses of private names of another room.

    A private name that the own room defines too is taken for the own one: no types are known here.
    """
    names = house.private_names
    for module in house.modules.values():
        others = set().union(*(private for room, private in names.items() if room != module.room))
        foreign = others - names[module.room]
        for node in module.nodes:
            if isinstance(node, ast.Attribute):
                used = [] if is_own(node.value) else [node.attr]
            elif isinstance(node, ast.ImportFrom) and room_of(node.module or "") != module.room:
                used = [alias.name for alias in node.names]
            else:
                continue
            if foreign.intersection(used):
                yield module.place(node)


def imports_between(house: House) -> Iterator[tuple[Place, bool]]:
    """Yield each import of one room from another, those for type checkers too, and whether it goes past a door."""
    for module in house.modules.values():
        for node in module.nodes:
            targets = [target for target in _imported(house, node) if room_of(target) not in (module.room, ROOT)]
            if targets:
                yield module.place(node), not all(map(house.is_door, targets))


def _imported(house: House, node: ast.AST) -> Iterator[str]:
    """Yield the modules of the package that a statement imports, or imports names from."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in house.modules)
    elif isinstance(node, ast.ImportFrom) and node.module in house.modules:
        offered = house.offered[node.module]
        inner = (node.module if alias.name in offered else f"{node.module}.{alias.name}" for alias in node.names)
        yield from (name if name in house.modules else node.module for name in inner)


def past_doors(house: House) -> Iterator[Place]:
    """Yield the imports of one room from another that go past a door."""
    return (place for place, past in imports_between(house) if past)


def argument_bundles(house: House) -> Iterator[Place]:
    """Yield local dictionaries of anything that go into a call of a function of the package."""
    for module in house.modules.values():
        own = _own_callables(house, module)
        for function in module.nodes:
            if isinstance(function, _FUNCTIONS):
                calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
                passed = {name for call in calls if own(_called(call)) for name in _passed_names(call)}
                bundles = (node for node in _inside(function) if _is_bundle(node))
                yield from (module.place(node) for node in bundles if node.target.id in passed)


def _is_bundle(node: ast.AST) -> bool:
    """Whether a statement makes a dictionary whose values have no type."""
    if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
        return False
    values = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
    made = any(isinstance(value, ast.Dict | ast.DictComp) for value in values)
    made |= any(isinstance(value, ast.Call) and ast.unparse(value.func) == "dict" for value in values)
    return made and ast.unparse(node.annotation) in ("Any", "dict[str, Any]")


def _called(call: ast.Call) -> ast.expr:
    """Return what a call calls, or what `partial` is to call later."""
    later = ast.unparse(call.func) in ("partial", "functools.partial") and call.args
    return call.args[0] if later else call.func


def _passed_names(call: ast.Call) -> Iterator[str]:
    """Yield the names that a call passes on, whole or by `**`."""
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    return (node.id for node in arguments if isinstance(node, ast.Name))


def _own_callables(house: House, module: Module) -> Callable[[ast.expr], bool]:
    """Return a function that says whether what is called is the package's own, as far as names show it.

    A method of an object of unknown type counts where a class of the package has one of that name and `dict` has none.
    """
    own, foreign = {node.name for node in module.tree.body if isinstance(node, _FUNCTIONS | ast.ClassDef)}, set()
    for node in module.nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                source = (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
                ours = source.partition(".")[0] == ROOT and alias.name not in _HANDED_ON
                (own if ours else foreign).add(alias.asname or alias.name.partition(".")[0])

    def is_ours(function: ast.expr) -> bool:
        if not isinstance(function, ast.Attribute):
            return isinstance(function, ast.Name) and function.id in {*own, "cls"}
        base = function.value
        while isinstance(base, ast.Attribute | ast.Call | ast.Subscript):
            base = base.func if isinstance(base, ast.Call) else base.value
        known = base.id if isinstance(base, ast.Name) else ""
        is_method = function.attr in house.methods and not hasattr(dict, function.attr)
        return known not in foreign and (known in own or is_method)

    return is_ours


def _inside(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions in it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, _FUNCTIONS):
            yield child
            yield from _inside(child)


def long_calls(house: House) -> Iterator[Place]:
    """Yield calls with more than five positional arguments; a tuple unpacked on the spot counts its elements."""
    for module in house.modules.values():
        calls = (node for node in module.nodes if isinstance(node, ast.Call))
        yield from (module.place(call) for call in calls if _positional(call) > MOST_POSITIONAL)


def _positional(call: ast.Call) -> int:
    starred = (node.value if isinstance(node, ast.Starred) else None for node in call.args)
    return sum(len(node.elts) if isinstance(node, ast.Tuple | ast.List) else 1 for node in starred)


def none_assertions(house: House) -> Iterator[Place]:
    """Yield assertions that something is not `None`, which a type could say."""
    for module in house.modules.values():
        for node in module.nodes:
            if isinstance(node, ast.Assert):
                compared = (part for part in ast.walk(node.test) if isinstance(part, ast.Compare))
                if any(isinstance(operator, ast.IsNot) for part in compared for operator in part.ops):
                    yield module.place(node)


@dataclass(frozen=True)
class Measure:
    """A figure and its limit.

    Args:
        words: What is counted.
        places: Yields the places.
        most: The limit: a number, or per cent of the imports between rooms.
        share: Whether it is per cent.
    """

    words: str
    places: Callable[[House], Iterator[Place]]
    most: int
    share: bool = False

    def limit(self, house: House) -> int:
        """Return the limit as a number of places."""
        return self.most * sum(1 for _ in imports_between(house)) // 100 if self.share else self.most


MEASURES = (
    Measure("names of candidates written outside their package", candidate_literals, 3),
    Measure("uses of another room's private names", private_uses, 0),
    Measure("imports past a door", past_doors, 5, share=True),
    Measure("dictionaries of arguments", argument_bundles, 3),
    Measure("calls with more than five positional arguments", long_calls, 5),
    Measure("assertions that something is not None", none_assertions, 20),
)


def main(argv: list[str] | None = None) -> int:
    """Print the figures; return 1 where one is over its limit, else 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="print each place")
    parser.add_argument("--source", type=Path, default=SOURCE, help="the package's root; this checkout's if not given")
    options = parser.parse_args(argv)
    house, broken = House.read(options.source), 0
    for measure in MEASURES:
        places, limit = list(measure.places(house)), measure.limit(house)
        over = len(places) > limit
        broken += over
        print(f"{len(places):5} of at most {limit:3}  {measure.words}{'  OVER' if over else ''}")
        if options.list:
            print(*(f"        {place}" for place in places), sep="\n")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
