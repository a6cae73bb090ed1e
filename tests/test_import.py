"""Importing seqcast is cheap, chooses JAX unless the user chose, and needs no optional package.

The source keeps what import-linter cannot see: Keras, JAX and optional packages are imported late,
and in one place.
"""

import ast
import importlib
import json
from pathlib import Path

import pytest

import seqcast

HEAVY = ("keras", "jax", "sklearn", "pandas", "polars", "matplotlib", "narwhals", "rich", "typer")
OPTIONAL = {
    *(
        "fastapi",
        "holidays",
        "mlflow",
        "ndonnx",
        "onnx",
        "onnxruntime",
        "optuna",
        "polars",
        "prometheus_client",
    ),
    *(
        "pyarrow",
        "ray",
        "sktime",
        "starlette",
        "spox",
        "statsmodels",
        "tensorboard",
        "tensorflow",
        "torch",
        "uvicorn",
    ),
    "wandb",
}
ROOT = Path(seqcast.__file__).parent
MODULES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))
PUBLIC = {
    "seqcast": ("__version__",),
    "seqcast.baselines": ("LastValue", "ManyToOneRegressor", "SeasonalNaive"),
    "seqcast.distributed": ("RayCluster",),
    "seqcast.engine": ("Engine",),
    "seqcast.forecaster": ("Forecaster", "forecast"),
    "seqcast.network": ("Seq2Seq", "States", "load_network"),
    "seqcast.regressor": ("Seq2SeqRegressor",),
    "seqcast.specs": ("Columns", "NetworkSpec", "TrainingSpec", "WindowSpec"),
}


# ---------------------------------------------------------------- what an import brings


def test_an_import_and_options_without_keras_objects_are_light(run_python):
    code = f"""
import sys, seqcast
from seqcast import Columns, NetworkSpec, WindowSpec
dir(seqcast), NetworkSpec(cell="lstm").to_dict(), WindowSpec(1, 1, 1).to_dict(), Columns().to_dict()
try:
    NetworkSpec(cell="grru")
except ValueError:
    pass
print([name for name in {HEAVY} if name in sys.modules])
import seqcast.pretrained.pretrained_network
print("scipy.signal" in sys.modules)  # its import takes a second
"""
    assert run_python(code).splitlines() == ["[]", "False"]


# ---------------------------------------------------------------- the public names


def test_all_is_what_is_documented():
    names = [name for of_module in PUBLIC.values() for name in of_module]
    assert sorted(seqcast.__all__) == sorted(names)
    assert set(names) <= set(dir(seqcast))
    for module, of_module in PUBLIC.items():
        for name in of_module:
            assert getattr(seqcast, name) is getattr(importlib.import_module(module), name)
    with pytest.raises(AttributeError, match="No seqcast attribute Forcaster"):
        _ = seqcast.Forcaster


# ---------------------------------------------------------------- the backend

WHICH = "from seqcast.runtime.backend import keras; print(keras.backend.backend())"


@pytest.mark.parametrize(("given", "taken"), [(None, "jax"), ("numpy", "numpy")])
def test_jax_is_the_default_whatever_keras_json_says_and_the_environment_counts(
    run_python, tmp_path, given, taken
):
    config = {
        "floatx": "float32",
        "epsilon": 1e-7,
        "backend": "tensorflow",
        "image_data_format": "channels_last",
    }
    (tmp_path / "keras.json").write_text(json.dumps(config))
    assert run_python(WHICH, KERAS_BACKEND=given, KERAS_HOME=str(tmp_path)) == taken


def test_a_keras_that_is_imported_already_is_respected(run_python):
    code = """
import os, sys, types
keras = types.ModuleType("keras")
keras.backend, keras.ops = types.SimpleNamespace(backend=lambda: "another"), None
sys.modules["keras"] = keras
import seqcast.runtime.backend
print(seqcast.runtime.backend.keras is keras, os.environ.get("KERAS_BACKEND"))
"""
    assert run_python(code, KERAS_BACKEND=None) == "True None"


# ---------------------------------------------------------------- without the extras


def test_imports_with_every_optional_package_blocked(run_python):
    code = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OPTIONAL}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
import seqcast.regressor, seqcast.forecaster, seqcast.baselines, seqcast.plots, seqcast.cli.main
import seqcast.serve.configuration, seqcast.serve.server
import seqcast.interop.mlflow, seqcast.interop.tensorboard, seqcast.interop.wandb
print("imported")
try:
    from seqcast.interop.sktime import SeqcastForecaster
