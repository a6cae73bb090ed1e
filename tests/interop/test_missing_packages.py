"""Where a package of an extra is missing, the error names the line that installs it."""

import importlib
import sys

import pytest

from seqcast.errors import MissingPackageError

MISSING = [
    ("tensorboard", "TensorBoard", (), ["tensorboard.summary"]),
    ("wandb", "WandbLog", (), ["wandb"]),
    ("mlflow", "MlflowLog", ("a",), ["mlflow"]),
    ("mlflow", "log_model", (None,), ["mlflow.models"]),
    ("mlflow", "load_model", ("m",), ["mlflow.artifacts", "mlflow.models"]),
]


@pytest.mark.parametrize(("module", "name", "arguments", "blocked"), MISSING)
def test_the_line_that_installs_it_is_named(monkeypatch, module, name, arguments, blocked):
    call = getattr(importlib.import_module(f"seqcast.interop.{module}"), name)
    for package in blocked:
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=rf"pip install '\.\[{module}\]'"):
        call(*arguments)
