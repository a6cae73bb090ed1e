"""Importing seqcast is cheap, chooses JAX unless the user chose, and needs no optional package."""

import ast
import importlib
import json
from pathlib import Path

import pytest

import seqcast

HEAVY = ("keras", "jax", "sklearn", "pandas", "polars", "matplotlib", "narwhals", "rich", "typer")
OPTIONAL = (
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
)
PUBLIC = {
    "__version__": "seqcast",
    "Columns": "seqcast.specs.columns",
    "Engine": "seqcast.engine",
    "Forecaster": "seqcast.forecaster",
    "LastValue": "seqcast.baselines",
    "ManyToOneRegressor": "seqcast.baselines",
    "NetworkSpec": "seqcast.specs.network",
    "RayCluster": "seqcast.distributed.cluster",
    "SeasonalNaive": "seqcast.baselines",
    "Seq2Seq": "seqcast.network",
    "Seq2SeqRegressor": "seqcast.regressor",
    "States": "seqcast.network",
    "TrainingSpec": "seqcast.specs.training",
    "WindowSpec": "seqcast.specs.window",
    "forecast": "seqcast.forecaster",
    "load_network": "seqcast.network",
}


# ---------------------------------------------------------------- what an import brings


def test_import_is_light(run_python):
    code = f"import sys, seqcast; dir(seqcast); print([name for name in {HEAVY} if name in sys.modules])"
    assert run_python(code) == "[]"


def test_the_pretrained_network_brings_no_filters(run_python):
    """Who draws synthetic series needs `scipy.signal`, which takes a second; who forecasts does not."""
    code = "import sys; import seqcast.pretrained.network; print('scipy.signal' in sys.modules)"
    assert run_python(code) == "False"


def test_options_without_keras_objects_are_light(run_python):
    code = f"""
import sys
from seqcast import Columns, NetworkSpec, WindowSpec
NetworkSpec(cell="lstm").to_dict(), WindowSpec(1, 1, 1).to_dict(), Columns().to_dict()
try:
    NetworkSpec(cell="grru")
except ValueError:
    pass
print([name for name in {HEAVY} if name in sys.modules])
"""
    assert run_python(code) == "[]"


# ---------------------------------------------------------------- the public names


def test_all_is_what_is_documented():
    assert sorted(seqcast.__all__) == sorted(PUBLIC)
    assert len(set(seqcast.__all__)) == len(seqcast.__all__)
    assert set(seqcast.__all__) <= set(dir(seqcast))


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_is_its_modules(name):
    assert getattr(seqcast, name) is getattr(importlib.import_module(PUBLIC[name]), name)


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(seqcast.__file__).read_text("utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0]
    seen = {alias.asname: node.module for node in imports for alias in node.names if node.module.startswith("seqcast")}
    seen.pop(None)  # __version__, which is imported at once
    assert seen == {name: module for name, module in PUBLIC.items() if name != "__version__"}


def test_unknown_name():
    with pytest.raises(AttributeError, match="module 'seqcast' has no attribute 'Forcaster'"):
        _ = seqcast.Forcaster


# ---------------------------------------------------------------- the backend

WHICH = "from seqcast.runtime.backend import keras; print(keras.backend.backend())"


@pytest.fixture
def home_that_says_tensorflow(tmp_path):
    config = {
        "floatx": "float32",
        "epsilon": 1e-7,
        "backend": "tensorflow",
        "image_data_format": "channels_last",
    }
    (tmp_path / "keras.json").write_text(json.dumps(config))
    return str(tmp_path)


def test_jax_is_the_default_whatever_keras_json_says(run_python, home_that_says_tensorflow):
    assert run_python(WHICH, KERAS_BACKEND=None, KERAS_HOME=home_that_says_tensorflow) == "jax"


def test_the_environment_is_respected(run_python, home_that_says_tensorflow):
    assert run_python(WHICH, KERAS_BACKEND="numpy", KERAS_HOME=home_that_says_tensorflow) == "numpy"


def test_a_keras_that_is_imported_already_is_respected(run_python):
    code = """
import os, sys, types
keras = types.ModuleType("keras")
keras.backend = types.SimpleNamespace(backend=lambda: "another")
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
import seqcast.regressor, seqcast.forecaster, seqcast.baselines, seqcast.plots, seqcast.cli.main, seqcast.interop.sktime
import seqcast.export, seqcast.serve.configuration, seqcast.serve.server
import seqcast.interop.mlflow, seqcast.interop.tensorboard, seqcast.interop.wandb
print("imported")
try:
    from seqcast.interop.sktime import SeqcastForecaster
except ImportError as error:
    print(type(error).__name__, error)
"""
    needed = "the optional package 'sktime' is needed for this. Install it: pip install 'seqcast[sktime]'"
    assert run_python(code).splitlines() == ["imported", f"MissingPackageError {needed}"]