except ImportError as error:
    print(type(error).__name__, error)
"""
    needed = (
        "the optional package 'sktime' is needed for this. "
        "Install it in the clone of seqcast: pip install '.[sktime]'"
    )
    assert run_python(code).splitlines() == ["imported", f"MissingPackageError {needed}"]


# ---------------------------------------------------------------- the source


def imported(source, *, inside_functions=True):
    """Return the first names of the packages that a module's source imports, those for type checkers left out."""

    def statements(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import | ast.ImportFrom):
                yield child
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                yield from statements(ast.Module(child.orelse, []))
            elif inside_functions or not isinstance(
                child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
            ):
                yield from statements(child)

    found = set()
    for node in statements(ast.parse(source)):
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
        )
        found |= {name.partition(".")[0] for name in names}
    return found


# What `serve.server` imports once it has asked for the packages.
BEHIND = {"serve/connections.py", "serve/request_guard.py", "serve/routes.py"}


@pytest.mark.parametrize("module", MODULES)
def test_modules_import_neither_optional_packages_at_once_nor_names_of_the_root(module):
    text = (ROOT / module).read_text("utf-8")
    assert module in BEHIND or not imported(text, inside_functions=False) & OPTIONAL
    roots = [node for node in ast.walk(ast.parse(text)) if getattr(node, "module", "") == "seqcast"]
    assert [
        alias.name for node in roots for alias in node.names if alias.name in seqcast.__all__
    ] == []


@pytest.mark.parametrize("module", [name for name in MODULES if name != "runtime/backend.py"])
def test_keras_and_jax_are_imported_in_one_place(module):
    """But for modules that are JAX's own: they compile, derive, join processes, or say so in their name."""
    own = {f"runtime/{name}.py" for name in ("derivatives", "jit", "process_group")}
    jax = {"jax"} if Path(module).stem.startswith("jax_") or module in own else set()
    assert imported((ROOT / module).read_text("utf-8")) & {"keras", "jax"} <= jax


def room_of(names):
    """Return the room that a module belongs to; packages of `data` are rooms."""
    inner = {path.name for path in (ROOT / "data").iterdir() if path.is_dir()}
    return ".".join(
        names[:2] if names[:1] == ["data"] and len(names) > 1 and names[1] in inner else names[:1]
    )


# `data` offers the `describe` of tables; that of the data sets which come along is another one.
PAST_A_DOOR = {("cli/demo.py", "seqcast.data.datasets")}


@pytest.mark.parametrize("module", [name for name in MODULES if name != "__init__.py"])
def test_rooms_are_entered_by_their_doors(module):
    """What a room offers stands in its `__init__`, or in the stub beside it."""
    own = room_of(list(Path(module).with_suffix("").parts))
    passed = set()
    for node in ast.walk(ast.parse((ROOT / module).read_text("utf-8"))):
        names = (node.module or "").split(".")[1:] if isinstance(node, ast.ImportFrom) else []
        if (
            names
            and room_of(names) not in (own, ".".join(names))
            and node.module.startswith("seqcast.")
        ):
            passed.add((module, node.module))
    assert passed <= PAST_A_DOOR


@pytest.mark.parametrize(
    "stub", sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("__init__.pyi"))
)
def test_what_a_door_offers_is_not_hidden_by_a_module(stub):
    """A module takes the place of a name of a package as soon as it is imported; `lazy_loader` spares its own names."""
    tree = ast.parse((ROOT / stub).read_text("utf-8"))
    lines = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    offered = {alias.name: node.module for node in lines for alias in node.names}
    modules = {path.stem for path in (ROOT / stub).parent.glob("*.py")}
    assert [name for name, module in offered.items() if name in modules and name != module] == []


def test_the_root_holds_what_the_house_rules_say():
    modules = {path.name for path in ROOT.iterdir() if path.is_file()}
    assert modules == {"__init__.py", "__init__.pyi", "_version.py", "baselines.py", "py.typed"}


def test_the_reader_tells_module_level_from_function_level():
    source = "import polars\ndef f():\n    import torch\nclass A:\n    import optuna.trial"
    assert imported(source, inside_functions=False) == {"polars", "optuna"}
    assert imported(source) == {"polars", "torch", "optuna"}
    assert imported("if TYPE_CHECKING:\n    import torch\nelse:\n    import polars") == {"polars"}
