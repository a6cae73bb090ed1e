"""Weights & Biases, offline: a run holds what training recorded."""

import sys
import types

import pytest

from seqcast import Forecaster, Seq2SeqRegressor
from seqcast.data.datasets import load
from seqcast.errors import SpecError
from seqcast.interop.wandb import WandbLog
from seqcast.training.observers import Record

from .conftest import FUTURE, OPTIONS, PAST, SMALL


class Run:
    """What a run of W&B is told."""

    def __init__(self):
        self.logged = []
        self.axes = {}

    def define_metric(self, name, step_metric=None):
        self.axes[name] = step_metric

    def log(self, values):
        self.logged.append(values)


@pytest.fixture
def run(monkeypatch):
    """A stand-in of the package, with a run that is active."""
    package = types.ModuleType("wandb")
    package.run = Run()
    monkeypatch.setitem(sys.modules, "wandb", package)
    return package.run


def test_epochs_and_steps_have_the_names_of_their_own_callback(run):
    model = Seq2SeqRegressor(**SMALL, epochs=2).fit(PAST, FUTURE, callbacks=[WandbLog(1)])
    epochs = [values for values in run.logged if "epoch/epoch" in values]
    assert [values["epoch/epoch"] for values in epochs] == [0, 1]
    for name in ("loss", "val_loss"):
        assert [values[f"epoch/{name}"] for values in epochs] == model.history_[name]
    steps = [values for values in run.logged if "batch/batch_step" in values]
    assert [values["batch/batch_step"] for values in steps] == [1, 2, 3, 4]
    assert set(steps[0]) == {"batch/loss", "batch/learning_rate", "batch/batch_step"}
    axes = {"epoch/*": "epoch/epoch", "batch/*": "batch/batch_step"}
    assert run.axes == {**axes, "epoch/epoch": None, "batch/batch_step": None}


def test_one_of_several_networks_has_its_name_before_each(run):
    log = WandbLog().for_network("pretrained")
    log.watch(None, None)
    log.record(Record("epoch", 3, 6, 1.0, 0.1, {"loss": 2.0}))
    named = {
        "pretrained/epoch/loss": 2.0,
        "pretrained/epoch/learning_rate": 0.1,
        "pretrained/epoch/epoch": 2,
    }
    assert run.logged == [named]
    assert run.axes["pretrained/epoch/*"] == "pretrained/epoch/epoch"


def test_workers_cannot_share_a_run_which_has_to_be_active(run):
    with pytest.raises(
        SpecError, match="callbacks: expected copies for worker processes, of 2 networks"
    ):
        Forecaster(12, **OPTIONS, members=2).fit(load("elnino"), callbacks=[WandbLog()])
    sys.modules["wandb"].run = None
    with pytest.raises(SpecError, match=r"Call wandb.init\(\) first"):
        Seq2SeqRegressor(**SMALL).fit(PAST, FUTURE, callbacks=[WandbLog()])


@pytest.mark.filterwarnings("ignore")  # W&B's own
def test_a_real_run_that_is_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    wandb = pytest.importorskip("wandb")
    # Of the environment W&B reads only what is there when a process begins.
    with wandb.init(project="seqcast", dir=tmp_path, mode="offline") as real:
        model = Seq2SeqRegressor(**SMALL, epochs=2).fit(PAST, FUTURE, callbacks=[WandbLog()])
        summary = dict(real.summary)
    assert summary["epoch/epoch"] == 1
    assert summary["epoch/val_loss"] == pytest.approx(model.history_["val_loss"][-1])
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))
