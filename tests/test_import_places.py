"""What import-linter cannot see: that Keras, JAX and optional packages are imported late, and in one place."""

import ast
from pathlib import Path

import pytest

import seqcast

ROOT = Path(seqcast.__file__).parent
OPTIONAL = {
    "fastapi",
    "holidays",
    "mlflow",
    "onnx",
    "onnxruntime",
    "optuna",
    "polars",
    "prometheus_client",
    "pyarrow",
    "ray",
    "sktime",
    "starlette",
    "statsmodels",
    "tensorboard",
    "tensorflow",
    "torch",
    "uvicorn",
    "wandb",
}
MODULES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))


def imported(source, *, inside_functions=True):
    """Return the first names of the packages that a module's source imports, those for type checkers left out."""

    def statements(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import | ast.ImportFrom):
                yield child
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                yield from statements(ast.Module(child.orelse, []))
            elif inside_functions or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield from statements(child)

    found = set()
    for node in statements(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        found |= {name.partition(".")[0] for name in names}
    return found


@pytest.mark.parametrize("module", MODULES)
def test_optional_packages_are_not_imported_at_module_level(module):
    assert imported((ROOT / module).read_text("utf-8"), inside_functions=False) & OPTIONAL == set()


@pytest.mark.parametrize("module", [name for name in MODULES if name != "runtime/backend.py"])
def test_keras_and_jax_are_imported_in_one_place(module):
    """But for modules that are JAX's own: those that compile, keep programs, or say so in their name."""
    jax = Path(module).stem.startswith("jax_") or module in ("runtime/jit.py", "runtime/program_cache.py")
    assert imported((ROOT / module).read_text("utf-8")) & {"keras", "jax"} <= ({"jax"} if jax else set())


@pytest.mark.parametrize("module", MODULES)
def test_no_module_imports_names_from_the_package_root(module):
    tree = ast.parse((ROOT / module).read_text("utf-8"))
    roots = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "seqcast"]
    assert [alias.name for node in roots for alias in node.names if alias.name in seqcast.__all__] == []


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short(module):
    """The two estimators and the engine are as long as their docstrings: all that users call is there."""
    most = 1000 if module in ("forecaster/estimator.py", "regressor/estimator.py", "engine/engine.py") else 500
    assert len((ROOT / module).read_text("utf-8").splitlines()) <= most


def room_of(parts):
    """Return the room that a module belongs to; packages of `data` are rooms."""
    inner = {path.name for path in (ROOT / "data").iterdir() if path.is_dir()}
    return ".".join(parts[:2] if parts[:1] == ["data"] and len(parts) > 1 and parts[1] in inner else parts[:1])


# `data` offers the `describe` of tables; that of the data sets which come along is another one.
PAST_A_DOOR = {("studies/demo.py", "seqcast.data.datasets")}


@pytest.mark.parametrize("module", [name for name in MODULES if name != "__init__.py"])
def test_rooms_are_entered_by_their_doors(module):
    """What a room offers stands in its `__init__`, or in the stub beside it."""
    own = room_of(list(Path(module).with_suffix("").parts))
    passed = set()
    for node in ast.walk(ast.parse((ROOT / module).read_text("utf-8"))):
        parts = (node.module or "").split(".")[1:] if isinstance(node, ast.ImportFrom) else []
        if parts and room_of(parts) not in (own, ".".join(parts)) and node.module.startswith("seqcast."):
            passed.add((module, node.module))
    assert passed <= PAST_A_DOOR


@pytest.mark.parametrize("stub", sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("__init__.pyi")))
def test_what_a_door_offers_is_not_hidden_by_a_module(stub):
    """A module takes the place of a name of a package as soon as it is imported; `lazy_loader` spares its own names."""
    tree = ast.parse((ROOT / stub).read_text("utf-8"))
    offered = {
        alias.name: node.module for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    modules = {path.stem for path in (ROOT / stub).parent.glob("*.py")}
    assert [name for name, module in offered.items() if name in modules and name != module] == []


def test_the_root_holds_what_the_house_rules_say():
    modules = {path.name for path in ROOT.iterdir() if path.is_file()}
    assert modules == {"__init__.py", "_version.py", "baselines.py", "py.typed"}


def test_the_reader_tells_module_level_from_function_level():
    source = "import polars\ndef f():\n    import torch\nclass A:\n    import optuna.trial"
    assert imported(source, inside_functions=False) == {"polars", "optuna"}
    assert imported(source) == {"polars", "torch", "optuna"}
    assert imported("if TYPE_CHECKING:\n    import torch\nelse:\n    import polars") == {"polars"}
