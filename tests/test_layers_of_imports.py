"""Imports point one way: no module imports from further down the ladder, at whatever place in its code."""

import ast
import graphlib
from pathlib import Path

import pytest

import seqcast

ROOT = Path(seqcast.__file__).parent

# What stands on one level may import each other, without cycles, but for the pairs in APART.
LADDER = [
    ("_version", "errors"),
    ("_backend", "_optional", "parallel", "saving"),
    ("config",),
    ("data",),
    ("network",),
    ("progress", "training", "tensorboard"),
    ("programs", "forecasts"),
    ("engine",),
    ("reading",),
    ("calibration", "conformal", "outlook"),
    ("naive", "defaults", "members", "plan", "fitted", "forecaster_file", "forecaster_options"),
    ("evaluation",),
    ("plots",),
    ("report",),
    ("regressor", "forecaster"),
    ("baselines",),
    ("interop",),
    ("inspect",),
    ("studies",),
    ("demo",),
    ("cli",),
]
LEVEL = {name: level for level, group in enumerate(LADDER) for name in group}
APART = {("regressor", "forecaster"), ("forecaster", "regressor")}

OPTIONAL = {
    "holidays",
    "optuna",
    "polars",
    "pyarrow",
    "sktime",
    "statsmodels",
    "tensorboard",
    "tensorflow",
    "torch",
}
ONLY_IN_BACKEND = {"keras", "jax"}


def module_name(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
# seqcast/__init__.py is the table of public names: whoever imports a name from it imports the name's module.
INNER = {name: path for name, path in MODULES.items() if name != "seqcast"}


def only_for_types(node):
    test = node.test if isinstance(node, ast.If) else None
    return "TYPE_CHECKING" in (getattr(test, "id", None), getattr(test, "attr", None))


def import_nodes(node, *, inside_functions):
    """Yield import statements, those for type checkers left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child
        elif only_for_types(child):
            yield from import_nodes(ast.Module(child.orelse), inside_functions=inside_functions)
        elif inside_functions or not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from import_nodes(child, inside_functions=inside_functions)


def imported(source, module, *, is_package=False, inside_functions=True):
    """Return the full names that a module's source imports; for `from a import b` it is `a.b`."""
    tree = ast.parse(source)
    found = set()
    for node in import_nodes(tree, inside_functions=inside_functions):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
            continue
        above = module.split(".")[: None if is_package and node.level == 1 else -node.level or None]
        base = ".".join([*(above if node.level else []), *([node.module] if node.module else [])])
        found.update(f"{base}.{alias.name}" for alias in node.names)
    if "seqcast" in found:  # import seqcast, then seqcast.Name
        found.update(
            f"seqcast.{node.attr}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "seqcast"
        )
    return found


def own_modules(names):
    """Return the modules of seqcast behind imported names."""
    modules = set()
    for name in names:
        first, _, public = name.partition(".")
        if first != "seqcast":
            continue
        if public in seqcast._PLACES:
            name = seqcast._PLACES[public]
        while name not in MODULES:
            name = name.rpartition(".")[0]
        modules.add(name)
    return modules - {"seqcast"}


def step(module):
    return module.split(".")[1]


def faults(module, targets):
    """Return what is wrong with a module that imports these modules of seqcast."""
    own, found = step(module), []
    for other in sorted({step(target) for target in targets} - {own}):
        if LEVEL[other] > LEVEL[own]:
            found.append(f"{module} imports from {other}, which stands below {own}")
        if (own, other) in APART:
            found.append(f"{module} imports from {other}: the two doors do not know each other")
    return found


def read(module, **options):
    path = MODULES[module]
    return imported(path.read_text("utf-8"), module, is_package=path.name == "__init__.py", **options)


def test_every_module_has_its_place():
    assert {step(module) for module in INNER} <= set(LEVEL)


@pytest.mark.parametrize("module", INNER)
def test_no_import_points_upwards(module):
    assert faults(module, own_modules(read(module))) == []


def test_no_import_goes_in_circles():
    graph = {module: own_modules(read(module)) - {module} for module in INNER}
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError
    assert set(order) == set(INNER)


@pytest.mark.parametrize("module", MODULES)
def test_optional_packages_are_not_imported_at_module_level(module):
    roots = {name.partition(".")[0] for name in read(module, inside_functions=False)}
    assert roots & OPTIONAL == set()


@pytest.mark.parametrize("module", [name for name in MODULES if name != "seqcast._backend"])
def test_keras_and_jax_are_imported_in_one_place(module):
    """But for modules that are JAX's own, which say so in their name."""
    allowed = {"jax"} if module.endswith("_jax") else set()
    assert {name.partition(".")[0] for name in read(module)} & ONLY_IN_BACKEND <= allowed


def test_package_imports_nothing_of_its_own_eagerly_but_its_version():
    assert own_modules(read("seqcast")) == {"seqcast._version"}


# ---------------------------------------------------------------- the reader itself

NEEDS_MODULE = "seqcast.network.cells"


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("import seqcast.engine", "seqcast.engine"),
        ("import seqcast.engine as e", "seqcast.engine"),
        ("from seqcast.engine import Engine", "seqcast.engine"),
        ("from seqcast import engine", "seqcast.engine"),
        ("from seqcast import Engine", "seqcast.engine"),
        ("import seqcast\nx = seqcast.Engine", "seqcast.engine"),
        ("from ..engine import Engine", "seqcast.engine"),
        ("from .. import engine", "seqcast.engine"),
        ("def f():\n    from seqcast.engine import Engine", "seqcast.engine"),
        ("class A:\n    async def f(self):\n        import seqcast.engine", "seqcast.engine"),
        ("try:\n    import seqcast.engine\nexcept ImportError:\n    pass", "seqcast.engine"),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import seqcast.engine", "seqcast.engine"),
    ],
)
def test_reader_finds_an_upward_import(source, module):
    found = own_modules(imported(source, NEEDS_MODULE))
    assert found == {module}
    assert faults(NEEDS_MODULE, found) == [f"{NEEDS_MODULE} imports from engine, which stands below network"]


@pytest.mark.parametrize(
    "source",
    [
        "from seqcast.network.bridge import Bridge",
        "from .bridge import Bridge",
        "from . import bridge",
        "from seqcast.network import bridge",
    ],
)
def test_reader_allows_neighbours(source):
    found = own_modules(imported(source, NEEDS_MODULE))
    assert found == {"seqcast.network.bridge"}
    assert faults(NEEDS_MODULE, found) == []


@pytest.mark.parametrize(
    "source",
    [
        "if TYPE_CHECKING:\n    from seqcast.engine import Engine",
        "if typing.TYPE_CHECKING:\n    from seqcast.engine import Engine",
        "import seqcast\nx = seqcast.__version__",
        "from seqcast import __version__",
        "import numpy",
    ],
)
def test_reader_passes_over_types_and_others(source):
    assert own_modules(imported(source, NEEDS_MODULE)) == set()


def test_reader_knows_the_doors_apart():
    assert faults("seqcast.forecaster", {"seqcast.regressor"}) != []
    assert faults("seqcast.regressor", {"seqcast.forecaster"}) != []


def test_reader_tells_module_level_from_function_level():
    source = "import polars\ndef f():\n    import torch\nclass A:\n    import optuna.trial"
    assert imported(source, "seqcast.cli", inside_functions=False) == {"polars", "optuna.trial"}
    assert imported(source, "seqcast.cli") == {"polars", "torch", "optuna.trial"}
