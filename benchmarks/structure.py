"""What the rules of CONTRIBUTING.md come to in figures: the form of code, and how packages use each other.

    python benchmarks/structure.py              # this checkout; ends with 1 where a figure is over its limit
    python benchmarks/structure.py --list       # and each place
    python benchmarks/structure.py FOLDER ...   # the form of other packages, such as site-packages/httpx

Nothing is imported: the figures are counted in syntax trees and tokens.

- Tokens are names, operators and literals, without comments, docstrings, line ends and indents.
- An assignment is packed if it has several values and is no swap, as `a, b = x, y`.
- A function is long if it has fifteen lines, without its docstring and blank lines.
- Branches are `if`, loops, `except`, `case`, conditional expressions, clauses of comprehensions, and operands of `and`
  and `or` after the first.
- The public names of a package are those of its `__init__`. The packages within `data`, and the one of candidates, have
  public names, too.
"""

import argparse
import ast
import io
import sys
import tokenize
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness import ROOT, options, table

SOURCE = ROOT / "src" / "seqcast"
PACKAGE = "seqcast"
CANDIDATE_NAMES = ("seasonal_naive", "finetuned", "trained")
CANDIDATES = "seqcast.forecaster.candidates"
MOST_POSITIONAL = 5
MOST_COLUMNS = 100
MOST_BRANCHES = 15
LONG_FUNCTION = 15

FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
ASSIGNMENTS = ast.Assign | ast.AnnAssign | ast.AugAssign
ONE_BRANCH = (
    ast.If | ast.For | ast.AsyncFor | ast.While | ast.ExceptHandler | ast.match_case | ast.IfExp
)
CONDITIONS = ast.Compare | ast.BoolOp | ast.Name | ast.Attribute
# Methods of named tuples are public in spite of their names.
OF_NAMED_TUPLES = frozenset(("_replace", "_asdict", "_fields", "_make"))
NO_CODE = frozenset(
    (
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
    )
)


@dataclass(frozen=True)
class Module:
    """A module and its syntax tree.

    Args:
        name: Its dotted name; a package has that of its folder.
        source: Its text.
        is_package: Whether it is the `__init__` of a package.
    """

    name: str
    source: str
    is_package: bool

    @cached_property
    def nodes(self):
        """All nodes of its syntax tree."""
        return list(ast.walk(ast.parse(self.source)))

    @cached_property
    def lines(self):
        """Its lines."""
        return self.source.splitlines()

    def of_kind(self, kind):
        """Return the nodes of a kind."""
        return [node for node in self.nodes if isinstance(node, kind)]


class Package:
    """All modules of a package, by their dotted names.

    Args:
        name: Its name.
        sources: The texts of the files, by their paths below the package's root. Stubs say what a package offers that
            imports it when it is used.
    """

    def __init__(self, name, sources):
        self.name = name
        self.modules = {}
        self.offered = {}
        self.private = {}

        for path, text in sources.items():
            parts = Path(path).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            inner = parts[:-1] if is_package else parts
            module = Module(".".join((name, *inner)), text, is_package)

            offered = self.offered.setdefault(module.name, set())
            if is_package:
                imports = module.of_kind(ast.ImportFrom)
                offered.update(alias.name for node in imports for alias in node.names)

            if not path.endswith(".pyi"):
                self.modules[module.name] = module
                private = self.private.setdefault(package_of(module.name), set())
                private.update(filter(is_private, defined_names(module.nodes)))

    @classmethod
    def read(cls, folder):
        """Read a package from its folder."""
        paths = sorted([*folder.rglob("*.py"), *folder.rglob("*.pyi")])
        # Some files of other packages are templates, which no Python can read.
        texts = {
            str(path.relative_to(folder)): path.read_text("utf-8", "replace") for path in paths
        }
        return cls(folder.name, {path: text for path, text in texts.items() if can_be_parsed(text)})

    def places(self, kind):
        """Yield the nodes of a kind with their modules."""
        for module in self.modules.values():
            for node in module.of_kind(kind):
                yield module, node

    def is_public(self, name):
        """Return whether other packages may import from a module."""
        depth = name.count(".")
        is_within_data = depth == 2 and name.startswith(f"{self.name}.data.")
        return depth < 2 or name == CANDIDATES or (is_within_data and self.modules[name].is_package)

    def imported(self, node):
        """Yield the modules of the package that a statement imports, or imports names from."""
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in self.modules)
            return
        if node.module not in self.modules:
            return
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            is_module = alias.name not in self.offered[node.module] and inner in self.modules
            yield inner if is_module else node.module


def can_be_parsed(text):
    """Return whether a text is Python."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def package_of(module):
    """Return the package of a module: the first name below the root, or the root itself."""
    return ".".join(module.split(".")[:2])


def is_private(name):
    """Return whether a name is private: one underscore in front."""
    return name.startswith("_") and not name.startswith("__") and name != "_"


def defined_names(nodes):
    """Yield the names that a module defines: functions, classes, variables, fields, and attributes of `self`."""
    for node in nodes:
        if isinstance(node, FUNCTIONS | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and is_own(node.value)
        ):
            yield node.attr


def is_own(node):
    """Return whether an expression is the object whose method it stands in, or its class."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "super"
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def docstring_of(node):
    """Return the statement with the docstring of a module, class or function; `None` without one."""
    first = node.body[0] if node.body else None
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return first if is_text and isinstance(first.value.value, str) else None


def inside(function):
    """Yield the nodes of a function without those of functions in it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, FUNCTIONS):
            yield child
            yield from inside(child)


# ---------------------------------------------------------------- form


def tokens(package):
    """Yield the tokens of a package, each with its module and line."""
    for module in package.modules.values():
        documented = module.of_kind(ast.Module | ast.ClassDef | FUNCTIONS)
        starts = {
            (each.lineno, each.col_offset) for node in documented if (each := docstring_of(node))
        }
        for token in tokenize.generate_tokens(io.StringIO(module.source).readline):
            if token.type not in NO_CODE and token.start not in starts:
                yield module, token


def assignments(package):
    """Yield the assignments."""
    return package.places(ASSIGNMENTS)


def packed_assignments(package):
    """Yield assignments of several values at once, except swaps."""
    for module, node in package.places(ast.Assign):
        target = node.targets[0]
        if not isinstance(target, ast.Tuple) or not isinstance(node.value, ast.Tuple):
            continue
        names = sorted(map(ast.unparse, target.elts))
        values = sorted(map(ast.unparse, node.value.elts))
        if names != values:
            yield module, node


def long_functions(package):
    """Yield the long functions, with the lines of each."""
    for module, function in package.places(FUNCTIONS):
        statements = function.body[1:] if docstring_of(function) else function.body
        if statements:
            lines = module.lines[statements[0].lineno - 1 : statements[-1].end_lineno]
            if sum(bool(line.strip()) for line in lines) >= LONG_FUNCTION:
                yield module, function, lines


def unbroken_functions(package):
    """Yield the long functions without a blank line between their steps."""
    for module, function, lines in long_functions(package):
        if all(line.strip() for line in lines):
            yield module, function


def branched_functions(package):
    """Yield the functions with many branches."""
    for module, function in package.places(FUNCTIONS):
        count = 0
        for node in inside(function):
            count += isinstance(node, ONE_BRANCH)
            if isinstance(node, ast.comprehension):
                count += 1 + len(node.ifs)
            elif isinstance(node, ast.BoolOp):
                count += len(node.values) - 1
        if count > MOST_BRANCHES:
            yield module, function


def wide_lines(package):
    """Yield the lines that are too wide."""
    for module in package.modules.values():
        for number, line in enumerate(module.lines, 1):
            if len(line) > MOST_COLUMNS:
                yield module, ast.Constant(line.strip(), lineno=number)


def text_times_condition(package):
    """Yield texts that are multiplied by a condition, as `"s" * (count > 1)`."""
    for module, node in package.places(ast.BinOp):
        if not isinstance(node.op, ast.Mult):
            continue
        for text, other in ((node.left, node.right), (node.right, node.left)):
            is_text = isinstance(text, ast.JoinedStr) or isinstance(
                getattr(text, "value", None), str
            )
            is_negation = isinstance(other, ast.UnaryOp) and isinstance(other.op, ast.Not)
            if is_text and (is_negation or isinstance(other, CONDITIONS)):
                yield module, node


def any_annotations(package):
    """Yield `Any` in annotations."""
    for module, node in package.places(FUNCTIONS | ast.AnnAssign):
        if isinstance(node, ast.AnnAssign):
            annotations = [node.annotation]
        else:
            arguments = (each for each in ast.walk(node.args) if isinstance(each, ast.arg))
            annotations = [node.returns, *(each.annotation for each in arguments)]
        for annotation in filter(None, annotations):
            for part in ast.walk(annotation):
                if isinstance(part, ast.Name) and part.id == "Any":
                    yield module, part


# ---------------------------------------------------------------- how packages use each other


def candidate_literals(package):
    """Yield the names of candidates that are written outside their package, docstrings left out."""
    for module, node in package.places(ast.Constant):
        is_within = f"{module.name}.".startswith(f"{CANDIDATES}.")
        if node.value not in CANDIDATE_NAMES or is_within:
            continue
        is_statement = any(each.value is node for each in module.of_kind(ast.Expr))
        if not is_statement:
            yield module, node


def private_uses(package):
    """Yield uses of private names of another package.

    A private name that the own package defines, too, is taken for the own one, because no types are known here.
    """
    for module, node in package.places(ast.Attribute | ast.ImportFrom):
        own = package_of(module.name)
        if isinstance(node, ast.Attribute):
            used = set() if is_own(node.value) else {node.attr}
        elif package_of(node.module or "") != own:
            used = {alias.name for alias in node.names}
        else:
            used = set()
        used -= package.private[own] | OF_NAMED_TUPLES
        if any(used & names for name, names in package.private.items() if name != own):
            yield module, node


def imports_between(package):
    """Yield each import of one package from another, also those for type checkers."""
    for module, node in package.places(ast.Import | ast.ImportFrom):
        own = (package_of(module.name), package.name)
        targets = [target for target in package.imported(node) if package_of(target) not in own]
        if targets:
            yield module, node


def inner_imports(package):
    """Yield the imports from another package that take names which are not public."""
    for module, node in imports_between(package):
        own = (package_of(module.name), package.name)
        targets = [target for target in package.imported(node) if package_of(target) not in own]
        if not all(map(package.is_public, targets)):
            yield module, node


def argument_bundles(package):
    """Yield local dictionaries of anything that are unpacked into a call."""
    for module, function in package.places(FUNCTIONS):
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
        keywords = [each for call in calls for each in call.keywords]
        unpacked = {ast.unparse(each.value) for each in keywords if each.arg is None}
        for node in inside(function):
            if not isinstance(node, ast.AnnAssign) or node.value is None:
                continue
            is_loose = ast.unparse(node.annotation) in ("Any", "dict[str, Any]")
            if is_loose and ast.unparse(node.target) in unpacked:
                yield module, node


def long_calls(package):
    """Yield calls with many positional arguments; a tuple that is unpacked on the spot counts its elements."""
    for module, call in package.places(ast.Call):
        values = [node.value if isinstance(node, ast.Starred) else None for node in call.args]
        sizes = [len(node.elts) if isinstance(node, ast.Tuple | ast.List) else 1 for node in values]
        if sum(sizes) > MOST_POSITIONAL:
            yield module, call


def none_assertions(package):
    """Yield assertions that something is not `None`, which a type could say."""
    for module, node in package.places(ast.Assert):
        compared = (part for part in ast.walk(node.test) if isinstance(part, ast.Compare))
        if any(isinstance(operator, ast.IsNot) for part in compared for operator in part.ops):
            yield module, node


@dataclass(frozen=True)
class Measure:
    """What is counted.

    Args:
        words: Its name.
        places: Yields the places.
        most: The limit; `None` without `of` for none.
        of: Yields the places of which the limit is a share; `None` where it is a number.
        is_listed: Whether places are worth a list.
    """

    words: str
    places: Callable[[Package], Iterable]
    most: float
    of: Callable[[Package], Iterable] | None = None
    is_listed: bool = True

    def limit(self, package):
        """Return the most places that a package may have."""
        return int(self.most) if self.of is None else int(self.most * count(self.of(package)))


FORM = (
    Measure("tokens", tokens, 330_000, is_listed=False),
    Measure("packed assignments", packed_assignments, 40),
    Measure("long functions without a blank line", unbroken_functions, 0.25, of=long_functions),
    Measure(f"functions of more than {MOST_BRANCHES} branches", branched_functions, 0),
    Measure(f"lines of more than {MOST_COLUMNS} columns", wide_lines, 0),
    Measure("texts times a condition", text_times_condition, 0),
    Measure("`Any` in annotations", any_annotations, 1_000),
)
USES = (
    Measure("names of candidates outside their package", candidate_literals, 3),
    Measure("uses of private names of another package", private_uses, 0),
    Measure("imports of names that are not public", inner_imports, 0.05, of=imports_between),
    Measure("dictionaries of anything unpacked into a call", argument_bundles, 10),
    Measure("calls with more than five positional arguments", long_calls, 5),
    Measure("assertions that something is not None", none_assertions, 20),
)


def count(places):
    """Return the number of places."""
    return sum(1 for _ in places)


def compare(packages):
    """Print the form of packages side by side, with what the figures are shares of."""
    wholes = (("assignments", assignments), ("long functions", long_functions))
    counted = [*((each.words, each.places) for each in FORM), *wholes]
    rows = [
        [words, *(f"{count(places(each)):,}" for each in packages)] for words, places in counted
    ]
    print(table(["", *(each.name for each in packages)], rows))


def check(package, *, listed):
    """Print the figures of a package with their limits; return whether all are within."""
    is_within = True
    for measure in (*FORM, *USES):
        places = list(measure.places(package))
        limit = measure.limit(package)
        is_over = len(places) > limit
        is_within = is_within and not is_over
        over = "  OVER" if is_over else ""
        print(f"{len(places):7,} of at most {limit:7,}  {measure.words}{over}")

        for module, node in places if listed and measure.is_listed else ():
            text = " ".join(ast.unparse(node).split())
            print(f"        {module.name}:{node.lineno} {text:.100}")
    return is_within


def main(argv=None):
    """Print the figures; return 1 where one is over its limit, else 0."""
    parser = options(__doc__)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="other packages")
    parser.add_argument("--list", action="store_true", help="print each place")
    parser.add_argument("--source", type=Path, default=SOURCE, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.folders:
        compare([Package.read(folder) for folder in given.folders])
        return 0
    return int(not check(Package.read(given.source), listed=given.list))


if __name__ == "__main__":
    sys.exit(main())
